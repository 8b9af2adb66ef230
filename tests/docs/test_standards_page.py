"""docs/standards.md names modules and tests that are there; the floors hold the figures of the published clauses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import kyc_verify
from kyc_verify import floors

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
LIBRARY = Path(kyc_verify.__file__).parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/standards.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| clause"))
]
FIGURES = json.loads((TESTS / "vectors/standards.json").read_text(encoding="utf-8"))


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_page_has_its_rows() -> None:
    assert len(ROWS) >= 20
    assert {len(row) for row in ROWS} == {6}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_clause_names_what_is_there(row: list[str]) -> None:
    _, _, known, where, shown, status = row
    assert known in {"verified", "secondary", "from memory"}
    assert status
    for name in quoted(where):
        path = name.split("(")[0]
        if "/" in path or path.endswith(".py"):
            assert (LIBRARY / path).exists(), name
        else:
            assert any(path.split(".")[-1] in each.read_text(encoding="utf-8") for each in LIBRARY.rglob("*.py")), name
    assert quoted(shown)
    for name in quoted(shown):
        assert list(TESTS.rglob(name)) or (TESTS / name).exists(), name


FLOORS = (floors.nist4, floors.asvs5, floors.psd2, floors.us_cpni, floors.pci)


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_every_clause_of_a_floor_is_on_the_page(floor: floors.Floor) -> None:
    listed = {(row[0], row[2]) for row in ROWS if f"floors.{floor.name}" in quoted(row[3])}
    assert {(rule.clause, rule.known) for rule in floor.rules} <= listed


@pytest.mark.parametrize(
    ("floor", "field", "value", "source", "figure"),
    [
        (floors.nist4, "checks.*.digits", 6, "nist_63b4_oob", "min_digits"),
        (floors.nist4, "lifetimes.code", 600, "nist_63b4_oob", "max_age_s"),
        (floors.nist4, "budgets.consecutive", 100, "nist_63b4_oob", "max_consecutive_failures"),
        (floors.nist4, "lifetimes.session", 86400, "nist_63b4_session", "aal2_overall_s"),
        (floors.nist4, "lifetimes.question", 3600, "nist_63b4_session", "aal2_idle_s"),
        (floors.asvs5, "lifetimes.code", 600, "owasp_asvs5", "oob_max_age_s"),
        (floors.psd2, "budgets.answers.limit", 5, "psd2_rts", "max_failures"),
        (floors.psd2, "budgets.consecutive", 5, "psd2_rts", "max_failures"),
        (floors.psd2, "lifetimes.question", 300, "psd2_rts", "idle_s"),
        (floors.pci, "budgets.answers.limit", 10, "pci_dss_401", "max_failures"),
        (floors.pci, "budgets.answers.window", 1800, "pci_dss_401", "lockout_min_s"),
        (floors.pci, "lifetimes.question", 900, "pci_dss_401", "idle_s"),
    ],
)
def test_the_figure_is_the_clauses(floor: floors.Floor, field: str, value: int, source: str, figure: str) -> None:
    (rule,) = (each for each in floor.rules if each.field == field)
    assert rule.value == value == FIGURES[source][figure]
    assert rule.known == {"V": "verified", "S": "secondary"}[FIGURES[source]["status"][0]]


def test_low_value_payments_and_numbers_of_record_are_the_clauses() -> None:
    low = FIGURES["psd2_rts"]["low_value"]
    (rule,) = (each for each in floors.psd2.rules if each.demand is floors.Demand.LOW_VALUE)
    assert rule.value == (low["single_eur"], low["cumulative_eur"], low["count"])
    (age,) = (each for each in floors.us_cpni.rules if each.field == "lifetimes.cool_off")
    assert age.value == FIGURES["us_cpni_64_2010"]["address_of_record_min_age_days"] * 86400
    assert 2 ** FIGURES["owasp_asvs5"]["code_min_bits"] > 10**6  # a code of 6 digits falls short of App. C's 20 bits
