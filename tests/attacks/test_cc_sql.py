"""Concurrency on a host's SQL server: deadlocks and serialization failures undo a verb, and it is done again; CC-07."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from kyc_verify import StoreError
from kyc_verify.ports import Run
from kyc_verify.stores import SQLAlchemyStore
from kyc_verify.stores._core import Core
from kyc_verify.stores._metadata import kind_of, tabled
from kyc_verify.testing._contract.desk import Desk, charge
from tests.services import database


@pytest.fixture(params=["postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database(request.param))
    with engine.begin() as db:
        tabled(kind_of(engine.dialect)).metadata.drop_all(db)
    SQLAlchemyStore.migrate(engine)
    yield engine
    engine.dispose()


def test_cc_07_a_deadlock_is_undone_and_done_again_once(engine: sa.Engine) -> None:
    desk = Desk(SQLAlchemyStore(engine))
    desk.start("s-1", "cust-1", charge(limit=9))
    records = len(desk.records())
    done = threading.Event()
    with engine.connect() as host:
        # The host holds the end of the chain and then wants the session; the commit holds and wants the other way.
        host.execute(sa.text("SELECT seq FROM kyc_heads WHERE tenant = 't' FOR UPDATE"))
        committing = threading.Thread(target=lambda: (desk.commit("s-1", version=1, turn=2), done.set()))
        committing.start()
        time.sleep(0.3)
        with suppress(sa.exc.OperationalError):  # the server may choose the host
            host.execute(sa.text("SELECT version FROM kyc_sessions WHERE tenant = 't' AND id = 's-1' FOR UPDATE"))
        host.rollback()
        committing.join(30)
    assert done.is_set()
    assert desk.load().session.version == 2
    assert len(desk.records()) == records + 1


def failing(engine: sa.Engine, state: str, number: int, *, wrapped: bool) -> Exception:
    """Return what the driver raises with this state and this number, or what SQLAlchemy makes of it."""
    driver = engine.dialect.loaded_dbapi
    if engine.dialect.name == "postgresql":
        error = driver.errors.lookup(state)("it was undone")
    else:
        error = driver.OperationalError(number, "it was undone")
    return sa.exc.OperationalError("UPDATE", {}, error) if wrapped else error


@pytest.mark.parametrize("wrapped", [False, True], ids=["driver", "sqlalchemy"])
@pytest.mark.parametrize(("failures", "works"), [(1, True), (5, True), (6, False)])
def test_cc_07_serialization_failures_are_retried_within_a_bound_and_count_once(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, failures: int, works: bool, wrapped: bool
) -> None:
    desk = Desk(SQLAlchemyStore(engine))
    desk.start("s-1", "cust-1", charge(limit=9))
    honest, left = Core.claim, [failures]

    def claim(self: Core, *args: Any, **kwargs: Any) -> bool:
        found = honest(self, *args, **kwargs)
        if left[0]:
            left[0] -= 1
            raise failing(engine, "40001", 1213, wrapped=wrapped)
        return found

    monkeypatch.setattr(Core, "claim", claim)
    if works:
        assert desk.begin().granted
    else:
        with pytest.raises(StoreError, match="nothing was written: try again"):
            desk.begin()
    monkeypatch.undo()
    assert desk.load().session.version == (2 if works else 1)
    with engine.connect() as db:
        assert db.execute(sa.text("SELECT count(*) FROM kyc_charges")).scalar_one() == int(works)


@pytest.mark.parametrize("kind", ["driver", "sqlalchemy", "connection lost"])
def test_cc_07_another_failure_is_not_retried(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    desk = Desk(SQLAlchemyStore(engine))
    desk.start("s-1", "cust-1", charge(limit=9))
    tries = []

    def claim(*_: Any, **kwargs: Any) -> bool:
        tries.append(kwargs)
        error: Any = failing(engine, "57014", 1317, wrapped=kind != "driver")
        if kind == "connection lost":
            error.connection_invalidated = True
        raise error

    monkeypatch.setattr(Core, "claim", claim)
    with pytest.raises(StoreError, match="the database failed"):
        desk.begin()
    assert len(tries) == 1


@pytest.mark.parametrize("known", [True, False])
def test_cc_07_many_who_open_at_once_share_the_row_that_the_first_one_made(engine: sa.Engine, known: bool) -> None:
    many = 8
    wide = sa.create_engine(engine.url, pool_size=many)
    desk, together = Desk(SQLAlchemyStore(wide)), threading.Barrier(many)

    def opens(n: int) -> bytes | None:
        together.wait(30)
        # Each under a name of its own: nothing but the row of the subject, or of the day, is shared.
        run = Run(key=f"run-{n}", window=timedelta(days=1))
        return desk.open(f"s-{n}", known=known, run=run).subject.key

    with ThreadPoolExecutor(many) as pool:
        keys = set(pool.map(opens, range(many)))
    assert len(keys) == 1
    assert None not in keys
    wide.dispose()
