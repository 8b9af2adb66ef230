"""Numbers that are seen to be canonical without being read are those that reading leaves as they are."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kyc_verify.answers import Refused, phones

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def _examples() -> list[str]:
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return sorted(set(found))


EXAMPLES = _examples()


def read(number: str) -> str:
    """Return the canonical form as it comes of reading, the short way being shut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phones, "_stands", lambda _: False)
        return seen(number)


def seen(number: str) -> str:
    try:
        return phones.canonical(number, region=None)
    except Refused as refused:
        return str(refused.args)


def test_every_kind_of_number_of_every_country_is_read_alike() -> None:
    assert len(EXAMPLES) > 900
    for number in EXAMPLES:
        for each in (number, number[:-1], number + "0", number[:3] + "0" + number[3:], number[:3] + number[4:]):
            assert seen(each) == read(each), each


@given(st.sampled_from(CODES), st.from_regex(r"[0-9]{2,14}", fullmatch=True))
@example(39, "0612345678")
@example(39, "00612345678")
@example(44, "02079460958")
@example(7, "87012345678")
@example(375, "8291234567")
@example(52, "15512345678")
@example(800, "12345678")
@example(999, "000")
def test_any_digits_are_read_alike(code: int, digits: str) -> None:
    number = f"+{code}{digits}"
    assert seen(number) == read(number)


def test_most_are_seen() -> None:
    """Otherwise nothing is gained, and the tests above compare a thing with itself."""
    assert sum(phones._stands(number[1:]) for number in EXAMPLES) > 0.95 * len(EXAMPLES)
