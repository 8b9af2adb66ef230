"""The forms that credentials were made of: what is hashed in a database must be found again by every release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kyc_verify.answers import phones, text

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "forms_v1.json").read_text(encoding="utf-8")
)


def test_texts_keep_their_forms() -> None:
    assert text.VERSION == 1, "keep the forms of version 1 readable, and add vectors of the new one"
    found = [(said, text.forms(said)) for said, _, _ in VECTORS["text"]]
    assert [[said, forms.coarse.reveal(), forms.fine.reveal()] for said, forms in found] == VECTORS["text"]
    assert [text.forms(forms.fine.reveal()).coarse.reveal() for _, forms in found] == [
        coarse for _, coarse, _ in VECTORS["text"]
    ]


@pytest.mark.parametrize(("said", "typo"), VECTORS["typo"])
def test_texts_keep_their_neighbourhoods(said: str, typo: list[str]) -> None:
    assert [form.reveal() for form in text.forms(said, tolerance="typo").typo] == typo


@pytest.mark.parametrize(("said", "region", "canonical"), VECTORS["phone"])
def test_numbers_keep_their_form(said: str, region: str | None, canonical: str) -> None:
    assert phones.canonical(said, region=region) == canonical
    assert phones.canonical(canonical, region=None) == canonical
