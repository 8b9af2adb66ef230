"""Break the library in every way of ``tests/sabotage`` and see that the tests notice.

Each patch is applied to a copy, one by one; the suite must turn red. The table says which test was the first to fail.

Run it: ``python scripts/sabotage.py [part of a name ...]``. All of them take half an hour on two cores. Exit code 1:
something went unnoticed, or a patch no longer applies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATCHES = ROOT / "tests" / "sabotage"
SUITES = (
    ("tests/flows", "tests/contracts/test_memory.py", "tests/contracts/test_sqlite.py", "tests/exhaustive"),
    ("tests/unit", "tests/property", "tests/attacks", "tests/bound"),
    ("tests",),
)
"""In this order; whatever is found by the first needs no other."""
LONGEST = 900
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def copy_to(place: Path) -> None:
    """Copy what a test needs."""
    for name in ("kyc_verify", "tests", "docs", "examples", "scripts", "benchmarks"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"):
        shutil.copy(ROOT / name, place / name)


def noticed(place: Path) -> str | None:
    """Return the first test that fails; None: all pass."""
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "-p", "no:cacheprovider", "--tb=no", "-rfE",
               "--deselect", "tests/docs/test_sabotage.py"]  # fmt: skip
    for folders in SUITES:
        try:
            done = subprocess.run(
                [*command, "-m", "not slow", *folders], cwd=place, env=environment, capture_output=True, text=True,
                check=False, timeout=LONGEST,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"the suite did not end within {LONGEST} s"
        if done.returncode:
            found = FAILED.search(done.stdout)
            return found[1] if found else done.stdout.strip().splitlines()[-1]
    return None


def main(wanted: list[str]) -> int:
    """Run all of them, or those with one of these parts in their names."""
    names = wanted or [""]
    patches = [each for each in sorted(PATCHES.glob("*.patch")) if any(part in each.name for part in names)]
    git, unnoticed = shutil.which("git") or "git", 0
    for patch in patches:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "copy"
            place.mkdir()
            copy_to(place)
            command = [git, "apply", str(patch)]
            applied = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            test = noticed(place) if not applied.returncode else None
        told = f"does not apply: {applied.stderr.strip()}" if applied.returncode else test or "UNNOTICED"
        unnoticed += test is None
        print(f"{patch.stem[3:].replace('-', ' '):<52} {time.monotonic() - began:5.0f} s  {told}", flush=True)
    print(f"{len(patches)} faults, {unnoticed} unnoticed")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
