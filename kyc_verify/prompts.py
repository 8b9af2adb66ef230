"""The shipped texts, in every language of `LANGUAGES`: questions, questions back, reasons, hints and messages.

`keys` lists them. What a key begins with says who hears or reads its text:

* ``ask.*`` and ``clarify.*`` are read aloud to the caller, except ``ask.callback``, which tells the agent what to do;
* ``reason.*`` and ``entry.hint.*`` are for the agent: what to do next, and how to type the answer;
* ``keypad.*`` is played to the caller by a machine;
* ``message.*`` goes to the customer, beside the call.

No text hints at where a code was sent, or which answer was wrong. The messages take values: ``message.code.*`` take
``purpose``, ``stake``, ``warning`` and ``code``; ``message.push`` takes ``purpose`` and ``stake``, where ``stake`` is
empty or the text of ``message.code.stake``, which takes ``amount``, ``currency`` and ``payee``, and ``warning`` is the
text of ``message.code.never``. The code comes last: a gateway that cuts a message short loses the code, never the
warning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from kyc_verify.terms import LANGUAGES

__all__ = ["fill", "keys", "language", "pick", "segments", "text"]

_FALLBACK: Final = "en"

# The basic alphabet of 3GPP TS 23.038, and what takes two places in it.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")


@cache
def _templates() -> dict[str, dict[str, Template]]:
    shipped: dict[str, dict[str, str]] = json.loads((files("kyc_verify") / "data" / "prompts.json").read_bytes())
    return {key: {lang: Template(said) for lang, said in texts.items()} for key, texts in shipped.items()}


def _tag(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _primary(locale: str) -> str:
    return _tag(locale).partition("-")[0]


def keys() -> frozenset[str]:
    """Every key that `text` knows."""
    return frozenset(_templates())


def language(*wanted: str | None) -> str:
    """The language to speak: the first wanted one that the shipped texts know, else English.

    Args:
        wanted: Locales in order of preference (``fr-CA``, ``fa_IR``); None is passed over.

    Example:
        >>> language(None, "de", "fr-CA")
        'fr'
    """
    known = (_primary(locale) for locale in wanted if locale is not None)
    return next((primary for primary in known if primary in LANGUAGES), _FALLBACK)


def text(key: str, lang: str, **values: str) -> str:
    """The text of a key, with its values put in.

    Args:
        key: One of `keys`.
        lang: One of `LANGUAGES`, as `language` returns it.
        values: One for each ``$name`` of the text; names it does not have are passed over.

    Raises:
        LookupError: no such key or language, or a value is missing.

    Security:
        All values go in at once and as they are: ``$code`` or ``{code}`` inside a payee's name stays these characters.

    Example:
        >>> text("clarify.years_or_months", "en")
        'Is that years or months? Please say the whole answer again.'
    """
    try:
        template = _templates()[key][lang]
    except KeyError:
        msg = f"no text {key!r} in {lang!r}; see kyc_verify.prompts.keys() and kyc_verify.terms.LANGUAGES"
        raise LookupError(msg) from None
    return template.substitute(values)


def fill(said: str, **values: str) -> str:
    """An author's own text with its values put in, as `text` does it.

    Raises:
        LookupError: a value is missing.
    """
    return Template(said).substitute(values)


def pick(texts: Mapping[str, str], *wanted: str | None) -> str:
    """The text to use of an author's own, one for each locale.

    For each wanted locale in turn, and then for English: the text of that very locale, else of the same language. If
    there is none, the first by the order of their locales.

    Args:
        texts: Locale to text; at least one.
        wanted: Locales in order of preference; None is passed over.

    Example:
        >>> pick({"en": "Which school?", "fr": "Quelle école ?"}, "fr-CA")
        'Quelle école ?'
    """
    by_tag = {_tag(locale): said for locale, said in sorted(texts.items())}
    for locale in (*wanted, _FALLBACK):
        if locale is None:
            continue
        same = [tag for tag in by_tag if _primary(tag) == _primary(locale)]
        if same:
            # A bare language sorts before its regions.
            return by_tag[_tag(locale) if _tag(locale) in same else min(same)]
    return by_tag[min(by_tag)]


def segments(text: str) -> int:
    """How many messages a text message takes, each of which is paid for (3GPP TS 23.038 and 23.040).

    160 characters of the basic alphabet fit into one, and 153 into each of several; a text with any other character
    has 70 and 67.

    Example:
        >>> segments("Code: 048213"), segments("Código: 048213" + " " * 60)
        (1, 2)
    """
    if set(text) <= _BASIC | _EXTENDED:
        length, one, each = len(text) + sum(char in _EXTENDED for char in text), 160, 153
    else:
        length, one, each = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    return 1 if length <= one else -(-length // each)
