"""What a CRM writes and a type checker must accept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_type

from kyc_verify import (
    AnswerCheck,
    AsyncEnroller,
    AsyncVerifier,
    Call,
    Challenge,
    Clarify,
    Customer,
    Decision,
    Enroller,
    Forms,
    Grant,
    Keyring,
    Likelihoods,
    Message,
    Outcome,
    Policy,
    Requirement,
    SecretHasher,
    Signal,
    SignalCheck,
    SignalQuery,
    Step,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.answers import text
from kyc_verify.stores import MemoryStore, SQLiteStore


class Crm:
    def get(self, subject: str) -> Customer | None:
        return Customer() if subject else None


class AsyncCrm:
    async def get(self, subject: str) -> Customer | None:
        return Customer() if subject else None


class Gateway:
    def send(self, message: Message) -> None:
        self.sent = message.channel


class Carrier:
    def get(self, query: SignalQuery) -> bool:
        return query.number is None


class Town(AnswerCheck):
    prompts = {"en": "Which town?"}  # noqa: RUF012 - as users write it
    likelihoods = Likelihoods(genuine={Outcome.PASS: "0.8"}, classes={"stranger": {Outcome.PASS: 0.1}}, source="ours")

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        return text.forms(said)


class Desk(SignalCheck):
    def judge(self, signal: Signal) -> Outcome:
        return Outcome.PASS if signal.value == "clean" else Outcome.FAIL


def wire(keyring: Keyring) -> Verifier:
    policy = Policy(
        name="bank",
        checks=[checks.CallerNumber(), checks.Pin(), checks.OneTimeCode(channel="sms"), Town("town")],
        actions={"read": Requirement(bits=2), "pay": Requirement(risk="1/8", factors=2, accept="lossless")},
    )
    store, hasher = SQLiteStore("kyc.db"), SecretHasher(keyring)
    Enroller(policy, store=store, hasher=hasher).enroll("cust-1", {"pin": "4729"}, by="crm")
    return Verifier(
        policy, store=store, hasher=hasher, customers=Crm(), senders={"sms": Gateway()}, signals={"sim_swap": Carrier()}
    )


def verify(verifier: Verifier, call: Call) -> Grant:
    step = verifier.open("cust-1", action="read", call=call)
    assert_type(step, Step)
    while step.challenge:
        assert_type(step.challenge, Challenge)
        step = verifier.respond(step.challenge.id, "4729", call=call)
    if step.verdict is Verdict.DENIED:
        verifier.redeem("token", subject="cust-1", action="read", call=call)
    assert_type(verifier.explain(step.session_id, call=call), Decision)
    assert_type(step.as_dict(), dict[str, object])
    return step.require()


async def wait(policy: Policy, hasher: SecretHasher, call: Call, facts: Mapping[str, object]) -> Grant:
    store = MemoryStore()
    await AsyncEnroller(policy, store=store, hasher=hasher).enroll("cust-1", facts, by="crm")
    async with AsyncVerifier(policy, store=store, hasher=hasher, customers=AsyncCrm()) as verifier:
        step = await verifier.open("cust-1", action="read", call=call)
        assert_type(step, Step)
        return step.require()
