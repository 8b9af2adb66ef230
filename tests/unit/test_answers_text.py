"""Folded words: what is equal, what is near, what is refused."""

from __future__ import annotations

import pytest

from kyc_verify.answers import Refused, _fold, text


def _fine(said: str) -> str:
    return text.forms(said).fine.reveal()


def _coarse(said: str) -> str:
    return text.forms(said).coarse.reveal()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("café", "cafe\u0301"),
        ("Straße", "STRASSE"),
        ("ΟΔΟΣ", "οδος"),
        ("İzmir", "izmir"),
        ("Isparta", "ısparta"),
        ("Łódź", "lodz"),
        ("Sør-Trøndelag", "sor trondelag"),
        ("\u0639\u0644\u064a", "\u0639\u0644\u06cc"),
        ("\u0643\u0631\u06cc\u0645", "کریم"),
        ("کوچه ۱۲", "کوچه ١٢"),
        ("می‌خواهم", "می خواهم"),
        ("می‌خواهم", "میخواهم"),
        ("علی رضا", "علیرضا"),
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("O'Brien", "O’Brien"),
        ("O'Brien", "OBrien"),
        ("D'Arcy", "darcy"),
        ("Mc Donald", "McDonald"),
        ("Saint-Étienne", "saint etienne"),
        ("Saint-Étienne", "SaintEtienne"),
        ("St. Étienne", "Saint-Etienne"),
        ("St John's School", "St Johns School"),
        ("Ty\u00adler", "tyler"),
        ("\ufeffTyler\u200e", "tyler"),
        ("Ｔｙｌｅｒ", "tyler"),
        ("ǆuro", "ǅuro"),
    ],
)
def test_un_writing_differs_and_the_answer_is_the_same(one: str, other: str) -> None:
    assert _fine(one) == _fine(other)
    assert _coarse(one) == _coarse(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Moses Gaster", "Gaster, Moses"),
        ("The Hague", "Hague"),
        ("L'Étoile", "Etoile"),
        ("Thomas de Barry", "Thomas Barrie"),
        ("Philippa", "Filipa"),
        ("Catherine", "Katharine"),
        ("Müller", "Mueller"),
        ("Muhammad", "Mohamad"),
        ("رضا", "رزا"),
        ("Ann Brown", "Anne Browne"),
        ("Knight", "Night"),
        ("Wrighton", "Righton"),
        ("Ghost", "Gost"),
        ("Taylor", "Tayler"),
        ("Vivian", "Vivien"),
        ("Crosse", "Cross"),
        ("Boothe", "Booth"),
        ("Tompkins", "Tomkins"),
        ("Sampson", "Samson"),
        ("Psmith", "Smith"),
        ("a big house", "the big house"),
    ],
)
def test_heard_alike_is_near_and_not_the_same(one: str, other: str) -> None:
    assert _fine(one) != _fine(other)
    assert _coarse(one) == _coarse(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paypal", "p\u0430ypal"),
        ("Tyler", "Τyler"),
        ("Smith", "Schmidt"),
        ("Brown", "Brennan"),
        ("Rose", "Ross"),
        ("Prince", "Prink"),
        ("Sugg", "Sagg"),
        ("rue 12", "rue 13"),
        ("sg18 9tb", "sg18 9td"),
        ("حسن", "حسین"),
        ("москва", "moskva"),
        ("Aiea", "Eia"),
        ("ایو", "اوی"),
    ],
)
def test_un_other_answers_do_not_even_come_near(one: str, other: str) -> None:
    assert _coarse(one) != _coarse(other)


@pytest.mark.parametrize("said", ["", " ", "!!!", "...", "\U0001f600", "\u200b\u200d", "\u0301", "\u3164", "\t\n"])
def test_kb_04_blank_once_folded_is_refused(said: str) -> None:
    with pytest.raises(Refused) as refused:
        text.forms(said)
    assert refused.value.reason == "blank"


@pytest.mark.parametrize("said", ["b\ud800", "\x00", "a\ufffd", "\ue000", "\U0010ffff"])
def test_un_09_what_cannot_be_written_is_refused(said: str) -> None:
    with pytest.raises(Refused) as refused:
        text.forms(said)
    assert refused.value.reason == "unencodable"


def test_re_01_length_is_checked_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "fold_text", None)
    with pytest.raises(Refused) as refused:
        text.forms("a" * 10_000_000)
    assert refused.value.reason == "too_long"


def test_folded_text_that_grew_too_long_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        text.fold("\ufdfa" * 250)
    assert refused.value.reason == "too_long"


def test_exact_has_one_rung() -> None:
    exact = text.forms("Catherine", tolerance="exact")
    assert exact.coarse.reveal() == exact.fine.reveal()
    assert not exact.near


@pytest.mark.parametrize("heard", ["edworth", "edwort", "edworths", "edwarth", "edwroth"])
def test_typo_neighbourhoods_of_one_edit_meet(heard: str) -> None:
    known = {form.reveal() for form in text.forms("edworth", tolerance="typo").typo}
    assert known & {form.reveal() for form in text.forms(heard, tolerance="typo").typo}


def test_a_short_word_has_no_neighbours() -> None:
    assert [form.reveal() for form in text.forms("abc", tolerance="typo").typo] == ["abc"]


def test_folding_that_does_not_come_to_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fold, "_ROUNDS", 1)
    with pytest.raises(Refused, match="unencodable"):
        text.fold("É")


def test_typo_never_forgives_a_digit() -> None:
    known = {form.reveal() for form in text.forms("rue 1234", tolerance="typo").typo}
    assert not known & {form.reveal() for form in text.forms("rue 1235", tolerance="typo").typo}


@pytest.mark.slow
def test_every_letter_folds_once_and_for_all() -> None:
    for point in range(0x110000):
        for said in (chr(point), "a" + chr(point), "\u0627" + chr(point) + "b"):
            try:
                folded = text.fold(said)
            except Refused:
                continue
            assert text.fold(folded) == folded, hex(point)
