"""STIR/SHAKEN: what verifies, and for every other header the reason why it does not."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import Call, Contact, Customer, Outcome, checks
from kyc_verify.checks.base import Signal
from kyc_verify.errors import ConfigurationError, NoTruthValue, UsageError
from kyc_verify.signals import Attested, Chain, ReplayWindow, TrustedCertificates, verify_identity
from kyc_verify.signals.stir import REASONS, authority, claims, passport
from kyc_verify.signals.stir.reasons import Refusal

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS / "vectors"


def _passports() -> Any:
    spec = spec_from_file_location("passports", TESTS / "passports.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


p = _passports()
PROVIDER = p.Provider()
SHAKEN = json.loads((VECTORS / "rfc8588_shaken.json").read_text())
RFC8225 = json.loads((VECTORS / "rfc8225_passport.json").read_text())
MULTI = ec.SECP384R1()


def trusted(given: object = None, **parameters: Any) -> TrustedCertificates:
    """Return a provider of what PROVIDER has published, or of something else."""
    published = p.pem(PROVIDER.leaf, PROVIDER.authority) if given is None else given
    defaults: dict[str, Any] = {
        "hosts": ["cr.example.com"],
        "anchors": p.pem(PROVIDER.root),
        "source": lambda _: published,
    }
    return TrustedCertificates(**(defaults | parameters))


TRUSTED = trusted()


def seen(header: object, certificates: object = TRUSTED, **changes: Any) -> Attested:
    arguments = {"caller": p.CALLER, "called": p.CALLED, "now": p.NOW, "certificates": certificates} | changes
    return verify_identity(header, **arguments)


def reason(header: object, certificates: object = TRUSTED, **changes: Any) -> str:
    """Return the reason; whatever it is, nothing helps but what was verified."""
    found = seen(header, certificates, **changes)
    assert found.reason in REASONS
    assert (found.reason == "verified") is (found.status in {"A", "B", "C"})
    assert found.attestation in {None, "failed"} or found.reason == "verified"
    return found.reason


def signed(payload: object = None, header: object = None, signer: object = None) -> str:
    """Return a bare token, of this call unless told otherwise."""
    return str(p.token(signer or PROVIDER.key, header or p.header(), payload or p.claims()))


# ── What verifies ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("level", ["A", "B", "C"])
def test_a_genuine_header_says_its_level(level: str) -> None:
    found = seen(PROVIDER.sign(attest=level))
    assert (found.status, found.reason, found.attestation, found.diverted) == (level, "verified", level, False)
    assert str(found) == level


def _vector(case: dict[str, Any], certificates: object) -> Attested:
    now = datetime.fromtimestamp(SHAKEN["now"], UTC)
    return verify_identity(
        case["compact"], caller=SHAKEN["caller"], called=SHAKEN["called"], now=now, certificates=certificates
    )


@pytest.mark.parametrize("case", SHAKEN["cases"], ids=[case["id"] for case in SHAKEN["cases"]])
def test_the_vectors_of_rfc_8588_come_out_as_they_say(case: dict[str, Any]) -> None:
    expected = {"invalid": "failed", "no_validation": "none"}.get(case["expect"], case["expect"][-1])
    key = SHAKEN["public_key_pem"]
    for certificates in ({"https://cert.example.org/passport.cer": key}, lambda _: key.encode()):
        assert _vector(case, certificates).status == expected


@pytest.mark.parametrize("token", RFC8225["tokens"], ids=[token["id"] for token in RFC8225["tokens"]])
def test_no_example_of_rfc_8225_verifies(token: dict[str, Any]) -> None:
    """Good signatures over bad claims, and a good claim over a signature of nobody's: all without SHAKEN."""
    found = verify_identity(
        token["compact"],
        caller="+12155551212",
        called="+12125551213",
        now=1443208345,
        certificates=lambda _: RFC8225["pub_A2_pem"],
    )
    assert (found.status, found.reason) == ("none", "ppt_missing")


def test_a_signature_over_a_time_in_words_is_no_help() -> None:
    said = RFC8225["rfc8588_section6_example"]
    for payload, expected in (
        (said["payload_as_printed"], "iat"),
        (said["payload_corrected_by_erratum_6656"], "verified"),
    ):
        compact = p.token(PROVIDER.key, said["header"], payload)
        arguments = {"caller": "+12155550121", "called": "+12155550131", "now": 1443208345.0}
        assert reason(compact, lambda _: PROVIDER.key.public_key(), **arguments) == expected


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        str.encode,
        lambda text: bytearray(text.encode()),
        lambda text: [text],
        lambda text: (text.encode(),),
        lambda text: "Identity: " + text,
        lambda text: " y:" + text + " ",
        lambda text: text.replace(";", " ; ").replace("=<", " = <").replace("ppt", "PPT"),
        lambda text: text.replace("=shaken", '="shaken"'),
        lambda text: text.replace(";ppt", ";other=1;ppt"),
        lambda text: text.replace(";alg=ES256", ""),
        lambda text: text.partition(";")[0],
    ],
)
def test_forms_that_a_header_comes_in(form: Callable[[str], object]) -> None:
    assert reason(form(PROVIDER.sign())) == "verified"


@pytest.mark.parametrize(
    ("caller", "called", "region"),
    [
        ("+1 (215) 555-1212", "+1 212 555 1213", None),
        ("tel:+12155551212", "tel:+12125551213", None),
        ("(215) 555-1212", "212-555-1213", "US"),
    ],
)
def test_numbers_are_compared_in_canonical_form(caller: str, called: str, region: str | None) -> None:
    assert reason(PROVIDER.sign(), caller=caller, called=called, region=region) == "verified"


