"""``kyc-verify policy show module:policy``: a policy in plain words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kyc_verify import floors
from kyc_verify.checks import AskedCheck
from kyc_verify.cli._load import add_policy, load_policy, load_threats
from kyc_verify.policy import Policy, Requirement
from kyc_verify.terms import Outcome

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add", "lines"]

_FLOORS = (floors.nist4, floors.asvs5, floors.psd2, floors.us_cpni, floors.pci)


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("policy", help="show a policy in plain words", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="verb")
    show = verbs.add_parser("show", help="its layers, demands, budgets and floors")
    add_policy(show)
    show.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    policy, threats = load_policy(options.policy).policy, load_threats(options.threats)
    if threats is not None:
        policy = replace(policy, threats=threats)
    sys.stdout.write("\n".join(lines(policy)) + "\n")
    return 0


def lines(policy: Policy) -> Iterator[str]:
    """Return the lines that describe a policy."""
    yield f"Policy {policy.name!r}, fingerprint {policy.fingerprint[:16]}"
    yield ""
    yield "Layers, in the order they are asked; signals first. Bits that a pass adds against each kind of attacker:"
    yield from _layers(policy)
    yield ""
    yield "Actions:"
    for name, requirement in policy.actions.items():
        yield f"  {name}: {_demand(policy, requirement)}"
        for tier in requirement.stakes:
            limits = [f"together at most {tier.ceiling:f}"] if tier.ceiling is not None else []
            limits += [f"at most {tier.count} times"] if tier.count is not None else []
            upto = f"up to {tier.up_to:f} {tier.currency}, {' and '.join(limits) or 'without a ceiling'}"
            yield f"    {upto}: {_demand(policy, tier.requirement)}"
    yield ""
    yield from _budgets(policy)
    yield ""
    yield "Standards:"
    for floor in _FLOORS:
        broken = policy.check(floor)
        yield f"  {floor.name}: {f'{len(broken)} of {len(floor.rules)} rules broken' if broken else 'every rule held'}"
        for each in broken:
            sure = "" if each.known == "verified" else f" [{each.known} source]"
            yield f"    {each.clause}: {each.field} is {each.found}; must be {each.required}{sure}"


def _layers(policy: Policy) -> Iterator[str]:
    classes = policy.threats.names
    width = max(len(check.id) for check in policy.checks)
    yield "  " + " " * width + "  " + "  ".join(f"{name:>{max(6, len(name))}}" for name in classes)
    for check in sorted(policy.checks, key=lambda each: isinstance(each, AskedCheck)):
        weights = policy.table.weights(check.id, Outcome.PASS)
        cells = (f"{w / 100:>{max(6, len(n))}.2f}" for w, n in zip(weights, classes, strict=True))
        yield f"  {check.id:<{width}}  {'  '.join(cells)}  {check.factor.value}"


def _demand(policy: Policy, requirement: Requirement) -> str:
    if requirement.exempt:
        return "asks nothing, and says nothing of who is calling"
    needed = requirement.threshold / 100
    bound = (
        f", at most 1 in {2**needed:.1f} of any kind of attacker gets through" if policy.threats.claims_bound else ""
    )
    parts = [f"{needed:.2f} bits{bound}"] if needed else []
    parts += [f"{requirement.factors} distinct factors"] if requirement.factors else []
    parts += [f"all of {', '.join(requirement.all_of)}"] if requirement.all_of else []
    parts += [f"one of {', '.join(requirement.any_of)}"] if requirement.any_of else []
    parts += [f"only from {', '.join(requirement.checks)}"] if requirement.checks else []
    parts += [f"evidence of at most {_time(requirement.max_age)}"] if requirement.max_age else []
    parts += [f"the role {requirement.role}"] if requirement.role else []
    ends = "as soon as that is met" if requirement.accept == "first" else "when nothing left to ask could undo it"
    return f"{'; '.join(parts)}; {ends}"


def _budgets(policy: Policy) -> Iterator[str]:
    budgets, lifetimes = policy.budgets, policy.lifetimes
    yield "Patience:"
    for what, budget in (
        ("wrong answers", budgets.answers),
        ("wrong codes", budgets.codes),
        ("messages", budgets.sends),
    ):
        yield f"  {what}: {budget.limit} for each layer and customer in {_time(budget.window)}"
    yield f"  in a row, whatever the time: {budgets.consecutive}, then the layer is enrolled again or cleared"
    yield f"  the second run within {_time(budgets.runs)} needs 1 bit more, the fourth 2, the eighth 3"
    yield f"  a verification lasts {_time(lifetimes.session)}, a question {_time(lifetimes.question)}"
    yield f"  a code lasts {_time(lifetimes.code)}, a grant {_time(lifetimes.grant)}"
    yield f"  a number is trusted when it has been known for {_time(lifetimes.cool_off)}"


def _time(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit if count > 1 else unit[:-1]}"
    return f"{seconds} seconds"
