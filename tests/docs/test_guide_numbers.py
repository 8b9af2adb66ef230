"""The page on the threat model quotes what the script prints, and the guide's numbers are those of the design."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from kyc_verify.threats import ThreatModel

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "guide_numbers.py"
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")


def _script() -> ModuleType:
    spec = spec_from_file_location("guide_numbers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()


def test_the_page_quotes_every_block() -> None:
    printed = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True).stdout
    blocks = printed.strip().split("\n\n")
    assert len(blocks) == 4
    for block in blocks:
        assert block in PAGE


def test_every_table_of_the_page_is_printed_but_the_classes() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    assert len(tables) == 4
    assert sum(table.strip() in script.report() for table in tables) == 3


@pytest.mark.parametrize(
    ("passed", "bits"),
    [
        ("tenure, SMS code", "1.1"),
        ("tenure, SMS code, clear SIM swap", "2.8"),
        ("tenure, SMS code, clear SIM swap, attested number", "3.4"),
        ("PIN, tenure, SMS code, clear SIM swap", "4.2"),
        ("PIN, app confirmation, attested number", "6.7"),
        ("birth date, postcode, tenure, last transaction", "0.0"),
    ],
)
def test_guide(passed: str, bits: str) -> None:
    rows = dict(script.COMBINATIONS)[passed]
    guide = script.guide_model(ThreatModel.default())
    assert script.worth(guide, tuple(script.GUIDE_SMS if row == "sms" else row for row in rows))[0] == bits


def test_classes_of_the_page_are_those_of_the_table() -> None:
    section = PAGE.split("## The classes")[1].split("## The table")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == ThreatModel.default().names


def test_the_page_of_signals_quotes_the_table() -> None:
    """Every cell with its figure, tag, source and reason."""
    printed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "signal_worth.py")], capture_output=True, text=True, check=True
    ).stdout
    page = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
    assert page.endswith(printed)
    assert printed.count("\n## ") >= 9
