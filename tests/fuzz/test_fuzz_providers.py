"""Whatever a provider sends: nothing is raised outside the tree, and nothing but the published yes ever helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kyc_verify.signals._http import fronts
from kyc_verify.signals._http.exchange import Failure, Reply
from kyc_verify.terms import Outcome
from tests.providers import (
    FRONTS,
    MESSAGE,
    NOW,
    NUMBER,
    QUERY,
    SERVICE,
    STRANGER,
    TOKEN,
    VERIFICATION,
    Provider,
    asked,
    camara,
    outcome,
    running,
    twilio,
    writes,
)

pytestmark = [pytest.mark.slow, pytest.mark.wide]

CARRIER = camara("sync", Provider(port=1))
PLATFORM = twilio("sync", Provider(port=1))
SOURCES = [
    CARRIER.sim_swap(), CARRIER.sim_swap_date(), CARRIER.device_swap(), CARRIER.device_swap_date(),
    CARRIER.call_forwarding(), CARRIER.call_forwardings(), CARRIER.number_recycling(), CARRIER.kyc_tenure(),
    CARRIER.kyc_match(lambda _: {"familyName": "x", "birthdate": "1980-02-29"}),
    CARRIER.number_verification(lambda _: TOKEN), CARRIER.device_phone_number(lambda _: TOKEN),
    PLATFORM.sim_swap(), PLATFORM.call_forwarding(), PLATFORM.line_type(),
    PLATFORM.identity_match(lambda _: {"LastName": "x"}),
]  # fmt: skip
CODES = CARRIER.one_time_code()._operation
VERIFY = PLATFORM.verify(SERVICE)._operation
HANDLE = f"twilio:{SERVICE}:{VERIFICATION}"

NAMES = [
    "swapped", "latestSimChange", "latestDeviceChange", "monitoredPeriod", "active", "phoneNumberRecycled",
    "tenureDateCheck", "contractType", "familyNameMatch", "familyNameMatchScore", "birthdateMatch",
    "devicePhoneNumberVerified", "devicePhoneNumber", "authenticationId", "status", "code", "message", "phone_number",
    "valid", "sim_swap", "last_sim_swap", "last_sim_swap_date", "swapped_period", "swapped_in_period",
    "call_forwarding", "call_forwarding_enabled", "line_type_intelligence", "type", "identity_match",
    "last_name_match", "summary_score", "error_code", "sid", "service_sid", "to", "send_code_attempts",
]  # fmt: skip
WORDS = st.sampled_from([
    "true", "false", "not_available", "approved", "pending", "inactive", "unconditional", "PT168H", "P7D", "PT1H",
    "2020-04-27T10:18:50Z", "2020-04-27T10:18:50", "2126-04-27T10:18:50+01:00", NUMBER, "+33612345679", "mobile",
    "exact_match", "no_data_available", SERVICE, VERIFICATION, "OUT_OF_RANGE", "NOT_FOUND", "",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)
STATUSES = st.sampled_from([200, 201, 202, 204, 400, 401, 403, 404, 409, 422, 429, 500, 501, 503]) | st.integers(
    100, 599
)
KINDS = st.sampled_from(["application/json", "application/json; charset=utf-8", "text/html", "", "application/json+x"])
BODIES = st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode())
REPLIES = st.builds(lambda status, kind, body: Reply(status=status, kind=kind, body=body), STATUSES, KINDS, BODIES)


def document(reply: Reply) -> Any:
    """Read a reply by other means: only what is JSON and says so."""
    if not reply.kind.startswith("application/json") or reply.kind.endswith("+x"):
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def good(name: str, reply: Reply) -> bool:
    """Whether a reply says that there was no change, in the published words."""
    found = document(reply)
    if reply.status != 200 or not isinstance(found, dict):
        return False
    if name == "check":
        return found.get("swapped") is False
    return isinstance(found.get("latestSimChange"), str)


def read(operation: Any, reply: Reply, query: Any = QUERY) -> Any:
    request = operation.request(query)
    return fronts._read(partial(operation.read, reply, query, request.about))


@settings(max_examples=200)
@given(reply=REPLIES, source=st.sampled_from(SOURCES))
@example(Reply(status=200, kind="application/json", body=b'{"swapped": false, "swapped": true}'), SOURCES[0])
@example(Reply(status=200, kind="application/json", body=b"[" * 50_000), SOURCES[0])
@example(Reply(status=200, kind="application/json", body=b'"\\ud800"'), SOURCES[11])
@example(Reply(status=204, kind="application/json", body=b""), SOURCES[0])
def test_whatever_comes_is_read_or_refused(reply: Reply, source: Any) -> None:
    for query in (QUERY, STRANGER):
        found = read(source._operation, reply, query)
        if isinstance(found, Failure):
            continue
        assert set(found) == {"covered"} if found["covered"] is False else len(found) > 1
        assert query is QUERY or found["covered"] is True
        for name, value in found.items():
            if name in {"swapped", "forwarded", "recycled", "tenured", "verified"}:
                assert type(value) is bool
                assert reply.status == 200


@settings(max_examples=200)
@given(reply=REPLIES)
@example(Reply(status=200, kind="application/json", body=b'{"swapped": 0}'))
@example(Reply(status=200, kind="application/json", body=b'{"swapped": "false"}'))
@example(Reply(status=201, kind="application/json", body=b'{"swapped": false}'))
@example(Reply(status=200, kind="text/plain", body=b'{"swapped": false}'))
def test_only_the_published_no_swap_passes(reply: Reply) -> None:
    for name, source in (("check", CARRIER.sim_swap()), ("date", CARRIER.sim_swap_date())):
        found = read(source._operation, reply)
        judged = Outcome.FAIL if isinstance(found, Failure) else outcome(found)
        if judged is Outcome.PASS:
            assert good(name, reply)
            assert name == "check" or datetime.fromisoformat(document(reply)["latestSimChange"]) <= NOW - timedelta(7)


@settings(max_examples=200)
@given(reply=REPLIES)
@example(Reply(status=200, kind="application/json", body=b"{}"))
@example(Reply(status=204, kind="application/json", body=b"{}"))
def test_only_the_published_approval_passes_a_code(reply: Reply) -> None:
    if fronts._read(partial(CODES.outcome, reply, "camara:x:y")) is Outcome.PASS:
        assert reply.status == 204
        assert reply.body == b""
    if fronts._read(partial(VERIFY.outcome, reply, HANDLE)) is Outcome.PASS:
        found = document(reply)
        assert reply.status in {200, 201}
        assert (found["status"], found["valid"], found["sid"]) == ("approved", True, VERIFICATION)
    for operation in (CODES, VERIFY):
        handle = fronts._read(partial(operation.handle, reply, MESSAGE))
        assert isinstance(handle, Failure | str) or handle.path.startswith("/v2/Services/")


APPROVED = {"sid": VERIFICATION, "service_sid": SERVICE, "status": "approved", "valid": True}


@given(changes=st.dictionaries(st.sampled_from(sorted(APPROVED)), VALUES, min_size=1, max_size=3))
def test_a_changed_approval_is_none(changes: dict[str, Any]) -> None:
    body = json.dumps(APPROVED | changes).encode()
    found = fronts._read(partial(VERIFY.outcome, Reply(status=200, kind="application/json", body=body), HANDLE))
    changed = any(
        type(changes[name]) is not type(APPROVED[name]) or changes[name] != APPROVED[name] for name in changes
    )
    assert (found is Outcome.PASS) is not changed


@pytest.fixture(scope="module")
def carrier() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider


WIRE = st.binary(max_size=300) | st.builds(
    lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body,
    st.lists(
        st.sampled_from([
            b"content-type: application/json\r\n", b"content-length: 18\r\n", b"content-length: -1\r\n",
            b"transfer-encoding: chunked\r\n", b"content-encoding: gzip\r\n", b"x: \xff\r\n", b" folded\r\n", b":\r\n",
        ]), max_size=4,
    ).map(b"".join),
    st.sampled_from([b'{"swapped": false}', b'12\r\n{"swapped": false}\r\n0\r\n\r\n', b""]) | st.binary(max_size=40),
)  # fmt: skip


@pytest.mark.parametrize("front", FRONTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=WIRE)
@example(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n{"swapped": false}')
@example(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{"swapped": false}')
def test_whatever_is_on_the_wire(front: str, carrier: Provider, data: bytes) -> None:
    """`asked` lets nothing but a SignalError through; a whole published reply is all that passes."""
    carrier.answer("sim-swap/check", writes(data))
    found = asked(camara(front, carrier, within=2.0).sim_swap())
    if outcome(found) is Outcome.PASS:
        assert b'{"swapped": false}' in data
        assert b"application/json" in data
        assert b"gzip" not in data
