"""The contact that calls and codes use, and whether it may be trusted yet.

A number gives credit only when we have seen it for the policy's cool-off. The CRM's own date is believed once: while
no number of the subject is kept at all. Whoever changes a number in the CRM and its date with it gains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kyc_verify.answers import Refused, phones
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.hashing import SecretHasher
from kyc_verify.ports import KnownNumber
from kyc_verify.terms import Channel

__all__ = ["Known", "Numbers", "contact_for", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A contact with what we know of it."""

    contact: Contact
    canonical: str = field(repr=False)
    fingerprint: str
    first_seen: datetime

    def trusted(self, now: datetime, cool_off: timedelta) -> bool:
        """Whether it gives credit: not shared, and seen for long enough."""
        changed = self.contact.changed_at
        since = self.first_seen if changed is None else max(self.first_seen, changed)
        return not self.contact.shared and now - since >= cool_off


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """All contacts of a customer, in the CRM's order, and those to note as new."""

    known: tuple[Known, ...] = ()
    new: tuple[KnownNumber, ...] = ()

    def of(self, channel: Channel) -> Known | None:
        """Return the first contact for a channel."""
        return next((each for each in self.known if channel.value in each.contact.channels), None)

    @property
    def main(self) -> Known | None:
        """The number that calls come from and go to."""
        return self.of(Channel.VOICE) or self.of(Channel.SMS)


def _canonical(contact: Contact, region: str | None) -> str | None:
    if "email" in contact.channels:
        address = contact.number
        return address if "@" in address and address.isprintable() and " " not in address else None
    try:
        return phones.canonical(contact.number, region=region)
    except Refused:
        return None


def look(
    customer: Customer | None, kept: Iterable[KnownNumber], *, hasher: SecretHasher, tenant: str, subject: str,
    call: Call, now: datetime,
) -> Numbers:  # fmt: skip
    """Recognise the customer's contacts by their fingerprints, under every key of the keyring."""
    if customer is None:
        return Numbers()
    seen = {each.fingerprint: each.first_seen for each in kept}
    first = not seen
    known: list[Known] = []
    new: list[KnownNumber] = []
    for contact in customer.contacts:
        canonical = _canonical(contact, call.region)
        if canonical is None:
            continue
        prints = hasher.number_fingerprints(canonical, tenant=tenant, subject=subject)
        times = [seen[each] for each in prints if each in seen]
        believed = contact.since if first and contact.since is not None else now
        since = min(times, default=min(believed, now))
        if prints[0] not in seen:
            new.append(KnownNumber(fingerprint=prints[0], first_seen=since))
        known.append(Known(contact=contact, canonical=canonical, fingerprint=prints[0], first_seen=since))
    return Numbers(known=tuple(known), new=tuple(new))


def contact_for(customer: Customer | None, *, hasher: SecretHasher, tenant: str, subject: str, call: Call) -> str:
    """Return the fingerprint of the number a grant rests on; empty when there is none."""
    contacts = () if customer is None else customer.contacts
    for channel in (Channel.VOICE, Channel.SMS):
        for contact in contacts:
            if channel.value in contact.channels and (canonical := _canonical(contact, call.region)) is not None:
                return hasher.number_fingerprints(canonical, tenant=tenant, subject=subject)[0]
    return ""
