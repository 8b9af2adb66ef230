"""Fuzz the parsers of answers for longer than the tests do.

Run it with ``python scripts/fuzz_answers.py [EXAMPLES] [TARGET ...]``: all targets, 20,000 inputs each, unless told
otherwise. With atheris installed the inputs are found by coverage, otherwise by Hypothesis. What fails is shown with
its input; add that as a line to a file in tests/fuzz/corpus.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings

TESTS = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "test_fuzz_answers.py"


def _tests() -> ModuleType:
    spec = spec_from_file_location("test_fuzz_answers", TESTS)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(TESTS)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tests = _tests()


class Counter:
    """Runs targets and counts the runs."""

    def __init__(self, names: Sequence[str]) -> None:
        self.targets = {name: tests.TARGETS[name] for name in names}
        self.runs = dict.fromkeys(names, 0)
        self.began = time.monotonic()

    def run(self, name: str, said: str) -> None:
        """Check one input."""
        self.runs[name] += 1
        tests.check(self.targets[name], said)

    def report(self) -> None:
        """Print how many inputs each target has had."""
        for name, runs in self.runs.items():
            print(f"{name:<10} {runs:>10,} executions")
        print(f"{'all':<10} {sum(self.runs.values()):>10,} executions in {time.monotonic() - self.began:.0f} s")


def by_hypothesis(counter: Counter, examples: int) -> None:
    """Run each target on its own."""
    for name in counter.targets:
        fuzz_one(counter, name, examples)


def fuzz_one(counter: Counter, name: str, examples: int) -> None:
    """Run one target."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(said=tests.SAID)
    def fuzz(said: str) -> None:
        counter.run(name, said)

    fuzz()


def by_coverage(counter: Counter, examples: int) -> None:
    """Run all targets on each input that libFuzzer makes; it ends the process itself."""
    atheris: Any = import_module("atheris")

    def fuzz(data: bytes) -> None:
        said = atheris.FuzzedDataProvider(data).ConsumeUnicode(tests.MAX_ANSWER + 4)
        for name in counter.targets:
            counter.run(name, said)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-atheris_runs={examples}", "-max_len=1024", "-len_control=0"], fuzz)
    atheris.Fuzz()


def main(examples: str = "20000", *names: str) -> None:
    """Fuzz and print the executions."""
    counter = Counter(names or list(tests.TARGETS))
    try:
        (by_coverage if find_spec("atheris") else by_hypothesis)(counter, int(examples))
    finally:
        counter.report()


if __name__ == "__main__":
    main(*sys.argv[1:])
