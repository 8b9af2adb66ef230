"""Races in processes: many at once for one budget, turn, grant, counter, run number, and the end of one audit chain.

    python scripts/races.py --trials 1000 --contenders 10
    python scripts/races.py --trials 1000 --contenders 32 --store postgresql+psycopg://user@host/an_empty_database
    python scripts/races.py --trials 1000 --contenders 32 --redis
    python scripts/races.py --chain 1000 --contenders 16

Without an address it is SQLite in a temporary file; `--redis` puts a Redis of its own before it. Each contender is a
process with the store opened for itself; all of them start at one barrier. `--chain` writes so many records from each
contender instead. A control, a store that checks and then acts, must be caught. Exits with 1 on a violation.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

os.environ.setdefault("KYC_VERIFY_TESTING", "1")

from kyc_verify import KycVerifyError, audit
from kyc_verify.ports import Counter, Standing
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing._contract.desk import CHAIN_KEY, NOW, Desk, charge

LIMIT = 5
EACH = 4
"""Records that a contender writes to a chain in one trial."""
DIGEST = b"d" * 32


def opened(place: str) -> Any:  # noqa: ANN401 - one of several stores
    """Open the store at a path or an address; ``naive:`` before it is the control, ``redis...|`` a hot half."""
    if place.startswith("naive:"):
        return Naive(place.removeprefix("naive:"))
    if "|" in place:
        from redis import Redis  # noqa: PLC0415 - an extra

        from kyc_verify.stores import CompositeStore, RedisStore  # noqa: PLC0415

        hot, _, durable = place.partition("|")
        return CompositeStore(hot=RedisStore(Redis.from_url(hot, socket_timeout=60)), durable=opened(durable))
    if "://" not in place:
        return SQLiteStore(place, busy_timeout=60)
    from sqlalchemy import create_engine  # noqa: PLC0415 - an extra

    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415

    return SQLAlchemyStore(create_engine(place, pool_size=1))


class Naive(SQLiteStore):
    """A store that checks in one transaction and acts in another."""

    def begin(self, tenant: str, session: str, turn: int, now: Any) -> Any:  # noqa: ANN401, D102
        with self._reading() as db:
            sql = "SELECT count(*) FROM charges WHERE tenant = ? AND key = 'tries'"
            used = db.execute(sql, (tenant,)).fetchone()[0]
        time.sleep(0.001)
        begun = super().begin(tenant, session, turn, now)
        with self._writing() as db:
            db.execute("DELETE FROM charges WHERE tenant = ? AND key = 'tries' AND session = ?", (tenant, session))
            if used < LIMIT:
                db.execute("INSERT INTO charges VALUES (?, 'tries', 0, NULL, ?, 1)", (tenant, session))
        return type(begun)(
            session=begun.session, subject=begun.subject, claimed=begun.claimed, granted=used < LIMIT, spent=begun.spent
        )


# ── Cases: how a trial is set up, what each contender does, and what must not be ────────────────────────────────────


def guess(desk: Desk, tenant: str, n: int) -> bool:
    """Answer in a session of one's own, on the customer's one budget."""
    return desk.begin(1, f"{tenant}-{n}", tenant=tenant).granted


def claim(desk: Desk, tenant: str, n: int) -> bool:
    """Answer the one question."""
    del n
    return desk.begin(1, f"{tenant}-0", tenant=tenant).claimed


def redeem(desk: Desk, tenant: str, n: int) -> bool:
    """Use the one grant up."""
    del n
    return desk.redeem(DIGEST, tenant=tenant).reason is None


def number(desk: Desk, tenant: str, n: int) -> int:
    """Take a run number."""
    return desk.open(f"{tenant}-own-{n}", tenant=tenant).run


def step(desk: Desk, tenant: str, n: int) -> bool:
    """Use the one code of an authenticator, each in a session of one's own."""
    return desk.commit(f"{tenant}-{n}", tenant=tenant, counter=Counter(key="steps", at=NOW)).moved


