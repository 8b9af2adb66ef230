"""Redeeming a grant: once, as it is bound, in time, within the ceiling; recorded either way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

from kyc_verify.audit import AuditRecord, Head
from kyc_verify.ports import Redeemed, Redemption, StakeCharge, Standing
from kyc_verify.testing._contract.committing import SealError
from kyc_verify.testing._contract.desk import (
    DAY,
    NOW,
    TICK,
    Desk,
    binding,
    credential,
    expect,
    fails,
    sealed,
    stake,
    yes,
)

__all__ = ["Redeeming"]

_WRONG = {
    "fingerprint": "policy",
    "subject": "subject",
    "action": "action",
    "agent": "agent",
    "call": "call",
    "stake": "stake",
    "contact": "contact",
}


class Redeeming:
    """What `redeem` promises."""

    def test_what_was_never_granted_is_unknown(self, desk: Desk) -> None:
        """Told without a key, and recorded."""
        desk.open()
        desk.grant()
        expect(desk.redeem(b"e" * 32), Redeemed(reason="unknown"), "another digest")
        expect(desk.redeem(tenant="u"), Redeemed(reason="unknown"), "another tenant's")
        desk.intact(2)
        desk.intact(1, tenant="u")

    def test_a_grant_is_used_once(self, desk: Desk) -> None:
        """The first redemption succeeds, with the subject's key and the session; every later one is refused."""
        key = desk.open().subject.key
        desk.grant()
        expect(desk.redeem(), Redeemed(reason=None, key=key, session="s-1"), "it is open")
        expect([desk.redeem().reason for _ in range(2)], ["used", "used"], "and then it is used")
        desk.intact(4)

    def test_a_grant_holds_until_its_end(self, desk: Desk) -> None:
        """Not at it; and what was refused as too old stays refused, though the clock goes back."""
        desk.open()
        desk.grant(b"1" * 32, expires_at=NOW + DAY)
        expect(desk.redeem(b"1" * 32, now=NOW + DAY).reason, "expired", "at the end")
        expect(desk.redeem(b"1" * 32, now=NOW + DAY - TICK).reason, "void", "a microsecond before, but refused already")
        desk.grant(b"2" * 32, expires_at=NOW + DAY)
        expect(desk.redeem(b"2" * 32, now=NOW + DAY - TICK).reason, None, "a microsecond before")

    def test_a_grant_holds_only_as_it_is_bound(self, desk: Desk) -> None:
        """Each field that differs is its own refusal, and none uses the grant up."""
        desk.open()
        desk.grant()
        for field, reason in _WRONG.items():
            expect(desk.redeem(bound=binding(**{field: "other"})).reason, reason, f"another {field}")
        expect(desk.redeem(bound=binding(tenant="u")).reason, "tenant", "another tenant")
        expect(desk.redeem(bound=binding(roles=())).reason, "role", "a role is gone")
        expect(desk.redeem(bound=binding(roles=("chief", "clerk"))).reason, None, "a role more does not matter")

    def test_a_hold_from_outside_refuses(self, desk: Desk) -> None:
        """With its own word, and uses nothing up."""
        desk.open()
        desk.grant()
        expect(desk.redeem(hold="inactive").reason, "inactive", "as the flow found")
        expect(desk.redeem().reason, None, "it is still open")

    def test_a_locked_subject_redeems_nothing(self, desk: Desk) -> None:
        """A hold voids what is open; what is granted under it is refused while it lasts."""
        desk.open()
        desk.grant(b"1" * 32)
        desk.stand(Standing.LOCKED)
        expect(desk.redeem(b"1" * 32).reason, "void", "the hold voided it")
        desk.grant(b"2" * 32)
        expect(desk.redeem(b"2" * 32).reason, "locked", "under the hold")
        desk.stand(Standing.OPEN)
        expect(desk.redeem(b"2" * 32).reason, None, "after it")
        expect(desk.redeem(b"1" * 32).reason, "void", "void stays void")

    def test_a_hold_does_not_show_where_nothing_is_asked(self, desk: Desk) -> None:
        """An exempt action is as open to a locked subject as to any other."""
        desk.open()
        desk.stand(Standing.LOCKED)
        desk.grant()
        expect(desk.redeem().reason, "locked", "what was verified is held")
        expect(desk.redeem(exempt=True).reason, None, "what needs no verification is not")

    def test_reasons_come_in_one_order(self, desk: Desk) -> None:
        """Used, void, expired, locked, what it is bound to, the hold from outside, the ceiling."""
        desk.open()
        wrong: dict[str, Any] = {"bound": binding(agent="x"), "hold": "inactive", "charge": stake("9", ceiling="1")}
        desk.grant(b"1" * 32)
        desk.redeem(b"1" * 32)
        desk.grant(b"2" * 32)
        desk.stand(Standing.LOCKED)
        late = NOW + DAY
        expect(desk.redeem(b"1" * 32, now=late, **wrong).reason, "used", "before everything")
        expect(desk.redeem(b"2" * 32, now=late, **wrong).reason, "void", "before its end")
        desk.grant(b"3" * 32)
        expect(desk.redeem(b"3" * 32, now=late, **wrong).reason, "expired", "before the hold")
        desk.grant(b"4" * 32)
        expect(desk.redeem(b"4" * 32, **wrong).reason, "locked", "before what it is bound to")
        desk.stand(Standing.OPEN)
        expect(desk.redeem(b"4" * 32, **wrong).reason, "agent", "before a hold from outside")
        del wrong["bound"]
        expect(desk.redeem(b"4" * 32, **wrong).reason, "inactive", "before the ceiling")
        del wrong["hold"]
        expect(desk.redeem(b"4" * 32, **wrong).reason, "ceiling", "last of all")

    # ── The same request again ───────────────────────────────────────────────────────────────────────────────────────

    def test_the_same_request_succeeds_again(self, desk: Desk) -> None:
        """Without a charge and without a record; another request, or none, finds the grant used."""
        key = desk.open().subject.key
        desk.grant()
        once = stake("6", ceiling="10")
        expect(desk.redeem(request="r", charge=once).reason, None, "the first time")
        for now in (NOW, NOW + 2 * DAY):
            again = desk.redeem(request="r", charge=once, now=now)
            expect(again, Redeemed(reason=None, replayed=True, key=key, session="s-1"), "the same request")
        desk.intact(2)
        expect(desk.redeem(request="R").reason, "used", "another request")
        expect(desk.redeem().reason, "used", "no request")
        expect(desk.redeem(request="r", bound=binding(action="close")).reason, "used", "the same, for something else")
        desk.grant(b"2" * 32)
        expect(desk.redeem(b"2" * 32, charge=stake("4", ceiling="10")).reason, None, "it was charged once")

    def test_without_a_request_nothing_is_repeated(self, desk: Desk) -> None:
        """Two redemptions without a request are not the same request."""
        desk.open()
        desk.grant()
        desk.redeem(request=None)
        again = desk.redeem(request=None)
        expect((again.reason, again.replayed), ("used", False), "nothing says that it is the same")

    # ── Sums ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sums(self, desk: Desk, *charges: StakeCharge) -> list[str | None]:
        reasons = []
        for n, each in enumerate(charges):
            desk.grant(bytes([n]) * 32)
            reasons.append(desk.redeem(bytes([n]) * 32, charge=each).reason)
        return reasons

    def test_sums_add_up_to_the_ceiling(self, desk: Desk) -> None:
        """Exactly to it, and a refused sum is not added."""
        desk.open()
        charges = [stake(each, ceiling="0.3") for each in ("0.1", "0.200001", "0.2", "0.000001")]
        expect(self._sums(desk, *charges), [None, "ceiling", None, "ceiling"], "0.1 + 0.2 is 0.3")

    def test_a_refused_sum_leaves_the_grant_open(self, desk: Desk) -> None:
        """It was not used."""
        desk.open()
        desk.grant()
        expect(desk.redeem(charge=stake("11", ceiling="10")).reason, "ceiling", "too much")
        yes(desk.load().grant_open, "nothing was used up")
        expect(desk.redeem(charge=stake("10", ceiling="10")).reason, None, "a fitting sum")

    def test_their_number_is_limited(self, desk: Desk) -> None:
        """By count, with or without a ceiling."""
        desk.open()
        charges = [stake("1", count=2)] * 3 + [stake("1", ceiling="100", count=2)]
        expect(self._sums(desk, *charges), [None, None, "ceiling", "ceiling"], "two are two")

    def test_great_sums_are_exact(self, desk: Desk) -> None:
        """A thousand million million, to the millionth."""
        desk.open()
        great, top = Decimal(10) ** 15, str(Decimal(10) ** 15 + Decimal("0.000001"))
        charges = [stake(str(great), ceiling=top), stake("0.000002", ceiling=top), stake("0.000001", ceiling=top)]
        expect(self._sums(desk, *charges), [None, "ceiling", None], "to the millionth")

    def test_sums_are_told_apart(self, desk: Desk) -> None:
        """Another key has a sum of its own."""
        desk.open()
        charges = [stake("9", ceiling="10", key=key) for key in ("a", "A", "a")]
        expect(self._sums(desk, *charges), [None, None, "ceiling"], "each its own")

    # ── Records ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_what_was_found_is_recorded(self, desk: Desk) -> None:
        """The record is made from exactly what is returned, refusals included."""
        desk.open()
        desk.grant()
        seen: list[Redeemed] = []

        def seal(head: Head, found: Redeemed) -> AuditRecord:
            seen.append(found)
            return sealed()(head)

        for bound in (binding(agent="x"), binding()):
            presented = Redemption(tenant="t", digest=b"d" * 32, binding=bound)
            expect(desk.run(desk.store.redeem(presented, seal, NOW)), seen[-1], "what was recorded")
        expect([each.reason for each in seen], ["agent", None], "both were")

    def test_without_a_record_nothing_is_redeemed(self, desk: Desk) -> None:
        """A seal that fails leaves the grant open and the sum as it was."""
        desk.open()
        desk.grant()

        def broken(*_: object) -> NoReturn:
            raise SealError

        presented = Redemption(tenant="t", digest=b"d" * 32, binding=binding(), charge=stake("6", ceiling="10"))
        fails(SealError, lambda: desk.run(desk.store.redeem(presented, broken, NOW)), "the seal failed")
        yes(desk.load().grant_open, "it was not used")
        desk.intact(1)
        expect(desk.redeem(charge=stake("10", ceiling="10")).reason, None, "nothing was added to the sum")

    def test_an_erased_subject_redeems_nothing(self, desk: Desk) -> None:
        """Its grants are gone."""
        desk.enroll(credential())
        desk.open()
        desk.grant()
        desk.erase()
        expect(desk.redeem().reason, "unknown", "gone with the subject")
