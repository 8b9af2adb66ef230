"""The values that answer modules return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, SupportsIndex

from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome, Secret

__all__ = ["REFUSALS", "Clarify", "Forms", "Refused"]

REFUSALS: Final[Mapping[str, str]] = {
    "blank": "there is nothing left of it once spaces and punctuation are dropped",
    "too_long": "it is longer than 256 characters",
    "unencodable": "it holds characters that cannot be written (lone surrogates or NUL)",
    "unreadable": "it cannot be read as this kind of answer; say it in another way",
    "in_question": "the answer is contained in the question",
    "too_common": "it is one of the most common answers; choose one that others would not guess",
    "future": "the date lies in the future",
    "too_old": "the date lies more than 127 years ago",
    "card_number": "it looks like a payment card number, which must never be stored",
    "card_security_code": "a card security code must never be stored",
    "repeated": "the same answer was given to another question",
    "unknown_check": "the policy has no check of this id",
    "not_stored": "this check stores nothing at enrollment",
    "issued": "its codes are drawn here and never given: use issue_codes",
    "wrong_type": "it is not of the type this check takes",
    "weak_pin": "it is too short or too easy to guess (one digit repeated, a run such as 1234, a year, the most used)",
    "no_region": "a national number needs a region; give it in international form",
}
"""Every reason for refusing a fact: the stable word and what is said of it, never quoting the fact."""


class Forms:
    """The canonical forms of one answer.

    Attributes:
        coarse: What two acceptable variants share; it feeds the slow hash.
        fine: What tells a full match from a near one.
        near: Whether equal coarse forms alone are worth `Outcome.NEAR` (True only for kinds whose coarse
            form depends on the answer).
        graded: For an answer that fits many stored ones (a tenure): each of them as a fine form, and what it is worth.
    """

    __slots__ = ("coarse", "fine", "graded", "near", "typo")

    def __init__(
        self,
        *,
        coarse: str,
        fine: str,
        near: bool = False,
        typo: tuple[str, ...] = (),
        graded: tuple[tuple[Secret, Outcome], ...] = (),
    ) -> None:
        """Wrap the forms; `typo` is the one-deletion neighbourhood, only for ``tolerance="typo"``."""
        self.graded = graded
        self.coarse = Secret(coarse)
        self.fine = Secret(fine)
        self.near = near
        self.typo = tuple(Secret(form) for form in typo)

    def __repr__(self) -> str:
        return "Forms(***)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        msg = "Forms hold an answer and are never serialised"
        raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clarify:
    """A question back: what was said can mean two things, so it is neither compared nor charged.

    Attributes:
        question: A key of the shipped prompts (``years_or_months`` ...), or the texts by language.
    """

    question: str | Mapping[str, str]


class Refused(Exception):  # noqa: N818 - caught inside the library, never leaves it
    """What was said cannot be used as this kind of answer; `reason` is a key of `REFUSALS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
