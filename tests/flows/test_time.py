"""Clocks: back, forward, naive, broken; the ends of sessions; changes of policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kyc_verify import BackendError, Lifetimes, NotVerified, Policy, UsageError, Verdict
from kyc_verify.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


@pytest.mark.parametrize(("microseconds", "verdict"), [(-1, "verified"), (0, "denied")])
def test_a_session_expires_to_the_microsecond(desk: Desk, microseconds: int, verdict: str) -> None:
    step = desk.open("know")
    for _ in range(7):
        desk.clock.advance(minutes=4)
        moved = desk.verifier.transfer(step.session_id, call=desk.call)
    step = moved
    desk.clock.advance(timedelta(minutes=1))
    step = desk.say(step)
    desk.clock.advance(timedelta(minutes=1, microseconds=microseconds))
    assert desk.say(step).verdict.value == verdict


def test_status_of_a_session_that_is_over_ends_it(desk: Desk) -> None:
    step = desk.open("know")
    desk.clock.advance(minutes=30)
    ended = desk.verifier.status(step.session_id, call=desk.call)
    assert ended.verdict is Verdict.DENIED
    assert "Too much time" in ended.reasons[0]
    desk.clock.back(minutes=29)
    assert desk.verifier.status(step.session_id, call=desk.call).as_dict() == ended.as_dict()
    assert desk.events() == ["opened", "expired"]


def test_a_policy_that_changes_mid_run_ends_it(desk: Desk, policy: Callable[..., Policy]) -> None:
    step = desk.open("know")
    weaker = desk.under(policy(lifetimes=Lifetimes(session=timedelta(hours=1))))
    ended = weaker.say(step)
    assert ended.verdict is Verdict.DENIED
    assert "rules have changed" in ended.reasons[0]
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is Verdict.DENIED


def test_wording_is_no_change_of_policy(desk: Desk) -> None:
    step = desk.open("know")
    same = Policy.from_json(desk.policy.to_json())
    assert desk.under(same).say(step).verdict is Verdict.PENDING


def test_a_clock_that_goes_back_revives_nothing_for_a_run(desk: Desk) -> None:
    step = desk.open("know")
    desk.clock.advance(minutes=6)
    desk.clock.advance(minutes=-6)
    early = desk.say(step)  # nothing has seen the later time
    desk.clock.advance(minutes=5)
    late = desk.say(early)
    assert late.verdict is Verdict.DENIED
    desk.clock.back(hours=1)
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is Verdict.DENIED


def test_a_clock_that_goes_back_does_not_break_a_run(desk: Desk) -> None:
    step = desk.open("all")
    while step.challenge is not None:
        desk.clock.back(hours=1)
        step = desk.say(step)
    assert step.verdict is Verdict.VERIFIED


def test_a_clock_that_goes_back_refills_no_budget(desk: Desk) -> None:
    for k in range(3):
        desk.play("pin", {"pin": f"000{k}"})
    desk.clock.back(days=20)
    assert desk.open("know").verdict is Verdict.PENDING
    assert int(desk.records()[-1].detail["run"]) == 4


def test_a_clock_far_ahead_only_ends_things(desk: Desk) -> None:
    step, grant = desk.open("know"), desk.play("pin")
    desk.clock.advance(days=3650)
    assert desk.say(step).verdict is Verdict.DENIED
    with pytest.raises(NotVerified):
        desk.redeem(grant, "pin")


def test_times_are_instants_whatever_their_zone(make: Callable[..., Desk]) -> None:
    # 01:58 in Paris before the hour that comes twice: ten minutes later the local clock says less.
    paris = ZoneInfo("Europe/Paris")
    desk = make(clock=FakeClock(datetime(2099, 10, 25, 0, 58, tzinfo=UTC).astimezone(paris)))
    step = desk.open("pin")
    desk.clock.now = (desk.clock.now.astimezone(UTC) + timedelta(minutes=5)).astimezone(paris)
    assert desk.say(step).verdict is Verdict.DENIED
    step = desk.open("pin")
    desk.clock.now = (desk.clock.now.astimezone(UTC) + timedelta(minutes=4)).astimezone(timezone(timedelta(hours=-9)))
    assert desk.say(step).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("said", [datetime(2100, 1, 1), None, 5, "2100-01-01"])  # noqa: DTZ001 - naive on purpose
def test_a_clock_that_says_no_instant_is_refused(desk: Desk, said: object) -> None:
    step = desk.open("pin")
    broken = desk.over(desk.store)
    broken.bench.clock = lambda: said
    broken.bench._wire()
    broken = type(desk)(broken.bench, desk.loop)
    with pytest.raises(UsageError):
        broken.open("pin")
    with pytest.raises(UsageError):
        broken.say(step)
    with pytest.raises(UsageError):
        broken.enroller.lock("cust-42", by="ops", reason="x")


def test_a_clock_that_fails_is_an_outage(desk: Desk) -> None:
    def clock() -> datetime:
        msg = "no time"
        raise OSError(msg)

    broken = desk.over(desk.store)
    broken.bench.clock = clock
    broken.bench._wire()
    with pytest.raises(BackendError):
        type(desk)(broken.bench, desk.loop).open("pin")


def test_a_grant_that_was_refused_as_expired_does_not_revive(desk: Desk) -> None:
    step = desk.play("pin")
    desk.clock.advance(seconds=300)
    with pytest.raises(NotVerified):
        desk.redeem(step, "pin")
    desk.clock.back(seconds=200)
    with pytest.raises(NotVerified):
        desk.redeem(step, "pin")


def test_a_customer_made_inactive_mid_run_cannot_use_what_is_verified(desk: Desk) -> None:
    step = desk.open("pin")
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], active=False)
    step = desk.say(step)
    with pytest.raises(NotVerified):
        desk.redeem(step, "pin")
