"""Words: a school, a street, a name.

`fold` gives one spelling for what is written differently and means the same; `forms` adds the ladder. The fine
form is the folded words, with the spaces taken out where writers disagree about them: between all words of the
Arabic script (a zero-width joiner, a space or nothing), after O', D', Mc, Saint and the like, and before a
possessive s. The coarse form is a function of the fine one: its words, articles left out, each as its phonetic
key, in alphabetical order. A space inside a compound that no rule knows (Newcastle, New Castle) is a difference:
being free in the order of words is worth more.

Letters of different scripts never match, however alike they look.
"""

from __future__ import annotations

from typing import Final, Literal

from kyc_verify.answers._fold import fold_text
from kyc_verify.answers._phonetic import key
from kyc_verify.answers.forms import Forms, Refused
from kyc_verify.terms import MAX_ANSWER

__all__ = ["VERSION", "Tolerance", "fold", "forms"]

VERSION: Final = 1
"""Version of these forms, stored with each credential."""

Tolerance = Literal["exact", "default", "typo"]

_TYPO_LENGTH: Final = 4

# Said for the same word; only where what follows leaves no doubt (Main St is a street).
_LONG: Final = {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort"}
# Written apart or as one with the next word.
_GLUED: Final = frozenset(
    ("o", "d", "n", "m", "mc", "mac", "fitz", "saint", "sainte", "san", "santa", "santo", "sao"),
)
# Articles and particles that people say or leave out; never in the coarse form, unless nothing else is.
_LEADING: Final = frozenset(("a", "an", "un", "une", "una", "uno", "unos", "unas"))
_SKIPPED: Final = frozenset(
    (
        "the", "of", "le", "la", "les", "l", "du", "de", "des", "el", "los", "las", "lo", "del", "al",
        "van", "von", "der", "den", "di", "da", "dos", "das", "do", "della", "zu", "zur", "ter", "ten",
    ),
)  # fmt: skip


def fold(text: str) -> str:
    """Fold `text` to its one spelling; idempotent.

    Raises:
        Refused: ``too_long`` before any work over 256 characters, and when the folded text is longer than that;
            ``unencodable`` for characters that do not mean the same everywhere.
    """
    if len(text) > MAX_ANSWER:
        raise Refused("too_long")
    folded = fold_text(text)
    if len(folded) > MAX_ANSWER:
        raise Refused("too_long")
    return folded


def _arabic(word: str) -> bool:
    return "\u0600" <= word[0] <= "\u06ff" and "\u0600" <= word[-1] <= "\u06ff"


def _joins(before: str, word: str) -> bool:
    return (_arabic(before) and _arabic(word)) or (word == "s" and before.isascii() and before.isalpha())


def _words(folded: str) -> list[str]:
    """Settle the spaces: the words of the fine form."""
    said = folded.split()
    words: list[str] = []
    glue = False
    for at, raw in enumerate(said):
        last = at == len(said) - 1
        word = raw if last else _LONG.get(raw, raw)
        if glue or (words and _joins(words[-1], word)):
            words[-1] += word
        else:
            words.append(word)
        glue = word in _GLUED and not last and said[at + 1].isascii() and said[at + 1].isalpha()
    return words


def _coarse(words: list[str]) -> str:
    named = [word for word in words if word not in _SKIPPED]
    while len(named) > 1 and named[0] in _LEADING:
        named = named[1:]
    return " ".join(sorted(key(word) or word for word in named or words))


def _neighbourhood(fine: str) -> tuple[str, ...]:
    # A digit is never forgiven: one digit off on a date or a house number is another answer.
    if len(fine) < _TYPO_LENGTH:
        return (fine,)
    return tuple(sorted({fine} | {fine[:at] + fine[at + 1 :] for at in range(len(fine)) if not fine[at].isdigit()}))


def forms(said: str, *, tolerance: Tolerance = "default") -> Forms:
    """Return the canonical forms of a text.

    Args:
        said: What was said, at most 256 characters.
        tolerance: ``"exact"``: only the same spelling passes. ``"default"``: a spelling that sounds alike is near.
            ``"typo"``: one letter wrong, missing, added or in its neighbour's place is near as well.

    Raises:
        Refused: ``blank``, ``too_long`` or ``unencodable``.

    Security:
        ``"typo"`` stores tags of the neighbourhood under a key that does not depend on the answer. Whoever has the
        pepper and the store then tests guesses at the speed of HMAC, not of Argon2.
    """
    words = _words(fold(said))
    if not words:
        raise Refused("blank")
    fine = " ".join(words)
    if tolerance == "exact":
        return Forms(coarse=fine, fine=fine)
    typo = _neighbourhood(fine) if tolerance == "typo" else ()
    return Forms(coarse=_coarse(words), fine=fine, near=True, typo=typo)
