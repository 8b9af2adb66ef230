"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from kyc_verify.call import aware

__all__ = ["START", "FakeClock"]

START: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Far from today: whatever reads the real clock all the same shows at once."""


class FakeClock:
    """The `clock` of a front under test.

    Attributes:
        now: What time it is.

    Example:
        >>> clock = FakeClock()
        >>> clock.advance(minutes=5)
        >>> clock()
        datetime.datetime(2100, 1, 1, 0, 5, tzinfo=datetime.timezone.utc)
    """

    def __init__(self, start: datetime = START) -> None:
        self.now = aware(start, "start")

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def __repr__(self) -> str:
        return f"FakeClock({self.now.isoformat()})"

    def advance(self, by: timedelta = timedelta(0), **more: float) -> None:
        """Go on by a timedelta, or by its arguments: ``advance(minutes=5)``."""
        self.now += by + timedelta(**more)

    def back(self, by: timedelta = timedelta(0), **more: float) -> None:
        """Go back, as clocks of servers do."""
        self.now -= by + timedelta(**more)
