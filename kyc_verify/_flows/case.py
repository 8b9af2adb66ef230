"""The run in hand: one session, its subject, the call and the moment, as one verb sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kyc_verify._flows.context import Context
from kyc_verify._flows.numbers import Numbers, look
from kyc_verify.call import Call, Customer
from kyc_verify.policy import Policy
from kyc_verify.ports import Standing, StoredSession, StoredSubject
from kyc_verify.session import State

__all__ = ["Case"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a verb works on.

    Attributes:
        ctx: The wiring.
        policy: The policy in force for this subject.
        stored: The session as kept.
        subject: What is kept of the subject.
        state: The run.
        call: The call this verb was called for.
        now: When; never before what the run has seen.
        granted: Whether the budget had a try left; only after a claim.
        spent: Whether the claimed turn had been begun before and never committed.
    """

    ctx: Context
    policy: Policy
    stored: StoredSession
    subject: StoredSubject
    state: State
    call: Call
    now: datetime
    granted: bool = True
    spent: bool = False

    @property
    def who(self) -> str:
        """The subject's id."""
        return self.stored.subject

    @property
    def allowed(self) -> bool:
        """Whether the subject may be verified now, as far as the store knows."""
        return self.subject.standing is Standing.OPEN

    def numbers(self, customer: Customer | None) -> Numbers:
        """Recognise the customer's contacts."""
        return look(
            customer, self.subject.numbers, hasher=self.ctx.hasher, tenant=self.ctx.tenant, subject=self.who,
            call=self.call, now=self.now,
        )  # fmt: skip

    def at(self, state: State) -> Case:
        """Return the case with another state."""
        return replace(self, state=state)