def redeem_or_lock(desk: Desk, tenant: str, n: int) -> str:
    """Use a grant of one's own up, while one contender puts the customer on hold."""
    if n:
        return str(desk.redeem(bytes([n]) * 32, tenant=tenant).reason)
    desk.stand(Standing.LOCKED, tenant=tenant)
    return "locked"


def write(desk: Desk, tenant: str, n: int) -> int:
    """Append some records."""
    for _ in range(EACH):
        desk.note(tenant=tenant)
    return n


def start_all(desk: Desk, tenant: str, n: int) -> None:
    """A session for each, on one budget."""
    desk.start(f"{tenant}-{n}", "cust-1", charge(limit=LIMIT), tenant=tenant)


def start_one(desk: Desk, tenant: str, n: int) -> None:
    """One session, and its grant."""
    if n == 0:
        desk.start(f"{tenant}-0", "cust-1", charge(limit=LIMIT), tenant=tenant)
        desk.grant(DIGEST, f"{tenant}-0", tenant=tenant)


def start_turn(desk: Desk, tenant: str, n: int) -> None:
    """One session with an open question."""
    if n == 0:
        desk.start(f"{tenant}-0", "cust-1", charge(limit=LIMIT), tenant=tenant)


def start_grants(desk: Desk, tenant: str, n: int) -> None:
    """A grant for each."""
    desk.start(f"{tenant}-{n}", "cust-1", tenant=tenant)
    desk.grant(bytes([n]) * 32, f"{tenant}-{n}", tenant=tenant)


def chain(desk: Desk, tenant: str) -> str | None:
    """Say what is wrong with a tenant's chain."""
    report = audit.verify(desk.records(tenant=tenant), tenant=tenant, keys={"chain-1": CHAIN_KEY})
    return None if report.intact else report.faults[0]


def never_after_the_lock(desk: Desk, tenant: str, found: list[Any]) -> str | None:
    """No redemption is recorded after the hold."""
    del found
    events = [(r.event.value, r.detail.get("reason")) for r in desk.records(tenant=tenant)]
    held = max(at for at, (event, _) in enumerate(events) if event == "locked")
    late = [each for each in events[held:] if each == ("redeemed", "")]
    return f"{len(late)} redeemed after the hold" if late else chain(desk, tenant)


def five_of_them(desk: Desk, tenant: str, found: list[Any]) -> str | None:
    """As many as the budget allows."""
    del desk, tenant
    return None if found.count(True) == LIMIT else f"{found.count(True)} of {LIMIT}"


def one_of_them(desk: Desk, tenant: str, found: list[Any]) -> str | None:
    """Exactly one."""
    del desk, tenant
    return None if found.count(True) == 1 else f"{found.count(True)} successes"


def each_its_own(desk: Desk, tenant: str, found: list[Any]) -> str | None:
    """2, 3, 4 ..., each once: the first run was the preparation's."""
    del desk, tenant
    return None if sorted(found) == [*range(2, len(found) + 2)] else str(sorted(found))


def one_chain(desk: Desk, tenant: str, found: list[Any]) -> str | None:
    """Whole, and with every record."""
    many = len(desk.records(tenant=tenant))
    return chain(desk, tenant) or (None if many == EACH * len(found) + 1 else f"{many} records")


CASES: dict[str, tuple[Callable[..., None], Callable[..., Any], Callable[..., str | None]]] = {
    "guesses above the budget": (start_all, guess, five_of_them),
    "claims of one turn": (start_turn, claim, one_of_them),
    "uses of one grant": (start_one, redeem, one_of_them),
    "steps of one counter": (start_all, step, one_of_them),
    "run numbers given twice": (start_turn, number, each_its_own),
    "redemptions after a hold": (start_grants, redeem_or_lock, never_after_the_lock),
    "forks and gaps of the chain": (start_turn, write, one_chain),
}


