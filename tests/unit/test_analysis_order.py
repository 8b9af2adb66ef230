"""The order of questions: what is chosen, what never decides, and what an incident changes."""

from __future__ import annotations

from itertools import permutations

import pytest

from kyc_verify import checks, plan
from kyc_verify.analysis import compare, error_rates, question_order
from kyc_verify.decision import Verdict
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy, Requirement
from kyc_verify.threats import ThreatModel

NAMES = ("first", "lossless")


def fact(row: str) -> checks.Check:
    return checks.SecretAnswer(row, {"en": "What is it?"}, row=row)


def bank(accept: str, bits: int = 2, extra: tuple[str, ...] = ()) -> Policy:
    layers = [
        checks.CallerNumber(),
        checks.SimSwap(),
        checks.AccountTenure(),
        checks.Pin(),
        checks.AppConfirmation(),
        checks.OneTimeCode(channel="sms"),
        *map(fact, extra),
    ]
    return Policy(name="bank", checks=layers, actions={"act": Requirement(bits=bits, accept=accept)})


def everything(policy: Policy) -> frozenset[str]:
    return frozenset(check.id for check in policy.checks)


@pytest.mark.parametrize("accept", NAMES)
def test_the_goals_of_the_everyday_action(accept: str) -> None:
    found = question_order(bank(accept), "act")
    best = found.best[0]
    assert found.exact
    assert found.adaptive <= best.seconds <= found.given.seconds <= found.everything
    assert best.seconds <= 1.15 * found.adaptive
    assert best.seconds_verified <= 0.8 * found.everything


@pytest.mark.parametrize("accept", NAMES)
def test_the_report_agrees_with_the_rates(accept: str) -> None:
    policy = bank(accept)
    found = question_order(policy, "act")
    for each in (found.given, *found.best):
        rates = error_rates(policy, "act", order=each.order, runs=1)
        assert each.attackers == rates.attackers
        assert each.verified == rates.genuine[Verdict.VERIFIED]
    if accept == "lossless":
        assert [each.verified for each in found.best] == pytest.approx([found.given.verified] * len(found.best), 1e-12)


def test_the_draw_picks_among_orders_as_good_and_nothing_else() -> None:
    policy = bank("lossless", extra=("postcode", "city_of_birth"))
    rule, available = policy.actions["act"], everything(policy)
    tied = plan.tied_orders(policy, rule, available)
    assert len(tied) > 1
    drawn = {plan.best_order(policy, rule, available=available, draw=draw) for draw in range(len(tied))}
    assert drawn == set(tied)
    assert plan.best_order(policy, rule, available=available) == tied[0]
    assert plan.best_order(policy, rule, available=available, draw=7) == plan.best_order(
        policy, rule, available=available, draw=7 + len(tied)
    )


def test_lossless_rates_are_the_same_in_every_order() -> None:
    """By score, factors and names at once: what showed enough early must not be forgotten later."""
    rule = Requirement(bits=3, factors=2, all_of=("sim_swap",), any_of=("pin", "one_time_code"), accept="lossless")
    layers = [*bank("lossless").checks, checks.DateOfBirth()]
    policy = Policy(name="every", checks=layers, actions={"act": rule})
    given = error_rates(policy, "act", runs=1)
    for order in permutations(given.order):
        rates = error_rates(policy, "act", order=order, runs=1)
        assert rates.attackers == pytest.approx(given.attackers, rel=1e-12)
        assert rates.genuine == pytest.approx(given.genuine, rel=1e-12)


def test_an_unanswered_question_stays_the_first() -> None:
    policy = bank("first")
    order = plan.best_order(policy, policy.actions["act"], available=everything(policy), pinned="account_tenure")
    assert order[0] == "account_tenure"
    assert sorted(order) == sorted(plan.questions(policy, policy.actions["act"], available=everything(policy)))


def test_what_says_nothing_is_asked_last() -> None:
    policy = bank("first").with_incident(["pin"])
    assert plan.best_order(policy, policy.actions["act"], available=everything(policy))[-1] == "pin"


def test_an_action_out_of_reach_still_has_an_order() -> None:
    policy = bank("first", bits=3)
    rule = policy.actions["act"]
    assert sorted(plan.best_order(policy, rule, available=["pin", "account_tenure"])) == ["account_tenure", "pin"]
    assert plan.best_order(policy, rule, available=["sim_swap"]) == ()


def test_points_keep_their_order() -> None:
    layers = [checks.Pin(), checks.AppConfirmation()]
    points = ThreatModel.points({"pin": 1, "app_confirmation": 1})
    policy = Policy(name="points", checks=layers, threats=points, actions={"act": Requirement(bits=1)})
    assert plan.best_order(policy, policy.actions["act"], available=everything(policy)) == ("pin", "app_confirmation")
    with pytest.raises(UsageError, match="plain points"):
        question_order(policy, "act")


