"""Reading what a provider sent, strictly: a value of another type than was published is no value.

Nothing here converts. The word ``"false"`` is not False, 1 is not True, a date without its zone is not an instant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final, NoReturn

from kyc_verify.signals._http.exchange import Reply

__all__ = ["Unreadable", "day", "document", "flag", "instant", "member", "text", "whole"]

# RFC 3339 section 5.6: the zone is not optional.
_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,12})?(?:[Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII
)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_FRACTION: Final = re.compile(r"(\.\d{6})\d+")


class Unreadable(Exception):  # noqa: N818 - it never leaves this package
    """A reply is not what was published. It quotes nothing of it."""


def _refuse(*_: object) -> NoReturn:
    raise Unreadable


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable  # two readers would see two values
        found[name] = value
    return found


def document(reply: Reply) -> object:
    """Return what the JSON body of a reply holds.

    Raises:
        Unreadable: another media type, not UTF-8, not JSON, a name twice, a number that is none, or nested too deep.
    """
    if reply.kind.partition(";")[0].strip().lower() != "application/json":
        raise Unreadable
    try:
        return json.loads(reply.body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unreadable from None


def member(found: object, name: str) -> object:
    """Return a member of an object; None when it is null or missing.

    Raises:
        Unreadable: not an object.
    """
    if type(found) is not dict:
        raise Unreadable
    return found.get(name)


def flag(found: object, name: str) -> bool:
    """Return a member that must be true or false.

    Raises:
        Unreadable: anything else, ``"true"``, 1 and null included.
    """
    value = member(found, name)
    if type(value) is not bool:
        raise Unreadable
    return value


def text(found: object, name: str, allowed: Iterable[str]) -> str | None:
    """Return a member that is one of the allowed words, or is null or missing.

    Raises:
        Unreadable: another word, or no word.
    """
    value = member(found, name)
    if value is None:
        return None
    if type(value) is not str or value not in allowed:
        raise Unreadable
    return value


def whole(found: object, name: str, low: int, high: int) -> int | None:
    """Return a member that is a whole number within its bounds, or is null or missing.

    Raises:
        Unreadable: anything else; true is not 1, and no age is negative.
    """
    value = member(found, name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise Unreadable
    return value


def instant(found: object, name: str) -> datetime | None:
    """Return a member that is an RFC 3339 date-time with its zone, or is null or missing.

    Raises:
        Unreadable: anything else; without a zone nobody knows which instant is meant.
    """
    value = member(found, name)
    if value is None:
        return None
    if type(value) is not str or not _INSTANT.match(value):
        raise Unreadable
    try:
        return datetime.fromisoformat(_FRACTION.sub(r"\1", value.upper()))
    except ValueError:
        raise Unreadable from None


def day(value: object) -> str | None:
    """Return a day as it is written in requests; None for what is none."""
    if type(value) is date:
        return value.isoformat()
    if type(value) is not str or not _DAY.match(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None
