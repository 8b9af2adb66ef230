"""Every attack of the list is tried here, or said to wait and why."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
IDS = [line.split()[0] for line in (HERE / "ids.txt").read_text(encoding="utf-8").splitlines()]
PENDING = re.findall(r"^\| ([A-Z]{2}-\d\d) \|", (HERE / "pending.md").read_text(encoding="utf-8"), re.MULTILINE)


def tried() -> set[str]:
    """Return the ids in the names and docstrings of tests."""
    found: set[str] = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for group, numbers in re.findall(r"(?<=_)([a-z]{2})((?:_\d\d)+)(?=_)", node.name):
                    found |= {f"{group.upper()}-{number}" for number in re.findall(r"\d\d", numbers)}
                found |= set(re.findall(r"\b[A-Z]{2}-\d\d\b", ast.get_docstring(node) or ""))
    return found


def test_the_list_is_whole() -> None:
    assert len(IDS) == len(set(IDS)) == 182


@pytest.mark.parametrize("case", IDS)
def test_every_attack_is_tried_or_waits(case: str) -> None:
    assert case in tried() or case in PENDING


def test_nothing_waits_that_is_tried_or_unknown() -> None:
    assert set(PENDING) <= set(IDS)
    assert set(PENDING).isdisjoint(tried())
    assert tried() <= set(IDS)
