"""What the HTTP libraries log while they work for us is dropped: addresses hold numbers, headers hold tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["quiet"]

_AT_WORK: ContextVar[bool] = ContextVar("kyc_verify_asks_a_provider", default=False)

_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


class _Hush(logging.Filter):
    """Lets everything through that is not of our own requests: others may use the same libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        del record
        return not _AT_WORK.get()


_HUSH: Final = _Hush()
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_HUSH)


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing of what is done inside."""
    token = _AT_WORK.set(True)
    try:
        yield
    finally:
        _AT_WORK.reset(token)
