"""Yes and no, in four languages."""

from __future__ import annotations

import pytest

from kyc_verify.answers import Refused, confirm


@pytest.mark.parametrize("said", ["yes", "Y", "OK.", "oui", "Confirmé", "sí", "hecho", "بله", "آری", "تایید شد", "1"])
def test_yes(said: str) -> None:
    assert confirm.read(said) is True


@pytest.mark.parametrize("said", ["no", "N", "non", "Refusé", "rechazo", "نه", "خیر", "0"])
def test_no(said: str) -> None:
    assert confirm.read(said) is False


@pytest.mark.parametrize("said", ["", "perhaps", "yes no", "2", "بله نه"])
def test_neither(said: str) -> None:
    assert confirm.read(said) is None


def test_length_is_bounded() -> None:
    with pytest.raises(Refused, match="too_long"):
        confirm.read("y" * 257)
