"""The SQL store in a host's database: its own connections, its schema, its errors, its races."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from kyc_verify import ConfigurationError, StoreError, profiles
from kyc_verify.cli import main
from kyc_verify.stores import AsyncSQLAlchemyStore, SQLAlchemyStore
from kyc_verify.stores._core import Core
from kyc_verify.stores._metadata import VERSION, kind_of, tabled
from kyc_verify.testing import Bench, Caller, assert_not_verified, assert_verified
from kyc_verify.testing._contract.desk import NOW, Desk
from tests.services import asynchronous, database

KINDS = ["postgresql", "mariadb", "sqlite"]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'kyc.db'}" if request.param == "sqlite" else database(request.param)


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """A database without our tables."""
    engine = sa.create_engine(url)
    _drop(engine)
    yield engine
    _drop(engine)
    engine.dispose()


def _drop(engine: sa.Engine) -> None:
    with engine.begin() as db:
        tabled(kind_of(engine.dialect)).metadata.drop_all(db)
        db.execute(sa.text("DROP TABLE IF EXISTS host_orders"))


# ── The schema ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_database_without_tables_is_refused_and_migrating_makes_them(engine: sa.Engine) -> None:
    with pytest.raises(StoreError, match="kyc-verify store migrate URL"):
        SQLAlchemyStore(engine)
    assert SQLAlchemyStore.migrate(engine) == VERSION
    assert SQLAlchemyStore.migrate(engine) == VERSION
    SQLAlchemyStore(engine).ready(NOW)


def test_a_migration_of_the_hosts_takes_it_along(engine: sa.Engine) -> None:
    with engine.begin() as db:
        assert SQLAlchemyStore.migrate(db) == VERSION
    SQLAlchemyStore(engine).ready(NOW)


ENV = """
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

with create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=NullPool).connect() as db:
    context.configure(connection=db)
    with context.begin_transaction():
        context.run_migrations()