def test_one_of_several_destinations_is_enough() -> None:
    assert reason(PROVIDER.sign(dest={"tn": ["12125550000", "12125551213"], "uri": ["sip:desk@example.com"]})) == (
        "verified"
    )


def test_what_is_not_written_as_the_standard_writes_it_is_read_the_long_way() -> None:
    spaced = json.dumps(p.claims(attest="B", other={"deep": [1, {"x": None}]}), indent=2)
    assert seen(signed(spaced)).status == "B"


# ── Form ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "no_header"),
        ("", "no_header"),
        (b"  ", "no_header"),
        ("Identity:", "no_header"),
        ([], "no_header"),
        (["", b""], "no_header"),
        (7, "malformed"),
        ({"a": 1}, "malformed"),
        ([None], "malformed"),
        ("no token", "malformed"),
        ("a.b", "malformed"),
        ("a.b.c.d", "malformed"),
        ("é.b.c", "malformed"),
        (b"\xff\xfe", "malformed"),
        ("a.b.c,,d.e.f", "malformed"),
        ("a.b.c;info=<", "malformed"),
        ("a.b.c;info", "malformed"),
        ("a.b.c;info=<x>;info=<x>", "malformed"),
        ("eyJ" + "a" * 20_000, "too_long"),
        (["a"] * 9, "too_many"),
        (",".join(["a.b.c"] * 9), "too_many"),
        ("..c2ln;info=<https://cr.example.com/a>;alg=ES256", "ppt_missing"),
        ("..c2ln;info=<https://cr.example.com/a>;ppt=shaken", "compact_form"),
    ],
)
def test_what_is_not_a_header(header: object, expected: str) -> None:
    assert reason(header) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (";info=<https://cr.example.com/1234/calls.pem>", "", "info_missing"),
        ("/1234/", "/1235/", "info_mismatch"),
        ("alg=ES256", "alg=RS256", "alg_mismatch"),
        ("ppt=shaken", "ppt=div", "ppt_mismatch"),
        (";ppt=shaken", "", "ppt_mismatch"),
    ],
)
def test_what_stands_beside_a_token_agrees_with_it(old: str, new: str, expected: str) -> None:
    text = PROVIDER.sign()
    assert old in text
    assert reason(text.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alg": "none"}, "alg"),
        ({"alg": "ES384"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "es256"}, "alg"),
        ({"alg": None}, "alg"),
        ({"typ": "JWT"}, "typ"),
        ({"typ": "PASSPORT"}, "typ"),
        ({"typ": None}, "typ"),
        ({"crit": []}, "crit"),
        ({"crit": ["exp"], "exp": 1}, "crit"),
        ({"b64": False}, "crit"),
        ({"ppt": 7}, "ppt_unsupported"),
        ({"ppt": "rph"}, "ppt_unsupported"),
        ({"ppt": "Shaken"}, "ppt_unsupported"),
        ({"ppt": "div-o"}, "ppt_unsupported"),
        ({"ppt": None}, "ppt_missing"),
        ({"ppt": "div"}, "div"),
        ({"x5u": None}, "x5u"),
        ({"x5u": ["https://cr.example.com/a"]}, "x5u"),
        ({"x5u": "https://cr.example.com/" + "a" * 2048}, "x5u"),
    ],
)
def test_the_header_of_a_token(changes: dict[str, Any], expected: str) -> None:
    said = {name: value for name, value in (p.header() | changes).items() if value is not None}
    assert reason(signed(header=said)) == expected


@pytest.mark.parametrize(
    "address",
    [
        "http://cr.example.com/a",
        "HTTPS://cr.example.com/a",
        "https://user@cr.example.com/a",
        "https://cr.example.com:8443/a",
        "https://cr.example.com@evil.example/a",
        "https://evil.example\\@cr.example.com/a",
        "https://cr.example.com/a#b",
        "https://CR.example.com/a",
        "https://[::1]/a",
        "https://cr.example.com",
        "https:///a",
        "file:///etc/passwd",
        "https://cr.example.com/a b",
        "https://cr.example.com/a\n",
        "https://cr.exampl\u0435.com/a",
        "",
    ],
)
def test_an_address_that_two_readers_could_read_differently_is_none(address: str) -> None:
    assert passport.host(address) is None
    assert reason(signed(header=p.header(x5u=address))) == "x5u"


def test_the_usual_port_is_the_usual_port() -> None:
    assert passport.host("https://cr.example.com:443/a?b=%20") == "cr.example.com"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"attest":"A","attest":"A"}', "duplicate_key"),
        ('{"dest":{"tn":["1"],"tn":["1"]}}', "duplicate_key"),
        ('{"x":[{"y":{"z":1,"z":2}}]}', "duplicate_key"),
        ("[]", "not_json"),
        ("7", "not_json"),
        ('"text"', "not_json"),
        ("{", "not_json"),
        ("{}{}", "not_json"),
        ('{"iat":NaN}', "not_json"),
        ('{"iat":-Infinity}', "not_json"),
        ('{"iat":' + "9" * 5000 + "}", "not_json"),
        ("\ufeff{}", "not_json"),
        ("{}", "attest"),
    ],
)
def test_claims_are_one_json_object_without_doubles(payload: str, expected: str) -> None:
    assert reason(signed(payload)) == expected


