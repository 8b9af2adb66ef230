"""Calls, customers, contacts and stakes: exact ids, exact amounts, and nothing converted in silence."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from kyc_verify.call import MAX_ID, Call, Contact, Customer, Stake, aware, exact_amount, exact_currency, exact_id
from kyc_verify.errors import UsageError
from kyc_verify.terms import Channel

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("good", ["a", "cust-42", "é", "مشتری", "a b", "x" * MAX_ID])
def test_an_id_comes_back_as_it_is(good: str) -> None:
    assert exact_id(good, "subject") is good


class Text(str):
    """A text that is not exactly a str."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "subject must be a str"),
        (b"a", "subject must be a str"),
        (5, "subject must be a str"),
        (Text("a"), "subject must be a str"),
        ("", "subject must have 1 to 200 characters"),
        ("x" * (MAX_ID + 1), "subject must have 1 to 200 characters"),
        (" a", "subject must be printable NFC text"),
        ("a\n", "subject must be printable NFC text"),
        ("a\u00a0", "subject must be printable NFC text"),
        ("e\u0301", "subject must be printable NFC text"),
        ("a\u202eb", "subject must be printable NFC text"),
        ("a\x00b", "subject must be printable NFC text"),
        ("\ud800", "subject must be printable NFC text"),
    ],
)
def test_an_id_is_never_mended(bad: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exact_id(bad, "subject")


def test_an_instant_is_aware() -> None:
    for good in (NOW, NOW.astimezone(timezone(timedelta(hours=-3, minutes=-30)))):
        assert aware(good, "now") is good
    for bad in (NOW.replace(tzinfo=None), NOW.date(), 5, None, "2031-05-01T12:00:00Z"):
        with pytest.raises(UsageError, match="now must be an aware datetime"):
            aware(bad, "now")


# ── Call ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_shows_no_number() -> None:
    call = Call(id="c", agent="a", roles=["x", "y", "x"], number="+33612345678", attestation="A", region="FR")  # type: ignore[arg-type]
    assert call.roles == {"x", "y"}
    assert repr(call) == "Call(id='c', agent='a')"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": " c"}, "Call.id must be printable"),
        ({"agent": None}, "Call.agent must be a str"),
        ({"roles": "auditor"}, "Call.roles must be a set of role names"),
        ({"roles": 5}, "Call.roles must be a set of role names"),
        ({"roles": [5]}, "a role of Call.roles must be a str"),
        ({"roles": [["x"]]}, "a role of Call.roles must be a str"),
        ({"number": 33612345678}, "Call.number must be a str or None"),
        ({"attestation": b"A"}, "Call.attestation must be a str or None"),
        ({"region": 33}, "Call.region must be a str or None"),
    ],
)
def test_a_call_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Call(**{"id": "c", "agent": "a"} | changed)


# ── Customer and contacts ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_contact_is_for() -> None:
    assert Contact(number="+33612345678").channels == {"sms", "voice"}
    assert Contact(number="a@b.example").channels == {"email"}
    assert Contact(number="+33612345678", channels={Channel.VOICE}).channels == {"voice"}  # type: ignore[arg-type]
    assert Contact(number="sip:a@b.example", channels=frozenset({"voice"})).channels == {"voice"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"number": 33}, "Contact.number must be a str and Contact.shared a bool"),
        ({"shared": 1}, "Contact.number must be a str and Contact.shared a bool"),
        ({"since": NOW.replace(tzinfo=None)}, "Contact.since must be an aware datetime"),
        ({"changed_at": "yesterday"}, "Contact.changed_at must be an aware datetime"),
        ({"channels": "sms"}, "Contact.channels must be a set of app, email, sms, voice"),
        ({"channels": {"SMS"}}, "Contact.channels must be a set of app, email, sms, voice"),
        ({"channels": 5}, "Contact.channels must be a set of app, email, sms, voice"),
        ({"channels": [["sms"]]}, "Contact.channels must be a set of app, email, sms, voice"),
    ],
)
def test_a_contact_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Contact(**{"number": "+33612345678"} | changed)


