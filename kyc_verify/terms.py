"""The words everything else is written in: outcomes, factors, methods, and what is secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NoReturn, SupportsIndex

from kyc_verify.errors import UsageError

__all__ = ["LANGUAGES", "MAX_ANSWER", "Channel", "Entry", "Factor", "Method", "Outcome", "Secret"]

LANGUAGES: Final = ("en", "fr", "es", "fa")
"""Languages the shipped prompts, reasons and answer parsers know."""

MAX_ANSWER: Final = 256
"""Characters of an answer that are looked at at all; a longer one is refused before any work."""


class Outcome(StrEnum):
    """How one check ended. The ladder for scoring is ``FAIL = DECLINED <= NEAR <= PASS``."""

    PASS = "pass"  # noqa: S105 - not a password
    NEAR = "near"
    FAIL = "fail"
    DECLINED = "declined"
    UNAVAILABLE = "unavailable"


class Factor(StrEnum):
    """What kind of evidence a check gives. CONTEXT never counts as an authentication factor."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"
    CONTEXT = "context"


class Channel(StrEnum):
    """By what way a code or a confirmation reaches the customer."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    APP = "app"


class Entry(StrEnum):
    """What a screen or a keypad should offer for the answer."""

    TEXT = "text"
    DATE = "date"
    DURATION = "duration"
    DIGITS = "digits"
    CONFIRM = "confirm"


class Method(StrEnum):
    """Authentication method references, RFC 8176 section 2 (registered values only)."""

    FACE = "face"
    FPT = "fpt"
    GEO = "geo"
    HWK = "hwk"
    IRIS = "iris"
    KBA = "kba"
    MCA = "mca"
    MFA = "mfa"
    OTP = "otp"
    PIN = "pin"
    POP = "pop"
    PWD = "pwd"  # noqa: S105 - not a password
    RBA = "rba"
    RETINA = "retina"
    SC = "sc"
    SMS = "sms"
    SWK = "swk"
    TEL = "tel"
    USER = "user"
    VBM = "vbm"
    WIA = "wia"


class Secret:
    """A text that must not be shown: it has no str, repr, format, copy, pickle or equality.

    Wrapping is the first thing every public verb does with an answer, so that a traceback that prints local
    variables prints ``Secret(***)``. Compare what is derived from it with ``hmac.compare_digest``.

    Example:
        >>> Secret("tabriz")
        Secret(***)
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        """Wrap `text`; raises UsageError for anything that is not a str."""
        if type(text) is not str:
            msg = "a secret is a str; pass what the caller said as text"
            raise UsageError(msg)
        self.__text = text

    def reveal(self) -> str:
        """The text itself. The word is easy to search for: look at every use."""
        return self.__text

    def __len__(self) -> int:
        return len(self.__text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def _refuse(self, *_: object) -> NoReturn:
        msg = "a Secret cannot be shown, copied, compared or serialised; use reveal() where it must be used"
        raise UsageError(msg)

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        self._refuse()

    def __hash__(self) -> int:  # noqa: PLE0309 - it never returns
        self._refuse()

    def __copy__(self) -> NoReturn:
        self._refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse()
