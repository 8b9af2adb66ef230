"""What every flow needs: the policy, the ports behind their adapters, the keyed names, and the records."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from kyc_verify import audit
from kyc_verify._flows.circuit import Circuit
from kyc_verify._flows.runner import Runner
from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.budgets import Budget
from kyc_verify.call import Call, Customer, Stake, aware, exact_id
from kyc_verify.checks import AnswerCheck, AuthenticatorCode, Check, OneTimeCode, RecoveryCode
from kyc_verify.decision import Verdict
from kyc_verify.errors import (
    BackendError,
    ConflictError,
    KycVerifyError,
    NotAllowed,
    StoreError,
    UnknownSession,
    UsageError,
)
from kyc_verify.hashing import SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import Charge, Notice, Run, Store
from kyc_verify.session import State

__all__ = ["TIMEOUT", "Context", "challenge_id", "read_challenge", "read_session"]

T = TypeVar("T")

TIMEOUT: Final = 10.0
"""Seconds a service outside may take."""

AUDITOR: Final = "auditor"
"""The role that `explain` needs."""

_LONGEST_ID: Final = 100


def challenge_id(session: str, turn: int) -> str:
    """Name a turn of a session."""
    return f"{session}.{turn}"


def read_challenge(challenge: object) -> tuple[str, int]:
    """Return session and turn; raises UnknownSession for anything that is not a challenge's id."""
    if type(challenge) is not str or len(challenge) > _LONGEST_ID or not challenge.isascii():
        raise _unknown()
    session, _, turn = challenge.rpartition(".")
    if not session or not turn.isdecimal() or len(turn) > 4 or turn != str(int(turn)):  # noqa: PLR2004 - far too many
        raise _unknown()
    return session, int(turn)


def read_session(session: object) -> str:
    """Return a session's id; raises UnknownSession for anything that cannot be one."""
    if type(session) is not str or not 0 < len(session) <= _LONGEST_ID or not session.isascii():
        raise _unknown()
    return session


