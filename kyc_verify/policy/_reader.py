"""Policies from JSON: hostile until read, and every fault of it told at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final, NoReturn

from kyc_verify import checks as shipped
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import Check
from kyc_verify.errors import ConfigurationError, InvalidPolicy, PolicyError
from kyc_verify.policy._codec import VERSION
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.terms import Factor
from kyc_verify.threats import Likelihoods, ThreatModel

__all__ = ["load"]

_LARGEST: Final = 4_000_000
_PARTS: Final = {
    "version", "name", "checks", "actions", "threats", "budgets", "lifetimes", "language", "enrolled_share",
}  # fmt: skip
_BASES: Final = {"AnswerCheck", "AskedCheck", "Check", "Signal", "SignalCheck"}
_SHIPPED: Final[dict[str, type[Check]]] = {
    name: getattr(shipped, name) for name in shipped.__all__ if name not in _BASES
}

_Faults = list[PolicyError]


def load(text: str, *, checks: Iterable[type[Check]]) -> dict[str, Any]:
    """Return the arguments of `Policy` that are written in a text.

    Raises:
        InvalidPolicy: everything in it that cannot be read, with its path.
        ConfigurationError: it is not JSON, or longer than 4 MB; or `checks` are not classes to build.
    """
    classes = _SHIPPED | _own(checks)
    faults: _Faults = []
    body = _parse(text)
    if not isinstance(body, dict):
        _refuse("policy", "must be an object")
    body = _object(body, "policy", faults, known=_PARTS)
    version = body.pop("version", None)
    if type(version) is not int or version != VERSION:
        _refuse("version", f"must be {VERSION}; a newer version of the library may have written this")
    built: dict[str, Any] = {"name": None, **body}
    built["checks"] = []
    for at, item in enumerate(_list(body.get("checks"), "checks", faults)):
        with _told(faults):
            built["checks"].append(_check(item, f"checks.{at}", classes))
    actions = _object(body.get("actions"), "actions", faults)
    built["actions"] = {name: _requirement(item, f"actions.{name}", faults) for name, item in actions.items()}
    with _told(faults):
        if "threats" in body:
            built["threats"] = _threats(body["threats"])
    if "budgets" in body:
        built["budgets"] = _budgets(body["budgets"], faults)
    if "lifetimes" in body:
        known = {each.name for each in fields(Lifetimes)}
        given = _object(body["lifetimes"], "lifetimes", faults, known=known)
        spans = {name: _seconds(value, f"lifetimes.{name}", faults) for name, value in given.items()}
        built["lifetimes"] = Lifetimes(**spans)
    if faults:
        raise InvalidPolicy(faults)
    return built


def _own(checks: Iterable[type[Check]]) -> dict[str, type[Check]]:
    classes: dict[str, type[Check]] = {}
    for cls in checks:
        if not isinstance(cls, type) or not issubclass(cls, Check):
            msg = "checks must be the classes of your own checks, as in checks=(MyCheck,)"
            raise ConfigurationError(msg)
        if cls.__name__ in _SHIPPED or classes.get(cls.__name__, cls) is not cls:
            msg = f"two checks are called {cls.__name__}; rename your own"
            raise ConfigurationError(msg)
        classes[cls.__name__] = cls
    return classes


# ── Small readers ────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse(path: str, message: str) -> NoReturn:
    raise InvalidPolicy([PolicyError(path, message)])


@contextmanager
def _told(faults: _Faults) -> Iterator[None]:
    """Keep the faults of one part, so that the next part is read too."""
    try:
        yield
    except InvalidPolicy as error:
        faults += [fault for fault in error.exceptions if isinstance(fault, PolicyError)]


def _under(path: str, error: InvalidPolicy) -> InvalidPolicy:
    told = [fault for fault in error.exceptions if isinstance(fault, PolicyError)]
    return InvalidPolicy([PolicyError(f"{path}.{each.path}", str(each).partition(": ")[2]) for each in told])


def _constant(name: str) -> NoReturn:
    _refuse("json", f"{name} is not a number that a policy may hold")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("json", "a name stands twice in one object")
    return found


def _parse(text: object) -> object:
    if not isinstance(text, str) or len(text) > _LARGEST:
        msg = "a policy is JSON text of at most 4 MB"
        raise ConfigurationError(msg)
    try:
        return json.loads(text, parse_constant=_constant, object_pairs_hook=_unique)
    except InvalidPolicy:
        raise
    except (ValueError, RecursionError):  # a ValueError for a number of thousands of digits
        msg = "a policy is JSON text, and this is not"
        raise ConfigurationError(msg) from None


def _object(value: object, path: str, faults: _Faults, *, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        faults.append(PolicyError(path, "must be an object"))
        return {}
    unknown = set() if known is None else value.keys() - known
    listed = ", ".join(sorted(known or ()))
    faults += [PolicyError(f"{path}.{name}", f"is not known here; known are {listed}") for name in sorted(unknown)]
    return {name: item for name, item in value.items() if name not in unknown}


def _list(value: object, path: str, faults: _Faults) -> list[Any]:
    if isinstance(value, list):
        return value
    faults.append(PolicyError(path, "must be a list"))
    return []


def _seconds(value: object, path: str, faults: _Faults) -> timedelta:
    if type(value) is int or type(value) is float:
        try:
            return timedelta(seconds=value)
        except OverflowError:
            faults.append(PolicyError(path, "is too long"))
    else:
        faults.append(PolicyError(path, "must be a number of seconds"))
    return timedelta(0)


# ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(item: object, path: str, classes: dict[str, type[Check]]) -> Check:
    if not isinstance(item, dict):
        _refuse(path, "must be an object")
    given = dict(item)
    name = given.pop("type", None)
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is None:
        _refuse(f"{path}.type", "names no check that may be built; pass your own classes as checks=(...)")
    if "likelihoods" in given:
        given["likelihoods"] = _likelihoods(given["likelihoods"], f"{path}.likelihoods")
    if given.get("factor") in tuple(Factor):
        given["factor"] = Factor(given["factor"])
    check_id = given.pop("id", None)
    try:
        return cls(check_id, **given)
    except Exception:  # noqa: BLE001 - a class of one's own may raise anything
        _refuse(path, f"has parameters that {name} does not take")


def _likelihoods(item: Any, path: str) -> Likelihoods:  # noqa: ANN401 - JSON
    try:
        return Likelihoods(**item)
    except InvalidPolicy as error:
        raise _under(path, error) from None
    except TypeError:
        _refuse(path, "must hold genuine and classes, and may hold source, tries, cryptographic and exposed")


def _requirement(item: object, path: str, faults: _Faults) -> Requirement:
    given = _object(item, path, faults, known={each.name for each in fields(Requirement)})
    if given.get("max_age") is not None:
        given["max_age"] = _seconds(given["max_age"], f"{path}.max_age", faults)
    if "stakes" in given:
        tiers = _list(given["stakes"], f"{path}.stakes", faults)
        given["stakes"] = tuple(_tier(tier, f"{path}.stakes.{at}", faults) for at, tier in enumerate(tiers))
    return Requirement(**given)


def _tier(item: object, path: str, faults: _Faults) -> Tier:
    given = _object(item, path, faults, known={each.name for each in fields(Tier)})
    requirement = _requirement(given.get("requirement"), f"{path}.requirement", faults)
    return Tier(**{"up_to": None, "currency": None, **given, "requirement": requirement})


def _budgets(item: object, faults: _Faults) -> Budgets:
    given = _object(item, "budgets", faults, known={each.name for each in fields(Budgets)})
    for name, value in given.items():
        path = f"budgets.{name}"
        if name == "runs":
            given[name] = _seconds(value, path, faults)
        elif name != "consecutive":
            budget = _object(value, path, faults, known={"limit", "window"})
            given[name] = Budget(budget.get("limit", 0), _seconds(budget.get("window"), f"{path}.window", faults))
    return Budgets(**given)


def _threats(item: object) -> ThreatModel:
    model = ThreatModel.default()
    if isinstance(item, str):
        if item != f"default:{model.fingerprint}":
            _refuse("threats", "was written with another default table; review it, then write the policy again")
        return model
    try:
        return ThreatModel.from_json(json.dumps(item))
    except InvalidPolicy as error:
        raise _under("threats", error) from None
