"""Whatever is said, every parser of answers answers, asks back or refuses, soon, and says the same the next time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kyc_verify.answers import Clarify, Forms, Refused, common, confirm, dates, digits, durations, phones, text
from kyc_verify.answers.forms import REFUSALS
from kyc_verify.terms import MAX_ANSWER

NOW: Final = datetime(2031, 6, 15, tzinfo=UTC)
SECONDS: Final = 0.5  # of processor time; a quiet machine needs 0.03, and what blows up takes minutes
LOCALES: Final = (None, "en", "en-US", "fr", "es-MX", "fa")
REGIONS: Final = (None, "US", "IT", "IR")
QUESTION: Final = {"en": "Which street?", "fa": "کدام خیابان؟"}
CORPUS: Final = sorted((Path(__file__).parent / "corpus").glob("*.txt"))
Target = Callable[[str], Any]


def _shown(found: object) -> object:
    """Return what can be compared of what a parser returns."""
    if isinstance(found, Forms):
        typo = tuple(form.reveal() for form in found.typo)
        return found.coarse.reveal(), found.fine.reveal(), found.near, typo
    return found


def _fold(said: str) -> str:
    folded = text.fold(said)
    assert text.fold(folded) == folded
    return folded


def _text(said: str) -> object:
    shown = [_shown(text.forms(said, tolerance=tolerance)) for tolerance in ("exact", "default", "typo")]
    fine = text.forms(said).fine.reveal()
    assert text.forms(fine).fine.reveal() == fine
    return shown


def _digits(said: str) -> object:
    found = digits.forms(said)
    assert digits.forms(found.fine.reveal()).fine.reveal() == found.fine.reveal() == digits.code(said)
    return _shown(found), digits.weak_pin(found.fine.reveal())


def _dates(said: str) -> object:
    found = [dates.read(said, locale=locale, now=NOW) for locale in LOCALES]
    for day in found:
        assert isinstance(day, date | Clarify)
        if isinstance(day, date):
            assert dates.read(day, locale=None, now=NOW) == day
            _shown(dates.forms(day))
    return found


def _durations(said: str) -> object:
    found = [durations.read(said, locale=locale, now=NOW) for locale in LOCALES]
    for month in found:
        assert isinstance(month, int | Clarify)
        if isinstance(month, int):
            assert durations.attempt(month, now=NOW).fine.reveal() in durations.candidates(NOW)
    return found


def _phones(said: str) -> object:
    found = []
    for region in REGIONS:
        with suppress(Refused):
            canonical = phones.canonical(said, region=region)
            assert phones.canonical(canonical, region=None) == canonical
            found.append((canonical, phones.kind(canonical), phones.sendable(canonical)))
    return found or phones.canonical(said, region=None)


def _common(said: str) -> object:
    assert isinstance(common.is_card_number(said), bool)
    common.check_enrollable(said, question=QUESTION)
    return None


TARGETS: Final[Mapping[str, Target]] = {
    "common": _common,
    "confirm": confirm.read,
    "dates": _dates,
    "digits": _digits,
    "durations": _durations,
    "fold": _fold,
    "phones": _phones,
    "text": _text,
}


def check(target: Target, said: str) -> None:
    """Run a target twice: it may only refuse, and for a reason that is known."""
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(target(said))
        except Refused as refused:
            assert refused.reason in REFUSALS  # noqa: PT017 - to refuse is one of the ways to answer
            outcomes.append(refused.reason)
    assert outcomes[0] == outcomes[1]


def corpus() -> list[str]:
    """Return what is kept of earlier finds: a line each, with Python's escapes for what cannot be written."""
    lines = [line for path in CORPUS for line in path.read_text(encoding="utf-8").splitlines()]
    return [line.encode("latin-1", "backslashreplace").decode("unicode_escape", "surrogatepass") for line in lines]


# Dense where the parsers have rules, and unlike anything anybody says.
WORDS: Final = sorted({word for line in corpus() for word in line.split(" ")})
SAID = (
    st.text(max_size=MAX_ANSWER + 4)
    | st.lists(st.sampled_from(WORDS), max_size=24).map(" ".join)
    | st.lists(st.sampled_from(WORDS) | st.characters(), max_size=24).map("".join)
    | st.tuples(st.characters() | st.sampled_from(WORDS), st.integers(1, MAX_ANSWER)).map(
        lambda both: both[0] * both[1]
    )
)


@pytest.mark.parametrize("name", TARGETS)
@given(said=SAID)
@example(said="")
def test_nothing_but_refused_escapes(name: str, said: str) -> None:
    check(TARGETS[name], said)


@pytest.mark.parametrize("said", corpus())
def test_corpus(said: str) -> None:
    for target in TARGETS.values():
        check(target, said)


NASTY: Final = [
    *(unit * MAX_ANSWER for unit in "1aéا ۱۲½-/.,+(\u0301\u200cسو"),
    *((unit * MAX_ANSWER)[:MAX_ANSWER] for unit in (
        "1 ", "one ", "un ", "a ", "half ", "and a half ", "3 years ", "an an ", "1/2 ", "1,1", "2019 ", "14 mars ",
        "le ", "sept ", "quatre vingt ", "سه ", "یکسالونیم", "سی و ", "st ", "o ", "the ", "aا", "\ufdfa", "\u0958",
        "x1", "+33 ", ";ext=1", "4111 1111 ", "12:30 ", "Mon ", "T", "1e9", "-1 ", "de ", "of the ", "non ",
        "decimal ",
    )),
    "1" * (MAX_ANSWER - 6) + " years",
    "یک" * 127 + "سا",
    "".join(chr(0x300 + at % 0x6F) for at in range(MAX_ANSWER)),
    "4" + "0" * (MAX_ANSWER - 1),
]  # fmt: skip


@pytest.mark.parametrize("said", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("name", TARGETS)
def test_work_is_bounded(name: str, said: str) -> None:
    assert len(said) <= MAX_ANSWER
    check(TARGETS[name], said)  # what is imported and kept on first use is not the answer's work
    taken = []
    for _ in range(5):
        before = time.process_time()
        with suppress(Refused):
            TARGETS[name](said)
        taken.append(time.process_time() - before)
        if taken[-1] < SECONDS:
            return
    pytest.fail(f"{min(taken):.3f} s of work")
