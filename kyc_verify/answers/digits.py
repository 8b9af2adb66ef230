"""Digits: a PIN, the last digits of a number, a one-time code. No tolerance at all."""

from __future__ import annotations

import unicodedata
from typing import Final

from kyc_verify.answers._fold import fold_text
from kyc_verify.answers.forms import Forms, Refused
from kyc_verify.terms import MAX_ANSWER

__all__ = ["VERSION", "code", "forms", "weak_pin"]

VERSION: Final = 1
"""Version of these forms, stored with each credential."""

_SHORTEST: Final = 4
_SEPARATORS: Final = frozenset(" -.\u00a0\u2010\u2011\u2012\u2013\u2014\u2212")
_YEARS: Final = frozenset(("19", "20"))
_RUN: Final = "01234567890"
# Most used beyond what the rules catch: pairs, halves repeated, keypad shapes, dates everybody knows.
_MOST_USED: Final = frozenset(
    (
        "1212", "1004", "2001", "6969", "1122", "1313", "1010", "2580", "0852", "1998", "1397", "1379", "7931",
        "2468", "8642", "1357", "9753", "0007", "1007", "4711", "5150", "1414", "1515", "1616", "1717", "1818",
        "2020", "2121", "2222", "2323", "2424", "2525", "3131", "3232", "4242", "4545", "5252", "5454", "5656",
        "6565", "6767", "6868", "7171", "7272", "7474", "7676", "7777", "7878", "8585", "8686", "8787", "8888",
        "8989", "9090", "9191", "9696", "9797", "9898", "1123", "1110", "1112", "1001", "1221", "1331", "2112",
        "2332", "3223", "1233", "4321", "1590", "1470", "3690", "1478", "3698", "7896", "9874", "1475", "1593",
        "7410", "0258", "2589", "0123", "0911", "1314", "5200", "2211", "2233", "3344", "4455", "5566", "6677",
        "7788", "8899", "1342", "1324", "1243", "1235", "1236", "4567", "1984", "0420", "0069", "2369", "8520",
        "12344", "12321", "11223", "54320", "24680", "13579", "12121", "14789", "25802", "78963", "15973",
        "123123", "121212", "112233", "159753", "654320", "147258", "258369", "789456", "456789", "123321",
        "131313", "696969", "100200", "101010", "232323", "420420", "520520", "147852", "369258", "951753",
        "134679", "102030", "010203", "246810", "135790", "987123", "123654", "123789", "456123", "321321",
        "12341234", "11223344", "12121212", "14725836", "11112222", "12344321", "87654312", "13572468",
    ),
)  # fmt: skip


def _digits(said: str) -> str:
    if len(said) > MAX_ANSWER:
        raise Refused("too_long")
    if not fold_text(said):
        raise Refused("blank")
    kept: list[str] = []
    for char in said:
        if char.isdecimal():
            kept.append(str(unicodedata.decimal(char)))
        elif char not in _SEPARATORS and not char.isspace() and unicodedata.category(char) != "Cf":
            raise Refused("unreadable")
    return "".join(kept)


def forms(said: str) -> Forms:
    """Return the digits, of any script, spaces, hyphens and dots dropped.

    Raises:
        Refused: ``blank``, ``too_long``, ``unencodable``; ``unreadable`` when there is anything else in it.
    """
    digits = _digits(said)
    return Forms(coarse=digits, fine=digits)


def code(said: str) -> str:
    """Return the digits of a one-time code; raises what `forms` raises."""
    return _digits(said)


def weak_pin(digits: str) -> bool:
    """Whether a PIN is too short or among the first that a thief tries.

    One digit repeated, runs up or down (over the zero as well), years 19xx and 20xx, a half repeated, and the most
    used ones; their share in published leaks is why (Bonneau, Preibusch and Anderson 2012).
    """
    if len(digits) < _SHORTEST or len(set(digits)) == 1:
        return True
    if digits in _RUN or digits in _RUN[::-1] or digits in "12345678901" or digits in "10987654321":
        return True
    if len(digits) == _SHORTEST and digits[:2] in _YEARS:
        return True
    half = len(digits) // 2
    return digits in _MOST_USED or (len(digits) % 2 == 0 and digits[:half] == digits[half:])
