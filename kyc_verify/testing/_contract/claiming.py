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
        expect(desk.load().session.version, 1, "a commit must move the version on by one")
        begun = desk.begin()
        expect(
            (begun.claimed, begun.granted, begun.spent),
            (True, True, False),
            "a free turn must be claimed, its charges granted, and not be called spent",
        )
        expect(begun.session.claimed_at, NOW, "the time of the claim must be kept to the microsecond")
        yes(begun.session.version > 1, "a claim must move the version on")
        expect(desk.load().session, begun.session, "what begin returns must be what is kept")
        expect(
            desk.spent(charge("a"), charge("b", window=None)),
            [1, 1],
            "a claim must take one try of each of its budgets",
        )

    def test_a_turn_that_costs_nothing_is_granted(self, desk: Desk) -> None:
        """Nothing to charge is nothing refused."""
        desk.start()
        yes(desk.begin().granted, "a turn that costs nothing must be granted")

    def test_a_claimed_turn_is_not_claimed_again(self, desk: Desk) -> None:
        """Not by the same, not by another, and it costs nothing more."""
        desk.start("s-1", "cust-1", charge())
        first = desk.begin()
        second = desk.begin(now=NOW + TICK)
        expect(
            (second.claimed, second.granted, second.spent),
            (False, False, False),
            "a turn that somebody is at must not be claimed",
        )
        expect(second.session, first.session, "who may not claim must be given the session as it is")
        expect(desk.spent(charge()), [1], "a turn must be charged once, however often it is asked for")

    def test_a_claim_is_seen_through_every_connection(self, desk: Desk, another: Desk) -> None:
        """What one has claimed, another finds claimed; what one has written, another reads."""
        desk.start("s-1", "cust-1", charge())
        yes(not another.begin(7).claimed, "another turn must not be claimed")
        desk.begin()
        yes(
            not another.begin().claimed,
            "a turn that was claimed through one connection must not be free through another",
        )
        expect(another.spent(charge()), [1], "what one connection charged must be seen through another")
        desk.commit(state="new")
        expect(another.load().session.state, "new", "what one connection wrote must be read through another")

    def test_a_claim_holds_for_the_lease(self, desk: Desk) -> None:
        """Up to a microsecond before its end."""
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        yes(not desk.begin(now=NOW + LEASE - TICK).claimed, "a claim must hold until its lease has ended")

    def test_a_claim_that_nobody_finished_is_a_spent_try(self, desk: Desk) -> None:
        """At the end of the lease the next one takes it over, to settle it: not granted, not charged again."""
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        late = desk.begin(now=NOW + LEASE)
        expect(
            (late.claimed, late.granted, late.spent),
            (True, False, True),
            "at the end of the lease a turn must be taken over as a spent try, not granted",
        )
        expect(late.session.claimed_at, NOW + LEASE, "who takes a turn over must have a lease of its own")
        expect(desk.spent(charge()), [1], "a turn that is taken over must not be charged again")
        again = desk.begin(now=NOW + 2 * LEASE - TICK)
        expect((again.claimed, again.spent), (False, False), "the lease of who took a turn over must hold")

    def test_a_claim_from_a_clock_ahead_is_not_taken_over(self, desk: Desk) -> None:
        """A server whose clock is behind sees a claim from the future: it waits."""
        desk.start()
        desk.begin()
        yes(not desk.begin(now=NOW - DAY).claimed, "a claim from a clock that is ahead must hold")

    def test_another_turn_is_not_claimed(self, desk: Desk) -> None:
        """Neither one that is over nor one that is still to come; the session is returned as it is."""
        desk.start("s-1", "cust-1", charge())
        desk.commit(charges=(charge(),), state="second")
        for turn in (0, 1, 3):
            begun = desk.begin(turn)
            expect(
                (begun.claimed, begun.granted, begun.spent),
                (False, False, False),
                f"turn {turn} is not the open one, and must not be claimed",
            )
            expect(
                (begun.session.turn, begun.session.state),
                (2, "second"),
                "who may not claim must be given the session as it is",
            )
        expect(desk.spent(charge()), [0], "a turn that is not claimed must cost nothing")

    def test_all_charges_or_none(self, desk: Desk) -> None:
        """One that is refused refuses all; the turn is claimed all the same, and told not to be granted."""
        desk.start("s-1", "cust-1", charge("full", 1), charge("free"))
        desk.commit("s-1", turn=1, charges=(charge("free"), charge("full", 1)), spend=(charge("full", 1),))
        begun = desk.begin()
        expect(
            (begun.claimed, begun.granted, begun.spent),
            (True, False, False),
            "a turn with a charge that is refused must be claimed and not granted",
        )
        expect(desk.spent(charge("free"), charge("full", 1)), [0, 1], "if one charge is refused no other may be taken")

    def test_a_budget_has_exactly_its_limit(self, desk: Desk) -> None:
        """The last try is granted, the next is not, whichever session asks."""
        granted = []
        for n in range(5):
            desk.start(f"s-{n}", "cust-1", charge(limit=3))
            granted.append(desk.begin(1, f"s-{n}").granted)
        expect(granted, [True, True, True, False, False], "a budget of three must grant three tries and no fourth")
        expect(desk.spent(charge()), [3], "a try that is refused must not be counted")

    def test_a_try_comes_back_when_its_window_ends(self, desk: Desk) -> None:
        """Not a microsecond before."""
        for n, (later, left) in enumerate([(timedelta(0), True), (DAY - TICK, False), (DAY, True)]):
            desk.start(f"s-{n}", "cust-1", charge(limit=1, window=DAY))
            expect(
                desk.begin(1, f"s-{n}", now=NOW + later).granted,
                left,
                f"a try after {later} must be granted only if the window of the one before has ended",
            )

    def test_a_clock_that_goes_back_refills_no_budget(self, desk: Desk) -> None:
        """A try that is dated after now is a try: else whoever turns the clock back guesses for nothing."""
        back = NOW - timedelta(minutes=1)
        for window in (DAY, None):
            one = charge(f"window {window}", 1, window)
            for n in (1, 2):
                desk.start(f"s-{n} {window}", "cust-1", one)
            yes(desk.begin(1, f"s-1 {window}").granted, "the first try of a budget must be granted")
            expect(desk.spent(one, now=back), [1], "a try must count, though the clock has gone back since")
            found = desk.begin(1, f"s-2 {window}", now=back).granted
            yes(not found, "a budget that is used up must stay so, though the clock has gone back")
            late = desk.change(f"s-2 {window}", spend=(one,))
            expect(desk.write(late, now=back).granted, (False,), "and spending must be refused like claiming")

    def test_budgets_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant have budgets of their own."""
        for n, (key, tenant) in enumerate([("k", "t"), ("K", "t"), ("k ", "t"), ("k", "u")]):
            desk.start(f"s-{n}", "cust-1", charge(key, 1), tenant=tenant)
            yes(
                desk.begin(1, f"s-{n}", tenant=tenant).granted,
                f"the budget {key!r} of the tenant {tenant!r} must be one of its own",
            )

    def test_the_subject_comes_with_the_claim(self, desk: Desk) -> None:
        """Credentials, hold, flags and numbers as they are now."""
        desk.enroll(credential("pin"), credential("tenure", kind="tenure"))
        desk.start(numbers=(number("n-1"),))
        desk.stand(Standing.LOCKED, flags=("birth", "name"))
        subject = desk.begin().subject
        expect(
            dict(subject.credentials),
            {"pin": credential("pin"), "tenure": credential("tenure", kind="tenure")},
            "a claim must bring every credential of the subject",
        )
        expect(
            (subject.standing, subject.flags),
            (Standing.LOCKED, ("birth", "name")),
            "a claim must bring the hold and the flags of the subject",
        )
        expect(
            (subject.known, subject.numbers), (True, (number("n-1"),)), "a claim must bring the numbers of the subject"
        )

    def test_times_are_instants(self, desk: Desk) -> None:
        """A clock in another zone means the same time, and what comes back is aware."""
        desk.start("s-1", "cust-1", charge(limit=1))
        begun = desk.begin(now=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
        expect(begun.session.claimed_at, NOW, "a time in another zone must be kept as the same instant")
        found = desk.load().session.claimed_at
        yes(found is not None and found.utcoffset() is not None, "a time that comes back must be aware")
        yes(
            not desk.begin(now=NOW + LEASE - TICK).claimed,
            "a claim must hold until its lease has ended, in whatever zone it began",
        )
