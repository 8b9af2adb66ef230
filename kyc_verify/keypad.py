"""Answers typed on a telephone's keypad, so that no agent hears them.

Theory of operation. A `Keypad` is a value: `press` takes the keys that the telephony reports and the time, `at` lets
time pass, and each returns the next value. It knows neither telephony nor clock. Digits are kept, ``*`` drops all that
was typed and starts again, ``#`` ends; what has a fixed length (a date, a duration, a yes or no) ends by itself. Other
keys are nothing.

An entry that ends well is DONE and has an `answer`, which goes to `Verifier.respond` as it is. One that was not ended
in time is TIMED_OUT: nothing of it is an answer, so that half a PIN costs no try. One that must not or cannot be an
answer is REFUSED, with a reason; `again` starts over. Nothing was compared, and nothing is charged.

What was typed is never shown, echoed or kept beyond an answer. Payment card numbers are refused whatever was asked,
and a question for a card's security code is refused before a key is pressed (PCI DSS 4.0.1, 3.3).

Example:
    >>> from datetime import UTC
    >>> noon = datetime(2031, 6, 15, 12, tzinfo=UTC)
    >>> asked = Challenge(id="s.1", check="pin", text="What is your telephone PIN, please?", entry=Entry.DIGITS)
    >>> pad = Keypad.of(asked, now=noon).press("47", now=noon).press("29#", now=noon)
    >>> pad.state, pad.answer
    (<KeypadState.DONE: 'done'>, Secret(***))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Self, TypeVar

from kyc_verify import prompts
from kyc_verify.answers import common
from kyc_verify.decision import Challenge
from kyc_verify.errors import UsageError
from kyc_verify.terms import Entry, Secret

__all__ = ["ENTRIES", "Keypad", "KeypadReason", "KeypadState"]

_Pad = TypeVar("_Pad", bound="Keypad")

ENTRIES: Final = frozenset((Entry.DATE, Entry.DURATION, Entry.DIGITS, Entry.CONFIRM))
"""What a keypad can take: for ``Verifier.open(..., entries=keypad.ENTRIES)``."""

_DIGITS: Final = frozenset("0123456789")
_FIRST: Final = timedelta(seconds=10)
_BETWEEN: Final = timedelta(seconds=5)
_LONGEST: Final = 24
_MOST: Final = 64
_LENGTH: Final = {Entry.DATE: 8, Entry.DURATION: 4, Entry.CONFIRM: 1}
_SAID: Final = {"1": "yes", "2": "no"}
_YEAR: Final = 12
_PERSIAN: Final = 1700  # a year before it is one of the Persian calendar
# First digits and lengths by which payment cards are issued (ISO/IEC 7812-1; the networks' published ranges).


class KeypadState(StrEnum):
    """Where an entry stands."""

    OPEN = "open"
    DONE = "done"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"


class KeypadReason(StrEnum):
    """Why an entry was refused."""

    CARD_NUMBER = "card_number"
    SECURITY_CODE = "security_code"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keypad:
    """One entry, so far; make it with `of`.

    Attributes:
        challenge: Id of the challenge it answers.
        entry: What is typed.
        prompt: What to play: the question, and which keys to press.
        state: Where it stands.
        reason: Why it was refused.
        deadline: When it is given up unless a key is pressed.
    """

    challenge: str
    entry: Entry
    prompt: str
    state: KeypadState = KeypadState.OPEN
    reason: KeypadReason | None = None
    deadline: datetime
    _language: str = field(repr=False)
    _order: str = field(repr=False)
    _first: timedelta = field(repr=False)
    _between: timedelta = field(repr=False)
    _longest: int = field(repr=False)
    _typed: Secret = field(repr=False)

    @classmethod
    def of(
        cls, challenge: Challenge, *, now: datetime, locale: str | None = None, first: timedelta = _FIRST,
        between: timedelta = _BETWEEN, longest: int = _LONGEST,
    ) -> Self:  # fmt: skip
        """Begin an entry.

        Args:
            challenge: What is asked.
            now: When the prompt has been played; aware.
            locale: Of the customer: the language of the instructions, and the order of a date (``en-US`` the month
                first, ``fa`` the year first, all others the day first).
            first: How long to wait for the first key.
            between: How long to wait for each other one.
            longest: Digits that are taken at all.

        Raises:
            UsageError: a question that needs words (open with ``entries=keypad.ENTRIES``, and it is left to an agent),
                or an argument out of range.
        """
        asked: object = challenge
        waits: tuple[object, ...] = (first, between)
        if not isinstance(asked, Challenge) or challenge.entry not in ENTRIES:
            msg = "a keypad takes digits, dates, durations and confirmations; leave other questions to an agent"
            raise UsageError(msg)
        if not all(isinstance(each, timedelta) and each > timedelta(0) for each in waits):
            msg = "first and between must be timedeltas of more than nothing"
            raise UsageError(msg)
        if type(longest) is not int or not 1 <= longest <= _MOST:
            msg = f"longest must be a whole number from 1 to {_MOST}"
            raise UsageError(msg)
        if locale is not None and type(locale) is not str:
            msg = "locale must be a language tag such as fr-CA, or None"
            raise UsageError(msg)
        language, order = prompts.language(locale), _order(locale)
        how = f"keypad.{challenge.entry}" + (f".{order}" if challenge.entry is Entry.DATE else "")
        pad = cls(
            challenge=challenge.id, entry=challenge.entry, prompt=f"{challenge.text} {prompts.text(how, language)}",
            deadline=_moment(now) + first, _language=language, _order=order, _first=first, _between=between,
            _longest=longest, _typed=Secret(""),
        )  # fmt: skip
        return _refused(pad, KeypadReason.SECURITY_CODE) if common.names_security_code(challenge.text) else pad

    def press(self, keys: str, *, now: datetime) -> Self:
        """Take keys, in the order they were pressed; after the end of an entry they are nothing.

        Raises:
            UsageError: what is no text, or a naive time.
        """
        if type(keys) is not str:
            msg = "keys must be a str of what was pressed, such as '4' or '4729#'"
            raise UsageError(msg)
        pad = self.at(now)
        if len(keys) > _MOST and pad.state is KeypadState.OPEN:
            return _refused(pad, KeypadReason.TOO_LONG)
        for number in range(len(keys)):
            if pad.state is not KeypadState.OPEN:
                break
            pad = pad._pressed(keys[number], now)  # noqa: SLF001 - of its own class
        return pad

    def at(self, now: datetime) -> Self:
        """Let time pass; a clock that goes back gives nobody more of it.

        Raises:
            UsageError: a naive time.
        """
        if self.state is KeypadState.OPEN and _moment(now) >= self.deadline:
            return replace(self, state=KeypadState.TIMED_OUT, _typed=Secret(""))
        return self

    def again(self, *, now: datetime) -> Self:
        """Begin the same entry anew. A question for a card's security code stays refused.

        Raises:
            UsageError: a naive time.
        """
        if self.reason is KeypadReason.SECURITY_CODE:
            return self
        return replace(
            self, state=KeypadState.OPEN, reason=None, deadline=_moment(now) + self._first, _typed=Secret("")
        )  # fmt: skip

    @property
    def answer(self) -> Secret:
        """What to give to `Verifier.respond`: ``pad.answer.reveal()``, on the same line.

        Raises:
            UsageError: the entry is not DONE.
        """
        if self.state is not KeypadState.DONE:
            msg = f"this entry is {self.state.value}; it has no answer"
            raise UsageError(msg)
        return self._typed

    @property
    def hint(self) -> str:
        """What to play before `again`: why the entry was not taken; empty for one that is open or done."""
        if self.state is KeypadState.TIMED_OUT:
            return prompts.text("keypad.timed_out", self._language)
        if self.reason is None:
            return ""
        own = self.reason in {KeypadReason.CARD_NUMBER, KeypadReason.SECURITY_CODE}
        return prompts.text(f"keypad.{self.reason.value if own else 'unreadable'}", self._language)

    # ── One key ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pressed(self, key: str, now: datetime) -> Self:
        if key == "#":
            return self._ended(self._typed)
        if key == "*":
            return replace(self, deadline=max(self.deadline, now + self._first), _typed=Secret(""))
        if key not in _DIGITS:
            return self
        if len(self._typed) >= self._longest:
            return _refused(self, KeypadReason.TOO_LONG)
        typed = Secret(self._typed.reveal() + key)
        if len(typed) == _LENGTH.get(self.entry):
            return self._ended(typed)
        return replace(self, deadline=now + self._between, _typed=typed)

    def _ended(self, typed: Secret) -> Self:
        if not len(typed):
            return _refused(self, KeypadReason.EMPTY)
        if common.holds_card(typed.reveal()):
            return _refused(self, KeypadReason.CARD_NUMBER)
        said = _read(self.entry, self._order, typed)
        if said is None:
            return _refused(self, KeypadReason.UNREADABLE)
        return replace(self, state=KeypadState.DONE, _typed=said)


def _refused(pad: _Pad, reason: KeypadReason) -> _Pad:
    return replace(pad, state=KeypadState.REFUSED, reason=reason, _typed=Secret(""))


def _moment(now: object) -> datetime:
    if not isinstance(now, datetime) or now.utcoffset() is None:
        msg = "the time must be an aware datetime (use datetime.now(UTC))"
        raise UsageError(msg)
    return now


def _order(locale: str | None) -> str:
    tags = (locale or "").replace("_", "-").lower().split("-")
    if tags[0] == "fa":
        return "ymd"
    return "mdy" if tags[0] == "en" and "us" in tags[1:] else "dmy"


# ── What was typed ───────────────────────────────────────────────────────────────────────────────────────────────────


def _read(entry: Entry, order: str, typed: Secret) -> Secret | None:
    """Return an answer in words that no locale reads in another way; None for what is none."""
    digits = typed.reveal()
    if entry is Entry.DIGITS:
        return typed
    if entry is Entry.CONFIRM:
        return Secret(_SAID[digits]) if digits in _SAID else None
    if len(digits) != _LENGTH[entry]:
        return None
    return _duration(digits) if entry is Entry.DURATION else _date(digits, order)


def _duration(digits: str) -> Secret | None:
    years, months = int(digits[:2]), int(digits[2:])
    if months >= _YEAR:
        return None
    words = [f"{years} years"] if years else []
    return Secret(" ".join([*words, f"{months} months"] if months or not years else words))


def _date(digits: str, order: str) -> Secret | None:
    if order == "ymd":
        year, month, day = digits[:4], digits[4:6], digits[6:]
    else:
        year, month, day = digits[4:], digits[2:4], digits[:2]
    if order == "mdy":
        day, month = month, day
    if int(year) < _PERSIAN:
        there = order == "ymd" and 1 <= int(month) <= _YEAR and 1 <= int(day) <= 31  # noqa: PLR2004 - days of a month
    else:
        there = _is_date(int(year), int(month), int(day))
    return Secret(f"{year}-{month}-{day}") if there else None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
