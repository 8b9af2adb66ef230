"""The shipped texts: complete in every language, well set, and blind to what is put into them."""

from __future__ import annotations

import json
import re
import unicodedata
from importlib.resources import files
from string import Template

import pytest

from kyc_verify import prompts
from kyc_verify.terms import LANGUAGES, Entry

SHIPPED: dict[str, dict[str, str]] = json.loads((files("kyc_verify") / "data" / "prompts.json").read_bytes())
IN = {lang: [texts[lang] for texts in SHIPPED.values()] for lang in LANGUAGES}
STAKE = {"amount": "250.00", "currency": "EUR", "payee": "Acme"}
VALUES = {"purpose": "change of address", "stake": "", "code": "824193", **STAKE}
WARNINGS = {lang: SHIPPED["message.code.never"][lang] for lang in LANGUAGES}
PLACEHOLDERS = {
    "message.code.warning": {"purpose", "stake", "warning", "code"},
    "message.code.brief": {"purpose", "stake", "code"},
    "message.code.plain": {"purpose", "stake", "code"},
    "message.code.voice": {"purpose", "stake", "warning", "code"},
    "message.code.email": {"purpose", "stake", "warning", "code"},
    "message.code.email.subject": {"purpose"},
    "message.code.stake": {"amount", "currency", "payee"},
    "message.push": {"purpose", "stake"},
}
REVIEW_PATH = {"en": "review path", "fr": "procédure d’examen", "es": "vía de revisión", "fa": "بررسی جداگانه"}
# The basic alphabet of 3GPP TS 23.038, without control characters.
GSM = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
every_key = pytest.mark.parametrize("key", sorted(SHIPPED))
every_language = pytest.mark.parametrize("lang", LANGUAGES)


def test_keys_are_those_of_the_file() -> None:
    assert prompts.keys() == SHIPPED.keys()


@every_key
def test_every_language_has_the_same_placeholders(key: str) -> None:
    assert tuple(SHIPPED[key]) == LANGUAGES
    for said in SHIPPED[key].values():
        assert Template(said).is_valid()
        assert set(Template(said).get_identifiers()) == PLACEHOLDERS.get(key, set())


@every_language
@every_key
def test_nothing_is_left_to_fill_in(key: str, lang: str) -> None:
    said = prompts.text(key, lang, warning=WARNINGS[lang], **VALUES)
    assert said.strip()
    assert not set("${}") & set(said)


@every_language
@every_key
def test_no_hint_of_a_destination(key: str, lang: str) -> None:
    said = SHIPPED[key][lang]
    assert "@" not in said
    assert "*" not in said
    if not key.startswith("entry.hint."):
        assert not any(c.isdigit() for c in said)


@pytest.mark.parametrize("entry", Entry)
def test_every_entry_has_a_hint(entry: Entry) -> None:
    assert prompts.text(f"entry.hint.{entry}", "en")


@every_language
@pytest.mark.parametrize("end", ["cancelled", "denied", "expired", "policy_changed", "review"])
def test_ends_without_a_grant_name_the_review_path(end: str, lang: str) -> None:
    assert REVIEW_PATH[lang] in prompts.text(f"reason.{end}", lang)


@pytest.mark.parametrize(("key", "lang"), [("ask.nothing", "en"), ("ask.pin", "de"), ("ask.pin", "fr-CA")])
def test_unknown_key_or_language(key: str, lang: str) -> None:
    with pytest.raises(LookupError, match="no text"):
        prompts.text(key, lang)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(LookupError, match="code"):
        prompts.text("message.code.plain", "en", purpose="a payment", stake="")


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_language
@pytest.mark.parametrize("hostile", ["{code}", "$code", "${code}", "$$", "%(code)s", "{0.__class__}", "{{code}}"])
def test_values_go_in_literally(hostile: str, lang: str) -> None:
    stake = prompts.text("message.code.stake", lang, amount="250.00", currency="EUR", payee=hostile)
    assert hostile in stake
    warning = WARNINGS[lang]
    said = prompts.text("message.code.warning", lang, purpose=hostile, stake=stake, warning=warning, code="824193")
    assert said.count(hostile) == 2
    assert said.count("824193") == 1


@every_language
@pytest.mark.parametrize("key", ["message.code.warning", "message.code.plain", "message.code.email"])
def test_the_purpose_comes_first_and_the_code_last(key: str, lang: str) -> None:
    said = prompts.text(key, lang, warning=WARNINGS[lang], **VALUES)
    assert said.endswith(": 824193")
    assert said.index("change of address") < 15


@every_language
def test_the_stake_follows_the_purpose(lang: str) -> None:
    stake = prompts.text("message.code.stake", lang, **STAKE)
    keys = ("message.code.warning", "message.code.plain", "message.code.voice", "message.code.email", "message.push")
    for key in keys:
        said = prompts.text(key, lang, purpose="payment", stake=stake, warning=WARNINGS[lang], code="824193")
        assert re.search(r"payment \(250\.00 EUR \w+ Acme\)[.?؟\u202f]", said)


