"""Where sessions, credentials, budgets, grants and the audit log are kept; each behind the verbs of `ports.Store`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.errors import MissingExtraError

if TYPE_CHECKING:
    from kyc_verify.stores.composite import AsyncCompositeStore, CompositeStore
    from kyc_verify.stores.memory import MemoryStore
    from kyc_verify.stores.redis import AsyncRedisStore, RedisStore
    from kyc_verify.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyStore
    from kyc_verify.stores.sqlite import SQLiteStore

__all__ = [
    "AsyncCompositeStore", "AsyncRedisStore", "AsyncSQLAlchemyStore", "CompositeStore", "MemoryStore", "RedisStore",
    "SQLAlchemyStore", "SQLiteStore",
]  # fmt: skip

_HOME: Final = {
    "AsyncCompositeStore": "composite",
    "AsyncRedisStore": "redis",
    "CompositeStore": "composite",
    "RedisStore": "redis",
    "AsyncSQLAlchemyStore": "sqlalchemy",
    "MemoryStore": "memory",
    "SQLAlchemyStore": "sqlalchemy",
    "SQLiteStore": "sqlite",
}
_EXTRA: Final = {"composite": "redis", "redis": "redis", "sqlalchemy": "sql"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _HOME:
        home = _HOME[name]
        try:
            return getattr(import_module(f"kyc_verify.stores.{home}"), name)
        except ModuleNotFoundError as error:
            if home not in _EXTRA or (error.name or "").startswith("kyc_verify"):
                raise
            raise MissingExtraError(_EXTRA[home], error.name or home) from error
    msg = f"module 'kyc_verify.stores' has no attribute {name!r}"
    raise AttributeError(msg)
