"""A store in two halves: what is counted by the minute in Redis, what must be kept in a database.

store = CompositeStore(hot=RedisStore(client), durable=SQLAlchemyStore(engine))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kyc_verify.audit import AuditRecord, Seal
from kyc_verify.credentials import Credential
from kyc_verify.errors import ConfigurationError
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
from kyc_verify.stores._composing import Composing
from kyc_verify.stores._verbs import Verbs
from kyc_verify.stores.redis import AsyncRedisStore, RedisStore

if TYPE_CHECKING:
    from kyc_verify.stores.sqlalchemy import AsyncSQLAlchemyStore  # an extra that SQLite does without

__all__ = ["AsyncCompositeStore", "CompositeStore"]

T = TypeVar("T")


def _now(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose parts never suspend."""
    try:
        work.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    work.close()
    msg = "a plain store suspended; use AsyncCompositeStore for async halves"
    raise ConfigurationError(msg)


class CompositeStore:
    """A store with a hot half in Redis and a durable half in SQL.

    Hot are the claims of turns and the tries inside a window; durable is everything else: sessions and their states,
    consecutive tries, runs, credentials, grants, holds and the audit log. A step charges hot, is compared, is recorded
    durably, frees its turn hot, and is released then.

    Args:
        hot: A `RedisStore`.
        durable: A `SQLiteStore` or a `SQLAlchemyStore`.

    Raises:
        ConfigurationError: a half is of the wrong kind.
        StoreError: Redis does not answer, or may forget; said by name that it may, it only warns. Whether its state is
            the one that the durable half knows is looked at by the first verb: a Redis that was wiped is never taken
            for a fresh start, see `accept_loss`.
    """

    def __init__(self, *, hot: RedisStore, durable: Verbs) -> None:
        halves: tuple[object, object] = (hot, durable)
        if not isinstance(halves[0], RedisStore) or not isinstance(halves[1], Verbs):
            msg = "CompositeStore takes hot=RedisStore(...) and durable=SQLAlchemyStore(...) or SQLiteStore(...)"
            raise ConfigurationError(msg)
        self._durable = durable
        self._composing = Composing(hot, durable)
        _now(hot.check())

    def __repr__(self) -> str:
        return f"CompositeStore(hot={self._composing.hot!r}, durable={self._durable!r})"

    def ready(self, now: datetime) -> None:
        """Check that both halves can be used, and that they belong together.

        Raises:
            StoreError: they cannot, or do not.
        """
        ready: Callable[[datetime], None] | None = getattr(self._durable, "ready", None)
        if ready is not None:
            ready(now)
        _now(self._composing.ready(now))

    def accept_loss(self, now: datetime) -> None:
        """Go on with a Redis that lost its state.

        Nobody knows which tries were made, so every budget whose window reaches back before `now` counts as used up,
        until its window has passed: those checks are unavailable, and callers go to review.

        Raises:
            StoreError: Redis may forget again, or a half does not answer.
        """
        _now(self._composing.accept_loss(now))

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """See `Verbs.open`."""
        return _now(self._composing.open(new, request, now))

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """See `Verbs.begin`."""
        return _now(self._composing.begin(tenant, session, turn, now))

    def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """See `Verbs.commit`."""
        return _now(self._composing.commit(change, seal, now))

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """See `Verbs.load`."""
        return _now(self._composing.load(tenant, session, now, run))

    def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """See `Verbs.redeem`."""
        return self._durable.redeem(redemption, seal, now)

    def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `Verbs.enroll`; budgets are refilled once that is recorded."""
        self._durable.enroll(tenant, subject, credentials, clear=clear, fresh_key=fresh_key, seal=seal, now=now)
        _now(self._composing.clear(tenant, clear, now))

    def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `Verbs.set_standing`; budgets are refilled once that is recorded."""
        self._durable.set_standing(
            tenant, subject, standing, flags=flags, clear=clear, fresh_key=fresh_key, seal=seal, now=now
        )
        _now(self._composing.clear(tenant, clear, now))

    def note(self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes) -> None:
        """See `Verbs.note`."""
        self._durable.note(tenant, subject, seal, now, fresh_key=fresh_key)

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """See `Verbs.erase`."""
        sessions = _now(self._composing.sessions_of(tenant, subject))
        erased = self._durable.erase(tenant, subject, seal, now)
        _now(self._composing.forget(tenant, sessions, now))
        return erased

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """See `Verbs.records`."""
        return self._durable.records(tenant, after, limit)

    def purge(self, before: datetime, limit: int) -> int:
        """See `Verbs.purge`; what is hot goes by itself, a day after it has ended."""
        return self._durable.purge(before, limit)

    def close(self) -> None:
        """Close the durable half; the client is the host's, and stays open."""
        close: Callable[[], None] | None = getattr(self._durable, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncCompositeStore:
    """`CompositeStore` for an `AsyncVerifier`, of async halves; both are looked at by the first verb, or by `ready`.

    Args:
        hot: An `AsyncRedisStore`.
        durable: An `AsyncSQLAlchemyStore`.

    Raises:
        ConfigurationError: a half is of the wrong kind.
    """

    def __init__(self, *, hot: AsyncRedisStore, durable: AsyncSQLAlchemyStore) -> None:
        halves: tuple[object, object] = (hot, durable)
        awaited = inspect.iscoroutinefunction(getattr(halves[1], "transact", None))
        if not isinstance(halves[0], AsyncRedisStore) or not awaited:
            msg = "AsyncCompositeStore takes hot=AsyncRedisStore(...) and durable=AsyncSQLAlchemyStore(...)"
            raise ConfigurationError(msg)
        self._durable = durable
        self._composing = Composing(hot, durable)

    def __repr__(self) -> str:
        return f"AsyncCompositeStore(hot={self._composing.hot!r}, durable={self._durable!r})"

    async def ready(self, now: datetime) -> None:
        """See `CompositeStore.ready`."""
        await self._durable.ready(now)
        await self._composing.ready(now)

    async def accept_loss(self, now: datetime) -> None:
        """See `CompositeStore.accept_loss`."""
        await self._composing.accept_loss(now)

    async def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """See `Verbs.open`."""
        return await self._composing.open(new, request, now)

    async def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """See `Verbs.begin`."""
        return await self._composing.begin(tenant, session, turn, now)

    async def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """See `Verbs.commit`."""
        return await self._composing.commit(change, seal, now)

    async def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """See `Verbs.load`."""
        return await self._composing.load(tenant, session, now, run)

    async def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """See `Verbs.redeem`."""
        return await self._durable.redeem(redemption, seal, now)

    async def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `CompositeStore.enroll`."""
        await self._durable.enroll(tenant, subject, credentials, clear=clear, fresh_key=fresh_key, seal=seal, now=now)
        await self._composing.clear(tenant, clear, now)

    async def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """See `CompositeStore.set_standing`."""
        await self._durable.set_standing(
            tenant, subject, standing, flags=flags, clear=clear, fresh_key=fresh_key, seal=seal, now=now
        )
        await self._composing.clear(tenant, clear, now)

    async def note(
        self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes
    ) -> None:
        """See `Verbs.note`."""
        await self._durable.note(tenant, subject, seal, now, fresh_key=fresh_key)

    async def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """See `Verbs.erase`."""
        sessions = await self._composing.sessions_of(tenant, subject)
        erased = await self._durable.erase(tenant, subject, seal, now)
        await self._composing.forget(tenant, sessions, now)
        return erased

    async def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """See `Verbs.records`."""
        return await self._durable.records(tenant, after, limit)

    async def purge(self, before: datetime, limit: int) -> int:
        """See `CompositeStore.purge`."""
        return await self._durable.purge(before, limit)

    async def close(self) -> None:
        """See `CompositeStore.close`."""
        await self._durable.close()
