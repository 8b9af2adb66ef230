"""Claiming a turn: exactly one claimant, all charges or none, and what a claim that nobody finished becomes."""

from __future__ import annotations

from datetime import timedelta, timezone

from kyc_verify.errors import UnknownSession
from kyc_verify.ports import LEASE, Standing
from kyc_verify.testing._contract.desk import DAY, NOW, TICK, Desk, charge, credential, expect, fails, number, yes

__all__ = ["Claiming"]


class Claiming:
    """What `begin` promises."""

    def test_claiming_what_is_not_there(self, desk: Desk) -> None:
        """A session is found by exact tenant and id."""
        desk.start()
        fails(UnknownSession, lambda: desk.begin(1, "s-2"), "it was never made")
        fails(UnknownSession, lambda: desk.begin(1, tenant="u"), "it is another tenant's")

    def test_a_free_turn_is_claimed_and_charged(self, desk: Desk) -> None:
        """The claim is written, with its time, and every charge is taken."""
        desk.start("s-1", "cust-1", charge("a"), charge("b", window=None))
        expect(desk.load().session.version, 1, "a commit is one more")
        begun = desk.begin()
        expect((begun.claimed, begun.granted, begun.spent), (True, True, False), "ours, and paid for")
        expect(begun.session.claimed_at, NOW, "to the microsecond")
        yes(begun.session.version > 1, "a claim is a write")
        expect(desk.load().session, begun.session, "what is returned is what is kept")
        expect(desk.spent(charge("a"), charge("b", window=None)), [1, 1], "one of each")

    def test_a_turn_that_costs_nothing_is_granted(self, desk: Desk) -> None:
        """Nothing to charge is nothing refused."""
        desk.start()
        yes(desk.begin().granted, "there is no charge")

    def test_a_claimed_turn_is_not_claimed_again(self, desk: Desk) -> None:
        """Not by the same, not by another, and it costs nothing more."""
        desk.start("s-1", "cust-1", charge())
        first = desk.begin()
        second = desk.begin(now=NOW + TICK)
        expect((second.claimed, second.granted, second.spent), (False, False, False), "somebody is at it")
        expect(second.session, first.session, "the session as it is")
        expect(desk.spent(charge()), [1], "charged once")

    def test_a_claim_is_seen_through_every_connection(self, desk: Desk, another: Desk) -> None:
        """What one has claimed, another finds claimed; what one has written, another reads."""
        desk.start("s-1", "cust-1", charge())
        yes(not another.begin(7).claimed, "it has read the session before")
        desk.begin()
        yes(not another.begin().claimed, "claimed elsewhere")
        expect(another.spent(charge()), [1], "charged elsewhere")
        desk.commit(state="new")
        expect(another.load().session.state, "new", "written elsewhere")

    def test_a_claim_holds_for_the_lease(self, desk: Desk) -> None:
        """Up to a microsecond before its end."""
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        yes(not desk.begin(now=NOW + LEASE - TICK).claimed, "the lease has not ended")

    def test_a_claim_that_nobody_finished_is_a_spent_try(self, desk: Desk) -> None:
        """At the end of the lease the next one takes it over, to settle it: not granted, not charged again."""
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        late = desk.begin(now=NOW + LEASE)
        expect((late.claimed, late.granted, late.spent), (True, False, True), "taken over as spent")
        expect(late.session.claimed_at, NOW + LEASE, "under a lease of its own")
        expect(desk.spent(charge()), [1], "charged once")
        again = desk.begin(now=NOW + 2 * LEASE - TICK)
        expect((again.claimed, again.spent), (False, False), "the new lease holds")

    def test_a_claim_from_a_clock_ahead_is_not_taken_over(self, desk: Desk) -> None:
        """A server whose clock is behind sees a claim from the future: it waits."""
        desk.start()
        desk.begin()
        yes(not desk.begin(now=NOW - DAY).claimed, "it is claimed")

    def test_another_turn_is_not_claimed(self, desk: Desk) -> None:
        """Neither one that is over nor one that is still to come; the session is returned as it is."""
        desk.start("s-1", "cust-1", charge())
        desk.commit(charges=(charge(),), state="second")
        for turn in (0, 1, 3):
            begun = desk.begin(turn)
            expect((begun.claimed, begun.granted, begun.spent), (False, False, False), f"turn {turn} is not open")
            expect((begun.session.turn, begun.session.state), (2, "second"), "the session as it is")
        expect(desk.spent(charge()), [0], "nothing was charged")

    def test_all_charges_or_none(self, desk: Desk) -> None:
        """One that is refused refuses all; the turn is claimed all the same, and told not to be granted."""
        desk.start("s-1", "cust-1", charge("full", 1), charge("free"))
        desk.commit("s-1", turn=1, charges=(charge("free"), charge("full", 1)), spend=(charge("full", 1),))
        begun = desk.begin()
        expect((begun.claimed, begun.granted, begun.spent), (True, False, False), "claimed, not granted")
        expect(desk.spent(charge("free"), charge("full", 1)), [0, 1], "none was taken")

    def test_a_budget_has_exactly_its_limit(self, desk: Desk) -> None:
        """The last try is granted, the next is not, whichever session asks."""
        granted = []
        for n in range(5):
            desk.start(f"s-{n}", "cust-1", charge(limit=3))
            granted.append(desk.begin(1, f"s-{n}").granted)
        expect(granted, [True, True, True, False, False], "three are three")
        expect(desk.spent(charge()), [3], "and no more were taken")

    def test_a_try_comes_back_when_its_window_ends(self, desk: Desk) -> None:
        """Not a microsecond before."""
        for n, (later, left) in enumerate([(timedelta(0), True), (DAY - TICK, False), (DAY, True)]):
            desk.start(f"s-{n}", "cust-1", charge(limit=1, window=DAY))
            expect(desk.begin(1, f"s-{n}", now=NOW + later).granted, left, f"after {later}")

    def test_budgets_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant have budgets of their own."""
        for n, (key, tenant) in enumerate([("k", "t"), ("K", "t"), ("k ", "t"), ("k", "u")]):
            desk.start(f"s-{n}", "cust-1", charge(key, 1), tenant=tenant)
            yes(desk.begin(1, f"s-{n}", tenant=tenant).granted, f"{key!r} of {tenant!r} is a budget of its own")

    def test_the_subject_comes_with_the_claim(self, desk: Desk) -> None:
        """Credentials, hold, flags and numbers as they are now."""
        desk.enroll(credential("pin"), credential("tenure", kind="tenure"))
        desk.start(numbers=(number("n-1"),))
        desk.stand(Standing.LOCKED, flags=("birth", "name"))
        subject = desk.begin().subject
        expect(
            dict(subject.credentials), {"pin": credential("pin"), "tenure": credential("tenure", kind="tenure")}, "all"
        )
        expect((subject.standing, subject.flags), (Standing.LOCKED, ("birth", "name")), "hold and flags")
        expect((subject.known, subject.numbers), (True, (number("n-1"),)), "numbers")

    def test_times_are_instants(self, desk: Desk) -> None:
        """A clock in another zone means the same time, and what comes back is aware."""
        desk.start("s-1", "cust-1", charge(limit=1))
        begun = desk.begin(now=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
        expect(begun.session.claimed_at, NOW, "the same instant")
        found = desk.load().session.claimed_at
        yes(found is not None and found.utcoffset() is not None, "aware")
        yes(not desk.begin(now=NOW + LEASE - TICK).claimed, "and its lease ends when it must")
