"""Every record that is logged while something is done, whatever the levels are set to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from kyc_verify.testing._leaks.objects import everything, shown

__all__ = ["listening"]

_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_lock: Final = Lock()
_ears: Final[list[list[bytes]]] = []
_is_enabled: Final = logging.Logger.isEnabledFor
_handle: Final = logging.Logger.handle
_effective: Final = logging.Logger.getEffectiveLevel


def _always(_logger: logging.Logger, _level: int) -> bool:
    return True


def _debug(_logger: logging.Logger) -> int:
    return logging.DEBUG


def _heard(logger: logging.Logger, record: logging.LogRecord) -> None:
    kept: object = logger.filter(record)  # since Python 3.12 a filter may give another record
    if not kept:
        return
    record = kept if isinstance(kept, logging.LogRecord) else record
    said = list(_said(record))
    for ear in _ears:
        ear.extend(said)
    if not logger.disabled and logger.manager.disable < record.levelno >= _effective(logger):
        logger.callHandlers(record)


def _said(record: logging.LogRecord) -> Iterator[bytes]:
    """Give what a formatter could make of a record.

    Not the traceback and the stack: they quote lines of the test, where the canaries stand.
    """
    yield from shown(record.name)
    yield from shown(record.msg)
    for tell in (record.getMessage, lambda: repr(record.args)):
        try:
            yield from shown(tell())
        except Exception:  # noqa: BLE001, S112 - the handlers tell of it
            continue
    for name, extra in vars(record).items():
        if name not in _USUAL:
            yield from shown(name)
            for each in everything(extra):
                yield from shown(each)
    if record.exc_info and record.exc_info[1] is not None:
        for error in everything(record.exc_info[1]):
            if isinstance(error, BaseException):
                yield from shown(error)


@contextmanager
def listening() -> Iterator[list[bytes]]:
    """Hear what is logged at DEBUG by any logger, in any thread: no level, `propagate` or `logging.disable` hides it.

    Nothing is set on a logger, so nothing is to be set back; handlers get what they would get without this.
    """
    ear: list[bytes] = []
    with _lock:
        _ears.append(ear)
        if len(_ears) == 1:
            _listen(_always, _heard, _debug)
    try:
        yield ear
    finally:
        with _lock:
            _ears[:] = [each for each in _ears if each is not ear]
            if not _ears:
                _listen(_is_enabled, _handle, _effective)


def _listen(is_enabled: object, handle: object, effective: object) -> None:
    for name, does in (("isEnabledFor", is_enabled), ("handle", handle), ("getEffectiveLevel", effective)):
        setattr(logging.Logger, name, does)
