"""What a database is tempted to bend: ids, lengths, times and integers; and whose is whose; and a restart."""

from __future__ import annotations

from kyc_verify.errors import UnknownSession
from kyc_verify.ports import LEASE, Pin, Run
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

__all__ = ["Exactness"]

SPELLINGS = (
    "maria", "Maria", "MARIA", "mariá", "mari\u0061\u0301", "maria ", " maria", "marıa", "ma_ia", "ma%", "straße",
    "strasse", "کمال", "كمال", "m\u0430ria", "ⅿaria", "🙂", "🙃", "0", "00", "0.0", "1e3", "1000", "null", "None",
)  # fmt: skip
"""Ids that collations, padding, folding, patterns or type guesses confuse; each is one of its own."""


class Exactness:
    """Ids are exact, and nothing is rounded."""

    def test_ids_of_subjects_are_exact(self, desk: Desk) -> None:
        """No spelling finds another's credential."""
        for n, subject in enumerate(SPELLINGS):
            desk.enroll(credential(subject=subject, key_id=f"k-{n}"), subject=subject, fresh_key=n.to_bytes(32, "big"))
        for n, subject in enumerate(SPELLINGS):
            found = desk.open(f"s-{n}", subject).subject
            expect((found.key, found.credentials["pin"].key_id), (n.to_bytes(32, "big"), f"k-{n}"), f"{subject!r}")

    def test_ids_of_sessions_tenants_and_requests_are_exact(self, desk: Desk) -> None:
        """No spelling finds another's session."""
        for n, name in enumerate(SPELLINGS):
            yes(not desk.open(name, f"cust-{n}", request=name).replayed, f"the request {name!r}")
            desk.open("s", f"cust-{n}", tenant=f"tenant {name}")
        for n, name in enumerate(SPELLINGS):
            expect(desk.load(name).session.subject, f"cust-{n}", f"the session {name!r}")
            expect(desk.load("s", tenant=f"tenant {name}").session.subject, f"cust-{n}", f"the tenant {name!r}")

    def test_keyed_names_and_checks_are_exact(self, desk: Desk) -> None:
        """Budgets, runs, pins, sums, checks and fingerprints."""
        desk.open()
        for n, name in enumerate(SPELLINGS):
            pin = Pin(key=name, check=f"check-{n}", until=NOW + DAY)
            desk.commit(pin=pin, numbers=(number(name, NOW - n * DAY),), spend=(charge(name),) * (n + 1))
            desk.enroll(credential(name, key_id=f"k-{n}"))
            expect(desk.load(run=Run(key=name, window=DAY)).run, 1, f"the run {name!r}")
            desk.grant(n.to_bytes(32, "big"))
            expect(desk.redeem(n.to_bytes(32, "big"), charge=stake("1", count=1, key=name)).reason, None, f"{name!r}")
        for n, name in enumerate(SPELLINGS):
            expect(desk.pin(name), f"check-{n}", f"the pin {name!r}")
            expect(desk.spent(charge(name)), [min(n + 1, 3)], f"the budget {name!r}")
        found = desk.load().subject
        expect({name: kept.key_id for name, kept in found.credentials.items()}, {
            name: f"k-{n}" for n, name in enumerate(SPELLINGS)
        }, "the checks")  # fmt: skip
        expect([each.fingerprint for each in found.numbers], list(reversed(SPELLINGS)), "the numbers, oldest first")

    def test_long_ids_are_not_cut(self, desk: Desk) -> None:
        """200 characters of four bytes each, told apart by the last."""
        one, two = "🙂" * 199 + "1", "🙂" * 199 + "2"
        for name in (one, two):
            tenant = name
            desk.enroll(credential(name, name, tenant, key_id=name), subject=name, tenant=tenant)
            desk.open(name[-100:], name, tenant=tenant, request=name)
            desk.commit(name[-100:], tenant=tenant, spend=(charge(name),), numbers=(number(name),))
        for name in (one, two):
            found = desk.load(name[-100:], tenant=name)
            expect((found.session.tenant, found.session.subject), (name, name), "whole")
            expect(found.subject.credentials[name], credential(name, name, name, key_id=name), "whole")
            expect(found.subject.numbers, (number(name),), "whole")
            expect(desk.spent(charge(name), tenant=name), [1], "its own")

    def test_digests_and_keys_are_exact(self, desk: Desk) -> None:
        """All bytes, also those that end texts or look like space."""
        digests = [
            b"\x00" * 32,
            b"\x00" * 31 + b" ",
            b" " * 32,
            b"A" * 32,
            b"a" * 32,
            b"\xff" * 32,
            b"'\\%_\n\r\x1a\x00" * 4,
        ]
        for n, digest in enumerate(digests):
            desk.open(f"s-{n}", f"cust-{n}", fresh_key=digest)
            desk.grant(digest, f"s-{n}")
        for n, digest in enumerate(digests):
            expect(desk.load(f"s-{n}").subject.key, digest, "the key")
            expect(desk.redeem(digest).session, f"s-{n}", "the grant")

    def test_times_keep_their_microseconds(self, desk: Desk) -> None:
        """Everywhere, and far from today."""
        for n, moment in enumerate(
            [NOW, NOW + TICK, NOW.replace(year=2099, microsecond=999_999), NOW.replace(year=2400)]
        ):
            session = f"s-{n}"
            desk.open(session, f"cust-{n}", now=moment, expires_at=moment + TICK)
            desk.commit(
                session, now=moment, turn=1, expires_at=moment + 2 * TICK, numbers=(number("n", moment - TICK),)
            )
            desk.begin(1, session, now=moment)
            found = desk.load(session)
            expect(found.session.claimed_at, moment, "claimed")
            expect(found.session.expires_at, moment + 2 * TICK, "expires")
            expect(found.subject.numbers[0].first_seen, moment - TICK, "first seen")
            yes(not desk.begin(1, session, now=moment + LEASE - TICK).claimed, "within the lease")
            yes(desk.begin(1, session, now=moment + LEASE).spent, "at its end")

    def test_integers_come_back_as_integers(self, desk: Desk) -> None:
        """Turns, versions, limits and counts: not text, not decimals."""
        cost = charge("a", 2**31, (2**53 + 1) * TICK)
        desk.start("s-1", "cust-1", cost)
        begun = desk.begin()
        numbers = (begun.session.turn, begun.session.version, begun.session.charges[0].limit, desk.records()[0].seq)
        expect([type(each) for each in numbers], [int] * 4, "integers")
        expect(begun.session.charges, (cost,), "to the microsecond")
        opened = desk.open("s-2", watch=(charge("a"),))
        expect([type(each) for each in (opened.run, opened.spent["a"])], [int, int], "integers")

    def test_tenants_share_nothing(self, desk: Desk) -> None:
        """The same names in two tenants are two things."""
        for tenant, key in (("t", b"1" * 32), ("u", b"2" * 32)):
            desk.enroll(credential(tenant=tenant, key_id=f"k-{tenant}"), tenant=tenant, fresh_key=key)
            desk.start("s-1", "cust-1", charge(limit=1), tenant=tenant)
            desk.grant(b"d" * 32, tenant=tenant)
        desk.begin(2, tenant="t")
        yes(desk.load(tenant="u").session.claimed_at is None, "the other's is free")
        expect(desk.redeem().reason, None, "one tenant's grant")
        expect(desk.redeem(tenant="u").reason, None, "is not the other's")
        found = desk.load(tenant="u").subject
        expect((found.key, found.credentials["pin"].key_id), (b"2" * 32, "k-u"), "what is kept of the subject")
        desk.erase(tenant="t")
        expect(desk.load(tenant="u").subject, found, "erased in one only")
        fails(UnknownSession, desk.load, "erased in the other")

    def test_everything_survives_a_restart(self, desk: Desk, reopened: Desk) -> None:
        """Claims, budgets, runs, pins, sums, grants, credentials, and the end of the chain."""
        desk.enroll(credential())
        key = desk.start("s-1", "cust-1", charge(limit=1), pin=Pin(key="pin", check="pin", until=NOW + DAY)).subject.key
        desk.grant(b"1" * 32, "s-1")
        desk.redeem(b"1" * 32, charge=stake("6", ceiling="10"))
        desk.commit(turn=1, charges=(charge(limit=1),))
        desk.begin()
        before = desk.load()
        desk.done()
        found = reopened.load()
        expect(found, before, "session and subject")
        expect(found.subject.key, key, "the key")
        yes(not reopened.begin().claimed, "the claim")
        expect(reopened.spent(charge()), [1], "the budget")
        expect((reopened.open("s-2").run, reopened.pin()), (2, "pin"), "the run and the pin")
        expect(reopened.redeem(b"1" * 32).reason, "used", "the redemption")
        reopened.grant(b"2" * 32, "s-2")
        expect(reopened.redeem(b"2" * 32, charge=stake("6", ceiling="10")).reason, "ceiling", "the sum")
        reopened.intact(8)
