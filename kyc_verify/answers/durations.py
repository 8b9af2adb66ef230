"""How long a customer has had the account, as people say it, in English, French, Spanish and Persian.

An answer means a month: a duration is counted back from now, a month is itself, a year alone is its midpoint.
The language is not asked for: the words of all four are known at once. What can mean two things (a bare "3"),
or nothing in particular ("a while"), comes back as a question. A month is an index, ``year * 12 + month - 1``,
so that the arithmetic has no leap days and no floats.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final

from kyc_verify.answers import _spans, _spoken, _when
from kyc_verify.answers._calendar import JALALI_MONTHS
from kyc_verify.answers._calendar import MONTHS as _NAMES
from kyc_verify.answers._context import known_after, known_before, twisted
from kyc_verify.answers._numbers import Token
from kyc_verify.answers._periods import ABOUT, AGES, FEW, HALVES, QUARTERS, SINCE, UNITS, VAGUE
from kyc_verify.answers.forms import Clarify, Forms, Refused
from kyc_verify.answers.text import fold
from kyc_verify.terms import Outcome, Secret

__all__ = ["MONTHS", "VERSION", "attempt", "candidates", "forms", "grade", "read"]

VERSION: Final = 1
"""Version of these forms, stored with each credential."""

MONTHS: Final = 1536
"""Months that are compared with what was said: 128 years."""

_OLDEST: Final = 127 * 12
_COARSE: Final = "tenure"
_LADDER: Final = (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)
_HOW_LONG: Final = Clarify(question="how_long")
_YEARS_OR_MONTHS: Final = Clarify(question="years_or_months")
# With "old" after the number it is not the account that is so old.
_PEOPLE: Final = frozenset(("m", "am", "was", "were", "he", "she"))


def _nearest(months: Fraction) -> int:
    return (2 * months.numerator + months.denominator) // (2 * months.denominator)


def _loose(tokens: list[Token], start: int, end: int) -> bool:
    """Whether something outside the time speaks of numbers or times as well."""
    for at, token in enumerate(tokens):
        word = token.word
        if start <= at < end:
            continue
        if token.number is not None:
            if not _spans.spare_one(tokens, at):
                return True
        elif (
            (word in UNITS and word != "an")
            or word in HALVES
            or word in QUARTERS
            or (word in FEW and at != start - 1)  # unos tres años: what stands right before is judged as such
            or (word in VAGUE and (at == 0 or tokens[at - 1].word not in ABOUT))
        ):
            return True
    return False


def _date(
    tokens: list[Token], words: list[str], point: _when.Point, *, locale: str | None, now: datetime
) -> int | Clarify:
    decade = words[point.end : point.end + 1] == ["s"]  # the 1990s
    if decade or _loose(tokens, point.start, point.end) or not known_before(words[: point.start], year=True):
        return _HOW_LONG
    return _when.month_of(tokens, point, locale=locale, now=now)


def _month(tokens: list[Token], words: list[str], *, now: datetime) -> int | Clarify:
    said = frozenset(words)
    if said & AGES and said & SINCE:
        return _HOW_LONG
    span = _spans.find(tokens)
    if span is None:
        bare = _spans.find_number(tokens)
        dated = said & (_NAMES.keys() | JALALI_MONTHS.keys() | {"s"}) - {"sept"}  # the 3rd of March, the 90s
        return _HOW_LONG if bare is None or dated or _loose(tokens, bare[0], bare[1]) else _YEARS_OR_MONTHS
    old = words[span.end : span.end + 1] == ["old"] and said & _PEOPLE
    if old or _loose(tokens, span.start, span.end):
        return _HOW_LONG
    if not (known_before(words[: span.start], year=False) and known_after(words[span.end :])):
        return _HOW_LONG
    return _when.index(now) - _nearest(span.months)


def read(said: str, *, locale: str | None, now: datetime) -> int | Clarify:
    """Read for how long, or since when.

    Args:
        said: What was said, in any of the four languages.
        locale: Decides only the order of day and month in a date written in digits.
        now: When it is said.

    Returns:
        The index of the month meant, or `Clarify` with ``years_or_months`` (a bare number), ``day_or_month`` or
        ``how_long`` (a range, "a while", nothing that says how long).

    Raises:
        Refused: ``blank``, ``too_long``, ``unencodable``; ``unreadable`` for a time to come, one of more than 127
            years ago, or a date that does not exist.
    """
    fold(said)  # refuses what is too long, before or after
    tokens = _spoken.tokens(said)
    if not tokens:
        raise Refused("blank")
    words = [token.word for token in tokens]
    if twisted(words):
        return _HOW_LONG
    point = _when.find(tokens)
    month = _month(tokens, words, now=now) if point is None else _date(tokens, words, point, locale=locale, now=now)
    if isinstance(month, Clarify):
        return month
    if not _when.index(now) - _OLDEST <= month <= _when.index(now):
        raise Refused("unreadable")
    return month


def grade(said_month: int, true_month: int, *, now: datetime) -> Outcome:
    """Grade a month against the true one.

    PASS within 6 months or 20 % of the true tenure, whichever is more; NEAR within 12 months or 40 %.
    """
    tenure = max(0, _when.index(now) - true_month)
    off = abs(said_month - true_month)
    if off <= 6 or 5 * off <= tenure:  # noqa: PLR2004
        return Outcome.PASS
    if off <= 12 or 5 * off <= 2 * tenure:  # noqa: PLR2004
        return Outcome.NEAR
    return Outcome.FAIL


def candidates(now: datetime) -> tuple[str, ...]:
    """Return the fine forms of all months that can be meant, oldest first, ending with the present one."""
    return _months_to(_when.index(now))


@lru_cache(maxsize=4)
def _months_to(present: int) -> tuple[str, ...]:
    return tuple([_written(index) for index in range(present - MONTHS + 1, present + 1)])


def _written(index: int) -> str:
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


@lru_cache(maxsize=4)
def _secret_months(present: int) -> tuple[Secret, ...]:
    return tuple([Secret(month) for month in _months_to(present)])


def attempt(said_month: int, *, now: datetime) -> Forms:
    """Return the forms of an answer: for each month the account may have been opened in, what the answer is worth.

    All `MONTHS` candidates are always there, the present month last, whatever was said.
    """
    months = _secret_months(_when.index(now))
    graded = tuple(zip(months, _worth(said_month, now=now), strict=True))
    return Forms(coarse=_COARSE, fine=_written(said_month), graded=graded)


def _worth(said_month: int, *, now: datetime) -> tuple[Outcome, ...]:
    """Grade what was said against each candidate; worth falls with the distance, so that its steps can be searched."""
    present = _when.index(now)
    months = range(present - MONTHS + 1, present + 1)

    def rank(month: int) -> int:
        return _LADDER.index(grade(said_month, month, now=now))

    best = min(max(said_month - months[0], 0), MONTHS - 1)
    near, full = (bisect_left(months, step, hi=best, key=rank) for step in (1, 2))
    full_end, near_end = (bisect_left(months, 1 - step, lo=best, key=lambda month: -rank(month)) for step in (2, 1))
    return (
        (Outcome.FAIL,) * near
        + (Outcome.NEAR,) * (full - near)
        + (Outcome.PASS,) * (full_end - full)
        + (Outcome.NEAR,) * (near_end - full_end)
        + (Outcome.FAIL,) * (MONTHS - near_end)
    )


def forms(opened: date) -> Forms:
    """Return the canonical forms of an opening date: its month; the coarse form says nothing of it."""
    return Forms(coarse=_COARSE, fine=_written(_when.index(opened)))
