"""The async wire: httpx awaited, under one deadline."""

from __future__ import annotations

import asyncio
import inspect
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import httpcore
import httpx

from kyc_verify.signals._http.exchange import Failure, Reply, Request, Wire
from kyc_verify.signals._http.plain import ONE, Body, failure, made
from kyc_verify.signals._http.quiet import quiet
from kyc_verify.terms import Secret

__all__ = ["AsyncWire"]


class _Stream(httpcore.AsyncNetworkStream):
    """A stream that is closed when its handshake is left; without this the socket waits for the garbage collector."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as the library
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the library
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the library has it
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        try:
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as the library has it
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,  # noqa: ASYNC109 - as the library has it
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        return _Stream(await httpcore.AnyIOBackend().connect_tcp(host, port, timeout, local_address, socket_options))


class _Transport(httpx.AsyncHTTPTransport):
    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False, limits=ONE)
        # httpx has no parameter for how a connection is made; httpcore, which it stands on, has.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=1, max_keepalive_connections=0, network_backend=_Backend()
        )


class AsyncWire(Wire):
    """Awaits; the host's plain functions run in threads, so that the loop is never held."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    async def exchange(self, base: str, request: Request, authorisation: Secret, *, ends: float) -> Reply | Failure:
        with quiet():
            try:
                async with (
                    asyncio.timeout(max(ends - time.monotonic(), 0)),
                    _Transport(self._tls) as transport,
                ):
                    return await self._exchange(transport, made(base, request, authorisation))
            except Exception as error:  # noqa: BLE001 - what any layer below may raise is a failed request
                return failure(error)

    @staticmethod
    async def _exchange(transport: _Transport, request: httpx.Request) -> Reply | Failure:
        body = Body()
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
