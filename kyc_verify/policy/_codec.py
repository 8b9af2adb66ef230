"""Policies as data: JSON out and in, and the difference of two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kyc_verify import checks as shipped
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import Check
from kyc_verify.errors import ConfigurationError, InvalidPolicy, PolicyError, UsageError
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.terms import Factor, Outcome
from kyc_verify.threats import Likelihoods, ThreatModel

if TYPE_CHECKING:
    from kyc_verify.policy.policy import Policy

__all__ = ["differences", "dump", "load", "plain"]

VERSION: Final = 1
"""Version of the format; every earlier one is read for ever."""

_LARGEST: Final = 4_000_000
_SHIPPED: Final = {name: getattr(shipped, name) for name in shipped.__all__}


def plain(policy: Policy) -> dict[str, Any]:
    """Return a policy as plain values."""
    default = policy.threats.fingerprint == ThreatModel.default().fingerprint
    return {
        "version": VERSION,
        "name": policy.name,
        "checks": [_check(check) for check in policy.checks],
        "actions": {name: _value(requirement) for name, requirement in policy.actions.items()},
        "threats": f"default:{policy.threats.fingerprint}" if default else json.loads(policy.threats.to_json()),
        "budgets": _value(policy.budgets),
        "lifetimes": _value(policy.lifetimes),
        "language": policy.language,
        "enrolled_share": dict(policy.enrolled_share),
    }


def dump(policy: Policy, *, decisive: bool = False) -> str:
    """Return a policy as JSON; `decisive` leaves the words of the table out, which decide nothing."""
    body = plain(policy)
    if decisive:
        body["threats"] = policy.threats.fingerprint
        body["forms"] = {check.id: getattr(check, "forms_version", 0) for check in policy.checks}
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _check(check: Check) -> dict[str, Any]:
    return {"type": type(check).__name__, **{name: _value(value) for name, value in check.parameters().items()}}


def _value(value: object) -> Any:  # noqa: ANN401, PLR0911 - JSON
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Likelihoods):
        columns = {"genuine": value.genuine, "classes": value.classes}
        return {
            **{name: _value(column) for name, column in columns.items()},
            "source": value.source,
            "tries": value.tries,
            "cryptographic": value.cryptographic,
        }
    if isinstance(value, Mapping):
        return {(name.value if isinstance(name, Enum) else name): _value(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item) for item in value]
    if isinstance(value, Requirement | Tier | Budget | Budgets | Lifetimes):
        return {each.name: _value(getattr(value, each.name)) for each in fields(value)}
    return value


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse(path: str, message: str) -> NoReturn:
    raise InvalidPolicy([PolicyError(path, message)])


def _constant(name: str) -> NoReturn:
    _refuse("json", f"{name} is not a number that a policy may hold")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("json", "a name stands twice in one object")
    return found


def load(text: str, *, checks: Iterable[type[Check]]) -> dict[str, Any]:
    """Return the arguments of `Policy` that `dump` has written.

    Raises:
        InvalidPolicy: something in it cannot be read, with its path.
        ConfigurationError: it is not JSON, or longer than 4 MB.
    """
    given: object = text
    if not isinstance(given, str) or len(text) > _LARGEST:
        msg = "a policy is JSON text of at most 4 MB"
        raise ConfigurationError(msg)
    try:
        body = json.loads(text, parse_constant=_constant, object_pairs_hook=_unique)
    except (json.JSONDecodeError, RecursionError):
        msg = "a policy is JSON text, and this is not"
        raise ConfigurationError(msg) from None
    known = {"version", "name", "checks", "actions", "threats", "budgets", "lifetimes", "language", "enrolled_share"}
    body = _object(body, "policy", known)
    if body.pop("version", None) != VERSION:
        _refuse("version", f"must be {VERSION}; a newer version of the library may have written this")
    classes = _SHIPPED | {cls.__name__: cls for cls in checks}
    built: dict[str, Any] = {name: body[name] for name in ("name", "language", "enrolled_share") if name in body}
    built["checks"] = [
        _read_check(item, f"checks.{at}", classes) for at, item in enumerate(_list(body.get("checks"), "checks"))
    ]
    actions = _object(body.get("actions"), "actions", None)
    built["actions"] = {name: _requirement(item, f"actions.{name}") for name, item in actions.items()}
    if "threats" in body:
        built["threats"] = _threats(body["threats"])
    if "budgets" in body:
        built["budgets"] = _budgets(body["budgets"])
    if "lifetimes" in body:
        given = _object(body["lifetimes"], "lifetimes", {each.name for each in fields(Lifetimes)})
        built["lifetimes"] = Lifetimes(**{name: _seconds(value, f"lifetimes.{name}") for name, value in given.items()})
    for name in ("name", "checks", "actions"):
        if name not in built:
            _refuse(name, "is missing")
    return built


def _object(value: object, path: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, "must be an object")
    if known is not None and (unknown := sorted(set(value) - known)):
        _refuse(f"{path}.{unknown[0]}", f"is not known here; known are {', '.join(sorted(known))}")
    return dict(value)


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        _refuse(path, "must be a list")
    return value


def _seconds(value: object, path: str) -> timedelta:
    if type(value) not in (int, float):
        _refuse(path, "must be a number of seconds")
    try:
        return timedelta(seconds=value)  # type: ignore[arg-type]
    except OverflowError:
        _refuse(path, "is too long")


def _read_check(item: object, path: str, classes: dict[str, type[Check]]) -> Check:
    given = _object(item, path, None)
    name = given.pop("type", None)
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is None or not isinstance(cls, type) or not issubclass(cls, Check):
        _refuse(f"{path}.type", "names no check that may be built; pass your own classes as checks=(...)")
    if isinstance(given.get("likelihoods"), dict):
        given["likelihoods"] = _likelihoods(given["likelihoods"], f"{path}.likelihoods")
    if "factor" in given:
        given["factor"] = _member(Factor, given["factor"], f"{path}.factor")
    check_id = given.pop("id", None)
    try:
        return cls(check_id, **given)
    except (TypeError, ValueError, UsageError):
        _refuse(path, f"has parameters that {name} does not take")


def _member(enum: type[Any], value: object, path: str) -> Any:  # noqa: ANN401 - a member of `enum`
    try:
        return enum(value)
    except ValueError:
        _refuse(path, f"must be one of {', '.join(member.value for member in enum)}")


def _likelihoods(item: dict[str, Any], path: str) -> Likelihoods:
    given = _object(item, path, {"genuine", "classes", "source", "tries", "cryptographic"})

    def column(value: object, where: str) -> dict[Outcome, Any]:
        return {_member(Outcome, name, where): p for name, p in _object(value, where, None).items()}

    given["genuine"] = column(given.get("genuine"), f"{path}.genuine")
    classes = _object(given.get("classes"), f"{path}.classes", None)
    given["classes"] = {name: column(value, f"{path}.classes.{name}") for name, value in classes.items()}
    try:
        return Likelihoods(**given)
    except InvalidPolicy as error:
        raise InvalidPolicy(
            [PolicyError(f"{path}.{fault.path}", str(fault).partition(": ")[2]) for fault in error.exceptions
             if isinstance(fault, PolicyError)],
        ) from None  # fmt: skip


def _requirement(item: object, path: str) -> Requirement:
    given = _object(item, path, {each.name for each in fields(Requirement)})
    if given.get("max_age") is not None:
        given["max_age"] = _seconds(given["max_age"], f"{path}.max_age")
    tiers = _list(given.get("stakes", []), f"{path}.stakes")
    given["stakes"] = tuple(_tier(tier, f"{path}.stakes.{at}") for at, tier in enumerate(tiers))
    return Requirement(**given)


def _tier(item: object, path: str) -> Tier:
    given = _object(item, path, {each.name for each in fields(Tier)})
    given["requirement"] = _requirement(given.get("requirement"), f"{path}.requirement")
    try:
        return Tier(**given)
    except TypeError:
        _refuse(path, "needs up_to, currency and requirement")
    except ConfigurationError as fault:
        _refuse(path, str(fault))


def _budgets(item: object) -> Budgets:
    given = _object(item, "budgets", {each.name for each in fields(Budgets)})
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name == "runs":
            read[name] = _seconds(value, f"budgets.{name}")
        elif name == "consecutive":
            read[name] = value
        else:
            budget = _object(value, f"budgets.{name}", {"limit", "window"})
            window = _seconds(budget.get("window"), f"budgets.{name}.window")
            read[name] = Budget(budget.get("limit"), window)  # type: ignore[arg-type]
    return Budgets(**read)


def _threats(item: object) -> ThreatModel:
    if isinstance(item, str) and item.startswith("default:"):
        model = ThreatModel.default()
        if item != f"default:{model.fingerprint}":
            _refuse("threats", "was written with another default table; review it, then write the policy again")
        return model
    return ThreatModel.from_json(json.dumps(_object(item, "threats", None)))


# ── Comparing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            key = item.get("id", at) if isinstance(item, dict) else at
            yield from _leaves(item, f"{path}.{key}")
    else:
        yield path, value


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[str, ...]:
    """Return one sentence for each field that differs."""
    left, right = dict(_leaves(ours, "")), dict(_leaves(theirs, ""))
    lines: list[str] = []
    for path in sorted(left.keys() | right.keys()):
        if path not in right:
            lines.append(f"{path}: {left[path]!r} is gone")
        elif path not in left:
            lines.append(f"{path}: {right[path]!r} is new")
        elif left[path] != right[path]:
            lines.append(f"{path}: {left[path]!r} becomes {right[path]!r}")
    order = [check["id"] for check in ours["checks"]], [check["id"] for check in theirs["checks"]]
    if sorted(order[0]) == sorted(order[1]) and order[0] != order[1]:
        lines.append(f"checks: the order {order[0]!r} becomes {order[1]!r}")
    return tuple(lines)
