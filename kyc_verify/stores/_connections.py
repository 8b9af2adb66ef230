"""Connections to one SQLite file: one for each thread, and none that lives through a fork.

A connection carried over a fork would be worse than useless: SQLite takes the child to hold locks that only the parent
has. So before a fork every connection of this process is closed, each after the verb that is using it, and both sides
open new ones when they next need them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import WeakSet

from kyc_verify.errors import StoreError
from kyc_verify.stores._queue import WriterQueue
from kyc_verify.stores._rules import closed

__all__ = ["Connections", "Link"]

_PATIENCE: Final = 65.0
"""Seconds a fork waits for the verbs that are under way: longer than any may wait for its turn."""

_PRAGMAS: Final = ("synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF")
_abandoned: Final[list[sqlite3.Connection]] = []


class Link:
    """One thread's connection; whoever uses or closes it holds its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.db: sqlite3.Connection | None = None
        self.pid = 0

    def shut(self) -> None:
        """Close the connection."""
        if self.db is not None and self.pid == os.getpid():
            self.db.close()
        elif self.db is not None:
            _abandoned.append(self.db)  # closing what another process opened would disturb its locks
        self.db = None

    def __del__(self) -> None:
        self.shut()  # the thread has ended


class Connections:
    """All connections of this process to one file, and its place in the writers' queue."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.queue = WriterQueue(f"{path}-queue")
        self._uri = f"{Path(path).as_uri()}?mode=rw"  # never makes a file: a lost one must not come back empty
        self._busy_timeout = busy_timeout
        self._gate = threading.Lock()
        self._local = threading.local()
        self._links: WeakSet[Link] = WeakSet()
        self._held: list[Callable[[], None]] = []
        self._closed = False
        with _registry_lock:
            _registry.add(self)

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection, opened on first use.

        Raises:
            StoreError: the store is closed, or its connection came through a fork that Python was not told of.
        """
        link: Link | None = getattr(self._local, "link", None)
        if link is None:
            link = self._local.link = Link()
            with self._gate:
                self._links.add(link)
        with link.lock:
            if self._closed:
                raise closed()
            if link.db is None:
                link.pid = os.getpid()
                link.db = self._connect()
            elif link.pid != os.getpid():
                msg = "this process was forked without telling Python; make the store after the fork"
                raise StoreError(msg)
            try:
                yield link.db
            finally:
                if link.db.in_transaction:  # it could not be rolled back
                    link.shut()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._uri, uri=True, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False,
            cached_statements=256,
        )  # fmt: skip
        try:
            (mode,) = db.execute("PRAGMA journal_mode=WAL").fetchone()
            for each in _PRAGMAS:
                db.execute(f"PRAGMA {each}")
            db.execute("PRAGMA busy_timeout=0")  # the store waits itself
        except BaseException:
            db.close()
            raise
        if mode != "wal":
            db.close()
            msg = "the database cannot keep a write-ahead log here; put the file on a local disk"
            raise StoreError(msg)
        return db

    def close(self) -> None:
        """Close every connection, each after the verb that is using it."""
        self._closed = True
        with self._gate:
            links = list(self._links)
        for link in links:
            with link.lock:
                link.shut()
        self.queue.close()  # last: who stands in the queue holds a connection

    def hold(self) -> None:
        """Close every connection and let none be opened, for a fork; waits for the verbs that are under way."""
        end = time.monotonic() + _PATIENCE
        if self._gate.acquire(timeout=max(0.0, end - time.monotonic())):
            self._held.append(self._gate.release)
        for link in list(self._links):
            if link.lock.acquire(timeout=max(0.0, end - time.monotonic())):
                self._held.append(link.lock.release)
                link.shut()
        # Last: who stands in the queue holds a connection.
        if self.queue.hold(max(0.0, end - time.monotonic())):
            self._held.append(self.queue.release)

    def release(self) -> None:
        """Undo `hold`, on both sides of the fork."""
        held, self._held = self._held, []
        for let_go in held:
            let_go()


_registry: Final[WeakSet[Connections]] = WeakSet()
_registry_lock: Final = threading.Lock()


def _before_fork() -> None:
    _registry_lock.acquire()
    for each in list(_registry):
        each.hold()


def _after_fork() -> None:
    if _registry_lock.locked():  # it is not where a server forks by itself and only calls what comes after
        for each in list(_registry):
            each.release()
        _registry_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
