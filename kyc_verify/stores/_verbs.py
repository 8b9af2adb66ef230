"""The verbs of a SQL store: each is one transaction around what `_running` and `_keeping` do.

Nothing that was read can change before it is acted on: a writing verb has the whole database, or holds the rows and
keyed names that it decides by, until its commit is durable. A seal is called inside, with the head of the chain held;
what it raises undoes everything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from kyc_verify.audit import AuditRecord, Seal
from kyc_verify.credentials import Credential
from kyc_verify.ports import (
    Begun,
    Change,
    Committed,
    Loaded,
    NewSession,
    Opened,
    Redeemed,
    RedeemSeal,
    Redemption,
    Run,
    Standing,
    SubjectSeal,
)
from kyc_verify.stores import _keeping, _running
from kyc_verify.stores._tables import Tables

__all__ = ["Verbs"]

T = TypeVar("T")


class Verbs(ABC):
    """`ports.Store`, but for `ready` and `close`, over transactions on `Tables`."""

    @abstractmethod
    def _write(self, work: Callable[[Tables], T]) -> T:
        """Do some work in a transaction: committed at its end, or not at all."""

    @abstractmethod
    def _read(self, work: Callable[[Tables], T]) -> T:
        """Do some work in a transaction that only reads."""

    def transact(self, work: Callable[[Tables], T], *, writing: bool = True) -> T:
        """Do some work in one transaction: what `CompositeStore` is made of."""
        return self._write(work) if writing else self._read(work)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """Make a session, take a run number, and report.

        A `request` that made a session before, in this tenant, returns that session as it is now with its own run
        number, and takes no other. The number is one more than the runs of that key inside the window. A subject the
        CRM knows gets a row with `fresh_key` unless it has one; a row's key is never replaced. One that it does not
        know, and that has no row, goes under the tenant's key of the day (UTC).
        """
        return self._write(lambda db: _running.open_session(db, new, request, now))

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """Claim the turn and take all its charges or none; exactly one of many claimants gets it.

        A claim `LEASE` old or older that was never committed is given to the next claimant as a spent try: it was
        charged then and is not charged again. A charge counts until it is exactly its window old.

        Raises:
            UnknownSession: there is no such session in this tenant.
        """
        return self._write(lambda db: _running.begin(db, tenant, session, turn, now))

    def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """Write a change and its record together: first what is given back and cleared, then what is spent.

        A refund gives back what the claim of this version took, and nothing else that the session was ever charged.
        A credential is only replaced if it is still the enrollment that it was made from. A counter that stands where
        it is to go, or beyond, stops the whole change, and nothing is written.

        Raises:
            ConflictError: the version, or the key in the subject's row, is another by now; nothing is written.
        """
        return self._write(lambda db: _running.commit(db, change, seal, now))

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """Read a session and its subject as they are; with `run`, take one more number of it.

        Raises:
            UnknownSession: there is no such session in this tenant.
        """
        act = self._read if run is None else self._write
        return act(lambda db: _running.load(db, tenant, session, run, now))

    def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """Use a grant up if nothing speaks against it, charge its sum, and record either way.

        What can speak against it, in this order: ``unknown``; it is redeemed (by this very request: a replay, which
        is a success and writes nothing; by another: ``used``); ``void``; ``expired``; ``locked``; what its binding
        says of what is presented; the caller's own ``hold``; ``ceiling``. A refusal writes its record and nothing else.
        """
        return self._write(lambda db: _keeping.redeem(db, redemption, seal, now))

    def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Keep all the credentials or none; makes the subject's row, voids its open grants, clears, records."""
        del now
        self._write(
            lambda db: _keeping.enroll(db, tenant, subject, credentials, keys=clear, fresh_key=fresh_key, seal=seal)
        )

    def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Set the hold or the flags, each unless None; a hold and any flags void open grants; clears, records."""
        del now
        self._write(
            lambda db: _keeping.set_standing(
                db, tenant, subject, standing=standing, flags=flags, keys=clear, fresh_key=fresh_key, seal=seal
            )
        )

    def note(self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes) -> None:
        """Append a record and change nothing else."""
        self._write(lambda db: _keeping.note(db, tenant, subject, fresh_key=fresh_key, seal=seal, now=now))

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """Forget a subject: key, credentials, numbers, sessions, grants, flags; then the record, all at once.

        Budgets, runs, pins and sums stay under their keyed names until their windows end: erasing refills nothing.
        """
        del now
        return self._write(lambda db: _keeping.erase(db, tenant, subject, seal))

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return audit records with a sequence number over `after`, in order, at most `limit`."""
        return self._read(lambda db: _keeping.records(db, tenant, after, limit))

    def purge(self, before: datetime, limit: int) -> int:
        """Drop at most `limit` rows that ended at `before` or earlier; returns how many. Zero: nothing is left to do.

        Sessions, grants, charges, runs and pins go by their end, the keys of past days once no session uses them.
        Never subjects, credentials, sums or records.
        """
        return self._write(lambda db: _keeping.purge(db, before, limit))
