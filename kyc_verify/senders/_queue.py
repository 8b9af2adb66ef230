"""The queue behind every sender: taking a message never waits for anybody, and delivering it never holds a call.

How long `send` takes must not tell a customer from one who is not there, so it only looks at the message, puts it in
line and returns. Threads, made on first use, deliver. What cannot be delivered is told to the observer, by a notice
without anything of the message; the caller cannot be told, and says so by asking for another code.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from kyc_verify.errors import ConfigurationError, DeliveryError
from kyc_verify.ports import Message, Notice, Observer

__all__ = ["Queued"]

_REMEMBERED: Final = 10_000
"""Keys of messages that are known to have been taken; a step that is tried again comes within seconds."""
_LAST_WORDS: Final = 1.0
_MOST: Final = 1_000_000


class _Line:
    """The queue of one process."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: deque[Message] = deque()
        self.seen: OrderedDict[str, None] = OrderedDict()
        self.threads: list[threading.Thread] = []
        self.idle = self.busy = 0
        self.stop = threading.Event()


class Queued(ABC):
    """A sender that takes messages at once; its subclass says what is acceptable and how one is delivered.

    It may be made before a fork: threads do not survive one, so each process has its own, and what waited in line is
    delivered by the process that took it.
    """

    def __init__(self, *, size: int, workers: int, observer: Observer | None) -> None:
        for name, value in (("size", size), ("workers", workers)):
            if type(value) is not int or not 1 <= value <= _MOST:
                msg = f"{name} must be a whole number of 1 or more"
                raise ConfigurationError(msg)
        if observer is not None and not callable(getattr(observer, "notice", None)):
            msg = "observer must have notice()"
            raise ConfigurationError(msg)
        self._size, self._workers, self._observer = size, workers, observer
        self._closed = False
        self._line = _Line()
        _living.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self._size}, workers={self._workers})"

    def send(self, message: Message) -> None:
        """Take a message to deliver; one whose key was taken before is the same message.

        Raises:
            DeliveryError: the queue is full or closed, or the message is none that can be delivered this way.
        """
        given: object = message
        if not isinstance(given, Message):
            msg = "send takes a Message"
            raise DeliveryError(msg)
        if type(message.key) is not str or not message.key:
            msg = "a message needs a key"
            raise DeliveryError(msg)
        self._check(message)
        line = self._line
        with line.changed:
            if self._closed:
                msg = "the sender is closed"
                raise DeliveryError(msg)
            if message.key in line.seen:
                return
            if len(line.waiting) >= self._size:
                msg = "too many messages are waiting to be delivered"
                raise DeliveryError(msg)
            line.seen[message.key] = None
            if len(line.seen) > _REMEMBERED:
                line.seen.popitem(last=False)
            line.waiting.append(message)
            if len(line.waiting) > line.idle and len(line.threads) < self._workers:
                thread = threading.Thread(target=self._work, args=(line,), name="kyc-verify-sender", daemon=True)
                line.threads.append(thread)
                thread.start()
            line.changed.notify()

    def close(self, timeout: float = 10.0) -> bool:
        """Take nothing more, and wait until all that was taken is delivered.

        Args:
            timeout: Seconds to wait at most; what is still waiting then is dropped, and the observer hears of each.

        Returns:
            Whether everything had its turn.
        """
        line = self._line
        with line.changed:
            self._closed = True
            done = line.changed.wait_for(lambda: not line.waiting and not line.busy, timeout)
            dropped = len(line.waiting)
            line.waiting.clear()
            line.stop.set()
            line.changed.notify_all()
        for _ in range(dropped):
            self._failed()
        for thread in line.threads:
            if thread is not threading.current_thread():
                thread.join(_LAST_WORDS)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _check(self, message: Message) -> None:
        """Refuse what cannot be delivered this way; raises DeliveryError without quoting it."""

    @abstractmethod
    def _deliver(self, message: Message, stop: threading.Event) -> None:
        """Deliver, within a bound; whatever is raised is a failure. Waiting ends when `stop` is set."""

    def _work(self, line: _Line) -> None:
        while True:
            with line.changed:
                line.idle += 1
                line.changed.wait_for(lambda: line.waiting or line.stop.is_set())
                line.idle -= 1
                if not line.waiting:
                    return
                message = line.waiting.popleft()
                line.busy += 1
            try:
                self._deliver(message, line.stop)
            except Exception:  # noqa: BLE001 - what a server says may quote the message
                with line.changed:
                    line.seen.pop(message.key, None)
                self._failed()
            finally:
                with line.changed:
                    line.busy -= 1
                    line.changed.notify_all()
            del message  # a thread that waits holds no code

    def _failed(self) -> None:
        if self._observer is None:
            return
        with suppress(Exception):  # an observer's failure is nobody's business
            self._observer.notice(Notice.DELIVERY_FAILED)

    def after_fork(self) -> None:
        """Begin anew in a child."""
        # The parent's threads are not here, and its locks may be held for ever.
        self._line = _Line()


_living: WeakSet[Queued] = WeakSet()


def _after_fork() -> None:
    for sender in list(_living):
        sender.after_fork()


os.register_at_fork(after_in_child=_after_fork)
