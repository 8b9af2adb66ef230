"""Verify without a pause for a long time, with faults of the store on the way, and look for what leaks or is lost.

    python scripts/soak.py --seconds 600 --profile rfc9106_low_memory --faults 0.05
    python scripts/soak.py --seconds 600 --store postgresql+psycopg://user@host/an_empty_database

Without an address it is SQLite in a temporary file. Several threads share one verifier: callers who answer rightly and
wrongly, grants redeemed. One store call in twenty fails, half of those after it was carried out; the request is then
sent again, as a CRM would. Before and after, the machine's bare Argon2id rate is taken with as many threads. Exits with
1 when a released step has no record, the chain is broken, or memory beside the hashes grew by more than a tenth in the
second half.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from argon2.low_level import Type, hash_secret_raw

from kyc_verify import (
    Busy,
    Call,
    Contact,
    Customer,
    Enroller,
    Keyring,
    KycVerifyError,
    Policy,
    Requirement,
    SecretHasher,
    Step,
    StoreError,
    ThreatModel,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.audit import AuditRecord, pseudonym, verify
from kyc_verify.hashing.slow import PROFILES
from kyc_verify.stores import SQLiteStore

POLICY = Policy(
    name="soak",
    checks=[checks.Pin(), checks.SecretAnswer("school", {"en": "Which was your first school?"})],
    threats=ThreatModel.points({"pin": 6, "school": 6}),
    actions={"both": Requirement(bits=9, accept="lossless")},
)
CUSTOMERS = 200
HASHES = 2
"""Slow hashes in one verification: two answers."""


class Crm:
    """Everybody is a customer."""

    def get(self, subject: str) -> Customer:
        """Return one."""
        del subject
        return Customer(contacts=(Contact(number="+33612345678", since=datetime(2019, 3, 14, tzinfo=UTC)),))


class Failing:
    """A store that fails now and then, before or after it has done what it was asked."""

    def __init__(self, inner: Any, share: float) -> None:  # noqa: ANN401 - any store
        self._inner, self._share = inner, share
        self.failed = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        verb = getattr(self._inner, name)
        if name in {"records", "load", "close", "enroll", "ready"}:
            return verb

        def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401
            drawn = random.random()  # noqa: S311 - no secret
            if drawn >= self._share:
                return verb(*args, **more)
            self.failed += 1
            if drawn < self._share / 2:
                verb(*args, **more)
            raise StoreError("soak")

        return call


@dataclass
class Seen:
    """What was released, and how it went."""

    released: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    hashes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, step: Step) -> None:
        """Take note of a released step."""
        with self.lock:
            self.released.append((step.session_id, step.verdict.value))


def again(verb: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - any verb
    """Send a request until it is answered, as a CRM does."""
    while True:
        try:
            return verb(*args, **more)
        except (StoreError, Busy):
            time.sleep(0.01)


class Soak:
    """The threads, the clock that they share, and what they saw."""

    def __init__(self, store: Any, profile: str) -> None:  # noqa: ANN401
        self.hasher = SecretHasher(Keyring({"soak": secrets.token_bytes(32)}), profile=profile)
        self.store, self.seen, self.began = store, Seen(), time.monotonic()
        start = datetime(2031, 1, 1, tzinfo=UTC)
        # A hundred times as fast as the wall clock, so that windows and leases pass.
        clock = lambda: start + timedelta(seconds=100 * (time.monotonic() - self.began))  # noqa: E731
        common: dict[str, Any] = {"store": store, "hasher": self.hasher, "clock": clock}
        self.enroller = Enroller(POLICY, **common)
        self.verifier = Verifier(POLICY, customers=Crm(), **common)
        for number in range(CUSTOMERS):
            self.enroller.enroll(f"cust-{number}", {"pin": "4729", "school": f"school {number}"}, by="import")
        self.began -= 2000  # two days later

    def work(self, who: int, until: float) -> None:
        """Verify until then."""
        rng = random.Random(who)  # noqa: S311 - repeatable
        number = 0
        while time.monotonic() < until:
            number += 1
            customer = rng.randrange(CUSTOMERS)
            self.verification(f"cust-{customer}", f"school {customer}", f"{who}-{number}", wrong=rng.random() < 0.05)  # noqa: PLR2004

    def verification(self, subject: str, school: str, name: str, *, wrong: bool) -> None:
        """Verify one caller, and redeem."""
        seen, call = self.seen, Call(id=f"call-{name}", agent="agent-7", number="+33612345678")
        again(self.enroller.clear_runs, subject, by="ops", reason="next")
        step = again(self.verifier.open, subject, action="both", call=call, request_id=f"open-{name}")
        seen.step(step)
        while step.challenge is not None:
            said = school if step.challenge.check == "school" else "0000" if wrong else "4729"
            step = again(self.verifier.respond, step.challenge.id, said, call=call)
            seen.step(step)
            with seen.lock:
                seen.hashes += 1
        if step.verdict is Verdict.VERIFIED:
            try:
                grant = again(self.verifier.status, step.session_id, call=call).require()
                again(
                    self.verifier.redeem, grant, subject=subject, action="both", call=call, request_id=f"use-{name}"
                )  # fmt: skip
            except KycVerifyError as error:
                with seen.lock:
                    seen.counts[f"redeem: {getattr(error, 'reason', error.code)}"] += 1
        with seen.lock:
            seen.counts[step.verdict.value] += 1


def bare(profile: str, threads: int, seconds: float) -> float:
    """Return how many hashes a second the machine does."""
    costs, end = PROFILES[profile], time.monotonic() + seconds

    def hashing(_: int) -> int:
        done = 0
        while time.monotonic() < end:
            hash_secret_raw(b"x" * 32, b"s" * 16, costs.time, costs.memory, costs.parallelism, 32, Type.ID)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(hashing, range(threads))) / seconds


def resident() -> int:
    """Return the memory of this process in KiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def lowest(seconds: float) -> int:
    """Return the lowest memory within a while: what is left when the hashes under way, 64 MiB each, are let go."""
    end, found = time.monotonic() + seconds, resident()
    while time.monotonic() < end:
        time.sleep(0.02)
        found = min(found, resident())
    return found


