"""One decision over eight checks: the compiled score and `Policy.evaluate`, beside plain Python and zen-engine.

Run it: ``pip install zen-engine && python benchmarks/bench_score.py``. Everything runs in one process, in turns, and
the medians are printed; quote the ratios, not the microseconds. Without zen-engine its rows are left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from kyc_verify import Evidence, Outcome, Policy, Requirement, checks

ROUNDS, CALLS = 31, 400
NOW = datetime(2031, 1, 1, tzinfo=UTC)

POLICY = Policy(
    name="bench",
    checks=[
        checks.CallerNumber(),
        checks.SimSwap(),
        checks.AccountTenure(),
        checks.DateOfBirth(),
        checks.SecretAnswer("school", {"en": "Which school?"}),
        checks.Pin(),
        checks.AppConfirmation(),
        checks.OneTimeCode(channel="sms"),
    ],
    actions={"pay": Requirement(bits=3, factors=2)},
)
OUTCOMES = {check.id: Outcome.PASS for check in POLICY.checks} | {"school": Outcome.NEAR, "date_of_birth": Outcome.FAIL}
EVIDENCE = [Evidence(check=name, outcome=outcome, at=NOW) for name, outcome in OUTCOMES.items()]
CLASSES = POLICY.threats.names
TABLE = {
    check.id: {outcome: dict(zip(CLASSES, POLICY.table.weights(check.id, outcome), strict=True)) for outcome in Outcome}
    for check in POLICY.checks
}


def plain() -> int:
    """Add the weights as anybody would, and take the smallest sum."""
    sums = dict.fromkeys(CLASSES, 0)
    for name, outcome in OUTCOMES.items():
        for each, weight in TABLE[name][outcome].items():
            sums[each] += weight
    return min(sums.values())


def compiled() -> int:
    return POLICY.table.centibits(OUTCOMES)


def whole() -> int:
    decision = POLICY.evaluate(EVIDENCE, action="pay", now=NOW)
    return decision.score.centibits + 0 * len(decision.reasons)


def zen() -> Callable[[], int] | None:
    """Return zen-engine's compiled expressions for the same sums: one for each class."""
    try:
        import zen as engine  # noqa: PLC0415 - optional
    except ImportError:
        return None
    names = list(OUTCOMES)
    terms = {each: " + ".join(f"w.{name}.{each}" for name in names) for each in CLASSES}
    expressions = [engine.compile_expression(terms[each]) for each in CLASSES]
    context = {"w": {name: TABLE[name][outcome] for name, outcome in OUTCOMES.items()}}

    def run() -> int:
        return int(min(expression.evaluate(context) for expression in expressions))

    return run


def main() -> None:
    peers: dict[str, Callable[[], int]] = {
        "plain Python": plain,
        "compiled score": compiled,
        "evaluate, with reasons": whole,
    }
    if (engine := zen()) is not None:
        peers["zen-engine, compiled expressions"] = engine
    answers = {name: work() for name, work in peers.items()}
    print(f"all agree: {len(set(answers.values())) == 1}")
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        for name, work in peers.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                work()
            times[name].append((time.perf_counter() - began) / CALLS)
    base = statistics.median(times["compiled score"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:34} {median * 1e6:8.2f} us   {median / base:6.1f} x the compiled score")


if __name__ == "__main__":
    main()
