"""Who calls, about whom, and for how much: the values a CRM builds for each request.

A `Call` comes from the CRM's own log-in and telephony, never from the caller or the browser: build it anew for each
request, so that a role taken away stops the next step.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from kyc_verify.errors import UsageError
from kyc_verify.terms import Channel

__all__ = ["MAX_ID", "Call", "Contact", "Customer", "Stake", "aware", "exact_id"]

MAX_ID: Final = 200
"""Characters an identifier may have."""

_MAX_AMOUNT: Final = Decimal(10) ** 15
_CURRENCY_CODE: Final = re.compile(r"[A-Z]{3}\Z")
_CALLED: Final = frozenset(("sms", "voice"))
_CHANNELS: Final = frozenset(channel.value for channel in Channel)
_PLACES: Final = 6
_SMALLEST: Final = Decimal("0.000001")
# Wide enough for every amount that is looked at, so that nothing is ever rounded; the host's own context is not used.
_EXACT: Final = Context(prec=2 * MAX_ID)


def exact_id(value: object, what: str) -> str:
    """Return an identifier as it is, or refuse it; nothing is ever trimmed, folded or converted.

    Raises:
        UsageError: not a str, empty, over 200 characters, not NFC, with space around it, or not printable. Two
            spellings of one identifier would be two counters for one customer.
    """
    if type(value) is not str:
        msg = f"{what} must be a str"
        raise UsageError(msg)
    if not value or len(value) > MAX_ID:
        msg = f"{what} must have 1 to {MAX_ID} characters"
        raise UsageError(msg)
    if not value.isprintable() or value != value.strip() or unicodedata.normalize("NFC", value) != value:
        msg = f"{what} must be printable NFC text without space around it"
        raise UsageError(msg)
    return value


def aware(value: object, what: str) -> datetime:
    """Return an aware datetime as it is.

    Raises:
        UsageError: not a datetime, or naive: nobody knows which instant a naive one means.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        msg = f"{what} must be an aware datetime (use datetime.now(UTC))"
        raise UsageError(msg)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One leg of one conversation, and who handles it.

    Attributes:
        id: The telephony's id of the conversation; the same on every leg.
        agent: Who handles this leg.
        roles: What that agent may do now, from the CRM's log-in. ``auditor`` is needed for `explain`.
        number: The presented number, as signalled; None when there is none.
        attestation: What the network verified of that number: ``A``, ``B``, ``C``, ``failed`` or None. Only
            ``A`` counts fully (RFC 8588 section 4).
        region: Where a national number is at home, as in ``FR``.
    """

    id: str
    agent: str
    roles: Collection[str] = frozenset()
    number: str | None = None
    attestation: str | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        exact_id(self.id, "Call.id")
        exact_id(self.agent, "Call.agent")
        roles: object = self.roles
        if isinstance(roles, str) or not isinstance(roles, Iterable):
            msg = "Call.roles must be a set of role names"
            raise UsageError(msg)
        object.__setattr__(self, "roles", frozenset(exact_id(role, "a role of Call.roles") for role in roles))
        for name in ("number", "attestation", "region"):
            value: object = getattr(self, name)
            if value is not None and type(value) is not str:
                msg = f"Call.{name} must be a str or None"
                raise UsageError(msg)

    def __repr__(self) -> str:
        return f"Call(id={self.id!r}, agent={self.agent!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A number or an address of the customer, as the CRM has it now.

    Attributes:
        number: The number in international form, or the e-mail address.
        since: Since when the CRM has it; None when it does not know.
        changed_at: When it was last changed; None when never.
        shared: Whether others use it too (a household, a switchboard): it then gives no credit.
        channels: What it is for: ``sms``, ``voice``, ``email``; a number is for ``sms`` and ``voice`` by default.
    """

    number: str = field(repr=False)
    since: datetime | None = None
    changed_at: datetime | None = None
    shared: bool = False
    channels: Collection[str] = _CALLED

    def __post_init__(self) -> None:
        if type(self.number) is not str or type(self.shared) is not bool:
            msg = "Contact.number must be a str and Contact.shared a bool"
            raise UsageError(msg)
        for name in ("since", "changed_at"):
            if getattr(self, name) is not None:
                aware(getattr(self, name), f"Contact.{name}")
        given: object = self.channels
        channels = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (None,)
        if not all(isinstance(channel, str) and channel in _CHANNELS for channel in channels):
            msg = f"Contact.channels must be a set of {', '.join(sorted(_CHANNELS))}"
            raise UsageError(msg)
        mail = "@" in self.number and set(channels) == _CALLED
        object.__setattr__(self, "channels", frozenset(("email",) if mail else channels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What the CRM says of a customer at call time; nothing of it is stored.

    Attributes:
        active: Whether this is a customer who may be served; a closed, merged or deceased one is not.
        language: What the customer speaks (``fr-CA``); None when the CRM does not know.
        contacts: Numbers and addresses, the preferred one first.
        facts: Truths by check id, for checks that store nothing (the last transaction, say).
    """

    active: bool = True
    language: str | None = None
    contacts: Sequence[Contact] = ()
    facts: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if type(self.active) is not bool or type(self.language) not in (str, type(None)):
            msg = "Customer.active must be a bool, and Customer.language a str or None"
            raise UsageError(msg)
        contacts = tuple(self.contacts) if isinstance(self.contacts, Iterable) else (None,)
        if not all(isinstance(contact, Contact) for contact in contacts):
            msg = "Customer.contacts must hold Contact values"
            raise UsageError(msg)
        if not isinstance(self.facts, Mapping):
            msg = "Customer.facts must map check ids to facts"
            raise UsageError(msg)
        object.__setattr__(self, "contacts", contacts)
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a request moves, and to whom; bound into the code and the grant, so that a change voids both.

    Attributes:
        amount: Positive, at most six decimal places.
        currency: Three capital letters (ISO 4217).
        payee: Who receives it; None when nobody does.
    """

    amount: Decimal
    currency: str
    payee: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", exact_amount(self.amount, "Stake.amount"))
        exact_currency(self.currency, "Stake.currency")
        if self.payee is not None:
            exact_id(self.payee, "Stake.payee")

    def text(self) -> str:
        """One spelling for one stake: what codes and grants are bound to."""
        return f"{self.amount:f} {self.currency} {self.payee or ''}"


def exact_amount(value: object, what: str) -> Decimal:
    """Return an amount as a normalised Decimal.

    Raises:
        UsageError: a bool, a float (0.1 is not a tenth), not finite, not positive, too large, or too fine.
    """
    if type(value) not in (int, str, Decimal):
        msg = f"{what} must be an int, a Decimal or a str such as '12.50', not a float"
        raise UsageError(msg)
    try:
        text = str(value)  # a ValueError for an int of thousands of digits
        amount = Decimal(text if len(text) <= MAX_ID else "NaN")
    except (InvalidOperation, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 < amount <= _MAX_AMOUNT:
        msg = f"{what} must be more than 0 and at most {_MAX_AMOUNT}"
        raise UsageError(msg)
    if amount.adjusted() < -_PLACES or amount != amount.quantize(_SMALLEST, context=_EXACT):
        msg = f"{what} has more than {_PLACES} decimal places"
        raise UsageError(msg)
    return amount.normalize(_EXACT)


def exact_currency(value: object, what: str) -> str:
    """Return a currency code; raises UsageError unless it is three capital letters."""
    if type(value) is not str or not _CURRENCY_CODE.match(value):
        msg = f"{what} must be three capital letters (ISO 4217)"
        raise UsageError(msg)
    return value
