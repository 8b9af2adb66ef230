"""What the library needs of the world: a store of atomic verbs, and the host's own services.

Every verb of a `Store` is **one transaction** and returns what the flow needs next; there is no get or put with which
a check could be separated from its act. All verbs may be plain functions or coroutine functions. What a store must
hold is proven by `kyc_verify.testing.StoreContract`.

Rows are values. ``state`` is text that only the core reads; a store keeps it as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, TypeVar

from kyc_verify.audit import AuditRecord, Head, Seal
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.credentials import Credential
from kyc_verify.decision import Binding
from kyc_verify.terms import Outcome

__all__ = [
    "LEASE",
    "Begun",
    "Change",
    "Charge",
    "Clock",
    "CodeService",
    "Committed",
    "Customers",
    "KnownNumber",
    "Loaded",
    "Message",
    "NewSession",
    "Notice",
    "Observer",
    "Opened",
    "Pin",
    "RedeemSeal",
    "Redeemed",
    "Redemption",
    "Run",
    "Sender",
    "SignalQuery",
    "SignalSource",
    "StakeCharge",
    "Standing",
    "Store",
    "StoredGrant",
    "StoredSession",
    "StoredSubject",
    "SubjectSeal",
]

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]

LEASE: Final = timedelta(seconds=10)
"""How long a claimed turn may be under way; after that it is a spent try that the next request settles."""


class Standing(StrEnum):
    """An operator's hold on a subject; nothing a caller does changes it."""

    OPEN = "open"
    LOCKED = "locked"


