"""What is kept between runs: enrolled facts, holds, notes, erasure, the log, and the end."""

from __future__ import annotations

from kyc_verify.credentials import Argon2Profile
from kyc_verify.errors import ConflictError, UnknownSession
from kyc_verify.ports import Pin, Run, Standing
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

__all__ = ["Keeping"]


class Keeping:
    """What `enroll`, `set_standing`, `note`, `erase`, `records`, `ready` and `close` promise."""

    def test_a_fresh_store_is_ready(self, desk: Desk) -> None:
        """And stays so."""
        desk.run(desk.store.ready(NOW))
        desk.open()
        desk.run(desk.store.ready(NOW))

    # ── enroll ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_credential_comes_back_as_it_went_in(self, desk: Desk) -> None:
        """Every field, bytes and microseconds included."""
        many = credential(
            "school",
            kind="custom:École",
            forms_version=2**31,
            profile=Argon2Profile(memory=2**31 + 1, time=10, parallelism=255),
            salt=b"\x00" * 16,
            key_id="k-2026",
            full=bytes(range(224, 256)),
            near=b"\xff" * 32,
            typo=(b"\x00" * 16, b"t" * 16),
            enrolled_at=NOW - TICK,
            enrolled_by="agent-ß",
            enrolled_call="call-東京",
            seal=b"\x00" * 32,
        )
        desk.enroll(many, credential())
        desk.open()
        expect(
            dict(desk.load().subject.credentials),
            {"school": many, "pin": credential()},
            "every credential must come back as it went in",
        )

    def test_enrolling_again_replaces(self, desk: Desk) -> None:
        """What is named; everything else stays."""
        desk.enroll(credential(), credential("school"))
        newer = credential(full=b"2" * 32, enrolled_at=NOW)
        desk.enroll(newer)
        desk.open()
        expect(
            dict(desk.load().subject.credentials),
            {"pin": newer, "school": credential("school")},
            "enrolling must replace the named credential, and no other",
        )

    def test_enrolling_voids_open_grants(self, desk: Desk) -> None:
        """Of this subject, in every session; another subject's stay open."""
        for n in (1, 2, 3):
            who = "cust-2" if n == 3 else "cust-1"  # noqa: PLR2004 - the third is another's
            desk.open(f"s-{n}", who)
            desk.grant(bytes([n]) * 32, f"s-{n}")
        desk.enroll(credential())
        found = [desk.redeem(bytes([n]) * 32).reason for n in (1, 2, 3)]
        expect(found, ["void", "void", None], "enrolling must void the open grants of the subject, and of no other")

    def test_enrolling_clears_the_named_budgets(self, desk: Desk) -> None:
        """A new answer has not been guessed at; other budgets stay."""
        desk.open()
        desk.commit(spend=(charge("a"), charge("b")))
        desk.enroll(credential(), clear=("a",))
        expect(desk.spent(charge("a"), charge("b")), [0, 1], "enrolling must clear the named budget, and no other")

    def test_a_key_is_made_once(self, desk: Desk) -> None:
        """With the first event of a subject, whichever verb brings it; the seal is given the one that is kept."""
        keys: list[bytes] = []
        desk.enroll(credential(), fresh_key=b"1" * 32, seal=sealed_with(keys=keys))
        desk.enroll(credential(), fresh_key=b"2" * 32, seal=sealed_with(keys=keys))
        desk.stand(flags=(), seal=sealed_with(keys=keys))
        desk.note(seal=sealed_with(keys=keys), fresh_key=b"3" * 32)
        expect(set(keys), {b"1" * 32}, "every seal must be given the key that was made first")
        expect(desk.open().subject.key, b"1" * 32, "a session must be under the key that was made first")

    # ── set_standing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_hold_is_set_and_lifted(self, desk: Desk) -> None:
        """And leaves the flags."""
        desk.open()
        desk.stand(Standing.LOCKED, flags=("name", "birth"))
        desk.stand(Standing.OPEN)
        expect(
            (desk.load().subject.standing, desk.load().subject.flags),
            (Standing.OPEN, ("name", "birth")),
            "lifting a hold must leave the flags",
        )
        desk.stand(Standing.LOCKED)
        desk.stand(flags=())
        expect(
            (desk.load().subject.standing, desk.load().subject.flags),
            (Standing.LOCKED, ()),
            "clearing flags must leave the hold",
        )

    def test_a_hold_belongs_to_one_subject(self, desk: Desk) -> None:
        """Of one tenant."""
        desk.open("s-1", "cust-1", tenant="u")
        desk.open("s-2", "cust-2")
        desk.stand(Standing.LOCKED, flags=("name",))
        for session, tenant in (("s-1", "u"), ("s-2", "t")):
            found = desk.load(session, tenant=tenant).subject
            expect(
                (found.standing, found.flags),
                (Standing.OPEN, ()),
                "a hold and flags must be of one subject of one tenant",
            )

    def test_a_hold_can_come_before_anything_else(self, desk: Desk) -> None:
        """It makes the subject's row."""
        desk.stand(Standing.LOCKED)
        found = desk.open(known=False).subject
        expect(
            (found.known, found.standing), (True, Standing.LOCKED), "a hold must make the row of its subject, and hold"
        )

    def test_a_hold_and_flags_void_open_grants(self, desk: Desk) -> None:
        """Lifting a hold and clearing counts do not."""
        desk.open()
        wanted: list[tuple[Standing | None, tuple[str, ...] | None, str | None]] = [
            (Standing.LOCKED, None, "void"),
            (Standing.OPEN, None, None),
            (None, ("name",), "void"),
            (None, (), "void"),
            (None, None, None),
        ]
        for n, (standing, flags, reason) in enumerate(wanted):
            desk.grant(bytes([n]) * 32)
            desk.stand(standing, flags=flags)
            desk.stand(Standing.OPEN)
            expect(
                desk.redeem(bytes([n]) * 32).reason,
                reason,
                f"a hold and flags must void open grants, and nothing else: after {standing}, {flags}",
            )

    def test_counts_are_cleared_by_name(self, desk: Desk) -> None:
        """Budgets, run counts, pins and sums that are named; no others."""
        desk.open("s-1")
        desk.open("s-2", run=Run(key="kept", window=DAY))
        desk.commit(spend=(charge("a"), charge("b")), pin=Pin(key="pin", check="pin", until=NOW + DAY))
        desk.commit(pin=Pin(key="kept", check="kept", until=NOW + DAY))
        for digest, key in ((b"1" * 32, "stake"), (b"2" * 32, "kept")):
            desk.grant(digest)
            desk.redeem(digest, charge=stake("6", ceiling="10", key=key))
        desk.stand(clear=("a", "runs", "pin", "stake"))
        expect(desk.spent(charge("a"), charge("b")), [0, 1], "the named budget must be cleared, and no other")
        expect(desk.open("s-3").run, 1, "the named count of runs must be cleared")
        expect(desk.open("s-4", run=Run(key="kept", window=DAY)).run, 2, "a count of runs that was not named must stay")
        expect(desk.pin(), None, "the named pin must be cleared")
        expect(desk.pin("kept"), "kept", "a pin that was not named must stay")
        for digest, key, reason in ((b"3" * 32, "stake", None), (b"4" * 32, "kept", "ceiling")):
            desk.grant(digest)
            found = desk.redeem(digest, charge=stake("6", ceiling="10", key=key)).reason
            expect(found, reason, "of the sums of stakes the one that is named must be dropped, and no other")

    # ── note ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_a_note_of_nobody_is_under_the_key_of_the_day(self, desk: Desk) -> None:
        """And makes no row."""
        keys: list[bytes] = []
        desk.note("nobody", seal=sealed_with(keys=keys))
        desk.note(None, seal=sealed_with(keys=keys), fresh_key=b"m" * 32)
        found = desk.open("s-1", "nobody", known=False).subject
        expect(
            (found.known, found.key),
            (False, keys[0]),
            "a note of nobody must make no row, and be under the key of the day",
        )
        expect(keys[1], keys[0], "every note of a day must be under the same key")
        desk.note("nobody", seal=sealed_with(keys=keys), now=NOW + DAY, fresh_key=b"o" * 32)
        yes(keys[2] != keys[0], "the next day must have another key")

    def test_a_note_changes_nothing_else(self, desk: Desk) -> None:
        """It only records."""
        desk.start()
        before = desk.load()
        desk.note()
        expect(desk.load(), before, "a note must leave the session as it was")
        desk.intact(2)

    # ── erase ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_erasing_forgets_the_subject(self, desk: Desk) -> None:
        """Key, credentials, sessions, grants, numbers, hold and flags are gone; it is recorded."""
        desk.enroll(credential())
        key = desk.start("s-1", numbers=(number("n"),)).subject.key
        desk.grant()
        desk.stand(Standing.LOCKED, flags=("name",))
        yes(desk.erase(), "an erasure must say that there was a row")
        fails(UnknownSession, lambda: desk.load("s-1"), "its sessions")
        fails(UnknownSession, lambda: desk.begin(1), "its sessions")
        expect(desk.redeem().reason, "unknown", "an erasure must forget grants")
        found = desk.open("s-9").subject
        yes(found.key != key, "an erasure must forget the key")
        expect(
            (dict(found.credentials), found.numbers, found.flags),
            ({}, (), ()),
            "an erasure must forget credentials, numbers and flags",
        )
        expect(found.standing, Standing.OPEN, "an erasure must forget the hold")
        desk.intact(6)

    def test_erasing_twice_and_erasing_nobody(self, desk: Desk) -> None:
        """Says that there was no row, and is recorded all the same."""
        desk.enroll(credential())
        expect(
            [desk.erase(), desk.erase(), desk.erase("nobody")],
            [True, False, False],
            "an erasure must say whether there was a row",
        )
        desk.intact(4)

    def test_erasing_takes_sessions_about_somebody_unknown(self, desk: Desk) -> None:
        """Also without a row of its own."""
        desk.open("s-1", "nobody", known=False)
        yes(not desk.erase("nobody"), "an erasure of somebody without a row must say so")
        fails(UnknownSession, lambda: desk.load("s-1"), "its session")

    def test_erasing_refills_no_budget(self, desk: Desk) -> None:
        """Budgets, run counts, pins and sums stay under their keyed names until their window ends."""
        desk.enroll(credential())
        desk.open()
        desk.grant()
        desk.redeem(charge=stake("6", ceiling="10"))
        desk.commit(spend=(charge(),), pin=Pin(key="pin", check="pin", until=NOW + DAY))
        desk.erase()
        expect(desk.spent(charge()), [1], "an erasure must leave tries charged")
        expect(desk.open("s-2").run, 2, "an erasure must leave runs counted")
        expect(desk.pin(), "pin", "an erasure must leave the pinned question")
        desk.grant(b"2" * 32, "s-2")
        expect(
            desk.redeem(b"2" * 32, charge=stake("6", ceiling="10")).reason,
            "ceiling",
            "an erasure must leave sums counted",
        )

    def test_erasing_leaves_everybody_else(self, desk: Desk) -> None:
        """The same id in another tenant, and other subjects."""
        for tenant in ("t", "u"):
            desk.enroll(credential(tenant=tenant), tenant=tenant)
        desk.enroll(credential(subject="cust-11"), subject="cust-11")
        desk.start("s-1", tenant="u", numbers=(number("n"),))
        desk.start("s-2", "cust-11", numbers=(number("n"),))
        desk.grant(b"1" * 32, tenant="u")
        desk.grant(b"2" * 32, "s-2", subject="cust-11")
        before = desk.load("s-1", tenant="u"), desk.load("s-2")
        desk.erase()
        found = desk.load("s-1", tenant="u"), desk.load("s-2")
        expect(found, before, "an erasure must leave what is kept of others")
        expect(desk.redeem(b"1" * 32, tenant="u").reason, None, "an erasure must leave the other tenant's grants")
        other = desk.redeem(b"2" * 32, bound=binding(subject="cust-11")).reason
        expect(other, None, "an erasure must leave the grants of other subjects")

    def test_a_call_under_way_cannot_outlive_an_erasure(self, desk: Desk) -> None:
        """What it would write conflicts."""
        desk.start()
        desk.begin()
        change = desk.change(numbers=(number("n"),))
        desk.erase()
        fails(ConflictError, lambda: desk.write(change), "the subject is gone")

    # ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_records_come_in_order_and_in_pages(self, desk: Desk) -> None:
        """After a number, at most so many, without a gap."""
        for _ in range(7):
            desk.note()
        expect([each.seq for each in desk.records()], list(range(1, 8)), "records must be numbered from 1")
        expect(
            [each.seq for each in desk.records(2, 3)],
            [3, 4, 5],
            "a page must have the records after a number, and no more than asked for",
        )
        expect([each.seq for each in desk.records(6, 3)], [7], "the last page must have what is left")
        expect(
            [desk.records(7, 3), desk.records(99, 3), desk.records(0, 0)],
            [[], [], []],
            "there must be no record after the last, and none where none is asked for",
        )
        expect(desk.records(tenant="nobody"), [], "a tenant without a record must have none")

    def test_a_record_comes_back_as_it_was_sealed(self, desk: Desk) -> None:
        """Every field: else its MAC would not fit."""
        desk.open()
        detail: dict[str, str | int] = {"score": -2147483649, "réason": "«ok»\n\x1b[0m\u2028", "turn": 3}
        seal = sealed(
            agent="agent-7", subject="a" * 32, call="b" * 32, session="c" * 32, action="pay", verdict="denied",
            policy="d" * 64, detail=detail,
        )  # fmt: skip
        desk.write(desk.change(), seal)
        record = desk.records()[0]
        expect(dict(record.detail), detail, "the detail of a record must come back as it was, texts and numbers")
        expect(
            (record.at, record.agent, record.policy),
            (NOW, "agent-7", "d" * 64),
            "every field of a record must come back as it was",
        )
        desk.intact(1)

    def test_tenants_have_chains_of_their_own(self, desk: Desk) -> None:
        """Each from 1."""
        for tenant in ("t", "u", "t", "T", "u", "t"):
            desk.note(tenant=tenant)
        for tenant, length in (("t", 3), ("u", 2), ("T", 1)):
            desk.intact(length, tenant=tenant)

    # ── close ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_closing_twice_is_harmless(self, desk: Desk) -> None:
        """As a program's end may do."""
        desk.run(desk.store.close())
        desk.run(desk.store.close())
