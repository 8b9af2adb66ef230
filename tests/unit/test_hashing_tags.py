"""Keyed tags: length-prefixed, and the fast way gives what the plain way gives."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from kyc_verify.errors import UsageError
from kyc_verify.hashing.tags import MAX_TEXT, Tags, count, frame, mac, text

KEY = bytes(range(32))


def test_frame_is_length_and_bytes_of_each_part() -> None:
    assert frame("ab", 12, b"\x00") == b"\x00\x00\x00\x02ab\x00\x00\x00\x0212\x00\x00\x00\x01\x00"
    assert frame() == b""


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), (("", "a"), ("a", "")), (("a",), ("a", "")), ((), ("",)), (("a\x00b",), ("a", "b"))],
)
def test_no_two_lists_of_parts_give_the_same_bytes(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert frame(*one) != frame(*other)


def test_un_09_what_cannot_be_written_is_framed_all_the_same() -> None:
    assert frame("\ud800") != frame("\ud801")


@pytest.mark.parametrize("part", [None, True, 1.5, ("a",), bytearray(b"a")])
def test_other_types_are_refused(part: object) -> None:
    with pytest.raises(UsageError, match="must be str, int or bytes"):
        frame(part)  # type: ignore[arg-type]


def test_mac_is_hmac_sha256_of_the_frame() -> None:
    assert mac(KEY, "label", "a", 1) == hmac.new(KEY, frame("label", "a", 1), hashlib.sha256).digest()
    assert mac(KEY, "label", "a") != mac(KEY, "labela")


@pytest.mark.parametrize("size", [1, 32, 64])
def test_tags_are_those_of_mac(size: int) -> None:
    key, texts = bytes(range(size)), ["", "2019-03", "x" * 300, "é"]
    assert Tags(key).each("full", texts) == [mac(key, "full", one) for one in texts]


@pytest.mark.parametrize("value", ["", None, 0, b"a", "a" * (MAX_TEXT + 1)])
def test_id_08_text_is_a_str_of_bounded_length(value: object) -> None:
    with pytest.raises(UsageError, match=f"^subject must be a str of 1 to {MAX_TEXT} characters$"):
        text(value, "subject")


def test_text_may_be_empty_where_that_means_something() -> None:
    assert text("", "stake", empty=True) == ""
    assert text("a" * MAX_TEXT, "stake") == "a" * MAX_TEXT
    with pytest.raises(UsageError, match="0 to"):
        text(None, "stake", empty=True)


@pytest.mark.parametrize("value", [-1, 1 << 31, True, "1", 1.0, None])
def test_count_is_a_bounded_whole_number(value: object) -> None:
    with pytest.raises(UsageError, match=r"^turn must be a whole number"):
        count(value, "turn")
    assert count(0, "turn") == 0
