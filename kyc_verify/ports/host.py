"""The host's own services: clock, CRM, senders, code services, signal sources, observer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kyc_verify.call import Call, Contact, Customer
from kyc_verify.ports.store import MaybeAwaitable
from kyc_verify.terms import Outcome, Secret

__all__ = [
    "Clock",
    "CodeService",
    "Customers",
    "Message",
    "Notice",
    "Observer",
    "SeedSource",
    "Sender",
    "SignalQuery",
    "SignalSource",
]


class Clock(Protocol):
    """What time it is: an aware datetime."""

    def __call__(self) -> datetime:
        """Return the present instant."""
        ...


class Customers(Protocol):
    """The CRM."""

    def get(self, subject: str) -> MaybeAwaitable[Customer | None]:
        """Return the customer of exactly this id, or None. Never a similar one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to be sent or dialled.

    Attributes:
        channel: ``sms``, ``voice``, ``email``, ``callback`` ...
        destination: The number or address on record.
        text: What to say; it holds the code, or ``{{code}}`` where a `CodeService` puts its own.
        language: Of the text.
        key: Stable for this message: a gateway that sees it twice sends once.
        brief: The same in fewer words, for a `CodeService` that takes no more: purpose, stake, warning, ``{{code}}``.
        subject: What it is about, for a channel that shows that apart (e-mail); it does not hold the code.
    """

    channel: str
    destination: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    key: str
    subject: str | None = field(default=None, repr=False)
    brief: str | None = field(default=None, repr=False)


class Sender(Protocol):
    """Hands messages over. It only enqueues: how long it takes must not depend on the customer."""

    def send(self, message: Message) -> MaybeAwaitable[None]:
        """Enqueue, or raise."""
        ...


class CodeService(Protocol):
    """A provider that makes and judges its own codes or confirmations.

    One that sends words of its own, whatever `Message` says, has a true attribute ``own_words``: a code by SMS then
    says so by ``template="elsewhere"``, or the front is not made.
    """

    def send(self, message: Message) -> MaybeAwaitable[str]:
        """Start one; returns the provider's handle."""
        ...

    def check(self, handle: str, code: str) -> MaybeAwaitable[Outcome | None]:
        """Judge the code for that handle; None: not answered yet (a push that nobody has tapped)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuery:
    """What a signal source is asked.

    Attributes:
        subject: Whom the caller claims to be; None is never passed to a source.
        call: The call, with the presented number and its attestation.
        contact: The contact on record that is used for calls and codes; None when there is none.
        number: Its number in E.164.
    """

    subject: str
    call: Call
    contact: Contact | None
    number: str | None = field(repr=False)


class SignalSource(Protocol):
    """A carrier or a service that knows something of the call or the number."""

    def get(self, query: SignalQuery) -> MaybeAwaitable[object]:
        """Return what it knows, for the check's `judge`; raise when it fails."""
        ...


class SeedSource(Protocol):
    """Where the seeds of customers' authenticators are: the host's vault, or its database with sealed ones."""

    def get(self, subject: str, check: str) -> MaybeAwaitable[Secret | str | None]:
        """Return the seed of exactly this customer and check; raise when it cannot be read.

        A `Secret` is the seed in clear, base32; a str is one that `kyc_verify.totp.seal_seed` sealed; None: there is
        none, and the check is not asked.
        """
        ...


class Notice(StrEnum):
    """What an `Observer` is told; a closed set."""

    BAD_SEAL = "bad_seal"
    MISSING_KEY = "missing_key"
    BUDGET_SPENT = "budget_spent"
    BUDGET_REFUSED = "budget_refused"
    BLOCK_IMMINENT = "block_imminent"
    SIGNAL_FAILED = "signal_failed"
    CIRCUIT_OPEN = "circuit_open"
    DELIVERY_FAILED = "delivery_failed"
    SEND_REFUSED = "send_refused"
    CHECK_FAILED = "check_failed"
    CONFLICT = "conflict"
    DESTINATION_BUSY = "destination_busy"
    COUNTRY_BUSY = "country_busy"
    AGENT_BUSY = "agent_busy"
    NUMBER_BUSY = "number_busy"
    REVIEW = "review"
    REDEEM_REFUSED = "redeem_refused"


class Observer(Protocol):
    """Alarms and notices, without personal data; what it raises changes nothing."""

    def notice(self, event: Notice) -> None:
        """Take note."""
        ...
