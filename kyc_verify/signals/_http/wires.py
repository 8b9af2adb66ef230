"""The two wires: httpx, awaited or directly; one connection a request, whole replies of bounded size, one deadline."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar, cast

import httpcore
import httpx

from kyc_verify.errors import UsageError
from kyc_verify.signals._http.exchange import Failure, Reply, Request, Wire
from kyc_verify.signals._http.quiet import quiet
from kyc_verify.terms import Secret

__all__ = ["AsyncWire", "SyncWire", "finished"]

T = TypeVar("T")

_LARGEST: Final = 64 * 1024
_ONE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)
_LONGEST_WAIT: Final = 3600.0
_UNREACHED: Final = Failure("could not be reached", sent=False)
_LATE: Final = Failure("did not answer in time")
_BROKEN: Final = Failure("broke off, or sent what is no reply")
_TOO_LARGE: Final = Failure("sent more than a reply may hold")
_ENCODED: Final = Failure("sent a reply in an encoding that was not asked for")


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


def _request(base: str, request: Request, authorisation: Secret) -> httpx.Request:
    headers = [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("authorization", authorisation.reveal()),
        ("user-agent", "kyc-verify"),
        *request.headers,
    ]
    content = None
    if request.method != "GET":
        headers.append(("content-type", request.kind))
        content = request.body
    return httpx.Request(request.method, base + request.path, headers=headers, content=content)


def _failure(error: Exception) -> Failure:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _UNREACHED
    return _LATE if isinstance(error, httpx.TimeoutException | TimeoutError) else _BROKEN


class _Body:
    """Takes in a body, piece by piece, up to the largest that a reply may have."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def full(self, part: bytes) -> bool:
        """Take a piece; returns whether it was too much."""
        self._size += len(part)
        self._parts.append(part)
        return self._size > _LARGEST

    def reply(self, response: httpx.Response) -> Reply | Failure:
        """Return what came, once all of it has."""
        if self._size > _LARGEST:
            return _TOO_LARGE
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            return _ENCODED
        return Reply(
            status=response.status_code,
            kind=response.headers.get("content-type", ""),
            body=b"".join(self._parts),
            retry_after=_seconds(response.headers.get("retry-after", "")),
        )


def _seconds(text: str) -> float:
    """Return a Retry-After in seconds; a date is not waited for."""
    wanted = text.strip()
    return min(float(wanted), _LONGEST_WAIT) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else 0.0  # noqa: PLR2004 - any longer is for ever


# ── Directly ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        super().__init__(verify=tls, trust_env=False, limits=_ONE)
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
                    return self._exchange(transport, _request(base, request, authorisation))
            except Exception as error:  # noqa: BLE001 - what any layer below may raise is a failed request
                return _failure(error)

    @staticmethod
    def _exchange(transport: _Transport, request: httpx.Request) -> Reply | Failure:
        body = _Body()
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


# ── Awaited ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class AsyncWire(Wire):
    """Awaits; the host's plain functions run in threads, so that the loop is never held."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    async def exchange(self, base: str, request: Request, authorisation: Secret, *, ends: float) -> Reply | Failure:
        with quiet():
            try:
                async with (
                    asyncio.timeout(max(ends - time.monotonic(), 0)),
                    httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=_ONE) as transport,
                ):
                    return await self._exchange(transport, _request(base, request, authorisation))
            except Exception as error:  # noqa: BLE001 - what any layer below may raise is a failed request
                return _failure(error)

    @staticmethod
    async def _exchange(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> Reply | Failure:
        body = _Body()
        response = await transport.handle_async_request(request)
        try:
            async for part in cast("httpx.AsyncByteStream", response.stream):
                if body.full(part):
                    break
        finally:
            await response.aclose()
        return body.reply(response)

    async def call(self, work: Callable[[], Any], *, ends: float) -> object:
        async with asyncio.timeout(max(ends - time.monotonic(), 0)):
            if inspect.iscoroutinefunction(work):
                return await work()
            found: object = await asyncio.to_thread(work)
            return await found if inspect.isawaitable(found) else found

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
