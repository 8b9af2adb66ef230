"""The list of numbers that a certificate may sign for: TNAuthorizationList (RFC 8226 section 9), read from its DER."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["Authority", "read"]

_LONGEST: Final = 65_536
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_TEXT: Final = 0x16
_CODE: Final = 0xA0
_RANGE: Final = 0xA1
_ONE: Final = 0xA2
_LONG: Final = 0x80
_MOST_OCTETS: Final = 4
_FEWEST: Final = 2
_HEAD: Final = 2
_NUMBER: Final = re.compile(rb"[0-9#*]{1,15}\Z")


@dataclass(frozen=True, slots=True)
class Authority:
    """What one certificate may sign for.

    Attributes:
        numbers: Single numbers, digits only.
        ranges: First number and how many, by length.
    """

    numbers: frozenset[str]
    ranges: tuple[tuple[str, int], ...]

    def covers(self, digits: str) -> bool:
        """Whether a number may be signed for; a list of provider codes alone says nothing of numbers."""
        if not self.numbers and not self.ranges:
            return True
        if digits in self.numbers:
            return True
        return any(len(first) == len(digits) and 0 <= int(digits) - int(first) < count for first, count in self.ranges)


def read(der: bytes) -> Authority:
    """Read a list.

    Raises:
        Refusal: it is not one, or not in DER.
    """
    if len(der) > _LONGEST:
        raise Refusal("certificate_numbers")
    entries, rest = _value(der, _SEQUENCE)
    if rest or not entries:
        raise Refusal("certificate_numbers")
    numbers: set[str] = set()
    ranges: list[tuple[str, int]] = []
    while entries:
        tag = entries[0]
        inner, entries = _value(entries, tag)
        if tag == _CODE:
            _, rest = _value(inner, _TEXT)
        elif tag == _ONE:
            text, rest = _value(inner, _TEXT)
            numbers.add(_digits(text))
        elif tag == _RANGE:
            pair, rest = _value(inner, _SEQUENCE)
            text, pair = _value(pair, _TEXT)
            count, more = _value(pair, _INTEGER)
            first = _digits(text)
            # RFC 8226: the count is 2 or more; a star or a hash has no successor.
            if more or not first.isdecimal() or int.from_bytes(count, signed=True) < _FEWEST:
                raise Refusal("certificate_numbers")
            ranges.append((first, int.from_bytes(count, signed=True)))
        else:
            raise Refusal("certificate_numbers")
        if rest:
            raise Refusal("certificate_numbers")
    return Authority(frozenset(numbers), tuple(ranges))


def _digits(text: bytes) -> str:
    if not _NUMBER.match(text):
        raise Refusal("certificate_numbers")
    return text.decode("ascii")


def _value(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Split the first value off, of that tag and with its length in the shortest form."""
    if len(data) < _HEAD or data[0] != tag:
        raise Refusal("certificate_numbers")
    length, start = data[1], _HEAD
    if length >= _LONG:
        octets = length - _LONG
        start += octets
        length = int.from_bytes(data[_HEAD:start])
        shortest = max(1, (length.bit_length() + 7) // 8)
        if not 0 < octets <= _MOST_OCTETS or octets != shortest or length < _LONG:
            raise Refusal("certificate_numbers")
    if start + length > len(data):
        raise Refusal("certificate_numbers")
    return data[start : start + length], data[start + length :]
