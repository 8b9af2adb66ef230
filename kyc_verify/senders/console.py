"""Codes on the screen, for development alone."""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from kyc_verify.errors import ConfigurationError, DeliveryError
from kyc_verify.ports import Message
from kyc_verify.senders._queue import Queued

__all__ = ["ConsoleSender"]


class ConsoleSender(Queued):
    """Writes every message, code and number included, to a stream: whoever reads it verifies as anybody.

    Args:
        allow_insecure: True, said at the place where it is made.
        stream: Where to; standard error as it is when a message is written, by default.

    Raises:
        ConfigurationError: `allow_insecure` is not True.
    """

    def __init__(self, *, allow_insecure: bool = False, stream: TextIO | None = None) -> None:
        if allow_insecure is not True:
            msg = "ConsoleSender shows codes to whoever reads the screen; in development: allow_insecure=True"
            raise ConfigurationError(msg)
        super().__init__(size=1000, workers=1, observer=None)
        self._stream = stream

    def _check(self, message: Message) -> None:
        if type(message.text) is not str:
            msg = "a message needs a text"
            raise DeliveryError(msg)

    def _deliver(self, message: Message, stop: threading.Event) -> None:
        del stop
        stream = self._stream or sys.stderr
        title = "" if message.subject is None else f"{message.subject}\n"
        stream.write(f"[{message.channel} to {message.destination}]\n{title}{message.text}\n")
        stream.flush()
