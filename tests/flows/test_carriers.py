"""Whole verifications over the clients of carriers: what a provider says, and fails to say, in the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kyc_verify import Policy, Requirement, ThreatModel, Verdict, checks
from kyc_verify.call import Call
from kyc_verify.ports import Notice
from kyc_verify.terms import Outcome
from kyc_verify.testing import assert_leaks_nothing
from tests.providers import (
    NUMBER,
    SERVICE,
    TOKEN,
    VERIFICATION,
    Provider,
    camara,
    fails,
    running,
    says,
    twilio,
    writes,
)


@pytest.fixture
def carrier() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider
    assert provider.complaints == []


@pytest.fixture
def front(make: Callable[..., Any]) -> str:
    return "async" if make().is_async else "sync"


def policy(**changes: Any) -> Policy:
    """Return a policy in which the signal alone decides."""
    given: dict[str, Any] = {
        "name": "carriers",
        "checks": [checks.SimSwap(), checks.OneTimeCode(template="elsewhere")],
        "threats": ThreatModel.points({"sim_swap": 1, "one_time_code": 3}),
        "actions": {
            "signal": Requirement(bits=1, checks=("sim_swap",)),
            "code": Requirement(bits=3, checks=("one_time_code",)),
            "both": Requirement(bits=4, checks=("sim_swap", "one_time_code")),
        },
    }
    return Policy(**(given | changes))


def evidence(desk: Any, step: Any) -> dict[str, Outcome]:
    """Return what the checks of a run ended in, as an auditor is shown it."""
    call = Call(id="audit-1", agent="auditor-1", roles=frozenset(("auditor",)))
    decision = desk.verifier.explain(step.session_id, call=call)
    return {each.check: each.outcome for each in decision.evidence}


SAID: list[tuple[Any, Outcome, Verdict]] = [
    (says({"swapped": False}), Outcome.PASS, Verdict.VERIFIED),
    (says({"swapped": True}), Outcome.FAIL, Verdict.DENIED),
    (says({"swapped": "false"}), Outcome.FAIL, Verdict.DENIED),
    (says({"swapped": None}), Outcome.FAIL, Verdict.DENIED),
    (says({}), Outcome.FAIL, Verdict.DENIED),
    (says(b"<html>"), Outcome.FAIL, Verdict.DENIED),
    (writes(b""), Outcome.FAIL, Verdict.DENIED),
    (writes(b"x", pause=2.0), Outcome.FAIL, Verdict.DENIED),
    (fails(500, "INTERNAL"), Outcome.FAIL, Verdict.DENIED),
    (fails(401, "UNAUTHENTICATED"), Outcome.FAIL, Verdict.DENIED),
    (fails(403, "PERMISSION_DENIED"), Outcome.FAIL, Verdict.DENIED),
    (fails(400, "INVALID_ARGUMENT"), Outcome.FAIL, Verdict.DENIED),
    (fails(422, "UNNECESSARY_IDENTIFIER"), Outcome.FAIL, Verdict.DENIED),
    (fails(400, "OUT_OF_RANGE"), Outcome.UNAVAILABLE, Verdict.DENIED),
    (fails(404, "IDENTIFIER_NOT_FOUND"), Outcome.UNAVAILABLE, Verdict.DENIED),
    (fails(422, "SERVICE_NOT_APPLICABLE"), Outcome.UNAVAILABLE, Verdict.DENIED),
]


@pytest.mark.parametrize(("answer", "outcome", "verdict"), SAID, ids=range(len(SAID)))
def test_what_a_carrier_says_of_a_swap(
    make: Callable[..., Any], front: str, carrier: Provider, answer: Any, outcome: Outcome, verdict: Verdict
) -> None:
    carrier.answer("sim-swap/check", answer)
    desk = make(policy(), signals={"sim_swap": camara(front, carrier, within=0.5).sim_swap()})
    step = desk.open("signal")
    assert carrier.seen[0].body == {"phoneNumber": NUMBER, "maxAge": 168}
    assert step.verdict is verdict
    assert evidence(desk, step) == {"sim_swap": outcome}
    failed = Notice.SIGNAL_FAILED in desk.observer.notices
    assert failed is (outcome is Outcome.FAIL and answer is not SAID[1][0])


def test_the_number_on_record_is_asked_about(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    desk = make(policy(), signals={"sim_swap": camara(front, carrier).sim_swap()})
    assert desk.open("signal", call=desk.another(number="+442079460958")).verdict is Verdict.VERIFIED
    assert [seen.body["phoneNumber"] for seen in carrier.seen] == [NUMBER]


def test_who_is_not_there_is_asked_about_too_and_never_verifies(
    make: Callable[..., Any], front: str, carrier: Provider
) -> None:
    desk = make(policy(), signals={"sim_swap": camara(front, carrier).sim_swap()})
    step = desk.open("signal", subject="cust-43", call=desk.another(number="+442079460958"))
    assert step.verdict is not Verdict.VERIFIED
    assert [seen.body["phoneNumber"] for seen in carrier.seen] in ([], ["+442079460958"])


def test_numbers_that_callers_choose_do_not_put_a_source_out(
    make: Callable[..., Any], front: str, carrier: Provider
) -> None:
    """A source that fails five times in a row is left alone, and UNAVAILABLE weighs nothing: not for a caller to do."""
    carrier.answer(
        "sim-swap/check", *[fails(404, "NOT_FOUND")] * 3, *[fails(400, "INVALID_ARGUMENT")] * 3, says({"swapped": True})
    )
    desk = make(policy(), signals={"sim_swap": camara(front, carrier).sim_swap()})
    for number in range(6):
        presented = None if number % 3 == 2 else f"+44207946095{number}"
        call = Call(id=f"call-{number}", agent="agent-7", number=presented)
        assert desk.open("signal", subject=f"nobody-{number}", call=call).verdict is not Verdict.VERIFIED
    assert Notice.CIRCUIT_OPEN not in desk.observer.notices
    assert Notice.SIGNAL_FAILED not in desk.observer.notices


def test_a_carrier_that_is_out_is_left_alone(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    carrier.answer("sim-swap/check", fails(501, "NOT_IMPLEMENTED"))
    desk = make(policy(), signals={"sim_swap": camara(front, carrier).sim_swap()})
    for _ in range(6):
        assert desk.fresh().open("signal").verdict is not Verdict.VERIFIED
    assert len(carrier.seen) == 5
    assert Notice.CIRCUIT_OPEN in desk.observer.notices


def test_codes_of_a_carrier(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    desk = make(
        policy(),
        signals={"sim_swap": camara(front, carrier).sim_swap()},
        services={"sms": camara(front, carrier).one_time_code()},
    )
    wrong = fails(400, "ONE_TIME_PASSWORD_SMS.INVALID_OTP")
    carrier.answer("validate-code", wrong, says(None, 204))
    step = desk.open("both")
    assert desk.sender.messages == []
    step = desk.say(step, "111111")
    assert step.verdict is Verdict.PENDING
    step = desk.say(step, "048213")
    assert step.verdict is Verdict.VERIFIED
    assert desk.redeem(step, "both") is not None
    assert [seen.api for seen in carrier.seen] == ["sim-swap/check", "send-code", "validate-code", "validate-code"]
    assert [seen.body["code"] for seen in carrier.seen[2:]] == ["111111", "048213"]


@pytest.mark.parametrize(
    ("purpose", "warning"),
    [
        ("a new card", "Never tell or forward it"),
        ("a change of your telephone number", "Tell nobody who calls or writes to you"),
        ("a very much longer purpose " * 5, None),
    ],
)
def test_the_message_says_what_the_code_is_for(
    make: Callable[..., Any], front: str, carrier: Provider, purpose: str, warning: str | None
) -> None:
    """In as many words as go into the carrier's 160 characters, with a warning; or it is not sent."""
    action = Requirement(bits=3, checks=("one_time_code",), purpose={"en": purpose})
    warned = policy(checks=[checks.SimSwap(), checks.OneTimeCode()], actions={"card": action})
    desk = make(warned, services={"sms": camara(front, carrier).one_time_code()})
    desk.open("card")
    if warning is None:
        assert carrier.seen == []
        return
    (seen,) = carrier.seen
    assert seen.body["message"].count("{{code}}") == 1
    assert warning in seen.body["message"]
    assert seen.body["message"].startswith(f"For: {purpose}.")


