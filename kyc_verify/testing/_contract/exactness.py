"""What a database is tempted to bend: ids, lengths, times and integers."""

from __future__ import annotations

from kyc_verify.ports import LEASE, Pin, Run
from kyc_verify.testing._contract.desk import (
    DAY,
    NOW,
    TICK,
    Desk,
    charge,
    credential,
    expect,
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
            expect(
                (found.key, found.credentials["pin"].key_id),
                (n.to_bytes(32, "big"), f"k-{n}"),
                f"the subject {subject!r} must be found by its exact id, and no other",
            )

    def test_ids_of_sessions_tenants_and_requests_are_exact(self, desk: Desk) -> None:
        """No spelling finds another's session."""
        for n, name in enumerate(SPELLINGS):
            yes(
                not desk.open(name, f"cust-{n}", request=name).replayed,
                f"the request {name!r} must not be taken for another",
            )
            desk.open("s", f"cust-{n}", tenant=f"tenant {name}")
        for n, name in enumerate(SPELLINGS):
            expect(desk.load(name).session.subject, f"cust-{n}", f"the session {name!r} must be found by its exact id")
            expect(
                desk.load("s", tenant=f"tenant {name}").session.subject,
                f"cust-{n}",
                f"the tenant {name!r} must be found by its exact id",
            )

    def test_keyed_names_and_checks_are_exact(self, desk: Desk) -> None:
        """Budgets, runs, pins, sums, checks and fingerprints."""
        desk.open()
        for n, name in enumerate(SPELLINGS):
            pin = Pin(key=name, check=f"check-{n}", until=NOW + DAY)
            desk.commit(pin=pin, numbers=(number(name, NOW - n * DAY),), spend=(charge(name),) * (n + 1))
            desk.enroll(credential(name, key_id=f"k-{n}"))
            expect(desk.load(run=Run(key=name, window=DAY)).run, 1, f"the run count {name!r} must be one of its own")
            desk.grant(n.to_bytes(32, "big"))
            expect(
                desk.redeem(n.to_bytes(32, "big"), charge=stake("1", count=1, key=name)).reason,
                None,
                f"the sum {name!r} must be one of its own",
            )
        for n, name in enumerate(SPELLINGS):
            expect(desk.pin(name), f"check-{n}", f"the pin {name!r} must be one of its own")
            expect(desk.spent(charge(name)), [min(n + 1, 3)], f"the budget {name!r} must be one of its own")
        found = desk.load().subject
        expect({name: kept.key_id for name, kept in found.credentials.items()}, {
            name: f"k-{n}" for n, name in enumerate(SPELLINGS)
        }, "each check must have the credential that was enrolled for it")  # fmt: skip
        expect(
            [each.fingerprint for each in found.numbers],
            list(reversed(SPELLINGS)),
            "every number must be there, the oldest first",
        )

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
            expect((found.session.tenant, found.session.subject), (name, name), "long ids must come back whole")
            expect(
                found.subject.credentials[name],
                credential(name, name, name, key_id=name),
                "a credential with long ids must come back whole",
            )
            expect(found.subject.numbers, (number(name),), "a long fingerprint must come back whole")
            expect(desk.spent(charge(name), tenant=name), [1], "budgets with long names must be told apart")

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
            expect(desk.load(f"s-{n}").subject.key, digest, "a key must come back with all its bytes")
            expect(desk.redeem(digest).session, f"s-{n}", "a grant must be found by all bytes of its digest")

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
            expect(found.session.claimed_at, moment, "the time of a claim must be kept to the microsecond")
            expect(found.session.expires_at, moment + 2 * TICK, "the end of a session must be kept to the microsecond")
            expect(
                found.subject.numbers[0].first_seen,
                moment - TICK,
                "the time a number was first seen must be kept to the microsecond",
            )
            yes(
                not desk.begin(1, session, now=moment + LEASE - TICK).claimed,
                "a claim must hold until a microsecond before the end of its lease",
            )
            yes(desk.begin(1, session, now=moment + LEASE).spent, "a claim must be over at the end of its lease")

    def test_integers_come_back_as_integers(self, desk: Desk) -> None:
        """Turns, versions, limits and counts: not text, not decimals."""
        cost = charge("a", 2**31, (2**53 + 1) * TICK)
        desk.start("s-1", "cust-1", cost)
        begun = desk.begin()
        numbers = (begun.session.turn, begun.session.version, begun.session.charges[0].limit, desk.records()[0].seq)
        expect([type(each) for each in numbers], [int] * 4, "integers must come back as integers")
        expect(begun.session.charges, (cost,), "a window must come back to the microsecond")
        opened = desk.open("s-2", watch=(charge("a"),))
        expect(
            [type(each) for each in (opened.run, opened.spent["a"])], [int, int], "counts must come back as integers"
        )
