"""How long the customer has had the account, as people say it."""

from __future__ import annotations

from datetime import date, datetime

from kyc_verify.answers import Clarify, Forms, Refused, dates, durations
from kyc_verify.checks.base import AnswerCheck
from kyc_verify.terms import Entry

__all__ = ["AccountTenure"]


class AccountTenure(AnswerCheck):
    """How long the customer has had the account; the fact is the opening date.

    PASS within 6 months or 20 % of the true tenure, whichever is more; NEAR within 12 months or 40 %. English, French,
    Spanish and Persian are understood at once; "3" alone is asked back.
    """

    row = "account_tenure"
    kind = "tenure"
    forms_version = durations.VERSION
    entry = Entry.DURATION

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        """Return the graded months that the answer may mean, or the question back."""
        month = durations.read(said, locale=locale, now=now)
        return month if isinstance(month, Clarify) else durations.attempt(month, now=now)

    def enrolled(self, fact: object, *, locale: str | None, now: datetime) -> Forms:
        """Return the forms of an opening date: a `date`, or ISO text."""
        day = birth_or_opening(fact, locale=locale, now=now)
        dates.check_enrollable(day, now=now)
        return durations.forms(day)


def birth_or_opening(fact: object, *, locale: str | None, now: datetime) -> date:
    """Return the date that a fact is; raises Refused for anything that is not clearly one."""
    if not isinstance(fact, date | str):
        raise Refused("wrong_type")
    day = dates.read(fact, locale=locale, now=now)
    if isinstance(day, Clarify):
        raise Refused("unreadable")
    return day
