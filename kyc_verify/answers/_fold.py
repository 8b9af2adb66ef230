"""Folding: one spelling for everything that is written differently and means the same.

`fold_text` is idempotent and depends on nothing but the text: no locale, no clock. A character that later
Unicode versions may still define is refused, so that an upgrade never changes what a stored form stands for.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from kyc_verify.answers.forms import Refused

__all__ = ["fold_text"]

# Letters of the Latin script that no decomposition turns into a plain one; mapped, or they would be lost.
_LATIN: Final = {
    "ł": "l", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h",
    "ŧ": "t", "ŋ": "n", "ĸ": "k", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ɨ": "i", "ɫ": "l", "ƴ": "y", "ǝ": "e", "ə": "e",
}  # fmt: skip

# One letter for the Persian, Arabic, Urdu and Kurdish ways of writing it.
_ARABIC: Final = {
    "\u064a": "\u06cc", "\u0649": "\u06cc", "\u06d2": "\u06cc", "\u06cd": "\u06cc",
    "\u0643": "\u06a9", "\u06aa": "\u06a9",
    "\u0629": "\u0647", "\u06c0": "\u0647", "\u06c1": "\u0647", "\u06c2": "\u0647", "\u06c3": "\u0647",
    "\u06be": "\u0647", "\u06d5": "\u0647",
    "\u0622": "\u0627", "\u0623": "\u0627", "\u0625": "\u0627", "\u0671": "\u0627", "\u0672": "\u0627",
    "\u0673": "\u0627", "\u0624": "\u0648",
}  # fmt: skip

_DROPPED: Final = frozenset(
    # Hangul fillers, Khmer inherent vowels and the braille blank show nothing and are not format characters.
    "\u0640\u0674\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800\u034f"
) | frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))  # and variation selectors
# Letters by category that are written for an apostrophe.
_APOSTROPHES: Final = frozenset(map(chr, range(0x02B9, 0x02E0))) | frozenset("\ua78b\ua78c\u0559\u055a")
_ROUNDS: Final = 8


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


@lru_cache(maxsize=8192)
def _refused(char: str) -> bool:
    category = unicodedata.category(char)
    return category in {"Cs", "Co", "Cn"} or char in "\x00\ufffd"


def _decompose(text: str) -> str:
    kept: list[str] = []
    base = ""  # the script of the letter that a following mark belongs to; "" when there is none
    for char in unicodedata.normalize("NFD", text):
        if char.isascii():
            letter = char.isalnum()
            kept.append(char if letter else " ")
            base = "LATIN" if letter else ""
            continue
        category = unicodedata.category(char)
        if category == "Cf" or char in _DROPPED:
            continue
        if category[0] == "M":
            # Vowel points are optional in Arabic and Hebrew; elsewhere a mark makes another letter.
            if base not in {"", "LATIN", "ARABIC", "HEBREW"}:
                kept.append(char)
        elif category == "Nd":
            kept.append(str(unicodedata.decimal(char)))
            base = "LATIN"
        elif category[0] in "LN" and char not in _APOSTROPHES:
            kept.append(_LATIN.get(char) or _ARABIC.get(char) or char)
            base = _script(char)
        else:
            kept.append(" ")
            base = ""
    return "".join(kept)


def _step(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = unicodedata.normalize("NFKC", text.casefold())
    return unicodedata.normalize("NFKC", " ".join(_decompose(text).split()))


def fold_text(text: str) -> str:
    """Fold `text`, whatever its length; the caller has bounded it.

    Raises:
        Refused: ``unencodable`` for lone surrogates, NUL, the replacement character, private use and unassigned
            characters; none of them means the same everywhere.
    """
    if text.isascii():
        if "\x00" in text:
            raise Refused("unencodable")
        return " ".join("".join([char if char.isalnum() else " " for char in text.lower()]).split())
    if any(map(_refused, text)):
        raise Refused("unencodable")
    for _ in range(_ROUNDS):
        folded = _step(text)
        if folded == text:
            return folded
        text = folded
    raise Refused("unencodable")