def contend(place: str, n: int, barrier: Barrier, pipe: Connection) -> None:
    """Do one's part of each trial, until told to stop."""
    desk = Desk(opened(place))
    while (told := pipe.recv()) is not None:
        case, tenant = told
        prepare, act, _ = CASES[case]
        prepare(desk, tenant, n)
        barrier.wait()
        try:
            pipe.send(act(desk, tenant, n))
        except KycVerifyError as error:
            pipe.send(error.code)


def run(place: str, trials: int, many: int, cases: list[str]) -> dict[str, list[str]]:
    """Run all trials; returns the violations of each case."""
    context = mp.get_context("spawn")
    barrier = context.Barrier(many)
    pipes, crew = [], []
    for n in range(many):
        ours, theirs = context.Pipe()
        pipes.append(ours)
        crew.append(context.Process(target=contend, args=(place, n, barrier, theirs), daemon=True))
        crew[-1].start()
    desk, violations = Desk(opened(place)), {case: list[str]() for case in cases}
    for at, case in enumerate(cases):
        judge = CASES[case][2]
        for trial in range(trials):
            tenant = f"t{at}-{trial}-{time.time_ns()}"
            for pipe in pipes:
                pipe.send((case, tenant))
            found = [pipe.recv() for pipe in pipes]
            if (fault := judge(desk, tenant, found)) is not None:
                violations[case].append(fault)
    for pipe in pipes:
        pipe.send(None)
    for each in crew:
        each.join(10)
    return violations


def append(place: str, n: int, many: int, barrier: Barrier) -> None:
    """Write so many records to the one chain."""
    del n
    desk = Desk(opened(place))
    barrier.wait()
    for _ in range(many):
        desk.note(tenant="chain")


def long_chain(place: str, each: int, many: int) -> str | None:
    """Write one chain from all contenders; returns what is wrong with it."""
    context = mp.get_context("spawn")
    barrier = context.Barrier(many)
    crew = [context.Process(target=append, args=(place, n, each, barrier)) for n in range(many)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    desk, found = Desk(opened(place)), 0
    records: list[Any] = []
    while page := desk.store.records("chain", found, 1000):
        records += page
        found = len(records)
    report = audit.verify(records, tenant="chain", keys={"chain-1": CHAIN_KEY})
    return report.faults[0] if not report.intact else None if found == each * many else f"{found} records"


def main() -> int:
    """Run the races and the control; 0 when nothing was violated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--contenders", type=int, default=10)
    parser.add_argument("--case", choices=CASES, help="this kind of race alone")
    parser.add_argument("--chain", type=int, metavar="RECORDS", help="one chain, so many records from each contender")
    parser.add_argument("--store", metavar="URL", help="in place of SQLite in a temporary file; an empty database")
    parser.add_argument("--redis", action="store_true", help="a hot half: starts redis-server for itself")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.store or str(Path(folder) / "kyc.db")
        if given.store:
            from sqlalchemy import create_engine  # noqa: PLC0415 - an extra

            from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415

            SQLAlchemyStore.migrate(create_engine(given.store))
        if given.redis:
            sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
            from tests.services import redis_server  # noqa: PLC0415 - needs the test extra

            place = f"unix://{redis_server()}|{place}"
        began = time.monotonic()
        if given.chain:
            fault = long_chain(place, given.chain, given.contenders)
            took = time.monotonic() - began
            print(f"{given.contenders} writers, {given.chain} records each, {took:.0f} s: {fault or 'one chain'}")
            return int(fault is not None)
        found = run(place, given.trials, given.contenders, [each for each in CASES if given.case in {None, each}])
        for case, faults in found.items():
            print(f"{case:<32}{given.trials:>7} trials  {len(faults):>5} violations  {'; '.join(faults[:3])}")
        print(f"{given.contenders} contenders, {time.monotonic() - began:.0f} s")
        few = min(100, given.trials)
        control = run(f"naive:{Path(folder) / 'naive.db'}", few, given.contenders, ["guesses above the budget"])
        caught = len(control["guesses above the budget"])
        print(f"control: the store that checks and then acts is caught in {caught} of {few} trials")
    return int(any(found.values()) or caught < few * 0.9)


if __name__ == "__main__":
    sys.exit(main())
