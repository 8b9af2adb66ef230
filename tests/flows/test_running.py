"""open, respond, decline, status, cancel, explain: a run from its beginning to each of its ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kyc_verify import (
    Call,
    InvalidTransition,
    NotAllowed,
    Notice,
    NotVerified,
    Outcome,
    Policy,
    Requirement,
    UnknownSession,
    UsageError,
    Verdict,
    checks,
)
from kyc_verify.testing import CountingStore, ScriptedSignals

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))


# ── The ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_right_is_verified_and_the_grant_redeems_once(desk: Desk) -> None:
    step = desk.play("all")
    assert step.verdict is Verdict.VERIFIED
    assert step.challenge is None
    assert step.reasons == ("The caller is verified for this request. You may go on.",)
    assert desk.redeem(step, "all").verdict is Verdict.VERIFIED
    with pytest.raises(NotVerified) as refused:
        desk.redeem(step, "all")
    assert refused.value.reason == "used"
    assert desk.events() == ["opened", "answered", "answered", "answered", "redeemed", "refused"]


def test_questions_come_in_the_policy_s_order_whatever_is_answered(desk: Desk) -> None:
    def asked(answers: dict[str, str]) -> list[str]:
        step, found = desk.open("all"), []
        while step.challenge is not None:
            found.append(step.challenge.check)
            step = desk.say(step, answers.get(step.challenge.check))
        return found

    right = asked({})
    wrong = asked({"account_tenure": "30 years", "pin": "0000"})
    assert right == wrong == ["account_tenure", "pin", "one_time_code"]


@pytest.mark.parametrize("wrong", ["account_tenure", "pin"])
def test_one_wrong_answer_is_denied_without_saying_which(desk: Desk, wrong: str) -> None:
    said = {"account_tenure": "30 years", "pin": "0000"}
    step = desk.play("know", {wrong: said[wrong]})
    assert step.verdict is Verdict.DENIED
    assert "review path" in step.reasons[0]
    assert wrong not in str(step.reasons)
    with pytest.raises(NotVerified) as refused:
        step.require()
    assert refused.value.reason == "denied"


def test_an_action_that_asks_nothing_is_exempt(desk: Desk) -> None:
    step = desk.open("hours")
    assert step.verdict is Verdict.EXEMPT
    assert step.require().action == "hours"
    assert desk.redeem(step, "hours").verdict is Verdict.EXEMPT


def test_an_exempt_action_is_so_for_somebody_unknown_and_for_somebody_on_hold(desk: Desk) -> None:
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    assert desk.redeem(desk.open("hours"), "hours").verdict is Verdict.EXEMPT
    unknown = desk.open("hours", subject="cust-43")
    assert desk.redeem(unknown, "hours", subject="cust-43").verdict is Verdict.EXEMPT


def test_signals_alone_may_verify_at_once(desk: Desk) -> None:
    step = desk.open("signals")
    assert step.verdict is Verdict.VERIFIED
    assert [query.number for query in desk.signals["sim_swap"].queries] == ["+33612345678"]


def test_what_a_signal_says_can_deny(desk: Desk) -> None:
    desk.signals["sim_swap"].value = True
    assert desk.open("signals", call=desk.another(number="+33698765432")).verdict is Verdict.DENIED


def test_nothing_enrolled_is_asked_like_an_unknown_and_never_verifies(make: Callable[..., Desk]) -> None:
    desk = make(facts={})
    step = desk.open("know")
    assert step.challenge is not None
    assert step.challenge.check == "account_tenure"
    assert desk.play("know", {"account_tenure": "8 years", "pin": "4937"}).verdict is Verdict.DENIED


def test_some_enrolled_that_does_not_suffice_is_review_at_once_and_not_counted(make: Callable[..., Desk]) -> None:
    desk = make(facts={"pin": "4937"})
    for _ in range(4):
        step = desk.open("know")
        assert step.verdict is Verdict.REVIEW
        assert step.challenge is None
        assert "review path" in step.reasons[0]
    assert Notice.REVIEW in desk.observer.notices
    assert desk.play("pin").verdict is Verdict.VERIFIED  # run 1 still: four runs would have cost 2 bits


def test_lossless_asks_on_until_nothing_could_undo_it(desk: Desk) -> None:
    step = desk.open("lossless")
    for _ in range(2):
        step = desk.say(step)
    assert step.verdict is Verdict.VERIFIED  # points: a wrong answer takes nothing away


def test_lossless_with_negative_weights_asks_everything(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="heavy",
        checks=[checks.Pin(), checks.AccountTenure(), checks.OneTimeCode()],
        actions={"a": Requirement(bits="0.9", accept="lossless"), "b": Requirement(bits="0.9")},
    )
    desk = make(policy)
    first, lossless = desk.open("b"), desk.open("a")
    first, lossless = desk.say(first), desk.say(desk.say(lossless))
    assert first.verdict is Verdict.VERIFIED
    assert lossless.verdict is Verdict.PENDING
    assert desk.say(lossless).verdict is Verdict.VERIFIED


# ── Declining ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_declining_counts_as_wrong_and_spends_no_try(desk: Desk) -> None:
    for _ in range(3):
        step = desk.open("know")
        step = desk.verifier.decline(step.challenge.id, call=desk.call)
        assert step.challenge.check == "pin"
        step = desk.say(step)
        assert step.verdict is Verdict.DENIED
    assert "declined" in desk.events()
    desk.enroller.clear_runs("cust-42", by="ops", reason="review")
    assert desk.play("know").verdict is Verdict.VERIFIED


def test_declining_twice_is_once(desk: Desk) -> None:
    step = desk.open("know")
    first = desk.verifier.decline(step.challenge.id, call=desk.call)
    again = desk.verifier.decline(step.challenge.id, call=desk.call)
    assert first.as_dict() == again.as_dict()
    assert desk.events() == ["opened", "declined"]


def test_a_declined_question_takes_no_answer(desk: Desk) -> None:
    step = desk.open("know")
    desk.verifier.decline(step.challenge.id, call=desk.call)
    with pytest.raises(UsageError):
        desk.say(step)


def test_an_answered_question_cannot_be_declined(desk: Desk) -> None:
    step = desk.open("know")
    desk.say(step)
    with pytest.raises(InvalidTransition):
        desk.verifier.decline(step.challenge.id, call=desk.call)


# ── Looking, cancelling, explaining ──────────────────────────────────────────────────────────────────────────────────


def test_status_gives_the_open_question_and_later_the_grant_again(desk: Desk) -> None:
    step = desk.open("pin")
    assert desk.verifier.status(step.session_id, call=desk.call).as_dict() == step.as_dict()
    done = desk.say(step)
    again = desk.verifier.status(step.session_id, call=desk.call)
    assert again.require().token == done.require().token
    desk.redeem(again, "pin")
    with pytest.raises(NotVerified) as refused:
        desk.verifier.status(step.session_id, call=desk.call).require()
    assert refused.value.reason == "used_or_expired"


def test_status_gives_no_grant_after_its_end(desk: Desk) -> None:
    step = desk.play("pin")
    desk.clock.advance(timedelta(seconds=300) - timedelta(microseconds=1))
    assert desk.verifier.status(step.session_id, call=desk.call).require()
    desk.clock.advance(microseconds=1)
    with pytest.raises(NotVerified):
        desk.verifier.status(step.session_id, call=desk.call).require()


def test_cancel_ends_a_run_and_voids_its_grant(desk: Desk) -> None:
    step = desk.play("pin")
    ended = desk.verifier.cancel(step.session_id, call=desk.call)
    assert ended.verdict is Verdict.DENIED
    assert "cancelled" in ended.reasons[0]
    assert desk.verifier.cancel(step.session_id, call=desk.call).as_dict() == ended.as_dict()
    with pytest.raises(NotVerified) as refused:
        desk.redeem(step, "pin")
    assert refused.value.reason == "void"
    assert desk.events() == ["opened", "answered", "cancelled", "refused"]


def test_a_cancelled_run_takes_no_answer(desk: Desk) -> None:
    step = desk.open("pin")
    desk.verifier.cancel(step.session_id, call=desk.call)
    with pytest.raises(UsageError):
        desk.say(step)
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is Verdict.DENIED


def test_a_denied_run_cannot_be_cancelled(desk: Desk) -> None:
    step = desk.play("pin", {"pin": "0000"})
    with pytest.raises(InvalidTransition):
        desk.verifier.cancel(step.session_id, call=desk.call)


def test_explain_is_for_auditors_after_the_end_and_recorded(desk: Desk) -> None:
    step = desk.open("all")
    with pytest.raises(InvalidTransition):
        desk.verifier.explain(step.session_id, call=AUDITOR)
    while step.challenge is not None:
        step = desk.say(step)
    for call in (desk.call, Call(id="audit-1", agent="auditor-1")):
        with pytest.raises(NotAllowed):
            desk.verifier.explain(step.session_id, call=call)
    decision = desk.verifier.explain(step.session_id, call=AUDITOR)
    assert decision.verdict is Verdict.VERIFIED
    assert decision.score.centibits == 1400
    assert {item.check: item.outcome for item in decision.evidence} == dict.fromkeys(
        ("caller_number", "sim_swap", "account_tenure", "pin", "one_time_code"), Outcome.PASS
    )
    assert desk.events()[-3:] == ["refused", "refused", "explained"]
    sessions = {each.session for each in desk.records() if each.event.value in {"opened", "answered", "explained"}}
    assert len(sessions) == 1
    assert None not in sessions


# ── Whose session it is ──────────────────────────────────────────────────────────────────────────────────────────────


def test_another_agent_another_call_and_a_lost_role_are_refused_and_nothing_is_spent(make: Callable[..., Desk]) -> None:
    desk = make()
    boss = desk.another(roles=frozenset({"supervisor"}))
    step = desk.open("boss", call=boss)
    with pytest.raises(NotAllowed):
        desk.say(step, call=replace(boss, agent="agent-8"))
    with pytest.raises(UnknownSession):
        desk.say(step, call=replace(boss, id="call-882"))
    with pytest.raises(NotAllowed):
        desk.say(step, call=desk.call)
    for verb in ("status", "cancel"):
        with pytest.raises(NotAllowed):
            getattr(desk.verifier, verb)(step.session_id, call=replace(boss, agent="agent-8"))
    assert desk.say(step, call=boss).verdict is Verdict.VERIFIED
    assert desk.events().count("refused") == 5


def test_an_action_s_role_is_needed_to_open_and_its_lack_is_recorded(desk: Desk) -> None:
    with pytest.raises(NotAllowed):
        desk.open("boss")
    assert desk.events() == ["refused"]


def test_the_agent_s_role_claimed_elsewhere_does_not_count(desk: Desk) -> None:
    with pytest.raises(NotAllowed):
        desk.open("boss", call=desk.another(agent="supervisor", id="supervisor"))


# ── Trips ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_answer_is_two_trips_to_the_store(desk: Desk) -> None:
    counting = CountingStore(desk.store)
    step = desk.over(counting).open("all")
    assert dict(counting.counts) == {"open": 1, "commit": 1}
    while step.challenge is not None:
        counting.counts.clear()
        step = desk.over(counting).say(step)
        assert dict(counting.counts) == {"begin": 1, "commit": 1}
    counting.counts.clear()
    desk.over(counting).redeem(step, "all")
    assert dict(counting.counts) == {"redeem": 1}


def test_the_crm_is_asked_once_to_open_and_once_to_redeem(desk: Desk) -> None:
    desk.customers.asked.clear()
    step = desk.open("code")
    assert desk.customers.asked == ["cust-42"]
    step = desk.say(step)
    assert desk.customers.asked == ["cust-42"]
    desk.redeem(step, "code")
    assert desk.customers.asked == ["cust-42"] * 2


def test_a_signal_source_is_asked_once_a_run(desk: Desk) -> None:
    source = desk.signals["sim_swap"]
    assert isinstance(source, ScriptedSignals)
    desk.play("all")
    assert len(source.queries) == 1
