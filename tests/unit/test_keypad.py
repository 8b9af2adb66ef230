"""Answers typed on a keypad."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kyc_verify import Challenge, Entry, KycVerifyError, UsageError, checks, keypad, prompts
from kyc_verify.answers import common, confirm, dates, durations
from kyc_verify.keypad import Keypad, KeypadReason, KeypadState
from kyc_verify.terms import LANGUAGES

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
ONE = timedelta(microseconds=1)
DONE, OPEN, REFUSED, TIMED_OUT = KeypadState.DONE, KeypadState.OPEN, KeypadState.REFUSED, KeypadState.TIMED_OUT
# Made up: where ranges that issue cards begin, and how long their numbers are.
_RANGES = {
    "visa": ("4", 16), "visa of 13": ("4", 13), "visa of 19": ("4", 19), "mastercard": ("51", 16),
    "the last mastercard": ("2720", 16), "amex": ("37", 15), "diners": ("300", 14), "discover": ("6011", 16),
    "jcb": ("3528", 16), "mir": ("2200", 16), "unionpay": ("62", 19), "maestro of 12": ("50", 12),
    "shetab": ("603799", 16), "troy": ("9792", 16), "rupay": ("81", 16),
}  # fmt: skip


def whole(prefix: str, length: int) -> str:
    """Return a number with its check digit."""
    body = prefix.ljust(length - 1, "0")
    return next(body + check for check in "0123456789" if common.luhn(body + check))


CARDS = {name: whole(*made) for name, made in _RANGES.items()}


def asked(entry: Entry = Entry.DIGITS, text: str = "What is your telephone PIN, please?") -> Challenge:
    return Challenge(id="s.1", check="pin", text=text, entry=entry)


def pad(entry: Entry = Entry.DIGITS, **more: Any) -> Keypad:
    return Keypad.of(asked(entry), now=NOW, **more)


def typed(keys: str, entry: Entry = Entry.DIGITS, **more: Any) -> Keypad:
    return pad(entry, **more).press(keys, now=NOW)


def said(keys: str, entry: Entry = Entry.DIGITS, **more: Any) -> str | None:
    found = typed(keys, entry, **more)
    return found.answer.reveal() if found.state is DONE else None


def end(keys: str, entry: Entry = Entry.DIGITS, **more: Any) -> tuple[KeypadState, KeypadReason | None]:
    found = typed(keys, entry, **more)
    return found.state, found.reason


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("4729#", "4729"), ("0007#", "0007"), ("47*1234#", "1234"), ("***4729#", "4729"), ("4729", None),
        ("4729#99#", "4729"), ("4729#*", "4729"), ("4A7B2C9D#", "4729"), ("4 7-2.9#", "4729"),
        ("٤٧٢٩4729#", "4729"), ("４7#", "7"), ("4\x00\ud8007#", "47"),
    ],
)  # fmt: skip
def test_digits_are_kept_star_starts_again_and_hash_ends(keys: str, answer: str | None) -> None:
    assert said(keys) == answer


def test_keys_come_one_by_one_or_together() -> None:
    one = pad()
    for key in "47*29#":
        one = one.press(key, now=NOW)
    assert one.answer.reveal() == typed("47*29#").answer.reveal() == "29"


def test_a_value_is_not_changed_by_what_comes_after_it() -> None:
    first = typed("47")
    first.press("29#", now=NOW)
    assert first.state is OPEN
    assert first.press("#", now=NOW).answer.reveal() == "47"


def test_an_entry_without_digits_is_refused() -> None:
    assert end("#") == end("47*#") == (REFUSED, KeypadReason.EMPTY)


@pytest.mark.parametrize(("longest", "keys"), [(4, "47291"), (24, "1" * 25), (1, "12#")])
def test_no_more_digits_are_taken_than_were_allowed(longest: int, keys: str) -> None:
    assert end(keys, longest=longest) == (REFUSED, KeypadReason.TOO_LONG)
    assert said("1" * longest + "#", longest=longest) == "1" * longest


def test_a_flood_of_keys_is_not_read() -> None:
    assert end("4" * 10**7) == (REFUSED, KeypadReason.TOO_LONG)
    assert end("#" + "4" * 63) == (REFUSED, KeypadReason.EMPTY)


@pytest.mark.parametrize("keys", [None, b"4729#", 4729, ["4"], ("4",)])
def test_what_is_no_key_is_called_wrongly(keys: Any) -> None:
    with pytest.raises(UsageError, match="keys must be a str"):
        pad().press(keys, now=NOW)


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("late", "state"), [(-ONE, OPEN), (timedelta(0), TIMED_OUT), (ONE, TIMED_OUT)])
def test_the_first_key_is_waited_for_to_the_microsecond(late: timedelta, state: KeypadState) -> None:
    first = timedelta(seconds=7)
    assert pad(first=first).at(NOW + first + late).state is state
    assert pad(first=first).press("4", now=NOW + first + late).state is state


@pytest.mark.parametrize(("late", "state"), [(-ONE, DONE), (timedelta(0), TIMED_OUT)])
def test_each_other_key_is_waited_for_to_the_microsecond(late: timedelta, state: KeypadState) -> None:
    between, at = timedelta(seconds=3), NOW + timedelta(seconds=9)
    found = pad(between=between).press("47", now=at).press("#", now=at + between + late)
    assert found.state is state


def test_a_pause_ends_nothing_so_that_half_a_pin_costs_no_try() -> None:
    found = typed("4729").at(NOW + timedelta(seconds=5))
    assert found.state is TIMED_OUT
    with pytest.raises(UsageError, match="timed_out"):
        _ = found.answer
    assert found.press("#", now=NOW).state is TIMED_OUT


def test_star_waits_for_a_first_key_again() -> None:
    found = typed("47*").at(NOW + timedelta(seconds=9))
    assert found.press("1#", now=NOW + timedelta(seconds=9)).answer.reveal() == "1"


def test_other_keys_give_no_time() -> None:
    assert typed("4").press("A", now=NOW + timedelta(seconds=4)).at(NOW + timedelta(seconds=5)).state is TIMED_OUT


def test_a_clock_that_goes_back_ends_nothing() -> None:
    found = typed("47").press("29", now=NOW - timedelta(days=1))
    assert found.state is OPEN


def test_again_begins_anew() -> None:
    late = NOW + timedelta(hours=1)
    for ended in (typed("4729").at(late), typed("#"), typed(CARDS["visa"] + "#"), typed("4729#")):
        anew = ended.again(now=late)
        assert (anew.state, anew.reason, anew.hint) == (OPEN, None, "")
        assert anew.deadline == late + timedelta(seconds=10)
        assert anew.press("12#", now=late).answer.reveal() == "12"


@pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), None, 7, "2031"])
def test_a_time_is_aware(now: Any) -> None:
    for work in (
        lambda: Keypad.of(asked(), now=now), lambda: pad().press("4", now=now), lambda: pad().at(now),
        lambda: pad().again(now=now),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="aware"):
            work()


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("locale", [None, "en", "en-US", "en_US", "fr-CA", "es", "fa", "de", "x" * 40])
def test_a_date_is_read_as_its_instructions_say(locale: str | None) -> None:
    found = {"en-US": "12031985", "en_US": "12031985", "fa": "13640912"}.get(locale or "", "03121985")
    answer = said(found, Entry.DATE, locale=locale)
    assert answer is not None
    for other in (None, "en", "en-US", "fr", "es", "fa"):
        assert dates.read(answer, locale=other, now=NOW) == datetime(1985, 12, 3, tzinfo=UTC).date()


@pytest.mark.parametrize(
    ("keys", "locale"),
    [("31021985", None), ("00121985", None), ("12001985", "en-US"), ("13011985", "en-US"), ("00000000", None),
     ("03121362", None), ("13641301", "fa"), ("13640032", "fa"), ("13640100", "fa"), ("99999999", "fa"),
     ("3121985#", None)],
)  # fmt: skip
def test_a_date_that_there_is_not_is_typed_again(keys: str, locale: str | None) -> None:
    assert end(keys, Entry.DATE, locale=locale) == (REFUSED, KeypadReason.UNREADABLE)


@pytest.mark.parametrize(
    ("keys", "answer", "months"),
    [("0306", "3 years 6 months", 42), ("1200", "12 years", 144), ("0005", "5 months", 5), ("0000", "0 months", 0),
     ("0111", "1 years 11 months", 23), ("9911", "99 years 11 months", 1199)],
)  # fmt: skip
def test_a_duration_is_years_and_months(keys: str, answer: str, months: int) -> None:
    assert said(keys, Entry.DURATION) == answer
    present = NOW.year * 12 + NOW.month - 1
    for locale in (None, *LANGUAGES):
        assert durations.read(answer, locale=locale, now=NOW) == present - months


@pytest.mark.parametrize("keys", ["0012", "0399", "3#", "306#"])
def test_a_duration_that_there_is_not_is_typed_again(keys: str) -> None:
    assert end(keys, Entry.DURATION) == (REFUSED, KeypadReason.UNREADABLE)


def test_one_is_yes_and_two_is_no() -> None:
    assert confirm.read(said("1", Entry.CONFIRM) or "") is True
    assert confirm.read(said("2", Entry.CONFIRM) or "") is False
    for key in "03456789":
        assert end(key, Entry.CONFIRM) == (REFUSED, KeypadReason.UNREADABLE)


def test_words_are_left_to_an_agent() -> None:
    for wrong in (asked(Entry.TEXT), None, "pin", object()):
        with pytest.raises(UsageError, match="leave other questions to an agent"):
            Keypad.of(wrong, now=NOW)  # type: ignore[arg-type]
    assert frozenset(Entry) - {Entry.TEXT} == keypad.ENTRIES


@pytest.mark.parametrize(
    "more",
    [{"first": timedelta(0)}, {"between": timedelta(seconds=-1)}, {"first": 5}, {"longest": 0}, {"longest": 65},
     {"longest": True}, {"locale": 7}],
)  # fmt: skip
def test_what_is_out_of_range(more: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        pad(**more)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("entry", sorted(keypad.ENTRIES))
def test_the_prompt_is_the_question_and_which_keys_to_press(lang: str, entry: Entry) -> None:
    found = pad(entry, locale=lang)
    question, _, how = found.prompt.partition("? ")
    assert question == "What is your telephone PIN, please"
    order = {"fa": ".ymd"}.get(lang, ".dmy") if entry is Entry.DATE else ""
    assert how == prompts.text(f"keypad.{entry}{order}", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_said_of_an_entry_that_was_not_taken(lang: str) -> None:
    def hint(ended: Keypad) -> str:
        return ended.hint

    late = NOW + timedelta(hours=1)
    assert hint(pad(locale=lang).at(late)) == prompts.text("keypad.timed_out", lang)
    assert hint(typed("#", locale=lang)) == prompts.text("keypad.unreadable", lang)
    assert hint(typed("1" * 30, locale=lang)) == prompts.text("keypad.unreadable", lang)
    assert hint(typed(CARDS["visa"] + "#", locale=lang)) == prompts.text("keypad.card_number", lang)
    cvv = Keypad.of(asked(text="Your CVV?"), now=NOW, locale=lang)
    assert hint(cvv) == prompts.text("keypad.security_code", lang)
    assert hint(typed("4729#", locale=lang)) == hint(pad(locale=lang)) == ""


# ── What is never taken ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_a_card_number_is_refused_and_gone(card: str) -> None:
    found = typed(card + "#")
    assert (found.state, found.reason) == (REFUSED, KeypadReason.CARD_NUMBER)
    with pytest.raises(UsageError, match="refused; it has no answer"):
        _ = found.answer
    assert card not in repr(found) + str(found) + found.hint
    assert found._typed.reveal() == ""


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_with_a_wrong_check_digit_it_is_none(card: str) -> None:
    assert said(card[:-1] + str((int(card[-1]) + 1) % 10) + "#") is not None


@pytest.mark.parametrize(
    "digits",
    [
        "79927398713",
        "0000000000000000",
        "1234567812345670",
        whole("21", 16),
        whole("4", 15),
        whole("2721", 16),
        whole("51", 17),
    ],
)
def test_what_no_network_issues_is_no_card(digits: str) -> None:
    assert said(digits + "#") == digits


@pytest.mark.parametrize(
    "question",
    [
        "What is the CVV of your card?", "Your CVC2, please.", "The security code on the back of the card?",
        "Le cryptogramme de votre carte ?", "¿Cuál es el código de seguridad?", "کد امنیتی کارت شما چیست؟", "c v v\x00",
        "CVV" + " please" * 200,
    ],
)  # fmt: skip
def test_a_security_code_is_never_asked_for(question: str) -> None:
    found = Keypad.of(asked(text=question), now=NOW)
    assert (found.state, found.reason) == (REFUSED, KeypadReason.SECURITY_CODE)
    found = found.press("123#", now=NOW)
    assert found.again(now=NOW).press("123#", now=NOW).reason is KeypadReason.SECURITY_CODE
    assert found._typed.reveal() == ""


@pytest.mark.parametrize("key", sorted(filter(lambda key: key.startswith("ask."), prompts.keys())))
def test_no_shipped_question_asks_for_one(key: str) -> None:
    for lang in LANGUAGES:
        assert not common.names_security_code(prompts.text(key, lang))


def test_nothing_shows_what_was_typed() -> None:
    for found in (typed("4729"), typed("4729#")):
        assert "4729" not in repr(found)
        assert "4729" not in str(found)
        with pytest.raises(KycVerifyError):
            pickle.dumps(found)


def test_two_entries_are_never_compared() -> None:
    assert typed("4729#") != typed("4729#")


def test_a_call_back_is_not_confirmed_on_a_keypad() -> None:
    from kyc_verify.plan import askable  # noqa: PLC0415 - not public

    assert not askable(checks.Callback(), keypad.ENTRIES)
    assert askable(checks.Callback(), None)
    assert askable(checks.Callback(), {Entry.CONFIRM, Entry.TEXT})
    assert askable(checks.AppConfirmation(), keypad.ENTRIES)


@pytest.mark.parametrize("beside", ["{}123", "{}1225", "0{}", "{}12251234"])
def test_a_card_number_with_something_beside_it(beside: str) -> None:
    found = typed(beside.format(CARDS["visa"]) + "#")
    assert found.reason in {KeypadReason.CARD_NUMBER, KeypadReason.TOO_LONG}
