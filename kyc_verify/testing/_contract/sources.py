"""What every signal source must hold."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from kyc_verify.call import Call, Contact
from kyc_verify.ports import SignalQuery, SignalSource
from kyc_verify.testing._contract.desk import expect
from kyc_verify.testing._contract.hosts import at_once, bounded, finished
from kyc_verify.testing.leaks import Hunter

__all__ = ["SignalContract"]

_NUMBER = "+33612345678"


class SignalContract:
    """Every promise of `kyc_verify.ports.SignalSource`. Inherit it, and write the fixture ``make_source``.

    Attributes:
        patience: Seconds that an answer may take; the verifier's own limit is in ``Lifetimes``.
    """

    patience: ClassVar[float] = 5.0

    @pytest.fixture
    def make_source(self) -> Callable[[], SignalSource]:
        """Return what makes the source; yours."""
        msg = "write a fixture make_source that returns a function which makes the source"
        raise NotImplementedError(msg)

    @pytest.fixture
    def source(self, make_source: Callable[[], SignalSource]) -> SignalSource:
        """Return the source."""
        return make_source()

    @pytest.fixture
    def query(self) -> SignalQuery:
        """Return a query of a customer with a number on record; override it with one that yours knows."""
        contact = Contact(number=_NUMBER, since=datetime(2020, 1, 1, tzinfo=UTC))
        call = Call(id="call-1", agent="agent-1", number=_NUMBER, attestation="A")
        return SignalQuery(subject="cust-1", call=call, contact=contact, number=_NUMBER)

    def test_it_answers_in_time(self, source: SignalSource, query: SignalQuery) -> None:
        """Or raises: a failure is UNAVAILABLE or FAIL, and the call goes on."""
        with bounded(self.patience):
            _asked(source, query)

    def test_it_answers_the_same_twice(self, source: SignalSource, query: SignalQuery) -> None:
        """Asking changes nothing."""
        expect(repr(_asked(source, query)), repr(_asked(source, query)), "asking changes nothing")

    def test_who_has_no_number_is_no_fault(self, source: SignalSource, query: SignalQuery) -> None:
        """Nor is a withheld one: it answers, or raises an exception, and never hangs."""
        blank = replace(query, contact=None, number=None, call=replace(query.call, number=None, attestation=None))
        with bounded(self.patience):
            _asked(source, blank)

    def test_many_at_once(self, source: SignalSource, query: SignalQuery) -> None:
        """One source serves all agents."""
        found = at_once([lambda: repr(_asked(source, query))] * 16)
        expect(len(set(found)), 1, "sixteen who ask the same at once hear the same")

    def test_nothing_of_a_query_is_shown(
        self, source: SignalSource, query: SignalQuery, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither by its repr, nor in a log, nor in what it raises."""
        hunter = Hunter({"the number": query.number or _NUMBER})
        with caplog.at_level(logging.DEBUG):
            found = _asked(source, query)
        expect(hunter.hunt(repr(source), str(source)), set(), "its repr shows no number")
        expect(hunter.hunt(caplog.text), set(), "its log shows no number")
        if isinstance(found, Exception):
            expect(hunter.hunt(found, repr(found), found.args), set(), "what it raises shows no number")


def _asked(source: SignalSource, query: SignalQuery) -> object:
    try:
        return finished(source.get(query))
    except Exception as error:  # noqa: BLE001 - a source may raise what it likes; it is compared and looked through
        return error
