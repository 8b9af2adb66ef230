"""What construction refuses of a policy: everything that needs no judgement, all of it at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kyc_verify.budgets import Budgets, Lifetimes
from kyc_verify.call import exact_id
from kyc_verify.checks import AnswerCheck, AskedCheck, Check, OneTimeCode, SignalCheck
from kyc_verify.errors import UsageError
from kyc_verify.policy.requirement import LOW_RISK, Requirement
from kyc_verify.terms import LANGUAGES, Channel, Factor, Outcome
from kyc_verify.threats import POINTS, Likelihoods, ThreatModel

if TYPE_CHECKING:
    from kyc_verify.policy.policy import Policy

__all__ = ["faults_of"]

Faults = Iterator[tuple[str, str]]

_MOST_CHECKS: Final = 64
_MOST_ACTIONS: Final = 500
_MOST_TRIES: Final = 10
_DIGITS: Final = (6, 10)


def faults_of(policy: Policy) -> Faults:
    """Yield the path and the message of each fault of a policy; its fields may hold anything yet."""
    yield from _id(policy.name, "name")
    if policy.language not in LANGUAGES:
        yield "language", f"must be one of {', '.join(LANGUAGES)}"
    threats: object = policy.threats
    sound = isinstance(threats, ThreatModel)
    if not sound:
        yield "threats", "must be a ThreatModel"
    for name, kind in (("budgets", Budgets), ("lifetimes", Lifetimes)):
        value = getattr(policy, name)
        if isinstance(value, kind):
            yield from value.faults(name)
        else:
            yield name, f"must be {kind.__name__}"
    broken = list(_checks(policy, sound=sound))
    yield from broken
    yield from _shares(policy)
    yield from _actions(policy, weigh=sound and not broken)


def _id(value: object, path: str) -> Faults:
    try:
        exact_id(value, "it")
    except UsageError as fault:
        yield path, str(fault)


def _checks(policy: Policy, *, sound: bool) -> Faults:
    given: object = policy.checks
    if not isinstance(given, tuple) or not given:
        yield "checks", "must be a list of at least one check"
        return
    if len(given) > _MOST_CHECKS:
        yield "checks", f"has more than {_MOST_CHECKS} checks"
    seen: set[str] = set()
    for at, check in enumerate(given):
        path = f"checks.{at}"
        if not isinstance(check, Check):
            hint = "; add ()" if isinstance(check, type) and issubclass(check, Check) else ""
            yield path, f"must be a check, not a {type(check).__name__}{hint}"
            continue
        yield from _id(check.id, f"{path}.id")
        if check.id in seen:
            yield f"{path}.id", "two checks have this id; give one of them another"
        seen.add(check.id)
        yield from _check(check, path)
        if sound:
            yield from _weights(check, policy.threats, path)


def _check(check: Check, path: str) -> Faults:
    shape: object = check
    if not isinstance(shape, AskedCheck | SignalCheck):
        yield path, "must derive from AnswerCheck or SignalCheck"
    if not isinstance(check.factor, Factor):
        yield f"{path}.factor", "must be a Factor"
    if type(check.tries) is not int or not 1 <= check.tries <= _MOST_TRIES:
        yield f"{path}.tries", f"must be a whole number from 1 to {_MOST_TRIES}"
    seconds = check.seconds
    if seconds is not None and (type(seconds) is not int or not 0 <= seconds <= 3600):  # noqa: PLR2004 - an hour
        yield f"{path}.seconds", "must be a whole number of seconds up to 3600"
    if isinstance(check, AskedCheck):
        yield from _prompts(check, path)
    if isinstance(check, OneTimeCode):
        if check.channel not in (Channel.SMS, Channel.VOICE, Channel.EMAIL):
            yield f"{path}.channel", "must be sms, voice or email"
        if check.template not in ("warning", "plain", "elsewhere"):
            yield f"{path}.template", "must be warning, plain or elsewhere"
        if type(check.digits) is not int or not _DIGITS[0] <= check.digits <= _DIGITS[1]:
            yield f"{path}.digits", f"must be from {_DIGITS[0]} to {_DIGITS[1]} (NIST SP 800-63B-4 section 3.1.3.2)"


def _prompts(check: AskedCheck, path: str) -> Faults:
    texts: object = check.prompts
    if not isinstance(texts, Mapping) or not all(type(each) is str and each for item in texts.items() for each in item):
        yield f"{path}.prompts", "must map languages to texts"
    elif not texts:
        try:
            check.prompt("en")
        except LookupError:
            yield f"{path}.prompts", 'is missing: say what to ask, as in {"en": "..."}'
    if isinstance(check, AnswerCheck) and type(check).forms is AnswerCheck.forms:
        yield path, "must define forms(said, *, locale, now)"


def _weights(check: Check, threats: ThreatModel, path: str) -> Faults:
    own = check.likelihoods
    if own is not None and not isinstance(own, Likelihoods):
        yield f"{path}.likelihoods", "must be Likelihoods"
        return
    if own is None or not threats.claims_bound:
        if threats.rows.keys().isdisjoint((check.id, check.row)):
            what = f"the threat model has no row {check.row!r}" if check.row else "it has neither likelihoods nor a row"
            yield f"{path}.row", f"{what}; give likelihoods=Likelihoods(...) or name a row of the table"
            return
    else:
        lacking = set(threats.names) - set(own.classes)
        if lacking:
            yield f"{path}.likelihoods", f"must say how each class does; {', '.join(sorted(lacking))} missing"
        if set(own.classes) - set(threats.names):
            known = ", ".join(threats.names)
            yield f"{path}.likelihoods", f"names a class that the threat model has not; it has {known}"
    row = threats.rows.get(check.id) or threats.rows.get(check.row or "")
    meant = own or (row.likelihoods if row is not None else None)
    if meant is not None and type(check.tries) is int and check.tries > meant.tries:
        yield f"{path}.tries", f"its likelihoods are meant of {meant.tries} tries in one run, not of {check.tries}"


def _shares(policy: Policy) -> Faults:
    shares: object = policy.enrolled_share
    if not isinstance(shares, Mapping):
        yield "enrolled_share", "must map check ids to shares"
        return
    known = {check.id for check in policy.checks if isinstance(check, Check)}
    for name, share in shares.items():
        if name not in known:
            yield f"enrolled_share.{name}", "the policy has no check of this id"
        if type(share) not in (int, float) or not math.isfinite(share) or not 0 <= share <= 1:
            yield f"enrolled_share.{name}", "must be a number from 0 to 1"


def _actions(policy: Policy, *, weigh: bool) -> Faults:
    actions: object = policy.actions
    if not isinstance(actions, Mapping) or not actions:
        yield "actions", "must map at least one action to a Requirement"
        return
    if len(actions) > _MOST_ACTIONS:
        yield "actions", f"has more than {_MOST_ACTIONS} actions"
    for name, requirement in actions.items():
        path = f"actions.{name}"
        if type(name) is not str:
            yield path, "an action's name must be a str"
            continue
        yield from _id(name, path)
        if not isinstance(requirement, Requirement):
            yield path, "must be a Requirement"
            continue
        yield from _requirement(policy, requirement, path, weigh=weigh)
        if isinstance(requirement.stakes, tuple):
            yield from _tiers(policy, requirement, path, weigh=weigh)


def _tiers(policy: Policy, requirement: Requirement, path: str, *, weigh: bool) -> Faults:
    seen: set[tuple[str, Decimal]] = set()
    for at, tier in enumerate(requirement.stakes):
        where = f"{path}.stakes.{at}"
        if not hasattr(tier, "faults"):
            continue
        found = list(tier.faults(where))
        yield from found
        if (tier.currency, tier.up_to) in seen:
            yield f"{where}.up_to", "two tiers end at the same amount"
        seen.add((tier.currency, tier.up_to))
        if not found:
            yield from _requirement(policy, tier.requirement, f"{where}.requirement", weigh=weigh, checked=True)


def _requirement(policy: Policy, requirement: Requirement, path: str, *, weigh: bool, checked: bool = False) -> Faults:
    found = [] if checked else list(requirement.faults(path))
    yield from found
    if found or requirement.exempt:
        return
    known = {check.id: check for check in policy.checks if isinstance(check, Check)}
    allowed = known if requirement.checks is None else {n: known[n] for n in requirement.checks if n in known}
    unknown = False
    for field in ("checks", "all_of", "any_of"):
        for name in getattr(requirement, field) or ():
            if name not in known:
                unknown = True
                yield f"{path}.{field}", f"the policy has no check {name!r}; it has {', '.join(sorted(known))}"
            elif name not in allowed:
                unknown = True
                yield f"{path}.{field}", f"{name!r} is not among the checks of this requirement"
    if requirement.risk is not None and isinstance(policy.threats, ThreatModel) and not policy.threats.claims_bound:
        yield f"{path}.risk", "plain points claim no bound; give bits, which are then points"
        return
    if weigh and not unknown:
        yield from _reach(policy, requirement, allowed, path)


def _reach(policy: Policy, requirement: Requirement, allowed: dict[str, Check], path: str) -> Faults:
    from kyc_verify.policy._judge import factors_of  # noqa: PLC0415 - it needs the table, which needs sound checks

    best = policy.table.score(dict.fromkeys(allowed, Outcome.PASS))
    needed = requirement.threshold
    if best.centibits < needed:
        have = f"{best.centibits / 100:.2f} bits against {best.weakest}"
        yield path, f"is out of reach: all checks passed give {have}, and {needed / 100:.2f} are demanded"
    if len(factors_of(allowed.values())) < requirement.factors:
        yield (
            f"{path}.factors",
            f"is out of reach: its checks show {len(factors_of(allowed.values()))} distinct factors",
        )
    strong = any(check.factor in (Factor.POSSESSION, Factor.INHERENCE) for check in allowed.values())
    excused = requirement.knowledge_only or POINTS in policy.threats.names
    if needed > LOW_RISK and not strong and not excused:
        yield path, "rests on knowledge alone above 2 bits; add a possession, or say knowledge_only=True"
