"""Evidence, steps and decisions: what they show, to whom, and that none of them is a yes by itself."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.decision import Binding, Challenge, Decision, Grant, Step, Verdict
from kyc_verify.errors import NoTruthValue, NotVerified, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.terms import Entry, Outcome
from kyc_verify.threats import ThreatModel

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
BANK = Policy(
    name="bank",
    checks=[checks.AccountTenure(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode()],
    actions={
        "read": Requirement(bits=1),
        "pay": Requirement(
            bits=3,
            factors=2,
            all_of=["pin"],
            any_of=["app_confirmation", "one_time_code"],
            max_age=timedelta(minutes=5),
        ),
        "hours": Requirement.none(),
    },
)
GRANT = Grant(token="t0ken", action="pay", expires_at=NOW)


def decide(action: str, *, run: int = 1, at: datetime = NOW, **outcomes: Outcome) -> Decision:
    evidence = [Evidence(check=name, outcome=outcome, at=at) for name, outcome in outcomes.items()]
    return BANK.evaluate(evidence, action=action, now=NOW, run=run)


def step(verdict: Verdict, grant: Grant | None = None) -> Step:
    return Step(session_id="s", verdict=verdict, reasons=("Do this.",), _grant=grant)


# ── Evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"outcome": "pass"}, "Evidence.outcome must be an Outcome"),
        ({"outcome": True}, "Evidence.outcome must be an Outcome"),
        ({"at": NOW.replace(tzinfo=None)}, "Evidence.at must be an aware datetime"),
        ({"at": 5}, "Evidence.at must be an aware datetime"),
        ({"check": ["pin"]}, "Evidence.check must be a check's id"),
        ({"bound": 5}, "Evidence.check must be a check's id, and Evidence.bound a text or None"),
    ],
)
def test_evidence_is_what_it_says(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Evidence(**{"check": "pin", "outcome": PASS, "at": NOW} | changed)


# ── No truth value ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", Verdict)
def test_fc_16_nothing_has_a_truth_value(verdict: Verdict) -> None:
    for value in (verdict, step(verdict, GRANT), replace(decide("read"), verdict=verdict)):
        with pytest.raises(NoTruthValue, match=rf"^a {type(value).__name__} has no truth value; compare its verdict"):
            bool(value)
        with pytest.raises(TypeError):
            assert not value
    assert verdict is Verdict(verdict.value)


# ── Steps and grants ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", Verdict)
def test_only_verified_and_exempt_have_a_grant(verdict: Verdict) -> None:
    given = step(verdict, GRANT)
    if verdict in (Verdict.VERIFIED, Verdict.EXEMPT):
        assert given.require() is GRANT
        with pytest.raises(NotVerified, match="this grant was used or has expired") as caught:
            step(verdict).require()
        assert caught.value.reason == "used_or_expired"
    else:
        with pytest.raises(NotVerified, match=rf"not verified: the verdict is {verdict.value}; Do this\.") as caught:
            given.require()
        assert caught.value.reason == verdict.value


def test_a_step_without_reasons_says_so_plainly() -> None:
    with pytest.raises(NotVerified, match=r"not verified: the verdict is denied$"):
        Step(session_id="s", verdict=Verdict.DENIED).require()


def test_a_step_shows_no_grant_and_is_not_copied() -> None:
    challenge = Challenge(id="s.1", check="pin", text="Your PIN?", entry=Entry.DIGITS)
    given = replace(step(Verdict.PENDING, GRANT), challenge=challenge)
    assert "t0ken" not in repr(given)
    assert repr(given._grant) == "***"  # as a debugger or a dump of locals shows it
    assert "t0ken" not in repr(GRANT)
    assert json.loads(json.dumps(given.as_dict())) == {
        "session_id": "s",
        "verdict": "pending",
        "challenge": {"id": "s.1", "check": "pin", "text": "Your PIN?", "entry": "digits"},
        "reasons": ["Do this."],
    }
    assert step(Verdict.DENIED).as_dict()["challenge"] is None
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(UsageError, match="a Step holds a grant and is not serialised"):
            copied(given)


BOUND = Binding(
    tenant="t", subject="s", action="a", agent="g", call="c", fingerprint="f", stake="5 EUR ", contact="n", roles=("r",)
)


def test_a_binding_fits_itself_and_more_roles() -> None:
    assert BOUND.refusal(BOUND) is None
    assert BOUND.refusal(replace(BOUND, roles=("q", "r"))) is None
    assert Binding.from_dict(json.loads(json.dumps(BOUND.as_dict()))) == BOUND
    assert Binding.from_dict(BOUND.as_dict() | {"roles": None}).roles == ()


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("tenant", "tenant"),
        ("subject", "subject"),
        ("action", "action"),
        ("agent", "agent"),
        ("call", "call"),
        ("fingerprint", "policy"),
        ("stake", "stake"),
        ("contact", "contact"),
    ],
)
def test_a_binding_fits_nothing_else(field: str, reason: str) -> None:
    other: Binding = replace(BOUND, **{field: "other"})
    assert BOUND.refusal(other) == other.refusal(BOUND) == reason


def test_a_binding_needs_all_its_roles() -> None:
    assert BOUND.refusal(replace(BOUND, roles=())) == "role"
    assert BOUND.refusal(replace(BOUND, roles=("q",))) == "role"


# ── Decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_decision_explains_itself() -> None:
    decision = decide("pay", account_tenure=NEAR, app_confirmation=FAIL)
    assert decision.verdict is Verdict.PENDING
    assert decision.missing == (
        "score",
        "factors:0 of 2",
        "all_of:pin",
        "any_of:app_confirmation, one_time_code",
    )
    assert decision.reasons == (
        "-2.73 bits of 3.00 needed; weakest against stranger",
        "5.73 bits are missing",
        "too few distinct factors: 0 of 2",
        "pin must pass",
        "one of app_confirmation, one_time_code must pass",
    )
    assert decision.bound is None
    assert decide("read", pin=PASS).reasons == ("1.41 bits of 1.00 needed; weakest against phisher",)
    assert decide("read").bound is None


def test_the_bound_is_two_to_the_minus_score() -> None:
    decision = decide("read", pin=PASS)
    assert decision.centibits == decision.score.centibits == 141
    assert decision.bound == 2**-1.41


def test_the_waterfall_adds_up_to_the_score() -> None:
    decision = decide("pay", at=NOW - timedelta(hours=1), pin=PASS, account_tenure=FAIL)
    assert decision.stale == {"pin", "account_tenure"}
    rows = {row.check: row for row in decision.waterfall}
    assert (rows["pin"].outcome, rows["pin"].stale) == (PASS, True)
    for name, total in decision.score.per_class.items():
        assert sum(row.weights[name] for row in rows.values()) == total
    assert all(weight == 0 for weight in rows["pin"].weights.values())


def test_the_table_is_plain_text() -> None:
    lines = decide("pay", pin=PASS, one_time_code=FAIL).table().splitlines()
    assert lines[0].split() == list(ThreatModel.default().names)
    assert lines[1].startswith("pin: pass")
    assert lines[2].startswith("one_time_code: fail")
    assert lines[3].startswith("total")
    assert lines[4] == "required            3.00 bits, weakest against phisher"
    assert len({len(line) for line in lines[:4]}) == 1
    shown = [f"{weight / 100:.2f}" for weight in decide("pay", pin=PASS).waterfall[0].weights.values()]
    assert lines[1].split()[2:] == shown
    assert decide("pay", at=NOW - timedelta(hours=1), pin=PASS).table().splitlines()[1].endswith("(too old)")
    assert len(decide("read").table().splitlines()) == 3


def test_a_decision_as_plain_values() -> None:
    plain = json.loads(json.dumps(decide("pay", run=2, pin=PASS).as_dict()))
    assert plain | {"per_class": 0, "waterfall": 0, "reasons": 0, "fingerprint": 0} == {
        "action": "pay",
        "verdict": "pending",
        "score": 141,
        "per_class": 0,
        "weakest": "phisher",
        "required": 400,
        "run": 2,
        "missing": ["score", "factors:1 of 2", "any_of:app_confirmation, one_time_code"],
        "methods": ["pin"],
        "waterfall": 0,
        "reasons": 0,
        "fingerprint": 0,
    }
    assert plain["per_class"]["phisher"] == 141
    assert plain["waterfall"][0] == {"check": "pin", "outcome": "pass", "stale": False, "weights": plain["per_class"]}
    assert plain["fingerprint"] == BANK.fingerprint
    assert plain["reasons"][0] == "1.41 bits of 4.00 needed; weakest against phisher"


def test_points_are_called_points() -> None:
    points = ThreatModel.points({"pin": 2})
    own = Policy(name="p", checks=[checks.Pin()], actions={"read": Requirement(bits=2)}, threats=points)
    decision = own.evaluate([], action="read", now=NOW)
    assert decision.reasons == ("0.00 points of 2.00 needed", "2.00 points are missing")
    assert decision.table().splitlines()[-1] == "required 2.00 points"
    assert decision.bound is None


def test_a_decision_is_a_value() -> None:
    one, other = decide("read", pin=PASS), decide("read", pin=PASS)
    assert one == other
    assert hash(one) == hash(other)
    assert one != decide("read", pin=FAIL)
    assert "pin" in repr(one)
