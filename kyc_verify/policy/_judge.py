"""The rule that turns evidence into a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kyc_verify.checks import Check
from kyc_verify.decision import Decision, Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy.requirement import Requirement
from kyc_verify.score import ScoreTable
from kyc_verify.terms import Factor, Method, Outcome
from kyc_verify.threats import run_penalty

__all__ = ["Judge", "factors_of"]

_RANK = {Outcome.FAIL: 0, Outcome.DECLINED: 0, Outcome.NEAR: 1, Outcome.UNAVAILABLE: 2, Outcome.PASS: 3}
_NONE: frozenset[str] = frozenset()


def factors_of(passed: Iterable[Check]) -> frozenset[Factor]:
    """Return the distinct factors that these checks show: CONTEXT is none, and one asset counts once."""
    own: set[Factor] = set()
    assets: dict[str, set[Factor]] = {}
    for check in passed:
        if check.factor is Factor.CONTEXT:
            continue
        if check.asset is None:
            own.add(check.factor)
        else:
            assets.setdefault(check.asset, set()).add(check.factor)
    for _, shown in sorted(assets.items(), key=lambda item: (len(item[1]), item[0])):
        own |= set(sorted(shown - own)[:1])
    return frozenset(own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One action's requirement, ready to be applied."""

    action: str
    requirement: Requirement
    threshold: int
    checks: dict[str, Check]
    table: ScoreTable
    claims_bound: bool
    fingerprint: str

    def decide(self, evidence: Sequence[Evidence], *, now: datetime, run: int, bound: str) -> Decision:
        """Weigh the evidence and decide; see `Policy.evaluate`."""
        counted: dict[str, Evidence] = {}
        for item in evidence:
            if item.check in self.checks:
                earlier = counted.get(item.check)
                if earlier is None or _RANK[item.outcome] < _RANK[earlier.outcome]:
                    counted[item.check] = item
        stale = self._stale(counted, now, bound)
        outcomes = {name: item.outcome for name, item in counted.items()}
        score = self.table.score(outcomes, stale=stale)
        required = self.threshold + (run_penalty(run) if run > 1 else 0)
        passed = [self.checks[name] for name, o in outcomes.items() if o is Outcome.PASS and name not in stale]
        missing = self._missing(score.centibits, required, passed)
        return Decision(
            action=self.action,
            verdict=Verdict.PENDING if missing else Verdict.VERIFIED,
            score=score,
            required=required,
            run=run,
            missing=missing,
            evidence=tuple(counted.values()),
            stale=stale,
            methods=_methods(passed),
            claims_bound=self.claims_bound,
            fingerprint=self.fingerprint,
            table_of=self.table,
        )

    def _stale(self, counted: dict[str, Evidence], now: datetime, bound: str) -> frozenset[str]:
        age = self.requirement.max_age
        # A code counts for what it was sent for, and for nothing else.
        found = [name for name, item in counted.items() if item.bound is not None and item.bound != bound]
        if age is not None:
            found += [name for name, item in counted.items() if now - item.at > age]
        return frozenset(found) if found else _NONE

    def _missing(self, score: int, required: int, passed: list[Check]) -> tuple[str, ...]:
        rule = self.requirement
        missing = ["score"] if score < required else []
        if not (rule.factors or rule.all_of or rule.any_of):
            return tuple(missing)
        shown = factors_of(passed)
        if len(shown) < rule.factors:
            missing.append(f"factors:{len(shown)} of {rule.factors}")
        names = {check.id for check in passed}
        missing += [f"all_of:{name}" for name in rule.all_of if name not in names]
        if rule.any_of and not names & set(rule.any_of):
            missing.append(f"any_of:{', '.join(rule.any_of)}")
        return tuple(missing)


def _methods(passed: list[Check]) -> tuple[Method, ...]:
    if not passed:
        return ()
    shown = {method for check in passed for method in check.methods}
    if len(factors_of(passed)) > 1:
        shown.add(Method.MFA)
    return tuple(sorted(shown))
