"""The embedded store: one SQLite file of its own, durable, for several threads and processes of one machine.

WAL with ``synchronous=FULL``: what was acknowledged survives a crash and a loss of power. Writers queue at a file lock
beside the database before they take SQLite's own: its busy handler alone lets some writers starve for a third of a
second. A connection belongs to one thread of one process; one from before a fork is never used.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.stores import _schema as rows
from kyc_verify.stores._keeping import Keeping, check_schema

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: SQLite's own busy handler alone
    fcntl = None

__all__ = ["SQLiteStore"]

_NAP: Final = 0.0002
_LONGEST_NAP: Final = 0.002
_FORKED: Final[list[object]] = []
"""Connections from before a fork: never used again, and never closed, which would disturb the parent's file."""


class _Link:
    """One thread's connection and its place in the queue of writers."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.pid = os.getpid()
        self.db = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, cached_statements=256)
        self.queue = os.open(f"{path}-queue", os.O_RDWR | os.O_CREAT, 0o600) if fcntl is not None else -1
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=OFF"):
            self.db.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        self.db.close()
        if self.queue >= 0:
            os.close(self.queue)


class SQLiteStore(Keeping):
    """A store in a file.

    Args:
        path: The file; made if it is not there. It must be the library's own: never the file of the host's data.
        busy_timeout: Seconds a verb waits for its turn to write before it fails.

    Raises:
        ConfigurationError: the path can never be a store.
        StoreError: the file cannot be used, or its schema is not the expected one.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        text: object = os.fspath(path)
        if not isinstance(text, str) or not text or text == ":memory:" or text.startswith("file:"):
            msg = "SQLiteStore takes the path of a file; for a store in memory use MemoryStore"
            raise ConfigurationError(msg)
        if type(busy_timeout) not in (int, float) or not 0 <= busy_timeout <= 60:  # noqa: PLR2004 - a minute
            msg = "busy_timeout must be from 0 to 60 seconds"
            raise ConfigurationError(msg)
        self._path = str(Path(text).absolute())
        self._timeout = float(busy_timeout)
        self._local = threading.local()
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._closed = False
        with self._writing() as db:
            if not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                for statement in rows.SCHEMA.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('schema', ?)", (rows.VERSION,))
            check_schema(db)

    def __repr__(self) -> str:
        return "SQLiteStore()"

    def __getstate__(self) -> tuple[str, float]:
        return self._path, self._timeout

    def __setstate__(self, state: tuple[str, float]) -> None:
        self.__init__(state[0], busy_timeout=state[1])  # type: ignore[misc]

    def _link(self) -> _Link:
        link: _Link | None = getattr(self._local, "link", None)
        if link is not None and link.pid == os.getpid() and not self._closed:
            return link
        if self._closed:
            msg = "this store is closed"
            raise StoreError(msg)
        if link is not None:
            _FORKED.append(link)
        link = _Link(self._path, self._timeout)
        self._local.link = link
        with self._lock:
            self._links = [each for each in self._links if each.pid == link.pid]
            self._links.append(link)
        return link

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        link: _Link | None = None
        queued = False
        try:
            link = self._link()
            queued = begin != "BEGIN" and self._queue(link)
            link.db.execute(begin)
            yield link.db
            link.db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._undo(link)
            raise StoreError(_why(error)) from error
        except BaseException:
            self._undo(link)
            raise
        finally:
            if queued and link is not None:
                fcntl.flock(link.queue, fcntl.LOCK_UN)

    @staticmethod
    def _undo(link: _Link | None) -> None:
        if link is not None and link.db.in_transaction:
            try:
                link.db.execute("ROLLBACK")
            except sqlite3.Error:
                link.db.close()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction("BEGIN IMMEDIATE")

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction("BEGIN")

    def _queue(self, link: _Link) -> bool:
        """Take the place at the head of the writers' queue, within the time a verb may wait."""
        if fcntl is None:  # pragma: no cover - Windows
            return False
        nap, end = _NAP, time.monotonic() + self._timeout
        while True:
            try:
                fcntl.flock(link.queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    msg = "another writer has held the database for too long; nothing was written. Try again"
                    raise StoreError(msg) from None
                time.sleep(nap)
                nap = min(_LONGEST_NAP, nap * 1.5)
            else:
                return True

    def _forget(self) -> None:
        try:
            self._link().db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreError(_why(error)) from error

    def close(self) -> None:
        """Close this process's connections; later verbs fail."""
        self._closed = True
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            if link.pid == os.getpid():
                try:
                    link.close()
                except sqlite3.Error:  # another thread is using it, and closes it at its end
                    continue


def _why(error: Exception) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another writer has held the database for too long; nothing was written. Try again"
    if "readonly" in text or "read-only" in text:
        return "the database cannot be written to; check the permissions of the file and its folder"
    if "full" in text:
        return "the disk is full; nothing was written"
    if "unable to open" in text or isinstance(error, OSError):
        return "the database cannot be opened; check the path and its permissions"
    if "not a database" in text or "malformed" in text:
        return "the file is not a database, or it is damaged"
    return "the database failed; nothing was written"
