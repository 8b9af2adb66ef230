"""The date of birth."""

from __future__ import annotations

from datetime import datetime

from kyc_verify.answers import Clarify, Forms, dates
from kyc_verify.checks.account_tenure import birth_or_opening
from kyc_verify.checks.base import AnswerCheck
from kyc_verify.terms import Entry

__all__ = ["DateOfBirth"]


class DateOfBirth(AnswerCheck):
    """The date of birth; day and month swapped is NEAR. It is in every breached file: worth little on its own."""

    row = "date_of_birth"
    kind = "date"
    forms_version = dates.VERSION
    entry = Entry.DATE

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        """Return the forms of the date said; day or month first as the locale says."""
        day = dates.read(said, locale=locale, now=now)
        return day if isinstance(day, Clarify) else dates.forms(day)

    def enrolled(self, fact: object, *, locale: str | None, now: datetime) -> Forms:
        """Return the forms of a `date`, or of text that is clearly one."""
        day = birth_or_opening(fact, locale=locale, now=now)
        dates.check_enrollable(day, now=now)
        return dates.forms(day)
