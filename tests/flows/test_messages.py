"""What is sent: in the customer's language, for the channel, with the purpose, the stake and the warning."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Contact,
    Customer,
    InvalidPolicy,
    Policy,
    Requirement,
    Stake,
    ThreatModel,
    Verdict,
    checks,
    prompts,
)
from kyc_verify.ports import Message
from kyc_verify.terms import LANGUAGES
from kyc_verify.testing import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

PURPOSE = {"en": "a new card", "fr": "une carte", "es": "una tarjeta", "fa": "کارت تازه"}
STAKE = Stake(amount="250.5", currency="EUR", payee="Acme $code {code}")
OWN = {
    "en": "$purpose$stake. $warning It is $code.",
    "de": "Sie möchten: $purpose$stake. $warning Ihr Code: $code",
}


def policy(**check: Any) -> Policy:
    layer = checks.OneTimeCode("code", **check)
    return Policy(
        name="p",
        checks=[layer],
        threats=ThreatModel.points({"code": 6}),
        actions={"a": Requirement(bits=3, purpose=PURPOSE), "bare_action": Requirement(bits=3)},
    )


def message(make: Callable[..., Desk], language: str, *, action: str = "a", stake: Any = None, **check: Any) -> Message:
    desk = make(policy(**check), contacts=[])
    since = desk.clock.now - timedelta(days=400)
    contacts = (Contact(number="+33612345678", since=since), Contact(number="anna@example.org", since=since))
    desk.customers["cust-42"] = Customer(language=language, contacts=contacts)
    step = desk.open(action, stake=stake)
    found: Message = desk.sender.last()
    code = desk.sender.code()
    assert code.isdigit()
    assert len(code) == check.get("digits", 6)
    assert desk.say(step, code).verdict is Verdict.VERIFIED
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", ["sms", "voice", "email"])
def test_every_language_and_channel_says_what_for_how_much_to_whom_and_whom_never_to_tell(
    make: Callable[..., Desk], language: str, channel: str
) -> None:
    sent = message(make, language, stake=STAKE, channel=channel)
    warning = prompts.text("message.code.never", language)
    assert (sent.language, sent.channel) == (language, channel)
    assert 0 <= sent.text.index(PURPOSE[language]) < sent.text.index("250.5 EUR") < sent.text.index(warning)
    assert "Acme $code {code}" in sent.text


@pytest.mark.parametrize(("language", "pause"), [("en", ", "), ("fr", ", "), ("es", ", "), ("fa", "، ")])
def test_a_telephone_says_digits_one_by_one_and_twice(make: Callable[..., Desk], language: str, pause: str) -> None:
    desk = make(policy(channel="voice"), language=language)
    desk.open("a")
    spoken = pause.join(desk.sender.code())
    assert desk.sender.last().text.count(spoken) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_e_mail_has_a_subject_that_says_what_for_and_not_the_code(make: Callable[..., Desk], language: str) -> None:
    sent = message(make, language, channel="email")
    assert sent.subject is not None
    assert PURPOSE[language] in sent.subject
    assert sent.text[-6:] not in sent.subject


def test_no_other_channel_has_a_subject(make: Callable[..., Desk]) -> None:
    assert message(make, "en").subject is None
    assert message(make, "en", channel="voice").subject is None


def test_an_action_without_a_purpose_is_named(make: Callable[..., Desk]) -> None:
    assert message(make, "en", action="bare_action").text.startswith("For: bare action. ")


def test_a_plain_message_leaves_the_warning_out(make: Callable[..., Desk]) -> None:
    assert prompts.text("message.code.never", "en") not in message(make, "en", template="plain").text


# ── An author's own ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_own_message_is_used_in_the_customer_s_language(make: Callable[..., Desk]) -> None:
    warning = prompts.text("message.code.never", "en")
    sent = message(make, "de-AT", messages=OWN, stake=STAKE)
    assert sent.language == "de"
    assert sent.text.startswith("Sie möchten: a new card (250.5 EUR to Acme $code {code}). " + warning)
    assert message(make, "en", messages=OWN).text.startswith("a new card. Read this code")
    assert message(make, "fr", messages=OWN).language == "en"


def test_an_own_message_is_spoken_digit_by_digit(make: Callable[..., Desk]) -> None:
    sent = message(make, "en", channel="voice", digits=8, messages={"en": "$purpose: $code, again $code"})
    assert sent.text.count(", ") == 15


def test_own_messages_go_through_json() -> None:
    before = policy(messages=OWN)
    again = Policy.from_json(before.to_json())
    assert again == before
    assert again.layer("code").messages == OWN  # type: ignore[attr-defined]
    assert before.fingerprint != policy().fingerprint


@pytest.mark.parametrize(
    ("messages", "faults"),
    [
        ({"en": "Code: $code"}, ["checks.0.messages.en: lacks $purpose"]),
        ({"en": "For: $purpose"}, ["checks.0.messages.en: lacks $code"]),
        ({"en": "hello"}, ["checks.0.messages.en: lacks $code", "checks.0.messages.en: lacks $purpose"]),
        ({"en": "$purpose $code $name"}, ["checks.0.messages.en: $name is unknown"]),
        ({"en": "$purpose $code $"}, ["checks.0.messages.en: has a $"]),
        ({"en": "$purpose $code", "fr": "$code"}, ["checks.0.messages.fr: lacks $purpose"]),
        ({"en": ""}, ["checks.0.messages: must map", "lacks $code", "lacks $purpose"]),
        ({"en": None}, ["checks.0.messages: must map"]),
        ({1: "$purpose $code"}, ["checks.0.messages: must map"]),
        ("$purpose $code", ["checks.0.messages: must map"]),
        (["$purpose $code"], ["checks.0.messages: must map"]),
    ],
)
def test_what_needs_no_judgement_is_refused_at_construction(messages: Any, faults: list[str]) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        policy(messages=messages)
    told = [str(fault) for fault in refused.value.exceptions]
    assert len(told) == len(faults)
    assert all(fault in each for fault, each in zip(faults, told, strict=True)), told


def test_a_provider_s_own_wording_is_not_ours(make: Callable[..., Desk]) -> None:
    """A service makes the code and words the message; what it is handed says what for, and holds no placeholder."""
    service = ScriptedService()
    desk = make(policy(messages=OWN, template="elsewhere"), services={"sms": service})
    desk.open("a")
    (handed,) = service.messages
    assert "a new card" in handed.text
    assert "$" not in handed.text
