"""The stores on the database that the host already has, through SQLAlchemy: PostgreSQL, MariaDB, MySQL, SQLite.

Every verb has a connection and a transaction of its own: what the host rolls back undoes nothing here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from kyc_verify.audit import AuditRecord, Seal
from kyc_verify.credentials import Credential
from kyc_verify.errors import ConfigurationError, StoreError
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
from kyc_verify.stores import _metadata as metadata
from kyc_verify.stores._core import Core
from kyc_verify.stores._rules import closed
from kyc_verify.stores._tables import Tables
from kyc_verify.stores._verbs import Verbs

__all__ = ["AsyncSQLAlchemyStore", "SQLAlchemyStore"]

T = TypeVar("T")

_TRIES: Final = 6
_BUSY_STATES: Final = frozenset({"40001", "40P01", "55P03"})
_BUSY_NUMBERS: Final = frozenset({1205, 1213, 3058, 3572, 1020})
_LEVEL: Final = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
_FAILED: Final = "the database failed; nothing was written that helps anybody: look at the status"
_AGAIN: Final = "others have held what this needs for too long; nothing was written: try again"


class _Undone(Exception):  # noqa: N818 - never leaves this module
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


def _begin(db: Connection, kind: str, *, writing: bool) -> None:
    """Begin a transaction, at the level that held rows need."""
    if kind == "postgresql":
        db.begin()
    elif kind == "sqlite":
        if not db.info.get("kyc_verify"):
            for each in _PRAGMAS:
                db.exec_driver_sql(f"PRAGMA {each}")
            db.info["kyc_verify"] = True
        db.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
    else:
        # For this transaction alone: nothing has to be set back before the host gets its connection again.
        db.exec_driver_sql(_LEVEL)
        db.exec_driver_sql("START TRANSACTION")


def _attempt(db: Connection, work: Callable[[Tables], T], *, writing: bool, check: bool) -> T:
    """Do some work in one transaction of this connection.

    Raises:
        _Undone: the database undid it for another's sake.
        StoreError: it failed; or the acknowledgement of its commit did, so that nobody knows.
    """
    kind, driver = db.dialect.name, db.dialect.loaded_dbapi
    core = Core(db)
    try:
        if check:
            metadata.check(db)
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
    except (SQLAlchemyError, driver.Error) as error:
        # Its text holds the statement with its values: it is not kept, not even as a context.
        failure = _Undone() if _busy(error, driver) else StoreError(_FAILED)
        _give_up(db, core, lost=_lost(db, error))
    except BaseException:
        _give_up(db, core, lost=False)
        raise
    else:
        return done
    raise failure


def _lost(db: Connection, error: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's or the driver's
    """Whether the connection is gone; SQLAlchemy then lets go of the pool's others of that time too."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    if isinstance(error, SQLAlchemyError) or not db.dialect.is_disconnect(error, db.connection.dbapi_connection, None):
        return False
    with suppress(SQLAlchemyError):
        db.exec_driver_sql("SELECT 1")  # it finds out by itself, where it sends something itself
    return True


def _give_up(db: Connection, core: Core, *, lost: bool) -> None:
    with suppress(SQLAlchemyError):
        if not lost and db.dialect.name != "postgresql":
            db.exec_driver_sql("ROLLBACK")
        db.rollback()
        if core.named:
            db.exec_driver_sql("DO RELEASE_ALL_LOCKS()")
        return
    with suppress(SQLAlchemyError):
        db.invalidate()  # whatever it still holds goes with it


def _options(engine: Engine) -> dict[str, Any]:
    """Return the options of the engine's connections that the verbs count on.

    Raises:
        ConfigurationError: the engine cannot give a verb a connection of its own.
    """
    kind = metadata.kind_of(engine.dialect)
    if isinstance(engine.pool, StaticPool | SingletonThreadPool):
        msg = "the engine shares one connection: a rollback of the host would undo what the library wrote; use a pool"
        raise ConfigurationError(msg)
    if engine.get_execution_options().get("schema_translate_map"):
        msg = "schema_translate_map is not followed; name the schema in the address (options=-csearch_path=...)"
        raise ConfigurationError(msg)
    # To the others a verb says by itself how it begins.
    levels = {"sqlite": "AUTOCOMMIT", "postgresql": "READ COMMITTED"}
    return {"isolation_level": levels[kind]} if kind in levels else {}


