"""The PASSporT (RFC 8225): a signed token in three parts, read strictly and believed not at all.

What is read here has not been verified: only its form has. One spelling is accepted of each thing: canonical
base64url, one value a name, numbers that are numbers, and an algorithm that is not the token's to choose.
"""

from __future__ import annotations

import json
import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn

from kyc_verify.signals.stir import claims
from kyc_verify.signals.stir.claims import Claims
from kyc_verify.signals.stir.header import Identity, parameters
from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["DIVERTS", "SHAKEN", "Passport", "host", "read"]

SHAKEN: Final = "shaken"
DIVERTS: Final = "div"

_SIGNATURE: Final = 64
_KEPT: Final = 256
_LONGEST_ADDRESS: Final = 2048
# No user, no port but the usual one, no fragment, no backslash: two readers must not see two hosts.
_ADDRESS: Final = re.compile(r"https://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::443)?/[!$-;=?-\[\]_a-z~%]*\Z", re.ASCII)

# The alphabet of RFC 4648 section 5 to that of section 4, and everything else to what is in neither.
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PLAIN: Final = bytes(octet if octet in _ALPHABET else ord("!") for octet in range(256)).translate(
    bytes.maketrans(b"-_", b"+/")
)
# A last character may hold bits of no octet: they are zero in the one spelling that is taken.
_LAST: Final = {2: _ALPHABET[::16], 3: _ALPHABET[::4]}


class Passport(NamedTuple):
    """One token, split and read; a tuple, being made for each call.

    Attributes:
        ppt: Its extension, ``shaken`` or ``div`` ...; None when it has none.
        x5u: Where its certificate is published.
        claims: What it claims.
        signed: What the signature is of.
        signature: The raw signature, r and s.
    """

    ppt: str | None
    x5u: str
    claims: Claims
    signed: bytes
    signature: bytes


def read(identity: Identity) -> Passport:
    """Check all of a token that needs no key.

    Raises:
        Refusal: the first thing that is wrong with it.
    """
    token, beside = identity
    try:
        header, payload, signature = token.split(b".")
    except ValueError:
        raise Refusal("malformed") from None
    ppt, x5u = _head(header, beside)
    text = _decoded(payload)
    if ppt == SHAKEN:
        found = claims.glanced(text) or claims.attestation(_object(text))
    elif ppt == DIVERTS:
        found = claims.diversion(_object(text))
    else:
        _object(text)
        found = claims.NOTHING
    raw = _decoded(signature)
    if len(raw) != _SIGNATURE:
        raise Refusal("signature_form")
    return Passport(ppt, x5u, found, header + b"." + payload, raw)


@lru_cache(maxsize=_KEPT)
def _head(header: bytes, beside: bytes) -> tuple[str | None, str]:
    """Return extension and certificate address of a token, kept because all tokens of one provider begin alike."""
    around = parameters(beside)
    if not header:
        # The compact form of RFC 8224 section 7: the receiver would put header and claims together from the SIP
        # message. RFC 8588 section 5 has claims that no message holds, so an attestation never comes this way.
        raise Refusal("compact_form" if "ppt" in around else "ppt_missing")
    said = _object(_decoded(header))
    if said.get("alg") != "ES256":
        raise Refusal("alg")
    if said.get("typ") != "passport":
        raise Refusal("typ")
    if "crit" in said or "b64" in said:
        raise Refusal("crit")
    ppt, x5u = said.get("ppt"), said.get("x5u")
    if ppt is not None and type(ppt) is not str:
        raise Refusal("ppt_unsupported")
    if type(x5u) is not str or len(x5u) > _LONGEST_ADDRESS or host(x5u) is None:
        raise Refusal("x5u")
    if around:
        _agree(around, ppt, x5u)
    return ppt, x5u


def _agree(around: dict[str, str], ppt: str | None, x5u: str) -> None:
    """What stands beside a token says the same as the token."""
    if "info" not in around:
        raise Refusal("info_missing")
    if around["info"] != x5u:
        raise Refusal("info_mismatch")
    if around.get("alg", "ES256") != "ES256":
        raise Refusal("alg_mismatch")
    if around.get("ppt") != ppt:
        raise Refusal("ppt_mismatch")


@lru_cache(maxsize=_KEPT)
def host(address: str) -> str | None:
    """Return the host of an https address, or None when it is not one plain address."""
    found = _ADDRESS.match(address)
    return found[1] if found else None


def _decoded(part: bytes) -> bytes:
    over = len(part) % 4
    if over == 1 or (over and part[-1] not in _LAST[over]):
        raise Refusal("not_base64url")
    try:
        return a2b_base64(part.translate(_PLAIN) + b"=" * (-over % 4), strict_mode=True)
    except BadBase64:
        raise Refusal("not_base64url") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal("duplicate_key")
    return found


def _no_number(constant: str) -> NoReturn:
    del constant  # NaN or an infinity
    raise Refusal("not_json")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)


def _object(octets: bytes) -> dict[str, Any]:
    try:
        found = _JSON.decode(octets.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal("not_json") from None
    if type(found) is not dict:
        raise Refusal("not_json")
    return found
