"""The bench and its assertions where sums, zones, lists of codes, broken calls and wrapped stores come in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings

from kyc_verify import (
    Likelihoods,
    Outcome,
    Policy,
    Requirement,
    Stake,
    StoreError,
    ThreatModel,
    Tier,
    Verdict,
    checks,
    profiles,
)
from kyc_verify.answers import Forms
from kyc_verify.stores import MemoryStore
from kyc_verify.testing import (
    AsyncBench,
    Bench,
    Caller,
    CountingStore,
    FailingStore,
    FakeClock,
    assert_monotone,
    assert_never_verifies,
)
from kyc_verify.testing.machine import VerifierMachine
from kyc_verify.testing.stores import is_async, unwrapped
from kyc_verify.testing.transcript import recent


def tiered() -> Policy:
    """Return a policy whose small sums ask for less than a SIM swapper has."""
    small = Tier(
        up_to=Decimal(50), currency="EUR", ceiling=Decimal(100),
        requirement=Requirement(all_of=("caller_number",), knowledge_only=True),
    )  # fmt: skip
    return Policy(
        name="tiers",
        checks=[checks.Pin(), checks.AccountTenure(), checks.CallerNumber(), checks.AppConfirmation()],
        actions={"pay": Requirement(bits=6, factors=2, stakes=(small,))},
    )


def test_each_tier_is_gone_through() -> None:
    with pytest.raises(AssertionError, match="pay up to 50 EUR: sim_swapper is verified with probability"):
        assert_never_verifies(tiered(), classes=["sim_swapper"], at_most=1 / 30)
    bench = Bench(tiered())
    stake = Stake(amount=20, currency="EUR")
    through = [
        bench.play(Caller.of_class("sim_swapper", seed=seed), action="pay", stake=stake).verdict is Verdict.VERIFIED
        for seed in range(20)
    ]
    assert sum(through) > 10
    assert_monotone(tiered())


@pytest.mark.parametrize("at_most", [Fraction(1, 2), Decimal("0.5"), 0.5, 1])
def test_a_probability_may_be_any_number(at_most: Any) -> None:
    assert_never_verifies(profiles.bank(), classes=["stranger"], at_most=at_most)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 4), ((2026, 10, 25), 4)])
def test_a_clock_in_a_zone_moves_by_what_it_is_told(day: tuple[int, int, int], hours: int) -> None:
    start = datetime(*day, 0, 30, tzinfo=ZoneInfo("Europe/Paris"))
    clock = FakeClock(start)
    before = start.astimezone(UTC)
    clock.advance(hours=hours)
    assert clock.now - before == timedelta(hours=hours)
    clock.back(hours=hours)
    assert clock.now == before
    clock.to(start)
    clock.advance(timedelta(hours=hours))
    assert clock.now - before == timedelta(hours=hours)


@pytest.mark.parametrize("now", [datetime(2026, 11, 28, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)])
def test_the_usual_facts_lie_before_the_clock(now: datetime) -> None:
    bench = Bench(profiles.bank(), clock=FakeClock(now))
    assert bench.play(action="change_phone").verdict is Verdict.VERIFIED


def listed() -> Policy:
    worth = Likelihoods(
        genuine={Outcome.PASS: "0.8"},
        classes={name: {Outcome.PASS: "0.001"} for name in ThreatModel.default().names},
        source="counted",
        tries=1,
    )
    return Policy(
        name="list",
        checks=[checks.RecoveryCode(likelihoods=worth), checks.Pin()],
        actions={"move": Requirement(bits=2, checks=("recovery_code",)), "pin": Requirement(bits=1, checks=("pin",))},
    )


def test_a_list_of_codes_is_issued_and_read_from() -> None:
    bench = Bench(listed())
    ends = [bench.play(Caller.of_class("genuine", seed=seed), action="move").verdict for seed in range(6)]
    assert ends.count(Verdict.VERIFIED) >= 3
    assert bench.play(Caller.answers({"recovery_code": "0000000000"}), action="move").verdict is Verdict.DENIED
    given = Bench(listed(), facts={"pin": "4937", "recovery_code": True})
    assert given.play(action="move").verdict is Verdict.VERIFIED

    async def run() -> Verdict:
        return (await AsyncBench(listed()).play(action="move")).verdict

    assert asyncio.run(run()) is Verdict.VERIFIED


def test_a_class_of_callers_may_want_what_asks_nothing() -> None:
    policy = Policy(name="p", checks=[checks.Pin()], actions={"hours": Requirement.none(), "pin": Requirement(bits=1)})
    assert Bench(policy).play(Caller.of_class("stranger"), action="hours").verdict is Verdict.EXEMPT


def test_a_call_that_breaks_leaves_what_was_said_so_far() -> None:
    recent.clear()
    bench = Bench(profiles.bank())
    for _ in range(9):
        bench.play(action="read_balance")
        bench.enroller.clear_runs(bench.subject, by="ops", reason="next")
    with pytest.raises(StoreError):
        bench.over(FailingStore(bench.store, verb="commit", at=3)).play(action="change_phone")
    numbers = [number for number, _ in recent]
    assert numbers == list(range(3, 11))
    *_, (_, last) = recent
    assert "broken off by StoreError: this store fails as it was told to" in str(last)
    assert last.asked


class AsyncMemory:
    """A store whose verbs are coroutine functions."""

    def __init__(self) -> None:
        self.kept = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.kept, name)

        async def call(*args: Any, **more: Any) -> Any:
            return verb(*args, **more)

        return call

    async def open(self, *args: Any, **more: Any) -> Any:
        return self.kept.open(*args, **more)


@pytest.mark.parametrize("wrapped", [lambda store: store, CountingStore, lambda store: FailingStore(store, at=10**6)])
def test_an_async_store_is_recognised_behind_a_wrapper(wrapped: Any) -> None:
    async def run() -> Verdict:
        bench = AsyncBench(profiles.bank(), store=wrapped(AsyncMemory()))
        await bench.enroll()
        return (await bench.play(action="change_phone")).verdict

    assert asyncio.run(run()) is Verdict.VERIFIED


def test_what_has_every_attribute_is_not_unwrapped_for_ever() -> None:
    assert not is_async(Mock())
    assert unwrapped(CountingStore(kept := MemoryStore())) is kept


def test_an_async_bench_with_nothing_to_enroll() -> None:
    async def run() -> Verdict:
        bench = AsyncBench(profiles.bank(), facts={}, store=AsyncMemory())  # type: ignore[arg-type]
        await bench.enroll()
        return (await bench.play(action="change_phone")).verdict

    assert asyncio.run(run()) is not Verdict.VERIFIED


class Anything(checks.AnswerCheck):
    """A check that takes any rubbish."""

    kind = "anything"
    prompts = {"en": "What is it?"}  # noqa: RUF012

    def forms(self, said: str, *, locale: str, now: datetime) -> Forms:
        return Forms(coarse="x", fine="x")

    def enrolled(self, fact: object, *, locale: str, now: datetime) -> Forms:
        return Forms(coarse="x", fine="x")


@pytest.mark.parametrize("rule", [{"bits": 3}, {"any_of": ("anything",)}, {"all_of": ("anything",)}])
def test_a_machine_finds_a_check_that_takes_anything(rule: dict[str, Any]) -> None:
    policy = Policy(
        name="weak",
        checks=[Anything()],
        threats=ThreatModel.points({"anything": 6}),
        actions={"a": Requirement(knowledge_only=True, **rule)},
    )

    class Machine(VerifierMachine):
        def make_bench(self) -> Bench:
            return Bench(policy, facts={"anything": "right"})

    Machine.TestCase.settings = settings(
        max_examples=60, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with pytest.raises(AssertionError, match="verified, though only nothing was answered rightly"):
        Machine.TestCase("runTest").runTest()
