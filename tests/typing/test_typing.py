"""Pyright agrees with `accepts.py` and `refuses.py`, and would say so if it did not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
IGNORE = re.compile(r"  # pyright: ignore\[[\w, ]+\]")


def _pyright(project: Path) -> list[dict[str, Any]]:
    pytest.importorskip("pyright", reason="pyright comes with the dev extra")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return [found for found in json.loads(done.stdout)["generalDiagnostics"] if found["severity"] == "error"]


def test_pyright_accepts_and_refuses_what_it_should() -> None:
    assert _pyright(ROOT) == []


def test_pyright_finds_every_line_that_is_marked(tmp_path: Path) -> None:
    lines = (HERE / "refuses.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines) if IGNORE.search(line)}
    (tmp_path / "refuses.py").write_text("\n".join(IGNORE.sub("", line) for line in lines), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps({"include": ["refuses.py"], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}),
        encoding="utf-8",
    )
    assert marked
    assert {found["range"]["start"]["line"] for found in _pyright(tmp_path)} == marked
