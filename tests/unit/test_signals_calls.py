"""Calls from what telephony platforms send: who is calling, and never more than was verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from kyc_verify import Call
from kyc_verify.errors import KycVerifyError, SignalError, UsageError
from kyc_verify.signals import calls

WHO: dict[str, Any] = {"agent": "agent-7", "roles": {"desk"}}
NUMBER = "+12155551212"

# ── Twilio ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TOKEN = "a token of this test"
URL = "https://crm.example.com/voice?desk=7"
FORM = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA00000000000000000000000000000001",
    "CallStatus": "ringing",
    "CallerName": "",
    "Direction": "inbound",
    "From": NUMBER,
    "StirVerstat": "TN-Validation-Passed-A",
    "To": "+12125551213",
}


def webhook(sent: Any = None, **changes: Any) -> Call:
    """Return the call of a webhook that was signed as it is, unless something of it is changed afterwards."""
    pairs = list((FORM if sent is None else sent).items() if isinstance(sent, dict | None) else sent)
    signed = URL + "".join(name + value for name, value in sorted(pairs))
    made = base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    arguments = {"body": urlencode(pairs), "url": URL, "signature": made, "auth_token": TOKEN} | WHO | changes
    return calls.twilio_voice(arguments.pop("body"), **arguments)


@pytest.mark.parametrize("form", [str, str.encode, lambda _: FORM])
def test_a_webhook_of_twilio(form: Callable[[str], Any]) -> None:
    call = webhook(body=form(urlencode(FORM)))
    assert (call.id, call.number, call.attestation) == (FORM["CallSid"], NUMBER, "A")
    assert (call.agent, call.roles) == ("agent-7", {"desk"})


def test_twilios_own_example_of_a_signature() -> None:
    """The address, parameters, token and signature that Twilio's guide to webhooks prints."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    checked = {"url": "https://example.com/myapp.php?foo=1&bar=2", "signature": "L/OH5YylLD5NRKLltdqwSvS0BnU="}
    assert calls._is_from_twilio(list(form.items()), auth_token="12345", **checked)
    assert not calls._is_from_twilio(list(form.items()), auth_token="12346", **checked)


def test_a_webhook_by_get_has_its_parameters_in_the_address() -> None:
    url = "https://crm.example.com/voice?" + urlencode(FORM)
    made = base64.b64encode(hmac.new(TOKEN.encode(), url.encode(), hashlib.sha1).digest()).decode()
    call = calls.twilio_voice(b"", url=url, signature=made, auth_token=TOKEN, **WHO)
    assert (call.number, call.attestation) == (NUMBER, "A")


@pytest.mark.parametrize(
    "change",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": "é"},
        {"signature": "\ud800"},
        {"signature": b"x"},
        {"url": "https://crm.example.com/voice"},
        {"url": None},
        {"auth_token": "another"},
        {"auth_token": ""},
        {"body": urlencode(FORM | {"From": "+12155559999"})},
        {"body": urlencode(FORM | {"More": "1"})},
        {"body": urlencode(FORM | {"StirVerstat": "\ud800"}, errors="surrogatepass")},
        {"body": b"\xff\xfe=1"},
        {"body": b"%ff=1"},
        {"body": "x" * 70_000},
        {"body": "&".join("a=1" for _ in range(600))},
        {"body": 7},
    ],
)
def test_a_webhook_that_was_not_signed_as_it_is(change: dict[str, Any]) -> None:
    with pytest.raises(SignalError, match="nothing of it was used") as caught:
        webhook(**change)
    assert NUMBER not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "sent",
    [
        [*FORM.items(), ("StirVerstat", "TN-Validation-Passed-A")],
        [*FORM.items(), ("StirVerstat", "TN-Validation-Failed-A")],
        [*FORM.items(), ("From", NUMBER)],
        {name: value for name, value in FORM.items() if name != "CallSid"},
        FORM | {"CallSid": ""},
        FORM | {"CallSid": " x"},
        FORM | {"CallSid": "x" * 300},
        FORM | {"Direction": "outbound-api"},
        {name: value for name, value in FORM.items() if name != "Direction"},
    ],
)
def test_a_signed_webhook_that_is_no_incoming_call(sent: Any) -> None:
    with pytest.raises(SignalError):
        webhook(sent)


@pytest.mark.parametrize(
    ("said", "attestation"),
    [
        ("TN-Validation-Passed-B", "B"),
        ("TN-Validation-Passed-A-Diverted", None),
        ("TN-Validation-Failed-A", "failed"),
        ("No-TN-Validation", None),
        ("tn-validation-passed-a", None),
        ("TN-Validation-Passed-A,TN-Validation-Passed-A", None),
        ("", None),
    ],
)
def test_what_twilio_says_of_the_number(said: str, attestation: str | None) -> None:
    assert webhook(FORM | {"StirVerstat": said}).attestation == attestation


