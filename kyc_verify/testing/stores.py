"""Stores around a store: one that fails where it is told to, and one that counts."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Any, Literal

from kyc_verify.errors import StoreError, UsageError
from kyc_verify.ports import Store
from kyc_verify.testing._given import VERBS, a_store, an_error
from kyc_verify.testing._leaks.objects import is_store

__all__ = ["VERBS", "CountingStore", "FailingStore", "is_async", "unwrapped"]


def _verb(name: str) -> Callable[..., Any]:
    def verb(self: _Wrapped, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the inner verb's own
        return self._call(name, getattr(self.inner, name), *args, **kwargs)

    verb.__name__ = name
    verb.__doc__ = f"See `Store.{name}`."
    return verb


class _Wrapped:
    """A store whose every verb goes through `_call`; the inner one may be sync or async."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        # A part of a store can be wrapped: what it lacks shows where it is called.
        if isinstance(inner, type) or not any(callable(getattr(inner, verb, None)) for verb in VERBS):
            a_store(inner, type(self).__name__)
        self._lock = Lock()

    def _call(self, name: str, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    ready = _verb("ready")
    open = _verb("open")
    begin = _verb("begin")
    commit = _verb("commit")
    redeem = _verb("redeem")
    load = _verb("load")
    enroll = _verb("enroll")
    set_standing = _verb("set_standing")
    note = _verb("note")
    erase = _verb("erase")
    records = _verb("records")
    purge = _verb("purge")
    close = _verb("close")


class CountingStore(_Wrapped):
    """Counts the trips to a store.

    Attributes:
        counts: How often each verb was called.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.counts: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many trips there were."""
        return self.counts.total()

    def _call(self, name: str, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with self._lock:
            self.counts[name] += 1
        return verb(*args, **kwargs)


class FailingStore(_Wrapped):
    """Fails one verb, or a kind of verb.

    Args:
        inner: The store.
        at: Which call fails, from 1; of `verb`, if one is named. None: every call.
        verb: Which verb fails; None: any.
        every: A verb that fails each time; the same as `verb` without `at`.
        mode: ``before``: nothing is done; ``after``: it is done, and the acknowledgement is lost.
        error: What is raised; a `StoreError` by default.

    Raises:
        UsageError: no such verb or mode, `at` is no count, or the inner one no store.

    Attributes:
        calls: How many calls there were of what may fail.
    """

    def __init__(
        self, inner: Store, *, at: int | None = None, verb: str | None = None, every: str | None = None,
        mode: Literal["before", "after"] = "before", error: BaseException | None = None,
    ) -> None:  # fmt: skip
        super().__init__(inner)
        if every is not None and (at is not None or verb is not None):
            msg = "every=verb fails each call of that verb; for one of them write at=n, verb=verb"
            raise UsageError(msg)
        self.at, self.verb, self.mode = at, verb if every is None else every, mode
        if self.verb is not None and self.verb not in VERBS:
            msg = f"a store has no verb {self.verb!r}; it has {', '.join(VERBS)}"
            raise UsageError(msg)
        if at is not None and (type(at) is not int or at < 1):
            msg = "at counts the calls from 1"
            raise UsageError(msg)
        if mode not in {"before", "after"}:
            msg = f"mode is 'before' (nothing is done) or 'after' (it is done, and the reply is lost), not {mode!r}"
            raise UsageError(msg)
        self.error = StoreError("this store fails as it was told to") if error is None else an_error(error, "error")
        self.calls = 0

    def _call(self, name: str, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        fails = self.verb in {None, name}
        if fails:
            with self._lock:
                self.calls += 1
                fails = self.at in {None, self.calls}
        if not fails:
            return verb(*args, **kwargs)
        if self.mode == "before":
            raise self.error
        found = verb(*args, **kwargs)
        if inspect.isawaitable(found):
            return self._after(found)
        raise self.error

    async def _after(self, found: Any) -> None:  # noqa: ANN401 - whatever the inner verb returns
        await found
        raise self.error


def unwrapped(store: Any) -> Any:  # noqa: ANN401 - any store, and stores around it
    """Return the store inside those around it: a `CountingStore`, a `FailingStore`, one's own with an `inner`."""
    while True:
        # Of strangers only what is certainly a store: a mock has an `inner` as well, and one in that.
        within = (getattr(store, name, None) for name in ("inner", "_inner"))
        inner = next((each for each in within if isinstance(store, _Wrapped) or is_store(each)), None)
        if inner is None:
            return store
        store = inner


def is_async(store: Any) -> bool:  # noqa: ANN401 - checked here
    """Whether a store's verbs are coroutine functions, its own and not those of a store around it."""
    return inspect.iscoroutinefunction(getattr(unwrapped(store), "open", None))
