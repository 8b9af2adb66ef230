"""A verification chain of your own, with its unit tests.

A shop knows its customers' last order, and nobody should store that twice: `LastOrder` asks for it and compares with
what the CRM says at call time. `RiskDesk` turns what the fraud desk says of a call into evidence. The figures are the
shop's own counts; whoever has none says so in ``source`` and stays careful.

Run the tests: ``python -m pytest examples/custom_check.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from kyc_verify import (
    AnswerCheck,
    Call,
    Clarify,
    Contact,
    Customer,
    Enroller,
    Forms,
    Likelihoods,
    Outcome,
    Policy,
    Requirement,
    Signal,
    SignalCheck,
    Step,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.answers import text
from kyc_verify.stores import MemoryStore
from kyc_verify.testing import FakeClock, FakeCustomers, RecordingSender, ScriptedSignals, cheap_hasher

CLASSES = ("stranger", "acquaintance", "breach_data_holder", "phisher", "sim_swapper", "insider")


def against(**passes: str) -> dict[str, dict[Outcome, str]]:
    """What each class of attacker passes; nobody is forgotten: the table refuses a class that is left out."""
    return {name: {Outcome.PASS: passes[name], Outcome.NEAR: "0.01"} for name in CLASSES}


class LastOrder(AnswerCheck):
    """What the customer ordered last; the truth comes from the CRM and is never stored."""

    prompts = {"en": "What did you order last?", "fr": "Qu’avez-vous commandé en dernier ?"}
    stored = False
    likelihoods = Likelihoods(
        genuine={Outcome.PASS: "0.7", Outcome.NEAR: "0.05"},
        classes=against(
            stranger="0.02",
            acquaintance="0.2",
            breach_data_holder="0.1",
            phisher="0.5",
            sim_swapper="0.3",
            insider="0.98",
        ),
        source="the shop's own count of 1,200 recorded calls",
    )

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        return text.forms(said)


class RiskDesk(SignalCheck):
    """What the shop's fraud desk says of the call: ``clean``, or anything else."""

    likelihoods = Likelihoods(
        genuine={Outcome.PASS: "0.98"},
        classes={name: {Outcome.PASS: "0.6"} for name in CLASSES},
        source="the shop's own count of 1,200 recorded calls",
    )

    def judge(self, signal: Signal) -> Outcome:
        return Outcome.PASS if signal.value == "clean" else Outcome.FAIL


policy = Policy(
    name="shop",
    checks=[RiskDesk(), LastOrder(), checks.OneTimeCode(channel="sms")],
    actions={"track_parcel": Requirement(bits=1), "change_address": Requirement(bits="1.5", factors=2)},
)


# ── Its unit tests ───────────────────────────────────────────────────────────────────────────────────────────────────


def shop(desk: str = "clean") -> tuple[Verifier, RecordingSender]:
    """Return a verifier with doubles where the world would be."""
    clock, sender, store, hasher = FakeClock(), RecordingSender(), MemoryStore(), cheap_hasher()
    contact = Contact(number="+33612345678", since=datetime(2090, 1, 1, tzinfo=UTC))
    customers = FakeCustomers({"cust-1": Customer(contacts=(contact,), facts={"last_order": "blue bicycle"})})
    verifier = Verifier(
        policy,
        store=store,
        hasher=hasher,
        customers=customers,
        senders={"sms": sender},
        signals={"risk_desk": ScriptedSignals(desk)},
        clock=clock,
    )
    return verifier, sender


CALL = Call(id="call-1", agent="agent-1")


def play(verifier: Verifier, sender: RecordingSender, order: str, action: str) -> Step:
    step = verifier.open("cust-1", action=action, call=CALL)
    while step.challenge:
        said = order if step.challenge.check == "last_order" else sender.code()
        step = verifier.respond(step.challenge.id, said, call=CALL)
    return step


def test_a_customer_is_verified() -> None:
    verifier, sender = shop()
    assert play(verifier, sender, "blue bicycle", "change_address").verdict is Verdict.VERIFIED


def test_an_order_said_differently_is_the_same() -> None:
    verifier, sender = shop()
    assert play(verifier, sender, "Blue  bicycle!", "change_address").verdict is Verdict.VERIFIED


def test_a_wrong_order_is_not_enough_even_with_the_code() -> None:
    verifier, sender = shop()
    step = play(verifier, sender, "a red kettle", "change_address")
    assert step.verdict is Verdict.DENIED


def test_the_desk_cannot_verify_anybody_alone() -> None:
    verifier, _ = shop()
    step = verifier.open("cust-1", action="track_parcel", call=CALL)
    assert step.verdict is Verdict.PENDING


def test_a_custom_fact_is_never_stored() -> None:
    refused = ""
    try:
        Enroller(policy, store=MemoryStore(), hasher=cheap_hasher()).enroll("cust-1", {"last_order": "tea"}, by="crm")
    except ValueError as error:
        refused = str(error)
    assert "stores nothing" in refused