def _unknown() -> UnknownSession:
    msg = "there is no such session or challenge here; open a new verification"
    return UnknownSession(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One front's wiring; immutable and shared by threads and tasks."""

    policy: Policy
    store: Store
    hasher: SecretHasher
    clock: Callable[[], datetime]
    tenant: str
    runner: Runner
    customers: Any = None
    senders: Mapping[str, Any] = field(default_factory=dict)
    signals: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    seeds: Any = None
    observer: Any = None
    circuit: Circuit = field(default_factory=Circuit)

    # ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def moment(self) -> datetime:
        """Read the clock."""
        try:
            found = self.clock()
        except Exception as error:
            msg = "the clock failed; nothing was verified"
            raise BackendError(msg) from error
        return aware(found, "what the clock returned")

    async def verb(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the verb's own
        """Call a verb of the store; whatever it raises comes out as an error of the tree."""
        try:
            return await self.runner.call(work, *args, **kwargs)
        except ConflictError:
            self.notice(Notice.CONFLICT)
            raise
        except KycVerifyError:
            raise
        except Exception as error:
            msg = "the store failed; nothing was verified"
            raise StoreError(msg) from error

    async def customer(self, subject: str) -> Customer | None:
        """Ask the CRM; what is not a Customer of exactly this id is nobody."""
        try:
            found = await self.runner.call(self.customers.get, subject)
        except KycVerifyError:
            raise
        except Exception as error:
            msg = "the CRM's customers could not be read; nothing was verified"
            raise BackendError(msg) from error
        if found is not None and not isinstance(found, Customer):
            msg = "customers.get must return a Customer or None"
            raise UsageError(msg)
        return found

    def notice(self, event: Notice) -> None:
        """Tell the observer; what it raises changes nothing."""
        if self.observer is None:
            return
        try:
            found = self.observer.notice(event)
            if inspect.iscoroutine(found):
                found.close()
        except Exception:  # noqa: BLE001, S110 - an observer's failure is nobody's business
            pass

    # ── Keyed names ──────────────────────────────────────────────────────────────────────────────────────────────────

    def key(self, label: str, *parts: str) -> str:
        """Name a budget, a count or a pin: it outlives the subject's erasure and names nobody."""
        return self.hasher.window_key(label, self.tenant, *parts)

    def run(self, subject: str) -> Run:
        """Name the count of runs on a subject."""
        return Run(key=self.key("runs", subject), window=self.policy.budgets.runs)

    def tries(self, subject: str, check: Check) -> tuple[Charge, ...]:
        """Return what one answer to a check costs."""
        if not isinstance(check, AnswerCheck | OneTimeCode | AuthenticatorCode | RecoveryCode):
            return ()
        budgets = self.policy.budgets
        rolling = budgets.answers if isinstance(check, AnswerCheck) else budgets.codes
        return (
            self.charge(rolling, "tries", subject, check.id),
            Charge(key=self.key("consecutive", subject, check.id), limit=budgets.consecutive, window=None),
        )

    def sends(self, subject: str, check: Check) -> Charge:
        """Return what one message for a check costs."""
        return self.charge(self.policy.budgets.sends, "sends", subject, check.id)

    def charge(self, budget: Budget, label: str, *parts: str) -> Charge:
        """Return one try of a budget; what it is about names it."""
        return Charge(key=self.key(label, *parts), limit=budget.limit, window=budget.window)

    # ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def ids(call: object, **texts: object) -> None:
        """Check what a verb was given before anything is done with it."""
        if not isinstance(call, Call):
            msg = "call must be a Call"
            raise UsageError(msg)
        for name, text in texts.items():
            exact_id(text, name)

    @staticmethod
    def stake(stake: object) -> None:
        """Check that a stake is one."""
        if stake is not None and not isinstance(stake, Stake):
            msg = "stake must be a Stake or None"
            raise UsageError(msg)

    def allow(self, state: State, call: Call, policy: Policy) -> None:
        """Let only the session's own call, agent and roles through.

        Raises:
            UnknownSession: it is another call's; that it exists is not said.
            NotAllowed: it is another agent's, or a role is gone.
        """
        if state.call != call.id:
            raise _unknown()
        if state.agent != call.agent:
            msg = "this session is another agent's; use transfer"
            raise NotAllowed(msg)
        needed = policy.requirement(state.action, state.stake)[0].role if state.action in policy.actions else None
        if not set(state.roles) <= set(call.roles) or (needed is not None and needed not in call.roles):
            msg = "the agent no longer has a role that this session was opened with"
            raise NotAllowed(msg)

    # ── Records ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def seal(self, head: Head, record: AuditRecord) -> AuditRecord:
        """Put a record at the end of the chain."""
        _, key = self.hasher.chain_key()
        return audit.seal(record, head, key=key)

    def record(
        self,
        event: Event,
        *,
        now: datetime,
        key: bytes,
        subject: str | None,
        agent: str,
        session: str | None = None,
        state: State | None = None,
        call: str | None = None,
        action: str | None = None,
        verdict: Verdict | None = None,
        detail: Mapping[str, str | int] = MappingProxyType({}),
    ) -> AuditRecord:
        """Write a record, its people named under the subject's own key."""
        called = call if state is None else state.call
        return AuditRecord(
            tenant=self.tenant,
            seq=0,
            at=now,
            event=event,
            agent=agent,
            subject=None if subject is None else audit.pseudonym(key, "subject", subject),
            call=None if called is None else audit.pseudonym(key, "call", called),
            session=None if session is None else audit.pseudonym(key, "session", session),
            action=action if state is None else state.action,
            verdict=verdict.value if verdict is not None else (None if state is None else state.verdict.value),
            policy=self.policy.fingerprint if state is None else state.fingerprint,
            detail=detail,
            key_id=self.hasher.chain_key()[0],
        )

    async def refuse(
        self, error: NotAllowed, *, of: str, session: str | None, state: State, call: Call, now: datetime
    ) -> NotAllowed:
        """Record that somebody was refused; returns the error to raise."""

        def seal(head: Head, key: bytes) -> AuditRecord:
            record = self.record(
                Event.REFUSED, now=now, key=key, subject=of, agent=call.agent, session=session, state=state,
                detail={"reason": "not_allowed"},
            )  # fmt: skip
            return self.seal(head, record)

        await self.verb(self.store.note, self.tenant, of, seal, now, fresh_key=secrets.token_bytes(32))
        return error
