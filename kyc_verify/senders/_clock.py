"""The time of day, for dates that a receiver checks; what limits waiting is not this."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["utc_now"]


def utc_now() -> datetime:
    """Return what time it is: the default of the senders' `clock`."""
    return datetime.now(UTC)