def test_what_twilio_does_not_say() -> None:
    call = webhook({name: value for name, value in FORM.items() if name not in {"StirVerstat", "From"}})
    assert (call.number, call.attestation) == (None, None)
    assert webhook(FORM | {"From": "+1\x00"}).number is None


# ── SIP ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

INVITE = {
    "Call-ID": "a84b4c76e66710@sbc.example.com",
    "From": '"Alice" <sip:+12155551212@carrier.example.com;user=phone>;tag=1928301774',
    "To": "<sip:+12125551213@pbx.example.com>",
    "P-Asserted-Identity": "<sip:+12155551212;verstat=TN-Validation-Passed@carrier.example.com;user=phone>",
    "P-Attestation-Indicator": "A",
}


def invite(headers: Any = None, *, trusted_peer: Any = True, **changes: Any) -> Call:
    provider = {"provider": changes.pop("provider")} if "provider" in changes else {}
    sent = INVITE | changes if headers is None else headers
    return calls.sip_headers(
        {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else sent,
        trusted_peer=trusted_peer,
        **provider,
        **WHO,
    )


def test_the_headers_of_an_invite() -> None:
    call = invite()
    assert (call.id, call.number, call.attestation, call.agent) == (INVITE["Call-ID"], NUMBER, "A", "agent-7")


@pytest.mark.parametrize("trusted_peer", [False, None, 0, 1, "yes"])
def test_what_an_untrusted_peer_writes_attests_nothing(trusted_peer: Any) -> None:
    call = invite(
        trusted_peer=trusted_peer, **{"P-Asserted-Identity": "<sip:+12125550000@x;verstat=TN-Validation-Passed>"}
    )
    assert (call.number, call.attestation) == (NUMBER, None)


ASSERTED = "P-Asserted-Identity"


@pytest.mark.parametrize(
    ("changes", "number", "attestation"),
    [
        ({ASSERTED: "<tel:+12155551212;verstat=TN-Validation-Passed>"}, NUMBER, "A"),
        ({ASSERTED: "tel:+12155551212;verstat=TN-Validation-Passed"}, NUMBER, "A"),
        ({ASSERTED: "<sip:+12155551212@x>;verstat=TN-Validation-Passed"}, NUMBER, "A"),
        ({ASSERTED: "<sip:+12155551212@x>, <tel:+12155551212;verstat=TN-Validation-Passed>"}, NUMBER, "A"),
        ({ASSERTED: ["<sip:+12155551212@x>", "<tel:+12155551212;verstat=TN-Validation-Passed>"]}, NUMBER, "A"),
        ({ASSERTED: "<sip:+12155551212@x>, <tel:+12125550000;verstat=TN-Validation-Passed>"}, None, "A"),
        ({ASSERTED: None}, NUMBER, None),
        ({ASSERTED: None, "From": "<sip:+12155551212;verstat=TN-Validation-Passed@x>"}, NUMBER, "A"),
        ({ASSERTED: None, "From": None}, None, None),
        ({ASSERTED: "<sip:+12155551212;verstat=TN-Validation-Failed@x>"}, NUMBER, "failed"),
        ({ASSERTED: "<sip:+12155551212;verstat=No-TN-Validation@x>"}, NUMBER, None),
        ({ASSERTED: "<sip:+12155551212;verstat=tn-validation-passed@x>"}, NUMBER, None),
        ({ASSERTED: "<sip:+12155551212;verstat=TN-Validation-Passed-A@x>"}, NUMBER, None),
        ({ASSERTED: "<sip:+12155551212;verstat=TN-Validation-Passed;verstat=TN-Validation-Failed@x>"}, NUMBER, None),
        ({ASSERTED: '"<tel:+12155551212;verstat=TN-Validation-Passed>" <sip:+12125550000@x>'}, "+12125550000", None),
        (
            {ASSERTED: '"a\\"<tel:+12155551212;verstat=TN-Validation-Passed>" <sip:+12125550000@x>'},
            "+12125550000",
            None,
        ),
        ({ASSERTED: "<sip:anonymous@anonymous.invalid;verstat=TN-Validation-Passed>"}, None, "A"),
        ({ASSERTED: "rubbish"}, None, None),
        ({ASSERTED: ""}, NUMBER, None),
        ({"P-Attestation-Indicator": "B"}, NUMBER, "B"),
        ({"P-Attestation-Indicator": None}, NUMBER, None),
        ({"P-Attestation-Indicator": "a"}, NUMBER, None),
        ({"P-Attestation-Indicator": None, "Attestation-Info": "A"}, NUMBER, "A"),
        ({"Attestation-Info": "A"}, NUMBER, "A"),
        ({"Attestation-Info": "B"}, NUMBER, None),
        ({"Diversion": "<sip:+12125551299@x>;reason=unconditional"}, NUMBER, None),
        ({"History-Info": "<sip:+12125551299@x>;index=1,<sip:+12125551213@x;cause=302>;index=1.1;mp=1"}, NUMBER, None),
        ({"History-Info": "<sip:+12125551213@x?Reason=SIP%3Bcause%3D302>;index=1;rc=1"}, NUMBER, None),
        ({"History-Info": "<sip:+12125551213@x>;index=1"}, NUMBER, "A"),
    ],
)
def test_what_a_trusted_peer_writes(changes: dict[str, Any], number: str | None, attestation: str | None) -> None:
    call = invite(**changes)
    assert (call.number, call.attestation) == (number, attestation)


def test_names_of_headers_in_any_case_and_short() -> None:
    pairs = [
        ("i", "call-1"),
        ("f", "<sip:+12155551212@x>"),
        ("p-asserted-identity", "<tel:+12155551212;VERSTAT=TN-Validation-Passed>"),
        ("ATTESTATION-INFO", "C"),
    ]
    call = invite(pairs)
    assert (call.id, call.number, call.attestation) == ("call-1", NUMBER, "C")


@pytest.mark.parametrize(
    ("provider", "changes", "attestation"),
    [
        ("telnyx", {"P-Attestation-Indicator": None}, "A"),
        ("telnyx", {ASSERTED: "<sip:+12155551212;verstat=TN-Validation-Passed-B@x>"}, "B"),
        ("bandwidth", {}, "A"),
        ("bandwidth", {"P-Attestation-Indicator": None}, None),
        ("twilio", {"X-Twilio-VerStat": "TN-Validation-Passed-A"}, "A"),
        ("twilio", {}, None),
        ("plivo", {"X-Plivo-Stir-Verification": "Verified"}, None),
        ("plivo", {}, None),
    ],
)
def test_providers_have_words_of_their_own(provider: str, changes: dict[str, Any], attestation: str | None) -> None:
    assert invite(provider=provider, **changes).attestation == attestation


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"From": INVITE["From"]},
        {"Call-ID": ["a", "b"], "From": INVITE["From"]},
        INVITE | {"P-Attestation-Indicator": ["A", "A"]},
    ],
)
def test_headers_that_name_no_one_call(headers: dict[str, Any]) -> None:
    with pytest.raises(SignalError):
        invite(headers)


