"""The queue behind every sender: it waits for nobody, forgets nothing it took, and ends in time."""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from kyc_verify import ConfigurationError, DeliveryError, MissingExtraError, Notice, senders
from kyc_verify.ports import Message
from kyc_verify.senders import ConsoleSender
from kyc_verify.senders._clock import utc_now
from kyc_verify.senders._queue import Queued
from kyc_verify.testing import RecordingObserver


def message(number: int = 0, *, text: str = "Code: 048213") -> Message:
    return Message(channel="sms", destination="+33612345678", text=text, language="en", key=f"key-{number}")


def wait_for(found: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


class Held(Queued):
    """Delivers when it is let."""

    def __init__(self, *, size: int = 10, workers: int = 1, observer: Any = None) -> None:
        super().__init__(size=size, workers=workers, observer=observer)
        self.go, self.started = threading.Event(), threading.Semaphore(0)
        self.arrived: list[str] = []
        self.fail: Exception | None = None

    def _check(self, message: Message) -> None:
        if message.text == "never":
            raise DeliveryError("never")

    def _deliver(self, message: Message, stop: threading.Event) -> None:
        self.started.release()
        while not self.go.wait(0.01):
            if stop.is_set():
                raise DeliveryError("stopped")
        if self.fail is not None:
            raise self.fail
        self.arrived.append(message.key)


@pytest.fixture
def held() -> Iterator[Held]:
    sender = Held(observer=RecordingObserver())
    yield sender
    sender.go.set()
    sender.close(1.0)


def test_taking_a_message_waits_for_nobody(held: Held) -> None:
    started = time.monotonic()
    for number in range(5):
        held.send(message(number))
    assert time.monotonic() - started < 0.5
    assert held.arrived == []
    held.go.set()
    assert held.close(5.0) is True
    assert held.arrived == [f"key-{number}" for number in range(5)]


def test_a_full_queue_raises_and_takes_it_later(held: Held) -> None:
    held.send(message())
    assert held.started.acquire(timeout=5)
    for number in range(1, 11):
        held.send(message(number))
    with pytest.raises(DeliveryError, match="too many"):
        held.send(message(11))
    held.go.set()
    assert held.started.acquire(timeout=5)
    wait_for(lambda: not held._line.waiting)
    held.send(message(11))
    assert held.close(5.0)
    assert held.arrived[-1] == "key-11"


def test_one_key_is_one_message(held: Held) -> None:
    held.go.set()
    for _ in range(3):
        held.send(message())
    held.close(5.0)
    assert held.arrived == ["key-0"]


def test_what_failed_is_told_without_anything_of_it_and_may_be_sent_again(held: Held) -> None:
    held.fail = RuntimeError("no such number +33612345678, code 048213")
    held.go.set()
    held.send(message())
    wait_for(lambda: held._observer.notices)  # type: ignore[union-attr]
    held.fail = None
    held.send(message())
    assert held.close(5.0)
    assert held.arrived == ["key-0"]
    assert held._observer.notices == [Notice.DELIVERY_FAILED]  # type: ignore[union-attr]


def test_an_observer_that_fails_changes_nothing() -> None:
    class Broken:
        def notice(self, event: Notice) -> None:
            raise RuntimeError("no")

    sender = Held(observer=Broken())
    sender.fail = RuntimeError("no")
    sender.go.set()
    sender.send(message())
    assert sender.close(5.0)


def test_closing_ends_in_time_and_drops_what_waits(held: Held) -> None:
    for number in range(4):
        held.send(message(number))
    assert held.started.acquire(timeout=5)
    started = time.monotonic()
    assert held.close(0.2) is False
    assert time.monotonic() - started < 3
    # Three were waiting; the one under way ended because it was told to.
    assert held._observer.notices == [Notice.DELIVERY_FAILED] * 4  # type: ignore[union-attr]
    with pytest.raises(DeliveryError, match="closed"):
        held.send(message(9))


def test_closing_twice_and_without_anything_is_quick() -> None:
    with Held() as sender:
        pass
    assert sender.close() is True
    assert not sender._line.threads


def test_what_cannot_be_delivered_is_refused_at_once(held: Held) -> None:
    with pytest.raises(DeliveryError, match="never"):
        held.send(message(text="never"))
    for wrong in (None, "text", {"text": "x"}):
        with pytest.raises(DeliveryError, match="takes a Message"):
            held.send(wrong)  # type: ignore[arg-type]
    for key in ("", None, ["a"], 7):
        with pytest.raises(DeliveryError, match="key"):
            held.send(Message(channel="sms", destination="+336", text="x", language="en", key=key))  # type: ignore[arg-type]
    assert not held._line.threads


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": True}, {"workers": 0}, {"workers": 2.0}, {"observer": object()}]
)
def test_what_is_wired_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Held(**wrong)


def test_threads_are_as_many_as_are_needed() -> None:
    sender = Held(workers=3)
    for number in range(9):
        sender.send(message(number))
    assert len(sender._line.threads) == 3
    sender.go.set()
    assert sender.close(5.0)
    assert sorted(sender.arrived) == sorted(f"key-{number}" for number in range(9))


def test_keys_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kyc_verify.senders._queue._REMEMBERED", 3)
    sender = Held(size=100)
    sender.go.set()
    for number in range(9):
        sender.send(message(number))
    assert len(sender._line.seen) == 3
    assert sender.close(5.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_sender_made_and_used_before_a_fork_works_after_it(tmp_path: Any) -> None:
    sender = Held(workers=2)
    sender.send(message())  # under way in this process, with its lock and its thread
    assert sender.started.acquire(timeout=5)

    def child() -> None:
        sender.go.set()
        sender.send(message(1))
        done = sender.close(5.0)
        (tmp_path / "done").write_text(f"{done} {sender.arrived}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons say what is tried here: threads and a fork
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
    process.join(10)
    assert process.exitcode == 0
    assert (tmp_path / "done").read_text() == "True ['key-1']"
    sender.go.set()
    assert sender.close(5.0)
    assert sender.arrived == ["key-0"]


# ── The console ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("allowed", [{}, {"allow_insecure": False}, {"allow_insecure": 1}, {"allow_insecure": "yes"}])
def test_the_console_must_be_allowed_in_so_many_words(allowed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="allow_insecure=True"):
        ConsoleSender(**allowed)


def test_the_console_shows_everything() -> None:
    stream = io.StringIO()
    with ConsoleSender(allow_insecure=True, stream=stream) as sender:
        sender.send(message())
        sender.send(Message(channel="email", destination="a@b.c", text="two", language="en", key="2", subject="One"))
    assert stream.getvalue() == "[sms to +33612345678]\nCode: 048213\n[email to a@b.c]\nOne\ntwo\n"


def test_the_console_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleSender(allow_insecure=True) as sender:
        sender.send(message())
    assert "048213" in capsys.readouterr().err


def test_the_console_takes_texts() -> None:
    with ConsoleSender(allow_insecure=True) as sender, pytest.raises(DeliveryError, match="text"):
        sender.send(message(text=None))  # type: ignore[arg-type]


# ── The package ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_package_names_its_senders() -> None:
    assert {getattr(senders, name).__name__ for name in senders.__all__} == set(senders.__all__)
    with pytest.raises(AttributeError, match="Carrier"):
        _ = senders.CarrierPigeon


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError("no", name="httpx")

    monkeypatch.setattr(senders, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"kyc-verify\[webhook\]"):
        _ = senders.WebhookSender
    with pytest.raises(ModuleNotFoundError):
        _ = senders.SMTPSender  # needs nothing beyond Python


def test_the_senders_own_clock_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)