def test_beyond_nine_questions_an_order_is_found_and_said_not_to_be_exact() -> None:
    extra = ("postcode", "city_of_birth", "ssn_last4", "last_transaction", "first_phone_number", "mothers_maiden_name")
    policy = bank("first", extra=extra)
    found = question_order(policy, "act")
    assert not found.exact
    assert found.adaptive is None
    assert found.best[0].seconds <= found.given.seconds


def test_the_search_gives_up_where_it_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MOST_LOOKED", 1)
    extra = ("postcode", "city_of_birth", "ssn_last4", "last_transaction", "favourite_food", "first_phone_number")
    policy = bank("first", bits=1, extra=extra)
    (order,) = plan.tied_orders.__wrapped__(policy, policy.actions["act"], everything(policy))
    assert sorted(order) == sorted(plan.questions(policy, policy.actions["act"], available=everything(policy)))


def test_orders_are_worked_out_once() -> None:
    policy = bank("lossless")
    plan.tied_orders.cache_clear()
    for _ in range(3):
        plan.best_order(policy, policy.actions["act"], available=sorted(everything(policy)))
    assert plan.tied_orders.cache_info().misses == 1


# ── Incidents ────────────────────────────────────────────────────────────────────────────────────────────────────────

FIELDS = ("birth_date", "postcode", "ssn")
LAYERS = [
    checks.CallerNumber(),
    checks.SimSwap(),
    checks.Pin(),
    checks.AppConfirmation(),
    checks.OneTimeCode(channel="sms"),
    checks.DateOfBirth(),
    fact("postcode"),
    fact("ssn_last4"),
]
BITS = Policy(name="bits", checks=LAYERS, actions={"hours": Requirement.none(), "act": Requirement(bits=4)})


def test_the_goals_of_incident_mode() -> None:
    (mode,) = compare(BITS, BITS.with_incident(FIELDS)).actions
    given = {"pin": 2, "app_confirmation": 2, "one_time_code": 2, "caller_number": 1, "sim_swap": 0}
    model = ThreatModel.points({**given, "date_of_birth": 1, "postcode": 1, "ssn_last4": 1})
    points = Policy(name="points", checks=LAYERS, actions={"act": Requirement(bits=3)}, threats=model)
    (told,) = compare(points, points, fields=FIELDS, threats=ThreatModel.default()).actions
    assert mode.rise <= 20
    assert mode.rise < mode.rise_without
    assert told.rise_without > 250
    assert told.rise == told.rise_without
    assert mode.turned_away == mode.genuine[0] - mode.genuine[1] > 0
    assert max(mode.after.values()) <= 2**-4
    assert mode.mixed == pytest.approx(
        tuple(
            sum(float(each.share) * rates[each.name] for each in BITS.threats.classes)
            for rates in (mode.before, mode.exposed, mode.after)
        ),
        rel=1e-12,
    )


def test_what_was_enough_names_what_must_be_added() -> None:
    layers = [checks.SimSwap(), checks.Pin(), checks.AccountTenure(), checks.AppConfirmation()]
    policy = Policy(name="pin", checks=layers, actions={"act": Requirement(bits=2)})
    (change,) = compare(policy, policy.with_incident(["pin"])).actions
    (detour,) = change.detours
    assert detour.checks == ("sim_swap", "pin", "account_tenure")
    assert detour.extra == ("app_confirmation",)
    assert change.reachable


def test_an_action_that_nothing_reaches_any_more() -> None:
    policy = Policy(
        name="pin", checks=[checks.Pin(), checks.AccountTenure()], actions={"act": Requirement(bits=1, checks=("pin",))}
    )
    (change,) = compare(policy, policy.with_incident(["pin"])).actions
    assert not change.reachable
    assert set(change.after.values()) == {0.0}
    assert change.genuine == (0.8, 0.0)
    assert [each.extra for each in change.detours] == [None]


def test_classes_without_shares_are_not_mixed() -> None:
    classes = tuple(type(each)(name=each.name, description="") for each in ThreatModel.default().classes)
    model = ThreatModel(classes=classes, rows=ThreatModel.default().rows, sources=ThreatModel.default().sources)
    policy = Policy(name="x", checks=LAYERS, actions={"act": Requirement(bits=2)}, threats=model)
    (change,) = compare(policy, policy.with_incident(["pin"])).actions
    assert change.mixed is None


@pytest.mark.parametrize(
    ("new", "fields", "told"),
    [
        (BITS, None, "nothing that the policy asks is exposed"),
        (BITS, ("nobody_asks",), "nothing that the policy asks is exposed"),
        (bank("first"), None, "same checks and actions"),
    ],
)
def test_what_cannot_be_compared(new: Policy, fields: tuple[str, ...] | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        compare(BITS, new, fields=fields)
