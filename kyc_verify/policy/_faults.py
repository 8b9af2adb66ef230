"""Faults as values: where something is wrong and what to do about it, and the two that are looked for everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kyc_verify.call import exact_id
from kyc_verify.errors import UsageError

__all__ = ["Faults", "id_faults", "text_faults"]

Faults = Iterator[tuple[str, str]]
"""Paths and messages."""


def id_faults(value: object, path: str) -> Faults:
    """Yield why something is no identifier."""
    try:
        exact_id(value, "it")
    except UsageError as fault:
        yield path, str(fault)


def text_faults(texts: object, path: str) -> Faults:
    """Yield why something does not map languages to texts that can be said."""
    pairs = texts.items() if isinstance(texts, Mapping) else [(None, None)]
    if not all(type(each) is str and each.strip() and _writable(each) for pair in pairs for each in pair):
        yield path, "must map languages to texts"


def _writable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
