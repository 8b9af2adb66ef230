"""The rule that turns evidence into a decision, compiled for one action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from kyc_verify.checks import Check
from kyc_verify.decision import Decision, Verdict
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy.requirement import Requirement
from kyc_verify.score import ScoreTable
from kyc_verify.terms import Factor, Method, Outcome
from kyc_verify.threats import Likelihoods, ThreatModel, run_penalty

__all__ = ["Judge", "compile_table", "factors_of", "source_of"]

_RANK: Final = {Outcome.FAIL: 0, Outcome.DECLINED: 0, Outcome.NEAR: 1, Outcome.UNAVAILABLE: 2, Outcome.PASS: 3}
_PASS: Final = Outcome.PASS
_NONE: Final[frozenset[str]] = frozenset()
_COMBINATIONS: Final = 1024


def source_of(check: Check, threats: ThreatModel) -> str | Likelihoods:
    """Return what says how the outcomes of a check weigh: its own likelihoods, else its row, else the row of its id.

    Points are the other way round: they are given by check id, and those of a row are for checks without their own.
    """
    if threats.claims_bound and check.likelihoods is not None:
        return check.likelihoods
    row = check.row or check.id
    first, second = (row, check.id) if threats.claims_bound else (check.id, row)
    return second if second in threats.rows and first not in threats.rows else first


def compile_table(checks: Iterable[Check], threats: ThreatModel) -> ScoreTable:
    """Return the weights of these checks; raises InvalidPolicy where one has none."""
    return ScoreTable(threats, [(check.id, source_of(check, threats)) for check in checks])


def factors_of(passed: Iterable[Check]) -> frozenset[Factor]:
    """Return the most distinct factors that these checks show together.

    CONTEXT is none, and one asset counts once, for whichever of its factors gives most.
    """
    own: set[Factor] = set()
    assets: dict[str, set[Factor]] = {}
    for check in passed:
        if check.factor is not Factor.CONTEXT:
            of = own if check.asset is None else assets.setdefault(check.asset, set())
            of.add(check.factor)
    shown = {frozenset(own)}
    for factors in assets.values():
        shown |= {already | {factor} for already in shown for factor in factors}
    return max(shown, key=lambda each: (len(each), sorted(each)))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a set of passed checks shows; worked out once for each set."""

    passed: frozenset[str]
    factors: frozenset[Factor]
    methods: tuple[Method, ...]


class Judge:
    """One action's requirement, ready to be applied; immutable but for what it remembers of its own results."""

    __slots__ = ("_action", "_checks", "_fingerprint", "_known", "_required", "_rule", "_shown", "_table", "bound")

    def __init__(
        self,
        action: str,
        rule: Requirement,
        *,
        checks: Sequence[Check],
        known: frozenset[str],
        table: ScoreTable,
        fingerprint: str,
        bound: str,
    ) -> None:
        """Compile.

        Args:
            action: What is judged.
            rule: What it demands.
            checks: Those that count for it.
            known: Ids of all checks of the policy.
            table: The policy's.
            fingerprint: The policy's.
            bound: What a code for this action is bound to when nothing is moved.
        """
        self.bound = bound
        self._action = action
        self._rule = rule
        self._checks = {check.id: check for check in checks}
        self._known = known
        self._table = table
        self._fingerprint = fingerprint
        self._required = rule.threshold
        self._shown = lru_cache(maxsize=_COMBINATIONS)(self._show)

    def _show(self, passed: frozenset[str]) -> _Shown:
        checks = [self._checks[name] for name in passed]
        # What passes for everybody, such as an exposed field, could not have failed and proves no method.
        telling = [check for check in checks if any(self._table.weights(check.id, _PASS))]
        methods = {method for check in telling for method in check.methods}
        if len(factors_of(telling)) > 1:
            methods.add(Method.MFA)
        return _Shown(passed, factors_of(checks), tuple(sorted(methods)))

    def decide(self, evidence: Iterable[Evidence], *, now: datetime, run: int, bound: str) -> Decision:
        """Weigh the evidence and decide; see `Policy.evaluate`."""
        age = self._rule.max_age
        kept = self._kept(evidence, now, bound)
        outcomes: dict[str, Outcome] = {}
        stale: list[str] = []
        passed: list[str] = []
        for name, item in kept.items():
            outcomes[name] = outcome = item.outcome
            # A code counts for what it was sent for, and for nothing else.
            if (item.bound is not None and item.bound != bound) or (age is not None and now - item.at > age):
                stale.append(name)
            elif outcome is _PASS:
                passed.append(name)
        old = frozenset(stale) if stale else _NONE
        shown = self._shown(frozenset(passed))
        centibits = self._table.centibits(outcomes, stale=old)
        required = self._required + (0 if run == 1 and type(run) is int else run_penalty(run))
        missing = self._missing(centibits, required, shown)
        verdict, methods = (Verdict.PENDING if missing else Verdict.VERIFIED), shown.methods
        if self._rule.exempt:
            verdict, methods, missing, required = Verdict.EXEMPT, (), (), 0
        return Decision(
            action=self._action,
            verdict=verdict,
            centibits=centibits,
            required=required,
            run=run,
            missing=missing,
            evidence=tuple(kept.values()),
            stale=old,
            methods=methods,
            claims_bound=self._table.claims_bound,
            fingerprint=self._fingerprint,
            table_of=self._table,
        )

    def _kept(self, evidence: Iterable[Evidence], now: datetime, bound: str) -> dict[str, Evidence]:
        """Return what counts: one piece of evidence for each check of the requirement."""
        checks = self._checks
        kept: dict[str, Evidence] = {}
        for item in evidence:
            if type(item) is not Evidence:
                msg = "evidence must be Evidence values"
                raise UsageError(msg)
            name = item.check
            if name not in checks:
                # A misspelt name must not make a failure vanish.
                if name not in self._known:
                    msg = "evidence names a check that the policy does not have"
                    raise UsageError(msg)
            elif name in kept:
                kept[name] = _lower(kept[name], item, now, bound)
            else:
                kept[name] = item
        return kept

    def _missing(self, centibits: int, required: int, shown: _Shown) -> tuple[str, ...]:
        rule = self._rule
        missing = ["score"] if centibits < required else []
        if len(shown.factors) < rule.factors:
            missing.append(f"factors:{len(shown.factors)} of {rule.factors}")
        if rule.all_of:
            missing += [f"all_of:{name}" for name in rule.all_of if name not in shown.passed]
        if rule.any_of and shown.passed.isdisjoint(rule.any_of):
            missing.append(f"any_of:{', '.join(rule.any_of)}")
        return tuple(missing)


def _lower(one: Evidence, other: Evidence, now: datetime, bound: str) -> Evidence:
    """Return the lower of two outcomes of one check; of two alike, the one for this action, and then the newer."""
    return min(
        (one, other),
        key=lambda item: (
            _RANK[item.outcome],
            item.bound not in (None, bound),
            now - item.at,
            item.outcome,
            item.bound or "",
        ),
    )
