"""Whether a source outside is out: after several failures in a row it is not asked for a while.

One failure counts against the caller whose call it is: otherwise an attacker who can make a source fail would be
better off. Only when it fails for everybody is it UNAVAILABLE, and that is decided before it is asked.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Circuit"]

_FAILURES: Final = 5
_REST: Final = timedelta(seconds=60)


class Circuit:
    """Counts failures in a row, by source; kept by one front, for its own tenant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, int] = {}
        self._opened: dict[str, datetime] = {}

    def is_open(self, source: str, now: datetime) -> bool:
        """Whether the source is to be left alone now."""
        with self._lock:
            since = self._opened.get(source)
            return since is not None and since <= now < since + _REST

    def failed(self, source: str, now: datetime) -> bool:
        """Note a failure; returns whether it opened the circuit."""
        with self._lock:
            self._failed[source] = self._failed.get(source, 0) + 1
            if self._failed[source] < _FAILURES:
                return False
            self._opened[source] = now
            return True

    def answered(self, source: str) -> None:
        """Note that it works."""
        with self._lock:
            self._failed.pop(source, None)
            self._opened.pop(source, None)
