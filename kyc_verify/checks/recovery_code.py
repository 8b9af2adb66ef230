"""A code from a list that the customer was given for the day when nothing else is at hand."""

from __future__ import annotations

from typing import Final

from kyc_verify.answers import digits
from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["RecoveryCode"]

_SEPARATOR: Final = "\x1f"
"""In no id of a check."""


class RecoveryCode(AskedCheck):
    """One of ten codes of ten digits, each good once (NIST SP 800-63B-4 section 3.1.2, look-up secrets).

    `Enroller.issue_codes` draws them and returns them once; what is kept is a salted, peppered slow hash of each. The
    first digit says which of the ten it is, so that one hash is compared, and nine are the secret: 29.9 bits.

    Args:
        id: ``recovery_code`` unless a policy has several.
        likelihoods: What it is worth: the shipped table has no row for it, and nothing is made up here. Where a list
            is kept (a drawer, a wallet, a photograph) decides what each class has of it.
        seconds: What it costs a call.

    Security:
        A code is accepted once, over every session and process, and its hash is destroyed then.
    """

    factor = Factor.POSSESSION
    asset = "recovery_codes"
    methods = (Method.OTP,)
    entry = Entry.DIGITS
    kind: Final = "recovery"
    forms_version: Final = digits.VERSION
    codes: Final = 10
    digits: Final = 9

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        likelihoods: Likelihoods,
        seconds: int | None = None,
    ) -> None:
        super().__init__(id, likelihoods=likelihoods, seconds=seconds)

    def prompt_key(self) -> str:
        """Name the shipped text."""
        return "recovery_code"

    def slot(self, number: int) -> str:
        """Name the credential of one of the codes."""
        return f"{self.id}{_SEPARATOR}{number}"
