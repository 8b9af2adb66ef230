"""One durable step on a server, begin and commit: the store against the same statements through the bare driver.

    python benchmarks/bench_sql.py postgresql+psycopg://user@host/an_empty_database [rounds]

The statements by hand are those that the store sends, taken down from two of its steps: the same rows, the same locks,
the same two transactions, the head of the chain included, without SQLAlchemy and without the store's own code. Variants
take turns within a round; what counts is the ratio within one run.
"""

from __future__ import annotations

import multiprocessing as mp
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any
from unittest import mock

from bench_sqlite import NOW, change, compare, enrolled, seal
from sqlalchemy import Connection, create_engine, event

from kyc_verify.stores import SQLAlchemyStore
from kyc_verify.stores._metadata import kind_of, tabled

Statement = tuple[str, Any]


def prepare(url: str, many: int) -> None:
    """Make the tables anew, with one customer and one open run for each process."""
    engine = create_engine(url)
    with engine.begin() as db:
        tabled(kind_of(engine.dialect)).metadata.drop_all(db)
    SQLAlchemyStore.migrate(engine)
    enrolled(SQLAlchemyStore(engine), many)
    engine.dispose()


def stepping(store: SQLAlchemyStore, who: int) -> Callable[[int], None]:
    """Return what does one step of the store."""

    def step(turn: int) -> None:
        begun = store.begin("t", f"session-{who}", turn, NOW)
        if not begun.granted:
            raise SystemExit(begun)
        store.commit(change(who, begun.session.version, turn + 1), seal, NOW)

    return step


def by_store(url: str, who: int) -> tuple[int, Callable[[int], None]]:
    """Return the first turn, and what does a step of the store."""
    return 1, stepping(SQLAlchemyStore(create_engine(url, pool_size=1)), who)


def by_hand(url: str, who: int) -> tuple[int, Callable[[int], None]]:
    """Return the first turn, and what sends the statements of a step through the driver."""
    engine = create_engine(url, pool_size=1)
    taken: list[list[Statement | None]] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, sql, values, *_: taken[-1].append((sql, values)))
    event.listen(engine, "commit", lambda _: taken[-1].append(None))
    taken.append([])
    step, turn = stepping(SQLAlchemyStore(engine), who), 0
    with sent_by_cursors(lambda sql, values: taken[-1].append((sql, values))):
        # A step that was undone for another's sake sends more: two of the same length are as they should be.
        while len(taken) < 3 or len(taken[-1]) != len(taken[-2]):
            turn += 1
            taken.append([])
            step(turn)
    last, first, second = turn, *map(transactions, taken[-2:])
    raw: Any = engine.raw_connection()
    cursor = raw.cursor()

    def send(turn: int) -> None:
        for before, after in zip(first, second, strict=True):
            while True:
                try:
                    transaction(before, after, turn - last)
                    raw.commit()
                    break
                except engine.dialect.dbapi.OperationalError:
                    raw.rollback()

    def transaction(before: list[Statement], after: list[Statement], steps: int) -> None:
        head = 0
        for one, (sql, values) in zip(before, after, strict=True):
            chained = "kyc_heads" in sql or "kyc_records" in sql
            cursor.execute(sql, with_head(values, head + 1) if chained else later(one[1], values, steps))
            if cursor.description is not None:
                rows = cursor.fetchall()
                if chained:
                    head = rows[0][0]

    return last + 1, send


@contextmanager
def sent_by_cursors(note: Callable[[str, Any], None]) -> Iterator[None]:
    """Note what the store sends through the driver's own cursors, of which SQLAlchemy tells nobody."""
    made = Connection.connection.fget

    class Noting:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def cursor(self) -> Any:
            return Noting(self.inner.cursor())

        def execute(self, sql: str, values: Any) -> Any:
            note(sql, values)
            return self.inner.execute(sql, values)

    with mock.patch.object(Connection, "connection", property(lambda db: Noting(made(db)))):
        yield


def transactions(taken: list[Statement | None]) -> list[list[Statement]]:
    """Cut what was sent at its commits."""
    found: list[list[Statement]] = [[]]
    for each in taken:
        if each is None:
            found.append([])
        else:
            found[-1].append(each)
    return [each for each in found if each]


def later(one: Any, two: Any, steps: int) -> Any:
    """Return the values of a later step: what goes up goes on going up."""

    def moved(before: Any, after: Any) -> Any:
        return after + (after - before) * steps if type(after) is int else after

    if isinstance(two, dict):
        return {name: moved(one[name], two[name]) for name in two}
    return tuple([moved(before, after) for before, after in zip(one, two, strict=True)])


def with_head(values: Any, seq: int) -> Any:
    """Return the values with the number of the next record; the only number among them."""

    def put(value: Any) -> Any:
        return seq if type(value) is int else value

    if isinstance(values, dict):
        return {name: put(value) for name, value in values.items()}
    return tuple([put(value) for value in values])


VARIANTS = {"by hand": by_hand, "the store": by_store}


def work(name: str, url: str, who: int, steps: int, barrier: Barrier, results: Queue[list[float]]) -> None:
    """Do so many steps, and report how long each took."""
    first, step = VARIANTS[name](url, who)
    for turn in range(first, 23):
        step(turn)
    barrier.wait()
    times = []
    for turn in range(23, steps + 23):
        started = time.perf_counter()
        step(turn)
        times.append(time.perf_counter() - started)
    results.put(times)


def measure(name: str, url: str, many: int, steps: int) -> list[float]:
    """Return steps a second, and milliseconds: the median, the 99th percentile, the longest."""
    prepare(url, many)
    context = mp.get_context("spawn")
    barrier, results = context.Barrier(many + 1), context.Queue()
    crew = [context.Process(target=work, args=(name, url, who, steps, barrier, results)) for who in range(many)]
    for each in crew:
        each.start()
    barrier.wait()
    started = time.perf_counter()
    times = sorted(spent for _ in crew for spent in results.get())
    took = time.perf_counter() - started
    for each in crew:
        each.join()
    return [len(times) / took, *(times[int(share * len(times))] * 1e3 for share in (0.5, 0.99)), times[-1] * 1e3]


def main() -> None:
    """Measure, and print a table."""
    url, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    columns = ("p50 ms", "p99 ms", "max")
    compare(((1, 1000), (8, 200)), rounds, lambda name, many, steps: measure(name, url, many, steps), columns)


if __name__ == "__main__":
    main()
