"""A requirement compiled, and every run there can be under it.

The score's table answers for one run at a time. Here a requirement is compiled so that all of them are gone through at
once: for the order of questions and for what a policy lets through. It gives the verdicts of `Policy.evaluate`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kyc_verify.checks import AskedCheck, Check, SignalCheck
from kyc_verify.policy._judge import factors_of, source_of
from kyc_verify.policy.policy import Policy
from kyc_verify.policy.requirement import Requirement
from kyc_verify.terms import Factor, Outcome
from kyc_verify.threats import Likelihoods, ThreatModel

__all__ = ["LADDER", "LOST", "VERIFIED", "Chances", "Rule", "Tree", "chances", "likelihoods", "row_of", "seconds_of"]

VERIFIED: Final = -1
"""Where a run that is verified lands, whatever else would be said."""

LOST: Final = -2
"""Where a run lands that nothing can make verified any more."""

_LANE: Final = 32
_HALF: Final = 1 << (_LANE - 1)
LADDER: Final = (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)
"""Outcomes that weigh differently, lowest first."""

_SECONDS: Final = 12


class Rule:
    """What a requirement makes of outcomes, compiled so that millions of runs can be gone through.

    A run is one integer: low bits say which checks passed that matter by name or factor; above them is a lane for each
    class with the centibits so far. To tell where a run stands needs only what is left to ask, as a bit a check.

    Runs that nothing tells apart any more are made one: a class that can no longer be the one that is missed is put
    to the least that is safe. So their number stays small, and nothing is lost.

    Attributes:
        requirement: What is demanded.
        required: Centibits.
        signals: Ids of the checks that come first and ask nothing.
        questions: Ids of what is asked, in the policy's order.
        bits: For every id, its bit among what is left.
        steps: For every id and outcome of the ladder, what is added to a run.
        rungs: For every id its distinct steps, each with the outcomes that nothing here tells apart.
        weights: For every id and outcome of the ladder, the centibits against each class.
        start: A run before anything is known.
        everything: All bits.
    """

    def __init__(self, policy: Policy, requirement: Requirement, *, available: Collection[str], required: int) -> None:
        """Compile a requirement.

        Args:
            policy: The policy.
            requirement: What is demanded; not an exempt one.
            available: Ids of the checks that this subject can be asked.
            required: Centibits needed, the runs before this one paid for.
        """
        checks = [check for check in policy.asked(requirement) if check.id in available]
        self.requirement = requirement
        self.required = required
        self.signals = tuple(check.id for check in checks if isinstance(check, SignalCheck))
        self.questions = tuple(check.id for check in checks if isinstance(check, AskedCheck))
        self.bits = {check.id: 1 << at for at, check in enumerate(checks)}
        self.everything = (1 << len(checks)) - 1
        self._named = [check for check in checks if _matters(check, requirement)]
        self._marks = {check.id: 1 << at for at, check in enumerate(self._named)}
        # Above the marks of what passed, one that says: enough has, by name and factor.
        self._enough = 1 << len(self._named)
        self._full = 2 * self._enough - 1
        self._width = len(self._named) + 1
        self._classes = len(policy.table.classes)
        self._sign = self._pack([_HALF] * self._classes)
        self.steps = {
            check.id: {
                outcome: self._pack(policy.table.weights(check.id, outcome))
                + (self._marks.get(check.id, 0) if outcome is Outcome.PASS else 0)
                for outcome in LADDER
            }
            for check in checks
        }
        self.start = self._sign
        self.rungs = {
            name: tuple((step, tuple(o for o in LADDER if steps[o] == step)) for step in dict.fromkeys(steps.values()))
            for name, steps in self.steps.items()
        }
        self.weights = {check.id: {o: policy.table.weights(check.id, o) for o in LADDER} for check in checks}
        self._shows = {0: self._shown(0)}
        self._bounds: dict[int, tuple[int, int, int, int]] = {}
        self._passive = sum(self.bits[name] for name in self.signals)

    def _pack(self, row: Iterable[int]) -> int:
        return sum(w << (self._width + _LANE * at) for at, w in enumerate(row))

    def _shown(self, marks: int) -> bool:
        rule = self.requirement
        passed = [check for check in self._named if marks & self._marks[check.id]]
        names = {check.id for check in passed}
        return (
            names.issuperset(rule.all_of)
            and (not rule.any_of or not names.isdisjoint(rule.any_of))
            and (not rule.factors or len(factors_of(passed)) >= rule.factors)
        )

    def _shows_all(self, marks: int) -> bool:
        found = self._shows.get(marks)
        if found is None:
            found = self._shows[marks] = self._shown(marks)
        return found

    def _bound(self, left: int) -> tuple[int, int, int, int]:
        names = [name for name, bit in self.bits.items() if bit & left]
        # Signals are all known before anything is judged; of questions, "first" asks no more than it needs.
        undoing = [n for n in names if self.requirement.accept == "lossless" or self.bits[n] & self._passive]
        most, least, undo = [0] * self._classes, [0] * self._classes, [0] * self._classes
        for name in names:
            for at in range(self._classes):
                most[at] += self.weights[name][Outcome.PASS][at]
                least[at] += self.weights[name][Outcome.FAIL][at]
        for name in undoing:
            for at in range(self._classes):
                undo[at] += self.weights[name][Outcome.FAIL][at]
        needs = self.required
        lost = self._pack(needs - each for each in most)
        safe = self._pack(needs - each for each in least)
        met = self._pack(needs - each for each in undo)
        self._bounds[left] = found = (met, lost, safe, sum(self._marks.get(name, 0) for name in names))
        return found

    def landing(self, left: int, run: int) -> int:
        """Return where a run stands: `VERIFIED`, `LOST`, or the one run that stands for all like it.

        Args:
            left: Bits of what is still to be asked.
            run: The sum of `start` and the steps so far.
        """
        met, lost, safe, marks = self._bounds.get(left) or self._bound(left)
        sign, full = self._sign, self._full
        passed = run & full
        shown = passed >= self._enough or self._shows_all(passed)
        if shown and (run - met) & sign == sign:
            return VERIFIED
        if (run - lost) & sign != sign or not (shown or self._shows_all(passed | marks)):
            return LOST
        high = (run - safe) & sign
        lanes = high - (high >> (_LANE - 1)) | high
        landed = (run & ~lanes) | ((safe + sign) & lanes)
        return (landed & ~full) | self._enough if shown else landed


def _matters(check: Check, requirement: Requirement) -> bool:
    named = check.id in requirement.all_of or check.id in requirement.any_of
    return named or (requirement.factors > 0 and check.factor is not Factor.CONTEXT)


# ── Every run there can be ───────────────────────────────────────────────────────────────────────────────────────────

Chances = Mapping[str, Sequence[float]]
"""For every check the probability of each of its rungs."""


def row_of(check: Check, threats: ThreatModel) -> str | None:
    """Return the row that says how a check's outcomes weigh; None for one with its own likelihoods."""
    source = source_of(check, threats)
    return source if isinstance(source, str) else None


