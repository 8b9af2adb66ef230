"""A store for tests and trials: everything is gone with the process."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kyc_verify.errors import StoreError
from kyc_verify.stores import _schema
from kyc_verify.stores._embedded import Embedded
from kyc_verify.stores._rules import closed

__all__ = ["MemoryStore"]


class MemoryStore(Embedded):
    """A store without a file: atomic for the threads of one process, and **not durable**.

    A restart refills every budget and forgets the audit log: serve no callers from it. It refuses to work in a forked
    process, where each worker would count for itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._db: sqlite3.Connection | None = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        _schema.create(self._db)

    def __repr__(self) -> str:
        return "MemoryStore()"

    def __del__(self) -> None:
        if (db := getattr(self, "_db", None)) is not None:
            db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            msg = "a MemoryStore is of no use after a fork; use SQLiteStore, or make one in each process"
            raise StoreError(msg)
        with self._lock:
            db = self._db
            if db is None:
                raise closed()
            db.execute("BEGIN")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException as error:
                db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    msg = "the store failed; nothing was written"
                    raise StoreError(msg) from error
                raise

    _reading = _writing

    def close(self) -> None:
        """Forget everything; later verbs raise StoreError."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
