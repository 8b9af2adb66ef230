"""The Persian calendar and month names.

Conversion follows the 33-year cycle of eight leap years, which agrees with the official calendar in the years
taken here (1250 to 1500); the 2820-year cycle does not (1403 was a leap year, 1404 was not). Pure
arithmetic on day numbers.
"""

from __future__ import annotations

from datetime import date
from typing import Final

__all__ = ["JALALI_MONTHS", "MONTHS", "gregorian", "is_jalali_year"]

_NAMES: Final = (
    "january jan janvier janv enero ene ژانویه ژانویهٔ",
    "february feb fevrier fevr fev febrero فوریه",
    "march mar mars marzo مارس",
    "april apr avril avr abril abr آوریل آپریل",
    "may mai mayo مه می",
    "june jun juin junio ژوین جون",
    "july jul juillet juil julio ژوییه جولای ژولای",
    "august aug aout ago agosto اوت آگوست",
    "september sept sep septembre septiembre setiembre set سپتامبر",
    "october oct octobre octubre اکتبر",
    "november nov novembre noviembre نوامبر",
    "december dec decembre diciembre dic دسامبر",
)
_JALALI_NAMES: Final = (
    "فروردین farvardin",
    "اردیبهشت ordibehesht",
    "خرداد khordad",
    "تیر tir",
    "مرداد امرداد mordad",
    "شهریور shahrivar",
    "مهر mehr",
    "آبان aban",
    "آذر azar",
    "دی dey",
    "بهمن bahman",
    "اسفند esfand",
)


def _numbered(rows: tuple[str, ...]) -> dict[str, int]:
    # Folding takes the madda off the alef; the tables are written as people write them.
    return {name.replace("آ", "ا"): at for at, names in enumerate(rows, 1) for name in names.split()}


MONTHS: Final = _numbered(_NAMES)
"""Gregorian month names, folded, of all languages."""
JALALI_MONTHS: Final = _numbered(_JALALI_NAMES)
"""Persian month names, folded."""

_CYCLE: Final = 33
_LEAPS: Final = (1, 5, 9, 13, 17, 22, 26, 30)
_ANCHOR: Final = date(2021, 3, 21).toordinal()  # 1 Farvardin 1400
_FIRST, _LAST = 1250, 1500


def is_jalali_year(year: int) -> bool:
    """Whether `year` can only be a year of the Persian calendar: as a Gregorian one it is five centuries gone."""
    return _FIRST <= year <= _LAST


def _leap(year: int) -> bool:
    return year % _CYCLE in _LEAPS


def _leaps_before(year: int) -> int:
    cycles, rest = divmod(year, _CYCLE)
    return cycles * len(_LEAPS) + sum(leap < rest for leap in _LEAPS)


def _new_year(year: int) -> int:
    return _ANCHOR + (year - 1400) * 365 + _leaps_before(year) - _leaps_before(1400)


def gregorian(year: int, month: int, day: int) -> date:
    """Convert a day of the Persian calendar; raises ValueError when there is no such day."""
    if not (is_jalali_year(year) and 1 <= month <= 12):  # noqa: PLR2004 - months of a year
        msg = "no such day in the Persian calendar"
        raise ValueError(msg)
    length = 31 if month <= 6 else 30 if month <= 11 or _leap(year) else 29  # noqa: PLR2004
    if not 1 <= day <= length:
        msg = "no such day in the Persian calendar"
        raise ValueError(msg)
    before = (month - 1) * 31 if month <= 7 else (month - 1) * 30 + 6  # noqa: PLR2004
    return date.fromordinal(_new_year(year) + before + day - 1)
