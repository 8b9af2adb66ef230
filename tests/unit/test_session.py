"""One run, step by step: the table, how questions end, what comes next, and the text it is kept as."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidTransition, KycVerifyError, StoreError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy.policy import bound_to
from kyc_verify.session import (
    ENDED,
    MAX_TURNS,
    TABLE,
    Code,
    Happening,
    Question,
    State,
    Turn,
    advance,
    fire,
    with_outcome,
)
from kyc_verify.terms import Entry, Outcome

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
BANK = Policy(
    name="bank",
    checks=[checks.AccountTenure(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode()],
    actions={
        "read": Requirement(bits=1),
        "safe": Requirement(bits=1, accept="lossless"),
        "pay": Requirement(bits=3, factors=2),
    },
)
ORDER = ("account_tenure", "pin", "app_confirmation", "one_time_code")


def state(**changed: Any) -> State:
    fields: dict[str, Any] = {
        "action": "read",
        "call": "c",
        "agent": "a",
        "fingerprint": BANK.fingerprint,
        "real": True,
        "run": 1,
        "available": ORDER,
        "order": ORDER,
        "evidence": MappingProxyType({}),
        "verdict": Verdict.PENDING,
        "opened_at": NOW,
        "latest": NOW,
    }
    return State(**fields | changed)


def proof(*outcomes: Outcome, bound: str | None = None) -> Mapping[str, Evidence]:
    pairs = zip(ORDER, outcomes, strict=False)
    return MappingProxyType({n: Evidence(check=n, outcome=o, at=NOW, bound=bound) for n, o in pairs})


def on(given: State, *, allowed: bool = True) -> State:
    return advance(BANK, given, now=LATER, allowed=allowed)


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("happening", Happening)
@pytest.mark.parametrize("verdict", Verdict)
def test_fire_does_what_the_table_says_and_nothing_else(verdict: Verdict, happening: Happening) -> None:
    before = state(verdict=verdict, question=Question(check="pin", asked_at=NOW))
    kept = copy.deepcopy(before.to_text())
    allowed = TABLE.get((verdict, happening), frozenset())
    for target in Verdict:
        after = replace(before, verdict=target, question=None)
        if target in allowed:
            fired = fire(before, happening, after, mark="m")
            assert fired == replace(after, turns=(Turn(of="pin", mark="m", verdict=target),))
            assert fired.turn == before.turn + 1
        else:
            with pytest.raises(InvalidTransition, match=f"a run that is {verdict.value}"):
                fire(before, happening, after, mark="m")
        assert before.to_text() == kept


def test_what_is_ended_is_answered_no_more() -> None:
    assert frozenset({Verdict.VERIFIED, Verdict.REVIEW, Verdict.EXEMPT, Verdict.DENIED}) == ENDED
    answers = {Happening.ANSWERED, Happening.DECLINED, Happening.CLARIFIED, Happening.RESENT, Happening.EXPIRED}
    assert not {happening for verdict, happening in TABLE if verdict in ENDED} & answers
    assert not [happening for verdict, happening in TABLE if verdict in (Verdict.DENIED, Verdict.REVIEW)]


def test_a_turn_keeps_what_was_asked_next() -> None:
    before = state(question=Question(check="pin", asked_at=NOW))
    after = replace(before, question=Question(check="one_time_code", asked_at=NOW, note="=ask.pin"))
    fired = fire(before, Happening.ANSWERED, after, mark="m")
    assert fired.turns == (Turn(of="pin", mark="m", verdict=Verdict.PENDING, check="one_time_code", note="=ask.pin"),)
    aside = fire(state(verdict=Verdict.STEP_UP), Happening.TRANSFERRED, state(verdict=Verdict.STEP_UP), mark="m")
    assert aside.turns[0].of == ""


def test_a_run_has_an_end() -> None:
    turns = (Turn(of="pin", mark="m", verdict=Verdict.PENDING, check="pin"),) * MAX_TURNS
    long = state(question=Question(check="pin", asked_at=NOW), turns=turns)
    with pytest.raises(InvalidTransition, match="this run has gone on for too long"):
        fire(long, Happening.CLARIFIED, long, mark="m")
    assert fire(long, Happening.CANCELLED, replace(long, verdict=Verdict.DENIED), mark="m").verdict is Verdict.DENIED
    almost = replace(long, turns=turns[1:])
    assert fire(almost, Happening.CLARIFIED, almost, mark="m").turn == MAX_TURNS + 1


# ── Outcomes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outcome", [PASS, NEAR, FAIL, DECLINED])
def test_an_outcome_is_written_once(outcome: Outcome) -> None:
    asked = state(
        question=Question(check="pin", asked_at=NOW),
        code=Code(number=1, sent_at=NOW, bound="b"),
        aside=(Question(check="pin", asked_at=NOW), Question(check="one_time_code", asked_at=NOW)),
    )
    after = with_outcome(asked, outcome, now=LATER, bound="b")
    assert after.evidence == {"pin": Evidence(check="pin", outcome=outcome, at=LATER, bound="b")}
    assert (after.question, after.code, [each.check for each in after.aside]) == (None, None, ["one_time_code"])
    assert asked.evidence == {}
    again = replace(with_outcome(asked, outcome, now=LATER), question=asked.question)
    with pytest.raises(InvalidTransition, match="ends once"):
        with_outcome(again, PASS, now=LATER)


def test_what_was_offered_is_never_unavailable() -> None:
    asked = state(question=Question(check="pin", asked_at=NOW))
    with pytest.raises(InvalidTransition, match="in pass, near, fail or declined"):
        with_outcome(asked, UNAVAILABLE, now=LATER)
    with pytest.raises(InvalidTransition, match="ends once"):
        with_outcome(state(), PASS, now=LATER)
    with pytest.raises(InvalidTransition, match="ends once"):
        with_outcome(state(question=Question(check="gone", asked_at=NOW)), PASS, now=LATER)


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [(PASS, PASS, PASS), (PASS, FAIL, FAIL), (FAIL, PASS, FAIL), (DECLINED, PASS, DECLINED), (NEAR, PASS, NEAR)],
)
def test_of_two_outcomes_of_a_code_the_lower_counts(first: Outcome, second: Outcome, counts: Outcome) -> None:
    sent = Evidence(check="one_time_code", outcome=first, at=NOW, bound=bound_to("pay", None))
    asked = state(evidence={"one_time_code": sent}, question=Question(check="one_time_code", asked_at=NOW))
    assert asked.remaining() == ORDER
    after = with_outcome(asked, second, now=LATER, bound=asked.bound)
    found = after.evidence["one_time_code"]
    assert (found.outcome, found.bound, found.at) == (counts, bound_to("read", None), LATER)
    assert after.remaining() == ORDER[:3]


def test_a_code_for_another_stake_is_asked_again() -> None:
    def remaining(amount: int) -> tuple[str, ...]:
        return state(
            action="pay",
            stake=Stake(amount=Decimal(amount), currency="EUR"),
            evidence=proof(PASS, PASS, PASS, PASS, bound=bound_to("pay", Stake(amount=Decimal(5), currency="EUR"))),
        ).remaining()

    assert remaining(5) == ()
    assert remaining(6) == ORDER


# ── What comes next ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_questions_follow_each_other_whatever_was_said() -> None:
    for outcome in (NEAR, FAIL, DECLINED):
        after = on(state(evidence=proof(outcome, outcome)))
        assert (after.verdict, after.question) == (
            Verdict.PENDING,
            Question(check="app_confirmation", asked_at=LATER),
        )
    assert on(state()).question == Question(check="account_tenure", asked_at=LATER)


def test_the_first_crossing_verifies() -> None:
    after = on(state(evidence=proof(PASS, PASS), question=None))
    assert (after.verdict, after.question, after.code) == (Verdict.VERIFIED, None, None)


def test_lossless_waits_until_nothing_can_undo_it() -> None:
    after = on(state(action="safe", evidence=proof(PASS, PASS)))
    assert (after.verdict, after.question) == (
        Verdict.PENDING,
        Question(check="app_confirmation", asked_at=LATER),
    )
    assert on(state(action="safe", evidence=proof(PASS, PASS, PASS))).verdict is Verdict.VERIFIED
    assert on(state(action="safe", evidence=proof(PASS, PASS, FAIL, FAIL))).verdict is Verdict.DENIED
    assert on(state(action="safe", evidence=proof(FAIL, PASS, PASS, PASS))).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("changed", [{"real": False}, {"allowed": False}])
def test_whoever_may_not_be_verified_is_asked_everything_and_denied(changed: dict[str, bool]) -> None:
    real, allowed = changed.get("real", True), changed.get("allowed", True)
    for action in ("read", "safe"):
        for asked in range(4):
            after = on(state(action=action, real=real, evidence=proof(*(PASS,) * asked)), allowed=allowed)
            assert (after.verdict, after.question) == (
                Verdict.PENDING,
                Question(check=ORDER[asked], asked_at=LATER),
            )
        after = on(state(action=action, real=real, evidence=proof(PASS, PASS, PASS, PASS)), allowed=allowed)
        assert (after.verdict, after.question) == (Verdict.DENIED, None)


def test_an_open_question_stays_the_question() -> None:
    asked = Question(check="pin", asked_at=NOW, tries=1, clarified=2, note="n")
    after = on(state(evidence=proof(FAIL), question=asked, code=Code(number=1, sent_at=NOW, bound="b")))
    assert (after.question, after.code) == (replace(asked, asked_at=LATER), Code(number=1, sent_at=NOW, bound="b"))


def test_what_a_leg_cannot_take_stays_to_be_asked() -> None:
    keypad = on(state(entries=(Entry.DIGITS,)))
    assert (keypad.verdict, keypad.question) == (Verdict.PENDING, Question(check="pin", asked_at=LATER))
    nothing = on(state(entries=(Entry.DATE,)))
    assert (nothing.verdict, nothing.question, nothing.remaining()) == (Verdict.STEP_UP, None, ORDER)
    voice = on(replace(nothing, entries=None))
    assert voice.question == Question(check="account_tenure", asked_at=LATER)


def test_a_question_put_aside_comes_back_with_the_tries_it_had() -> None:
    # Otherwise two transfers would give three new tries for a code.
    tried = Question(check="one_time_code", asked_at=NOW, tries=2, clarified=1, note="=ask.one_time_code.again")
    code = Code(number=1, sent_at=NOW, bound="b")
    asked = state(evidence=proof(FAIL, FAIL, FAIL), question=tried, code=code)
    away = on(replace(asked, entries=(Entry.TEXT,)), allowed=False)
    assert (away.verdict, away.question, away.code, away.aside) == (Verdict.STEP_UP, None, None, (tried,))
    assert State.from_text(away.to_text()) == away
    still = on(away, allowed=False)
    assert still.aside == (tried,)
    back = on(replace(away, entries=None), allowed=False)
    assert back.question == replace(tried, asked_at=LATER, note="")
    assert (back.code, back.aside) == (None, ())
    other = on(replace(state(question=tried), entries=(Entry.DURATION,)), allowed=False)
    assert (other.question, other.aside) == (Question(check="account_tenure", asked_at=LATER), (tried,))


# ── As text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

EAST = timezone(timedelta(hours=3, minutes=30))
FULL = state(
    action="pay",
    stake=Stake(amount=Decimal("12.50"), currency="EUR", payee="bøb"),
    roles=("teller",),
    flags=("pin",),
    real=False,
    run=7,
    languages=("fa", "en"),
    entries=(Entry.DIGITS, Entry.TEXT),
    evidence=proof(PASS, NEAR, FAIL, DECLINED, bound="x"),
    question=Question(check="pin", asked_at=NOW.astimezone(EAST), tries=1, clarified=2, note='"Wann?'),
    aside=(Question(check="one_time_code", asked_at=NOW, tries=2),),
    code=Code(tag="t", handle="h", number=3, sent_at=NOW + timedelta.resolution, bound="b|"),
    sends=3,
    turns=(Turn(of="", mark="transferred", verdict=Verdict.STEP_UP), Turn(of="a", mark="m", verdict=Verdict.PENDING)),
    ending="cancelled",
    contact="f",
    latest=LATER,
    grant=4,
    grant_until=LATER,
    grant_key="k1",
)


KEPT = state(code=Code(tag="t", number=1, sent_at=NOW, bound="b", again_at=LATER))


@pytest.mark.parametrize("given", [FULL, KEPT, state(), state(stake=Stake(amount=Decimal("1e9"), currency="EUR"))])
def test_a_state_comes_back_the_same(given: State) -> None:
    again = State.from_text(given.to_text())
    assert again == given
    assert again.to_text() == given.to_text()
    assert again.remaining() == given.remaining()
    with pytest.raises(TypeError):
        again.evidence["pin"] = FULL.evidence["pin"]  # type: ignore[index]


def test_a_newer_form_is_said_to_be_newer() -> None:
    with pytest.raises(InvalidTransition, match="a newer version of the library wrote this session"):
        State.from_text('{"v":2}')


def test_what_is_no_state_is_a_store_error() -> None:
    body = json.loads(FULL.to_text())
    texts = ["", "{}", "[]", "null", "5", "[" * 100_000, '{"v": 1}']
    texts += [json.dumps({key: value for key, value in body.items() if key != gone}) for gone in body]
    for text in texts:
        with pytest.raises(StoreError, match="the stored session cannot be read"):
            State.from_text(text)
    for key in body:
        for junk in (None, 5, "x", [[]], {"a": 1}, 10**400):
            try:
                State.from_text(json.dumps({**body, key: junk}))
            except KycVerifyError:
                continue
