"""What a store keeps. Rows are values; ``state`` is text that only the core reads, and a store keeps it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kyc_verify.credentials import Credential
from kyc_verify.decision import Binding

__all__ = [
    "Charge",
    "Counter",
    "KnownNumber",
    "Pin",
    "Run",
    "Standing",
    "StoredGrant",
    "StoredSession",
    "StoredSubject",
]


class Standing(StrEnum):
    """An operator's hold on a subject; nothing a caller does changes it."""

    OPEN = "open"
    LOCKED = "locked"


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
class Counter:
    """A counter that only moves forward; what it has reached, and everything before it, is used up for ever.

    Attributes:
        key: Keyed name of what is counted; like a charge without a window it outlives the subject's erasure.
        at: Where it is to stand: the beginning of an authenticator's time step, or when a single-use code was enrolled.
    """

    key: str
    at: datetime


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
        version: Goes up with every write, by one with a commit; 0 when opened and not yet committed.
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
