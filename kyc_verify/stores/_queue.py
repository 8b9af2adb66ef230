"""The writers that found a file in use, in a line, first come first served, across processes.

SQLite's busy handler polls: with eight processes writing, some starve until their time is up, and a plain file lock
that is polled for does little better, since whoever has just let go is there first again. Here each who waits draws a
ticket, locks the byte of its own ticket, and waits for the bytes of those before it; a byte comes free when its writer
is done, gives up or dies. Who finds the file free goes ahead of the line, but only so often in a row: handing the file
over for every step would halve what it sustains.

The queue only makes waiting fair and short: what keeps two writers apart is SQLite's own lock, so a writer that jumps
the queue (another program, a lost ticket) breaks nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from kyc_verify.errors import StoreError
from kyc_verify.stores._rules import closed

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: SQLite's busy handler alone
    fcntl = None

__all__ = ["WriterQueue"]

_NAP: Final = 0.00005
_TURN: Final = 0.002
"""Seconds by which each place further back in the line looks less often: looking costs those at work."""
_FURTHEST: Final = 50
_AHEAD: Final = 64
"""So often in a row a process goes ahead of those who wait."""
_DRAWN, _SERVED, _DONE, _FIRST_PLACE, _NUMBER = 0, 8, 16, 24, 8
"""Where in the file the newest ticket is, the one whose turn came last, the one that ended last, the places; and how
long a number is."""
_TICKETS: Final = 2**62
_PLACES: Final = 4096
"""More writers than this at once would share places: less fair, nothing worse."""
_TRY: Final = 0 if fcntl is None else fcntl.LOCK_EX | fcntl.LOCK_NB
_LOOK: Final = 0 if fcntl is None else fcntl.LOCK_SH | fcntl.LOCK_NB


class WriterQueue:
    """The line of one process for one file; its threads stand in it one after the other."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._mine = threading.Lock()
        self._opening = threading.Lock()
        self._file = -1
        self._ahead = 0
        self._ticket = -1
        self._closed = False

    def __del__(self) -> None:
        self._drop()

    def ahead(self) -> bool:
        """Whether this process may go ahead of the line; to be asked before each time that it does.

        Raises:
            StoreError: as for `turn`.
        """
        if fcntl is None:
            return True
        with _usable():
            file = self._opened()
            head = os.pread(file, _FIRST_PLACE, 0)
            waiting = head[_DRAWN:_SERVED] != head[_DONE:]
        # A ticket whose holder died is waited for as well; whoever then stands in line ends that.
        self._ahead = self._ahead + 1 if waiting else 0
        return self._ahead <= _AHEAD

    @contextmanager
    def turn(self, end: float) -> Iterator[bool]:
        """Wait for the turn until `end` (monotonic); gives whether it has come.

        Raises:
            StoreError: the queue is closed, or its file cannot be used.
        """
        if not self._mine.acquire(timeout=max(0.0, end - time.monotonic())):
            yield False
            return
        try:
            if self._closed:
                raise closed()
            yield fcntl is None or self._stand(end)
        finally:
            if self._ticket >= 0:
                self._write(_DONE, self._ticket)
                self._ahead = 0
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(self._ticket))
                self._ticket = -1
            self._mine.release()

    def _stand(self, end: float) -> bool:
        with _usable():
            return self._draw(self._opened(), end) and self._wait(self._ticket, end)

    def _opened(self) -> int:
        if self._file < 0:
            with self._opening:
                if self._file < 0:
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def _draw(self, file: int, end: float) -> bool:
        """Draw a ticket and lock its place, while nobody else draws one."""
        while not _got(fcntl.flock, file, _TRY):
            if time.monotonic() >= end:
                return False
            time.sleep(_NAP)
        try:
            ticket = (self._read(_DRAWN) + 1) % _TICKETS
            self._write(_DRAWN, ticket)
            fcntl.lockf(file, _TRY, 1, _place(ticket))
            self._ticket = ticket
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
        return True

    def _wait(self, ticket: int, end: float) -> bool:
        """Wait for each that was served last or stands before this one, until it has let go, given up or died."""
        for earlier in range(max(self._read(_SERVED), ticket - _PLACES + 1), ticket):
            place, behind = _place(earlier), min(ticket - earlier, _FURTHEST)
            while not _got(fcntl.lockf, self._file, _LOOK, 1, place):
                if time.monotonic() >= end:
                    return False
                time.sleep(_NAP + (behind - 1) * _TURN)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
        self._write(_SERVED, ticket)
        return True

    def _read(self, where: int) -> int:
        return int.from_bytes(os.pread(self._file, _NUMBER, where), "big")

    def _write(self, where: int, number: int) -> None:
        os.pwrite(self._file, number.to_bytes(_NUMBER, "big"), where)

    def close(self) -> None:
        """Close the line, after the writer whose turn it is."""
        with self._mine:
            self._closed = True
            self._drop()

    def hold(self, timeout: float) -> bool:
        """Let no thread of this process stand in the line, for a fork."""
        held = self._mine.acquire(timeout=timeout)
        if held:
            self._drop()
        return held

    def release(self) -> None:
        """Undo `hold`."""
        self._mine.release()

    def _drop(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = "the writers' queue beside the database cannot be used; check the permissions of the folder"
        raise StoreError(msg) from error


def _place(ticket: int) -> int:
    return _FIRST_PLACE + ticket % _PLACES


def _got(lock: Callable[..., object], *args: int) -> bool:
    try:
        lock(*args)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, by platform
        return False
    return True
