"""What a store keeps, byte by byte: its file, its memory, or the rows of its tables."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from kyc_verify.errors import UsageError
from kyc_verify.stores import MemoryStore, SQLiteStore
from kyc_verify.testing._leaks.doing import IN_A_LOOP, in_a_loop
from kyc_verify.testing.stores import is_async, unwrapped

__all__ = ["audited", "reader_of"]

_BATCH: Final = 10_000
_READING: Final = {"string": "get", "hash": "hgetall", "set": "smembers"}
Reader = Callable[[], Iterable[bytes]]
T = TypeVar("T")


def reader_of(store: Any) -> Reader | None:  # noqa: ANN401 - any store
    """Return what reads all that a store keeps; None where nobody knows how."""
    store = unwrapped(store)
    if isinstance(store, SQLiteStore):
        return lambda: _file(store._path)  # noqa: SLF001 - the kit looks into what it tests
    if isinstance(store, MemoryStore):
        return lambda: _memory(store)
    if _is(store, "sqlalchemy", "SQLAlchemyStore"):
        return lambda: _database(store._engine)  # noqa: SLF001
    if _is(store, "sqlalchemy", "AsyncSQLAlchemyStore"):
        return lambda: _ran(_awaited(store._engine))  # noqa: SLF001
    if _is(store, "composite", "CompositeStore"):
        hot, durable = store._composing.hot, reader_of(store._durable)  # noqa: SLF001
        return None if durable is None else lambda: [*_redis(hot), *durable()]
    return None


def audited(store: Any, tenant: str) -> list[dict[str, Any]]:  # noqa: ANN401 - any store
    """Return the records of a store's audit log.

    Raises:
        UsageError: they must be awaited, and a loop runs here.
    """
    store = unwrapped(store)
    if not is_async(store):
        return [record.as_dict() for record in _all(store.records, tenant)]
    apart = _is(store, "sqlalchemy", "AsyncSQLAlchemyStore")
    return _ran((_audited_apart if apart else _audited)(store, tenant))


def _ran(work: Coroutine[Any, Any, T]) -> T:
    if in_a_loop():
        work.close()
        raise UsageError(IN_A_LOOP)
    try:
        return asyncio.run(work)
    except Exception as error:
        msg = (
            f"the store cannot be read in a loop of its own ({type(error).__name__}); its connections may belong to "
            "another one: leave bench= out, and search what it keeps yourself"
        )
        raise UsageError(msg) from error


def _all(records: Callable[..., Any], tenant: str) -> Iterator[Any]:
    after = 0
    while batch := list(records(tenant, after, _BATCH)):
        yield from batch
        after = batch[-1].seq


async def _audited(store: Any, tenant: str) -> list[dict[str, Any]]:  # noqa: ANN401
    found: list[Any] = []
    while batch := list(await store.records(tenant, found[-1].seq if found else 0, _BATCH)):
        found += batch
    return [record.as_dict() for record in found]


def _is(store: object, home: str, name: str) -> bool:
    # Who has such a store has loaded its module; nobody else needs the extra.
    module = sys.modules.get(f"kyc_verify.stores.{home}")
    return module is not None and isinstance(store, getattr(module, name))


def _file(path: str | Path) -> Iterator[bytes]:
    path = Path(path)
    for each in sorted(path.parent.iterdir()):
        if each.name.startswith(path.name) and each.is_file():  # its log, too
            yield each.read_bytes()


def _memory(store: MemoryStore) -> Iterator[bytes]:
    with store._reading() as db:  # noqa: SLF001
        yield from _rows(db)


def _rows(db: sqlite3.Connection) -> Iterator[bytes]:
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 - our names
            yield from map(_cell, row)


def _cell(cell: object) -> bytes:
    return (
        bytes(cell) if isinstance(cell, bytes | bytearray | memoryview) else str(cell).encode("utf-8", "surrogatepass")
    )


def _tables(db: Any) -> list[bytes]:  # noqa: ANN401 - a connection of SQLAlchemy
    """Read every column of every table of the library's; the host's own are none of its store."""
    from kyc_verify.stores import _metadata as metadata  # noqa: PLC0415 - an extra

    quoted = db.dialect.identifier_preparer.format_table
    found: list[bytes] = []
    for table in metadata.tabled(metadata.kind_of(db.dialect)).metadata.sorted_tables:
        for row in db.exec_driver_sql(f"SELECT * FROM {quoted(table)}"):  # noqa: S608 - our names
            found += map(_cell, row)
    return found


def _database(engine: Any) -> Iterator[bytes]:  # noqa: ANN401
    with engine.connect() as db:
        yield from _tables(db)
    yield from _file_of(engine)


def _file_of(engine: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Read the file of a database that is one: pages that were freed are in it as well."""
    if engine.dialect.name == "sqlite" and engine.url.database and Path(engine.url.database).is_file():
        yield from _file(engine.url.database)


def _apart(engine: Any) -> Any:  # noqa: ANN401
    """Make an engine for the same database: connections of the host's belong to the loop they were made in."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - an extra
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    return create_async_engine(engine.url, poolclass=NullPool)


async def _awaited(engine: Any) -> list[bytes]:  # noqa: ANN401
    async with _apart(engine).connect() as db:
        found: list[bytes] = await db.run_sync(_tables)
    return [*found, *_file_of(engine)]


async def _audited_apart(store: Any, tenant: str) -> list[dict[str, Any]]:  # noqa: ANN401
    return await _audited(type(store)(_apart(store._engine)), tenant)  # noqa: SLF001


def _redis(hot: Any) -> Iterator[bytes]:  # noqa: ANN401 - a RedisStore
    client = hot._client  # noqa: SLF001
    for key in client.scan_iter(match=f"{hot._prefix}:*"):  # noqa: SLF001
        yield _cell(key)
        read = _READING.get(_cell(client.type(key)).decode())
        found = getattr(client, read)(key) if read else client.zrange(key, 0, -1)
        parts = found.items() if isinstance(found, dict) else [found] if isinstance(found, str | bytes) else found
        for part in parts:
            yield from map(_cell, part if isinstance(part, tuple) else [part])
