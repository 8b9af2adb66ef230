"""What every sender must hold."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, TypeAlias

import pytest

from kyc_verify.errors import UsageError
from kyc_verify.ports import Message, Sender
from kyc_verify.testing._contract.desk import expect
from kyc_verify.testing._contract.hosts import SERVERS, Loop, bounded, logged
from kyc_verify.testing._contract.using import listed, made, takes
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
Delivered: TypeAlias = Callable[[], Sequence[str | tuple[str, str]] | Awaitable[Sequence[str | tuple[str, str]]]]

_CODE: Final = "048213"
_AT_ONCE: Final = 16
_RETRIES: Final = 8
_SETTLE: Final = 0.03
"""Seconds in which a background task or thread has its turn before anybody looks."""


def _message(channel: str, number: int = 0, *, text: str = _TEXTS[0]) -> Message:
    # Numbers that ARCEP keeps for drama: nobody has them.
    to = f"anna.{number}@example.org" if channel == "email" else f"+3363998{number:04}"
    return Message(channel=channel, destination=to, text=text, language="en", key=f"{channel}-{number}")


def _sends(thing: object) -> bool:
    return callable(getattr(thing, "send", None))


class SenderContract:
    """Every promise of `kyc_verify.ports.Sender`. Inherit it, and write the fixture ``make_sender``.

    With a fixture ``delivered``, a function, plain or async, that returns what the service has received by now, more is
    tried: write it if you can. It returns texts or, better, pairs of destination and text.

    All that is awaited in a test is awaited in one event loop, the fixture ``contract_loop``: its ``run`` closes what a
    sender has open, as in ``contract_loop.run(sender.aclose())``.

    Attributes:
        channels: What it is asked to send by.
        patience: Seconds that handing a message over may take. It only enqueues: a caller waits for it, and how long
            it takes must not tell a customer from one who is not there.
        stand_ins: Loggers of servers that stand in for the service in the same process; what they log is no leak.
    """

    channels: ClassVar[tuple[str, ...]] = ("sms",)
    patience: ClassVar[float] = 1.0
    stand_ins: ClassVar[tuple[str, ...]] = SERVERS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._check_use()

    @classmethod
    def _check_use(cls) -> None:
        listed(cls, "channels", of=str, example='("sms",)', empty=False)
        listed(cls, "stand_ins", of=str, example='("mail.log",)')

    @pytest.fixture
    def make_sender(self) -> Callable[[], Sender]:
        """Return what makes the sender; yours."""
        msg = "write a fixture make_sender that returns a function which makes the sender"
        raise NotImplementedError(msg)

    @pytest.fixture
    def contract_loop(self) -> Iterator[Loop]:
        """Yield the event loop of a test."""
        loop = Loop()
        yield loop
        loop.done()

    @pytest.fixture
    def sender(self, make_sender: Callable[[], Sender], contract_loop: Loop) -> Sender:
        """Return the sender."""
        del contract_loop  # it ends after whatever is made
        self._check_use()  # what was set after the class was made
        needs = "a sender has send(message)"
        sender = made(make_sender, "make_sender", _sends, needs)
        takes(sender.send, f"{type(sender).__name__}.send takes one argument, the message: def send(self, message)")
        return sender

    @pytest.fixture
    def delivered(self) -> Delivered:
        """Return what lists the texts, or pairs of destination and text, that the service received; yours."""
        pytest.skip("no fixture delivered: what the service received cannot be looked at")

    @pytest.mark.parametrize("text", _TEXTS, ids=range(len(_TEXTS)))
    def test_it_takes_any_text(self, sender: Sender, contract_loop: Loop, text: str) -> None:
        """Four languages, lines, quotes, and a long one, by every channel; it returns nothing."""
        for channel in self.channels:
            found = contract_loop.run(sender.send(_message(channel, text=text)))
            expect(found, None, f"a sender returns nothing ({channel})")

    def test_it_only_enqueues(self, sender: Sender, contract_loop: Loop) -> None:
        """A caller waits while a message is handed over: the first one too, a long one, and one that is tried again."""
        contract_loop.pause(0)
        for channel in self.channels:
            ready = [_message(channel, number, text=text) for number, text in enumerate(_TEXTS)]
            for at, message in enumerate([*ready, ready[0]], start=1):
                with bounded(self.patience, f"message {at} by {channel} "):
                    contract_loop.run(sender.send(message))

    def test_what_is_sent_arrives_whole(self, sender: Sender, delivered: Delivered, contract_loop: Loop) -> None:
        """Not cut, not re-encoded, once, by every channel, and where it was sent to."""
        ready = [_message(each, number, text=text) for each in self.channels for number, text in enumerate(_TEXTS)]
        for message in ready:
            contract_loop.run(sender.send(message))
        self._arrived(delivered, contract_loop, ready, "every text as it was handed over")

    def test_the_same_key_is_sent_once(self, sender: Sender, delivered: Delivered, contract_loop: Loop) -> None:
        """A step is retried after a fault, and others were sent meanwhile: nobody must get two codes for it."""
        ready = [_message(each, number) for each in self.channels for number in range(3)]
        for message in [*ready, *ready, *reversed(ready)]:
            contract_loop.run(sender.send(message))
        self._arrived(delivered, contract_loop, ready, "one for each key")

    def test_the_same_key_at_once_is_sent_once(self, sender: Sender, delivered: Delivered, contract_loop: Loop) -> None:
        """Two processes or threads may retry the same step."""
        ready = [_message(each, number) for each in self.channels for number in range(2)]
        for message in ready:
            _send_all(sender, contract_loop, [message] * _RETRIES)
        self._arrived(delivered, contract_loop, ready, "one for each key, however many hand it over at once")

    def test_many_at_once_all_arrive(self, sender: Sender, delivered: Delivered, contract_loop: Loop) -> None:
        """One sender serves all agents, and takes no customer's message for another's."""
        channels = [self.channels[number % len(self.channels)] for number in range(_AT_ONCE)]
        ready = [_message(each, number, text=f"Code: 5092{number:02}") for number, each in enumerate(channels)]
        _send_all(sender, contract_loop, ready)
        self._arrived(delivered, contract_loop, ready, "every key was another")

    def test_nothing_of_a_message_is_shown(self, sender: Sender, contract_loop: Loop) -> None:
        """Neither by its repr nor in a log, the first time and when it comes again: code and number are secrets."""
        for channel in self.channels:
            first, other = _message(channel), _message(channel, 1)
            hunter = Hunter({"the code": _CODE, "the number": first.destination})
            hunter.add("the number", other.destination)
            for messages in ((first,), (first, other)):  # twice: what makes a logger of its own has it by then
                with logged(self.stand_ins) as log:
                    for message in messages:
                        contract_loop.run(sender.send(message))
                    contract_loop.pause(_SETTLE)
                expect(hunter.hunt(log()), set(), f"its log shows nothing of a message ({channel})")
            expect(hunter.hunt(repr(sender), str(sender)), set(), f"its repr shows nothing of a message ({channel})")

    def _arrived(self, delivered: Delivered, loop: Loop, ready: list[Message], why: str) -> None:
        end = time.monotonic() + self.patience
        loop.pause(_SETTLE)
        found = _looked(delivered, loop)
        while len(found) < len(ready) and time.monotonic() < end:
            loop.pause(_SETTLE)
            found = _looked(delivered, loop)
        pairs = bool(found) and not isinstance(found[0], str)
        want = sorted((each.destination, each.text) if pairs else each.text for each in ready)
        expect(sorted(found), want, why)


def _send_all(sender: Sender, loop: Loop, ready: list[Message]) -> None:
    jobs: list[Callable[[], object]] = [lambda message=each: sender.send(message) for each in ready]  # type: ignore[misc]
    for found in loop.at_once(jobs, in_step=True):
        if isinstance(found, Exception):
            raise found


def _looked(delivered: Delivered, loop: Loop) -> list[str | tuple[str, str]]:
    given: object = delivered
    told = "delivered returns a function that lists what was received, texts or pairs of destination and text"
    if not callable(given):
        msg = f"{told}: write `return lambda: ...`"
        raise UsageError(msg)
    found = list(loop.run(delivered()))
    if not (all(isinstance(each, str) for each in found) or all(map(_is_pair, found))):
        msg = f"{told}: write `return lambda: [(each.destination, each.text) for each in box]`"
        raise UsageError(msg)
    return found


def _is_pair(each: object) -> bool:
    return isinstance(each, tuple) and len(each) == 2 and all(isinstance(part, str) for part in each)  # noqa: PLR2004
