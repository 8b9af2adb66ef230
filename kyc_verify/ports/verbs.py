"""What goes into a verb of a store, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kyc_verify.audit import AuditRecord, Head
from kyc_verify.credentials import Credential
from kyc_verify.decision import Binding
from kyc_verify.ports.rows import Charge, Counter, KnownNumber, Pin, Run, StoredGrant, StoredSession, StoredSubject

__all__ = [
    "Begun",
    "Change",
    "Committed",
    "Loaded",
    "NewSession",
    "Opened",
    "RedeemSeal",
    "Redeemed",
    "Redemption",
    "StakeCharge",
    "SubjectSeal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What `Store.open` writes and counts.

    Attributes:
        tenant: Whose.
        id: Of the session, if it is made.
        subject: Whom the caller claims to be.
        known: Whether the CRM knows the subject: only then may a row of its own be made.
        fresh_key: 32 random bytes, kept if the subject (or, unknown, the day) has none yet.
        expires_at: Of the session.
        run: The count of runs to take a number from.
        watch: Budgets whose use is wanted.
        pin_key: Keyed name of the pinned question.
    """

    tenant: str
    id: str
    subject: str
    known: bool
    fresh_key: bytes = field(repr=False)
    expires_at: datetime
    run: Run
    watch: tuple[Charge, ...]
    pin_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A session and its subject, as they are now.

    Attributes:
        session: The session.
        subject: What is kept of its subject.
        run: The number taken, when one was asked for.
        grant_open: Whether its newest grant is neither redeemed nor void.
    """

    session: StoredSession
    subject: StoredSubject
    run: int | None = None
    grant_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What `Store.open` found.

    Attributes:
        session: The new session, or the one that the same request made before.
        subject: What is kept of the subject.
        replayed: Whether the session was there already.
        run: The number of this run among the counted runs in the window, from 1.
        spent: How much of each watched budget is used, by key.
        pin: The pinned question, if there is one.
    """

    session: StoredSession
    subject: StoredSubject
    replayed: bool
    run: int
    spent: Mapping[str, int]
    pin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What `Store.begin` did.

    Attributes:
        session: The session as it is now.
        subject: What is kept of the subject.
        claimed: Whether the turn is ours now. False: it is another turn's number, or somebody is at it.
        granted: Whether every charge was granted; if one was not, none was taken.
        spent: Whether the turn had been claimed before and never committed: a spent try, to be settled as failed.
    """

    session: StoredSession
    subject: StoredSubject
    claimed: bool
    granted: bool
    spent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Everything one step writes, together with its audit record or not at all.

    Attributes:
        tenant: Whose.
        session: Which session.
        subject: Its subject.
        version: The version this change was made from.
        subject_key: The subject's key it was made with; a subject erased since conflicts. None for unknown subjects.
        state: New state.
        turn: New turn; the turn is free again.
        charges: What claiming the new turn will cost.
        expires_at: New end of the session.
        refund: Give back what claiming the present turn cost (nothing wrong was tried).
        clear: Budgets, and sums of stakes, whose every charge is dropped.
        spend: Charges to take now, each if there is one left.
        give_back_run: The run to give this session's numbers back to.
        numbers: Numbers to note, each if it is not known yet.
        rehash: A credential to replace, if it is still the one with the same tenant, subject and check.
        pin: The pinned question.
        grant: A grant to keep; every earlier one of this session is void.
        void_grants: Void every open grant of this session.
        only_if_granted: Write nothing at all unless every charge of `spend` is granted.
        counter: A counter to move; write nothing at all unless it moves forward.
    """

    tenant: str
    session: str
    subject: str
    version: int
    subject_key: bytes | None = field(repr=False)
    state: str = field(repr=False)
    turn: int
    charges: tuple[Charge, ...] = ()
    expires_at: datetime
    refund: bool = False
    clear: tuple[str, ...] = ()
    spend: tuple[Charge, ...] = ()
    give_back_run: str | None = None
    numbers: tuple[KnownNumber, ...] = ()
    rehash: Credential | None = None
    pin: Pin | None = None
    grant: StoredGrant | None = None
    void_grants: bool = False
    only_if_granted: bool = False
    counter: Counter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of a change.

    Attributes:
        granted: Which of `Change.spend` were granted, in order.
        moved: Whether `Change.counter` moved forward; where it did not, nothing was written.
    """

    granted: tuple[bool, ...] = ()
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StakeCharge:
    """A sum against a cumulative ceiling and count; None does not limit."""

    key: str
    amount: Decimal
    ceiling: Decimal | None
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """What is presented to `Store.redeem`.

    Attributes:
        tenant: Whose.
        digest: SHA-256 of the token presented.
        binding: What the grant must be bound to.
        charge: A sum to charge, if the tier has a ceiling.
        request: Keyed name of the request: the same one redeems again without charging.
        hold: A reason found outside the store to refuse it; refused like any other, and recorded.
        exempt: Whether the action asks nothing of anybody: an operator's hold on the subject then does not show.
    """

    tenant: str
    digest: bytes = field(repr=False)
    binding: Binding
    charge: StakeCharge | None = None
    request: str | None = None
    hold: str | None = None
    exempt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What `Store.redeem` found: `reason` None is success.

    Attributes:
        reason: ``unknown``, ``used``, ``expired``, ``void``, ``locked``, what `Binding.refusal` says, the
            redemption's ``hold``, or ``ceiling``.
        replayed: Whether this very request had redeemed it before; then no record is written.
        key: The subject's key for the record; None when no grant was found.
        session: The session the grant came from.
    """

    reason: str | None
    replayed: bool = False
    key: bytes | None = field(default=None, repr=False)
    session: str | None = None


SubjectSeal = Callable[[Head, bytes], AuditRecord]
"""Like `Seal`, also given the subject's key, which the store has just read or made."""
RedeemSeal = Callable[[Head, Redeemed], AuditRecord]
"""Like `Seal`, also given what was found: a refusal is recorded too."""
