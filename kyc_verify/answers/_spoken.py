"""From what was said of a time to tokens: digits of every script, decimals, fractions, words written as one."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Final

from kyc_verify.answers._fold import fold_text
from kyc_verify.answers._numbers import Token, is_number, read_numbers
from kyc_verify.answers._periods import HALVES, UNITS
from kyc_verify.answers.forms import Refused

__all__ = ["tokens"]

_SIGNS: Final = str.maketrans(
    {"½": " half ", "¼": " quarter ", "¾": " 3 quarters ", "<": " less than ", "≤": " less than ", "\u200c": " "},
)
_NEGATIVE: Final = re.compile(r"(?:^|[^\w\s])\s*[-\u2212]\s*\d|(?:^|\s)[-\u2212]\s*\d")
_DECIMAL: Final = re.compile(r"(?<![\d.,\u066b])(\d{1,3})[.,\u066b](\d{1,2})(?![\d.,\u066b]|\s*[-/]\s*\d)")
_PARTS: Final = re.compile(r"(?<![\d/])([13])\s?[/\u2044]\s?([24])(?![\d/])")
_PART_WORDS: Final = {"12": " half ", "14": " quarter ", "34": " 3 quarters "}
_SHORT: Final = re.compile(r"(?<=\d)\s?(y|yr|yrs|m|mo|mos|a|w|wk|wks|d)(?![^\W\d_])")
_SHORT_UNITS: Final = {"y": "years", "m": "months", "a": "ans", "w": "weeks", "d": "days"}
_EDGE: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_POINTS: Final = frozenset(("decimal", "point", "virgule", "coma", "ممیز"))
_LONGEST_JOINED: Final = 24


def _known(word: str) -> bool:
    return word == "و" or word in HALVES or word in UNITS or is_number(word)


def _split(word: str) -> tuple[str, ...]:
    """Take apart what Persian writes as one, when all of it is known: یکسال, بیستوپنج, ونیم."""
    if word.isascii() or len(word) > _LONGEST_JOINED or _known(word):
        return (word,)
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        whole = [
            (*before, word[start:end])
            for start, before in enumerate(best[:end])
            if before is not None and _known(word[start:end])
        ]
        best[end] = min(whole, key=len, default=None)
    return best[-1] or (word,)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return " x " if char.isdigit() else char  # an exponent or a numbered bullet is no number of years


def _decimals(found: list[Token]) -> list[Token]:
    out: list[Token] = []
    for token in found:
        whole = token.whole
        if whole is not None and whole < 100 and len(out) > 1 and out[-1].word in _POINTS:  # noqa: PLR2004
            before = out[-2].number
            if before is not None:
                places = len(str(whole)) if token.spoken else len(token.word)
                out[-2:] = [Token("", before + Fraction(whole, 10**places), spoken=token.spoken)]
                continue
        out.append(token)
    return out


def tokens(said: str) -> list[Token]:
    """Return the tokens of `said`, whatever its length; the caller has bounded it.

    Raises:
        Refused: ``unencodable``; ``unreadable`` for a negative number.
    """
    text = "".join([_plain(char) for char in said.translate(_SIGNS)]).casefold()
    if _NEGATIVE.search(text):
        raise Refused("unreadable")
    text = _PARTS.sub(lambda m: _PART_WORDS.get(m[1] + m[2], m[0]), text)
    text = _DECIMAL.sub(lambda m: f"{m[1]}decimal{m[2]}", text)
    text = _SHORT.sub(lambda m: f" {_SHORT_UNITS[m[1][0]]} ", text)
    words: list[str] = []
    for word in _EDGE.sub(" ", fold_text(text)).split():
        words.extend(_split(word))
    return _decimals(read_numbers(words))
