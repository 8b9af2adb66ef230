"""What tests of verifications need: a clock, doubles of the host's services, a bench, and the contract of stores.

Nothing here is for serving callers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kyc_verify.testing.bench import AsyncBench, Bench
    from kyc_verify.testing.clock import FakeClock
    from kyc_verify.testing.contracts import StoreContract
    from kyc_verify.testing.doubles import (
        FakeCustomers,
        RecordingObserver,
        RecordingSender,
        ScriptedService,
        ScriptedSignals,
    )
    from kyc_verify.testing.hashing import CheapHasher, cheap_hasher
    from kyc_verify.testing.stores import CountingStore, FailingStore

_HOME: Final = {
    "bench": ("AsyncBench", "Bench"),
    "clock": ("FakeClock",),
    "contracts": ("StoreContract",),
    "doubles": ("FakeCustomers", "RecordingObserver", "RecordingSender", "ScriptedService", "ScriptedSignals"),
    "hashing": ("CheapHasher", "cheap_hasher"),
    "stores": ("CountingStore", "FailingStore"),
}
_WHERE: Final = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "AsyncBench",
    "Bench",
    "CheapHasher",
    "CountingStore",
    "FailingStore",
    "FakeClock",
    "FakeCustomers",
    "RecordingObserver",
    "RecordingSender",
    "ScriptedService",
    "ScriptedSignals",
    "StoreContract",
    "cheap_hasher",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _WHERE:
        return getattr(import_module(f"kyc_verify.testing.{_WHERE[name]}"), name)
    msg = f"module 'kyc_verify.testing' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return list(__all__)
