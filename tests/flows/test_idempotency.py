"""The same request again, one after the other and all at once: one attempt, one charge, one record, one reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kyc_verify import BackendError, InvalidTransition, NotVerified, Step, UnknownSession, UsageError, Verdict

if TYPE_CHECKING:
    from tests.flows.conftest import Desk


def same(found: list[object]) -> bool:
    """Whether all are steps, and one and the same."""
    return all(isinstance(each, Step) for each in found) and len({str(each.as_dict()) for each in found}) == 1


# ── An answer ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", ["4937", "0000", "49 37", "???", "", "x" * 300])
def test_the_same_answer_gives_the_same_step_and_one_record(desk: Desk, answer: str) -> None:
    step = desk.open("pin")
    first = desk.say(step, answer)
    again = [desk.say(step, answer) for _ in range(3)]
    assert same([first, *again])
    assert desk.events() == ["opened", "answered"]


def test_the_same_answer_is_charged_once(desk: Desk) -> None:
    for _ in range(3):
        step = desk.open("pin")
        for _ in range(5):
            desk.say(step, "0000")
    step = desk.open("pin")  # of the five tries of a day three are spent, not fifteen
    assert desk.say(step).verdict is Verdict.VERIFIED


@pytest.mark.parametrize(("first", "other"), [("4937", "0000"), ("0000", "4937"), ("0000", "0001"), ("???", "4937")])
def test_another_answer_to_the_same_challenge_is_refused(desk: Desk, first: str, other: str) -> None:
    step = desk.open("pin")
    done = desk.say(step, first)
    with pytest.raises(UsageError) as refused:
        desk.say(step, other)
    assert other not in str(refused.value)
    assert desk.events() == ["opened", "answered"]
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is done.verdict


def test_a_replayed_answer_gives_its_own_reply_however_far_the_run_has_come(desk: Desk) -> None:
    first = desk.open("all")
    second = desk.say(first)
    third = desk.say(second)
    done = desk.say(third)
    assert desk.say(first).as_dict() == second.as_dict()
    assert desk.say(second).as_dict() == third.as_dict()
    assert desk.say(third, desk.sender.code()).require().token == done.require().token
    assert len(desk.events()) == 4


def test_a_replayed_code_gives_the_same_step(desk: Desk) -> None:
    step = desk.open("code")
    wrong = "000000" if desk.sender.code() != "000000" else "000001"
    again = desk.say(step, wrong)
    assert desk.say(step, wrong).as_dict() == again.as_dict()
    with pytest.raises(UsageError):
        desk.say(step, desk.sender.code())
    done = desk.say(again)
    assert desk.say(again).as_dict() == done.as_dict()


def test_a_replayed_question_back_gives_it_again(desk: Desk) -> None:
    step = desk.open("tenure")
    back = desk.say(step, "3")
    assert desk.say(step, "3").as_dict() == back.as_dict()
    assert desk.events() == ["opened", "clarified"]
    with pytest.raises(UsageError):
        desk.say(step, "8 years")


def test_an_answer_after_the_end_of_the_session_gives_the_same_step_twice(desk: Desk) -> None:
    step = desk.open("pin")
    desk.clock.advance(minutes=30)
    first = desk.say(step)
    assert first.verdict is Verdict.DENIED
    assert desk.say(step).as_dict() == first.as_dict()
    assert desk.verifier.decline(step.challenge.id, call=desk.call).as_dict() == first.as_dict()
    assert desk.events() == ["opened", "expired"]


def test_the_same_answer_at_the_same_time_is_one_attempt(desk: Desk) -> None:
    for answer in ("0000", "4937"):
        step = desk.open("pin")
        found = desk.together([lambda v, s=step, a=answer: v.respond(s.challenge.id, a, call=desk.call)] * 6)
        assert same(found), found
    assert desk.events() == ["opened", "answered"] * 2


def test_different_answers_at_the_same_time_are_one_attempt(desk: Desk) -> None:
    step = desk.open("pin")
    answers = ["0000", "0001", "0002", "0003", "0004", "4937"]
    found = desk.together([lambda v, a=a: v.respond(step.challenge.id, a, call=desk.call) for a in answers])
    assert len([each for each in found if isinstance(each, Step)]) == 1
    assert all(isinstance(each, Step | UsageError) for each in found), found
    assert desk.events() == ["opened", "answered"]


# ── open ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_opens_once(desk: Desk) -> None:
    first = desk.open("code", request_id="r-1")
    assert desk.open("code", request_id="r-1").as_dict() == first.as_dict()
    assert len(desk.sender.messages) == 1
    assert desk.events() == ["opened"]
    desk.say(first)
    assert desk.open("code", request_id="r-1").verdict is Verdict.VERIFIED
    assert desk.open("code", request_id="r-2").session_id != first.session_id


def test_requests_without_an_id_are_two(desk: Desk) -> None:
    assert desk.open("pin").session_id != desk.open("pin").session_id


@pytest.mark.parametrize("other", [{"action": "tenure"}, {"subject": "cust-43"}], ids=["action", "subject"])
def test_a_request_id_used_for_something_else_is_refused(desk: Desk, other: dict[str, str]) -> None:
    desk.open("pin", request_id="r-1")
    with pytest.raises(UsageError):
        desk.open(**({"action": "pin", "request_id": "r-1"} | other))


def test_a_request_id_belongs_to_its_call_and_agent(desk: Desk) -> None:
    first = desk.open("pin", request_id="r-1")
    assert desk.open("pin", request_id="r-1", call=desk.another(agent="agent-8")).session_id != first.session_id
    assert desk.open("pin", request_id="r-1", call=desk.another(id="call-9")).session_id != first.session_id


def test_a_request_at_the_same_time_opens_once(desk: Desk) -> None:
    def job(verifier: object) -> object:
        return verifier.open("cust-42", action="code", call=desk.call, request_id="r-1")  # type: ignore[attr-defined]

    found = desk.together([job] * 6)
    assert same(found), found
    assert desk.events() == ["opened"]
    assert len(desk.sender.messages) == 1


# ── step_up ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_steps_up_once(desk: Desk) -> None:
    step = desk.play("pin")

    def up(request: str | None = "r-1", action: str = "code") -> Step:
        return desk.verifier.step_up(step.session_id, action=action, call=desk.call, request_id=request)

    first = up()
    assert up().as_dict() == first.as_dict()
    assert len(desk.sender.messages) == 1
    with pytest.raises(UsageError):
        up(action="tenure")
    with pytest.raises(InvalidTransition):
        up(request="r-2")
    assert desk.events() == ["opened", "answered", "stepped_up"]


def test_a_step_up_at_the_same_time_happens_once(desk: Desk) -> None:
    step = desk.play("pin")

    def job(verifier: object) -> object:
        return verifier.step_up(step.session_id, action="code", call=desk.call, request_id="r-1")  # type: ignore[attr-defined]

    found = desk.together([job] * 5)
    assert same(found), found
    assert desk.events() == ["opened", "answered", "stepped_up"]
    assert len(desk.sender.messages) == 1


# ── redeem ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_redeems_once_and_may_be_sent_again(desk: Desk) -> None:
    step = desk.play("pin")
    assert desk.redeem(step, "pin", request_id="r-1").verdict is Verdict.VERIFIED
    assert desk.redeem(step, "pin", request_id="r-1").verdict is Verdict.VERIFIED
    for other in ("r-2", None):
        with pytest.raises(NotVerified) as refused:
            desk.redeem(step, "pin", request_id=other)
        assert refused.value.reason == "used"
    assert desk.events().count("redeemed") == 1


def test_a_request_at_the_same_time_redeems_once(desk: Desk) -> None:
    grant = desk.play("pin").require()

    def job(verifier: object) -> object:
        return verifier.redeem(grant, subject="cust-42", action="pin", call=desk.call, request_id="r-1")  # type: ignore[attr-defined]

    found = desk.together([job] * 6)
    assert all(isinstance(each, Step) for each in found), found
    assert desk.events().count("redeemed") == 1


def test_a_grant_at_the_same_time_redeems_once(desk: Desk) -> None:
    grant = desk.play("pin").require()

    def job(verifier: object) -> object:
        return verifier.redeem(grant, subject="cust-42", action="pin", call=desk.call)  # type: ignore[attr-defined]

    found = desk.together([job] * 8)
    assert len([each for each in found if isinstance(each, Step)]) == 1
    assert {each.reason for each in found if isinstance(each, NotVerified)} == {"used"}


def test_what_was_never_issued_is_unknown_or_not_open(desk: Desk) -> None:
    step = desk.open("pin")
    for challenge in (f"{step.session_id}.2", f"{step.session_id}.0", f"{step.session_id}.9999"):
        with pytest.raises(InvalidTransition):
            desk.verifier.respond(challenge, "4937", call=desk.call)
    for challenge in (f"{step.session_id}.01", f"{step.session_id}.-1", step.session_id, f"x{step.session_id}.1", ""):
        with pytest.raises(UnknownSession):
            desk.verifier.respond(challenge, "4937", call=desk.call)
    assert desk.say(step).verdict is Verdict.VERIFIED


def test_a_conflict_is_an_outage_not_an_answer() -> None:
    from kyc_verify import ConflictError  # noqa: PLC0415

    assert issubclass(ConflictError, BackendError)
