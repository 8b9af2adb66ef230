"""The verbs of a store on an embedded database: each is one transaction around what `_running` and `_keeping` do.

A writing verb holds the database's only write lock from before it reads until its commit is durable, so nothing that
was read can change before it is acted on. A seal is called inside, with the head of the chain held; what it raises
undoes everything.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

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
from kyc_verify.stores import _keeping, _running, _schema

__all__ = ["Embedded"]


class Embedded(ABC):
    """`ports.Store` over a transaction of SQLite, wherever its bytes are."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that may write: committed at its end, or not at all."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that only reads."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database; later verbs raise StoreError. Closing again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self, now: datetime) -> None:
        """Check that the store can be written to, and that its schema is exactly the expected one.

        Raises:
            StoreError: it cannot, or it is not.
        """
        del now
        with self._writing() as db:
            _schema.check(db)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """Make a session, take a run number, and report.

        A `request` that made a session before, in this tenant, returns that session as it is now with its own run
        number, and takes no other. The number is one more than the runs of that key inside the window. A subject the
        CRM knows gets a row with `fresh_key` unless it has one; a row's key is never replaced. One that it does not
        know, and that has no row, goes under the tenant's key of the day (UTC).
        """
        with self._writing() as db:
            return _running.open_session(db, new, request, now)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """Claim the turn and take all its charges or none; exactly one of many claimants gets it.

        A claim `LEASE` old or older that was never committed is given to the next claimant as a spent try: it was
        charged then and is not charged again. A charge counts until it is exactly its window old.

        Raises:
            UnknownSession: there is no such session in this tenant.
        """
        with self._writing() as db:
            return _running.begin(db, tenant, session, turn, now)

    def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """Write a change and its record together: first what is given back and cleared, then what is spent.

        A refund gives back what the claim of this version took, and nothing else that the session was ever charged.
        A credential is only replaced if it is still the enrollment that it was made from.

        Raises:
            ConflictError: the version, or the key in the subject's row, is another by now; nothing is written.
        """
        with self._writing() as db:
            return _running.commit(db, change, seal, now)

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """Read a session and its subject as they are; with `run`, take one more number of it.

        Raises:
            UnknownSession: there is no such session in this tenant.
        """
        with self._reading() if run is None else self._writing() as db:
            return _running.load(db, tenant, session, run, now)

    def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """Use a grant up if nothing speaks against it, charge its sum, and record either way.

        What can speak against it, in this order: ``unknown``; it is redeemed (by this very request: a replay, which
        is a success and writes nothing; by another: ``used``); ``void``; ``expired``; ``locked``; what its binding
        says of what is presented; the caller's own ``hold``; ``ceiling``. A refusal writes its record and nothing else.
        """
        with self._writing() as db:
            return _keeping.redeem(db, redemption, seal, now)

    def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Keep all the credentials or none; makes the subject's row, voids its open grants, clears, records."""
        del now
        with self._writing() as db:
            _keeping.enroll(db, tenant, subject, credentials, keys=clear, fresh_key=fresh_key, seal=seal)

    def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Set the hold or the flags, each unless None; a hold and any flags void open grants; clears, records."""
        del now
        with self._writing() as db:
            _keeping.set_standing(
                db, tenant, subject, standing=standing, flags=flags, keys=clear, fresh_key=fresh_key, seal=seal
            )

    def note(self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes) -> None:
        """Append a record and change nothing else."""
        with self._writing() as db:
            _keeping.note(db, tenant, subject, fresh_key=fresh_key, seal=seal, now=now)

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """Forget a subject: key, credentials, numbers, sessions, grants, flags; then the record, all at once.

        Budgets, runs, pins and sums stay under their keyed names until their windows end: erasing refills nothing.
        """
        del now
        with self._writing() as db:
            return _keeping.erase(db, tenant, subject, seal)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return audit records with a sequence number over `after`, in order, at most `limit`."""
        with self._reading() as db:
            return _keeping.records(db, tenant, after, limit)

    def purge(self, before: datetime, limit: int) -> int:
        """Drop at most `limit` rows that ended at `before` or earlier; returns how many. Zero: nothing is left to do.

        Sessions, grants, charges, runs and pins go by their end, the keys of past days once no session uses them.
        Never subjects, credentials, sums or records.
        """
        with self._writing() as db:
            return _keeping.purge(db, before, limit)
