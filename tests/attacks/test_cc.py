"""Concurrency: threads, tasks and processes at one store."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Budget, Budgets, Busy, Policy, Requirement, Step, StoreError, ThreatModel, Verdict, checks
from kyc_verify.audit import verify
from kyc_verify.stores import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.conftest import Race
    from tests.flows.conftest import Desk

PIN = {"pin": 9, "one_time_code": 9}


def policy(**budgets: Any) -> Policy:
    return Policy(
        name="race",
        checks=[checks.Pin(), checks.OneTimeCode()],
        threats=ThreatModel.points(PIN),
        actions={"pin": Requirement(bits=1, checks=("pin",)), "code": Requirement(bits=1, checks=("one_time_code",))},
        budgets=Budgets(runs=timedelta(hours=1), **budgets),
    )


def job(verb: str, *args: Any, call: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"verb": verb, "args": args, "call": call or {}, "more": more}


def compared(found: list[dict[str, Any]]) -> int:
    return sum(int(each.get("compared", 0)) for each in found)


def opened(bench: Any, number: int, action: str = "pin") -> list[str]:
    return [bench.verifier.open("cust-42", action=action, call=bench.call).challenge.id for _ in range(number)]


def test_cc_01_parallel_wrong_guesses_in_processes_are_bounded(race: Race) -> None:
    bench = race.bench(policy())
    challenges = opened(bench, 24)
    jobs = [job("respond", each, f"{7000 + at}") for at, each in enumerate(challenges)]
    found = race.run([jobs[at::4] for at in range(4)], threads=6)
    assert compared(found) == 5
    assert {each.get("verdict") for each in found} == {"denied"}


def test_cc_01_parallel_wrong_guesses_in_threads_and_tasks_are_bounded(make: Callable[..., Desk]) -> None:
    desk = make(policy())
    steps = [desk.open("pin") for _ in range(12)]
    before = desk.hasher.hashes
    guesses = [
        lambda v, s=s, k=k: v.respond(s.challenge.id, f"{7000 + k}", call=desk.call) for k, s in enumerate(steps)
    ]
    found = desk.together(guesses)
    assert all(each.verdict is Verdict.DENIED for each in found)
    assert desk.hasher.hashes - before == 12  # whether it was compared costs the same
    assert desk.observer.notices.count("budget_refused") == 7


@pytest.mark.parametrize("right", ["same", "many"])
def test_cc_02_parallel_use_of_one_valid_code_succeeds_once(race: Race, right: str) -> None:
    bench = race.bench(policy())
    step = bench.verifier.open("cust-42", action="code", call=bench.call)
    code = bench.sender.code()
    spelled = [code if right == "same" else code[:k] + " " + code[k:] for k in range(8)]
    found = race.run([[job("respond", step.challenge.id, said)] for said in spelled[:4]])
    grants = {each["grant"] for each in found if each.get("verdict") == "verified"}
    assert len(grants) == 1
    status = bench.verifier.status(step.session_id, call=bench.call)
    bench.verifier.redeem(status.require(), subject="cust-42", action="code", call=bench.call)
    assert [r.event.value for r in bench.store.records("default", 0, 100)].count("answered") == 1


def test_cc_03_parallel_sends_are_capped(race: Race) -> None:
    race.bench(policy(sends=Budget(3, timedelta(hours=1))))
    jobs = [job("open", "cust-42", action="code", call={"id": f"call-{k}"}) for k in range(24)]
    found = race.run([jobs[at::4] for at in range(4)], threads=3)
    assert sum(int(each.get("sent", 0)) for each in found) == 3


def test_cc_04_success_racing_the_budget(race: Race) -> None:
    bench = race.bench(policy())
    challenges = opened(bench, 12)
    jobs = [job("respond", each, "4937" if at == 11 else f"{7000 + at}") for at, each in enumerate(challenges)]
    found = race.run([jobs[at::3] for at in range(3)], threads=4)
    assert compared(found) <= 6  # the right one, if it was granted a try, gave it back
    late = bench.verifier.open("cust-42", action="pin", call=bench.call)
    if late.challenge is not None:  # the right one held the last try while the others were refused
        assert bench.verifier.respond(late.challenge.id, "7777", call=bench.call).verdict is Verdict.DENIED
        late = bench.verifier.open("cust-42", action="pin", call=bench.call)
    assert late.verdict is Verdict.REVIEW


def test_cc_05_first_row_race(make: Callable[..., Desk]) -> None:
    desk = make(policy(answers=Budget(50, timedelta(days=1))))
    steps = [desk.open("pin") for _ in range(10)]
    desk.together(
        [lambda v, s=s, k=k: v.respond(s.challenge.id, f"{7000 + k}", call=desk.call) for k, s in enumerate(steps)]
    )
    seen = desk.bench.verifier._ctx
    charge = seen.tries("cust-42", desk.policy.layer("pin"))[0]
    with desk.store._reading() as db:
        (count,) = db.execute("SELECT count(*) FROM charges WHERE key = ?", (charge.key,)).fetchone()
    assert count == 10


def test_cc_06_sqlite_held_by_another_writer(tmp_path: Any, make: Callable[..., Desk]) -> None:
    path = tmp_path / "held.db"
    desk = make(policy(), store=SQLiteStore(path, busy_timeout=0.2))
    step = desk.open("pin")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    with pytest.raises(StoreError, match="try again"):
        desk.say(step)
    assert time.monotonic() - start < 5
    other.execute("ROLLBACK")
    other.close()
    assert desk.say(step).verdict is Verdict.VERIFIED
    assert desk.events() == ["opened", "answered"]
    desk.store.close()


FORKED = """
import os, sys
from kyc_verify.testing import Bench, cheap_hasher
made = cheap_hasher()
def draw():
    return [made.new_code().reveal() for _ in range(4)] + [os.urandom(4).hex()]
