"""Codes of the standard's own examples, seeds, and sealed seeds."""

from __future__ import annotations

import base64
import json
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import Keyring, KycVerifyError, MissingExtraError, Secret, UsageError, totp

pytest.importorskip("pyotp")
pytest.importorskip("cryptography")

VECTORS = Path(__file__).parent.parent / "vectors"
TOTP: dict[str, Any] = json.loads((VECTORS / "rfc6238_totp.json").read_text("utf-8"))
HOTP: dict[str, Any] = json.loads((VECTORS / "rfc4226_hotp.json").read_text("utf-8"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
SEED = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
KEYS = {"new": bytes(range(32)), "old": bytes(range(100, 132))}
RING = Keyring(KEYS)
ABOUT = {"tenant": "t", "subject": "cust-1", "check": "authenticator_code"}


def seed_of(text: str) -> Secret:
    return Secret(base64.b32encode(text.encode()).decode())


def code(seed: Secret, now: datetime, **how: Any) -> str:
    return totp.code_at(seed, now, **how).reveal()


@pytest.mark.parametrize("case", TOTP["vectors"], ids=lambda case: f"{case['alg']}-{case['unix_time']}")
def test_rfc_6238_appendix_b(case: dict[str, Any]) -> None:
    seed, now = seed_of(TOTP["secrets_ascii"][case["alg"]]), EPOCH + timedelta(seconds=case["unix_time"])
    how = {"digits": 8, "algorithm": case["alg"].lower()}
    assert code(seed, now, **how) == case["totp8"]
    step = EPOCH + int(case["T_hex"], 16) * totp.STEP
    assert totp.matched(seed, Secret(case["totp8"]), now=now, window=0, **how) == step


@pytest.mark.parametrize("case", HOTP["vectors"], ids=lambda case: str(case["counter"]))
def test_rfc_4226_appendix_d(case: dict[str, Any]) -> None:
    assert code(Secret(HOTP["secret_base32"]), EPOCH + case["counter"] * totp.STEP) == case["otp6"]


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("window", [0, 1])
def test_the_window(steps: int, window: int) -> None:
    said = totp.code_at(SEED, NOW + steps * totp.STEP)
    found = totp.matched(SEED, said, now=NOW + timedelta(seconds=29), window=window)
    assert found == (NOW + steps * totp.STEP if abs(steps) <= window else None)


def test_of_two_steps_with_one_code_the_later_is_used_up() -> None:
    """Otherwise the code would be good a second time, for the later step."""
    now = EPOCH + 910_737 * totp.STEP  # found by trying
    said = totp.code_at(SEED, now)
    assert code(SEED, now + totp.STEP) == said.reveal()
    assert totp.matched(SEED, said, now=now) == now + totp.STEP


def test_before_1970_nothing_matches() -> None:
    assert totp.matched(SEED, Secret("000000"), now=EPOCH - timedelta(days=1)) is None
    with pytest.raises(UsageError, match="1970"):
        totp.code_at(SEED, EPOCH - timedelta(microseconds=1))
    first = totp.code_at(SEED, EPOCH)
    assert totp.matched(SEED, first, now=EPOCH - timedelta(microseconds=1)) == EPOCH


@given(said=st.text(max_size=300), at=st.datetimes(timezones=st.just(UTC)))
def test_whatever_is_said_is_compared_and_raises_nothing(said: str, at: datetime) -> None:
    found = totp.matched(SEED, Secret(said), now=at)
    assert found is None or said == code(SEED, found)


# ── Seeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("algorithm", "size"), [("sha1", 20), ("sha256", 32), ("sha512", 64)])
def test_new_seeds(algorithm: str, size: int) -> None:
    drawn = [totp.new_seed(algorithm).reveal() for _ in range(50)]
    assert len(set(drawn)) == 50
    assert {len(base64.b32decode(each + "=" * (-len(each) % 8))) for each in drawn} == {size}
    assert totp.canonical(Secret(drawn[0])).reveal() == drawn[0]


def test_spellings_of_a_seed() -> None:
    for spelling in (
        "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
        "GEZD GNBV-GY3T QOJQ gezd\tGNBVGY3TQOJQ",
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ====",
    ):
        assert totp.canonical(Secret(spelling)).reveal() == SEED.reveal()


@pytest.mark.parametrize(
    "seed",
    [Secret(""), Secret("A" * 21), Secret("1" * 32), Secret("é" * 32), Secret("A" * 10**6), "A" * 32, None, b"A" * 32],
)
def test_what_is_no_seed(seed: Any) -> None:
    with pytest.raises(UsageError) as caught:
        totp.canonical(seed)
    assert caught.value.__cause__ is None
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format(chain=True))
    assert "AAAA" not in shown.replace(repr(seed), "")


def test_112_bits_are_the_least() -> None:
    for size, fits in ((13, False), (14, True), (128, True), (129, False)):
        seed = seed_of("x" * size)
        if fits:
            assert totp.canonical(seed)
        else:
            with pytest.raises(UsageError, match="14 to 128 bytes"):
                totp.canonical(seed)


def test_the_address_that_an_app_reads() -> None:
    shown = totp.provisioning_uri(SEED, account="cust-1", issuer="Example Bank", digits=8, algorithm="sha256")
    assert repr(shown) == "Secret(***)"
    text = shown.reveal()
    assert text.startswith("otpauth://totp/Example%20Bank:cust-1?secret=" + SEED.reveal())
    assert "algorithm=SHA256" in text
    assert "digits=8" in text


@pytest.mark.parametrize(
    "how",
    [
        {"digits": 5},
        {"digits": 9},
        {"digits": True},
        {"algorithm": "md5"},
        {"algorithm": None},
        {"window": 2},
        {"window": -1},
        {"window": True},
    ],
)
def test_what_is_out_of_range(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        totp.matched(SEED, Secret("000000"), now=NOW, **how)


@pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), None, 7])
def test_a_time_is_aware(now: Any) -> None:
    with pytest.raises(UsageError, match="aware"):
        totp.matched(SEED, Secret("000000"), now=now)


