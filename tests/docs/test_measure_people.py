"""The page on answers quotes what the script prints of the people that come with the project."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from kyc_verify.answers import text
from kyc_verify.terms import Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "measure_people.py"
PAGE = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
COMMAND = "python scripts/measure_people.py tests/data/people_sample.csv"


def _script() -> ModuleType:
    spec = spec_from_file_location("measure_people", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


script = _script()


def _grade(said: str, true: str, tolerance: text.Tolerance = "default") -> Outcome:
    def read(one: str) -> text.Forms:
        return text.forms(one, tolerance=tolerance)

    outcome = script.grade(script.rungs(said, read), script.rungs(true, read))
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_page_quotes_what_its_command_prints() -> None:
    command = COMMAND.split()
    printed = subprocess.run(
        [sys.executable, *command[1:]], capture_output=True, text=True, check=True, cwd=ROOT, encoding="utf-8"
    ).stdout
    assert f"    {COMMAND}\n" in PAGE
    assert f"<!-- sample -->\n{printed}<!-- end -->\n" in PAGE


def test_grades_are_those_of_the_hashes() -> None:
    assert _grade("Ann Brown", "ann brown") is Outcome.PASS
    assert _grade("Ann Brown", "Anne Browne") is Outcome.NEAR
    assert _grade("Ann Brown", "Anne Browne", "exact") is Outcome.FAIL
    assert _grade("Thomaw", "Thomas") is Outcome.FAIL
    assert _grade("Thomaw", "Thomas", "typo") is Outcome.NEAR
    assert _grade("", "Thomas") is Outcome.FAIL


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("smith", "smiths", 0),
        ("smiths", "smith", 0),
        ("ann", "anan", 0),
        ("taylor", "tayler", 1),
        ("thomas", "thomaw", 2),
        ("thomas", "thomsa", 3),
        ("thomas", "th0mas", 3),
        ("thomas", "thqmas", 3),
        ("thomas", "thomas", None),
        ("thomas", "themes", None),
        ("thomas", "thom", None),
        ("bill", "william", None),
    ],
)
def test_slips_of_one_letter(one: str, other: str, kind: int | None) -> None:
    assert script.slip(one, other) == (None if kind is None else script.SLIPS[kind])


def test_bits_and_strangers_by_hand() -> None:
    people = [script.rungs(name, text.forms) for name in ("Smith", "Smith", "Smyth", "Brown")]
    assert script.bits(people) == pytest.approx((1.0, 0.585), abs=0.001)  # 2 of 4 people, then 3
    assert script.strangers(people) == pytest.approx((2 / 12, 4 / 12))


def test_blank_answers_are_skipped() -> None:
    rows = [{"person": "a", "dob": value} for value in ("", " - ", "1985-03-04", " 1985 ")]
    assert script.answers(rows, "dob") == {"a": ["1985-03-04", "1985"]}
