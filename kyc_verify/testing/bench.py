"""A verification on a bench: a policy wired to a store, a clock and doubles, with one enrolled customer."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Coroutine, Generator, Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final, Self

from kyc_verify import totp
from kyc_verify._flows.asking import load
from kyc_verify._flows.moving import judgement
from kyc_verify._flows.runner import run_sync
from kyc_verify.audit import AuditRecord
from kyc_verify.call import Call, Contact, Customer, Stake
from kyc_verify.checks import AnswerCheck, AuthenticatorCode, OneTimeCode, RecoveryCode
from kyc_verify.decision import Challenge, Decision, Step
from kyc_verify.enrollment import AsyncEnroller, Enroller
from kyc_verify.errors import UsageError
from kyc_verify.hashing import SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import CodeService, SignalSource, Store
from kyc_verify.session import ENDED
from kyc_verify.stores import MemoryStore
from kyc_verify.terms import Secret
from kyc_verify.testing._facts import lists, stored, usual, wired
from kyc_verify.testing._given import a_policy, a_store, instead, mapping
from kyc_verify.testing.callers import Caller, Part
from kyc_verify.testing.clock import FakeClock
from kyc_verify.testing.doubles import (
    FakeCustomers,
    FakeSeeds,
    RecordingObserver,
    RecordingSender,
)
from kyc_verify.testing.hashing import cheap_hasher
from kyc_verify.testing.stores import CountingStore, is_async
from kyc_verify.testing.transcript import Line, Transcript, recent
from kyc_verify.verifier import AsyncVerifier, Verifier

__all__ = ["AsyncBench", "Bench"]

_MOST_STEPS: Final = 200
_BATCH: Final = 10_000

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class _Desk:
    """What both benches are; see `Bench`."""

    def __init__(
        self, policy: Policy, *, facts: Mapping[str, object] | None = None, subject: str = "cust-42",
        number: str = "+33612345678", language: str | None = None, contacts: Iterable[Contact] | None = None,
        tenant: str = "default", store: Store | None = None, hasher: SecretHasher | None = None,
        clock: FakeClock | None = None, signals: Mapping[str, SignalSource] = _NONE,
        services: Mapping[str, CodeService] = _NONE,
    ) -> None:  # fmt: skip
        self.policy, self.subject, self.tenant = a_policy(policy), subject, tenant
        self.store: Store = MemoryStore() if store is None else store
        self.hasher = cheap_hasher() if hasher is None else hasher
        self.clock = FakeClock() if clock is None else clock
        if not isinstance(self.clock, FakeClock):
            instead("clock takes a FakeClock, as in FakeClock(datetime(2026, 3, 29, tzinfo=UTC))")
        named = usual(policy.checks, self.clock.now) if facts is None else facts
        self.facts = mapping(named, "facts", "facts={'pin': '4937'}")
        self.sender = RecordingSender(clock=self.clock)
        self.observer = RecordingObserver()
        self.senders = dict.fromkeys(("sms", "voice", "email", "callback"), self.sender)
        self.signals, self.services = wired(policy.checks, signals, services)
        shows = any(isinstance(check, AuthenticatorCode) for check in policy.checks)
        self.seeds = FakeSeeds({subject: totp.new_seed()}) if shows else None
        if contacts is None:
            contacts = (Contact(number=number, since=self.clock.now - timedelta(days=5 * 365)),)
        elif isinstance(contacts, Contact) or not isinstance(contacts, Iterable):
            instead("contacts takes all of them, as in contacts=[Contact(number='+33612345678')]")
        unstored = {name: fact for name, fact in self.facts.items() if not stored(policy.checks, name)}
        self.customers = FakeCustomers({subject: Customer(language=language, contacts=tuple(contacts), facts=unstored)})
        self.call = Call(id="call-881", agent="agent-7", number=number, attestation="A")
        self.codes: dict[str, list[str]] = {}
        self._read: dict[str, str] = {}
        self._wire()
        if not is_async(self.store):
            self._enroll_now()

    verifier: Any
    _counting: CountingStore
    _before: int = 0
    """How many messages had been sent before this call."""

    def _enrollable(self) -> dict[str, object]:
        issued = lists(self.policy.checks, self.facts)
        return {
            name: fact for name, fact in self.facts.items() if stored(self.policy.checks, name) and name not in issued
        }

    def _enroll_now(self) -> None:
        self.clock.back(days=2)
        enroller = Enroller(self.policy, **self._wiring)
        if facts := self._enrollable():
            enroller.enroll(self.subject, facts, by="crm-import")
        for name in lists(self.policy.checks, self.facts):
            self._listed(name, enroller.issue_codes(self.subject, name, by="crm-import"))
        self.clock.advance(days=2)

    def _listed(self, name: str, codes: Iterable[Secret]) -> None:
        self.codes[name] = [code.reveal() for code in codes]

    def _wire(self) -> None:
        """Make the fronts anew."""
        raise NotImplementedError

    @property
    def _wiring(self) -> dict[str, Any]:
        return {"store": self.store, "hasher": self.hasher, "clock": self.clock, "tenant": self.tenant}

    @property
    def _ports(self) -> dict[str, Any]:
        return {
            "customers": self.customers, "senders": self.senders, "signals": self.signals, "services": self.services,
            "seeds": self.seeds, "observer": self.observer,
        }  # fmt: skip

    def over(self, store: Store) -> Self:
        """Return a bench that shares everything with this one, but works over another store: a `FailingStore`, say."""
        other = copy.copy(self)
        other.store = store
        other._wire()  # noqa: SLF001 - of its own class
        return other

    def answer(self, challenge: Challenge) -> str:
        """Return what the genuine customer says to a challenge."""
        check = self.policy.layer(challenge.check)
        if isinstance(check, OneTimeCode):
            # A code that a service judges is not in a message of ours; the service decides.
            return "000000" if check.channel.value in self.services else self.sender.code()
        if isinstance(check, AuthenticatorCode):
            return self._shown(check)
        if isinstance(check, RecoveryCode):
            # Each is good once: the next of the list for each challenge, the same again for the same.
            if challenge.id not in self._read and self.codes.get(check.id):
                self._read[challenge.id] = self.codes[check.id].pop(0)
            return self._read.get(challenge.id, "0" * (check.digits + 1))
        if not isinstance(check, AnswerCheck):
            return "yes"
        fact = self.facts.get(challenge.check, "I do not know")
        return fact.isoformat() if isinstance(fact, date) else str(fact)

    def _shown(self, check: AuthenticatorCode) -> str:
        seed = None if self.seeds is None else self.seeds.get(self.subject, check.id)
        if not isinstance(seed, Secret):
            return "000000"
        return totp.code_at(seed, self.clock.now, digits=check.digits, algorithm=check.algorithm).reveal()

    def heard(self, challenge: Challenge) -> str | None:
        """Return what the genuine customer says, or None where a code was not sent to them in this call."""
        check = self.policy.layer(challenge.check)
        reads = isinstance(check, OneTimeCode) and check.channel.value not in self.services
        sent = self.sender.messages[self._before :]
        return self.answer(challenge) if not reads or any(each in sent for each in self.sender.arrived) else None

    def _playing(
        self, caller: Caller | None, action: str, call: Call | None, subject: str | None, stake: Stake | None
    ) -> Generator[Any, Any, Transcript]:
        """Play a call: yields what the verbs return, and is sent it back, awaited where it must be."""
        subject = self.subject if subject is None else subject
        given: object = Caller.genuine() if caller is None else caller
        if not isinstance(given, Caller):
            msg = "play takes a Caller and the action: bench.play(Caller.answers({'pin': '0000'}), action='pay')"
            raise UsageError(msg)
        part = given.on(self, action=action, stake=stake, call=self.call if call is None else call)  # type: ignore[arg-type]
        lines: list[Line] = []
        sent = self._before = len(self.sender.messages)
        logged = yield from self._log()

        def told(decision: Decision | None, audit: list[AuditRecord], broke: str = "") -> Transcript:
            played = Transcript(
                caller=given.name,
                subject=subject,
                action=action,
                call=part.call,
                lines=tuple(lines),
                decision=decision,
                sends=tuple(self.sender.messages[sent:]),
                audit=tuple(audit[len(logged) :]),
                broke=broke,
            )
            recent.append(played)
            return played

        try:
            yield from self._conversation(lines, part, subject, action, stake)
        except Exception as error:
            told(None, [], f"{type(error).__name__}: {error}")
            raise
        audit = yield from self._log()
        return told((yield self._looked_back(lines[-1].reply.session_id)), audit)

    def _conversation(
        self, lines: list[Line], part: Part, subject: str, action: str, stake: Stake | None
    ) -> Generator[Any, Any, None]:
        """Open, and answer to the end; each step is a line."""
        with part.played(self):  # type: ignore[arg-type]
            counted = self._counted()
            step = yield self.verifier.open(subject, action=action, call=part.call, stake=stake)
            lines.append(self._line(step, counted))
            while (challenge := step.challenge) is not None:
                if len(lines) > _MOST_STEPS:
                    msg = f"the call does not end: {challenge.check!r} is asked again and again"
                    raise UsageError(msg)
                said, counted = part.say(challenge), self._counted()
                if said is None:
                    step = yield self.verifier.decline(challenge.id, call=part.call)
                else:
                    step = yield self.verifier.respond(challenge.id, said, call=part.call)
                lines.append(self._line(step, counted, challenge=challenge, said=said))

    def _looked_back(self, session_id: str) -> Any:  # noqa: ANN401 - a decision, or what must be awaited for it
        """Return the decision behind a run, without the record that explaining it would leave."""
        raise NotImplementedError

    def _log(self) -> Generator[Any, Any, list[AuditRecord]]:
        found: list[AuditRecord] = []
        while batch := list((yield self.store.records(self.tenant, found[-1].seq if found else 0, _BATCH))):
            found += batch
        return found

    def _counted(self) -> tuple[int | None, Counter[str], int]:
        return getattr(self.hasher, "hashes", None), self._counting.counts.copy(), len(self.sender.messages)

    def _line(
        self, step: Step, before: tuple[int | None, Counter[str], int], *, challenge: Challenge | None = None,
        said: str | None = None,
    ) -> Line:  # fmt: skip
        hashes, trips, sends = self._counted()
        return Line(
            check=None if challenge is None else challenge.check,
            question=None if challenge is None else challenge.text,
            said=said,
            reply=step,
            hashes=None if hashes is None or before[0] is None else hashes - before[0],
            trips=dict(trips - before[1]),
            sends=sends - before[2],
        )


async def _decision(front: Verifier | AsyncVerifier, session_id: str, call: Call) -> Decision | None:
    case, _ = await load(front._ctx, session_id, call)  # noqa: SLF001 - the kit looks into what it tests
    return judgement(case) if case.state.verdict in ENDED else None


class Bench(_Desk):
    """A policy on a bench, with `Verifier` and `Enroller`.

    Args:
        policy: What is tried.
        facts: By check id, what the customer knows, enrolled two days before the clock's time by ``crm-import``; facts
            of checks that store nothing become ``Customer.facts``; for a `RecoveryCode` anything: a list is issued.
            None: something for every shipped kind of answer. Empty: nothing is enrolled.
        subject: The customer.
        number: Their number; the call comes from it, with attestation A.
        language: Theirs, as the CRM has it.
        contacts: In place of one five years old with `number`.
        tenant: Whose customer.
        store: Where; a new `MemoryStore` by default.
        hasher: A cheap one by default.
        clock: A `FakeClock` at the start of 2100 by default.
        signals: By name, in place of a `ScriptedSignals(False)`: nothing changed.
        services: By name, in place of a `ScriptedService()`: the customer confirms.

    Attributes:
        sender: What every channel goes to.
        observer: What the verifier tells.
        customers: The CRM.
        seeds: Of authenticator apps, by customer, if the policy asks for their codes.
        codes: By check id, what the customer has left of lists of recovery codes.
        call: A call of the customer's.
        verifier: Over all of it.
        enroller: Over the same store.

    Example:
        >>> from kyc_verify import profiles
        >>> bench = Bench(profiles.bank())
        >>> bench.play(action="change_phone").verdict
        <Verdict.VERIFIED: 'verified'>
        >>> bench.play(Caller.answers({"pin": "0000", "account_tenure": None}), action="change_phone").verdict
        <Verdict.DENIED: 'denied'>
    """

    verifier: Verifier
    enroller: Enroller

    def _wire(self) -> None:
        if is_async(self.store):
            msg = "the store's verbs are coroutine functions: use AsyncBench"
            raise UsageError(msg)
        self._counting = CountingStore(a_store(self.store, "Bench"))
        self.verifier = Verifier(self.policy, **self._wiring | {"store": self._counting}, **self._ports)
        self.enroller = Enroller(self.policy, **self._wiring)

    def _looked_back(self, session_id: str) -> Decision | None:
        return run_sync(_decision(self.verifier, session_id, self.call))

    def play(
        self, caller: Caller | None = None, *, action: str, call: Call | None = None, subject: str | None = None,
        stake: Stake | None = None,
    ) -> Transcript:  # fmt: skip
        """Let somebody call, and answer to the end.

        Args:
            caller: Who; the genuine customer by default.
            action: What they want.
            call: In place of the bench's.
            subject: Whom they claim to be, in place of the bench's customer.
            stake: What is moved.
        """
        playing = self._playing(caller, action, call, subject, stake)
        found = None
        while True:
            try:
                found = playing.send(found)
            except StopIteration as done:
                transcript: Transcript = done.value
                return transcript


class AsyncBench(_Desk):
    """A policy on a bench, with `AsyncVerifier` and `AsyncEnroller`; arguments and attributes are those of `Bench`.

    Over a store whose verbs are coroutine functions, `enroll` must be awaited once; over any other it is done.
    """

    verifier: AsyncVerifier
    enroller: AsyncEnroller

    @classmethod
    def beside(cls, bench: Bench) -> AsyncBench:
        """Return one that shares everything with a `Bench`: store, clock, doubles, customer."""
        given: object = bench
        if not isinstance(given, Bench):
            instead(f"beside takes a Bench, as in AsyncBench.beside(Bench(my_policy())), not a {type(given).__name__}")
        made = cls.__new__(cls)
        vars(made).update(vars(bench))
        made._wire()  # noqa: SLF001 - of its own class
        return made

    def _wire(self) -> None:
        self._counting = CountingStore(a_store(self.store, "AsyncBench"))
        self.verifier = AsyncVerifier(self.policy, **self._wiring | {"store": self._counting}, **self._ports)
        self.enroller = AsyncEnroller(self.policy, **self._wiring)

    async def enroll(self) -> None:
        """Enroll the facts, two days ago."""
        self.clock.back(days=2)
        if facts := self._enrollable():
            await self.enroller.enroll(self.subject, facts, by="crm-import")
        for name in lists(self.policy.checks, self.facts):
            self._listed(name, await self.enroller.issue_codes(self.subject, name, by="crm-import"))
        self.clock.advance(days=2)

    def _looked_back(self, session_id: str) -> Coroutine[Any, Any, Decision | None]:
        return _decision(self.verifier, session_id, self.call)

    async def play(
        self, caller: Caller | None = None, *, action: str, call: Call | None = None, subject: str | None = None,
        stake: Stake | None = None,
    ) -> Transcript:  # fmt: skip
        """See `Bench.play`."""
        playing = self._playing(caller, action, call, subject, stake)
        found = None
        while True:
            try:
                found = playing.send(found)
            except StopIteration as done:
                transcript: Transcript = done.value
                return transcript
            if inspect.isawaitable(found):
                found = await found
