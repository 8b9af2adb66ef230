"""What telephony platforms say of a call, turned into a `Call`.

Who handles the call comes from the CRM's own log-in and never from a payload. What a payload says of an attestation
counts only as far as its way here is known: a webhook whose signature holds, a SIP peer that is trusted to strip what
others wrote, a switch that verified the call itself. A payload that cannot be believed or read is a `SignalError`, and
there is then no call to verify by its number.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from kyc_verify.answers import Refused, phones
from kyc_verify.call import Call
from kyc_verify.errors import SignalError, UsageError
from kyc_verify.signals import verstat
from kyc_verify.signals._payload import Fields, call, fields, form
from kyc_verify.signals.attested import Attested

__all__ = ["amazon_connect", "asterisk", "freeswitch", "sip_headers", "twilio_voice"]

# A header's address: a name in quotes or words, then the address in angle brackets, or the address alone.
# Nothing that was matched is given back: a header of the caller's own must not cost more than its length.
_NAMED: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"\s*+|[^"<>]*+)<([^<>"]*+)>([^<>"]*+)\Z', re.DOTALL)
_BARE: Final = re.compile(r"([a-z]++:[^\s<>\",]*+)\Z", re.IGNORECASE)
_LONGEST: Final = 1_000
"""Characters of a header that names somebody; of a longer one nothing is read."""
_USER: Final = re.compile(r"(?:sips?|tel):([^@;?]*)", re.IGNORECASE)
_VERSTAT: Final = re.compile(r";\s*verstat\s*=\s*([^;>@?\s]*)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[-0-9().]{3,40}\Z", re.ASCII)
_SHORT: Final = {"f": "from", "i": "call-id", "y": "identity"}
_LEVEL_HEADERS: Final = ("p-attestation-indicator", "attestation-info")
_SPACES: Final = re.compile(r"\s+")

_TRUNKS: Final[Mapping[str, Callable[[object, object], Attested]]] = {
    "sip": verstat.sip,
    "bandwidth": verstat.bandwidth,
    "telnyx": lambda word, _: verstat.telnyx(word),
}
# These say it in a header of their own.
_OWN_HEADERS: Final[Mapping[str, tuple[str, Callable[[object], Attested]]]] = {
    "twilio": ("x-twilio-verstat", verstat.twilio),
    "plivo": ("x-plivo-stir-verification", verstat.plivo),
}


def twilio_voice(
    body: bytes | str | Mapping[str, str],
    *,
    url: str,
    signature: str | None,
    auth_token: str,
    agent: str,
    roles: Collection[str] = (),
    region: str | None = None,
) -> Call:
    """Return the call of a Twilio voice webhook whose signature holds.

    Args:
        body: The form as it came; empty for a GET request, whose parameters are in the address.
        url: The address that Twilio called, exactly: scheme, host, port if it names one, path and query.
        signature: The header ``X-Twilio-Signature``.
        auth_token: The account's token; used here and not kept.
        agent: Who handles the call, from the CRM's log-in.
        roles: Likewise.
        region: Where a national number is at home.

    Raises:
        SignalError: the signature does not hold, a parameter stands twice, or it is not an incoming call.
    """
    sent = form(body) if body else []
    if not _is_from_twilio(sent, url=url, signature=signature, auth_token=auth_token):
        msg = "the webhook's signature does not hold; nothing of it was used"
        raise SignalError(msg)
    said = fields(sent or form(urlsplit(url).query))
    if _one(said, "Direction") != "inbound":
        msg = "the webhook is not of an incoming call; nothing of it was used"
        raise SignalError(msg)
    return call(
        id=_one(said, "CallSid"),
        agent=agent,
        roles=roles,
        number=_one(said, "From"),
        attestation=verstat.twilio(_one(said, "StirVerstat")).attestation,
        region=region,
    )


def _is_from_twilio(sent: Sequence[tuple[str, str]], *, url: object, signature: object, auth_token: object) -> bool:
    """HMAC-SHA1 of the address and the sorted parameters, as Twilio documents it; no other digest is on offer."""
    if type(url) is not str or type(signature) is not str or type(auth_token) is not str or not auth_token:
        return False
    signed = url + "".join(name + value for name, value in sorted(set(sent)))
    try:
        made = hmac.digest(auth_token.encode(), signed.encode(), "sha1")
        return hmac.compare_digest(base64.b64encode(made), signature.encode())
    except UnicodeEncodeError:
        return False


def sip_headers(
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
    *,
    trusted_peer: bool,
    agent: str,
    roles: Collection[str] = (),
    region: str | None = None,
    provider: str = "sip",
) -> Call:
    """Return the call of an INVITE, from its headers.

    Args:
        headers: Every header by name, as pairs where one comes several times.
        trusted_peer: Whether they came from a peer that strips ``P-Asserted-Identity``, ``verstat`` and the like
            from what others send (RFC 3325 section 4). Otherwise anybody wrote them: the number is that of ``From``,
            and it is not attested.
        agent: Who handles the call, from the CRM's log-in.
        roles: Likewise.
        region: Where a national number is at home.
        provider: Whose words they are: ``sip`` (3GPP TS 24.229), ``bandwidth``, ``plivo``, ``telnyx``, ``twilio``.

    Raises:
        SignalError: they cannot be read, or name no call.
        UsageError: no such provider.
    """
    if provider not in _TRUNKS and provider not in _OWN_HEADERS:
        msg = "provider must be sip, bandwidth, plivo, telnyx or twilio"
        raise UsageError(msg)
    said = fields(headers, name=_header_name)
    address = _address(said, "p-asserted-identity") if trusted_peer is True else None
    number, word = address if address is not None else _address(said, "from") or (None, None)
    attestation = None
    if trusted_peer is True and not _diverted(said):
        attestation = _attested(said, word, provider).attestation
    return call(
        id=_one(said, "call-id"), agent=agent, roles=roles, number=number, attestation=attestation, region=region
    )


def _diverted(said: Fields) -> bool:
    """Whether the call was meant for another number at first: RFC 5806, and RFC 7044 as mobile networks send it."""
    history = ",".join(said.get("history-info", ())).lower()
    return "diversion" in said or "," in history or any(mark in history for mark in ("cause=", ";mp=", ";rc="))


def _header_name(name: str) -> str:
    plain = name.strip().lower()
    return _SHORT.get(plain, plain)


def _attested(said: Fields, word: str | None, provider: str) -> Attested:
    if provider in _OWN_HEADERS:
        header, read = _OWN_HEADERS[provider]
        return read(_one(said, header))
    levels = {_one(said, header) for header in _LEVEL_HEADERS} - {None}
    # Two headers that differ are no level.
    return _TRUNKS[provider](word, levels.pop() if len(levels) == 1 else ",".join(map(str, levels)) or None)


def _address(said: Fields, header: str) -> tuple[str | None, str | None] | None:
    """Return number and ``verstat`` of a header; None where it is not there.

    What a display name says is the caller's own text, and is not looked at. Of several addresses (RFC 3325 permits a
    SIP and a telephone one) all must say the same number.
    """
    values = [part for value in said.get(header, ()) for part in _split(value)]
    if not values:
        return None
    found = [_read_address(value) for value in values]
    numbers = {number for number, _ in found}
    words = {word for _, word in found if word is not None}
    number = numbers.pop() if len(numbers) == 1 else None
    return number, words.pop() if len(words) == 1 else ",".join(sorted(words)) or None


def _split(value: str) -> list[str]:
    if len(value) > _LONGEST:
        return [""]
    return [part for part in re.findall(r'(?:[^,"<]|"(?:[^"\\]|\\.)*+"|<[^<>]*+>|["<])++', value) if part.strip()]


def _read_address(value: str) -> tuple[str | None, str | None]:
    value = value.strip()
    named = _NAMED.match(value) or _BARE.match(value)
    if named is None:
        return None, None
    address = named[1]
    words = _VERSTAT.findall(address + (named[2] if named.re is _NAMED else ""))
    user = _USER.match(address)
    number = user[1] if user and _NUMBER.match(user[1]) else None
    return number, ",".join(words) if words else None


def asterisk(channel: Mapping[str, str], *, agent: str, roles: Collection[str] = (), region: str | None = None) -> Call:
    """Return the call of an Asterisk channel that verified it itself (``res_stir_shaken``).

    Args:
        channel: What the dialplan hands over: ``LINKEDID``, ``CALLERID(num)``, ``STIR_SHAKEN(count)`` and, of the one
            identity, ``STIR_SHAKEN(0,identity)``, ``STIR_SHAKEN(0,attestation)``, ``STIR_SHAKEN(0,verify_result)``.
        agent: Who handles the call, from the CRM's log-in.
        roles: Likewise.
        region: Where a national number is at home.

    Raises:
        SignalError: it cannot be read, or names no call.
    """
    said = fields(channel, name=lambda name: _SPACES.sub("", name))
    number = _one(said, "CALLERID(num)")
    found = verstat.asterisk(_one(said, "STIR_SHAKEN(0,verify_result)"), _one(said, "STIR_SHAKEN(0,attestation)"))
    attestation = found.attestation
    if _one(said, "STIR_SHAKEN(count)") != "1" or not _same(_one(said, "STIR_SHAKEN(0,identity)"), number, region):
        # Of several identities it is not said which is the caller's.
        attestation = None if attestation is None else "failed"
    return call(
        id=_one(said, "LINKEDID"), agent=agent, roles=roles, number=number, attestation=attestation, region=region
    )


def freeswitch(
    variables: Mapping[str, str], *, agent: str, roles: Collection[str] = (), region: str | None = None
) -> Call:
    """Return the call of a FreeSWITCH channel, with what ``sofia_stir_shaken_vs`` verified on it.

    Args:
        variables: The channel's: ``uuid``, ``caller_id_number`` and ``sip_verstat_detailed``. Those that begin with
            ``sip_h_`` are headers as anybody may send them, and are not looked at: see `sip_headers`.
        agent: Who handles the call, from the CRM's log-in.
        roles: Likewise.
        region: Where a national number is at home.

    Raises:
        SignalError: they cannot be read, or name no call.
    """
    said = fields(variables, name=lambda name: name.removeprefix("variable_"))
    return call(
        id=_one(said, "uuid"),
        agent=agent,
        roles=roles,
        number=_one(said, "caller_id_number"),
        attestation=verstat.freeswitch(_one(said, "sip_verstat_detailed")).attestation,
        region=region,
    )


def amazon_connect(
    event: Mapping[str, object], *, agent: str, roles: Collection[str] = (), region: str | None = None
) -> Call:
    """Return the call of an Amazon Connect contact: the event that a flow gives a function, or its ``ContactData``.

    It is never attested: Amazon Connect documents no attribute that says so, and what a flow put in ``Attributes`` may
    be what the caller entered.

    Args:
        event: With ``InitialContactId`` (the same after a transfer) or ``ContactId``, ``Channel``,
            ``InitiationMethod`` and ``CustomerEndpoint``.
        agent: Who handles the call, from the CRM's log-in.
        roles: Likewise.
        region: Where a national number is at home.

    Raises:
        SignalError: it cannot be read, or is not a voice contact.
    """
    contact = _inside(_inside(event, "Details"), "ContactData") or event
    said = fields(contact)
    if _one(said, "Channel") != "VOICE":
        msg = "the contact is not a call; nothing of it was used"
        raise SignalError(msg)
    endpoint = fields(_inside(contact, "CustomerEndpoint") or {})
    # On a call that was made from here the endpoint is whom we dialled, which says nothing of who presented what.
    incoming = _one(said, "InitiationMethod") in {"INBOUND", "TRANSFER"}
    telephone = _one(endpoint, "Type") == "TELEPHONE_NUMBER"
    return call(
        id=_one(said, "InitialContactId") or _one(said, "ContactId"),
        agent=agent,
        roles=roles,
        number=_one(endpoint, "Address") if incoming and telephone else None,
        attestation=None,
        region=region,
    )


def _inside(payload: object, name: str) -> Mapping[str, object] | None:
    try:
        found = payload.get(name) if isinstance(payload, Mapping) else None
    except Exception:  # noqa: BLE001 - whatever a payload does when it is looked at, it is not one
        return None
    return found if isinstance(found, Mapping) else None


def _one(said: Fields, name: str) -> str | None:
    values = said.get(name, ())
    if len(values) > 1:
        msg = "a field of the payload stands twice; nothing of it was used"
        raise SignalError(msg)
    return values[0] if values else None


def _same(identity: str | None, number: str | None, region: str | None) -> bool:
    if identity is None or number is None:
        return False
    try:
        return phones.same(phones.canonical(identity, region=region), phones.canonical(number, region=region))
    except Refused:
        return False
