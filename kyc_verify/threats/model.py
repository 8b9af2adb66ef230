"""The threat model: classes of attackers, and what each kind of evidence says against each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from kyc_verify.errors import InvalidPolicy
from kyc_verify.terms import Outcome
from kyc_verify.threats._json import decisive, read, told, write
from kyc_verify.threats._weights import Number
from kyc_verify.threats.likelihoods import GENUINE, Fault, is_name, refuse
from kyc_verify.threats.rows import POINTS, AttackerClass, Origin, Row

__all__ = ["ThreatModel"]

Cells = Mapping[str, Mapping[str, Mapping[Outcome, Number]]]
"""By row and column (`GENUINE` or a class), the probabilities of outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ThreatModel:
    """Every class of attacker, and the table of what evidence is worth against each.

    A value: compared, hashed and serialised; what makes another one of it leaves it as it is.

    Attributes:
        classes: The kinds of attackers; the score is the evidence against the best placed of them.
        rows: What each kind of evidence is worth, by name.
        sources: Where the cells come from, by the key they name.
        conversions: What was done to published figures on the way into the table.
        fingerprint: SHA-256 of everything a decision or the order of questions depends on; wording is not in it.

    Raises:
        InvalidPolicy: every fault at once, with its path.
    """

    classes: tuple[AttackerClass, ...]
    rows: Mapping[str, Row]
    sources: Mapping[str, str] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        refuse(_misfits(self))
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "rows", MappingProxyType(dict(sorted(self.rows.items()))))
        object.__setattr__(self, "sources", MappingProxyType(dict(sorted(self.sources.items()))))
        object.__setattr__(self, "conversions", tuple(self.conversions))
        written = decisive(self.classes, self.rows).encode()
        object.__setattr__(self, "fingerprint", hashlib.sha256(written).hexdigest())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"ThreatModel({', '.join(self.names)}; {len(self.rows)} rows; {self.fingerprint[:12]})"

    @classmethod
    def default(cls) -> ThreatModel:
        """Return the shipped table: six classes, and rows for every shipped check. Read once."""
        return _default()

    @classmethod
    def points(cls, points: Mapping[str, int]) -> ThreatModel:
        """Return plain points instead of a threat model: a pass gives its points, everything else nothing.

        Such a score claims no bound. It knows neither that a second fact from the same breached file adds nothing,
        nor what a wrong answer says.

        Args:
            points: For check ids or rows, how many points a pass gives; a requirement of T bits is one of T points.

        Example:
            >>> ThreatModel.points({"pin": 3, "date_of_birth": 1}).claims_bound
            False
        """
        if not _maps(points, object) or not any(points.values()):
            refuse([("points", "map check ids to points, and give at least one of them more than 0")])
        faults: list[Fault] = []
        rows: dict[str, Row] = {}
        for name, given in points.items():
            try:
                rows[name] = Row(points=given)
            except InvalidPolicy as error:
                faults += told(error, f"{name}.")
        refuse(faults)
        nobody = AttackerClass(name=POINTS, description="Plain points: no attacker is modelled.")
        return cls(classes=(nobody,), rows=rows)

    @classmethod
    def from_json(cls, text: str) -> ThreatModel:
        """Read what `to_json` has written.

        Raises:
            ConfigurationError: not a threat model; `InvalidPolicy` lists every fault with its path.
        """
        classes, rows, sources, conversions = read(text)
        return cls(classes=classes, rows=rows, sources=sources, conversions=conversions)

    def to_json(self) -> str:
        """Return the model as canonical JSON; equal models give equal texts."""
        return write((self.classes, dict(self.rows), dict(self.sources), self.conversions))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return tuple(attacker.name for attacker in self.classes)

    @property
    def claims_bound(self) -> bool:
        """Whether a score of T bits bounds the risk by ``2 ** -T``; plain points do not."""
        return all(row.likelihoods is not None for row in self.rows.values())

    def guesses(self) -> tuple[tuple[str, str], ...]:
        """Return the cells that nobody has measured, as pairs of row and column."""
        return tuple(
            (name, column)
            for name, row in self.rows.items()
            for column, origin in row.origins.items()
            if origin.tag == "guess"
        )

    def with_cells(self, cells: Cells) -> ThreatModel:
        """Return a model in which these cells are yours; each column given replaces the whole old one.

        Args:
            cells: By row and column, the probabilities of its outcomes, as `Likelihoods` takes them.

        Raises:
            InvalidPolicy: no such row or column, or what `Likelihoods` refuses.
        """
        faults: list[Fault] = []
        rows = dict(self.rows)
        if not _maps(cells, Mapping):
            refuse([("rows", "map rows to columns, and columns to the probabilities of outcomes")])
        for name, columns in cells.items():
            likelihoods = rows[name].likelihoods if name in rows else None
            if likelihoods is None:
                faults.append((f"rows.{name}", "the model has no such row with probabilities"))
                continue
            known = {GENUINE, *likelihoods.classes}
            faults += [(f"rows.{name}.{column}", "the model has no such column") for column in columns.keys() - known]
            genuine = columns.get(GENUINE, likelihoods.genuine)
            classes = {**likelihoods.classes, **{key: columns[key] for key in columns if key != GENUINE}}
            own = {column: Origin(tag="own") for column in columns.keys() & known}
            try:
                mine = replace(likelihoods, genuine=genuine, classes=classes)
                rows[name] = replace(rows[name], likelihoods=mine, origins={**rows[name].origins, **own})
            except InvalidPolicy as error:
                faults += told(error, f"rows.{name}.")
        refuse(faults)
        return replace(self, rows=rows)

    def with_incident(self, fields: Iterable[str]) -> ThreatModel:
        """Return the model after these fields have leaked: every class now answers them as surely as can be.

        Whatever asks for one of the fields then says nothing: each of its outcomes weighs 0, against every class and
        for all fields at once.

        Args:
            fields: Fields that rows name, as ``("birth_date", "postcode")``.

        Raises:
            InvalidPolicy: no row asks for a field of that name.
        """
        leaked = {fields} if isinstance(fields, str) else set(fields)
        asked = {name for row in self.rows.values() for name in row.fields}
        refuse([(f"fields.{name}", "no row asks for it; see Row.fields") for name in sorted(leaked - asked, key=str)])
        rows = {name: row if leaked.isdisjoint(row.fields) else row.exposed() for name, row in self.rows.items()}
        return replace(self, rows=rows)


