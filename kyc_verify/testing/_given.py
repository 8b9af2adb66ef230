"""What the kit is given, looked at when it is given: a sentence there, and not an error from deep inside a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn

from kyc_verify.call import Stake
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy
from kyc_verify.policy.requirement import Requirement
from kyc_verify.ports import Store

__all__ = ["VERBS", "a_policy", "a_span", "a_store", "an_error", "instead", "mapping", "names", "tiers"]

VERBS: Final = (
    "ready", "open", "begin", "commit", "redeem", "load", "enroll", "set_standing", "note", "erase", "records", "purge",
    "close",
)  # fmt: skip
"""The verbs of a store."""


def instead(sentence: str) -> NoReturn:
    """Refuse what was given.

    Raises:
        UsageError: always.
    """
    raise UsageError(sentence)


def a_policy(given: object) -> Policy:
    """Return a policy; raises UsageError for anything else."""
    if isinstance(given, Policy):
        return given
    if callable(given):
        name = getattr(given, "__name__", "my_policy")
        instead(f"a policy belongs here, not what makes one: call it, as in {name}()")
    instead(f"a Policy belongs here, not a {type(given).__name__}, as in Bench(profiles.bank())")


def a_store(given: object, of: str) -> Store:
    """Return a store; raises UsageError for a class, and for what lacks a verb."""
    if isinstance(given, type):
        instead(f"{of} takes a store, not its class: write {given.__name__}()")
    if missing := [verb for verb in VERBS if not callable(getattr(given, verb, None))]:
        instead(f"{of} takes a store, such as MemoryStore(); a {type(given).__name__} lacks {', '.join(missing)}")
    return given  # type: ignore[return-value]


def an_error(given: object, name: str) -> BaseException:
    """Return an exception; raises UsageError for a class of them, and for anything else."""
    if isinstance(given, type) and issubclass(given, BaseException):
        instead(f"{name} takes an exception, not its class: write {given.__name__}()")
    if not isinstance(given, BaseException):
        instead(f"{name} takes an exception, as in {name}=TimeoutError(), not {given!r}")
    return given


def mapping(given: object, name: str, example: str) -> dict[Any, Any]:
    """Return a mapping as a dict; raises UsageError for anything else."""
    if not isinstance(given, Mapping):
        instead(f"{name} takes a mapping, as in {example}, not a {type(given).__name__}")
    return dict(given)


def names(given: object, name: str, example: str) -> list[str]:
    """Return a collection of names as a list; raises UsageError for a single one, and for what are no names."""
    if isinstance(given, str):
        instead(f"{name} takes names, as in {name}=[{given!r}]")
    if not isinstance(given, Iterable):
        instead(f"{name} takes names, as in {name}=[{example!r}], not a {type(given).__name__}")
    found = list(given)
    if odd := [each for each in found if not isinstance(each, str)]:
        instead(f"{name} takes names, as in {name}=[{example!r}], and {odd[0]!r} is none")
    return found


def a_span(by: object, more: Mapping[str, Any], verb: str) -> timedelta:
    """Return how far a clock is to be moved; raises UsageError for what is no time."""
    example = f"{verb}(minutes=5) or {verb}(timedelta(minutes=5))"
    if not isinstance(by, timedelta):
        instead(f"write {example}, not {verb}({by!r})")
    try:
        return by + timedelta(**more)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"write {example}, in days, hours, minutes, seconds or microseconds: {error}"
        raise UsageError(msg) from None


def tiers(policy: Policy, action: str) -> list[tuple[str, Requirement, Stake | None]]:
    """Return what an action asks: in words, the requirement, and a sum that it is asked for; then its tiers."""
    own = policy.actions[action]
    found: list[tuple[str, Requirement, Stake | None]] = [(action, own, None)]
    for tier in own.stakes:
        largest = Stake(amount=tier.up_to, currency=tier.currency)
        found.append((f"{action} up to {tier.up_to:f} {tier.currency}", tier.requirement, largest))
    return found
