"""What construction refuses of a policy: everything that needs no judgement, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kyc_verify.budgets import Budgets, Lifetimes
from kyc_verify.checks import Check
from kyc_verify.errors import InvalidPolicy, PolicyError
from kyc_verify.policy._check_faults import check_faults
from kyc_verify.policy._faults import Faults, id_faults
from kyc_verify.policy._judge import compile_table, factors_of
from kyc_verify.policy.requirement import LOW_RISK, Requirement, Tier
from kyc_verify.score import ScoreTable
from kyc_verify.terms import LANGUAGES, Factor, Outcome
from kyc_verify.threats import ThreatModel

if TYPE_CHECKING:
    from kyc_verify.policy.policy import Policy

__all__ = ["checked_table"]

_MOST_CHECKS: Final = 64
_MOST_ACTIONS: Final = 500


@dataclass(frozen=True, slots=True)
class _Layers:
    """What actions are held against: the checks by id, their weights if they are sound, and whether these are bits."""

    checks: Mapping[str, Check]
    table: ScoreTable | None
    claims_bound: bool


def checked_table(policy: Policy) -> ScoreTable:
    """Return the weights of a policy whose fields may hold anything yet.

    Raises:
        InvalidPolicy: every fault of the policy at once.
    """
    threats = policy.threats if isinstance(policy.threats, ThreatModel) else None
    faults = list(_fields(policy))
    found = list(_checks(policy.checks, threats))
    checks = {
        check.id: check
        for check in (policy.checks if isinstance(policy.checks, tuple) else ())
        if isinstance(check, Check) and type(check.id) is str
    }
    table = None if found or threats is None else compile_table(policy.checks, threats)
    layers = _Layers(checks, table, threats is None or threats.claims_bound)
    faults += [*found, *_shares(policy.enrolled_share, checks), *_actions(policy.actions, layers)]
    if faults or table is None:
        raise InvalidPolicy([PolicyError(path, message) for path, message in faults])
    return table


def _fields(policy: Policy) -> Faults:
    yield from id_faults(policy.name, "name")
    if policy.language not in LANGUAGES:
        yield "language", f"must be one of {', '.join(LANGUAGES)}"
    if not isinstance(policy.threats, ThreatModel):
        yield "threats", "must be a ThreatModel"
    for name, kind in (("budgets", Budgets), ("lifetimes", Lifetimes)):
        value = getattr(policy, name)
        if isinstance(value, kind):
            yield from value.faults(name)
        else:
            yield name, f"must be {kind.__name__}"


def _checks(checks: object, threats: ThreatModel | None) -> Faults:
    if not isinstance(checks, tuple) or not checks:
        yield "checks", "must be a list of at least one check"
        return
    if len(checks) > _MOST_CHECKS:
        yield "checks", f"has more than {_MOST_CHECKS} checks"
    seen: set[str] = set()
    for at, check in enumerate(checks):
        path = f"checks.{at}"
        if not isinstance(check, Check):
            hint = "; add ()" if isinstance(check, type) and issubclass(check, Check) else ""
            yield path, f"must be a check, not a {type(check).__name__}{hint}"
            continue
        yield from check_faults(check, threats, path)
        if type(check.id) is str:
            if check.id in seen:
                yield f"{path}.id", "two checks have this id; give one of them another"
            seen.add(check.id)


def _shares(shares: object, checks: Mapping[str, Check]) -> Faults:
    if not isinstance(shares, Mapping):
        yield "enrolled_share", "must map check ids to shares"
        return
    for name, share in shares.items():
        if name not in checks:
            yield f"enrolled_share.{name}", "the policy has no check of this id"
        if type(share) not in (int, float) or not 0 <= share <= 1:
            yield f"enrolled_share.{name}", "must be a number from 0 to 1"


def _actions(actions: object, layers: _Layers) -> Faults:
    if not isinstance(actions, Mapping) or not actions:
        yield "actions", "must map at least one action to a Requirement"
        return
    if len(actions) > _MOST_ACTIONS:
        yield "actions", f"has more than {_MOST_ACTIONS} actions"
    for name, requirement in actions.items():
        path = f"actions.{name}"
        yield from id_faults(name, path)
        if not isinstance(requirement, Requirement):
            yield path, "must be a Requirement"
            continue
        yield from _requirement(requirement, path, layers)
        if isinstance(requirement.stakes, tuple):
            yield from _tiers(requirement.stakes, path, layers)


def _tiers(tiers: tuple[object, ...], path: str, layers: _Layers) -> Faults:
    seen: set[tuple[str, Decimal]] = set()
    for at, tier in enumerate(tiers):
        if not isinstance(tier, Tier):
            continue  # the requirement has said so
        where = f"{path}.stakes.{at}"
        found = list(tier.faults(where))
        yield from found
        if not found:
            if (tier.currency, tier.up_to) in seen:
                yield f"{where}.up_to", "two tiers end at the same amount"
            seen.add((tier.currency, tier.up_to))
        if isinstance(tier.requirement, Requirement):
            yield from _requirement(tier.requirement, f"{where}.requirement", layers, nested=True)


def _requirement(requirement: Requirement, path: str, layers: _Layers, *, nested: bool = False) -> Faults:
    found = list(requirement.faults(path, nested=nested))
    yield from found
    if found or requirement.exempt:
        return
    checks = layers.checks
    asked = [name for name in (checks if requirement.checks is None else requirement.checks) if name in checks]
    unknown = list(_unknown(requirement, path, checks, asked))
    yield from unknown
    if requirement.risk is not None and not layers.claims_bound:
        yield f"{path}.risk", "plain points claim no bound; give bits, which are then points"
    elif layers.table is not None and not unknown:
        yield from _reach(requirement, path, [checks[name] for name in asked], layers.table)


def _unknown(requirement: Requirement, path: str, checks: Mapping[str, Check], asked: list[str]) -> Faults:
    for field in ("checks", "all_of", "any_of"):
        for name in getattr(requirement, field) or ():
            if name not in checks:
                yield f"{path}.{field}", f"the policy has no check {name!r}; it has {', '.join(sorted(checks))}"
            elif name not in asked:
                yield f"{path}.{field}", f"{name!r} is not among the checks of this requirement"


def _reach(requirement: Requirement, path: str, asked: list[Check], table: ScoreTable) -> Faults:
    best = table.score(dict.fromkeys([check.id for check in asked], Outcome.PASS))
    needed = requirement.threshold
    if best.centibits < needed:
        have = f"{best.centibits / 100:.2f} bits against {best.weakest}"
        yield path, f"is out of reach: all checks passed give {have}, and {needed / 100:.2f} are demanded"
    factors = len(factors_of(asked))
    if factors < requirement.factors:
        yield f"{path}.factors", f"is out of reach: its checks show {factors} distinct factors"
    alone = not any(check.factor in (Factor.POSSESSION, Factor.INHERENCE) for check in asked)
    if needed > LOW_RISK and alone and table.claims_bound and not requirement.knowledge_only:
        yield path, "rests on knowledge alone above 2 bits; add a possession, or say knowledge_only=True"