"""


def test_the_recipe_for_alembic_migrates(engine: sa.Engine, tmp_path: Path) -> None:
    command, config = pytest.importorskip("alembic.command"), pytest.importorskip("alembic.config")
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python no-run\n(from alembic.*?)```", page, re.DOTALL)
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV, encoding="utf-8")
    revision = f'revision, down_revision = "1", None\n{recipe}'
    (tmp_path / "versions" / "one.py").write_text(revision, encoding="utf-8")
    given = config.Config()
    given.set_main_option("script_location", str(tmp_path))
    given.set_main_option("sqlalchemy.url", engine.url.render_as_string(hide_password=False))
    try:
        for _ in range(2):
            command.upgrade(given, "head")
        SQLAlchemyStore(engine).ready(NOW)
    finally:
        with engine.begin() as db:
            db.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (-1, "version -1, which no version of the library has written; restore the table kyc_meta"),
        (0, "version 0, which no version of the library has written; restore the table kyc_meta"),
        (99, "newer version"),
    ],
)
def test_another_version_is_refused(engine: sa.Engine, version: int, told: str) -> None:
    SQLAlchemyStore.migrate(engine)
    store = SQLAlchemyStore(engine)
    with engine.begin() as db:
        db.execute(sa.text("UPDATE kyc_meta SET value = :v"), {"v": version})
    with pytest.raises(StoreError, match=told):
        SQLAlchemyStore(engine)
    with pytest.raises(StoreError, match=told):
        store.ready(NOW)
    with pytest.raises(StoreError, match=told):
        SQLAlchemyStore.migrate(engine)


def test_a_changed_schema_is_refused(engine: sa.Engine) -> None:
    SQLAlchemyStore.migrate(engine)
    with engine.begin() as db:
        db.execute(sa.text("DROP TABLE kyc_pins"))
    with pytest.raises(StoreError, match="damaged: kyc_pins lacks check_id, key, tenant, until"):
        SQLAlchemyStore(engine)


def test_a_schema_without_its_keys_is_refused(engine: sa.Engine) -> None:
    SQLAlchemyStore.migrate(engine)
    kind = engine.dialect.name
    with engine.begin() as db:
        on = " ON kyc_sessions" if kind == "mysql" else ""
        db.execute(sa.text(f"DROP INDEX kyc_sessions_request{on}"))
        # What is left finds the same rows, and forbids none.
        db.execute(sa.text("CREATE INDEX kyc_sessions_request ON kyc_sessions (tenant, request)"))
    lost = ["kyc_sessions lacks its unique index kyc_sessions_request"]
    if kind != "sqlite":
        with engine.begin() as db:
            for name in ("kyc_grants", "kyc_records"):
                key = "PRIMARY KEY" if kind == "mysql" else f"CONSTRAINT {name}_pkey"
                db.execute(sa.text(f"ALTER TABLE {name} DROP {key}"))
        lost += [r"kyc_grants lacks its primary key \(tenant, digest\)", r"kyc_records lacks .* \(tenant, seq\)"]
    for each in lost:
        with pytest.raises(StoreError, match=each):
            SQLAlchemyStore(engine)


@pytest.mark.parametrize("level", [None, "REPEATABLE READ"])
def test_all_who_migrate_at_once_get_the_version(url: str, engine: sa.Engine, level: str | None) -> None:
    options = {} if level is None or url.startswith("sqlite") else {"isolation_level": level}
    many, together = 4, threading.Barrier(4)

    def migrated(_: int) -> int:
        own = sa.create_engine(url, poolclass=NullPool, **options)
        together.wait(30)
        return SQLAlchemyStore.migrate(own)

    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(migrated, range(many))) == [VERSION] * many
    SQLAlchemyStore(engine).ready(NOW)


def test_all_async_who_migrate_at_once_get_the_version(url: str, engine: sa.Engine) -> None:
    del engine
    own = url.replace("sqlite:", "sqlite+aiosqlite:")
    if not url.startswith("sqlite"):
        own = asynchronous(url, "postgresql" if url.startswith("postgresql") else "mariadb")

    async def migrated() -> list[int]:
        engines = [create_async_engine(own, poolclass=NullPool) for _ in range(4)]
        return await asyncio.gather(*map(AsyncSQLAlchemyStore.migrate, engines))

    assert asyncio.run(migrated()) == [VERSION] * 4


# ── Whose connection ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_host_rolls_back_undoes_nothing(url: str, engine: sa.Engine) -> None:
    if url.startswith("sqlite"):
        pytest.skip("on SQLite the library has a file of its own")
    SQLAlchemyStore.migrate(engine)
    bench = Bench(profiles.bank(), store=SQLAlchemyStore(engine))
    with engine.connect() as host:
        host.execute(sa.text("CREATE TABLE host_orders (id INTEGER)"))
        host.commit()
        host.execute(sa.text("INSERT INTO host_orders VALUES (1)"))
        wrong = bench.play(Caller.answers({"pin": "0000", "account_tenure": None}), action="change_phone")
        host.rollback()
    assert_not_verified(wrong)
    kept = list(bench.store.records("default", 0, 1000))  # type: ignore[arg-type]
    assert [record.event.value for record in kept][-len(wrong.audit) :] == [r.event.value for r in wrong.audit]
    with engine.connect() as db:
        assert db.execute(sa.text("SELECT count(*) FROM kyc_charges")).scalar_one() > 0
        assert db.execute(sa.text("SELECT count(*) FROM host_orders")).scalar_one() == 0


@pytest.mark.parametrize("how", ["address", "options"])
def test_an_engine_that_commits_by_itself_is_told_otherwise(
    url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    SQLAlchemyStore.migrate(engine)
    level = {"isolation_level": "AUTOCOMMIT"}
    theirs = sa.create_engine(url, **level) if how == "address" else sa.create_engine(url).execution_options(**level)
    desk = Desk(SQLAlchemyStore(theirs))
    desk.start()

    def add_record(*_: Any, **__: Any) -> None:
        raise StoreError

    monkeypatch.setattr(Core, "add_record", add_record)
    with pytest.raises(StoreError):
        desk.commit()
    monkeypatch.undo()
    assert desk.load().session.version == 1
    theirs.dispose()


def test_what_is_cut_off_in_the_middle_leaves_its_connection_to_nobody(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    SQLAlchemyStore.migrate(engine)
    desk = Desk(SQLAlchemyStore(engine))
    desk.start()
    dropped: list[Any] = []
    sa.event.listen(engine, "invalidate", lambda *given: dropped.append(given))

    def claim(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Core, "claim", claim)
    with pytest.raises(KeyboardInterrupt):
        desk.begin()
    monkeypatch.undo()
    assert len(dropped) == 1
    assert desk.begin().granted


def test_connections_that_died_cost_one_verb(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("a file has no connections to lose")
    SQLAlchemyStore.migrate(engine)
    desk = Desk(SQLAlchemyStore(engine))
    desk.start()
    mine, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mysql": ("SELECT connection_id()", "KILL {}"),
    }[engine.dialect.name]
    with engine.connect() as one, engine.connect() as two:
        pooled = [db.execute(sa.text(mine)).scalar_one() for db in (one, two)]
    other = sa.create_engine(engine.url, poolclass=NullPool)
    with other.connect() as db:
        for each in pooled:
            db.execute(sa.text(kill.format(each)))
    with pytest.raises(StoreError, match="the database failed"):
        desk.begin()
    assert desk.begin().granted


def test_a_shared_connection_is_refused(tmp_path: Path) -> None:
    shared = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=StaticPool)
    with pytest.raises(ConfigurationError, match="shares one connection"):
        SQLAlchemyStore(shared)
    with pytest.raises(ConfigurationError, match="shares one connection"):
        SQLAlchemyStore(sa.create_engine("sqlite://"))


def test_the_file_of_the_host_is_refused(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    with engine.begin() as db:
        db.execute(sa.text("CREATE TABLE orders (id INTEGER)"))
    SQLAlchemyStore.migrate(engine)
    with pytest.raises(StoreError, match="the file also holds orders; on SQLite give the library a file of its own"):
        SQLAlchemyStore(engine)


def test_the_wrong_kind_of_engine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kyc.db"
    with pytest.raises(ConfigurationError, match="use AsyncSQLAlchemyStore"):
        SQLAlchemyStore(create_async_engine(f"sqlite+aiosqlite:///{path}"))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="use SQLAlchemyStore"):
        AsyncSQLAlchemyStore(sa.create_engine(f"sqlite:///{path}"))  # type: ignore[arg-type]


# ── In use ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_customer_is_verified_and_redeems_once(engine: sa.Engine) -> None:
    SQLAlchemyStore.migrate(engine)
    bench = Bench(profiles.bank(), store=SQLAlchemyStore(engine))
    call = bench.play(action="change_phone")
    assert_verified(call)
    grant = call.require()
    bench.verifier.redeem(grant, subject=bench.subject, action="change_phone", call=bench.call)
    with pytest.raises(Exception, match="used already"):
        bench.verifier.redeem(grant, subject=bench.subject, action="change_phone", call=bench.call)
    assert {verb for line in call.lines for verb in line.trips} == {"open", "begin", "commit"}


def test_a_failure_shows_no_statement_and_no_value(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    SQLAlchemyStore.migrate(engine)
    bench = Bench(profiles.bank(), store=SQLAlchemyStore(engine))
    with engine.begin() as db:
        db.execute(sa.text("DROP TABLE kyc_grants"))
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError) as raised:
        bench.play(action="change_phone")
    error = raised.value
    assert error.__cause__ is None
    assert error.__context__ is None
    text = "".join(traceback.format_exception(error))
    assert "kyc_grants" not in text
    assert "UPDATE" not in text
    assert caplog.text == ""


def test_a_server_that_is_not_there() -> None:
    engine = sa.create_engine("postgresql+psycopg://nobody:geheim@127.0.0.1:1/nothing")
    with pytest.raises(StoreError) as raised:
        SQLAlchemyStore(engine)
    assert "geheim" not in str(raised.value)
    with pytest.raises(StoreError, match="the schema cannot be made"):
        SQLAlchemyStore.migrate(engine)


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_migrates_and_checks(url: str, engine: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    del engine
    assert main(["store", "check", url]) == 2
    assert "kyc-verify store migrate URL" in capsys.readouterr().err
    for _ in range(2):
        assert main(["store", "migrate", url]) == 0
        assert capsys.readouterr().out == f"the schema has version {VERSION}\n"
    assert main(["store", "check", url]) == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "no address of a database"),
        ("nonsense", "no address of a database"),
        ("oracle+nothing://x", "no address of a database"),
        ("postgresql+psycopg://a:geheim@127.0.0.1:1/x", "the schema cannot be made"),
        ("sqlite:////absent/folder/kyc.db", "the schema cannot be made"),
        ("postgresql+psycopg://a:geheim@127.0.0.1:port/x", "no address of a database"),
    ],
)
def test_a_bad_address_is_one_sentence(url: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "migrate", url]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert "geheim" not in err
