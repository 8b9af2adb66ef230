"""What to say so that a check ends as it should: right, nearly right, wrong; and what a signal has to show for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from kyc_verify.answers import Forms, Refused
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.checks import AnswerCheck, CallerNumber, Signal, SignalCheck
from kyc_verify.terms import Outcome

__all__ = ["OTHER_NUMBER", "graded", "misspelt", "nearly", "shown", "wrong"]

OTHER_NUMBER: Final = "+442079460958"
"""A number that nobody has: of the range that Ofcom keeps for drama."""
_SHOWN: Final[tuple[object, ...]] = (False, True, None, {"covered": False}, 0, 1, "no", "yes", "unavailable")
"""What signal sources return, tried one after the other."""
_MOST_TRIED: Final = 400
_FAR: Final = (400, 731, 1500, 40, 3000, 97, 5000)
_CLOSE: Final = (1, 10, 30, 31, 45, 61, 92, 150, 200, 365, 366, 400, 731)
"""Days between a date and another one."""


def graded(true: Forms, said: Forms) -> Outcome:
    """Return what an answer is worth, as its hashes would be graded."""
    if said.coarse.reveal() == true.coarse.reveal():
        for fine, outcome in said.graded:
            if fine.reveal() == true.fine.reveal():
                return outcome
        if not said.graded and said.fine.reveal() == true.fine.reveal():
            return Outcome.PASS
        if said.near and true.near:
            return Outcome.NEAR
    typo = {form.reveal() for form in true.typo} & {form.reveal() for form in said.typo}
    return Outcome.NEAR if typo else Outcome.FAIL


def misspelt(text: str) -> Iterator[str]:
    """Return the text with one slip each: two letters swapped, one dropped, one doubled; the middle first."""
    middle = sorted(range(len(text)), key=lambda at: abs(2 * at - len(text)))
    for at in middle:
        if text[at].isalnum():
            if text[at + 1 : at + 2].isalnum() and text[at] != text[at + 1]:
                yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]
            yield text[:at] + text[at + 1 :]
            yield text[:at] + text[at] + text[at:]


def nearly(check: AnswerCheck, fact: object, *, now: datetime) -> str | None:
    """Return an answer that is graded NEAR; None: none was found."""
    return _found(check, fact, Outcome.NEAR, now=now)


def wrong(check: AnswerCheck, fact: object, *, now: datetime, turn: int = 0) -> str:
    """Return an answer that is graded FAIL, another one for each turn."""
    found = _found(check, fact, Outcome.FAIL, now=now, skip=turn)
    return f"certainly not {turn}" if found is None else found


def _found(check: AnswerCheck, fact: object, wanted: Outcome, *, now: datetime, skip: int = 0) -> str | None:
    true = _forms(check, fact, now=now, enrolled=True)
    if true is None:
        return None
    for at, candidate in enumerate(_candidates(fact, now, far=wanted is Outcome.FAIL)):
        if at > _MOST_TRIED:
            break
        said = _forms(check, candidate, now=now)
        if said is not None and graded(true, said) is wanted:
            if not skip:
                return candidate
            skip -= 1
    return None


def _forms(check: AnswerCheck, text: object, *, now: datetime, enrolled: bool = False) -> Forms | None:
    try:
        if enrolled:
            return check.enrolled(text, locale=None, now=now)
        found = check.forms(str(text), locale=None, now=now)
    except Refused:
        return None
    return found if isinstance(found, Forms) else None


def _candidates(fact: object, now: datetime, *, far: bool) -> Iterator[str]:
    if isinstance(fact, date):
        days = (
            (400, 731, 1500, 40, 3000, 97, 5000) if far else (1, 10, 30, 31, 45, 61, 92, 150, 200, 365, 366, 400, 731)
        )
        for step in days:
            for sign in (1, -1):
                other = fact + timedelta(days=sign * step)
                if other <= now.date():
                    yield other.isoformat()
                    yield f"since {other:%B %Y}"
        if fact.day <= 12:  # noqa: PLR2004 - a day that can be read as a month
            yield f"{fact.year}-{fact.day:02}-{fact.month:02}"
        for years in range(1, 60):
            yield f"{years} years"
        return
    text = str(fact)
    if far:
        for number in range(1, 60):
            yield _turned(text, number)
        for number in range(60):
            yield f"Nowhere {number}"
    yield from misspelt(text)


def _turned(text: str, by: int) -> str:
    """Return a text of the same length and kind with every digit and letter moved on."""
    return "".join(_next(char, by) for char in text)


def _next(char: str, by: int) -> str:
    for first, size in (("0", 10), ("A", 26), ("a", 26)):
        at = ord(char) - ord(first)
        if 0 <= at < size:
            return chr(ord(first) + (at + by) % size)
    return char


def shown(
    check: SignalCheck, wanted: Outcome, *, call: Call, customer: Customer, contact: Contact | None, now: datetime
) -> tuple[Call, Any] | None:
    """Return the call and the source's reply for which a signal is judged so; None: none was found."""
    if isinstance(check, CallerNumber):
        number = contact.number if contact is not None and wanted is not Outcome.FAIL else OTHER_NUMBER
        calls = {Outcome.PASS: (number, "A"), Outcome.NEAR: (number, None), Outcome.FAIL: (OTHER_NUMBER, None)}
        if wanted not in calls:
            return None
        presented, attestation = calls[wanted]
        return replace(call, number=presented, attestation=attestation), None
    for value in _SHOWN:
        signal = Signal(value=value, now=now, call=call, customer=customer, contact=contact)
        try:
            judged = check.judge(signal)
        except Exception:  # noqa: BLE001, S112 - a check of one's own may raise anything; it is then no reply for it
            continue
        if judged is wanted:
            return call, value
    return None
