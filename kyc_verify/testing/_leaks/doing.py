"""Doing what may leak, to its end: coroutines are awaited, generators run out."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kyc_verify.errors import UsageError

__all__ = ["IN_A_LOOP", "USE", "carried_out", "checked", "in_a_loop", "of_tests", "own_frames"]

USE: Final = "write assert_leaks_nothing(lambda: ..., {'the answer': 'Papageiengasse'})"
_MOST: Final = 100_000
IN_A_LOOP: Final = (
    "an event loop runs here already: make the test a plain function, or write "
    "await asyncio.to_thread(assert_leaks_nothing, lambda: ..., {'the answer': 'Papageiengasse'})"
)
_LAZY: Final = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
_RUNNERS: Final = frozenset({"_pytest", "hypothesis", "pluggy", "pytest", "tests"})


def in_a_loop() -> bool:
    """Tell whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def checked(do: object) -> Callable[[], Any]:
    """Return what is to be done, if it can be called without arguments.

    Raises:
        UsageError: it cannot.
    """
    if not callable(do):
        if isinstance(do, _LAZY):
            _closed(do)
        raise UsageError(USE)
    try:
        takes = inspect.signature(do)
    except (TypeError, ValueError):  # a builtin that does not say
        return do
    try:
        takes.bind()
    except TypeError as error:
        msg = f"what is done is called without arguments, and this one wants some ({error}): {USE}"
        raise UsageError(msg) from None
    return do


def carried_out(do: Callable[[], Any]) -> tuple[Any, list[Any], BaseException | None]:
    """Do it, await it, and run it out.

    Returns:
        What came of it: a list, of a generator; the generators, and what they returned at their ends; and the error.

    Raises:
        UsageError: it cannot be run to its end here.
    """
    besides: list[Any] = []
    try:
        found = do()
        while _is_lazy(found):
            if isinstance(found, Iterator):
                found = _run_out(found, besides)
            elif in_a_loop():
                _closed(found)
                break
            else:
                found = asyncio.run(_awaited(found, besides))
    except _Endless as endless:
        msg = f"what was done gives more than {_MOST:,} items; take some: lambda: list(islice(..., 100))"
        raise UsageError(msg) from endless
    except (Exception, SystemExit) as error:  # noqa: BLE001 - looked through
        return None, besides, error
    if _is_lazy(found):
        raise UsageError(IN_A_LOOP)
    if lazy := _unfinished(found):
        msg = f"the result holds a {lazy} that nobody ran: await it, or make a list of it, in what is done"
        raise UsageError(msg)
    return found, besides, None


def _is_lazy(found: object) -> bool:
    # A mock has all these verbs, and gives nothing by them.
    return isinstance(found, Awaitable | Iterator | AsyncIterator) and type(found).__module__ != "unittest.mock"


class _Endless(BaseException):
    """More items than anybody waits for."""


def _run_out(found: Iterator[Any], besides: list[Any]) -> list[Any]:
    items: list[Any] = []
    besides.append(found)
    while True:
        try:
            items.append(next(found))
        except StopIteration as end:
            besides.append(end.value)
            return items
        if len(items) > _MOST:
            raise _Endless


async def _awaited(found: Any, besides: list[Any]) -> Any:  # noqa: ANN401
    """Await in one loop what a coroutine gives, and the items of what can only be read asynchronously."""
    while _is_lazy(found) and not isinstance(found, Iterator):
        if isinstance(found, Awaitable):
            found = await found
            continue
        items: list[Any] = []
        besides.append(found)
        async for item in found:
            items.append(item)
            if len(items) > _MOST:
                raise _Endless
        found = items
    return found


def _closed(lazy: object) -> None:
    """Close a coroutine, so that nobody is warned that it was not awaited."""
    if isinstance(lazy, types.CoroutineType | types.GeneratorType):
        lazy.close()


def _unfinished(found: object, depth: int = 8) -> str | None:
    """Name a coroutine or a generator in the lists and dicts of a result."""
    if isinstance(found, _LAZY):
        _closed(found)
        return type(found).__name__.replace("_", " ")
    if not depth or not isinstance(found, dict | list | tuple | set | frozenset):
        return None
    items = found.values() if isinstance(found, dict) else found
    return next((lazy for each in list(items) if (lazy := _unfinished(each, depth - 1))), None)


def of_tests(frame: types.FrameType) -> bool:
    """Tell a frame of a test, of what runs tests, or of this kit: they hold the canaries on purpose.

    By the name of its module, and of its file as pytest collects files; the folders above it say nothing.
    """
    module, file = str(frame.f_globals.get("__name__", "")), Path(frame.f_code.co_filename).stem
    return (
        module.partition(".")[0] in _RUNNERS
        or f"{module}.".startswith("kyc_verify.testing.")
        or file == "conftest"
        or file.startswith("test_")
        or file.endswith("_test")
    )


def own_frames(do: Callable[[], Any], asked: types.FrameType | None) -> Callable[[types.FrameType], bool]:
    """Return what tells the frames that hold the canaries on purpose.

    They are those of `of_tests`; those above the frame that asked; and of code written in the function that called it,
    or in a `do` of a module above.
    """
    above: list[types.FrameType] = []
    caller = frame = None if asked is None else asked.f_back
    while frame is not None:
        above.append(frame)
        frame = frame.f_back
    codes = set[types.CodeType]() if caller is None else set(_written_in(caller))
    if isinstance(do, types.FunctionType) and any(each.f_globals is do.__globals__ for each in above):
        codes |= {do.__code__, *_inner(do.__code__)}

    def own(frame: types.FrameType) -> bool:
        return of_tests(frame) or frame.f_code in codes or any(frame is each for each in above)

    return own


def _written_in(caller: types.FrameType) -> Iterator[types.CodeType]:
    # The body of a module is no function: what stands in it may be anything.
    if caller.f_code.co_name != "<module>":
        yield from _inner(caller.f_code)


def _inner(code: types.CodeType) -> Iterator[types.CodeType]:
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield const
            yield from _inner(const)
