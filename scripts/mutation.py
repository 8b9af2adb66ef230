"""Measure the tests with mutmut 3: change the library in thousands of small ways, and count what no test notices.

    python scripts/mutation.py [--sample 300] [--folder PLACE] [room ...]

A copy is mutated, never this tree. Rooms are those of ``ROOMS``, all by default: most of a day on two cores. With
``--sample`` so many mutants of each room are drawn at random, and the range that holds the share of all of them with
95 % confidence stands beside theirs (Wilson's interval: E. B. Wilson, J. Am. Stat. Assoc. 22, 1927). Each mutant runs
the tests that reach it: first those of ``FIRST``; what these let through, those of ``SECOND``, which take longer. The
async front and the other stores run the same code and are left out. Prints a table of rooms, then every survivor with
its change. With ``--folder`` what was measured stays there, and a run that was cut off goes on. Needs
``pip install 'mutmut>=3'``.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "score", "threats", "policy", "decision", "session", "plan", "hashing", "answers", "budgets", "audit", "checks",
    "_flows",
)  # fmt: skip
FIRST = ("tests/unit", "tests/flows")
SECOND = (*FIRST, "tests/property", "tests/attacks")
LEFT_OUT = (
    "async-", "-sqlite", "test_cli", "test_report", "test_testing", "test_stores", "test_profiles", "fork", "process",
    "real_people",
    # What starts other interpreters, which know of no mutant, or takes long.
    "test_catalogue.py", "test_leaks.py", "test_sc.py", "test_st.py", "test_st_redis.py", "test_su.py", "test_th.py",
    "test_ti.py", "test_uniformity.py", "depends_on_assert", "not_asked_for", "racing", "_race", "parallel",
    "concurrent", "kill_loop", "timing_experiment",
)  # fmt: skip
COPIED = ("kyc_verify", "tests", "docs", "examples", "scripts", "benchmarks", ".ci", "pyproject.toml", "README.md",
          "CHANGELOG.md", "LICENSE", "SECURITY.md")  # fmt: skip
RESULT = re.compile(r"^\s*(\S+\.x\S+): (.+)$", re.MULTILINE)
# A mutant that a test fails on, hangs on or dies of is noticed; one that no test reaches is not.
NOTICED = {"killed", "timeout", "segfault", "caught by type check"}
ENOUGH = 0.9
NORMAL_95 = 1.959964
UNTRIED = "not checked"
MUTMUT = (sys.executable, "-m", "mutmut")


def prepare(place: Path, rooms: list[str], tests: tuple[str, ...]) -> None:
    """Copy what is mutated and what tests it, and configure mutmut; once."""
    if (place / "pyproject.toml").exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)
    files = [f"kyc_verify/{room}.py" if (ROOT / f"kyc_verify/{room}.py").exists() else f"kyc_verify/{room}/*.py"
             for room in rooms]  # fmt: skip
    chosen = " and ".join(f"not {each}" for each in LEFT_OUT)
    copied = [name for name in COPIED if name not in {"kyc_verify", "tests", "pyproject.toml"}]
    with (place / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            f"\n[tool.mutmut]\nsource_paths = ['kyc_verify']\nonly_mutate = {files}\nalso_copy = {copied}\n"
            f"timeout_multiplier = 3\n"
            f"pytest_add_cli_args_test_selection = {list(tests)}\n"
            f"pytest_add_cli_args = ['-p', 'no:cacheprovider', '-k', '{chosen}']\n"
        )


def ended(place: Path) -> dict[str, str]:
    """Return how each mutant that was made ended."""
    listed = subprocess.run(
        [*MUTMUT, "results", "--all", "true"], cwd=place, capture_output=True, text=True, check=False
    )
    return dict(RESULT.findall(listed.stdout))


def run(place: Path, only: list[str]) -> str:
    """Have mutmut make its mutants, learn which tests reach them, and run some of them; returns what it said."""
    command = [*MUTMUT, "run", "--max-children", "2", *only]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    return done.stdout[-1000:] + done.stderr[-1000:]


def measured(place: Path, only: list[str]) -> dict[str, str]:
    """Run those of some mutants that have not been run yet, and return how each of them ended.

    Raises:
        SystemExit: the tests do not pass as they stand, called by their names: every mutant would count as noticed.
    """
    found, said = ended(place), ""
    if left := [name for name in only if found.get(name, UNTRIED) == UNTRIED]:
        said = run(place, left)
        found = ended(place)
    if any(found[name] == UNTRIED for name in only):
        raise SystemExit(said)
    return {name: found[name] for name in only}


def drawn(names: list[str], many: int, seed: int) -> list[str]:
    """Return the names of so many mutants of each room, drawn at random: those of fewer are among those of more."""
    rooms: dict[str, list[str]] = {}
    for name in names:
        rooms.setdefault(name.split(".")[1], []).append(name)
    for room, mine in rooms.items():
        random.Random(f"{seed} {room}").shuffle(mine)  # noqa: S311 - repeatable
    return [name for mine in rooms.values() for name in mine[:many]]


def between(share: float, many: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share that was seen in so many."""
    z = NORMAL_95
    middle, reach = share + z * z / (2 * many), z * math.sqrt(share * (1 - share) / many + (z / (2 * many)) ** 2)
    return (middle - reach) / (1 + z * z / many), (middle + reach) / (1 + z * z / many)


