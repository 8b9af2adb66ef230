"""How long a customer has had the account, as people say it, in English, French, Spanish and Persian.

An answer means a month: a duration is counted back from now, a month is itself, a year alone is its midpoint.
The language is not asked for: the words of all four are known at once. What can mean two things (a bare "3"),
or nothing in particular ("a while"), comes back as a question. A month is an index, ``year * 12 + month - 1``,
so that the arithmetic has no leap days and no floats.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final

from kyc_verify.answers import dates
from kyc_verify.answers._calendar import JALALI_MONTHS, gregorian, is_jalali_year
from kyc_verify.answers._calendar import MONTHS as _NAMES
from kyc_verify.answers._fold import fold_text
from kyc_verify.answers._numbers import AND, SOFT_ONES, Token, is_number, read_numbers
from kyc_verify.answers._periods import (
    AGES,
    AHEAD,
    FEW,
    HALVES,
    QUARTERS,
    SINCE,
    TOO_LATE,
    UNITS,
    VAGUE,
    YEAR_WORDS,
)
from kyc_verify.answers.forms import Clarify, Forms, Refused
from kyc_verify.terms import MAX_ANSWER, Outcome, Secret

__all__ = ["MONTHS", "VERSION", "attempt", "candidates", "forms", "grade", "read"]

VERSION: Final = 1
"""Version of these forms, stored with each credential."""

MONTHS: Final = 1536
"""Months that are compared with what was said: 128 years."""

_OLDEST: Final = 127 * 12
_HOW_LONG: Final = Clarify(question="how_long")
_YEARS_OR_MONTHS: Final = Clarify(question="years_or_months")

_FRACTIONS: Final = str.maketrans({"½": " half ", "¼": " quarter ", "\u200c": " "})
_NEGATIVE: Final = re.compile(r"(?:^|[^\w\s])\s*[-\u2212]\s*\d|(?:^|\s)[-\u2212]\s*\d")
_DECIMAL: Final = re.compile(r"(?<![\d.,\u066b])(\d{1,3})[.,\u066b](\d{1,2})(?![\d.,\u066b]|\s*[-/]\s*\d)")
_SLASH_HALF: Final = re.compile(r"(?<![\d/])1\s?[/\u2044]\s?2(?![\d/])")
_SHORT: Final = re.compile(r"(?<=\d)\s?(y|yr|yrs|m|mo|mos|a|w|wk|wks|d)(?![^\W\d_])")
_SHORT_UNITS: Final = {"y": "years", "m": "months", "a": "ans", "w": "weeks", "d": "days"}
_EDGE: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_ABOUT: Final = frozenset(("or", "ou", "o", "peu", "bit", "little", "slightly", "poco", "کمی", "اندکی"))
_ARTICLES: Final = frozenset(("a", "an", "the", "l", "la", "le", "el", "de", "d", "of", "un", "une", "una"))


class _Said:
    """What a phrase holds once its words are sorted out."""

    def __init__(self) -> None:
        self.months = Fraction(0)
        self.units: list[Fraction] = []
        self.loose: list[Token] = []
        self.halves = Fraction(0)
        self.years: list[int] = []
        self.month: int | None = None
        self.persian = False
        self.unclear = False


def _split_joined(word: str) -> list[str]:
    """Take apart what Persian writes as one: یکسال, سهساله, ونیم."""
    if word in UNITS or is_number(word):
        return [word]
    if word.startswith("و") and word[1:] in HALVES:
        return ["و", word[1:]]
    for cut in range(2, len(word) - 1):
        if word[cut:] in UNITS and is_number(word[:cut]) and not word.isascii():
            return [word[:cut], word[cut:]]
    return [word]


def _tokens(said: str) -> list[Token]:
    text = said.translate(_FRACTIONS)
    # One alphabet of digits first: the patterns below know ASCII.
    text = "".join([str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c for c in text]).casefold()
    if _NEGATIVE.search(text):
        raise Refused("unreadable")
    text = _SLASH_HALF.sub(" half ", text)
    text = _DECIMAL.sub(lambda m: f"{m[1]}decimal{m[2]}", text)
    text = _SHORT.sub(lambda m: f" {_SHORT_UNITS[m[1][0]]} ", text)
    words: list[str] = []
    for word in _EDGE.sub(" ", fold_text(text)).split():
        words.extend(_split_joined(word))
    tokens = read_numbers(words)
    out: list[Token] = []
    for token in tokens:
        if token.whole is not None and len(out) > 1 and out[-1].word == "decimal" and out[-2].number is not None:
            out[-2:] = [Token("", out[-2].number + Fraction(token.whole, 10 ** len(token.word)))]
        else:
            out.append(token)
    return out


def _is_year(number: int) -> bool:
    return 1800 <= number <= 2999 or is_jalali_year(number)  # noqa: PLR2004 - years people live in


def _next_word(tokens: list[Token], at: int) -> int:
    """Index of the next token that is not an article."""
    at += 1
    while at < len(tokens) and tokens[at].number is None and tokens[at].word in _ARTICLES:
        at += 1
    return at


class _Reader:
    """Walks the tokens once and fills a `_Said`."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.said = _Said()
        self.pending: Token | None = None  # a number waiting for its unit
        self.last: Fraction | None = None  # the unit that a following half belongs to
        self.half = Fraction(0)  # a half waiting for its unit
        self.words = {token.word for token in tokens if token.number is None}

    def _drop_pending(self) -> None:
        if self.pending is not None:
            self.said.loose.append(self.pending)
            self.pending = None

    def _unit(self, at: int, word: str) -> None:
        tokens, unit = self.tokens, UNITS[word]
        before = tokens[at - 1].word if at else ""
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if self.pending is None and not self.half and word in YEAR_WORDS and after is not None and after.whole is not None:
            return  # the year 2019
        if self.pending is not None:
            amount = (self.pending.number or Fraction(0)) + self.half
        elif self.half:
            amount = self.half
        elif before in {"a", "an"} or self._half_follows(at):
            amount = Fraction(1)
        else:
            if not (self.said.years or self.said.month is not None or self._year_follows(at)):
                self.said.unclear = True
            return
        self.said.months += amount * unit
        self.said.units.append(unit)
        self.pending, self.half, self.last = None, Fraction(0), unit

    def _half_follows(self, at: int) -> bool:
        rest = [token.word for token in self.tokens[at + 1 : at + 4] if token.number is None]
        return bool(rest) and rest[0] in AND and any(word in HALVES or word in QUARTERS for word in rest)

    def _year_follows(self, at: int) -> bool:
        return any(token.whole is not None and _is_year(token.whole) for token in self.tokens[at + 1 : at + 3])

    def _part(self, at: int, size: Fraction) -> None:
        """Take a half or a quarter of the unit that follows, or of the one just said."""
        ahead = _next_word(self.tokens, at)
        unit_ahead = ahead < len(self.tokens) and self.tokens[ahead].word in UNITS
        three = self.pending is not None and at > 0 and self.tokens[at - 1] is self.pending and self.pending.whole == 3  # noqa: PLR2004
        if three and self.tokens[at].word in QUARTERS:
            size, self.pending = Fraction(3, 4), None
        if self.pending is not None and self.pending.word in SOFT_ONES and at and self.tokens[at - 1] is self.pending:
            self.pending = None  # une demi-année, un medio: the article of the half
        if unit_ahead or self.pending is not None:
            self.half += size
        elif self.last is not None:
            self.said.months += size * self.last
            self.last = None
        else:
            self.said.unclear = True

    def _number(self, at: int, token: Token) -> None:
        whole = token.whole
        if self._is_age(at):
            self.said.unclear = True
        ahead = self.tokens[at + 1].word if at + 1 < len(self.tokens) else ""
        after_year = at > 0 and self.tokens[at - 1].word in YEAR_WORDS
        if whole is not None and _is_year(whole) and ahead not in UNITS:
            self._drop_pending()
            self.said.years.append(whole)
        elif after_year and whole is not None and 50 <= whole <= 99 and ahead not in UNITS and "سال" in self.words:  # noqa: PLR2004
            self.said.years.append(1300 + whole)
        else:
            self._drop_pending()
            self.pending = token

    def _is_age(self, at: int) -> bool:
        """Since twenty, as in "since I was twenty": an age, not a time."""
        at -= 1
        while at > 0 and self.tokens[at].word in _ARTICLES:
            at -= 1
        before = self.tokens[at].word if at >= 0 else ""
        since = any(token.word in SINCE for token in self.tokens[:at])
        return since and (before in AGES or (before == "mes" and self.tokens[at - 1].word == "depuis"))

    def _word(self, at: int, word: str) -> None:
        ahead = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        if word in {"couple", "paire", "par"} and (self.pending is None or self.pending.word in SOFT_ONES):
            self.pending = Token("", Fraction(2))
        elif word in HALVES:
            self._part(at, Fraction(1, 2))
        elif word in QUARTERS:
            self._part(at, Fraction(1, 4))
        elif word in UNITS and not (word == "an" and ahead is not None and ahead.word in UNITS):
            self._unit(at, word)
        elif (word in _NAMES or word in JALALI_MONTHS) and self._names_month(at):
            if self.said.month is not None:
                self.said.unclear = True
            self.said.persian = word in JALALI_MONTHS
            self.said.month = JALALI_MONTHS[word] if self.said.persian else _NAMES[word]
        else:
            self.said.unclear |= self._vague(at, word)

    def _vague(self, at: int, word: str) -> bool:
        """Whether a word takes the meaning from the number: a bound, a time to come, an age, or just many."""
        if word in VAGUE:
            # "más o menos", "a bit less than": about, not a bound.
            return at == 0 or self.tokens[at - 1].word not in _ABOUT
        if word in FEW:
            # "unos tres años": about three.
            about = word in {"unos", "some"} and at + 1 < len(self.tokens) and self.tokens[at + 1].number is not None
            return not about
        return word in TOO_LATE or (word in AHEAD and self._counts_ahead(at))

    def _counts_ahead(self, at: int) -> bool:
        ahead = _next_word(self.tokens, at)
        number = self.tokens[ahead].whole if ahead < len(self.tokens) else None
        return number is not None and not _is_year(number)

    def _names_month(self, at: int) -> bool:
        near = self.tokens[at + 1 : at + 4] + self.tokens[max(0, at - 3) : at]
        return any(token.whole is not None and (_is_year(token.whole) or token.whole < 100) for token in near)  # noqa: PLR2004

    def run(self) -> _Said:
        for at, token in enumerate(self.tokens):
            year_near = any(t.whole is not None and _is_year(t.whole) for t in self.tokens[at + 1 : at + 3])
            if token.number is not None and not (token.word == "sept" and year_near and at + 1 < len(self.tokens)):
                self._number(at, token)
            elif token.word == "sept":
                self.said.month = 9
            else:
                self._word(at, token.word)
        if self.half and self.pending is None:
            self.said.unclear = True
        self.said.halves = self.half
        self._drop_pending()
        self._short_persian_year()
        return self.said

    def _short_persian_year(self) -> None:
        """Mehr 98: after a month of the Persian calendar, two digits are a year."""
        loose = self.said.loose
        if self.said.persian and not self.said.years and len(loose) == 1 and 50 <= (loose[0].whole or 0) <= 99:  # noqa: PLR2004
            self.said.years.append(1300 + (loose[0].whole or 0))
            loose.clear()


