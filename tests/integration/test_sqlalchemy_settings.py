"""The SQL store on connections and servers that are set in other ways: what would lose something is refused."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from kyc_verify import ConfigurationError, StoreError
from kyc_verify.ports import Standing
from kyc_verify.stores import AsyncSQLAlchemyStore, SQLAlchemyStore
from kyc_verify.stores import _examining as examining
from kyc_verify.testing._contract.desk import NOW, Desk, charge, credential
from tests.services import asynchronous, database, emptied

CHARACTER = "cust-\N{GRINNING FACE}"
STRICT = "this connection might cut text"


@pytest.fixture(params=["postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str) -> str:
    """Return the address of a database with empty tables."""
    url = database(kind)
    engine = sa.create_engine(url, poolclass=NullPool)
    emptied(engine)
    return url


@pytest.fixture
def mariadb() -> str:
    return made("mariadb")


@pytest.fixture
def postgresql() -> str:
    return made("postgresql")


@pytest.fixture
def engines() -> Iterator[Any]:
    """Yield a maker of engines."""
    found: list[sa.Engine] = []

    def make(url: str, **options: Any) -> sa.Engine:
        found.append(sa.create_engine(url, **options))
        return found[-1]

    yield make
    for engine in found:
        engine.dispose()


def sql(url: str, statement: str) -> list[Any]:
    """Do something beside the store."""
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as db:
        found = db.exec_driver_sql(statement)
        return list(found.all()) if found.returns_rows else []


# ── Every character ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("charset", ["latin1", "utf8"])
def test_a_connection_that_carries_not_every_character_is_refused(mariadb: str, engines: Any, charset: str) -> None:
    with pytest.raises(StoreError, match="use charset=utf8mb4") as raised:
        SQLAlchemyStore(engines(f"{mariadb}?charset={charset}"))
    assert raised.value.__context__ is None


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("what", ["connection", "database"])
def test_a_database_that_holds_not_every_character_is_refused(
    postgresql: str, engines: Any, what: str, driver: str
) -> None:
    url, options = sa.make_url(postgresql), {}
    if what == "connection":
        if driver == "asyncpg":
            pytest.skip("asyncpg always speaks UTF-8")
        options = {"connect_args": {"client_encoding": "LATIN1"}}
    else:
        own = f"{url.database}_latin1"
        server = engines(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with server.connect() as db:
            db.exec_driver_sql(f"DROP DATABASE IF EXISTS {own}")
            db.exec_driver_sql(
                f"CREATE DATABASE {own} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )
        url = url.set(database=own)
        SQLAlchemyStore.migrate(engines(url, poolclass=NullPool))
    try:
        theirs = create_async_engine(url.set(drivername=f"postgresql+{driver}"), poolclass=NullPool, **options)
        with pytest.raises(StoreError, match="a database of encoding UTF8"):
            asyncio.run(AsyncSQLAlchemyStore(theirs).ready(NOW))
        if driver == "psycopg":
            with pytest.raises(StoreError, match="a database of encoding UTF8"):
                SQLAlchemyStore(engines(url, poolclass=NullPool, **options))
    finally:
        if what == "database":
            with server.connect() as db:
                db.exec_driver_sql(f"DROP DATABASE {own}")


def test_text_that_is_not_carried_is_a_sentence_without_the_statement(kind: str, engines: Any) -> None:
    engine = engines(made(kind), pool_size=1, max_overflow=0)
    desk = Desk(SQLAlchemyStore(engine))
    desk.enroll(credential(subject="cust-1"), subject="cust-1")
    with engine.connect() as db:  # as a host may do behind the store's back, on a connection that goes back to the pool
        if kind == "postgresql":
            db.exec_driver_sql("SET client_encoding = 'LATIN1'")
        else:
            db.connection.dbapi_connection.encoding = "latin1"
        db.commit()
    with pytest.raises(StoreError, match="the connection does not carry every text as it is") as raised:
        desk.stand(Standing.LOCKED, subject=CHARACTER)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert "INSERT" not in "".join(traceback.format_exception(raised.value))
    desk.stand(Standing.LOCKED, subject=CHARACTER)  # the connection was dropped, and the next one is sound


# ── Nothing is cut ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["", "ANSI", "NO_ENGINE_SUBSTITUTION"])
def test_a_connection_that_is_not_strict_is_refused(mariadb: str, engines: Any, mode: str) -> None:
    options = {"init_command": f"SET SESSION sql_mode='{mode}'"}
    with pytest.raises(StoreError, match=STRICT):
        SQLAlchemyStore(engines(mariadb, connect_args=options))
    theirs = create_async_engine(asynchronous(mariadb, "mariadb"), poolclass=NullPool, connect_args=options)
    with pytest.raises(StoreError, match=STRICT):
        asyncio.run(AsyncSQLAlchemyStore(theirs).ready(NOW))


@pytest.mark.parametrize("mode", ["STRICT_ALL_TABLES,ANSI", "TRADITIONAL", "STRICT_TRANS_TABLES"])
def test_what_is_strict_in_another_way_is_used(mariadb: str, engines: Any, mode: str) -> None:
    engine = engines(mariadb, connect_args={"init_command": f"SET SESSION sql_mode='{mode}'"})
    Desk(SQLAlchemyStore(engine)).start("s-1", CHARACTER)


@pytest.mark.parametrize(
    "given",
    [
        "SET SESSION sql_mode=''",
        "SET NAMES latin1",
        "SET character_set_client=latin1",
        "SET character_set_results=latin1",
        "SET character_set_connection=latin1",
    ],
)
def test_a_connection_that_a_host_made_lax_cuts_and_changes_nothing(mariadb: str, engines: Any, given: str) -> None:
    engine = engines(mariadb, pool_size=1, max_overflow=0)
    desk = Desk(SQLAlchemyStore(engine))
    desk.enroll(credential(subject="c" * 200), subject="c" * 200)
    with engine.connect() as db:
        db.exec_driver_sql(given)
        mode = db.exec_driver_sql("SELECT @@sql_mode").scalar_one()
    with pytest.raises(StoreError, match=STRICT):
        desk.stand(Standing.LOCKED, subject="c" * 201)
    assert [row[0] for row in sql(mariadb, "SELECT standing FROM kyc_subjects")] == ["open"]
    with engine.connect() as db:  # and it is the host's as it was
        assert db.exec_driver_sql("SELECT @@sql_mode").scalar_one() == mode


def test_the_isolation_of_the_library_is_not_the_host_s(mariadb: str, engines: Any) -> None:
    engine = engines(mariadb, pool_size=1, max_overflow=0)
    store = SQLAlchemyStore(engine)
    level = "SELECT trx_isolation_level FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = connection_id()"

    def told(db: Any) -> object:
        db.set_mark("hot", 1, over=True)
        time.sleep(0.3)  # the server shows its transactions as they were a tenth of a second ago
        return db._db.exec_driver_sql(level).scalar_one()

    assert store.transact(told) == "READ COMMITTED"
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT @@tx_isolation").scalar_one() == "REPEATABLE-READ"
        db.exec_driver_sql("INSERT INTO kyc_meta VALUES ('host', 1)")
        time.sleep(0.3)
        assert db.exec_driver_sql(level).scalar_one() == "REPEATABLE READ"


def test_an_id_that_is_too_long_is_not_the_shorter_one(mariadb: str, engines: Any) -> None:
    desk = Desk(SQLAlchemyStore(engines(mariadb)))
    desk.enroll(credential(subject="c" * 200), subject="c" * 200)
    with pytest.raises(StoreError):
        desk.stand(Standing.LOCKED, subject="c" * 201)
    assert [row[0] for row in sql(mariadb, "SELECT standing FROM kyc_subjects")] == ["open"]


@pytest.mark.parametrize("found_rows", [True, False])
def test_whether_a_row_was_added_is_told_however_the_driver_counts(
    mariadb: str, engines: Any, found_rows: bool
) -> None:
    store = SQLAlchemyStore(engines(mariadb, connect_args={} if found_rows else {"client_flag": 0}))
    keys = (b"1" * 32, b"1" * 32, b"2" * 32)
    added = [store.transact(lambda db, key=key: db.add_subject("t", "cust-1", key)) for key in keys]
    assert added == [True, False, False]
    assert store.transact(lambda db: db.subject_key("t", "cust-1")) == b"1" * 32


@pytest.mark.parametrize("found_rows", [True, False])
def test_an_async_driver_logs_no_customer(mariadb: str, caplog: pytest.LogCaptureFixture, found_rows: bool) -> None:
    url = asynchronous(mariadb, "mariadb")
    caplog.set_level(logging.DEBUG)

    async def added() -> list[bool]:
        engine = create_async_engine(url, connect_args={} if found_rows else {"client_flag": 0})
        store = AsyncSQLAlchemyStore(engine)
        found = [await store.transact(lambda db: db.add_subject("t", "jane.doe@example.com", b"1" * 32)) for _ in "123"]
        await store.transact(lambda db: [db.add_day("t", "2026-01-01", b"1" * 32) for _ in "12"])
        await engine.dispose()
        return found

    assert asyncio.run(added()) == [True, False, False]
    assert "jane" not in caplog.text
    assert "Duplicate" not in caplog.text


# ── What was acknowledged is on disk ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "used"), [("off", "on"), ("local", "local"), ("on", "on"), ("remote_apply", "remote_apply")]
)
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_commit_waits_for_the_disk_and_stronger_settings_stay(
    postgresql: str, given: str, used: str, driver: str
) -> None:
    url = sa.make_url(postgresql).set(drivername=f"postgresql+{driver}")
    options: dict[str, Any] = {"options": f"-csynchronous_commit={given}"}
    if driver == "asyncpg":
        options = {"server_settings": {"synchronous_commit": given}}

    def told(db: Any) -> str:
        return str(db._db.exec_driver_sql("SHOW synchronous_commit").scalar_one())

    async def inside() -> list[str]:
        engine = create_async_engine(url, connect_args=options, pool_size=1, max_overflow=0)
        store = AsyncSQLAlchemyStore(engine)
        found = [await store.transact(told) for _ in range(2)]
        async with engine.connect() as db:
            found.append(str((await db.exec_driver_sql("SHOW synchronous_commit")).scalar_one()))
        await engine.dispose()
        return found

    # The connection is given back to the host as it was.
    assert asyncio.run(inside()) == [used, used, given]


def test_it_is_asked_once_of_a_connection(postgresql: str, engines: Any) -> None:
    engine = engines(postgresql, pool_size=1, max_overflow=0)
    desk = Desk(SQLAlchemyStore(engine))
    desk.start("s-1", "cust-1", charge(limit=9))
    seen: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    desk.begin()
    desk.commit("s-1")
    assert seen == []


@pytest.mark.parametrize("told", ["set innodb_flush_log_at_trx_commit=1", "set fsync=on"])
def test_a_server_that_loses_what_it_acknowledged_is_refused_or_accepted_by_name(
    engines: Any, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    kind, asked, says = ("postgresql", "postgresql", "'off'") if "fsync" in told else ("mariadb", "other", "2")
    engine = engines(made(kind))
    _, kept, what = examining._FLUSHED[asked]
    monkeypatch.setitem(examining._FLUSHED, asked, (f"SELECT {says}", kept, what))
    with pytest.raises(StoreError, match=f"{told}, or accept it with allow_data_loss=True"):
        SQLAlchemyStore(engine)
    with pytest.warns(RuntimeWarning, match=told):
        store = SQLAlchemyStore(engine, allow_data_loss=True)
    Desk(store).start("s-1", "cust-1")


# ── What cannot be written ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["transactions", "account"])
def test_ready_says_that_nothing_can_be_written(kind: str, engines: Any, how: str) -> None:
    url = sa.make_url(made(kind))
    name = f"reader_{url.database}"[-32:]
    options: dict[str, Any] = {}
    if how == "account":
        user = name if kind == "postgresql" else f"{name}@'%%'"
        made_by = "LOGIN PASSWORD 'pw'" if kind == "postgresql" else "IDENTIFIED BY 'pw'"
        tables = "ALL TABLES IN SCHEMA public" if kind == "postgresql" else f"{url.database}.*"
        sql(str(url.render_as_string(hide_password=False)), f"CREATE USER {user} {made_by}")
        sql(str(url.render_as_string(hide_password=False)), f"GRANT SELECT ON {tables} TO {user}")
        url_read = url.set(username=name, password="pw")
    else:
        url_read = url
        options = {"connect_args": {"init_command": "SET SESSION tx_read_only=1"}}
        if kind == "postgresql":
            options = {"connect_args": {"options": "-cdefault_transaction_read_only=on"}}
    try:
        store = SQLAlchemyStore(engines(url_read, poolclass=NullPool, **options))
        with pytest.raises(StoreError, match="nothing can be written here: connect to the primary"):
            store.ready(NOW)
    finally:
        if how == "account":
            whole = str(url.render_as_string(hide_password=False))
            if kind == "postgresql":
                sql(whole, f"DROP OWNED BY {name}")
            sql(whole, f"DROP USER {user}")


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:one?mode=memory&cache=shared&uri=true"])
def test_a_database_in_memory_is_refused(engines: Any, url: str) -> None:
    engine = engines(url, poolclass=QueuePool)
    SQLAlchemyStore.migrate(engine)
    with pytest.raises(ConfigurationError, match="name a file, or use MemoryStore"):
        SQLAlchemyStore(engine)


def test_an_engine_that_begins_by_itself_is_a_sentence(engines: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kyc.db'}"
    engine = engines(url)
    sa.event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda db: db.exec_driver_sql("BEGIN"))
    with pytest.raises(StoreError, match="make an engine for the library alone"):
        SQLAlchemyStore.migrate(engine)
    SQLAlchemyStore.migrate(engines(url))
    with pytest.raises(StoreError, match="make an engine for the library alone"):
        SQLAlchemyStore(engine)


# ── What listens ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
def test_who_listens_to_a_purge_sees_no_value(kind: str, engines: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kyc.db'}"
    if kind == "sqlite":
        SQLAlchemyStore.migrate(engines(url))
    else:
        url = made(kind)
    engine = engines(url)
    desk = Desk(SQLAlchemyStore(engine))
    for n in range(3):
        desk.start(f"s-{n}", "cust-1", charge(limit=9))
    desk.begin(1, "s-1")
    seen: list[Any] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2:4]))
    gone = desk.store.purge(NOW.replace(year=NOW.year + 9), 2)
    while more := desk.store.purge(NOW.replace(year=NOW.year + 9), 1000):
        gone += more
    assert gone >= 7  # sessions, their runs, and the charge
    assert not any("s-1" in repr(each) or "kyc_" in repr(each) for each in seen)
