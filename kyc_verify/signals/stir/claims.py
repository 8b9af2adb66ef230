"""What a PASSporT claims: when, by whom, to whom, and how well known; and whether that is this call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kyc_verify.answers import Refused, phones
from kyc_verify.signals.attested import LEVELS, AttestationStatus
from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["FRESH", "NOTHING", "Claims", "attestation", "diversion", "fresh_until", "glanced", "matches"]

FRESH: Final = 60
"""Seconds that a PASSporT is fresh, before and after: RFC 8224 section 4.1 with erratum 5391."""

_MICRO: Final = 1_000_000
_LATEST: Final = 10**11
_E164: Final = re.compile(r"\+?([1-9][0-9]{4,14})\Z", re.ASCII)
_LEVELS: Final = {level.value: level for level in LEVELS}
_MOST_NUMBERS: Final = 32

_HEX: Final = "[0-9A-Fa-f]"
_UUID: Final = "-".join(_HEX + f"{{{length}}}" for length in (8, 4, 4, 4, 12))
_ORIGID: Final = re.compile(_UUID + r"\Z", re.ASCII)
# RFC 8225 section 9 has one way to write claims: names in order, no spaces. What RFC 8588 demands is then one line.
_LINE: Final = re.compile(
    r'\{"attest":"([ABC])","dest":\{"tn":\["\+?([1-9][0-9]{4,14})"\]\},"iat":([1-9][0-9]{0,9}),'
    r'"orig":\{"tn":"\+?([1-9][0-9]{4,14})"\},"origid":"' + _UUID + r'"\}\Z',
    re.ASCII,
)


class Claims(NamedTuple):
    """What one PASSporT says of a call; a tuple, being made for each call.

    Attributes:
        level: How well the caller is known to who signed; `NONE` where it says nothing of it.
        iat: When it was made, in microseconds since 1970.
        orig: Whose number it is of; like the others, digits after a plus sign.
        dest: The numbers it was made for.
        signer: The number that its certificate must be for: the caller's, or that which diverted the call. Who diverts
            does not sign for the caller's number (RFC 8946 section 6).
    """

    level: AttestationStatus
    iat: int
    orig: str
    dest: Sequence[str]
    signer: str


NOTHING: Final = Claims(AttestationStatus.NONE, 0, "", (), "")
"""What a PASSporT of another kind says of who calls."""


def glanced(octets: bytes) -> Claims | None:
    """Read an attestation that is written as the standard writes it; None: read it the long way, with `attestation`.

    Nearly all are. The line can be nothing but what the long way finds in it.
    """
    line = _LINE.match(octets.decode("latin-1"))
    if line is None:
        return None
    attest, dest, iat, orig = line.groups()
    orig = "+" + orig
    return Claims(_LEVELS[attest], int(iat) * _MICRO, orig, ("+" + dest,), orig)


def attestation(said: Mapping[str, Any]) -> Claims:
    """Read the claims of a `shaken` PASSporT: RFC 8588 sections 4 and 5.

    Raises:
        Refusal: one of them is missing or is not what it must be.
    """
    attest, origid = said.get("attest"), said.get("origid")
    if type(attest) is not str or attest not in _LEVELS:
        raise Refusal("attest")
    if type(origid) is not str or not _ORIGID.match(origid):
        raise Refusal("origid")
    orig = _originator(said)
    return Claims(_LEVELS[attest], _made(said), orig, _destinations(said), orig)


def diversion(said: Mapping[str, Any]) -> Claims:
    """Read the claims of a `div` PASSporT: RFC 8946 section 4.

    Raises:
        Refusal: one of them is missing or is not what it must be.
    """
    div = said.get("div")
    if type(div) is not dict or not div.keys() <= {"tn", "hi"} or (number := _number(div.get("tn"))) is None:
        raise Refusal("div")
    return Claims(AttestationStatus.NONE, _made(said), _originator(said), _destinations(said), number)


def _made(said: Mapping[str, Any]) -> int:
    iat = said.get("iat")
    # A bool is an int in Python, and an exponent makes an infinity of a number that JSON permits.
    if not isinstance(iat, int | float) or type(iat) is bool or not 0 < iat < _LATEST:
        raise Refusal("iat")
    return round(iat * _MICRO)


def _originator(said: Mapping[str, Any]) -> str:
    orig = said.get("orig")
    if type(orig) is not dict or len(orig) != 1 or (number := _number(orig.get("tn"))) is None:
        raise Refusal("orig")
    return number


def _destinations(said: Mapping[str, Any]) -> Sequence[str]:
    """Return the numbers among the destinations: RFC 8225 section 5.2.1, always arrays."""
    dest = said.get("dest")
    if type(dest) is not dict or not dest or not dest.keys() <= {"tn", "uri"}:
        raise Refusal("dest")
    for values in dest.values():
        if type(values) is not list or not 0 < len(values) <= _MOST_NUMBERS:
            raise Refusal("dest")
        if not all(type(value) is str for value in values):
            raise Refusal("dest")
    return tuple(number for value in dest.get("tn", ()) if (number := _number(value)) is not None)


def _number(value: object) -> str | None:
    """Return a number as `Call` has it; RFC 8224 section 8.3 has digits only, a plus sign is seen in the wild."""
    found = _E164.match(value) if type(value) is str else None
    return "+" + found[1] if found else None


def fresh_until(claims: Claims, now: int) -> int:
    """Return until when a PASSporT is fresh; all in microseconds since 1970.

    Raises:
        Refusal: it was made more than `FRESH` seconds before or after `now`.
    """
    age = now - claims.iat
    if age > FRESH * _MICRO:
        raise Refusal("stale")
    if age < -FRESH * _MICRO:
        raise Refusal("from_the_future")
    return claims.iat + FRESH * _MICRO


def matches(claimed: str, signalled: str, *, region: str | None) -> bool:
    """Whether a number in a PASSporT is the one that was signalled: canonical forms, compared exactly."""
    # Most are written the same, and the same text is the same number.
    if signalled in {claimed, claimed[1:]}:
        return True  # RFC 8224 section 8.3 writes it without the plus sign
    found, wanted = _canonical(signalled, region), _canonical(claimed, None)
    return found is not None and wanted is not None and phones.same(found, wanted)


def _canonical(number: str, region: str | None) -> str | None:
    try:
        return phones.canonical(number, region=region)
    except Refused:
        return None
