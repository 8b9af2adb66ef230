"""What the audit log says of each verb: who, about whom, in which call and session, to which end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Call, NotAllowed, NotVerified, Step
from kyc_verify.audit import pseudonym

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))


def _read(desk: Desk, **sessions: Step) -> list[tuple[Any, ...]]:
    """Return every record but the first as ``event, agent, subject, call, session, action, verdict, detail``.

    Names stand for their pseudonyms, which the subject's own key alone can make; a pseudonym of anything else is "?".
    """
    stored = desk.drive(desk.store.load(desk.tenant, next(iter(sessions.values())).session_id, desk.clock.now))
    key = stored.subject.key
    names = {pseudonym(key, "subject", desk.subject): desk.subject}
    names |= {pseudonym(key, "call", each): each for each in ("call-881", "audit-1", "call-clerk")}
    names |= {pseudonym(key, "session", step.session_id): name for name, step in sessions.items()}
    found = []
    for each in desk.records()[1:]:
        who = [None if name is None else names.get(name, "?") for name in (each.subject, each.call, each.session)]
        assert each.policy == desk.policy.fingerprint, each
        assert each.key_id == desk.hasher.keyring.active, each
        found.append((each.event.value, each.agent, *who, each.action, each.verdict, dict(each.detail)))
    return found


def test_answers_codes_and_grants(desk: Desk) -> None:
    step = one = desk.open("all")
    for said in ("hm", None):
        step = desk.say(step, said)
    assert step.challenge is not None
    desk.verifier.decline(step.challenge.id, call=desk.call)
    step = two = desk.open("code")
    assert step.challenge is not None
    desk.clock.advance(minutes=1)
    step = desk.say(desk.verifier.resend(step.challenge.id, call=desk.call), "000000")
    step = desk.say(step)
    desk.redeem(step, "code")
    with pytest.raises(NotVerified):
        desk.redeem(step, "code")
    desk.verifier.explain(two.session_id, call=AUDITOR)
    who = ("agent-7", "cust-42", "call-881")
    first, second = (*who, "one", "all", "pending"), (*who, "two", "code")
    assert _read(desk, one=one, two=two) == [
        ("opened", *first, {"run": 1, "turn": 0}),
        ("clarified", *first, {"check": "account_tenure", "run": 1, "turn": 1}),
        ("answered", *first, {"check": "account_tenure", "outcome": "pass", "run": 1, "turn": 2}),
        ("declined", *first, {"check": "pin", "run": 1, "turn": 3}),
        ("opened", *second, "pending", {"run": 2, "turn": 0}),
        ("resent", *second, "pending", {"check": "one_time_code", "run": 2, "turn": 1}),
        ("sent", *second, "pending", {"check": "one_time_code", "run": 2, "turn": 1}),
        ("answered", *second, "pending", {"check": "one_time_code", "outcome": "fail", "run": 2, "turn": 2}),
        (
            "answered", *second, "verified",
            {"check": "one_time_code", "outcome": "pass", "outcome:one_time_code": "pass", "run": 2, "turn": 3},
        ),
        ("redeemed", *second, None, {}),
        ("refused", *second, None, {"reason": "used"}),
        ("explained", "auditor-1", *second[1:], "verified", {}),
    ]  # fmt: skip


def test_who_was_refused_and_what_ends_a_run(desk: Desk) -> None:
    none, one = desk.open("hours"), desk.open("tenure")
    moved = desk.another(agent="agent-8")
    with pytest.raises(NotAllowed):
        desk.verifier.status(one.session_id, call=moved)
    with pytest.raises(NotAllowed):
        desk.open("boss")
    desk.say(desk.verifier.transfer(one.session_id, call=moved), call=moved)
    desk.verifier.step_up(one.session_id, action="hours", call=moved)
    desk.verifier.cancel(one.session_id, call=moved)
    two = desk.open("tenure")
    desk.clock.advance(hours=1)
    desk.say(two)
    with pytest.raises(NotAllowed):
        desk.verifier.explain(two.session_id, call=desk.call)
    first, late, called = ("agent-7", "cust-42"), ("agent-8", "cust-42"), "call-881"
    passed = {"outcome:account_tenure": "pass"}
    assert _read(desk, none=none, one=one, two=two) == [
        ("opened", *first, called, "none", "hours", "exempt", {"run": 1, "turn": 0}),
        ("opened", *first, called, "one", "tenure", "pending", {"run": 1, "turn": 0}),
        ("refused", *late, called, "one", "tenure", "pending", {"reason": "not_allowed"}),
        ("refused", *first, called, None, "boss", "denied", {"reason": "not_allowed"}),
        ("transferred", *late, called, "one", "tenure", "pending", {"run": 1, "turn": 1}),
        (
            "answered", *late, called, "one", "tenure", "verified",
            {"check": "account_tenure", "outcome": "pass", "run": 1, "turn": 2} | passed,
        ),
        ("stepped_up", *late, called, "one", "hours", "exempt", {"run": 1, "turn": 3} | passed),
        ("cancelled", *late, called, "one", "hours", "denied", {"ending": "cancelled", "run": 1, "turn": 4} | passed),
        ("opened", *first, called, "two", "tenure", "pending", {"run": 1, "turn": 0}),
        ("expired", *first, called, "two", "tenure", "denied", {"ending": "expired", "run": 1, "turn": 1}),
        ("refused", *first, called, "two", "tenure", "denied", {"reason": "not_allowed"}),
    ]  # fmt: skip


def test_what_is_enrolled_and_held(desk: Desk) -> None:
    clerk = Call(id="call-clerk", agent="clerk-1")
    desk.enroller.enroll("cust-42", {"pin": "8350", "school": "Riverside"}, by="clerk-1", call="call-clerk")
    desk.enroller.enroll("cust-42", {"pin": "8351"}, by="clerk-2", call=clerk)
    desk.enroller.lock("cust-42", by="ops-1", reason="fraud")
    desk.enroller.unlock("cust-42", by="ops-2", reason="settled")
    desk.enroller.clear_runs("cust-42", by="ops-3", reason="review")
    none = desk.open("hours")
    nowhere = (None, None, None)
    assert _read(desk, none=none)[:-1] == [
        ("enrolled", "clerk-1", "cust-42", "call-clerk", *nowhere, {"checks": "pin,school"}),
        ("enrolled", "clerk-2", "cust-42", "call-clerk", *nowhere, {"checks": "pin"}),
        ("locked", "ops-1", "cust-42", None, *nowhere, {"reason": "fraud"}),
        ("unlocked", "ops-2", "cust-42", None, *nowhere, {"reason": "settled"}),
        ("runs_cleared", "ops-3", "cust-42", None, *nowhere, {"reason": "review"}),
    ]


def test_an_erasure_names_nobody(desk: Desk) -> None:
    assert desk.enroller.erase("cust-42", by="ops-1") is True
    assert desk.enroller.erase("cust-42", by="ops-2", reason="again") is False
    found = [(r.event.value, r.agent, r.subject, r.call, r.session, dict(r.detail)) for r in desk.records()[1:]]
    assert found == [
        ("erased", "ops-1", None, None, None, {"reason": "erasure"}),
        ("erased", "ops-2", None, None, None, {"reason": "again"}),
    ]


@pytest.mark.parametrize("wrong", ["AAAA", "x" * 43, "g.g"])
def test_a_grant_that_nobody_gave_names_nobody(desk: Desk, wrong: str) -> None:
    with pytest.raises(NotVerified, match="no such grant"):
        desk.verifier.redeem(wrong, subject="cust-42", action="pin", call=desk.call)
    last = desk.records()[-1]
    assert (last.event.value, last.agent, last.action, dict(last.detail)) == (
        "refused", "agent-7", "pin", {"reason": "unknown"},
    )  # fmt: skip
    assert {last.subject, last.call, last.session} == {None}
