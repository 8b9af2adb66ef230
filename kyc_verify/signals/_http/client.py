"""What the clients of all providers share: one line or more, and fronts over them."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kyc_verify.errors import ConfigurationError
from kyc_verify.signals._http.awaited import AsyncWire
from kyc_verify.signals._http.direct import SyncWire
from kyc_verify.signals._http.exchange import Line, Scheme, Wire
from kyc_verify.signals._http.fronts import AsyncCodes, AsyncSource, CodeOperation, Codes, Operation, Source
from kyc_verify.signals._http.settings import seconds, tls_context

__all__ = ["AsyncClient", "Client", "SyncClient"]

S = TypeVar("S")
C = TypeVar("C")


class Client(ABC, Generic[S, C]):
    """How a provider is reached, and in what form its answers come."""

    _bases: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._bases))})"

    def _lines(
        self, provider: str, bases: tuple[str, ...], secret: Callable[[], Any], scheme: Scheme, *,
        within: object, tls: ssl.SSLContext | None,
    ) -> tuple[Line, ...]:  # fmt: skip
        """Return a line to each base; they share the limit, the token and the TLS settings."""
        given: object = secret
        if not callable(given):
            msg = "the token or key is given as a function that returns it: it changes, and it is shown nowhere"
            raise ConfigurationError(msg)
        self._bases = bases
        limit, wire = seconds(within), self._wire(tls_context(tls))
        return tuple(
            Line(base=base, provider=provider, wire=wire, within=limit, secret=secret, scheme=scheme) for base in bases
        )

    @abstractmethod
    def _wire(self, tls: ssl.SSLContext) -> Wire:
        """Return what carries requests."""

    @abstractmethod
    def _source(self, line: Line, operation: Operation) -> S:
        """Return a source of signals."""

    @abstractmethod
    def _codes(self, line: Line, operation: CodeOperation) -> C:
        """Return a service of codes."""


class SyncClient(Client[Source, Codes]):
    """For a `Verifier`."""

    def _wire(self, tls: ssl.SSLContext) -> Wire:
        return SyncWire(tls)

    def _source(self, line: Line, operation: Operation) -> Source:
        return Source(line, operation)

    def _codes(self, line: Line, operation: CodeOperation) -> Codes:
        return Codes(line, operation)


class AsyncClient(Client[AsyncSource, AsyncCodes]):
    """For an `AsyncVerifier`."""

    def _wire(self, tls: ssl.SSLContext) -> Wire:
        return AsyncWire(tls)

    def _source(self, line: Line, operation: Operation) -> AsyncSource:
        return AsyncSource(line, operation)

    def _codes(self, line: Line, operation: CodeOperation) -> AsyncCodes:
        return AsyncCodes(line, operation)