def _pause(tries: int) -> float:
    """Return how long to wait before another try: longer each time, and never the same for two."""
    return float(2**tries * 0.002 * (1 + secrets.randbelow(1000) / 1000))


class SQLAlchemyStore(Verbs):
    """A store on a database of the host's.

    Make its tables with ``kyc-verify store migrate URL`` or `migrate`. It looks at their version when it is made, and
    refuses any other.

    Args:
        engine: Of PostgreSQL, MariaDB or MySQL (InnoDB), or SQLite in a file of the library's own. Its pool must be
            able to give each verb a connection of its own; `echo` must be off, or logs hold hashes.

    Raises:
        ConfigurationError: the engine is none of these, or shares one connection.
        StoreError: the database cannot be used, or its schema is not the expected one.

    Security:
        A verb that raises `StoreError` has written nothing that helps a caller. Where the acknowledgement of a commit
        was lost, nobody knows whether it was written; the try it was for is then spent.
    """

    def __init__(self, engine: Engine) -> None:
        given: object = engine
        if not isinstance(given, Engine):
            msg = "SQLAlchemyStore takes an Engine; for an AsyncEngine use AsyncSQLAlchemyStore"
            raise ConfigurationError(msg)
        self._engine = engine.execution_options(**_options(engine))
        self._closed = False
        self._do(lambda _: None, writing=False, check=True)

    def __repr__(self) -> str:
        return "SQLAlchemyStore()"

    @staticmethod
    def migrate(engine: Engine | Connection) -> int:
        """Bring the schema to this library's version; doing it again does nothing.

        Args:
            engine: Of the database; or a connection, whose transaction it then takes part in (for Alembic).

        Returns:
            The version.

        Raises:
            StoreError: it cannot be done, or a newer version of the library wrote the schema.
        """
        found, failure = 0, None
        try:
            if isinstance(engine, Connection):
                return metadata.migrate(engine)
            with engine.begin() as db:
                found = metadata.migrate(db)
        except SQLAlchemyError:
            failure = StoreError("the schema cannot be made; check the address, and that the account may create tables")
        if failure is not None:
            raise failure
        return found

    def _write(self, work: Callable[[Tables], T]) -> T:
        return self._do(work, writing=True)

    def _read(self, work: Callable[[Tables], T]) -> T:
        return self._do(work, writing=False)

    def _do(self, work: Callable[[Tables], T], *, writing: bool, check: bool = False) -> T:
        for tries in range(_TRIES):
            try:
                return self._once(work, writing=writing, check=check)
            except _Undone:
                time.sleep(_pause(tries))
        raise StoreError(_AGAIN)

    def _once(self, work: Callable[[Tables], T], *, writing: bool, check: bool) -> T:
        if self._closed:
            raise closed()
        failure = None
        try:
            with self._engine.connect() as db:
                return _attempt(db, work, writing=writing, check=check)
        except SQLAlchemyError:
            failure = StoreError(_FAILED)
        raise failure

    def ready(self, now: datetime) -> None:
        """Check that the database answers, and that its schema is the expected one.

        Raises:
            StoreError: it does not, or it is not.
        """
        del now
        self._do(lambda _: None, writing=True, check=True)

    def close(self) -> None:
        """Refuse later verbs; the engine is the host's, and stays open."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Bound(Verbs):
    """The verbs inside a transaction that is under way."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def _write(self, work: Callable[[Tables], T]) -> T:
        return work(self._tables)

    _read = _write


