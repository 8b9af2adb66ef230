"""Reading what somebody else has sent: every name once, every value a text, and nothing raised but `SignalError`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from kyc_verify.call import MAX_ID, Call, exact_id
from kyc_verify.errors import SignalError, UsageError

__all__ = ["Fields", "call", "fields", "form"]

_LONGEST: Final = 65_536
_MOST: Final = 500

Fields = Mapping[str, tuple[str, ...]]
"""Every value of every name, in the order they came."""


def form(body: object) -> list[tuple[str, str]]:
    """Return the pairs of a form as it came in the body or the query of a request.

    Raises:
        SignalError: it is not one.
    """
    if isinstance(body, Mapping):
        return _pairs(body)
    try:
        text = bytes(body).decode("utf-8") if isinstance(body, bytes | bytearray) else body
        if type(text) is not str or len(text) > _LONGEST:
            return _unreadable()
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST, errors="strict")
    except ValueError:
        return _unreadable()


def fields(payload: object, *, name: Callable[[str], str] = str) -> Fields:
    """Return the texts of a payload by name; a list of values, or a name that comes again, is several values.

    Raises:
        SignalError: it is neither a mapping nor a sequence of pairs.
    """
    found: dict[str, tuple[str, ...]] = {}
    for key, value in _pairs(payload):
        found[name(key)] = (*found.get(name(key), ()), value)
    return found


def _pairs(payload: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - anything may have been sent
    try:
        items: Iterable[Any] = payload.items() if isinstance(payload, Mapping) else payload
        if isinstance(items, str | bytes):
            return _unreadable()
        found: list[tuple[str, str]] = []
        for key, value in items:
            values = value if isinstance(value, list | tuple) else (value,)
            found += [(key, one) for one in values if type(key) is str and type(one) is str]
            if len(found) > _MOST:
                return _unreadable()
    except SignalError:
        raise
    except Exception:  # noqa: BLE001 - whatever a payload does when it is looked at, it is not one
        return _unreadable()
    return found


def _unreadable() -> list[tuple[str, str]]:
    msg = "the payload cannot be read; nothing of it was used"
    raise SignalError(msg) from None


def call(
    *,
    id: str | None,  # noqa: A002 - the name of the field
    agent: str,
    roles: Collection[str],
    number: str | None,
    attestation: str | None,
    region: str | None,
) -> Call:
    """Return a call; its agent and roles are the host's word, all else the payload's.

    Raises:
        SignalError: the payload names no call.
    """
    try:
        exact_id(id, "the call's id")
    except UsageError:
        msg = "the payload names no call; nothing of it was used"
        raise SignalError(msg) from None
    shown = number if number is not None and len(number) <= MAX_ID and _plain(number) else None
    return Call(id=str(id), agent=agent, roles=roles, number=shown, attestation=attestation, region=region)


def _plain(number: str) -> bool:
    return all(unicodedata.category(char)[0] != "C" for char in number)
