"""What an attacker can be able to do, at what price, and how well each check then goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any, Final, NoReturn, get_args

from kyc_verify.analysis._setting import Cells, Setting, strongest
from kyc_verify.checks import Check
from kyc_verify.errors import ConfigurationError, InvalidPolicy, PolicyError, UsageError
from kyc_verify.policy.rule import likelihoods, row_of
from kyc_verify.terms import Outcome
from kyc_verify.threats import rows as threat_rows
from kyc_verify.threats._weights import exact

__all__ = ["Capabilities", "Capability"]

_SCHEMA: Final = "kyc_verify.capabilities/1"
_LARGEST: Final = 1_000_000
_MOST: Final = 16
_TAGS: Final = get_args(threat_rows.Tag)
_KNOWN: Final = frozenset(
    ("name", "description", "price", "tag", "source", "note", "like", "rows", "cells", "trips"),
)

_Column = Mapping[Outcome, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing an attacker can buy, learn or do.

    Attributes:
        name: Of it.
        description: What it is.
        price: What one attempt on one customer costs with it.
        tag: How the price is known: ``published``, ``computed``, ``guess`` or ``own``.
        source: A key of the table's sources, or empty.
        note: What is to be known of the price.
        like: The class of the threat model whose cells it has for `rows` and `trips`, and for checks of one's own.
        rows: Rows it helps with.
        cells: Its own cells by row.
        origins: How each of these is known, and a note.
        trips: Rows of signals that it sets off: there it does as `like` says, however well others would do.
    """

    name: str
    description: str = ""
    price: Fraction
    tag: str = "guess"
    source: str = ""
    note: str = ""
    like: str | None = None
    rows: frozenset[str] = frozenset()
    cells: Mapping[str, _Column] = field(default_factory=dict)
    origins: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    trips: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A table of capabilities.

    Attributes:
        base: The class of the threat model that an attacker is without any.
        currency: Of the prices.
        entries: The capabilities.
        sources: What their sources stand for.
    """

    base: str
    currency: str
    entries: tuple[Capability, ...]
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def default(cls) -> Capabilities:
        """Return the shipped table."""
        return _default()

    @classmethod
    def from_json(cls, text: str) -> Capabilities:
        """Read a table.

        Raises:
            ConfigurationError: it is none; the message says where.
        """
        return _read(text)

    def guesses(self) -> tuple[tuple[str, str], ...]:
        """Return what nobody has measured: pairs of capability, and ``price`` or a row of its own cells."""
        own = [(each.name, row) for each in self.entries for row, (tag, _) in each.origins.items() if tag == "guess"]
        return (*((each.name, "price") for each in self.entries if each.tag == "guess"), *own)

    def cells(self, setting: Setting, names: Iterable[str]) -> Cells:
        """Return how an attacker with these capabilities answers; with several, as the best of them does.

        Raises:
            UsageError: no such capability, or the threat model lacks a class that the table names.
        """
        wanted = set(names)
        held = [each for each in self.entries if each.name in wanted]
        if len(held) < len(wanted):
            msg = f"the table has no capability {min(wanted - {each.name for each in held})!r}"
            raise UsageError(msg)
        return {name: self._column(setting, setting.policy.layer(name), held) for name in setting.available}

    def _column(self, setting: Setting, check: Check, held: list[Capability]) -> _Column:
        cells = likelihoods(check, setting.threats)
        if cells is None:
            msg = f"plain points do not say how likely {check.id!r} passes; pass threats= with such a row"
            raise UsageError(msg)
        row = row_of(check, setting.threats)
        classes = cells.classes.keys()

        def like(name: str) -> _Column:
            if name not in classes:
                msg = f"the capabilities name the class {name!r}, which {check.id!r} has no cells for; pass your own"
                raise UsageError(msg)
            return cells.column(name)

        found = [like(self.base)]
        for each in held:
            if row is not None and row in each.cells:
                found.append(each.cells[row])
            elif each.like is not None and (row is None or row in each.rows):
                found.append(like(each.like))
        tripped = [like(each.like) for each in held if row in each.trips and each.like is not None]
        return min(tripped, key=lambda column: column[Outcome.PASS]) if tripped else strongest(found)


@cache
def _default() -> Capabilities:
    return _read((files("kyc_verify") / "data" / "capabilities.json").read_text(encoding="utf-8"))


def _refuse(path: str, message: str) -> NoReturn:
    raise InvalidPolicy([PolicyError(path, message)])


def _constant(name: str) -> NoReturn:
    _refuse("json", f"{name} is not a number that a table may hold")


def _read(text: str) -> Capabilities:
    given: object = text
    if not isinstance(given, str) or len(given) > _LARGEST:
        msg = "a table of capabilities is JSON text of at most 1 MB"
        raise ConfigurationError(msg)
    try:
        body = json.loads(text, parse_constant=_constant)
    except (json.JSONDecodeError, RecursionError):
        msg = "a table of capabilities is JSON text, and this is not"
        raise ConfigurationError(msg) from None
    whole = _object(body, "table", {"schema", "currency", "base", "capabilities", "sources"})
    if whole.get("schema") != _SCHEMA:
        _refuse("schema", f"must be {_SCHEMA!r}")
    entries = whole.get("capabilities")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST:
        _refuse("capabilities", f"must be a list of 1 to {_MOST} objects")
    sources = _object(whole.get("sources", {}), "sources", None)
    table = Capabilities(
        base=_text(whole, "base", "table"),
        currency=_text(whole, "currency", "table"),
        entries=tuple(_capability(entry, f"capabilities.{at}", sources) for at, entry in enumerate(entries)),
        sources=sources,
    )
    if len({each.name for each in table.entries}) < len(table.entries):
        _refuse("capabilities", "two of them have one name")
    return table


def _object(value: object, path: str, known: Iterable[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, "must be an object")
    if known is not None and (odd := sorted(set(value) - set(known))):
        _refuse(f"{path}.{odd[0]}", f"is not known here; known are {', '.join(sorted(known))}")
    return dict(value)


def _text(body: Mapping[str, Any], name: str, path: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        _refuse(f"{path}.{name}", "must be a text")
    return value


def _names(body: Mapping[str, Any], name: str, path: str) -> frozenset[str]:
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        _refuse(f"{path}.{name}", "must be a list of rows")
    return frozenset(value)


def _tag(body: Mapping[str, Any], path: str) -> str:
    tag = _text(body, "tag", path, "guess")
    if tag not in _TAGS:
        _refuse(f"{path}.tag", f"must be one of {', '.join(_TAGS)}")
    return tag


def _number(value: object, path: str) -> Fraction:
    try:
        return exact(value)  # type: ignore[arg-type]
    except ConfigurationError as fault:
        _refuse(path, str(fault))


def _capability(entry: object, path: str, sources: Mapping[str, str]) -> Capability:
    body = _object(entry, path, _KNOWN)
    cells, origins = {}, {}
    for row, given in _object(body.get("cells", {}), f"{path}.cells", None).items():
        where = f"{path}.cells.{row}"
        column = _object(given, where, {"pass", "near", "tag", "note"})
        passed, near = (_number(column.get(name, 0), f"{where}.{name}") for name in ("pass", "near"))
        if passed + near > 1:
            _refuse(where, "the probabilities sum to more than 1")
        cells[row] = {Outcome.FAIL: 1 - passed - near, Outcome.NEAR: near, Outcome.PASS: passed}
        origins[row] = (_tag(column, where), _text(column, "note", where, ""))
    like = body.get("like")
    trips = _names(body, "trips", path)
    if (like is None and (trips or "rows" in body)) or not isinstance(like, str | None):
        _refuse(f"{path}.like", "must name the class whose cells rows and trips have")
    source = _text(body, "source", path, "")
    if source and source not in sources:
        _refuse(f"{path}.source", f"{source!r} is not among the sources")
    return Capability(
        name=_text(body, "name", path),
        description=_text(body, "description", path, ""),
        price=_number(body.get("price"), f"{path}.price"),
        tag=_tag(body, path),
        source=source,
        note=_text(body, "note", path, ""),
        like=like,
        rows=_names(body, "rows", path),
        cells=cells,
        origins=origins,
        trips=trips,
    )
