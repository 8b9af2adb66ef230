"""What people say for how long they have been customers, in four languages, against its meaning."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kyc_verify.answers import Clarify, Refused, durations

SHIPPED = Path(__file__).parents[1] / "data" / "tenure_phrases.json"
TABLE: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
NOW = datetime.fromisoformat(TABLE.pop("now")).replace(tzinfo=UTC)
PRESENT = NOW.year * 12 + NOW.month - 1
PHRASES = [
    pytest.param(language, row, id=f"{language}:{row['said']}") for language, rows in TABLE.items() for row in rows
]


def _meaning(said: str, locale: str | None) -> dict[str, Any]:
    try:
        found = durations.read(said, locale=locale, now=NOW)
    except Refused as refused:
        return {"refused": refused.reason}
    if isinstance(found, Clarify):
        return {"clarify": found.question}
    return {"months": PRESENT - found, "month": f"{found // 12:04d}-{found % 12 + 1:02d}"}


@pytest.mark.parametrize(("language", "row"), PHRASES)
def test_phrase_means_what_people_mean(language: str, row: dict[str, Any]) -> None:
    meaning = _meaning(row["said"], language)
    expected = {name: value for name, value in row.items() if name != "said"}
    assert {name: meaning.get(name) for name in expected} == expected


@pytest.mark.parametrize(("language", "row"), PHRASES)
def test_language_is_not_asked_for(language: str, row: dict[str, Any]) -> None:
    assert {str(_meaning(row["said"], locale)) for locale in ("en-GB", "fr", "es", "fa")} == {
        str(_meaning(row["said"], language)),
    }


@pytest.mark.parametrize("language", ["en", "fr", "es", "fa"])
def test_table_is_as_large_as_promised(language: str) -> None:
    assert len([row for row in TABLE[language] if "clarify" not in row]) >= 150


@pytest.mark.parametrize("language", ["en", "fr", "es", "fa"])
def test_ambiguous_phrases_are_well_covered(language: str) -> None:
    assert sum("clarify" in row for row in TABLE[language]) >= 50


def test_no_phrase_is_there_twice() -> None:
    for rows in TABLE.values():
        assert len({row["said"] for row in rows}) == len(rows)
