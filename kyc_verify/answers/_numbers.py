"""Number words of English, French, Spanish and Persian, in one pass and without being told the language.

The tables know folded words only. A word that is a number in two languages means the same in both (six, cent);
the few that do not are settled by their neighbours in `read_numbers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kyc_verify.answers._periods import UNITS

__all__ = [
    "AND",
    "BIG",
    "COLLECTIVES",
    "ORDINALS",
    "ORDINAL_SUFFIXES",
    "SOFT_ONES",
    "Token",
    "is_number",
    "read_numbers",
]


def _table(*rows: tuple[int, str]) -> dict[str, int]:
    return {word: value for value, words in rows for word in words.split()}


_SMALL: Final = _table(
    (0, "zero nought cero صفر"),
    (1, "one un une uno una یک یه"),
    (2, "two deux dos دو"),
    (3, "three trois tres سه"),
    (4, "four quatre cuatro چهار چار"),
    (5, "five cinq cinco پنج"),
    (6, "six seis شش شیش"),
    (7, "seven sept siete هفت"),
    (8, "eight huit ocho هشت"),
    (9, "nine neuf nueve نه"),
    (10, "ten dix diez ده"),
    (11, "eleven onze once یازده"),
    (12, "twelve douze doce دوازده dozen douzaine docena"),
    (13, "thirteen treize trece سیزده"),
    (14, "fourteen quatorze catorce چهارده"),
    (15, "fifteen quinze quince پانزده پونزده quinzaine quincena"),
    (16, "sixteen seize dieciseis شانزده شونزده"),
    (17, "seventeen diecisiete هفده هیفده"),
    (18, "eighteen dieciocho هجده هیجده هژده"),
    (19, "nineteen diecinueve نوزده"),
    (21, "veintiuno veintiun veintiuna"),
    (22, "veintidos"),
    (23, "veintitres"),
    (24, "veinticuatro"),
    (25, "veinticinco"),
    (26, "veintiseis"),
    (27, "veintisiete"),
    (28, "veintiocho"),
    (29, "veintinueve"),
)
_ROUND: Final = _table(
    (10, "dizaine decena"),
    (20, "twenty vingt veinte بیست vingts vingtaine veintena"),
    (30, "thirty trente treinta سی trentaine treintena"),
    (40, "forty fourty quarante cuarenta چهل quarantaine"),
    (50, "fifty cinquante cincuenta پنجاه cinquantaine"),
    (60, "sixty soixante sesenta شصت soixantaine"),
    (70, "seventy septante setenta هفتاد"),
    (80, "eighty huitante octante ochenta هشتاد"),
    (90, "ninety nonante noventa نود"),
    (100, "centaine centena centenar"),
)
_HUNDREDS: Final = _table(
    (200, "doscientos doscientas دویست"),
    (300, "trescientos trescientas سیصد"),
    (400, "cuatrocientos cuatrocientas چهارصد"),
    (500, "quinientos quinientas پانصد پونصد"),
    (600, "seiscientos seiscientas ششصد شیشصد"),
    (700, "setecientos setecientas هفتصد"),
    (800, "ochocientos ochocientas هشتصد"),
    (900, "novecientos novecientas نهصد"),
)
_HUNDRED: Final = frozenset("hundred cent cents cien ciento صد یکصد".split())  # noqa: SIM905 - a word list
_THOUSAND: Final = frozenset("thousand mille mil هزار یکهزار".split())  # noqa: SIM905
AND: Final = frozenset(("and", "et", "y", "e", "و"))
"""What joins the parts of a number, and a number to its half."""
SOFT_ONES: Final = frozenset(("one", "un", "une", "uno", "una", "یک", "یه"))
"""A one that may as well be an article."""
BIG: Final = _HUNDRED | _THOUSAND
"""An article before one of these is a part of the number: a hundred."""
COLLECTIVES: Final = frozenset(
    """dozen douzaine docena dizaine decena quinzaine quincena vingtaine veintena trentaine treintena quarantaine
    cinquantaine soixantaine centaine centena centenar""".split(),  # noqa: SIM905
)
"""Numbers that are counted themselves: une dizaine, half a dozen."""
ORDINAL_SUFFIXES: Final = frozenset("st nd rd th er ere eme e ro do to no mo ام".split())  # noqa: SIM905
"""What makes an ordinal of the digits before it."""
ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
    "premier": 1, "premiere": 1, "primero": 1, "primer": 1,
    "اول": 1, "یکم": 1, "دوم": 2, "سوم": 3, "چهارم": 4, "پنجم": 5, "ششم": 6, "هفتم": 7, "هشتم": 8, "نهم": 9,
    "دهم": 10, "یازدهم": 11, "دوازدهم": 12, "سیزدهم": 13, "چهاردهم": 14, "پانزدهم": 15, "شانزدهم": 16,
    "هفدهم": 17, "هجدهم": 18, "نوزدهم": 19, "بیستم": 20, "سیم": 30,
}  # fmt: skip
"""Days of a month as they are said."""
_FRENCH_TEENS: Final = frozenset("dix onze douze treize quatorze quinze seize".split())  # noqa: SIM905
_LONGEST_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a number with how it was said."""

    word: str
    number: Fraction | None = None
    spoken: bool = False

    @property
    def whole(self) -> int | None:
        """The number when it is a whole one."""
        return self.number.numerator if self.number is not None and self.number.denominator == 1 else None


