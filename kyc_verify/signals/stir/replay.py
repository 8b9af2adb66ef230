"""PASSporTs that were used: each counts once while it is fresh."""

from __future__ import annotations

import heapq
from threading import Lock
from typing import Final

from kyc_verify.errors import ConfigurationError

__all__ = ["ReplayWindow"]

_MOST: Final = 100_000


class ReplayWindow:
    """Remembers what was signed, as digests, for as long as it would still be fresh; shared by threads.

    One process remembers what it saw itself. Behind a balancer, send the calls of one number to one process, or accept
    that a token can be used once in each.

    Args:
        most: How many are remembered; when all are still fresh, another is not taken and counts as unavailable.

    Raises:
        ConfigurationError: `most` is not a positive number.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        if type(most) is not int or most < 1:
            msg = "most must be a positive number of tokens"
            raise ConfigurationError(msg)
        self._most = most
        self._lock = Lock()
        self._seen: set[bytes] = set()
        self._expiries: list[tuple[int, bytes]] = []
        self._latest = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._seen)

    def claim(self, digest: bytes, *, until: int, now: int) -> bool | None:
        """Claim a token.

        Args:
            digest: Of what was signed; not of the signature, of which anybody can make a second.
            until: Until when it is fresh, in microseconds.
            now: Likewise.

        Returns:
            Whether it is the first time; None when there is no room to remember it.
        """
        with self._lock:
            self._latest = max(self._latest, now)
            while self._expiries and self._expiries[0][0] < self._latest:
                self._seen.discard(heapq.heappop(self._expiries)[1])
            # What another thread's later clock has already forgotten cannot be told from what was never seen.
            if digest in self._seen or until < self._latest:
                return False
            if len(self._seen) >= self._most:
                return None
            self._seen.add(digest)
            heapq.heappush(self._expiries, (until, digest))
            return True
