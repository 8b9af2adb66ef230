"""Hostile input to every public verb: an error of the tree or an outcome, never an approval, and nothing leaks."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Call, Customer, Grant, KycVerifyError, Stake, Step, UsageError, Verdict

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

ODD: list[Any] = [
    None, True, 0, -1, 1.5, float("nan"), b"bytes", [], {}, (), set(), object(), type, "", " ", "\x00", "\ud800",
    "\U0010ffff", "x" * 1_000_000, "١٢٣", "a\nb", "\u202e0000", "'; DROP TABLE sessions; --", "../../etc/passwd",
    "%s%n",
]  # fmt: skip
IDS = [f"{type(value).__name__}-{at}" for at, value in enumerate(ODD)]
CANARY = "kanarienvogel-8472"


def tried(verb: Any) -> Step | None:
    """Call a verb: a Step that approves nothing, or an error of the tree; anything else fails the test."""
    try:
        found = verb()
    except KycVerifyError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
        assert CANARY not in shown
        return None
    assert isinstance(found, Step) or found is None or found is False, found
    if isinstance(found, Step):
        assert found.verdict is not Verdict.VERIFIED
    return found


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_answers(desk: Desk, odd: Any) -> None:
    for action in ("pin", "tenure", "born", "school", "code", "callback"):
        step = desk.open(action)
        if step.challenge is not None:
            tried(lambda s=step: desk.verifier.respond(s.challenge.id, odd, call=desk.call))


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_ids_of_challenges_sessions_and_grants(desk: Desk, odd: Any) -> None:
    call = desk.call
    for verb in ("respond", "decline", "resend"):
        more = ("4937",) if verb == "respond" else ()
        with pytest.raises(UsageError):
            getattr(desk.verifier, verb)(odd, *more, call=call)
    for verb in ("status", "transfer", "cancel", "explain"):
        with pytest.raises(UsageError):
            getattr(desk.verifier, verb)(odd, call=call)
    with pytest.raises(UsageError):
        desk.verifier.step_up(odd, action="pin", call=call)
    with pytest.raises(KycVerifyError):
        desk.verifier.redeem(odd, subject="cust-42", action="pin", call=call)


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_everything_else_of_open(desk: Desk, odd: Any) -> None:
    tried(lambda: desk.open("pin", subject=odd) if odd is not None else None)
    tried(lambda: desk.open(odd))
    for name in ("stake", "locale", "entries", "request_id"):
        tried(lambda n=name: desk.open("pin", **{n: odd}))
    with pytest.raises(UsageError):
        desk.verifier.open("cust-42", action="pin", call=odd)


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_everything_else_of_the_other_verbs(desk: Desk, odd: Any) -> None:
    step = desk.play("pin")
    for name in ("action", "stake", "request_id"):
        given = {"action": "know", name: odd}
        tried(lambda g=given: desk.verifier.step_up(step.session_id, call=desk.call, **g))
    step = desk.play("pin")
    for name in ("subject", "action", "stake", "request_id"):
        given = {"subject": "cust-42", "action": "tenure", name: odd}
        tried(lambda g=given: desk.verifier.redeem(step.require(), call=desk.call, **g))
    tried(lambda: desk.verifier.transfer(step.session_id, call=desk.call, entries=odd if odd is not None else "x"))
    for verb in ("status", "cancel", "transfer", "explain"):
        with pytest.raises(UsageError):
            getattr(desk.verifier, verb)(step.session_id, call=odd)
    for verb in ("respond", "decline", "resend"):
        more = ("4937",) if verb == "respond" else ()
        with pytest.raises(UsageError):
            getattr(desk.verifier, verb)(f"{step.session_id}.1", *more, call=odd)
    with pytest.raises(UsageError):
        desk.verifier.redeem(step.require(), subject="cust-42", action="pin", call=odd)


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_what_the_telephony_says(desk: Desk, odd: Any) -> None:
    for name in ("number", "attestation", "region"):
        try:
            call = desk.another(**{name: odd})
        except UsageError:
            continue
        for action in ("signals", "all", "code"):
            if action == "signals" and name != "number":
                continue
            tried(lambda c=call, a=action: desk.open(a, call=c) if a != "signals" else None)
        assert desk.verifier.open("cust-43", action="signals", call=call).verdict is not Verdict.VERIFIED


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_facts(desk: Desk, odd: Any) -> None:
    for check in ("pin", "account_tenure", "date_of_birth", "school"):
        tried(lambda c=check: desk.enroller.enroll("cust-42", {c: odd}, by="crm-import"))
    tried(lambda: desk.enroller.enroll("cust-42", odd, by="crm-import"))
    try:
        key = {odd: "8350"}
    except TypeError:
        return
    tried(lambda: desk.enroller.enroll("cust-42", key, by="crm-import"))


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_what_signals_and_services_say(desk: Desk, odd: Any) -> None:
    desk.signals["sim_swap"].value = odd if not callable(odd) else 5
    step = desk.open("signals", call=desk.another(number=None))
    assert step.verdict is Verdict.DENIED
    desk.services["app"].outcome = lambda *_: odd
    desk.customers["cust-43"] = desk.customers["cust-42"]
    step = desk.open("app")
    if odd is not None:
        assert desk.say(step, "yes").verdict is Verdict.DENIED


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_what_a_service_returns_for_a_handle(desk: Desk, odd: Any) -> None:
    desk.services["app"].send = lambda _: odd
    desk.services["app"].outcome = None
    step = desk.open("app")
    assert step.verdict is Verdict.PENDING
    assert desk.say(step, "yes").verdict is not Verdict.VERIFIED


def test_steps_out_of_order(desk: Desk) -> None:
    step = desk.open("all")
    second = desk.say(step)
    for challenge in (step.challenge.id, f"{step.session_id}.3", f"{step.session_id}.4"):
        for verb in ("decline", "resend"):
            tried(lambda c=challenge, v=verb: getattr(desk.verifier, v)(c, call=desk.call))
        tried(lambda c=challenge: desk.verifier.respond(c, "4937", call=desk.call))
    for verb in ("step_up", "explain"):
        more = {"action": "pin"} if verb == "step_up" else {}
        with pytest.raises(UsageError):
            getattr(desk.verifier, verb)(step.session_id, call=desk.call, **more)
    assert desk.verifier.status(step.session_id, call=desk.call).as_dict() == second.as_dict()


def test_ids_of_another_tenant_and_another_store_are_unknown(desk: Desk) -> None:
    step = desk.open("pin")
    other = desk.bench.over(desk.store)
    other.tenant = "b"
    other._wire()
    elsewhere = type(desk)(other, desk.loop)
    for verb in ("status", "cancel", "transfer"):
        with pytest.raises(LookupError):
            getattr(elsewhere.verifier, verb)(step.session_id, call=desk.call)
    with pytest.raises(LookupError):
        elsewhere.say(step)
    assert desk.say(step).verdict is Verdict.VERIFIED


def test_a_grant_that_somebody_made_up(desk: Desk) -> None:
    desk.play("pin")
    made = Grant(token="A" * 22, action="pin", expires_at=desk.clock.now)
    assert tried(lambda: desk.verifier.redeem(made, subject="cust-42", action="pin", call=desk.call)) is None


@pytest.mark.parametrize("language", ["", "x" * 4096, "\x00", "\ud800", "a", "-", "__"])
def test_what_the_crm_says_of_the_language(desk: Desk, language: str) -> None:
    desk.customers["cust-42"] = Customer(language=language, contacts=desk.customers["cust-42"].contacts)
    step = desk.open("pin", locale=language[:30] or None)
    assert step.challenge.text == "What is your telephone PIN, please?"
    assert desk.redeem(desk.say(step), "pin").verdict is Verdict.VERIFIED


def test_nothing_here_is_a_truth_value(desk: Desk) -> None:
    for found in (desk.open("pin"), desk.play("pin"), desk.play("pin", {"pin": "0000"})):
        with pytest.raises(TypeError):
            bool(found)
        with pytest.raises(TypeError):
            bool(found.verdict)


def test_values_that_are_no_values() -> None:
    for wrong in ({"id": ""}, {"agent": " a"}, {"roles": "supervisor"}, {"roles": [5]}, {"number": 5}):
        with pytest.raises(UsageError):
            Call(**({"id": "c", "agent": "a"} | wrong))
    for amount in (0, -1, 1.5, True, "NaN", "1e400", "1" * 300, "0.0000001", None, "x"):
        with pytest.raises(UsageError):
            Stake(amount=amount, currency="EUR")  # type: ignore[arg-type]