def test_claims_as_deep_as_they_may_be() -> None:
    """Interpreters differ in how deep they read; no attestation comes of it either way."""
    assert reason(signed('{"x":' + "[" * 3000 + "]" * 3000 + "}")) in {"not_json", "attest"}


def test_claims_are_in_utf_8() -> None:
    head, _, signature = signed().split(".")
    assert reason(f"{head}.{urlsafe_b64encode(bytes([123, 255, 125])).decode()}.{signature}") == "not_json"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("change", ["pad", "plus", "space", "newline", "long", "bits"])
def test_only_one_spelling_of_base64_is_read(place: int, change: str) -> None:
    parts = signed(p.claims(origid=p.ORIGID.upper())).split(".")
    text = parts[place]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if change == "bits" and len(text) % 4 == 0:
        change = "long"  # no octet is left over here, so there are no spare bits
    parts[place] = {
        "pad": text + "=",
        "plus": text[:-1] + "+",
        "space": text[:4] + "!" + text[4:],
        "newline": text[:4] + "\n" + text[4:],
        "long": text + "A" * (5 - len(text) % 4),
        "bits": text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1],
    }[change]
    assert reason(".".join(parts)) == "not_base64url"


@given(st.binary(max_size=200))
def test_what_is_decoded_is_what_was_encoded(octets: bytes) -> None:
    text = urlsafe_b64encode(octets).rstrip(b"=")
    assert passport._decoded(text) == octets == urlsafe_b64decode(text + b"=" * (-len(text) % 4))


@given(st.text(alphabet="ABab01-_+/= \n", max_size=12))
def test_what_is_read_is_written_the_same_again(text: str) -> None:
    try:
        found = passport._decoded(text.encode())
    except Refusal:
        return
    assert urlsafe_b64encode(found).rstrip(b"=").decode() == text


# ── Claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────

IAT = int(p.NOW.timestamp())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iat": IAT - 60}, "verified"),
        ({"iat": IAT + 60}, "verified"),
        ({"iat": IAT - 61}, "stale"),
        ({"iat": IAT + 61}, "from_the_future"),
        ({"iat": IAT - 0.5}, "verified"),
        ({"iat": IAT - 60.5}, "stale"),
        ({"iat": float(IAT)}, "verified"),
        ({"iat": str(IAT)}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": [IAT]}, "iat"),
        ({"iat": -IAT}, "iat"),
        ({"iat": 0}, "iat"),
        ({"iat": 10**40}, "iat"),
        ({"iat": None}, "iat"),
        ({"attest": "D"}, "attest"),
        ({"attest": "a"}, "attest"),
        ({"attest": "AA"}, "attest"),
        ({"attest": ["A"]}, "attest"),
        ({"attest": None}, "attest"),
        ({"origid": "1"}, "origid"),
        ({"origid": p.ORIGID + "0"}, "origid"),
        ({"origid": p.ORIGID + "\n"}, "origid"),
        ({"origid": 7}, "origid"),
        ({"origid": None}, "origid"),
        ({"orig": {"tn": "12155559999"}}, "orig_mismatch"),
        ({"orig": {"tn": "2155551212"}}, "orig_mismatch"),
        ({"orig": {"tn": "anonymous"}}, "orig"),
        ({"orig": {"tn": ["12155551212"]}}, "orig"),
        ({"orig": {"tn": 12155551212}}, "orig"),
        ({"orig": {"uri": "sip:12155551212@example.com"}}, "orig"),
        ({"orig": {"tn": "12155551212", "uri": "sip:a@example.com"}}, "orig"),
        ({"orig": "12155551212"}, "orig"),
        ({"orig": {}}, "orig"),
        ({"orig": None}, "orig"),
        ({"dest": {"tn": ["12125551299"]}}, "dest_mismatch"),
        ({"dest": {"tn": "12125551213"}}, "dest"),
        ({"dest": {"tn": []}}, "dest"),
        ({"dest": {"tn": ["12125551213"] * 33}}, "dest"),
        ({"dest": {"tn": [12125551213]}}, "dest"),
        ({"dest": {"tn": ["12125551213"], "x": ["a"]}}, "dest"),
        ({"dest": {"uri": ["sip:desk@example.com"]}}, "dest_mismatch"),
        ({"dest": {"uri": "sip:desk@example.com"}}, "dest"),
        ({"dest": {}}, "dest"),
        ({"dest": ["12125551213"]}, "dest"),
        ({"dest": None}, "dest"),
    ],
)
def test_a_claim_that_is_not_of_this_call(changes: dict[str, Any], expected: str) -> None:
    assert reason(PROVIDER.sign(**changes)) == expected


@pytest.mark.parametrize("number", ["1e400", "1e-400", "-0", "1.9e9999"])
def test_a_time_that_only_json_can_write(number: str) -> None:
    payload = p.part(p.claims())
    text = urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().replace(str(IAT), number)
    assert reason(signed(text)) == "iat"


