"""Digits and PINs: no tolerance, and none of the first guesses."""

from __future__ import annotations

import pytest

from kyc_verify.answers import Refused, digits


@pytest.mark.parametrize("said", ["4711", "47 11", "47-11", "4.7.1.1", "۴۷۱۱", "٤٧١١", "４７１１", "\u200e4711"])
def test_digits_of_every_script_are_the_same(said: str) -> None:
    forms = digits.forms(said)
    assert (forms.coarse.reveal(), forms.fine.reveal(), forms.near) == ("4711", "4711", False)
    assert digits.code(said) == "4711"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "blank"),
        ("--", "blank"),
        ("12a4", "unreadable"),
        ("+4711", "unreadable"),
        ("four", "unreadable"),
        ("²³⁴⁵", "unreadable"),
        ("1" * 257, "too_long"),
        ("12\ud800", "unencodable"),
    ],
)
def test_anything_else_is_refused(said: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        digits.forms(said)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "pin",
    ["", "1", "739", "0000", "777777", "1234", "4321", "6789", "7890", "0987", "123456", "654321", "1984", "2031",
     "1212", "739739", "2580", "123123"],
)  # fmt: skip
def test_weak_pins(pin: str) -> None:
    assert digits.weak_pin(pin)


@pytest.mark.parametrize("pin", ["7392", "8064", "739184", "52719384", "4994", "4944", "1849", "2149", "49494"])
def test_pins_that_will_do(pin: str) -> None:
    assert not digits.weak_pin(pin)


def test_as_many_characters_as_an_answer_may_have_are_read() -> None:
    assert digits.code("4711" + " " * 252) == "4711"
