"""The SIP header ``Identity`` (RFC 8224 section 4): a token and what is said beside it.

Several headers may come as a sequence or, as SIP permits, in one value with commas between them. A bare token is taken
too: platforms hand on the PASSporT without its header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["MOST", "Identity", "identities", "parameters"]

MOST: Final = 8
"""Identity headers that one call may carry."""

_LONGEST: Final = 16_384
# The start of a JSON object in base64url: so every token begins.
_BEGINS: Final = "eyJ"
_NAME: Final = re.compile(r"[ \t]*(?:identity|y)[ \t]*:", re.IGNORECASE)
_PARAMETER: Final = re.compile(rb';\s*([A-Za-z0-9_.-]+)\s*=\s*(?:<([^<>\s]*)>|"([^"\\]*)"|([^\s;,<>"]+))\s*')
# Commas inside angle brackets or quotes belong to an address or a text.
_ENTRY: Final = re.compile(r'(?:[^,<>"]|<[^<>]*>|"[^"]*")+')


Identity = tuple[bytes, bytes]
"""One header: its token, and what stands after it as it came."""


def identities(header: object) -> list[Identity]:
    """Read what a host has of `Identity` headers.

    Raises:
        Refusal: there is none, or what is there is not one.
    """
    if type(header) is str:
        found = [_one(header)] if header.startswith(_BEGINS) and "," not in header else _read(header)
    elif header is None:
        found = []
    else:
        found = [identity for value in _values(header) for identity in _read(value)]
    if not found:
        raise Refusal("no_header")
    if len(found) > MOST:
        raise Refusal("too_many")
    return found


def _values(header: object) -> Iterable[str]:
    values = [header] if isinstance(header, str | bytes | bytearray) else header
    if not isinstance(values, list | tuple):
        raise Refusal("malformed")
    if len(values) > MOST:
        raise Refusal("too_many")
    for value in values:
        if not isinstance(value, str | bytes | bytearray):
            raise Refusal("malformed")
        yield value if isinstance(value, str) else value.decode("latin-1")


def _read(text: str) -> list[Identity]:
    if not text.startswith(_BEGINS):
        named = _NAME.match(text)
        text = (text[named.end() :] if named else text).strip()
        if not text:
            return []
    if "," not in text:
        return [_one(text)]
    entries = _ENTRY.findall(text)
    if ",".join(entries) != text:
        raise Refusal("malformed")
    return [_one(entry) for entry in entries]


def _one(entry: str) -> Identity:
    if len(entry) > _LONGEST:
        raise Refusal("too_long")
    if not entry.isascii():
        raise Refusal("malformed")
    token, semicolon, beside = entry.encode().partition(b";")
    return token.strip(), semicolon + beside


def parameters(beside: bytes) -> dict[str, str]:
    """Read what stands beside a token, by lower-case name; ``info`` comes without its angle brackets.

    Raises:
        Refusal: it is not a list of parameters, or one stands twice.
    """
    found: dict[str, str] = {}
    place = 0
    while place < len(beside):
        parameter = _PARAMETER.match(beside, place)
        if parameter is None:
            raise Refusal("malformed")
        name, *values = (group if group is None else group.decode("ascii") for group in parameter.groups())
        if name is None or name.lower() in found:
            raise Refusal("malformed")
        found[name.lower()] = next(value for value in values if value is not None)
        place = parameter.end()
    return found
