"""The number of a run, what it costs, who gets it back; the pinned question; budgets; holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kyc_verify import Budget, Budgets, Call, Notice, Policy, Requirement, ThreatModel, Verdict, checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))


def number(desk: Desk, session: str) -> int:
    """Return which counted run a session is, from its newest record."""
    del session
    return int(desk.records()[-1].detail["run"])


def test_each_run_takes_a_number_and_the_kth_needs_log2_k_more(desk: Desk) -> None:
    # 6 points can be had, 4 are needed: 4 + log2 k <= 6 until k = 4.
    for k in (1, 2, 3, 4):
        step = desk.open("know")
        assert step.verdict is Verdict.PENDING
        assert number(desk, step.session_id) == k
    for _ in range(3):
        assert desk.open("know").verdict is Verdict.REVIEW
    desk.clock.advance(days=30)
    assert desk.open("know").verdict is Verdict.PENDING


def test_a_run_that_ends_verified_gives_its_number_back(desk: Desk) -> None:
    for _ in range(6):
        step = desk.play("know")
        assert step.verdict is Verdict.VERIFIED
        assert number(desk, step.session_id) == 1


def test_runs_that_end_in_open_do_not_count(desk: Desk) -> None:
    for _ in range(6):
        desk.open("hours")
    assert number(desk, desk.open("know").session_id) == 1


@pytest.mark.parametrize("end", ["denied", "cancelled", "left"])
def test_every_other_end_counts(desk: Desk, end: str) -> None:
    step = desk.open("know")
    if end == "denied":
        desk.play("know", {"pin": "0000"})
    elif end == "cancelled":
        desk.verifier.cancel(step.session_id, call=desk.call)
    assert number(desk, desk.open("know").session_id) == (3 if end == "denied" else 2)


def test_runs_are_counted_by_subject_whatever_the_call_agent_or_action(desk: Desk) -> None:
    for k in range(4):
        desk.open(("know", "tenure", "pin", "code")[k], call=desk.another(id=f"call-{k}", agent=f"agent-{k}"))
    assert desk.open("know").verdict is Verdict.REVIEW
    desk.customers["cust-43"] = desk.customers["cust-42"]
    desk.enroller.enroll("cust-43", {"pin": "8350", "account_tenure": "2092-03-14"}, by="crm-import")
    assert desk.open("know", subject="cust-43").verdict is Verdict.PENDING


def test_somebody_unknown_is_counted_the_same_way(desk: Desk) -> None:
    for _ in range(4):
        assert desk.open("know", subject="cust-43").verdict is Verdict.PENDING
    assert desk.open("know", subject="cust-43").verdict is Verdict.REVIEW


def test_clearing_the_runs_is_recorded_and_lets_the_customer_in_again(desk: Desk) -> None:
    for _ in range(4):
        desk.open("know")
    assert desk.open("know").verdict is Verdict.REVIEW
    desk.enroller.clear_runs("cust-42", by="ops-1", reason="seen in the branch")
    assert desk.play("know").verdict is Verdict.VERIFIED
    cleared = next(record for record in desk.records() if record.event == "runs_cleared")
    assert (cleared.agent, cleared.detail["reason"]) == ("ops-1", "seen in the branch")


def test_step_up_takes_a_number_and_verified_gives_both_back(desk: Desk) -> None:
    step = desk.play("pin")
    up = desk.verifier.step_up(step.session_id, action="code", call=desk.call)
    assert number(desk, up.session_id) == 1
    assert desk.say(up).verdict is Verdict.VERIFIED
    up = desk.verifier.step_up(step.session_id, action="tenure", call=desk.call)
    desk.say(up, "80 years")
    assert number(desk, desk.open("know").session_id) == 2


# ── The pinned question ──────────────────────────────────────────────────────────────────────────────────────────────


def two(order: list[str]) -> Policy:
    made = {"pin": checks.Pin(), "account_tenure": checks.AccountTenure()}
    return Policy(
        name="two",
        checks=[made[name] for name in order],
        threats=ThreatModel.points({"pin": 3, "account_tenure": 3}),
        actions={"one": Requirement(bits=1), "pin_only": Requirement(bits=1, checks=("pin",))},
    )


def test_a_question_stays_the_question_until_a_run_verifies(make: Callable[..., Desk]) -> None:
    desk = make(two(["account_tenure", "pin"]))
    assert desk.open("one").challenge.check == "account_tenure"
    desk.verifier.cancel(desk.open("one").session_id, call=desk.call)
    other = desk.under(two(["pin", "account_tenure"]))
    for call in (None, desk.another(id="call-9", agent="agent-9")):
        assert other.open("one", call=call).challenge.check == "account_tenure"
    assert other.play("one").verdict is Verdict.VERIFIED
    assert other.open("one").challenge.check == "pin"


def test_a_pin_ends_with_the_window_of_runs(make: Callable[..., Desk]) -> None:
    desk = make(two(["account_tenure", "pin"]))
    desk.open("one")
    desk.clock.advance(days=30)
    assert desk.under(two(["pin", "account_tenure"])).open("one").challenge.check == "pin"


# ── Budgets of answers ───────────────────────────────────────────────────────────────────────────────────────────────


def tight(**budgets: object) -> Policy:
    return Policy(
        name="tight",
        checks=[checks.Pin()],
        threats=ThreatModel.points({"pin": 9}),
        actions={"pin": Requirement(bits=1)},
        budgets=Budgets(**budgets),  # type: ignore[arg-type]
    )


def test_wrong_answers_are_counted_over_sessions_agents_and_calls(make: Callable[..., Desk]) -> None:
    desk = make(tight())
    for k in range(5):
        step = desk.play("pin", {"pin": f"000{k}"}, call=desk.another(id=f"call-{k}", agent=f"agent-{k}"))
        assert step.verdict is Verdict.DENIED
        # Told when the last one is asked for, and not before.
        assert (Notice.BLOCK_IMMINENT in desk.observer.notices) is (k == 4)
    assert desk.open("pin").verdict is Verdict.REVIEW
    assert Notice.BUDGET_SPENT in desk.observer.notices
    desk.clock.advance(days=1)
    assert desk.play("pin").verdict is Verdict.VERIFIED


def test_a_right_answer_refills_nothing_of_the_window(make: Callable[..., Desk]) -> None:
    desk = make(tight())
    for k in range(5):
        desk.play("pin", {"pin": f"000{k}"})
        if k < 4:
            assert desk.play("pin").verdict is Verdict.VERIFIED
    assert desk.open("pin").verdict is Verdict.REVIEW


def test_sessions_opened_before_the_budget_was_spent_get_nothing_compared(make: Callable[..., Desk]) -> None:
    desk = make(tight())
    early = [desk.open("pin") for _ in range(7)]
    for step in early[:5]:
        desk.say(step, "0000")
    for step in early[5:]:
        assert desk.say(step).verdict is Verdict.DENIED
    assert Notice.BUDGET_REFUSED in desk.observer.notices


def test_a_slow_drip_ends_at_the_cap_of_consecutive_failures(make: Callable[..., Desk]) -> None:
    desk = make(tight(consecutive=10, answers=Budget(2, timedelta(days=1)), runs=timedelta(hours=1)))
    compared = 0
    for _ in range(40):
        desk.clock.advance(days=2)
        for _ in range(2):
            step = desk.open("pin")
            if step.challenge is not None:
                desk.say(step, "0000")
                compared += 1
    assert compared == 10
    assert desk.open("pin").verdict is Verdict.REVIEW
    desk.enroller.enroll("cust-42", {"pin": "8350"}, by="crm-import")
    desk.clock.advance(days=2)
    assert desk.play("pin", {"pin": "8350"}).verdict is Verdict.VERIFIED


def test_a_pass_ends_a_row_of_consecutive_failures(make: Callable[..., Desk]) -> None:
    desk = make(tight(consecutive=4, runs=timedelta(hours=1)))
    for _ in range(5):
        for k in range(3):
            desk.clock.advance(days=1)
            desk.play("pin", {"pin": f"000{k}"})
        desk.clock.advance(days=1)
        assert desk.play("pin").verdict is Verdict.VERIFIED


# ── Holds and flags ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_looks_like_wrong_answers_and_is_lifted_by_hand_only(desk: Desk) -> None:
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    assert desk.play("know").verdict is Verdict.DENIED
    desk.clock.advance(days=60)
    assert desk.play("know").verdict is Verdict.DENIED
    desk.enroller.unlock("cust-42", by="ops", reason="settled")
    assert desk.play("know").verdict is Verdict.VERIFIED


def test_a_hold_mid_run_stops_it(desk: Desk) -> None:
    step = desk.open("know")
    step = desk.say(step)
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    assert desk.say(step).verdict is Verdict.DENIED


def test_what_is_said_during_a_hold_proves_nothing_after_it(desk: Desk) -> None:
    step = desk.open("know")
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    step = desk.say(step)
    desk.enroller.unlock("cust-42", by="ops", reason="settled")
    assert desk.say(step).verdict is Verdict.DENIED


def test_no_agent_and_no_number_is_refused_for_calling_often_only_reported(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    few = Budget(2, timedelta(hours=1))
    desk = make(policy(budgets=Budgets(agent=few, number=few)))
    for k in range(4):
        assert desk.open("know", subject=f"cust-{k}").verdict is Verdict.PENDING
    assert desk.observer.notices.count(Notice.AGENT_BUSY) == 2
    assert desk.observer.notices.count(Notice.NUMBER_BUSY) == 2
    desk.observer.notices.clear()
    desk.open("know", call=desk.another(agent="agent-8", attestation="C"))
    assert desk.observer.notices == []


def test_flagged_fields_prove_nothing_from_now_on(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p",
        checks=[checks.DateOfBirth(), checks.Pin(), checks.OneTimeCode()],
        actions={"a": Requirement(bits="1.0", checks=("pin", "date_of_birth"), knowledge_only=True)},
    )
    desk = make(policy)
    assert desk.play("a").verdict is Verdict.VERIFIED
    fields = sorted({field for row in policy.threats.rows.values() for field in row.fields})
    grant = desk.play("a")
    desk.enroller.flag("cust-42", fields=[fields[0]], by="ops", reason="breach")
    flagged = next(record for record in desk.records() if record.event == "flagged")
    assert flagged.detail["fields"] == fields[0]
    with pytest.raises(Exception, match="void"):
        desk.redeem(grant, "a")


def test_a_flag_mid_run_ends_it(make: Callable[..., Desk]) -> None:
    policy = Policy(name="p", checks=[checks.DateOfBirth(), checks.Pin()], actions={"a": Requirement(bits=1)})
    desk = make(policy)
    step = desk.open("a")
    field = next(iter(policy.threats.rows["date_of_birth"].fields))
    desk.enroller.flag("cust-42", fields=[field], by="ops", reason="breach")
    ended = desk.say(step)
    assert ended.verdict is Verdict.DENIED
    assert "rules have changed" in ended.reasons[0]
    desk.enroller.flag("cust-42", fields=[], by="ops", reason="over")
    desk.enroller.clear_runs("cust-42", by="ops", reason="over")
    assert desk.play("a").verdict is Verdict.VERIFIED
