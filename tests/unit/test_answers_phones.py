"""Phone numbers: one canonical form, and nothing that merely looks like one."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from kyc_verify.answers import Refused, phones

FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.RFC3966)


def _examples() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for number_type in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, number_type)
            if number is not None:
                found.append((region, number))
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        number = phonenumbers.example_number_for_non_geo_entity(code)
        if number is not None:
            found.append(("001", number))
    return found


def _refusal(number: str, region: str | None = None) -> str:
    with pytest.raises(Refused) as refused:
        phones.canonical(number, region=region)
    return refused.value.reason


def test_every_example_number_is_itself_in_every_format_and_no_other() -> None:
    owners: dict[str, tuple[int | None, str]] = {}
    for region, number in _examples():
        canonical = phones.canonical(phonenumbers.format_number(number, PhoneNumberFormat.E164), region=None)
        for form in FORMATS:
            printed = phonenumbers.format_number(number, form)
            # In international form the region says nothing.
            assert {phones.canonical(printed, region=region_) for region_ in (None, "FR", "US")} == {canonical}
        if region != "001":
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            assert phones.canonical(national, region=region) == canonical
        assert phones.canonical(canonical, region=None) == canonical
        owner = (number.country_code, phonenumbers.national_significant_number(number))
        assert owners.setdefault(canonical, owner) == owner
    assert len(owners) > 900  # every region and type; some share a country code and an example


def test_ph_01_national_number_needs_a_region() -> None:
    assert phones.canonical("2125550123", region="US") == phones.canonical("+1 212 555 0123", region=None)
    assert _refusal("2125550123") == "no_region"
    assert _refusal("2125550123", "XX") == "no_region"


def test_ph_02_same_digits_of_another_country() -> None:
    assert not phones.same(
        phones.canonical("+44 2079460958", region=None), phones.canonical("+12079460958", region=None)
    )


def test_ph_03_extension_is_kept() -> None:
    four, five = (phones.canonical(f"+1 212 555 0123 x{n}", region=None) for n in (4, 5))
    assert four == "+12125550123;ext=4"
    assert not phones.same(four, five)
    assert not phones.same(four, phones.canonical("+12125550123", region=None))
    assert phones.canonical(four, region=None) == four


def test_ph_04_italian_zero_is_kept() -> None:
    assert phones.canonical("06 6982 1234", region="IT") == "+390669821234"


@pytest.mark.parametrize(
    "number", ["1-800-FLOWERS", "anonymous", "Restricted", "unknown", "withheld", "Private", "sip:a@b"]
)
def test_ph_05_07_letters_are_no_number(number: str) -> None:
    assert _refusal(number, "US") == "unreadable"


@pytest.mark.parametrize(
    "number",
    [
        "+۳۳ ۱ ۴۲ ۶۸ ۵۳ ۰۰",
        "+٣٣ ١ ٤٢ ٦٨ ٥٣ ٠٠",
        "＋３３１４２６８５３００",
        "\u200e+33\u00a01\u00a042\u00a068\u00a053\u00a000",
        "\u202a+33 1 42 68 53 00\u202c",
        "+33\u20111\u201142\u201168\u201153\u201100",
    ],
)
def test_ph_06_digits_of_every_script(number: str) -> None:
    assert phones.canonical(number, region=None) == "+33142685300"


@pytest.mark.parametrize("number", ["", " ", "()", "\u200e"])
def test_ph_07_nothing_is_blank(number: str) -> None:
    assert _refusal(number, "US") == "blank"


@pytest.mark.parametrize("number", ["+0123456789", "+999123456789", "+33"])
def test_no_such_country(number: str) -> None:
    assert _refusal(number) == "unreadable"


@pytest.mark.parametrize("number", ["911", "112", "3300", "5300", "2685300"])
def test_ph_13_15_short_codes_and_last_digits_are_no_number(number: str) -> None:
    assert _refusal(number, "FR") == "unreadable"


def test_ph_14_quirks_never_match_by_accident() -> None:
    mobile, fixed = (phones.canonical(n, region=None) for n in ("+54 9 11 2345 6789", "+54 11 2345 6789"))
    assert not phones.same(mobile, fixed)
    assert _refusal("+52 1 55 1234 5678") == "unreadable"


@pytest.mark.parametrize("number", ["1" * 65, "+" + "1" * 10_000_000, "(" * 100, "+1" + "-" * 10_000])
def test_re_05_length_is_capped_before_parsing(number: str) -> None:
    assert _refusal(number, "US") == "too_long"


@pytest.mark.parametrize(
    ("number", "kind", "sendable"),
    [
        ("+33612345678", "mobile", True),
        ("+33142685300", "fixed", True),
        ("+12125550123", "fixed_or_mobile", True),
        ("+33891123456", "premium", False),
        ("+870773111632", "satellite", False),
        ("+8816123456", "satellite", False),
        ("+881612345678", "satellite", False),
        ("+979123456789", "premium", False),
        ("+448081570123", "toll_free", False),
        ("+41860123456789", "voicemail", False),
        ("+12125550123;ext=4", "fixed_or_mobile", False),
        ("911", "unknown", False),
        ("", "unknown", False),
    ],
)
def test_ph_13_kind_and_where_a_code_may_go(number: str, kind: str, *, sendable: bool) -> None:
    assert phones.kind(number) == kind
    assert phones.sendable(number) is sendable


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+33612345678", "FR"), ("+12125550123", "US"), ("+18765550123", "JM"), ("+447400123456", "GB"),
        ("+77012345678", "KZ"), ("+79161234567", "RU"), ("+870773111632", "001"), ("+33142685300;ext=12", "FR"),
        ("", ""), ("nothing", ""), ("+", ""),
    ],
)  # fmt: skip
def test_a_number_s_country_is_finer_than_its_code(number: str, country: str) -> None:
    assert phones.country(number) == country


@pytest.mark.parametrize("written", ["+1 215 555 1212;ext=4", "+1-215-555-1212;ext=4", "+1 (215) 555-1212 ext. 4"])
def test_an_extension_beside_separators(written: str) -> None:
    assert phones.canonical(written, region=None) == "+12155551212;ext=4"
