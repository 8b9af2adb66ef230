"""Bounded work and bounded keeping."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kyc_verify import (
    Busy,
    EnrollmentError,
    InvalidPolicy,
    Policy,
    Requirement,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
)
from kyc_verify._flows import pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


def test_re_01_a_huge_answer_is_refused_by_its_length(desk: Desk) -> None:
    huge = "Lindenhof " * 1_000_000
    start = time.monotonic()
    with pytest.raises(EnrollmentError) as refused:
        desk.enroller.enroll("cust-42", {"school": huge}, by="crm-import")
    assert refused.value.faults == {"school": "too_long"}
    for action in ("school", "pin", "tenure", "born", "code", "callback"):
        step = desk.fresh().open(action)
        while step.challenge is not None:
            step = desk.say(step, huge)
        assert step.verdict is Verdict.DENIED
    assert time.monotonic() - start < 5


def test_re_02_many_facts_are_refused_before_any_hash(desk: Desk) -> None:
    before = desk.hasher.hashes
    with pytest.raises(UsageError):
        desk.enroller.enroll("cust-42", {f"check-{k}": "x" for k in range(10_000)}, by="crm-import")
    assert desk.hasher.hashes == before
    with pytest.raises(InvalidPolicy):
        Policy(name="p", checks=[checks.Pin(f"pin-{k}") for k in range(65)], actions={"a": Requirement(bits=1)})


def test_re_03_hashes_are_bounded_and_the_rest_is_busy(
    make: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make()
    most, running, lock = 0, 0, threading.Lock()
    plain = type(desk.hasher)._key

    def slow(self: object, *args: object) -> bytes:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return plain(self, *args)  # type: ignore[arg-type]

    steps = [desk.open("pin", subject=f"cust-{k}") for k in range(60)]
    monkeypatch.setattr(type(desk.hasher), "_key", slow)
    found = desk.together([lambda v, s=s: v.respond(s.challenge.id, "0000", call=desk.call) for s in steps])
    assert most <= pool._WORKERS
    kinds = {type(each).__name__ for each in found}
    assert kinds <= {"Step", "Busy"}
    assert not [each for each in found if not isinstance(each, Busy) and each.verdict is not Verdict.DENIED]


def test_re_04_abandoned_state_is_purged(desk: Desk) -> None:
    for k in range(40):
        desk.open("code", subject=f"cust-{k}")

    def rows() -> int:
        with desk.store._reading() as db:
            tables = ("sessions", "charges", "runs", "pins", "grants")
            return sum(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)  # noqa: S608

    assert rows() > 100
    desk.clock.advance(days=366)
    while desk.store.purge(desk.clock.now, 25):
        pass
    assert rows() == 0


def test_re_04_one_run_has_a_bounded_number_of_turns(desk: Desk) -> None:
    step = desk.open("know")
    for _ in range(200):
        desk.verifier.transfer(step.session_id, call=desk.call)
    with pytest.raises(UsageError, match="too long"):
        desk.verifier.transfer(step.session_id, call=desk.call)
    assert desk.verifier.cancel(step.session_id, call=desk.call).verdict is Verdict.DENIED


def test_re_05_parsing_takes_linear_time(desk: Desk) -> None:
    for odd in ("+" + "1" * 255, "(" * 256, "3 years " * 32, "since " * 42, "1/" * 128, "a" * 256, "\u0301" * 256):
        for action in ("tenure", "born", "school", "pin", "code"):
            step = desk.fresh().open(action)
            start = time.monotonic()
            if step.challenge is not None:
                desk.say(step, odd)
            assert time.monotonic() - start < 1
        start = time.monotonic()
        desk.open("signals", call=desk.another(number=odd, region="FR"))
        assert time.monotonic() - start < 1
    with pytest.raises(ValueError, match="JSON"):
        Policy.from_json("[" * 100_000)


def test_re_06_a_long_log_does_not_slow_verifying(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}), actions={"pin": Requirement(bits=1)}
    )
    desk = make(policy)

    def spent(times: int) -> float:
        took = []
        for k in range(times):
            start = time.perf_counter()
            desk.open("pin", subject=f"cust-{k}")
            took.append(time.perf_counter() - start)
        return sorted(took)[len(took) // 2]

    early = spent(30)
    spent(300)
    desk.clock.advance(timedelta(days=40))
    assert spent(30) < early * 4 + 0.01  # a floor for a slow and busy machine: twice is what is wanted
    assert len(list(desk.store.records("default", 100, 50))) == 50
