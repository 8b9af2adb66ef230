"""The README shows code as it really is, and its fences are what the gates run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"<!-- from (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("name", "code"), QUOTED, ids=[str(n) for n in range(len(QUOTED))])
def test_quoted_code_stands_in_the_example(name: str, code: str) -> None:
    assert code in (ROOT / name).read_text(encoding="utf-8")


def test_every_python_fence_is_quoted_from_a_file() -> None:
    assert README.count("```python") == len(QUOTED) > 0


@pytest.mark.parametrize("marker", ["main-line", "test-line"])
def test_the_lines_to_copy_are_there(marker: str) -> None:
    found = re.search(rf"<!-- {marker} -->\n```sh\n(.+)\n```", README)
    assert found is not None
    assert "\n" not in found[1]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:docs|examples)/[\w./-]*)`", README))))
def test_what_the_readme_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_picture_is_what_the_demo_prints() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "demo_picture.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "up to date\n", "")
    assert "](docs/images/demo.svg)" in README
