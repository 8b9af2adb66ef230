"""PASSporTs, certificates and headers for tests: made anew, signed with keys that nobody else has."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW: Final = datetime(2031, 6, 15, 12, 0, tzinfo=UTC)
CALLER: Final = "+12155551212"
CALLED: Final = "+12125551213"
FORMER: Final = "+12125551299"
X5U: Final = "https://cr.example.com/1234/calls.pem"
ORIGID: Final = "123e4567-e89b-12d3-a456-426655440000"
ANY: Final[Any] = object()


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def part(said: object) -> str:
    """Write an object as RFC 8225 section 9 does; a text is taken as it is."""
    text = said if isinstance(said, str) else json.dumps(said, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def raw(signer: ec.EllipticCurvePrivateKey, signed: str) -> bytes:
    r, s = decode_dss_signature(signer.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(signer: ec.EllipticCurvePrivateKey, header: object, payload: object) -> str:
    signed = f"{part(header)}.{part(payload)}"
    return f"{signed}.{urlsafe_b64encode(raw(signer, signed)).rstrip(b'=').decode()}"


def header(ppt: str | None = "shaken", **changes: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"alg": "ES256", "typ": "passport", "x5u": X5U}
    return {name: value for name, value in (said | {"ppt": ppt} | changes).items() if value is not None}


def claims(**changes: Any) -> dict[str, Any]:
    """What a SHAKEN PASSporT of this call says; a change to None leaves the claim out."""
    said: dict[str, Any] = {
        "attest": "A",
        "dest": {"tn": [CALLED[1:]]},
        "iat": int(NOW.timestamp()),
        "orig": {"tn": CALLER[1:]},
        "origid": ORIGID,
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def diversion(**changes: Any) -> dict[str, Any]:
    """What the PASSporT of a call says that another number passed on to the one that is called."""
    said = claims(attest=None, origid=None, div={"tn": FORMER[1:]})
    return {name: value for name, value in (said | changes).items() if value is not None}


def sip(compact: str, x5u: str = X5U, ppt: str | None = "shaken") -> str:
    return f"{compact};info=<{x5u}>;alg=ES256" + (f";ppt={ppt}" if ppt else "")


def certificate(
    name: str,
    signer: Any,
    *,
    issuer: x509.Certificate | None = None,
    by: Any = None,
    ca: bool | None = False,
    since: datetime = NOW - timedelta(days=30),
    until: datetime = NOW + timedelta(days=30),
    path_length: int | None = None,
    usage: bool | None = True,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    digest: Any = None,
) -> x509.Certificate:
    """Issue a certificate: of its own, or by another. `usage` False has the wrong one, None has none."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(signer.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if ca is not None:
        built = built.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usage is not None:
        signs = usage is bool(ca)
        built = built.add_extension(
            x509.KeyUsage(
                digital_signature=not signs,
                key_cert_sign=signs,
                crl_sign=signs,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    for value, critical in extensions:
        built = built.add_extension(value, critical=critical)
    return built.sign(by or signer, digest or hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def _der(tag: int, *inside: bytes) -> bytes:
    content = b"".join(inside)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, *size.to_bytes(2, "big")])
    return bytes([tag]) + length + content


def numbers(*entries: str | tuple[str, int], code: str | None = None, raw_list: bytes | None = None) -> Any:
    """Return a TNAuthorizationList of single numbers, of ranges and of a provider's code."""
    inside = [_der(0xA0, _der(0x16, code.encode()))] if code else []
    for entry in entries:
        if isinstance(entry, str):
            inside.append(_der(0xA2, _der(0x16, entry.encode())))
        else:
            first, count = entry
            size = count.bit_length() // 8 + 1
            counted = _der(0x02, count.to_bytes(size, "big", signed=True))
            inside.append(_der(0xA1, _der(0x30, _der(0x16, first.encode()), counted)))
    listed = _der(0x30, *inside) if raw_list is None else raw_list
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26"), listed)


class Provider:
    """A root, one authority below it, and a certificate that signs calls."""

    def __init__(self, **leaf: Any) -> None:
        self.root_key, self.authority_key, self.key = key(), key(), key()
        self.root = certificate("root", self.root_key, ca=True)
        self.authority = certificate("authority", self.authority_key, issuer=self.root, by=self.root_key, ca=True)
        self.leaf = self.issue(**leaf)

    def issue(self, **leaf: Any) -> x509.Certificate:
        return certificate("SHAKEN 1234", self.key, issuer=self.authority, by=self.authority_key, **leaf)

    def sign(self, **changes: Any) -> str:
        """Return the header of a call with these changes to what the token claims."""
        return sip(token(self.key, header(), claims(**changes)))
