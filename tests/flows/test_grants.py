"""Grants: what they are bound to, when they are void; stakes and their ceilings; stepping up and handing over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from kyc_verify import (
    Call,
    Contact,
    Entry,
    Grant,
    InvalidTransition,
    Lifetimes,
    NotAllowed,
    Notice,
    NotVerified,
    Policy,
    Requirement,
    Stake,
    Step,
    Tier,
    UnknownSession,
    UsageError,
    Verdict,
    checks,
)
from kyc_verify.audit import Event
from kyc_verify.prompts import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


def refusal(desk: Desk, grant: Grant | str, *, action: str = "pin", call: Call | None = None, **more: object) -> str:
    """Return why a grant is refused; it must be."""
    given = {"subject": "cust-42"} | more
    with pytest.raises(NotVerified) as refused:
        desk.verifier.redeem(grant, action=action, call=call or desk.call, **given)
    return str(refused.value.reason)


def euros(amount: object, payee: str | None = None) -> Stake:
    return Stake(amount=amount, currency="EUR", payee=payee)  # type: ignore[arg-type]


# ── Bound to everything ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_grant_is_bound_to_subject_action_call_agent_and_stake(desk: Desk) -> None:
    grant = desk.play("pin").require()
    assert refusal(desk, grant, subject="cust-43") == "subject"
    assert refusal(desk, grant, action="tenure") == "action"
    assert refusal(desk, grant, action="hours") == "action"
    assert refusal(desk, grant, call=desk.another(id="call-9")) == "call"
    assert refusal(desk, grant, call=desk.another(agent="agent-8")) == "agent"
    assert refusal(desk, grant, stake=euros(1)) == "stake"
    assert desk.observer.notices.count(Notice.REDEEM_REFUSED) == 6
    assert desk.verifier.redeem(grant.token, subject="cust-42", action="pin", call=desk.call).verdict == "verified"


def test_a_grant_is_bound_to_tenant_and_policy(desk: Desk, policy: Callable[..., Policy]) -> None:
    grant = desk.play("pin").require()
    assert (
        refusal(desk.under(policy(name="other", lifetimes=Lifetimes(grant=timedelta(seconds=299)))), grant) == "policy"
    )
    other = desk.over(desk.store)
    other.bench.tenant = "tenant-b"
    other.bench._wire()
    assert refusal(type(desk)(other.bench, desk.loop), grant) == "unknown"
    assert desk.verifier.redeem(grant, subject="cust-42", action="pin", call=desk.call).verdict == "verified"


def test_a_grant_is_bound_to_the_agent_s_roles(desk: Desk) -> None:
    boss = desk.another(roles=frozenset({"supervisor", "teller"}))
    grant = desk.play("boss", call=boss).require()
    assert refusal(desk, grant, action="boss", call=replace(boss, roles=frozenset({"supervisor"}))) == "role"
    assert refusal(desk, grant, action="boss", call=replace(boss, roles=frozenset())) == "role"
    more = replace(boss, roles=boss.roles | {"auditor"})
    assert desk.verifier.redeem(grant, subject="cust-42", action="boss", call=more).verdict == "verified"


def test_a_grant_is_bound_to_the_number_on_record(desk: Desk) -> None:
    grant = desk.play("pin").require()
    before = desk.customers["cust-42"]
    desk.customers["cust-42"] = replace(before, contacts=(Contact(number="+33698765432"),))
    assert refusal(desk, grant) == "contact"
    desk.customers["cust-42"] = before
    assert desk.verifier.redeem(grant, subject="cust-42", action="pin", call=desk.call).verdict == "verified"


@pytest.mark.parametrize("change", ["lock", "inactive", "gone", "enroll", "erase"])
def test_what_happens_after_the_grant_voids_it(desk: Desk, change: str) -> None:
    grant = desk.play("pin").require()
    if change == "lock":
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    elif change == "inactive":
        desk.customers["cust-42"] = replace(desk.customers["cust-42"], active=False)
    elif change == "gone":
        del desk.customers["cust-42"]
    elif change == "enroll":
        desk.enroller.enroll("cust-42", {"pin": "8350"}, by="agent-9")
    else:
        assert desk.enroller.erase("cust-42", by="ops") is True
    expected = {"lock": "void", "inactive": "inactive", "gone": "contact", "enroll": "void", "erase": "unknown"}
    assert refusal(desk, grant) == expected[change]


def test_a_hold_that_was_lifted_revives_no_grant(desk: Desk) -> None:
    grant = desk.play("pin").require()
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    desk.enroller.unlock("cust-42", by="ops", reason="settled")
    assert refusal(desk, grant) == "void"


@pytest.mark.parametrize(("microseconds", "works"), [(-1, True), (0, False), (1, False)])
def test_a_grant_expires_to_the_microsecond(desk: Desk, microseconds: int, works: bool) -> None:
    step = desk.play("pin")
    desk.clock.advance(timedelta(seconds=300, microseconds=microseconds))
    if works:
        desk.redeem(step, "pin")
    else:
        assert refusal(desk, step.require()) == "expired"


def test_a_grant_is_what_require_gives_and_nothing_else_is(desk: Desk) -> None:
    grant = desk.play("pin").require()
    assert refusal(desk, grant.token[:-1] + ("A" if grant.token[-1] != "A" else "B")) == "unknown"
    for forged in (None, 5, "", "x" * 201, "é", b"x", object(), True):
        with pytest.raises(UsageError):
            desk.verifier.redeem(forged, subject="cust-42", action="pin", call=desk.call)


def test_a_run_whose_session_is_over_still_redeems_within_the_grant_s_life(desk: Desk) -> None:
    step = desk.open("pin")
    desk.clock.advance(minutes=4)
    step = desk.say(step)
    desk.clock.advance(minutes=4)
    assert desk.redeem(step, "pin").verdict is Verdict.VERIFIED


# ── Stakes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_small_sums_ask_nothing_up_to_the_ceiling(desk: Desk) -> None:
    for _ in range(3):
        step = desk.open("pay", stake=euros(30))
        assert step.verdict is Verdict.EXEMPT
        desk.redeem(step, "pay", stake=euros(30))
    step = desk.open("pay", stake=euros("10.01"))
    assert refusal(desk, step.require(), action="pay", stake=euros("10.01")) == "ceiling"
    step = desk.open("pay", stake=euros(10))
    assert desk.redeem(step, "pay", stake=euros(10)).verdict is Verdict.EXEMPT
    step = desk.open("pay", stake=euros("0.01"))
    assert refusal(desk, step.require(), action="pay", stake=euros("0.01")) == "ceiling"


def test_small_sums_ask_nothing_up_to_their_count(desk: Desk) -> None:
    for k in range(5):
        step = desk.open("pay", stake=euros(1))
        if k < 4:
            desk.redeem(step, "pay", stake=euros(1))
        else:
            assert refusal(desk, step.require(), action="pay", stake=euros(1)) == "ceiling"


@pytest.mark.parametrize("limit", [{"ceiling": 60}, {"count": 2}])
def test_a_ceiling_or_a_count_alone_holds(
    make: Callable[..., Desk], policy: Callable[..., Policy], limit: dict[str, int]
) -> None:
    small = Tier(up_to=30, currency="EUR", requirement=Requirement.none(), **limit)
    desk = make(policy(actions={"pay": Requirement(bits=1, checks=("pin",), stakes=(small,))}))
    for k in range(3):
        step = desk.open("pay", stake=euros(30))
        if k < 2:
            desk.redeem(step, "pay", stake=euros(30))
        else:
            assert refusal(desk, step.require(), action="pay", stake=euros(30)) == "ceiling"


def test_the_ceiling_is_charged_at_redeem_not_at_open(desk: Desk) -> None:
    opened = [desk.open("pay", stake=euros(30)) for _ in range(6)]
    for step in opened[:3]:
        desk.redeem(step, "pay", stake=euros(30))
    assert refusal(desk, opened[3].require(), action="pay", stake=euros(30)) == "ceiling"


def test_the_ceiling_holds_when_redeemed_at_the_same_time(desk: Desk) -> None:
    grants = [desk.open("pay", stake=euros(30)).require() for _ in range(8)]
    jobs = [
        lambda v, g=grant: v.redeem(g, subject="cust-42", action="pay", call=desk.call, stake=euros(30))
        for grant in grants
    ]
    found = desk.together(jobs)
    assert len([each for each in found if isinstance(each, Step)]) == 3
    assert {each.reason for each in found if isinstance(each, NotVerified)} == {"ceiling"}


def test_only_verified_resets_the_ceiling(desk: Desk) -> None:
    def spend() -> bool:
        step = desk.open("pay", stake=euros(30))
        try:
            desk.redeem(step, "pay", stake=euros(30))
        except NotVerified as refused:
            assert refused.reason == "ceiling"  # noqa: PT017 - it may also go through
            return False
        return True

    verified = desk.play("pin")
    assert [spend() for _ in range(4)] == [True, True, True, False]
    desk.play("pin", {"pin": "0000"})
    desk.open("hours")
    desk.verifier.transfer(verified.session_id, call=desk.another(agent="agent-7"))
    assert spend() is False
    assert desk.play("pin").verdict is Verdict.VERIFIED
    assert spend() is True


def test_larger_sums_ask_their_tier_and_then_the_action_itself(desk: Desk) -> None:
    assert desk.open("pay", stake=euros("30.01")).challenge.check == "pin"
    assert desk.open("pay", stake=euros(100)).challenge.check == "pin"
    for stake in (euros("100.01"), Stake(amount=Decimal(1), currency="USD"), None):
        assert desk.open("pay", stake=stake).challenge.check == "one_time_code"


def test_a_stake_is_one_amount_however_it_is_written(desk: Desk) -> None:
    step = desk.open("pay", stake=euros("20.00"))
    assert desk.redeem(step, "pay", stake=euros(20)).verdict is Verdict.EXEMPT


@pytest.mark.parametrize("stake", [5, "5 EUR", {"amount": 5}, Decimal(5)])
def test_a_stake_that_is_none_is_refused(desk: Desk, stake: object) -> None:
    step = desk.play("pin")
    with pytest.raises(UsageError):
        desk.open("pay", stake=stake)
    with pytest.raises(UsageError):
        desk.verifier.step_up(step.session_id, action="pay", call=desk.call, stake=stake)
    with pytest.raises(UsageError):
        desk.redeem(step, "pin", stake=stake)


# ── Stepping up ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_step_up_keeps_what_was_shown_and_voids_the_earlier_grant(desk: Desk) -> None:
    step = desk.play("pin")
    up = desk.verifier.step_up(step.session_id, action="know", call=desk.call)
    assert up.challenge.check == "account_tenure"
    up = desk.say(up)
    assert up.verdict is Verdict.VERIFIED
    assert refusal(desk, step.require()) == "void"
    assert desk.redeem(up, "know").verdict is Verdict.VERIFIED


def test_step_up_from_exempt(desk: Desk) -> None:
    step = desk.open("hours")
    up = desk.verifier.step_up(step.session_id, action="pin", call=desk.call)
    assert desk.say(up).verdict is Verdict.VERIFIED


def test_step_up_to_nothing_is_exempt(desk: Desk) -> None:
    up = desk.verifier.step_up(desk.play("pin").session_id, action="hours", call=desk.call)
    assert up.verdict is Verdict.EXEMPT
    assert desk.redeem(up, "hours").verdict is Verdict.EXEMPT


def test_step_up_to_what_the_signals_carry_is_verified_at_once(desk: Desk) -> None:
    step = desk.play("pin")
    up = desk.verifier.step_up(step.session_id, action="signals", call=desk.call, request_id="r-1")
    assert up.verdict is Verdict.VERIFIED
    again = desk.verifier.step_up(step.session_id, action="signals", call=desk.call, request_id="r-1")
    assert again.require() == up.require()
    assert desk.redeem(up, "signals").verdict is Verdict.VERIFIED


def test_step_up_that_fails_leaves_nothing_behind(desk: Desk) -> None:
    step = desk.play("pin")
    up = desk.verifier.step_up(step.session_id, action="tenure", call=desk.call)
    assert desk.say(up, "80 years").verdict is Verdict.DENIED
    assert refusal(desk, step.require()) == "void"


def test_step_up_needs_the_action_s_role_the_same_call_and_an_end(desk: Desk) -> None:
    step = desk.play("pin")
    with pytest.raises(NotAllowed):
        desk.verifier.step_up(step.session_id, action="boss", call=desk.call)
    with pytest.raises(UnknownSession):
        desk.verifier.step_up(step.session_id, action="know", call=desk.another(id="call-9"))
    with pytest.raises(NotAllowed):
        desk.verifier.step_up(step.session_id, action="know", call=desk.another(agent="agent-9"))
    open_run = desk.open("know")
    denied = desk.play("pin", {"pin": "0000"})
    for run in (open_run, denied):
        with pytest.raises(InvalidTransition):
            desk.verifier.step_up(run.session_id, action="know", call=desk.call)


def test_step_up_to_a_sum_asks_what_the_sum_asks(desk: Desk) -> None:
    step = desk.play("tenure")
    up = desk.verifier.step_up(step.session_id, action="pay", stake=euros(100), call=desk.call)
    assert up.challenge is not None
    assert up.challenge.check == "pin"
    up = desk.say(up)
    assert desk.redeem(up, "pay", stake=euros(100)).verdict is Verdict.VERIFIED
    up = desk.verifier.step_up(up.session_id, action="pay", stake=euros(30), call=desk.call)
    assert up.verdict is Verdict.EXEMPT


def test_a_step_up_that_cannot_be_does_not_count_as_a_run(make: Callable[..., Desk]) -> None:
    desk = make(facts={"pin": "4937"})
    desk.play("pin", {"pin": "0000"})
    step = desk.play("pin")
    desk.verifier.step_up(step.session_id, action="know", call=desk.call)
    runs = [record.detail["run"] for record in desk.records() if record.event is Event.OPENED]
    desk.open("pin")
    assert desk.records()[-1].detail["run"] == runs[-1]


def test_step_up_out_of_reach_is_review(make: Callable[..., Desk]) -> None:
    desk = make(facts={"pin": "4937"})
    step = desk.play("pin")
    assert desk.verifier.step_up(step.session_id, action="know", call=desk.call).verdict is Verdict.REVIEW


@pytest.mark.parametrize("change", ["locked", "inactive", "gone"])
def test_step_up_of_somebody_who_may_not_be_verified_now_is_denied(desk: Desk, change: str) -> None:
    step = desk.play("pin")
    if change == "locked":
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    elif change == "inactive":
        desk.customers["cust-42"] = replace(desk.customers["cust-42"], active=False)
    else:
        del desk.customers["cust-42"]
    assert desk.verifier.step_up(step.session_id, action="pin", call=desk.call).verdict is Verdict.DENIED


def test_step_up_after_the_session_s_end_is_refused(desk: Desk) -> None:
    step = desk.play("pin")
    desk.clock.advance(minutes=30)
    with pytest.raises(InvalidTransition):
        desk.verifier.step_up(step.session_id, action="know", call=desk.call)


def test_evidence_too_old_counts_no_more(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    known = policy()
    actions = dict(known.actions) | {
        "fresh": Requirement(bits=4, checks=("pin", "account_tenure"), max_age=timedelta(minutes=2))
    }
    desk = make(policy(actions=actions))
    step = desk.play("pin")
    desk.clock.advance(minutes=2, microseconds=1)
    up = desk.verifier.step_up(step.session_id, action="fresh", call=desk.call)
    assert desk.say(up).verdict is Verdict.DENIED  # the pin is worth nothing now, and is not asked twice


# ── Handing over ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_transfer_gives_the_open_challenge_under_a_new_id_to_the_new_agent_only(desk: Desk) -> None:
    step = desk.open("pin")
    agent = desk.another(agent="agent-8")
    moved = desk.verifier.transfer(step.session_id, call=agent)
    assert moved.challenge.id != step.challenge.id
    assert moved.challenge.text == step.challenge.text
    with pytest.raises(NotAllowed):
        desk.say(moved)
    with pytest.raises(UsageError):
        desk.say(step, call=agent)
    assert desk.say(moved, call=agent).verdict is Verdict.VERIFIED
    assert "transferred" in desk.events()


def test_a_code_goes_along_with_a_transfer(desk: Desk) -> None:
    step = desk.open("code")
    agent = desk.another(agent="agent-8")
    moved = desk.verifier.transfer(step.session_id, call=agent)
    assert len(desk.sender.messages) == 1
    assert desk.say(moved, call=agent).verdict is Verdict.VERIFIED


def test_a_transfer_takes_what_the_new_desk_can_take(desk: Desk) -> None:
    step = desk.open("pin")
    agent = desk.another(agent="agent-8")
    moved = desk.verifier.transfer(step.session_id, call=agent, entries={Entry.CONFIRM})
    assert moved.challenge is None
    back = desk.verifier.transfer(step.session_id, call=agent, entries=None)
    assert back.challenge is not None


@pytest.mark.parametrize("ending", ["denied", "cancelled"])
def test_what_is_over_is_not_transferred(desk: Desk, ending: str) -> None:
    step = desk.open("pin")
    if ending == "denied":
        desk.say(step, "0000")
    else:
        desk.verifier.cancel(step.session_id, call=desk.call)
    with pytest.raises(InvalidTransition, match="a run that is denied is over; there is nothing to transfer"):
        desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))


def test_what_is_redeemed_is_said_in_the_customers_language_and_recorded_in_the_session(desk: Desk) -> None:
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], language="fr")
    step = desk.play("pin")
    done = desk.redeem(step, "pin")
    assert done.reasons == (text("reason.verified", "fr"),)
    assert done.session_id == step.session_id
    opened, *_, answered, redeemed = (each for each in desk.records() if each.event is not Event.ENROLLED)
    assert (redeemed.session, redeemed.call) == (opened.session, opened.call)
    assert None not in {opened.session, opened.call}
    assert answered.detail["turn"] == 1


def test_transfer_stays_within_the_call(desk: Desk) -> None:
    step = desk.open("pin")
    with pytest.raises(UnknownSession):
        desk.verifier.transfer(step.session_id, call=desk.another(id="call-9", agent="agent-8"))


def test_transfer_needs_the_action_s_role(desk: Desk) -> None:
    boss = desk.another(roles=frozenset({"supervisor"}))
    step = desk.open("boss", call=boss)
    with pytest.raises(NotAllowed):
        desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))
    assert desk.say(step, call=boss).verdict is Verdict.VERIFIED


def test_transfer_needs_the_role_of_the_stake_and_no_other(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    small = Tier(up_to=30, currency="EUR", requirement=Requirement(bits=1, checks=("pin",)))
    pay = Requirement(bits=1, checks=("pin",), role="supervisor", stakes=(small,))
    desk = make(policy(actions={"pay": pay}))
    step = desk.open("pay", stake=euros(30))
    moved = desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))
    assert moved.verdict is Verdict.PENDING
    step = desk.open("pay", stake=euros(31), call=desk.another(roles=frozenset({"supervisor"})))
    with pytest.raises(NotAllowed):
        desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))


def test_a_grant_changes_hands_and_lasts_no_longer(desk: Desk) -> None:
    step = desk.play("pin")
    agent = desk.another(agent="agent-8")
    desk.clock.advance(seconds=200)
    moved = desk.verifier.transfer(step.session_id, call=agent)
    assert moved.require().expires_at == step.require().expires_at
    assert refusal(desk, step.require()) == "void"
    assert desk.redeem(moved, "pin", call=agent).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("why", ["used", "expired", "locked"])
def test_a_transfer_revives_no_grant(desk: Desk, why: str) -> None:
    step = desk.play("pin")
    if why == "used":
        desk.redeem(step, "pin")
    elif why == "expired":
        desk.clock.advance(seconds=300)
    else:
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    moved = desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))
    with pytest.raises(NotVerified):
        moved.require()


def test_transfer_of_what_is_over_is_refused(desk: Desk) -> None:
    step = desk.play("pin", {"pin": "0000"})
    with pytest.raises(InvalidTransition):
        desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))


@pytest.mark.parametrize("change", ["locked", "open"])
def test_a_transfer_verifies_nobody_even_where_enough_was_shown(make: Callable[..., Desk], change: str) -> None:
    policy = Policy(
        name="heavy",
        checks=[checks.Pin(), checks.AccountTenure(), checks.OneTimeCode()],
        actions={"a": Requirement(bits="0.9", accept="lossless")},
    )
    desk = make(policy)
    step = desk.say(desk.say(desk.open("a")))
    assert step.challenge is not None
    if change == "locked":
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    # The new desk can take none of what is left to ask, and enough was shown already.
    moved = desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"), entries=[Entry.CONFIRM])
    assert moved.verdict not in {Verdict.VERIFIED, Verdict.EXEMPT}


def test_transfer_decides_nothing(desk: Desk) -> None:
    step = desk.say(desk.open("know"), "80 years")
    moved = desk.verifier.transfer(step.session_id, call=desk.another(agent="agent-8"))
    assert moved.verdict is Verdict.PENDING
    assert moved.challenge.check == "pin"
