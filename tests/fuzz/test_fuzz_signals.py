"""Whatever a network or a platform sends, its reader answers or refuses, soon, and no mutation of a token verifies."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kyc_verify.errors import SignalError
from kyc_verify.signals import TrustedCertificates, calls, verify_identity
from kyc_verify.signals.stir import REASONS, authority
from kyc_verify.signals.stir.reasons import Refusal

TESTS: Final = Path(__file__).resolve().parents[1]
CORPUS: Final = (TESTS / "fuzz" / "corpus" / "identity.txt").read_text(encoding="utf-8").splitlines()
SECONDS: Final = 0.5


def _passports() -> Any:
    spec = spec_from_file_location("passports", TESTS / "passports.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


p = _passports()
PROVIDER = p.Provider()
CERTIFICATES = TrustedCertificates(
    hosts=["cr.example.com"],
    anchors=PROVIDER.root,
    source=lambda _: p.pem(PROVIDER.leaf, PROVIDER.authority),
)
GENUINE: Final = PROVIDER.sign()
TOKEN: Final = GENUINE.partition(";")[0]


def judged(header: object) -> str:
    began = time.process_time()
    found = verify_identity(header, caller=p.CALLER, called=p.CALLED, now=p.NOW, certificates=CERTIFICATES)  # type: ignore[arg-type]
    assert time.process_time() - began < SECONDS
    assert found.reason in REASONS
    return found.reason


def test_the_token_that_is_changed_is_a_good_one() -> None:
    assert judged(GENUINE) == judged(TOKEN) == "verified"


@pytest.mark.parametrize("line", CORPUS)
def test_what_was_found_before_is_refused(line: str) -> None:
    assert judged(line) != "verified"
    assert judged(line.encode()) != "verified"
    assert judged(line.replace("TOKEN", TOKEN)) != "verified"


@given(st.binary(max_size=2000))
@example(b"\x00")
def test_any_octets_are_refused(octets: bytes) -> None:
    assert judged(octets) != "verified"
    assert judged(octets.decode("latin-1")) != "verified"
    assert judged(urlsafe_b64encode(octets) + b"." + urlsafe_b64encode(octets) + b".AAAA") != "verified"


@given(st.recursive(st.none() | st.text() | st.binary() | st.integers() | st.floats(), st.lists, max_leaves=8))
def test_any_object_is_refused(value: object) -> None:
    assert judged(value) != "verified"


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_another_character_in_a_token_does_not_verify(place: int, char: str) -> None:
    changed = TOKEN[:place] + char + TOKEN[place + 1 :]
    # A parameter's semicolon, or a comma, ends a token; what is left of it is none.
    assert (judged(changed) == "verified") is (changed == TOKEN)


@given(st.integers(0, len(TOKEN)), st.integers(0, len(TOKEN)))
def test_a_token_with_a_part_cut_out_or_doubled_does_not_verify(one: int, other: int) -> None:
    low, high = sorted((one, other))
    cut, doubled = TOKEN[:low] + TOKEN[high:], TOKEN[:high] + TOKEN[low:]
    assert (judged(cut) == "verified") is (low == high)
    assert (judged(doubled) == "verified") is (low == high)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(p.claims())), JSON)
def test_a_signed_claim_of_anything_verifies_only_as_it_must_be(name: str, value: object) -> None:
    """Signed by the right key, so that only the reading of the claim stands between it and an A."""
    said = p.claims() | {name: value}
    text = json.dumps(said, separators=(",", ":"), sort_keys=True)
    found = judged(p.token(PROVIDER.key, p.header(), text))
    allowed = value == p.claims()[name] or (name == "attest" and value in ("B", "C"))
    assert found != "verified" or (allowed and not isinstance(value, bool))


@given(st.sampled_from(sorted(p.header())), JSON)
def test_a_signed_header_of_anything_verifies_only_as_it_must_be(name: str, value: object) -> None:
    said = p.header() | {name: value}
    assert (judged(p.token(PROVIDER.key, said, p.claims())) == "verified") is (said == p.header())


@given(st.binary(max_size=80))
def test_any_list_of_numbers_is_read_or_refused(der: bytes) -> None:
    try:
        found = authority.read(der)
    except Refusal:
        return
    assert isinstance(found.covers("12155551212"), bool)


WHO: Final[dict[str, Any]] = {"agent": "agent-7"}
PAYLOAD: Final = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300),
    st.dictionaries(
        st.sampled_from(["Call-ID", "From", "P-Asserted-Identity", "LINKEDID", "uuid", "Channel"]) | st.text(),
        st.text() | st.none() | st.lists(st.text(), max_size=3) | st.dictionaries(st.text(), st.text(), max_size=2),
        max_size=6,
    ),
    st.lists(st.tuples(st.text(), st.text()) | st.integers(), max_size=6),
)  # fmt: skip


@given(PAYLOAD)
@example({"Call-ID": "a", "From": '"' * 300})
@example({"Call-ID": "a", "P-Asserted-Identity": "<" * 300})
@example({"Call-ID": "a", "P-Asserted-Identity": '"\\' * 300})
@example({"Call-ID": "a", "P-Asserted-Identity": ";verstat=" * 300})
def test_any_payload_is_a_call_without_an_attestation_or_a_signal_error(payload: Any) -> None:
    readers = (
        lambda: calls.sip_headers(payload, trusted_peer=True, **WHO),
        lambda: calls.asterisk(payload, **WHO),
        lambda: calls.freeswitch(payload, **WHO),
        lambda: calls.amazon_connect(payload, **WHO),
        lambda: calls.twilio_voice(payload, url="https://x/", signature="AAAA", auth_token="t", **WHO),
    )
    for read in readers:
        began = time.process_time()
        try:
            call = read()
        except SignalError:
            continue
        finally:
            assert time.process_time() - began < SECONDS
        assert call.attestation in {None, "failed"}
