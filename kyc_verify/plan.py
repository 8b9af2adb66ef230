"""The order of questions, and when the rest can no longer matter.

The order is fixed when a run opens: the next question never depends on how an earlier one ended, so the caller
cannot read from it which answer was wrong. Signals come first, for they cost the call nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice, product
from typing import Final

from kyc_verify.call import Stake
from kyc_verify.checks import AskedCheck, Check, SignalCheck
from kyc_verify.decision import Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy.policy import bound_to
from kyc_verify.policy.rule import LOST, VERIFIED, Chances, Rule, Tree, chances, likelihoods, seconds_of
from kyc_verify.terms import Entry, Outcome
from kyc_verify.threats import GENUINE

__all__ = [
    "MOST_ACTIVE",
    "Search",
    "askable",
    "best_order",
    "questions",
    "reachable",
    "settled",
    "signals",
    "tied_orders",
]


def signals(policy: Policy, requirement: Requirement) -> tuple[SignalCheck, ...]:
    """Return the checks of a requirement that ask the caller nothing."""
    return tuple(check for check in policy.asked(requirement) if isinstance(check, SignalCheck))


def questions(
    policy: Policy, requirement: Requirement, *, available: Collection[str], pinned: str | None = None
) -> tuple[str, ...]:
    """Return the ids of what will be asked for a requirement, in order.

    Args:
        policy: The policy; its order of checks is the order of questions.
        requirement: What the action demands.
        available: Ids of the checks that this subject can be asked.
        pinned: The question that an earlier run left unanswered: it stays the first (OWASP, security questions).
    """
    order = [check.id for check in policy.asked(requirement) if isinstance(check, AskedCheck) and check.id in available]
    return tuple(sorted(order, key=lambda name: name != pinned))


def askable(check: Check, entries: Collection[Entry] | None) -> bool:
    """Whether the present leg of the call can take the check's answer."""
    if not isinstance(check, AskedCheck) or entries is None:
        return isinstance(check, AskedCheck)
    # Whoever is called back is not who presses the keys of this call.
    return check.entry in entries and (Entry.TEXT in entries or not check.by_agent)


def _as(outcome: Outcome, names: Iterable[str], now: datetime, bound: str) -> list[Evidence]:
    return [Evidence(check=name, outcome=outcome, at=now, bound=bound) for name in names]


def reachable(
    policy: Policy, *, action: str, stake: Stake | None, run: int, available: Collection[str], now: datetime
) -> bool:
    """Whether the requirement could be met if everything available passed.

    It looks at no outcome: that a run is over before it began says nothing of how a check ended.
    """
    best = _as(Outcome.PASS, available, now, bound_to(action, stake))
    return policy.evaluate(best, action=action, now=now, run=run, stake=stake).verdict is Verdict.VERIFIED


def settled(
    policy: Policy,
    evidence: Sequence[Evidence],
    *,
    action: str,
    stake: Stake | None,
    run: int,
    remaining: Collection[str],
    now: datetime,
) -> bool:
    """Whether the requirement is met whatever the remaining checks would say; failing all of them is the worst."""
    worst = [*evidence, *_as(Outcome.FAIL, remaining, now, bound_to(action, stake))]
    return policy.evaluate(worst, action=action, now=now, run=run, stake=stake).verdict is Verdict.VERIFIED


# ── The best order ───────────────────────────────────────────────────────────────────────────────────────────────────

MOST_ACTIVE: Final = 9
"""With up to this many questions that matter the order is the best there is; beyond, the best that was found."""

_NEAR_ENOUGH: Final = 1.05
_AGREE: Final = 0.01
_MOST_TIED: Final = 16
_MOST_LOOKED: Final = 300_000
_HAIR: Final = 1 + 1e-12

_Branch = tuple[float, float, tuple[str, ...], int, dict[int, float]]
"""The least it can cost, what is paid already, the order so far, what is left, and the runs that go on."""


