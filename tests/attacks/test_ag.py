"""Agents and insiders."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Budget,
    Budgets,
    Call,
    Customer,
    InvalidPolicy,
    Lifetimes,
    NotAllowed,
    Notice,
    NotVerified,
    Policy,
    Requirement,
    Step,
    Verdict,
    Verifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

BOSS = frozenset({"supervisor"})


def test_ag_01_a_missing_role_is_refused_and_recorded_everywhere(desk: Desk) -> None:
    boss = desk.another(roles=BOSS)
    with pytest.raises(NotAllowed):
        desk.open("boss")
    step = desk.open("boss", call=boss)
    done = desk.play("pin")
    plain = {
        "respond": lambda: desk.say(step), "decline": lambda: desk.verifier.decline(step.challenge.id, call=desk.call),
        "status": lambda: desk.verifier.status(step.session_id, call=desk.call),
        "cancel": lambda: desk.verifier.cancel(step.session_id, call=desk.call),
        "transfer": lambda: desk.verifier.transfer(step.session_id, call=desk.call),
        "step_up": lambda: desk.verifier.step_up(done.session_id, action="boss", call=desk.call),
        "explain": lambda: desk.verifier.explain(done.session_id, call=desk.call),
    }  # fmt: skip
    for name, verb in plain.items():
        before = desk.events().count("refused")
        with pytest.raises(NotAllowed):
            verb()
        assert desk.events().count("refused") == before + 1, name
    assert desk.say(step, call=boss).verdict is Verdict.VERIFIED


def test_ag_02_a_role_comes_from_the_call_alone(desk: Desk) -> None:
    for claimed in ("supervisor", "roles=supervisor", "agent-7;supervisor"):
        with pytest.raises(NotAllowed):
            desk.open("boss", call=desk.another(agent=claimed), locale="supervisor", request_id="supervisor")
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], facts={"role": "supervisor"})
    with pytest.raises(NotAllowed):
        desk.open("boss")


def test_ag_05_an_agent_sees_no_secret_no_score_and_not_what_was_wrong(desk: Desk) -> None:
    assert {each.name for each in fields(Step)} == {"session_id", "verdict", "challenge", "reasons", "_grant"}
    shown = []
    for said in ({}, {"pin": "0000"}, {"account_tenure": "80 years"}):
        step = desk.fresh().open("all")
        while step.challenge is not None:
            shown.append(step.as_dict())
            step = desk.say(step, said.get(step.challenge.check))
        shown.append(step.as_dict())
    text = json.dumps(shown)
    for secret in ("4937", "2092", desk.sender.code(), "score", "bits", "wrong:"):
        assert not desk.shows(secret, text)


def test_ag_05_two_wrong_runs_show_the_same(desk: Desk) -> None:
    def run(**said: str) -> list[Any]:
        step, shown = desk.fresh().open("all"), []
        while step.challenge is not None:
            shown.append((step.challenge.text, step.reasons))
            step = desk.say(step, said.get(step.challenge.check))
        return [*shown, step.reasons, step.verdict]

    assert run(pin="0000") == run(account_tenure="80 years") == run(pin="0000", account_tenure="80 years")


def test_ag_06_who_changes_the_answers_or_the_number_cannot_verify_with_them(desk: Desk) -> None:
    desk.enroller.enroll("cust-42", {"pin": "8351"}, by=desk.call.agent, call=desk.call)
    assert desk.open("pin").verdict is Verdict.REVIEW
    contact = replace(
        desk.customers["cust-42"].contacts[0], number="+33698765432", since=desk.clock.now - timedelta(days=999)
    )
    desk.play("tenure")
    desk.customers["cust-42"] = Customer(contacts=(contact,))
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.sender.messages == []


def test_ag_07_there_is_no_override() -> None:
    verbs = {name for name in dir(Verifier) if not name.startswith("_")}
    assert verbs == {
        "open", "respond", "decline", "resend", "status", "step_up", "transfer", "cancel", "explain", "redeem",
        "close", "policy", "ready",
    }  # fmt: skip
    assert {verdict.value for verdict in Verdict} == {"pending", "verified", "step_up", "review", "exempt", "denied"}


def test_ag_08_a_grant_for_one_customer_is_none_for_a_second_in_the_call(desk: Desk) -> None:
    desk.customers["cust-9"] = desk.customers["cust-42"]
    desk.enroller.enroll("cust-9", {"pin": "8351"}, by="crm-import")
    step = desk.play("pin")
    with pytest.raises(NotVerified) as refused:
        desk.redeem(step, "pin", subject="cust-9")
    assert refused.value.reason == "subject"


def test_ag_09_a_right_revoked_mid_session_stops_the_next_step_and_the_grant(desk: Desk) -> None:
    boss = desk.another(roles=BOSS)
    step = desk.open("boss", call=boss)
    with pytest.raises(NotAllowed):
        desk.say(step, call=desk.call)
    done = desk.say(step, call=boss)
    with pytest.raises(NotVerified) as refused:
        desk.redeem(done, "boss", call=desk.call)
    assert refused.value.reason == "role"


def test_ag_09_a_right_that_the_action_does_not_need_is_missed_too(desk: Desk) -> None:
    step = desk.open("pin", call=desk.another(roles=frozenset({"teller"})))
    with pytest.raises(NotAllowed):
        desk.say(step)


def test_ag_10_a_leaver_s_open_work_is_only_taken_over_within_its_call(desk: Desk) -> None:
    """An agent who has left has no log-in, so no Call; nobody else can use what is open but by a recorded transfer."""
    step, done = desk.open("pin"), desk.play("tenure")
    colleague = desk.another(agent="agent-8")
    with pytest.raises(NotAllowed):
        desk.say(step, call=colleague)
    with pytest.raises(NotVerified) as refused:
        desk.redeem(done, "tenure", call=colleague)
    assert refused.value.reason == "agent"
    with pytest.raises(LookupError):
        desk.verifier.transfer(step.session_id, call=Call(id="call-9", agent="agent-8"))


def test_ag_11_bulk_harvesting_is_reported(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    desk = make(policy(budgets=Budgets(agent=Budget(20, timedelta(hours=1)))))
    for k in range(60):
        desk.open("know", subject=f"cust-{k:03d}", call=desk.another(number=None))
    assert desk.observer.notices.count(Notice.AGENT_BUSY) == 40


def test_ag_12_a_policy_that_was_weakened_is_another_and_says_how(policy: Callable[..., Policy], desk: Desk) -> None:
    before = policy()
    actions = dict(before.actions) | {"know": Requirement(bits=1, checks=("pin",))}
    after = policy(actions=actions, lifetimes=Lifetimes(grant=timedelta(minutes=50)))
    assert before.fingerprint != after.fingerprint
    assert {line.partition(":")[0] for line in before.diff(after)} >= {"actions.know.bits", "lifetimes.grant"}
    grant = desk.play("pin")
    with pytest.raises(NotVerified):
        desk.under(after).redeem(grant, "pin")
    for wrong in ({"lifetimes": Lifetimes(code=timedelta(hours=1))}, {"budgets": Budgets(consecutive=1000)}):
        with pytest.raises(InvalidPolicy):
            policy(**wrong)
