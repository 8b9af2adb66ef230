"""What the two fronts promise: nothing suspends, nothing hangs, nothing is lost in between."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    AsyncEnroller,
    AsyncVerifier,
    BackendError,
    Busy,
    ConfigurationError,
    Customer,
    Enroller,
    Notice,
    Outcome,
    StoreError,
    UsageError,
    Verdict,
    Verifier,
)
from kyc_verify._flows import gathering, judging, pool, sending
from kyc_verify.stores import MemoryStore
from kyc_verify.testing import AsyncBench, Bench, FailingStore, cheap_hasher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kyc_verify import Policy
    from tests.flows.conftest import Desk


@pytest.fixture
def full_pool() -> Iterator[threading.Event]:
    """Fill the pool of hashes until the event is set."""
    free = threading.Event()
    running = [pool.submit(free.wait, 20) for _ in range(pool._WORKERS * (pool.QUEUE + 1))]
    yield free
    free.set()
    for each in running:
        each.result()


# ── Busy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_pool_is_busy_and_the_try_is_given_back(desk: Desk, full_pool: threading.Event) -> None:
    step = desk.open("pin")
    for _ in range(7):
        with pytest.raises(Busy):
            desk.say(step)
    with pytest.raises(Busy):
        desk.enroller.enroll("cust-42", {"pin": "8350"}, by="crm-import")
    full_pool.set()
    while pool._here().room._value < 2:
        threading.Event().wait(0.01)
    assert desk.say(step).verdict is Verdict.VERIFIED


def test_a_full_pool_opens_no_more_threads(full_pool: threading.Event) -> None:
    with pytest.raises(Busy):
        pool.submit(print)
    assert not full_pool.is_set()
    hashing = [each for each in threading.enumerate() if each.name.startswith("kyc-verify-hash")]
    assert len(hashing) == pool._WORKERS


# ── Awaitables where none belong, and plain functions where they are welcome ─────────────────────────────────────────


def test_a_coroutine_function_behind_the_sync_front_is_refused_and_closed() -> None:
    class Customers:
        async def get(self, subject: str) -> Customer | None:
            return Customer()

    class Store(MemoryStore):
        async def load(self, *_: Any, **__: Any) -> Any:
            return None

    bench = Bench(_policy())
    ports = bench._ports
    late = Verifier(bench.policy, **bench._wiring, **(ports | {"customers": Customers()}))
    with pytest.raises(UsageError, match="AsyncVerifier"):
        late.open("cust-42", action="pin", call=bench.call)
    late = Verifier(bench.policy, **(bench._wiring | {"store": Store()}), **ports)
    with pytest.raises(UsageError, match="AsyncVerifier"):
        late.status("x", call=bench.call)


def test_a_coroutine_from_a_sync_signal_or_sender_counts_as_failed() -> None:
    class Late:
        async def get(self, query: object) -> object:
            return False

        async def send(self, message: object) -> None:
            return None

    bench = Bench(_policy())
    late = Late()
    bench.signals, bench.senders = {"sim_swap": late}, dict.fromkeys(bench.senders, late)
    bench._wire()
    step = bench.verifier.open("cust-42", action="all", call=bench.call)
    assert Notice.SIGNAL_FAILED in bench.observer.notices
    assert step.verdict is Verdict.PENDING


def _verifies(bench: AsyncBench, every: Any) -> None:
    """Put one object behind every port, and let the customer be verified by signals, answers, codes and the app."""
    ports: dict[str, Any] = {
        "customers": every, "senders": dict.fromkeys(bench.senders, every), "signals": {"sim_swap": every},
        "services": {"app": every},
    }  # fmt: skip
    bench.verifier = AsyncVerifier(bench.policy, **bench._wiring, **ports)
    for action in ("all", "app"):
        assert asyncio.run(bench.play(action=action)).verdict is Verdict.VERIFIED


def test_coroutine_functions_behind_the_async_front_work() -> None:
    class Everything:
        async def get(self, asked: object) -> object:
            await asyncio.sleep(0)
            return bench.customers.get(asked) if isinstance(asked, str) else False

        async def send(self, message: object) -> object:
            await asyncio.sleep(0)
            bench.sender.send(message)  # type: ignore[arg-type]
            return "handle-1"

        async def check(self, handle: str, code: str) -> Outcome:
            await asyncio.sleep(0)
            return Outcome.PASS

    bench = AsyncBench(_policy())
    _verifies(bench, Everything())


def test_plain_functions_that_return_coroutines_behind_the_async_front_work() -> None:
    class Everything:
        def get(self, asked: object) -> object:
            return _later(bench.customers.get(asked) if isinstance(asked, str) else False)

        def send(self, message: object) -> object:
            bench.sender.send(message)  # type: ignore[arg-type]
            return _later("handle-1")

        def check(self, handle: str, code: str) -> object:
            return _later(Outcome.PASS)

    async def _later(found: object) -> object:
        await asyncio.sleep(0)
        return found

    bench = AsyncBench(_policy())
    _verifies(bench, Everything())


def test_plain_functions_behind_the_async_front_work() -> None:
    for action in ("all", "app"):
        assert asyncio.run(AsyncBench(_policy()).play(action=action)).verdict is Verdict.VERIFIED


def test_a_sync_store_under_the_async_front_does_not_hold_the_loop() -> None:
    entered = threading.Event()
    leave = threading.Event()

    class Slow(MemoryStore):
        def load(self, *args: Any, **more: Any) -> Any:
            entered.set()
            leave.wait(10)
            return super().load(*args, **more)

    async def run() -> None:
        bench = AsyncBench(_policy(), store=Slow())
        step = await bench.verifier.open("cust-42", action="pin", call=bench.call)
        looking = asyncio.create_task(bench.verifier.status(step.session_id, call=bench.call))
        assert await asyncio.to_thread(entered.wait, 10)
        leave.set()
        assert (await looking).verdict is Verdict.PENDING

    asyncio.run(run())


def test_services_that_hang_do_not_starve_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "TIMEOUT", 0.05)
    leave = threading.Event()

    class Hangs:
        def get(self, query: object) -> object:
            leave.wait(20)
            return False

    async def run() -> None:
        bench = AsyncBench(_policy(), signals={"sim_swap": Hangs()})
        opened = [bench.verifier.open(f"cust-{k}", action="signals", call=bench.call) for k in range(20)]
        steps = await asyncio.wait_for(asyncio.gather(*opened), 5)
        assert {step.verdict for step in steps} <= {Verdict.DENIED, Verdict.VERIFIED}
        leave.set()

    try:
        asyncio.run(run())
    finally:
        leave.set()


def test_a_service_that_hangs_is_left_after_its_time(
    make: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "TIMEOUT", 0.05)
    leave = threading.Event()

    class Hangs:
        def get(self, query: object) -> object:
            leave.wait(10)
            return False

    desk = make(signals={"sim_swap": Hangs()})
    try:
        desk.open("all")
        assert Notice.SIGNAL_FAILED in desk.observer.notices
    finally:
        leave.set()


def test_a_provider_that_hangs_is_left_after_its_time(
    make: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = threading.Event()

    class Hangs:
        def send(self, message: object) -> str:
            return "handle-1"

        def check(self, handle: str, code: str) -> Outcome:
            leave.wait(20)
            return Outcome.PASS

    monkeypatch.setattr(judging, "TIMEOUT", 0.05)
    desk = make(services={"app": Hangs()})
    try:
        assert desk.say(desk.open("app"), "yes").verdict is Verdict.DENIED
        assert Notice.SIGNAL_FAILED in desk.observer.notices
    finally:
        leave.set()


def test_a_sender_that_hangs_is_left_after_its_time(make: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    leave = threading.Event()
    monkeypatch.setattr(sending, "TIMEOUT", 0.05)
    desk = make()
    desk.sender.send = lambda _: leave.wait(20)
    try:
        assert desk.open("code").challenge
        assert Notice.DELIVERY_FAILED in desk.observer.notices
    finally:
        leave.set()


# ── Whatever a port raises ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("raised", [ValueError("x"), StopIteration(), KeyError("k"), TimeoutError(), RecursionError()])
def test_what_a_store_raises_comes_out_as_a_store_error(desk: Desk, raised: Any) -> None:
    for verb in ("open", "commit"):
        with pytest.raises(StoreError) as failed:
            desk.over(FailingStore(desk.store, verb=verb, error=raised)).open("pin")
        assert failed.value.__cause__ is not None


@pytest.mark.parametrize("raised", [ValueError("x"), StopIteration(), TimeoutError()])
def test_what_the_crm_raises_comes_out_as_a_backend_error(desk: Desk, raised: Exception) -> None:
    desk.customers.fail = raised
    with pytest.raises(BackendError):
        desk.open("pin")
    desk.customers.fail = None
    step = desk.play("pin")
    desk.customers.fail = raised
    with pytest.raises(BackendError):
        desk.redeem(step, "pin")
    desk.customers.fail = None
    assert desk.redeem(step, "pin").verdict is Verdict.VERIFIED


@pytest.mark.parametrize("found", [5, "customer", {"active": True}, object(), True])
def test_what_the_crm_returns_beside_a_customer_is_refused(desk: Desk, found: object) -> None:
    desk.customers["cust-42"] = found
    with pytest.raises(UsageError):
        desk.open("pin")


def test_an_observer_that_fails_changes_nothing(desk: Desk) -> None:
    def notice(event: object) -> None:
        raise RuntimeError(event)

    async def late(event: object) -> None: ...

    for said in (notice, late):
        desk.observer.notice = said
        for _ in range(4):
            assert desk.open("know").verdict in (Verdict.PENDING, Verdict.REVIEW)


# ── Cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cancelling_after_begin_spends_the_try() -> None:
    async def run() -> None:
        bench = AsyncBench(_policy())
        step = await bench.verifier.open("cust-42", action="pin", call=bench.call)
        free = threading.Event()
        held = [pool.submit(free.wait, 10) for _ in range(pool._WORKERS)]
        task = asyncio.create_task(bench.verifier.respond(step.challenge.id, "4937", call=bench.call))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        free.set()
        for each in held:
            await asyncio.wrap_future(each)
        with pytest.raises(Busy):
            await bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
        bench.clock.advance(seconds=10)
        done = await bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
        assert done.verdict is Verdict.DENIED
        again = await bench.verifier.respond(step.challenge.id, "0000", call=bench.call)
        assert again.as_dict() == done.as_dict()

    asyncio.run(run())


def test_a_turn_begun_and_never_committed_is_a_spent_try(desk: Desk) -> None:
    step = desk.open("code")
    with pytest.raises(StoreError):
        desk.over(FailingStore(desk.store, verb="commit")).say(step)
    with pytest.raises(Busy):
        desk.say(step)
    desk.clock.advance(seconds=10)
    again = desk.say(step)
    assert again.verdict is Verdict.PENDING
    assert again.challenge.text == "That code was not right. Please read it once more."
    assert desk.say(again).verdict is Verdict.VERIFIED


def test_a_spent_try_stays_spent_whoever_comes_by(desk: Desk) -> None:
    step = desk.open("pin")
    with pytest.raises(StoreError):
        desk.over(FailingStore(desk.store, verb="commit")).say(step)
    desk.clock.advance(seconds=10)
    with pytest.raises(UsageError):
        desk.say(step, call=desk.another(agent="agent-8"))
    desk.clock.advance(seconds=10)
    assert desk.say(step).verdict is Verdict.DENIED


# ── Forking, threads, closing ────────────────────────────────────────────────────────────────────────────────────────

FORK = """
import os, sys
from kyc_verify import Policy, Requirement, ThreatModel, checks
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench

