"""What the stores decide, without any store: whose turn it is, whether a grant holds, how sums are counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from kyc_verify.decision import Binding
from kyc_verify.errors import ConflictError, StoreError, UnknownSession
from kyc_verify.ports import LEASE, Redemption, StakeCharge, Standing

__all__ = [
    "KeptGrant", "claim", "closed", "conflict", "day", "grant_refusal", "micros", "stake_fits", "unknown_session",
]  # fmt: skip

_MICRO: Final = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGrant:
    """A grant as a store finds it."""

    binding: Binding
    expires_at: datetime
    redeemed: bool
    request: str | None
    void: bool


def claim(*, turn: int, asked: int, claimed_at: datetime | None, now: datetime) -> tuple[bool, bool]:
    """Decide a claim on a turn.

    Returns:
        Whether the turn is the claimant's, and whether it is a spent try: claimed before, `LEASE` ago or longer, and
        never committed.
    """
    if turn != asked:
        return False, False
    spent = claimed_at is not None and now - claimed_at >= LEASE
    return spent or claimed_at is None, spent


def grant_refusal(
    kept: KeptGrant | None, redemption: Redemption, *, standing: Standing, now: datetime
) -> tuple[str | None, bool]:
    """Decide a redemption, but for the ceiling.

    Returns:
        Why it is refused (None: it is not), and whether the very same request has redeemed it before. Order matters:
        the first reason that holds is the one that is recorded.
    """
    if kept is None:
        return "unknown", False
    refusal = kept.binding.refusal(redemption.binding)
    if kept.redeemed:
        again = redemption.request is not None and kept.request == redemption.request and refusal is None
        return (None, True) if again else ("used", False)
    if kept.void:
        return "void", False
    if now >= kept.expires_at:
        return "expired", False
    # Where nothing is asked of anybody, nothing may tell a subject on hold from any other.
    if standing is not Standing.OPEN and not redemption.exempt:
        return "locked", False
    return refusal or redemption.hold, False


def micros(charge: StakeCharge) -> int:
    """Return the sum in millionths; exact, whatever the caller's decimal context rounds to."""
    return int(Fraction(charge.amount) * _MICRO)


def stake_fits(charge: StakeCharge, *, total: int, count: int) -> bool:
    """Whether a sum and one more redemption stay within the ceiling, `total` millionths being used already."""
    if charge.ceiling is not None and total + micros(charge) > Fraction(charge.ceiling) * _MICRO:
        return False
    return charge.count is None or count < charge.count


def day(now: datetime) -> str:
    """Name the day whose key unknown subjects are recorded under; in UTC, wherever the clock is."""
    return now.astimezone(UTC).date().isoformat()


def conflict() -> ConflictError:
    """Return the error of a change that came too late."""
    return ConflictError("somebody else changed this first; nothing of this call was written: look at the status")


def closed() -> StoreError:
    """Return the error of a verb after `close`."""
    return StoreError("this store is closed; make a new one")


def unknown_session() -> UnknownSession:
    """Return the error of a session that is not there."""
    return UnknownSession("there is no such session here; open a new verification")
