"""What both wires share: the request as httpx has it, a body of bounded size, and what an error means."""

from __future__ import annotations

from typing import Final

import httpx

from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.terms import Secret

__all__ = ["ONE", "Body", "failure", "made"]

ONE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)

_LARGEST: Final = 64 * 1024
_DIGITS: Final = 6
_FOR_EVER: Final = 1e6
_UNREACHED: Final = Failure("could not be reached", sent=False)
_LATE: Final = Failure("did not answer in time")
_BROKEN: Final = Failure("broke off, or sent what is no reply")
_TOO_LARGE: Final = Failure("sent more than a reply may hold")
_ENCODED: Final = Failure("sent a reply in an encoding that was not asked for")


def made(base: str, request: Request, authorisation: Secret) -> httpx.Request:
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


def failure(error: Exception) -> Failure:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _UNREACHED
    return _LATE if isinstance(error, httpx.TimeoutException | TimeoutError) else _BROKEN


class Body:
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
    if not wanted.isascii() or not wanted.isdecimal():
        return 0.0
    return float(wanted) if len(wanted) < _DIGITS else _FOR_EVER
