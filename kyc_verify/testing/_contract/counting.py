"""Counters that only move forward: what single use rests on, for an authenticator's steps and recovery codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from kyc_verify.ports import Committed, Counter
from kyc_verify.testing._contract.crowds import EIGHT, Crowd
from kyc_verify.testing._contract.desk import DAY, NOW, TICK, Desk, charge, expect, yes

__all__ = ["Counting"]

_STEP: Final = timedelta(seconds=30)


def counter(steps: int = 0, key: str = "steps") -> Counter:
    """Return a counter so many steps from now."""
    return Counter(key=key, at=NOW + steps * _STEP)


def _move(desk: Desk, steps: int, session: str = "s-1", *, key: str = "steps", tenant: str = "t") -> bool:
    return desk.commit(session, tenant=tenant, counter=counter(steps, key)).moved


def move_own(desk: Desk, n: int) -> object:
    """Commit a step of one's own that moves the one counter to where all others move it too."""
    return desk.commit(f"s-{n}", counter=counter()).moved


def move_on(desk: Desk, n: int) -> object:
    """Commit a step of one's own that moves the one counter to a place of one's own."""
    return n if desk.commit(f"s-{n}", counter=counter(n)).moved else None


class Counting:
    """What `commit` promises of `Change.counter`."""

    def test_a_counter_only_moves_forward(self, desk: Desk) -> None:
        """Not to where it stands, not back, by no microsecond; whatever time it is."""
        desk.open()
        expect(desk.commit().moved, want=False, why="a change without a counter must not say that it moved one")
        yes(_move(desk, 0), "a counter that is new must move")
        for steps in (0, -1, -100_000):
            yes(not _move(desk, steps), f"a counter that stands at 0 must not move to {steps}")
        back = desk.change(counter=counter(), state="back")
        expect(
            desk.write(back, now=NOW - 1000 * DAY),
            Committed(),
            "a counter must not move back, though the clock has gone back",
        )
        at = NOW + TICK
        expect(
            desk.commit(counter=Counter(key="steps", at=at)).moved,
            want=True,
            why="a counter must move forward by a microsecond",
        )
        expect(
            desk.commit(counter=Counter(key="steps", at=at)).moved,
            want=False,
            why="a counter must not move to where it stands",
        )
        yes(_move(desk, 100_000), "a counter must move forward as far as it likes")
        yes(not _move(desk, 99_999), "a counter must never move back")

    def test_a_counter_that_stays_stops_the_whole_change(self, desk: Desk) -> None:
        """No state, no charge, no refund, no record; and the same version can still be written."""
        desk.start("s-1", "cust-1", charge())
        _move(desk, 0)
        desk.begin(2)
        before = desk.picture()
        used = desk.change(counter=counter(), spend=(charge("spend"),), refund=True, clear=("tries",), state="used")
        expect(desk.write(used).moved, want=False, why="a counter must not move to where it stands")
        expect(desk.picture(), before, "a counter that does not move must leave the whole change unwritten")
        expect(
            desk.write(replace(used, counter=None)).granted,
            (True,),
            "the same change without the counter must still be written",
        )
        expect(desk.load().session.state, "used", "the same change without the counter must still be written")

    def test_a_change_that_is_not_granted_moves_no_counter(self, desk: Desk) -> None:
        """All of a change or nothing."""
        desk.open()
        desk.commit(spend=(charge("full", 1),))
        refused = desk.commit(spend=(charge("full", 1),), only_if_granted=True, counter=counter())
        expect(
            (refused.granted, refused.moved),
            ((False,), False),
            "a change that is not granted must not say that it moved a counter",
        )
        done = desk.commit(spend=(charge("spend"),), only_if_granted=True, counter=counter())
        expect(
            (done.granted, done.moved),
            ((True,), True),
            "a change that is not granted must leave the counter where it stood",
        )

    def test_counters_are_of_one_name_and_one_tenant(self, desk: Desk) -> None:
        """And are no budgets: neither takes from the other."""
        desk.open()
        desk.open("s-1", tenant="u")
        yes(_move(desk, 5), "a counter that is new must move")
        yes(_move(desk, 0, key="Steps"), "a counter of another name must be another counter")
        yes(_move(desk, 0, tenant="u"), "a counter of another tenant must be another counter")
        yes(not _move(desk, 5), "a counter must not move to where it stands, whatever others did")
        desk.commit(spend=(charge("tries", 1),))
        expect(desk.spent(charge("tries")), [1], "a counter must take nothing from a budget")

    def test_a_counter_outlives_purge_and_erasure(self, desk: Desk) -> None:
        """What was used is never good again."""
        desk.open()
        _move(desk, 0)
        desk.purge(NOW + 40_000 * DAY)
        desk.erase()
        desk.open("s-2")
        yes(not _move(desk, 0, "s-2"), "a counter must stay where it stood, after a purge and an erasure")
        yes(_move(desk, 1, "s-2"), "a counter must still move forward")

    def test_one_of_eight_moves_a_counter(self, desk: Desk, crowd: Crowd) -> None:
        """Eight sessions with the same code; the others write nothing."""
        for n in range(EIGHT):
            desk.start(f"s-{n}", "cust-1")
        expect(
            sorted(crowd(move_own)),
            [False] * 7 + [True],
            "of eight who move a counter to the same place exactly one must succeed",
        )
        desk.intact(EIGHT + 1)

    def test_of_eight_places_the_last_is_reached(self, desk: Desk, crowd: Crowd) -> None:
        """Whoever comes first, the furthest gets there, and nobody after it."""
        for n in range(EIGHT):
            desk.start(f"s-{n}", "cust-1")
        moved = [n for n in crowd(move_on) if n is not None]
        yes(EIGHT - 1 in moved, "who moves a counter furthest must succeed, whoever came first")
        desk.intact(EIGHT + len(moved))
        yes(
            not any(desk.commit(f"s-{n}", counter=counter(n)).moved for n in range(EIGHT)),
            "a counter must stand at the furthest place that anybody moved it to",
        )
