"""Phone numbers: one canonical form, compared exactly.

The canonical form is E.164, with ``;ext=`` and the extension when there is one: two people behind one switchboard
are not the same. A national number needs its region; without one it is an error, never a match. Nothing is taken
for more than it says: the last digits of a number are not the number.

Quirks, the same on both sides: letters (1-800-FLOWERS) are refused, as is everything that is not a valid number of
its region. Italian numbers keep their leading zero. Mexico: the mobile 1 (+52 1 ...) was retired in 2019; such a
number is no longer valid and is refused. Argentina: +54 9 ... (mobile) and +54 ... (fixed) are different
numbers. +7 belongs to Russia and Kazakhstan; the digits alone decide.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from kyc_verify.answers._fold import fold_text
from kyc_verify.answers.forms import Refused

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

__all__ = ["VERSION", "canonical", "country", "fixed", "kind", "same", "sendable"]

VERSION: Final = 1
"""Version of the canonical form, part of each fingerprint's context."""

_LONGEST: Final = 64
_EXTENSION: Final = ";ext="
_NEVER: Final = r"(?!)"
# What people put between digits and nobody gives a meaning.
_BETWEEN: Final = re.compile(r"(?<=[0-9)])(?:[ .-]| ?\(|\) ?)(?=[0-9(])")
_CANONICAL: Final = re.compile(r"(\+[1-9][0-9]{4,14})(?:;ext=([0-9]{1,11}))?\Z", re.ASCII)
# What may stand around digits; letters only in the words for an extension.
_WRITTEN: Final = re.compile(r"[-+0-9 ().,/;:#~=x*]*\Z", re.ASCII)
_WORDS: Final = re.compile(
    r"(?<![a-z])(?:tel:|extension|ext\.?|extn\.?|poste|anexo|int\.?|x|داخلی)(?![a-z])", re.IGNORECASE
)
_MINUS: Final = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d\uff70"), "-")

_KINDS: Final = (
    "fixed", "mobile", "fixed_or_mobile", "toll_free", "premium", "shared_cost", "voip", "personal", "pager",
    "universal_access", "voicemail",
)  # fmt: skip
_NO_KIND: Final = "unknown"
# +870 Inmarsat, +881 global mobile satellite, +882 and +883 international networks, +878 and +979: dear or premium.
_SATELLITE: Final = ("+870", "+881", "+882", "+883")
_DEAR: Final = ("+878", "+888", "+979", "+808")
_SENDABLE: Final = frozenset(("mobile", "fixed", "fixed_or_mobile", "voip"))


def _cleaned(number: str) -> str:
    """Digits of every script as ASCII, marks and joiners dropped, dashes and spaces plain."""
    out: list[str] = []
    for char in unicodedata.normalize("NFKC", number).translate(_MINUS):
        if char.isdecimal():
            out.append(str(unicodedata.decimal(char)))
        elif char.isspace():
            out.append(" ")
        elif unicodedata.category(char) != "Cf":
            out.append(char)
    return "".join(out).strip()


def _parsed(number: str, region: str | None) -> PhoneNumber:
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as fault:
        lacks_region = fault.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        raise Refused("no_region" if lacks_region and not number.startswith("+") else "unreadable") from None
    if not phonenumbers.is_valid_number(parsed):
        raise Refused("unreadable")
    return parsed


class _Code(NamedTuple):
    """A country code.

    Attributes:
        prefix: What is dialled before a number inside; what never matches where there is none.
        regions: The countries that share the code, in the order in which they are asked.
        begins: Its n-th group matches what the numbers of ``named[n - 1]`` begin with, for those that say so.
        named: Their places in `regions`.
    """

    prefix: re.Pattern[str]
    regions: tuple[str, ...]
    begins: re.Pattern[str]
    named: tuple[int, ...]


