"""A certificate and those above it, up to one that is trusted: all that can be said without knowing the time.

What is said here of a chain never changes, so it is kept, for as many chains as there are providers. The dates are
kept beside it and held against `now` each time.

The path is checked here and not by `cryptography.x509.verification`: that judges for one moment, and refuses a
critical list of numbers, which it does not know. Names and signatures are still its business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.oid import ExtensionOID

from kyc_verify.signals.stir import authority
from kyc_verify.signals.stir.authority import Authority
from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["Material", "Validated", "read", "validated", "vouched", "vouched_key"]

Material = bytes | str | x509.Certificate
"""One certificate, or several in one PEM text: PEM, DER or read already."""

_LONGEST: Final = 65_536
_MOST: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FOREVER: Final = 10**18
_KEPT: Final = 256
_NUMBERS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
# JWTClaimConstraints (RFC 8226 section 8) and its successor (RFC 9118).
_LIMITS: Final = frozenset(x509.ObjectIdentifier(f"1.3.6.1.5.5.7.1.{last}") for last in (27, 33))
_UNDERSTOOD: Final = frozenset((ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, _NUMBERS)) | {
    # They say where to look, under which policy, or which key: nothing that a path must obey here.
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
}
_KEY: Final = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----")
_PEM: Final = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class Validated:
    """What a chain says for as long as it is valid.

    Attributes:
        key: The key that calls are signed with.
        since: From when every certificate of the chain is valid, in microseconds since 1970; a bare key always is.
        until: Until when, the last moment included.
        authorities: What each certificate of the chain that has a list may sign for.
    """

    key: ec.EllipticCurvePublicKey
    since: int = -_FOREVER
    until: int = _FOREVER
    authorities: tuple[Authority, ...] = ()


@lru_cache(maxsize=_KEPT)
def validated(certificates: tuple[Material, ...], anchors: tuple[Material, ...]) -> Validated:
    """Return what a chain says, from the signing certificate up to one of the anchors.

    Raises:
        Refusal: it leads to none of them, or one of it is not what it must be.
    """
    path = _bounded(certificates)
    trusted = read(anchors)
    last = path[-1]
    if last not in trusted:
        above = next((anchor for anchor in trusted if _issued(last, anchor)), None)
        if above is None:
            raise Refusal("chain")
        path.append(above)
    return _judged(path)


@lru_cache(maxsize=_KEPT)
def vouched(certificates: tuple[Material, ...]) -> Validated:
    """Return what a chain says whose last certificate, or bare key, the host trusts as it is.

    Raises:
        Refusal: one of it is not what it must be.
    """
    first = certificates[0]
    if not isinstance(first, x509.Certificate) and _KEY.match(_octets(first)):
        try:
            return vouched_key(load_pem_public_key(_octets(first)))
        except (ValueError, UnsupportedAlgorithm):
            raise Refusal("certificate_malformed") from None
    return _judged(_bounded(certificates))


def vouched_key(key: object) -> Validated:
    """Return what a bare key says that the host trusts: it signs for any number, at any time.

    Raises:
        Refusal: it is not one on P-256.
    """
    return Validated(_signing_key(key))


def read(given: Sequence[Material]) -> list[x509.Certificate]:
    """Read certificates in PEM or DER.

    Raises:
        Refusal: they cannot be read.
    """
    found: list[x509.Certificate] = []
    try:
        for one in given:
            if isinstance(one, x509.Certificate):
                found.append(one)
            elif _PEM in _octets(one):
                found += x509.load_pem_x509_certificates(_octets(one))
            else:
                found.append(x509.load_der_x509_certificate(_octets(one)))
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal("certificate_malformed") from None
    return found


def _bounded(given: Sequence[Material]) -> list[x509.Certificate]:
    found = read(given)
    if not 0 < len(found) <= _MOST:
        raise Refusal("certificate_malformed")
    return found


def _octets(given: bytes | str) -> bytes:
    octets = given.encode("utf-8", "replace") if isinstance(given, str) else given
    if len(octets) > _LONGEST:
        raise Refusal("certificate_malformed")
    return octets


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    # ATIS-1000080: every certificate of the ecosystem is ECDSA with SHA-256; a stronger one does no harm.
    strong = isinstance(below.signature_hash_algorithm, SHA256 | SHA384 | SHA512)
    return strong and isinstance(above.public_key(), ec.EllipticCurvePublicKey)


def _judged(path: Sequence[x509.Certificate]) -> Validated:
    for below, above in pairwise(path):
        if not _issued(below, above):
            raise Refusal("chain")
    try:
        found = [_extensions(certificate, depth=depth) for depth, certificate in enumerate(path)]
        key = path[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal("certificate_malformed") from None
    return Validated(
        _signing_key(key),
        max((certificate.not_valid_before_utc - _EPOCH) // _MICROSECOND for certificate in path),
        min((certificate.not_valid_after_utc - _EPOCH) // _MICROSECOND for certificate in path),
        tuple(authority.read(der) for der in found if der is not None),
    )


def _signing_key(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refusal("certificate_key")
    return key


def _extensions(certificate: x509.Certificate, *, depth: int) -> bytes | None:
    """Check what a certificate may be used for, `depth` above the one that signs; returns its list of numbers."""
    numbers: bytes | None = None
    issues = False
    for extension in certificate.extensions:
        value = extension.value
        if extension.oid in _LIMITS:
            raise Refusal("certificate_limits")
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Refusal("certificate_critical")
        if isinstance(value, x509.BasicConstraints):
            issues = value.ca
            # What a path length counts is what stands between it and the signing certificate (RFC 5280 4.2.1.9).
            if value.path_length is not None and depth - 1 > value.path_length:
                raise Refusal("chain")
        elif isinstance(value, x509.KeyUsage):
            if not (value.key_cert_sign if depth else value.digital_signature):
                raise Refusal("certificate_use")
        elif isinstance(value, x509.UnrecognizedExtension) and extension.oid == _NUMBERS:
            numbers = value.value
    if issues is not bool(depth):
        raise Refusal("certificate_use")
    return numbers
