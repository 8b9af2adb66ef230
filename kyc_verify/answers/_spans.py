"""Lengths of time: an amount and its unit, and smaller ones after it.

The grammar, over tokens::

    span    = term { [and | with] term of a smaller unit, worth less than one of the unit before }
    term    = amount unit [[and] part]                      three years and a half
    amount  = number [[and] part] | part [of] [a] | a | a couple [of]
    part    = [a] (half | quarter | three quarters)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kyc_verify.answers._numbers import AND, BIG, COLLECTIVES, ORDINAL_SUFFIXES, SOFT_ONES, Token
from kyc_verify.answers._periods import BETWEEN, COUPLES, HALVES, QUARTERS, UNITS

__all__ = ["Span", "find", "find_number", "spare_one"]

_ONE: Final = frozenset(("a", "an", "past"))  # the past year
_ARTICLES: Final = frozenset(("a", "an", "the", "l", "la", "le", "el", "de", "d", "of"))
_WITH: Final = frozenset(("with", "avec", "con"))
_OR: Final = frozenset(("or", "to", "ou", "o", "a", "y", "et", "and", "یا", "تا", "و"))

Found = tuple[Fraction, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time and the tokens it was read from: ``start`` up to ``end``, which is not of it."""

    months: Fraction
    start: int
    end: int


class _Grammar:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens

    def word(self, at: int) -> str:
        """Return the word at `at` when it is no number."""
        token = self.tokens[at] if at < len(self.tokens) else None
        return token.word if token is not None and token.number is None else ""

    def number(self, at: int) -> Token | None:
        token = self.tokens[at] if at < len(self.tokens) else None
        return token if token is not None and token.number is not None else None

    def soft_one(self, at: int) -> bool:
        token = self.number(at)
        return token is not None and token.word in SOFT_ONES and token.whole == 1

    def skip(self, at: int, words: frozenset[str]) -> int:
        while self.word(at) in words:
            at += 1
        return at

    def part(self, at: int) -> Found | None:
        if self.word(at) in {"a", "an"} or self.soft_one(at):
            at += 1
        if self.word(at) in HALVES:
            return Fraction(1, 2), at + 1
        if self.word(at) in QUARTERS:
            return Fraction(1, 4), at + 1
        three = self.number(at)
        if three is not None and three.whole == 3 and self.word(at + 1) in QUARTERS:  # noqa: PLR2004
            return Fraction(3, 4), at + 2
        return None

    def amount(self, at: int) -> Found | None:
        part = self.part(at)
        if part is not None:
            return self.part_of(part)
        return self.counted(at) if self.number(at) is not None else self.unnumbered(at)

    def unnumbered(self, at: int) -> Found | None:
        word, ahead = self.word(at), self.number(at + 1)
        if word in COUPLES:
            return (Fraction(2), self.skip(at + 1, BETWEEN)) if word != "par" or self.word(at + 1) == "de" else None
        if word in _ONE and (self.word(at + 1) in COUPLES or (ahead is not None and ahead.word in BIG | COLLECTIVES)):
            return self.amount(at + 1)
        if word in _ONE and self.word(at + 1) in UNITS:
            return Fraction(1), at + 1
        if word in UNITS and self.word(at + 1) in AND and self.part(at + 2) is not None:
            return Fraction(1), at  # año y medio
        return None

    def part_of(self, part: Found) -> Found:
        size, end = part
        end = self.skip(end, _ARTICLES)
        if self.soft_one(end):
            end += 1  # la moitié d'une année
        dozen = self.number(end)
        if dozen is not None and dozen.number is not None and dozen.word in COLLECTIVES:
            return size * dozen.number, self.skip(end + 1, BETWEEN)
        return size, end

    def counted(self, at: int) -> Found | None:
        token, ahead = self.tokens[at], self.number(at + 1)
        if self.soft_one(at) and self.word(at + 1) in COUPLES:
            return self.amount(at + 1)
        if self.soft_one(at) and ahead is not None and ahead.word in COLLECTIVES:
            token, at = ahead, at + 1
        value, end = token.number or Fraction(0), at + 1
        if self.word(end) in ORDINAL_SUFFIXES:
            return None  # the 3rd year
        joined = self.word(end) in AND
        part = self.part(end + joined)
        if part is not None and (joined or self.word(end) != "an"):  # un an et demi
            if not joined and token.spoken:
                return None  # two half years
            value, end = value + part[0], part[1]
        return value, self.skip(end, BETWEEN)

    def term(self, at: int) -> tuple[Fraction, Fraction, int] | None:
        """Return the months of the term, those of its unit, and its end."""
        amount = self.amount(at)
        if amount is None or self.word(amount[1]) not in UNITS:
            return None
        unit, end = UNITS[self.word(amount[1])], amount[1] + 1
        months = amount[0] * unit
        part = self.part(end + (self.word(end) in AND))
        if part is not None and self.word(self.skip(part[1], _ARTICLES)) not in UNITS:
            months, end = months + part[0] * unit, part[1]
        return months, unit, end

    def span(self, start: int) -> Span | None:
        first = self.term(start)
        if first is None:
            return None
        months, unit, end = first
        while True:
            following = self.term(end + (self.word(end) in AND | _WITH))
            if following is None or not following[0] < unit > following[1]:
                return Span(months=months, start=start, end=end)
            months, unit, end = months + following[0], following[1], following[2]


def find(tokens: list[Token]) -> Span | None:
    """Return the first length of time."""
    grammar = _Grammar(tokens)
    spans = (grammar.span(start) for start in range(len(tokens)))
    return next((span for span in spans if span is not None), None)


def find_number(tokens: list[Token]) -> tuple[int, int] | None:
    """Return where the first number that is no article begins and ends, its half included."""
    grammar = _Grammar(tokens)
    for at, token in enumerate(tokens):
        if token.number is not None and (len(tokens) == 1 or not spare_one(tokens, at)):
            amount = grammar.amount(at)
            return at, amount[1] if amount is not None else at + 1
    return None


def spare_one(tokens: list[Token], at: int) -> bool:
    """Whether the number at `at` is an article: un compte, and not un ou deux."""
    grammar = _Grammar(tokens)
    ahead = at + 1 + (grammar.word(at + 1) in _OR)
    return grammar.soft_one(at) and grammar.number(ahead) is None
