"""Laws of the forms: total, idempotent, the finer implies the coarser, and nothing but `Refused` comes out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify.answers import Clarify, Forms, Refused, common, dates, digits, durations, phones, text
from kyc_verify.terms import Outcome

NOW = datetime(2031, 6, 15, tzinfo=UTC)
ANYTHING = st.text(max_size=300)
# Dense where folding has rules: marks, joiners, Arabic letters, digits, particles.
LETTERS = "aAéEßIİıøłœæÞ'’-. \u200c\u200d\u00ad\ufeff\u0301\u0327\u0308\u0345\u064e\u0640یيىکكهةأآءئ۳٣3²½ﬁǅшАй\ufdfa"
PARTS = """Mc O Saint st s the la de سال ماه نیم و years ans año half since sept vingt quatre 2019 ۱۳۹۸ +33 ext 14 /
    mars"""
TRICKY = st.lists(st.sampled_from([*LETTERS, *PARTS.split()]), max_size=40).map("".join)
WORDS = """three vingt quatre dix sept cent mille hundred oh nineteen years an ans mes mois year half demi y et و سال
    ماه ساله نیم از since 3 18 2019 ۱۳۹۸ march mars sept فروردین a un una couple decade quarter or 1/2 -3 3.5 ago in
    dans de of the not before old"""
SPACED = st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)
SAID = ANYTHING | TRICKY | SPACED


def _or_refusal(call: Callable[[], object]) -> object:
    try:
        return call()
    except Refused as refused:
        return refused.reason


@given(SAID)
def test_fold_is_idempotent(said: str) -> None:
    with suppress(Refused):
        folded = text.fold(said)
        assert text.fold(folded) == folded
        assert folded == " ".join(folded.split())


@given(SAID)
def test_forms_depend_on_the_folded_text_only(said: str) -> None:
    with suppress(Refused):
        forms, again = text.forms(said), text.forms(text.fold(said))
        assert forms.fine.reveal() == again.fine.reveal()
        assert forms.coarse.reveal() == again.coarse.reveal()
        assert forms.coarse.reveal().strip()


@given(SAID)
def test_fine_implies_coarse(said: str) -> None:
    """The fine form, said itself, has the same coarse form: coarse is a function of fine."""
    with suppress(Refused):
        forms = text.forms(said)
        again = text.forms(forms.fine.reveal())
        assert again.fine.reveal() == forms.fine.reveal()
        assert again.coarse.reveal() == forms.coarse.reveal()


@given(SAID, st.sampled_from(["exact", "default", "typo"]))
def test_text_is_total_and_enrolment_is_symmetric(said: str, tolerance: text.Tolerance) -> None:
    def one() -> object:
        forms = text.forms(said, tolerance=tolerance)
        return forms.coarse.reveal(), forms.fine.reveal(), tuple(form.reveal() for form in forms.typo)

    assert _or_refusal(one) == _or_refusal(one)


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8), min_size=2, max_size=4))
def test_order_of_words_does_not_matter_to_coarse(words: list[str]) -> None:
    marked = [f"x{word}" for word in words]  # no particle begins with x
    forward, backward = (text.forms(" ".join(order)) for order in (marked, marked[::-1]))
    assert forward.coarse.reveal() == backward.coarse.reveal()


@given(st.text("abcdefghij", min_size=4, max_size=12), st.data())
def test_typo_neighbourhoods_meet_within_one_edit(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    before, after = word[:at], word[at + 1 :]
    other = data.draw(st.sampled_from([before + after, before + "k" + word[at:], before + "k" + after]))
    known, heard = ({form.reveal() for form in text.forms(w, tolerance="typo").typo} for w in (word, other))
    assert known & heard or len(other) < 4


@given(SAID, st.sampled_from([None, "en", "en-US", "fr", "es", "fa", "", "-", "xx-YY"]))
def test_readers_answer_ask_or_refuse(said: str, locale: str | None) -> None:
    month = _or_refusal(lambda: durations.read(said, locale=locale, now=NOW))
    assert isinstance(month, int | Clarify | str)
    if isinstance(month, int):
        present = 2031 * 12 + 5
        assert present - 127 * 12 <= month <= present
        assert durations.grade(month, month, now=NOW) is Outcome.PASS
    day = _or_refusal(lambda: dates.read(said, locale=locale, now=NOW))
    assert isinstance(day, date | Clarify | str)


@given(SAID, st.sampled_from([None, "US", "FR", "IT", "IR", "us", "??", ""]))
def test_phones_are_canonical_or_refused(said: str, region: str | None) -> None:
    found = _or_refusal(lambda: phones.canonical(said, region=region))
    assert isinstance(found, str)
    if found.startswith("+"):
        assert phones.canonical(found, region=None) == found
        assert phones.same(found, found)
        phones.sendable(found)


@given(
    st.integers(0, 10**12),
    st.sampled_from(["US", "FR", "IT", "MX", "AR", "IR", "GB"]),
    st.text("0123456789 -().+x;", max_size=20),
)
def test_phone_like_text_is_canonical_or_refused(number: int, region: str, tail: str) -> None:
    found = _or_refusal(lambda: phones.canonical(f"{number}{tail}", region=region))
    assert isinstance(found, str)
    if found.startswith("+"):
        assert phones.canonical(found, region=None) == found


@given(SAID)
def test_digits_cards_and_common_are_total(said: str) -> None:
    found = _or_refusal(lambda: digits.forms(said))
    if isinstance(found, Forms):
        assert found.fine.reveal().isascii()
        assert found.fine.reveal().isdigit()
        digits.weak_pin(found.fine.reveal())
    assert isinstance(common.is_card_number(said), bool)
    _or_refusal(lambda: common.check_enrollable(said, question={"en": "What is it?", "fa": "چیست؟"}))


@given(st.dates())
def test_every_date_reads_as_itself(day: date) -> None:
    if day.year >= 1501:
        assert dates.read(day.isoformat(), locale=None, now=NOW) == day
    assert dates.read(day, locale=None, now=NOW) == day
    swapped = dates.forms(day)
    assert swapped.near


@pytest.mark.parametrize("length", [257, 10_000])
def test_length_is_bounded_everywhere(length: int) -> None:
    said = "1" * length
    calls: tuple[Callable[[], object], ...] = (
        lambda: text.forms(said),
        lambda: digits.forms(said),
        lambda: dates.read(said, locale=None, now=NOW),
        lambda: durations.read(said, locale=None, now=NOW),
        lambda: phones.canonical(said, region=None),
        lambda: common.check_enrollable(said, question=""),
    )
    assert {_or_refusal(call) for call in calls} == {"too_long"}
