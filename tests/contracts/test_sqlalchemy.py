"""The contract of stores, for PostgreSQL, MariaDB and SQLite through SQLAlchemy, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("sqlalchemy")

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kyc_verify.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
from kyc_verify.testing import StoreContract
from tests.services import asynchronous, database, emptied

_engines: dict[str, Any] = {}


def opened(url: str) -> SQLAlchemyStore:
    """Open the store at an address; one engine a process."""
    if url not in _engines:
        # A file of SQLite is another one in each test: its connections must not outlive it.
        _engines[url] = create_engine(
            url, **({"poolclass": NullPool} if url.startswith("sqlite") else {"pool_size": 12})
        )
    return SQLAlchemyStore(_engines[url])


def opened_async(url: str) -> AsyncSQLAlchemyStore:
    """Open it for an event loop of its own."""
    return AsyncSQLAlchemyStore(create_async_engine(url, poolclass=NullPool))


class _Contract(StoreContract):
    kind: ClassVar[str]

    @pytest.fixture
    def make_store(self) -> Callable[[], Any]:
        url = database(self.kind)
        emptied(create_engine(url, poolclass=NullPool))
        return partial(opened, url)


class _AsyncContract(_Contract):
    @pytest.fixture
    def make_store(self) -> Callable[[], Any]:
        url = database(self.kind)
        emptied(create_engine(url, poolclass=NullPool))
        return partial(opened_async, asynchronous(url, self.kind))


@pytest.mark.wide
@pytest.mark.slow
class TestPostgreSQL(_Contract):
    kind = "postgresql"


@pytest.mark.wide
@pytest.mark.slow
class TestMariaDB(_Contract):
    kind = "mariadb"


@pytest.mark.slow
class TestSQLite(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Callable[[], Any]:
        url = f"sqlite:///{tmp_path / 'kyc.db'}"
        SQLAlchemyStore.migrate(create_engine(url, poolclass=NullPool))
        return partial(opened, url)


@pytest.mark.wide
@pytest.mark.slow
class TestAsyncPostgreSQL(_AsyncContract):
    kind = "postgresql"


@pytest.mark.slow
class TestAsyncMariaDB(_AsyncContract):
    kind = "mariadb"


@pytest.mark.slow
class TestAsyncSQLite(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> Callable[[], Any]:
        pytest.importorskip("aiosqlite")
        url = f"sqlite+aiosqlite:///{tmp_path / 'kyc.db'}"
        asyncio.run(AsyncSQLAlchemyStore.migrate(create_async_engine(url, poolclass=NullPool)))
        return partial(opened_async, url)