class Search:
    """The search for the order of questions that keeps genuine callers shortest, under the requirement's own stopping.

    Branch and bound: no order that is fixed beforehand beats one that follows the answers, so the seconds of the
    best adaptive order, which is never used, bound every branch.
    """

    def __init__(self, rule: Rule, genuine: Chances, costs: Mapping[str, int]) -> None:
        """Take the rule, the genuine caller's probabilities, and the seconds of every check."""
        self._rule = rule
        self._genuine = genuine
        self._costs = costs
        self._names = {rule.bits[name]: name for name in rule.questions}
        self._adaptive: dict[tuple[int, int], float] = {}
        self._best: dict[int, float] = {}
        self._sums: dict[int, float] = {}
        # What weighs nothing and shows nothing is asked last, in the policy's order.
        self._idle = tuple(name for name in rule.questions if len(rule.rungs[name]) == 1)
        self.active = tuple(name for name in rule.questions if name not in self._idle)
        self._opened = self._after_signals()
        self._reached = {self._left(rule.questions): self._opened}

    def _after_signals(self) -> dict[int, float]:
        left, land = self._rule.everything, self._rule.landing
        runs = {land(left, self._rule.start): 1.0}
        for name in self._rule.signals:
            left &= ~self._rule.bits[name]
            runs = self._follow(runs, name, left)
        return runs

    def _follow(self, runs: Mapping[int, float], name: str, left: int) -> dict[int, float]:
        found: dict[int, float] = {}
        steps = [step for step, _ in self._rule.rungs[name]]
        for run, p in runs.items():
            if run < 0:
                found[run] = found.get(run, 0.0) + p
                continue
            for step, q in zip(steps, self._genuine[name], strict=True):
                landed = self._rule.landing(left, run + step)
                found[landed] = found.get(landed, 0.0) + p * q
        return found

    def seconds_all(self) -> float:
        """Return the seconds of asking everything."""
        return float(sum(self._costs[name] for name in self._rule.questions))

    def seconds(self, order: Sequence[str]) -> float:
        """Return the expected seconds of an order of the questions."""
        return Tree.of(self._rule, (*self._rule.signals, *order)).seconds(self._genuine, self._costs)

    def adaptive(self) -> float | None:
        """Return the least expected seconds of all orders that follow the answers; None where it was not computed."""
        if len(self.active) > MOST_ACTIVE:
            return None
        left = self._left(self._rule.questions)
        return sum(p * self._least(left, run) for run, p in self._opened.items())

    def _left(self, names: Iterable[str]) -> int:
        return sum(self._rule.bits[name] for name in names)

    def _rest(self, left: int) -> float:
        if left not in self._sums:
            self._sums[left] = float(sum(self._costs[name] for bit, name in self._names.items() if bit & left))
        return self._sums[left]

    def _least(self, left: int, run: int) -> float:
        if run < 0:
            return 0.0 if run == VERIFIED else self._rest(left)
        key = (left, run)
        found = self._adaptive.get(key)
        if found is None:
            found = self._adaptive[key] = min(self._least_with(name, left, run) for name in self._open(left))
        return found

    def _open(self, left: int) -> list[str]:
        # What weighs nothing is asked when nothing else is left; it decides nothing, so it is never reached.
        return [name for name in self.active if self._rule.bits[name] & left]

    def _least_with(self, name: str, left: int, run: int) -> float:
        left &= ~self._rule.bits[name]
        total = float(self._costs[name])
        for (step, _), p in zip(self._rule.rungs[name], self._genuine[name], strict=True):
            total += p * self._least(left, self._rule.landing(left, run + step))
        return total

    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Return the best order and those within 5 % of it, the best first."""
        if len(self.active) > MOST_ACTIVE:
            return (self._climbed(),)
        start = self.seconds((*self.active, *self._idle))
        *_, (best, order) = self._leaves(start * _HAIR)
        near = islice(self._leaves(best * _NEAR_ENOUGH, narrow=False), _MOST_TIED)
        tied = dict.fromkeys([order, *(other for _, other in sorted(near))])
        return tuple((*each, *self._idle) for each in tied)

    def _leaves(self, limit: float, *, narrow: bool = True) -> Iterator[tuple[float, tuple[str, ...]]]:
        """Yield orders of at most so many seconds; `narrow`: each better than the one before."""
        left = self._left(self._rule.questions)
        runs = {run: p for run, p in self._opened.items() if run >= 0}
        stack: list[_Branch] = [(0.0, self._opened.get(LOST, 0.0) * self._rest(left), (), left, runs)]
        while stack:
            bound, paid, order, left, runs = stack.pop()
            if bound > limit:
                continue
            rest = self._open(left)
            if not runs or not rest:
                yield paid, (*order, *rest)
                limit = min(limit, paid / _HAIR) if narrow else limit
                continue
            branches = (self._branch(paid, order, left, runs, name) for name in rest)
            stack += sorted((each for each in branches if each[0] <= limit), key=lambda each: each[0], reverse=True)

    def _branch(self, paid: float, order: tuple[str, ...], left: int, runs: dict[int, float], name: str) -> _Branch:
        left &= ~self._rule.bits[name]
        reached = self._follow(runs, name, left)
        reached.pop(VERIFIED, None)
        paid += sum(runs.values()) * self._costs[name] + reached.pop(LOST, 0.0) * self._rest(left)
        return paid + self._to_go(left, reached), paid, (*order, name), left, reached

    def _to_go(self, left: int, runs: dict[int, float]) -> float:
        """Return a bound of what is still to be paid."""
        if self._rule.requirement.accept == "first":
            return sum(p * self._least(left, run) for run, p in runs.items())
        # Whether a run ends depends on what was asked and not on the order of it: the bound is the best itself. Runs
        # that are lost have paid for the rest already.
        return self._shortest(left) - self._reached[left].get(LOST, 0.0) * self._rest(left)

    def _shortest(self, left: int) -> float:
        """Return what asking the rest costs at best under ``accept="lossless"``, lost runs included."""
        found = self._best.get(left)
        if found is None:
            reached = self._asked(left)
            going = sum(p for run, p in reached.items() if run != VERIFIED)
            ways = [(self._costs[name], left & ~self._rule.bits[name]) for name in self._open(left)]
            found = min(
                (going * cost + self._shortest(after) for cost, after in ways), default=going * self._rest(left)
            )
            self._best[left] = found
        return found

    def _asked(self, left: int) -> dict[int, float]:
        """Return the runs there can be when all but `left` was asked, in whatever order."""
        found = self._reached.get(left)
        if found is None:
            name = next(name for bit, name in self._names.items() if not bit & left)
            found = self._reached[left] = self._follow(self._asked(left | self._rule.bits[name]), name, left)
        return found

    def _climbed(self) -> tuple[str, ...]:
        """Return a good order: from the quickest questions on, moved one at a time while that helps."""
        order = (*sorted(self.active, key=self._costs.__getitem__), *self._idle)
        best, looked, better = self.seconds(order), 0, True
        while better:
            better = False
            for name, at in product(self.active, range(len(self.active))):
                others = [each for each in order if each != name]
                moved = (*others[:at], name, *others[at:])
                tree = Tree.of(self._rule, (*self._rule.signals, *moved))
                looked += sum(len(rows) for _, rows in tree.stages)
                if looked > _MOST_LOOKED:
                    return order
                if (worth := tree.seconds(self._genuine, self._costs)) < best / _HAIR:
                    order, best, better = moved, worth, True
        return order


@lru_cache(maxsize=256)
def tied_orders(policy: Policy, requirement: Requirement, available: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """Return the best order of questions and those as good as it, the best first.

    As good are orders within 5 % of its expected seconds for genuine callers; where the order decides who is verified
    (``accept="first"``), only those whose rate for every class and for genuine callers is within 1 % of its.

    Args:
        policy: The policy.
        requirement: What the action demands.
        available: Ids of the checks that the subject can be asked.
    """
    rule = Rule(policy, requirement, available=available, required=requirement.threshold)
    cells = {name: likelihoods(policy.layer(name), policy.threats) for name in rule.bits}
    found = {name: each for name, each in cells.items() if each is not None}
    if len(rule.questions) < 2 or len(found) < len(cells):  # noqa: PLR2004 - nothing to put in order
        return (rule.questions,)
    columns = {
        column: chances(rule, {name: each.column(column) for name, each in found.items()})
        for column in (GENUINE, *policy.threats.names)
    }
    costs = {name: seconds_of(policy.layer(name), policy.threats) for name in rule.bits}
    orders = Search(rule, columns[GENUINE], costs).orders()
    if requirement.accept == "lossless" or len(orders) == 1:
        return orders
    trees = {order: Tree.of(rule, (*rule.signals, *order)) for order in orders}
    rates = {order: [tree.probability(column) for column in columns.values()] for order, tree in trees.items()}
    best = rates[orders[0]]
    return tuple(
        order
        for order in orders
        if all(abs(ours - theirs) <= _AGREE * theirs for ours, theirs in zip(rates[order], best, strict=True))
    )


def best_order(
    policy: Policy, requirement: Requirement, *, available: Collection[str], pinned: str | None = None, draw: int = 0
) -> tuple[str, ...]:
    """Return the ids of what will be asked for a requirement, in the order that keeps genuine callers shortest.

    It is fixed when a run opens, and depends on nothing that the caller says.

    Args:
        policy: The policy.
        requirement: What the action demands.
        available: Ids of the checks that this subject can be asked.
        pinned: The question that an earlier run left unanswered: it stays the first.
        draw: Picks among orders as good as the best; from a keyed function of customer, time window and policy
            fingerprint, never drawn for a call: calling again would be a way to choose one's questions.
    """
    orders = tied_orders(policy, requirement, frozenset(available))
    return tuple(sorted(orders[draw % len(orders)], key=lambda name: name != pinned))