def test_freshness_is_exact_to_the_microsecond() -> None:
    edge = p.NOW + timedelta(seconds=60)
    assert reason(PROVIDER.sign(), now=edge) == "verified"
    assert reason(PROVIDER.sign(), now=edge + timedelta(microseconds=1)) == "stale"
    assert reason(PROVIDER.sign(), now=p.NOW - timedelta(seconds=60, microseconds=1)) == "from_the_future"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"caller": None}, "no_caller"),
        ({"caller": ""}, "no_caller"),
        ({"caller": 12155551212}, "no_caller"),
        ({"called": None}, "no_called"),
        ({"called": ""}, "no_called"),
        ({"called": b"+12125551213"}, "no_called"),
        ({"caller": "anonymous"}, "orig_mismatch"),
        ({"caller": "2155551212"}, "orig_mismatch"),
        ({"caller": "+12155551212;ext=4"}, "orig_mismatch"),
        ({"called": "2125551213"}, "dest_mismatch"),
        ({"called": "+442125551213"}, "dest_mismatch"),
    ],
)
def test_a_call_without_these_numbers(changes: dict[str, Any], expected: str) -> None:
    assert reason(PROVIDER.sign(), **changes) == expected


def test_two_numbers_that_are_none_are_not_the_same() -> None:
    """Both are refused as numbers; a refusal equal to another is no match."""
    assert reason(PROVIDER.sign(orig={"tn": "19999999999"}), caller="+1 999 999 9998") == "orig_mismatch"


@given(st.fixed_dictionaries({
    "attest": st.sampled_from(["A", "B", "C", "D"]),
    "iat": st.one_of(st.integers(1, 10**11), st.just(IAT)),
    "orig": st.from_regex(r"\+?[0-9]{1,17}", fullmatch=True),
    "dest": st.from_regex(r"\+?[0-9]{1,17}", fullmatch=True),
    "origid": st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper()),
}))  # fmt: skip
def test_a_glance_sees_what_the_long_way_sees(said: dict[str, Any]) -> None:
    whole = p.claims(**said | {"orig": {"tn": said["orig"]}, "dest": {"tn": [said["dest"]]}})
    text = json.dumps(whole, separators=(",", ":"), sort_keys=True)
    found = claims.glanced(text.encode())
    if found is not None:
        assert found == claims.attestation(passport._object(text.encode()))


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("now", [None, float("nan"), float("inf"), float("-inf"), 1e308])
def test_without_a_clock_nothing_is_verified(now: float | None) -> None:
    assert seen(PROVIDER.sign(), now=now).status == "unavailable"
    assert reason(PROVIDER.sign(), now=now) == "no_clock"


@pytest.mark.parametrize("now", ["2031-06-15", True, p.NOW.replace(tzinfo=None), p.NOW.date(), object()])
def test_a_time_that_is_none_is_misuse(now: object) -> None:
    with pytest.raises(UsageError, match="now must be"):
        seen(PROVIDER.sign(), now=now)


@pytest.mark.parametrize("now", [IAT, float(IAT) + 0.25, -5, 10**30, 1e300])
def test_seconds_are_taken_for_a_time(now: float) -> None:
    assert reason(PROVIDER.sign(), now=now) in {"verified", "stale", "from_the_future"}
    assert (reason(PROVIDER.sign(), now=now) == "verified") is (abs(now - IAT) <= 60)


# ── Signature ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_key_does_not_verify() -> None:
    assert reason(signed(signer=p.key())) == "signature"


def test_every_bit_of_a_token_counts() -> None:
    text = PROVIDER.sign().partition(";")[0]
    assert reason(text) == "verified"
    head, payload, signature = text.split(".")
    octets = urlsafe_b64decode(signature + "==")
    for bit in range(0, 512, 7):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        bad = urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert reason(f"{head}.{payload}.{bad}") == "signature"


@pytest.mark.parametrize("octets", [b"", b"\0" * 63, b"\0" * 65, b"\x30\x44" + b"\1" * 68])
def test_a_signature_is_64_raw_octets(octets: bytes) -> None:
    head, payload, _ = signed().split(".")
    assert reason(f"{head}.{payload}.{urlsafe_b64encode(octets).rstrip(b'=').decode()}") == "signature_form"


@pytest.mark.parametrize("octets", [b"\0" * 64, b"\0" * 63 + b"\1", b"\xff" * 64])
def test_numbers_that_no_signature_has_do_not_verify(octets: bytes) -> None:
    head, payload, _ = signed().split(".")
    assert reason(f"{head}.{payload}.{urlsafe_b64encode(octets).rstrip(b'=').decode()}") == "signature"


def test_a_well_kept_library_agrees_on_signatures() -> None:
    """PyJWT is no part of this: a second opinion on what a signature is."""
    for signer, verifies in ((PROVIDER.key, True), (p.key(), False)):
        compact = signed(signer=signer)
        assert (reason(compact) == "verified") is verifies
        try:
            jwt.PyJWS().decode_complete(compact, PROVIDER.key.public_key(), algorithms=["ES256"])
        except jwt.InvalidSignatureError:
            assert not verifies
        else:
            assert verifies


# ── Certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────


