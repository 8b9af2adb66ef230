"""How a flow reaches the world: the same calls, awaited or made directly."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import copy_context
from typing import Any, Final, TypeVar

from kyc_verify._flows import pool
from kyc_verify.errors import UsageError

__all__ = ["AsyncRunner", "Runner", "SyncRunner", "run_sync"]

T = TypeVar("T")

_PATIENCE: Final = 60.0
"""Seconds a store or the CRM may take in an event loop; both have shorter limits of their own."""

_OUTSIDE: Final = 32
"""Threads that may wait for services outside; a service that hangs holds one until it answers."""


class Runner(ABC):
    """The three ways in which a flow calls out. What is raised passes through: a flow says what it means."""

    @abstractmethod
    async def call(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call the store or the host's own code."""

    @abstractmethod
    async def outside(self, work: Callable[..., Any], *args: Any, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        """Call a service outside; raises TimeoutError when it takes longer than `timeout` seconds."""

    @abstractmethod
    async def hash(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run slow hashing; raises `Busy` when too much is waiting."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Wait a moment."""


def _refuse_awaitable(found: object) -> None:
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        msg = "a coroutine function was given to the sync front; use AsyncVerifier or AsyncEnroller"
        raise UsageError(msg)


def _carried(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Call what a thread is to call: no future can carry a StopIteration, and whoever waits for it would wait on."""
    try:
        return work(*args, **kwargs)
    except StopIteration as error:
        msg = "a StopIteration was raised where nothing is iterated"
        raise RuntimeError(msg) from error


class _Outside:
    """Threads for services outside, made on first use: threads do not survive a fork."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._pid = 0

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        if self._threads is None or self._pid != os.getpid():
            self._threads = ThreadPoolExecutor(_OUTSIDE, thread_name_prefix="kyc-verify-outside")
            self._pid = os.getpid()
        return self._threads.submit(copy_context().run, _carried, work, *args)


class SyncRunner(Runner):
    """Calls plain functions; nothing here ever suspends."""

    def __init__(self) -> None:
        self._outside = _Outside()

    async def call(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        found = work(*args, **kwargs)
        _refuse_awaitable(found)
        return found

    async def outside(self, work: Callable[..., Any], *args: Any, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        future = self._outside.submit(work, *args)
        try:
            found = future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise
        _refuse_awaitable(found)
        return found

    async def hash(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        if getattr(getattr(work, "__self__", None), "inline", False):
            return work(*args, **kwargs)
        return pool.submit(work, *args, **kwargs).result()

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - this coroutine must not suspend


class AsyncRunner(Runner):
    """Awaits coroutines, and runs plain functions in threads, so that the loop is never held."""

    def __init__(self) -> None:
        self._outside = _Outside()

    async def call(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        async with asyncio.timeout(_PATIENCE):
            return await self._call(work, *args, **kwargs)

    @staticmethod
    async def _call(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if inspect.iscoroutinefunction(work):
            return await work(*args, **kwargs)
        found = await asyncio.to_thread(_carried, work, *args, **kwargs)
        return await found if inspect.isawaitable(found) else found

    async def outside(self, work: Callable[..., Any], *args: Any, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        async with asyncio.timeout(timeout):
            if inspect.iscoroutinefunction(work):
                return await work(*args)
            # Not the loop's own threads: a service that hangs must not take those that the store needs.
            found = await asyncio.wrap_future(self._outside.submit(work, *args))
            return await found if inspect.isawaitable(found) else found

    async def hash(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.wrap_future(pool.submit(work, *args, **kwargs))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_sync(flow: Coroutine[Any, Any, T]) -> T:
    """Run a flow over a `SyncRunner`: one step, to its end.

    Raises:
        UsageError: it suspended; something in it waits for an event loop.
    """
    try:
        flow.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    flow.close()
    msg = "a sync verb was about to wait for an event loop; use AsyncVerifier or AsyncEnroller"
    raise UsageError(msg)
