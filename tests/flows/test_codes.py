"""One-time codes: tries, resending, expiry, budgets, and all that a code is bound to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kyc_verify import (
    Budget,
    Budgets,
    Contact,
    Customer,
    InvalidTransition,
    Lifetimes,
    Notice,
    Outcome,
    Policy,
    Requirement,
    Stake,
    Step,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
)
from kyc_verify.testing import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

AGAIN = "That code was not right. Please read it once more."


def other(code: str, by: int = 1) -> str:
    """Return a code that is not this one."""
    return f"{(int(code) + by) % 10 ** len(code):0{len(code)}d}"


# ── Tries ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_three_tries_then_denied(desk: Desk) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    for by in (1, 2):
        step = desk.say(step, other(code, by))
        assert step.verdict is Verdict.PENDING
        assert step.challenge.text == AGAIN
    assert desk.say(step, other(code, 3)).verdict is Verdict.DENIED


def test_the_third_try_may_be_right(desk: Desk) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    step = desk.say(desk.say(step, other(code)), other(code, 2))
    assert desk.say(step, code).verdict is Verdict.VERIFIED
    assert len(desk.sender.messages) == 1


@pytest.mark.parametrize("spelling", ["{} ", "{0[0]} {0[1]} {0[2]}-{0[3]}.{0[4]} {0[5]}", "fullwidth", "arabic"])
def test_a_code_is_digits_however_they_are_written(desk: Desk, spelling: str) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    said = {
        "fullwidth": "".join(chr(0xFF10 + int(digit)) for digit in code),
        "arabic": "".join(chr(0x0660 + int(digit)) for digit in code),
    }.get(spelling) or spelling.format(code)
    assert desk.say(step, said).verdict is Verdict.VERIFIED


def test_a_code_works_once(desk: Desk) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    desk.say(step, code)
    second = desk.open("code")
    if desk.sender.code() != code:
        assert desk.say(second, code).challenge.text == AGAIN


# ── Resending ────────────────────────────────────────────────────────────────────────────────────────────────────────


def resent(desk: Desk, step: Step) -> Step:
    desk.clock.advance(seconds=30)
    return desk.verifier.resend(step.challenge.id, call=desk.call)


def test_resend_sends_a_new_code_under_a_new_id_and_the_old_one_is_dead(desk: Desk) -> None:
    step = desk.open("code")
    old = desk.sender.code()
    again = resent(desk, step)
    assert again.challenge.id != step.challenge.id
    assert len(desk.sender.messages) == 2
    new = desk.sender.code()
    if new == old:
        pytest.skip("one in a million")
    with pytest.raises(UsageError):
        desk.say(step, old)
    third = desk.say(again, old)
    assert third.challenge.text == AGAIN
    assert desk.say(third, new).verdict is Verdict.VERIFIED


def test_resend_sent_again_sends_once(desk: Desk) -> None:
    step = desk.open("code")
    again = resent(desk, step)
    desk.clock.advance(seconds=31)
    assert desk.verifier.resend(step.challenge.id, call=desk.call).as_dict() == again.as_dict()
    assert len(desk.sender.messages) == 2


def test_resend_refills_no_tries(desk: Desk) -> None:
    step = desk.open("code")
    step = desk.say(step, other(desk.sender.code()))
    step = desk.say(step, other(desk.sender.code(), 2))
    step = resent(desk, step)
    assert desk.say(step, other(desk.sender.code())).verdict is Verdict.DENIED


def test_resend_too_soon_sends_nothing_and_changes_nothing(desk: Desk) -> None:
    step = desk.open("code")
    desk.clock.advance(timedelta(seconds=30) - timedelta(microseconds=1))
    assert desk.verifier.resend(step.challenge.id, call=desk.call).as_dict() == step.as_dict()
    assert Notice.SEND_REFUSED in desk.observer.notices
    assert len(desk.sender.messages) == 1
    assert desk.say(step).verdict is Verdict.VERIFIED
    assert desk.events() == ["opened", "answered"]


def test_resend_beyond_the_budget_changes_nothing(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    desk = make(policy(budgets=Budgets(sends=Budget(2, timedelta(hours=1)))))
    step = resent(desk, desk.open("code"))
    desk.clock.advance(seconds=30)
    assert desk.verifier.resend(step.challenge.id, call=desk.call).as_dict() == step.as_dict()
    assert len(desk.sender.messages) == 2
    assert desk.say(step).verdict is Verdict.VERIFIED


def test_resend_of_a_question_that_sends_nothing_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidTransition):
        desk.verifier.resend(desk.open("pin").challenge.id, call=desk.call)


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("microseconds", "verdict"), [(-1, "verified"), (0, "pending"), (1, "pending")])
def test_a_code_expires_to_the_microsecond(
    make: Callable[..., Desk], policy: Callable[..., Policy], microseconds: int, verdict: str
) -> None:
    desk = make(policy(lifetimes=Lifetimes(code=timedelta(seconds=60))))
    step = desk.open("code")
    desk.clock.advance(timedelta(seconds=60, microseconds=microseconds))
    assert desk.say(step).verdict.value == verdict


@pytest.mark.parametrize(("microseconds", "verdict"), [(-1, "verified"), (0, "denied")])
def test_a_question_expires_to_the_microsecond(desk: Desk, microseconds: int, verdict: str) -> None:
    step = desk.open("pin")
    desk.clock.advance(timedelta(minutes=5, microseconds=microseconds))
    assert desk.say(step).verdict.value == verdict


def test_an_expired_code_does_not_revive_when_the_clock_goes_back(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(lifetimes=Lifetimes(code=timedelta(seconds=60))))
    step = desk.open("code")
    desk.clock.advance(seconds=60)
    step = desk.say(step)
    desk.clock.back(minutes=10)
    assert desk.say(step).verdict is Verdict.PENDING


# ── Budgets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_codes_are_counted_over_sessions_and_then_the_check_is_unavailable(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(budgets=Budgets(codes=Budget(6, timedelta(days=1)), sends=Budget(50, timedelta(hours=1)))))
    for _ in range(2):
        step = desk.open("code")
        while step.challenge is not None:
            step = desk.say(step, other(desk.sender.code()))
    assert desk.open("code").verdict is Verdict.REVIEW
    assert len(desk.sender.messages) == 2
    assert Notice.BUDGET_SPENT in desk.observer.notices
    desk.clock.advance(days=1)
    assert desk.open("code").verdict is Verdict.PENDING


def test_a_budget_that_runs_out_within_a_run_fails_and_even_the_right_code_is_not_compared(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(budgets=Budgets(codes=Budget(2, timedelta(days=1)))))
    step = desk.open("code")
    for by in (1, 2):
        step = desk.say(step, other(desk.sender.code(), by))
    assert step.verdict is Verdict.PENDING
    assert desk.say(step).verdict is Verdict.DENIED
    assert Notice.BUDGET_REFUSED in desk.observer.notices


def test_a_right_code_costs_nothing(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    desk = make(policy(budgets=Budgets(codes=Budget(1, timedelta(days=1)), sends=Budget(9, timedelta(hours=1)))))
    for _ in range(5):
        assert desk.play("code").verdict is Verdict.VERIFIED


def test_sends_are_counted_over_sessions(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    desk = make(policy(budgets=Budgets(sends=Budget(3, timedelta(hours=1)))))
    for _ in range(3):
        desk.open("code")
    assert desk.open("code").verdict is Verdict.REVIEW
    assert len(desk.sender.messages) == 3
    desk.clock.advance(hours=1)
    assert desk.open("code").verdict is Verdict.PENDING


# ── What a code is bound to ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_of_another_session_does_not_pass(desk: Desk) -> None:
    first = desk.open("code")
    code = desk.sender.code()
    second = desk.open("code")
    if desk.sender.code() == code:
        pytest.skip("one in a million")
    assert desk.say(second, code).challenge.text == AGAIN
    assert desk.say(first, code).verdict is Verdict.VERIFIED


def test_a_code_of_another_customer_does_not_pass(desk: Desk) -> None:
    desk.customers["cust-43"] = Customer(contacts=desk.customers["cust-42"].contacts)
    desk.enroller.enroll("cust-43", {"pin": "8351"}, by="crm-import")
    desk.open("code", subject="cust-43")
    theirs = desk.sender.code()
    step = desk.open("code")
    if desk.sender.code() == theirs:
        pytest.skip("one in a million")
    assert desk.say(step, theirs).challenge.text == AGAIN


def test_a_code_is_asked_again_for_another_action_and_the_lower_outcome_counts(desk: Desk) -> None:
    step = desk.play("code")
    old = desk.sender.code()
    step = desk.verifier.step_up(step.session_id, action="code2", call=desk.call)
    assert step.challenge.check == "one_time_code"
    assert len(desk.sender.messages) == 2
    assert "code2" in desk.sender.last().text
    if desk.sender.code() != old:
        step = desk.say(step, old)
        assert step.challenge.text == AGAIN
    assert desk.say(step).verdict is Verdict.VERIFIED


def test_a_code_is_asked_again_for_another_stake(desk: Desk) -> None:
    first, second = Stake(amount=500, currency="EUR", payee="A"), Stake(amount=500, currency="EUR", payee="B")
    step = desk.open("pay", stake=first)
    while step.challenge is not None:
        step = desk.say(step)
    assert "500 EUR" in desk.sender.last().text
    same = desk.verifier.step_up(step.session_id, action="pay", stake=first, call=desk.call)
    assert same.verdict is Verdict.VERIFIED
    step = desk.verifier.step_up(step.session_id, action="pay", stake=second, call=desk.call)
    assert step.verdict is Verdict.PENDING
    assert len(desk.sender.messages) == 2


# ── Where it goes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_goes_to_the_number_on_record_whatever_is_presented(desk: Desk) -> None:
    desk.open("code", call=desk.another(number="+33698765432"))
    assert [message.destination for message in desk.sender.messages] == ["+33612345678"]


def test_no_code_for_somebody_unknown_locked_or_inactive_and_the_same_question(desk: Desk) -> None:
    desk.customers["cust-9"] = replace(desk.customers["cust-42"], active=False)
    desk.enroller.enroll("cust-9", {"pin": "8351"}, by="crm-import")
    desk.customers["cust-8"] = desk.customers["cust-42"]
    desk.enroller.enroll("cust-8", {"pin": "8351"}, by="crm-import")
    desk.enroller.lock("cust-8", by="ops", reason="fraud")
    texts = {desk.open("code", subject=who).challenge.text for who in ("cust-42", "cust-7", "cust-8", "cust-9")}
    assert len(texts) == 1
    assert len(desk.sender.messages) == 1


def test_a_sender_that_fails_changes_nothing_outside(desk: Desk) -> None:
    working = desk.open("code")
    desk.sender.fail = RuntimeError("no credit left for +33612345678")
    failing = desk.open("code")
    assert failing.challenge.text == working.challenge.text
    assert Notice.DELIVERY_FAILED in desk.observer.notices
    assert desk.say(failing, "123456").challenge.text == AGAIN


def test_the_message_names_what_the_code_is_for_and_ends_in_it(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p",
        checks=[checks.OneTimeCode()],
        threats=ThreatModel.points({"one_time_code": 6}),
        actions={"a": Requirement(bits=3, purpose={"en": "a new card", "fr": "une nouvelle carte"})},
    )
    desk = make(policy, language="fr-CA")
    step = desk.open("a")
    text = desk.sender.last().text
    assert text.startswith("Pour : une nouvelle carte.")
    assert text.endswith(desk.sender.code())
    assert desk.sender.last().language == "fr"
    assert "SMS" in step.challenge.text
    assert desk.sender.code() not in str(step.as_dict())


def test_codes_that_a_service_judges(make: Callable[..., Desk]) -> None:
    service = ScriptedService(
        lambda handle, code: Outcome.PASS if (handle, code) == ("handle-1", "000000") else Outcome.FAIL
    )
    desk = make(services={"sms": service})
    step = desk.open("code")
    assert desk.sender.messages == []
    step = desk.say(step, "111111")
    assert step.challenge.text == AGAIN
    assert desk.say(step, "000000").verdict is Verdict.VERIFIED
    assert service.checked == [("handle-1", "111111"), ("handle-1", "000000")]
    assert desk.events() == ["opened", "sent", "answered", "answered"]


def test_a_code_is_good_for_what_it_was_sent_for_alone(make: Callable[..., Desk]) -> None:
    """No verb leads here; a state that was changed in the store does, and no service is asked then."""
    desk = make(services={"sms": ScriptedService(Outcome.PASS)})
    step = desk.open("code")
    with desk.store._writing() as db:
        (text,) = db.execute("SELECT state FROM sessions").fetchone()
        state = json.loads(text)
        assert state["code"][4]
        state["code"][4] += " of another"
        db.execute("UPDATE sessions SET state = ?", (json.dumps(state),))
    step = desk.say(step, "000000")
    assert step.verdict is Verdict.PENDING
    assert desk.services["sms"].checked == []


@pytest.mark.parametrize("judged", [RuntimeError("down"), None, Outcome.UNAVAILABLE, "pass", True, 1])
def test_a_service_that_does_not_say_pass_passes_nobody(make: Callable[..., Desk], judged: object) -> None:
    desk = make(
        services={
            "sms": ScriptedService(lambda *_: judged) if not isinstance(judged, Exception) else ScriptedService(judged)
        }
    )  # type: ignore[arg-type, return-value]
    step = desk.open("code")
    while step.challenge is not None:
        step = desk.say(step, "000000")
    assert step.verdict is Verdict.DENIED


def test_e_mail_and_voice_go_to_their_own_contacts(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p",
        checks=[checks.OneTimeCode("mail", channel="email"), checks.OneTimeCode("rung", channel="voice")],
        threats=ThreatModel.points({"mail": 3, "rung": 3}),
        actions={"a": Requirement(bits=6)},
    )
    contacts = (
        Contact(number="anna@example.org"), Contact(number="+442079460958", channels=frozenset({"voice"})),
    )  # fmt: skip
    desk = make(policy, contacts=[])
    old = desk.clock.now - timedelta(days=400)
    desk.customers["cust-42"] = Customer(contacts=tuple(replace(each, since=old) for each in contacts))
    assert desk.play("a").verdict is Verdict.VERIFIED
    assert [(m.channel, m.destination) for m in desk.sender.messages] == [
        ("email", "anna@example.org"), ("voice", "+442079460958"),
    ]  # fmt: skip


def test_a_code_that_failed_once_in_a_run_is_not_made_good_by_a_later_one(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p",
        checks=[checks.OneTimeCode(), checks.Pin()],
        threats=ThreatModel.points({"one_time_code": 6, "pin": 6}),
        actions={"either": Requirement(bits=3), "code": Requirement(bits=3, checks=("one_time_code",))},
    )
    desk = make(policy)
    step = desk.open("either")
    for by in (1, 2, 3):
        step = desk.say(step, other(desk.sender.code(), by))
    step = desk.say(step)
    assert step.verdict is Verdict.VERIFIED
    step = desk.verifier.step_up(step.session_id, action="code", call=desk.call)
    assert desk.say(step).verdict is Verdict.DENIED
