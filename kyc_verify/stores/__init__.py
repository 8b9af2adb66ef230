"""Where sessions, credentials, budgets, grants and the audit log are kept; each behind the verbs of `ports.Store`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kyc_verify.stores.memory import MemoryStore
    from kyc_verify.stores.sqlite import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore"]

_HOME: Final = {"MemoryStore": "memory", "SQLiteStore": "sqlite"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _HOME:
        return getattr(import_module(f"kyc_verify.stores.{_HOME[name]}"), name)
    msg = f"module 'kyc_verify.stores' has no attribute {name!r}"
    raise AttributeError(msg)
