"""What the stores on an embedded SQLite share, wherever its bytes are.

A writing verb holds the database's only write lock from before it reads until its commit is durable.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from kyc_verify.stores import _schema
from kyc_verify.stores._lite import Lite
from kyc_verify.stores._tables import Tables
from kyc_verify.stores._verbs import Verbs

__all__ = ["Embedded"]

T = TypeVar("T")


class Embedded(Verbs):
    """`ports.Store` over a transaction of SQLite."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that may write: committed at its end, or not at all."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that only reads."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database; later verbs raise StoreError. Closing again does nothing."""

    def _write(self, work: Callable[[Tables], T]) -> T:
        with self._writing() as db:
            return work(Lite(db))

    def _read(self, work: Callable[[Tables], T]) -> T:
        with self._reading() as db:
            return work(Lite(db))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self, now: datetime) -> None:
        """Check that the store can be written to, and that its schema is exactly the expected one.

        Raises:
            StoreError: it cannot, or it is not.
        """
        del now
        with self._writing() as db:
            _schema.check(db)