def _index(day: date) -> int:
    return day.year * 12 + day.month - 1


def _year(year: int, *, now: datetime) -> int:
    """Return the midpoint of a year, or the present month while that lies ahead."""
    present = _index(now)
    if is_jalali_year(year):
        if _index(gregorian(year, 1, 1)) > present:
            raise Refused("unreadable")
        return min(present, _index(gregorian(year, 7, 1)))
    if year > now.year:
        raise Refused("unreadable")
    return min(present, year * 12 + 6)


def _month(said: _Said) -> int:
    year, month = said.years[0], said.month or 1
    if said.persian != is_jalali_year(year):
        raise Refused("unreadable")
    return _index(gregorian(year, month, 15)) if said.persian else year * 12 + month - 1


def _absolute(said: _Said, text: str, *, locale: str | None, now: datetime) -> int | Clarify:
    """Read a calendar answer: a year, a month of a year, or a day of it."""
    numbers = [t for t in said.loose if t.word not in SOFT_ONES]
    if len(said.years) > 1 or said.units or said.halves:
        return _HOW_LONG
    year = said.years[0]
    if said.month is not None:
        return _month(said) if len(numbers) <= 1 else _HOW_LONG
    if not numbers:
        return _year(year, now=now)
    if len(numbers) == 1 and 1 <= (numbers[0].whole or 0) <= 12 and not numbers[0].spoken:  # noqa: PLR2004
        said.month, said.persian = numbers[0].whole, is_jalali_year(year)
        return _month(said)
    if len(numbers) == 2:  # noqa: PLR2004 - a whole date
        day = dates.read(" ".join(re.findall(r"\d+", fold_text(text))) or text, locale=locale, now=now)
        return day if isinstance(day, Clarify) else _index(day)
    return _HOW_LONG


