"""A whole verification beside the bare Argon2 calls in it.

Three answers, a one-time code and a phone match, with each profile, in memory and on SQLite; beside it three bare calls
of ``argon2.low_level.hash_secret_raw`` at the same cost. In turns, in one process; quote the ratio.

Run it: ``python benchmarks/bench_verification.py [rounds]``.
"""

from __future__ import annotations

import secrets
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw

from kyc_verify import (
    Call,
    Contact,
    Customer,
    Enroller,
    Keyring,
    Message,
    Policy,
    Requirement,
    SecretHasher,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.hashing.slow import PROFILES
from kyc_verify.ports import Store
from kyc_verify.stores import MemoryStore, SQLiteStore

NUMBER = "+33612345678"
POLICY = Policy(
    name="bench",
    checks=[
        checks.CallerNumber(),
        checks.AccountTenure(),
        checks.DateOfBirth(),
        checks.Pin(),
        checks.OneTimeCode(channel="sms"),
    ],
    actions={"pay": Requirement(bits=2, accept="lossless", factors=2, all_of=("pin", "one_time_code"))},
)
FACTS: dict[str, object] = {"account_tenure": date(2019, 3, 14), "date_of_birth": date(1985, 4, 23), "pin": "4729"}
SAID = {"account_tenure": "since March 2019", "date_of_birth": "23 April 1985", "pin": "4729"}


class Crm:
    def get(self, subject: str) -> Customer | None:
        since = datetime(2019, 3, 14, tzinfo=UTC)
        return Customer(contacts=(Contact(number=NUMBER, since=since),)) if subject else None


class Gateway:
    text = ""

    def send(self, message: Message) -> None:
        self.text = message.text


def bare(profile: str) -> None:
    costs = PROFILES[profile]
    for _ in range(3):
        hash_secret_raw(
            b"x" * 32, secrets.token_bytes(16), costs.time, costs.memory, costs.parallelism, 32, Type.ID
        )  # fmt: skip


def measure(profile: str, store: Store, rounds: int) -> tuple[float, float, float]:
    """Return medians in seconds: the bare hashes, the verification, and the ratio of a round."""
    moment = [datetime(2031, 1, 1, tzinfo=UTC)]
    hasher = SecretHasher(Keyring({"bench": secrets.token_bytes(32)}), profile=profile)
    gateway = Gateway()
    enroller = Enroller(POLICY, store=store, hasher=hasher, clock=lambda: moment[0])
    for number in range(rounds + 1):
        enroller.enroll(f"cust-{number}", FACTS, by="import")
    moment[0] += timedelta(days=2)
    verifier = Verifier(
        POLICY, store=store, hasher=hasher, customers=Crm(), senders={"sms": gateway}, clock=lambda: moment[0]
    )

    def verify(number: int) -> None:
        call = Call(id=f"call-{number}", agent="agent", number=NUMBER, attestation="A")
        step = verifier.open(f"cust-{number}", action="pay", call=call)
        while step.challenge:
            code = gateway.text.split()[-1] if gateway.text else ""
            step = verifier.respond(step.challenge.id, SAID.get(step.challenge.check, code), call=call)
        if step.verdict is not Verdict.VERIFIED:
            raise SystemExit("the benchmark's caller was not verified")  # noqa: EM101, TRY003 - a script

    verify(rounds)  # phone metadata and the pool are made on first use
    bare(profile)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        began = time.perf_counter()
        bare(profile)
        middle = time.perf_counter()
        verify(number)
        ours.append(time.perf_counter() - middle)
        theirs.append(middle - began)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return statistics.median(theirs), statistics.median(ours), ratio


def main(rounds: int) -> None:
    print(f"{'profile':<20}{'store':<8}{'three bare hashes':>20}{'the verification':>20}{'ratio':>8}")
    for profile in PROFILES:
        with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
            for name, each in (("memory", MemoryStore()), ("sqlite", store)):
                theirs, ours, ratio = measure(profile, each, rounds)
                print(f"{profile:<20}{name:<8}{theirs * 1e3:>17.1f} ms{ours * 1e3:>17.1f} ms{ratio:>8.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