@cache
def _default() -> ThreatModel:
    return ThreatModel.from_json((files("kyc_verify") / "data" / "threats.json").read_text(encoding="utf-8"))


def _maps(given: object, kind: type) -> bool:
    return isinstance(given, Mapping) and all(isinstance(value, kind) for value in given.values())


def _lists(given: object, kind: type) -> bool:
    return isinstance(given, tuple | list) and all(isinstance(value, kind) for value in given)


def _misfits(model: ThreatModel) -> list[Fault]:
    classes, rows, sources = model.classes, model.rows, model.sources
    if not _lists(classes, AttackerClass):
        return [("classes", "must be AttackerClasses, in a tuple")]
    if not _maps(rows, Row):
        return [("rows", "must map names to Rows")]
    if not _maps(sources, str) or not _lists(model.conversions, str):
        return [("sources", "must map keys to texts; conversions are a tuple of texts")]
    names = [attacker.name for attacker in classes]
    faults = [(f"classes.{name}", "is named twice") for name in sorted(set(names)) if names.count(name) > 1]
    if not names or not rows:
        faults.append(("classes" if not names else "rows", "a threat model needs at least one"))
    for name, row in rows.items():
        faults += _row_misfits(f"rows.{name}", row, names, sources)
        if not is_name(name):
            faults.append((f"rows.{name}", "a row has a printable name of at most 64 characters"))
    return faults


def _row_misfits(path: str, row: Row, names: list[str], sources: Mapping[str, str]) -> list[Fault]:
    weighed = row.weights.keys()
    return [
        *((f"{path}.classes.{name}", "is missing: give its cells") for name in names if name not in weighed),
        *((f"{path}.classes.{name}", "is no class of the model") for name in weighed if name not in names),
        *(
            (f"{path}.{column}.source", f"{origin.source!r} is not among the sources")
            for column, origin in row.origins.items()
            if origin.source and origin.source not in sources
        ),
    ]
