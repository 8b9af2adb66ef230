"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kyc_verify.call import aware
from kyc_verify.errors import UsageError
from kyc_verify.testing._given import a_span

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
        self.now = aware(start, "start").astimezone(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def __repr__(self) -> str:
        return f"FakeClock({self.now.isoformat()})"

    def advance(self, by: timedelta = timedelta(0), **more: float) -> None:
        """Go on by a timedelta, or by its arguments: ``advance(minutes=5)``."""
        self.now = self._instant() + a_span(by, more, "advance")

    def back(self, by: timedelta = timedelta(0), **more: float) -> None:
        """Go back, as clocks of servers do."""
        self.now = self._instant() - a_span(by, more, "back")

    def _instant(self) -> datetime:
        # In a zone of its own a day with a change of clocks would have the wrong length.
        return self.now.astimezone(UTC)

    def to(self, moment: datetime) -> None:
        """Go to a moment, back or forth."""
        self.now = aware(moment, "moment").astimezone(UTC)

    def to_leap_day(self) -> None:
        """Go to noon, UTC, of the next 29 February that is not past.

        Raises:
            UsageError: there is none before the year 10000.
        """
        year = self._instant().year
        while year <= MAXYEAR:
            if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
                noon = datetime(year, 2, 29, 12, tzinfo=UTC)
                if noon >= self.now:
                    self.now = noon
                    return
            year += 1
        msg = "there is no 29 February left before the year 10000"
        raise UsageError(msg)

    def to_dst_change(self, zone: str) -> None:
        """Go to the last second before a zone's clocks change next: an hour of that night is missing, or there twice.

        Raises:
            UsageError: no such zone, or its clocks do not change within two years.
        """
        try:
            place = ZoneInfo(zone)
        except (ValueError, TypeError, OSError, KeyError) as error:
            msg = f"no time zone {zone!r} is known here; write one as 'Europe/Paris', and install tzdata if none is"
            raise UsageError(msg) from error
        start = self._instant().replace(microsecond=0) + timedelta(seconds=1)
        hours = (start + timedelta(hours=at) for at in range(2 * 366 * 24))
        found = next((h for h in hours if _offset(h, place) != _offset(h + timedelta(hours=1), place)), None)
        if found is None:
            msg = f"the clocks of {zone!r} do not change within two years; try 'Europe/Paris'"
            raise UsageError(msg)
        while _offset(found + timedelta(seconds=1), place) == _offset(found, place):
            found += timedelta(seconds=1)
        self.now = found


def _offset(moment: datetime, place: ZoneInfo) -> timedelta | None:
    return moment.astimezone(place).utcoffset()
