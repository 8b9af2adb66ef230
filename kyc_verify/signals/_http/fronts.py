"""What a verifier is given: sources of signals and services of codes, sync and async, over the same operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from kyc_verify.errors import DeliveryError, SignalError
from kyc_verify.ports import Message, SignalQuery
from kyc_verify.signals._http.direct import finished
from kyc_verify.signals._http.exchange import NO_TOKEN, Failure, Line, Reply, Request, ask, deadline
from kyc_verify.signals._http.reading import Unreadable
from kyc_verify.terms import Outcome, Secret

__all__ = [
    "UNREADABLE",
    "AsyncCodes",
    "AsyncSource",
    "CodeOperation",
    "Codes",
    "Operation",
    "Said",
    "Source",
    "not_covered",
    "useless",
]

Said: TypeAlias = Mapping[str, object]
"""What a source says: ``covered``, and what it knows; or ``failed`` and why, which no check takes for good."""

UNREADABLE: Final = Failure("sent a reply that is not what it publishes")
_OLDER: Final = Failure("went on with an older code, which could not be ended")


def useless(why: str) -> Said:
    """Return what is said when the source was asked in vain because of the number: it counts against the caller."""
    return {"covered": True, "failed": why}


def not_covered(query: SignalQuery, why: str) -> Said:
    """Return what is said of a number that the source does not cover.

    Only a number on record is not covered. A caller shows what number they like: they must not be able to turn a
    failed check into one that does not count.
    """
    return useless(why) if query.contact is None else {"covered": False}


class Operation(ABC):
    """One thing that a provider can be asked of a number. Pure: what it returns depends on what it is given alone."""

    name: str

    @abstractmethod
    def request(self, query: SignalQuery) -> Request | Said | Failure:
        """Return what to ask; or what to say at once, where nothing can be asked."""

    @abstractmethod
    def read(self, reply: Reply, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """Return what a reply says; `about` is the request's.

        Raises:
            Unreadable: it is not what was published.
        """

    def secret(self, query: SignalQuery) -> Callable[[], Any] | None:
        """Return what gives the token, where it is not the client's own but one of the caller's device."""
        del query
        return None

    def without_token(self) -> Said | Failure:
        """Return what is said when there is no token."""
        return NO_TOKEN


class CodeOperation(ABC):
    """How a provider is told to send a code, and asked about one. Pure, as an `Operation`."""

    name: str
    own_words: bool = False

    @abstractmethod
    def sending(self, message: Message) -> Request | Failure:
        """Return what to ask; never repeated once it may have arrived."""

    @abstractmethod
    def handle(self, reply: Reply, message: Message) -> str | Request | Failure:
        """Return the handle of what was sent; or what must be asked before it is sent anew.

        Raises:
            Unreadable: it is not what was published.
        """

    def ended(self, reply: Reply) -> bool:
        """Whether what had to be asked before was done.

        Raises:
            Unreadable: it is not what was published.
        """
        del reply
        return False

    @abstractmethod
    def checking(self, handle: str, code: Secret) -> Request | Outcome:
        """Return what to ask; or the outcome at once, of what can be no code or no handle of ours."""

    @abstractmethod
    def outcome(self, reply: Reply, handle: str) -> Outcome | Failure:
        """Return how the code did.

        Raises:
            Unreadable: it is not what was published.
        """


# ── The order of I/O, once ───────────────────────────────────────────────────────────────────────────────────────────


async def _look_up(line: Line, operation: Operation, query: SignalQuery) -> Said | Failure:
    ends = deadline(line)
    try:
        asked = operation.request(query)
    except Exception:  # noqa: BLE001 - the host's own code, which knows the customer
        return Failure("was not asked: what to ask could not be had", sent=False)
    if not isinstance(asked, Request):
        return asked
    reply = await ask(line, asked, ends=ends, secret=operation.secret(query))
    if reply is NO_TOKEN:
        return operation.without_token()
    return reply if isinstance(reply, Failure) else _read(partial(operation.read, reply, query, asked.about))


async def _send(line: Line, operation: CodeOperation, message: Message) -> str | Failure:
    ends = deadline(line)
    asked = operation.sending(message)
    if isinstance(asked, Failure):
        return asked
    found = await _sent(line, operation, message, asked, ends)
    if isinstance(found, Request):
        # A code that was begun before would be good for two purposes: it is ended first, and this one begun anew.
        reply = await ask(line, found, ends=ends)
        if isinstance(reply, Failure) or _read(partial(operation.ended, reply)) is not True:
            return _OLDER
        found = await _sent(line, operation, message, asked, ends)
    return _OLDER if isinstance(found, Request) else found


async def _sent(
    line: Line, operation: CodeOperation, message: Message, asked: Request, ends: float
) -> str | Request | Failure:
    reply = await ask(line, asked, ends=ends)
    found: str | Request | Failure
    found = reply if isinstance(reply, Failure) else _read(partial(operation.handle, reply, message))
    return found


async def _check(line: Line, operation: CodeOperation, handle: str, code: Secret) -> Outcome | Failure:
    ends = deadline(line)
    asked = operation.checking(handle, code)
    if isinstance(asked, Outcome):
        return asked
    reply = await ask(line, asked, ends=ends)
    return reply if isinstance(reply, Failure) else _read(partial(operation.outcome, reply, handle))


def _read(reading: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the operation's own type says
    try:
        return reading()
    except Unreadable:
        return UNREADABLE


# ── The fronts ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Front:
    """One operation over one line."""

    def __init__(self, line: Line, operation: Any) -> None:  # noqa: ANN401 - an operation of the front's kind
        self._line, self._operation = line, operation

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._line.provider!r}, {self._operation.name!r})"

    @property
    def own_words(self) -> bool:
        """Whether the provider says something else than it is told to; see `CodeService`."""
        return bool(getattr(self._operation, "own_words", False))

    def _said(self, found: Said | Failure) -> Said:
        if isinstance(found, Failure):
            raise SignalError(self._message(found))
        return found

    def _handle(self, found: str | Failure) -> str:
        if isinstance(found, Failure):
            raise DeliveryError(self._message(found))
        return found

    def _outcome(self, found: Outcome | Failure) -> Outcome:
        if isinstance(found, Failure):
            raise SignalError(self._message(found))
        return found

    def _message(self, failure: Failure) -> str:
        return f"{self._line.provider} {self._operation.name} {failure.text}"


class Source(_Front):
    """A `SignalSource` for a `Verifier`."""

    def get(self, query: SignalQuery) -> Said:
        """Ask the provider about the query's number.

        Returns:
            A mapping with ``covered`` and what the provider knows, as its page says.

        Raises:
            SignalError: it failed, and the check fails with it; the message never quotes it.
        """
        return self._said(finished(_look_up(self._line, self._operation, query)))


class AsyncSource(_Front):
    """A `SignalSource` for an `AsyncVerifier`."""

    async def get(self, query: SignalQuery) -> Said:
        """As `Source.get`.

        Raises:
            SignalError: as there.
        """
        return self._said(await _look_up(self._line, self._operation, query))


class Codes(_Front):
    """A `CodeService` for a `Verifier`: the provider makes the code, sends it and judges it."""

    def send(self, message: Message) -> str:
        """Have a code sent; returns the provider's handle, bound to this service.

        Raises:
            DeliveryError: it was not sent, or nobody can tell; nothing is tried twice that may have arrived.
        """
        return self._handle(finished(_send(self._line, self._operation, message)))

    def check(self, handle: str, code: str) -> Outcome:
        """Have a code judged; PASS is only what the provider clearly approved.

        Raises:
            SignalError: the provider could not say; the check fails with it.
        """
        said = Secret(code)
        del code
        return self._outcome(finished(_check(self._line, self._operation, handle, said)))


class AsyncCodes(_Front):
    """A `CodeService` for an `AsyncVerifier`."""

    async def send(self, message: Message) -> str:
        """As `Codes.send`.

        Raises:
            DeliveryError: as there.
        """
        return self._handle(await _send(self._line, self._operation, message))

    async def check(self, handle: str, code: str) -> Outcome:
        """As `Codes.check`.

        Raises:
            SignalError: as there.
        """
        said = Secret(code)
        del code
        return self._outcome(await _check(self._line, self._operation, handle, said))
