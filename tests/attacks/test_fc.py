"""Fail closed: what is missing, broken, misspelt or stripped never lets anybody in."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kyc_verify
from kyc_verify import (
    AnswerCheck,
    BackendError,
    InvalidPolicy,
    KycVerifyError,
    Lifetimes,
    Notice,
    NotVerified,
    Outcome,
    Policy,
    Requirement,
    SignalCheck,
    StoreError,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
)
from kyc_verify.answers import text
from kyc_verify.testing import FailingStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


# ── Empty and partial ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "empty",
    [
        {"checks": []}, {"actions": {}}, {"checks": None}, {"actions": {"a": Requirement(checks=())}},
        {"actions": {"a": Requirement(bits=0)}}, {"actions": {"a": Requirement(bits=1, checks=())}},
    ],
)  # fmt: skip
def test_fc_01_an_empty_policy_is_refused(empty: dict[str, Any]) -> None:
    given = {"name": "p", "checks": [checks.Pin()], "actions": {"a": Requirement(bits=1)}} | empty
    with pytest.raises(InvalidPolicy):
        Policy(**given)


def test_fc_02_nothing_enrolled(make: Callable[..., Desk]) -> None:
    desk = make(facts={}, contacts=[])
    for action in ("know", "pin", "all", "lossless", "code"):
        step = desk.open(action)
        while step.challenge is not None:
            step = desk.say(step, "")
        assert step.verdict in (Verdict.DENIED, Verdict.REVIEW)


def test_fc_03_partial_enrolment_lowers_nothing(make: Callable[..., Desk]) -> None:
    desk = make(facts={"pin": "4937"})
    assert desk.open("know").verdict is Verdict.REVIEW
    assert desk.play("all").verdict is Verdict.REVIEW
    assert desk.play("pin").verdict is Verdict.VERIFIED


# ── Checks of one's own ──────────────────────────────────────────────────────────────────────────────────────────────


def with_custom(behave: Callable[[], Any], place: int) -> Policy:
    class Custom(AnswerCheck):
        prompts = {"en": "Custom?"}  # noqa: RUF012 - as an author writes it

        def forms(self, said: str, *, locale: str | None, now: Any) -> Any:
            return text.forms(said) if said == "Lindenhof custom" else behave()

    class Watch(SignalCheck):
        source = None

        def judge(self, signal: Any) -> Any:
            return behave()

    layers: list[Any] = [checks.AccountTenure(), checks.Pin()]
    layers.insert(place, Custom())
    return Policy(
        name="custom",
        checks=[*layers, Watch()],
        threats=ThreatModel.points({"custom": 3, "pin": 3, "account_tenure": 3, "watch": 3}),
        actions={
            "three": Requirement(bits=9),
            "watched": Requirement(bits=12),
            "one": Requirement(bits=1, checks=("custom",)),
        },
    )


FACTS = {"custom": "Lindenhof custom", "pin": "4937", "account_tenure": "2092-03-14"}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, UsageError])
def test_fc_04_a_custom_check_that_raises_has_not_passed(
    make: Callable[..., Desk], place: int, error: type[Exception]
) -> None:
    def behave() -> Any:
        message = "the answer was Tabriz"
        raise error(message)

    desk = make(with_custom(behave, place), facts=FACTS)
    for action in ("three", "watched"):
        step = desk.fresh().play(action, {"custom": "Tabriz"})
        assert step.verdict is Verdict.DENIED
    assert Notice.CHECK_FAILED in desk.observer.notices
    assert "Tabriz" not in str(desk.records())


def test_fc_04_a_base_exception_passes_through_and_spends_the_try(make: Callable[..., Desk]) -> None:
    def behave() -> Any:
        raise KeyboardInterrupt

    desk = make(with_custom(behave, 0), facts=FACTS)
    if desk.is_async:
        pytest.skip("an interrupt ends the loop itself")
    step = desk.open("one")
    with pytest.raises(KeyboardInterrupt):
        desk.say(step, "Tabriz")
    desk.clock.advance(seconds=10)
    assert desk.say(step, "Lindenhof custom").verdict is Verdict.DENIED


@pytest.mark.parametrize(
    "rubbish", [None, "false", "pass", {}, 1, True, object(), Outcome.PASS, float("nan"), [Outcome.PASS]]
)
def test_fc_05_a_custom_check_that_returns_rubbish_has_not_passed(make: Callable[..., Desk], rubbish: object) -> None:
    desk = make(with_custom(lambda: rubbish, 1), facts=FACTS)
    assert desk.play("one", {"custom": "Tabriz"}).verdict is Verdict.DENIED
    watched = desk.fresh().play("watched")
    assert watched.verdict is (Verdict.VERIFIED if rubbish is Outcome.PASS else Verdict.DENIED)


# ── Faults of the store ──────────────────────────────────────────────────────────────────────────────────────────────


def test_fc_06_a_store_that_fails_at_any_call_lets_nobody_in(desk: Desk) -> None:
    """The whole sweep, before, after and timed out, is in test_faults."""
    counting = FailingStore(desk.store, at=10_000)
    desk.over(counting).play("know")
    for at in range(1, counting.calls + 1):
        desk.fresh()
        try:
            step = desk.over(FailingStore(desk.store, at=at)).play("know")
        except StoreError:
            continue
        assert step.verdict is not Verdict.VERIFIED


def test_fc_07_a_result_is_withheld_that_could_not_be_recorded(desk: Desk) -> None:
    for answer in ("4937", "0000"):
        step = desk.open("pin")
        for mode in ("before", "after"):
            with pytest.raises(BackendError):
                desk.over(FailingStore(desk.store, verb="begin", mode=mode)).say(step, answer)
        before = desk.hasher.hashes
        with pytest.raises(BackendError):  # claimed already: nothing is compared
            desk.say(step, answer)
        assert desk.hasher.hashes == before


def test_fc_08_while_the_store_is_down_nothing_is_compared(desk: Desk) -> None:
    step = desk.open("pin")
    down = desk.over(FailingStore(desk.store))
    before = desk.hasher.hashes
    for k in range(50):
        with pytest.raises(StoreError):
            down.say(step, f"{7000 + k}")
        with pytest.raises(StoreError):
            down.open("pin")
    assert desk.hasher.hashes == before


def test_fc_09_no_record_no_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    step = desk.open("pin")

    def no_room(*_: object, **__: object) -> None:
        message = "no space left for records"
        raise OSError(message)

    with monkeypatch.context() as patched:
        patched.setattr("kyc_verify.audit.seal", no_room)
        with pytest.raises(KycVerifyError):
            desk.say(step)
        with pytest.raises(KycVerifyError):
            desk.open("pin")
    status = desk.verifier.status(step.session_id, call=desk.call)
    assert status.verdict is Verdict.PENDING
    assert desk.events() == ["opened"]


# ── Metadata, factors, entry points ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("odd", ["a", "", "\x00", "x" * 4096, "+33612345678 "])
def test_fc_10_metadata_that_cannot_be_read_skips_no_step(desk: Desk, odd: str) -> None:
    asked = []
    for call in (desk.call, desk.another(number=odd, attestation=odd, region=odd)):
        step = desk.open("all", call=call, locale=odd[:35] or None)
        asked.append(step.challenge.check)
        while step.challenge is not None:
            step = desk.say(step, call=call)
        assert step.verdict is (Verdict.VERIFIED if call is desk.call else Verdict.DENIED)
    assert asked[0] == asked[1]


def test_fc_11_no_factor_stands_in_for_another(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    actions = {
        "a": Requirement(
            all_of=("account_tenure", "pin", "one_time_code"), checks=("account_tenure", "pin", "one_time_code")
        )
    }
    desk = make(policy(actions=actions))
    wrong = {"account_tenure": "80 years", "pin": "0000", "one_time_code": ""}
    for right in product([True, False], repeat=3):
        desk.fresh()
        said = {name: answer for (name, answer), fits in zip(wrong.items(), right, strict=True) if not fits}
        step = desk.play("a", said)
        assert step.verdict is (Verdict.VERIFIED if all(right) else Verdict.DENIED), right
        desk.clock.advance(hours=1)


def test_fc_12_both_fronts_have_the_same_verbs_and_flows() -> None:
    """Every test here runs on both fronts; this one sees that no verb is missing from one of them."""
    from kyc_verify import AsyncEnroller, AsyncVerifier, Enroller, Verifier  # noqa: PLC0415

    def verbs(front: type) -> set[str]:
        return {name for name in dir(front) if not name.startswith("_")}

    assert verbs(Verifier) == verbs(AsyncVerifier)
    assert verbs(Enroller) == verbs(AsyncEnroller)


@pytest.mark.parametrize(
    "wrong",
    [
        Requirement(bits=1, checks=("pinn",)), Requirement(all_of=("pinn",)), Requirement(any_of=("pin", "Pin")),
        Requirement(bits=1, checks=("pin",), all_of=("account_tenure",)),
    ],
)  # fmt: skip
def test_fc_13_misspelt_checks_are_refused_at_load(policy: Callable[..., Policy], wrong: Requirement) -> None:
    with pytest.raises(InvalidPolicy):
        policy(actions={"a": wrong})


def test_fc_13_misspelt_fields_actions_and_fields_of_json_are_refused(desk: Desk) -> None:
    written = desk.policy.to_json()
    for before, after in (('"pin"', '"pinn"'), ('"bits"', '"bitz"'), ('"actions"', '"action"'), ('"role"', '"rolle"')):
        assert before in written
        with pytest.raises(KycVerifyError):
            Policy.from_json(written.replace(before, after, 1))
    with pytest.raises(UsageError):
        desk.open("Know")


@pytest.mark.parametrize("why", ["inactive", "gone", "locked"])
def test_fc_14_an_inactive_subject_looks_like_a_wrong_answer(make: Callable[..., Desk], why: str) -> None:
    desk = make()
    wrong = desk.play("know", {"pin": "0000"})
    if why == "inactive":
        desk.customers["cust-42"] = replace(desk.customers["cust-42"], active=False)
    elif why == "gone":
        del desk.customers["cust-42"]
    else:
        desk.enroller.lock("cust-42", by="ops", reason="fraud")
    step = desk.play("know")
    assert step.verdict is Verdict.DENIED
    assert (step.reasons, step.challenge) == (wrong.reasons, wrong.challenge)


def test_fc_15_a_policy_changed_mid_run_voids_the_run_and_the_grant(desk: Desk, policy: Callable[..., Policy]) -> None:
    other = policy(lifetimes=Lifetimes(session=timedelta(minutes=29)))
    step, granted = desk.open("know"), desk.play("pin")
    assert desk.under(other).say(step).verdict is Verdict.DENIED
    with pytest.raises(NotVerified) as refused:
        desk.under(other).redeem(granted, "pin")
    assert refused.value.reason == "policy"
    assert all(record.policy for record in desk.records())


def test_fc_16_no_result_is_a_boolean(desk: Desk) -> None:
    auditor = desk.another(agent="auditor", roles=frozenset({"auditor"}))
    verified, denied = desk.play("pin"), desk.play("pin", {"pin": "0000"})
    for value in (
        verified, denied, desk.open("pin"), desk.open("hours"), desk.open("know", subject="x"),
        desk.verifier.explain(verified.session_id, call=auditor), *Verdict,
    ):  # fmt: skip
        with pytest.raises(TypeError):
            bool(value)


STRIPPED = """
from kyc_verify import *
from kyc_verify import checks
from kyc_verify.testing import Bench, Caller
bench = Bench(Policy(name="p", checks=[checks.Pin(), checks.AccountTenure(), checks.OneTimeCode()], actions={
    "a": Requirement(bits=1), "b": Requirement(all_of=("pin", "one_time_code"))}))
