"""Number words of four languages, read without being told the language."""

from __future__ import annotations

import pytest

from kyc_verify.answers._calendar import gregorian
from kyc_verify.answers._numbers import read_numbers


def _read(said: str) -> list[int | str]:
    return [token.word if token.whole is None else token.whole for token in read_numbers(said.split())]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("quatre vingt dix neuf", [99]),
        ("soixante et onze", [71]),
        ("diez y seis", [16]),
        ("diez y nueve", [19]),
        ("two hundred and one", [201]),
        ("mil novecientos ochenta y cinco", [1985]),
        ("هزار و سیصد و نود و هشت", [1398]),
        ("nineteen oh five", [1905]),
        ("twenty nineteen", [2019]),
        ("twenty nineteen years", [20, 19, "years"]),
        # A number that cannot go on begins a new one.
        ("three four", [3, 4]),
        ("zero six", [0, 6]),
        ("zero twenty", [0, 20]),
        ("ten five", [10, 5]),
        ("dix dix", [10, 10]),
        ("diez diez", [10, 10]),
        ("dix sept", [17]),
        ("dix six", [10, 6]),
        ("quatre vingt", [80]),
        ("quatre vingt vingt", [80, 20]),
        ("quatre vingt dix sept", [97]),
        ("deux quatre vingt", [2, 80]),
        ("cent cent", [100, 100]),
        ("mille mille", [1000, 1000]),
        ("cinco quinientos", [5, 500]),
        ("twenty thirty forty", [2030, 40]),
        ("one hundred dozen", [112]),
        ("une centaine", [1, 100]),
        ("three and", [3, "and"]),
        ("123456789", ["123456789"]),
    ],
)
def test_numbers(said: str, read: list[int | str]) -> None:
    assert _read(said) == read


@pytest.mark.parametrize(
    ("year", "month", "day"), [(1249, 1, 1), (1501, 1, 1), (1398, 0, 1), (1398, 13, 1), (1398, 7, 31)]
)
def test_days_that_the_persian_calendar_does_not_have(year: int, month: int, day: int) -> None:
    with pytest.raises(ValueError, match="no such day"):
        gregorian(year, month, day)
