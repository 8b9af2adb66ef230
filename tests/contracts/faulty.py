"""Stores with one fault each, for showing that the contract finds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from kyc_verify.ports import Store
from kyc_verify.testing._contract import crowds, restarting


class Faulty:
    """A sound store inside, and one fault outside."""

    fails: ClassVar[tuple[str, ...]] = ()
    """The tests of the contract that find it."""
    ends: ClassVar[Callable[..., object]] = restarting.closed
    """How its process ends where it is opened again."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.eight = threading.Barrier(crowds.EIGHT)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return getattr(self.inner, verb)

    def together(self) -> None:
        """Let all of a crowd look before one of them acts."""
        if threading.current_thread() is not threading.main_thread():
            self.eight.wait(30)
