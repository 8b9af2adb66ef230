"""Lint: each code is found where it should be, is not where it should not, and its counter-example is true."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from kyc_verify import checks, floors, profiles
from kyc_verify.analysis import CODES, Finding, lint
from kyc_verify.analysis.linting import views
from kyc_verify.budgets import Lifetimes
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.terms import Outcome
from kyc_verify.threats import Likelihoods, ThreatModel

NOW = datetime(2031, 6, 15, tzinfo=UTC)
PASS = Outcome.PASS
NAMES = ThreatModel.default().names
POINTS = ThreatModel.points({"date_of_birth": 1, "name_and_address": 1, "pin": 2, "app_confirmation": 2})
ADDRESS = checks.SecretAnswer("name_and_address", {"en": "Where do you live?"}, row="name_and_address")


def make(layers: list[checks.Check], **given: object) -> Policy:
    requirement = given.pop("requirement", None)
    actions = {"act": requirement} if requirement else given.pop("actions")
    return Policy(name="linted", checks=layers, actions=actions, **given)


def own(name: str, passed: str) -> checks.Check:
    cells = Likelihoods(genuine={PASS: "0.9"}, classes={each: {PASS: passed} for each in NAMES})
    return checks.SecretAnswer(name, {"en": "Well?"}, likelihoods=cells)


SIGNALS = [checks.CallerNumber(), checks.SimSwap()]
SOUND = make(
    [*SIGNALS, checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode()],
    requirement=Requirement(bits=4, factors=2, accept="lossless"),
)

# Of the check `dead` everybody passes as often as the customer does.
FOUND = {
    "KV101": make([checks.AppConfirmation(), checks.Pin()], requirement=Requirement(bits=3)),
    "KV102": make([*SIGNALS, checks.Pin(), checks.AppConfirmation(), own("own", "0.1")],
                  requirement=Requirement(bits=4)),
    "KV103": make([*SIGNALS, checks.OneTimeCode(), checks.AppConfirmation()], requirement=Requirement(bits="2.3")),
    "KV104": make([*SIGNALS, checks.OneTimeCode(), checks.AppConfirmation()], requirement=Requirement(bits=2)),
    "KV105": make([*SIGNALS, checks.OneTimeCode(), checks.AppConfirmation()], requirement=Requirement(bits=2)),
    "KV201": make([checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode()], actions={
        "little": Requirement(bits=1, factors=2), "more": Requirement(bits=2)}),
    "KV202": make([checks.Pin(), checks.AppConfirmation(), own("dead", "0.9")], requirement=Requirement(bits=1)),
    "KV203": make([checks.AppConfirmation()], requirement=Requirement(bits=3)),
    "KV204": make([checks.Pin(), checks.AppConfirmation()], requirement=Requirement(bits=1, stakes=(
        Tier(up_to=100, currency="EUR", requirement=Requirement(bits=3)),))),
    "KV205": make([checks.DateOfBirth(), ADDRESS, checks.Pin()], requirement=Requirement(bits=2), threats=POINTS),
    "KV206": make([*SIGNALS, checks.Pin(), checks.OneTimeCode()], requirement=Requirement(bits=3)),
    "KV207": make([*SIGNALS, checks.Pin(), checks.OneTimeCode()], requirement=Requirement(bits=3),
                  lifetimes=Lifetimes(cool_off=timedelta(days=3))),
    "KV208": make([checks.Pin(), checks.AppConfirmation(), own("own", "0.1")], requirement=Requirement(bits=3)),
    "KV209": make([checks.OneTimeCode(template="plain"), checks.Pin()], requirement=Requirement(bits=1)),
    "KV210": make([checks.OneTimeCode(messages={"en": "$purpose $code"}), checks.Pin()],
                  requirement=Requirement(bits=1)),
    "KV211": make([checks.OneTimeCode(messages={"en": "$purpose $code" + "!" * 700}), checks.Pin()],
                  requirement=Requirement(bits=1)),
    "KV301": make([checks.Pin(), checks.AppConfirmation()], requirement=Requirement(bits=4)),
    "KV302": SOUND,
    "KV401": SOUND,
    "KV402": SOUND,
    "KV403": make([checks.Pin(), checks.SecretAnswer("odd", {"en": "?"}, row="odd")],
                  requirement=Requirement(bits=1), threats=ThreatModel.points({"pin": 1, "odd": 1})),
}  # fmt: skip


def found(policy: Policy, code: str) -> list[Finding]:
    wanted = [floors.psd2] if code == "KV302" else []
    return [each for each in lint(policy, floors=wanted) if each.code == code]


def test_every_code_is_tried_here() -> None:
    assert FOUND.keys() == CODES.keys()


@pytest.mark.parametrize("code", sorted(FOUND))
def test_it_is_found(code: str) -> None:
    (first, *_) = found(FOUND[code], code)
    assert first.advice == CODES[code].advice
    assert first.message
    assert first.as_dict()["code"] == code


def test_a_check_that_no_action_asks_is_dead() -> None:
    policy = make([checks.Pin(), checks.AppConfirmation()], requirement=Requirement(bits=1, checks=("pin",)))
    assert [each.path for each in found(policy, "KV202")] == ["checks.app_confirmation"]


@pytest.mark.parametrize("code", ["KV101", "KV103", "KV201", "KV202", "KV203", "KV204", "KV205", "KV206", "KV207"])
def test_it_is_not_found_in_a_sound_policy(code: str) -> None:
    assert found(SOUND, code) == []


def test_a_sound_policy_has_no_errors() -> None:
    assert {each.severity for each in lint(SOUND)} <= {"warning", "note"}


@pytest.mark.parametrize("name", profiles.__all__)
def test_shipped_profiles_have_no_errors(name: str) -> None:
    assert [each for each in lint(getattr(profiles, name)()) if each.severity == "error"] == []


# ── Severity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_low_risk_weighs_less() -> None:
    for bits, severity in ((2, "warning"), (3, "error")):
        policy = make([checks.AppConfirmation(), checks.Pin()], requirement=Requirement(bits=bits))
        assert {each.severity for each in found(policy, "KV101")} == {severity}


def test_sensitive_actions_may_turn_more_away() -> None:
    for accept, severity in (("first", "warning"), ("lossless", "note")):
        policy = make([checks.Pin(), checks.AppConfirmation()], requirement=Requirement(bits=4, accept=accept))
        assert [each.severity for each in found(policy, "KV301")] == [severity]


def test_no_cool_off_at_all_is_an_error() -> None:
    policy = make(
        [*SIGNALS, checks.Pin(), checks.OneTimeCode()],
        requirement=Requirement(bits=3),
        lifetimes=Lifetimes(cool_off=timedelta(0)),
    )
    assert [each.severity for each in found(policy, "KV207")] == ["error"]


def test_errors_come_first() -> None:
    ranks = [["error", "warning", "note"].index(each.severity) for each in lint(FOUND["KV101"])]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0


# ── Order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tiers_out_of_order_are_errors_and_in_order_nothing() -> None:
    (only,) = found(FOUND["KV204"], "KV204")
    assert (only.severity, only.path) == ("error", "actions.act")
    rising = Requirement(bits=2, stakes=(Tier(up_to=100, currency="EUR", requirement=Requirement(bits=1)),))
    assert found(make([checks.Pin(), checks.AppConfirmation()], requirement=rising), "KV204") == []
    swapped = Requirement(
        bits=3,
        stakes=(
            Tier(up_to=100, currency="EUR", requirement=Requirement(bits=2)),
            Tier(up_to=500, currency="EUR", requirement=Requirement(bits=1)),
        ),
    )
    (only,) = found(make([checks.Pin(), checks.AppConfirmation()], requirement=swapped), "KV204")
    assert only.path == "actions.act.stakes.1"


def test_a_better_guarded_action_that_asks_fewer_bits() -> None:
    layers = [checks.Pin(), checks.AppConfirmation()]
    actions = {"guarded": Requirement(bits=1, factors=2), "plain": Requirement(bits=2)}
    (only,) = found(make(layers, actions=actions), "KV204")
    assert (only.severity, only.path) == ("warning", "actions.guarded")
    # Better in one way and worse in the other: there is no order between them.
    mixed = {"guarded": Requirement(bits=1, factors=2), "plain": Requirement(bits=2, accept="lossless")}
    assert found(make(layers, actions=mixed), "KV204") == []


# ── Counter-examples ─────────────────────────────────────────────────────────────────────────────────────────────────


def _verdict(policy: Policy, action: str, outcomes: Mapping[str, Outcome], stake: Stake | None) -> Verdict:
    evidence = [Evidence(check=name, outcome=outcome, at=NOW) for name, outcome in outcomes.items()]
    return policy.evaluate(evidence, action=action, now=NOW, stake=stake).verdict


POLICIES = [*FOUND.values(), *(getattr(profiles, name)() for name in profiles.__all__)]


@pytest.mark.parametrize("policy", POLICIES, ids=[*FOUND, *profiles.__all__])
def test_counter_examples_are_true(policy: Policy) -> None:
    by_path = {view.path: view for view in views(policy)}
    for each in lint(policy):
        if not each.counter_example:
            continue
        view = by_path[each.path]
        verdict = _verdict(policy, view.action, each.counter_example, view.setting.stake)
        assert verdict is (Verdict.PENDING if each.code == "KV301" else Verdict.VERIFIED), each
        for name, outcome in each.counter_example.items():
            cells = policy.layer(name).likelihoods
            row = policy.threats.rows.get(policy.layer(name).row or name)
            known = cells or (row and row.likelihoods)
            assert known is None or outcome in known.genuine


def test_the_likeliest_run_is_one_that_the_class_can_have() -> None:
    (one,) = [each for each in found(FOUND["KV104"], "KV104") if "'sim_swap'" in each.message] or [None]
    assert one is None  # the swapper trips the signal: the bound holds
    (theft,) = [each for each in found(FOUND["KV104"], "KV104") if "'device_theft'" in each.message]
    assert theft.counter_example == {"caller_number": PASS, "sim_swap": PASS}


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lint_takes_a_policy() -> None:
    with pytest.raises(UsageError, match="takes a Policy, not a str"):
        lint("policy")


def test_exempt_actions_are_passed_over() -> None:
    policy = make([checks.Pin(), checks.AppConfirmation()], actions={
        "hours": Requirement.none(), "act": Requirement(bits=1, stakes=(
            Tier(up_to=5, currency="EUR", count=3, requirement=Requirement.none()),))})  # fmt: skip
    assert [view.path for view in views(policy)] == ["actions.act"]
