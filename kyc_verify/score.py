"""The score: evidence in centibits against the best-placed class of attackers.

Against each class the weights of all outcomes are added; the score is the smallest of these sums. Within one run, in
which each check counts once, no class of the table ever reaches T centibits with a probability above
``2 ** (-T / 100)``: for every order of questions and every moment of stopping.

The table is compiled: the weights of one outcome against all classes lie side by side, as lanes of one integer, so
that adding one integer adds them all. A lane has 64 bits and starts in its middle. A weight has fewer than 24, so no
number of checks that fits into memory makes a lane run over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kyc_verify.errors import InvalidPolicy, PolicyError, UsageError
from kyc_verify.terms import Outcome
from kyc_verify.threats import Fault, Likelihoods, ThreatModel

__all__ = ["Score", "ScoreTable", "table_faults"]

Outcomes = Mapping[str, Outcome] | Iterable[tuple[str, Outcome]]
"""How each check ended, by its id; what is not there has not been asked."""

_LANE: Final = 64
_MIDDLE: Final = 1 << (_LANE - 1)
_NONE: Final[frozenset[str]] = frozenset()

_Weights = Mapping[str, Mapping[Outcome, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the evidence of one run amounts to.

    Attributes:
        centibits: Against the best-placed class.
        per_class: Against each class, in the order of the model.
        weakest: The best-placed class; the first of several.
    """

    centibits: int
    per_class: Mapping[str, int]
    weakest: str

    def __hash__(self) -> int:
        return hash((self.centibits, self.weakest))


def _find(model: ThreatModel, check: str, source: str | Likelihoods) -> _Weights | Fault:
    """Return the weights of a check, or why there are none."""
    path = f"checks.{check}"
    if not model.claims_bound:
        row = model.rows.get(check) or (model.rows.get(source) if isinstance(source, str) else None)
        return row.weights if row else (path, "has no points; give it some, or 0, in ThreatModel.points")
    if isinstance(source, str):
        found = model.rows.get(source)
        return found.weights if found else (f"{path}.row", f"the threat model has no row {source!r}")
    if source.weights.keys() != set(model.names):
        odd = ", ".join(sorted(source.weights.keys() ^ set(model.names)))
        return (f"{path}.likelihoods", f"must give cells for the classes of the model and no others; see: {odd}")
    return source.weights


def table_faults(model: ThreatModel, checks: Sequence[tuple[str, str | Likelihoods]]) -> tuple[Fault, ...]:
    """Return why these checks cannot be scored, as pairs of path and message; nothing if they can.

    Args:
        model: The threat model.
        checks: Of each check the id, and its row of the model or its own `Likelihoods`.
    """
    ids = [check for check, _ in checks]
    twice = [(f"checks.{check}", "is there twice") for check in sorted(set(ids)) if ids.count(check) > 1]
    found = (_find(model, check, source) for check, source in checks)
    return (*twice, *(fault for fault in found if isinstance(fault, tuple)))


