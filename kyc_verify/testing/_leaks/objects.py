"""Everything that can be reached from an object: its items, attributes, slots, and what an error carries."""

from __future__ import annotations

import io
import logging
import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from kyc_verify.decision import _Held
from kyc_verify.terms import Secret

__all__ = ["everything", "is_store", "shown"]

_DEEPEST: Final = 20
_MOST: Final = 50_000
_TEXTS: Final = (str, bytes, bytearray, memoryview)
_PLAIN: Final = (dict, list, tuple, set, frozenset, deque)
"""Their items are looked at one by one, so their reprs would only tell it again."""
_CODE: Final = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CodeType,
    types.FrameType, types.TracebackType, property, classmethod, staticmethod, logging.Logger, logging.Handler,
)  # fmt: skip
"""Program, not data: from a module or a logger everything can be reached."""
_ROOMS: Final = tuple(
    f"kyc_verify.{room}."
    for room in ("_flows", "enrollment", "hashing", "senders", "signals", "stores", "testing", "verifier")
)
"""What works with secrets, and so holds them on purpose; it is looked at, and not into."""


def is_store(thing: object) -> bool:
    """Tell whether something has the verbs of a store."""
    return all(callable(getattr(type(thing), verb, None)) for verb in ("open", "begin", "commit", "redeem"))


def _holds_on_purpose(thing: object) -> bool:
    if isinstance(thing, BaseException):
        return False
    rooms = any(f"{kind.__module__}.".startswith(_ROOMS) for kind in type(thing).__mro__)
    return rooms or isinstance(thing, Secret | _Held) or is_store(thing)


def everything(thing: object) -> Iterator[object]:
    """Go through a thing and all that can be reached from it, the nearest first.

    To a depth of 20 and 50,000 objects. Modules, classes and functions are not followed; nor is what holds secrets on
    purpose: `Secret`, and the library's hashers, keyrings, stores, senders, verifiers, benches and doubles.
    """
    seen: dict[int, object] = {}  # held, so that no identity is given out again
    waiting = deque([(thing, 0)])
    while waiting and len(seen) < _MOST:
        each, depth = waiting.popleft()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        yield each
        if depth < _DEEPEST and not isinstance(each, _CODE) and not _holds_on_purpose(each):
            waiting.extend((part, depth + 1) for part in _parts(each))


def _parts(thing: object) -> Iterator[object]:
    for look in (_items, _attributes, _slots, _carried, _suspended):
        try:
            yield from look(thing)
        except Exception:  # noqa: BLE001, S112 - what refuses to be looked at shows nothing
            continue


def _items(thing: object) -> Iterator[object]:
    if isinstance(thing, Mapping):
        for pair in islice(thing.items(), _MOST):
            yield from pair
    elif isinstance(thing, Collection) and not isinstance(thing, (*_TEXTS, range)):
        yield from islice(thing, _MOST)
    elif isinstance(thing, io.StringIO | io.BytesIO):
        yield thing.getvalue()


def _attributes(thing: object) -> Iterator[object]:
    held = object.__getattribute__(thing, "__dict__")
    for name, value in list(held.items()):
        yield name
        yield value


def _slots(thing: object) -> Iterator[object]:
    for kind in type(thing).__mro__:
        for member in list(vars(kind).values()):
            if isinstance(member, types.MemberDescriptorType):
                try:
                    yield member.__get__(thing)
                except AttributeError:  # not set
                    continue


def _carried(thing: object) -> Iterator[object]:
    if isinstance(thing, BaseException):
        yield from (thing.args, thing.__cause__, thing.__context__)


def _suspended(thing: object) -> Iterator[object]:
    frame = None
    if isinstance(thing, types.GeneratorType):
        frame = thing.gi_frame
    elif isinstance(thing, types.CoroutineType):
        frame = thing.cr_frame
    elif isinstance(thing, types.AsyncGeneratorType):
        frame = thing.ag_frame
    if frame is not None:
        yield from list(frame.f_locals.values())


def shown(thing: object) -> Iterator[bytes]:
    """Give what a thing shows of itself, as bytes."""
    if isinstance(thing, str):
        yield _bytes(str.__str__(thing))
    elif isinstance(thing, bytes | bytearray | memoryview):
        yield bytes(thing)
    elif type(thing) not in _PLAIN:
        told: set[str] = set()
        for tell in (repr, str, format):
            try:
                told.add(tell(thing))
            except Exception:  # noqa: BLE001, S112 - refused is as good as empty
                continue
        yield from map(_bytes, told)


def _bytes(text: Any) -> bytes:  # noqa: ANN401
    return str(text).encode("utf-8", "surrogatepass")