# ── Sealed seeds ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sealed_seed_comes_back() -> None:
    kept = totp.seal_seed(SEED, keyring=RING, **ABOUT)
    assert totp.open_seed(kept, keyring=RING, **ABOUT).reveal() == SEED.reveal()
    assert totp.key_of(kept) == "new"
    assert SEED.reveal() not in kept
    assert kept != totp.seal_seed(SEED, keyring=RING, **ABOUT)


def test_what_was_sealed_once_opens_for_ever() -> None:
    kept = "seed1$new$gyyHR6m7FeDD0TFU6iucOI38mGeFhRBJU68m3t_af-dPQgpLC56b9dvUp5IXfW9isDiFIdDJcay6vq_k"
    assert totp.open_seed(kept, keyring=RING, **ABOUT).reveal() == SEED.reveal()


def test_a_retired_key_opens_and_an_archived_one_does_not() -> None:
    kept = totp.seal_seed(SEED, keyring=Keyring({"old": KEYS["old"]}), **ABOUT)
    assert totp.open_seed(kept, keyring=RING, **ABOUT).reveal() == SEED.reveal()
    for ring in (Keyring(KEYS, archived={"old"}), Keyring({"new": KEYS["new"]})):
        with pytest.raises(UsageError, match="no longer a pepper"):
            totp.open_seed(kept, keyring=ring, **ABOUT)


@pytest.mark.parametrize("field", ["tenant", "subject", "check"])
def test_a_seed_that_was_moved_does_not_open(field: str) -> None:
    kept = totp.seal_seed(SEED, keyring=RING, **ABOUT)
    with pytest.raises(UsageError):
        totp.open_seed(kept, keyring=RING, **{**ABOUT, field: "other"})


def test_a_seed_under_another_key_s_name_does_not_open() -> None:
    kept = totp.seal_seed(SEED, keyring=RING, **ABOUT).replace("$new$", "$old$")
    with pytest.raises(UsageError):
        totp.open_seed(kept, keyring=RING, **ABOUT)


@given(place=st.integers(0, 10**6), char=st.characters())
def test_a_changed_character_does_not_open(place: int, char: str) -> None:
    kept = totp.seal_seed(SEED, keyring=RING, **ABOUT)
    place %= len(kept)
    changed = kept[:place] + char + kept[place + 1 :]
    if changed != kept:
        try:
            found = totp.open_seed(changed, keyring=RING, **ABOUT)
        except UsageError:
            return
        # The last character of base64 has bits that say nothing.
        assert place == len(kept) - 1
        assert found.reveal() == SEED.reveal()


@given(kept=st.one_of(st.text(), st.binary(), st.none(), st.integers(), st.text("seed1$nwAB-_", max_size=200)))
def test_what_is_no_sealed_seed_does_not_open(kept: Any) -> None:
    with pytest.raises(KycVerifyError):
        totp.open_seed(kept, keyring=RING, **ABOUT)


@pytest.mark.parametrize("module", ["pyotp", "cryptography.hazmat.primitives.ciphers.aead"])
def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"kyc-verify\[totp\]"):
        totp.ready()
