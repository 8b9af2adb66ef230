"""Verify very often with hashes that cost nothing, and see whether the process grows.

    python scripts/memory.py --times 60000
    python scripts/memory.py --times 20000 --store postgresql+psycopg://user@host/an_empty_database

A soak with real hashes does some thousands of verifications in ten minutes; what each of them left behind would hardly
show. Here every thousandth customer is a new one, wrong answers, codes and grants are among them, and nothing but the
library keeps anything. Without an address it is SQLite in a temporary file. Exits with 1 when the memory of the process
grew by more than a fiftieth in the second half.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("KYC_VERIFY_TESTING", "1")

from kyc_verify import Customer, Policy, Requirement, ThreatModel, Verdict, Verifier, checks
from kyc_verify.testing import Bench

if TYPE_CHECKING:
    from kyc_verify.ports import Store

POLICY = Policy(
    name="memory",
    checks=[checks.Pin(), checks.SimSwap(), checks.OneTimeCode()],
    threats=ThreatModel.points({"pin": 6, "one_time_code": 6, "sim_swap": 3}),
    actions={"pin": Requirement(bits=3, checks=("pin",)), "all": Requirement(bits=14)},
)
TWELFTHS = 12
MOST = 0.02


class Sink:
    """A sender that keeps the newest code, and nothing else."""

    def __init__(self) -> None:
        self.code = ""

    def send(self, message: object) -> None:
        """Read the code."""
        self.code = str(getattr(message, "text", "")).rpartition(" ")[2]


class Crm:
    """Everybody is a customer like the first."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer

    def get(self, subject: str) -> Customer:
        """Return one."""
        del subject
        return self._customer


class Unswapped:
    """A carrier that knows of no change."""

    def get(self, query: object) -> bool:
        """Return that nothing was swapped."""
        del query
        return False


def resident() -> float:
    """Return the memory of this process in MiB."""
    gc.collect()
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def verified(bench: Bench, verifier: Verifier, sink: Sink, number: int) -> str:
    """Verify one caller, rightly or wrongly, and redeem; returns how it ended."""
    subject = f"cust-{number // 1000}" if number % 1000 == 0 else bench.subject
    bench.clock.advance(hours=1)
    bench.enroller.clear_runs(bench.subject, by="ops", reason="next")
    action = "all" if number % 2 else "pin"
    step = verifier.open(subject, action=action, call=bench.call)
    while step.challenge is not None:
        said = sink.code if step.challenge.check == "one_time_code" else "0000" if number % 7 == 0 else "4937"
        step = verifier.respond(step.challenge.id, said, call=bench.call)
    if step.verdict is Verdict.VERIFIED:
        verifier.redeem(step.require(), subject=subject, action=action, call=bench.call)
    return step.verdict.value


def main() -> int:
    """Verify; 0 when memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=60_000)
    parser.add_argument("--store", metavar="URL", help="in place of SQLite in a temporary file; an empty database")
    parser.add_argument("--leak", type=int, default=0, help="keep so many bytes of each, to see that it is found")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store: Store
        if given.store:
            from sqlalchemy import create_engine  # noqa: PLC0415 - an extra

            from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415

            SQLAlchemyStore.migrate(create_engine(given.store))
            store = SQLAlchemyStore(create_engine(given.store))
        else:
            from kyc_verify.stores import SQLiteStore  # noqa: PLC0415

            store = SQLiteStore(Path(folder) / "kyc.db")
        bench, sink = Bench(POLICY, store=store), Sink()
        # Not the bench's own doubles: they keep all that they see.
        verifier = Verifier(
            POLICY, store=store, hasher=bench.hasher, clock=bench.clock, customers=Crm(bench.customers[bench.subject]),
            senders={"sms": sink}, signals={"sim_swap": Unswapped()},
        )  # fmt: skip
        began, memory, ends, kept = time.monotonic(), [], Counter[str](), []
        for number in range(given.times):
            ends[verified(bench, verifier, sink, number)] += 1
            if given.leak:
                kept.append(os.urandom(given.leak))
            if (number + 1) % (given.times // TWELFTHS) == 0:
                memory.append(resident())
        took = time.monotonic() - began
        store.close()
    grown = memory[-1] / memory[TWELFTHS // 2 - 1] - 1
    print(f"{given.times} verifications in {took:.0f} s: {dict(sorted(ends.items()))}")
    print(f"MiB after each twelfth: {' '.join([f'{each:.1f}' for each in memory])}")
    print(f"grown in the second half by {grown:+.2%}")
    return int(grown > MOST)


if __name__ == "__main__":
    sys.exit(main())
