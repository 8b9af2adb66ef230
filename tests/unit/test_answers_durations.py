"""The grading of tenure and its candidate months; phrases are in test_tenure_phrases.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from kyc_verify.answers import Clarify, Refused, durations
from kyc_verify.terms import Outcome

NOW = datetime(2031, 6, 15, tzinfo=UTC)
PRESENT = 2031 * 12 + 5


@pytest.mark.parametrize(
    ("true_ago", "said_ago", "outcome"),
    [
        (12, 18, Outcome.PASS),
        (12, 19, Outcome.NEAR),
        (12, 0, Outcome.NEAR),
        (12, 25, Outcome.FAIL),
        (0, 6, Outcome.PASS),
        (0, 12, Outcome.NEAR),
        (0, 13, Outcome.FAIL),
        (100, 80, Outcome.PASS),
        (100, 120, Outcome.PASS),
        (100, 79, Outcome.NEAR),
        (100, 140, Outcome.NEAR),
        (100, 60, Outcome.NEAR),
        (100, 59, Outcome.FAIL),
        (100, 141, Outcome.FAIL),
        (-3, 3, Outcome.PASS),
    ],
)
def test_tolerance_grows_with_the_true_tenure(true_ago: int, said_ago: int, outcome: Outcome) -> None:
    assert durations.grade(PRESENT - said_ago, PRESENT - true_ago, now=NOW) is outcome


@pytest.mark.parametrize("said_ago", [0, 1, 6, 12, 13, 36, 100, 700, 1523, 1524])
def test_an_attempt_grades_every_candidate(said_ago: int) -> None:
    said = PRESENT - said_ago
    attempt = durations.attempt(said, now=NOW)
    assert [form.reveal() for form, _ in attempt.graded] == list(durations.candidates(NOW))
    assert [outcome for _, outcome in attempt.graded] == [
        durations.grade(said, PRESENT - durations.MONTHS + 1 + at, now=NOW) for at in range(durations.MONTHS)
    ]
    assert attempt.coarse.reveal() == durations.forms(date(2019, 3, 14)).coarse.reveal()
    assert attempt.fine.reveal() == durations.candidates(NOW)[-1 - said_ago]
    assert not attempt.near


@pytest.mark.parametrize(
    ("said", "now", "expected"),
    [("مهر ۲۰۱۹", NOW, None), ("۳۱ مهر ۱۳۹۸", NOW, None), ("the third 2019", NOW, None), ("1 2 3 2019", NOW, None),
     ("half of one year", NOW, PRESENT - 6), ("moitié d'une année", NOW, PRESENT - 6),
     ("the point 5 years", NOW, None),
     ("2.05 years", NOW, PRESENT - 25), ("two point five years", NOW, PRESENT - 30),
     ("two point twenty five years", NOW, PRESENT - 27), ("2 point 05 years", NOW, PRESENT - 25),
     # Only a smaller unit goes on, and less of it than the greater one has.
     ("1 year and 12 months", NOW, None), ("1 year and 11 months", NOW, PRESENT - 23),
     ("2 years and 2 years", NOW, None),
     ("well I would have to say that I think it has been about two years and three months", NOW, PRESENT - 27),
     ("the account is 3 years old", NOW, PRESENT - 36), ("I was 3 years old", NOW, None),
     ("3 an", NOW, PRESENT - 36), ("the same and a half 3 years", NOW, None),
     ("31 march 2019", NOW, 2019 * 12 + 2), ("32 march 2019", NOW, None), ("march of 2019", NOW, 2019 * 12 + 2),
     ("I opened an account in march 2019", NOW, PRESENT - 147), ("2019 march 45", NOW, None),
     ("1 year and half a year", NOW, None), ("I am a client 3 years old", NOW, None),
     ("zero 2019", NOW, None), ("13 2019", NOW, None), ("12 2019", NOW, 2019 * 12 + 11),
     ("year or so, the same and a half", NOW, None), ("2031", NOW, PRESENT), ("۱۴۱۰", NOW, PRESENT),
     ("end of 2031", NOW, PRESENT), ("۱۴۱۰", datetime(2031, 3, 1, tzinfo=UTC), "unreadable")],
)  # fmt: skip
def test_corners_of_the_grammar(said: str, now: datetime, expected: int | str | None) -> None:
    try:
        found = durations.read(said, locale=None, now=now)
    except Refused as refused:
        assert refused.reason == expected  # noqa: PT017 - all ways of ending are one table
    else:
        assert found == (Clarify(question="how_long") if expected is None else expected)


def test_candidates_end_with_the_present_month() -> None:
    months = durations.candidates(NOW)
    assert len(months) == len(set(months)) == durations.MONTHS
    assert (months[0], months[-1]) == ("1903-07", "2031-06")
    assert sorted(months) == list(months)


def test_coarse_form_says_nothing_of_the_month() -> None:
    one, other = durations.forms(date(2019, 3, 14)), durations.forms(date(1999, 12, 31))
    assert one.coarse.reveal() == other.coarse.reveal()
    assert (one.fine.reveal(), one.near) == ("2019-03", False)
    assert one.fine.reveal() in durations.candidates(NOW)


def test_ti_04_leap_day_and_every_day_after() -> None:
    opened = durations.forms(date(2028, 2, 29)).fine.reveal()
    last = 0
    for days in range(8 * 366):
        now = datetime(2028, 2, 29, tzinfo=UTC) + timedelta(days=days)
        month = durations.read("2 years", locale="en", now=now)
        assert isinstance(month, int)
        assert month >= last
        assert opened in durations.candidates(now)
        last = month


@pytest.mark.parametrize("year", [1970, 2038, 9999])
def test_ti_07_extreme_present(year: int) -> None:
    now = datetime(year, 12, 31, tzinfo=UTC)
    assert durations.read("18 months", locale="en", now=now) == year * 12 + 11 - 18
    assert durations.candidates(now)[-1] == f"{year}-12"


@pytest.mark.parametrize(
    ("said", "reason"), [("", "blank"), ("?!", "blank"), ("1" * 257, "too_long"), ("3 \ud800", "unencodable")]
)
def test_refusals(said: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        durations.read(said, locale=None, now=NOW)
    assert refused.value.reason == reason
