"""A telephone PIN."""

from __future__ import annotations

from datetime import datetime

from kyc_verify.answers import Clarify, Forms, Refused, common, digits
from kyc_verify.checks.base import AnswerCheck
from kyc_verify.terms import Entry, Method

__all__ = ["Pin"]


class Pin(AnswerCheck):
    """A PIN of at least four digits, agreed for the telephone; exact, and never shown to anybody."""

    row = "pin"
    kind = "digits"
    forms_version = digits.VERSION
    methods = (Method.PIN,)
    entry = Entry.DIGITS

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:  # noqa: ARG002 - the base's
        """Return the digits, of any script."""
        return digits.forms(said)

    def enrolled(self, fact: object, *, locale: str | None, now: datetime) -> Forms:
        """Return the forms of a PIN; refuses the ones that a thief tries first."""
        if type(fact) is not str:
            raise Refused("wrong_type")
        if common.is_card_number(fact):
            raise Refused("card_number")
        found = self.forms(fact, locale=locale, now=now)
        if not isinstance(found, Forms) or digits.weak_pin(found.fine.reveal()):
            raise Refused("weak_pin")
        return found
