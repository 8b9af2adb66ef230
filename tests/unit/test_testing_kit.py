"""Scripted callers, their transcripts, and what is asserted of them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from kyc_verify import Call, Policy, Requirement, Stake, Verdict, checks, profiles
from kyc_verify.analysis import error_rates
from kyc_verify.answers import Forms
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.terms import Outcome
from kyc_verify.testing import (
    AsyncBench,
    Bench,
    Caller,
    assert_leaks_nothing,
    assert_monotone,
    assert_never_verifies,
    assert_no_single_point,
    assert_not_verified,
    assert_uniform,
    assert_verified,
)
from kyc_verify.testing import _acting as acting
from kyc_verify.threats import Likelihoods, ThreatModel

NAMES = ThreatModel.default().names


@pytest.fixture(scope="module")
def bank() -> Policy:
    return profiles.bank()


@pytest.fixture
def bench(bank: Policy) -> Bench:
    return Bench(bank)


# ── Callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_customer_is_verified_and_one_with_another_pin_is_not(bench: Bench) -> None:
    assert_verified(bench.play(action="change_phone"))
    assert_verified(bench.play(Caller.genuine({"account_tenure": "since March 2092"}), action="change_phone"))
    refused = bench.play(Caller.answers({"pin": "0000", "account_tenure": None}), action="change_phone")
    assert_not_verified(refused, reason="factors")
    assert refused.asked == ("pin", "account_tenure", "app_confirmation", "one_time_code")


def test_who_forgets_declines_and_who_misspells_slips(bench: Bench) -> None:
    played = bench.play(Caller.genuine(forgets={"account_tenure"}, misspells={"pin"}), action="pay")
    said = {line.check: line.said for line in played.lines}
    assert said["account_tenure"] is None
    assert sorted(said["pin"] or "") == sorted("4937")
    assert said["pin"] != "4937"


def test_an_answer_may_be_a_function_of_the_question(bench: Bench) -> None:
    heard = []
    bench.play(Caller.answers({"pin": lambda challenge: heard.append(challenge.text) or "4937"}), action="pay")
    assert heard == ["What is your telephone PIN, please?"]


@pytest.mark.slow
@pytest.mark.wide
@pytest.mark.parametrize("name", [*NAMES, "genuine"])
def test_a_class_is_verified_as_often_as_the_table_says(bank: Policy, name: str) -> None:
    rates = error_rates(bank, "read_balance").runs[0]
    expected = rates.genuine[Verdict.VERIFIED] if name == "genuine" else rates.attackers[name]
    bench, verified, many = Bench(bank), 0, 150
    for seed in range(many):
        verified += bench.play(Caller.of_class(name, seed=seed), action="read_balance").verdict is Verdict.VERIFIED
        bench.enroller.clear_runs(bench.subject, by="ops", reason="the next is a first call too")
        bench.clock.advance(days=8)
    spread = 4 * (expected * (1 - expected) * many) ** 0.5 + 1
    assert abs(verified - expected * many) <= spread, (verified, expected * many)


def test_the_same_seed_is_the_same_person(bank: Policy) -> None:
    one, again = (Bench(bank).play(Caller.of_class("phisher", seed=5), action="change_phone") for _ in range(2))
    assert one.decision is not None
    assert again.decision is not None
    assert one.decision.waterfall == again.decision.waterfall
    others = {str(Bench(bank).play(Caller.of_class("phisher", seed=seed), action="pay").decision) for seed in range(9)}
    assert len(others) > 1


def test_what_the_doubles_showed_before_they_show_again(bench: Bench) -> None:
    bench.play(Caller.of_class("stranger", seed=1), action="change_phone")
    assert bench.signals["sim_swap"].value is False
    assert bench.services["app"].outcome is Outcome.PASS


class Pet(checks.AnswerCheck):
    """A custom check whose answers the kit cannot make up: only one word is nearly right."""

    prompts = MappingProxyType({"en": "What is your pet called?"})
    likelihoods = Likelihoods(
        genuine={Outcome.PASS: "0.6", Outcome.NEAR: "0.3"},
        classes={name: {Outcome.PASS: "0.05", Outcome.NEAR: "0.9"} for name in NAMES},
    )

    def forms(self, said: str, *, locale: str | None, now: Any) -> Forms:
        del locale, now
        return Forms(coarse="cat" if said in {"Mauz", "cat"} else said, fine=said, near=True)


def test_a_custom_check_may_need_to_be_told_what_to_say() -> None:
    policy = Policy(name="p", checks=[Pet(), checks.Pin()], actions={"pay": Requirement(bits="0.5")})
    bench = Bench(policy, facts={"pet": "Mauz", "pin": "4937"})
    near = next(
        seed for seed in range(99) if _drawn(bench, seed, says={("pet", Outcome.NEAR): "cat"}).lines[1].said == "cat"
    )
    with pytest.raises(UsageError, match=r"says=\{\('pet', Outcome.NEAR\): \.\.\.\}"):
        _drawn(bench, near)


def _drawn(bench: Bench, seed: int, **more: Any) -> Any:
    return bench.play(Caller.of_class("stranger", seed=seed, **more), action="pay")


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        (checks.DateOfBirth(), date(2061, 10, 23)),
        (checks.AccountTenure(), date(2092, 3, 14)),
        (checks.Pin(), "4937"),
        (checks.SecretAnswer("school", {"en": "School?"}), "Lindenhof"),
        (checks.SecretAnswer("school", {"en": "School?"}, tolerance="typo"), "Lindenhof"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_answers_are_wrong_and_near_ones_near(check: checks.AnswerCheck, fact: object) -> None:
    now = Bench(Policy(name="p", checks=[check], actions={"a": Requirement(all_of=(check.id,))})).clock.now
    true = check.enrolled(fact, locale=None, now=now)
    several = [acting.wrong(check, fact, now=now, turn=turn) for turn in range(5)]
    assert len(set(several)) == 5
    for each in several:
        said = check.forms(each, locale=None, now=now)
        assert isinstance(said, Forms)
        assert acting.graded(true, said) is Outcome.FAIL
    near = acting.nearly(check, fact, now=now)
    if isinstance(check, checks.Pin):
        assert near is None
    elif near is not None:
        said = check.forms(near, locale=None, now=now)
        assert isinstance(said, Forms)
        assert acting.graded(true, said) is Outcome.NEAR


def test_a_stake_and_another_subject_are_played_too() -> None:
    bench = Bench(profiles.bank())
    played = bench.play(action="pay", stake=Stake(amount=Decimal(20), currency="EUR", payee="x"))
    assert played.verdict is Verdict.EXEMPT
    assert bench.play(action="pay", subject="nobody").verdict is Verdict.DENIED


def test_async_calls_read_the_same(bank: Policy) -> None:
    sync, other = Bench(bank), AsyncBench(bank)
    one = sync.play(Caller.answers({"pin": "0000"}), action="change_phone")
    two = asyncio.run(other.play(Caller.answers({"pin": "0000"}), action="change_phone"))
    assert [line.reply.verdict for line in one.lines] == [line.reply.verdict for line in two.lines]
    assert [line.trips for line in one.lines] == [line.trips for line in two.lines]
    assert [record.event for record in one.audit] == [record.event for record in two.audit]
    assert one.decision is not None
    assert two.decision is not None
    assert one.decision.centibits == two.decision.centibits


# ── Transcripts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_transcript_tells_the_whole_call(bench: Bench) -> None:
    played = bench.play(Caller.answers({"pin": "0000"}), action="change_phone")
    text = str(played)
    for part in (
        "one who has own answers to pin calls as 'cust-42' and wants 'change_phone': verified",
        "pin: What is your telephone PIN, please?",
        "> '0000'",
        "bits, weakest against",
        "pin: fail",
        "recorded 2: opened",
    ):
        assert part in text
    code = bench.play(Caller.genuine(forgets={"account_tenure", "pin"}), action="change_phone")
    assert f"Code: {bench.sender.code()}" in str(code)
    assert "(cannot recall)" in str(code)
    assert len(code.sends) == 1
    assert sum(line.hashes or 0 for line in played.lines) == 2
    assert {verb for line in played.lines for verb in line.trips} == {"open", "begin", "commit"}


def test_a_transcript_leaves_no_record_of_its_own(bench: Bench) -> None:
    before = len(list(bench.store.records("default", 0, 1000)))  # type: ignore[arg-type]
    played = bench.play(action="read_balance")
    after = list(bench.store.records("default", 0, 1000))  # type: ignore[arg-type]
    assert tuple(after[before:]) == played.audit


# ── Assertions of calls ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failing_assertion_shows_the_call(bench: Bench) -> None:
    refused = bench.play(Caller.answers({"pin": "0000", "account_tenure": None}), action="change_phone")
    with pytest.raises(AssertionError, match=r"not verified\n.*wants 'change_phone': denied") as raised:
        assert_verified(refused)
    assert "> '0000'" in str(raised.value)
    with pytest.raises(AssertionError, match="got through: verified"):
        assert_not_verified(bench.play(action="read_balance"))
    with pytest.raises(AssertionError, match="got through: exempt"):
        assert_not_verified(bench.play(action="branch_hours"))
    with pytest.raises(AssertionError, match="not verified"):
        assert_verified(bench.play(action="branch_hours"))
    with pytest.raises(AssertionError, match="not for 'all_of:pin'; it was for denied, factors:1 of 2"):
        assert_not_verified(refused, reason="all_of:pin")
    for reason in ("factors", "factors:1 of 2", "denied", "too few distinct", "Offer the review path"):
        assert_not_verified(refused, reason=reason)
    assert_not_verified(refused.step, reason="denied")


def test_who_is_not_there_looks_like_who_is_refused(bench: Bench) -> None:
    caller = Caller.answers(
        {"pin": "0000", "account_tenure": None, "one_time_code": "000000", "app_confirmation": None}
    )
    assert_uniform(
        lambda: bench.play(caller, action="change_phone"),
        lambda: bench.play(caller, action="change_phone", subject="nobody"),
    )


def test_what_differs_is_named(bench: Bench) -> None:
    forgetful = Caller.answers({"pin": None, "account_tenure": None})
    known = bench.play(forgetful, action="change_phone")
    short = Bench(profiles.bank(), facts={"pin": "4937"})
    with pytest.raises(AssertionError, match="the replies of step 3 differ"):
        assert_uniform(known, short.play(forgetful, action="change_phone", subject="nobody"))
    wrong = Caller.answers({"pin": "0000", "account_tenure": None})
    with pytest.raises(AssertionError, match="the slow hashes of step 1 differ: 0 for 'cust-42', 1 for 'nobody'"):
        assert_uniform(known, bench.play(wrong, action="change_phone", subject="nobody"))
    with pytest.raises(AssertionError, match="one call has 5 steps, the other 1"):
        assert_uniform(known, replace(known, lines=known.lines[:1]))


def test_a_message_to_nobody_is_found(bench: Bench) -> None:
    code = bench.play(Caller.genuine(forgets={"account_tenure", "pin"}), action="change_phone")
    with pytest.raises(AssertionError, match="a message was sent for 'cust-42'"):
        assert_uniform(code, code)


# ── Assertions of policies ───────────────────────────────────────────────────────────────────────────────────────────


def test_never_verifies_is_exact_and_names_the_way_in(bank: Policy) -> None:
    rate = error_rates(bank, "change_phone").attackers["sim_swapper"]
    assert_never_verifies(bank, classes=["sim_swapper"], at_most=rate, action="change_phone")
    with pytest.raises(AssertionError, match=r"change_phone: sim_swapper is verified with probability") as raised:
        assert_never_verifies(bank, classes=["sim_swapper"], at_most=rate * 0.999, action="change_phone")
    assert "by passing" in str(raised.value)
    with pytest.raises(AssertionError, match="phisher"):
        assert_never_verifies(bank, classes=["phisher"], at_most=rate, runs=5)


def test_monotone_and_no_single_point(bank: Policy) -> None:
    assert_monotone(bank)
    assert_no_single_point(bank, "change_phone")
    weak = Policy(name="weak", checks=[checks.Pin(), checks.OneTimeCode()], actions={"pay": Requirement(bits=1)})
    with pytest.raises(AssertionError, match=r"actions\.pay: .*\n +shown by: "):
        assert_no_single_point(weak)


def test_a_policy_that_punishes_better_answers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(name="p", checks=[checks.Pin(), checks.DateOfBirth()], actions={"a": Requirement(any_of=("pin",))})
    assert_monotone(policy)
    honest = Policy.evaluate
    turned = {Outcome.PASS: Outcome.FAIL, Outcome.FAIL: Outcome.PASS}

    def backwards(self: Policy, evidence: list[Evidence], **more: Any) -> Any:
        return honest(
            self, [replace(each, outcome=turned.get(each.outcome, each.outcome)) for each in evidence], **more
        )

    monkeypatch.setattr(Policy, "evaluate", backwards)
    with pytest.raises(AssertionError, match=r"a: verified if \w+ is near, and not in pin fail, \w+ pass"):
        assert_monotone(policy)


# ── Leaks ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CANARY = {"the answer": "Papageiengasse 17"}


def test_a_call_leaks_nothing() -> None:
    policy = Policy(
        name="p",
        checks=[checks.SecretAnswer("street", {"en": "Street?"})],
        actions={"a": Requirement(all_of=("street",))},
    )
    bench = Bench(policy, facts={"street": CANARY["the answer"]})
    step = bench.verifier.open(bench.subject, action="a", call=bench.call)
    assert step.challenge is not None
    question = step.challenge.id
    found = assert_leaks_nothing(
        lambda: bench.verifier.respond(question, CANARY["the answer"], call=bench.call), CANARY, bench=bench
    )
    assert found.verdict is Verdict.VERIFIED
    assert (
        assert_leaks_nothing(lambda: bench.verifier.respond("x", CANARY["the answer"], call=bench.call), CANARY) is None
    )


class Holder:
    def __init__(self, held: str) -> None:
        self.held = held


@pytest.mark.parametrize(
    ("leak", "place"),
    [
        (lambda: CANARY["the answer"], "the result"),
        (lambda: Holder(CANARY["the answer"]), "the result"),
        (lambda: CANARY["the answer"].encode().hex(), "the result"),
        (lambda: logging.getLogger("some.library").debug("heard %s", CANARY["the answer"]), "the log"),
        (lambda: {}[CANARY["the answer"]], "the exception"),
        (lambda: int(CANARY["the answer"]), "the exception"),
    ],
    ids=range(6),
)
def test_planted_leaks_are_found_and_not_told(leak: Any, place: str) -> None:
    with pytest.raises(AssertionError, match=place) as raised:
        assert_leaks_nothing(leak, CANARY)
    assert CANARY["the answer"] not in str(raised.value)
    assert "the answer" in str(raised.value)


def test_a_leak_into_the_store_or_a_file_is_found(bench: Bench, tmp_path: Any) -> None:
    with pytest.raises(AssertionError, match="the audit log; canary 0-0 in the store"):
        assert_leaks_nothing(
            lambda: bench.verifier.open(bench.subject, action="pay", call=_by("Papageno-17")),
            ["Papageno-17"],
            bench=bench,
        )
    (tmp_path / "log.txt").write_text("Papageno-17")
    with pytest.raises(AssertionError, match="the file"):
        assert_leaks_nothing(lambda: None, ["Papageno-17"], files=[tmp_path / "log.txt"])


def _by(agent: str) -> Call:
    return Call(id="call-1", agent=agent)


# ── Misuse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda b: b.play("pay", action="pay"), r"bench.play\(Caller.answers"),
        (lambda b: b.play(Caller.answers({"pim": "0000"}), action="pay"), "no check 'pim'; it has caller_number"),
        (lambda b: b.play(Caller.genuine(forgets={"x"}), action="pay"), "no check 'x'"),
        (lambda _: Caller.genuine(forgets="pin"), r"forgets=\['pin'\]"),
        (lambda _: Caller.answers("0000"), r"Caller.answers\(\{'pin': '0000'\}\)"),
        (lambda b: b.play(Caller.of_class("burglar"), action="pay"), "no class 'burglar'; it has genuine, "),
        (lambda b: b.play(action="fly"), "no such action"),
        (lambda _: assert_verified("verified"), r"bench.play\(\.\.\.\)"),
        (lambda b: assert_never_verifies(b.policy, classes="stranger", at_most=1), r"classes=\['stranger'\]"),
        (lambda b: assert_never_verifies(b.policy, classes=["burglar"], at_most=1), "no class 'burglar'"),
        (lambda b: assert_never_verifies(b.policy, classes=[], at_most=1), "name at least one class"),
        (lambda b: assert_never_verifies(b.policy, classes=["stranger"], at_most=30), r"at_most=1 / 30"),
        (lambda b: assert_never_verifies(b.policy, classes=["stranger"], at_most=1, action="fly"), "no action 'fly'"),
        (assert_monotone, "a Policy belongs here"),
        (lambda b: assert_uniform(b.play(action="pay").step, b.play(action="pay").step), r"bench.play\(\.\.\.\)"),
        (lambda _: assert_leaks_nothing(lambda: None, "Papageno"), r"assert_leaks_nothing\(lambda"),
        (lambda _: assert_leaks_nothing(None, ["Papageno"]), r"assert_leaks_nothing\(lambda"),
        (lambda _: assert_leaks_nothing(lambda: None, ["1234"]), "found by chance"),
        (lambda _: assert_leaks_nothing(lambda: None, []), "at least one secret"),
    ],
    ids=range(19),
)
def test_misuse_says_what_to_write_instead(bench: Bench, use: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        use(bench)


def test_too_many_checks_are_refused_with_the_limit() -> None:
    many = Policy(
        name="p",
        checks=[checks.SecretAnswer(f"q{n}", {"en": f"Question {n}?"}) for n in range(10)],
        actions={"a": Requirement(bits="0.5")},
    )
    with pytest.raises(UsageError, match="10 checks; every outcome is gone through with up to 9"):
        assert_monotone(many)


def test_an_async_store_is_for_the_async_bench(bank: Policy) -> None:
    class AsyncStore:
        async def enroll(self) -> None: ...
        async def open(self) -> None: ...

    with pytest.raises(UsageError, match="use AsyncBench"):
        Bench(bank, store=AsyncStore())  # type: ignore[arg-type]
