"""One action under analysis: who can be asked what, in which order, and how each kind of caller answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from kyc_verify import plan
from kyc_verify.call import Stake
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy.rule import LADDER, Chances, Rule, Tree, chances, likelihoods
from kyc_verify.terms import Entry, Outcome
from kyc_verify.threats import ThreatModel, run_penalty

__all__ = ["MOST_CHECKS", "Cells", "Setting", "strongest"]

MOST_CHECKS = 24
"""So many checks of one action are gone through exactly."""

Cells = Mapping[str, Mapping[Outcome, Fraction]]
"""For every check the probabilities of its outcomes, for one kind of caller."""

_TOO_MANY = (
    f"can be analysed with at most {MOST_CHECKS} checks an action; say what it may ask in Requirement(checks=...), "
    "or pass available="
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One action and everything that decides how it goes.

    Attributes:
        policy: The policy.
        action: What is asked for.
        stake: What is moved.
        requirement: What that demands.
        available: Ids of the checks that the subject can be asked, in the policy's order.
        order: Ids of the questions, in order; those that `entries` cannot take are left out.
        waiting: Whether questions remain that this leg of the call cannot take.
        threats: How callers answer; the policy's own model unless another is given.
    """

    policy: Policy
    action: str
    stake: Stake | None
    requirement: Requirement
    available: tuple[str, ...]
    order: tuple[str, ...]
    waiting: bool
    threats: ThreatModel

    @classmethod
    def of(
        cls,
        policy: Policy,
        action: str,
        *,
        threats: ThreatModel | None = None,
        stake: Stake | None = None,
        available: Collection[str] | None = None,
        entries: Collection[Entry] | None = None,
        order: Iterable[str] | None = None,
    ) -> Setting:
        """Take what is given, and the rest from the policy.

        Raises:
            UsageError: no such action, it asks nothing, it has too many checks, or what is given names other checks.
        """
        for given, kind in ((policy, Policy), (threats or policy.threats, ThreatModel)):
            if not isinstance(given, kind):
                msg = f"analysis takes a {kind.__name__}, not a {type(given).__name__}"
                raise UsageError(msg)
        requirement, _ = policy.requirement(action, stake)
        if requirement.exempt:
            msg = f"the action {action!r} asks nothing (exempt): everybody gets through, there is nothing to analyse"
            raise UsageError(msg)
        asked = tuple(check.id for check in policy.asked(requirement))
        there = asked if available is None else tuple(name for name in asked if name in available)
        if available is not None and (odd := sorted(set(available) - {check.id for check in policy.checks})):
            msg = f"available names no check of the policy: {', '.join(odd)}"
            raise UsageError(msg)
        if len(there) > MOST_CHECKS:
            msg = f"the action {action!r} has {len(there)} checks, and {_TOO_MANY}"
            raise UsageError(msg)
        wanted = plan.questions(policy, requirement, available=there)
        if order is not None:
            given_order = tuple(order)
            if sorted(given_order) != sorted(wanted):
                msg = f"order must be these questions, each once: {', '.join(wanted)}"
                raise UsageError(msg)
            wanted = given_order
        heard = tuple(name for name in wanted if plan.askable(policy.layer(name), entries))
        return cls(
            policy=policy,
            action=action,
            stake=stake,
            requirement=requirement,
            available=there,
            order=heard,
            waiting=len(heard) < len(wanted),
            threats=policy.threats if threats is None else threats,
        )

    def rule(self, *, run: int = 1, required: int | None = None) -> Rule:
        """Return the compiled requirement, for a run or for a threshold of one's own."""
        needed = self.requirement.threshold if required is None else required
        return Rule(self.policy, self.requirement, available=self.available, required=needed + run_penalty(run))

    def tree(self, rule: Rule, order: tuple[str, ...] | None = None) -> Tree:
        """Return every run there can be, under this order or another.

        Raises:
            UsageError: there are too many.
        """
        try:
            return Tree.of(rule, (*rule.signals, *(self.order if order is None else order)))
        except OverflowError:
            msg = f"the action {self.action!r} has too many different outcomes to go through; ask fewer checks of it"
            raise UsageError(msg) from None

    def cells(self, column: str) -> Cells:
        """Return how a kind of caller answers.

        Args:
            column: `GENUINE` or a class.

        Raises:
            UsageError: a check has no probabilities, or none for this class.
        """
        found: dict[str, Mapping[Outcome, Fraction]] = {}
        for name in self.available:
            cells = likelihoods(self.policy.layer(name), self.threats)
            if cells is None:
                msg = f"plain points do not say how likely {name!r} passes; pass threats= with such a row"
                raise UsageError(msg)
            try:
                found[name] = cells.column(column)
            except KeyError:
                msg = f"the check {name!r} has no cells for {column!r}; give it Likelihoods of all classes"
                raise UsageError(msg) from None
        return found

    def chances(self, rule: Rule, cells: Cells) -> Chances:
        """Return the probabilities of a rule's rungs."""
        return chances(rule, cells)

    def without(self, name: str) -> Setting:
        """Return the setting in which a check cannot be had."""
        return replace(
            self,
            available=tuple(each for each in self.available if each != name),
            order=tuple(each for each in self.order if each != name),
        )


def strongest(cells: Iterable[Mapping[Outcome, Fraction]]) -> dict[Outcome, Fraction]:
    """Return the cells of one who always does at least as well as each of these: the coalition."""
    columns = list(cells)
    passed = max(each[Outcome.PASS] for each in columns)
    near = max(each[Outcome.PASS] + each.get(Outcome.NEAR, Fraction(0)) for each in columns)
    return dict(zip(LADDER, (1 - near, near - passed, passed), strict=True))
