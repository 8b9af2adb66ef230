"""Everything the report says, worked out before a word of it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kyc_verify.analysis._setting import Setting
from kyc_verify.analysis.capabilities import Capabilities
from kyc_verify.analysis.linting import Finding, lint
from kyc_verify.analysis.order import OrderReport, question_order
from kyc_verify.analysis.paths import AttackPaths, attack_paths
from kyc_verify.analysis.rates import ErrorRates, Rates, curve, error_rates
from kyc_verify.decision import Decision, Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

__all__ = ["ActionFacts", "Facts", "Figure", "gather"]

_WHEN: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""All evidence of an example is of one moment, whichever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One cell of the table that the policy rests on.

    Attributes:
        check: Id of the check.
        who: `GENUINE` or a class.
        passes: P(PASS).
        tag: How the figure is known.
        source: In words.
    """

    check: str
    who: str
    passes: float
    tag: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFacts:
    """What is shown of one action.

    Attributes:
        name: Of the action.
        rates: Who is verified, run by run.
        curve: The same of one run, over all thresholds.
        paths: The ways in.
        order: What the questions cost; None for plain points.
        example: A call in which everything passes, to the moment at which it is verified, if it ever is.
        checks: Ids of what it may ask, signals first.
        pairs: By two ids, how it stands when these pass and all others fail; by one id twice, when only that passes.
        spare: By two ids, the same when these fail and all others pass.
    """

    name: str
    rates: ErrorRates
    curve: tuple[Rates, ...]
    paths: AttackPaths
    order: OrderReport | None
    example: Decision
    checks: tuple[str, ...]
    pairs: dict[tuple[str, str], Decision]
    spare: dict[tuple[str, str], Decision]

    @property
    def worst(self) -> tuple[str, float]:
        """The class that is verified most often, and how often."""
        return max(self.rates.runs[0].attackers.items(), key=lambda item: item[1])

    @property
    def genuine(self) -> float:
        """P(verified) of the customer."""
        return self.rates.runs[0].genuine[Verdict.VERIFIED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the page shows.

    Attributes:
        actions: Those that ask for something.
        exempt: Names of the others.
        findings: Of lint.
        figures: The cells that the policy rests on.
        guesses: How many of them nobody has measured.
        conversions: What was done to published figures.
    """

    actions: tuple[ActionFacts, ...]
    exempt: tuple[str, ...]
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    guesses: int
    conversions: tuple[str, ...]


def gather(policy: Policy, threats: ThreatModel | None, capabilities: Capabilities | None) -> Facts:
    """Work everything out; see `html_report`."""
    model = policy.threats if threats is None else threats
    wanted = [name for name, each in policy.actions.items() if not each.exempt]
    figures = tuple(_figures(policy, model))
    return Facts(
        actions=tuple(_action(policy, name, threats, capabilities) for name in wanted),
        exempt=tuple(name for name, each in policy.actions.items() if each.exempt),
        findings=lint(policy, threats),
        figures=figures,
        guesses=sum(each.tag == "guess" for each in figures),
        conversions=model.conversions,
    )


def _action(policy: Policy, name: str, threats: ThreatModel | None, able: Capabilities | None) -> ActionFacts:
    setting = Setting.of(policy, name, threats=threats)
    signals = tuple(each for each in setting.available if each not in setting.order)
    checks = (*signals, *setting.order)
    pairs = {(a, b): _judged(policy, name, checks, {a, b}) for a in checks for b in checks}
    spare = {(a, b): _judged(policy, name, checks, {*checks} - {a, b}) for a in checks for b in checks}
    return ActionFacts(
        name=name,
        rates=error_rates(policy, name, threats),
        curve=curve(policy, name, threats),
        paths=attack_paths(policy, name, threats, capabilities=able),
        order=question_order(policy, name) if policy.threats.claims_bound else None,
        example=_example(policy, name, signals, setting.order),
        checks=checks,
        pairs=pairs,
        spare=spare,
    )


def _judged(policy: Policy, action: str, checks: Collection[str], passed: Collection[str]) -> Decision:
    found = [_seen(action, each, Outcome.PASS if each in passed else Outcome.FAIL) for each in checks]
    return policy.evaluate(found, action=action, now=_WHEN)


def _example(policy: Policy, action: str, signals: tuple[str, ...], questions: tuple[str, ...]) -> Decision:
    found = [_seen(action, each, Outcome.PASS) for each in signals]
    decision = policy.evaluate(found, action=action, now=_WHEN)
    for each in questions:
        if decision.verdict is Verdict.VERIFIED:
            break
        found.append(_seen(action, each, Outcome.PASS))
        decision = policy.evaluate(found, action=action, now=_WHEN)
    return decision


def _seen(action: str, check: str, outcome: Outcome) -> Evidence:
    return Evidence(check=check, outcome=outcome, at=_WHEN, bound=bound_to(action, None))


def _figures(policy: Policy, model: ThreatModel) -> Iterator[Figure]:
    for check in policy.checks:
        row = model.rows.get(check.row or check.id)
        own = check.likelihoods
        cells = own if own is not None else row.likelihoods if row is not None else None
        if cells is None:
            continue
        for who in (GENUINE, *model.names):
            column = cells.genuine if who == GENUINE else cells.classes.get(who, {})
            origin = None if own is not None or row is None else row.origins.get(who)
            source = own.source if own is not None else "" if origin is None else model.sources.get(origin.source, "")
            yield Figure(
                check=check.id,
                who=who,
                passes=float(column.get(Outcome.PASS, 0)),
                tag="own" if own is not None else "guess" if origin is None else origin.tag,
                source="; ".join(filter(None, (source, "" if origin is None else origin.note))),
            )