def missing(soak: Soak, store: Any) -> tuple[list[str], int]:  # noqa: ANN401
    """Return what is wrong with the log, and how many records it has."""
    kept: list[AuditRecord] = []
    while page := store.records("default", len(kept), 5000):
        kept += page
    report = verify(kept, tenant="default", keys=soak.hasher.keyring.chain_keys())
    faults = list(report.faults)
    recorded = {(record.session, record.verdict) for record in kept}
    now = datetime(2032, 1, 1, tzinfo=UTC)
    for session, verdict in set(soak.seen.released):
        key = store.load("default", session, now).subject.key
        if (pseudonym(key, "session", session), verdict) not in recorded:
            faults.append(f"{verdict} was released without a record")
    return faults, len(kept)


def main() -> int:
    """Soak; 0 when nothing was lost and memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--profile", default="rfc9106_low_memory", choices=sorted(PROFILES))
    parser.add_argument("--faults", type=float, default=0.05, help="the share of store calls that fail")
    parser.add_argument("--threads", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--store", metavar="URL", help="in place of SQLite in a temporary file; an empty database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.store:
            from sqlalchemy import create_engine  # noqa: PLC0415 - an extra

            from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415

            SQLAlchemyStore.migrate(create_engine(given.store))
            store: Any = SQLAlchemyStore(create_engine(given.store))
        else:
            store = SQLiteStore(Path(folder) / "kyc.db")
        share = max(5.0, given.seconds / 30)
        before = bare(given.profile, given.threads, share)
        failing = Failing(store, given.faults)
        soak, memory = Soak(failing, given.profile), []
        began = time.monotonic()
        with ThreadPoolExecutor(given.threads) as pool:
            running = [pool.submit(soak.work, who, began + given.seconds) for who in range(given.threads)]
            while not all(each.done() for each in running):
                memory.append(lowest(given.seconds / 12))
            for each in running:
                each.result()
        took = time.monotonic() - began
        after = bare(given.profile, given.threads, share)
        faults, records = missing(soak, store)
        store.close()
    rate, base = soak.seen.hashes / took, (before + after) / 2
    grown = min(memory[-3:]) / min(memory[3:6]) - 1
    print(f"{given.profile}, {given.threads} threads, {took:.0f} s: {dict(sorted(soak.seen.counts.items()))}")
    print(
        f"answers {rate:.2f}/s of {base:.2f}/s bare hashes ({before:.2f} before, {after:.2f} after): {rate / base:.3f}"
    )
    print(f"store calls that failed: {failing.failed}; records {records}; lost or without a record: {len(faults)}")
    steps = " ".join(f"{each / 1024:.1f}" for each in memory)
    print(f"memory beside the hashes in MiB: {steps}; grown in the second half by {grown:+.1%}")
    for fault in faults[:10]:
        print(f"  {fault}")
    return int(bool(faults) or grown > 0.1)  # noqa: PLR2004 - a tenth


if __name__ == "__main__":
    sys.exit(main())
