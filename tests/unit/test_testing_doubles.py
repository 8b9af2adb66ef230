"""The doubles must be right themselves: a clock that stands still, senders that keep, stores that fail as told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kyc_verify.call import Call, Customer
from kyc_verify.errors import StoreError, UnknownSession, UsageError
from kyc_verify.ports import Message, Notice, SignalQuery, Store
from kyc_verify.stores import MemoryStore
from kyc_verify.terms import Outcome
from kyc_verify.testing import (
    CountingStore,
    FailingStore,
    FakeClock,
    FakeCustomers,
    RecordingObserver,
    RecordingSender,
    ScriptedService,
    ScriptedSignals,
)
from kyc_verify.testing._contract.desk import NOW, Desk
from kyc_verify.testing.stores import VERBS


def message(text: str, destination: str = "+33142685300") -> Message:
    return Message(channel="sms", destination=destination, text=text, language="en", key="k")


# ── Clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_clock_stands_still_far_from_today_until_it_is_moved() -> None:
    clock = FakeClock()
    assert clock() == clock() == datetime(2100, 1, 1, tzinfo=UTC)
    clock.advance(timedelta(days=1))
    clock.advance(minutes=5, microseconds=1)
    assert clock() == datetime(2100, 1, 2, 0, 5, 0, 1, tzinfo=UTC)
    clock.back(timedelta(days=1), seconds=300)
    assert clock() == datetime(2100, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_a_clock_starts_at_an_instant() -> None:
    assert FakeClock(NOW)() == NOW
    with pytest.raises(UsageError, match="aware datetime"):
        FakeClock(datetime(2100, 1, 1))  # noqa: DTZ001 - naive on purpose


def test_a_clock_goes_to_the_days_that_break_programs() -> None:
    clock = FakeClock()
    clock.to_leap_day()
    assert clock() == datetime(2104, 2, 29, 12, tzinfo=UTC)  # 2100 is none
    clock.to_leap_day()
    assert clock() == datetime(2104, 2, 29, 12, tzinfo=UTC)
    clock.to(datetime(2101, 1, 1, tzinfo=UTC))
    clock.to_dst_change("Europe/Paris")
    before = clock().astimezone(ZoneInfo("Europe/Paris"))
    clock.advance(seconds=1)
    after = clock().astimezone(ZoneInfo("Europe/Paris"))
    assert (before.hour, before.minute, before.second, after.hour) == (1, 59, 59, 3)
    clock.advance(days=30)
    clock.to_dst_change("Europe/Paris")
    assert clock().month == 10
    with pytest.raises(UsageError, match="'Europe/Paris'"):
        clock.to_dst_change("Asia/Tehran")
    with pytest.raises(UsageError, match="no time zone 'Mars/Olympus'"):
        clock.to_dst_change("Mars/Olympus")


# ── Senders, customers, signals, services, observers ─────────────────────────────────────────────────────────────────


def test_a_sender_keeps_and_reads_the_code_of_the_newest_message() -> None:
    sender = RecordingSender()
    sender.send(message("Your code for +33142685300 until 2100: 123456"))
    sender.send(message("code 00012345.", "b@example.com"))
    sender.send(message("654321"))
    assert (sender.code(), sender.code("b@example.com"), sender.code("+33142685300")) == (
        "654321",
        "00012345",
        "654321",
    )
    assert sender.last("b@example.com").text == "code 00012345."
    assert [each.text for each in sender.messages][1:] == ["code 00012345.", "654321"]


def test_a_sender_without_such_a_message_or_code_says_so() -> None:
    sender = RecordingSender()
    with pytest.raises(UsageError, match="no such message"):
        sender.last()
    sender.send(message("call 12345 or 12345678901"))
    with pytest.raises(UsageError, match="no such message"):
        sender.code("+33")
    with pytest.raises(UsageError, match="no code"):
        sender.code()


def test_a_sender_fails_while_told_to() -> None:
    sender = RecordingSender(fail=OSError("down"))
    with pytest.raises(OSError, match="down"):
        sender.send(message("123456"))
    assert sender.messages == []
    sender.fail = None
    sender.send(message("123456"))
    assert sender.code() == "123456"


def test_customers_are_found_by_exact_id_and_may_change() -> None:
    crm = FakeCustomers({"cust-1": Customer()})
    assert (crm.get("CUST-1"), crm.get("cust-1")) == (None, Customer())
    crm["cust-1"] = Customer(active=False)
    assert crm["cust-1"].active is False
    del crm["cust-1"]
    assert crm.get("cust-1") is None
    crm.fail = OSError("down")
    with pytest.raises(OSError, match="down"):
        crm.get("cust-1")
    assert crm.asked == ["CUST-1", "cust-1", "cust-1", "cust-1"]


def test_signals_say_what_they_are_told_to() -> None:
    query = SignalQuery(subject="cust-1", call=Call(id="c", agent="a"), contact=None, number=None)
    source = ScriptedSignals(7)
    assert source.get(query) == 7
    source.value = lambda asked: asked.subject
    assert source.get(query) == "cust-1"
    source.value = OSError("down")
    with pytest.raises(OSError, match="down"):
        source.get(query)
    assert source.queries == [query] * 3


def test_a_service_judges_as_it_is_told_to() -> None:
    service = ScriptedService()
    assert [service.send(message("a")), service.send(message("b"))] == ["handle-1", "handle-2"]
    assert service.check("handle-1", "1") is Outcome.PASS
    service.outcome = None
    assert service.check("handle-1", "2") is None
    service.outcome = lambda handle, code: Outcome.PASS if (handle, code) == ("handle-2", "3") else Outcome.FAIL
    assert [service.check("handle-1", "3"), service.check("handle-2", "3")] == [Outcome.FAIL, Outcome.PASS]
    service.outcome = OSError("down")
    with pytest.raises(OSError, match="down"):
        service.check("handle-1", "4")
    assert [code for _, code in service.checked] == ["1", "2", "3", "3", "4"]
    service.fail = OSError("down")
    with pytest.raises(OSError, match="down"):
        service.send(message("c"))
    assert len(service.messages) == 2


def test_an_observer_keeps_what_it_is_told() -> None:
    observer = RecordingObserver()
    observer.notice(Notice.REVIEW)
    observer.notice(Notice.CONFLICT)
    assert observer.notices == [Notice.REVIEW, Notice.CONFLICT]


# ── Stores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrapped_store_has_exactly_the_verbs_of_a_store() -> None:
    asked = {name for name in vars(Store) if not name.startswith("_")}
    assert set(VERBS) == asked
    assert all(callable(getattr(FailingStore, verb)) for verb in VERBS)


def test_trips_are_counted() -> None:
    store = CountingStore(MemoryStore())
    desk = Desk(store)
    desk.start()
    desk.begin()
    with pytest.raises(UnknownSession):
        desk.load("s-2")
    assert store.counts == {"open": 1, "load": 2, "commit": 1, "begin": 1}
    assert store.total == 5
    desk.done()
    assert store.counts["close"] == 1


def test_a_store_fails_before_it_does_anything() -> None:
    inner = MemoryStore()
    store = FailingStore(inner, verb="begin")
    desk = Desk(store)
    desk.start()
    for _ in range(2):
        with pytest.raises(StoreError, match="as it was told to"):
            desk.begin()
    assert desk.load().session.claimed_at is None
    assert store.calls == 2


def test_a_store_loses_an_acknowledgement() -> None:
    desk = Desk(FailingStore(MemoryStore(), verb="begin", mode="after"))
    desk.start()
    with pytest.raises(StoreError, match="as it was told to"):
        desk.begin()
    assert desk.load().session.claimed_at == NOW


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_store_fails_at_one_call_of_any_or_of_one_verb(at: int) -> None:
    store = FailingStore(MemoryStore(), at=at, error=OSError("down"))
    failed = []
    for n in range(1, 5):
        try:
            store.ready(NOW)
        except OSError:
            failed.append(n)
    assert (failed, store.calls) == ([at], 4)

    store = FailingStore(MemoryStore(), at=at, verb="ready")
    store.records("t", 0, 1)
    for n in range(1, 5):
        if n == at:
            with pytest.raises(StoreError):
                store.ready(NOW)
        else:
            store.ready(NOW)


class AsyncStore:
    """The one verb that is needed here, as a coroutine function."""

    def __init__(self) -> None:
        self.done = 0

    async def ready(self, now: datetime) -> None:
        assert now == NOW
        self.done += 1


@pytest.mark.parametrize(("mode", "done"), [("before", 0), ("after", 1)])
def test_an_async_store_fails_as_well(mode: str, done: int) -> None:
    inner = AsyncStore()
    store = FailingStore(inner, mode=mode)  # type: ignore[arg-type]

    async def use() -> None:
        await store.ready(NOW)

    with pytest.raises(StoreError, match="as it was told to"):
        asyncio.run(use())
    assert inner.done == done


def test_a_slow_gateway_delivers_later_and_twice() -> None:
    clock = FakeClock()
    sender = RecordingSender(clock=clock, delay=timedelta(seconds=30), copies=2)
    sender.send(message("code 111111"))
    with pytest.raises(UsageError, match="no such message has arrived"):
        sender.code()
    clock.advance(seconds=10)
    sender.delay = timedelta(0)
    sender.send(message("code 222222"))
    assert sender.code() == "222222"
    clock.advance(seconds=20)
    assert sender.code() == "111111"  # overtaken: it arrives last
    assert len(sender.arrived) == 4
    assert len(sender.messages) == 2
    with pytest.raises(UsageError, match="a delay needs a clock"):
        RecordingSender(delay=timedelta(seconds=1)).send(message("code 1"))


def test_a_store_fails_each_call_of_a_verb() -> None:
    store = FailingStore(MemoryStore(), every="ready")
    for _ in range(3):
        with pytest.raises(StoreError):
            store.ready(NOW)
    assert store.calls == 3
    for arguments, told in (
        ({"every": "fetch"}, "no verb 'fetch'; it has ready, open"),
        ({"every": "open", "at": 1}, "at=n, verb=verb"),
        ({"at": 0}, "from 1"),
    ):
        with pytest.raises(UsageError, match=told):
            FailingStore(MemoryStore(), **arguments)  # type: ignore[arg-type]
