"""Holding a policy against a floor: one function for each kind of demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from kyc_verify.checks import AnswerCheck, Check, OneTimeCode, Pin, SecretAnswer
from kyc_verify.floors import Demand, Floor, Rule, Violation
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.terms import Factor

if TYPE_CHECKING:
    from kyc_verify.policy.policy import Policy

__all__ = ["violations"]

Found = Iterator[tuple[str, str, str]]
"""Path, what is, what must be."""


def violations(policy: Policy, floor: Floor) -> tuple[Violation, ...]:
    """Return what a policy breaks of a floor, in the order of its rules."""
    # What comes by a channel that the floor bars is no strong factor for it, and no alternative to another.
    barred = frozenset(str(rule.value) for rule in floor.rules if rule.demand is Demand.NO_CHANNEL)
    return tuple(
        Violation(floor=floor.name, clause=rule.clause, field=path, found=found, required=required, known=rule.known)
        for rule in floor.rules
        for path, found, required in _JUDGES[rule.demand](policy, rule, barred)
    )


def _bars(barred: frozenset[str], check: Check) -> bool:
    return isinstance(check, OneTimeCode) and check.channel.value in barred


def _no_channel(policy: Policy, rule: Rule, _: frozenset[str]) -> Found:
    for at, check in enumerate(policy.checks):
        if isinstance(check, OneTimeCode) and check.channel.value == rule.value:
            yield f"checks.{at}.channel", str(rule.value), f"another channel: {rule.value} is not out of band"


def _bounds(policy: Policy, rule: Rule, _: frozenset[str]) -> Found:
    limit = cast("int", rule.value)  # as `Rule` has seen to
    for path, value in _values(policy, rule.field):
        number = value.total_seconds() if isinstance(value, timedelta) else value
        unit = " s" if isinstance(value, timedelta) else ""
        broken = number > limit if rule.demand is Demand.AT_MOST else number < limit
        if broken:
            yield path, f"{number:g}{unit}", f"{rule.demand.value} {limit}{unit}"


def _values(policy: Policy, path: str) -> Iterator[tuple[str, int | timedelta]]:
    first, _, rest = path.partition(".")
    if first == "checks":
        name = rest.removeprefix("*.")
        found = ((f"checks.{at}.{name}", getattr(check, name, None)) for at, check in enumerate(policy.checks))
        yield from ((where, value) for where, value in found if isinstance(value, int | timedelta))
        return
    value: Any = getattr(policy, first)
    for part in rest.split("."):
        value = getattr(value, part)
    yield path, value


def _demanding(policy: Policy) -> Iterator[tuple[str, Requirement]]:
    """Return every requirement that asks something, those of tiers too."""
    for name, requirement in policy.actions.items():
        if not requirement.exempt:
            yield f"actions.{name}", requirement
        for at, tier in enumerate(requirement.stakes):
            if not tier.requirement.exempt:
                yield f"actions.{name}.stakes.{at}.requirement", tier.requirement


def _factors(policy: Policy, rule: Rule, barred: frozenset[str]) -> Found:
    """A requirement names the factors it needs, or names checks that bring them."""
    strong, needed = rule.demand is Demand.STRONG_FACTORS, cast("int", rule.value)
    for path, requirement in _demanding(policy):
        asked = policy.asked(requirement)
        named = [check for check in asked if check.id in requirement.all_of]
        sure = {check.factor for check in named} - {Factor.CONTEXT}
        shown = max(requirement.factors, len(sure))
        if strong:
            # Factors that may be shown by what does not count, so that showing them says nothing.
            weak = {check.factor for check in asked if check.factor is Factor.KNOWLEDGE or _bars(barred, check)}
            sure = {check.factor for check in named if not _bars(barred, check)} - {Factor.CONTEXT, Factor.KNOWLEDGE}
            shown = max(len(sure), requirement.factors - len(weak))
        if shown < needed:
            yield f"{path}.factors", str(shown), f"{needed} {rule.demand.value}"


def _alternative(policy: Policy, rule: Rule, barred: frozenset[str]) -> Found:
    usable = [check for check in policy.checks if not _bars(barred, check)]
    possessions = [check for check in usable if check.factor in (Factor.POSSESSION, Factor.INHERENCE)]
    if possessions and all(check.asset == rule.value for check in possessions):
        names = ", ".join(check.id for check in possessions)
        yield "checks", f"possession only by {names}", f"{rule.demand.value} the {rule.value}"


def _secret(check: Check) -> bool:
    """Whether a check is neither biographical nor account information: a password, a call-back, a possession."""
    if isinstance(check, AnswerCheck):
        return isinstance(check, Pin) or (isinstance(check, SecretAnswer) and check.row == SecretAnswer.row)
    return check.factor in (Factor.POSSESSION, Factor.INHERENCE)


def _biographical(policy: Policy, rule: Rule, _: frozenset[str]) -> Found:
    for path, requirement in _demanding(policy):
        asked = policy.asked(requirement)
        needed = [check for check in asked if check.id in (*requirement.all_of, *requirement.any_of)]
        sure = any(_secret(check) for check in asked if check.id in requirement.all_of) or (
            bool(requirement.any_of) and all(_secret(check) for check in needed if check.id in requirement.any_of)
        )
        other = any(not _secret(check) and check.factor is Factor.KNOWLEDGE for check in asked)
        if other and not sure and requirement.factors < 2:  # noqa: PLR2004 - then one of them is no knowledge
            yield path, "within reach of facts that others know", f"{rule.demand.value}: {rule.value}"


def _low_value(policy: Policy, rule: Rule, _: frozenset[str]) -> Found:
    single, cumulative, count = cast("tuple[int, int, int]", rule.value)
    for name, requirement in policy.actions.items():
        for at, tier in enumerate(requirement.stakes):
            if tier.requirement.exempt and not _within(tier, single, cumulative, count):
                together = "without a ceiling" if tier.ceiling is None else f"together {tier.ceiling:f}"
                times = "any number of times" if tier.count is None else f"{tier.count} times"
                found = f"up to {tier.up_to:f} {tier.currency}, {together}, {times}"
                yield f"actions.{name}.stakes.{at}", found, f"{single} EUR, together {cumulative} EUR or {count} times"


def _within(tier: Tier, single: int, cumulative: int, count: int) -> bool:
    summed = tier.ceiling is not None and tier.ceiling <= Decimal(cumulative)
    counted = tier.count is not None and tier.count <= count
    return tier.currency == "EUR" and tier.up_to <= single and (summed or counted)


_JUDGES: Final[Mapping[Demand, Callable[[Policy, Rule, frozenset[str]], Found]]] = MappingProxyType(
    {
        Demand.AT_MOST: _bounds,
        Demand.AT_LEAST: _bounds,
        Demand.FACTORS: _factors,
        Demand.STRONG_FACTORS: _factors,
        Demand.NO_CHANNEL: _no_channel,
        Demand.ALTERNATIVE: _alternative,
        Demand.NO_KNOWLEDGE_ALONE: _biographical,
        Demand.LOW_VALUE: _low_value,
    }
)
