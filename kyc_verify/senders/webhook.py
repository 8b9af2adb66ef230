"""Codes through a service of your own: a signed request, tried again with the same idempotency key.

The body is JSON with ``channel``, ``destination``, ``text``, ``language``, ``key`` and ``subject``. Who receives it
checks ``Kyc-Verify-Signature: t=<seconds>,v1=<hex>``, where the hexadecimal is HMAC-SHA256 under the shared secret over
the seconds, a full stop and the body as it came; refuses what is older than five minutes; and sends once for each
``Idempotency-Key``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import httpx
import tenacity

from kyc_verify.errors import ConfigurationError, DeliveryError
from kyc_verify.ports import Message, Observer
from kyc_verify.senders._clock import utc_now
from kyc_verify.senders._queue import Queued
from kyc_verify.senders._tls import context
from kyc_verify.terms import Secret

__all__ = ["WebhookSender"]

_SHORTEST_SECRET: Final = 32
_LOOPBACK: Final = frozenset(("127.0.0.1", "::1", "localhost"))
_LONGEST_WAIT: Final = 10.0
_LAST_PORT: Final = 65_535
_BUSY: Final = frozenset((408, 425, 429))


class _TryAgain(Exception):  # noqa: N818 - it never leaves this module
    """The receiver did not take it, and may the next time."""


class WebhookSender(Queued):
    """Posts every message to one address over HTTPS, signed.

    It serves `Verifier` and `AsyncVerifier` alike: handing a message over waits for nothing.

    Args:
        url: Where to; ``https`` only.
        secret: Shared with the receiver; at least 32 bytes, as `secrets.token_bytes` makes them.
        tls: Another context than the system's, for an authority of your own; it must check certificates and names.
        timeout: Seconds that one attempt may take altogether, looking up the name aside.
        attempts: How often a message is tried: where nothing is there, in a server error, and when told to wait.
        size: Messages that may wait; `send` raises beyond.
        workers: Requests at once.
        observer: Is told of what could not be delivered.
        clock: What time it is, for the signature.
        allow_insecure_loopback: Take ``http`` to this very machine, for tests.

    Raises:
        ConfigurationError: something is wired wrong.

    Security:
        No redirect is followed, no proxy taken from the environment, and nothing of a reply is read but its status.
    """

    def __init__(
        self, url: str, *, secret: bytes, tls: ssl.SSLContext | None = None, timeout: float = 10.0, attempts: int = 4,
        size: int = 1000, workers: int = 4, observer: Observer | None = None,
        clock: Callable[[], datetime] = utc_now, allow_insecure_loopback: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(size=size, workers=workers, observer=observer)
        self._url = _checked(url, loopback=allow_insecure_loopback is True)
        if type(secret) is not bytes or len(secret) < _SHORTEST_SECRET:
            msg = "secret must be 32 bytes or more, as secrets.token_bytes(32) makes them"
            raise ConfigurationError(msg)
        if type(timeout) not in (int, float) or not 0 < timeout <= 60:  # noqa: PLR2004 - a minute is a bound
            msg = "timeout must be a number of seconds up to 60"
            raise ConfigurationError(msg)
        if type(attempts) is not int or not 1 <= attempts <= 10:  # noqa: PLR2004 - more is another day
            msg = "attempts must be a whole number from 1 to 10"
            raise ConfigurationError(msg)
        self._secret = Secret(secret.hex())
        self._tls, self._timeout, self._attempts, self._clock = context(tls), float(timeout), attempts, clock

    def _check(self, message: Message) -> None:
        key: object = message.key
        if type(key) is not str or not key.isascii() or not key.isprintable() or not 0 < len(key) <= 255:  # noqa: PLR2004
            msg = "the key cannot stand in a header"
            raise DeliveryError(msg)
        try:
            _body(message)
        except (TypeError, ValueError):
            msg = "the message cannot be written as JSON"
            raise DeliveryError(msg) from None

    def _deliver(self, message: Message, stop: threading.Event) -> None:
        body = _body(message)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts) | tenacity.stop_when_event_set(stop),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT),
            sleep=tenacity.sleep_using_event(stop),
            retry=tenacity.retry_if_exception_type(_TryAgain),
            reraise=True,
        )
        # A loop of its own, so that an attempt ends in time whatever the receiver does with the connection.
        retrying(lambda: asyncio.run(self._post(body, message.key)))

    async def _post(self, body: bytes, key: str) -> None:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Kyc-Verify-Signature": self._signature(body),
        }
        try:
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(verify=self._tls, timeout=self._timeout, trust_env=False) as client,
                client.stream("POST", self._url, content=body, headers=headers) as reply,
            ):
                status = reply.status_code
        except (httpx.TransportError, TimeoutError) as error:
            raise _TryAgain from error
        if status >= 500 or status in _BUSY:  # noqa: PLR2004 - server errors
            raise _TryAgain
        if not 200 <= status < 300:  # noqa: PLR2004 - success
            msg = "the receiver refused the message"
            raise DeliveryError(msg)

    def _signature(self, body: bytes) -> str:
        at = int(self._clock().timestamp())
        tag = hmac.new(bytes.fromhex(self._secret.reveal()), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return f"t={at},v1={tag}"


def _checked(url: object, *, loopback: bool) -> httpx.URL:
    try:
        found = httpx.URL(url) if type(url) is str else None
    except (httpx.InvalidURL, ValueError):
        found = None
    secure = found is not None and found.scheme == "https"
    local = found is not None and found.scheme == "http" and loopback and found.host in _LOOPBACK
    whole = found is not None and found.host and 0 < (found.port or 1) <= _LAST_PORT
    if found is None or not whole or found.userinfo or found.fragment or not (secure or local):
        msg = "url must be an https address without a log-in in it"
        raise ConfigurationError(msg)
    return found


def _body(message: Message) -> bytes:
    body = {
        "channel": message.channel,
        "destination": message.destination,
        "key": message.key,
        "language": message.language,
        "subject": message.subject,
        "text": message.text,
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
