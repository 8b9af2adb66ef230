"""Measure the tests with mutmut 3: change the library in thousands of small ways, and count what no test notices.

    python scripts/mutation.py [room ...]

A copy is mutated, never this tree. Rooms are those of ``ROOMS``, all by default: hours on two cores. Each mutant runs
the tests that reach it, of ``TESTS``; the async front and the other stores run the same code and are left out. Prints a
table of rooms, then every survivor with its change. Needs ``pip install 'mutmut>=3'``.
"""

from __future__ import annotations

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
TESTS = ("tests/unit", "tests/exhaustive", "tests/flows")
LEFT_OUT = (
    "async-", "-sqlite", "cli", "report", "testing", "stores", "profiles", "fork", "process", "real_people",
)  # fmt: skip
COPIED = ("kyc_verify", "tests", "docs", "examples", "scripts", "benchmarks", ".ci", "pyproject.toml", "README.md",
          "CHANGELOG.md", "LICENSE", "SECURITY.md")  # fmt: skip
RESULT = re.compile(r"^\s*(\S+): (.+)$", re.MULTILINE)
# A mutant that a test fails on, hangs on or dies of is noticed; one that no test reaches is not.
NOTICED = {"killed", "timeout", "segfault", "caught by type check"}


def configured(rooms: list[str]) -> str:
    """Return mutmut's part of the configuration."""
    files = [f"kyc_verify/{room}.py" if (ROOT / f"kyc_verify/{room}.py").exists() else f"kyc_verify/{room}/*.py"
             for room in rooms]  # fmt: skip
    chosen = " and ".join(f"not {each}" for each in LEFT_OUT)
    copied = [name for name in COPIED if name not in {"kyc_verify", "tests", "pyproject.toml"}]
    return (
        f"\n[tool.mutmut]\nsource_paths = ['kyc_verify']\nonly_mutate = {files}\nalso_copy = {copied}\n"
        f"pytest_add_cli_args_test_selection = {list(TESTS)}\n"
        f"pytest_add_cli_args = ['-p', 'no:cacheprovider', '-k', '{chosen}']\n"
    )


def main(rooms: list[str]) -> int:
    """Measure; 0 when at least nine in ten are noticed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place / name)
        with (place / "pyproject.toml").open("a", encoding="utf-8") as settings:
            settings.write(configured(rooms or list(ROOMS)))
        mutmut = [sys.executable, "-m", "mutmut"]
        subprocess.run([*mutmut, "run", "--max-children", "2"], cwd=place, check=False, stdout=subprocess.DEVNULL)
        listed = subprocess.run(
            [*mutmut, "results", "--all", "true"], cwd=place, capture_output=True, text=True, check=True
        )
        found = {name: ended for name, ended in RESULT.findall(listed.stdout) if ".x" in name}
        counts: Counter[tuple[str, str]] = Counter((name.split(".")[1], ended) for name, ended in found.items())
        print(f"{'room':<12}{'mutants':>9}{'noticed':>9}{'share':>8}")
        for room in sorted({room for room, _ in counts}):
            many = sum(number for (of, _), number in counts.items() if of == room)
            left = sum(number for (of, ended), number in counts.items() if of == room and ended not in NOTICED)
            print(f"{room:<12}{many:>9}{many - left:>9}{100 * (many - left) / many:>7.1f}%")
        survivors = [name for name, ended in found.items() if ended not in NOTICED]
        for name in survivors:
            shown = subprocess.run([*mutmut, "show", name], cwd=place, capture_output=True, text=True, check=False)
            print(f"\n{name}\n" + "\n".join(re.findall(r"^[-+] .*", shown.stdout, re.MULTILINE)))
    return int(len(survivors) > len(found) / 10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
