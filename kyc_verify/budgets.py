"""How many tries, of whom, in which window.

Budgets hang on subject and check: not on a code, a session, a channel, an agent or a number, so that changing any of
these refills nothing. A wrong try stays charged for its window, whatever comes after it. None of them locks anybody: a
spent budget makes a check UNAVAILABLE, and where that puts the requirement out of reach the verdict is REVIEW. What is
sent is counted by destination and by country as well; there a message that is too many is not sent, and nobody on the
call is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

__all__ = ["Budget", "Budgets", "Lifetimes"]

_MOST_CONSECUTIVE: Final = 100  # NIST SP 800-63B-4 section 3.2.2
_LONGEST_CODE: Final = timedelta(seconds=600)  # NIST SP 800-63B-4 section 3.1.3.2
_MOST: Final = 10_000
_YEAR: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `limit` in any `window`."""

    limit: int
    window: timedelta

    def faults(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the path and the message of each fault."""
        if type(self.limit) is not int or not 1 <= self.limit <= _MOST:
            yield f"{path}.limit", f"must be a whole number from 1 to {_MOST}"
        if not isinstance(self.window, timedelta) or not timedelta(seconds=1) <= self.window <= _YEAR:
            yield f"{path}.window", "must be from 1 second to 366 days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The budgets of a policy.

    Attributes:
        answers: Wrong answers to one question about one subject (PSD2 RTS article 4(3)(b): at most 5).
        codes: Wrong codes of one check for one subject, whatever was sent in between.
        sends: Codes, pushes and calls to one subject through one check.
        destination: Messages and calls to one number or address, whoever's it is said to be; more are not sent.
        country: Messages and calls to numbers of one country; more are not sent.
        consecutive: Wrong tries in a row, without any window; then the check must be enrolled again, or an operator
            clears it (NIST SP 800-63B-4 section 3.2.2: at most 100).
        runs: The window in which runs on a subject are counted; the k-th needs log2 k bits more.
        agent: Verifications opened by one agent; more is an alarm, never a refusal.
        number: Verifications opened from one presented number; more is an alarm, never a refusal.
    """

    answers: Budget = Budget(5, timedelta(days=1))
    codes: Budget = Budget(10, timedelta(days=1))
    sends: Budget = Budget(5, timedelta(hours=1))
    destination: Budget = Budget(10, timedelta(hours=1))
    country: Budget = Budget(2000, timedelta(hours=1))
    consecutive: int = 50
    runs: timedelta = timedelta(days=30)
    agent: Budget = Budget(60, timedelta(hours=1))
    number: Budget = Budget(10, timedelta(hours=1))

    def faults(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the path and the message of each fault."""
        for name in ("answers", "codes", "sends", "destination", "country", "agent", "number"):
            budget = getattr(self, name)
            if isinstance(budget, Budget):
                yield from budget.faults(f"{path}.{name}")
            else:
                yield f"{path}.{name}", "must be a Budget(limit, window)"
        if type(self.consecutive) is not int or not 1 <= self.consecutive <= _MOST_CONSECUTIVE:
            yield f"{path}.consecutive", f"must be a whole number from 1 to {_MOST_CONSECUTIVE}"
        if not isinstance(self.runs, timedelta) or not timedelta(hours=1) <= self.runs <= _YEAR:
            yield f"{path}.runs", "must be from 1 hour to 366 days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things last.

    Attributes:
        session: A verification from `open` on.
        question: An open question; later the answer counts as wrong.
        code: A one-time code (at most 600 s, NIST SP 800-63B-4 section 3.1.3.2).
        grant: A grant.
        resend: From one send to the next of the same check.
        cool_off: How long we must have seen a number before it gives credit or gets a code (47 CFR 64.2003: 30 days).
        own_enrollment: How long an agent cannot verify with a credential that they enrolled.
    """

    session: timedelta = timedelta(minutes=30)
    question: timedelta = timedelta(minutes=5)
    code: timedelta = timedelta(seconds=300)
    grant: timedelta = timedelta(seconds=300)
    resend: timedelta = timedelta(seconds=30)
    cool_off: timedelta = timedelta(days=30)
    own_enrollment: timedelta = timedelta(hours=24)

    def faults(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the path and the message of each fault."""
        bounds = {
            "session": (timedelta(minutes=1), timedelta(hours=12)),
            "question": (timedelta(seconds=10), timedelta(hours=1)),
            "code": (timedelta(seconds=30), _LONGEST_CODE),
            "grant": (timedelta(seconds=1), timedelta(hours=1)),
            "resend": (timedelta(0), timedelta(minutes=10)),
            "cool_off": (timedelta(0), _YEAR),
            "own_enrollment": (timedelta(0), _YEAR),
        }
        for each in fields(self):
            low, high = bounds[each.name]
            value = getattr(self, each.name)
            if not isinstance(value, timedelta) or not low <= value <= high:
                yield f"{path}.{each.name}", f"must be a timedelta from {low} to {high}"
