"""Stores by name, for tests that run over any: ``memory``, ``sqlite``, ``postgresql``, ``mariadb``, ``composite``.

Which of them the flows and the attacks are tried over says ``KYC_TEST_STORES``, by default ``memory,sqlite``::

    KYC_TEST_STORES=postgresql python -m pytest -n 2 tests/flows tests/attacks
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final

import pytest

from kyc_verify.stores import MemoryStore, SQLiteStore

__all__ = ["KINDS", "opened"]

KINDS: Final = tuple(os.environ.get("KYC_TEST_STORES", "memory,sqlite").split(","))

_engines: dict[str, Any] = {}
_names: dict[Path, str] = {}


def opened(kind: str, path: Path) -> Any:
    """Open the store of a kind that belongs to a path: empty the first time, the same one later.

    Args:
        kind: One of the names above.
        path: Of the file; for a server, what names the store's own place on it.
    """
    if kind == "memory":
        return MemoryStore()
    if kind == "sqlite":
        return SQLiteStore(path)
    # What an extra brings is tried where it is installed.
    pytest.importorskip("sqlalchemy")
    if kind == "composite":
        pytest.importorskip("redis")
        from redis import Redis  # noqa: PLC0415 - an extra

        from kyc_verify.stores import CompositeStore, RedisStore  # noqa: PLC0415
        from tests.services import redis_server  # noqa: PLC0415

        name = _names.setdefault(path, secrets.token_hex(8))

        socket = redis_server()
        if socket not in _engines:
            _engines[socket] = Redis(unix_socket_path=socket, socket_timeout=30)
        return CompositeStore(hot=RedisStore(_engines[socket], prefix=name), durable=SQLiteStore(path))
    return _on_server(kind, path)


def _on_server(kind: str, path: Path) -> Any:
    """Open a store in a place of its own: a schema of PostgreSQL, a database of MariaDB, named as the file would be.

    Places are kept for the next test, emptied: to make tables takes longer than most tests.
    """
    from sqlalchemy import create_engine, make_url  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415
    from tests.services import database, emptied  # noqa: PLC0415

    place = f"{kind}_{''.join(filter(str.isalnum, path.stem)).lower()}"
    if place not in _engines:
        url = make_url(database(kind))
        server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with server.connect() as db:
            if kind == "postgresql":
                db.exec_driver_sql(f"CREATE SCHEMA {place}")
                url = url.update_query_dict({"options": f"-csearch_path={place}"})
            else:
                start, _, pid = str(url.database).rpartition("_")
                url = url.set(database=f"{start}_{place}_{pid}")
                db.exec_driver_sql(f"CREATE DATABASE {url.database} CHARACTER SET utf8mb4")
        _engines[place] = create_engine(url, pool_size=3, max_overflow=40)
    if path not in _names:
        _names[path] = place
        emptied(_engines[place])
    return SQLAlchemyStore(_engines[place])
