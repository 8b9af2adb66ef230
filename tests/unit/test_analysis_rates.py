"""Rates and curves: the shapes, the limits, and what is refused. The law is in tests/property/test_analysis.py."""

from __future__ import annotations

import pytest

from kyc_verify import checks
from kyc_verify.analysis import curve, error_rates
from kyc_verify.analysis._setting import MOST_CHECKS, Setting
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.policy.rule import Tree
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

LAYERS = (
    checks.CallerNumber(),
    checks.SimSwap(),
    checks.Pin(),
    checks.AppConfirmation(),
    checks.OneTimeCode(channel="sms"),
)
BANK = Policy(
    name="bank",
    checks=LAYERS,
    actions={
        "hours": Requirement.none(),
        "pay": Requirement(
            bits=3, factors=2, stakes=(Tier(up_to=100, currency="EUR", requirement=Requirement(bits=1)),)
        ),
        "tap": Requirement(bits=2, checks=("app_confirmation",)),
    },
)


def test_one_check_is_its_own_cell() -> None:
    rates = error_rates(BANK, "tap", runs=1)
    cells = ThreatModel.default().rows["app_confirmation"].likelihoods
    assert rates.attackers == {name: float(cells.classes[name][Outcome.PASS]) for name in cells.classes}
    assert rates.genuine == {
        Verdict.VERIFIED: 0.8, Verdict.DENIED: 0.2, Verdict.STEP_UP: 0.0, Verdict.REVIEW: 0.0
    }  # fmt: skip
    assert rates.bound == 0.25
    assert rates.order == ("app_confirmation",)


def test_later_runs_need_more_and_end_in_review() -> None:
    rates = error_rates(BANK, "tap", runs=3)
    assert [each.required for each in rates.runs] == [200, 300, 359]
    # A phisher's tap weighs exactly 3 bits: enough for the second run, not for the third.
    assert [each.genuine[Verdict.VERIFIED] for each in rates.runs] == [0.8, 0.8, 0.0]
    assert rates.runs[2].genuine[Verdict.REVIEW] == 1.0
    assert rates.within["phisher"] == pytest.approx((0.1, 0.19, 0.19), rel=1e-12)
    assert rates.within_bound[:2] == pytest.approx((0.25, 0.25 * 1.6931471805599454), rel=1e-12)


def test_a_stake_has_the_rates_of_its_tier() -> None:
    small = error_rates(BANK, "pay", stake=Stake(amount=50, currency="EUR"), runs=1)
    large = error_rates(BANK, "pay", stake=Stake(amount=500, currency="EUR"), runs=1)
    assert small.runs[0].required == 100
    assert large.runs[0].required == 300
    assert small.genuine[Verdict.VERIFIED] > large.genuine[Verdict.VERIFIED]


def test_what_cannot_be_had_is_not_asked() -> None:
    rates = error_rates(BANK, "pay", available=["pin", "sim_swap", "app_confirmation"], runs=1)
    assert rates.order == ("pin", "app_confirmation")
    without = error_rates(BANK, "pay", available=["pin", "sim_swap"], runs=1)
    assert without.genuine[Verdict.REVIEW] == 1.0
    assert set(without.attackers.values()) == {0.0}


def test_points_take_their_rates_from_another_model() -> None:
    points = Policy(
        name="points",
        checks=LAYERS[2:],
        threats=ThreatModel.points({"pin": 1, "app_confirmation": 1, "one_time_code": 1}),
        actions={"any": Requirement(bits=1)},
    )
    with pytest.raises(UsageError, match="pass threats="):
        error_rates(points, "any")
    rates = error_rates(points, "any", ThreatModel.default(), runs=1)
    assert rates.bound is None
    assert rates.within_bound is None
    assert rates.genuine[Verdict.DENIED] == pytest.approx(0.2**3, rel=1e-12)


def test_the_curve_falls_and_ends_at_nobody() -> None:
    points = curve(BANK, "pay")
    assert 300 in [each.required for each in points]
    for name in BANK.threats.names:
        rates = [each.attackers[name] for each in points]
        assert rates == sorted(rates, reverse=True)
    assert points[-1].genuine[Verdict.REVIEW] == 1.0


@pytest.mark.parametrize("bad", [[-1], [1.5], [True], [10**9]])
def test_thresholds_are_centibits(bad: list[object]) -> None:
    with pytest.raises(UsageError, match="whole centibits"):
        curve(BANK, "pay", thresholds=bad)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"action": "nope"}, "no such action"),
        ({"action": "hours"}, "asks nothing"),
        ({"action": "pay", "runs": 0}, "runs must be"),
        ({"action": "pay", "runs": True}, "runs must be"),
        ({"action": "pay", "available": ["nope"]}, "no check of the policy: nope"),
        ({"action": "pay", "order": ["pin"]}, "order must be these questions"),
        ({"action": "pay", "threats": 3}, "takes a ThreatModel, not a int"),
    ],
)
def test_what_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        error_rates(BANK, **options)


def test_thirty_checks_are_refused_with_the_limit() -> None:
    many = [checks.SecretAnswer(f"q{at}", {"en": "Well?"}) for at in range(29)]
    policy = Policy(name="many", checks=[*many, checks.AppConfirmation()], actions={"any": Requirement(bits=1)})
    with pytest.raises(UsageError, match=rf"30 checks.*at most {MOST_CHECKS}.*Requirement\(checks=.*available="):
        error_rates(policy, "any")


def test_too_many_runs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting.of(BANK, "pay")
    with pytest.raises(OverflowError):
        Tree.of(setting.rule(), setting.order, most=5)
    monkeypatch.setattr(Tree, "of", lambda *_, **__: (_ for _ in ()).throw(OverflowError))
    with pytest.raises(UsageError, match="too many different outcomes"):
        setting.tree(setting.rule())


def test_a_class_that_a_check_does_not_know() -> None:
    setting = Setting.of(BANK, "pay")
    assert setting.cells(GENUINE).keys() == set(setting.available)
    with pytest.raises(UsageError, match="no cells for 'martian'"):
        setting.cells("martian")