class AsyncSQLAlchemyStore:
    """`SQLAlchemyStore` for an `AsyncEngine`; the schema is looked at by the first verb.

    Args:
        engine: As for `SQLAlchemyStore`, with an async driver: asyncpg, psycopg, aiomysql, aiosqlite.

    Raises:
        ConfigurationError: the engine is none of these, or shares one connection.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        given: object = engine
        if not isinstance(given, AsyncEngine):
            msg = "AsyncSQLAlchemyStore takes an AsyncEngine; for an Engine use SQLAlchemyStore"
            raise ConfigurationError(msg)
        self._engine = engine.execution_options(**_options(engine.sync_engine))
        self._checked = self._closed = False

    def __repr__(self) -> str:
        return "AsyncSQLAlchemyStore()"

    @staticmethod
    async def migrate(engine: AsyncEngine) -> int:
        """See `SQLAlchemyStore.migrate`."""
        found, failure = 0, None
        try:
            async with engine.begin() as db:
                found = await db.run_sync(metadata.migrate)
        except SQLAlchemyError:
            failure = StoreError("the schema cannot be made; check the address, and that the account may create tables")
        if failure is not None:
            raise failure
        return found

    async def _do(self, verb: Callable[[Verbs], T], *, writing: bool = True, check: bool = False) -> T:
        for tries in range(_TRIES):
            try:
                return await self._once(verb, writing=writing, check=check or not self._checked)
            except _Undone:
                await asyncio.sleep(_pause(tries))
        raise StoreError(_AGAIN)

    async def _once(self, verb: Callable[[Verbs], T], *, writing: bool, check: bool) -> T:
        if self._closed:
            raise closed()

        def work(db: Connection) -> T:
            return _attempt(db, lambda tables: verb(_Bound(tables)), writing=writing, check=check)

        failure = None
        try:
            async with self._engine.connect() as db:
                done = await db.run_sync(work)
                self._checked = True
                return done
        except (SQLAlchemyError, OSError):
            failure = StoreError(_FAILED)
        raise failure

    async def transact(self, work: Callable[[Tables], T], *, writing: bool = True) -> T:
        """See `Verbs.transact`."""
        return await self._do(lambda verbs: verbs.transact(work, writing=writing), writing=writing)

    async def ready(self, now: datetime) -> None:
        """See `SQLAlchemyStore.ready`."""
        del now
        await self._do(lambda _: None, check=True)

    async def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """See `Verbs.open`."""
        return await self._do(lambda verbs: verbs.open(new, request, now))

    async def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """See `Verbs.begin`."""
        return await self._do(lambda verbs: verbs.begin(tenant, session, turn, now))

    async def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """See `Verbs.commit`."""
        return await self._do(lambda verbs: verbs.commit(change, seal, now))

    async def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """See `Verbs.redeem`."""
        return await self._do(lambda verbs: verbs.redeem(redemption, seal, now))

    async def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """See `Verbs.load`."""
        return await self._do(lambda verbs: verbs.load(tenant, session, now, run), writing=run is not None)

    async def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `Verbs.enroll`."""
        given: dict[str, Any] = {"clear": clear, "fresh_key": fresh_key, "seal": seal, "now": now}
        await self._do(lambda verbs: verbs.enroll(tenant, subject, credentials, **given))

    async def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `Verbs.set_standing`."""
        given: dict[str, Any] = {"flags": flags, "clear": clear, "fresh_key": fresh_key, "seal": seal, "now": now}
        await self._do(lambda verbs: verbs.set_standing(tenant, subject, standing, **given))

    async def note(
        self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes
    ) -> None:
        """See `Verbs.note`."""
        await self._do(lambda verbs: verbs.note(tenant, subject, seal, now, fresh_key=fresh_key))

    async def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """See `Verbs.erase`."""
        return await self._do(lambda verbs: verbs.erase(tenant, subject, seal, now))

    async def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """See `Verbs.records`."""
        return await self._do(lambda verbs: verbs.records(tenant, after, limit), writing=False)

    async def purge(self, before: datetime, limit: int) -> int:
        """See `Verbs.purge`."""
        return await self._do(lambda verbs: verbs.purge(before, limit))

    async def close(self) -> None:
        """Refuse later verbs; the engine is the host's, and stays open."""
        self._closed = True
