"""The words people use for periods of time, folded, in English, French, Spanish and Persian."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

__all__ = ["AGES", "AHEAD", "FEW", "HALVES", "QUARTERS", "SINCE", "TOO_LATE", "UNITS", "VAGUE", "YEAR_WORDS"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WEEK: Final = Fraction(7 * 12 * 400, 146097)  # 146,097 days are 400 years
_MONTHS: Final[tuple[tuple[Fraction, str], ...]] = (
    (Fraction(1), "month months mo mos mth mths mois mes meses ماه ماهه ماهی ماهست ماهیه"),
    (
        Fraction(12),
        "year years yr yrs an ans annee annees ano anos anito anitos anual سال ساله سالی سالست سالیه سالها",
    ),
    (_WEEK, "week weeks wk wks semaine semaines semana semanas هفته هفتهای"),
    (_WEEK * 2, "fortnight fortnights"),
    (_WEEK / 7, "day days jour jours journee dia dias روز روزه روزی"),
    (Fraction(3), "trimestre trimestres"),
    (Fraction(6), "semestre semestres"),
    (Fraction(60), "lustro lustros quinquenio"),
    (Fraction(120), "decade decades decennie decennies decada decadas decenio دهه"),
    (Fraction(1200), "century centuries siecle siecles siglo siglos قرن"),
)
UNITS: Final = {word: months for months, words in _MONTHS for word in words.split()}
"""Months in each unit of time."""
YEAR_WORDS: Final = _set("year years annee ano an سال")
"""A year's number may follow: the year 2019, سال ۱۳۹۸."""

HALVES: Final = _set("half halves demi demie demis demies moitie medio media medios mitad نیم نصف نصفی")
QUARTERS: Final = _set("quarter quarters quart quarts cuarto cuartos ربع")
FEW: Final = _set(
    """few several some many couple couples handful lots ages
    quelques quelque plusieurs paire beaucoup longtemps
    algunos algunas varios varias unos pocos pocas par muchos muchas
    چند چندین چندتا خیلی زیاد مدتی""",
)
"""More than one of something, nobody knows how many (a couple is two, settled where it is read)."""
VAGUE: Final = _set("less under fewer moins menos کمتر زیر except minus منهای")
"""What makes the number a bound and not an answer."""
SINCE: Final = _set("since from depuis desde از")
AGES: Final = _set("was were aged age ages avais tenia tengo tenias edad cumpli سن turned")
"""With one of these before it, since twenty is an age."""
AHEAD: Final = _set("in within dans dentro next prochain prochaine proximo proxima")
"""With a number after it, a time to come."""
TOO_LATE: Final = _set("سالگی سالگیم سالگیام دیگر دیگه اینده بعد later")
"""Said after a number, it makes an age of it, or a time to come."""
