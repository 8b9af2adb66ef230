"""A code that the customer's authenticator app shows."""

from __future__ import annotations

from typing import Literal

from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["AuthenticatorCode"]


class AuthenticatorCode(AskedCheck):
    """A time-based code (RFC 6238) of an app or a device, steps of 30 seconds; three tries together.

    Its seed comes from the verifier's ``seeds``; a customer without one is not asked.

    Args:
        id: ``authenticator_code`` unless a policy has several.
        digits: 6 to 8, as the app was told.
        algorithm: ``sha1`` (what most apps know), ``sha256`` or ``sha512``.
        window: 1: the step before and the one after count as well, for clocks that differ (RFC 6238 section 5.2 allows
            no more); 0: neither does (what ASVS 5.0 6.5.5 comes to).

    Security:
        A step is accepted once, and never one before the last accepted, over every session and process and whatever
        the clock says. Unlike a message no app says what a code is for: it is worth less against a phisher.
    """

    row = "authenticator"
    factor = Factor.POSSESSION
    asset = "authenticator"
    methods = (Method.OTP,)
    entry = Entry.DIGITS
    tries = 3
    digits: int = 6
    algorithm: str = "sha1"
    window: int = 1

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        digits: int = 6,
        algorithm: Literal["sha1", "sha256", "sha512"] = "sha1",
        window: int = 1,
        likelihoods: Likelihoods | None = None,
        seconds: int | None = None,
    ) -> None:
        super().__init__(
            id, digits=digits, algorithm=algorithm, window=window, likelihoods=likelihoods, seconds=seconds
        )

    def prompt_key(self) -> str:
        """Name the shipped text."""
        return "authenticator_code"
