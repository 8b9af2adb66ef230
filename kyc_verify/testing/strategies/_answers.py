"""Facts and what people say for them, in four languages; the same number as it is written; slips."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import phonenumbers
from hypothesis import strategies as st

from kyc_verify.answers.digits import weak_pin
from kyc_verify.errors import UsageError
from kyc_verify.terms import LANGUAGES
from kyc_verify.testing._acting import misspelt

__all__ = ["Answer", "answers", "perturbed", "phone_numbers", "slips"]

_MONTHS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
               "November", "December"),
        "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
               "novembre", "décembre"),
        "es": ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
               "noviembre", "diciembre"),
        "fa": ("ژانویه", "فوریه", "مارس", "آوریل", "مه", "ژوئن", "ژوئیه", "اوت", "سپتامبر", "اکتبر", "نوامبر",
               "دسامبر"),
    }
)  # fmt: skip
_DAYS: Final[Mapping[str, str]] = MappingProxyType(
    {"en": "{day} {month} {year}", "fr": "{day} {month} {year}", "es": "{day} de {month} de {year}",
     "fa": "{day} {month} {year}"}
)  # fmt: skip
_SINCE: Final[Mapping[str, str]] = MappingProxyType(
    {"en": "since {month} {year}", "fr": "depuis {month} {year}", "es": "desde {month} de {year}",
     "fa": "از {month} {year}"}
)  # fmt: skip
_ZEROS: Final = ("0", "۰", "٠", "０")
"""Zero, as four scripts write it; the other digits follow it."""
_WORDS: Final = ("Lindenhof", "Saint-Étienne", "Córdoba", "Mauritius", "اصفهان", "Aylesbury", "Ångström", "Rue du Bac")
_TODAY: Final = date(2100, 1, 1)
_KINDS: Final = ("text", "date", "tenure", "digits", "phone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A fact, and one way to say it that is right.

    Attributes:
        fact: What is enrolled.
        said: What the customer says.
    """

    fact: object
    said: str


def answers(kind: str, lang: str = "en") -> st.SearchStrategy[Answer]:
    """Return facts of a kind, each with something that the customer may say for it in a language.

    Args:
        kind: ``text``, ``date``, ``tenure``, ``digits`` or ``phone``.
        lang: ``en``, ``fr``, ``es`` or ``fa``.

    Raises:
        UsageError: no such kind or language.
    """
    if kind not in _KINDS or lang not in LANGUAGES:
        msg = f"answers() takes a kind of {', '.join(_KINDS)}, and a language of {', '.join(LANGUAGES)}"
        raise UsageError(msg)
    if kind == "date":
        return _dates(lang)
    if kind == "tenure":
        return _tenures(lang)
    if kind == "digits":
        return _digits()
    return _phones() if kind == "phone" else _texts()


@st.composite
def _dates(draw: st.DrawFn, lang: str) -> Answer:
    fact = draw(st.dates(date(1990, 1, 1), date(2099, 12, 31)))
    zero = draw(st.sampled_from(_ZEROS))
    day = "1er" if lang == "fr" and fact.day == 1 else _in_script(str(fact.day), zero)
    said = _DAYS[lang].format(day=day, month=_MONTHS[lang][fact.month - 1], year=_in_script(str(fact.year), zero))
    return Answer(fact=fact, said=draw(st.sampled_from((said, fact.isoformat()))))


@st.composite
def _tenures(draw: st.DrawFn, lang: str) -> Answer:
    fact = _TODAY - timedelta(days=draw(st.integers(40, 15_000)))
    zero = draw(st.sampled_from(_ZEROS))
    said = _SINCE[lang].format(month=_MONTHS[lang][fact.month - 1], year=_in_script(str(fact.year), zero))
    return Answer(fact=fact, said=said)


@st.composite
def _digits(draw: st.DrawFn) -> Answer:
    fact = draw(st.text("0123456789", min_size=4, max_size=10).filter(lambda digits: not weak_pin(digits)))
    said = _in_script(fact, draw(st.sampled_from(_ZEROS)))
    return Answer(fact=fact, said=draw(st.sampled_from(("", " ", "-"))).join(said))


@st.composite
def _phones(draw: st.DrawFn) -> Answer:
    fact = draw(phone_numbers(draw(st.sampled_from(("FR", "GB", "US", "DE", "ES", "IR", "IN", "BR")))))
    parsed = phonenumbers.parse(fact)
    forms = (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL,
             phonenumbers.PhoneNumberFormat.RFC3966)  # fmt: skip
    return Answer(fact=fact, said=phonenumbers.format_number(parsed, draw(st.sampled_from(forms))))


@st.composite
def _texts(draw: st.DrawFn) -> Answer:
    words = draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3))
    fact = f"{' '.join(words)} {draw(st.integers(2, 999))}"
    return Answer(fact=fact, said=draw(perturbed(fact)))


def perturbed(text: str) -> st.SearchStrategy[str]:
    """Return a text as people type it: other case, decomposed, spaces before, between and after. The same answer.

    Raises:
        UsageError: it is no text.
    """
    _text(text, "perturbed")

    def changed(how: tuple[str, bool, str]) -> str:
        cased, decomposed, space = how
        said = f"{space}{cased.replace(' ', ' ' + space)}{space}"
        return unicodedata.normalize("NFD", said) if decomposed else said

    cases = st.sampled_from((text.lower(), text.upper(), text))
    return st.tuples(cases, st.booleans(), st.sampled_from(("", " ", "  ", "\u00a0", "\t"))).map(changed)


def slips(text: str) -> st.SearchStrategy[str]:
    """Return a text with one slip: two letters swapped, one dropped, one doubled. Another answer, or nearly it.

    Raises:
        UsageError: it is no text, or has nothing to slip on.
    """
    _text(text, "slips")
    found = [each for each in misspelt(text) if each]
    if not found:
        msg = "there is nothing in this text to slip on"
        raise UsageError(msg)
    return st.sampled_from(found)


def phone_numbers(region: str = "FR") -> st.SearchStrategy[str]:
    """Return valid numbers of a region, in E.164.

    Raises:
        UsageError: no such region.
    """
    known = type(region) is str and region in phonenumbers.SUPPORTED_REGIONS
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE) if known else None
    if example is None:
        msg = f"no numbers are known of the region {region!r}; write one as 'FR'"
        raise UsageError(msg)
    start = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)

    def ending(tail: int) -> str:
        return f"{start[:-3]}{tail:03}"

    return (
        st.integers(0, 999).map(ending).filter(lambda number: phonenumbers.is_valid_number(phonenumbers.parse(number)))
    )


def _text(given: object, strategy: str) -> None:
    if not isinstance(given, str):
        msg = f"{strategy} takes a text, as in {strategy}('Lindenhof'), not a {type(given).__name__}"
        raise UsageError(msg)


def _in_script(text: str, zero: str) -> str:
    return "".join(chr(ord(zero) + int(char)) for char in text)