class ScoreTable:
    """The weights of a policy's checks, compiled; immutable and shared by threads.

    Attributes:
        classes: The names of the classes, in the order of every tuple it returns.
        checks: The ids of the checks.
        claims_bound: Whether T bits bound the risk by ``2 ** -T``; plain points do not.
    """

    __slots__ = ("_drops", "_lanes", "_middles", "_unpack", "_weights", "_width", "checks", "claims_bound", "classes")

    def __init__(self, model: ThreatModel, checks: Sequence[tuple[str, str | Likelihoods]]) -> None:
        """Compile the table.

        Args:
            model: The threat model.
            checks: Of each check the id, and its row of the model or its own `Likelihoods`.

        Raises:
            InvalidPolicy: what `table_faults` tells.
        """
        found = {check: _find(model, check, source) for check, source in checks}
        weights = {check: by_class for check, by_class in found.items() if not isinstance(by_class, tuple)}
        if faults := table_faults(model, checks):
            raise InvalidPolicy([PolicyError(path, message) for path, message in faults])
        self.classes: tuple[str, ...] = model.names
        self.checks: tuple[str, ...] = tuple(weights)
        self.claims_bound: bool = model.claims_bound
        self._weights: dict[str, dict[Outcome, tuple[int, ...]]] = {
            check: {outcome: tuple(by_class[name][outcome] for name in self.classes) for outcome in Outcome}
            for check, by_class in weights.items()
        }
        self._lanes = {
            check: {outcome: _pack(row) for outcome, row in rows.items()} for check, rows in self._weights.items()
        }
        self._drops = {
            check: {outcome: _pack([max(w, 0) for w in row]) for outcome, row in rows.items()}
            for check, rows in self._weights.items()
        }
        self._middles = _pack([_MIDDLE] * len(self.classes))
        self._width = len(self.classes) * _LANE // 8
        self._unpack = struct.Struct(f"<{len(self.classes)}Q").unpack

    def weights(self, check: str, outcome: Outcome) -> tuple[int, ...]:
        """Return the centibits of one outcome against each class."""
        try:
            return self._weights[check][outcome]
        except (KeyError, TypeError):
            raise self._unknown() from None

    def centibits(self, outcomes: Outcomes, *, stale: frozenset[str] = _NONE) -> int:
        """Return the centibits against the best-placed class; see `score`."""
        return min(self._sums(outcomes, stale)) - _MIDDLE

    def score(self, outcomes: Outcomes, *, stale: frozenset[str] = _NONE) -> Score:
        """Add the evidence up.

        Args:
            outcomes: How each check ended, at most once each, in any order.
            stale: Checks whose evidence is too old: it loses what is positive of its weights and keeps the rest.

        Raises:
            UsageError: a check is not of this table or is there twice, or an outcome is none.
        """
        sums = [lane - _MIDDLE for lane in self._sums(outcomes, stale)]
        least = min(sums)
        per_class = MappingProxyType(dict(zip(self.classes, sums, strict=True)))
        return Score(centibits=least, per_class=per_class, weakest=self.classes[sums.index(least)])

    def waterfall(self, outcomes: Outcomes, *, stale: frozenset[str] = _NONE) -> Mapping[str, Mapping[str, int]]:
        """Return the centibits of each check against each class, as they went into the score."""
        shares: dict[str, Mapping[str, int]] = {}
        for check, outcome in _by_check(outcomes).items():
            row = self.weights(check, outcome)
            shares[check] = dict(zip(self.classes, (min(w, 0) for w in row) if check in stale else row, strict=True))
        return shares

    def best_case(self, checks: Iterable[str]) -> tuple[int, ...]:
        """Return the most that these checks can still add against each class: all of them pass."""
        return self._total(checks, Outcome.PASS)

    def worst_case(self, checks: Iterable[str]) -> tuple[int, ...]:
        """Return the least that these checks can still add against each class: all of them fail."""
        return self._total(checks, Outcome.FAIL)

    def _total(self, checks: Iterable[str], outcome: Outcome) -> tuple[int, ...]:
        rows = [self.weights(check, outcome) for check in checks]
        return tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * len(self.classes)

    def _sums(self, outcomes: Outcomes, stale: frozenset[str]) -> tuple[int, ...]:
        given = outcomes if type(outcomes) is dict else _by_check(outcomes)
        total = self._middles
        lanes = self._lanes
        try:
            for check, outcome in given.items():
                total += lanes[check][outcome]
            if stale:
                for check in stale & given.keys():
                    total -= self._drops[check][given[check]]
        except (KeyError, TypeError):
            raise self._unknown() from None
        return self._unpack(total.to_bytes(self._width, "little"))

    def _unknown(self) -> UsageError:
        return UsageError(f"outcomes must be Outcomes of the checks of this table: {', '.join(self.checks)}")


def _pack(row: Sequence[int]) -> int:
    return sum(w << (_LANE * at) for at, w in enumerate(row))


def _by_check(outcomes: Outcomes) -> Mapping[str, Outcome]:
    if isinstance(outcomes, Mapping):
        return outcomes
    try:
        pairs = list(outcomes)
        given = dict(pairs)
    except (TypeError, ValueError):
        msg = "outcomes map check ids to Outcomes, or are pairs of them"
        raise UsageError(msg) from None
    if len(given) < len(pairs):
        msg = "a check counts once a run; keep the lower of its two outcomes"
        raise UsageError(msg)
    return given
