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
        expect(
            (session.tenant, session.id, session.subject),
            ("t", "s-1", "cust-1"),
            "the session must be the one that was asked for",
        )
        expect((session.version, session.turn, session.state), (0, 0, ""), "a new session must be empty")
        expect((session.charges, session.claimed_at), ((), None), "a new session must be free")
        expect(
            session.expires_at,
            NOW + timedelta(minutes=30, microseconds=1),
            "the end of the session must be kept to the microsecond",
        )
        yes(not made.replayed, "a session that is new must not be called replayed")
        expect(desk.load().session, session, "the session must be there to be loaded")

    def test_two_opens_without_a_request_are_two_sessions(self, desk: Desk) -> None:
        """Only a request makes one of two."""
        desk.open("s-1")
        yes(not desk.open("s-2").replayed, "without a request no session may be taken for another")
        expect(desk.load("s-1").session.id, "s-1", "both sessions must be there")
        expect(desk.load("s-2").session.id, "s-2", "both sessions must be there")

    def test_a_request_opens_once(self, desk: Desk) -> None:
        """The same request finds its session, with its run number, and takes none anew."""
        desk.open("s-0")
        first = desk.open("s-1", request="r")
        desk.commit("s-1", state="later")
        again = desk.open("s-2", request="r")
        yes(again.replayed, "a request that was seen before must be called replayed")
        expect(
            (again.session.id, again.session.state),
            ("s-1", "later"),
            "a request that was seen before must find its session, as it is now",
        )
        expect((first.run, again.run), (2, 2), "a request that was seen before must find the run number it took")
        fails(UnknownSession, lambda: desk.load("s-2"), "no second session was made")
        expect(desk.open("s-3").run, 3, "a replay must take no run number")

    def test_requests_are_told_apart(self, desk: Desk) -> None:
        """Another request, or the same in another tenant, opens a session of its own."""
        desk.open("s-1", request="r")
        yes(not desk.open("s-2", request="R").replayed, "another request must open another session")
        yes(
            not desk.open("s-1", tenant="u", request="r").replayed,
            "the other tenant's request must open another session",
        )

    def test_a_session_is_never_overwritten(self, desk: Desk) -> None:
        """An id that is there already is refused."""
        desk.start()
        before = desk.load()
        fails(StoreError, lambda: desk.open("s-1", "cust-2"), "the id is taken")
        expect(desk.load(), before, "a session must stay as it was when its id is used again")

    def test_a_replay_reports_budgets_and_pin_as_they_are(self, desk: Desk) -> None:
        """What is reported is the present, not what the first open saw."""
        desk.open("s-1", request="r")
        pin = Pin(key="pin", check="tenure", until=NOW + DAY)
        desk.commit("s-1", spend=(charge(),), pin=pin)
        again = desk.open("s-2", request="r", watch=(charge(),))
        expect(
            (again.replayed, again.spent["tries"], again.pin),
            (True, 1, "tenure"),
            "a replay must report budgets and the pin as they are now",
        )

    # ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_runs_are_numbered_from_one(self, desk: Desk) -> None:
        """Each open takes the next number of its count."""
        expect(
            [desk.open(f"s-{n}").run for n in range(1, 5)],
            [1, 2, 3, 4],
            "runs must be numbered from one, one after the other",
        )

    def test_counts_of_runs_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant count on their own."""
        desk.open("s-1")
        expect(
            desk.open("s-2", run=Run(key="RUNS", window=DAY)).run, 1, "runs under another key must count on their own"
        )
        expect(desk.open("s-3", tenant="u").run, 1, "runs of the other tenant must count on their own")

    def test_a_run_counts_until_its_window_ends(self, desk: Desk) -> None:
        """A run counts for less than its window, and not at its end."""
        run = Run(key="runs", window=DAY)
        desk.open("s-1", run=run)
        expect(
            desk.open("s-2", run=run, now=NOW + DAY - TICK).run,
            2,
            "a run must count until a microsecond before the end of its window",
        )
        expect(desk.open("s-3", run=run, now=NOW + DAY).run, 2, "a run must not count at the end of its window")

    def test_a_clock_that_goes_back_starts_no_count_anew(self, desk: Desk) -> None:
        """A run that is dated after now is a run."""
        back = NOW - timedelta(minutes=1)
        desk.open("s-1")
        expect(desk.open("s-2", now=back).run, 2, "a run must count, though the clock has gone back since")
        found = desk.load("s-2", run=Run(key="runs", window=30 * DAY), now=back).run
        expect(found, 3, "and so for a number that is taken later")

    def test_loading_with_a_run_takes_a_number(self, desk: Desk) -> None:
        """Stepping up is a run more, of the same session."""
        desk.open("s-1")
        run = Run(key="runs", window=DAY)
        expect(desk.load("s-1", run=run).run, 2, "loading with a run must take the next number")
        expect(desk.load("s-1").run, None, "loading without a run must report none")
        expect(desk.open("s-2").run, 3, "a number that was taken by loading must count")

    def test_a_run_is_given_back_with_all_its_numbers(self, desk: Desk) -> None:
        """What a session took of one count is given back, and nobody else's."""
        desk.open("s-1")
        desk.open("s-2")
        desk.load("s-1", run=Run(key="runs", window=DAY))
        desk.commit("s-1", give_back_run="runs")
        expect(desk.open("s-3").run, 2, "giving runs back must leave those of other sessions, and no others")

    def test_giving_a_run_back_leaves_other_counts(self, desk: Desk) -> None:
        """Only the named count."""
        desk.open("s-1")
        desk.commit("s-1", give_back_run="other")
        expect(desk.open("s-2").run, 2, "giving back must leave counts that were not named")

    # ── Budgets that are looked at ───────────────────────────────────────────────────────────────────────────────────

    def test_an_unused_budget_reads_zero(self, desk: Desk) -> None:
        """Every watched key is reported, also one that was never charged."""
        spent = desk.open(watch=(charge("a"), charge("b", window=None))).spent
        expect(dict(spent), {"a": 0, "b": 0}, "a budget that was never charged must read zero")

    def test_watching_charges_nothing(self, desk: Desk) -> None:
        """Looking is free."""
        desk.open(watch=(charge(),))
        expect(desk.spent(charge()), [0], "watching a budget must charge nothing")

    def test_a_charge_counts_until_its_window_ends(self, desk: Desk) -> None:
        """A charge counts for less than its window, and not at its end."""
        desk.start("s-1", "cust-1", charge(window=DAY))
        desk.begin()
        expect(
            desk.spent(charge(window=DAY), now=NOW + DAY - TICK),
            [1],
            "a charge must count until a microsecond before the end of its window",
        )
        expect(desk.spent(charge(window=DAY), now=NOW + DAY), [0], "a charge must not count at the end of its window")

    def test_a_charge_without_a_window_counts_for_ever(self, desk: Desk) -> None:
        """Failures in a row do not age."""
        desk.start("s-1", "cust-1", charge(window=None))
        desk.begin()
        expect(
            desk.spent(charge(window=None), now=NOW + 4000 * DAY),
            [1],
            "a charge without a window must count eleven years on",
        )

    # ── The pinned question ──────────────────────────────────────────────────────────────────────────────────────────

    def test_a_pin_stays_until_its_time(self, desk: Desk) -> None:
        """It is there before `until`, and not at it."""
        desk.open()
        expect(desk.pin(), None, "no question may be pinned that nobody pinned")
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        expect(desk.pin(now=NOW + DAY - TICK), "tenure", "a pin must stay until a microsecond before its time")
        expect(desk.pin(now=NOW + DAY), None, "a pin must be gone at its time")

    def test_pins_are_told_apart(self, desk: Desk) -> None:
        """Another key and another tenant have pins of their own."""
        desk.open()
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        expect(
            (desk.pin("PIN"), desk.pin(tenant="u")),
            (None, None),
            "a pin must not be found under another key, nor by the other tenant",
        )

    def test_a_pin_is_replaced_and_taken_away(self, desk: Desk) -> None:
        """The newest holds; a pin without a check takes it away."""
        desk.open()
        desk.commit(pin=Pin(key="pin", check="tenure", until=NOW + DAY))
        desk.commit(pin=Pin(key="pin", check="school", until=NOW + 2 * DAY))
        expect(desk.pin(now=NOW + DAY), "school", "the newest pin must hold, until its own time")
        desk.commit(pin=Pin(key="pin", check=None, until=NOW))
        expect(desk.pin(), None, "a pin that is taken away must be gone")

    # ── Whose key ────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_known_subject_keeps_its_first_key(self, desk: Desk) -> None:
        """The key is made once, of any 32 bytes."""
        first = desk.open("s-1", fresh_key=_KEY).subject
        expect((first.known, first.key), (True, _KEY), "a subject must get the key that was brought")
        expect(desk.open("s-2", fresh_key=b"1" * 32).subject.key, _KEY, "a subject must keep its first key")
        yes(desk.open("s-3", "cust-2").subject.key != _KEY, "another subject must have another key")
        yes(desk.open("s-1", tenant="u").subject.key != _KEY, "the other tenant's subject must have another key")

    def test_unknown_subjects_share_the_key_of_the_day(self, desk: Desk) -> None:
        """No row is made of an unknown subject: what names it goes with the day."""
        first = desk.open("s-1", "nobody", known=False).subject
        expect((first.known, len(first.key)), (False, 32), "a subject without a row must be unknown, with a key")
        expect(
            first.key,
            desk.open("s-2", "no one", known=False).subject.key,
            "unknown subjects must share the key of the day",
        )
        yes(
            desk.open("s-3", "nobody", known=False, now=NOW + DAY).subject.key != first.key,
            "the next day must have another key",
        )
        yes(
            desk.open("s-1", "nobody", tenant="u", known=False).subject.key != first.key,
            "the other tenant's day must have another key",
        )
        yes(desk.open("s-4", "nobody").subject.key != first.key, "a subject must get a key of its own once it is known")

    def test_a_run_keeps_the_key_of_the_day_it_began(self, desk: Desk) -> None:
        """A run over midnight keeps one name for its subject."""
        key = desk.open("s-1", "nobody", known=False).subject.key
        desk.open("s-2", "nobody", known=False, now=NOW + DAY)
        desk.commit("s-1", now=NOW + DAY, turn=1)
        expect(
            desk.load("s-1", now=NOW + DAY).subject.key,
            key,
            "a run must keep the key of its day when it is loaded the next day",
        )
        expect(
            desk.begin(1, "s-1", now=NOW + DAY).subject.key,
            key,
            "a run must keep the key of its day when it is claimed the next day",
        )

    def test_a_day_is_a_day_of_utc(self, desk: Desk) -> None:
        """The same instant is in the same day, wherever the server's clock is set."""
        east = NOW.astimezone(timezone(timedelta(hours=14)))
        first = desk.open("s-1", "nobody", known=False).subject.key
        expect(
            desk.open("s-2", "nobody", known=False, now=east).subject.key,
            first,
            "the same instant must be in the same day, whatever its zone",
        )

    def test_a_row_of_its_own_counts_also_for_whom_the_crm_forgot(self, desk: Desk) -> None:
        """A subject with a row is not unknown here, whatever the CRM says today."""
        key = desk.open("s-1").subject.key
        found = desk.open("s-2", known=False).subject
        expect((found.known, found.key), (True, key), "a subject with a row must be known by it, under its own key")

    # ── Loading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_loading_what_is_not_there(self, desk: Desk) -> None:
        """A session is found by exact tenant and id."""
        desk.open("s-1")
        fails(UnknownSession, lambda: desk.load("s-2"), "it was never made")
        fails(UnknownSession, lambda: desk.load("s-1", tenant="u"), "it is another tenant's")
        run = Run(key="runs", window=DAY)
        fails(UnknownSession, lambda: desk.load("s-2", run=run), "it was never made")
        expect(desk.open("s-3").run, 2, "loading what is not there must take no run number")

    def test_loading_changes_nothing(self, desk: Desk) -> None:
        """Not even the version."""
        desk.start()
        desk.load()
        expect(desk.load().session.version, 1, "loading must leave the version as it was")

    def test_an_open_grant_is_seen(self, desk: Desk) -> None:
        """Until it is redeemed or void."""
        desk.open()
        yes(not desk.load().grant_open, "a session without a grant must have none open")
        desk.grant(b"1" * 32)
        yes(desk.load().grant_open, "a grant must be open once it is given")
        desk.redeem(b"1" * 32)
        yes(not desk.load().grant_open, "a grant that was redeemed must not be open")
        desk.grant(b"2" * 32)
        yes(desk.load().grant_open, "a newer grant must be open")
        desk.commit(void_grants=True)
        yes(not desk.load().grant_open, "a grant that is void must not be open")