def _nearest(months: Fraction) -> int:
    return (2 * months.numerator + months.denominator) // (2 * months.denominator)


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
    if len(said) > MAX_ANSWER:
        raise Refused("too_long")
    if not fold_text(said):
        raise Refused("blank")
    tokens = _tokens(said)
    parts = _Reader(tokens).run()
    loose = [t for t in parts.loose if t.word not in SOFT_ONES]
    if parts.unclear:
        return _HOW_LONG
    month: int | Clarify
    if parts.years:
        month = _absolute(parts, said, locale=locale, now=now)
    elif parts.units:
        descending = all(a > b for a, b in zip(parts.units, parts.units[1:], strict=False))
        month = _index(now) - _nearest(parts.months) if descending and not loose else _HOW_LONG
    elif parts.month is not None:
        return _HOW_LONG
    elif len(loose) == 1 or (not loose and len(tokens) == 1 and parts.loose):
        return _YEARS_OR_MONTHS
    else:
        return _HOW_LONG
    if isinstance(month, Clarify):
        return month
    if not _index(now) - _OLDEST <= month <= _index(now):
        raise Refused("unreadable")
    return month


def grade(said_month: int, true_month: int, *, now: datetime) -> Outcome:
    """Grade a month against the true one.

    PASS within 6 months or 20 % of the true tenure, whichever is more; NEAR within 12 months or 40 %.
    """
    tenure = max(0, _index(now) - true_month)
    off = abs(said_month - true_month)
    if off <= 6 or 5 * off <= tenure:  # noqa: PLR2004
        return Outcome.PASS
    if off <= 12 or 5 * off <= 2 * tenure:  # noqa: PLR2004
        return Outcome.NEAR
    return Outcome.FAIL


def candidates(now: datetime) -> tuple[str, ...]:
    """Return the fine forms of all months that can be meant, oldest first, ending with the present one."""
    return _months_to(_index(now))


@lru_cache(maxsize=4)
def _months_to(present: int) -> tuple[str, ...]:
    return tuple([_written(index) for index in range(present - MONTHS + 1, present + 1)])


def _written(index: int) -> str:
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


@lru_cache(maxsize=4)
def _secret_months_to(present: int) -> tuple[Secret, ...]:
    return tuple([Secret(month) for month in _months_to(present)])


def attempt(said_month: int, *, now: datetime) -> Forms:
    """Return the forms of an answer: for each month the account may have been opened in, what the answer is worth.

    All `MONTHS` candidates are always there, the present month last, whatever was said.
    """
    present = _index(now)
    grades = tuple([grade(said_month, month, now=now) for month in range(present - MONTHS + 1, present + 1)])
    graded = tuple(zip(_secret_months_to(present), grades, strict=True))
    return Forms(coarse="tenure", fine=_written(said_month), graded=graded)


def forms(opened: date) -> Forms:
    """Return the canonical forms of an opening date: its month; the coarse form says nothing of it."""
    return Forms(coarse="tenure", fine=_written(_index(opened)))
