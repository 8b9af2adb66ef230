"""What the kit says when it is used wrongly: whole sentences of what to write instead, where it was written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from kyc_verify import Contact, Outcome, Policy, Requirement, ThreatModel, UsageError, Verdict, checks, profiles
from kyc_verify.hashing import SecretHasher
from kyc_verify.stores import MemoryStore
from kyc_verify.testing import (
    AsyncBench,
    Bench,
    Caller,
    FailingStore,
    FakeClock,
    FakeCustomers,
    FakeSeeds,
    RecordingSender,
    Transcript,
    assert_monotone,
    assert_never_verifies,
    assert_no_single_point,
    assert_not_verified,
    assert_uniform,
    strategies,
)
from kyc_verify.testing.machine import VerifierMachine


@pytest.fixture(scope="module")
def bank() -> Policy:
    return profiles.bank()


def play(policy: Policy, caller: Caller | None = None) -> Transcript:
    return Bench(policy).play(caller, action="change_phone")


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda _: Bench(None), r"a Policy belongs here, not a NoneType, as in Bench\(profiles.bank\(\)\)"),
        (lambda _: Bench("bank"), "a Policy belongs here, not a str"),
        (lambda _: Bench(profiles.bank), r"call it, as in bank\(\)"),
        (lambda p: Bench(p, facts=["pin"]), r"facts takes a mapping, as in facts=\{'pin': '4937'\}, not a list"),
        (lambda p: Bench(p, signals=["sim_swap"]), r"signals takes a mapping, as in signals=\{"),
        (lambda p: Bench(p, services="app"), r"services takes a mapping"),
        (lambda p: Bench(p, signals={"sim_swapp": None}), "signals: no check asks for sim_swapp; .* sim_swap"),
        (lambda p: Bench(p, services={"ap": None}), "services: no check asks for ap; "),
        (lambda p: Bench(p, clock=datetime(2026, 1, 1, tzinfo=UTC)), r"clock takes a FakeClock, as in FakeClock\("),
        (lambda p: Bench(p, clock=lambda: datetime.now(UTC)), "clock takes a FakeClock"),
        (
            lambda p: Bench(p, store=object()),
            r"Bench takes a store, such as MemoryStore\(\); a object lacks ready, open",
        ),
        (lambda p: Bench(p, store=MemoryStore), r"Bench takes a store, not its class: write MemoryStore\(\)"),
        (lambda p: Bench(p).over(None), "takes a store, such as MemoryStore"),
        (lambda p: Bench(p).over(MemoryStore), "not its class"),
        (lambda p: Bench(p, contacts=Contact(number="+33612345678")), r"contacts=\[Contact\("),
        (lambda _: AsyncBench.beside(None), r"AsyncBench.beside\(Bench\(my_policy\(\)\)\), not a NoneType"),
        (lambda _: FailingStore(None, at=3), "FailingStore takes a store"),
        (lambda _: FailingStore(MemoryStore, at=3), "FailingStore takes a store, not its class"),
        (lambda _: FailingStore(MemoryStore(), mode="Before"), "mode is 'before' .* or 'after' .*, not 'Before'"),
        (lambda _: FailingStore(MemoryStore(), error="down"), r"exception, as in error=TimeoutError\(\)"),
        (lambda _: FailingStore(MemoryStore(), error=TimeoutError), r"not its class: write TimeoutError\(\)"),
        (lambda _: RecordingSender(fail="x"), "fail takes an exception"),
        (lambda _: RecordingSender(delay=5), r"delay=timedelta\(seconds=5\), not 5"),
        (lambda _: RecordingSender(copies="2"), "copies counts"),
        (lambda _: FakeCustomers(["a"]), r"FakeCustomers\(\{'cust-42': Customer\(\)\}\)"),
        (lambda _: FakeSeeds(["a"]), r"FakeSeeds\(\{'cust-42': totp.new_seed\(\)\}\)"),
        (lambda _: Caller.genuine(["pin"]), r"Caller.genuine\(\{'pin': '4937'\}\), not a list"),
        (lambda _: Caller.genuine("pin"), "not a str"),
        (lambda _: Caller.genuine(forgets=None), r"forgets takes names, as in forgets=\['pin'\], not a NoneType"),
        (lambda _: Caller.genuine(forgets={1}), "and 1 is none"),
        (lambda _: Caller.of_class("stranger", says=["pin"]), "says takes a mapping"),
        (lambda _: Caller.of_class("stranger", says={"pin": "x"}), "says goes by check id and outcome"),
        (lambda p: play(p, Caller.of_class("stranger", says={("pni", Outcome.PASS): "x"})), "no check 'pni'"),
        (lambda _: Caller.answers({"pin": lambda: "1"}), r"pin: say a text, None, or a function of the challenge"),
        (lambda _: Caller.answers({"pin": 4937}), "pin: say a text"),
        (lambda p: play(p, Caller("x")), r"make a caller with Caller.genuine\(\)"),
        (lambda _: FakeClock().advance(5), r"write advance\(minutes=5\) or .*, not advance\(5\)"),
        (lambda _: FakeClock().advance(minute=5), r"write advance\(minutes=5\)"),
        (lambda _: FakeClock().advance(minutes="5"), r"write advance\(minutes=5\)"),
        (lambda _: FakeClock().back(date(2026, 1, 1)), r"write back\(minutes=5\)"),
        (lambda _: FakeClock().to_dst_change(None), "write one as 'Europe/Paris'"),
        (lambda _: FakeClock(datetime(9997, 1, 1, tzinfo=UTC)).to_leap_day(), "no 29 February left"),
        (lambda _: assert_never_verifies("bank", classes=["stranger"], at_most=1), "a Policy belongs here"),
        (lambda p: assert_never_verifies(p, classes=["stranger"], at_most=1, threats="x"), "takes a ThreatModel"),
        (lambda p: assert_never_verifies(p, classes=None, at_most=1), r"classes takes names, as in classes=\['sim_"),
        (lambda p: assert_never_verifies(p, classes=["stranger"], at_most=1, action=["x"]), "no action"),
        (lambda p: assert_never_verifies(p, classes=["stranger"], at_most=True), "at_most is a probability"),
        (lambda p: assert_never_verifies(p, classes=["stranger"], at_most=1, runs=0), "runs counts"),
        (lambda p: assert_no_single_point(p, threats="x"), "threats takes a ThreatModel"),
        (lambda _: assert_monotone(profiles.bank), r"call it, as in bank\(\)"),
        (lambda p: assert_not_verified(play(p), reason=5), "reason='score'"),
        (lambda p: assert_not_verified(play(p), reason=" "), "reason='score'"),
        (lambda _: strategies.policies(pool=[checks.Pin()]), r"policies\(pool=\[checks.Pin, lambda"),
        (lambda _: strategies.policies(pool=checks.Pin), "pool takes makers"),
        (lambda _: strategies.policies(threats=ThreatModel.default()), r"threats=\[ThreatModel.default\(\)\]"),
        (lambda _: strategies.perturbed(5), r"perturbed\('Lindenhof'\), not a int"),
        (lambda _: strategies.slips(5), r"slips\('Lindenhof'\), not a int"),
        (lambda _: strategies.phone_numbers(None), "write one as 'FR'"),
        (lambda _: strategies.evidence("x").example(), "a Policy belongs here"),
        (lambda p: strategies.evidence(p, action="nope").example(), "no action 'nope'"),
        (lambda _: strategies.threat_models(classes="two").example(), "classes counts"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_misuse_says_what_to_write_instead(bank: Policy, use: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        use(bank)


@pytest.mark.parametrize("made", [None, "bench"])
def test_a_machine_wants_a_bench(made: object) -> None:
    class Machine(VerifierMachine):
        def make_bench(self) -> Bench:
            return made  # type: ignore[return-value]

    with pytest.raises(UsageError, match=r"return Bench\(my_policy\(\)\), and not a"):
        Machine()._start()


def test_a_class_of_callers_wants_doubles_that_can_be_told(bank: Policy) -> None:
    class Real:
        def get(self, query: object) -> bool:
            return False

    bench = Bench(bank, signals={"sim_swap": Real()})
    with pytest.raises(UsageError, match=r"signals\['sim_swap'\] says, and yours, a Real, cannot be told"):
        bench.play(Caller.of_class("sim_swapper"), action="change_phone")
    assert bench.play(action="change_phone").verdict is Verdict.VERIFIED


def test_hashes_that_nobody_counts_are_not_compared() -> None:
    pin = Policy(
        name="pin",
        checks=[checks.Pin()],
        threats=ThreatModel.points({"pin": 3}),
        actions={"pin": Requirement(bits=1)},
    )
    wrong = Caller.answers({"pin": "0000"})

    def both(bench: Bench) -> tuple[Transcript, Transcript]:
        return bench.play(wrong, action="pin"), bench.play(wrong, action="pin", subject="nobody")

    bench = Bench(pin)
    assert_uniform(*both(bench))
    dear = Bench(pin, hasher=SecretHasher(bench.hasher.keyring, profile="owasp"))
    with pytest.raises(UsageError, match=r"give the bench cheap_hasher\(\), which counts them"):
        assert_uniform(*both(dear))
