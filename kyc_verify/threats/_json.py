"""The written form of a threat model: version 1, read for ever.

Numbers are texts, exact. FAIL is not written: it is the rest of its column. What has its default is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar

from kyc_verify.errors import ConfigurationError, InvalidPolicy, PolicyError
from kyc_verify.terms import Outcome
from kyc_verify.threats.likelihoods import GENUINE, Fault, Likelihoods, refuse
from kyc_verify.threats.rows import AttackerClass, Origin, Row

__all__ = ["Parts", "decisive", "read", "told", "write"]

Parts = tuple[tuple[AttackerClass, ...], dict[str, Row], dict[str, str], tuple[str, ...]]
"""Classes, rows, sources and conversions."""

_SCHEMA: Final = "kyc_verify.threats/1"
_DECIMALS: Final = 12
_ORIGIN: Final = frozenset(("tag", "source", "note"))
_LIKELIHOODS: Final = frozenset(("tries", "source", "cryptographic", "exposed"))
_ROW: Final = frozenset(("points", "seconds", "seconds_tag", "fields", "note"))

_T = TypeVar("_T")


def told(error: InvalidPolicy, prefix: str) -> list[Fault]:
    """Return the faults of an error under a longer path."""
    return [
        (f"{prefix}{fault.path}", str(fault).removeprefix(f"{fault.path}: "))
        for fault in error.exceptions
        if isinstance(fault, PolicyError)
    ]


def _number(value: Fraction) -> str:
    scaled = value * 10**_DECIMALS
    if scaled.denominator != 1:
        return str(value)
    whole, rest = divmod(scaled.numerator, 10**_DECIMALS)
    return f"{whole}.{rest:0{_DECIMALS}d}".rstrip("0").rstrip(".")


def _outcomes(column: Mapping[Outcome, Fraction]) -> dict[str, str]:
    return {outcome.value: _number(p) for outcome, p in column.items() if outcome is not Outcome.FAIL}


def _kept(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value}


def _write_class(attacker: AttackerClass) -> dict[str, str]:
    shares = {key: getattr(attacker, key) for key in ("share", "targeting")}
    written = {key: _number(share) for key, share in shares.items() if share is not None}
    return {"name": attacker.name, "description": attacker.description, **written}


def _write_row(row: Row) -> dict[str, object]:
    written = {"seconds": row.seconds, "seconds_tag": row.seconds_tag, **_kept(fields=list(row.fields), note=row.note)}
    likelihoods = row.likelihoods
    if likelihoods is None:
        return {**written, "points": row.points}
    cells: dict[str, dict[str, object]] = {}
    for name in (GENUINE, *likelihoods.classes):
        origin = row.origins.get(name)
        whence = {} if origin is None else _kept(tag=origin.tag, source=origin.source, note=origin.note)
        cells[name] = {**_outcomes(likelihoods.column(name)), **whence}
    flags = _kept(source=likelihoods.source, cryptographic=likelihoods.cryptographic, exposed=likelihoods.exposed)
    return {**written, **flags, "tries": likelihoods.tries, "cells": cells}


def write(parts: Parts) -> str:
    """Return the canonical JSON of a model."""
    classes, rows, sources, conversions = parts
    whole = {
        "schema": _SCHEMA,
        "classes": [_write_class(attacker) for attacker in classes],
        "rows": {name: _write_row(row) for name, row in rows.items()},
        "sources": sources,
        "conversions": list(conversions),
    }
    return json.dumps(whole, ensure_ascii=False, sort_keys=True)


def decisive(classes: Iterable[AttackerClass], rows: Mapping[str, Row]) -> str:
    """Return the canonical JSON of what a decision or the order of questions depends on; no words, no sources."""
    whole: dict[str, object] = {}
    for name, row in rows.items():
        of = row.likelihoods
        cells = {col: _outcomes(of.column(col)) for col in (GENUINE, *of.classes)} if of else {}
        whole[name] = [row.points, row.seconds, of and of.tries, cells]
    return json.dumps([_SCHEMA, [attacker.name for attacker in classes], whole], sort_keys=True)


def _object(given: object, path: str, faults: list[Fault], *, known: frozenset[str] | None = None) -> dict[str, Any]:
    if not isinstance(given, dict):
        faults.append((path, "must be an object"))
        return {}
    unknown = [] if known is None else sorted(given.keys() - known)
    faults += [(f"{path}.{key}", "is not known here") for key in unknown]
    return {key: value for key, value in given.items() if key not in unknown}


def _build(kind: Callable[..., _T], given: Mapping[str, Any], prefix: str, faults: list[Fault]) -> _T | None:
    try:
        return kind(**given)
    except InvalidPolicy as error:
        faults += told(error, prefix)
    return None


def _read_row(given: object, path: str, faults: list[Fault]) -> Row | None:
    data = _object(given, path, faults, known=_ROW | _LIKELIHOODS | {"cells"})
    parts = {key: value for key, value in data.items() if key in _ROW}
    if "cells" in data:
        columns: dict[str, dict[str, Any]] = {}
        origins: dict[str, Origin | None] = {}
        for name, cell in _object(data["cells"], f"{path}.cells", faults).items():
            values = _object(cell, f"{path}.cells.{name}", faults)
            columns[name] = {key: value for key, value in values.items() if key not in _ORIGIN}
            whence = {key: value for key, value in values.items() if key in _ORIGIN}
            if whence:
                origins[name] = _build(Origin, {"tag": None, **whence}, f"{path}.cells.{name}.", faults)
        flags = {key: value for key, value in data.items() if key in _LIKELIHOODS}
        given_cells = {"genuine": columns.pop(GENUINE, {}), "classes": columns, **flags}
        parts["likelihoods"] = _build(Likelihoods, given_cells, f"{path}.", faults)
        parts["origins"] = origins
        if parts["likelihoods"] is None or None in origins.values():
            return None
    return _build(Row, parts, f"{path}.", faults)


def read(text: str) -> Parts:
    """Return the parts of a model that `write` has written, or a person.

    Raises:
        InvalidPolicy: every fault at once, with its path.
        ConfigurationError: not JSON at all.
    """
    try:
        whole = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"a threat model is JSON text: {type(error).__name__}"
        raise ConfigurationError(msg) from None
    faults: list[Fault] = []
    data = _object(whole, "model", faults, known=frozenset(("schema", "classes", "rows", "sources", "conversions")))
    if data.get("schema") != _SCHEMA:
        refuse([*faults, ("schema", f"must be {_SCHEMA!r}; a newer version of the library may have written it")])
    given = data.get("classes")
    classes: list[AttackerClass | None] = []
    for at, one in enumerate(given if isinstance(given, list) else ()):
        fields = _object(one, f"classes.{at}", faults, known=frozenset(("name", "description", "share", "targeting")))
        classes.append(_build(AttackerClass, {"name": "", "description": "", **fields}, "", faults))
    rows = {
        name: _read_row(row, f"rows.{name}", faults) for name, row in _object(data.get("rows"), "rows", faults).items()
    }
    refuse(faults)
    built = {name: row for name, row in rows.items() if row is not None}
    return tuple(filter(None, classes)), built, data.get("sources", {}), data.get("conversions", ())
