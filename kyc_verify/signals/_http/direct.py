"""The sync wire: httpx called plainly, with one deadline under all its waits."""

from __future__ import annotations

import inspect
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

import httpcore
import httpx

from kyc_verify.errors import UsageError
from kyc_verify.signals._http.exchange import Failure, Reply, Request, Wire
from kyc_verify.signals._http.plain import ONE, Body, failure, made
from kyc_verify.signals._http.quiet import quiet
from kyc_verify.terms import Secret

__all__ = ["SyncWire", "finished"]

T = TypeVar("T")


def finished(flow: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never suspends, as over a `SyncWire`.

    Raises:
        UsageError: it suspended.
    """
    try:
        flow.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    flow.close()
    msg = "a sync client was about to wait for an event loop; use the async one"
    raise UsageError(msg)


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait ends by the deadline: httpx limits each wait alone, and a drip outlasts them all."""

    def __init__(self, inner: httpcore.NetworkStream, ends: float) -> None:
        self._inner, self._ends = inner, ends

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._inner.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._inner.write(buffer, self._left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._left()), self._ends)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as the library has it
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, ends: float) -> None:
        self._inner, self._ends = httpcore.SyncBackend(), ends

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        del timeout
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore.ConnectError from None
        # Each address by itself: together they would take their number times the limit.
        for *_, address in found:
            left = self._ends - time.monotonic()
            if left <= 0:
                break
            try:
                inner = self._inner.connect_tcp(str(address[0]), port, left, local_address, socket_options)
            except httpcore.ConnectError:
                continue
            return _Stream(inner, self._ends)
        raise httpcore.ConnectError


class _Transport(httpx.HTTPTransport):
    def __init__(self, tls: ssl.SSLContext, ends: float) -> None:
        super().__init__(verify=tls, trust_env=False, limits=ONE)
        # httpx has no parameter for how a connection is made; httpcore, which it stands on, has.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls, max_connections=1, max_keepalive_connections=0, network_backend=_Backend(ends)
        )


class SyncWire(Wire):
    """Calls plainly; nothing here ever suspends."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    async def exchange(self, base: str, request: Request, authorisation: Secret, *, ends: float) -> Reply | Failure:
        with quiet():
            try:
                with _Transport(self._tls, ends) as transport:
                    return self._exchange(transport, made(base, request, authorisation))
            except Exception as error:  # noqa: BLE001 - what any layer below may raise is a failed request
                return failure(error)

    @staticmethod
    def _exchange(transport: _Transport, request: httpx.Request) -> Reply | Failure:
        body = Body()
        response = transport.handle_request(request)
        try:
            for part in cast("httpx.SyncByteStream", response.stream):
                if body.full(part):
                    break
        finally:
            response.close()
        return body.reply(response)

    async def call(self, work: Callable[[], Any], *, ends: float) -> object:
        del ends
        found: object = work()
        if inspect.iscoroutine(found):
            found.close()
        return found

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - this coroutine must not suspend
