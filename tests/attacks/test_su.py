"""Using what was decided; more of it is in tests/flows/test_grants.py."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Contact,
    Grant,
    NotAllowed,
    NotVerified,
    Policy,
    Requirement,
    Step,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
)

if TYPE_CHECKING:
    from tests.attacks.conftest import Race
    from tests.flows.conftest import Desk


def reason(desk: Desk, grant: Grant | str, action: str = "pin", **more: Any) -> str:
    given = {"subject": "cust-42", "call": desk.call} | more
    with pytest.raises(NotVerified) as refused:
        desk.verifier.redeem(grant, action=action, **given)
    return str(refused.value.reason)


def test_su_01_a_grant_is_bound_to_call_subject_action_and_agent(desk: Desk) -> None:
    grant = desk.play("pin").require()
    assert reason(desk, grant, call=desk.another(id="call-2")) == "call"
    assert reason(desk, grant, call=desk.another(agent="agent-8")) == "agent"
    assert reason(desk, grant, subject="cust-43") == "subject"
    assert reason(desk, grant, action="tenure") == "action"
    assert desk.redeem(desk.play("pin"), "pin").verdict is Verdict.VERIFIED


def test_su_02_a_grant_expires(desk: Desk) -> None:
    step = desk.play("pin")
    desk.clock.advance(seconds=300)
    assert reason(desk, step.require()) == "expired"


def test_su_03_a_grant_is_used_once(desk: Desk) -> None:
    step = desk.play("pin")
    desk.redeem(step, "pin")
    assert reason(desk, step.require()) == "used"


def test_su_03_a_grant_is_used_once_by_processes(race: Race) -> None:
    policy = Policy(
        name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 9}), actions={"pin": Requirement(bits=1)}
    )
    bench = race.bench(policy)
    grant = bench.play(action="pin").require()
    jobs = [
        {"verb": "redeem", "args": [grant.token], "call": {}, "more": {"subject": "cust-42", "action": "pin"}}
        for _ in range(32)
    ]
    found = race.run([jobs[at::4] for at in range(4)], threads=4)
    # The racers' customers have the same number on record, so only the first write decides.
    assert len([each for each in found if each.get("verdict") == "verified"]) == 1
    assert {each["reason"] for each in found if "error" in each} == {"used"}


@pytest.mark.parametrize("change", ["number", "locked", "role", "enrolled"])
def test_su_04_what_changed_after_the_grant_is_seen_at_its_use(desk: Desk, change: str) -> None:
    boss = desk.another(roles=frozenset({"supervisor"}))
    step = desk.play("boss", call=boss)
    call = boss
    if change == "number":
        contact = Contact(number="+33698765432", since=desk.clock.now - timedelta(days=900))
        desk.customers["cust-42"] = replace(desk.customers["cust-42"], contacts=(contact,))
    elif change == "locked":
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    elif change == "role":
        call = desk.call
    else:
        desk.enroller.enroll("cust-42", {"pin": "8351"}, by="agent-9")
    expected = {"number": "contact", "locked": "void", "role": "role", "enrolled": "void"}
    assert reason(desk, step.require(), "boss", call=call) == expected[change]


def test_su_05_a_grant_for_little_is_none_for_much(desk: Desk) -> None:
    grant = desk.play("pin").require()
    for action in ("all", "know", "pay"):
        assert reason(desk, grant, action) == "action"
    step = desk.verifier.step_up(desk.play("pin").session_id, action="know", call=desk.call)
    assert step.verdict is Verdict.PENDING


def test_su_06_a_transfer_binds_anew_and_is_recorded(desk: Desk) -> None:
    step = desk.open("pin")
    other = desk.another(agent="agent-8")
    with pytest.raises(NotAllowed):
        desk.say(step, call=other)
    moved = desk.verifier.transfer(step.session_id, call=other)
    assert desk.say(moved, call=other).verdict is Verdict.VERIFIED
    record = next(each for each in desk.records() if each.event == "transferred")
    assert record.agent == "agent-8"


def test_su_07_a_forged_or_edited_result_opens_nothing(desk: Desk) -> None:
    denied = desk.play("pin", {"pin": "0000"})
    forged = replace(denied, verdict=Verdict.VERIFIED)
    with pytest.raises(NotVerified):
        forged.require()
    made = Grant(token="A" * 22, action="pin", expires_at=desk.clock.now + timedelta(days=1))
    assert reason(desk, made) == "unknown"
    assert reason(desk, replace(desk.play("pin").require(), token="B" * 22)) == "unknown"
    longer = replace(desk.play("pin").require(), expires_at=desk.clock.now + timedelta(days=9))
    desk.clock.advance(seconds=300)
    assert reason(desk, longer) == "expired"
    for serialise in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(UsageError):
            serialise(denied)
    assert isinstance(denied, Step)
    assert "token" not in json.dumps(denied.as_dict())


def test_su_08_a_caller_who_calls_back_starts_anew(desk: Desk) -> None:
    step = desk.say(desk.open("know"))
    again = desk.another(id="call-882")
    for verb in (
        lambda: desk.say(step, call=again), lambda: desk.verifier.status(step.session_id, call=again),
        lambda: desk.verifier.transfer(step.session_id, call=again),
    ):  # fmt: skip
        with pytest.raises(LookupError):
            verb()
    fresh = desk.open("know", call=again)
    assert fresh.challenge.check == "account_tenure"
