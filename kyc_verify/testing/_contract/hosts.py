"""What the contracts of senders, checks and signal sources share."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["RUBBISH", "at_once", "bounded", "finished"]

RUBBISH: Final = (
    "", " ", "\u200b", "\0", "a\0b", "\ud800", "\u202e70421", "🂡" * 40, "9" * 256, "x" * 256, "\u0301" * 256, "-" * 256,
    "' OR 1=1 --", "{{7*7}}", "%s%n", "７０４２１", "٧٠٤٢١", "None", "true", "\r\n", "a" * 127 + "\n" + "b" * 128,
)  # fmt: skip
"""What callers, agents and fuzzers put into a field of at most 256 characters."""


def finished(found: Any) -> Any:  # noqa: ANN401 - whatever is awaited
    """Return what a verb of a port returned, awaited where it must be."""
    if not inspect.isawaitable(found):
        return found

    async def wait() -> Any:  # noqa: ANN401
        return await found

    return asyncio.run(wait())


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail when the block takes longer.

    Raises:
        AssertionError: it did.
    """
    began = time.monotonic()
    yield
    if (took := time.monotonic() - began) > seconds:
        msg = f"took {took:.2f} s; at most {seconds:g} s are allowed, since the caller waits for it"
        raise AssertionError(msg)


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """Do jobs in threads at once; returns their results."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [job.result() for job in [pool.submit(each) for each in jobs]]