def odd(identifier: str) -> Any:
    """Return an extension that nobody here reads."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), b"\x30\0")


def published(leaf: Any, *above: Any) -> TrustedCertificates:
    return trusted(p.pem(leaf, *(above or (PROVIDER.authority,))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "verified"),
        ({"since": p.NOW, "until": p.NOW}, "verified"),
        ({"until": p.NOW - timedelta(seconds=1)}, "certificate_expired"),
        ({"since": p.NOW + timedelta(seconds=1)}, "certificate_not_yet"),
        ({"ca": True, "usage": None}, "certificate_use"),
        ({"ca": None}, "verified"),
        ({"usage": None}, "verified"),
        ({"usage": False}, "certificate_use"),
        ({"digest": hashes.SHA384()}, "verified"),
        ({"extensions": ((odd("1.2.3.4"), True),)}, "certificate_critical"),
        ({"extensions": ((odd("1.2.3.4"), False),)}, "verified"),
        ({"extensions": ((x509.NameConstraints([x509.DNSName("a")], None), True),)}, "certificate_critical"),
        ({"extensions": ((odd("1.3.6.1.5.5.7.1.27"), False),)}, "certificate_limits"),
        ({"extensions": ((odd("1.3.6.1.5.5.7.1.33"), True),)}, "certificate_limits"),
    ],
)  # fmt: skip
def test_a_signing_certificate(changes: dict[str, Any], expected: str) -> None:
    assert reason(PROVIDER.sign(), published(PROVIDER.issue(**changes))) == expected


def above(**changes: Any) -> tuple[Any, Any]:
    """Return a signing certificate and one above it that differs."""
    signer = changes.pop("signer", PROVIDER.authority_key)
    authority_ = p.certificate(
        "authority", signer, issuer=PROVIDER.root, by=PROVIDER.root_key, **({"ca": True} | changes)
    )
    return p.certificate("SHAKEN 1234", PROVIDER.key, issuer=authority_, by=signer), authority_


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "verified"),
        ({"path_length": 0}, "verified"),
        ({"ca": False}, "certificate_use"),
        ({"ca": None, "usage": None}, "certificate_use"),
        ({"usage": False}, "certificate_use"),
        ({"usage": None}, "verified"),
        ({"until": p.NOW - timedelta(seconds=1)}, "certificate_expired"),
        ({"since": p.NOW + timedelta(seconds=1)}, "certificate_not_yet"),
        ({"extensions": ((odd("1.2.3.4"), True),)}, "certificate_critical"),
        ({"extensions": ((p.numbers("12155551212"), False),)}, "verified"),
        ({"extensions": ((p.numbers("12155551213"), False),)}, "not_authorised"),
        ({"signer": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, "chain"),
    ],
)  # fmt: skip
def test_a_certificate_above_it(changes: dict[str, Any], expected: str) -> None:
    assert reason(PROVIDER.sign(), published(*above(**changes))) == expected


def test_a_path_is_no_longer_than_each_of_it_allows() -> None:
    first_key, second_key = p.key(), p.key()
    for length, expected in ((0, "chain"), (1, "verified")):
        first = p.certificate(
            "first", first_key, issuer=PROVIDER.root, by=PROVIDER.root_key, ca=True, path_length=length
        )
        second = p.certificate("second", second_key, issuer=first, by=first_key, ca=True)
        leaf = p.certificate("SHAKEN 1234", PROVIDER.key, issuer=second, by=second_key)
        assert reason(PROVIDER.sign(), published(leaf, second, first)) == expected


def _weak() -> Any:
    forged = p.certificate("authority", p.key(), ca=True)
    return published(PROVIDER.leaf, forged)


@pytest.mark.parametrize(
    ("certificates", "expected"),
    [
        (lambda: published(PROVIDER.leaf, PROVIDER.authority, PROVIDER.root), "verified"),
        (lambda: trusted([PROVIDER.leaf, PROVIDER.authority]), "verified"),
        (lambda: trusted([one.public_bytes(Encoding.DER) for one in (PROVIDER.leaf, PROVIDER.authority)]), "verified"),
        (lambda: trusted(p.pem(PROVIDER.leaf, PROVIDER.authority).decode()), "verified"),
        (lambda: trusted(p.pem(PROVIDER.leaf), anchors=[PROVIDER.root, PROVIDER.authority]), "verified"),
        (lambda: trusted(p.pem(PROVIDER.leaf), anchors=PROVIDER.leaf), "verified"),
        (lambda: trusted(p.pem(PROVIDER.leaf)), "chain"),
        (lambda: published(PROVIDER.authority, PROVIDER.leaf), "chain"),
        (lambda: trusted(p.pem(PROVIDER.leaf, PROVIDER.authority), anchors=p.Provider().root), "chain"),
        (_weak, "chain"),
        (lambda: trusted(b""), "certificate_malformed"),
        (lambda: trusted(b"\x30\x03\x02\x01\x01"), "certificate_malformed"),
        (lambda: trusted("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), "certificate_malformed"),
        (lambda: trusted("\ud800"), "certificate_malformed"),
        (lambda: trusted(b"x" * 70_000), "certificate_malformed"),
        (lambda: trusted([PROVIDER.leaf] * 7), "certificate_malformed"),
        (lambda: trusted([7]), "source_failed"),
        (lambda: trusted(7), "source_failed"),
        (lambda: trusted(p.pem(p.certificate("p-384", ec.generate_private_key(MULTI)))), "chain"),
        (lambda: trusted(source=lambda _: None), "no_certificate"),
        (lambda: trusted(hosts=["other.example.com"]), "x5u_not_allowed"),
        (lambda: {p.X5U: 7}, "certificate_malformed"),
        (lambda: {p.X5U: [b"", 7]}, "certificate_malformed"),
        (lambda: None, "no_certificate"),
        (dict, "x5u_not_allowed"),
        (lambda: {p.X5U: None}, "no_certificate"),
    ],
)  # fmt: skip
def test_a_chain(certificates: Callable[[], object], expected: str) -> None:
    assert reason(PROVIDER.sign(), certificates()) == expected


def test_a_forged_chain_with_the_right_names_does_not_hold() -> None:
    """Every name is right, and each signature is by somebody else's key."""
    other = p.Provider()
    leaf = p.certificate("SHAKEN 1234", other.key, issuer=PROVIDER.authority, by=other.authority_key)
    header = signed(signer=other.key)
    assert reason(header, published(leaf)) == "chain"
    assert reason(header, published(other.leaf, other.authority)) == "chain"
    assert reason(header, published(other.leaf, other.authority, other.root)) == "chain"


