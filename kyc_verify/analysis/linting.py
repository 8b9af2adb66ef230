"""Lint: what a policy's construction cannot refuse, because it needs judgement.

Each rule is a function of one `View`, an action or one of its tiers, or of all of them; each finding has a stable
code, a plain sentence, a run that shows it, and what to do. docs/lint.md lists the codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from kyc_verify.analysis._setting import Cells, Setting
from kyc_verify.analysis.paths import minimal_sets, worst_outcomes
from kyc_verify.call import Stake
from kyc_verify.errors import UsageError
from kyc_verify.floors import Floor
from kyc_verify.policy import LOW_RISK, Policy
from kyc_verify.policy.rule import LOST, VERIFIED, Chances, Rule, Tree, likelihoods
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

__all__ = ["CODES", "Code", "Finding", "Severity", "View", "likeliest", "lint", "views"]

Severity = Literal["error", "warning", "note"]
"""An error lets somebody in whom the policy means to keep out; a warning may; a note is to be known."""

_NONE: Final[Mapping[str, Outcome]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One rule.

    Attributes:
        code: Stable; never used again for anything else.
        name: In words with dashes.
        says: What it finds.
        advice: What to do.
    """

    code: str
    name: str
    says: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    Attributes:
        code: Of the rule.
        severity: ``error``, ``warning`` or ``note``.
        path: Where: ``actions.pay``, ``actions.pay.stakes.0``, ``checks.pin`` or ``policy``.
        message: A plain sentence.
        counter_example: How a run goes that shows it, to the moment at which it ends; empty where no run does.
        advice: What to do.
    """

    code: str
    severity: Severity
    path: str
    message: str
    counter_example: Mapping[str, Outcome] = field(default_factory=dict)
    advice: str

    def as_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "path": self.path,
            "message": self.message,
            "counter_example": {name: outcome.value for name, outcome in self.counter_example.items()},
            "advice": self.advice,
        }


@dataclass(frozen=True, kw_only=True)
class View:
    """One action, or one of its tiers, with what the rules ask of it; each thing is worked out once.

    Attributes:
        path: Where it stands in the policy.
        label: What sentences call it.
        action: Its name.
        tier: Which tier, by its place; None for the action itself.
        setting: The action as it is asked.
    """

    path: str
    label: str
    action: str
    tier: int | None
    setting: Setting

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.setting.policy

    @property
    def low(self) -> bool:
        """Whether it asks at most 2 bits."""
        return self.setting.requirement.threshold <= LOW_RISK

    @cached_property
    def rule(self) -> Rule:
        """The compiled requirement."""
        return self.setting.rule()

    @cached_property
    def tree(self) -> Tree:
        """Every run there can be."""
        return self.setting.tree(self.rule)

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """Every least set of checks that verifies."""
        return minimal_sets(self.setting, self.rule)

    @cached_property
    def answers(self) -> Mapping[str, Cells] | None:
        """How genuine callers and every class answer; None where a check does not say."""
        try:
            return {name: self.setting.cells(name) for name in (GENUINE, *self.setting.threats.names)}
        except UsageError:
            return None

    @property
    def bound(self) -> float | None:
        """2^-T; None where none is claimed."""
        return 2.0 ** (-self.rule.required / 100) if self.policy.threats.claims_bound else None

    def probability(self, cells: Cells) -> float:
        """Return P(verified) of who answers so."""
        return self.tree.probability(self.setting.chances(self.rule, cells))

    def show(self, checks: tuple[str, ...]) -> Mapping[str, Outcome]:
        """Return a run in which these pass, all others as well as they can without."""
        return worst_outcomes(self.setting, self.rule, checks)

    def show_likeliest(self, cells: Cells, *, verified: bool = True) -> Mapping[str, Outcome]:
        """Return the most probable run that is verified, or that is not."""
        given = self.setting.chances(self.rule, cells)
        return likeliest(self.rule, self.tree, given, self._can(), verified=verified)

    def _can(self) -> Callable[[str, Outcome], bool]:
        def can(name: str, outcome: Outcome) -> bool:
            cells = likelihoods(self.policy.layer(name), self.setting.threats)
            return cells is None or outcome in cells.genuine

        return can


def likeliest(
    rule: Rule, tree: Tree, given: Chances, can: Callable[[str, Outcome], bool], *, verified: bool
) -> Mapping[str, Outcome]:
    """Return the most probable run with this end, as far as it was asked; nothing where there is none."""
    won, lost = (1.0, 0.0) if verified else (0.0, 1.0)
    values = [lost] * tree.ends + [lost, won]
    levels = [values]
    for name, rows in reversed(tree.stages):
        p = given[name]
        values = [*(max(q * values[at] for q, at in zip(p, row, strict=True)) for row in rows), lost, won]
        levels.append(values)
    levels.reverse()
    at, outcomes = tree.root, {}
    if not levels[0][at]:
        return _NONE
    for (name, rows), after in zip(tree.stages, levels[1:], strict=True):
        if at in (VERIFIED, LOST):
            break
        row = rows[at]
        best = max(range(len(row)), key=lambda k: given[name][k] * after[row[k]])
        told = rule.rungs[name][best][1]
        outcomes[name] = next((each for each in reversed(told) if can(name, each)), told[0])
        at = row[best]
    return MappingProxyType(outcomes)


def views(policy: Policy, threats: ThreatModel | None = None) -> tuple[View, ...]:
    """Return every action and tier that asks for something."""
    given: object = policy
    if not isinstance(given, Policy):
        msg = f"lint takes a Policy, not a {type(given).__name__}"
        raise UsageError(msg)
    model = threats
    if model is None:
        model = policy.threats if policy.threats.claims_bound else ThreatModel.default()
    found: list[View] = []
    for action, requirement in policy.actions.items():
        stakes: list[tuple[int | None, Stake | None, str]] = [(None, None, "")]
        for at, tier in enumerate(requirement.stakes):
            stake = Stake(amount=tier.up_to, currency=tier.currency)
            stakes.append((at, stake, f" up to {tier.up_to:f} {tier.currency}"))
        for place, moved, suffix in stakes:
            if policy.requirement(action, moved)[0].exempt:
                continue
            found.append(
                View(
                    path=f"actions.{action}" + ("" if place is None else f".stakes.{place}"),
                    label=f"{action!r}{suffix}",
                    action=action,
                    tier=place,
                    setting=Setting.of(policy, action, stake=moved, threats=model),
                )
            )
    return tuple(found)


def lint(policy: Policy, threats: ThreatModel | None = None, *, floors: Iterable[Floor] = ()) -> tuple[Finding, ...]:
    """Return what there is to say of a policy, errors first.

    Args:
        policy: The policy.
        threats: How callers answer, if not as the policy's own model says; plain points are held against the shipped
            table, as far as their checks name its rows.
        floors: Standards that it must hold, of `kyc_verify.floors`; each rule that it breaks is an error.

    Raises:
        UsageError: it cannot be analysed; the message says what to do.
    """
    from kyc_verify.analysis._rules import EACH, WHOLE  # noqa: PLC0415 - the rules are written in these terms

    every = views(policy, threats)
    found = [each for view in every for rule in EACH for each in rule(view)]
    found += [each for rule in WHOLE for each in rule(policy, every)]
    for each in (each for floor in floors for each in policy.check(floor)):
        message = f"{each.floor}, {each.clause}: it is {each.found}, and must be {each.required}"
        found += finding("KV302", "error", each.field, message)
    rank = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda each: (rank[each.severity], each.code, each.path, each.message)))


_CODES: Final = (
    ("KV101", "one-check", "A single check verifies.", "Ask for more bits, or for two factors."),
    ("KV102", "one-category", "Checks of one category verify, whatever the others say.",
     "Demand factors=2, or name a check of another category in any_of."),
    ("KV103", "one-source", "Everything that verifies rests on one asset or on one record.",
     "Name a check that rests on something else in all_of or any_of, or demand factors=2."),
    ("KV104", "one-capability", "One capability gets through more often than the bound says.",
     "Add a check that it does not help with, or make it a class of the threat model."),
    ("KV105", "coalition", "Two classes together get through more often than the bound says.",
     "Raise the threshold, or make the coalition a class with the highest cells of both."),
    ("KV201", "factors-out-of-order", "A path shows fewer factors than an action demands that asks fewer bits.",
     "Demand as many factors here."),
    ("KV202", "dead-check", "No outcome of a check changes any verdict.",
     "Take it out, or say in Requirement(checks=...) where it belongs."),
    ("KV203", "dead-verdict", "After a few failed calls nobody can be verified any more.",
     "Add checks, so that the best case leaves room for the runs that went before."),
    ("KV204", "thresholds-out-of-order", "What moves more, or is guarded better, asks fewer bits.",
     "Put the thresholds in the order of what is at stake."),
    ("KV205", "name-and-birth-date", "Name, address and birth date verify: they identify, they do not authenticate.",
     "Ask for something that is not in every leaked file."),
    ("KV206", "sim-only-possession", "Every possession that can be shown hangs on the telephone number.",
     "Offer a possession that does not, such as AppConfirmation (NIST SP 800-63B-4 section 3.1.3.3)."),
    ("KV207", "young-number", "A number is trusted that nobody has known for 30 days.",
     "Leave Lifetimes.cool_off at 30 days or more (47 CFR 64.2003)."),
    ("KV208", "wider-custom", "A check of your own lets attackers in who were kept out without it.",
     "Look at its cells, or demand a shipped check beside it in any_of."),
    ("KV209", "unwarned-code", "A message with a code does not say whom never to tell.",
     "Put $warning in, or use the shipped message; template='warning' stands for its sentences and no others."),
    ("KV210", "unstated-stake", "A message of your own does not say amount and payee.",
     "Put $stake after $purpose; it is empty where nothing is moved."),
    ("KV211", "long-message", "A message of your own takes more than four text messages.",
     "Say it in fewer words, or in letters of the basic alphabet."),
    ("KV301", "turned-away", "Fewer than 80 % of genuine callers are verified.",
     "Add or replace checks, or lower the threshold; never a cell."),
    ("KV302", "floor", "A rule of a standard that was asked for is broken.",
     "Change the field that it names; the clause says why."),
    ("KV401", "guesses", "Cells that decide are guesses.", "Replace them with your own figures: see calibrate."),
    ("KV402", "swap-window", "A clear SIM-swap signal is trusted.",
     "Know that a swap older than its window of 7 days is not seen."),
    ("KV403", "no-rates", "There are no probabilities for its checks, so its rates are unknown.",
     "Use a threat model with rows for these checks, or pass threats=."),
)  # fmt: skip

CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {code: Code(code=code, name=name, says=says, advice=advice) for code, name, says, advice in _CODES}
)
"""Every rule, by its code."""


def finding(
    code: str, severity: Severity, path: str, message: str, example: Mapping[str, Outcome] = _NONE
) -> Iterator[Finding]:
    """Yield one finding."""
    yield Finding(
        code=code,
        severity=severity,
        path=path,
        message=message,
        counter_example=example,
        advice=CODES[code].advice,
    )
