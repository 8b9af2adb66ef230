"""One transaction of a SQL store: how it begins, what a failure of it means, and when it is done again."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from kyc_verify.errors import StoreError
from kyc_verify.stores._core import Core
from kyc_verify.stores._examining import UNSENDABLE
from kyc_verify.stores._metadata import kind_of
from kyc_verify.stores._tables import Tables

__all__ = ["AGAIN", "FAILED", "TRIES", "Undone", "attempt", "pause", "told"]

T = TypeVar("T")

TRIES: Final = 6
"""How often a transaction that was undone for another's sake is done."""
FAILED: Final = "the database failed; nothing was written that helps anybody: look at the status"
AGAIN: Final = "others have held what this needs for too long; nothing was written: try again"

_BUSY_STATES: Final = frozenset({"40001", "40P01", "55P03"})
_BUSY_NUMBERS: Final = frozenset({1205, 1213, 3058, 3572, 1020})
_LEVELS: Final = {"postgresql": "READ COMMITTED", "sqlite": "AUTOCOMMIT"}
"""Of the connection, whatever the engine says; on SQLite a verb begins by itself, on MariaDB and MySQL it says so."""
_NEXT_LEVEL: Final = (
    # With @@ and no word before it the variable is of the next transaction. The server takes no level of another name:
    # where text might be cut, or become another, there is no transaction.
    "SET @@{} = IF(FIND_IN_SET('STRICT_TRANS_TABLES', @@sql_mode) + FIND_IN_SET('STRICT_ALL_TABLES', @@sql_mode) > 0"
    " AND 'utf8mb4' IN (@@character_set_client) AND 'utf8mb4' IN (@@character_set_connection)"
    " AND 'utf8mb4' IN (@@character_set_results), 'READ-COMMITTED', 'REFUSED')"
)
_RENAMED: Final = (11, 1, 1)
"""Since then MariaDB has the name that MySQL has."""
_NO_SUCH_LEVEL: Final = 1231
_CUTS: Final = (
    "this connection might cut text or change it; nothing was written: use charset=utf8mb4 in the address, and leave "
    "STRICT_TRANS_TABLES in sql_mode (look at init_command, and at the server's own)"
)
_HAS_BEGUN: Final = (
    "this engine begins transactions by itself, and SQLite has one at a time; nothing was written: make an engine for "
    "the library alone, without a listener for begin"
)
_WHERE_BEGUN: Final = ("within a transaction", "inside a transaction")
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")


class Undone(Exception):  # noqa: N818 - never leaves the store
    """A transaction that the database undid, and that may be done again."""


def _busy(error: Exception, driver: Any) -> bool:  # noqa: ANN401 - the driver's module
    """Whether the database has undone the transaction for the sake of another."""
    if isinstance(error, IntegrityError | driver.IntegrityError):
        return True  # the same key at the same time: the second one finds the first one's row
    cause = getattr(error, "orig", None) or error
    cause = cause.__cause__ or cause
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = cause.args[0] if cause.args else None
    locked = "database is locked" in str(cause) or "database table is locked" in str(cause)
    return state in _BUSY_STATES or number in _BUSY_NUMBERS or locked


def told(error: Exception) -> str | None:
    """Return what to do about a failure that a setting is to blame for; None: it is another."""
    if isinstance(error, UnicodeError):
        return UNSENDABLE
    cause = getattr(error, "orig", None) or error
    if cause.args and cause.args[0] == _NO_SUCH_LEVEL:
        return _CUTS
    begun = isinstance(cause, sqlite3.Error) and any(each in str(cause) for each in _WHERE_BEGUN)
    return _HAS_BEGUN if begun else None


def _begin(db: Connection, kind: str, *, writing: bool) -> None:
    """Begin a transaction, at the level that held rows need; what is committed is on disk."""
    if kind == "postgresql":
        db.begin()
        if writing:
            _flush(db)
    elif kind == "sqlite":
        if not db.info.get("kyc_verify"):
            for each in _PRAGMAS:
                db.exec_driver_sql(f"PRAGMA {each}")
            db.info["kyc_verify"] = True
        db.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
    else:
        # For this transaction alone: nothing has to be set back before the host gets its connection again.
        named = kind == "mysql" or (db.dialect.server_version_info or ()) >= _RENAMED
        db.exec_driver_sql(_NEXT_LEVEL.format("transaction_isolation" if named else "tx_isolation"))
        db.exec_driver_sql("START TRANSACTION")


def _flush(db: Connection) -> None:
    """Have the commit wait for the disk, where session, role or database say that it need not.

    That is asked once of each connection. It is set for one transaction at a time: the connection is the host's, and
    behind a pooler it is another server's process each time.
    """
    if "kyc_verify" not in db.info:
        db.info["kyc_verify"] = db.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"
    if db.info["kyc_verify"]:
        db.exec_driver_sql("SET LOCAL synchronous_commit = on")


def attempt(
    db: Connection, work: Callable[[Tables], T], *, writing: bool, check: Callable[[Connection], None] | None
) -> T:
    """Do some work in one transaction of this connection.

    Args:
        db: A connection of this transaction's own.
        work: What to do; it may be done again, from the beginning.
        writing: Whether it writes.
        check: What looks at the database before.

    Raises:
        Undone: the database undid it for another's sake.
        StoreError: it failed; or the acknowledgement of its commit did, so that nobody knows.
    """
    kind, driver = kind_of(db.dialect), db.dialect.loaded_dbapi
    core = Core(db)
    try:
        if kind in _LEVELS:
            db.execution_options(isolation_level=_LEVELS[kind])
        if check is not None:
            check(db)
            if kind != "sqlite":
                db.rollback()
        _begin(db, kind, writing=writing)
        done = work(core)
        core.close()
        if kind == "sqlite":
            db.exec_driver_sql("COMMIT")
        else:
            db.commit()
        if core.named:
            db.exec_driver_sql("DO RELEASE_ALL_LOCKS()")
    except (SQLAlchemyError, UnicodeError, driver.Error) as error:
        # Its text holds the statement with its values: it is not kept, not even as a context.
        failure = Undone() if _busy(error, driver) else StoreError(told(error) or FAILED)
        _give_up(db, core, lost=_lost(db, error))
    except BaseException as error:
        # Cut off in the middle of a statement, nobody knows what the connection will answer next.
        _give_up(db, core, lost=not isinstance(error, Exception))
        raise
    else:
        return done
    raise failure


def _lost(db: Connection, error: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's or the driver's
    """Whether the connection is gone; SQLAlchemy then lets go of the pool's others of that time too."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    if isinstance(error, UnicodeError):
        return True  # of an answer that was read in part the rest may be under way
    if isinstance(error, SQLAlchemyError) or not db.dialect.is_disconnect(error, db.connection.dbapi_connection, None):
        return False
    with suppress(SQLAlchemyError):
        db.exec_driver_sql("SELECT 1")  # it finds out by itself, where it sends something itself
    return True


def _give_up(db: Connection, core: Core, *, lost: bool) -> None:
    if not lost:
        with suppress(SQLAlchemyError):
            if db.dialect.name != "postgresql":
                db.exec_driver_sql("ROLLBACK")
            db.rollback()
            if core.named:
                db.exec_driver_sql("DO RELEASE_ALL_LOCKS()")
            return
    with suppress(SQLAlchemyError):
        db.invalidate()  # whatever it still holds goes with it


def pause(tries: int) -> float:
    """Return how long to wait before another try: longer each time, and never the same for two."""
    return float(2**tries * 0.002 * (1 + secrets.randbelow(1000) / 1000))
