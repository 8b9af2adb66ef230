"""Policies as data: JSON out, and the difference of two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import Check
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.threats import Likelihoods, ThreatModel

if TYPE_CHECKING:
    from kyc_verify.policy.policy import Policy

__all__ = ["VERSION", "differences", "dump", "plain_value"]

VERSION: Final = 1
"""Version of the format; every earlier one is read for ever."""

_VALUES: Final = (Requirement, Tier, Budget, Budgets, Lifetimes)
_LIKELIHOODS: Final = ("genuine", "classes", "source", "tries", "cryptographic", "exposed")
_DECISIVE: Final = (
    "row", "likelihoods", "factor", "asset", "methods", "seconds", "tries", "uses_contact", "taints_contact", "source",
    "service", "entry", "prompts", "kind", "forms_version", "stored",
)  # fmt: skip
"""What a check may have from its class, so that its parameters do not tell."""


def _plain(policy: Policy, threats: object) -> dict[str, Any]:
    return {
        "version": VERSION,
        "name": policy.name,
        "checks": [{"type": type(check).__name__, **plain_value(check.parameters())} for check in policy.checks],
        "actions": plain_value(policy.actions),
        "threats": threats,
        "budgets": plain_value(policy.budgets),
        "lifetimes": plain_value(policy.lifetimes),
        "language": policy.language,
        "enrolled_share": plain_value(policy.enrolled_share),
    }


def dump(policy: Policy, *, decisive: bool = False) -> str:
    """Return a policy as JSON.

    Args:
        policy: What to write.
        decisive: Write what decides and not what is only said of the table, and of each check also what its class says.
    """
    if decisive:
        body = _plain(policy, policy.threats.fingerprint)
        body["classes"] = [_by_class(check) for check in policy.checks]
        return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    shipped = policy.threats == ThreatModel.default()
    threats = f"default:{policy.threats.fingerprint}" if shipped else json.loads(policy.threats.to_json())
    return json.dumps(_plain(policy, threats), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _by_class(check: Check) -> dict[str, Any]:
    return {name: plain_value(getattr(check, name)) for name in _DECISIVE if hasattr(check, name)}


def plain_value(value: object) -> Any:  # noqa: ANN401, PLR0911 - JSON
    """Return a value of a policy as JSON has it; what JSON has nothing for comes back as it is."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Likelihoods):
        return {name: plain_value(getattr(value, name)) for name in _LIKELIHOODS}
    if isinstance(value, _VALUES):
        return {each.name: plain_value(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {(name.value if isinstance(name, Enum) else name): plain_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return value


# ── Comparing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            key = item.get("id", item.get("name", at)) if isinstance(item, dict) else at
            yield from _leaves(item, f"{path}.{key}")
    else:
        yield path, value


def differences(ours: Policy, theirs: Policy) -> tuple[str, ...]:
    """Return one sentence for each field that differs."""
    left, right = (dict(_leaves(_plain(each, json.loads(each.threats.to_json())))) for each in (ours, theirs))
    lines: list[str] = []
    for path in sorted(left.keys() | right.keys()):
        if path not in right:
            lines.append(f"{path}: {left[path]!r} is gone")
        elif path not in left:
            lines.append(f"{path}: {right[path]!r} is new")
        elif left[path] != right[path]:
            lines.append(f"{path}: {left[path]!r} becomes {right[path]!r}")
    before, after = ([check.id for check in each.checks] for each in (ours, theirs))
    if before != after and sorted(before) == sorted(after):
        lines.append(f"checks: the order {before!r} becomes {after!r}")
    return tuple(lines)
