"""The one place where slow hashes run: a bounded pool a process, made on first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, TypeVar

from kyc_verify.errors import Busy

__all__ = ["QUEUE", "submit"]

T = TypeVar("T")

QUEUE: Final = 16
"""Hashes that may wait for each worker; more is `Busy`: a caller is better served by an honest "try again"."""

_WORKERS: Final = max(1, min(8, os.cpu_count() or 1))


class _Pool:
    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="kyc-verify-hash")
        self.room = threading.BoundedSemaphore(_WORKERS * (QUEUE + 1))


_lock = threading.Lock()
_pool: _Pool | None = None


def _after_fork() -> None:
    # An executor from before a fork has no threads and would hang, and its locks may be held for ever.
    global _pool, _lock  # noqa: PLW0603 - one pool a process
    _lock = threading.Lock()
    _pool = None


os.register_at_fork(after_in_child=_after_fork)


def _here() -> _Pool:
    global _pool  # noqa: PLW0603 - one pool a process
    with _lock:
        if _pool is None:
            _pool = _Pool()
        return _pool


def submit(work: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
    """Start a hash in the pool, in the caller's context.

    Raises:
        Busy: too many are waiting.
    """
    pool = _here()
    if not pool.room.acquire(blocking=False):
        msg = "too many answers are being checked; try again in a moment"
        raise Busy(msg)
    try:
        future: Future[T] = pool.executor.submit(copy_context().run, work, *args, **kwargs)
    except BaseException:
        pool.room.release()
        raise
    future.add_done_callback(lambda _: pool.room.release())
    return future
