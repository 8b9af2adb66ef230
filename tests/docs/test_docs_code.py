"""Every page runs: its Python blocks in order, in one namespace, as if pasted into one file.

A block marked ``python no-run`` only shows something.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Return the line and the code of every block that runs."""
    text = page.read_text(encoding="utf-8")
    return [(text[: found.start(1)].count("\n"), found[1]) for found in FENCE.finditer(text)]


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page)]


def test_there_are_pages_that_run() -> None:
    assert {"policy.md", "tutorial.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(DOCS).as_posix() for page in PAGES])
def test_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for line, code in blocks(page):
        # Empty lines in front, so that a traceback names the line of the page.
        exec(compile("\n" * line + code, str(page), "exec"), module.__dict__)  # noqa: S102 - a page of this repository


def test_every_block_is_found_and_marked() -> None:
    for page in DOCS.rglob("*.md"):
        marks = re.findall(r"^```python(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(marks) <= {"", " no-run"}, page
        assert marks.count("") == len(blocks(page)), page
