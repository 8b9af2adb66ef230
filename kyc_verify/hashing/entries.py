"""How a keyring is written, and what is wrong with its entries; no message quotes any: a mistyped id may be a key."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, TypedDict

from kyc_verify.errors import ConfigurationError

__all__ = ["LEAST", "Given", "faults", "new_entry", "pairs", "parsed"]

LEAST: Final = 32
"""Bytes of a key."""

_MOST: Final = 1024
_DISTINCT: Final = 8  # of 32 random bytes about 30 differ; fewer than 8 do once in 10^40
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_STATES: Final = ("archived", "staged")
_ID_RULE: Final = "a key id is 1 to 32 of A-Z a-z 0-9 . _ -"


class Given(TypedDict):
    """What is written in a keyring: the arguments of `Keyring`."""

    keys: list[tuple[str, bytes]]
    archived: list[str]
    staged: list[str]


def pairs(keys: object) -> tuple[Any, ...]:
    """Return the entries of a mapping or of an iterable, unchecked."""
    if isinstance(keys, Mapping):
        return tuple(keys.items())
    return tuple(keys) if isinstance(keys, Iterable) else ()


def faults(entries: tuple[Any, ...], archived: Collection[str], staged: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the entries, all of it."""
    if not entries:
        yield "a keyring needs at least one key: a mapping of id to bytes, the newest first"
    ids: list[str] = []
    values: list[bytes] = []
    for at, entry in enumerate(entries, 1):
        name, key = entry if type(entry) is tuple and len(entry) == 2 else (None, None)  # noqa: PLR2004 - a pair
        if type(name) is not str or not _ID.fullmatch(name):
            yield f"key {at}: {_ID_RULE}"
        elif name in ids:
            yield f"key {at} has the id of another"
        else:
            ids.append(name)
        if type(key) is not bytes or not LEAST <= len(key) <= _MOST or len(set(key)) < _DISTINCT:
            yield f"key {at} must be {LEAST} to {_MOST} random bytes, as from Keyring.new_entry()"
        elif key in values:
            yield f"key {at} has the value of another"
        else:
            values.append(key)
    yield from _state_faults(ids, archived, staged)


def _state_faults(ids: list[str], archived: Collection[str], staged: Collection[str]) -> Iterator[str]:
    states: tuple[tuple[str, object], ...] = (("archived", archived), ("staged", staged))
    for what, given in states:
        if isinstance(given, str) or not isinstance(given, Collection) or not all(name in ids for name in given):
            yield f"{what} must be a set of ids of this keyring"
            return
    if ids and not [name for name in ids if name not in archived and name not in staged]:
        yield "no key is active: one must be neither archived nor staged"
    elif ids and ids[-1] in staged:
        yield "the last key cannot be staged: names are made with it; put a new key first"


def parsed(value: str) -> Given:
    """Read ``id:value`` entries, what comes after the value being its state.

    Raises:
        ConfigurationError: an entry is not written so.
    """
    given = Given(keys=[], archived=[], staged=[])
    written = re.split(r"[\s,]+", value.strip())
    for at, entry in enumerate(written, 1):
        name, *rest = f"1:{entry}".split(":") if [entry] == written and ":" not in entry else entry.split(":")
        if len(rest) == 2 and rest[1] in _STATES:  # noqa: PLR2004 - a value and a state
            (given["archived"] if rest[1] == "archived" else given["staged"]).append(name)
        elif len(rest) != 1:
            msg = f"entry {at} must be id:value, id:value:archived or id:value:staged"
            raise ConfigurationError(msg)
        given["keys"].append((name, _decoded(rest[0], at)))
    return given


def _decoded(value: str, at: int) -> bytes:
    if _HEX.fullmatch(value):
        return bytes.fromhex(value)
    bare = value.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        msg = f"entry {at} is neither base64 nor hexadecimal"
        raise ConfigurationError(msg) from None


def new_entry(key_id: object) -> str:
    """Return a fresh ``id:value``; raises ConfigurationError for what is no id."""
    if type(key_id) is not str or not _ID.fullmatch(key_id):
        raise ConfigurationError(_ID_RULE)
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(LEAST)).decode()}"
