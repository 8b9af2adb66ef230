"""Recovery codes: drawn once, each good once, nine of ten left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Budget,
    Budgets,
    EnrollmentError,
    InvalidPolicy,
    Likelihoods,
    Notice,
    Outcome,
    Policy,
    Requirement,
    Secret,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyc_verify import Step
    from tests.flows.conftest import Desk

WHO = "cust-42"


def worth(tries: int = 1) -> Likelihoods:
    """Return what this company has counted of its own lists."""
    return Likelihoods(
        genuine={Outcome.PASS: "0.8"},
        classes={name: {Outcome.PASS: "0.001"} for name in ThreatModel.default().names},
        source="our own count of 2031",
        tries=tries,
    )


def lists(**budgets: Any) -> Policy:
    return Policy(
        name="recovery",
        checks=[checks.RecoveryCode(likelihoods=worth()), checks.Pin()],
        actions={"move": Requirement(bits=2, checks=("recovery_code",))},
        budgets=Budgets(**({"codes": Budget(100, timedelta(days=1))} | budgets)),
    )


@pytest.fixture
def listed(make: Callable[..., Desk]) -> Desk:
    return make(lists())


def issue(desk: Desk, **more: Any) -> list[str]:
    """Return a new list, two days old."""
    desk.clock.back(days=2)
    found = desk.enroller.issue_codes(WHO, by="branch-3", **more)
    desk.clock.advance(days=2, seconds=1)
    return [code.reveal() for code in found]


def read(desk: Desk, code: str, **more: Any) -> Step:
    return desk.say(desk.fresh().open("move", **more), code, **({"call": more["call"]} if "call" in more else {}))


def test_ten_codes_of_ten_digits_told_apart_by_the_first(listed: Desk) -> None:
    codes = issue(listed)
    assert [code[0] for code in codes] == list("0123456789")
    assert all(len(code) == 10 and code.isdecimal() for code in codes)
    assert len({code[1:] for code in codes}) == 10


def test_a_right_code_costs_nothing(make: Callable[..., Desk]) -> None:
    desk = make(lists(codes=Budget(2, timedelta(days=1))))
    for code in issue(desk)[:4]:
        assert desk.say(desk.open("move"), code).verdict is Verdict.VERIFIED


def test_who_issued_a_list_in_which_call_is_recorded(listed: Desk) -> None:
    listed.enroller.issue_codes(WHO, by="branch-3", call="call-9")
    listed.enroller.issue_codes(WHO, by="branch-4", call=listed.call)
    listed.enroller.issue_codes(WHO, by="branch-5")
    told = [(record.event.value, record.agent, record.call is None) for record in listed.records()[-3:]]
    assert told == [("enrolled", "branch-3", False), ("enrolled", "branch-4", False), ("enrolled", "branch-5", True)]
    assert {record.detail["checks"] for record in listed.records()[-3:]} == {"recovery_code"}


def test_what_is_returned_is_secret(listed: Desk) -> None:
    found = listed.enroller.issue_codes(WHO, by="branch-3")
    assert all(type(code) is Secret for code in found)
    assert repr(found) == f"({', '.join(['Secret(***)'] * 10)})"


def test_each_is_good_once(listed: Desk) -> None:
    codes = issue(listed)
    for code in codes[:3]:
        step = listed.fresh().open("move")
        done = listed.say(step, code)
        assert done.verdict is Verdict.VERIFIED
        assert listed.say(step, code).require().token == done.require().token  # the same request
        assert read(listed, code).verdict is Verdict.DENIED
        assert read(listed, code, call=listed.another(id="call-9", agent="agent-9")).verdict is Verdict.DENIED
    assert Notice.BAD_SEAL not in listed.observer.notices  # a used one is no damaged one


def test_spaces_hyphens_and_digits_of_any_script(listed: Desk) -> None:
    codes = issue(listed)
    assert read(listed, f"{codes[1][:4]} {codes[1][4:7]}-{codes[1][7:]}").verdict is Verdict.VERIFIED
    assert read(listed, "".join(chr(0x06F0 + int(digit)) for digit in codes[2])).verdict is Verdict.VERIFIED
    assert read(listed, codes[2]).verdict is Verdict.DENIED


@pytest.mark.parametrize("said", ["", "x" * 300, "12", "0" * 11, "0" * 9, "abc", "\ud800", "9" * 256])
def test_what_is_none_is_wrong(listed: Desk, said: str) -> None:
    issue(listed)
    assert read(listed, said).verdict is Verdict.DENIED


def test_a_code_of_another_place_is_wrong(listed: Desk) -> None:
    codes = issue(listed)
    assert read(listed, "5" + codes[4][1:]).verdict is Verdict.DENIED
    assert read(listed, codes[4]).verdict is Verdict.VERIFIED


def test_of_many_at_once_one_is_verified(make: Callable[..., Desk]) -> None:
    desk = make(lists())
    codes = issue(desk)
    calls = [desk.another(id=f"call-{k}") for k in range(4)]
    opened = [desk.fresh().open("move", call=call) for call in calls]
    jobs = [
        lambda front, step=step, call=call: front.respond(step.challenge.id, codes[0], call=call)
        for step, call in zip(opened, calls, strict=True)
    ]
    assert sorted(step.verdict.value for step in desk.together(jobs)) == ["denied"] * 3 + ["verified"]


def test_a_new_list_voids_the_old_one(listed: Desk) -> None:
    old = issue(listed)
    assert read(listed, old[0]).verdict is Verdict.VERIFIED
    new = issue(listed)
    assert read(listed, old[1]).verdict is Verdict.DENIED
    assert read(listed, old[0]).verdict is Verdict.DENIED
    assert read(listed, new[0]).verdict is Verdict.VERIFIED
    assert read(listed, new[0]).verdict is Verdict.DENIED


def test_a_list_that_is_used_up_is_unavailable(listed: Desk) -> None:
    codes = issue(listed)
    for code in codes:
        assert read(listed, code).verdict is Verdict.VERIFIED
    assert listed.fresh().open("move").verdict is Verdict.REVIEW


def test_without_a_list_it_is_unavailable(make: Callable[..., Desk]) -> None:
    assert make(lists(), facts={"pin": "4937"}).open("move").verdict is Verdict.REVIEW


def test_the_bench_has_a_list_and_reads_the_next_code_of_it(make: Callable[..., Desk]) -> None:
    desk = make(lists())
    assert [desk.fresh().play("move").verdict for _ in range(3)] == [Verdict.VERIFIED] * 3
    assert len(desk.codes["recovery_code"]) == 7


def test_wrong_codes_are_counted_on_subject_and_check(make: Callable[..., Desk]) -> None:
    desk = make(Policy(
        name="few", checks=[checks.RecoveryCode(likelihoods=worth())],
        actions={"move": Requirement(bits=2)}, budgets=Budgets(codes=Budget(3, timedelta(days=1))),
    ))  # fmt: skip
    codes = issue(desk)
    for k in range(3):
        desk.say(desk.open("move"), f"{k}000000000")
    assert desk.open("move").verdict is Verdict.REVIEW
    assert Notice.BUDGET_SPENT in desk.observer.notices
    desk.fresh()
    assert desk.say(desk.open("move"), codes[0]).verdict is Verdict.VERIFIED


def test_who_asks_for_a_list_does_not_verify_with_it(listed: Desk) -> None:
    listed.enroller.issue_codes(WHO, by="branch-3", call=listed.call)
    assert listed.open("move").verdict is Verdict.REVIEW
    listed.enroller.issue_codes(WHO, by=listed.call.agent)
    assert listed.fresh().open("move").verdict is Verdict.REVIEW


def test_every_try_costs_one_hash_and_the_same_trips(listed: Desk) -> None:
    codes = issue(listed)
    costs = []
    for who, said in ((WHO, codes[1]), (WHO, codes[1]), (WHO, "9"), ("nobody", codes[2]), ("nobody", "x")):
        step = listed.fresh().open("move", subject=who)
        before = listed.hasher.hashes
        listed.say(step, said)
        costs.append(listed.hasher.hashes - before)
    assert set(costs) == {1}


def test_somebody_who_does_not_exist_looks_the_same(listed: Desk) -> None:
    issue(listed)
    ends = []
    for who in (WHO, "nobody"):
        step = listed.fresh().open("move", subject=who)
        done = listed.say(step, "1234567890")
        ends.append((step.challenge.text, step.reasons, done.verdict, done.reasons))
    assert ends[0] == ends[1]


def test_a_held_customer_s_right_code_is_wrong_and_stays_good(listed: Desk) -> None:
    codes = issue(listed)
    listed.enroller.lock(WHO, by="ops", reason="held")
    assert read(listed, codes[0]).verdict is Verdict.DENIED
    listed.enroller.unlock(WHO, by="ops", reason="done")
    assert read(listed, codes[0]).verdict is Verdict.VERIFIED


def test_codes_are_never_given(listed: Desk) -> None:
    with pytest.raises(EnrollmentError, match="issue_codes") as caught:
        listed.enroller.enroll(WHO, {"recovery_code": "1234567890"}, by="crm")
    assert dict(caught.value.faults) == {"recovery_code": "issued"}
    for name in ("pin", "nothing", None):
        with pytest.raises(UsageError, match="RecoveryCode"):
            listed.enroller.issue_codes(WHO, name, by="crm")


def test_nobody_knows_what_it_is_worth_but_the_author() -> None:
    with pytest.raises(TypeError):
        checks.RecoveryCode()  # type: ignore[call-arg]
    with pytest.raises(InvalidPolicy, match="likelihoods"):
        Policy(name="p", checks=[checks.RecoveryCode(likelihoods=None)], actions={"a": Requirement(bits=1)})  # type: ignore[arg-type]


def test_a_policy_with_one_is_written_and_read(listed: Desk) -> None:
    again = Policy.from_json(listed.policy.to_json())
    assert again == listed.policy
    assert again.fingerprint == listed.policy.fingerprint


def test_nothing_of_a_code_is_kept_and_a_used_one_s_hash_is_gone(listed: Desk) -> None:
    codes = issue(listed)
    step = read(listed, codes[3])
    loaded = listed.store.load(listed.tenant, step.session_id, listed.clock.now)
    kept = {name: each for name, each in loaded.subject.credentials.items() if name.startswith("recovery_code")}
    assert len(kept) == 10
    assert [each.full == bytes(32) for each in kept.values()].count(True) == 1
    held = repr(listed.records()) + loaded.session.state + repr(kept)
    assert not any(listed.shows(code, held) or listed.shows(code[1:], held) for code in codes)


def test_erasing_takes_the_list(listed: Desk) -> None:
    codes = issue(listed)
    listed.enroller.erase(WHO, by="ops")
    listed.enroller.enroll(WHO, {"pin": "4937"}, by="crm-import")
    assert listed.fresh().open("move").verdict is Verdict.REVIEW
    assert codes
