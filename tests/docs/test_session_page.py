"""The page on runs quotes the table of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kyc_verify.decision import Verdict
from kyc_verify.session import TABLE, Happening

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "session.md").read_text(encoding="utf-8")


def test_the_page_is_drawn_from_the_table() -> None:
    script = str(ROOT / "scripts" / "session_table.py")
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    blocks = printed.strip().split("\n\n")
    assert len(blocks) == 2
    for block in blocks:
        assert block in PAGE


def test_the_drawing_says_no_more_and_no_less_than_the_table() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("|")]
    head = [Happening(name.replace(" ", "_")) for name in rows[0][1:]]
    drawn = {
        (Verdict(row[0].strip("`")), happening): frozenset(Verdict(name.strip("` ")) for name in cell.split(","))
        for row in rows[2:]
        for happening, cell in zip(head, row[1:], strict=True)
        if cell != "-"
    }
    assert drawn == dict(TABLE)


def test_everything_that_happens_and_every_verdict_is_explained() -> None:
    for happening in Happening:
        assert f"**{happening.value.replace('_', ' ')}**" in PAGE
    for verdict in Verdict:
        assert f"* `{verdict.value}`" in PAGE
