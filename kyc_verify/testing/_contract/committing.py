"""Committing a step: everything together with its record, from the version it was made from, or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.errors import ConflictError
from kyc_verify.ports import Charge, KnownNumber, Pin, StoredGrant
from kyc_verify.testing._contract.desk import (
    DAY,
    NOW,
    TICK,
    Desk,
    binding,
    charge,
    credential,
    expect,
    fails,
    number,
    sealed,
    sealed_with,
    stake,
    yes,
)

__all__ = ["Committing"]


class SealError(Exception):
    """A record could not be made."""


def broken(*_: object) -> NoReturn:
    """Fail as a seal without its key would."""
    raise SealError


def everything(charges: tuple[Charge, ...]) -> dict[str, Any]:
    """Return fields of a change that touch every table."""
    return {
        "charges": charges,
        "spend": (charge("spend"),),
        "numbers": (number("n-1"),),
        "pin": Pin(key="pin", check="pin", until=NOW + DAY),
        "grant": StoredGrant(digest=b"g" * 32, session="s-1", binding=binding(), expires_at=NOW + DAY),
        "rehash": credential(full=b"r" * 32),
        "clear": ("other",),
        "give_back_run": "runs",
        "refund": True,
    }


class Committing:
    """What `commit` promises."""

    def test_a_commit_writes_the_step(self, desk: Desk) -> None:
        """State, turn, cost and end are the new ones, and the turn is free."""
        desk.start()
        claimed = desk.begin().session.version
        costs = (charge("a", 10_000, DAY + TICK), charge("b", 1, None))
        end = NOW + timedelta(hours=1, microseconds=1)
        desk.commit(state='{"é": "\\u0000 \' ; --"}', turn=2, charges=costs, expires_at=end)
        found = desk.load().session
        expect(
            (found.state, found.turn),
            ('{"é": "\\u0000 \' ; --"}', 2),
            "the state and the turn must be exactly those that were written",
        )
        expect(found.charges, costs, "the charges must be those that were written, with their windows")
        expect(found.expires_at, end, "the end of the session must be kept to the microsecond")
        expect(
            (found.version, found.claimed_at),
            (claimed + 1, None),
            "a commit must free the turn and move the version on by one",
        )
        desk.intact(2)

    def test_a_long_state_comes_back_whole(self, desk: Desk) -> None:
        """A run with many turns in four scripts."""
        state = "Zürich 東京 تهران 🙂 \\ ' \" % \n\t" * 5000
        desk.start(state=state)
        expect(
            desk.load().session.state == state,
            want=True,
            why="a long state must come back whole: nothing cut, folded or escaped",
        )

    def test_a_commit_from_an_older_version_conflicts(self, desk: Desk) -> None:
        """Nothing of it is written."""
        desk.enroll(credential())
        desk.start("s-1", "cust-1", charge())
        late = desk.change(**everything((charge(),)))
        desk.begin()
        desk.untouched(lambda: desk.write(late), ConflictError, "a claim came between")
        early = desk.change(version=desk.load().session.version + 1)
        desk.untouched(lambda: desk.write(early), ConflictError, "a version that was never there")
        yes(not desk.load().grant_open, "a commit that conflicts must keep no grant")

    def test_a_commit_for_a_session_that_is_gone_conflicts(self, desk: Desk) -> None:
        """It was erased or purged, or is another tenant's."""
        desk.start()
        change = desk.change()
        desk.purge(NOW + DAY)
        fails(ConflictError, lambda: desk.write(change), "the session is gone")
        desk.start("s-2")
        other = desk.change("s-2")
        desk.start("s-2", tenant="u")
        before = desk.load("s-2", tenant="u")
        desk.write(other)
        expect(desk.load("s-2", tenant="u"), before, "a commit must leave the other tenant's session of the same id")
        desk.intact(3)

    def test_a_commit_cannot_bring_an_erased_subject_back(self, desk: Desk) -> None:
        """Neither after the erasure nor after a new enrollment, whose key is another."""
        desk.start()
        change = desk.change(**everything((charge(),)))
        desk.erase()
        desk.untouched(lambda: desk.write(change), ConflictError, "the subject is erased")
        desk.enroll(credential())
        desk.start()
        desk.untouched(lambda: desk.write(change), ConflictError, "it has another key now")
        expect(desk.load().subject.numbers, (), "nothing of before an erasure may come back")

    def test_a_run_about_nobody_is_committed(self, desk: Desk) -> None:
        """An unknown subject has no key of its own to compare, and nothing of it is kept but the run."""
        desk.open("s-1", "nobody", known=False)
        desk.commit("s-1", turn=1, numbers=(number("n-1"),), charges=(charge(),))
        yes(desk.begin().granted, "a run about somebody unknown must go on like any other")
        expect(
            (desk.load().subject.known, desk.load().subject.numbers),
            (False, ()),
            "a run about somebody unknown must leave nothing of them",
        )

    def test_a_broken_seal_writes_nothing(self, desk: Desk) -> None:
        """No record, no answer; what the seal raised comes out as it is."""
        desk.enroll(credential())
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        desk.commit(turn=1, spend=(charge("other"),))
        desk.begin()
        change = desk.change(**everything((charge(),)))
        desk.untouched(lambda: desk.write(change, broken), SealError, "commit")
        desk.untouched(lambda: desk.enroll(credential("tenure"), seal=broken), SealError, "enroll")
        desk.untouched(lambda: desk.stand(flags=("birth",), clear=("other",), seal=broken), SealError, "set_standing")
        desk.untouched(lambda: desk.note(seal=broken), SealError, "note")
        desk.untouched(lambda: desk.erase(seal=broken), SealError, "erase")
        fails(SealError, lambda: desk.enroll(subject="cust-9", seal=broken), "enroll")
        yes(
            desk.open("s-9", "cust-9", fresh_key=b"9" * 32).subject.key == b"9" * 32,
            "a subject whose first record failed must have no key yet",
        )
        desk.write(change)
        desk.intact(4)

    def test_a_seal_is_given_the_head(self, desk: Desk) -> None:
        """Sequence and MAC of the newest record; the beginning for the first."""
        heads: list[Head] = []

        def seal(head: Head) -> AuditRecord:
            heads.append(head)
            return sealed(event=Event.ANSWERED)(head)

        desk.open()
        desk.write(desk.change(), seal)
        desk.write(desk.change(), seal)
        first = desk.records()[0]
        yes(heads[0] == Head(), "the first seal must be given the head of an empty chain")
        yes(
            heads[-1] == Head(seq=1, mac=first.mac),
            "the second seal must be given the sequence and the MAC of the first record",
        )

    # ── What a claim cost ────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_refund_gives_back_the_present_turn(self, desk: Desk) -> None:
        """And nothing that earlier turns or other sessions paid for the same budget."""
        desk.start("s-1", "cust-1", charge(limit=9))
        desk.begin(1)
        desk.commit(charges=(charge(limit=9), charge("b", 9, None)))
        desk.start("s-2", "cust-1", charge(limit=9))
        desk.begin(1, "s-2")
        desk.begin(2)
        expect(desk.spent(charge(), charge("b", window=None)), [3, 1], "every claim must be charged")
        desk.commit(refund=True)
        expect(
            desk.spent(charge(), charge("b", window=None)),
            [2, 0],
            "a refund must give back what the present turn cost, and nothing else",
        )

    def test_a_refund_leaves_what_was_spent(self, desk: Desk) -> None:
        """A code that was sent stays sent, however well the answer did."""
        desk.open()
        desk.commit(turn=1, charges=(charge(),), spend=(charge("sends"),))
        desk.begin()
        desk.commit(refund=True, spend=(charge("sends"),))
        desk.begin(2)
        desk.commit(refund=True)
        expect(
            desk.spent(charge(), charge("sends")), [0, 2], "a refund must give tries back and must keep what was spent"
        )

    def test_without_a_refund_a_try_stays_spent(self, desk: Desk) -> None:
        """Committing does not give anything back by itself."""
        desk.start("s-1", "cust-1", charge())
        desk.begin()
        desk.commit()
        expect(desk.spent(charge()), [1], "without a refund a try must stay spent")

    def test_spending_takes_what_is_left(self, desk: Desk) -> None:
        """Each on its own, and the reply says which."""
        desk.open()
        done = desk.commit(spend=(charge("a", 1), charge("b", 1)))
        expect(done.granted, (True, True), "what is left must be granted")
        done = desk.commit(spend=(charge("a", 1), charge("c", 1), charge("b", 2)))
        expect(done.granted, (False, True, True), "the answers must come in the order of the charges")
        expect(
            desk.spent(charge("a"), charge("b"), charge("c")),
            [1, 2, 1],
            "what is granted must be taken, and what is refused must not",
        )
        expect(desk.commit().granted, (), "nothing asked for must be nothing granted")

    def test_what_is_cleared_is_cleared_before_it_is_spent(self, desk: Desk) -> None:
        """A budget that a step clears and spends is left with what that step spent."""
        desk.open()
        desk.commit(spend=(charge("a", 1),))
        done = desk.commit(clear=("a",), spend=(charge("a", 1),))
        expect(done.granted, (True,), "what a step clears must be left for what it spends")
        expect(desk.spent(charge("a")), [1], "what a step spends must outlive what it clears")

    def test_only_if_granted_writes_all_or_nothing(self, desk: Desk) -> None:
        """One refusal, and nothing at all is written: no state, no charge, no record."""
        desk.start("s-1", "cust-1", charge())
        desk.commit(turn=1, spend=(charge("full", 1),))
        desk.begin()
        before = desk.picture()
        spend = (charge("spend"), charge("full", 1))
        done = desk.commit(**{**everything((charge(),)), "spend": spend}, only_if_granted=True)
        expect(done.granted, (True, False), "a commit that is refused must say which charges were left")
        expect(desk.picture(), before, "with only_if_granted one refusal must leave everything unwritten")
        done = desk.commit(spend=(charge("spend"),), only_if_granted=True, state="new")
        expect(
            (done.granted, desk.load().session.state),
            ((True,), "new"),
            "with only_if_granted a step must be written if all is granted",
        )
        expect(desk.spent(charge("spend")), [1], "what is granted must be taken")

    def test_clearing_drops_every_charge_of_a_budget(self, desk: Desk) -> None:
        """Whoever made them; other budgets and other tenants' keep theirs."""
        for n in range(2):
            desk.open(f"s-{n}")
            desk.commit(f"s-{n}", spend=(charge("a"), charge("A")))
        desk.open("s-1", tenant="u")
        desk.commit("s-1", tenant="u", spend=(charge("a"),))
        desk.commit("s-1", clear=("a",))
        expect(
            desk.spent(charge("a"), charge("A")),
            [0, 2],
            "clearing must drop all of the named budget, and nothing of another",
        )
        expect(desk.spent(charge("a"), tenant="u"), [1], "clearing must leave the other tenant's budget")

    def test_clearing_drops_sums_of_stakes(self, desk: Desk) -> None:
        """A full verification starts the sum anew."""
        desk.open()
        for n, reason in enumerate((None, "ceiling")):
            desk.grant(bytes([n]) * 32)
            expect(
                desk.redeem(bytes([n]) * 32, charge=stake("6", ceiling="10")).reason,
                reason,
                "a sum must be refused that passes the ceiling, and no other: 6 + 6 > 10",
            )
        desk.commit(clear=("stake",))
        desk.grant(b"3" * 32)
        expect(
            desk.redeem(b"3" * 32, charge=stake("10", ceiling="10")).reason,
            None,
            "a sum that was cleared must begin at 0 again",
        )

    # ── What else a step writes ──────────────────────────────────────────────────────────────────────────────────────

    def test_a_number_keeps_the_time_it_was_first_seen(self, desk: Desk) -> None:
        """Seen again it is not younger and not older; the oldest comes first."""
        desk.open()
        early, late = NOW - 40 * DAY - TICK, NOW - DAY
        desk.commit(numbers=(number("b", late), number("a", early)))
        desk.commit(numbers=(number("b", early), number("a", late), number("A", NOW)))
        want = [(early, "a"), (late, "b"), (NOW, "A")]
        expect(
            [(n.first_seen, n.fingerprint) for n in desk.load().subject.numbers],
            want,
            "numbers must keep when they were first seen, and come oldest first",
        )

    def test_numbers_belong_to_one_subject(self, desk: Desk) -> None:
        """The same fingerprint elsewhere is seen for the first time there."""
        desk.start("s-1", "cust-1", numbers=(number("n", NOW - DAY),))
        desk.start("s-2", "cust-2", numbers=(number("n", NOW),))
        expect(
            desk.load("s-2").subject.numbers,
            (KnownNumber(fingerprint="n", first_seen=NOW),),
            "a number must be seen for the first time by each subject",
        )

    def test_a_credential_is_rehashed_only_while_it_is_the_same(self, desk: Desk) -> None:
        """One that was enrolled anew meanwhile, or was never there, is left alone; the step is written all the same."""
        desk.enroll(credential(), credential("tenure"))
        desk.start()
        desk.commit(rehash=credential(key_id="k-2", full=b"2" * 32))
        kept = desk.load().subject.credentials
        expect(
            kept["pin"],
            credential(key_id="k-2", full=b"2" * 32),
            "a credential that is still the same must be replaced",
        )
        expect(kept["tenure"], credential("tenure"), "a rehash must leave the credential of another check")
        desk.commit(rehash=credential(enrolled_at=NOW - 2 * DAY - TICK, full=b"3" * 32), state="written")
        desk.commit(rehash=credential("school"))
        found = desk.load()
        expect(
            dict(found.subject.credentials),
            dict(kept),
            "a credential that is another by now, or was never there, must not be written",
        )
        expect(found.session.version, 4, "a step must be written whether its rehash was or not")

    def test_a_new_grant_voids_the_earlier_ones(self, desk: Desk) -> None:
        """Of this session; another session's stays open."""
        desk.open("s-1")
        desk.open("s-2")
        desk.grant(b"1" * 32)
        desk.grant(b"2" * 32, "s-2")
        desk.grant(b"3" * 32)
        expect(desk.redeem(b"1" * 32).reason, "void", "a newer grant must void the one before it")
        expect(
            [desk.redeem(each * 32).reason for each in (b"2", b"3")],
            [None, None],
            "the newest grant of each session must be open",
        )

    def test_voiding_leaves_what_was_redeemed(self, desk: Desk) -> None:
        """A grant that was used stays used; open ones of this session are void."""
        desk.open("s-1")
        desk.open("s-2")
        desk.grant(b"1" * 32)
        desk.redeem(b"1" * 32, request="r")
        desk.grant(b"2" * 32)
        desk.grant(b"3" * 32, "s-2")
        desk.commit(void_grants=True)
        expect(desk.redeem(b"1" * 32).reason, "used", "a grant that was used must stay used")
        yes(
            desk.redeem(b"1" * 32, request="r").replayed,
            "the request that used a grant must be told so again, though others were voided",
        )
        expect(desk.redeem(b"2" * 32).reason, "void", "an open grant of the session must be void")
        expect(desk.redeem(b"3" * 32).reason, None, "a grant of another session must stay open")

    def test_records_of_steps_and_notes_are_one_chain(self, desk: Desk) -> None:
        """Every verb that records adds one, in the order of the writes."""
        desk.enroll(credential())
        desk.open()
        desk.grant()
        desk.redeem()
        desk.redeem()
        desk.note()
        desk.run(desk.store.note("t", None, sealed_with("t", Event.PURGED), NOW, fresh_key=b"n" * 32))
        desk.stand(flags=())
        desk.erase()
        desk.intact(8)