# ── What a store keeps ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One try taken from a budget, if there is one left.

    Attributes:
        key: Keyed name of the budget; it outlives the subject's erasure until the window ends.
        limit: How many may be open at once inside the window.
        window: How long one counts; None: until the key is cleared (consecutive failures).
    """

    key: str
    limit: int
    window: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The count of runs on a subject: its keyed name, and how long one counts."""

    key: str
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The question that stays the question; `check` None takes the pin away."""

    key: str
    check: str | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNumber:
    """A keyed fingerprint of a number of the subject, and when it was first seen here."""

    fingerprint: str
    first_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session as kept.

    Attributes:
        tenant: Whose.
        id: 128 random bits, in text.
        subject: Whom the caller claims to be.
        version: Goes up with every write; 0 when opened and not yet committed.
        turn: The turn that an answer must name.
        state: The core's own text; empty until the opening step is committed.
        charges: What claiming the present turn costs.
        claimed_at: When the present turn was claimed; None while it is free.
        expires_at: After this it may be purged.
    """

    tenant: str
    id: str
    subject: str
    version: int
    turn: int
    state: str = field(repr=False)
    charges: tuple[Charge, ...] = ()
    claimed_at: datetime | None = None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSubject:
    """What is kept of a subject; for an unknown one everything is empty, and `key` is the day's.

    Attributes:
        key: 32 random bytes that pseudonyms are made with.
        known: Whether there is a row of this subject's own.
        standing: The operator's hold.
        flags: Fields of records known to be exposed.
        credentials: By check id.
        numbers: Numbers seen here, oldest first.
    """

    key: bytes = field(repr=False)
    known: bool
    standing: Standing = Standing.OPEN
    flags: tuple[str, ...] = ()
    credentials: Mapping[str, Credential] = field(default_factory=dict, repr=False)
    numbers: tuple[KnownNumber, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrant:
    """A grant as kept: the SHA-256 of its token, what it is bound to, and until when."""

    digest: bytes = field(repr=False)
    session: str
    binding: Binding
    expires_at: datetime


# ── What goes into a verb, and what comes out ────────────────────────────────────────────────────────────────────────


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Which of `Change.spend` were granted, in order."""

    granted: tuple[bool, ...] = ()


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
    """

    tenant: str
    digest: bytes = field(repr=False)
    binding: Binding
    charge: StakeCharge | None = None
    request: str | None = None
    hold: str | None = None


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


class Store(Protocol):
    """Atomic verbs. Each raises `StoreError` when the store fails, and has then written nothing that helps anybody."""

    def ready(self, now: datetime) -> MaybeAwaitable[None]:
        """Check that the store can be used: it answers, and its schema is the expected one."""
        ...

    def open(self, new: NewSession, request: str | None, now: datetime) -> MaybeAwaitable[Opened]:
        """Make a session, take a run number, and report; a `request` seen before returns its session instead."""
        ...

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> MaybeAwaitable[Begun]:
        """Claim the turn and take its charges, durably; or report why not. Raises `UnknownSession`."""
        ...

    def commit(self, change: Change, seal: Seal, now: datetime) -> MaybeAwaitable[Committed]:
        """Write a change and its record. Raises `ConflictError` if the version or the subject's key has moved on."""
        ...

    def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> MaybeAwaitable[Redeemed]:
        """Use a grant up, if it is there, open and bound as presented; record either way."""
        ...

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> MaybeAwaitable[Loaded]:
        """Read a session and its subject; with `run`, take a further run number. Raises `UnknownSession`."""
        ...

    def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> MaybeAwaitable[None]:  # fmt: skip
        """Keep credentials, void the subject's open grants, drop the budgets named in `clear`, record."""
        ...

    def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> MaybeAwaitable[None]:  # fmt: skip
        """Set the hold or the flags (None: leave), drop budgets and run counts named in `clear`, record.

        A hold and a change of flags void the subject's open grants.
        """
        ...

    def note(
        self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes
    ) -> MaybeAwaitable[None]:
        """Append a record and change nothing else: under the subject's key, or the day's for one without a row."""
        ...

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> MaybeAwaitable[bool]:
        """Forget a subject: key, credentials, sessions, grants, numbers, flags. Record. False: it had no row."""
        ...

    def records(self, tenant: str, after: int, limit: int) -> MaybeAwaitable[Sequence[AuditRecord]]:
        """Audit records with a sequence number over `after`, in order, at most `limit`."""
        ...

    def purge(self, before: datetime, limit: int) -> MaybeAwaitable[int]:
        """Drop what ended before: sessions, grants, charges out of their window, pins, keys of past days."""
        ...

    def close(self) -> MaybeAwaitable[None]:
        """Let go of connections."""
        ...


# ── The host's own services ──────────────────────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    """What time it is: an aware datetime."""

    def __call__(self) -> datetime:
        """Return the present instant."""
        ...


class Customers(Protocol):
    """The CRM."""

    def get(self, subject: str) -> MaybeAwaitable[Customer | None]:
        """Return the customer of exactly this id, or None. Never a similar one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to be sent or dialled.

    Attributes:
        channel: ``sms``, ``voice``, ``email``, ``callback`` ...
        destination: The number or address on record.
        text: What to say; it holds the code.
        language: Of the text.
        key: Stable for this message: a gateway that sees it twice sends once.
    """

    channel: str
    destination: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    key: str


class Sender(Protocol):
    """Hands messages over. It only enqueues: how long it takes must not depend on the customer."""

    def send(self, message: Message) -> MaybeAwaitable[None]:
        """Enqueue, or raise."""
        ...


class CodeService(Protocol):
    """A provider that makes and judges its own codes or confirmations."""

    def send(self, message: Message) -> MaybeAwaitable[str]:
        """Start one; returns the provider's handle."""
        ...

    def check(self, handle: str, code: str) -> MaybeAwaitable[Outcome | None]:
        """Judge the code for that handle; None: not answered yet (a push that nobody has tapped)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuery:
    """What a signal source is asked.

    Attributes:
        subject: Whom the caller claims to be; None is never passed to a source.
        call: The call, with the presented number and its attestation.
        contact: The contact on record that is used for calls and codes; None when there is none.
        number: Its number in E.164.
    """

    subject: str
    call: Call
    contact: Contact | None
    number: str | None = field(repr=False)


class SignalSource(Protocol):
    """A carrier or a service that knows something of the call or the number."""

    def get(self, query: SignalQuery) -> MaybeAwaitable[object]:
        """Return what it knows, for the check's `judge`; raise when it fails."""
        ...


class Notice(StrEnum):
    """What an `Observer` is told; a closed set."""

    BAD_SEAL = "bad_seal"
    MISSING_KEY = "missing_key"
    BUDGET_SPENT = "budget_spent"
    BUDGET_REFUSED = "budget_refused"
    BLOCK_IMMINENT = "block_imminent"
    SIGNAL_FAILED = "signal_failed"
    CIRCUIT_OPEN = "circuit_open"
    DELIVERY_FAILED = "delivery_failed"
    SEND_REFUSED = "send_refused"
    CHECK_FAILED = "check_failed"
    CONFLICT = "conflict"
    PASS_AFTER_FAILURES = "pass_after_failures"  # noqa: S105 - not a password
    AGENT_BUSY = "agent_busy"
    NUMBER_BUSY = "number_busy"
    REVIEW = "review"
    REDEEM_REFUSED = "redeem_refused"


class Observer(Protocol):
    """Alarms and notices, without personal data; what it raises changes nothing."""

    def notice(self, event: Notice) -> None:
        """Take note."""
        ...
