"""One question to a provider: what is asked, what may come back, and when it is asked again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from kyc_verify.terms import Secret

__all__ = ["NO_TOKEN", "Failure", "Line", "Reply", "Request", "Scheme", "Wire", "ask", "deadline"]

_TRIES: Final = 3
_BUSY: Final = frozenset((429, 500, 502, 503, 504))
_BACKOFF: Final = wait_exponential(multiplier=0.1, max=1.0) + wait_random(0, 0.1)
_LONGEST_TOKEN: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        method: ``GET`` or ``POST``.
        path: After the provider's base URL; it may hold a number.
        body: What is sent with it.
        kind: The body's media type.
        headers: Beside those that every request has.
        repeatable: Whether asking twice does no harm. A code is never sent, and never judged, twice.
        about: What was asked about, for whoever reads the reply; it is not sent.
    """

    method: str
    path: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    repeatable: bool = True
    about: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whole and within its bounds; nothing of it is believed yet."""

    status: int
    kind: str = field(repr=False)
    body: bytes = field(repr=False)
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer; the text never quotes the provider.

    Attributes:
        text: What happened, after the provider's name.
        sent: False: nothing reached the provider, for certain.
    """

    text: str
    sent: bool = True


NO_TOKEN: Final = Failure("was not asked: the token could not be had, or is no token", sent=False)


class Wire(ABC):
    """How the world is reached: awaited, or directly."""

    @abstractmethod
    async def exchange(self, base: str, request: Request, authorisation: Secret, *, ends: float) -> Reply | Failure:
        """Ask once; whatever goes wrong is a `Failure`, at the latest at `ends` by the monotonic clock."""

    @abstractmethod
    async def call(self, work: Callable[[], Any], *, ends: float) -> object:
        """Call the host's own code; what it raises passes through."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Wait a moment."""


Scheme: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Where a provider is, and how it knows us.

    Attributes:
        base: Its base URL.
        provider: Its name in messages.
        wire: How it is reached.
        within: Seconds that everything together may take: the token, all tries, and the waiting between them.
        secret: Returns the token or the key, anew for each question.
        scheme: Makes the Authorization header of it.
    """

    base: str
    provider: str
    wire: Wire = field(repr=False)
    within: float
    secret: Callable[[], Any] = field(repr=False)
    scheme: Scheme = field(repr=False)


def deadline(line: Line) -> float:
    """Return when what begins now must be over, by the monotonic clock."""
    return time.monotonic() + line.within


async def ask(line: Line, request: Request, *, ends: float, secret: Callable[[], Any] | None = None) -> Reply | Failure:
    """Ask, again where that is safe, and return the reply whatever its status.

    Args:
        line: Whom.
        request: What.
        ends: When there must be an answer, by the monotonic clock.
        secret: Returns the token, where it is not the line's own.
    """
    try:
        authorisation = _header(line.scheme, await line.wire.call(secret or line.secret, ends=ends))
    except Exception:  # noqa: BLE001 - the host's own code, which may quote the token
        authorisation = None
    if authorisation is None:
        return NO_TOKEN
    retrying = AsyncRetrying(
        sleep=line.wire.pause,
        stop=stop_after_attempt(_TRIES) | stop_before_delay(ends - time.monotonic()),
        wait=_wait,
        retry=retry_if_result(partial(_again, request)),
        retry_error_callback=_last,
    )
    found: Reply | Failure = await retrying(line.wire.exchange, line.base, request, authorisation, ends=ends)
    return found


def _header(scheme: Scheme, token: object) -> Secret | None:
    # A line break in a header would be a second header.
    if type(token) is not str or not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
        return None
    return None if not token.isprintable() or " " in token else Secret(scheme(token))


def _again(request: Request, found: Reply | Failure) -> bool:
    if isinstance(found, Failure):
        return request.repeatable or not found.sent
    return request.repeatable and found.status in _BUSY


def _wait(state: RetryCallState) -> float:
    found = _last(state)
    asked = found.retry_after if isinstance(found, Reply) else 0.0
    return max(asked, _BACKOFF(state))


def _last(state: RetryCallState) -> Reply | Failure:
    found: Reply | Failure = Failure("was not asked") if state.outcome is None else state.outcome.result()
    return found
