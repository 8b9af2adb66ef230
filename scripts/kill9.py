"""Kill a process that verifies on a durable store, again and again, and look for what is missing.

A child opens runs, answers, redeems, and acknowledges each step on a pipe after the library returned it. It is killed
at a random moment. Then everything acknowledged must be in the store, every release must have its record, the chain
must hold, and the next child must be able to go on.

    python scripts/kill9.py --cycles 500
    python scripts/kill9.py --cycles 500 --store postgresql+psycopg://user@host/an_empty_database
    python scripts/kill9.py --cycles 500 --redis

Without an address it is SQLite in a temporary file; with `--redis` a Redis of its own stands before it, and is killed
at the same moment. Exits with 1 when anything was lost.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("KYC_VERIFY_TESTING", "1")

from kyc_verify import KycVerifyError, NotVerified, Policy, Requirement, ThreatModel, Verdict, checks
from kyc_verify.audit import Anchor, AuditRecord, pseudonym, verify
from kyc_verify.session import State
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench

if TYPE_CHECKING:
    from kyc_verify.stores import CompositeStore, SQLAlchemyStore
    from tests.services import Server

    AnyStore = SQLiteStore | SQLAlchemyStore | CompositeStore

POLICY = Policy(
    name="kill9",
    checks=[checks.Pin(), checks.OneTimeCode()],
    threats=ThreatModel.points({"pin": 60, "one_time_code": 60}),
    actions={"both": Requirement(all_of=("pin", "one_time_code"))},
)
LONGEST = 0.25
RELEASED = {"opened", "answered", "redeemed"}


def opened(place: Path | str) -> AnyStore:
    """Open the store at a path or an address; ``unix:...|`` before it is a hot half."""
    if isinstance(place, Path):
        return SQLiteStore(place)
    if "|" in place:
        from redis import Redis  # noqa: PLC0415 - an extra

        from kyc_verify.stores import CompositeStore, RedisStore  # noqa: PLC0415

        hot, _, path = place.partition("|")
        return CompositeStore(hot=RedisStore(Redis.from_url(hot, socket_timeout=10)), durable=SQLiteStore(path))
    from sqlalchemy import create_engine  # noqa: PLC0415 - an extra
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415

    engine = create_engine(place, poolclass=NullPool)
    SQLAlchemyStore.migrate(engine)
    return SQLAlchemyStore(engine)


def work(path: Path | str, cycle: int, say: Callable[[str], None]) -> None:
    """Verify until killed; every line is one step that was released."""
    bench = Bench(POLICY, store=opened(path), facts=None if cycle == 0 else {})
    bench.clock.advance(hours=2 * cycle)
    bench.facts = {"pin": "4937"}
    say("ready")
    number = 0
    while True:
        number += 1
        bench.clock.advance(minutes=20)
        bench.enroller.clear_runs(bench.subject, by="ops", reason="next")
        step = bench.verifier.open(bench.subject, action="both", call=bench.call)
        say(f"opened {step.session_id} {step.verdict.value}")
        while step.challenge is not None:
            wrong = number % 3 == 0 and step.challenge.check == "pin"
            answer = "0000" if wrong else bench.answer(step.challenge)
            step = bench.verifier.respond(step.challenge.id, answer, call=bench.call)
            say(f"answered {step.session_id} {step.verdict.value}")
        if step.verdict is Verdict.VERIFIED:
            grant = step.require()
            bench.verifier.redeem(grant, subject=bench.subject, action="both", call=bench.call)
            say(f"redeemed {step.session_id} {grant.token}")


def stop_if(ended: bool) -> None:  # noqa: FBT001 - the only thing it is told
    """Stop with an error when the child ended by itself."""
    if ended:
        msg = "the child ended by itself"
        raise SystemExit(msg)


def killed(path: Path | str, cycle: int, life: float, server: Server | None = None) -> list[str]:
    """Run a child for a while and kill it, and a server; returns the lines it has acknowledged, whole ones only."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            work(path, cycle, lambda line: os.write(write, f"{line}\n".encode()) and None)
        finally:
            os._exit(3)
    os.close(write)
    held = b""
    while b"ready\n" not in held:
        part = os.read(read, 65536)
        stop_if(not part)
        held += part
    end = time.monotonic() + life
    while (left := end - time.monotonic()) > 0:
        if select.select([read], [], [], left)[0]:
            held += os.read(read, 65536)
    # Looked at before: a child whose server is killed first may find that out and end, which is no fault.
    stop_if(os.waitpid(child, os.WNOHANG)[0] == child)
    if server is not None:
        server.signal(signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while part := os.read(read, 65536):
        held += part
    os.close(read)
    stop_if(server is None and not os.WIFSIGNALED(status))
    if server is not None:
        server.kill()
        server.start()
    return held.decode().split("\n")[:-1]


class Ledger:
    """What was acknowledged over all cycles, and what is missing of it."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.faults: list[str] = []
        self.anchor: Anchor | None = None
        self.unacknowledged = 0

    def check(self, path: Path | str, lines: list[str], cycle: int) -> None:
        """Look into the store after a kill."""
        store = opened(path)
        bench = Bench(POLICY, store=store, facts={})
        bench.clock.advance(hours=2 * cycle + 1)
        fresh = self._chained(store, bench, f"cycle {cycle}", self.anchor)
        for line in lines[1:]:
            self._line(line, store, bench, fresh, cycle)
        self.unacknowledged += sum(1 for each in fresh if each.event.value in RELEASED) - (len(lines) - 1)
        store.close()

    def end(self, path: Path | str) -> None:
        """Look at the chain once more, from its very beginning."""
        store = opened(path)
        self._chained(store, Bench(POLICY, store=store, facts={}), "in the end", None)
        store.close()

    def _chained(self, store: AnyStore, bench: Bench, when: str, since: Anchor | None) -> list[AuditRecord]:
        """Return the records after one that was seen before; the store must still have that one, and the chain hold."""
        found: list[AuditRecord] = []
        first = 0 if since is None else since.seq - 1
        while page := store.records("default", first + len(found), 1000):
            found += page
        if since is not None and (not found or (found[0].seq, found.pop(0).mac) != (since.seq, since.mac)):
            self.faults.append(f"{when}: record {since.seq} was seen and is lost")
        report = verify(
            found, tenant="default", keys=bench.hasher.keyring.chain_keys(), anchor=self.anchor,
            start=None if since is None else since.head,
        )  # fmt: skip
        if not report.intact or (self.anchor is not None and not report.complete):
            self.faults += [f"{when}: {fault}" for fault in (*report.faults, *filter(None, [report.note]))]
        self.anchor = report.anchor or self.anchor
        return found

    def _line(self, line: str, store: AnyStore, bench: Bench, fresh: list[AuditRecord], cycle: int) -> None:
        event, session, told = line.split()
        self.acknowledged[event] += 1
        loaded = store.load("default", session, bench.clock.now)
        name = pseudonym(loaded.subject.key, "session", session)
        mine = [record for record in fresh if record.session == name and record.event.value == event]
        if event == "redeemed":
            try:
                bench.verifier.redeem(told, subject=bench.subject, action="both", call=bench.call)
                self.faults.append(f"cycle {cycle}: a redeemed grant was redeemed again")
            except NotVerified as refused:
                if refused.reason != "used":
                    self.faults.append(f"cycle {cycle}: a redeemed grant is {refused.reason}")
            except KycVerifyError as error:
                self.faults.append(f"cycle {cycle}: {type(error).__name__}")
        elif told not in {record.verdict for record in mine}:
            self.faults.append(f"cycle {cycle}: {event} {told} was released without a record")
        if not mine:
            self.faults.append(f"cycle {cycle}: {event} was acknowledged and is lost")
        state = State.from_text(loaded.session.state)
        if state.turn != loaded.session.turn:
            self.faults.append(f"cycle {cycle}: a session is half-written")


def main() -> int:
    """Run the cycles; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--store", metavar="URL", help="in place of SQLite in a temporary file; an empty database")
    parser.add_argument("--redis", action="store_true", help="a hot half: starts redis-server for itself")
    given = parser.parse_args()
    lives, ledger = random.Random(given.seed), Ledger()  # noqa: S311 - repeatable
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path, server = given.store or Path(folder) / "kyc.db", None
        if given.redis:
            sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
            from tests.services import Server  # noqa: PLC0415 - needs the test extra

            server = Server(Path(folder))
            server.start()
            path = f"unix://{server.socket}|{path}"
        for cycle in range(given.cycles):
            ledger.check(path, killed(path, cycle, lives.uniform(0.0005, LONGEST), server), cycle)
        ledger.end(path)
        if server is not None:
            server.kill()
    counts = ", ".join(f"{number} {event}" for event, number in sorted(ledger.acknowledged.items()))
    print(f"{given.cycles} kills in {time.monotonic() - start:.0f} s; acknowledged: {counts}")
    print(f"records of steps whose acknowledgement was cut off: {ledger.unacknowledged}")
    print(f"acknowledged and lost, or released without a record: {len(ledger.faults)}")
    for fault in ledger.faults[:20]:
        print(f"  {fault}")
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
