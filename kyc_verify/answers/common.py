"""What is never enrolled: answers that everybody gives, answers that the question gives away, payment cards."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from kyc_verify.answers import text
from kyc_verify.answers._fold import fold_text
from kyc_verify.answers.forms import Refused

__all__ = ["check_enrollable", "holds_card", "is_card_number", "luhn", "names_security_code"]

_LIST: Final = "common_answers.txt"
_USUAL: Final = 16
_AMEX: Final = 15
_SHORTEST_CARD: Final = 13
_LONGEST_CARD: Final = 19
_ISSUERS: Final[tuple[tuple[str, str, Collection[int]], ...]] = (
    ("1", "1", (15,)),  # UATP
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)), ("2221", "2720", (16,)),  # Mastercard
    ("34", "34", (15,)), ("37", "37", (15,)),  # American Express
    ("300", "305", range(14, 20)), ("36", "36", range(14, 20)), ("38", "39", range(14, 20)),  # Diners Club
    ("3528", "3589", range(16, 20)),  # JCB
    ("2200", "2204", range(16, 20)),  # Mir
    ("9792", "9792", (16,)),  # Troy
    ("81", "82", range(16, 20)),  # UnionPay, RuPay
    ("50", "50", range(12, 20)), ("56", "69", range(12, 20)),  # Maestro, Discover, UnionPay, RuPay, Shetab
)  # fmt: skip
# A card's security code, as printed, taught and asked for, folded.
_CODE_WORDS: Final = frozenset(
    "cvv cvv2 cvc cvc2 cvn cvn2 cid csc cav cav2 cvd icvv dcvv cryptogramme criptograma".split()  # noqa: SIM905
)
_CODE_PHRASES: Final = (
    "security code", "card code", "card verification", "verification value", "verification number",
    "security number", "code de securite", "code de verification", "numero de verification",
    "codigo de seguridad", "codigo de verificacion", "codigo seguridad", "numero de seguridad",
    "کد امنیتی", "کد سی وی وی", "سی وی وی", "رمز دوم کارت", "کد اعتبارسنجی کارت",
)  # fmt: skip
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015\u2212._/]+")
_RUNS: Final = re.compile(r"[0-9]+")


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    lines = (files("kyc_verify") / "data" / _LIST).read_text(encoding="utf-8").splitlines()
    return frozenset(_joined(line) for line in lines if line.strip() and not line.startswith("#"))


def _joined(said: str) -> str:
    return fold_text(said).replace(" ", "")


def luhn(digits: str) -> bool:
    """Whether the last of some digits is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of its digits
    return total % 10 == 0


def is_card_number(said: str) -> bool:
    """Whether a text holds a run of 13 to 19 digits that is valid by ISO/IEC 7812-1 (Luhn).

    Digits of every script count, and spaces, hyphens and dots between them do not end the run. A run longer than 19
    is searched at every place, so that a number with something typed before it is found.
    """
    for run in _runs(said):
        for start in range(len(run) - _SHORTEST_CARD + 1):
            whole = (len(run),) if start == 0 and len(run) <= _LONGEST_CARD else ()
            lengths = whole or range(_SHORTEST_CARD, min(_LONGEST_CARD, len(run) - start) + 1)
            if len(set(run)) > 1 and any(luhn(run[start : start + length]) for length in lengths):
                return True
            if len(run) <= _LONGEST_CARD:
                break
    return holds_card(said)


def _runs(said: str) -> list[str]:
    # A text too long is refused elsewhere, before any work.
    text_ = "".join([c for c in said[:256] if unicodedata.category(c) != "Cf"])
    digits = "".join([str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text_])
    return _RUNS.findall(_SEPARATORS.sub("", digits))


def holds_card(said: str) -> bool:
    """Whether a text holds a payment card's number, whatever is typed before or after it (a security code, say).

    The number begins with an issuer's digits, has one of its lengths, and ends in its check digit. Among other digits
    only the lengths of most cards are looked for: shorter ones would be found in one long number of two.
    """
    return any(
        _issued(run) or any(_issued(run[start : start + _USUAL]) for start in range(len(run) - _USUAL + 1))
        or any(_issued(run[start : start + _AMEX]) and run[start] == "3" for start in range(len(run) - _AMEX + 1))
        for run in _runs(said)
    )  # fmt: skip


def _issued(digits: str) -> bool:
    """Whether digits are a card's number."""
    shaped = any(len(digits) in lengths and low <= digits[: len(low)] <= high for low, high, lengths in _ISSUERS)
    return shaped and len(set(digits)) > 1 and luhn(digits)


def _in_question(words: str, question: Mapping[str, str] | str) -> bool:
    texts = (question,) if isinstance(question, str) else question.values()
    spaceless = words.replace(" ", "")
    for asked in texts:
        folded = fold_text(asked)
        if f" {words} " in f" {folded} " or spaceless in folded.split():
            return True
    return False


def _names_code(folded: str) -> bool:
    words = frozenset(re.split(r"[\s]+|(?<=[a-z])(?=[0-9]{3,})", folded))
    return bool(words & _CODE_WORDS) or any(f" {phrase} " in f" {folded} " for phrase in _CODE_PHRASES)


def names_security_code(said: str) -> bool:
    """Whether a text, a question say, speaks of a card's security code."""
    try:
        return _names_code(fold_text(said))
    except Refused:
        return True  # what cannot be read may speak of anything


def check_enrollable(said: str, *, question: Mapping[str, str] | str) -> None:
    """Refuse what must not be enrolled as an answer.

    Args:
        said: The answer.
        question: The question, or its texts by language; contained in any of them is contained.

    Raises:
        Refused: ``card_number``, ``card_security_code``, ``too_common`` or ``in_question``; and ``blank``,
            ``too_long`` or ``unencodable`` as `text.forms` does.
    """
    folded = text.fold(said)
    if not folded:
        raise Refused("blank")
    if is_card_number(said):
        raise Refused("card_number")
    if _names_code(folded):
        raise Refused("card_security_code")
    fine = text.forms(said, tolerance="exact").fine.reveal()
    if folded.replace(" ", "") in _common() or _joined(fine) in _common():
        raise Refused("too_common")
    if _in_question(folded, question):
        raise Refused("in_question")
