"""Ways in: which checks passed are enough, and what an attacker must be able to do to pass them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import prod
from types import MappingProxyType

from kyc_verify.analysis._setting import Cells, Setting
from kyc_verify.analysis.capabilities import Capabilities
from kyc_verify.call import Stake
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy
from kyc_verify.policy.rule import VERIFIED, Rule, likelihoods
from kyc_verify.terms import Outcome
from kyc_verify.threats import ThreatModel

__all__ = ["AttackPaths", "Path", "Way", "attack_paths", "minimal_sets", "verifies", "worst_outcomes"]

_MOST_PATHS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A least set of checks whose passing verifies.

    Attributes:
        checks: Their ids, in the order in which they come up.
        outcomes: How such a run goes, to the last thing asked: these pass, the others go as well as they can without.
        probability: For each class, the probability of passing all of them.
        capabilities: What it takes for the least money: those of up to three whose price for each success is lowest.
        per_success: That price.
    """

    checks: tuple[str, ...]
    outcomes: Mapping[str, Outcome]
    probability: Mapping[str, float]
    capabilities: tuple[str, ...]
    per_success: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What an attacker with some capabilities achieves.

    Attributes:
        capabilities: Their names; none: anybody.
        price: Of one attempt, all of them together.
        probability: P(verified).
        per_success: Price of a success; infinite where there is none.
    """

    capabilities: tuple[str, ...]
    price: float
    probability: float
    per_success: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackPaths:
    """All ways into an action.

    Attributes:
        action: Which.
        currency: Of the prices.
        paths: Every least set of checks that is enough, the cheapest first.
        ways: Every set of capabilities, the cheapest success first.
    """

    action: str
    currency: str
    paths: tuple[Path, ...]
    ways: tuple[Way, ...]


def attack_paths(
    policy: Policy,
    action: str,
    threats: ThreatModel | None = None,
    *,
    capabilities: Capabilities | None = None,
    most: int = 3,
    stake: Stake | None = None,
    available: Collection[str] | None = None,
) -> AttackPaths:
    """Return every least set of checks that verifies, and what capabilities achieve, cheapest first.

    Args:
        policy: The policy.
        action: What is asked for.
        threats: How callers answer, if not as the policy's own model says; needed for plain points.
        capabilities: What attackers can do; None: the shipped table.
        most: So many capabilities together at most.
        stake: What is moved, where something is.
        available: Ids of the checks that the customer can be asked; None: all of them.

    Raises:
        UsageError: no such action, or it cannot be analysed; the message says what to do.
    """
    if type(most) is not int or not 0 <= most <= 3:  # noqa: PLR2004 - more than three are nobody's plan
        msg = "most must be a whole number from 0 to 3"
        raise UsageError(msg)
    setting = Setting.of(policy, action, threats=threats, stake=stake, available=available)
    table = Capabilities.default() if capabilities is None else capabilities
    rule = setting.rule()
    tree = setting.tree(rule)
    sets = [held for n in range(most + 1) for held in combinations(table.entries, n)]
    columns, ways = [], []
    for held in sets:
        names = tuple(each.name for each in held)
        cells = table.cells(setting, names)
        probability = tree.probability(setting.chances(rule, cells))
        price = float(sum(each.price for each in held))
        columns.append((names, price, cells))
        ways.append(
            Way(
                capabilities=names,
                price=price,
                probability=probability,
                per_success=_each(price, probability),
            )
        )
    classes = {name: setting.cells(name) for name in setting.threats.names}
    paths = [_path(setting, rule, found, classes, columns) for found in minimal_sets(setting, rule)]
    return AttackPaths(
        action=action,
        currency=table.currency,
        paths=tuple(sorted(paths, key=lambda path: (path.per_success, path.checks))),
        ways=tuple(sorted(ways, key=lambda way: (way.per_success, len(way.capabilities), way.capabilities))),
    )


def _each(price: float, probability: float) -> float:
    return price / probability if probability > 0 else float("inf")


def _passing(cells: Cells, checks: Iterable[str]) -> float:
    return prod(float(cells[name][Outcome.PASS]) for name in checks)


def _path(
    setting: Setting,
    rule: Rule,
    checks: tuple[str, ...],
    classes: Mapping[str, Cells],
    columns: list[tuple[tuple[str, ...], float, Cells]],
) -> Path:
    priced = [(_each(price, _passing(cells, checks)), len(names), names) for names, price, cells in columns]
    # An attempt that costs nothing succeeds for nothing, however seldom: what counts is what somebody would pay for.
    per_success, _, names = min([each for each in priced if each[2]] or priced)
    return Path(
        checks=checks,
        outcomes=worst_outcomes(setting, rule, checks),
        probability=MappingProxyType({name: _passing(cells, checks) for name, cells in classes.items()}),
        capabilities=names,
        per_success=per_success,
    )


# ── Least sets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _prefixes(setting: Setting, rule: Rule) -> Iterator[tuple[str, ...]]:
    """Yield what is known at each moment at which the run may end."""
    whole = (*rule.signals, *setting.order)
    first = len(rule.signals) if setting.requirement.accept == "first" else len(whole)
    yield from (whole[:at] for at in range(first, len(whole) + 1))


def verifies(setting: Setting, rule: Rule, passed: Collection[str]) -> bool:
    """Whether passing these is enough, all others at their best short of a pass."""
    for known in _prefixes(setting, rule):
        run = rule.start
        for name in known:
            run += rule.steps[name][Outcome.PASS if name in passed else Outcome.NEAR]
        if rule.landing(0, run) == VERIFIED:
            return True
    return False


def worst_outcomes(setting: Setting, rule: Rule, passed: Collection[str]) -> Mapping[str, Outcome]:
    """Return how such a run goes, to the moment at which it is verified."""
    outcomes: dict[str, Outcome] = {}
    left, run = rule.everything, rule.start
    for name in (*rule.signals, *setting.order):
        if name not in rule.signals and rule.landing(left, run) == VERIFIED:
            break
        outcomes[name] = outcome = Outcome.PASS if name in passed else _short_of_pass(setting, name)
        left &= ~rule.bits[name]
        run += rule.steps[name][outcome]
    return MappingProxyType(outcomes)


def _short_of_pass(setting: Setting, name: str) -> Outcome:
    cells = likelihoods(setting.policy.layer(name), setting.threats)
    has = cells is not None and Outcome.NEAR in cells.genuine
    return Outcome.NEAR if has else Outcome.FAIL


def minimal_sets(setting: Setting, rule: Rule) -> tuple[tuple[str, ...], ...]:
    """Return every least set of checks whose passing verifies.

    Raises:
        UsageError: there are more than 5,000 of them.
    """
    found: list[int] = []
    for at, known in enumerate(_prefixes(setting, rule)):
        # What ends at this moment and not before has passed the newest question, unless short of a pass it helps too.
        must = at > 0 and max(rule.weights[known[-1]][Outcome.NEAR]) <= 0
        _search(rule, known, found, must=rule.bits[known[-1]] if must else 0)
    least = [each for each in found if not any(other != each and other & each == other for other in found)]
    order = (*rule.signals, *setting.order)
    named = [tuple(name for name in order if rule.bits[name] & each) for each in dict.fromkeys(least)]
    return tuple(sorted(named, key=lambda checks: (len(checks), [order.index(name) for name in checks])))


def _search(rule: Rule, known: tuple[str, ...], found: list[int], *, must: int) -> None:
    """Add the least sets that are enough at one moment, of those that hold the bit `must`."""
    start = rule.start + sum(rule.steps[name][Outcome.NEAR] for name in known)
    gains = [(rule.steps[name][Outcome.PASS] - rule.steps[name][Outcome.NEAR], rule.bits[name]) for name in known]
    gains = sorted((each for each in gains if each[0]), key=lambda each: (each[1] == must, each[0]), reverse=True)
    rest = [0]
    for gain, _ in reversed(gains):
        rest.append(rest[-1] + gain)
    rest.reverse()
    by_bit = {bit: gain for gain, bit in gains}
    landing = rule.landing
    if must and must not in by_bit:
        return
    stack = [(0, 0, start)]
    while stack:
        at, chosen, run = stack.pop()
        if landing(0, run + rest[at]) != VERIFIED:
            continue
        if landing(0, run) == VERIFIED:
            members = [bit for bit in by_bit if bit & chosen]
            if all(landing(0, run - by_bit[bit]) != VERIFIED for bit in members):
                found.append(chosen)
                if len(found) > _MOST_PATHS:
                    msg = f"there are more than {_MOST_PATHS} ways in; say in Requirement(checks=...) what may be asked"
                    raise UsageError(msg)
            continue
        gain, bit = gains[at]
        if bit != must:
            stack.append((at + 1, chosen, run))
        stack.append((at + 1, chosen | bit, run + gain))
