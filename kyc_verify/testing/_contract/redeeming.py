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
        expect(desk.redeem(b"e" * 32), Redeemed(reason="unknown"), "a digest that was never granted must be unknown")
        expect(desk.redeem(tenant="u"), Redeemed(reason="unknown"), "the other tenant's grant must be unknown")
        desk.intact(2)
        desk.intact(1, tenant="u")

    def test_a_grant_is_used_once(self, desk: Desk) -> None:
        """The first redemption succeeds, with the subject's key and the session; every later one is refused."""
        key = desk.open().subject.key
        desk.grant()
        expect(
            desk.redeem(),
            Redeemed(reason=None, key=key, session="s-1"),
            "an open grant must be redeemed, with its session and the subject's key",
        )
        expect([desk.redeem().reason for _ in range(2)], ["used", "used"], "a grant that was redeemed must be used")
        desk.intact(4)

    def test_a_grant_holds_until_its_end(self, desk: Desk) -> None:
        """Not at it; and what was refused as too old stays refused, though the clock goes back."""
        desk.open()
        desk.grant(b"1" * 32, expires_at=NOW + DAY)
        expect(desk.redeem(b"1" * 32, now=NOW + DAY).reason, "expired", "a grant must be expired at its end")
        expect(
            desk.redeem(b"1" * 32, now=NOW + DAY - TICK).reason,
            "void",
            "a grant that was refused as too old must stay refused, though the clock goes back",
        )
        desk.grant(b"2" * 32, expires_at=NOW + DAY)
        expect(
            desk.redeem(b"2" * 32, now=NOW + DAY - TICK).reason,
            None,
            "a grant must hold until a microsecond before its end",
        )

    def test_a_grant_holds_only_as_it_is_bound(self, desk: Desk) -> None:
        """Each field that differs is its own refusal, and none uses the grant up."""
        desk.open()
        desk.grant()
        for field, reason in _WRONG.items():
            expect(
                desk.redeem(bound=binding(**{field: "other"})).reason,
                reason,
                f"a grant must be refused to another {field}",
            )
        expect(desk.redeem(bound=binding(tenant="u")).reason, "tenant", "a grant must be refused to another tenant")
        expect(desk.redeem(bound=binding(roles=())).reason, "role", "a grant must be refused once a role is gone")
        expect(
            desk.redeem(bound=binding(roles=("chief", "clerk"))).reason,
            None,
            "a grant must not be refused for a role more, nor be used up by what was refused",
        )

    def test_a_hold_from_outside_refuses(self, desk: Desk) -> None:
        """With its own word, and uses nothing up."""
        desk.open()
        desk.grant()
        expect(desk.redeem(hold="inactive").reason, "inactive", "a hold from outside must refuse with its own word")
        expect(desk.redeem().reason, None, "a refusal must leave the grant open")

    def test_a_locked_subject_redeems_nothing(self, desk: Desk) -> None:
        """A hold voids what is open; what is granted under it is refused while it lasts."""
        desk.open()
        desk.grant(b"1" * 32)
        desk.stand(Standing.LOCKED)
        expect(desk.redeem(b"1" * 32).reason, "void", "a hold must void what is open")
        desk.grant(b"2" * 32)
        expect(desk.redeem(b"2" * 32).reason, "locked", "what is granted under a hold must be refused while it lasts")
        desk.stand(Standing.OPEN)
        expect(desk.redeem(b"2" * 32).reason, None, "what is granted under a hold must be redeemed after it")
        expect(desk.redeem(b"1" * 32).reason, "void", "what a hold voided must stay void after it")

    def test_a_hold_does_not_show_where_nothing_is_asked(self, desk: Desk) -> None:
        """An exempt action is as open to a locked subject as to any other."""
        desk.open()
        desk.stand(Standing.LOCKED)
        desk.grant()
        expect(desk.redeem().reason, "locked", "a hold must refuse what was verified")
        expect(desk.redeem(exempt=True).reason, None, "a hold must not refuse what needs no verification")

    def test_reasons_come_in_one_order(self, desk: Desk) -> None:
        """Used, void, expired, locked, what it is bound to, the hold from outside, the ceiling."""
        desk.open()
        wrong: dict[str, Any] = {"bound": binding(agent="x"), "hold": "inactive", "charge": stake("9", ceiling="1")}
        desk.grant(b"1" * 32)
        desk.redeem(b"1" * 32)
        desk.grant(b"2" * 32)
        desk.stand(Standing.LOCKED)
        late = NOW + DAY
        expect(
            desk.redeem(b"1" * 32, now=late, **wrong).reason,
            "used",
            "that a grant is used must be said before everything else",
        )
        expect(
            desk.redeem(b"2" * 32, now=late, **wrong).reason,
            "void",
            "that a grant is void must be said before that it is expired",
        )
        desk.grant(b"3" * 32)
        expect(
            desk.redeem(b"3" * 32, now=late, **wrong).reason,
            "expired",
            "that a grant is expired must be said before a hold",
        )
        desk.grant(b"4" * 32)
        expect(
            desk.redeem(b"4" * 32, **wrong).reason, "locked", "a hold must be told before what the grant is bound to"
        )
        desk.stand(Standing.OPEN)
        expect(
            desk.redeem(b"4" * 32, **wrong).reason,
            "agent",
            "what the grant is bound to must be told before a hold from outside",
        )
        del wrong["bound"]
        expect(
            desk.redeem(b"4" * 32, **wrong).reason, "inactive", "a hold from outside must be told before the ceiling"
        )
        del wrong["hold"]
        expect(desk.redeem(b"4" * 32, **wrong).reason, "ceiling", "the ceiling must be told last")

    # ── The same request again ───────────────────────────────────────────────────────────────────────────────────────

    def test_the_same_request_succeeds_again(self, desk: Desk) -> None:
        """Without a charge and without a record; another request, or none, finds the grant used."""
        key = desk.open().subject.key
        desk.grant()
        once = stake("6", ceiling="30")
        expect(desk.redeem(request="r", charge=once).reason, None, "a grant must be redeemed the first time")
        for now in (NOW, NOW + 2 * DAY):
            again = desk.redeem(request="r", charge=once, now=now)
            expect(
                again,
                Redeemed(reason=None, replayed=True, key=key, session="s-1"),
                "the same request must succeed again, as a replay",
            )
        desk.intact(2)
        expect(desk.redeem(request="R").reason, "used", "another request must find the grant used")
        expect(desk.redeem().reason, "used", "no request must find the grant used")
        expect(
            desk.redeem(request="r", bound=binding(action="close")).reason,
            "used",
            "the same request for something else must find the grant used",
        )
        desk.grant(b"2" * 32)
        expect(
            desk.redeem(b"2" * 32, charge=stake("24", ceiling="30")).reason,
            None,
            "a replay must not charge the sum again",
        )

    def test_without_a_request_nothing_is_repeated(self, desk: Desk) -> None:
        """Two redemptions without a request are not the same request."""
        desk.open()
        desk.grant()
        desk.redeem(request=None)
        again = desk.redeem(request=None)
        expect((again.reason, again.replayed), ("used", False), "without a request nothing may be taken for a replay")

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
        expect(
            self._sums(desk, *charges),
            [None, "ceiling", None, "ceiling"],
            "sums must add up exactly to the ceiling, without those refused: 0.1 + 0.2 is 0.3",
        )

    def test_a_refused_sum_leaves_the_grant_open(self, desk: Desk) -> None:
        """It was not used."""
        desk.open()
        desk.grant()
        expect(
            desk.redeem(charge=stake("11", ceiling="10")).reason, "ceiling", "a sum over the ceiling must be refused"
        )
        yes(desk.load().grant_open, "a refused sum must leave the grant open")
        other = desk.redeem(charge=stake("6", ceiling="10"), bound=binding(agent="x"))
        expect(other.reason, "agent", "a grant in another agent's hands must be refused")
        expect(
            desk.redeem(charge=stake("10", ceiling="10")).reason,
            None,
            "a sum that fits must be redeemed after one that did not",
        )

    def test_their_number_is_limited(self, desk: Desk) -> None:
        """By count, with or without a ceiling."""
        desk.open()
        charges = [stake("1", count=2)] * 3 + [stake("1", ceiling="100", count=2)]
        expect(
            self._sums(desk, *charges),
            [None, None, "ceiling", "ceiling"],
            "a count of two must let two sums through, with a ceiling or without",
        )

    def test_great_sums_are_exact(self, desk: Desk) -> None:
        """A thousand million million, to the millionth."""
        desk.open()
        great, top = Decimal(10) ** 15, str(Decimal(10) ** 15 + Decimal("0.000001"))
        charges = [stake(str(great), ceiling=top), stake("0.000002", ceiling=top), stake("0.000001", ceiling=top)]
        expect(self._sums(desk, *charges), [None, "ceiling", None], "great sums must be exact to the millionth")

    def test_sums_are_told_apart(self, desk: Desk) -> None:
        """Another key has a sum of its own."""
        desk.open()
        charges = [stake("9", ceiling="10", key=key) for key in ("a", "A", "a")]
        expect(self._sums(desk, *charges), [None, None, "ceiling"], "each key must have a sum of its own")

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
            expect(
                desk.run(desk.store.redeem(presented, seal, NOW)),
                seen[-1],
                "what is returned must be what was recorded",
            )
        expect([each.reason for each in seen], ["agent", None], "refusals and successes must both be recorded")

    def test_without_a_record_nothing_is_redeemed(self, desk: Desk) -> None:
        """A seal that fails leaves the grant open and the sum as it was."""
        desk.open()
        desk.grant()

        def broken(*_: object) -> NoReturn:
            raise SealError

        presented = Redemption(tenant="t", digest=b"d" * 32, binding=binding(), charge=stake("6", ceiling="10"))
        fails(SealError, lambda: desk.run(desk.store.redeem(presented, broken, NOW)), "the seal failed")
        yes(desk.load().grant_open, "a grant whose record failed must not be used")
        desk.intact(1)
        expect(
            desk.redeem(charge=stake("10", ceiling="10")).reason,
            None,
            "a redemption whose record failed must add nothing to the sum",
        )

    def test_an_erased_subject_redeems_nothing(self, desk: Desk) -> None:
        """Its grants are gone."""
        desk.enroll(credential())
        desk.open()
        desk.grant()
        desk.erase()
        expect(desk.redeem().reason, "unknown", "the grants of an erased subject must be unknown")
        # Nor do they come back with somebody who is a customer again.
        desk.open("s-2")
        expect(desk.redeem().reason, "unknown", "an erased grant must stay gone when the subject comes back")
