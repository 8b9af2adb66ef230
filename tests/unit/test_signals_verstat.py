"""What platforms say of an attestation: word for word, and no other word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify.signals import Attested, verstat

ROWS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "stir_verstat_map.json").read_text())["rows"]
TWILIO = [row for row in ROWS if row["provider"] in {"twilio", "negative(twilio adapter)"}]
TELNYX = [row for row in ROWS if row["provider"] == "telnyx" and row["status"] != "see fields"]
LETTERS = ["A", "B", "C"]


def shown(found: Attested) -> tuple[str, str | None, bool]:
    assert found.reason in verstat.REASONS
    return found.status.value, found.attestation, found.diverted


def expected(row: dict[str, Any]) -> tuple[str, str | None, bool]:
    """What a row of the vectors comes to: a level only where it passed, and none for `Call` where it was passed on."""
    passed_on = row["diverted"] or row["passthrough"]
    status = {"passed": row["attestation"], "absent": "none"}.get(row["status"], row["status"])
    attestation = {"passed": None if passed_on else status, "failed": "failed"}.get(row["status"])
    return status, attestation, passed_on


@pytest.mark.parametrize("row", TWILIO, ids=[f"{row['status']}-{row['raw']}" for row in TWILIO])
def test_twilio_says(row: dict[str, Any]) -> None:
    assert shown(verstat.twilio(row["raw"])) == expected(row)


def test_twilio_has_these_words_and_no_others() -> None:
    words = {row["raw"] for row in TWILIO if row["provider"] == "twilio"} - {None}
    assert set(verstat.MAPS["twilio"]) == words
    assert len(words) == 21


@pytest.mark.parametrize("row", TELNYX, ids=[row["raw"] for row in TELNYX])
def test_telnyx_says(row: dict[str, Any]) -> None:
    assert shown(verstat.telnyx(row["raw"])) == expected(row)


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize(
    ("validated", "status"),
    [(True, None), ("true", None), (False, "failed"), ("false", "failed"), ("True", "unknown"), (1, "unknown"),
     (None, "unknown"), ([True], "unknown")],
)  # fmt: skip
def test_telnyx_webhooks_say(letter: str, validated: object, status: str | None) -> None:
    assert verstat.telnyx_webhook(letter, validated).status == (status or letter)


@pytest.mark.parametrize(
    ("letter", "validated", "status"),
    [(None, None, "none"), (None, False, "failed"), (None, True, "unknown"), ("D", True, "unknown"),
     (["A"], True, "unknown"), ("a", "true", "unknown")],
)  # fmt: skip
def test_telnyx_webhooks_that_say_less(letter: object, validated: object, status: str) -> None:
    assert verstat.telnyx_webhook(letter, validated).status == status


@pytest.mark.parametrize("read", [verstat.bandwidth, verstat.sip])
@pytest.mark.parametrize(
    ("word", "letter", "status"),
    [
        ("TN-Validation-Passed", "A", "A"),
        ("TN-Validation-Passed", "B", "B"),
        ("TN-Validation-Passed", "C", "C"),
        ("TN-Validation-Passed", None, "none"),
        ("TN-Validation-Passed", "D", "unknown"),
        ("TN-Validation-Passed", ["A"], "unknown"),
        ("TN-Validation-Failed", "A", "failed"),
        ("No-TN-Validation", "A", "none"),
        ("TN-Verification-Passed", "A", "unknown"),
        ("TN-Validation-Passed-A", "A", "unknown"),
        (None, "A", "none"),
        (7, "A", "unknown"),
    ],
)
def test_a_word_and_a_letter_beside_it(read: Any, word: object, letter: object, status: str) -> None:
    assert read(word, letter).status == status


@pytest.mark.parametrize("word", ["Verified", "Not Verified", "Not Applicable"])
def test_plivo_says_no_level(word: str) -> None:
    assert shown(verstat.plivo(word)) == ("none", None, False)


@pytest.mark.parametrize(
    ("word", "status"),
    [("TN-Validation-Passed-A", "A"), ("TN-Validation-Failed", "failed"), ("TN-Validation-Passed", "unknown")],
)
def test_freeswitch_says(word: str, status: str) -> None:
    assert verstat.freeswitch(word).status == status


@pytest.mark.parametrize(
    ("word", "letter", "status"),
    [
        ("Verification passed", "A", "A"),
        ("success", "B", "B"),
        ("success", None, "none"),
        ("Signature failed", "A", "failed"),
        ("Verification mismatch", "A", "failed"),
        ("Verification not present", "A", "none"),
        ("Success", "A", "unknown"),
    ],
)
def test_asterisk_says(word: str, letter: str | None, status: str) -> None:
    assert verstat.asterisk(word, letter).status == status


WORDS = sorted({word for words in verstat.MAPS.values() for word in words})
ANYTHING = st.one_of(
    st.none(), st.text(), st.binary(), st.integers(), st.lists(st.text()), st.sampled_from(WORDS).map(str.lower),
    st.sampled_from(WORDS).map(lambda word: f" {word}"), st.lists(st.sampled_from(WORDS), min_size=2).map(",".join),
)  # fmt: skip
READERS = [verstat.twilio, verstat.telnyx, verstat.plivo, verstat.freeswitch]


@given(ANYTHING, ANYTHING)
def test_no_other_value_helps(value: object, other: object) -> None:
    known = isinstance(value, str) and value in WORDS
    for read in READERS:
        assert known or read(value).attestation is None
    for two in (verstat.bandwidth, verstat.sip, verstat.asterisk, verstat.telnyx_webhook):
        found = two(value, other).attestation
        assert known or found in {None, "failed"} or (value in LETTERS and other in {"true", True})
