"""What is never enrolled."""

from __future__ import annotations

import pytest

from kyc_verify.answers import Refused, common
from kyc_verify.answers.common import check_enrollable, is_card_number

COLOUR = {
    "en": "What is your favourite colour?",
    "fr": "Quelle est votre couleur préférée ?",
    "fa": "رنگ مورد علاقه شما؟",
}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("pizza", "too_common"),
        ("PIZZA!", "too_common"),
        ("Bleu", "too_common"),
        ("quesó", "too_common"),
        ("قرمه‌سبزی", "too_common"),
        ("قرمه سبزی", "too_common"),
        ("I don't know", "too_common"),
        ("i dont know", "too_common"),
        ("Je ne sais pas.", "too_common"),
        ("idontknow", "too_common"),
        ("no sé", "too_common"),
        ("نمی‌دانم", "too_common"),
        ("password", "too_common"),
        ("123456", "too_common"),
        ("۱۲۳۴۵۶", "too_common"),
        ("colour", "in_question"),
        ("Favourite Colour", "in_question"),
        ("préférée", "in_question"),
        ("مورد علاقه", "in_question"),
        ("4111 1111 1111 1111", "card_number"),
        ("my card: 4111-1111-1111-1111 ok", "card_number"),
        ("۴۱۱۱۱۱۱۱۱۱۱۱۱۱۱۱", "card_number"),
        ("4111\u200b111111111111", "card_number"),
        ("378282246310005", "card_number"),
        ("cvv 123", "card_security_code"),
        ("CVC: 123", "card_security_code"),
        ("the security code is 123", "card_security_code"),
        ("code de sécurité 123", "card_security_code"),
        ("código de seguridad 123", "card_security_code"),
        ("کد امنیتی ۱۲۳", "card_security_code"),
        ("!!!", "blank"),
        ("a" * 257, "too_long"),
        ("a\ud800", "unencodable"),
    ],
)
def test_kb_03_04_05_refused(said: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check_enrollable(said, question=COLOUR)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "said", ["chartreuse", "École Jules Ferry", "rue des Lilas 12", "4111111111111112", "مدرسه البرز"]
)
def test_others_are_enrolled(said: str) -> None:
    check_enrollable(said, question=COLOUR)
    check_enrollable(said, question="What is your favourite colour?")


@pytest.mark.parametrize(
    ("said", "found"),
    [("4222222222222", True), ("411111111111111", False), ("12345", False), ("", False)],
)
def test_card_numbers_by_luhn(said: str, *, found: bool) -> None:
    assert is_card_number(said) is found


def test_of_a_run_no_longer_than_a_card_only_the_whole_counts() -> None:
    # Its first 13 digits are valid, and no issuer's.
    assert common.luhn("0000000000158380"[:13])
    assert not is_card_number("0000000000158380")


def test_card_number_inside_a_longer_run() -> None:
    assert is_card_number("00000004111111111111111")


@pytest.mark.parametrize(
    "said",
    [
        "4111111111111111 123", "378282246310005 1234", "5500005555555559/12", "4111 1111 1111 1111 1225",
        "04111111111111111", "card 4111-1111-1111-1111, code 123", "٤١١١١١١١١١١١١١١١ 999",
    ],
)  # fmt: skip
def test_a_card_number_is_found_whatever_is_beside_it(said: str) -> None:
    assert common.holds_card(said)
    assert common.is_card_number(said)


@pytest.mark.parametrize("said", ["", "2019-03-14", "0612345678", "4111111111111112", "0000000000000000", "12 years"])
def test_what_is_no_card_number(said: str) -> None:
    assert not common.holds_card(said)
