"""Time; more of it is in tests/flows/test_time.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kyc_verify import Contact, EnrollmentError, NotVerified, UsageError, Verdict
from kyc_verify.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)])
def test_ti_01_a_clock_that_goes_back_revives_nothing(desk: Desk, back: timedelta) -> None:
    late = desk.open("code")
    desk.clock.advance(minutes=5)
    late = desk.say(late)  # out of time
    over = desk.open("know")
    desk.clock.advance(minutes=30)
    desk.verifier.status(over.session_id, call=desk.call)
    for k in range(2):
        desk.play("pin", {"pin": f"{7000 + k}"})
    desk.clock.back(back)
    assert desk.say(late).verdict is not Verdict.VERIFIED
    assert desk.verifier.status(over.session_id, call=desk.call).verdict is Verdict.DENIED
    assert desk.open("know").verdict is Verdict.REVIEW  # four runs still count


def test_ti_01_a_cool_off_is_not_shortened(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[Contact(number="+33612345678")])
    desk.open("code")
    desk.clock.back(days=100)
    desk.clock.advance(days=100)
    assert desk.open("code").verdict is Verdict.REVIEW


@pytest.mark.parametrize("days", [1, 400, 20_000])
def test_ti_02_a_clock_that_jumps_ahead_only_ends_things(desk: Desk, days: int) -> None:
    step, code, grant = desk.open("know"), desk.open("code"), desk.play("pin")
    desk.clock.advance(days=days)
    assert desk.say(step).verdict is Verdict.DENIED
    assert desk.say(code).verdict is Verdict.DENIED
    with pytest.raises(NotVerified):
        desk.redeem(grant, "pin")
    desk.clock.back(days=days)
    assert desk.fresh().play("pin").verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    ("zone", "start"), [("Europe/Paris", (2099, 10, 25, 0, 58)), ("America/New_York", (2099, 3, 8, 6, 58))]
)
def test_ti_03_the_hour_that_comes_twice_or_never(
    make: Callable[..., Desk], zone: str, start: tuple[int, int, int, int, int]
) -> None:
    local = ZoneInfo(zone)
    desk = make(clock=FakeClock(datetime(*start, tzinfo=UTC).astimezone(local)))
    for seconds, verdict in ((299, Verdict.VERIFIED), (300, Verdict.DENIED)):
        step = desk.open("pin")
        desk.clock.now = (desk.clock.now.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(local)
        assert desk.say(step).verdict is verdict


def test_ti_04_an_account_opened_on_a_leap_day(make: Callable[..., Desk]) -> None:
    desk = make(facts={"account_tenure": date(2092, 2, 29)})
    for years in range(8):
        desk.clock.now = datetime(2093 + years, 3, 1, 12, tzinfo=UTC)
        said = "one year" if years == 0 else f"{years + 1} years"
        assert desk.fresh().play("tenure", {"account_tenure": said}).verdict is Verdict.VERIFIED


def test_ti_05_naive_times_are_refused_at_the_boundary(desk: Desk) -> None:
    naive = datetime(2090, 1, 1)  # noqa: DTZ001 - on purpose
    for field in ("since", "changed_at"):
        with pytest.raises(UsageError):
            Contact(number="+33612345678", **{field: naive})
    with pytest.raises(UsageError):
        FakeClock(naive)
    with pytest.raises(UsageError):
        desk.policy.evaluate([], action="pin", now=naive)
    desk.signals["sim_swap"].value = naive
    assert desk.open("signals", call=desk.another(number=None)).verdict is Verdict.DENIED


@pytest.mark.parametrize("skew", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_ti_06_nodes_whose_clocks_differ(make: Callable[..., Desk], skew: timedelta) -> None:
    """A lifetime holds by the clocks that see it: within itself and the skew, never beyond."""
    here = make()
    there = type(here)(here.bench.over(here.store), here.loop)
    there.bench.clock = FakeClock(here.clock.now + skew)
    there.bench._wire()
    there = type(here)(there.bench, here.loop)
    step = here.open("pin")
    here.clock.advance(minutes=4)
    there.bench.clock.advance(minutes=4)
    done = there.say(step)
    assert done.verdict is (Verdict.DENIED if skew > timedelta(0) else Verdict.VERIFIED)
    step = here.fresh().open("pin")
    here.clock.advance(minutes=10)
    there.bench.clock.advance(minutes=10)
    assert there.say(step).verdict is Verdict.DENIED


@pytest.mark.parametrize(
    "fact", [date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), date(2100, 1, 2), date(1900, 2, 28)]
)
def test_ti_07_extreme_dates_are_refused_with_a_reason(desk: Desk, fact: date) -> None:
    with pytest.raises(EnrollmentError) as refused:
        desk.enroller.enroll("cust-42", {"account_tenure": fact, "date_of_birth": fact}, by="crm-import")
    assert set(refused.value.faults.values()) <= {"future", "too_old"}


@pytest.mark.parametrize(
    "said", ["1 January 1", "31 December 9999", "2038-01-19", "-5 years", "99999999 years", "0 months"]
)
def test_ti_07_extreme_answers_get_no_credit(desk: Desk, said: str) -> None:
    for action in ("tenure", "born"):
        step = desk.fresh().open(action)
        while step.challenge is not None:
            step = desk.say(step, said)
        assert step.verdict is Verdict.DENIED