def test_a_provider_that_there_is_not_is_misuse() -> None:
    for trusted_peer in (True, False):
        with pytest.raises(UsageError, match="provider must be"):
            invite(provider="nobody", trusted_peer=trusted_peer)


# ── Asterisk, FreeSWITCH, Amazon Connect ─────────────────────────────────────────────────────────────────────────────

CHANNEL = {
    "LINKEDID": "1924000000.17",
    "CALLERID(num)": "12155551212",
    "STIR_SHAKEN(count)": "1",
    "STIR_SHAKEN(0, identity)": "+12155551212",
    "STIR_SHAKEN(0, attestation)": "A",
    "STIR_SHAKEN(0, verify_result)": "Verification passed",
}


@pytest.mark.parametrize(
    ("changes", "attestation"),
    [
        ({"CALLERID(num)": "+12155551212"}, "A"),
        ({"CALLERID(num)": "2155551212"}, "A"),
        ({"STIR_SHAKEN(0, attestation)": "B"}, "B"),
        ({"STIR_SHAKEN(0, verify_result)": "success"}, "A"),
        ({"STIR_SHAKEN(0, verify_result)": "Signature failed"}, "failed"),
        ({"STIR_SHAKEN(0, verify_result)": "signature_ok"}, None),
        ({"STIR_SHAKEN(count)": "2"}, "failed"),
        ({"STIR_SHAKEN(0, identity)": "+12155559999"}, "failed"),
        ({"STIR_SHAKEN(0, identity)": "anonymous"}, "failed"),
        ({"STIR_SHAKEN(0, identity)": 7}, "failed"),
        ({"STIR_SHAKEN(count)": "0", "STIR_SHAKEN(0, verify_result)": ""}, None),
    ],
)
def test_a_channel_of_asterisk(changes: dict[str, Any], attestation: str | None) -> None:
    call = calls.asterisk(CHANNEL | changes, region="US", **WHO)
    assert (call.id, call.attestation) == ("1924000000.17", attestation)


