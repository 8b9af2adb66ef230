"""The words people use for periods of time, folded, in English, French, Spanish and Persian."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

__all__ = ["ABOUT", "AGES", "BETWEEN", "COUPLES", "FEW", "HALVES", "QUARTERS", "SINCE", "UNITS", "VAGUE", "YEAR_WORDS"]


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
YEAR_WORDS: Final = _set("year years annee an ano سال")
"""A year's number may follow: the year 2019, سال ۱۳۹۸."""

HALVES: Final = _set("half halves demi demie demis demies moitie medio media medios mitad نیم نیمه نصف نصفی")
QUARTERS: Final = _set("quarter quarters quart quarts cuarto cuartos ربع")
COUPLES: Final = _set("couple paire par")
"""Two of something; ``par`` only with ``de`` after it, for in French it is "by"."""
BETWEEN: Final = _set(
    """full whole long good solid complete calendar bonnes bons longues pleines completes entieres
    buenos largos completos enteros of de d تمام کامل""",
)
"""What may stand between a number and its unit."""
FEW: Final = _set(
    """few several some many couples handful lots ages dozens tens hundreds loads
    quelques quelque plusieurs beaucoup longtemps dizaines douzaines vingtaines centaines
    algunos algunas varios varias unos unas pocos pocas muchos muchas bastantes cuantos tantos decenas docenas
    چند چندین چندتا خیلی زیاد مدتی""",
)
"""More than one of something, nobody knows how many."""
VAGUE: Final = _set("less under fewer moins menos کمتر زیر کم except minus منهای")
"""What makes the number a bound and not an answer, unless one of `ABOUT` stands before it."""
ABOUT: Final = _set("or ou o peu bit little slightly just poco کمی اندکی")
SINCE: Final = _set("since from depuis desde از when quand lorsque cuando وقتی")
AGES: Final = _set("was were aged age ages avais avait tenia tenias edad cumpli سن turned")
"""With one of `SINCE` as well, a number is an age: since I was twenty."""
