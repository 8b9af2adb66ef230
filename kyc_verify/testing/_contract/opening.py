"""Opening and loading: sessions, requests, run numbers, budgets looked at, pins, and whose key."""

from __future__ import annotations

from datetime import timedelta, timezone

from kyc_verify.errors import StoreError, UnknownSession
from kyc_verify.ports import Pin, Run
from kyc_verify.testing._contract.desk import DAY, NOW, TICK, Desk, charge, expect, fails, yes

__all__ = ["Opening"]

_KEY = b"0" * 31 + b"\x00"


class Opening:
    """What `open` and `load` promise."""

    def test_open_makes_an_empty_session(self, desk: Desk) -> None:
        """The session is free, empty and not yet written to."""
        made = desk.open(expires_at=NOW + timedelta(minutes=30, microseconds=1))
        session = made.session
        expect((session.tenant, session.id, session.subject), ("t", "s-1", "cust-1"), "it is the one asked for")
        expect((session.version, session.turn, session.state), (0, 0, ""), "nothing was written to it")
        expect((session.charges, session.claimed_at), ((), None), "nobody is at it")
        expect(session.expires_at, NOW + timedelta(minutes=30, microseconds=1), "to the microsecond")
        yes(not made.replayed, "it is new")
        expect(desk.load().session, session, "it is there to be loaded")

    def test_two_opens_without_a_request_are_two_sessions(self, desk: Desk) -> None:
        """Only a request makes one of two."""
        desk.open("s-1")
        yes(not desk.open("s-2").replayed, "there was no request")
        expect(desk.load("s-1").session.id, "s-1", "both are there")
        expect(desk.load("s-2").session.id, "s-2", "both are there")

    def test_a_request_opens_once(self, desk: Desk) -> None:
        """The same request finds its session, with its run number, and takes none anew."""
        desk.open("s-0")
        first = desk.open("s-1", request="r")
        desk.commit("s-1", state="later")
        again = desk.open("s-2", request="r")
        yes(again.replayed, "the request was seen before")
        expect((again.session.id, again.session.state), ("s-1", "later"), "its session, as it is now")
        expect((first.run, again.run), (2, 2), "the run number it took")
        fails(UnknownSession, lambda: desk.load("s-2"), "no second session was made")
        expect(desk.open("s-3").run, 3, "a replay takes no run number")

    def test_requests_are_told_apart(self, desk: Desk) -> None:
        """Another request, or the same in another tenant, opens a session of its own."""
        desk.open("s-1", request="r")
        yes(not desk.open("s-2", request="R").replayed, "another request")
        yes(not desk.open("s-1", tenant="u", request="r").replayed, "another tenant's")

    def test_a_session_is_never_overwritten(self, desk: Desk) -> None:
        """An id that is there already is refused."""
        desk.start()
        before = desk.load()
        fails(StoreError, lambda: desk.open("s-1", "cust-2"), "the id is taken")
        expect(desk.load(), before, "the first is as it was")

    def test_a_replay_reports_budgets_and_pin_as_they_are(self, desk: Desk) -> None:
        """What is reported is the present, not what the first open saw."""
        desk.open("s-1", request="r")
        pin = Pin(key="pin", check="tenure", until=NOW + DAY)
        desk.commit("s-1", spend=(charge(),), pin=pin)
        again = desk.open("s-2", request="r", watch=(charge(),))
        expect((again.replayed, again.spent["tries"], again.pin), (True, 1, "tenure"), "both as they are now")

    # ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_runs_are_numbered_from_one(self, desk: Desk) -> None:
        """Each open takes the next number of its count."""
        expect([desk.open(f"s-{n}").run for n in range(1, 5)], [1, 2, 3, 4], "one after the other")

    def test_counts_of_runs_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant count on their own."""
        desk.open("s-1")
        expect(desk.open("s-2", run=Run(key="RUNS", window=DAY)).run, 1, "another key")
        expect(desk.open("s-3", tenant="u").run, 1, "another tenant's")

    def test_a_run_counts_until_its_window_ends(self, desk: Desk) -> None:
        """A run counts for less than its window, and not at its end."""
        run = Run(key="runs", window=DAY)
        desk.open("s-1", run=run)
        expect(desk.open("s-2", run=run, now=NOW + DAY - TICK).run, 2, "a microsecond before the end")
        expect(desk.open("s-3", run=run, now=NOW + DAY).run, 2, "at the end only the second counts")

    def test_loading_with_a_run_takes_a_number(self, desk: Desk) -> None:
        """Stepping up is a run more, of the same session."""
        desk.open("s-1")
        run = Run(key="runs", window=DAY)
        expect(desk.load("s-1", run=run).run, 2, "a further number")
        expect(desk.load("s-1").run, None, "none was asked for")
        expect(desk.open("s-2").run, 3, "it counts")

    def test_a_run_is_given_back_with_all_its_numbers(self, desk: Desk) -> None:
        """What a session took of one count is given back, and nobody else's."""
        desk.open("s-1")
        desk.open("s-2")
        desk.load("s-1", run=Run(key="runs", window=DAY))
        desk.commit("s-1", give_back_run="runs")
        expect(desk.open("s-3").run, 2, "the other session's number stays")

    def test_giving_a_run_back_leaves_other_counts(self, desk: Desk) -> None:
        """Only the named count."""
        desk.open("s-1")
        desk.commit("s-1", give_back_run="other")
        expect(desk.open("s-2").run, 2, "the count was not named")

    # ── Budgets that are looked at ───────────────────────────────────────────────────────────────────────────────────

    def test_an_unused_budget_reads_zero(self, desk: Desk) -> None:
        """Every watched key is reported, also one that was never charged."""
        spent = desk.open(watch=(charge("a"), charge("b", window=None))).spent
        expect(dict(spent), {"a": 0, "b": 0}, "zero, not nothing")

    def test_watching_charges_nothing(self, desk: Desk) -> None:
        """Looking is free."""
        desk.open(watch=(charge(),))
        expect(desk.spent(charge()), [0], "nobody tried")

    def test_a_charge_counts_until_its_window_ends(self, desk: Desk) -> None:
        """A charge counts for less than its window, and not at its end."""
        desk.start("s-1", "cust-1", charge(window=DAY))
        desk.begin()
        expect(desk.spent(charge(window=DAY), now=NOW + DAY - TICK), [1], "a microsecond before the end")
        expect(desk.spent(charge(window=DAY), now=NOW + DAY), [0], "at the end")

    def test_a_charge_without_a_window_counts_for_ever(self, desk: Desk) -> None:
        """Failures in a row do not age."""
        desk.start("s-1", "cust-1", charge(window=None))
        desk.begin()
        expect(desk.spent(charge(window=None), now=NOW + 4000 * DAY), [1], "eleven years on")

    def test_a_purge_leaves_charges_that_count(self, desk: Desk) -> None:
        """Neither one inside its window nor one without a window goes."""
        desk.start("s-1", "cust-1", charge("day", window=DAY), charge("ever", window=None))
        desk.begin()
        desk.purge(NOW + DAY - TICK)
        expect(desk.spent(charge("day", window=DAY), charge("ever", window=None)), [1, 1], "both still count")

    # ── The pinned question ──────────────────────────────────────────────────────────────────────────────────────────

    def test_a_pin_stays_until_its_time(self, desk: Desk) -> None:
        """It is there before `until`, and not at it."""
        desk.open()
        expect(desk.pin(), None, "nothing is pinned")
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        expect(desk.pin(now=NOW + DAY - TICK), "tenure", "a microsecond before the end")
        expect(desk.pin(now=NOW + DAY), None, "at the end")

    def test_pins_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant have pins of their own."""
        desk.open()
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        expect((desk.pin("PIN"), desk.pin(tenant="u")), (None, None), "another key, another tenant's")

    def test_a_pin_is_replaced_and_taken_away(self, desk: Desk) -> None:
        """The newest holds; a pin without a check takes it away."""
        desk.open()
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        desk.commit(pin=Pin(key="pin", check="school", until=NOW + 2 * DAY))
        expect(desk.pin(now=NOW + DAY), "school", "the newest, with its own end")
        desk.commit(pin=Pin(key="pin", check=None, until=NOW))
        expect(desk.pin(), None, "taken away")

    # ── Whose key ────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_known_subject_keeps_its_first_key(self, desk: Desk) -> None:
        """The key is made once, of any 32 bytes."""
        first = desk.open("s-1", fresh_key=_KEY).subject
        expect((first.known, first.key), (True, _KEY), "the key that was brought")
        expect(desk.open("s-2", fresh_key=b"1" * 32).subject.key, _KEY, "not the second one's")
        yes(desk.open("s-3", "cust-2").subject.key != _KEY, "another subject's is another")
        yes(desk.open("s-1", tenant="u").subject.key != _KEY, "another tenant's is another")

    def test_unknown_subjects_share_the_key_of_the_day(self, desk: Desk) -> None:
        """No row is made of an unknown subject: what names it goes with the day."""
        first = desk.open("s-1", "nobody", known=False).subject
        expect((first.known, len(first.key)), (False, 32), "not known, but with a key")
        expect(first.key, desk.open("s-2", "no one", known=False).subject.key, "the day's, whoever it is")
        yes(
            desk.open("s-3", "nobody", known=False, now=NOW + DAY).subject.key != first.key, "the next day's is another"
        )
        yes(desk.open("s-1", "nobody", tenant="u", known=False).subject.key != first.key, "another tenant's is another")
        yes(desk.open("s-4", "nobody").subject.key != first.key, "once known it has its own")

    def test_a_run_keeps_the_key_of_the_day_it_began(self, desk: Desk) -> None:
        """A run over midnight keeps one name for its subject."""
        key = desk.open("s-1", "nobody", known=False).subject.key
        desk.open("s-2", "nobody", known=False, now=NOW + DAY)
        desk.commit("s-1", now=NOW + DAY, turn=1)
        expect(desk.load("s-1", now=NOW + DAY).subject.key, key, "loaded the next day")
        expect(desk.begin(1, "s-1", now=NOW + DAY).subject.key, key, "claimed the next day")

    def test_a_day_is_a_day_of_utc(self, desk: Desk) -> None:
        """The same instant is in the same day, wherever the server's clock is set."""
        east = NOW.astimezone(timezone(timedelta(hours=14)))
        first = desk.open("s-1", "nobody", known=False).subject.key
        expect(desk.open("s-2", "nobody", known=False, now=east).subject.key, first, "one instant, one day")

    def test_a_row_of_its_own_counts_also_for_whom_the_crm_forgot(self, desk: Desk) -> None:
        """A subject with a row is not unknown here, whatever the CRM says today."""
        key = desk.open("s-1").subject.key
        found = desk.open("s-2", known=False).subject
        expect((found.known, found.key), (True, key), "its own key")

    # ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_loading_what_is_not_there(self, desk: Desk) -> None:
        """A session is found by exact tenant and id."""
        desk.open("s-1")
        fails(UnknownSession, lambda: desk.load("s-2"), "it was never made")
        fails(UnknownSession, lambda: desk.load("s-1", tenant="u"), "it is another tenant's")
        run = Run(key="runs", window=DAY)
        fails(UnknownSession, lambda: desk.load("s-2", run=run), "it was never made")
        expect(desk.open("s-3").run, 2, "and no run number was taken")

    def test_loading_changes_nothing(self, desk: Desk) -> None:
        """Not even the version."""
        desk.start()
        desk.load()
        expect(desk.load().session.version, 1, "as the commit left it")

    def test_an_open_grant_is_seen(self, desk: Desk) -> None:
        """Until it is redeemed or void."""
        desk.open()
        yes(not desk.load().grant_open, "there is none")
        desk.grant(b"1" * 32)
        yes(desk.load().grant_open, "it is open")
        desk.redeem(b"1" * 32)
        yes(not desk.load().grant_open, "it is redeemed")
        desk.grant(b"2" * 32)
        yes(desk.load().grant_open, "a newer one is open")
        desk.commit(void_grants=True)
        yes(not desk.load().grant_open, "it is void")