@pytest.mark.parametrize(
    ("changes", "attestation"),
    [
        ({"sip_verstat_detailed": "TN-Validation-Passed-A"}, "A"),
        ({"variable_sip_verstat_detailed": "TN-Validation-Passed-C"}, "C"),
        ({"sip_verstat_detailed": "TN-Validation-Failed"}, "failed"),
        ({"sip_verstat_detailed": "TN-Validation-Passed"}, None),
        ({"sip_verstat": "TN-Validation-Passed", "sip_h_P-Attestation-Indicator": "A"}, None),
        ({"sip_h_sip_verstat_detailed": "TN-Validation-Passed-A"}, None),
    ],
)
def test_a_channel_of_freeswitch(changes: dict[str, str], attestation: str | None) -> None:
    call = calls.freeswitch({"uuid": "c375", "caller_id_number": NUMBER} | changes, **WHO)
    assert (call.id, call.number, call.attestation) == ("c375", NUMBER, attestation)


CONTACT = {
    "Attributes": {"verstat": "TN-Validation-Passed-A"},
    "Channel": "VOICE",
    "ContactId": "4a573372-1f28-4e26-b97b-000000000002",
    "CustomerEndpoint": {"Address": NUMBER, "Type": "TELEPHONE_NUMBER"},
    "InitialContactId": "4a573372-1f28-4e26-b97b-000000000001",
    "InitiationMethod": "INBOUND",
    "SystemEndpoint": {"Address": "+12125551213", "Type": "TELEPHONE_NUMBER"},
}


@pytest.mark.parametrize("event", [CONTACT, {"Details": {"ContactData": CONTACT}, "Name": "ContactFlowEvent"}])
def test_a_contact_of_amazon_connect_is_never_attested(event: dict[str, Any]) -> None:
    call = calls.amazon_connect(event, **WHO)
    assert (call.id, call.number, call.attestation) == (CONTACT["InitialContactId"], NUMBER, None)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"InitiationMethod": "TRANSFER"}, NUMBER),
        ({"InitiationMethod": "OUTBOUND"}, None),
        ({"InitiationMethod": "CALLBACK"}, None),
        ({"CustomerEndpoint": {"Address": NUMBER, "Type": "VOIP"}}, None),
        ({"CustomerEndpoint": None}, None),
        ({"CustomerEndpoint": []}, None),
    ],
)
def test_a_contact_whose_number_nobody_presented(changes: dict[str, Any], number: str | None) -> None:
    assert calls.amazon_connect(CONTACT | changes, **WHO).number == number


@pytest.mark.parametrize(
    "changes", [{"Channel": "CHAT"}, {"Channel": None}, {"ContactId": 1, "InitialContactId": None}]
)
def test_a_contact_that_is_no_call(changes: dict[str, Any]) -> None:
    with pytest.raises(SignalError):
        calls.amazon_connect(CONTACT | changes, **WHO)


class Hostile(Mapping[str, str]):
    """A mapping that answers as nobody expects."""

    def __getitem__(self, key: str) -> str:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "payload",
    [None, 7, "text", b"bytes", [], {}, [1], [(1,)], ["ab"], Hostile(), {"Details": Hostile()}, {1: 2}, {"uuid": [{}]},
     {f"k{n}": "v" for n in range(600)}, [("a", ["b"] * 600)]],
)  # fmt: skip
def test_a_payload_of_anything_is_a_signal_error(payload: Any) -> None:
    readers: list[Callable[[Any], Call]] = [
        lambda sent: calls.sip_headers(sent, trusted_peer=True, **WHO),
        lambda sent: calls.asterisk(sent, **WHO),
        lambda sent: calls.freeswitch(sent, **WHO),
        lambda sent: calls.amazon_connect(sent, **WHO),
        lambda sent: calls.twilio_voice(sent, url=URL, signature="x", auth_token=TOKEN, **WHO),
    ]
    for read in readers:
        with pytest.raises(SignalError):
            read(payload)


def test_who_handles_the_call_is_the_hosts_word() -> None:
    sent = INVITE | {"agent": "mallory", "roles": "auditor"}
    assert (invite(sent).agent, invite(sent).roles) == ("agent-7", {"desk"})
    with pytest.raises(KycVerifyError):
        calls.sip_headers(INVITE, trusted_peer=True, agent="")


@pytest.mark.parametrize("one", [" ", '"\\', "<", '"', "a", " ,", "<>,", ";", "\\"])
def test_a_long_header_costs_no_more_than_its_length(one: str) -> None:
    """What anybody can send before anything is verified; what grew with the cube took minutes."""
    began = time.perf_counter()
    for many in (500, 5_000, 50_000):
        call = calls.sip_headers({"From": one * many + "x", "Call-ID": "x1"}, trusted_peer=False, agent="a")
        assert call.number is None
    assert time.perf_counter() - began < 2