mine = draw()
children = []
for _ in range(6):
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, repr(draw()).encode()); os._exit(0)
    children.append(r)
print(len({os.read(r, 200) for r in children} | {repr(mine).encode()}))
"""


def test_cc_08_nothing_is_repeated_in_forked_workers(python: Callable[..., str]) -> None:
    assert python(FORKED).strip() == "7"


def test_cc_09_no_cross_talk_of_identity(make: Callable[..., Desk]) -> None:
    desk = make(policy())
    people = [f"cust-{k}" for k in range(12)]
    for k, who in enumerate(people):
        desk.customers[who] = desk.customers["cust-42"]
        desk.enroller.enroll(who, {"pin": f"83{k:02d}"}, by="crm-import")
    calls = {who: desk.another(id=f"call-{who}", agent=f"agent-{who}") for who in people}
    for _ in range(3):
        opened = desk.together([lambda v, w=w: v.open(w, action="pin", call=calls[w]) for w in people])
        found = desk.together(
            [
                lambda v, w=w, s=s, k=k: v.respond(s.challenge.id, f"83{k:02d}", call=calls[w])
                for k, (w, s) in enumerate(zip(people, opened, strict=True))
            ]
        )
        assert {step.verdict for step in found} == {Verdict.VERIFIED}
    agents = {}
    for record in desk.records():
        if record.event.value in {"opened", "answered"}:
            agents.setdefault(record.subject, set()).add((record.agent, record.call))
    assert len(agents) == 12
    assert all(len(pairs) == 1 for pairs in agents.values())


def test_cc_10_a_request_cancelled_after_the_compare_is_counted(desk: Desk) -> None:
    """The same for a process that dies: the claim is durable before anything is compared."""
    from kyc_verify.testing import FailingStore  # noqa: PLC0415

    for k in range(5):
        step = desk.open("pin", call=desk.another(id=f"c-{k}"))
        if step.challenge is None:
            break
        with pytest.raises(StoreError):
            desk.over(FailingStore(desk.store, verb="commit")).say(step, f"700{k}", call=desk.another(id=f"c-{k}"))
    assert desk.open("pin").verdict is Verdict.REVIEW


def test_cc_11_a_retried_request_in_processes(race: Race) -> None:
    bench = race.bench(policy())
    opening = job("open", "cust-42", action="code", request_id="r-1")
    found = race.run([[opening, opening]] * 3, threads=2)
    assert len({str(each["step"]) for each in found}) == 1
    assert sum(int(each.get("sent", 0)) for each in found) == 1
    step = bench.verifier.open("cust-42", action="pin", call=bench.call)
    found = race.run([[job("respond", step.challenge.id, "7000")] * 2] * 3, threads=2)
    assert len({str(each.get("step")) for each in found}) == 1
    assert compared(found) == 1
    events = [r.event.value for r in bench.store.records("default", 0, 100)]
    assert events.count("answered") == 1


def test_cc_11_the_same_request_in_threads_and_tasks(desk: Desk) -> None:
    step = desk.open("pin")
    found = desk.together([lambda v: v.respond(step.challenge.id, "4937", call=desk.call)] * 5)
    assert len({each.require().token for each in found if isinstance(each, Step)}) == 1
    assert not [each for each in found if not isinstance(each, Step | Busy)]


def test_cc_01_a_naive_store_is_found_by_the_same_race(make: Callable[..., Desk]) -> None:
    """A control: check-then-act lets more through, so the race above can fail."""
    desk = make(policy())
    inner = desk.store
    gate = threading.Lock()

    class Naive:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def begin(self, tenant: str, session: str, turn: int, now: Any) -> Any:
            with gate:
                begun = inner.begin(tenant, session, turn, now)
                with inner._writing() as db:
                    db.execute("DELETE FROM charges")
                return begun

    naive = desk.over(Naive())
    steps = [naive.open("pin") for _ in range(8)]
    for k, step in enumerate(steps):
        naive.say(step, f"{7000 + k}")
    assert desk.observer.notices.count("budget_refused") == 0
    assert verify(inner.records("default", 0, 999), tenant="default", keys=desk.hasher.keyring.chain_keys()).intact
