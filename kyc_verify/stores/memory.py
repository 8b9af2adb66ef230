"""A store for tests and trials: everything is gone with the process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from kyc_verify.errors import KycVerifyError, StoreError
from kyc_verify.stores import _schema as rows
from kyc_verify.stores._keeping import Keeping

__all__ = ["MemoryStore"]


class MemoryStore(Keeping):
    """The embedded store without a file: atomic for threads, shared by no other process, and **not durable**.

    A restart refills every budget: do not serve callers from it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(rows.SCHEMA)
        self._db.execute("INSERT INTO meta VALUES ('schema', ?)", (rows.VERSION,))

    def __repr__(self) -> str:
        return "MemoryStore()"

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is None:
                msg = "this store is closed"
                raise StoreError(msg)
            self._db.execute("BEGIN")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error) and not isinstance(error, KycVerifyError):
                    msg = "the store failed; nothing was written"
                    raise StoreError(msg) from error
                raise

    _reading = _writing

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def ready(self, now: datetime) -> None:
        """Check that the store is open."""
        super().ready(now)