@lru_cache(maxsize=1024)
def _code(code: int) -> _Code | None:
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code)
    if regions is None:
        return None
    known = [phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
    prefix, *_ = [metadata.national_prefix_for_parsing if metadata else None for metadata in known]
    digits = [metadata.leading_digits if metadata and len(known) > 1 else None for metadata in known]
    return _Code(
        re.compile(prefix or _NEVER),
        regions,
        re.compile("|".join(f"({begins})" for begins in digits if begins) or _NEVER),
        tuple(place for place, begins in enumerate(digits) if begins),
    )


def _stands(digits: str) -> bool:
    """Whether international digits are their own canonical form, seen without reading them as people write.

    False says only that it is not seen here. Nothing is dropped from a number that does not begin with what is dialled
    before it inside its country; so what is left to ask is whether it is valid there.
    """
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    for length in (1, 2, 3):  # no code begins another
        code = _code(int(digits[:length]))
        if code is not None:
            break
    else:
        return False
    national = digits[length:]
    zeros = len(national) - len(national.lstrip("0"))
    if zeros == len(national) or code.prefix.match(national):
        return False
    number = phonenumbers.PhoneNumber(
        country_code=int(digits[:length]),
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    # Of countries that share a code the first whose digits the number begins with decides, unless one before it that
    # names no digits has the number: so the one that decides is asked first.
    begins = code.begins.match(national)
    decides = len(code.regions) if begins is None else code.named[(begins.lastindex or 1) - 1]
    if begins is not None and phonenumbers.is_valid_number_for_region(number, code.regions[decides]):
        return True
    return any(
        phonenumbers.is_valid_number_for_region(number, region)
        for place, region in enumerate(code.regions[:decides])
        if place not in code.named
    )


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def canonical(number: str, *, region: str | None) -> str:
    """Return the canonical form of a number.

    Args:
        number: As dialled, written or signalled; at most 64 characters.
        region: Where a national number is at home, as in ``"FR"``; ``None`` when only international form is taken.

    Raises:
        Refused: ``blank``, ``too_long``, ``unencodable``; ``no_region`` for a national number without one;
            ``unreadable`` for everything that is not a valid number (withheld, letters, short codes, too few digits).

    Example:
        >>> canonical("01 42 68 53 00", region="FR")
        '+33142685300'
    """
    if len(number) > _LONGEST:
        raise Refused("too_long")
    ready = _CANONICAL.match(number)
    if ready is not None and ready[2] is None and _stands(number[1:]):
        return number
    if ready is None:
        number = _readable(number)
        spaced = "+" + _BETWEEN.sub("", number[1:])
        plainly = _CANONICAL.match(spaced) if number.startswith("+") else None
        if plainly is not None and plainly[2] is None and _stands(spaced[1:]):
            return spaced
        if not number.startswith(("+", "tel:+")) and (region or "").upper() not in _regions():
            raise Refused("no_region")
    parsed = _parsed(number, None if region is None else region.upper())
    zeros = "0" * (parsed.number_of_leading_zeros or 1) if parsed.italian_leading_zero else ""
    plain = f"+{parsed.country_code}{zeros}{parsed.national_number}"
    return plain + _EXTENSION + parsed.extension if parsed.extension else plain


def _readable(number: str) -> str:
    if not fold_text(number):
        raise Refused("blank")
    cleaned = _cleaned(number)
    # Letters would be read as keypad digits by some and dropped by others.
    if not _WRITTEN.match(_WORDS.sub("", cleaned)):
        raise Refused("unreadable")
    return cleaned


def same(a: str, b: str) -> bool:
    """Whether two canonical forms are the same number; takes the same time for all of one length."""
    return hmac.compare_digest(a.encode(), b.encode())


def kind(number: str) -> str:
    """Return what a canonical number is: ``mobile``, ``fixed``, ``premium``, ``satellite``, ``unknown`` ..."""
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    if number.startswith(_SATELLITE):
        return "satellite"
    if number.startswith(_DEAR):
        return "premium"
    try:
        found = phonenumbers.number_type(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return _NO_KIND
    return _KINDS[found] if 0 <= found < len(_KINDS) else _NO_KIND


def country(number: str) -> str:
    """Return the country of a canonical number, as in ``FR``; ``001`` for a network of none, empty for no number."""
    import phonenumbers  # noqa: PLC0415 - heavy, on first use

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, None)) or ""
    except phonenumbers.NumberParseException:
        return ""


def fixed(number: str) -> bool:
    """Whether a canonical number is a fixed line, and cannot be a mobile."""
    return kind(number) == "fixed"


def sendable(number: str) -> bool:
    """Whether a code may be sent to a canonical number.

    Refuses premium, shared cost, toll free, personal, pager, voicemail, satellite and unknown kinds, numbers with an
    extension, short codes and emergency numbers: no message gets there, or somebody earns by it.
    """
    ready = _CANONICAL.match(number)
    return ready is not None and ready[2] is None and kind(number) in _SENDABLE
