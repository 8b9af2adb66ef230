"""What ``import kyc_verify`` costs, beside importing its dependencies eagerly; each in a fresh interpreter, in turns.

Run it: ``python benchmarks/bench_import.py``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 15
STATEMENTS = {
    "nothing": "pass",
    "dependencies, eagerly": "import argon2, phonenumbers, dateutil.parser, dateutil.relativedelta, dateutil.tz",
    "kyc_verify": "import kyc_verify",
    "kyc_verify, with Policy and Verifier": "from kyc_verify import Policy, Verifier, Enroller, SecretHasher",
}


def once(statement: str) -> float:
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(ROUNDS):
        for name, statement in STATEMENTS.items():
            times[name].append(once(statement))
    base = statistics.median(times["dependencies, eagerly"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:38} {median * 1e3:7.1f} ms   {median / base:5.2f} of the dependencies")


if __name__ == "__main__":
    main()
