"""Doubles of the host's own services: they record what they are asked, and answer or fail as told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from kyc_verify.call import Customer
from kyc_verify.errors import UsageError
from kyc_verify.ports import Message, Notice, SignalQuery
from kyc_verify.terms import Outcome, Secret
from kyc_verify.testing._given import an_error, instead, mapping

__all__ = [
    "FakeCustomers", "FakeSeeds", "RecordingObserver", "RecordingSender", "ScriptedService", "ScriptedSignals",
]  # fmt: skip

_CODE: Final = re.compile(r"(?<!\d)\d(?:(?:[,،] )?\d){5,9}(?!\d)")

Judge: TypeAlias = Callable[[str, str], Outcome | None]


class RecordingSender:
    """A `Sender` that keeps what it is given, and delivers it as told.

    Attributes:
        messages: What was handed over, in order.
        fail: Raised instead of sending, while it is set.
        delay: How long a message takes to arrive; needs the clock.
        copies: How often each message arrives: gateways deliver twice.
    """

    def __init__(
        self, *, fail: Exception | None = None, delay: timedelta = timedelta(0), copies: int = 1,
        clock: Callable[[], datetime] | None = None,
    ) -> None:  # fmt: skip
        if fail is not None:
            an_error(fail, "fail")
        if not isinstance(delay, timedelta):
            instead(f"delay takes a timedelta, as in delay=timedelta(seconds=5), not {delay!r}")
        if type(copies) is not int or copies < 0:
            instead("copies counts how often a message arrives, from 0")
        self.messages: list[Message] = []
        self.fail, self.delay, self.copies = fail, delay, copies
        self._clock = clock
        self._on_the_way: list[tuple[datetime | None, Message]] = []
        self._arrived: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep a message, or fail.

        Raises:
            UsageError: there is a delay, and no clock to wait by.
        """
        if self.fail is not None:
            raise self.fail
        if self.delay and self._clock is None:
            msg = "a delay needs a clock: RecordingSender(delay=..., clock=bench.clock)"
            raise UsageError(msg)
        at = None if self._clock is None or not self.delay else self._clock() + self.delay
        self.messages.append(message)
        self._on_the_way += [(at, message)] * self.copies

    @property
    def arrived(self) -> list[Message]:
        """What has arrived by now, in order of arrival; a clock that goes back takes none away."""
        waiting = [pair for pair in self._on_the_way if pair[0] is not None and not self._due(pair[0])]
        due = [pair for pair in self._on_the_way if pair not in waiting]
        self._arrived += [message for _, message in sorted(due, key=lambda pair: (pair[0] is not None, pair[0]))]
        self._on_the_way = waiting
        return self._arrived

    def _due(self, at: datetime) -> bool:
        return self._clock is None or at <= self._clock()

    def last(self, destination: str | None = None) -> Message:
        """Return the message that arrived last, or last at a destination.

        Raises:
            UsageError: there is none.
        """
        for message in reversed(self.arrived):
            if destination in {None, message.destination}:
                return message
        msg = "no such message has arrived"
        raise UsageError(msg)

    def code(self, destination: str | None = None) -> str:
        """Return the code in the newest message: its last run of 6 to 10 digits, or of digits spoken one by one.

        Raises:
            UsageError: there is no such message, or no code in it.
        """
        found = _CODE.findall(self.last(destination).text)
        if not found:
            msg = "there is no code in the newest message"
            raise UsageError(msg)
        return re.sub(r"\D", "", found[-1])


class FakeCustomers:
    """A CRM in a dict.

    Attributes:
        asked: Whom it was asked for, in order.
        fail: Raised instead of answering, while it is set.

    Example:
        >>> crm = FakeCustomers({"cust-42": Customer()})
        >>> crm["cust-42"] = Customer(active=False)
        >>> crm.get("cust-43") is None
        True
    """

    def __init__(self, customers: Mapping[str, Customer], *, fail: Exception | None = None) -> None:
        example = "FakeCustomers({'cust-42': Customer()})"
        self._customers: dict[str, Customer] = mapping(customers, "FakeCustomers", example)
        self.asked: list[str] = []
        self.fail = fail

    def get(self, subject: str) -> Customer | None:
        """Return the customer of exactly this id."""
        self.asked.append(subject)
        if self.fail is not None:
            raise self.fail
        return self._customers.get(subject)

    def __getitem__(self, subject: str) -> Customer:
        return self._customers[subject]

    def __setitem__(self, subject: str, customer: Customer) -> None:
        self._customers[subject] = customer

    def __delitem__(self, subject: str) -> None:
        del self._customers[subject]


class FakeSeeds:
    """A `SeedSource` in a dict: the seed by customer, whatever the check; an exception is raised.

    Attributes:
        asked: For whom and which check it was asked, in order.

    Example:
        >>> seeds = FakeSeeds({"cust-42": Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")})
        >>> seeds.get("cust-42", "authenticator_code")
        Secret(***)
    """

    def __init__(self, seeds: Mapping[str, Secret | str | Exception]) -> None:
        example = "FakeSeeds({'cust-42': totp.new_seed()})"
        self._seeds: dict[str, Secret | str | Exception] = mapping(seeds, "FakeSeeds", example)
        self.asked: list[tuple[str, str]] = []

    def get(self, subject: str, check: str) -> Secret | str | None:
        """Return the seed of a customer, None for anybody else, or fail."""
        self.asked.append((subject, check))
        found = self._seeds.get(subject)
        if isinstance(found, Exception):
            raise found
        return found

    def __getitem__(self, subject: str) -> Secret | str | Exception:
        return self._seeds[subject]

    def __setitem__(self, subject: str, seed: Secret | str | Exception) -> None:
        self._seeds[subject] = seed

    def __delitem__(self, subject: str) -> None:
        del self._seeds[subject]


class ScriptedSignals:
    """A `SignalSource` that says what it is told to.

    Attributes:
        value: What it returns; an exception is raised; a function is called with the query.
        queries: What it was asked, in order.
    """

    def __init__(self, value: object) -> None:
        self.value = value
        self.queries: list[SignalQuery] = []

    def get(self, query: SignalQuery) -> object:
        """Answer as told."""
        self.queries.append(query)
        if isinstance(self.value, Exception) or (isinstance(self.value, type) and issubclass(self.value, Exception)):
            raise self.value
        return self.value(query) if callable(self.value) else self.value


class ScriptedService:
    """A `CodeService` that judges as it is told to.

    Attributes:
        outcome: What `check` returns; None: not answered yet; an exception is raised; a function is called with the
            handle and the code.
        messages: What was sent, in order; the handle of the first is ``handle-1``.
        checked: Handle and code of every check, in order.
        fail: Raised by `send`, while it is set.
    """

    def __init__(
        self, outcome: Outcome | Exception | Judge | None = Outcome.PASS, *, fail: Exception | None = None
    ) -> None:
        self.outcome = outcome
        self.messages: list[Message] = []
        self.checked: list[tuple[str, str]] = []
        self.fail = fail

    def send(self, message: Message) -> str:
        """Keep a message and return its handle, or fail."""
        if self.fail is not None:
            raise self.fail
        self.messages.append(message)
        return f"handle-{len(self.messages)}"

    def check(self, handle: str, code: str) -> Outcome | None:
        """Judge as told."""
        self.checked.append((handle, code))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None or isinstance(self.outcome, Outcome):
            return self.outcome
        return self.outcome(handle, code)


class RecordingObserver:
    """An `Observer` that keeps what it is told.

    Attributes:
        notices: All of them, in order.
    """

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notice(self, event: Notice) -> None:
        """Keep a notice."""
        self.notices.append(event)