policy = Policy(name="p", checks=[checks.Pin(), checks.OneTimeCode()],
                threats=ThreatModel.points({"pin": 9, "one_time_code": 9}), actions={"a": Requirement(bits=10)})
bench = Bench(policy, store=SQLiteStore(sys.argv[1]))
assert bench.play(action="a").verdict == "verified"  # threads, connections and pools exist before the fork
children = []
for k in range(4):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        step = bench.play(action="a")
        os.write(write, f"{step.verdict.value} {step.session_id} {bench.sender.code()} {step.require().token}".encode())
        os._exit(0)
    os.close(write)
    children.append((pid, read))
for pid, read in children:
    print(os.read(read, 200).decode())
    os.waitpid(pid, 0)
bench.clock.advance(hours=2)
assert bench.play(action="a").verdict == "verified"
"""


def test_a_front_built_before_a_fork_works_in_every_child(tmp_path: Path) -> None:
    script = textwrap.dedent(FORK)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path / "kyc.db")],
        capture_output=True, text=True, timeout=60, check=False, env=_environ(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["verified"] * 4
    for column in (1, 2, 3):
        assert len({line[column] for line in lines}) == 4


def _environ() -> dict[str, str]:
    import os  # noqa: PLC0415

    import kyc_verify  # noqa: PLC0415

    where = os.path.dirname(os.path.dirname(kyc_verify.__file__))  # noqa: PTH120
    return os.environ | {"KYC_VERIFY_TESTING": "1", "PYTHONPATH": where}


def test_a_front_is_shared_by_threads(make: Callable[..., Desk]) -> None:
    desk = make()
    if desk.is_async:
        pytest.skip("tasks are tried elsewhere")
    for k in range(8):
        desk.customers[f"c-{k}"] = desk.customers["cust-42"]
        desk.enroller.enroll(f"c-{k}", {"pin": f"83{k}5"}, by="crm-import")

    def run(k: int) -> str:
        call = desk.another(id=f"call-{k}", agent=f"agent-{k}")
        step = desk.open("pin", subject=f"c-{k}", call=call)
        return str(desk.say(step, f"83{k}5", call=call).verdict.value)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, range(8))) == ["verified"] * 8


def test_a_closed_store_is_an_outage(desk: Desk) -> None:
    step = desk.open("pin")
    desk.verifier.close()
    for verb in (lambda: desk.open("pin"), lambda: desk.say(step), desk.verifier.ready):
        with pytest.raises(StoreError):
            verb()


def test_fronts_are_context_managers_and_immutable() -> None:
    bench = Bench(_policy())
    with Verifier(bench.policy, **bench._wiring, **bench._ports) as verifier:
        verifier.ready()
        assert "pin" not in repr(verifier)
        with pytest.raises(UsageError):
            verifier.policy = None  # type: ignore[misc, assignment]
    with pytest.raises(StoreError):
        verifier.ready()

    async def run() -> None:
        bench = AsyncBench(_policy())
        async with AsyncVerifier(bench.policy, **bench._wiring, **bench._ports) as verifier:
            await verifier.ready()
        async with AsyncEnroller(bench.policy, **bench._wiring) as enroller:
            with pytest.raises(UsageError):
                enroller.x = 1  # type: ignore[attr-defined]
        with pytest.raises(StoreError):
            await verifier.ready()

    asyncio.run(run())


@pytest.mark.parametrize("front", [Verifier, AsyncVerifier])
@pytest.mark.parametrize(
    "wrong",
    [
        {"store": None}, {"store": object()}, {"hasher": None}, {"hasher": "pepper"}, {"customers": object()},
        {"senders": ["sms"]}, {"senders": {"sms": object()}}, {"senders": {5: None}}, {"signals": {"x": object()}},
        {"services": {"app": object()}}, {"observer": object()}, {"clock": 5}, {"tenant": ""}, {"tenant": " a"},
        {"tenant": 5}, {"tenant": "a\u0301"},
    ],
)  # fmt: skip
def test_what_is_wired_wrong_is_refused_at_construction(front: Any, wrong: dict[str, Any]) -> None:
    given = {"store": MemoryStore(), "hasher": cheap_hasher(), "customers": Bench(_policy()).customers}
    with pytest.raises(ConfigurationError):
        front(_policy(), **(given | wrong))
    if wrong.keys() & {"store", "hasher", "clock", "tenant"}:
        with pytest.raises(ConfigurationError):
            Enroller(_policy(), **({name: given[name] for name in ("store", "hasher")} | wrong))


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Verifier("policy", store=MemoryStore(), hasher=cheap_hasher(), customers=object())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _use(policy: Callable[..., Policy]) -> None:
    global _policy  # noqa: PLW0603 - one policy for the tests that make their own benches
    _policy = policy


_policy: Any = None