def test_only_p_256_signs_calls() -> None:
    odd = ec.generate_private_key(MULTI)
    leaf = p.certificate("SHAKEN 1234", odd, issuer=PROVIDER.authority, by=PROVIDER.authority_key)
    assert reason(PROVIDER.sign(), published(leaf)) == "certificate_key"
    assert reason(PROVIDER.sign(), lambda _: odd.public_key()) == "certificate_key"
    bare = odd.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert reason(PROVIDER.sign(), lambda _: bare) == "certificate_key"


@pytest.mark.parametrize(
    "given_",
    [
        lambda: PROVIDER.leaf,
        lambda: p.pem(PROVIDER.leaf),
        lambda: p.pem(PROVIDER.leaf).decode(),
        lambda: bytearray(p.pem(PROVIDER.leaf)),
        lambda: PROVIDER.leaf.public_bytes(Encoding.DER),
        lambda: [PROVIDER.leaf, PROVIDER.authority],
        lambda: p.pem(PROVIDER.leaf, PROVIDER.authority, PROVIDER.root),
        PROVIDER.key.public_key,
        lambda: PROVIDER.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        lambda: Chain(certificates=p.pem(PROVIDER.leaf, PROVIDER.authority), anchors=[PROVIDER.root]),
    ],
)
def test_forms_that_a_host_gives_what_it_trusts_in(given_: Callable[[], object]) -> None:
    assert reason(PROVIDER.sign(), lambda _: given_()) == "verified"
    assert reason(PROVIDER.sign(), {p.X5U: given_()}) == "verified"
    assert reason(signed(signer=p.key()), {p.X5U: given_()}) == "signature"


def test_what_is_given_as_trusted_must_still_be_valid_and_of_this_number() -> None:
    old = PROVIDER.issue(until=p.NOW - timedelta(days=1))
    assert reason(PROVIDER.sign(), lambda _: old) == "certificate_expired"
    other = PROVIDER.issue(extensions=((p.numbers("12155550000"), False),))
    assert reason(PROVIDER.sign(), lambda _: other) == "not_authorised"
    assert reason(PROVIDER.sign(), lambda _: [PROVIDER.leaf, p.Provider().authority]) == "chain"
    assert reason(PROVIDER.sign(), lambda _: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----") == (
        "certificate_malformed"
    )


async def _later(_: str) -> bytes:
    return b""


class Promise:
    def __await__(self) -> Iterator[None]:
        yield


def _raises(error: BaseException) -> Callable[[str], object]:
    def provider(_: str) -> object:
        raise error

    return provider


@pytest.mark.parametrize(
    ("certificates", "expected"),
    [
        (_raises(TimeoutError("cr.example.com timed out")), "source_failed"),
        (_raises(StopIteration()), "source_failed"),
        (_raises(KeyError(p.X5U)), "x5u_not_allowed"),
        (_later, "source_failed"),
        (lambda _: Promise(), "source_failed"),
        (lambda _: None, "no_certificate"),
    ],
)
def test_a_provider_that_fails(certificates: Callable[[str], object], expected: str) -> None:
    found = seen(PROVIDER.sign(), certificates)
    assert found.reason == expected
    assert found.attestation != "A"
    if expected != "x5u_not_allowed":
        assert (found.status, found.attestation) == ("unavailable", None)


def test_a_provider_is_not_asked_for_another_host() -> None:
    asked: list[str] = []

    class Open:
        hosts = ("cr.example.com",)

        def get(self, x5u: str) -> object:
            asked.append(x5u)
            return PROVIDER.leaf

    elsewhere = p.header(x5u="https://evil.example/calls.pem")
    assert reason(signed(header=elsewhere), Open()) == "x5u_not_allowed"
    assert asked == []
    assert reason(PROVIDER.sign(), Open()) == "verified"
    assert asked == [p.X5U]
    assert TRUSTED.get("https://evil.example/calls.pem") is None


def test_a_provider_whose_list_fails_has_no_certificate() -> None:
    class Broken:
        hosts = 7

        def get(self, x5u: str) -> object:
            return PROVIDER.leaf

    assert reason(PROVIDER.sign(), Broken()) == "source_failed"


def test_what_is_no_provider_is_misuse() -> None:
    with pytest.raises(UsageError, match="certificates must be"):
        seen(PROVIDER.sign(), 7)