class _Adder:
    """Adds number words up as long as the next one can belong to the same number."""

    def __init__(self) -> None:
        self.total = 0
        self.part = 0
        self.begun = False
        self.word = ""

    def _adds(self, value: int) -> bool:
        """Whether `value` may still be added to what stands."""
        part = self.part
        if not self.begun or (part == 0 and self.total):
            return True
        if value < 10:  # noqa: PLR2004 - the decimal system
            return part % 10 == 0 and part % 100 != 10 and part > 0  # noqa: PLR2004
        return part % 100 == 0 and part > 0

    def take(self, word: str) -> bool:
        """Add `word`; False when it begins a new number (nothing is changed then)."""
        if word in _THOUSAND:
            return self._thousand(word)
        if word in _HUNDRED:
            return self._hundred(word)
        if word in _HUNDREDS:
            if self.begun and self.part:
                return False
            return self._add(_HUNDREDS[word], word)
        value = _SMALL.get(word)
        if value is None:
            value = _ROUND[word]
            if value == 20 and self.word == "quatre" and self.part % 100 == 4:  # noqa: PLR2004 - quatre-vingts
                return self._add(76, word)
        french = word in _FRENCH_TEENS and self.part % 100 in {60, 80}
        # dix-sept, diez y seis
        ten_and = (7 if self.word == "dix" else 6) <= value <= 9 and self.word in {"dix", "diez"}  # noqa: PLR2004
        return (french or ten_and or self._adds(value)) and self._add(value, word)

    def _add(self, value: int, word: str) -> bool:
        self.part += value
        self.begun, self.word = True, word
        return True

    def _hundred(self, word: str) -> bool:
        if self.begun and self.part >= 100:  # noqa: PLR2004
            return False
        self.part = (self.part or 1) * 100
        self.begun, self.word = True, word
        return True

    def _thousand(self, word: str) -> bool:
        if self.total or self.part >= 1000:  # noqa: PLR2004
            return False
        self.total, self.part = (self.part or 1) * 1000, 0
        self.begun, self.word = True, word
        return True

    def value(self) -> int:
        return self.total + self.part


def is_number(word: str) -> bool:
    """Whether a folded word is a number word of one of the languages."""
    return word in _SMALL or word in _ROUND or word in _HUNDREDS or word in _HUNDRED or word in _THOUSAND


def _century(tokens: list[Token]) -> list[Token]:
    """Read English years said in pairs: nineteen eighty-five, twenty nineteen, nineteen oh five."""
    out: list[Token] = []
    at = 0
    while at < len(tokens):
        first = tokens[at]
        second = tokens[at + 1] if at + 1 < len(tokens) else None
        if first.spoken and first.whole in {13, 18, 19, 20} and second is not None:
            third = tokens[at + 2].whole if at + 2 < len(tokens) else None
            if second.word in {"oh", "o"} and third is not None and third <= 9:  # noqa: PLR2004
                out.append(Token("", Fraction(first.number or 0) * 100 + third, spoken=True))
                at += 3
                continue
            counted = at + 2 < len(tokens) and tokens[at + 2].word in UNITS  # nineteen, twenty years
            if second.spoken and not counted and second.whole is not None and 10 <= second.whole <= 99:  # noqa: PLR2004
                out.append(Token("", Fraction(first.number or 0) * 100 + second.whole, spoken=True))
                at += 2
                continue
        out.append(first)
        at += 1
    return out


def read_numbers(words: list[str]) -> list[Token]:
    """Turn folded words into tokens, digits and number words into numbers.

    A number is never put together across an unknown word. Digit runs over eight digits stay words.
    """
    out: list[Token] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word.isascii() and word.isdigit():
            number = Fraction(int(word)) if len(word) <= _LONGEST_DIGITS else None
            out.append(Token(word, number))
            at += 1
            continue
        if not is_number(word):
            out.append(Token(word))
            at += 1
            continue
        adder, first = _Adder(), word
        while at < len(words):
            step = 1 if words[at] in AND and at + 1 < len(words) and adder.begun else 0
            if at + step >= len(words) or not is_number(words[at + step]) or not adder.take(words[at + step]):
                break
            at += step + 1
        out.append(Token(first, Fraction(adder.value()), spoken=True))
    return _century(out)
