"""Twilio's clients against servers made from the published schemas; both fronts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kyc_verify.errors import DeliveryError, SignalError
from kyc_verify.terms import Outcome
from tests.providers import (
    APIS,
    FRONTS,
    MESSAGE,
    NOW,
    NUMBER,
    QUERY,
    SERVICE,
    STRANGER,
    VERIFICATION,
    Provider,
    asked,
    fails,
    finished,
    outcome,
    running,
    says,
    twilio,
)

pytestmark = [pytest.mark.slow, pytest.mark.wide]

ASKING: dict[str, Any] = {
    "sim_swap": lambda c: c.sim_swap(),
    "call_forwarding": lambda c: c.call_forwarding(),
    "line_type_intelligence": lambda c: c.line_type(),
    "identity_match": lambda c: c.identity_match(lambda _: {"LastName": "Sørensen", "DateOfBirth": date(1980, 2, 29)}),
}
LOOKUP_ERRORS = [(status, code) for status, codes in APIS["lookup"].errors.items() for code in codes if status < 429]
NEXT = "VE" + "c3" * 16


def package(name: str, found: Any, **changes: Any) -> Any:
    return says({"phone_number": NUMBER, "valid": True, "validation_errors": [], name: found} | changes)


def swapped(date: Any, period: Any, within: Any, **more: Any) -> Any:
    last = {"last_sim_swap_date": date, "swapped_period": period, "swapped_in_period": within}
    return {"last_sim_swap": last, "carrier_name": "Example", "error_code": None} | more


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def platform() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider
    assert provider.complaints == []


@pytest.fixture
def client(front: str, platform: Provider) -> Any:
    return twilio(front, platform)


# ── Lookup ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ASKING)
def test_one_package_is_asked_for(client: Any, platform: Provider, name: str) -> None:
    asked(ASKING[name](client))
    (seen,) = platform.seen
    assert seen.path.startswith(f"/v2/PhoneNumbers/{NUMBER}?Fields={name}")
    assert seen.body.pop("Fields") == name
    assert seen.body == ({"LastName": "Sørensen", "DateOfBirth": "19800229"} if name == "identity_match" else {})


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (swapped("2020-04-27T10:18:50Z", "PT48H", within=True), Outcome.FAIL),
        (swapped(None, "PT24H", within=True), Outcome.FAIL),
        (swapped(None, "PT168H", within=False), Outcome.PASS),
        (swapped(None, "P7D", within=False), Outcome.PASS),
        (swapped(None, "P30DT12H", within=False), Outcome.PASS),
        (swapped(None, "PT167H", within=False), Outcome.UNAVAILABLE),
        (swapped(None, "PT24H", within=False), Outcome.UNAVAILABLE),
        (swapped(None, None, within=False), Outcome.UNAVAILABLE),
        (swapped(None, "PT168H", within=None), Outcome.UNAVAILABLE),
        (swapped("2020-04-27T10:18:50Z", "PT24H", within=False), Outcome.PASS),
        (swapped("2020-04-27T10:18:50Z", None, within=None), Outcome.PASS),
        (swapped((NOW - timedelta(days=6)).isoformat(), "PT24H", within=False), Outcome.FAIL),
        (swapped((NOW + timedelta(days=60)).isoformat(), "PT720H", within=False), Outcome.FAIL),
        (swapped(None, "PT168H", within=False, error_code=60620), Outcome.UNAVAILABLE),
        ({"last_sim_swap": None, "error_code": None}, Outcome.UNAVAILABLE),
        (None, Outcome.UNAVAILABLE),
    ],
)
def test_what_the_check_makes_of_a_sim_swap(client: Any, platform: Provider, found: Any, wanted: Outcome) -> None:
    platform.answer("lookup", package("sim_swap", found))
    assert outcome(asked(client.sim_swap())) is wanted
    assert outcome(asked(client.sim_swap(), STRANGER), STRANGER) is (
        Outcome.FAIL if wanted is Outcome.UNAVAILABLE else wanted
    )


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        (
            "sim_swap", swapped("2020-04-27T12:18:50+02:00", "PT48H", within=False),
            {"changed_at": datetime(2020, 4, 27, 10, 18, 50, tzinfo=UTC)},
        ),
        ("call_forwarding", {"call_forwarding_enabled": True, "error_code": None}, {"forwarded": True}),
        ("call_forwarding", {"call_forwarding_enabled": False}, {"forwarded": False}),
        ("line_type_intelligence", {"type": "nonFixedVoip", "carrier_name": "x"}, {"type": "nonFixedVoip"}),
        (
            "identity_match",
            {"last_name_match": "high_partial_match", "date_of_birth_match": "no_data_available",
             "city_match": "exact_match", "summary_score": 90, "error_code": None, "error_message": None},
            {"match": {"last_name": "high_partial_match", "date_of_birth": None}, "score": 90},
        ),
    ],
)  # fmt: skip
def test_what_is_published_is_read(client: Any, platform: Provider, name: str, found: Any, said: Any) -> None:
    platform.answer("lookup", package(name, found))
    assert asked(ASKING[name](client)) == {"covered": True} | said


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *[(name, found) for name in ASKING for found in (None, {"error_code": 60600}, {"error_code": 0})],
        ("call_forwarding", {"call_forwarding_enabled": None}),
        ("line_type_intelligence", {"type": None}), ("line_type_intelligence", {"type": "unknown"}),
        ("identity_match", {"last_name_match": "no_data_available", "date_of_birth_match": None, "summary_score": 0}),
    ],
)  # fmt: skip
def test_null_and_no_data_are_not_known(client: Any, platform: Provider, name: str, found: Any) -> None:
    platform.answer("lookup", package(name, found))
    assert asked(ASKING[name](client)) == {"covered": False}
    assert asked(ASKING[name](client), STRANGER) == {"covered": True, "failed": "not_available"}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *[(name, found) for name in ASKING for found in ([], "", 0, False, "x", {"error_code": "60600"})],
        ("sim_swap", swapped(None, "PT168H", within="false")), ("sim_swap", swapped(None, "PT168H", within=0)),
        ("sim_swap", swapped(None, "168", within=False)), ("sim_swap", swapped(None, 168, within=False)),
        ("sim_swap", swapped(None, "PT-168H", within=False)), ("sim_swap", swapped(None, "P", within=False)),
        ("sim_swap", swapped(None, "PT", within=False)), ("sim_swap", swapped(None, "P1Y", within=False)),
        ("sim_swap", swapped("2020-04-27T10:18:50", "PT168H", within=False)),
        ("sim_swap", swapped("27 Apr 2020", "PT168H", within=False)), ("sim_swap", swapped(0, "PT168H", within=False)),
        ("sim_swap", {"last_sim_swap": False}),
        ("call_forwarding", {"call_forwarding_enabled": "false"}), ("call_forwarding", {"call_forwarding_enabled": 0}),
        ("line_type_intelligence", {"type": "Mobile"}), ("line_type_intelligence", {"type": 1}),
        ("identity_match", {"last_name_match": True, "summary_score": 90}),
        ("identity_match", {"last_name_match": "exact", "summary_score": 90}),
        ("identity_match", {"last_name_match": "exact_match", "summary_score": 101}),
        ("identity_match", {"last_name_match": "exact_match", "summary_score": "90"}),
    ],
)  # fmt: skip
def test_what_is_not_published_is_not_read(client: Any, platform: Provider, name: str, found: Any) -> None:
    platform.answer("lookup", package(name, found))
    error = asked(ASKING[name](client))
    assert str(error) == f"twilio {name} sent a reply that is not what it publishes"


@pytest.mark.parametrize("echoed", ["+33612345679", "0612345678", "", None, 33612345678, "33612345678", "\ud800"])
def test_a_reply_about_another_number_is_none(client: Any, platform: Provider, echoed: Any) -> None:
    platform.answer("lookup", package("call_forwarding", {"call_forwarding_enabled": False}, phone_number=echoed))
    assert isinstance(asked(client.call_forwarding()), SignalError)


@pytest.mark.parametrize(("valid", "covered"), [(False, True), ("true", None), (None, None), (1, None)])
def test_a_number_that_is_none_is_not_covered(client: Any, platform: Provider, valid: Any, *, covered: bool) -> None:
    platform.answer("lookup", package("call_forwarding", {"call_forwarding_enabled": False}, valid=valid))
    found = asked(client.call_forwarding())
    assert found == {"covered": False} if covered else isinstance(found, SignalError)


@pytest.mark.parametrize(("status", "code"), LOOKUP_ERRORS)
def test_every_documented_error(client: Any, platform: Provider, status: int, code: str) -> None:
    platform.answer("lookup", fails(status, code))
    found, theirs = asked(client.sim_swap()), asked(client.sim_swap(), STRANGER)
    if status == 404:
        assert found == {"covered": False}
    else:
        assert str(found) == f"twilio sim_swap answered {status}"
    assert isinstance(theirs, SignalError) is (status in {401, 403})
    assert outcome(theirs, STRANGER) is Outcome.FAIL


@pytest.mark.parametrize("body", [b"", b"<h1>404</h1>", {"status": 404}, {"status": 400, "code": 20404}, []])
def test_only_twilios_own_404_says_that_a_number_is_not_covered(client: Any, platform: Provider, body: Any) -> None:
    platform.answer("lookup", says(body, 404))
    assert str(asked(client.sim_swap())) == "twilio sim_swap answered 404"
    assert isinstance(asked(client.sim_swap(), STRANGER), SignalError)


@pytest.mark.parametrize("number", [None, "0612345678", "+33142685300;ext=4"])
def test_who_has_no_such_number_is_not_asked_about(client: Any, platform: Provider, number: Any) -> None:
    assert asked(client.sim_swap(), replace(QUERY, number=number)) == {"covered": False}
    assert asked(client.sim_swap(), replace(STRANGER, number=number)) == {"covered": True, "failed": "no_number"}
    assert platform.seen == []


@pytest.mark.parametrize(
    "given", [{"Surname": "x"}, {"LastName": ""}, {"LastName": 5}, {"DateOfBirth": "19800229"}, {"City": "a\0b"}, None]
)
def test_what_cannot_be_compared_is_not_asked(client: Any, platform: Provider, given: Any) -> None:
    found = asked(client.identity_match(lambda _: given))
    assert str(found) == "twilio identity_match was not asked: these attributes cannot be asked about"
    assert platform.seen == []


# ── Verify ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def begun(sid: Any = VERIFICATION, attempts: int = 1, **changes: Any) -> Any:
    found = {
        "sid": sid, "service_sid": SERVICE, "to": NUMBER, "channel": "sms", "status": "pending", "valid": False,
        "send_code_attempts": [{"channel": "SMS"}] * attempts,
    }  # fmt: skip
    return says(found | changes, 201)


def judged(status: Any, valid: Any, http: int = 200, **changes: Any) -> Any:
    return says({"sid": VERIFICATION, "service_sid": SERVICE, "status": status, "valid": valid} | changes, http)


def sent(service: Any, **changes: Any) -> Any:
    return finished(service.send(replace(MESSAGE, **changes)))


def test_a_code_is_sent_and_judged(client: Any, platform: Provider) -> None:
    service = client.verify(SERVICE)
    handle = sent(service)
    assert handle == f"twilio:{SERVICE}:{VERIFICATION}"
    platform.answer("verify-check", judged("pending", valid=False), judged("approved", valid=True))
    assert finished(service.check(handle, "111111")) is Outcome.FAIL
    assert finished(service.check(handle, "048213")) is Outcome.PASS
    assert [seen.body for seen in platform.seen] == [
        {"To": NUMBER, "Channel": "sms", "Locale": "fr"},
        {"VerificationSid": VERIFICATION, "Code": "111111"},
        {"VerificationSid": VERIFICATION, "Code": "048213"},
    ]


@pytest.mark.parametrize(
    ("channel", "destination", "wanted"),
    [
        ("sms", NUMBER, "sms"), ("voice", NUMBER, "call"), ("email", "a@example.com", "email"), ("app", NUMBER, None),
        ("callback", NUMBER, None), ("sms", "a@example.com", None), ("email", NUMBER, None), ("sms", "", None),
    ],
)  # fmt: skip
def test_channels(client: Any, platform: Provider, channel: str, destination: str, wanted: str | None) -> None:
    platform.answer("verify", begun(to=destination))
    if wanted is None:
        with pytest.raises(DeliveryError, match="was not asked"):
            sent(client.verify(SERVICE), channel=channel, destination=destination)
    else:
        sent(client.verify(SERVICE), channel=channel, destination=destination)
    assert [seen.body["Channel"] for seen in platform.seen] == ([] if wanted is None else [wanted])


def test_a_language_that_twilio_lacks_is_left_to_it(client: Any, platform: Provider) -> None:
    for language in ("en", "fr", "es", "fa"):
        sent(client.verify(SERVICE), language=language)
    assert [seen.body.get("Locale") for seen in platform.seen] == ["en", "fr", "es", None]


def test_a_resend_is_a_new_code(client: Any, platform: Provider) -> None:
    """Twilio sends an open code again, which would be good for what it was sent for before, too."""
    platform.answer("verify", begun(attempts=2), begun(sid=NEXT))
    assert sent(client.verify(SERVICE)) == f"twilio:{SERVICE}:{NEXT}"
    assert [(seen.api, seen.path.rpartition("/")[2]) for seen in platform.seen] == [
        ("verify", "Verifications"), ("cancel", VERIFICATION), ("verify", "Verifications"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cancelled", "again", "good"),
    [
        (says({"status": "canceled"}), begun(sid=NEXT), True),
        (fails(404, "20404"), begun(sid=NEXT), True),
        (says({"status": "canceled"}), begun(sid=NEXT, attempts=2), False),
        (says({"status": "approved"}), begun(sid=NEXT), False),
        (says({"status": "pending"}), begun(sid=NEXT), False),
        (says({}), begun(sid=NEXT), False),
        (says(b"gone", 404), begun(sid=NEXT), False),
        (fails(401, "20003"), begun(sid=NEXT), False),
    ],
)
def test_an_older_code_that_goes_on_is_none_of_ours(
    client: Any, platform: Provider, cancelled: Any, again: Any, *, good: bool
) -> None:
    platform.answer("verify", begun(attempts=2), again)
    platform.answer("cancel", cancelled)
    if good:
        assert sent(client.verify(SERVICE)).endswith(NEXT)
    else:
        with pytest.raises(DeliveryError, match="went on with an older code"):
            sent(client.verify(SERVICE))


@pytest.mark.parametrize(
    "reply",
    [
        begun(to="+33612345679"), begun(to=None), begun(sid="VE1"), begun(sid=None), begun(service_sid="VA" + "0" * 32),
        begun(status="approved"), begun(status=None), begun(send_code_attempts=None), begun(attempts=0),
        begun(send_code_attempts="1"), says([], 201), says(None, 201),
    ],
)  # fmt: skip
def test_a_verification_is_what_is_published(client: Any, platform: Provider, reply: Any) -> None:
    platform.answer("verify", reply)
    with pytest.raises(DeliveryError, match="sent a reply that is not what it publishes"):
        sent(client.verify(SERVICE))


@pytest.mark.parametrize(
    ("status", "code"), [(status, code) for status, codes in APIS["verify"].errors.items() for code in codes]
)
def test_every_documented_error_of_sending(client: Any, platform: Provider, status: int, code: str) -> None:
    platform.answer("verify", fails(status, code))
    with pytest.raises(DeliveryError, match=f"twilio verify answered {status}"):
        sent(client.verify(SERVICE))
    assert len(platform.seen) == 1


@pytest.mark.parametrize("status", ["pending", "canceled", "max_attempts_reached", "deleted", "failed", "expired"])
def test_every_status_but_approved_is_a_no(client: Any, platform: Provider, status: str) -> None:
    platform.answer("verify-check", judged(status, valid=False, http=201))
    assert finished(client.verify(SERVICE).check(f"twilio:{SERVICE}:{VERIFICATION}", "048213")) is Outcome.FAIL


@pytest.mark.parametrize(
    "reply",
    [
        judged("approved", valid=False), judged("pending", valid=True), judged("approved", valid="true"),
        judged("approved", valid=None), judged("Approved", valid=True), judged("approved ", valid=True),
        judged(None, valid=False), judged(1, valid=True), judged("approved", valid=True, sid=NEXT),
        judged("approved", valid=True, service_sid="VA" + "0" * 32), judged("approved", valid=True, sid=None),
        says([]), says("approved"), says({"status": "approved"}), judged("approved", valid=True, http=202),
        judged("approved", valid=True, http=403), says(b"x", 404), fails(429, "60202"), fails(400, "60200"),
        fails(401, "20003"), fails(503, "20503"),
    ],
)  # fmt: skip
def test_what_is_not_clearly_approved_is_no_yes(client: Any, platform: Provider, reply: Any) -> None:
    platform.answer("verify-check", reply)
    with pytest.raises(SignalError):
        finished(client.verify(SERVICE).check(f"twilio:{SERVICE}:{VERIFICATION}", "048213"))
    assert len(platform.seen) == 1


def test_a_used_up_verification_is_a_no(client: Any, platform: Provider) -> None:
    platform.answer("verify-check", fails(404, "20404"))
    assert finished(client.verify(SERVICE).check(f"twilio:{SERVICE}:{VERIFICATION}", "048213")) is Outcome.FAIL


@pytest.mark.parametrize(
    "handle",
    ["", VERIFICATION, f"twilio:VA{'0' * 32}:{VERIFICATION}", f"twilio:{SERVICE}:VE1", f"camara:{SERVICE}", None],
)
def test_a_handle_is_bound_to_its_service(client: Any, platform: Provider, handle: Any) -> None:
    assert finished(client.verify(SERVICE).check(handle, "048213")) is Outcome.FAIL
    assert platform.seen == []


@pytest.mark.parametrize("code", ["", "123", "12345678901", "048 213", "٠٤٨٢١٣", "048213\n"])
def test_what_can_be_no_code_is_not_asked_about(client: Any, platform: Provider, code: str) -> None:
    assert finished(client.verify(SERVICE).check(f"twilio:{SERVICE}:{VERIFICATION}", code)) is Outcome.FAIL
    assert platform.seen == []
