"""Drive the library and the reference model in lock step for a long time, over several processes.

    python scripts/model_steps.py [STEPS] [WORKERS] [FIRST_SEED]

2,000,000 steps by default. Ends with a difference, or prints how many steps there were and where the runs stood.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 5_000


def chunk(seed: int) -> tuple[int, Counter[str]]:
    """Take 5,000 steps."""
    os.environ["KYC_VERIFY_TESTING"] = "1"
    sys.path[:0] = [str(ROOT / "tests" / "stateful"), str(ROOT)]
    from lockstep_callers import random_steps  # noqa: PLC0415 - each process sets its own path

    seen: Counter[str] = Counter()
    return random_steps(CHUNK, seed=seed, seen=seen), seen


def main(steps: int, workers: int, first: int) -> int:
    """Run and report; returns the number of steps taken."""
    began, taken, seen = time.monotonic(), 0, Counter[str]()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(chunk, first + at) for at in range(-(-steps // CHUNK))]):
            found, verdicts = done.result()
            taken += found
            seen += verdicts
            print(f"{taken:,} steps, {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True)
    print(f"{taken:,} steps without a difference in {time.monotonic() - began:,.0f} s")
    print(", ".join(f"{name} {count:,}" for name, count in sorted(seen.items())))
    return taken


if __name__ == "__main__":
    given = [int(each.replace("_", "")) for each in sys.argv[1:]]
    main(*given, *(2_000_000, os.cpu_count() or 1, 1_000)[len(given) :])
