"""The store: atomic verbs, never get and put.

Every verb is **one transaction** and returns what the flow needs next; there is no way in which a check could be
separated from its act. All verbs may be plain functions or coroutine functions. What a store must hold is proven by
`kyc_verify.testing.StoreContract`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias, TypeVar

from kyc_verify.audit import AuditRecord, Seal
from kyc_verify.credentials import Credential
from kyc_verify.ports.rows import Run, Standing
from kyc_verify.ports.verbs import (
    Begun,
    Change,
    Committed,
    Loaded,
    NewSession,
    Opened,
    Redeemed,
    RedeemSeal,
    Redemption,
    SubjectSeal,
)

__all__ = ["LEASE", "MaybeAwaitable", "Store"]

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]

LEASE: Final = timedelta(seconds=10)
"""How long a claimed turn may be under way; after that it is a spent try that the next request settles."""


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
        """Use a grant up, if it is there, open and bound as presented; record either way. A late one is void then."""
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
