"""Carriers and platforms on this machine: servers that are made from what the providers publish.

`APIS` says, in our own words and in JSON Schema's, what each operation takes, what it answers, and with which errors.
A `Provider` serves it: what it is sent is validated, what it sends back is generated, unless a test says otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from kyc_verify import signals
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.checks import Signal, SimSwap
from kyc_verify.errors import SignalError
from kyc_verify.ports import Message, SignalQuery
from kyc_verify.terms import Outcome

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

NUMBER = "+33612345678"
TOKEN = "eyJ-canary-token-7731"
SID = "SK" + "5" * 32
SERVICE = "VA" + "a1" * 16
VERIFICATION = "VE" + "b2" * 16


def finished(found: Any) -> Any:
    """Return what a verb of a port returned, awaited where it must be, in an event loop of its own."""

    async def wait() -> Any:
        return await found

    return asyncio.run(wait()) if inspect.isawaitable(found) else found


def of(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return the schema of an object."""
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


def word(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


TEXT: dict[str, Any] = {"type": "string"}
FLAG: dict[str, Any] = {"type": "boolean"}
PHONE = {"type": "string", "pattern": r"\+[1-9][0-9]{4,14}"}
DAY = {"type": "string", "pattern": r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "example": "2019-05-01"}
MOMENT = {"type": "string", "nullable": True, "example": "2023-07-03T14:27:08.312+02:00"}
HOURS = {"type": "integer", "minimum": 1, "maximum": 2400}
RESULT = word("true", "false", "not_available")
SCORE = {"type": "integer", "minimum": 0, "maximum": 99}

SCORED = [
    "name", "givenName", "familyName", "nameKanaHankaku", "nameKanaZenkaku", "middleNames", "familyNameAtBirth",
    "address", "streetName", "streetNumber", "region", "locality", "email", "cityOfBirth",
]  # fmt: skip
PLAIN = [
    "idDocument", "idDocumentType", "idDocumentExpiryDate", "postalCode", "country", "houseNumberExtension",
    "birthdate", "gender", "countryOfBirth", "nationality",
]  # fmt: skip
DOCUMENTS = [
    "passport", "national_id_card", "residence_permit", "diplomatic_id", "driver_licence", "social_security_id",
    "other",
]  # fmt: skip

ATTRIBUTES: dict[str, Any] = dict.fromkeys(SCORED + PLAIN, TEXT) | {
    "idDocumentType": word(*DOCUMENTS), "idDocumentExpiryDate": DAY, "birthdate": DAY,
    "gender": word("MALE", "FEMALE", "OTHER"),
}  # fmt: skip
MATCHES = {f"{name}Match": RESULT for name in SCORED + PLAIN} | {f"{name}MatchScore": SCORE for name in SCORED}
KINDS = word("inactive", "unconditional", "conditional_busy", "conditional_not_reachable", "conditional_no_answer")

TOKENS = {401: ["UNAUTHENTICATED"], 403: ["PERMISSION_DENIED"]}
LIMITS = {429: ["QUOTA_EXCEEDED", "TOO_MANY_REQUESTS"]}
IDENTIFIERS = ["SERVICE_NOT_APPLICABLE", "MISSING_IDENTIFIER", "UNNECESSARY_IDENTIFIER"]
SWAP = TOKENS | LIMITS | {
    400: ["INVALID_ARGUMENT", "OUT_OF_RANGE"], 404: ["NOT_FOUND", "IDENTIFIER_NOT_FOUND"], 422: IDENTIFIERS,
}  # fmt: skip
FORWARDING = TOKENS | LIMITS | {
    400: ["INVALID_ARGUMENT"], 404: ["NOT_FOUND", "IDENTIFIER_NOT_FOUND"], 422: IDENTIFIERS,
}  # fmt: skip
OTP = "ONE_TIME_PASSWORD_SMS."


@dataclass(frozen=True, kw_only=True)
class Api:
    """One published operation."""

    method: str
    path: str
    body: dict[str, Any]
    reply: dict[str, Any]
    status: int = 200
    errors: Mapping[int, list[str]]
    form: bool = False


APIS: dict[str, Api] = {
    "sim-swap/check": Api(
        method="POST", path="/sim-swap/v2/check", body=of("phoneNumber", phoneNumber=PHONE, maxAge=HOURS),
        reply=of("swapped", swapped=FLAG), errors=SWAP,
    ),
    "sim-swap/date": Api(
        method="POST", path="/sim-swap/v2/retrieve-date", body=of("phoneNumber", phoneNumber=PHONE),
        reply=of("latestSimChange", latestSimChange=MOMENT, monitoredPeriod={"type": "integer", "minimum": 0}),
        errors=SWAP,
    ),
    "device-swap/check": Api(
        method="POST", path="/device-swap/v1/check", body=of("phoneNumber", phoneNumber=PHONE, maxAge=HOURS),
        reply=of("swapped", swapped=FLAG), errors=SWAP,
    ),
    "device-swap/date": Api(
        method="POST", path="/device-swap/v1/retrieve-date", body=of("phoneNumber", phoneNumber=PHONE),
        reply=of("latestDeviceChange", latestDeviceChange=MOMENT, monitoredPeriod={"type": "integer", "minimum": 0}),
        errors=SWAP,
    ),
    "forwarding": Api(
        method="POST", path="/call-forwarding-signal/v0.4/unconditional-call-forwardings",
        body=of("phoneNumber", phoneNumber=PHONE), reply=of("active", active=FLAG), errors=FORWARDING,
    ),
    "forwardings": Api(
        method="POST", path="/call-forwarding-signal/v0.4/call-forwardings", body=of("phoneNumber", phoneNumber=PHONE),
        reply={"type": "array", "minItems": 1, "items": KINDS}, errors=FORWARDING | {501: ["NOT_IMPLEMENTED"]},
    ),
    "recycling": Api(
        method="POST", path="/number-recycling/v0.2/check",
        body=of("phoneNumber specifiedDate", phoneNumber=PHONE, specifiedDate=DAY),
        reply=of("phoneNumberRecycled", phoneNumberRecycled=FLAG),
        errors=TOKENS | {
            400: ["INVALID_ARGUMENT", "OUT_OF_RANGE"], 404: ["IDENTIFIER_NOT_FOUND"], 422: IDENTIFIERS,
        },
    ),
    "tenure": Api(
        method="POST", path="/kyc-tenure/v0.3rc1/check-tenure",
        body=of("phoneNumber tenureDate", phoneNumber=PHONE, tenureDate=DAY),
        reply=of("tenureDateCheck", tenureDateCheck=FLAG, contractType=word("PAYG", "PAYM", "Business")),
        errors=TOKENS | {
            400: ["INVALID_ARGUMENT", "OUT_OF_RANGE"], 403: ["PERMISSION_DENIED", "INVALID_TOKEN_CONTEXT"],
            404: ["NOT_FOUND", "IDENTIFIER_NOT_FOUND"], 422: [*IDENTIFIERS, "UNSUPPORTED_IDENTIFIER"],
        },
    ),
    "match": Api(
        method="POST", path="/kyc-match/v0.4/match", body=of("phoneNumber", phoneNumber=PHONE, **ATTRIBUTES),
        reply=of(**MATCHES),
        errors=TOKENS | {
            400: ["INVALID_ARGUMENT", "KNOW_YOUR_CUSTOMER.INVALID_PARAM_COMBINATION"],
            403: [
                "PERMISSION_DENIED", "INVALID_TOKEN_CONTEXT", "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_REQUIRED",
                "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_MISMATCH",
            ],
            404: ["NOT_FOUND", "IDENTIFIER_NOT_FOUND"], 422: IDENTIFIERS,
        },
    ),
    "verification": Api(
        method="POST", path="/number-verification/v2/verify",
        body=of(phoneNumber=PHONE, hashedPhoneNumber={"type": "string", "pattern": "[a-fA-F0-9]{64}"}),
        reply=of("devicePhoneNumberVerified", devicePhoneNumberVerified=FLAG),
        errors=TOKENS | {
            400: ["INVALID_ARGUMENT"],
            403: ["PERMISSION_DENIED", "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"],
        },
    ),
    "device-number": Api(
        method="GET", path="/number-verification/v2/device-phone-number", body=of(),
        reply=of("devicePhoneNumber", devicePhoneNumber=PHONE | {"example": NUMBER}),
        errors=TOKENS | {
            400: ["INVALID_ARGUMENT"],
            403: ["PERMISSION_DENIED", "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"],
        },
    ),
    "send-code": Api(
        method="POST", path="/one-time-password-sms/v1/send-code",
        body=of(
            "phoneNumber message", phoneNumber=PHONE,
            message={"type": "string", "pattern": r".*\{\{code\}\}.*", "maxLength": 160},
        ),
        reply=of("authenticationId", authenticationId={"type": "string", "maxLength": 36, "example": "ea0840f3-3663"}),
        errors=TOKENS | LIMITS | {
            400: ["INVALID_ARGUMENT"], 404: ["NOT_FOUND"],
            403: [
                "PERMISSION_DENIED", f"{OTP}MAX_OTP_CODES_EXCEEDED", f"{OTP}PHONE_NUMBER_NOT_ALLOWED",
                f"{OTP}PHONE_NUMBER_BLOCKED",
            ],
        },
    ),
    "validate-code": Api(
        method="POST", path="/one-time-password-sms/v1/validate-code", status=204, reply={},
        body=of(
            "authenticationId code", authenticationId={"type": "string", "maxLength": 36},
            code={"type": "string", "maxLength": 10},
        ),
        errors=TOKENS | LIMITS | {
            404: ["NOT_FOUND"],
            400: [
                "INVALID_ARGUMENT", "OUT_OF_RANGE", f"{OTP}VERIFICATION_FAILED", f"{OTP}VERIFICATION_EXPIRED",
                f"{OTP}INVALID_OTP",
            ],
        },
    ),
    "lookup": Api(
        method="GET", path="/v2/PhoneNumbers/*",
        body=of("Fields", Fields=word("sim_swap", "call_forwarding", "line_type_intelligence", "identity_match")) | {
            "additionalProperties": True,
        },
        reply=of(
            "phone_number valid", phone_number=PHONE | {"example": NUMBER}, valid={"type": "boolean", "example": True},
            sim_swap=of("last_sim_swap", last_sim_swap=of(
                "last_sim_swap_date swapped_period swapped_in_period", last_sim_swap_date=MOMENT,
                swapped_period={"type": "string", "example": "PT168H"}, swapped_in_period=FLAG,
            )),
            call_forwarding=of("call_forwarding_enabled", call_forwarding_enabled=FLAG),
            line_type_intelligence=of("type", type=word("mobile", "landline", "nonFixedVoip")),
            identity_match=of("summary_score", last_name_match=word("exact_match"), summary_score=SCORE),
        ),
        errors={400: ["20001"], 401: ["20003"], 403: ["60607"], 404: ["20404"], 429: ["20429"], 500: ["20500"]},
    ),
    "verify": Api(
        method="POST", path=f"/v2/Services/{SERVICE}/Verifications", form=True, status=201,
        body=of("To Channel", To=TEXT, Channel=word("sms", "call", "email"), Locale=TEXT),
        reply=of(
            "sid service_sid to status valid send_code_attempts", sid={"type": "string", "example": VERIFICATION},
            service_sid={"type": "string", "example": SERVICE}, to=PHONE | {"example": NUMBER},
            status=word("pending"), valid=FLAG, send_code_attempts={"type": "array", "minItems": 1, "items": of()},
        ),
        errors={400: ["60200"], 401: ["20003"], 403: ["60205"], 404: ["20404"], 429: ["60203"], 503: ["20503"]},
    ),
    "cancel": Api(
        method="POST", path="/v2/Services/" + SERVICE + "/Verifications/*", form=True,
        body=of("Status", Status=word("canceled")), reply=of("status", status=word("canceled")),
        errors={401: ["20003"], 404: ["20404"], 429: ["20429"]},
    ),
    "verify-check": Api(
        method="POST", path=f"/v2/Services/{SERVICE}/VerificationCheck", form=True,
        body=of("VerificationSid Code", VerificationSid=TEXT, Code={"type": "string", "maxLength": 10}),
        reply=of(
            "sid service_sid status valid", sid={"type": "string", "example": VERIFICATION},
            service_sid={"type": "string", "example": SERVICE}, status=word("pending"), valid=FLAG,
        ),
        errors={400: ["60200"], 401: ["20003"], 404: ["20404"], 429: ["60202"], 503: ["20503"]},
    ),
}  # fmt: skip


def generated(schema: Mapping[str, Any]) -> Any:
    """Return a value that fits a schema, and says nothing bad: no change, not forwarded."""
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        return schema["enum"][0]
    made: dict[str, Callable[[], Any]] = {
        "object": lambda: {name: generated(schema["properties"][name]) for name in schema["required"]},
        "array": lambda: [generated(schema["items"])] * schema["minItems"],
        "boolean": lambda: False,
        "integer": lambda: schema.get("minimum", 0),
        "string": lambda: "text",
    }
    return made[schema["type"]]() if schema else None


def complaint(value: Any, schema: Mapping[str, Any], at: str = "") -> str:
    """Return what is wrong with a value; nothing when it fits the schema."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if type(value) is not kinds[schema["type"]]:
        return f"{at}: not {schema['type']}"
    if isinstance(value, dict):
        known = schema["properties"]
        missing = [name for name in schema["required"] if name not in value]
        extra = [] if schema["additionalProperties"] else [name for name in value if name not in known]
        inner = [complaint(each, known[name], f"{at}.{name}") for name, each in value.items() if name in known]
        return "; ".join(
            [*(f"{at}: no {name}" for name in missing), *(f"{at}: {x}?" for x in extra), *filter(None, inner)]
        )
    if isinstance(value, str):
        wrong = len(value) > schema.get("maxLength", 10_000) or value not in schema.get("enum", [value])
        if wrong or not re.fullmatch(schema.get("pattern", "(?s:.*)"), value):
            return f"{at}: does not fit"
    if type(value) is int and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{at}: out of bounds"
    return ""


@dataclass
class Seen:
    """A request that came."""

    api: str
    path: str
    headers: Mapping[str, str]
    body: Any


Answer = Callable[["Handler", "Seen"], None]


@dataclass
class Provider:
    """A server: what it was asked, what was wrong with it, and what it is to answer."""

    authorisation: str = f"Bearer {TOKEN}"
    seen: list[Seen] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, api: str, *answers: Answer) -> None:
        """Say what an operation answers, in order; the last one for good."""
        self.answers[api] = list(answers)

    def handle(self, handler: Handler) -> None:
        parts = urlsplit(handler.path)
        found = [name for name, api in APIS.items() if self._is(api, handler.command, parts.path)]
        if not found:
            self.complaints.append(f"no such operation: {handler.command} {parts.path}")
            return handler.error(404, "NOT_FOUND")
        api = APIS[found[0]]
        raw = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        if api.method == "GET" or api.form:
            body = dict(parse_qsl(parts.query if api.method == "GET" else raw.decode(), keep_blank_values=True))
        else:
            body = json.loads(raw)
        wrong = complaint(body, api.body)
        self.seen.append(
            Seen(
                found[0], unquote(handler.path), {name.lower(): value for name, value in handler.headers.items()}, body
            )
        )
        if wrong:
            self.complaints.append(f"{found[0]}{wrong}")
            return handler.error(400, "INVALID_ARGUMENT")
        if handler.headers.get("authorization") != self.authorisation:
            return handler.error(401, "UNAUTHENTICATED")
        waiting = self.answers.get(found[0])
        if not waiting:
            return handler.send(api.status, generated(api.reply))
        return (waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler, self.seen[-1])

    @staticmethod
    def _is(api: Api, method: str, path: str) -> bool:
        pattern = re.escape(api.path).replace(r"\*", "[^/]+")
        return api.method == method and re.fullmatch(pattern, path) is not None


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for a `Provider`, well or badly."""

    provider: Provider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # whoever asked may have gone
            self.provider.handle(self)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing is logged."""

    def send(self, status: int, found: Any, *, kind: str = "application/json", **headers: str) -> None:
        body = b"" if found is None else found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status: int, code: str, **headers: str) -> None:
        """Answer with a published error: CAMARA's, or Twilio's whose codes are numbers."""
        shown: Any = int(code) if code.isdecimal() else code
        self.send(status, {"status": status, "code": shown, "message": f"About {NUMBER}"}, **headers)

    def raw(self, data: bytes, *, pause: float = 0.0, slowly: float = 0.0) -> None:
        """Write bytes as they are: at once, after a while, or drop by drop."""
        time.sleep(pause)
        for piece in [data] if not slowly else [data[at : at + 1] for at in range(len(data))]:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(slowly)


@contextmanager
def running(provider: Provider, *, tls: Any = None) -> Iterator[Provider]:
    """Serve a provider on a port of this machine."""
    handler = type("Bound", (Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is the test's point
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    provider.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# ── What a provider may say ──────────────────────────────────────────────────────────────────────────────────────────


def says(found: Any, status: int = 200, **more: str) -> Answer:
    return lambda handler, _: handler.send(status, found, **more)


def fails(status: int, code: str, **headers: str) -> Answer:
    return lambda handler, _: handler.error(status, code, **headers)


def writes(data: bytes, **how: float) -> Answer:
    return lambda handler, _: handler.raw(data, **how)


# ── Whoever asks them ────────────────────────────────────────────────────────────────────────────────────────────────

FRONTS = ("sync", "async")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SINCE = datetime(2019, 5, 1, 9, 0, tzinfo=UTC)
ON_RECORD = Contact(number=NUMBER, since=SINCE)
CALL = Call(id="call-1", agent="agent-1", number=NUMBER, attestation="A")
QUERY = SignalQuery(subject="cust-1", call=CALL, contact=ON_RECORD, number=NUMBER)
STRANGER = replace(QUERY, contact=None)
"""A query of somebody who is not there: the number is the presented one."""
MESSAGE = Message(
    channel="sms", destination=NUMBER, text="Pour : une carte. Code : {{code}}", language="fr", key="session-1.1"
)
BASIC = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()


def camara(front: str, provider: Provider, **more: Any) -> Any:
    """Return a client of a provider."""
    given = {"token": lambda: TOKEN, "insecure_loopback_for_tests": True} | more
    return (signals.Camara if front == "sync" else signals.AsyncCamara)(provider.url, **given)


def twilio(front: str, provider: Provider, **more: Any) -> Any:
    """Return a client of a provider, which wants Twilio's credentials from now on."""
    provider.authorisation = BASIC
    given = {"secret": lambda: TOKEN, "insecure_loopback_for_tests": True} | more
    roots = {"lookup_root": provider.url, "verify_root": provider.url}
    return (signals.Twilio if front == "sync" else signals.AsyncTwilio)(SID, **roots, **given)


def asked(source: Any, query: SignalQuery = QUERY) -> Any:
    """Return what a source says, awaited where it must be; or the library's error."""
    try:
        return finished(source.get(query))
    except SignalError as error:
        return error


def outcome(found: Any, query: SignalQuery = QUERY) -> Outcome:
    """Return what comes of it in a verification: what raises fails, the rest is the check's to judge."""
    if isinstance(found, Exception):
        return Outcome.FAIL
    signal = Signal(value=found, now=NOW, call=query.call, customer=Customer(), contact=query.contact)
    return SimSwap().judge(signal)
