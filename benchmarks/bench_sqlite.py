"""One durable step on SQLite, begin and commit: the store against the same statements written by hand.

Run ``python benchmarks/bench_sqlite.py [rounds] [folder]``. Variants take turns within a round, so that a noisy machine
hits all of them; what counts is the ratio within one run. By hand, SQLite's own busy handler does the waiting.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.ports import Change, Charge, NewSession, Run
from kyc_verify.stores import SQLiteStore
from kyc_verify.stores import _lite as lite
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._verbs import Verbs

NOW = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STATE = json.dumps({"turns": ["x" * 60] * 8, "evidence": {f"check-{n}": ["pass", 1] for n in range(6)}})
RECORD = AuditRecord(
    tenant="t", seq=0, at=NOW, event=Event.ANSWERED, agent="agent-7", subject="a" * 32, call="b" * 32, session="c" * 32,
    action="read_balance", verdict="pending", policy="d" * 64, detail={"run": 1, "turn": 2, "check": "pin"},
    key_id="1", mac=b"m" * 32,
)  # fmt: skip

RECORD_TEXT = rows.record_text(RECORD)


def seal(head: Head) -> AuditRecord:
    """Follow the head; the HMAC is the caller's cost on both sides, and left out on both."""
    return replace(RECORD, seq=head.seq + 1)


def charges(who: int) -> tuple[Charge, ...]:
    return Charge(key=f"tries-{who:032}", limit=5, window=DAY), Charge(key=f"row-{who:032}", limit=50, window=None)


# ── The store ────────────────────────────────────────────────────────────────────────────────────────────────────────


def enrolled(store: Verbs, many: int) -> None:
    """Make one customer and one open run for each process."""
    for who in range(many):
        kept = [
            Credential(
                tenant="t", subject=f"cust-{who}", check=check, kind="digits", forms_version=1, salt=b"s" * 16,
                profile=Argon2Profile(memory=65536, time=3, parallelism=4), key_id="1", full=b"f" * 32,
                near=b"n" * 32, enrolled_at=NOW - DAY, enrolled_by="crm-import", seal=b"s" * 32,
            )
            for check in ("pin", "account_tenure")
        ]  # fmt: skip
        store.enroll("t", f"cust-{who}", kept, clear=(), fresh_key=b"k" * 32, seal=lambda head, _: seal(head), now=NOW)
        new = NewSession(
            tenant="t", id=f"session-{who}", subject=f"cust-{who}", known=True, fresh_key=b"k" * 32,
            expires_at=NOW + DAY, run=Run(key=f"runs-{who}", window=DAY), watch=(), pin_key=f"pin-{who}",
        )  # fmt: skip
        store.open(new, None, NOW)
        store.commit(change(who, 0, 1), seal, NOW)


def prepare(path: Path, many: int) -> None:
    """Make a database with one customer and one open run for each process."""
    with SQLiteStore(path) as store:
        enrolled(store, many)


def change(who: int, version: int, turn: int) -> Change:
    """Return a right answer: what it cost is given back, and the failures in a row are forgotten."""
    return Change(
        tenant="t", session=f"session-{who}", subject=f"cust-{who}", version=version, subject_key=b"k" * 32,
        state=STATE, turn=turn, charges=charges(who), expires_at=NOW + DAY, refund=True, clear=(charges(who)[1].key,),
        void_grants=True,
    )  # fmt: skip


def by_store(path: Path, who: int) -> Callable[[int], None]:
    store = SQLiteStore(path, busy_timeout=30)

    def step(turn: int) -> None:
        begun = store.begin("t", f"session-{who}", turn, NOW)
        if not begun.granted:
            raise SystemExit(begun)
        store.commit(change(who, begun.session.version, turn + 1), seal, NOW)

    return step


# ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_hand(path: Path, who: int) -> Callable[[int], None]:
    db = sqlite3.connect(path, timeout=30, isolation_level=None, cached_statements=256)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        db.execute(f"PRAGMA {pragma}")
    session, subject, costs, now = f"session-{who}", f"cust-{who}", charges(who), rows.us(NOW)
    day = 86_400_000_000
    since = (now - day, -(2**63))
    until = (now + day, None)
    cost_text = rows.charges_text(costs)

    @contextmanager
    def transaction() -> Iterator[None]:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")

    def step(turn: int) -> None:
        with transaction():
            version = db.execute(lite.CASE, ("t", session)).fetchone()[1]
            db.execute(lite.CREDENTIALS, ("t", subject)).fetchall()
            db.execute(lite.NUMBERS, ("t", subject)).fetchall()
            db.execute(lite.CLAIM, (now, "t", session, version, turn))
            for cost, after, end in zip(costs, since, until, strict=True):
                db.execute(lite.CHARGE, ("t", cost.key, now, end, session, version + 1, after, cost.limit))
        with transaction():
            db.execute(lite.CASE, ("t", session)).fetchone()
            for cost in costs:
                sql = "DELETE FROM charges WHERE tenant = ? AND key = ? AND session = ? AND claim = ?"
                db.execute(sql, ("t", cost.key, session, version + 1))
            db.execute("DELETE FROM charges WHERE tenant = ? AND key = ?", ("t", costs[1].key))
            db.execute("DELETE FROM stakes WHERE tenant = ? AND key = ?", ("t", costs[1].key))
            db.execute(lite.MOVE, (turn + 1, STATE, cost_text, now + day, "t", session, version + 1))
            sql = "UPDATE grants SET void = 1 WHERE tenant = ? AND session = ? AND void = 0 AND redeemed_at IS NULL"
            db.execute(sql, ("t", session))
            seq, _ = db.execute(lite.HEAD, ("t",)).fetchone()
            db.execute("INSERT INTO records VALUES (?, ?, ?)", ("t", seq + 1, RECORD_TEXT))
            db.execute(lite.NEW_HEAD, (seq + 1, RECORD.mac, "t"))

    return step


VARIANTS: dict[str, Callable[[Path, int], Callable[[int], None]]] = {"by hand": by_hand, "the store": by_store}


def work(name: str, path: Path, who: int, steps: int, barrier: Barrier, results: Queue[list[float]]) -> None:
    """Do so many steps, and report how long each took."""
    step, times = VARIANTS[name](path, who), []
    for turn in range(1, 21):
        step(turn)
    barrier.wait()
    for turn in range(21, steps + 21):
        started = time.perf_counter()
        step(turn)
        times.append(time.perf_counter() - started)
    results.put(times)


def measure(name: str, folder: Path, many: int, steps: int) -> list[float]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "kyc.db"
        prepare(path, many)
        context = mp.get_context("spawn")
        barrier, results = context.Barrier(many + 1), context.Queue()
        crew = [context.Process(target=work, args=(name, path, who, steps, barrier, results)) for who in range(many)]
        for each in crew:
            each.start()
        barrier.wait()
        started = time.perf_counter()
        times = [spent for _ in crew for spent in results.get()]
        took = time.perf_counter() - started
        for each in crew:
            each.join()
    times.sort()
    return [len(times) / took, *(times[int(share * len(times))] * 1e3 for share in (0.5, 0.99, 0.999)), times[-1] * 1e3]


def compare(
    sizes: tuple[tuple[int, int], ...], rounds: int, measured: Callable[[str, int, int], list[float]],
    columns: tuple[str, ...],
) -> None:  # fmt: skip
    """Print, for each number of processes and steps, what both variants did in turns."""
    for many, steps in sizes:
        found: dict[str, list[list[float]]] = {name: [] for name in VARIANTS}
        for _ in range(rounds):
            for name in VARIANTS:
                found[name].append(measured(name, many, steps))
        base = statistics.median(row[0] for row in found["by hand"])
        print(f"\n{many} process(es), {steps} steps each, medians of {rounds} rounds")
        print(f"{'variant':14}{'steps/s':>9}{'ratio':>7}" + "".join(f"{column:>9}" for column in columns))
        for name, table in found.items():
            rate, *rest = [statistics.median(column) for column in zip(*table, strict=True)]
            print(f"{name:14}{rate:9.0f}{rate / base:7.2f}" + "".join(f"{each:9.2f}" for each in rest))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir())
    columns = ("p50 ms", "p99 ms", "p99.9", "max")
    compare(((1, 2000), (8, 500)), rounds, lambda name, many, steps: measure(name, folder, many, steps), columns)


if __name__ == "__main__":
    main()
