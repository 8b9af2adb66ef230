"""What an incident changes: which actions need which extra evidence, what it saves, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType

from kyc_verify.analysis._setting import Cells, Setting
from kyc_verify.analysis.paths import minimal_sets, verifies
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy
from kyc_verify.policy.rule import LOST, Chances, Rule, row_of
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

__all__ = ["ActionChange", "Comparison", "Detour", "compare"]

_SURE = {Outcome.FAIL: Fraction(0), Outcome.NEAR: Fraction(0), Outcome.PASS: Fraction(1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """What was enough and is not any more.

    Attributes:
        checks: A least set of checks that was enough.
        extra: What must pass beside it now, at the least; None: nothing helps.
    """

    checks: tuple[str, ...]
    extra: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionChange:
    """What an incident does to one action.

    Attributes:
        action: Which.
        before: For each class, P(verified) by the old policy, of an attacker who holds none of the fields.
        exposed: By the old policy, of the same attacker with all of them.
        after: By the new policy, of that one.
        genuine: P(verified) of genuine callers by the old and by the new policy.
        detours: What was enough and is not any more.
        reachable: Whether anybody can still be verified; if not, every run ends in REVIEW.
        mixed: The same three, weighted with the classes' shares of fraudulent calls; None while a share is unknown.
    """

    action: str
    before: Mapping[str, float]
    exposed: Mapping[str, float]
    after: Mapping[str, float]
    genuine: tuple[float, float]
    detours: tuple[Detour, ...]
    reachable: bool
    mixed: tuple[float, float, float] | None

    @property
    def rise_without(self) -> float:
        """How many times more often the attacker gets through under the old policy, in the worst class."""
        return _rise(self.before, self.exposed)

    @property
    def rise(self) -> float:
        """How many times more often under the new policy, in the worst class."""
        return _rise(self.before, self.after)

    @property
    def turned_away(self) -> float:
        """How many more genuine callers are not verified: the cost."""
        return max(0.0, self.genuine[0] - self.genuine[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What an incident does to a policy.

    Attributes:
        checks: Checks whose answers are exposed.
        actions: Every action that asks for something.
        since: When the fields were exposed, as `new` was told.
    """

    checks: tuple[str, ...]
    actions: tuple[ActionChange, ...]
    since: datetime | None = None


def _rise(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    found = [(before[name], after[name]) for name in before]
    return max(now / then if then else (1.0 if now == then else float("inf")) for then, now in found)


def compare(
    old: Policy, new: Policy, *, fields: Iterable[str] | None = None, threats: ThreatModel | None = None
) -> Comparison:
    """Say what changes from a policy to its incident mode, or to any other policy, once fields are exposed.

    Args:
        old: The policy in force.
        new: ``old.with_incident(fields)``, or another with the same checks and actions.
        fields: What is exposed, as rows name it; None: what `new` takes to be exposed and `old` does not.
        threats: How callers answered before; None: as `old` says. Needed for plain points.

    Raises:
        UsageError: the policies differ in checks or actions, or nothing is exposed.
    """
    if {check.id for check in old.checks} != {check.id for check in new.checks} or old.actions.keys() != (
        new.actions.keys()
    ):
        msg = "compare takes two policies with the same checks and actions; see Policy.diff for what is different"
        raise UsageError(msg)
    model = old.threats if threats is None else threats
    rows = _exposed_rows(old, new, model, None if fields is None else set(fields))
    hit = tuple(check.id for check in old.checks if row_of(check, model) in rows)
    if not hit:
        msg = "nothing that the policy asks is exposed: name fields that rows of its checks have (see Row.fields)"
        raise UsageError(msg)
    actions = [name for name, requirement in old.actions.items() if not requirement.exempt]
    changes = tuple(_change(old, new, name, model, hit) for name in actions)
    return Comparison(checks=hit, actions=changes, since=new.incident_since)


def _exposed_rows(old: Policy, new: Policy, model: ThreatModel, fields: set[str] | None) -> set[str]:
    if fields is not None:
        return {name for name, row in model.rows.items() if not fields.isdisjoint(row.fields)}
    return {
        name
        for name, row in new.threats.rows.items()
        if row.likelihoods is not None
        and row.likelihoods.exposed
        and not ((was := old.threats.rows.get(name)) and was.likelihoods is not None and was.likelihoods.exposed)
    }


def _without(setting: Setting, hit: tuple[str, ...], cells: Cells) -> Cells:
    """Return how a class answers that holds none of the fields: there it does as the worst of all classes."""
    every = [setting.cells(name) for name in setting.threats.names]
    worst = {
        name: min((each[name] for each in every), key=lambda column: column[Outcome.PASS])
        for name in hit
        if name in setting.available
    }
    return {**cells, **worst}


def _change(old: Policy, new: Policy, action: str, model: ThreatModel, hit: tuple[str, ...]) -> ActionChange:
    was = Setting.of(old, action, threats=model)
    now = Setting.of(new, action, threats=model)
    rule, rule_now = was.rule(), now.rule()
    tree, tree_now = was.tree(rule), now.tree(rule_now)
    sure = {name: _SURE for name in hit if name in was.available}
    before, exposed, after = {}, {}, {}
    for name in model.names:
        cells = was.cells(name)
        before[name] = tree.probability(was.chances(rule, _without(was, hit, cells)))
        exposed[name] = tree.probability(was.chances(rule, {**cells, **sure}))
        after[name] = tree_now.probability(now.chances(rule_now, {**cells, **sure}))
    genuine = tree.probability(_genuine(was, rule)), tree_now.probability(_genuine(now, rule_now))
    shares = [attacker.share for attacker in model.classes]
    known = [float(share) for share in shares if share is not None]
    mixed = None
    if len(known) == len(shares):
        a, b, c = (sum(s * p for s, p in zip(known, each.values(), strict=True)) for each in (before, exposed, after))
        mixed = (a, b, c)
    return ActionChange(
        action=action,
        before=MappingProxyType(before),
        exposed=MappingProxyType(exposed),
        after=MappingProxyType(after),
        genuine=genuine,
        detours=_detours(was, rule, now, rule_now),
        reachable=tree_now.root != LOST,
        mixed=mixed,
    )


def _genuine(setting: Setting, rule: Rule) -> Chances:
    return setting.chances(rule, setting.cells(GENUINE))


def _detours(was: Setting, rule: Rule, now: Setting, rule_now: Rule) -> tuple[Detour, ...]:
    enough = minimal_sets(now, rule_now)
    found = []
    for checks in minimal_sets(was, rule):
        if verifies(now, rule_now, checks):
            continue
        extras = [tuple(name for name in other if name not in checks) for other in enough]
        found.append(Detour(checks=checks, extra=min(extras, key=len, default=None)))
    return tuple(found)
