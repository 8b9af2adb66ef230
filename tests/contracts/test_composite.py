"""The contract of stores, for Redis as the hot half beside SQLite, PostgreSQL and MariaDB, sync and async."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("redis")
pytest.importorskip("sqlalchemy")

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kyc_verify.stores import (
    AsyncCompositeStore,
    AsyncRedisStore,
    AsyncSQLAlchemyStore,
    CompositeStore,
    RedisStore,
    SQLAlchemyStore,
    SQLiteStore,
)
from kyc_verify.testing import StoreContract
from tests.services import asynchronous, database, emptied, redis_server

_clients: dict[str, Any] = {}


def hot(socket: str, prefix: str) -> RedisStore:
    """Open the hot half; one pool of connections a process."""
    if socket not in _clients:
        _clients[socket] = Redis(unix_socket_path=socket, socket_timeout=30)
    return RedisStore(_clients[socket], prefix=prefix)


def beside_sqlite(socket: str, prefix: str, path: Path) -> CompositeStore:
    """Open it beside a file."""
    return CompositeStore(hot=hot(socket, prefix), durable=SQLiteStore(path))


def beside_sql(socket: str, prefix: str, url: str) -> CompositeStore:
    """Open it beside a server."""
    if url not in _clients:
        _clients[url] = create_engine(url, pool_size=12)
    return CompositeStore(hot=hot(socket, prefix), durable=SQLAlchemyStore(_clients[url]))


class Owning(AsyncCompositeStore):
    """Closes the client with the store: here nobody else has it."""

    def __init__(self, client: AsyncRedis, prefix: str, durable: AsyncSQLAlchemyStore) -> None:
        super().__init__(hot=AsyncRedisStore(client, prefix=prefix), durable=durable)
        self.client = client

    async def close(self) -> None:
        """Close both."""
        await super().close()
        await self.client.aclose()


def beside_async(socket: str, prefix: str, url: str) -> AsyncCompositeStore:
    """Open it for an event loop of its own."""
    client = AsyncRedis(unix_socket_path=socket, socket_timeout=30)
    durable = AsyncSQLAlchemyStore(create_async_engine(url, poolclass=NullPool))
    return Owning(client, prefix, durable)


@pytest.mark.slow
class TestBesideSQLite(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Callable[[], Any]:
        return partial(beside_sqlite, redis_server(), secrets.token_hex(8), tmp_path / "kyc.db")


class _BesideSQL(StoreContract):
    kind: ClassVar[str]

    @pytest.fixture
    def make_store(self) -> Callable[[], Any]:
        url = database(self.kind)
        emptied(create_engine(url, poolclass=NullPool))
        return partial(beside_sql, redis_server(), secrets.token_hex(8), url)


@pytest.mark.wide
@pytest.mark.slow
class TestBesidePostgreSQL(_BesideSQL):
    kind = "postgresql"


@pytest.mark.slow
class TestBesideMariaDB(_BesideSQL):
    kind = "mariadb"


@pytest.mark.wide
@pytest.mark.slow
class TestAsyncBesidePostgreSQL(_BesideSQL):
    kind = "postgresql"

    @pytest.fixture
    def make_store(self) -> Callable[[], Any]:
        url = database(self.kind)
        emptied(create_engine(url, poolclass=NullPool))
        return partial(beside_async, redis_server(), secrets.token_hex(8), asynchronous(url, self.kind))
