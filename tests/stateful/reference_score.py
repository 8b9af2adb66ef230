"""The whole decision once more, naively, from the written rules alone. First part: what is demanded, and the score.

Nothing of `kyc_verify` is imported here. Everything is a plain list or dict, nothing is fast, and what is said by a
caller is a word: these three files are to be read against the rules.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

__all__ = ["ActionRule", "CheckRule", "Refusal", "Rules", "Scorer", "weights"]

LADDER = ("fail", "near", "pass")


class Refusal(Exception):  # noqa: N818 - what a verb refuses, by the name of its error and the reason
    def __init__(self, kind: str, reason: str = "") -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


@dataclass
class CheckRule:
    """One check: `kind` is number, signal, word, pin, code or app; `cells` are by column (fail, near, pass)."""

    id: str
    kind: str
    cells: dict[str, tuple[Fraction, ...]]
    factor: str
    asset: str = ""
    entry: str = ""
    tries: int = 1


@dataclass
class ActionRule:
    """What one action, or one tier of sums, demands; `needed` are centibits."""

    needed: int = 0
    exempt: bool = False
    lossless: bool = False
    checks: tuple[str, ...] | None = None
    factors: int = 0
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    max_age: timedelta | None = None
    tiers: tuple[tuple[int, ActionRule, int | None, int | None], ...] = ()  # (up to, demands, ceiling, count)


@dataclass
class Rules:
    """A policy, written out."""

    checks: list[CheckRule]
    actions: dict[str, ActionRule]
    answers: tuple[int, timedelta]
    codes: tuple[int, timedelta]
    sends: tuple[int, timedelta]
    destination: tuple[int, timedelta]
    country: tuple[int, timedelta]
    consecutive: int
    runs: timedelta
    session: timedelta = timedelta(minutes=30)
    question: timedelta = timedelta(minutes=5)
    code: timedelta = timedelta(minutes=5)
    grant: timedelta = timedelta(minutes=5)
    resend: timedelta = timedelta(seconds=30)
    cool_off: timedelta = timedelta(days=30)
    own: timedelta = timedelta(hours=24)


def centibits(ratio: Fraction) -> int:
    """Return the largest w with 2^(w/100) <= ratio."""
    w = math.floor(100 * math.log2(ratio)) - 2
    while Fraction(2) ** (w + 1) <= ratio**100:
        w += 1
    return w


def weights(genuine: tuple[Fraction, ...], impostor: tuple[Fraction, ...]) -> list[int]:
    """Weigh a ladder made monotone: of all stretches up to and from an outcome, the max-min of the pooled ratios."""
    n = len(genuine)

    def pooled(s: int, t: int) -> Fraction:
        held = sum(impostor[s : t + 1])
        return sum(genuine[s : t + 1], Fraction(0)) / held if held else Fraction(10**9)

    return [centibits(max(min(pooled(s, t) for t in range(i, n)) for s in range(i + 1))) for i in range(n)]


class Scorer:
    """The score of a policy, and whether a requirement is met."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.checks = {check.id: check for check in rules.checks}
        self.classes = [name for name in rules.checks[0].cells if name != "genuine"]
        self.weights: dict[str, dict[str, dict[str, int]]] = {}
        for check in rules.checks:
            cells, self.weights[check.id] = check.cells, {}
            for name in self.classes:
                # A check without NEAR has two rungs, and NEAR weighs as FAIL.
                rungs = [at for at in range(3) if cells["genuine"][at]]
                found = weights(tuple(cells["genuine"][at] for at in rungs), tuple(cells[name][at] for at in rungs))
                row = dict(zip([LADDER[at] for at in rungs], found, strict=True))
                row |= {"near": row.get("near", row["fail"]), "declined": row["fail"], "unavailable": 0}
                self.weights[check.id][name] = row

    def demands(self, action: str, stake: int | None) -> tuple[ActionRule, tuple[int | None, int | None] | None]:
        rule = self.rules.actions[action]
        if stake is not None:
            for up_to, demanded, ceiling, count in sorted(rule.tiers, key=lambda tier: tier[0]):
                if stake <= up_to:
                    return demanded, (ceiling, count)
        return rule, None

    def score(
        self, rule: ActionRule, outcomes: dict[str, tuple[str, datetime, Any]], bound: Any, flags: tuple[str, ...],
        now: datetime,
    ) -> dict[str, int]:  # fmt: skip
        per_class = dict.fromkeys(self.classes, 0)
        for name in self.allowed(rule, outcomes):
            outcome, at, for_what = outcomes[name]
            old = self.old(rule, at, for_what, bound, now)
            for attacker in self.classes:
                weight = 0 if name in flags else self.weights[name][attacker][outcome]
                per_class[attacker] += min(weight, 0) if old else weight
        return per_class

    def allowed(self, rule: ActionRule, names: Any) -> list[str]:
        return [
            check.id for check in self.rules.checks if check.id in names and check.id in (rule.checks or [check.id])
        ]

    @staticmethod
    def old(rule: ActionRule, at: datetime, for_what: Any, bound: Any, now: datetime) -> bool:
        return (rule.max_age is not None and now - at > rule.max_age) or for_what not in (None, bound)

    def met(self, rule: ActionRule, outcomes: dict[str, Any], run: Any, now: datetime) -> bool:
        if min(self.score(rule, outcomes, run.bound, run.flags, now).values()) < self.needed(rule, run.k):
            return False
        shown = [
            name
            for name in self.allowed(rule, outcomes)
            if outcomes[name][0] == "pass" and not self.old(rule, outcomes[name][1], outcomes[name][2], run.bound, now)
        ]
        return (
            set(rule.all_of) <= set(shown)
            and (not rule.any_of or bool(set(rule.any_of) & set(shown)))
            and self.factors(shown) >= rule.factors
        )

    @staticmethod
    def needed(rule: ActionRule, k: int) -> int:
        penalty = 0
        while 2**penalty < k**100:
            penalty += 1
        return rule.needed + penalty

    def factors(self, shown: list[str]) -> int:
        """Count distinct factors: context is none, and one asset shows one of its own."""
        assets: dict[str, set[str]] = defaultdict(set)
        for name in shown:
            check = self.checks[name]
            if check.factor != "context":
                assets[check.asset or f"own:{name}"].add(check.factor)
        return max(len(set(choice)) for choice in product(*assets.values()))
