"""Judging the presented number against the number on record, with the metadata of numbers loaded.

Run it: ``python benchmarks/bench_caller_number.py``. Rounds of each kind of number in turns; printed are the quickest
round and the median, for one judgement.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from kyc_verify import Call, Contact, Customer, checks
from kyc_verify.checks.base import Signal

ROUNDS, CALLS = 60, 100
NOW = datetime(2031, 1, 1, tzinfo=UTC)
CASES = {
    "United States, the same": ("+12155551212", "+12155551212", "A"),
    "United States, another": ("+12125551213", "+12155551212", "A"),
    "Trinidad, one of 25 countries of +1": ("+18686245678", "+18686245678", "A"),
    "France, the same": ("+33612345678", "+33612345678", "A"),
    "France, another": ("+33612345679", "+33612345678", None),
    "Italy, with its zero": ("+390612345678", "+390612345678", "B"),
    "United Kingdom, failed": ("+442079460958", "+442079460958", "failed"),
    "written with spaces": ("+33 6 12 34 56 78", "+33612345678", "A"),
    "withheld": (None, "+33612345678", None),
    "rubbish": ("anonymous", "+33612345678", None),
}


def main() -> None:
    check = checks.CallerNumber()
    signals: dict[str, Signal] = {}
    for name, (presented, known, attestation) in CASES.items():
        contact = Contact(number=known)
        call = Call(id="call-1", agent="agent-1", number=presented, attestation=attestation)
        customer = Customer(contacts=(contact,))
        signals[name] = Signal(value=None, now=NOW, call=call, customer=customer, contact=contact)
    outcomes = {name: check.judge(signal) for name, signal in signals.items()}
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, signal in signals.items():
            began = time.process_time()
            for _ in range(CALLS):
                check.judge(signal)
            times[name].append((time.process_time() - began) / CALLS)
    for name, measured in times.items():
        print(f"{name:36} {outcomes[name]:5} {min(measured) * 1e6:7.1f} {statistics.median(measured) * 1e6:7.1f} us")


if __name__ == "__main__":
    main()
