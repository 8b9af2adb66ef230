"""What tests of verifications need: a clock, doubles of the host's services, a bench, and the contract of stores.

Nothing here is for serving callers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kyc_verify.testing.assertions import (
        assert_monotone,
        assert_never_verifies,
        assert_no_single_point,
        assert_not_verified,
        assert_uniform,
        assert_verified,
    )
    from kyc_verify.testing.bench import AsyncBench, Bench
    from kyc_verify.testing.callers import Caller
    from kyc_verify.testing.clock import FakeClock
    from kyc_verify.testing.contracts import CheckContract, SenderContract, SignalContract, StoreContract
    from kyc_verify.testing.doubles import (
        FakeCustomers,
        FakeSeeds,
        RecordingObserver,
        RecordingSender,
        ScriptedService,
        ScriptedSignals,
    )
    from kyc_verify.testing.hashing import CheapHasher, cheap_hasher
    from kyc_verify.testing.leaks import assert_leaks_nothing
    from kyc_verify.testing.stores import CountingStore, FailingStore
    from kyc_verify.testing.transcript import Line, Transcript

_HOME: Final = {
    "assertions": (
        "assert_monotone", "assert_never_verifies", "assert_no_single_point", "assert_not_verified", "assert_uniform",
        "assert_verified",
    ),
    "bench": ("AsyncBench", "Bench"),
    "callers": ("Caller",),
    "clock": ("FakeClock",),
    "contracts": ("CheckContract", "SenderContract", "SignalContract", "StoreContract"),
    "doubles": (
        "FakeCustomers", "FakeSeeds", "RecordingObserver", "RecordingSender", "ScriptedService", "ScriptedSignals",
    ),
    "hashing": ("CheapHasher", "cheap_hasher"),
    "leaks": ("assert_leaks_nothing",),
    "stores": ("CountingStore", "FailingStore"),
    "transcript": ("Line", "Transcript"),
}  # fmt: skip
_WHERE: Final = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "AsyncBench",
    "Bench",
    "Caller",
    "CheapHasher",
    "CheckContract",
    "CountingStore",
    "FailingStore",
    "FakeClock",
    "FakeCustomers",
    "FakeSeeds",
    "Line",
    "RecordingObserver",
    "RecordingSender",
    "ScriptedService",
    "ScriptedSignals",
    "SenderContract",
    "SignalContract",
    "StoreContract",
    "Transcript",
    "assert_leaks_nothing",
    "assert_monotone",
    "assert_never_verifies",
    "assert_no_single_point",
    "assert_not_verified",
    "assert_uniform",
    "assert_verified",
    "cheap_hasher",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _WHERE:
        return getattr(import_module(f"kyc_verify.testing.{_WHERE[name]}"), name)
    msg = f"module 'kyc_verify.testing' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return list(__all__)