out = [bench.play(action="a").verdict.value, bench.play(Caller.answers({"pin": "0000"}), action="a").verdict.value,
       bench.play(action="b").verdict.value,
       bench.play(Caller.answers({"one_time_code": "1"}), action="b").verdict.value,
       bench.verifier.open("x", action="a", call=bench.call).verdict.value]
for wrong in (dict(checks=[]), dict(actions={})):
    try:
        Policy(**({"name": "p", "checks": [checks.Pin()], "actions": {"a": Requirement(bits=1)}} | wrong))
        out.append("made")
    except InvalidPolicy:
        out.append("refused")
bench.enroller.clear_runs("cust-42", by="ops", reason="next")
step = bench.play(action="a")
for _ in range(2):
    try:
        out.append(bench.verifier.redeem(step.require(), subject="cust-42", action="a", call=bench.call).verdict.value)
    except NotVerified as error:
        out.append(error.reason)
print(out)
"""


def test_fc_17_nothing_depends_on_assert(python: Callable[..., str]) -> None:
    plain, one, two = (python(STRIPPED, flags=flags) for flags in ((), ("-O",), ("-OO",)))
    assert plain == one == two
    assert "'used'" in plain
    for path in Path(kyc_verify.__file__).parent.rglob("*.py"):
        if "_contract" not in path.parts:  # tests for others' stores: they assert
            assert not [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Assert)], path