def likelihoods(check: Check, threats: ThreatModel) -> Likelihoods | None:
    """Return how a check's outcomes are distributed; None where nothing says so, as with plain points."""
    source = source_of(check, threats)
    if isinstance(source, Likelihoods):
        return source
    return threats.rows[source].likelihoods if source in threats.rows else None


def seconds_of(check: Check, threats: ThreatModel) -> int:
    """Return what a check takes of a call: as it says, as its row says, or as most questions take."""
    if check.seconds is not None or isinstance(check, SignalCheck):
        return check.seconds or 0
    row = row_of(check, threats)
    known = threats.rows.get(row) if row is not None and threats.claims_bound else None
    return _SECONDS if known is None else known.seconds


def chances(rule: Rule, columns: Mapping[str, Mapping[Outcome, Fraction]]) -> Chances:
    """Return the probabilities of every rung, given those of outcomes by check."""
    return {
        name: tuple(float(sum(columns[name].get(o, Fraction(0)) for o in told)) for _, told in rungs)
        for name, rungs in rule.rungs.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Every run there can be under one order, those that nothing tells apart made one.

    Attributes:
        root: Where a run stands before anything is known.
        stages: For each check, in order: its id, and for every run there where each rung lands.
        ends: How many runs are neither verified nor lost when everything in the order was asked.
    """

    root: int
    stages: tuple[tuple[str, list[tuple[int, ...]]], ...]
    ends: int

    @classmethod
    def of(cls, rule: Rule, order: Iterable[str], *, most: int = 5_000_000) -> Tree:
        """Go through every run.

        Args:
            rule: What decides.
            order: Ids of checks, signals first; what is not among them is left over.
            most: How many runs to look at.

        Raises:
            OverflowError: there are more.
        """
        left, land = rule.everything, rule.landing
        first = land(left, rule.start)
        runs = [first] if first >= 0 else []
        stages, looked = [], 0
        for name in order:
            left &= ~rule.bits[name]
            steps = [step for step, _ in rule.rungs[name]]
            looked += len(runs) * len(steps)
            if looked > most:
                raise OverflowError
            places: dict[int, int] = {}
            rows = []
            for run in runs:
                row = []
                for step in steps:
                    landed = land(left, run + step)
                    row.append(landed if landed < 0 else places.setdefault(landed, len(places)))
                rows.append(tuple(row))
            stages.append((name, rows))
            runs = list(places)
        return cls(root=min(first, 0), stages=tuple(stages), ends=len(runs))

    def probability(self, given: Chances, *, verified: bool = True) -> float:
        """Return the probability of being verified, or of not being: sums of products, nothing is subtracted."""
        won, lost = (1.0, 0.0) if verified else (0.0, 1.0)
        values = [lost] * self.ends + [lost, won]
        for name, rows in reversed(self.stages):
            values = [*_expected(rows, given[name], values), lost, won]
        return values[self.root]

    def seconds(self, given: Chances, costs: Mapping[str, int]) -> float:
        """Return the expected seconds; a run that is lost asks the rest."""
        rest = 0.0
        values = [0.0] * self.ends + [rest, 0.0]
        for name, rows in reversed(self.stages):
            rest += costs[name]
            values = [*(costs[name] + v for v in _expected(rows, given[name], values)), rest, 0.0]
        return values[self.root]

    def seconds_verified(self, given: Chances, costs: Mapping[str, int]) -> float:
        """Return the expected seconds of those who are verified; 0 when nobody is."""
        won = [0.0] * self.ends + [0.0, 1.0]
        spent = [0.0] * len(won)
        for name, rows in reversed(self.stages):
            won_there, spent_there = (list(_expected(rows, given[name], each)) for each in (won, spent))
            spent = [*(s + costs[name] * w for s, w in zip(spent_there, won_there, strict=True)), 0.0, 0.0]
            won = [*won_there, 0.0, 1.0]
        return spent[self.root] / won[self.root] if won[self.root] else 0.0


def _expected(rows: list[tuple[int, ...]], p: Sequence[float], values: list[float]) -> Iterator[float]:
    # Written out, because it is where the time goes: most checks have two rungs that differ, none more than three.
    if len(p) == 2:  # noqa: PLR2004 - as said
        a, b = p
        return (a * values[x] + b * values[y] for x, y in rows)
    if len(p) == 3:  # noqa: PLR2004 - as said
        a, b, c = p
        return (a * values[x] + b * values[y] + c * values[z] for x, y, z in rows)
    return (values[x] for (x,) in rows)
