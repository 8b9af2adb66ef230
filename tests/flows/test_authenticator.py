"""Codes of an authenticator app: the window, single use, where seeds come from, and what a failing source is worth."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Budget, Budgets, Notice, Policy, Requirement, Secret, ThreatModel, Verdict, checks, totp
from kyc_verify.testing import FailingStore

pytest.importorskip("pyotp")
pytest.importorskip("cryptography")

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyc_verify import Step
    from tests.flows.conftest import Desk

AGAIN = "That code was not right. Please wait for the next one and read it to me."
WHO = "cust-42"


def shown_codes(*, budgets: Budgets | None = None, **check: Any) -> Policy:
    return Policy(
        name="authenticator",
        checks=[checks.AuthenticatorCode(**check), checks.Pin()],
        threats=ThreatModel.points({"authenticator_code": 9, "pin": 5}),
        actions={
            "code": Requirement(bits=3, checks=("authenticator_code",)),
            "both": Requirement(bits=14, factors=2),
            "either": Requirement(bits=5),
        },
        budgets=budgets or Budgets(codes=Budget(1000, timedelta(days=1))),
    )


@pytest.fixture
def app(make: Callable[..., Desk]) -> Desk:
    """Return a desk whose customer has an app, at the beginning of a step."""
    return at_a_step(make(shown_codes()))


def at_a_step(desk: Desk) -> Desk:
    desk.clock.advance(
        totp.STEP - (desk.clock.now - desk.clock.now.min.replace(tzinfo=desk.clock.now.tzinfo)) % totp.STEP
    )
    return desk


def shows(desk: Desk, *, steps: int = 0, **how: Any) -> str:
    """Return what the app shows, or showed or will show so many steps from now."""
    seed = desk.seeds.get(WHO, "authenticator_code")
    return totp.code_at(seed, desk.clock.now + steps * totp.STEP, **how).reveal()


def read(desk: Desk, code: str, **more: Any) -> Step:
    return desk.say(desk.fresh().open("code", **more), code, **({"call": more["call"]} if "call" in more else {}))


def right(step: Step) -> bool:
    assert step.verdict in {Verdict.VERIFIED, Verdict.PENDING}
    if step.challenge is not None:
        assert step.challenge.text == AGAIN
    return step.verdict is Verdict.VERIFIED


# ── The window ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("steps", "wanted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_step_before_and_the_one_after_count(app: Desk, steps: int, wanted: bool) -> None:
    assert right(read(app, shows(app, steps=steps))) is wanted


@pytest.mark.parametrize(("steps", "wanted"), [(-1, False), (0, True), (1, False)])
def test_a_window_of_none_is_the_step_itself(make: Callable[..., Desk], steps: int, wanted: bool) -> None:
    desk = at_a_step(make(shown_codes(window=0)))
    assert right(read(desk, shows(desk, steps=steps))) is wanted


@pytest.mark.parametrize(("microseconds", "wanted"), [(59_999_999, True), (60_000_000, False)])
def test_the_window_ends_to_the_microsecond(app: Desk, microseconds: int, wanted: bool) -> None:
    code = shows(app)
    app.clock.advance(microseconds=microseconds)
    assert right(read(app, code)) is wanted


@pytest.mark.parametrize("how", [{"digits": 8}, {"algorithm": "sha256"}, {"algorithm": "sha512", "digits": 7}])
def test_digits_and_algorithm_are_the_check_s(make: Callable[..., Desk], how: dict[str, Any]) -> None:
    desk = make(shown_codes(**how))
    assert right(read(desk, shows(desk, **how)))
    desk.clock.advance(totp.STEP)
    assert not right(read(desk, shows(desk)))


def test_digits_of_any_script_and_spaces_are_read(app: Desk) -> None:
    code = shows(app)
    assert right(read(app, " ".join(chr(0x06F0 + int(digit)) for digit in code)))


# ── Single use ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_is_right_once(app: Desk) -> None:
    code = shows(app)
    done = app.open("code")
    first = app.say(done, code)
    assert first.verdict is Verdict.VERIFIED
    assert app.say(done, code).require().token == first.require().token  # the same request, not a second use
    for call in (app.call, app.another(id="call-9", agent="agent-9")):
        assert not right(read(app, code, call=call))
    app.clock.advance(totp.STEP)
    assert right(read(app, shows(app)))


def test_after_a_newer_step_no_older_one_is_right(app: Desk) -> None:
    ahead = shows(app, steps=1)
    assert right(read(app, ahead))
    for steps in (-1, 0, 1):
        assert not right(read(app, shows(app, steps=steps)))
    app.clock.advance(2 * totp.STEP)
    assert right(read(app, shows(app)))


def test_a_clock_that_goes_back_makes_no_old_code_good(app: Desk) -> None:
    assert right(read(app, shows(app)))
    for back in (timedelta(seconds=30), timedelta(hours=1), timedelta(days=400)):
        app.clock.back(back)
        assert not right(read(app, shows(app)))
        app.clock.advance(back)


def test_a_used_code_costs_what_a_wrong_one_costs(make: Callable[..., Desk]) -> None:
    desk = at_a_step(make(shown_codes(budgets=Budgets(codes=Budget(3, timedelta(days=1))))))
    code = shows(desk)
    assert desk.say(desk.open("code"), code).verdict is Verdict.VERIFIED
    for _ in range(3):
        step = desk.open("code")
        step = desk.say(step, code)
    assert step.challenge is not None
    assert desk.open("code").verdict is Verdict.REVIEW
    assert Notice.BUDGET_SPENT in desk.observer.notices


def test_wrong_codes_are_three_together_and_then_it_failed(app: Desk) -> None:
    step = app.open("code")
    for _ in range(2):
        step = app.say(step, "1")
        assert step.challenge.text == AGAIN
    assert app.say(step, "x" * 300).verdict is Verdict.DENIED


def test_of_many_at_once_one_is_verified(app: Desk) -> None:
    app.enroller.clear_runs(WHO, by="ops", reason="next")
    opened = [app.open("code", call=app.another(id=f"call-{k}")) for k in range(6)]
    code = shows(app)
    calls = [app.another(id=f"call-{k}") for k in range(6)]
    jobs = [
        lambda front, step=step, call=call: front.respond(step.challenge.id, code, call=call)
        for step, call in zip(opened, calls, strict=True)
    ]
    done = app.together(jobs)
    assert sorted(step.verdict.value for step in done) == ["pending"] * 5 + ["verified"]


def test_a_new_seed_starts_anew_and_an_old_one_stays_used(app: Desk) -> None:
    old, code = app.seeds[WHO], shows(app)
    assert right(read(app, code))
    app.seeds[WHO] = totp.new_seed()
    assert right(read(app, shows(app)))
    app.seeds[WHO] = Secret(" ".join(old.reveal().lower()))  # the same seed in another spelling
    assert not right(read(app, code))


def test_a_commit_that_fails_verifies_nobody(app: Desk) -> None:
    code = shows(app)
    desk = app.over(FailingStore(app.store, at=2, verb="commit", mode="before"))
    step = desk.open("code")
    with pytest.raises(Exception, match="store"):
        desk.say(step, code)
    app.clock.advance(seconds=10)
    assert app.say(step, code).challenge.text == AGAIN  # a spent try is wrong, and not compared


# ── Where seeds come from ────────────────────────────────────────────────────────────────────────────────────────────


def sealed(desk: Desk, seed: Secret, **about: str) -> str:
    bound = {"tenant": desk.tenant, "subject": WHO, "check": "authenticator_code"} | about
    return totp.seal_seed(seed, keyring=desk.hasher.keyring, **bound)


def test_a_sealed_seed_is_as_good(app: Desk) -> None:
    seed, code = app.seeds[WHO], shows(app)
    app.seeds[WHO] = sealed(app, seed)
    assert right(read(app, code))
    app.seeds[WHO] = sealed(app, seed)
    assert not right(read(app, code))


@pytest.mark.parametrize("about", [{"subject": "cust-9"}, {"tenant": "other"}, {"check": "other"}])
def test_a_sealed_seed_of_somebody_else_proves_nothing(app: Desk, about: dict[str, str]) -> None:
    code = shows(app)
    app.seeds[WHO] = sealed(app, app.seeds[WHO], **about)
    assert not right(read(app, code))
    assert Notice.BAD_SEAL in app.observer.notices


@pytest.mark.parametrize("seed", ["JBSWY3DPEHPK3PXPJBSWY3DP", "", b"x", 7, Secret("short"), Secret("not base 32!")])
def test_what_is_no_seed_proves_nothing(app: Desk, seed: Any) -> None:
    app.seeds[WHO] = seed
    assert not right(read(app, "000000"))
    assert {Notice.BAD_SEAL, Notice.CHECK_FAILED} & set(app.observer.notices)


def test_a_missing_key_is_unavailable_and_an_alarm(app: Desk) -> None:
    app.seeds[WHO] = sealed(app, app.seeds[WHO]).replace("$", "$gone", 1)
    assert app.open("code").verdict is Verdict.REVIEW
    assert Notice.MISSING_KEY in app.observer.notices


def test_a_key_that_went_missing_meanwhile_is_an_alarm_of_its_own(app: Desk) -> None:
    step = app.open("code")
    code = shows(app)
    app.seeds[WHO] = sealed(app, app.seeds[WHO]).replace("$", "$gone", 1)
    assert app.say(step, code).verdict is not Verdict.VERIFIED
    assert Notice.MISSING_KEY in app.observer.notices
    assert Notice.BAD_SEAL not in app.observer.notices


def test_without_a_seed_the_check_is_unavailable(app: Desk) -> None:
    seed = app.seeds[WHO]
    del app.seeds[WHO]
    assert app.open("code").verdict is Verdict.REVIEW
    assert app.open("either").challenge.check == "pin"
    app.seeds[WHO] = seed
    assert app.fresh().open("code").verdict is Verdict.PENDING


def test_without_a_source_the_check_is_unavailable(app: Desk) -> None:
    app.bench.seeds = None
    app.bench._wire()
    desk = type(app)(app.bench, app.loop)
    assert desk.open("code").verdict is Verdict.REVIEW


def test_on_a_front_without_a_source_a_code_is_wrong(app: Desk) -> None:
    step, code = app.open("code"), shows(app)
    app.bench.seeds = None
    app.bench._wire()
    assert not right(type(app)(app.bench, app.loop).say(step, code))


def test_a_seed_that_is_gone_meanwhile_fails(app: Desk) -> None:
    step, code = app.open("code"), shows(app)
    del app.seeds[WHO]
    assert not right(app.say(step, code))


def test_a_source_that_fails_counts_against_the_caller_until_it_is_out(app: Desk) -> None:
    code = shows(app)
    app.seeds[WHO] = RuntimeError("down")
    step = app.open("code")
    assert step.verdict is Verdict.PENDING
    assert not right(app.say(step, code))
    for _ in range(3):
        app.fresh().open("code")
    assert Notice.CIRCUIT_OPEN in app.observer.notices
    assert app.fresh().open("code").verdict is Verdict.REVIEW  # out for everybody
    app.seeds[WHO] = totp.new_seed()
    assert app.fresh().open("code").verdict is Verdict.REVIEW
    app.clock.advance(minutes=1)
    assert right(read(app, shows(app)))


# ── Nobody ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_somebody_who_does_not_exist_looks_the_same(app: Desk) -> None:
    answers = []
    for who in (WHO, "nobody"):
        step = app.fresh().open("code", subject=who)
        shown = [step]
        for _ in range(3):
            step = app.say(step, "000000")
            shown.append(step)
        answers.append([(each.verdict, each.reasons, each.challenge and each.challenge.text) for each in shown])
    assert answers[0] == answers[1]
    assert [who for who, _ in app.seeds.asked] == [WHO] * 4 + ["nobody"] * 4


def test_a_code_of_the_decoy_s_verifies_nobody(app: Desk) -> None:
    decoy = totp.code_at(Secret("A" * 32), app.clock.now).reveal()
    step = app.open("code", subject="nobody")
    assert app.say(step, decoy).verdict is Verdict.PENDING
    del app.seeds[WHO]
    app.seeds[WHO] = Secret("short")
    assert not right(read(app, decoy))


def test_a_held_customer_s_right_code_is_wrong_and_uses_nothing(app: Desk) -> None:
    code = shows(app)
    app.enroller.lock(WHO, by="ops", reason="held")
    assert app.say(app.open("code"), code).challenge.text == AGAIN
    app.enroller.unlock(WHO, by="ops", reason="done")
    assert right(read(app, code))


def test_nothing_of_a_seed_or_a_code_is_kept(app: Desk) -> None:
    seed, code = app.seeds[WHO].reveal(), shows(app)
    step = app.say(app.open("code"), code)
    held = (
        repr(app.records())
        + repr(step)
        + repr(app.seeds)
        + app.store.load(app.tenant, step.session_id, app.clock.now).session.state
    )
    assert not app.shows(code, held)
    assert seed not in held


def test_an_authenticator_is_a_possession_and_an_otp(app: Desk) -> None:
    step = app.open("both")
    while step.challenge is not None:
        step = app.say(step)
    assert step.verdict is Verdict.VERIFIED
    assert step.require().action == "both"
