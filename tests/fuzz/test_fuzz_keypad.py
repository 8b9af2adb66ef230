"""Whatever is pressed, whenever: no exception outside the tree, and only what was meant is an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import Challenge, Entry, KycVerifyError, keypad
from kyc_verify.keypad import Keypad, KeypadState

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
LATEST = timedelta(days=1)
entries = st.sampled_from(sorted(keypad.ENTRIES))
locales = st.one_of(st.none(), st.sampled_from(["en", "en-US", "fr-CA", "es", "fa_IR"]), st.text(max_size=40))
waits = st.timedeltas(-LATEST, LATEST)
pressed = st.one_of(
    st.text("0123456789*#", max_size=30),
    st.text(max_size=80),
    st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")),
)
anything = st.one_of(pressed, st.binary(), st.none(), st.integers(), st.lists(st.text()))


def asked(entry: Entry, text: str = "Which?") -> Challenge:
    return Challenge(id="s.1", check="c", text=text, entry=entry)


def shown(pad: Keypad) -> str:
    return repr(pad) + str(pad) + pad.hint


@given(entry=entries, locale=locales, keys=st.lists(st.tuples(anything, waits), max_size=8))
def test_whatever_is_pressed(entry: Entry, locale: str | None, keys: list[tuple[Any, timedelta]]) -> None:
    pad, now = Keypad.of(asked(entry), now=NOW, locale=locale), NOW
    for each, wait in keys:
        now += wait
        try:
            pad = pad.press(each, now=now)
        except KycVerifyError:
            assert type(each) is not str
        if pad.state is KeypadState.DONE:
            assert pad.answer.reveal()
        else:
            try:
                _ = pad.answer
            except KycVerifyError:
                continue
            raise AssertionError(pad.state)


@given(text=st.text(), entry=st.sampled_from(sorted(Entry)), longest=st.integers(-5, 80), first=waits, between=waits)
def test_whatever_is_asked(text: str, entry: Entry, longest: int, first: timedelta, between: timedelta) -> None:
    try:
        pad = Keypad.of(asked(entry, text), now=NOW, longest=longest, first=first, between=between)
    except KycVerifyError:
        return
    assert pad.prompt.startswith(text)


@given(keys=st.text("0123456789*#ABCD ٣", max_size=40))
def test_digits_are_those_after_the_last_star_before_the_first_hash(keys: str) -> None:
    """A second reading of the rules, without any state."""
    pad = Keypad.of(asked(Entry.DIGITS), now=NOW, longest=64).press(keys, now=NOW)
    before, hash_, _ = keys.partition("#")
    digits = "".join(key for key in before.rpartition("*")[2] if key in "0123456789")
    if not hash_:
        assert pad.state is KeypadState.OPEN
    elif not digits:
        assert pad.state is KeypadState.REFUSED
    elif pad.reason == "card_number":
        assert 12 <= len(digits) <= 19
    else:
        assert pad.answer.reveal() == digits


@given(entry=entries, digits=st.text("0123456789", min_size=6, max_size=20))
def test_nothing_shows_what_was_typed(entry: Entry, digits: str) -> None:
    pad = Keypad.of(asked(entry), now=NOW).press(digits, now=NOW)
    ended = pad.press("#", now=NOW)
    # What a repr holds beside: times and the prompt.
    bare = shown(pad.again(now=NOW)) + shown(ended.again(now=NOW))
    if digits not in bare:
        assert digits not in shown(pad) + shown(ended)


@given(digits=st.text("0123456789", min_size=11, max_size=18), first=st.sampled_from(["4", "5", "6", "37", "2221"]))
def test_no_card_number_is_ever_an_answer(digits: str, first: str) -> None:
    from kyc_verify.answers import common  # noqa: PLC0415 - the rule, written once

    body = (first + digits)[:15]
    card = next(body + check for check in "0123456789" if common.luhn(body + check))
    if len(card) != 16 or card.startswith("37") or (first == "5" and card[1] == "0"):
        return
    pad = Keypad.of(asked(Entry.DIGITS), now=NOW).press(card + "#", now=NOW)
    assert pad.state is KeypadState.REFUSED or not card.startswith(
        ("4", "51", "52", "53", "54", "55", "2221", "56", "57", "58", "59", "6")
    )
