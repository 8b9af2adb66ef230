"""Who attacks, and what the table says of one kind of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, get_args

from kyc_verify.errors import ConfigurationError
from kyc_verify.terms import Outcome
from kyc_verify.threats._weights import Number, exact
from kyc_verify.threats.likelihoods import GENUINE, Fault, Likelihoods, is_name, refuse

__all__ = ["POINT", "POINTS", "AttackerClass", "Origin", "Row", "Tag"]

Tag = Literal["published", "computed", "guess", "own"]
"""How a figure is known: read in its source, worked out from public data, guessed, or set by the user."""

POINT: Final = 100
"""One plain point in centibits, so that a requirement of T bits compares points."""

POINTS: Final = "points"
"""The one class of a model of plain points."""

_TAGS: Final = get_args(Tag)
_MAX_POINTS: Final = 10_000
_MAX_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackerClass:
    """One kind of attacker. A class whose members differ in what they hold is two classes: it is never averaged.

    Attributes:
        name: What the cells and the reports call it.
        description: What it is and holds.
        share: Its share among fraudulent calls, if known; serves reports only.
        targeting: The share of its attacks that aim at one chosen customer, if known; serves reports only.
    """

    name: str
    description: str
    share: Number | None = None
    targeting: Number | None = None

    def __post_init__(self) -> None:
        path = f"classes.{self.name}"
        faults: list[Fault] = []
        if not is_name(self.name) or self.name == GENUINE:
            faults.append((path, f"a class has a printable name of at most 64 characters, not {GENUINE!r}"))
        if type(self.description) is not str:
            faults.append((f"{path}.description", "must be a text"))
        for name in ("share", "targeting"):
            value = getattr(self, name)
            if value is not None:
                faults += _read_share(self, name, value, path)
        refuse(faults)


def _read_share(attacker: AttackerClass, name: str, value: Number, path: str) -> list[Fault]:
    try:
        share = exact(value)
    except ConfigurationError as error:
        return [(f"{path}.{name}", str(error))]
    object.__setattr__(attacker, name, share)
    return [(f"{path}.{name}", "a share is at most 1")] if share > 1 else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one cell of the table comes from.

    Attributes:
        tag: How the figure is known.
        source: A key of the table's sources, or empty.
        note: What was done to the figure, and what speaks against it.
    """

    tag: Tag
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        faults = [] if self.tag in _TAGS else [("tag", f"must be one of {', '.join(_TAGS)}")]
        faults += [(name, "must be a text") for name in ("source", "note") if type(getattr(self, name)) is not str]
        refuse(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of evidence: what its outcomes are worth and what it costs a call.

    Exactly one of `likelihoods` and `points` is given.

    Attributes:
        likelihoods: The probabilities of its outcomes.
        points: Plain points for a pass; every other outcome then weighs 0, and no bound is claimed.
        seconds: What the question takes of a call.
        seconds_tag: How that is known.
        fields: Which fields of a leaked record answer it; an incident names them.
        origins: For `GENUINE` and every class, where the cell comes from.
        note: What is to be known of the whole row.
    """

    likelihoods: Likelihoods | None = None
    points: int | None = None
    seconds: int = 0
    seconds_tag: Tag = "guess"
    fields: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        likelihoods = self.likelihoods
        if (likelihoods is None) is (self.points is None) or type(likelihoods) not in {Likelihoods, type(None)}:
            faults.append(("likelihoods", "give either Likelihoods or points"))
        if self.points is not None and (type(self.points) is not int or not 0 <= self.points <= _MAX_POINTS):
            faults.append(("points", f"must be an int from 0 to {_MAX_POINTS}"))
        if type(self.seconds) is not int or not 0 <= self.seconds <= _MAX_SECONDS:
            faults.append(("seconds", f"must be an int from 0 to {_MAX_SECONDS}"))
        if self.seconds_tag not in _TAGS:
            faults.append(("seconds_tag", f"must be one of {', '.join(_TAGS)}"))
        if type(self.fields) not in {tuple, list} or not all(is_name(name) for name in self.fields):
            faults.append(("fields", "must be a tuple of names"))
        refuse(faults)
        cells = {GENUINE, *(likelihoods.classes if likelihoods else ())}
        refuse(_misplaced(self.origins, cells))
        object.__setattr__(self, "fields", tuple(sorted(set(self.fields))))
        object.__setattr__(self, "origins", MappingProxyType(dict(sorted(self.origins.items()))))

    def __hash__(self) -> int:
        return hash((self.likelihoods, self.points, self.seconds, self.fields))

    @property
    def weights(self) -> Mapping[str, Mapping[Outcome, int]]:
        """For every class the centibits of each outcome."""
        if self.likelihoods is not None:
            return self.likelihoods.weights
        passed = POINT * (self.points or 0)
        return {POINTS: {outcome: passed if outcome is Outcome.PASS else 0 for outcome in Outcome}}

    def exposed(self) -> Row:
        """Return the row as an incident leaves it: every class passes for certain."""
        return self if self.likelihoods is None else replace(self, likelihoods=replace(self.likelihoods, exposed=True))


def _misplaced(origins: object, cells: set[str]) -> list[Fault]:
    if not isinstance(origins, Mapping):
        return [("origins", "must map 'genuine' and classes of the row to Origins")]
    return [
        (f"origins.{name}", "must be an Origin, under 'genuine' or a class of the row")
        for name, origin in origins.items()
        if name not in cells or not isinstance(origin, Origin)
    ]
