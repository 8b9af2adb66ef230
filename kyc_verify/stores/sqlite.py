"""The durable store of one machine: a SQLite file of its own, for several threads and processes.

In write-ahead mode with ``synchronous=FULL``: what was acknowledged survives a crash and a loss of power. Deleted
content is overwritten (``secure_delete``), and an erasure empties the write-ahead log as well.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.ports import SubjectSeal
from kyc_verify.stores import _schema
from kyc_verify.stores._connections import Connections
from kyc_verify.stores._embedded import Embedded

__all__ = ["SQLiteStore"]

_LONGEST_WAIT: Final = 60
_LOOK: Final = 0.001
"""Seconds between two looks of the first in line at a file that another is writing."""
_BUSY: Final = "another writer has held the database for too long; nothing was written: try again"
_WHY: Final = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PERM: "the database may not be used; check the permissions of the file and its folder",
    sqlite3.SQLITE_READONLY: "the database cannot be written to; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; check that it is there, and its permissions",
    sqlite3.SQLITE_FULL: "the disk is full; nothing was written",
    sqlite3.SQLITE_IOERR: "the disk failed; nothing was written",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; restore it from a backup and replay the erasures since",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
}


class SQLiteStore(Embedded):
    """A store in a file.

    It may be pickled and made anew in another process; what is pickled is the path.

    Args:
        path: The file; made, for its owner only, if it is not there. It must be the library's own, never the file of
            the host's data. Beside it live its log (``-wal``, ``-shm``) and the writers' queue (``-queue``).
        busy_timeout: Seconds a verb waits for its turn to write before it fails, from 0 to 60.

    Raises:
        ConfigurationError: the path can never be a store.
        StoreError: the file cannot be used, or its schema is not the expected one.

    Security:
        Deleted bytes are overwritten in the file. Copies made by backups are not: replay erasures after a restore.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        if type(busy_timeout) not in (int, float) or not 0 <= busy_timeout <= _LONGEST_WAIT:
            msg = f"busy_timeout must be from 0 to {_LONGEST_WAIT} seconds"
            raise ConfigurationError(msg)
        self._path, self._busy_timeout = str(_file(path)), float(busy_timeout)
        self._connections = Connections(self._path, self._busy_timeout)
        with self._writing() as db:
            _schema.create(db)
            _schema.check(db)

    def __repr__(self) -> str:
        return "SQLiteStore()"

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self._path, self._busy_timeout)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        end = time.monotonic() + self._busy_timeout
        try:
            with self._connections.use() as db:
                queue = self._connections.queue
                if not (queue.ahead() and _begun(db)):
                    with queue.turn(end) as come:
                        if not come or not _begun_before(db, end):
                            raise StoreError(_BUSY)
                yield from _ended(db)
        except sqlite3.Error as error:
            raise _failed(error) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connections.use() as db, _waiting(db, self._busy_timeout):
                db.execute("BEGIN")
                yield from _ended(db)
        except sqlite3.Error as error:
            raise _failed(error) from error

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """Forget a subject, in the file and in its log; see `Embedded.erase`.

        Raises:
            StoreError: among others, when a reader (a backup, a shell) has kept the log from being emptied: the subject
                is erased then, and erasing again empties the log.
        """
        found = super().erase(tenant, subject, seal, now)
        try:
            with self._connections.use() as db, _waiting(db, self._busy_timeout):
                (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise _failed(error) from error
        if busy:
            msg = "the subject is erased, but a reader keeps old content in the log; end the reader and erase again"
            raise StoreError(msg)
        return found

    def close(self) -> None:
        """Close this process's connections, each after the verb that is using it; later verbs raise StoreError."""
        try:
            self._connections.close()
        except sqlite3.Error as error:
            raise _failed(error) from error


def _again(path: str, busy_timeout: float) -> SQLiteStore:
    return SQLiteStore(path, busy_timeout=busy_timeout)


def _file(path: str | os.PathLike[str]) -> Path:
    text: object = os.fspath(path)
    if not isinstance(text, str) or not text or text == ":memory:" or text.startswith("file:") or "\0" in text:
        msg = "SQLiteStore takes the path of a file; for a store in memory use MemoryStore"
        raise ConfigurationError(msg)
    file = Path(text).absolute()
    if file.is_dir() or not file.parent.is_dir():
        msg = "SQLiteStore takes the path of a file in a folder that is there"
        raise ConfigurationError(msg)
    try:
        # Only a new file is opened by hand: closing it would drop this process's locks on one that is in use.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(_WHY[sqlite3.SQLITE_CANTOPEN]) from error
    return file


def _begun(db: sqlite3.Connection) -> bool:
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _begun_before(db: sqlite3.Connection, end: float) -> bool:
    """Look until the file is free; the store's own writers stand in line by then, and only a stranger is waited for."""
    while not _begun(db):
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK)
    return True


def _ended(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def _waiting(db: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Let SQLite itself wait for its locks: what is read waits for a recovery or a last close only."""
    db.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")
    try:
        yield
    finally:
        db.execute("PRAGMA busy_timeout=0")


def _code(error: sqlite3.Error) -> int:
    # The primary result code is the low byte.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _failed(error: sqlite3.Error) -> StoreError:
    return StoreError(_WHY.get(_code(error), "the database failed; nothing was written"))
