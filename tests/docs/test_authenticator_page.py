"""The page on authenticators runs where the extra is installed: its blocks in order, as one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pyotp")
pytest.importorskip("cryptography")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "authenticator.md"


def test_the_page_runs() -> None:
    found = re.findall(r"^```python no-run\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == 4
    exec(compile("\n".join(found), str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 - a page of this repository
