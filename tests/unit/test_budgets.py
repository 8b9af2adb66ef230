"""Budgets and lifetimes: their bounds, and that every fault is told with its path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from kyc_verify.budgets import Budget, Budgets, Lifetimes

DAY, HOUR, SECOND, TICK = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1), timedelta.resolution


def test_the_defaults_are_sound_and_those_of_the_standards() -> None:
    assert list(Budgets().faults("b")) == []
    assert list(Lifetimes().faults("l")) == []
    assert Budgets().answers == Budget(5, DAY)  # PSD2 RTS article 4(3)(b)
    assert Budgets().consecutive <= 100  # NIST SP 800-63B-4 section 3.2.2
    assert Lifetimes().code <= timedelta(seconds=600)  # NIST SP 800-63B-4 section 3.1.3.2
    assert Lifetimes().cool_off == timedelta(days=30)  # 47 CFR 64.2003
    assert Lifetimes().grant == timedelta(seconds=300)


@pytest.mark.parametrize("name", ["answers", "codes", "sends", "agent", "number"])
@pytest.mark.parametrize(
    ("budget", "fault"),
    [
        (Budget(0, DAY), ".limit"),
        (Budget(10_001, DAY), ".limit"),
        (Budget(-5, DAY), ".limit"),
        (Budget(limit=True, window=DAY), ".limit"),
        (Budget(2.0, DAY), ".limit"),  # type: ignore[arg-type]
        (Budget(10**400, DAY), ".limit"),
        (Budget(1, SECOND - TICK), ".window"),
        (Budget(1, 367 * DAY), ".window"),
        (Budget(1, timedelta.max), ".window"),
        (Budget(1, 60), ".window"),  # type: ignore[arg-type]
        (5, ""),
        (None, ""),
    ],
)
def test_a_budget_out_of_bounds(name: str, budget: Any, fault: str) -> None:
    ((path, message),) = Budgets(**{name: budget}).faults("b")
    assert path == f"b.{name}{fault}"
    assert message.startswith("must be")


@pytest.mark.parametrize("budget", [Budget(1, SECOND), Budget(10_000, 366 * DAY)])
def test_a_budget_within_bounds(budget: Budget) -> None:
    assert list(Budgets(answers=budget).faults("b")) == []


@pytest.mark.parametrize("consecutive", [0, 101, True, 5.0, "5", None, 10**400])
def test_wrong_tries_in_a_row(consecutive: Any) -> None:
    assert list(Budgets(consecutive=consecutive).faults("b")) == [
        ("b.consecutive", "must be a whole number from 1 to 100")
    ]


@pytest.mark.parametrize("runs", [HOUR - TICK, 367 * DAY, 30, None])
def test_the_window_of_runs(runs: Any) -> None:
    assert list(Budgets(runs=runs).faults("b")) == [("b.runs", "must be from 1 hour to 366 days")]
    assert list(Budgets(runs=HOUR, consecutive=100).faults("b")) == []
    assert list(Budgets(runs=366 * DAY, consecutive=1).faults("b")) == []


BOUNDS: Mapping[str, tuple[timedelta, timedelta]] = {
    "session": (timedelta(minutes=1), 12 * HOUR),
    "question": (10 * SECOND, HOUR),
    "code": (30 * SECOND, 600 * SECOND),
    "grant": (SECOND, HOUR),
    "resend": (timedelta(0), timedelta(minutes=10)),
    "cool_off": (timedelta(0), 366 * DAY),
    "own_enrollment": (timedelta(0), 366 * DAY),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_lifetimes_have_bounds_and_the_bounds_are_allowed(name: str) -> None:
    low, high = BOUNDS[name]
    for good in (low, high):
        assert list(Lifetimes(**{name: good}).faults("l")) == []
    for bad in (low - TICK, high + TICK, timedelta.max, 300, None):
        ((path, message),) = Lifetimes(**{name: bad}).faults("l")  # type: ignore[arg-type]
        assert path == f"l.{name}"
        assert message == f"must be a timedelta from {low} to {high}"


def test_all_faults_at_once() -> None:
    given = Budgets(answers=Budget(0, timedelta(0)), codes=1, consecutive=0, runs=timedelta(0))  # type: ignore[arg-type]
    assert [path for path, _ in given.faults("b")] == [
        "b.answers.limit",
        "b.answers.window",
        "b.codes",
        "b.consecutive",
        "b.runs",
    ]
