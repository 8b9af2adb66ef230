"""What every sender must hold."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar, TypeAlias

import pytest

from kyc_verify.ports import Message, Sender
from kyc_verify.testing._contract.desk import expect
from kyc_verify.testing._contract.hosts import at_once, bounded, finished
from kyc_verify.testing.leaks import Hunter

__all__ = ["SenderContract"]

_TEXTS = (
    "For: a payment of 20.00 EUR to Ed. Code: 048213",
    "Objet : un paiement. Ne communiquez jamais ce code. Code : 048213",
    "Motivo: su consulta. Código: 048213",
    "برای: دیدن موجودی شما. کد: ۰۴۸۲۱۳",
    "Line one\nLine two, with a tab\tand “quotes” & <tags>. Code: 048213",
    "long " * 200 + "Code: 048213",
)
Delivered: TypeAlias = Callable[[], list[str]]


_NUMBER, _ADDRESS = "+33612345678", "anna@example.org"


def _message(channel: str, number: int = 0, *, text: str = _TEXTS[0]) -> Message:
    to = _ADDRESS if channel == "email" else _NUMBER
    return Message(channel=channel, destination=to, text=text, language="en", key=f"key-{number}")


class SenderContract:
    """Every promise of `kyc_verify.ports.Sender`. Inherit it, and write the fixture ``make_sender``.

    With a fixture ``delivered``, a function that returns the texts which the service received, more is tried.

    Attributes:
        channels: What it is asked to send by.
        patience: Seconds that handing a message over may take. It only enqueues: a caller waits for it, and how long
            it takes must not tell a customer from one who is not there.
    """

    channels: ClassVar[tuple[str, ...]] = ("sms",)
    patience: ClassVar[float] = 1.0

    @pytest.fixture
    def make_sender(self) -> Callable[[], Sender]:
        """Return what makes the sender; yours."""
        msg = "write a fixture make_sender that returns a function which makes the sender"
        raise NotImplementedError(msg)

    @pytest.fixture
    def sender(self, make_sender: Callable[[], Sender]) -> Sender:
        """Return the sender."""
        return make_sender()

    @pytest.fixture
    def delivered(self) -> Delivered:
        """Return what lists the texts that the service received; yours, if it can be had."""
        pytest.skip("no fixture delivered: what the service received cannot be looked at")

    @pytest.mark.parametrize("text", _TEXTS, ids=range(len(_TEXTS)))
    def test_it_takes_any_text(self, sender: Sender, text: str) -> None:
        """Four languages, lines, quotes, and a long one; it returns nothing."""
        for channel in self.channels:
            expect(finished(sender.send(_message(channel, text=text))), None, "a sender returns nothing")

    def test_it_only_enqueues(self, sender: Sender) -> None:
        """A caller waits while a message is handed over."""
        finished(sender.send(_message(self.channels[0])))
        with bounded(self.patience):
            finished(sender.send(_message(self.channels[0], 1)))

    def test_what_is_sent_arrives_whole(self, sender: Sender, delivered: Delivered) -> None:
        """Not cut, not re-encoded, once."""
        for number, text in enumerate(_TEXTS):
            finished(sender.send(_message(self.channels[0], number, text=text)))
        expect(sorted(delivered()), sorted(_TEXTS), "every text as it was handed over")

    def test_the_same_key_is_sent_once(self, sender: Sender, delivered: Delivered) -> None:
        """A step is retried after a fault: the customer must not get two codes for it."""
        for _ in range(3):
            finished(sender.send(_message(self.channels[0])))
        expect(len(delivered()), 1, "the key was the same")

    def test_many_at_once_all_arrive(self, sender: Sender, delivered: Delivered) -> None:
        """One sender serves all agents."""
        ready = [_message(self.channels[0], number) for number in range(16)]
        at_once([lambda m=message: finished(sender.send(m)) for message in ready])  # type: ignore[misc]
        expect(len(delivered()), 16, "every key was another")

    def test_nothing_of_a_message_is_shown(self, sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
        """Neither by its repr nor in a log: the code and the number are secrets."""
        with caplog.at_level(logging.DEBUG):
            finished(sender.send(_message(self.channels[0])))
        hunter = Hunter({"the code": "048213", "the number": _NUMBER, "the address": _ADDRESS})
        expect(hunter.hunt(repr(sender), str(sender)), set(), "its repr shows nothing of a message")
        expect(hunter.hunt(caplog.text), set(), "its log shows nothing of a message")