def test_a_customer_hides_what_is_secret_and_does_not_change() -> None:
    facts = {"last_transaction": "12.50"}
    customer = Customer(contacts=[Contact(number="+33612345678", since=NOW)], facts=facts)  # type: ignore[arg-type]
    facts["pin"] = "4729"
    assert customer.facts == {"last_transaction": "12.50"}
    assert type(customer.contacts) is tuple
    assert "336" not in repr(customer)
    assert "12.50" not in repr(customer)
    with pytest.raises(TypeError):
        customer.facts["pin"] = "4729"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"active": 1}, "Customer.active must be a bool"),
        ({"active": "no"}, "Customer.active must be a bool"),
        ({"language": 5}, "Customer.language a str or None"),
        ({"contacts": ["+33612345678"]}, "Customer.contacts must hold Contact values"),
        ({"contacts": 5}, "Customer.contacts must hold Contact values"),
        ({"facts": 5}, "Customer.facts must map check ids to facts"),
        ({"facts": [("a", 1)]}, "Customer.facts must map check ids to facts"),
    ],
)
def test_a_customer_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Customer(**changed)


# ── Stakes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("amount", [5, "5", "5.00", Decimal("5.000000"), Decimal("5E0"), "05"])
def test_one_amount_has_one_text(amount: Any) -> None:
    stake = Stake(amount=amount, currency="EUR", payee="bob")
    assert stake == Stake(amount=Decimal(5), currency="EUR", payee="bob")
    assert stake.text() == "5 EUR bob"


def test_an_amount_is_exact_whatever_the_hosts_decimal_context_is() -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        context.traps[decimal.Inexact] = True
        assert exact_amount("123456789012.345678", "amount") == Decimal("123456789012.345678")
        assert exact_amount(10**15, "amount") == 10**15
        assert Stake(amount=Decimal("1234.56"), currency="EUR").text() == "1234.56 EUR "
    assert exact_amount("0.000001", "amount") == Decimal("0.000001")


AMOUNTS: Mapping[str, tuple[object, str]] = {
    "NU-01 NaN": ("NaN", "amount must be more than 0"),
    "NU-01 signalling NaN": (Decimal("sNaN"), "amount must be more than 0"),
    "NU-02 infinite": (Decimal("Infinity"), "amount must be more than 0"),
    "NU-04 zero": (0, "amount must be more than 0"),
    "NU-04 negative": ("-5", "amount must be more than 0"),
    "NU-05 a float": (0.1, "amount must be an int, a Decimal or a str"),
    "NU-05 True": (True, "amount must be an int, a Decimal or a str"),
    "NU-05 None": (None, "amount must be an int, a Decimal or a str"),
    "NU-08 too much": (10**15 + 1, "amount must be more than 0 and at most 1000000000000000"),
    "NU-08 huge": (10**400, "amount must be more than 0 and at most 1000000000000000"),
    "NU-08 thousands of digits": (10**5000, "amount must be more than 0 and at most 1000000000000000"),
    "NU-08 a huge exponent": ("1e999999999", "amount must be more than 0 and at most 1000000000000000"),
    "too fine": ("0.0000001", "amount has more than 6 decimal places"),
    "far too fine": ("1e-999999999", "amount has more than 6 decimal places"),
    "fine at the end": ("999999999999999." + "0" * 40 + "1", "amount has more than 6 decimal places"),
    "words": ("five", "amount must be more than 0"),
    "a comma": ("12,50", "amount must be more than 0"),
    "empty": ("", "amount must be more than 0"),
}


@pytest.mark.parametrize(("amount", "message"), AMOUNTS.values(), ids=AMOUNTS.keys())
def test_what_is_no_amount(amount: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exact_amount(amount, "amount")
    with pytest.raises(UsageError):
        Stake(amount=amount, currency="EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["eur", "EURO", "EU", "", "EU1", "EUR\n", 978, None, ["EUR"]])
def test_what_is_no_currency(currency: object) -> None:
    with pytest.raises(UsageError, match="three capital letters"):
        Stake(amount=Decimal(5), currency=currency)  # type: ignore[arg-type]
    assert exact_currency("EUR", "currency") == "EUR"


def test_a_payee_is_an_id() -> None:
    with pytest.raises(UsageError, match=r"Stake\.payee must be printable"):
        Stake(amount=Decimal(5), currency="EUR", payee=" bob")