def report(place: Path, found: dict[str, str], whole: Counter[str]) -> float:
    """Print the table and the survivors, and return the share noticed, each room weighing as many as it has."""
    counts = Counter((name.split(".")[1], ended in NOTICED) for name, ended in found.items())
    print(f"{'room':<12}{'mutants':>9}{'tried':>9}{'noticed':>9}{'share':>8}")
    share = variance = 0.0
    for room in sorted({room for room, _ in counts}):
        noticed, left = counts[room, True], counts[room, False]
        tried = noticed + left
        low, high = between(noticed / tried, tried)
        beside = f"   ({low:.1%} to {high:.1%})" if tried < whole[room] else ""
        print(f"{room:<12}{whole[room]:>9}{tried:>9}{noticed:>9}{noticed / tried:>8.1%}{beside}")
        weight = whole[room] / whole.total()
        share += weight * noticed / tried
        if tried < whole[room]:
            variance += weight**2 * (noticed / tried) * (left / tried) / tried
    survivors = [name for name, ended in found.items() if ended not in NOTICED]
    reach = NORMAL_95 * math.sqrt(variance)
    beside = f"   ({share - reach:.1%} to {share + reach:.1%})" if reach else ""
    print(f"{'together':<12}{whole.total():>9}{len(found):>9}{len(found) - len(survivors):>9}{share:>8.1%}{beside}")
    for name in survivors:
        shown = subprocess.run([*MUTMUT, "show", name], cwd=place, capture_output=True, text=True, check=False)
        print(f"\n{name} ({found[name]})\n" + "\n".join(re.findall(r"^[-+] .*", shown.stdout, re.MULTILINE)))
    return share


def main() -> int:
    """Measure; 0 when at least nine in ten are noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rooms", nargs="*", metavar="room", default=list(ROOMS))
    parser.add_argument("--folder", type=Path, help="where to measure; kept, and gone on with")
    parser.add_argument("--sample", type=int, help="so many mutants of each room, drawn at random")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        first, second = folder / "first", folder / "second"
        prepare(first, given.rooms, FIRST)
        if not ended(first):
            run(first, ["none"])  # no mutant is called so: they are made, and none is run
        names = sorted(ended(first))
        only = drawn(names, given.sample, given.seed) if given.sample else names
        found = measured(first, only)
        if left := [name for name in only if found[name] not in NOTICED]:
            prepare(second, given.rooms, SECOND)
            found |= measured(second, left)
        whole = Counter(name.split(".")[1] for name in names)
        share = report(first, found, whole)
    return int(share < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