@pytest.mark.parametrize(
    "parameters",
    [
        {"hosts": []},
        {"hosts": "cr.example.com"},
        {"hosts": ["https://cr.example.com/"]},
        {"hosts": [7]},
        {"hosts": None},
        {"anchors": []},
        {"anchors": b""},
        {"anchors": "not a certificate"},
        {"anchors": None},
        {"source": None},
    ],
)
def test_a_provider_that_is_wired_wrong(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        trusted(**parameters)


# ── Numbers that a certificate is for ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (p.numbers(code="1234"), "verified"),
        (p.numbers("12155551212"), "verified"),
        (p.numbers("12155551213", "12155551212", code="1234"), "verified"),
        (p.numbers("12155551213", code="1234"), "not_authorised"),
        (p.numbers("2155551212"), "not_authorised"),
        (p.numbers(("12155551200", 13)), "verified"),
        (p.numbers(("12155551200", 12)), "not_authorised"),
        (p.numbers(("12155551213", 100)), "not_authorised"),
        (p.numbers(("2155551200", 100)), "not_authorised"),
        (p.numbers(("12155551212", 2)), "verified"),
        (p.numbers(("12155551212", 1)), "certificate_numbers"),
        (p.numbers(("12155551212", -300)), "certificate_numbers"),
        (p.numbers(("1215555#", 20)), "certificate_numbers"),
        (p.numbers("*86"), "not_authorised"),
        (p.numbers("1215555121a"), "certificate_numbers"),
        (p.numbers(*[f"1215555{n:04}" for n in range(1000, 1400)]), "verified"),
        (p.numbers(raw_list=b""), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x00"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x02\xa3\x00"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x31\x06\xa0\x04\x16\x021\x31"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x06\xa0\x04\x16\x0211\x00"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x07\xa0\x05\x16\x0211\x00"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x81\x06\xa0\x04\x16\x0211"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x80\xa0\x04\x16\x0211\x00\x00"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30\x84\xff\xff\xff\xff\xa0"), "certificate_numbers"),
        (p.numbers(raw_list=b"\x30" * 70_000), "certificate_malformed"),
    ],
)
def test_a_list_of_numbers(listed: Any, expected: str, *, critical: bool) -> None:
    leaf = PROVIDER.issue(extensions=((listed, critical),))
    assert reason(PROVIDER.sign(), published(leaf)) == expected


def test_a_list_of_numbers_has_an_end() -> None:
    with pytest.raises(Refusal, match="certificate_numbers"):
        authority.read(b"\x30" * 70_000)


# ── Diversion ────────────────────────────────────────────────────────────────────────────────────────────────────────


def diverted(**changes: Any) -> str:
    return str(p.sip(p.token(PROVIDER.key, p.header("div"), p.diversion(**changes)), ppt="div"))


ORIGINAL = PROVIDER.sign(dest={"tn": [p.FORMER[1:]]})


def test_a_diverted_call_is_verified_and_not_attested() -> None:
    found = seen([ORIGINAL, diverted()])
    assert (found.status, found.reason, found.diverted) == ("A", "verified", True)
    assert found.attestation is None
    assert seen(f"{diverted()},{ORIGINAL}").diverted
    assert seen([ORIGINAL, diverted(), signed(p.claims(), p.header("rph"))]).diverted


def test_a_call_may_be_diverted_twice() -> None:
    middle = "12125551277"
    first = diverted(dest={"tn": [middle]})
    second = diverted(div={"tn": middle, "hi": "1"})
    assert seen([ORIGINAL, second, first]).diverted
    assert reason([ORIGINAL, second]) == "div_unlinked"
    assert reason([ORIGINAL, first]) == "dest_mismatch"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (lambda: [ORIGINAL], "dest_mismatch"),
        (lambda: [diverted()], "diversion_only"),
        (lambda: [PROVIDER.sign(), diverted()], "div_unlinked"),
        (lambda: [ORIGINAL, ORIGINAL, diverted()], "several_originals"),
        (lambda: [ORIGINAL, diverted(), diverted()], "div_unlinked"),
        (lambda: [ORIGINAL, diverted(div={"tn": "12125550000"})], "div_unlinked"),
        (lambda: [ORIGINAL, diverted(dest={"tn": ["12125550000"]})], "dest_mismatch"),
        (lambda: [ORIGINAL, diverted(orig={"tn": "12155550000"})], "orig_mismatch"),
        (lambda: [ORIGINAL, diverted(iat=IAT - 61)], "stale"),
        (lambda: [ORIGINAL, diverted(iat=IAT + 61)], "from_the_future"),
        (lambda: [PROVIDER.sign(dest={"tn": [p.FORMER[1:]]}, iat=IAT - 61), diverted()], "stale"),
        (lambda: [ORIGINAL, diverted(div=None)], "div"),
        (lambda: [ORIGINAL, diverted(div={"tn": [p.FORMER[1:]]})], "div"),
        (lambda: [ORIGINAL, diverted(div={"tn": p.FORMER[1:], "x": 1})], "div"),
        (lambda: [ORIGINAL, signed(p.diversion(), p.header("div"), p.key())], "signature"),
        (lambda: [signed(p.claims(dest={"tn": [p.FORMER[1:]]}), signer=p.key()), diverted()], "signature"),
        (lambda: [ORIGINAL, signed(p.diversion(), p.header("div", alg="none"))], "alg"),
    ],
)
def test_a_diversion_that_does_not_hold(headers: Callable[[], list[str]], expected: str) -> None:
    assert reason(headers()) == expected


def test_who_diverts_signs_for_the_number_that_diverted() -> None:
    for number, expected in ((p.FORMER, "verified"), (p.CALLER, "not_authorised")):
        leaf = PROVIDER.issue(extensions=((p.numbers(number[1:]), False),))
        elsewhere = "https://cr.example.com/div.pem"
        certificates = {p.X5U: PROVIDER.leaf, elsewhere: leaf}
        passed_on = signed(p.diversion(), p.header("div", x5u=elsewhere))
        assert reason([ORIGINAL, passed_on], certificates) == expected


# ── Replay ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_counts_once() -> None:
    window = ReplayWindow()
    header, other = PROVIDER.sign(), PROVIDER.sign(attest="B")
    assert reason(header, replay=window) == "verified"
    assert reason(header, replay=window) == "replayed"
    assert seen(header, replay=window).attestation == "failed"
    assert reason(other, replay=window) == "verified"
    assert len(window) == 2


