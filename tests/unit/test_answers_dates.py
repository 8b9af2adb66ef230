"""Birth dates as people say them; nothing is ever invented."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kyc_verify.answers import Clarify, Refused, dates

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
MARCH = date(1985, 3, 14)


@pytest.mark.parametrize(
    ("said", "locale"),
    [
        ("14 mars 1985", "fr"),
        ("le 14 mars 1985", "fr"),
        ("quatorze mars mille neuf cent quatre-vingt-cinq", "fr"),
        ("quatorze mars quatre-vingt-cinq", "fr"),
        ("14/03/85", "fr-FR"),
        ("14.3.1985", "de"),
        ("14031985", "fr"),
        ("140385", "fr"),
        ("March 14th, 1985", "en"),
        ("the fourteenth of March nineteen eighty-five", "en"),
        ("14/03/1985", "en"),
        ("03/14/1985", "en-US"),
        ("03/14/85", "en-US"),
        ("14/03/85", "en-GB"),
        ("Thursday 14 March 1985", "en-GB"),
        ("14Mar1985", "en"),
        ("1985-03-14", None),
        ("1985-03-14T00:00:00", "en"),
        ("1985/3/14", "en-US"),
        ("19850314", "en"),
        ("14 de marzo de 1985", "es"),
        ("catorce de marzo de mil novecientos ochenta y cinco", "es"),
        ("nací el 14 de marzo del 85", "es-MX"),
        ("the 14th of March and 1985", "en"),
        ("y 14 de marzo de 1985", "es"),
        ("۱۴ مارس ۱۹۸۵", "fa"),
        ("١٤/٠٣/١٩٨٥", "fr"),
        ("۱۳۶۳/۱۲/۲۳", "fa"),
        ("۶۳/۱۲/۲۳", "fa"),
        ("۲۳ اسفند ۱۳۶۳", "fa"),
        ("۲۳ اسفند ماه ۶۳", "fa"),
        ("23 esfand 1363", "en"),
        ("بیست و سوم اسفند هزار و سیصد و شصت و سه", "fa"),
        ("quatorze trois quatre-vingt-cinq", "fr"),
        ("14.3.1985 AD", "de"),
        (MARCH, "en"),
        (datetime(1985, 3, 14, 23, 59, tzinfo=UTC), "en"),
    ],
)
def test_said_in_many_ways(said: str | date, locale: str | None) -> None:
    assert dates.read(said, locale=locale, now=NOW) == MARCH


@pytest.mark.parametrize(
    ("said", "locale", "question"),
    [
        ("03/04/1985", "en", "day_or_month"),
        ("03/04/85", None, "day_or_month"),
        ("March 1985", "en", "full_date"),
        ("14 March", "en", "full_date"),
        ("1985", "en", "full_date"),
        ("14/03", "fr", "full_date"),
        ("mars", "fr", "full_date"),
        ("۱۲/۱۱/۱۰", "fa", "full_date"),
        ("03/04/1985 AD", None, "day_or_month"),
        ("03/04/1985 AD", "en", "day_or_month"),
    ],
)
def test_what_is_missing_or_ambiguous_is_asked_for(said: str, locale: str | None, question: str) -> None:
    assert dates.read(said, locale=locale, now=NOW) == Clarify(question=question)


@pytest.mark.parametrize(
    ("said", "expected"),
    [("en-US", date(1985, 3, 4)), ("en-GB", date(1985, 4, 3)), ("fr", date(1985, 4, 3)), ("en_us", date(1985, 3, 4)),
     ("EN-Latn-US", date(1985, 3, 4)), ("fr-Latn-US", date(1985, 4, 3))],
)  # fmt: skip
def test_locale_declares_the_order(said: str, expected: date) -> None:
    for written in ("03/04/1985", "03/04/85", "03/04/1985 AD", "3/4/1985 10:30 pm"):
        assert dates.read(written, locale=said, now=NOW) == expected


@pytest.mark.parametrize("locale", [None, "en", "en-US", "fr", "fa"])
@pytest.mark.parametrize("time", ["T00:00:00", "T23:30:00+03:30", "T00:00:00.000Z", " 00:00:00", " 12:30", "t12"])
def test_a_day_as_machines_write_it_is_never_swapped(time: str, locale: str | None) -> None:
    assert dates.read(f"1985-03-04{time}", locale=locale, now=NOW) == date(1985, 3, 4)
    assert dates.read(f"19850304{time}", locale=locale, now=NOW) == date(1985, 3, 4)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("le sept septembre 1985", date(1985, 9, 7)),
        ("le sept sept 1985", date(1985, 9, 7)),
        ("sept sept soixante-dix-sept", date(1977, 9, 7)),
        ("sept mai 1985", date(1985, 5, 7)),
        ("14 sept. 1985", date(1985, 9, 14)),
        ("the twenty-first of March 1985", date(1985, 3, 21)),
        ("born on the twenty-first of March 1985", date(1985, 3, 21)),
        ("on the thirty-first of March 1985", date(1985, 3, 31)),
        ("3 فروردین 08", date(2029, 3, 22)),
        ("بیست و یکم فروردین ۱۳۶۴", date(1985, 4, 10)),
    ],
)
def test_words_that_are_numbers_and_months(said: str, expected: date) -> None:
    assert dates.read(said, locale="fr", now=NOW) == expected


@pytest.mark.parametrize("said", ["14 March AD", "March 1985 AD", "thirty-ninth of March 1985"])
def test_what_would_have_to_be_invented_is_unreadable(said: str) -> None:
    with pytest.raises(Refused, match="unreadable"):
        dates.read(said, locale=None, now=NOW)


def test_two_digit_years_are_past() -> None:
    assert dates.read("14/03/45 AD", locale="fr", now=NOW) == date(1945, 3, 14)
    assert dates.read("14/03/31 AD", locale="fr", now=NOW) == date(2031, 3, 14)
    assert dates.read("14/07/31 AD", locale="fr", now=NOW) == date(1931, 7, 14)
    assert dates.read("14/03/99 AD", locale="fr", now=NOW) == date(1999, 3, 14)
    assert dates.read("14/07/2031 AD", locale="fr", now=NOW) == date(2031, 7, 14)
    assert dates.read("14 March 31", locale="en", now=NOW) == date(2031, 3, 14)
    assert dates.read("14 July 31", locale="en", now=NOW) == date(1931, 7, 14)
    assert dates.read("14/03/99", locale="fr", now=NOW) == date(1999, 3, 14)
    assert dates.read("99/03/14", locale="en", now=NOW) == date(1999, 3, 14)
    assert dates.read("99/03/14", locale="fa", now=NOW) == date(2020, 6, 3)
    assert dates.read("15062031", locale="fr", now=NOW) == date(2031, 6, 15)


@pytest.mark.parametrize(("year", "born"), [(1970, 1945), (2031, 1985), (2150, 2085), (2999, 2985)])
def test_two_digit_years_lie_before_now_and_not_before_the_machines_clock(year: int, born: int) -> None:
    now = datetime(year, 6, 15, tzinfo=UTC)
    for written in (f"14/03/{born % 100} AD", f"14 March {born % 100}", f"14/03/{born % 100}"):
        assert dates.read(written, locale="fr", now=now) == date(born, 3, 14)


def test_a_run_of_eight_digits_begins_with_the_year_where_it_can() -> None:
    assert dates.read("20120314", locale="fr", now=NOW) == date(2012, 3, 14)
    assert dates.read("20121231", locale="fr", now=NOW) == date(2012, 12, 31)
    assert dates.read("18991231", locale="fr", now=NOW) == date(1899, 12, 31)
    assert dates.read("20032013", locale="fr", now=NOW) == date(2013, 3, 20)
    assert dates.read("13640125", locale="fr", now=NOW) == date(1985, 4, 14)
    assert dates.read("13041985", locale="fr", now=NOW) == date(1985, 4, 13)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "blank"),
        ("...", "blank"),
        ("tomorrow", "unreadable"),
        ("now", "unreadable"),
        ("monday", "unreadable"),
        ("31/02/1985", "unreadable"),
        ("29 feb 1985", "unreadable"),
        ("99/99/9999", "unreadable"),
        ("0/0/0000", "unreadable"),
        ("30 اسفند 1400", "unreadable"),
        ("14 march april 1985", "unreadable"),
        ("1 2 3 4 5", "full_date"),
        ("th", "unreadable"),
        ("14/03/985", "unreadable"),
        ("14/03/100", "unreadable"),
        ("14 mars 999", "unreadable"),
        ("and", "unreadable"),
        ("14/85/03", "unreadable"),
        ("85 mars 85", "unreadable"),
        ("14/03 AD", "unreadable"),
        ("1" * 257, "too_long"),
        ("14 mars 1985\x00", "unencodable"),
    ],
)
def test_what_is_no_date_is_refused(said: str, reason: str) -> None:
    try:
        found = dates.read(said, locale="fr", now=NOW)
    except Refused as refused:
        assert refused.reason == reason  # noqa: PT017 - both ways of not answering are one table
    else:
        assert found == Clarify(question=reason)


@pytest.mark.parametrize(
    ("year", "month", "day", "expected"),
    [(1357, 11, 22, date(1979, 2, 11)), (1399, 12, 30, date(2021, 3, 20)), (1403, 12, 30, date(2025, 3, 20)),
     (1404, 1, 1, date(2025, 3, 21)), (1408, 12, 30, date(2030, 3, 20)), (1300, 1, 1, date(1921, 3, 21)),
     (1250, 1, 1, date(1871, 3, 21)), (1500, 1, 1, date(2121, 3, 21))],
)  # fmt: skip
def test_persian_calendar(year: int, month: int, day: int, expected: date) -> None:
    assert dates.read(f"{year}/{month}/{day}", locale="fa", now=NOW) == expected


def test_swapped_day_and_month_are_near_and_only_they() -> None:
    true, swapped, other = (dates.forms(d) for d in (date(1985, 3, 4), date(1985, 4, 3), date(1986, 3, 4)))
    assert true.near
    assert true.coarse.reveal() == swapped.coarse.reveal() != other.coarse.reveal()
    assert true.fine.reveal() == "1985-03-04" != swapped.fine.reveal()


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2031, 6, 16), "future"),
        (date(9999, 12, 31), "future"),
        (date(1904, 6, 14), "too_old"),
        (date(1, 1, 1), "too_old"),
    ],
)
def test_ti_07_nobody_alive_was_born_then(day: date, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        dates.check_enrollable(day, now=NOW)
    assert refused.value.reason == reason


def test_the_oldest_and_the_youngest_are_enrolled() -> None:
    dates.check_enrollable(date(1904, 6, 15), now=NOW)
    dates.check_enrollable(date(2031, 6, 15), now=NOW)
    dates.check_enrollable(date(1905, 3, 1), now=datetime(2032, 2, 29, tzinfo=UTC))
