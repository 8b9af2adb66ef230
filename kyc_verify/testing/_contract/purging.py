"""The purge: what has ended goes, and what still counts stays, whatever it hung on has gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from kyc_verify.errors import UnknownSession
from kyc_verify.ports import Pin, Run, Standing
from kyc_verify.testing._contract.desk import (
    DAY,
    NOW,
    TICK,
    Desk,
    charge,
    credential,
    expect,
    fails,
    number,
    stake,
    yes,
)

__all__ = ["Purging"]

_ROUNDS: Final = 3
"""What is dropped because of what was dropped before goes in a later round."""


def _purge(desk: Desk, before: datetime) -> None:
    for _ in range(_ROUNDS):
        desk.purge(before)


class Purging:
    """What `purge` promises."""

    def test_a_purge_takes_what_has_ended(self, desk: Desk) -> None:
        """At its end, not a microsecond before."""
        desk.open("s-1", expires_at=NOW + DAY)
        desk.purge(NOW + DAY - TICK)
        desk.load("s-1")
        yes(desk.purge(NOW + DAY) >= 1, "a purge must say how much it took")
        fails(UnknownSession, lambda: desk.load("s-1"), "the session has ended")

    def test_a_purge_leaves_what_must_stay(self, desk: Desk) -> None:
        """Subjects, credentials, numbers, holds, the log, open grants, runs that count."""
        desk.enroll(credential())
        desk.start(numbers=(number("n"),))
        desk.stand(flags=("name",))
        desk.commit(expires_at=NOW + DAY)
        before = desk.load()
        desk.grant(expires_at=NOW + DAY)
        desk.purge(NOW + DAY - TICK)
        expect(desk.redeem().reason, None, "a purge must leave open grants")
        desk.open("s-2", run=Run(key="runs", window=30 * DAY))
        expect(desk.load("s-2").subject, before.subject, "a purge must leave all that is kept of a subject")
        expect(desk.open("s-3").run, 3, "a purge must leave runs that count")
        desk.purge(NOW + 1000 * DAY)
        desk.open("s-4")
        expect(
            desk.load("s-4").subject,
            before.subject,
            "a purge must leave all that is kept of a subject, whatever has ended",
        )
        desk.intact(6)

    def test_a_purge_forgets_the_keys_of_past_days(self, desk: Desk) -> None:
        """Once no run of that day is left; today's stays."""
        old = desk.open("s-1", "nobody", known=False).subject.key
        desk.purge(NOW + timedelta(minutes=10))
        expect(desk.open("s-2", "nobody", known=False).subject.key, old, "today's key must stay while runs need it")
        _purge(desk, NOW + timedelta(hours=2))
        fails(UnknownSession, lambda: desk.load("s-1"), "the session has ended, and must be gone")
        expect(desk.open("s-4", "nobody", known=False).subject.key, old, "today's key must stay until the day is over")
        desk.purge(NOW + 2 * DAY)
        yes(
            desk.open("s-3", "nobody", known=False).subject.key != old,
            "a purge must forget the key of a day that is over",
        )

    def test_a_purge_is_bounded(self, desk: Desk) -> None:
        """It does a part at a time, and comes to an end."""
        for n in range(5):
            desk.open(f"s-{n}")
        desk.purge(NOW + DAY, 2)
        left = 0
        for n in range(5):
            try:
                desk.load(f"s-{n}")
                left += 1
            except UnknownSession:
                pass
        expect(left, 3, "a purge of at most two must take two")
        done = [desk.purge(NOW + 400 * DAY, 2) for _ in range(20)]
        expect(done[-1], 0, "a purge must come to an end")

    # ── What stays ───────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_purge_leaves_charges_that_count(self, desk: Desk) -> None:
        """Neither one inside its window nor one without a window goes."""
        desk.start("s-1", "cust-1", charge("day", window=DAY), charge("ever", window=None))
        desk.begin()
        desk.purge(NOW + DAY - TICK)
        expect(
            desk.spent(charge("day", window=DAY), charge("ever", window=None)),
            [1, 1],
            "a purge must leave charges inside their window, and those without one",
        )

    def test_a_purge_leaves_runs_that_count(self, desk: Desk) -> None:
        """A run counts until its window ends, though its session has ended."""
        desk.open("s-1", run=Run(key="runs", window=30 * DAY))
        _purge(desk, NOW + DAY)
        fails(UnknownSession, lambda: desk.load("s-1"), "the session has ended, and must be gone")
        run = Run(key="runs", window=30 * DAY)
        found = desk.open("s-2", run=run, now=NOW + DAY).run
        expect(found, 2, "a purge must leave a run inside its window, also one of a session that is gone")

    def test_a_purge_leaves_pins_until_their_time(self, desk: Desk) -> None:
        """Else a caller who waits for the purge chooses another question."""
        desk.open()
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        _purge(desk, NOW + DAY - TICK)
        found = desk.pin(now=NOW + DAY - TICK)
        expect(found, "tenure", "a purge must leave a pinned question until its time")

    def test_a_purge_leaves_sums_of_stakes(self, desk: Desk) -> None:
        """They have no end: only clearing them makes room under the ceiling."""
        desk.open("s-1")
        desk.grant(b"1" * 32)
        desk.redeem(b"1" * 32, charge=stake("6", ceiling="10"))
        _purge(desk, NOW + 1000 * DAY)
        desk.open("s-2")
        desk.grant(b"2" * 32, "s-2")
        found = desk.redeem(b"2" * 32, charge=stake("6", ceiling="10")).reason
        expect(found, "ceiling", "a purge must leave the sum of what was redeemed: 6 + 6 > 10")

    def test_a_purge_leaves_holds(self, desk: Desk) -> None:
        """Also where a hold is all that is kept of a subject."""
        key = desk.open("s-1").subject.key
        for subject in ("cust-1", "cust-2"):
            desk.stand(Standing.LOCKED, flags=("name",), subject=subject)
        _purge(desk, NOW + 1000 * DAY)
        for session, subject in (("s-2", "cust-1"), ("s-3", "cust-2")):
            found = desk.open(session, subject, known=False).subject
            expect((found.standing, found.flags), (Standing.LOCKED, ("name",)), "a purge must leave holds and flags")
        expect(desk.load("s-2").subject.key, key, "a purge must leave the key of a subject")

    def test_a_purge_leaves_requests_of_sessions_that_have_not_ended(self, desk: Desk) -> None:
        """The same request must still find its session."""
        end = desk.open("s-1", request="r").session.expires_at
        _purge(desk, end - TICK)
        again = desk.open("s-2", request="r", now=end - TICK)
        found = (again.replayed, again.session.id)
        expect(found, (True, "s-1"), "after a purge a request must still find the session it opened")

    def test_a_purge_leaves_grants_until_their_end(self, desk: Desk) -> None:
        """Open ones and used ones, though their session has ended: who redeemed one may ask again."""
        late = NOW + DAY - TICK
        desk.open("s-1")
        desk.open("s-2")
        desk.grant(b"1" * 32, "s-1", expires_at=NOW + DAY)
        desk.grant(b"2" * 32, "s-2", expires_at=NOW + DAY)
        desk.redeem(b"1" * 32, request="r")
        _purge(desk, late)
        fails(UnknownSession, lambda: desk.load("s-1"), "the session has ended, and must be gone")
        again = desk.redeem(b"1" * 32, request="r", now=late)
        found = (again.reason, again.replayed)
        expect(found, (None, True), "after a purge the request that redeemed a grant must be told so again")
        expect(desk.redeem(b"1" * 32, now=late).reason, "used", "after a purge a used grant must still be used")
        expect(desk.redeem(b"2" * 32, now=late).reason, None, "a purge must leave a grant that can be redeemed")