@pytest.mark.parametrize(
    ("lang", "purpose", "alone", "with_stake"),
    [
        ("en", "change of telephone number", 1, 2),
        ("fr", "changement d'adresse", 1, 2),
        ("es", "cambio de domicilio", 1, 2),
        ("fa", "تغییر نشانی", 3, 4),  # Persian takes two bytes a letter: 67 to a message
    ],
)
def test_the_warning_takes_few_text_messages(lang: str, purpose: str, alone: int, with_stake: int) -> None:
    stake = prompts.text("message.code.stake", lang, **STAKE)
    for moved, most in (("", alone), (stake, with_stake)):
        said = prompts.text(
            "message.code.warning", lang, purpose=purpose, stake=moved, warning=WARNINGS[lang], code="824193"
        )
        assert prompts.segments(said) <= most


@pytest.mark.parametrize("lang", ["en", "fr", "es"])
@pytest.mark.parametrize("key", ["message.code.warning", "message.code.plain", "message.code.stake"])
def test_code_messages_keep_to_the_gsm_alphabet(key: str, lang: str) -> None:
    assert set(prompts.text(key, lang, warning=WARNINGS[lang], **VALUES)) <= GSM


@every_language
def test_the_telephone_says_the_code_twice_and_never_first(lang: str) -> None:
    said = prompts.text("message.code.voice", lang, warning=WARNINGS[lang], **VALUES)
    assert said.count("824193") == 2
    assert said.index("change of address") < said.index(WARNINGS[lang]) < said.index("824193")


@every_language
def test_a_subject_does_not_hold_the_code(lang: str) -> None:
    assert "code" not in Template(SHIPPED["message.code.email.subject"][lang]).get_identifiers()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two places each
        ("€" * 81, 2),
        ("ó" * 70, 1),  # not in the alphabet: two bytes a letter
        ("ó" * 71, 2),
        ("ó" * 134, 2),
        ("ó" * 135, 3),
        ("a" * 69 + "ó", 1),
        ("a" * 70 + "ó", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("\ud800", 1),
    ],
)
def test_segments_to_the_character(said: str, expected: int) -> None:
    assert prompts.segments(said) == expected


# ── Typography ───────────────────────────────────────────────────────────────────────────────────────────────────────


@every_language
def test_texts_are_normal_and_single_spaced(lang: str) -> None:
    for said in IN[lang]:
        assert unicodedata.is_normalized("NFC", said)
        assert not re.search(r"\s\s|\s[.,]|\s$", said)


def test_french() -> None:
    for key, texts in SHIPPED.items():
        if not key.startswith("message.code."):  # GSM has neither these spaces nor this apostrophe
            assert not re.search(r"(?<!\u202f)[;!?]|(?<!\u00a0):|'", texts["fr"]), key


def test_spanish() -> None:
    for said in IN["es"]:
        assert said.count("¿") == said.count("?")


def test_persian() -> None:
    for said in IN["fa"]:
        assert not re.search(r"[,;?]|[يك]|[0-9٠-٩]", said)
        assert not re.search(r"\bن?می |(?<!\w)\u200c|\u200c(?!\w)", said)


# ── Locales ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "lang"),
    [
        ((), "en"),
        ((None,), "en"),
        (("",), "en"),
        (("de", "zz-ZZ"), "en"),
        (("fr",), "fr"),
        (("fr-CA",), "fr"),
        (("fa_IR",), "fa"),
        (("ES-mx",), "es"),
        ((None, "de", "es-MX", "fr"), "es"),
        (("frr",), "en"),
    ],
)
def test_language(wanted: tuple[str | None, ...], lang: str) -> None:
    assert prompts.language(*wanted) == lang


@pytest.mark.parametrize(
    ("locales", "wanted", "picked"),
    [
        ("en fr fr-CA", ("fr-CA",), "fr-CA"),
        ("en fr fr-CA", ("fr_ca",), "fr-CA"),
        ("en fr fr-CA", ("fr-BE",), "fr"),
        ("en fr-CA fr-BE", ("fr",), "fr-BE"),
        ("en fr", (None, "de", "fr"), "fr"),
        ("de en", ("de-AT", "en"), "de"),
        ("de en fr", ("es",), "en"),
        ("de en-GB", ("es",), "en-GB"),
        ("fr de", (), "de"),
        ("fr de", (None, "es"), "de"),
        ("fa_IR en", ("fa",), "fa_IR"),
    ],
)
def test_pick(locales: str, wanted: tuple[str | None, ...], picked: str) -> None:
    texts = {locale: f"in {locale}" for locale in locales.split()}
    assert prompts.pick(texts, *wanted) == f"in {picked}"
