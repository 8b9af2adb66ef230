"""Reading and verifying a PASSporT, beside the bare check of its signature.

Run it: ``pip install "kyc-verify[stir]" pyjwt && python benchmarks/bench_passport.py``. Everything runs in one process,
in turns of a hundred calls; printed are the processor time of the quickest turn, which nothing else disturbed, and of
the median one. Quote the ratios. Without PyJWT its row is left out.
"""

from __future__ import annotations

import statistics
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kyc_verify.signals import TrustedCertificates, verify_identity

ROUNDS, CALLS = 60, 100
NOW = datetime(2031, 1, 1, tzinfo=UTC)
X5U = "https://cr.example.com/1234/calls.pem"
ECDSA = ec.ECDSA(hashes.SHA256())


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    return (
        x509.CertificateBuilder(issuer_name=names[1], subject_name=names[0], public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )


def encoded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def call(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the `Identity` header of a call, as a provider writes it."""
    header = f'{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{X5U}"}}'
    claims = (
        f'{{"attest":"A","dest":{{"tn":["12125551213"]}},"iat":{int(NOW.timestamp())},"orig":{{"tn":"12155551212"}},'
        '"origid":"123e4567-e89b-12d3-a456-426655440000"}'
    )
    signed = f"{encoded(header.encode())}.{encoded(claims.encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ECDSA))
    return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))};info=<{X5U}>;alg=ES256;ppt=shaken"


def main() -> None:
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("SHAKEN 1234", key, "root", root).public_bytes(Encoding.PEM)
    certificates = TrustedCertificates(
        hosts=["cr.example.com"], anchors=certificate("root", root, "root", root), source=lambda _: leaf
    )
    header = call(key)
    token = header.partition(";")[0]
    signed, _, signature = token.rpartition(".")
    message, raw, public = signed.encode(), urlsafe_b64decode(signature + "=="), key.public_key()
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    der = encode_dss_signature(r, s)
    arguments = {"caller": "+12155551212", "called": "+12125551213", "now": NOW, "certificates": certificates}

    def verified() -> None:
        assert verify_identity(header, **arguments).status == "A"  # noqa: S101 - what is timed must be what is meant

    peers: dict[str, Callable[[], object]] = {
        "the bare check, signature in DER": lambda: public.verify(der, message, ECDSA),
        "the bare check, signature as in a JWS": lambda: public.verify(
            encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")), message, ECDSA
        ),
        "verify_identity": verified,
    }
    try:
        import jwt  # noqa: PLC0415 - optional
    except ImportError:
        pass
    else:
        jws = jwt.PyJWS()
        peers["PyJWT, signature only"] = lambda: jws.decode_complete(token, public, algorithms=["ES256"])
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        for name, work in peers.items():
            began = time.process_time_ns()
            for _ in range(CALLS):
                work()
            times[name].append((time.process_time_ns() - began) / CALLS / 1e3)
    base = times["the bare check, signature as in a JWS"]
    for name, measured in times.items():
        least, median = min(measured), statistics.median(measured)
        ratios = f"{least / min(base):5.2f} {median / statistics.median(base):5.2f}"
        print(f"{name:38} {least:7.1f} {median:7.1f} us   {ratios} x the bare check")


if __name__ == "__main__":
    main()
