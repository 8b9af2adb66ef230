"""Your own figures in the table: cells fitted to calls of which somebody knows who called.

Each column of a row is a Dirichlet: the prior table counts as so many calls, and yours are added. The genuine column
is pooled: one for each row, from all genuine calls. Impostors' columns take calls of their own class only; answers of
one customer held against the facts of another (mismatched pairs) are strangers' and say nothing of anybody else.
What the calls cannot tell is not fitted: the cell stays as it was, and the reason is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp, log, log2
from types import MappingProxyType
from typing import Final

from kyc_verify.analysis._beta import log_evidence, quantile
from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome
from kyc_verify.threats import FLOOR, GENUINE, Likelihoods, Number, ThreatModel

__all__ = ["MISMATCHED", "Calibration", "Drift", "Fit", "Kept", "LabelledCall", "calibrate"]

MISMATCHED: Final = "mismatched"
"""The label of a mismatched pair: one customer's answers held against another's facts."""

_DIGITS: Final = 10**6
_ALARM: Final = 20.0
_SUSPICIOUS: Final = 1e-6
_LADDER: Final = (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)

_Counts = dict[Outcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCall:
    """One call, in the order of time, and who it turned out to be.

    Attributes:
        label: ``genuine``, a class of the threat model, or `MISMATCHED`.
        outcomes: By row of the table, how its check ended; what was not asked is left out.
    """

    label: str
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One column that was fitted.

    Attributes:
        row: Of the table.
        column: ``genuine`` or a class.
        calls: How many calls told something of it.
        probabilities: The new cells.
        interval: By outcome, the credible interval of the cell.
        bits: By outcome, the credible interval of its weight: against this class, or, for the genuine column, against
            the class that it is weakest against.
    """

    row: str
    column: str
    calls: int
    probabilities: Mapping[Outcome, Fraction]
    interval: Mapping[Outcome, tuple[float, float]]
    bits: Mapping[Outcome, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One column that was not fitted, though calls spoke of it.

    Attributes:
        row: Of the table.
        column: ``genuine`` or a class.
        calls: How many calls there were.
        reason: Why.
    """

    row: str
    column: str
    calls: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One column whose latest calls differ from those before.

    Attributes:
        row: Of the table.
        column: ``genuine`` or a class.
        odds: How many times better two columns explain the calls than one does.
    """

    row: str
    column: str
    odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The result.

    Attributes:
        model: The table with the new cells; those are tagged ``own``.
        fitted: What is new.
        kept: What the calls could not tell.
        drift: What seems to be changing: look into it before trusting the fit.
    """

    model: ThreatModel
    fitted: tuple[Fit, ...]
    kept: tuple[Kept, ...]
    drift: tuple[Drift, ...]


def calibrate(
    calls: Iterable[LabelledCall],
    prior: ThreatModel,
    *,
    strength: int = 50,
    least: int = 30,
    conservative: bool = False,
    level: float = 0.95,
    stranger: str | None = None,
) -> Calibration:
    """Fit the table to labelled calls.

    Args:
        calls: In the order of time; all of those of a period, not only those that were let through.
        prior: The table to begin with.
        strength: So many calls each of its columns counts as.
        least: With fewer calls a column is left as it is.
        conservative: Give impostors the upper end of what is credible, instead of the mean: cells are upper bounds.
        level: Of the credible intervals.
        stranger: The class of mismatched pairs; None: the first of the table.

    Raises:
        UsageError: plain points; a call without a known label; a row or an outcome that the table does not have.
    """
    if not prior.claims_bound:
        msg = "plain points have no probabilities to fit; start from ThreatModel.default()"
        raise UsageError(msg)
    whole = type(strength) is type(least) is int and strength > 0 and least > 0
    if not whole or not 0 < level < 1:
        msg = "strength and least are whole numbers of 1 or more, and level lies between 0 and 1"
        raise UsageError(msg)
    told = _sorted(calls, prior, stranger or prior.names[0])
    fitted: dict[tuple[str, str], _Column] = {}
    kept: list[Kept] = []
    drift: list[Drift] = []
    for (row, name), outcomes in sorted(told.items()):
        column = _Column(_likelihoods(prior, row), name, outcomes, strength=strength)
        if reason := column.refusal(least):
            kept.append(Kept(row=row, column=name, calls=len(outcomes), reason=reason))
            continue
        fitted[row, name] = column
        if (odds := column.drift()) > _ALARM:
            drift.append(Drift(row=row, column=name, odds=odds))
    cells: dict[str, dict[str, dict[Outcome, Number]]] = {}
    for (row, name), column in fitted.items():
        cells.setdefault(row, {})[name] = column.cells(conservative=conservative and name != GENUINE, level=level)
    model = prior.with_cells(cells)
    fits = [_fit(model, fitted, key, strength=strength, level=level) for key in fitted]
    return Calibration(model=model, fitted=tuple(fits), kept=tuple(kept), drift=tuple(drift))


def _likelihoods(model: ThreatModel, row: str) -> Likelihoods:
    found = model.rows[row].likelihoods if row in model.rows else None
    if found is None:
        msg = f"the threat model has no row {row!r} with probabilities"
        raise UsageError(msg)
    return found


def _sorted(calls: Iterable[LabelledCall], prior: ThreatModel, stranger: str) -> dict[tuple[str, str], list[Outcome]]:
    """Return the outcomes by row and column, in the order of time."""
    known = {GENUINE: GENUINE, MISMATCHED: stranger, **{name: name for name in prior.names}}
    if stranger not in prior.names:
        msg = f"the threat model has no class {stranger!r}"
        raise UsageError(msg)
    told: dict[tuple[str, str], list[Outcome]] = {}
    for call in calls:
        if call.label not in known:
            msg = (
                f"{call.label!r} is no label: use {', '.join(known)}; which class called cannot be told from how "
                "the checks ended, so calls of unknown class are left out"
            )
            raise UsageError(msg)
        for row, outcome in call.outcomes.items():
            cells = _likelihoods(prior, row)
            ended = Outcome.FAIL if outcome is Outcome.DECLINED else outcome
            if ended is Outcome.UNAVAILABLE:
                continue
            if ended not in cells.genuine:
                msg = f"the row {row!r} has no cell for {ended!r}; add one to the table first"
                raise UsageError(msg)
            told.setdefault((row, known[call.label]), []).append(Outcome(ended))
    return told


class _Column:
    """One column of one row: the prior's Dirichlet and the calls."""

    def __init__(self, prior: Likelihoods, name: str, outcomes: Sequence[Outcome], *, strength: int) -> None:
        self.outcomes = outcomes
        self.rungs = tuple(outcome for outcome in _LADDER if outcome in prior.genuine)
        self._genuine = name == GENUINE
        self._floor = Fraction(0) if prior.cryptographic or self._genuine else FLOOR
        column = prior.column(name)
        self._before = [strength * float(column[outcome]) for outcome in self.rungs]
        self.counts = self._count(outcomes)
        self.posterior = {
            outcome: before + self.counts[outcome] for outcome, before in zip(self.rungs, self._before, strict=True)
        }

    def _count(self, outcomes: Sequence[Outcome]) -> _Counts:
        found = Counter(outcomes)
        return {outcome: found[outcome] for outcome in self.rungs}

    def refusal(self, least: int) -> str:
        """Say why this cannot be fitted; nothing when it can."""
        if 0 in self._before:
            return "the fields of this row are exposed: every class passes it for certain"
        if len(self.outcomes) < least:
            return f"{len(self.outcomes)} calls are too few; {least} are needed"
        only = next((outcome for outcome, n in self.counts.items() if n == len(self.outcomes)), None)
        if self._genuine and only is not None:
            share = self._before[self.rungs.index(only)] / sum(self._before)
            if len(self.outcomes) * log(share) < log(_SUSPICIOUS):
                return f"all of them ended in {only.value}: they seem to have been labelled by how they ended"
        return ""

    def drift(self) -> float:
        """Return the odds that the last third of the calls is not like those before."""
        cut = len(self.outcomes) * 2 // 3
        early, late = self._count(self.outcomes[:cut]), self._count(self.outcomes[cut:])
        one = log_evidence(self._before, list(self.counts.values()))
        two = log_evidence(self._before, list(early.values())) + log_evidence(self._before, list(late.values()))
        return exp(min(two - one, 700.0))

    def at_least(self, outcome: Outcome) -> tuple[float, float]:
        """Return the Beta of ending in this outcome or a higher one."""
        above = sum(a for each, a in self.posterior.items() if self.rungs.index(each) >= self.rungs.index(outcome))
        return above, sum(self.posterior.values()) - above

    def credible(self, outcome: Outcome, level: float) -> tuple[float, float]:
        """Return the interval of one cell."""
        a = self.posterior[outcome]
        b = sum(self.posterior.values()) - a
        return quantile(a, b, (1 - level) / 2), quantile(a, b, (1 + level) / 2)

    def cells(self, *, conservative: bool, level: float) -> dict[Outcome, Number]:
        """Return the new cells: means, or for impostors the upper ends of the ladder."""
        least = max(self._floor, Fraction(1, _DIGITS))
        found: dict[Outcome, Number] = {}
        above = Fraction(0)
        for at, outcome in enumerate(reversed(self.rungs[1:])):
            a, b = self.at_least(outcome)
            p = quantile(a, b, (1 + level) / 2) if conservative else a / (a + b)
            # Impostors' cells are upper bounds, so they are rounded up; what is left must hold the lower rungs.
            most = 1 - least * (len(self.rungs) - 1 - at)
            share = min(max(Fraction(ceil(p * _DIGITS), _DIGITS), above + least), most)
            found[outcome] = share - above
            above = share
        return found


def _fit(
    model: ThreatModel, fitted: Mapping[tuple[str, str], _Column], key: tuple[str, str], *, strength: int, level: float
) -> Fit:
    row, name = key
    likelihoods, column = _likelihoods(model, row), fitted[key]
    sure = (1 + level) / 2  # two intervals, each at half the risk: together they hold at the level asked for

    def of(other: str) -> _Column:
        return fitted.get((row, other)) or _Column(likelihoods, other, (), strength=strength)

    bits: dict[Outcome, tuple[float, float]] = {}
    for outcome in column.rungs:
        against = name
        if name == GENUINE:
            against = min(likelihoods.classes, key=lambda each: likelihoods.weights[each][outcome])
        m, u = of(GENUINE).credible(outcome, sure), of(against).credible(outcome, sure)
        bits[outcome] = log2(max(m[0], 1e-12) / u[1]), log2(m[1] / max(u[0], 1e-12))
    return Fit(
        row=row,
        column=name,
        calls=len(column.outcomes),
        probabilities=likelihoods.column(name),
        interval=MappingProxyType({outcome: column.credible(outcome, level) for outcome in column.rungs}),
        bits=MappingProxyType(bits),
    )
