"""Does the time of a verification tell who is there? Welch's t between a known customer and each other state.

Rounds are interleaved and in random order, so that a machine that slows down slows all alike; of each class the slowest
tenth is cropped, which is the machine's. Two controls: the same input as the known one, and a planted leak.

    python scripts/timing.py --rounds 10000              # cheap hashes: the library's own work alone
    python scripts/timing.py --rounds 500 --profile owasp    # as served

Exits with 1 when some state is told by its time: |t| over 5 and over that of the control plus 3.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

os.environ.setdefault("KYC_VERIFY_TESTING", "1")

from kyc_verify import Keyring, Policy, Requirement, SecretHasher, ThreatModel, checks
from kyc_verify.testing import Bench, cheap_hasher

CROPPED = 0.9
LIKELY = 5.0  # dudect's bound
MARGIN = 3.0


def bench(profile: str) -> Bench:
    """Return a desk with one customer of every state."""
    policy = Policy(
        name="timing",
        checks=[checks.Pin(), checks.AccountTenure()],
        threats=ThreatModel.points({"pin": 100, "account_tenure": 100}),
        actions={"both": Requirement(bits=150)},
    )
    hasher = cheap_hasher() if profile == "cheap" else SecretHasher(Keyring({"k": bytes(range(32))}), profile=profile)
    made = Bench(policy, hasher=hasher)
    for name in ("cust-locked", "cust-disabled"):
        made.customers[name] = made.customers["cust-42"]
        made.enroller.enroll(name, {"pin": "8351", "account_tenure": "2090-01-01"}, by="crm-import")
    made.enroller.lock("cust-locked", by="ops", reason="timing")
    made.customers["cust-disabled"] = replace(made.customers["cust-42"], active=False)
    made.customers["cust-empty"] = made.customers["cust-42"]
    return made


def timed(made: Bench, subject: str, answer: str, extra: float) -> float:
    """Return how long the first of two answers takes to be judged: whatever it was, the next question follows."""
    made.enroller.clear_runs(subject, by="ops", reason="timing")
    step = made.verifier.open(subject, action="both", call=made.call)
    if step.challenge is None:
        msg = "nothing was asked"
        raise SystemExit(msg)
    start = time.perf_counter()
    made.verifier.respond(step.challenge.id, answer, call=made.call)
    if extra:
        end = time.perf_counter() + extra
        while time.perf_counter() < end:
            pass
    return time.perf_counter() - start


def cropped(times: list[float]) -> list[float]:
    """Return all but the slowest."""
    return sorted(times)[: max(2, int(len(times) * CROPPED))]


def welch(one: list[float], other: list[float]) -> float:
    """Return Welch's t."""
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return (statistics.fmean(one) - statistics.fmean(other)) / spread**0.5 if spread else 0.0


def main() -> int:
    """Run the experiment; 0 when no state is told by its time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--profile", default="cheap", choices=("cheap", "owasp", "rfc9106_low_memory"))
    parser.add_argument("--leak", type=float, default=200, help="microseconds of the planted leak")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    made, order = bench(given.profile), random.Random(given.seed)  # noqa: S311 - repeatable
    classes: dict[str, Callable[[], float]] = {
        "known": lambda: timed(made, "cust-42", "0000", 0),
        "control": lambda: timed(made, "cust-42", "0000", 0),
        "right": lambda: timed(made, "cust-42", "4937", 0),
        "unknown": lambda: timed(made, "cust-unknown", "0000", 0),
        "unenrolled": lambda: timed(made, "cust-empty", "0000", 0),
        "locked": lambda: timed(made, "cust-locked", "0000", 0),
        "disabled": lambda: timed(made, "cust-disabled", "0000", 0),
        "planted": lambda: timed(made, "cust-42", "0000", given.leak / 1e6),
    }
    times: dict[str, list[float]] = {name: [] for name in classes}
    for once in classes.values():
        once()
    gc.disable()
    for _ in range(given.rounds):
        for name in order.sample(sorted(classes), len(classes)):
            times[name].append(classes[name]())
    known = cropped(times["known"])
    control = abs(welch(cropped(times["control"]), known))
    told = False
    print(f"{'class':<11} {'median ms':>10} {'t':>8}   ({given.rounds} rounds, {given.profile})")
    for name, taken in times.items():
        found = cropped(taken)
        t = welch(found, known)
        tells = abs(t) > LIKELY and abs(t) > control + MARGIN
        word = "" if name in {"known", "control"} else "found" if tells else "not told"
        told |= tells and name not in {"planted", "control"}
        print(f"{name:<11} {statistics.median(found) * 1000:>10.3f} {t:>8.2f}   {word}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
