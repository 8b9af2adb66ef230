"""CAMARA's clients against servers made from the published schemas; both fronts, every documented error."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kyc_verify.call import Contact
from kyc_verify.errors import DeliveryError, SignalError
from kyc_verify.terms import Outcome
from tests.providers import (
    APIS,
    FRONTS,
    MESSAGE,
    NOW,
    NUMBER,
    QUERY,
    STRANGER,
    Provider,
    asked,
    camara,
    fails,
    finished,
    outcome,
    running,
    says,
)

pytestmark = [pytest.mark.slow, pytest.mark.wide]

WEEK = timedelta(days=7)
ATTRIBUTES = {"familyName": "Sørensen", "birthdate": date(1980, 2, 29), "gender": "FEMALE", "idDocument": "X123"}
ASKING: dict[str, Any] = {
    "sim-swap/check": lambda c: c.sim_swap(),
    "sim-swap/date": lambda c: c.sim_swap_date(),
    "device-swap/check": lambda c: c.device_swap(),
    "device-swap/date": lambda c: c.device_swap_date(),
    "forwarding": lambda c: c.call_forwarding(),
    "forwardings": lambda c: c.call_forwardings(),
    "recycling": lambda c: c.number_recycling(),
    "tenure": lambda c: c.kyc_tenure(),
    "match": lambda c: c.kyc_match(lambda _: ATTRIBUTES),
    "verification": lambda c: c.number_verification(lambda _: "eyJ-canary-token-7731"),
    "device-number": lambda c: c.device_phone_number(lambda _: "eyJ-canary-token-7731"),
}
UNCOVERED = {
    (400, "OUT_OF_RANGE"), (404, "NOT_FOUND"), (404, "IDENTIFIER_NOT_FOUND"), (422, "SERVICE_NOT_APPLICABLE"),
}  # fmt: skip
OF_DEVICE = {"verification", "device-number"}
ERRORS = [
    (api, status, code)
    for api in ASKING
    for status, codes in APIS[api].errors.items()
    for code in codes
    if status != 429  # these are asked again: see test_provider_faults
]


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def carrier() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider
    assert provider.complaints == []


@pytest.fixture
def client(front: str, carrier: Provider) -> Any:
    return camara(front, carrier)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("api", ASKING)
def test_each_operation_asks_as_published(client: Any, carrier: Provider, api: str) -> None:
    asked(ASKING[api](client))
    (seen,) = carrier.seen
    assert seen.api == api
    assert re.fullmatch(r"[0-9a-f]{32}", seen.headers["x-correlator"])
    assert seen.headers["accept-encoding"] == "identity"


def test_hours_are_hours(client: Any, carrier: Provider) -> None:
    for source in (client.sim_swap(), client.sim_swap(hours=2400), client.device_swap(hours=1)):
        asked(source)
    assert [seen.body["maxAge"] for seen in carrier.seen] == [168, 2400, 1]


def test_days_are_days(client: Any, carrier: Provider) -> None:
    found = asked(client.number_recycling())
    asked(client.kyc_tenure(since=lambda _: date(2015, 12, 31)))
    assert [seen.body for seen in carrier.seen] == [
        {"phoneNumber": NUMBER, "specifiedDate": "2019-05-01"},
        {"phoneNumber": NUMBER, "tenureDate": "2015-12-31"},
    ]
    assert found == {"covered": True, "recycled": False, "since": date(2019, 5, 1)}


def test_a_hash_is_of_the_number_with_its_plus(client: Any, carrier: Provider) -> None:
    asked(client.number_verification(lambda _: "eyJ-canary-token-7731", hashed=True))
    assert carrier.seen[0].body == {"hashedPhoneNumber": hashlib.sha256(b"+33612345678").hexdigest()}


def test_attributes_are_sent_by_their_names(client: Any, carrier: Provider) -> None:
    carrier.answer("match", says({"familyNameMatch": "true"}))
    asked(client.kyc_match(lambda subject: {"name": subject, "birthdate": "1980-02-29"}))
    assert carrier.seen[0].body == {"phoneNumber": NUMBER, "name": "cust-1", "birthdate": "1980-02-29"}


@pytest.mark.parametrize(
    "given",
    [
        {"surname": "x"}, {"phoneNumber": "+331"}, {"birthdate": "29/02/1980"}, {"birthdate": "1981-02-29"},
        {"birthdate": datetime(1980, 2, 29, tzinfo=UTC)}, {"gender": "female"}, {"idDocumentType": "Passport"},
        {"name": ""}, {"name": None}, {"name": "a\nb"}, {"name": "x" * 501}, {"name": 5}, [("name", "x")], None,
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_not_asked(client: Any, carrier: Provider, given: Any) -> None:
    found = asked(client.kyc_match(lambda _: given))
    assert str(found) == "camara kyc_match was not asked: these attributes cannot be asked about"
    assert carrier.seen == []


def test_host_code_that_fails_is_a_failed_signal(client: Any, carrier: Provider) -> None:
    def boom(_: object) -> Any:
        msg = f"no {NUMBER}"
        raise RuntimeError(msg)

    for source in (client.kyc_match(boom), client.kyc_tenure(since=boom), client.kyc_tenure(since=lambda _: "today")):
        found = asked(source)
        assert isinstance(found, SignalError)
        assert "was not asked" in str(found)
        assert found.__cause__ is found.__context__ is None
    assert carrier.seen == []


@pytest.mark.parametrize("number", [None, "+33142685300;ext=4", "0612345678", "+0123456", "+1234567890123456", "a@b.c"])
@pytest.mark.parametrize("api", ASKING)
def test_who_has_no_such_number_is_not_asked_about(client: Any, carrier: Provider, api: str, number: str) -> None:
    on_record = asked(ASKING[api](client), replace(QUERY, number=number))
    presented = asked(ASKING[api](client), replace(STRANGER, number=number))
    assert carrier.seen == []
    assert presented == {"covered": True, "failed": "no_number"}
    assert on_record == (presented if api in OF_DEVICE else {"covered": False})


# ── What is answered ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("api", "sent", "said"),
    [
        ("sim-swap/check", {"swapped": False}, {"swapped": False}),
        ("sim-swap/check", {"swapped": True}, {"swapped": True}),
        ("device-swap/check", {"swapped": True, "later": "version"}, {"swapped": True}),
        (
            "sim-swap/date", {"latestSimChange": "2024-09-18T07:37:53.471829447Z", "monitoredPeriod": 120},
            {"changed_at": datetime(2024, 9, 18, 7, 37, 53, 471829, tzinfo=UTC)},
        ),
        (
            "device-swap/date", {"latestDeviceChange": "2024-09-18t07:37:53+02:00"},
            {"changed_at": datetime(2024, 9, 18, 5, 37, 53, tzinfo=UTC)},
        ),
        ("forwarding", {"active": False}, {"forwarded": False}),
        ("forwarding", {"active": True}, {"forwarded": True}),
        ("forwardings", ["inactive"], {"forwarded": False, "kinds": ()}),
        (
            "forwardings", ["unconditional", "conditional_busy", "unconditional"],
            {"forwarded": True, "kinds": ("conditional_busy", "unconditional")},
        ),
        ("recycling", {"phoneNumberRecycled": True}, {"recycled": True, "since": date(2019, 5, 1)}),
        (
            "tenure", {"tenureDateCheck": True, "contractType": "PAYM"},
            {"tenured": True, "contract": "PAYM", "since": date(2019, 5, 1)},
        ),
        (
            "match",
            {"familyNameMatch": "false", "familyNameMatchScore": 87, "birthdateMatch": "true",
             "genderMatch": "not_available", "nameMatch": "true"},
            {"match": {"familyName": False, "birthdate": True, "gender": None}, "scores": {"familyName": 87}},
        ),
        ("verification", {"devicePhoneNumberVerified": True}, {"verified": True}),
        ("verification", {"devicePhoneNumberVerified": False}, {"verified": False}),
        ("device-number", {"devicePhoneNumber": NUMBER}, {"verified": True}),
        ("device-number", {"devicePhoneNumber": "+33612345679"}, {"verified": False}),
    ],
)  # fmt: skip
def test_what_is_published_is_read(client: Any, carrier: Provider, api: str, sent: Any, said: dict[str, Any]) -> None:
    carrier.answer(api, says(sent))
    assert asked(ASKING[api](client)) == {"covered": True} | said


@pytest.mark.parametrize(
    ("api", "sent"),
    [
        *[
            (api, sent)
            for api in ASKING
            for sent in (None, {}, [], "", "false", 0, False, [False], {"other": 1}, {"covered": False}, [{}])
        ],
        *[("sim-swap/check", {"swapped": value}) for value in ("false", "no", 0, None, [], {}, "")],
        *[
            ("sim-swap/date", {"latestSimChange": value})
            for value in (
                "2024-09-18T07:37:53", "2024-09-18", "2024-09-18 07:37:53Z", "2024-13-18T07:37:53Z", 1726645073,
                "2024-02-30T07:37:53Z", "2024-09-18T25:37:53Z", "", False, "never", "2024-09-18T07:37:53+99:00",
                "٢٠٢٤-09-18T07:37:53Z",
            )
        ],
        ("sim-swap/date", {"latestSimChange": None, "monitoredPeriod": -1}),
        ("sim-swap/date", {"latestSimChange": None, "monitoredPeriod": "120"}),
        ("sim-swap/date", {"latestSimChange": None, "monitoredPeriod": True}),
        ("sim-swap/date", {"latestDeviceChange": None}),
        ("forwarding", {"active": "inactive"}), ("forwarding", {"active": None}), ("forwarding", ["inactive"]),
        ("forwardings", ["inactive", "unconditional"]), ("forwardings", ["INACTIVE"]), ("forwardings", "inactive"),
        ("forwardings", [None]), ("forwardings", {"active": False}),
        ("recycling", {"phoneNumberRecycled": "false"}), ("recycling", {"phoneNumberRecycled": 0}),
        ("tenure", {"tenureDateCheck": "true"}), ("tenure", {"tenureDateCheck": 1}),
        ("tenure", {"tenureDateCheck": True, "contractType": "payg"}),
        ("match", {"familyNameMatch": True}), ("match", {"familyNameMatch": "TRUE"}), ("match", {"nameMatch": "true"}),
        ("match", {"familyNameMatch": "true", "familyNameMatchScore": 100}),
        ("match", {"familyNameMatch": "true", "familyNameMatchScore": 99}),
        ("match", {"familyNameMatch": "false", "familyNameMatchScore": 100}),
        ("match", {"familyNameMatch": "false", "familyNameMatchScore": -1}),
        ("match", {"familyNameMatch": "false", "familyNameMatchScore": True}),
        ("match", {"familyNameMatch": "not_available", "familyNameMatchScore": 50}),
        ("verification", {"devicePhoneNumberVerified": "true"}), ("verification", {"devicePhoneNumberVerified": 1}),
        ("device-number", {"devicePhoneNumber": "0612345678"}), ("device-number", {"devicePhoneNumber": None}),
    ],
)  # fmt: skip
def test_what_is_not_published_is_not_read(client: Any, carrier: Provider, api: str, sent: Any) -> None:
    carrier.answer(api, says(sent))
    found = asked(ASKING[api](client))
    assert isinstance(found, SignalError)
    assert str(found).endswith(" sent a reply that is not what it publishes")
    assert outcome(found) is Outcome.FAIL


@pytest.mark.parametrize(
    ("api", "sent"),
    [
        ("sim-swap/date", {"latestSimChange": None}),
        ("sim-swap/date", {"latestSimChange": None, "monitoredPeriod": 120}),
        ("device-swap/date", {"latestDeviceChange": None, "monitoredPeriod": 0}),
        ("match", {"familyNameMatch": "not_available", "genderMatch": "not_available"}),
    ],
)
def test_null_and_not_available_are_not_known(client: Any, carrier: Provider, api: str, sent: Any) -> None:
    carrier.answer(api, says(sent))
    assert asked(ASKING[api](client)) == {"covered": False}
    assert asked(ASKING[api](client), STRANGER)["covered"] is True


def test_without_a_day_nothing_is_known_but_it_takes_as_long(client: Any, carrier: Provider) -> None:
    carrier.answer("tenure", says({"tenureDateCheck": True}))
    unknown = replace(QUERY, contact=Contact(number=NUMBER))
    assert asked(client.kyc_tenure(), unknown) == {"covered": False}
    assert asked(client.kyc_tenure(), STRANGER) == {"covered": True, "failed": "no_day"}
    assert [seen.api for seen in carrier.seen] == ["tenure", "tenure"]


@pytest.mark.parametrize(("api", "status", "code"), ERRORS)
def test_every_documented_error(client: Any, carrier: Provider, api: str, status: int, code: str) -> None:
    carrier.answer(api, fails(status, code))
    found, theirs = asked(ASKING[api](client)), asked(ASKING[api](client), STRANGER)
    if code == "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_MISMATCH":
        assert found == theirs == {"covered": True, "match": {"idDocument": False}, "scores": {}}
    elif api in OF_DEVICE:
        elsewhere = code.endswith("BY_MOBILE_NETWORK")
        assert found == theirs == {"covered": True, "failed": "not_on_mobile_network" if elsewhere else "refused"}
    elif (status, code) in UNCOVERED:
        assert found == {"covered": False}
        assert theirs["covered"] is True
        assert outcome(found) is Outcome.UNAVAILABLE
    else:
        assert str(found).endswith(f" answered {status} {code}")
        # A number that the caller chose is no outage; our own token and an unknown operation are.
        assert isinstance(theirs, SignalError) is (status in {401, 403, 501})
    assert outcome(theirs, STRANGER) is Outcome.FAIL
    assert outcome(found) is not Outcome.PASS


@pytest.mark.parametrize(
    ("sent", "how"),
    [
        ({"status": 404, "code": "IDENTIFIER_NOT_FOUND", "message": ""}, {"kind": "text/html"}),
        ({"status": 400, "code": "IDENTIFIER_NOT_FOUND", "message": ""}, {}),
        ({"status": "404", "code": "IDENTIFIER_NOT_FOUND", "message": ""}, {}),
        ({"status": 404, "code": ["IDENTIFIER_NOT_FOUND"], "message": ""}, {}),
        ({"status": 404, "code": "SERVICE_NOT_APPLICABLE", "message": ""}, {}),
        ({"status": 404, "code": NUMBER, "message": ""}, {}),
        (b"<h1>Not Found</h1>", {}),
        ([], {}),
    ],
)
def test_only_the_carriers_own_404_says_that_a_number_is_not_covered(
    client: Any, carrier: Provider, sent: Any, how: dict[str, str]
) -> None:
    carrier.answer("sim-swap/check", says(sent, 404, **how))
    found = asked(client.sim_swap())
    assert isinstance(found, SignalError)
    assert re.fullmatch(r"camara sim_swap answered 404(?: SERVICE_NOT_APPLICABLE)?", str(found))


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        (NOW - WEEK, Outcome.PASS), (NOW - WEEK + timedelta(microseconds=1), Outcome.FAIL), (NOW, Outcome.FAIL),
        (NOW + timedelta(days=400), Outcome.FAIL), (NOW - timedelta(days=4000), Outcome.PASS),
    ],
)  # fmt: skip
def test_a_date_is_judged_by_the_check(client: Any, carrier: Provider, changed: datetime, wanted: Outcome) -> None:
    """One in the future is a lie or a clock gone wrong; neither helps."""
    carrier.answer("sim-swap/date", says({"latestSimChange": changed.isoformat()}))
    assert outcome(asked(client.sim_swap_date())) is wanted


@pytest.mark.parametrize("token", [None, "", 5, "two words", "a\r\nX-Admin: 1", "é", "x" * 9000])
def test_a_device_without_a_token_is_the_callers_doing(client: Any, carrier: Provider, token: Any) -> None:
    assert asked(client.number_verification(lambda _: token)) == {"covered": True, "failed": "no_token"}
    assert carrier.seen == []


def test_the_device_token_is_of_the_query(client: Any, carrier: Provider) -> None:
    carrier.authorisation = "Bearer of-cust-1"
    assert asked(client.number_verification(lambda query: f"of-{query.subject}"))["verified"] is False


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sent(service: Any, **changes: Any) -> Any:
    return finished(service.send(replace(MESSAGE, **changes)))


def test_a_code_is_sent_and_judged(client: Any, carrier: Provider) -> None:
    service = client.one_time_code()
    handle = sent(service)
    assert handle.startswith("camara:")
    assert handle.endswith(":ea0840f3-3663")
    assert finished(service.check(handle, "048213")) is Outcome.PASS
    first, second = carrier.seen
    assert first.body["phoneNumber"] == NUMBER
    assert first.body["message"] == MESSAGE.text
    assert second.body == {"authenticationId": "ea0840f3-3663", "code": "048213"}
    assert first.headers["x-correlator"] == hashlib.sha256(b"session-1.1").hexdigest()


LONG = "x" * 160 + "{{code}}"


@pytest.mark.parametrize(
    ("text", "brief", "sent_as"),
    [
        ("For: a card. Never tell it. {{code}}", "b {{code}}", "text"), ("x" * 152 + "{{code}}", None, "text"),
        ("x" * 153 + "{{code}}", "b {{code}}", "brief"), ("{{code}} {{code}}", "b {{code}}", "brief"),
        ("no place", "b {{code}}", "brief"), ("no place", None, None), (LONG, LONG, None), (LONG, "no place", None),
    ],
)  # fmt: skip
def test_a_message_is_sent_whole_or_in_fewer_words_or_not(
    client: Any, carrier: Provider, text: str, brief: str | None, sent_as: str | None
) -> None:
    if sent_as is None:
        with pytest.raises(DeliveryError, match="the message does not fit"):
            sent(client.one_time_code(), text=text, brief=brief)
        assert carrier.seen == []
        return
    sent(client.one_time_code(), text=text, brief=brief)
    assert carrier.seen[0].body["message"] == {"text": text, "brief": brief}[sent_as]


@pytest.mark.parametrize("destination", ["", "a@example.com", "0612345678", "+33612345678;ext=4"])
def test_a_code_goes_to_numbers_alone(client: Any, carrier: Provider, destination: str) -> None:
    with pytest.raises(DeliveryError, match="was not asked: the destination is no number"):
        sent(client.one_time_code(), destination=destination)
    assert carrier.seen == []


@pytest.mark.parametrize(
    "reply",
    [
        {}, [], None, {"authenticationId": None}, {"authenticationId": ""}, {"authenticationId": "x" * 37},
        {"authenticationId": 5}, {"authenticationId": "a b"}, {"authenticationId": "é"}, {"authenticationId": "a\n"},
    ],
)  # fmt: skip
def test_a_handle_is_what_is_published(client: Any, carrier: Provider, reply: Any) -> None:
    carrier.answer("send-code", says(reply))
    with pytest.raises(DeliveryError, match="sent a reply that is not what it publishes"):
        sent(client.one_time_code())


@pytest.mark.parametrize(
    ("status", "code"), [(status, code) for status, codes in APIS["send-code"].errors.items() for code in codes]
)
def test_every_documented_error_of_sending(client: Any, carrier: Provider, status: int, code: str) -> None:
    carrier.answer("send-code", fails(status, code))
    with pytest.raises(DeliveryError) as caught:
        sent(client.one_time_code())
    assert str(caught.value) == f"camara one_time_code answered {status} {code}"
    assert len(carrier.seen) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(status, code) for status, codes in APIS["validate-code"].errors.items() for code in codes]
)
def test_every_documented_error_of_checking(client: Any, carrier: Provider, status: int, code: str) -> None:
    service = client.one_time_code()
    handle = sent(service)
    carrier.answer("validate-code", fails(status, code))
    wrong = {"INVALID_OTP", "VERIFICATION_EXPIRED", "VERIFICATION_FAILED", "NOT_FOUND"}
    if code.removeprefix("ONE_TIME_PASSWORD_SMS.") in wrong:
        assert finished(service.check(handle, "048213")) is Outcome.FAIL
    else:
        with pytest.raises(SignalError, match=f" answered {status} {code}"):
            finished(service.check(handle, "048213"))
    assert [seen.api for seen in carrier.seen] == ["send-code", "validate-code"]


@pytest.mark.parametrize(("status", "body"), [(200, {}), (200, {"valid": True}), (201, None), (202, {}), (206, {})])
def test_only_204_is_a_yes(client: Any, carrier: Provider, status: int, body: Any) -> None:
    service = client.one_time_code()
    handle = sent(service)
    carrier.answer("validate-code", says(body, status))
    with pytest.raises(SignalError, match=f"answered {status}"):
        finished(service.check(handle, "048213"))


def test_a_handle_is_bound_to_its_service(front: str, client: Any, carrier: Provider) -> None:
    handle = sent(client.one_time_code())
    with running(Provider()) as other:
        assert finished(camara(front, other).one_time_code().check(handle, "048213")) is Outcome.FAIL
    assert other.seen == []
    for forged in ("", "ea0840f3-3663", handle[:-14], handle + " ", "twilio:" + handle, "x" * 10_000, None, 5):
        assert finished(client.one_time_code().check(forged, "048213")) is Outcome.FAIL
    assert len(carrier.seen) == 1


@pytest.mark.parametrize("code", ["", "123", "12345678901", "048 213", "０４８２１３", "048213\n", "'--", "\ud800"])
def test_what_can_be_no_code_is_not_asked_about(client: Any, carrier: Provider, code: str) -> None:
    service = client.one_time_code()
    handle = sent(service)
    assert finished(service.check(handle, code)) is Outcome.FAIL
    assert len(carrier.seen) == 1
