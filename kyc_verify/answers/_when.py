"""Points in time: a year, a month of a year, or a day of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from kyc_verify.answers import dates
from kyc_verify.answers._calendar import JALALI_MONTHS, MONTHS, gregorian, is_jalali_year
from kyc_verify.answers._context import EARLY, LATE
from kyc_verify.answers._numbers import ORDINAL_SUFFIXES, ORDINALS, Token
from kyc_verify.answers._periods import UNITS, YEAR_WORDS
from kyc_verify.answers.forms import Clarify, Refused

__all__ = ["Point", "find", "index", "month_of"]

_JOINING: Final = frozenset(("de", "del", "d", "of", "the", "th", "le", "el", "l"))
_MONTH_WORDS: Final = frozenset(("month", "mois", "mes", "ماه"))
_HOW_LONG: Final = Clarify(question="how_long")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A year, and the tokens of the date around it: ``start`` up to ``end``, which is not of it."""

    year: int
    at: int
    start: int
    end: int


def index(day: date) -> int:
    """Return the index of a day's month."""
    return day.year * 12 + day.month - 1


def _is_year(number: int) -> bool:
    return 1800 <= number <= 2999 or is_jalali_year(number)  # noqa: PLR2004 - years people live in


def _month_name(token: Token) -> bool:
    return (token.number is None or token.word == "sept") and (token.word in MONTHS or token.word in JALALI_MONTHS)


def _counts(tokens: list[Token], at: int) -> bool:
    """Whether the number at `at` counts units of time."""
    return at + 1 < len(tokens) and tokens[at + 1].number is None and tokens[at + 1].word in UNITS


def _year(tokens: list[Token], at: int) -> int | None:
    whole = tokens[at].whole
    if whole is None or _counts(tokens, at):
        return None
    if _is_year(whole):
        return whole
    before = tokens[at - 1].word if at else ""
    if before == "ماه" and at > 1:
        before = tokens[at - 2].word
    # Mehr 98: after a month of the Persian calendar, or the word for a year, two digits are a year.
    short = 50 <= whole <= 99 and (before in JALALI_MONTHS or before == "سال")  # noqa: PLR2004
    return 1300 + whole if short else None


def _belongs(tokens: list[Token], at: int) -> bool:
    """Whether a token next to the date is a part of it."""
    token = tokens[at]
    if _month_name(token):
        return True
    if token.number is not None:
        return token.whole is not None and token.whole <= 31 and not _counts(tokens, at)  # noqa: PLR2004
    if token.word in YEAR_WORDS or token.word in _MONTH_WORDS:
        return at == 0 or tokens[at - 1].number is None
    return token.word in _JOINING or token.word in ORDINAL_SUFFIXES or token.word in ORDINALS


def find(tokens: list[Token]) -> Point | None:
    """Return the first year and what belongs to it."""
    for at in range(len(tokens)):
        year = _year(tokens, at)
        if year is None:
            continue
        start, end = at, at + 1
        while start > 0 and _belongs(tokens, start - 1):
            start -= 1
        while end < len(tokens) and _belongs(tokens, end):
            end += 1
        return Point(year=year, at=at, start=start, end=end)
    return None


def _of_year(year: int, month: int, *, now: datetime) -> int:
    """Return a month that stands for the whole year, or the present one while that lies ahead."""
    persian = is_jalali_year(year)
    if persian and gregorian(year, 1, 1) > now.date():
        raise Refused("unreadable")
    found = index(gregorian(year, month, 1)) if persian else year * 12 + month - 1
    return min(index(now), found) if persian or year <= now.year else found


def _named(year: int, name: str, day: int) -> int | Clarify:
    persian = name in JALALI_MONTHS
    if persian != is_jalali_year(year):
        return _HOW_LONG
    if not persian:
        return year * 12 + MONTHS[name] - 1
    try:
        return index(gregorian(year, JALALI_MONTHS[name], day))
    except ValueError:
        return _HOW_LONG


def _numbered(year: int, month: int) -> int | Clarify:
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return _HOW_LONG
    return index(gregorian(year, month, 15)) if is_jalali_year(year) else year * 12 + month - 1


def month_of(tokens: list[Token], point: Point, *, locale: str | None, now: datetime) -> int | Clarify:
    """Return the month that a date means.

    Raises:
        Refused: ``unreadable`` for a day that does not exist and a year to come.
    """
    run = [token for at, token in enumerate(tokens[point.start : point.end], point.start) if at != point.at]
    named = [token for token in run if _month_name(token)]
    if len(named) > 1:
        named = [token for token in named if token.number is None]  # le sept mars
    numbers = [token for token in run if token.number is not None and token not in named]
    ordinals = [token for token in run if token.number is None and token.word in ORDINALS]
    if named:
        days = [token.whole or 0 for token in numbers] + [ORDINALS[token.word] for token in ordinals]
        one = len(named) == 1 and len(days) <= 1
        return _named(point.year, named[0].word, days[0] if days else 15) if one else _HOW_LONG
    if ordinals or any(token.spoken for token in numbers):
        return _HOW_LONG
    if not numbers:
        words = {token.word for token in tokens[max(0, point.start - 3) : point.end]}
        return _of_year(point.year, 2 if words & EARLY else 11 if words & LATE else 7, now=now)
    if len(numbers) == 1:
        return _numbered(point.year, numbers[0].whole or 0)
    written = [token.word for token in tokens[point.start : point.end] if token.number is not None]
    if len(written) > 3:  # noqa: PLR2004 - day, month and year
        return _HOW_LONG
    day = dates.read(" ".join(written), locale=locale, now=now)
    return day if isinstance(day, Clarify) else index(day)
