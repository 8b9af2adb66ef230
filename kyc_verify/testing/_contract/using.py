"""A contract that is used wrongly says so where it is written, and what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from kyc_verify.errors import UsageError

__all__ = ["listed", "made", "takes"]

T = TypeVar("T")


def listed(owner: type, name: str, *, of: type = object, example: str, empty: bool = True) -> None:
    """Look at an attribute that holds several values.

    Raises:
        UsageError: it is a single one, or anything else but a tuple or a list of what belongs into it.
    """
    value = getattr(owner, name)
    if isinstance(value, str) or not isinstance(value, tuple | list):
        single = isinstance(value, of) and not isinstance(value, set | frozenset)
        msg = f"{owner.__name__}.{name} is a tuple: write {name} = {f'({value!r},)' if single else example}"
        raise UsageError(msg)
    if not value and not empty:
        msg = f"{owner.__name__}.{name} is empty, and nothing would be tried: write {name} = {example}"
        raise UsageError(msg)
    if any(not isinstance(each, of) for each in value):
        msg = f"{owner.__name__}.{name} is a tuple of {of.__name__}: write {name} = {example}"
        raise UsageError(msg)


def made(make: Callable[[], T], fixture: str, is_one: Callable[[object], bool], needs: str) -> T:
    """Return what the function that a fixture returned makes.

    Args:
        make: What the fixture returned.
        fixture: Its name.
        is_one: Tells what is to be made from anything else.
        needs: What `is_one` asks for, in words.

    Raises:
        UsageError: it is no such function, or makes something else.
    """
    told = f"{fixture} returns what makes it, a class or a function without arguments: write"
    given: object = make
    kind = type(given).__name__
    if not isinstance(given, type) and is_one(given):
        msg = f"{told} `return lambda: {kind}(...)`, not `return {kind}(...)`"
        raise UsageError(msg)
    if not callable(given):
        msg = f"{told} `return MyClass`; it returned {'nothing' if given is None else f'a {kind}'}"
        raise UsageError(msg)
    if not _callable_with(given):
        name = getattr(given, "__name__", kind)
        msg = f"{told} `return lambda: {name}(...)`, since {name} takes arguments"
        raise UsageError(msg)
    found: Any = make()
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        msg = f"{told} `return lambda: MyClass(...)`; it returned a coroutine function, and making is not awaited"
        raise UsageError(msg)
    if isinstance(found, type) or (callable(found) and not is_one(found)):
        name = getattr(found, "__name__", "MyClass")
        msg = (
            f"{told} `return {name}`; what it returned makes {name} itself, a {type(found).__name__}, and not one of it"
        )
        raise UsageError(msg)
    if not is_one(found):
        msg = f"what {fixture} returned made a {type(found).__name__}, and {needs}"
        raise UsageError(msg)
    return found  # type: ignore[no-any-return]


def takes(verb: Callable[..., object], said: str) -> None:
    """Look whether a verb takes the one argument that it is given.

    Raises:
        UsageError: it does not.
    """
    if not _callable_with(verb, None):
        raise UsageError(said)


def _callable_with(what: Callable[..., object], *given: object) -> bool:
    try:
        inspect.signature(what).bind(*given)
    except TypeError:
        return False
    except ValueError:  # nothing is known of it
        return True
    return True
