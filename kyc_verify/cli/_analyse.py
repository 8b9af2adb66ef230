"""``kyc-verify analyse``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kyc_verify.analysis import (
    AttackPaths,
    Capabilities,
    ErrorRates,
    OrderReport,
    attack_paths,
    error_rates,
    question_order,
)
from kyc_verify.cli._load import Misuse, add_policy, load_policy, load_threats, read_text
from kyc_verify.policy import Policy
from kyc_verify.threats import ThreatModel

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add"]

_SHOWN = 5

_Report = tuple[ErrorRates, AttackPaths, OrderReport | None]


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("analyse", help="say whom a policy lets through", description=__doc__)
    add_policy(parser)
    parser.add_argument("--action", help="only this action; every one that asks for something otherwise")
    parser.add_argument("--capabilities", metavar="FILE", help="what attackers can do, as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and print."""
    policy = load_policy(options.policy).policy
    threats = load_threats(options.threats)
    able = None if options.capabilities is None else Capabilities.from_json(read_text(options.capabilities))
    if options.action is not None and options.action not in policy.actions:
        msg = f"the policy has no action {options.action!r}; it has {', '.join(policy.actions)}"
        raise Misuse(msg)
    wanted = [name for name, each in policy.actions.items() if not each.exempt]
    actions = wanted if options.action is None else [options.action]
    reports = [_report(policy, action, threats, able) for action in actions]
    if options.json:
        text = json.dumps({"policy": options.policy, "actions": [_plain(each) for each in reports]}, indent=2)
    else:
        text = "\n\n".join("\n".join(_lines(each)) for each in reports)
    sys.stdout.write(f"{text}\n")
    return 0


def _report(policy: Policy, action: str, threats: ThreatModel | None, able: Capabilities | None) -> _Report:
    rates = error_rates(policy, action, threats)
    paths = attack_paths(policy, action, threats, capabilities=able)
    return rates, paths, question_order(policy, action) if policy.threats.claims_bound else None


def _plain(report: _Report) -> dict[str, object]:
    rates, paths, order = report
    return {
        "action": rates.action,
        "accept": rates.accept,
        "order": list(rates.order),
        "runs": [
            {
                "run": each.run,
                "required": each.required,
                "bound": each.bound,
                "attackers": dict(each.attackers),
                "genuine": {verdict.value: p for verdict, p in each.genuine.items()},
            }
            for each in rates.runs
        ],
        "within_runs": {name: list(each) for name, each in rates.within.items()},
        "ways": [
            {"capabilities": list(each.capabilities), "price": each.price, "probability": each.probability,
             "per_success": each.per_success if each.probability else None}
            for each in paths.ways
        ],
        "paths": [
            {"checks": list(each.checks), "capabilities": list(each.capabilities), "per_success": each.per_success,
             "probability": dict(each.probability),
             "outcomes": {name: outcome.value for name, outcome in each.outcomes.items()}}
            for each in paths.paths
        ],
        "currency": paths.currency,
        "seconds": None if order is None else {
            "everything": order.everything, "given": order.given.seconds, "best": order.best[0].seconds,
            "best_order": list(order.best[0].order), "exact": order.exact, "adaptive": order.adaptive,
        },
    }  # fmt: skip


def _lines(report: _Report) -> Iterator[str]:
    rates, paths, order = report
    first = rates.runs[0]
    bound = "no bound is claimed" if first.bound is None else f"bound {first.bound:.3g}"
    yield f"{rates.action}: {first.required / 100:g} bits, accept={rates.accept}, {bound}"
    yield f"  asked: {', '.join(rates.order)}"
    yield "  verified in run 1, in any of runs 1 to 5:"
    for name, p in first.attackers.items():
        yield f"    {name:<24} {p:>10.3g} {rates.within[name][-1]:>10.3g}"
    yield "  genuine callers, run by run: " + ", ".join(
        " ".join(f"{verdict.value} {p:.3g}" for verdict, p in each.genuine.items() if p) for each in rates.runs
    )
    yield f"  what it takes, in {paths.currency} for each success:"
    for way in paths.ways[: _SHOWN + 1]:
        names = " + ".join(way.capabilities) or "nothing"
        yield f"    {names:<44} {way.probability:>10.3g} {way.per_success:>12.0f}"
    yield f"  least sets of checks that verify: {len(paths.paths)}"
    for path in paths.paths[:_SHOWN]:
        yield f"    {', '.join(path.checks)}"
    if order is not None:
        adaptive = "" if order.adaptive is None else f", if the order followed the answers {order.adaptive:.1f}"
        yield (
            f"  seconds of genuine callers: everything {order.everything:.1f}, as ordered {order.given.seconds:.1f}, "
            f"best order {order.best[0].seconds:.1f}{adaptive}"
        )
        yield f"  best order: {', '.join(order.best[0].order)}"
