"""Whose is whose: what is one tenant's, one subject's or one session's, no other can see, use or change.

Everything here has the same names twice: only what must tell the two apart does.
"""

from __future__ import annotations

from kyc_verify.errors import UnknownSession
from kyc_verify.ports import KnownNumber, Pin, Standing
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
    sealed_with,
    stake,
    yes,
)

__all__ = ["Belonging"]


class Belonging:
    """What every verb promises to those whom it is not about."""

    def test_tenants_share_nothing(self, desk: Desk) -> None:
        """The same names in two tenants are two things."""
        for tenant, key in (("t", b"1" * 32), ("u", b"2" * 32)):
            desk.enroll(credential(tenant=tenant, key_id=f"k-{tenant}"), tenant=tenant, fresh_key=key)
            desk.start("s-1", "cust-1", charge(limit=1), tenant=tenant)
            desk.grant(b"d" * 32, tenant=tenant)
        desk.begin(2, tenant="t")
        yes(desk.load(tenant="u").session.claimed_at is None, "a claim must leave the other tenant's session free")
        expect(desk.redeem().reason, None, "a grant must be redeemed where the other tenant has the same one")
        expect(desk.redeem(tenant="u").reason, None, "redeeming a grant must not use the other tenant's up")
        found = desk.load(tenant="u").subject
        expect((found.key, found.credentials["pin"].key_id), (b"2" * 32, "k-u"), "a subject must be its tenant's own")
        desk.erase(tenant="t")
        expect(desk.load(tenant="u").subject, found, "an erasure must leave the other tenant's subject")
        fails(UnknownSession, desk.load, "an erasure must take the tenant's own")

    # ── Tries, runs, pins and sums ───────────────────────────────────────────────────────────────────────────────────

    def test_a_refund_is_of_one_session_of_one_tenant(self, desk: Desk) -> None:
        """Of sessions that claimed the same turn, of the same budget, at the same version."""
        for tenant, session in (("t", "s-1"), ("t", "s-2"), ("u", "s-1")):
            desk.start(session, "cust-1", charge(limit=9), tenant=tenant)
            desk.begin(1, session, tenant=tenant)
        desk.commit(refund=True)
        expect(desk.spent(charge()), [1], "a refund must give back what this session's turn cost, and no other's")
        expect(desk.spent(charge(), tenant="u"), [1], "a refund must not give back what the other tenant's turn cost")

    def test_a_run_is_given_back_to_one_tenant(self, desk: Desk) -> None:
        """The other tenant's session of the same id keeps its number."""
        desk.open()
        desk.open(tenant="u")
        desk.commit(give_back_run="runs")
        expect(desk.open("s-2").run, 1, "a run that was given back must not count")
        expect(desk.open("s-2", tenant="u").run, 2, "giving a run back must leave the other tenant's")

    def test_counts_are_cleared_of_one_tenant(self, desk: Desk) -> None:
        """By each verb that clears them."""
        for tenant in ("t", "u"):
            self._counted(desk, tenant)
        desk.commit(clear=("tries", "stake"))
        desk.enroll(credential(), clear=("tries", "runs", "pin", "stake"))
        self._still_counts(desk, "s-2", "committing and enrolling")
        desk.stand(clear=("tries", "runs", "pin", "stake"))
        self._still_counts(desk, "s-3", "a change of standing")

    def _counted(self, desk: Desk, tenant: str) -> None:
        desk.open(tenant=tenant)
        pin = Pin(key="pin", check="tenure", until=NOW + DAY)
        desk.commit(tenant=tenant, spend=(charge(),), pin=pin)
        desk.grant(tenant=tenant)
        desk.redeem(tenant=tenant, charge=stake("6", ceiling="10"))

    def _still_counts(self, desk: Desk, session: str, what: str) -> None:
        left = f"{what} must leave the other tenant's"
        run = int(session[-1])
        expect(desk.spent(charge(), tenant="u"), [1], f"{left} tries")
        expect(desk.open(session, tenant="u").run, run, f"{left} runs")
        expect(desk.pin(tenant="u"), "tenure", f"{left} pinned question")
        digest = session.encode() * 10 + b"__"
        desk.grant(digest, session, tenant="u")
        found = desk.redeem(digest, tenant="u", charge=stake("6", ceiling="10")).reason
        expect(found, "ceiling", f"{left} sums: 6 + 6 > 10")

    def test_a_pin_is_of_one_name_of_one_tenant(self, desk: Desk) -> None:
        """Both pin a question under the same key, and one takes it away."""
        for tenant, check in (("t", "tenure"), ("u", "school")):
            desk.open(tenant=tenant)
            desk.commit(tenant=tenant, pin=Pin(key="pin", check=check, until=NOW + DAY))
        expect((desk.pin(), desk.pin(tenant="u")), ("tenure", "school"), "each tenant must find its own question")
        desk.commit(pin=Pin(key="PIN", check="birth", until=NOW + DAY))
        desk.commit(pin=Pin(key="pin", check=None, until=NOW))
        expect(desk.pin(), None, "a pin that is taken away must be gone")
        expect(desk.pin("PIN"), "birth", "taking a pin away must leave those of other names")
        expect(desk.pin(tenant="u"), "school", "taking a pin away must leave the other tenant's")

    def test_sums_are_of_one_tenant(self, desk: Desk) -> None:
        """9 of 10 here leave 10 there."""
        for tenant in ("t", "u"):
            desk.open(tenant=tenant)
            desk.grant(tenant=tenant)
            found = desk.redeem(tenant=tenant, charge=stake("9", ceiling="10")).reason
            expect(found, None, "what one tenant redeemed must not count for the other")

    # ── What is kept of a subject ────────────────────────────────────────────────────────────────────────────────────

    def test_a_rehash_is_of_one_credential(self, desk: Desk) -> None:
        """Of those enrolled at the same time, for the same check or the same subject."""
        others = [("cust-2", "t", "pin"), ("cust-1", "u", "pin"), ("cust-1", "t", "tenure")]
        desk.enroll(credential())
        for n, (subject, tenant, check) in enumerate(others):
            kept = credential(check, subject, tenant, key_id=f"k-{n}")
            desk.enroll(kept, subject=subject, tenant=tenant)
            desk.open(f"other-{n}", subject, tenant=tenant)
        desk.open()
        desk.commit(rehash=credential(full=b"2" * 32))
        expect(desk.load().subject.credentials["pin"], credential(full=b"2" * 32), "the credential must be replaced")
        for n, (subject, tenant, check) in enumerate(others):
            found = desk.load(f"other-{n}", tenant=tenant).subject.credentials[check]
            want = credential(check, subject, tenant, key_id=f"k-{n}")
            expect(found, want, f"a rehash must leave the {check} of {subject} of tenant {tenant}")

    def test_numbers_are_of_one_tenant(self, desk: Desk) -> None:
        """The same subject with the same number is seen for the first time there."""
        desk.start("s-1", numbers=(number("n", NOW - DAY),))
        desk.open("s-1", tenant="u")
        expect(desk.load(tenant="u").subject.numbers, (), "a number must not be known to the other tenant")
        desk.commit(tenant="u", numbers=(number("n", NOW),))
        want = (KnownNumber(fingerprint="n", first_seen=NOW),)
        expect(desk.load(tenant="u").subject.numbers, want, "each tenant must see a number for the first time itself")

    def test_standing_is_of_one_subject(self, desk: Desk) -> None:
        """Lifting one hold leaves the others'."""
        everybody = [("s-1", "cust-1", "t"), ("s-2", "cust-2", "t"), ("s-1", "cust-1", "u")]
        for session, subject, tenant in everybody:
            desk.open(session, subject, tenant=tenant)
            desk.stand(Standing.LOCKED, flags=("name",), subject=subject, tenant=tenant)
        desk.stand(Standing.OPEN, flags=())
        for session, _, tenant in everybody[1:]:
            found = desk.load(session, tenant=tenant).subject
            expect((found.standing, found.flags), (Standing.LOCKED, ("name",)), "lifting a hold must lift no other's")

    def test_records_are_under_the_key_of_their_subject(self, desk: Desk) -> None:
        """Each tenant has one for each subject, and one for the day."""
        whom = [
            ("t", "s-1", "cust-1"), ("t", "s-2", "cust-2"), ("u", "s-1", "cust-1"), ("t", "s-3", "nobody"),
            ("u", "s-3", "nobody"),
        ]  # fmt: skip
        for tenant, session, subject in whom:
            desk.open(session, subject, tenant=tenant, known=subject != "nobody")
        for tenant, session, subject in whom:
            keys: list[bytes] = []
            key = desk.load(session, tenant=tenant).subject.key
            desk.note(subject, tenant=tenant, seal=sealed_with(tenant, keys=keys))
            if subject != "nobody":
                desk.enroll(subject=subject, tenant=tenant, seal=sealed_with(tenant, keys=keys))
                desk.stand(flags=(), subject=subject, tenant=tenant, seal=sealed_with(tenant, keys=keys))
            yes(set(keys) == {key}, f"a record about {subject} of tenant {tenant} must be under its own key")
        for tenant, session, subject in reversed(whom[:3]):
            last: list[bytes] = []
            key = desk.load(session, tenant=tenant).subject.key
            desk.erase(subject, tenant=tenant, seal=sealed_with(tenant, keys=last))
            yes(last == [key], f"the record that {subject} of tenant {tenant} is erased must be under its own key")

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_an_open_grant_is_of_one_session(self, desk: Desk) -> None:
        """Neither another session nor the other tenant's of the same id has one."""
        desk.open("s-1")
        desk.open("s-2")
        desk.open("s-1", tenant="u")
        desk.grant()
        yes(desk.load().grant_open, "a session must have the grant it was given")
        yes(not desk.load("s-2").grant_open, "a session must not have the open grant of another session")
        yes(
            not desk.load(tenant="u").grant_open, "a session must not have the open grant of the other tenant's session"
        )

    def test_a_grant_is_redeemed_by_its_own_subject(self, desk: Desk) -> None:
        """Under its key, or the one of the day its run began; whatever holds there are on others."""
        whom = [
            (tenant, f"s-{n}", subject, NOW + days * DAY)
            for tenant in ("t", "u")
            for n, (subject, days) in enumerate([
                ("cust-1", 0), ("cust-2", 0), ("cust-3", 0), ("nobody", 0), ("nobody", 1),
            ])
        ]  # fmt: skip
        keys = []
        for n, (tenant, session, subject, now) in enumerate(whom):
            known = subject != "nobody"
            keys.append(desk.open(session, subject, tenant=tenant, known=known, now=now).subject.key)
            desk.grant(bytes([n]) * 32, session, tenant=tenant, subject=subject)
        held = [("t", "cust-1"), ("t", "cust-3")]
        for tenant, subject in held:
            desk.stand(Standing.LOCKED, subject=subject, tenant=tenant)
        for n, (tenant, _, subject, _) in enumerate(whom):
            found = desk.redeem(bytes([n]) * 32, tenant=tenant, bound=binding(tenant=tenant, subject=subject))
            reason = "void" if (tenant, subject) in held else None
            expect(found.reason, reason, f"a hold on others must not hold a grant of {subject} of tenant {tenant}")
            yes(found.key == keys[n], f"what {subject} of tenant {tenant} redeems must be under its own key")

    def test_grants_are_voided_of_one_tenant(self, desk: Desk) -> None:
        """By a newer grant, by a hold, by an enrollment, and by being too late."""
        for tenant in ("t", "u"):
            desk.open(tenant=tenant)
            desk.grant(tenant=tenant)
        desk.open("s-2")
        desk.grant(b"2" * 32, "s-2")
        desk.redeem(now=NOW + DAY)
        yes(desk.load("s-2").grant_open, "a grant that is redeemed too late must void no other")
        desk.commit(void_grants=True)
        desk.stand(Standing.LOCKED)
        desk.enroll(credential())
        expect(desk.redeem(tenant="u", now=NOW + DAY - TICK).reason, None, "the other tenant's grant must stay open")
