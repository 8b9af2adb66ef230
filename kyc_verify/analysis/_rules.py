"""The rules of lint, each a few lines over a `View`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from typing import Final

from kyc_verify.analysis import _messages as messages
from kyc_verify.analysis._setting import strongest
from kyc_verify.analysis.capabilities import Capabilities
from kyc_verify.analysis.linting import Finding, Severity, View, finding
from kyc_verify.checks import Check
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy
from kyc_verify.policy._judge import factors_of
from kyc_verify.policy.rule import LOST, row_of
from kyc_verify.terms import Factor, Outcome
from kyc_verify.threats import GENUINE, POINTS, ThreatModel

__all__ = ["EACH", "WHOLE"]

_COOL_OFF: Final = timedelta(days=30)
_WANTED: Final = 0.8
_OFTEN: Final = 0.5
_EARLY: Final = 5
_WIDER: Final = 1.1
_IDENTITY: Final = frozenset(("name_and_address", "date_of_birth", "postcode"))
# What a leaked or displayed record does not hold.
_SECRETS: Final = frozenset(("pin", "secret_answers"))


def _named(checks: tuple[str, ...]) -> str:
    return ", ".join(checks)


def _percent(p: float) -> str:
    return f"{100 * p:.3g} %"


def _of(view: View, path: tuple[str, ...]) -> list[Check]:
    return [view.policy.layer(name) for name in path]


def _asked(view: View, path: tuple[str, ...]) -> list[Check]:
    """Return what of a path shows something of the caller; context goes by itself for most attackers."""
    return [check for check in _of(view, path) if check.factor is not Factor.CONTEXT]


def _graver(view: View, above: Severity, low: Severity) -> Severity:
    return low if view.low else above


# ── Of one action ────────────────────────────────────────────────────────────────────────────────────────────────────


def one_check(view: View) -> Iterator[Finding]:
    """KV101: a path of one check."""
    for path in view.paths:
        if len(path) == 1:
            message = f"{path[0]!r} alone verifies for {view.label}"
            yield from finding("KV101", _graver(view, "error", "warning"), view.path, message, view.show(path))


def one_category(view: View) -> Iterator[Finding]:
    """KV102: a path whose checks are all of one factor, context aside; the shortest for each."""
    seen: set[Factor] = set()
    for path in view.paths:
        shown = {check.factor for check in _asked(view, path)} or {Factor.CONTEXT}
        if len(shown) > 1 or len(path) == 1 or shown <= seen:
            continue
        seen |= shown
        (factor,) = shown
        excused = view.low or (factor is Factor.KNOWLEDGE and view.setting.requirement.knowledge_only)
        message = f"{factor.value} alone verifies for {view.label}: {_named(path)}"
        yield from finding("KV102", "note" if excused else "warning", view.path, message, view.show(path))


def _source(check: Check, model: ThreatModel) -> str | None:
    if check.asset is not None:
        return f"the {check.asset}"
    row = model.rows.get(row_of(check, model) or "")
    return "the customer's record" if row is not None and set(row.fields) - _SECRETS else None


def one_source(view: View) -> Iterator[Finding]:
    """KV103: a path of several checks that all rest on one thing; the shortest for each."""
    seen: set[str] = set()
    for path in view.paths:
        sources = {_source(check, view.setting.threats) for check in _of(view, path)}
        if len(path) == 1 or len(sources) > 1 or None in sources:
            continue
        (source,) = sources
        if source is not None and source not in seen:
            seen.add(source)
            message = f"{view.label} is verified by what rests on {source} alone: {_named(path)}"
            yield from finding("KV103", _graver(view, "error", "warning"), view.path, message, view.show(path))


def one_capability(view: View) -> Iterator[Finding]:
    """KV104: a capability above the bound; without a bound, one that gets through more often than not."""
    if view.answers is None:
        return
    limit = _OFTEN if view.bound is None else view.bound
    table = Capabilities.default()
    for each in table.entries:
        try:
            cells = table.cells(view.setting, [each.name])
        except UsageError:
            return  # a model with classes of its own: the shipped table says nothing of it
        p = view.probability(cells)
        if p > limit:
            message = f"{each.name!r} gets through {view.label} with {_percent(p)}; {_limit(view)}"
            severity: Severity = "error" if p > _OFTEN and not view.low else "warning"
            yield from finding("KV104", severity, view.path, message, view.show_likeliest(cells))


def _limit(view: View) -> str:
    return "plain points claim no bound" if view.bound is None else f"the bound is {_percent(view.bound)}"


def coalition(view: View) -> Iterator[Finding]:
    """KV105: two classes together above the bound; the worst pair, and how many more."""
    if view.answers is None or view.bound is None:
        return
    over = []
    for pair in combinations(view.setting.threats.names, 2):
        both = [view.answers[name] for name in pair]
        cells = {name: strongest(each[name] for each in both) for name in view.setting.available}
        p = view.probability(cells)
        if p > view.bound:
            over.append((p, pair, cells))
    if over:
        p, (one, other), cells = max(over, key=lambda each: each[0])
        more = f"; {len(over) - 1} more pairs do" if len(over) > 1 else ""
        message = f"{one} and {other} together get through {view.label} with {_percent(p)}; {_limit(view)}{more}"
        yield from finding("KV105", "warning", view.path, message, view.show_likeliest(cells))


def later_runs(view: View) -> Iterator[Finding]:
    """KV203: the run from which on nobody can be verified, if it comes early."""
    for run in range(2, _EARLY + 1):
        rule = view.setting.rule(run=run)
        if rule.landing(rule.everything, rule.start) == LOST:
            message = f"from run {run} on within the window every call for {view.label} ends in review"
            yield from finding("KV203", "warning", view.path, message)
            return


def identity(view: View) -> Iterator[Finding]:
    """KV205: a path of what identifies only."""
    for path in view.paths:
        checks = _asked(view, path)
        rows = {row_of(check, view.setting.threats) for check in checks}
        if checks and rows <= _IDENTITY:
            message = f"{_named(path)} verify for {view.label}; anybody with a leaked file knows them"
            yield from finding("KV205", _graver(view, "error", "warning"), view.path, message, view.show(path))
            return


def sim_only(view: View) -> Iterator[Finding]:
    """KV206: all possession rests on the number."""
    having = {check.id for check in view.policy.asked(view.setting.requirement) if check.factor is Factor.POSSESSION}
    if having and all(view.policy.layer(name).asset == "sim" for name in having):
        path = next((path for path in view.paths if having & set(path)), None)
        if path is not None:
            message = f"the only possession for {view.label} is the number: {_named(tuple(sorted(having)))}"
            yield from finding("KV206", _graver(view, "warning", "note"), view.path, message, view.show(path))


def young_number(view: View) -> Iterator[Finding]:
    """KV207: a path that trusts a number younger than 30 days."""
    cool_off = view.policy.lifetimes.cool_off
    if cool_off >= _COOL_OFF:
        return
    for path in view.paths:
        resting = tuple(check.id for check in _of(view, path) if check.uses_contact)
        if resting:
            days = cool_off / timedelta(days=1)
            message = f"{view.label} trusts {_named(resting)} with a number known for {days:.3g} days"
            yield from finding("KV207", "warning" if cool_off else "error", view.path, message, view.show(path))
            return


def wider(view: View) -> Iterator[Finding]:
    """KV208: a class that gets through more often with a custom check than without."""
    if view.answers is None:
        return
    for name in view.setting.available:
        check = view.policy.layer(name)
        if type(check).__module__.partition(".")[0] == "kyc_verify" and check.likelihoods is None:
            continue
        if name in view.setting.requirement.all_of:
            continue
        less = view.setting.without(name)
        rule = less.rule()
        tree = less.tree(rule)
        gains: list[tuple[float, str, float]] = []
        for attacker in view.setting.threats.names:
            then, now = tree.probability(less.chances(rule, less.cells(attacker))), _rate(view, attacker)
            if now > _WIDER * then:
                gains.append((now, attacker, then))
        paths = [path for path in view.paths if name in path]
        if gains and paths:
            now, attacker, then = max(gains)
            message = (
                f"with {name!r}, {attacker} gets through {view.label} with {_percent(now)}, "
                f"and with {_percent(then)} without it"
            )
            yield from finding("KV208", "warning", view.path, message, view.show(paths[0]))


def _rate(view: View, column: str) -> float:
    return 0.0 if view.answers is None else view.probability(view.answers[column])


def turned_away(view: View) -> Iterator[Finding]:
    """KV301: too few genuine callers are verified."""
    if view.answers is None:
        return
    p = _rate(view, GENUINE)
    if p < _WANTED:
        example = view.show_likeliest(view.answers[GENUINE], verified=False)
        sensitive = view.setting.requirement.accept == "lossless"
        message = f"{_percent(p)} of genuine callers are verified for {view.label}"
        yield from finding("KV301", "note" if sensitive else "warning", view.path, message, example)


def no_rates(view: View) -> Iterator[Finding]:
    """KV403: nothing says how likely outcomes are."""
    if view.answers is None:
        yield from finding("KV403", "note", view.path, f"the rates of {view.label} cannot be told")


def swap_window(view: View) -> Iterator[Finding]:
    """KV402: a path rests on the SIM-swap signal."""
    for path in view.paths:
        if any(row_of(check, view.setting.threats) == "sim_swap" for check in _of(view, path)):
            message = f"a way into {view.label} rests on a clear SIM-swap signal: {_named(path)}"
            yield from finding("KV402", "note", view.path, message, view.show(path))
            return


# ── Of the whole policy ──────────────────────────────────────────────────────────────────────────────────────────────


def factor_order(_: Policy, views: tuple[View, ...]) -> Iterator[Finding]:
    """KV201: a path with fewer factors than a less demanding action asks."""
    for view in views:
        asked = view.setting.requirement
        others = [each for each in views if each.setting.requirement.threshold <= asked.threshold]
        most = max(others, key=lambda each: each.setting.requirement.factors)
        wanted = most.setting.requirement.factors
        short = next((path for path in view.paths if len(factors_of(_of(view, path))) < wanted), None)
        if short is not None:
            shown = len(factors_of(_of(view, short)))
            message = (
                f"{view.label} is verified with {shown} distinct factors ({_named(short)}), "
                f"and {most.label}, which asks no more bits, demands {wanted}"
            )
            yield from finding("KV201", "warning", view.path, message, view.show(short))


def dead_checks(policy: Policy, views: tuple[View, ...]) -> Iterator[Finding]:
    """KV202: checks that change nothing, in any action."""
    stages = [stage for view in views for stage in view.tree.stages]
    alive = {name for name, rows in stages if any(len(set(row)) > 1 for row in rows)}
    for check in policy.checks:
        if check.id not in alive:
            message = f"no outcome of {check.id!r} changes a verdict"
            yield from finding("KV202", "warning", f"checks.{check.id}", message)


def threshold_order(_: Policy, views: tuple[View, ...]) -> Iterator[Finding]:
    """KV204: larger sums for fewer bits; better guarded actions for fewer bits."""
    for view in views:
        rule = view.setting.requirement
        for other in views:
            theirs = other.setting.requirement
            if theirs.threshold <= rule.threshold:
                continue
            if view.action == other.action and _larger(view, other):
                message = f"{view.label} asks {_bits(view)} bits, and {other.label} asks {_bits(other)}"
                yield from finding("KV204", "error", view.path, message, _shortest(view))
            elif (
                view.tier is None
                and other.tier is None
                and (rule.factors, rule.accept == "lossless") > (theirs.factors, theirs.accept == "lossless")
                and rule.factors >= theirs.factors
                and (rule.accept == "lossless" or theirs.accept == "first")
            ):
                message = (
                    f"{view.label} is guarded better than {other.label}, by factors or by accept, "
                    f"and asks {_bits(view)} bits to its {_bits(other)}"
                )
                yield from finding("KV204", "warning", view.path, message, _shortest(view))


def _larger(view: View, other: View) -> bool:
    """Whether a view of one action is for larger sums than another of it."""
    if view.tier is None or other.tier is None:
        return view.tier is None and other.tier is not None
    tiers = view.policy.actions[view.action].stakes
    mine, theirs = tiers[view.tier], tiers[other.tier]
    return mine.currency == theirs.currency and mine.up_to > theirs.up_to


def _bits(view: View) -> str:
    return f"{view.setting.requirement.threshold / 100:g}"


def _shortest(view: View) -> Mapping[str, Outcome]:
    return view.show(view.paths[0]) if view.paths else {}


def guesses(policy: Policy, views: tuple[View, ...]) -> Iterator[Finding]:
    """KV401: how many of the cells that decide are guesses."""
    if POINTS in policy.threats.names:
        return
    rows = {row_of(policy.layer(name), policy.threats) for view in views for name in view.setting.available}
    guessed = [cell for cell in policy.threats.guesses() if cell[0] in rows]
    every = sum(len(policy.threats.rows[row].origins) for row in rows if row is not None)
    if guessed:
        yield from finding("KV401", "note", "policy", f"{len(guessed)} of the {every} cells that decide are guesses")


EACH: Final[tuple[Callable[[View], Iterator[Finding]], ...]] = (
    one_check,
    one_category,
    one_source,
    one_capability,
    coalition,
    later_runs,
    identity,
    sim_only,
    young_number,
    wider,
    turned_away,
    swap_window,
    no_rates,
)
"""Rules of one action or tier."""

WHOLE: Final[tuple[Callable[[Policy, tuple[View, ...]], Iterator[Finding]], ...]] = (
    factor_order,
    dead_checks,
    threshold_order,
    *messages.RULES,
    guesses,
)
"""Rules of all of them together."""
