"""Random policies for the lock-step tests: as plain rules for the model, and as the library's own `Policy`."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reference_score import ActionRule, CheckRule, Rules, Scorer

from kyc_verify.answers import Clarify, Forms, Refused
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import AnswerCheck, AppConfirmation, CallerNumber, OneTimeCode, Pin, SignalCheck
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.terms import Outcome
from kyc_verify.threats import AttackerClass, Likelihoods, Row, ThreatModel

__all__ = ["policy_of", "random_rules"]

CLASSES = ("stranger", "swapper", "insider")


class Word(AnswerCheck):
    """A question whose answers may be right, near, wrong, ambiguous (``?``) or unreadable (``!``)."""

    kind = "word"
    prompts = {"en": "Which word?"}  # noqa: RUF012 - as the documentation shows it
    row = "word"

    def forms(self, said: str, *, locale: str | None, now: Any) -> Forms | Clarify:
        if said == "?":
            return Clarify(question={"en": "Which of the two?"})
        if said in {"!", ""}:
            raise Refused("unreadable")
        return Forms(coarse=said[:4], fine=said, near=True)


class Carrier(SignalCheck):
    """A source that says the outcome itself."""

    source = "carrier"
    row = "carrier"
    taints_contact = True

    def judge(self, signal: Any) -> Outcome:
        return Outcome(signal.value)


def _cells(rng: random.Random, *, near: bool) -> dict[str, tuple[Fraction, ...]]:
    columns = {}
    for name in ("genuine", *CLASSES):
        passed = rng.randint(300, 950) if name == "genuine" else rng.choice((rng.randint(2, 60), rng.randint(2, 950)))
        nearly = rng.randint(1, 999 - passed) if near else 0
        columns[name] = tuple(Fraction(n, 1000) for n in (1000 - passed - nearly, nearly, passed))
    return columns


def _checks(rng: random.Random) -> list[CheckRule]:
    made = [
        CheckRule("caller_number", "number", {}, "context", "sim"),
        CheckRule("carrier", "signal", {}, "context"),
        CheckRule("word_a", "word", {}, "knowledge", entry="text"),
        CheckRule("word_b", "word", {}, "knowledge", entry="text"),
        CheckRule("pin", "pin", {}, "knowledge", entry="digits"),
        CheckRule("one_time_code", "code", {}, "possession", "sim", entry="digits", tries=3),
        CheckRule("app_confirmation", "app", {}, "possession", "app", entry="confirm"),
    ]
    kept = [each for each in made if rng.random() < 0.7] or [made[2]]
    rng.shuffle(kept)
    for each in kept:
        each.cells = _cells(rng, near=each.kind in {"number", "word"} or (each.kind == "signal" and rng.random() < 0.5))
    return kept


def _action(rng: random.Random, checks: list[CheckRule], model: Scorer, *, tiers: bool = False) -> ActionRule:
    names = [each.id for each in checks]
    allowed = tuple(sorted(rng.sample(names, rng.randint(1, len(names))))) if rng.random() < 0.2 else None
    rule = ActionRule(
        checks=allowed, lossless=rng.random() < 0.4, max_age=rng.choice((None, None, timedelta(minutes=2)))
    )
    inside = list(allowed or names)
    best = min(sum(model.weights[n][c]["pass"] for n in inside) for c in CLASSES)
    rule.needed = 1 + int((best - 1) * rng.random() ** 2) if best > 0 else 0
    if rng.random() < 0.4:
        rule.factors = rng.randint(1, max(1, model.factors(inside)))
    if rng.random() < 0.2 or not (rule.needed or rule.factors):
        rule.all_of = (rng.choice(inside),)
    if rng.random() < 0.2:
        rule.any_of = tuple(sorted(rng.sample(inside, min(2, len(inside)))))
    if tiers:
        small = ActionRule(exempt=True) if rng.random() < 0.6 else _action(rng, checks, model)
        rule.tiers = ((30, small, rng.choice((None, 60)), 2),)
    return rule


def random_rules(rng: random.Random) -> Rules:
    """Return a policy as plain rules, with budgets small enough to be reached."""
    checks = _checks(rng)
    hour = timedelta(hours=1)
    rules = Rules(
        checks,
        {},
        answers=(rng.randint(1, 4), rng.choice((hour, 24 * hour))),
        codes=(rng.randint(1, 5), hour),
        sends=(rng.randint(1, 4), hour),
        destination=(rng.randint(1, 6), hour),
        country=(rng.randint(2, 9), hour),
        consecutive=rng.randint(2, 7),
        runs=rng.choice((hour, 24 * hour, 720 * hour)),
        cool_off=rng.choice((timedelta(0), timedelta(days=30))),
    )
    model = Scorer(rules)
    rules.actions["peek"] = ActionRule(exempt=True)
    rules.actions["read"] = _action(rng, checks, model)
    rules.actions["move"] = _action(rng, checks, model)
    rules.actions["pay"] = _action(rng, checks, model, tiers=True)
    return rules


def _requirement(rule: ActionRule) -> Requirement:
    if rule.exempt:
        return Requirement.none()
    tiers = tuple(
        Tier(up_to=Decimal(up_to), currency="EUR", requirement=_requirement(demanded), count=count,
             ceiling=None if ceiling is None else Decimal(ceiling))
        for up_to, demanded, ceiling, count in rule.tiers
    )  # fmt: skip
    return Requirement(
        bits=Decimal(rule.needed) / 100 if rule.needed else None,
        checks=rule.checks,
        factors=rule.factors,
        all_of=rule.all_of,
        any_of=rule.any_of,
        max_age=rule.max_age,
        accept="lossless" if rule.lossless else "first",
        stakes=tiers,
        knowledge_only=True,
    )


def policy_of(rules: Rules) -> Policy:
    """Return the library's own policy for the rules."""
    rows = {}
    for each in rules.checks:
        columns = {
            name: {o: p for o, p in zip((Outcome.FAIL, Outcome.NEAR, Outcome.PASS), column, strict=True) if p}
            for name, column in each.cells.items()
        }
        cells = Likelihoods(genuine=columns.pop("genuine"), classes=columns, tries=each.tries)
        rows[each.id] = Row(likelihoods=cells, fields=(each.id,))
    made = {
        "caller_number": CallerNumber, "carrier": Carrier, "pin": Pin, "one_time_code": OneTimeCode,
        "app_confirmation": AppConfirmation,
    }  # fmt: skip
    return Policy(
        name="lockstep",
        checks=[Word(each.id) if each.kind == "word" else made[each.id]() for each in rules.checks],
        actions={name: _requirement(rule) for name, rule in rules.actions.items()},
        threats=ThreatModel(classes=tuple(AttackerClass(name=n, description=n) for n in CLASSES), rows=rows),
        budgets=Budgets(
            answers=Budget(*rules.answers), codes=Budget(*rules.codes), sends=Budget(*rules.sends),
            destination=Budget(*rules.destination), country=Budget(*rules.country), consecutive=rules.consecutive,
            runs=rules.runs,
        ),
        lifetimes=Lifetimes(cool_off=rules.cool_off),
    )  # fmt: skip
