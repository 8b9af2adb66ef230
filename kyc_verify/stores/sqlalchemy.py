"""The stores on the database that the host already has, through SQLAlchemy: PostgreSQL, MariaDB, MySQL, SQLite.

Every verb has a connection and a transaction of its own: what the host rolls back undoes nothing here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
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
from kyc_verify.stores._examining import examine
from kyc_verify.stores._migrating import BROKEN, migrate, upgrade
from kyc_verify.stores._rules import closed
from kyc_verify.stores._tables import Tables
from kyc_verify.stores._transactions import AGAIN, FAILED, TRIES, Undone, attempt, pause, told
from kyc_verify.stores._verbs import Verbs

__all__ = ["AsyncSQLAlchemyStore", "SQLAlchemyStore"]

T = TypeVar("T")


def _examine(engine: Engine) -> None:
    """Refuse an engine that no verb can count on.

    Raises:
        ConfigurationError: the engine cannot give a verb a connection of its own.
    """
    metadata.kind_of(engine.dialect)
    if isinstance(engine.pool, StaticPool | SingletonThreadPool):
        msg = "the engine shares one connection: a rollback of the host would undo what the library wrote; use a pool"
        raise ConfigurationError(msg)
    if engine.get_execution_options().get("schema_translate_map"):
        msg = "schema_translate_map is not followed; name the schema in the address (options=-csearch_path=...)"
        raise ConfigurationError(msg)


class SQLAlchemyStore(Verbs):
    """A store on a database of the host's.

    Make its tables with ``kyc-verify store migrate URL`` or `migrate`. It looks at their version when it is made, and
    refuses any other.

    Args:
        engine: Of PostgreSQL, MariaDB or MySQL (InnoDB), or SQLite in a file of the library's own. Its pool must be
            able to give each verb a connection of its own; `echo` must be off, or logs hold hashes.
        allow_data_loss: Only warn where the server acknowledges commits that are not on disk yet. When the power fails
            it has forgotten tries that were made, and what was recorded of them: **guesses above the budget**.

    Raises:
        ConfigurationError: the engine is none of these, shares one connection, or has no file.
        StoreError: the database cannot be used: its schema is not the expected one, or the server, or what is set on
            its connections, may lose something of what is written.

    Security:
        A verb that raises `StoreError` has written nothing that helps a caller. Where the acknowledgement of a commit
        was lost, nobody knows whether it was written; the try it was for is then spent.
    """

    def __init__(self, engine: Engine, *, allow_data_loss: bool = False) -> None:
        given: object = engine
        if not isinstance(given, Engine):
            msg = "SQLAlchemyStore takes an Engine; for an AsyncEngine use AsyncSQLAlchemyStore"
            raise ConfigurationError(msg)
        _examine(engine)
        self._engine = engine
        self._closed = False
        self._look = partial(examine, allow_data_loss=allow_data_loss)
        self._do(lambda _: None, writing=False, check=True)

    def __repr__(self) -> str:
        return "SQLAlchemyStore()"

    @staticmethod
    def migrate(engine: Engine | Connection) -> int:
        """Bring the schema to this library's version; doing it again does nothing.

        Args:
            engine: Of the database; or a connection, whose transaction it then takes part in (for Alembic).

        Returns:
            The version, whoever brought it there: of several at once one does, and the others wait.

        Raises:
            StoreError: it cannot be done; a newer version of the library wrote the schema, or none has.
        """
        failure = None
        try:
            if isinstance(engine, Connection):
                return migrate(engine)
            with engine.connect() as db:
                return upgrade(db)
        except SQLAlchemyError as error:
            failure = StoreError(told(error) or BROKEN)
        raise failure

    def _write(self, work: Callable[[Tables], T]) -> T:
        return self._do(work, writing=True)

    def _read(self, work: Callable[[Tables], T]) -> T:
        return self._do(work, writing=False)

    def _do(self, work: Callable[[Tables], T], *, writing: bool, check: bool = False) -> T:
        for tries in range(TRIES):
            try:
                return self._once(work, writing=writing, check=check)
            except Undone:
                time.sleep(pause(tries))
        raise StoreError(AGAIN)

    def _once(self, work: Callable[[Tables], T], *, writing: bool, check: bool) -> T:
        if self._closed:
            raise closed()
        failure = None
        try:
            with self._engine.connect() as db:
                return attempt(db, work, writing=writing, check=partial(self._look, writing=writing) if check else None)
        except SQLAlchemyError:
            failure = StoreError(FAILED)
        raise failure

    def ready(self, now: datetime) -> None:
        """Check that the database answers and can be written to, and what was checked when the store was made.

        Raises:
            StoreError: it cannot be used.
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
        engine: As for `SQLAlchemyStore`, with an async driver: asyncpg, psycopg, asyncmy, aiosqlite.
        allow_data_loss: See `SQLAlchemyStore`.

    Raises:
        ConfigurationError: the engine is none of these, or shares one connection.
    """

    def __init__(self, engine: AsyncEngine, *, allow_data_loss: bool = False) -> None:
        given: object = engine
        if not isinstance(given, AsyncEngine):
            msg = "AsyncSQLAlchemyStore takes an AsyncEngine; for an Engine use SQLAlchemyStore"
            raise ConfigurationError(msg)
        _examine(engine.sync_engine)
        self._engine = engine
        self._checked = self._closed = False
        self._look = partial(examine, allow_data_loss=allow_data_loss)

    def __repr__(self) -> str:
        return "AsyncSQLAlchemyStore()"

    @staticmethod
    async def migrate(engine: AsyncEngine) -> int:
        """See `SQLAlchemyStore.migrate`."""
        failure = None
        try:
            async with engine.connect() as db:
                return await db.run_sync(upgrade)
        except (SQLAlchemyError, OSError) as error:
            failure = StoreError(told(error) or BROKEN)
        raise failure

    async def _do(self, verb: Callable[[Verbs], T], *, writing: bool = True, check: bool = False) -> T:
        for tries in range(TRIES):
            try:
                return await self._once(verb, writing=writing, check=check or not self._checked)
            except Undone:
                await asyncio.sleep(pause(tries))
        raise StoreError(AGAIN)

    async def _once(self, verb: Callable[[Verbs], T], *, writing: bool, check: bool) -> T:
        if self._closed:
            raise closed()

        def work(db: Connection) -> T:
            look = partial(self._look, writing=writing) if check else None
            return attempt(db, lambda tables: verb(_Bound(tables)), writing=writing, check=look)

        failure = None
        try:
            async with self._engine.connect() as db:
                done = await db.run_sync(work)
                self._checked = True
                return done
        except (SQLAlchemyError, OSError):
            failure = StoreError(FAILED)
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