def test_a_second_signature_over_the_same_is_the_same_token() -> None:
    """Whoever holds (r, s) can write (r, n - s), which verifies as well."""
    window = ReplayWindow()
    head, payload, signature = signed().split(".")
    octets = urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    turned = octets[:32] + (order - int.from_bytes(octets[32:], "big")).to_bytes(32, "big")
    second = f"{head}.{payload}.{urlsafe_b64encode(turned).rstrip(b'=').decode()}"
    assert reason(second) == "verified"
    assert reason(f"{head}.{payload}.{signature}", replay=window) == "verified"
    assert reason(second, replay=window) == "replayed"


def test_what_does_not_verify_takes_no_room() -> None:
    window = ReplayWindow()
    assert reason(signed(signer=p.key()), replay=window) == "signature"
    assert len(window) == 0


def test_a_full_window_takes_no_more_until_something_is_stale() -> None:
    window = ReplayWindow(most=2)
    for level in "AB":
        assert reason(PROVIDER.sign(attest=level), replay=window) == "verified"
    found = seen(PROVIDER.sign(attest="C"), replay=window)
    assert (found.status, found.reason) == ("unavailable", "replay_window_full")
    later = p.NOW + timedelta(seconds=61)
    assert reason(PROVIDER.sign(attest="C", iat=IAT + 61), now=later, replay=window) == "verified"
    assert len(window) == 1


def test_a_clock_that_goes_back_opens_no_window() -> None:
    window = ReplayWindow()
    assert reason(PROVIDER.sign(), replay=window) == "verified"
    later = p.NOW + timedelta(seconds=90)
    assert reason(PROVIDER.sign(iat=IAT + 90), now=later, replay=window) == "verified"
    assert reason(PROVIDER.sign(), replay=window) == "replayed"


def test_of_many_threads_one_is_first() -> None:
    window = ReplayWindow()
    header = PROVIDER.sign()
    barrier = threading.Barrier(8)
    found: list[str] = []

    def arrive() -> None:
        barrier.wait()
        found.append(reason(header, replay=window))

    threads = [threading.Thread(target=arrive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["replayed"] * 7 + ["verified"]


@pytest.mark.parametrize("most", [0, -1, True, 2.5, None])
def test_a_window_has_a_size(most: Any) -> None:
    with pytest.raises(ConfigurationError):
        ReplayWindow(most=most)


# ── What comes of it ─────────────────────────────────────────────────────────────────────────────────────────────────


def judged(found: Attested) -> Outcome:
    call = Call(id="call-1", agent="agent-1", number=p.CALLER, attestation=found.attestation)
    contact = Contact(number=p.CALLER)
    customer = Customer(contacts=(contact,))
    return checks.CallerNumber().judge(Signal(value=None, now=p.NOW, call=call, customer=customer, contact=contact))


@pytest.mark.parametrize(
    ("header", "certificates", "outcome"),
    [
        (PROVIDER.sign(), TRUSTED, Outcome.PASS),
        (PROVIDER.sign(attest="B"), TRUSTED, Outcome.NEAR),
        (PROVIDER.sign(attest="C"), TRUSTED, Outcome.NEAR),
        (None, TRUSTED, Outcome.NEAR),
        (PROVIDER.sign(), _raises(TimeoutError()), Outcome.NEAR),
        ([ORIGINAL, diverted()], TRUSTED, Outcome.NEAR),
        (PROVIDER.sign(iat=IAT - 61), TRUSTED, Outcome.FAIL),
        (signed(signer=p.key()), TRUSTED, Outcome.FAIL),
    ],
)
def test_only_a_verified_a_scores_fully(header: object, certificates: object, outcome: Outcome) -> None:
    assert judged(seen(header, certificates)) is outcome


def test_a_result_is_not_a_yes() -> None:
    with pytest.raises(NoTruthValue):
        bool(seen(PROVIDER.sign()))


def test_nothing_personal_is_in_a_result() -> None:
    for header in (PROVIDER.sign(), PROVIDER.sign(orig={"tn": "12155559999"}), signed(signer=p.key()), "x"):
        text = repr(seen(header))
        assert "5551" not in text
        assert "example" not in text


def test_every_reason_is_told_apart_and_reached() -> None:
    """The words are stable: an auditor's tools read them."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [word for word in REASONS if f'"{word}"' not in source] == []


def test_the_package_needs_its_extra_only_when_used() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from kyc_verify import signals, errors\n"
        "signals.Attested, signals.verstat, signals.calls\n"
        "try: signals.verify_identity\n"
        "except errors.MissingExtraError as error: print(error.extra)\n"
        "try: signals.nothing\n"
        "except AttributeError as error: print('no attribute')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["stir", "no attribute"]


def test_what_a_listed_host_has_not_now_is_an_outage() -> None:
    class Cold:
        hosts = ("cr.example.com",)

        def get(self, x5u: str) -> object:
            return {}[x5u]

    found = seen(PROVIDER.sign(), Cold())
    assert (found.status, found.reason) == ("unavailable", "no_certificate")


def test_a_caller_in_digits_alone_is_as_the_token_has_it() -> None:
    found = verify_identity(
        PROVIDER.sign(), caller=p.CALLER.removeprefix("+"), called=p.CALLED, now=p.NOW, certificates=trusted()
    )
    assert found.status == "A"
