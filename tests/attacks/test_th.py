"""Throttles and holds."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Budget, Budgets, Notice, Policy, Requirement, StoreError, ThreatModel, Verdict, checks
from kyc_verify.stores import MemoryStore, SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.conftest import Race
    from tests.flows.conftest import Desk


def pins(**budgets: Any) -> Policy:
    return Policy(
        name="pins",
        checks=[checks.Pin(), checks.OneTimeCode()],
        threats=ThreatModel.points({"pin": 60, "one_time_code": 60}),
        actions={
            "pin": Requirement(bits=1, checks=("pin",)), "code": Requirement(bits=1, checks=("one_time_code",)),
            "any": Requirement(bits=1), "both": Requirement(all_of=("pin", "one_time_code")),
        },
        budgets=Budgets(**budgets),
    )  # fmt: skip


def wrong(desk: Desk, times: int, **call: Any) -> None:
    for k in range(times):
        desk.play("pin", {"pin": f"{7000 + k}"}, call=desk.another(**call))


def test_th_01_a_spent_budget_and_a_hold_stand_against_the_right_answer(make: Callable[..., Desk]) -> None:
    desk = make(pins())
    early = desk.open("pin")
    wrong(desk, 5)
    before = desk.hasher.hashes
    denied = desk.say(early)
    assert denied.verdict is Verdict.DENIED
    assert desk.hasher.hashes - before == 1
    held = make(pins())
    held.enroller.lock("cust-42", by="ops", reason="fraud")
    assert held.play("pin").reasons == held.play("pin", {"pin": "0000"}).reasons == denied.reasons


def test_th_02_attempts_after_the_budget_neither_reset_nor_extend_it(make: Callable[..., Desk]) -> None:
    desk = make(pins())
    early = [desk.open("pin") for _ in range(40)]
    wrong(desk, 5)
    for step in early:
        desk.clock.advance(seconds=5)
        desk.say(step, "0000")
    assert desk.open("pin").verdict is Verdict.REVIEW
    desk.clock.advance(timedelta(days=1) - timedelta(seconds=199))
    assert desk.play("pin").verdict is Verdict.VERIFIED


def test_th_03_a_stranger_s_guesses_leave_the_owner_another_way(make: Callable[..., Desk]) -> None:
    desk = make(pins())
    for _ in range(30):
        wrong(desk, 6, id="stranger", agent="agent-1")
        desk.clock.advance(hours=23)
        step = desk.open("any")
        assert step.challenge.check == "one_time_code"
        desk.verifier.cancel(step.session_id, call=desk.call)
        desk.clock.advance(hours=1)
    assert Notice.BUDGET_SPENT in desk.observer.notices
    assert desk.play("any").verdict is Verdict.VERIFIED


def test_th_04_one_counter_for_every_agent_process_and_call(race: Race) -> None:
    bench = race.bench(pins())
    jobs = []
    for k in range(24):
        call = bench.call.__class__(id=f"call-{k}", agent=f"agent-{k % 4}")
        step = bench.verifier.open("cust-42", action="pin", call=call)
        jobs.append(
            {"verb": "respond", "args": [step.challenge.id, f"{7000 + k}"],
             "call": {"id": call.id, "agent": call.agent}, "more": {}},
        )  # fmt: skip
    found = race.run([jobs[at::4] for at in range(4)], threads=2)
    assert sum(int(each.get("compared", 0)) for each in found) == 5


def test_th_05_a_restart_refills_nothing(tmp_path: Any, make: Callable[..., Desk]) -> None:
    path = tmp_path / "kept.db"
    first = make(pins(), store=SQLiteStore(path))
    wrong(first, 5)
    first.store.close()
    second = make(pins(), store=SQLiteStore(path))
    assert second.open("pin").verdict is Verdict.REVIEW
    second.store.close()
    assert "not durable" in (MemoryStore.__doc__ or "")


def test_th_06_a_success_of_one_factor_clears_no_other_s_counter(make: Callable[..., Desk]) -> None:
    desk = make(pins(codes=Budget(5, timedelta(days=1))))
    step = desk.open("code")
    for by in (1, 2, 3):
        step = desk.say(step, f"{(int(desk.sender.code()) + by) % 10**6:06d}")
    assert desk.play("pin").verdict is Verdict.VERIFIED
    step = desk.open("code")
    for by in (1, 2):
        step = desk.say(step, f"{(int(desk.sender.code()) + by) % 10**6:06d}")
    assert desk.say(step).verdict is Verdict.DENIED


def test_th_07_a_rollback_of_the_host_undoes_nothing(tmp_path: Any, make: Callable[..., Desk]) -> None:
    desk = make(pins(), store=SQLiteStore(tmp_path / "kyc.db"))
    host = sqlite3.connect(tmp_path / "host.db", isolation_level=None)
    host.execute("CREATE TABLE orders (id)")
    for k in range(5):
        host.execute("BEGIN")
        host.execute("INSERT INTO orders VALUES (1)")
        desk.play("pin", {"pin": f"{7000 + k}"})
        host.execute("ROLLBACK")
    assert desk.open("pin").verdict is Verdict.REVIEW
    host.close()
    with pytest.raises(StoreError):
        SQLiteStore(tmp_path / "host.db")  # the host's own file is refused
    desk.store.close()


def test_th_08_a_hold_that_comes_mid_run_stops_the_right_code(make: Callable[..., Desk]) -> None:
    desk = make(pins())
    step = desk.open("code")
    code = desk.sender.code()
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    while step.challenge is not None:
        step = desk.say(step, code)
    assert step.verdict is Verdict.DENIED


def test_th_09_spraying_by_one_agent_or_number_is_reported(make: Callable[..., Desk]) -> None:
    desk = make(pins(agent=Budget(10, timedelta(hours=1)), number=Budget(10, timedelta(hours=1))))
    for k in range(15):
        desk.open("pin", subject=f"cust-{k:04d}")
    assert desk.observer.notices.count(Notice.AGENT_BUSY) == 5
    assert desk.observer.notices.count(Notice.NUMBER_BUSY) == 5


def test_th_10_a_new_number_for_each_guess_refills_nothing(make: Callable[..., Desk]) -> None:
    desk = make(pins())
    for k in range(5):
        wrong(desk, 1, number=f"+3361234567{k}")
    assert desk.open("pin", call=desk.another(number="+33698765432")).verdict is Verdict.REVIEW


def test_th_11_a_slow_drip_ends_at_the_absolute_cap(make: Callable[..., Desk]) -> None:
    desk = make(pins(answers=Budget(50, timedelta(days=1)), consecutive=20, runs=timedelta(hours=1)))
    for _ in range(26):
        desk.clock.advance(days=2)
        step = desk.open("pin")
        if step.challenge is None:
            break
        desk.say(step, "0000")
    else:
        pytest.fail("a year of guesses was compared")
    assert desk.open("pin").verdict is Verdict.REVIEW
    with pytest.raises(ValueError, match="consecutive"):
        pins(consecutive=101)
