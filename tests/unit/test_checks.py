"""Checks as values, and how each kind reads an answer, a fact or a signal."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.answers import Clarify, Forms, Refused
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.checks import AnswerCheck, AskedCheck, Check, Signal, SignalCheck
from kyc_verify.errors import UsageError
from kyc_verify.terms import LANGUAGES, Channel, Entry, Factor, Method, Outcome
from kyc_verify.threats import Likelihoods, ThreatModel

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
OWN = Likelihoods(genuine={PASS: "0.8"}, classes={"stranger": {PASS: "0.1"}})
WHICH = {"en": "Which was your first school?", "fr": "Quelle était votre première école ?"}
SHIPPED: tuple[Check, ...] = (
    checks.AccountTenure(),
    checks.AppConfirmation(),
    checks.Callback(),
    checks.CallerNumber(),
    checks.DateOfBirth(),
    checks.OneTimeCode(),
    checks.Pin(),
    checks.SecretAnswer("school", WHICH),
    checks.SimSwap(),
)


class MyOwnCheck2B(AnswerCheck):
    prompts = WHICH

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        return Clarify(question="years_or_months") if said == "3" else Forms(coarse=said, fine=said)


def forms_of(check: AnswerCheck, said: str, *, locale: str | None = None) -> tuple[str, str] | Clarify:
    found = check.forms(said, locale=locale, now=NOW)
    return found if isinstance(found, Clarify) else (found.coarse.reveal(), found.fine.reveal())


def enrolled(check: AnswerCheck, fact: object) -> tuple[str, str]:
    found = check.enrolled(fact, locale=None, now=NOW)
    return found.coarse.reveal(), found.fine.reveal()


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_are_the_names_of_classes_in_snake_case() -> None:
    assert [check.id for check in SHIPPED] == [
        "account_tenure",
        "app_confirmation",
        "callback",
        "caller_number",
        "date_of_birth",
        "one_time_code",
        "pin",
        "school",
        "sim_swap",
    ]
    assert MyOwnCheck2B().id == "my_own_check2_b"
    assert MyOwnCheck2B("mine").id == "mine"
    assert type("Named", (MyOwnCheck2B,), {"id": "said"})().id == "said"


@pytest.mark.parametrize("check", SHIPPED, ids=repr)
def test_every_shipped_check_has_its_row_in_the_table(check: Check) -> None:
    row = ThreatModel.default().rows[check.row or ""]
    assert row.likelihoods is not None
    assert check.tries <= row.likelihoods.tries
    assert check.factor in Factor
    if check.factor is Factor.CONTEXT:
        assert check.methods == ()


@pytest.mark.parametrize("check", SHIPPED, ids=repr)
def test_a_check_is_a_value(check: Check) -> None:
    parameters = check.parameters()
    name = parameters.pop("id")
    again, other = (type(check)(each, **parameters) for each in (name, "other"))
    assert again == check
    assert hash(again) == hash(check)
    assert again != other
    assert check != check.id
    for name in ("id", "tries", "new"):
        with pytest.raises(UsageError, match=f"a check is immutable; make another with {name}="):
            setattr(check, name, "other")
    assert repr(check) == f"{type(check).__name__}({check.id!r})"


@pytest.mark.parametrize("check", SHIPPED, ids=repr)
@pytest.mark.parametrize(("name", "value"), [("seconds", 7), ("likelihoods", OWN)])
def test_what_overrides_the_row_is_kept(check: Check, name: str, value: object) -> None:
    if name not in inspect.signature(type(check)).parameters:
        pytest.skip("it takes none")
    parameters = {**check.parameters(), name: value}
    del parameters["id"]
    changed = type(check)("mine", **parameters)
    assert getattr(changed, name) == value
    assert changed.id == "mine"


def test_a_tenure_is_read_as_people_write_dates_there() -> None:
    tenure = checks.AccountTenure()
    for read in (tenure.forms, tenure.enrolled, partial(tenure.forms_of, tenure.forms_version)):
        there, here = (read("03/04/2019", locale=locale, now=NOW) for locale in ("en-US", "en-GB"))
        assert there != here


def test_parameters_are_what_was_given() -> None:
    assert checks.Pin().parameters() == {"id": "pin"}
    assert checks.Pin(seconds=3).parameters() == {"id": "pin", "seconds": 3}
    assert checks.OneTimeCode(channel="voice").parameters() == {
        "id": "one_time_code",
        "channel": Channel.VOICE,
        "template": "warning",
        "digits": 6,
    }
    school = checks.SecretAnswer("school", WHICH, row="secret_answer.displayed", tolerance="typo")
    assert school.parameters() == {
        "id": "school",
        "prompts": WHICH,
        "row": "secret_answer.displayed",
        "tolerance": "typo",
    }
    assert checks.Pin() != checks.Pin(seconds=3)
    assert checks.Pin() != checks.AccountTenure("pin")


def test_what_is_given_is_kept_read_only() -> None:
    texts = dict(WHICH)
    check = checks.SecretAnswer("school", texts)
    texts["en"] = "Which pet?"
    assert check.prompts["en"] == WHICH["en"]
    with pytest.raises(TypeError):
        check.prompts["en"] = "Which pet?"  # type: ignore[index]
    loose = type("Loose", (MyOwnCheck2B,), {"__init__": lambda self: Check.__init__(self, words=["a", {"b": ["c"]}])})()
    assert loose.words == ("a", {"b": ("c",)})


def test_an_incident_leaves_a_check_that_says_nothing() -> None:
    pin = checks.Pin(likelihoods=OWN, seconds=3)
    lost = pin.exposed()
    assert lost.likelihoods is not None
    assert set(lost.likelihoods.weights["stranger"].values()) == {0}
    assert (lost.id, lost.seconds, pin.likelihoods) == ("pin", 3, OWN)
    assert lost != pin
    assert checks.Pin().exposed() == checks.Pin()


# ── Questions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "check", [*SHIPPED, *(checks.OneTimeCode(channel=each) for each in ("voice", "email"))], ids=repr
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_its_text_in_every_language(check: Check, language: str) -> None:
    if isinstance(check, AskedCheck) and not check.prompts:
        said = check.prompt(language)
        assert said
        assert (said == check.prompt("en")) is (language == "en")
        assert check.prompt(None, "de", language) == said


def test_texts_of_ones_own_come_first() -> None:
    assert checks.SecretAnswer("school", WHICH).prompt("fr-CA", "en") == WHICH["fr"]
    assert checks.SecretAnswer("school", WHICH).prompt("de") == WHICH["en"]
    assert checks.Pin(prompts={"en": "Say your code."}).prompt("fa") == "Say your code."
    with pytest.raises(LookupError):
        checks.OneTimeCode(channel=Channel.APP).prompt("en")


def test_a_code_is_what_its_channel_is() -> None:
    expected: Mapping[str, tuple[str, str, tuple[Method, ...]]] = {
        "sms": ("one_time_code.sms.plain", "sim", (Method.OTP, Method.SMS)),
        "voice": ("one_time_code.voice", "sim", (Method.OTP, Method.TEL)),
        "email": ("one_time_code.email", "mailbox", (Method.OTP,)),
        "pigeon": ("one_time_code.pigeon", "sim", (Method.OTP,)),
    }
    for channel, (row, asset, methods) in expected.items():
        check = checks.OneTimeCode(channel=channel, template="plain")
        assert (check.row, check.asset, check.methods) == (row, asset, methods)
        assert (check.factor, check.entry, check.tries) == (Factor.POSSESSION, Entry.DIGITS, 3)


def test_the_bases_judge_nothing() -> None:
    signal = Signal(value=None, now=NOW, call=Call(id="c", agent="a"), customer=Customer(), contact=None)
    with pytest.raises(NotImplementedError):
        SignalCheck().judge(signal)
    with pytest.raises(NotImplementedError):
        AnswerCheck().forms("x", locale=None, now=NOW)


def test_storage_kinds_keep_apart_what_is_not_compared() -> None:
    assert checks.Pin().storage_kind() == "digits"
    assert MyOwnCheck2B().storage_kind() == "custom:MyOwnCheck2B"
    kinds = [checks.SecretAnswer("s", WHICH, tolerance=each).storage_kind() for each in ("default", "typo", "exact")]  # type: ignore[arg-type]
    assert kinds == ["text", "text:typo", "text:exact"]
    assert checks.SecretAnswer("s", WHICH).storage_kind() == "text"


# ── Sources ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signal_of_ones_own_has_a_source_of_its_name_unless_it_says_otherwise() -> None:
    class Velocity(SignalCheck): ...

    class Hours(SignalCheck):
        source = None

    class LateHours(Hours): ...

    class OwnNumber(checks.CallerNumber): ...

    class OwnSwap(checks.SimSwap): ...

    assert Velocity().source == "velocity"
    assert Velocity("fast").source == "velocity"
    assert Velocity(source="other").source == "other"
    assert (Hours().source, LateHours().source, OwnNumber().source) == (None, None, None)
    assert OwnSwap().source == checks.SimSwap().source == "sim_swap"
    assert checks.SimSwap(source="carrier").source == "carrier"


# ── Answers and facts ────────────────────────────────────────────────────────────────────────────────────────────────


def test_tenure() -> None:
    check = checks.AccountTenure()
    assert isinstance(check.forms("3", locale="en", now=NOW), Clarify)
    said = check.forms("3 years", locale="en", now=NOW)
    assert isinstance(said, Forms)
    assert said.graded
    assert enrolled(check, date(2028, 5, 3)) == enrolled(check, "2028-05-20")
    for fact, reason in ((date(2999, 1, 1), "future"), (5, "wrong_type"), ("soon", "unreadable"), ("", "blank")):
        with pytest.raises(Refused, match=reason):
            check.enrolled(fact, locale=None, now=NOW)


def test_a_fact_that_can_be_two_dates_is_refused() -> None:
    with pytest.raises(Refused, match="unreadable"):
        checks.DateOfBirth().enrolled("03/04/1980", locale=None, now=NOW)


def test_date_of_birth() -> None:
    check = checks.DateOfBirth()
    assert forms_of(check, "4 March 1980", locale="en") == enrolled(check, date(1980, 3, 4))
    swapped = forms_of(check, "1980-04-03")
    assert isinstance(swapped, tuple)
    assert swapped[0] == enrolled(check, date(1980, 3, 4))[0]
    assert swapped[1] != enrolled(check, date(1980, 3, 4))[1]
    assert isinstance(forms_of(check, "03/04/1980"), Clarify)
    with pytest.raises(Refused, match="future"):
        check.enrolled("2031-05-03", locale=None, now=NOW)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (4729, "wrong_type"),
        ("1234", "weak_pin"),
        ("12", "weak_pin"),
        ("4111 1111 1111 1111", "card_number"),
        ("seven", "unreadable"),
        (" ", "blank"),
    ],
)
def test_a_pin_that_a_thief_tries_first_is_refused(fact: object, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        checks.Pin().enrolled(fact, locale=None, now=NOW)


def test_a_pin_is_its_digits() -> None:
    assert enrolled(checks.Pin(), "4729") == forms_of(checks.Pin(), "۴۷ ۲۹") == ("4729", "4729")


def test_a_secret_answer() -> None:
    check = checks.SecretAnswer("school", WHICH)
    assert forms_of(check, "École Voltaire") == forms_of(check, "ecole voltaire")
    for fact, reason in (
        ("your first school", "in_question"),
        (7, "wrong_type"),
        ("", "blank"),
        ("x" * 257, "too_long"),
    ):
        with pytest.raises(Refused, match=reason):
            check.enrolled(fact, locale=None, now=NOW)
    assert checks.SecretAnswer("s", WHICH, tolerance="typo").forms("voltaire", locale=None, now=NOW).typo  # type: ignore[union-attr]
    assert not check.forms("voltaire", locale=None, now=NOW).typo  # type: ignore[union-attr]


def test_a_check_of_ones_own_enrolls_through_its_forms() -> None:
    check = MyOwnCheck2B()
    assert enrolled(check, "Lycée Voltaire") == ("Lycée Voltaire", "Lycée Voltaire")
    assert (check.factor, check.methods, check.tries) == (Factor.KNOWLEDGE, (Method.KBA,), 1)
    for fact, reason in ((3, "wrong_type"), ("3", "unreadable"), ("your first school", "in_question")):
        with pytest.raises(Refused, match=reason):
            check.enrolled(fact, locale=None, now=NOW)
    silent = type("Silent", (MyOwnCheck2B,), {"prompts": {}})()
    assert enrolled(silent, "your first school")[0] == "your first school"


# ── Signals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def signal(value: object = None, *, known: str | None = "+33612345678", **call: Any) -> Signal:
    return Signal(
        value=value,
        now=NOW,
        call=Call(id="c", agent="a", **call),
        customer=Customer(),
        contact=None if known is None else Contact(number=known),
    )


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"number": "+33612345678", "attestation": "A"}, PASS),
        ({"number": "+33 6 12 34 56 78", "attestation": "A"}, PASS),
        ({"number": "06 12 34 56 78", "attestation": "A", "region": "FR"}, PASS),
        ({"number": "06 12 34 56 78", "attestation": "A"}, FAIL),
        ({"number": "+33612345678", "attestation": "B"}, NEAR),
        ({"number": "+33612345678", "attestation": "C"}, NEAR),
        ({"number": "+33612345678"}, NEAR),
        ({"number": "+33612345678", "attestation": "failed"}, FAIL),
        ({"number": "+33612345678", "attestation": "a"}, FAIL),
        ({"number": "+33612345679", "attestation": "A"}, FAIL),
        ({"number": "anonymous", "attestation": "A"}, FAIL),
        ({"number": None, "attestation": "A"}, FAIL),
    ],
)
def test_the_number_the_call_comes_from(given: dict[str, Any], outcome: Outcome) -> None:
    assert checks.CallerNumber().judge(signal(**given)) is outcome


def test_without_a_number_on_record_the_presented_one_proves_nothing() -> None:
    assert checks.CallerNumber().judge(signal(known=None, number="+33612345678", attestation="A")) is FAIL
    assert checks.CallerNumber().judge(signal(known="the office", number="+33612345678", attestation="A")) is FAIL


WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (False, PASS),
        (True, FAIL),
        (NOW - WEEK, PASS),
        (NOW - WEEK + timedelta.resolution, FAIL),
        (NOW + WEEK, FAIL),
        (NOW.replace(tzinfo=None) - 2 * WEEK, FAIL),
        ({"covered": False}, UNAVAILABLE),
        ({"covered": False, "swapped": True}, UNAVAILABLE),
        ({"covered": True, "swapped": False}, PASS),
        ({"covered": True, "swapped": True}, FAIL),
        ({"swapped": False}, PASS),
        ({"changed_at": None}, UNAVAILABLE),
        ({"changed_at": NOW - 2 * WEEK}, PASS),
        ({"changed_at": NOW}, FAIL),
        ({"covered": "no", "swapped": False}, FAIL),
        ({"covered": None, "swapped": False}, FAIL),
        ({"covered": True}, FAIL),
        ({}, FAIL),
        ({"swapped": "false"}, FAIL),
        ({"swapped": 0}, FAIL),
        (None, FAIL),
        (0, FAIL),
        ("no", FAIL),
        (float("nan"), FAIL),
        (-50, FAIL),
    ],
)
def test_a_changed_sim(value: object, outcome: Outcome) -> None:
    assert checks.SimSwap().judge(signal(value)) is outcome


def test_a_signal_hides_whom_it_is_about() -> None:
    shown = repr(signal("+33612345678", number="+33612345678"))
    assert "336" not in shown
