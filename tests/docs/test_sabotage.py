"""The patches of tests/sabotage still apply, and there are enough of them; scripts/sabotage.py runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GIT = shutil.which("git")
PATCHES = sorted((ROOT / "tests" / "sabotage").glob("*.patch"))


def test_there_are_enough() -> None:
    assert len(PATCHES) >= 30


@pytest.mark.skipif(not (ROOT / "kyc_verify").is_dir(), reason="needs the source")
@pytest.mark.skipif(GIT is None, reason="needs git")
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_applies(patch: Path) -> None:
    command = [str(GIT), "apply", "--check", str(patch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
