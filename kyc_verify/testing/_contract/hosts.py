"""What the contracts of senders, checks and signal sources share."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, Final, TextIO, TypeVar

from kyc_verify.testing._leaks.logs import listening

__all__ = ["RUBBISH", "SERVERS", "Loop", "bounded", "logged"]

T = TypeVar("T")

RUBBISH: Final = (
    "", " ", "\u200b", "\0", "a\0b", "\ud800", "\u202e70421", "🂡" * 40, "9" * 256, "x" * 256, "\u0301" * 256, "-" * 256,
    "' OR 1=1 --", "{{7*7}}", "%s%n", "７０４２１", "٧٠٤٢١", "None", "true", "\r\n", "a" * 127 + "\n" + "b" * 128,
)  # fmt: skip
"""What callers, agents and fuzzers put into a field of at most 256 characters."""
SERVERS: Final = ("aiohttp.access", "mail.log", "uvicorn.access", "uvicorn.error", "werkzeug")
"""Where servers of common libraries log what they are asked: aiohttp's, aiosmtpd's, uvicorn's, Flask's."""
_LINES: Final = 200
"""How many lines of a call in step let the others go first: its beginning, and not all of an HTTP library."""
_TURN: Final = 1e-5


async def _wait(found: Awaitable[T]) -> T:
    return await found


async def _together(found: Sequence[object]) -> list[object]:
    """Await those of them that must be; an exception stands for what it was raised instead of."""
    waiting = {at: each for at, each in enumerate(found) if inspect.isawaitable(each)}
    done = dict(zip(waiting, await asyncio.gather(*waiting.values(), return_exceptions=True), strict=True))
    return [done.get(at, each) for at, each in enumerate(found)]


@contextmanager
def bounded(seconds: float, what: str = "") -> Iterator[None]:
    """Fail when the block takes longer.

    Raises:
        AssertionError: it did.
    """
    began = time.monotonic()
    yield
    if (took := time.monotonic() - began) > seconds:
        msg = f"{what}took {took:.2f} s; at most {seconds:g} s are allowed, since the caller waits for it"
        raise AssertionError(msg)


# ── Waiting for what is async ────────────────────────────────────────────────────────────────────────────────────────


class Loop:
    """One event loop for all that a test awaits, as in a server: a client or a task belongs to the loop it began in."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, found: T | Awaitable[T]) -> T:
        """Await what an async verb returned; give back what another did."""
        if not isinstance(found, Awaitable):
            return found
        if self._runner is None:
            self._runner = asyncio.Runner()
        work: Awaitable[T] = found
        return self._runner.run(_wait(work))

    def pause(self, seconds: float) -> None:
        """Let threads, and the tasks of the loop, go on for a while."""
        if self._runner is None:
            time.sleep(seconds)
        else:
            self._runner.run(asyncio.sleep(seconds))

    def at_once(self, jobs: Sequence[Callable[[], object]], *, in_step: bool = False) -> list[object]:
        """Call each in a thread, all at once, and await together what they return.

        Args:
            jobs: What to call.
            in_step: Whether each lets the others go first at every line that it runs, so that what is not atomic shows
                whatever the machine does. A debugger does not stop in there.

        Returns:
            Their results, in order; an exception in place of the result of what raised it.
        """
        barrier = threading.Barrier(len(jobs))

        def call(job: Callable[[], object]) -> object:
            barrier.wait()
            try:
                return _in_step(job) if in_step else job()
            except Exception as error:  # noqa: BLE001 - whoever asked looks at it
                return error

        with ThreadPoolExecutor(len(jobs)) as pool:
            found = list(pool.map(call, jobs))
        return self.run(_together(found)) if any(map(inspect.isawaitable, found)) else found

    def done(self) -> None:
        """Close the loop; tasks that it still has are cancelled."""
        if self._runner is not None:
            self._runner.close()


def _in_step(job: Callable[[], object]) -> object:
    left = _LINES

    def step(_frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - itself, as `sys.settrace` wants it
        nonlocal left
        if event == "line" and left > 0:
            left -= 1
            time.sleep(_TURN)
        return step if left > 0 else None

    before = sys.gettrace()
    sys.settrace(step)
    try:
        return job()
    finally:
        sys.settrace(before)


# ── What is shown while something is done ────────────────────────────────────────────────────────────────────────────


class _Own(io.TextIOBase):
    """Keeps what one thread prints, and passes on what others do."""

    def __init__(self, out: list[str], to: TextIO) -> None:
        self._out, self._to, self._thread = out, to, threading.get_ident()

    def write(self, text: str) -> int:
        """Keep it, or pass it on."""
        if threading.get_ident() != self._thread:
            return self._to.write(text)
        self._out.append(text)
        return len(text)


@contextmanager
def logged(stand_ins: Sequence[str] = ()) -> Iterator[Callable[[], bytes]]:
    """Hear all that is logged meanwhile, at every level and whatever the loggers are set to, and all that is printed.

    Args:
        stand_ins: Names of loggers that are left out. What other threads print is left out as well: a server that
            stands in for the service in this process may say what it was asked, and that is not the client's fault.

    Yields:
        What returns it.
    """
    printed: list[str] = []
    with ExitStack() as stack:
        for name in stand_ins:
            logger = logging.getLogger(name)
            logger.addFilter(_refused)
            stack.callback(logger.removeFilter, _refused)
        heard = stack.enter_context(listening())
        stack.enter_context(redirect_stdout(_Own(printed, sys.stdout)))
        stack.enter_context(redirect_stderr(_Own(printed, sys.stderr)))
        yield lambda: b"\n".join([*heard, "".join(printed).encode("utf-8", "surrogatepass")])


def _refused(_record: logging.LogRecord) -> bool:
    return False
