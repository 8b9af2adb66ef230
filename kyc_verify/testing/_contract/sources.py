"""What every signal source must hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pytest

from kyc_verify.call import Call, Contact, Customer
from kyc_verify.checks import Signal, SignalCheck
from kyc_verify.errors import UsageError
from kyc_verify.ports import SignalQuery, SignalSource
from kyc_verify.testing._contract.desk import expect, yes
from kyc_verify.testing._contract.hosts import SERVERS, Loop, bounded, logged
from kyc_verify.testing._contract.using import listed, made, takes
from kyc_verify.testing.clock import START
from kyc_verify.testing.leaks import Hunter

__all__ = ["SignalContract"]

_NUMBER: Final = "+33612345678"
_OTHER_NUMBER: Final = "+33639981234"
"""Of the range that ARCEP keeps for drama."""
_AT_ONCE: Final = 8
_SHORTEST: Final = 6
_DEEPEST: Final = 12
_MISTAKES: Final = (AttributeError, NameError, ImportError, NotImplementedError)
"""What a mistake in the source raises, and an outage never does."""


def _gets(thing: object) -> bool:
    return callable(getattr(thing, "get", None))


class SignalContract:
    """Every promise of `kyc_verify.ports.SignalSource`. Inherit it, and write the fixture ``make_source``.

    Two replies are the same when they are equal; without an equality of their own, when they are of one class and made
    of equal parts. With a fixture ``check``, the check that judges them, they are when it judges them alike. With a
    fixture ``other_query``, whose answer must be another one, it is shown that two customers are told apart.

    All that is awaited in a test is awaited in one event loop, the fixture ``contract_loop``: its ``run`` closes what a
    source has open, as in ``contract_loop.run(client.aclose())``.

    Attributes:
        patience: Seconds that an answer may take; the verifier's own limit is in ``Lifetimes``.
        out: Whether it is a source whose service is down, that must raise whatever it is asked.
        stand_ins: Loggers of servers that stand in for the service in the same process; what they log is no leak.
    """

    patience: ClassVar[float] = 5.0
    out: ClassVar[bool] = False
    stand_ins: ClassVar[tuple[str, ...]] = SERVERS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        listed(cls, "stand_ins", of=str, example='("werkzeug",)')

    @pytest.fixture
    def make_source(self) -> Callable[[], SignalSource]:
        """Return what makes the source; yours."""
        msg = "write a fixture make_source that returns a function which makes the source"
        raise NotImplementedError(msg)

    @pytest.fixture
    def contract_loop(self) -> Iterator[Loop]:
        """Yield the event loop of a test."""
        loop = Loop()
        yield loop
        loop.done()

    @pytest.fixture
    def source(self, make_source: Callable[[], SignalSource], contract_loop: Loop) -> SignalSource:
        """Return the source."""
        del contract_loop  # it ends after whatever is made
        return _made(make_source)

    @pytest.fixture
    def query(self) -> SignalQuery:
        """Return a query of a customer with a number on record; override it with one that yours knows."""
        contact = Contact(number=_NUMBER, since=datetime(2020, 1, 1, tzinfo=UTC))
        call = Call(id="call-1", agent="agent-1", number=_NUMBER, attestation="A")
        return SignalQuery(subject="cust-1", call=call, contact=contact, number=_NUMBER)

    @pytest.fixture
    def other_query(self) -> SignalQuery | None:
        """Return a query of another customer, who is answered otherwise; None: nobody is known of whom that is so."""
        return None

    @pytest.fixture
    def check(self) -> SignalCheck | None:
        """Return the check that judges the replies, for those that cannot be compared; None: they are compared."""
        return None

    @pytest.fixture
    def two(self, query: SignalQuery, other_query: SignalQuery | None) -> tuple[SignalQuery, SignalQuery]:
        """Return queries of two customers."""
        given: tuple[object, object] = query, other_query or query
        if not all(isinstance(each, SignalQuery) for each in given):
            msg = "query and other_query return a SignalQuery: write `return replace(query, subject=..., number=...)`"
            raise UsageError(msg)
        if other_query is not None:
            return query, other_query
        contact = None if query.contact is None else replace(query.contact, number=_OTHER_NUMBER)
        call = replace(query.call, id=f"{query.call.id}-2", number=query.call.number and _OTHER_NUMBER)
        number = query.number and _OTHER_NUMBER
        return query, replace(query, subject=f"{query.subject}-2", call=call, contact=contact, number=number)

    def test_it_replies(self, source: SignalSource, two: tuple[SignalQuery, SignalQuery], contract_loop: Loop) -> None:
        """An exception is the answer of a service that is down, and not of every source for ever."""
        found = [_asked(source, each, contract_loop) for each in two]
        failed = [each for each in found if isinstance(each, Exception)]
        if self.out:
            expect(len(failed), len(found), "out = True: the service is down, so it raises whatever it is asked")
        if len(failed) == len(found):
            wrong = {type(each).__name__ for error in failed for each in _chain(error) if isinstance(each, _MISTAKES)}
            expect(wrong, set(), "what a mistake in the source raises is no answer")
            if self.out:
                return
            msg = "it only raises, and never replies; if the service is down on purpose, write out = True"
            raise AssertionError(msg) from failed[0]

    def test_it_answers_in_time(self, source: SignalSource, query: SignalQuery, contract_loop: Loop) -> None:
        """Or raises: a failure is UNAVAILABLE or FAIL, and the call goes on."""
        with bounded(self.patience):
            _asked(source, query, contract_loop)

    def test_it_answers_the_same_twice(
        self, source: SignalSource, query: SignalQuery, check: SignalCheck | None, contract_loop: Loop
    ) -> None:
        """Asking changes nothing."""
        one, again = (_asked(source, query, contract_loop) for _ in range(2))
        _same(check, query, again, one, "asking changes nothing")

    def test_two_customers_are_told_apart(
        self, make_source: Callable[[], SignalSource], two: tuple[SignalQuery, SignalQuery],
        other_query: SignalQuery | None, check: SignalCheck | None, contract_loop: Loop,
    ) -> None:  # fmt: skip
        """What one is answered does not depend on who was asked about before."""
        query, other = two
        source, turned = _made(make_source), _made(make_source)
        first, second = (_asked(source, each, contract_loop) for each in (query, other))
        second_first, first_second = (_asked(turned, each, contract_loop) for each in (other, query))
        _same(check, query, first_second, first, "the answer does not depend on who was asked about before")
        _same(check, other, second, second_first, "the answer does not depend on who was asked about before")
        if other_query is not None:
            differ = not _alike(_judged(check, query, first), _judged(check, other, second))
            yes(differ, "the answer to other_query is another one than to query; both were answered alike")

    def test_who_has_no_number_is_no_fault(self, source: SignalSource, query: SignalQuery, contract_loop: Loop) -> None:
        """Nor is a withheld one: it answers, or raises an exception, and never hangs."""
        with bounded(self.patience):
            _asked(source, _blank(query), contract_loop)

    def test_many_at_once(
        self, make_source: Callable[[], SignalSource], two: tuple[SignalQuery, SignalQuery], check: SignalCheck | None,
        contract_loop: Loop,
    ) -> None:  # fmt: skip
        """One source serves all agents: each hears of their own customer what they would hear alone."""
        alone = [contract_loop.at_once([_job(_made(make_source), each)])[0] for each in two]
        source = _made(make_source)
        found = contract_loop.at_once([_job(source, each) for each in two * _AT_ONCE], in_step=True)
        for at, answer in enumerate(found):
            _same(check, two[at % 2], answer, alone[at % 2], "who asks while others ask hears what is heard alone")

    def test_nothing_of_a_query_is_shown(
        self, source: SignalSource, two: tuple[SignalQuery, SignalQuery], contract_loop: Loop
    ) -> None:
        """Neither by its repr, nor in a log, nor in what it raises: message, attributes and all that caused it."""
        for query in (*two, _blank(two[0])):
            hunter = Hunter({"the number": _NUMBER})
            numbers = (query.number, query.call.number, None if query.contact is None else query.contact.number)
            for number in {each for each in numbers if each is not None and len(each) >= _SHORTEST}:
                hunter.add("the number", number)
            with logged(self.stand_ins) as log:
                found = _asked(source, query, contract_loop)
            expect(hunter.hunt(log()), set(), "its log shows no number")
            expect(hunter.hunt(repr(source), str(source)), set(), "its repr shows no number")
            if isinstance(found, Exception):
                for error in _chain(found):
                    error.with_traceback(None)  # whoever asks about a number has it at hand in their own frames
                expect(hunter.in_error(found), set(), "what it raises shows no number")


def _made(make_source: Callable[[], SignalSource]) -> SignalSource:
    source = made(make_source, "make_source", _gets, "a source has get(query)")
    takes(source.get, f"{type(source).__name__}.get takes one argument, the query: def get(self, query)")
    return source


def _blank(query: SignalQuery) -> SignalQuery:
    return replace(query, contact=None, number=None, call=replace(query.call, number=None, attestation=None))


def _job(source: SignalSource, query: SignalQuery) -> Callable[[], object]:
    return lambda: source.get(query)


def _asked(source: SignalSource, query: SignalQuery, loop: Loop) -> object:
    """Return the reply, or what was raised: a source may raise what it likes, and is compared and looked through."""
    try:
        return loop.run(source.get(query))
    except Exception as error:  # noqa: BLE001 - see above
        return error


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = [error]
    for each in found:
        inside = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        found += [one for one in (each.__cause__, each.__context__, *inside) if one is not None and one not in found]
    return found


# ── Comparing replies ────────────────────────────────────────────────────────────────────────────────────────────────


def _same(check: SignalCheck | None, query: SignalQuery, got: object, want: object, why: str) -> None:
    one, other = _judged(check, query, got), _judged(check, query, want)
    told = (
        ""
        if check is not None
        else "; replies that cannot be compared are judged, if a fixture check returns the check"
    )
    yes(_alike(one, other), f"{why}{told}\n  got:  {one!r}\n  want: {other!r}")


def _judged(check: SignalCheck | None, query: SignalQuery, reply: object) -> object:
    """Return what the check makes of a reply; the reply itself where there is none, or where it is an exception."""
    given: object = check
    if check is None or isinstance(reply, Exception):
        return reply
    if not isinstance(given, SignalCheck):
        msg = "the fixture check returns the check that judges the replies: write `return SimSwap()`"
        raise UsageError(msg)
    signal = Signal(value=reply, now=START, call=query.call, customer=Customer(), contact=query.contact)
    try:
        return check.judge(signal)
    except Exception as error:  # noqa: BLE001 - the verifier counts it as a failure
        return error


def _alike(one: Any, other: Any, depth: int = 0) -> bool:  # noqa: ANN401 - whatever a source returns
    """Whether two replies say the same."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other)  # its message may hold a time or a request's id
    try:
        equal = bool(one == other)
    except Exception:  # noqa: BLE001 - an equality without a truth value
        equal = repr(one) == repr(other)
    if equal or type(one) is not type(other) or depth >= _DEEPEST:
        return equal or type(one) is type(other)  # so deep down it says nothing more
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key], depth + 1) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_alike(*both, depth + 1) for both in zip(one, other, strict=True))
    if isinstance(one, float):
        return math.isnan(one) and math.isnan(other)
    own: object = type(one).__eq__
    return own is object.__eq__ and _alike(_parts(one), _parts(other), depth + 1)


def _parts(thing: Any) -> object:  # noqa: ANN401 - as above
    """Return what an object is made of."""
    try:
        return thing.__getstate__()
    except Exception:  # noqa: BLE001 - what cannot be taken apart has no parts to differ in
        return None