@pytest.mark.parametrize(
    "answer", [fails(500, "INTERNAL"), fails(404, "NOT_FOUND"), says({"valid": True}), writes(b""), says(None, 202)]
)
def test_a_code_that_is_not_clearly_right_passes_nobody(
    make: Callable[..., Any], front: str, carrier: Provider, answer: Any
) -> None:
    carrier.answer("validate-code", answer)
    desk = make(policy(), services={"sms": camara(front, carrier).one_time_code()})
    step = desk.open("code")
    for _ in range(3):
        step = desk.say(step, "048213")
    assert step.verdict is Verdict.DENIED
    assert [seen.api for seen in carrier.seen] == ["send-code", *["validate-code"] * 3]


def test_what_was_not_sent_cannot_be_right(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    carrier.answer("send-code", fails(403, "ONE_TIME_PASSWORD_SMS.PHONE_NUMBER_BLOCKED"))
    desk = make(policy(), services={"sms": camara(front, carrier).one_time_code()})
    step = desk.open("code")
    assert step.verdict is Verdict.PENDING
    assert Notice.DELIVERY_FAILED in desk.observer.notices
    for _ in range(3):
        step = desk.say(step, "048213")
    assert step.verdict is Verdict.DENIED
    assert [seen.api for seen in carrier.seen] == ["send-code"]


def test_codes_of_twilio(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    client = twilio(front, carrier)
    found = {"phone_number": NUMBER, "valid": True}
    last = {"last_sim_swap_date": None, "swapped_period": "PT168H", "swapped_in_period": False}
    carrier.answer("lookup", says(found | {"sim_swap": {"last_sim_swap": last, "error_code": None}}))
    approved = {"sid": VERIFICATION, "service_sid": SERVICE, "status": "approved", "valid": True}
    carrier.answer("verify-check", says(approved))
    desk = make(policy(), signals={"sim_swap": client.sim_swap()}, services={"sms": client.verify(SERVICE)})
    assert desk.say(desk.open("both"), "048213").verdict is Verdict.VERIFIED
    assert [seen.api for seen in carrier.seen] == ["lookup", "verify", "verify-check"]


def test_a_whole_verification_shows_nothing(make: Callable[..., Any], front: str, carrier: Provider) -> None:
    client = camara(front, carrier)
    desk = make(policy(), signals={"sim_swap": client.sim_swap()}, services={"sms": client.one_time_code()})

    def whole() -> Any:
        return desk.say(desk.open("both"), "948213").verdict

    canaries = {"the number": NUMBER, "the code": "948213", "the token": TOKEN}
    assert assert_leaks_nothing(whole, canaries, bench=desk.bench) is Verdict.VERIFIED
