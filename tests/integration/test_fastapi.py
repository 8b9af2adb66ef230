"""The router over real HTTP semantics: a whole verification, and no secret in any reply, error or schema."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import httpx
from fastapi import FastAPI, Header, HTTPException

from kyc_verify import Call, ConfigurationError, Keyring, profiles
from kyc_verify.audit import Event
from kyc_verify.integrations.fastapi import router
from kyc_verify.testing import AsyncBench, Bench, cheap_hasher

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ADA = {"Authorization": "ada"}
LEGS = {"ada": ("call-1", "ada"), "ben": ("call-1", "ben"), "ada in another call": ("call-2", "ada")}
SAID = {"pin": "4937", "account_tenure": "since March 2092", "app_confirmation": "yes"}
PHONE = {"subject": "cust-42", "action": "change_phone"}


@pytest.fixture
def bench() -> AsyncBench:
    return AsyncBench(profiles.bank())


class Client:
    """Requests to an application, without a socket; one event loop for all of them."""

    def __init__(self, app: FastAPI, loop: asyncio.Runner) -> None:
        self._loop = loop
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://crm")

    def post(self, path: str, **more: Any) -> Any:
        return self._loop.run(self._http.post(path, **more))

    def get(self, path: str, **more: Any) -> Any:
        return self._loop.run(self._http.get(path, **more))

    def together(self, path: str, *, times: int, **more: Any) -> list[Any]:
        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(self._http.post(path, **more) for _ in range(times)))

        return self._loop.run(all_at_once())

    def ask(self, method: str, path: str, **more: Any) -> Any:
        return self._loop.run(self._http.request(method, path, **more))


@contextmanager
def serving(bench: AsyncBench, call: Callable[..., Call]) -> Iterator[Client]:
    app = FastAPI()
    app.include_router(router(bench.verifier, call=call))
    with asyncio.Runner() as loop:
        yield Client(app, loop)


@pytest.fixture
def client(bench: AsyncBench) -> Iterator[Client]:
    def call_of(authorization: str = Header("")) -> Call:
        if authorization not in LEGS:
            raise HTTPException(401, "log in first", headers={"WWW-Authenticate": "Bearer"})
        leg, agent = LEGS[authorization]
        return Call(id=leg, agent=agent, number=bench.call.number, attestation="A")

    with serving(bench, call_of) as made:
        yield made


def post(client: Client, path: str, body: Any, agent: str = "ada") -> Any:
    return client.post(f"/verifications{path}", json=body, headers={"Authorization": agent})


def opened(client: Client, action: str = "change_phone") -> Any:
    done = post(client, "", {"subject": "cust-42", "action": action})
    assert done.status_code == 200
    return done.json()


def verified(client: Client) -> Any:
    step = opened(client)
    while step["challenge"]:
        body = {"challenge_id": step["challenge"]["id"], "answer": SAID[step["challenge"]["check"]]}
        done = post(client, "/answers", body)
        assert done.headers["cache-control"] == "no-store"
        step = done.json()
    assert step["verdict"] == "verified"
    return step


def refused(done: Any) -> tuple[int, str]:
    """Status and code of an error, which has its own shape and is not cached."""
    body = done.json()
    assert set(body) <= {"code", "message", "reason"}
    assert body["message"]
    assert done.headers.get_list("cache-control") == ["no-store"]
    return done.status_code, body["code"]


def test_a_whole_verification(client: Client) -> None:
    step = verified(client)
    assert set(step) == {"session_id", "verdict", "challenge", "reasons"}
    where = f"/{step['session_id']}"
    other = post(client, f"{where}/redeem", {"subject": "cust-42", "action": "change_phone"}, agent="ben")
    assert (other.status_code, other.json()["code"]) == (403, "not_allowed")
    wrong = post(client, f"{where}/redeem", {"subject": "cust-42", "action": "pay"})
    assert (wrong.status_code, wrong.json()["reason"]) == (403, "action")
    done = post(client, f"{where}/redeem", {"subject": "cust-42", "action": "change_phone"})
    assert (done.status_code, done.json()["verdict"]) == (200, "verified")
    again = post(client, f"{where}/redeem", {"subject": "cust-42", "action": "change_phone"})
    assert (again.status_code, again.json()["reason"]) == (403, "used_or_expired")


def test_other_verbs(client: Client, bench: AsyncBench) -> None:
    step = opened(client)
    asked = step["challenge"]["id"]
    assert refused(post(client, "/resends", {"challenge_id": asked})) == (409, "invalid_transition")
    step = post(client, "/declines", {"challenge_id": asked}).json()
    assert step["challenge"]["check"] == "account_tenure"
    taken = post(client, f"/{step['session_id']}/transfer", None, agent="ben").json()
    assert taken["challenge"]["check"] == "account_tenure"
    assert taken["challenge"]["id"] != step["challenge"]["id"]
    status = client.get(f"/verifications/{step['session_id']}", headers={"Authorization": "ben"})
    assert status.json() == taken
    ended = post(client, f"/{step['session_id']}/cancel", None, agent="ben").json()
    assert ended["verdict"] == "denied"
    hours = opened(client, "branch_hours")
    assert hours["verdict"] == "exempt"
    up = post(client, f"/{hours['session_id']}/step-up", {"action": "read_balance"}).json()
    assert up["verdict"] == "pending"
    assert bench.sender.messages == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/answers", {"challenge_id": "nonsense", "answer": "4937"}, 404, "unknown_session"),
        ("/answers", {"challenge_id": "x.1", "answer": 4937}, 422, "invalid_request"),
        ("/answers", {"challenge_id": "x.1", "answer": "4937" * 5000}, 422, "invalid_request"),
        ("/answers", {"challenge_id": "x.1", "answer": "4937", "roles": ["auditor"]}, 422, "invalid_request"),
        ("/answers", ["4937"], 422, "invalid_request"),
        ("", {"subject": "cust-42", "action": "fly"}, 400, "usage"),
        ("", {"subject": " cust-42", "action": "pay"}, 400, "usage"),
        ("", {"subject": "", "action": "pay"}, 422, "invalid_request"),
        ("", {"subject": "cust-42", "action": "pay", "agent": "ben"}, 422, "invalid_request"),
        ("", {"subject": "cust-42", "action": "pay", "stake": {"amount": "-1", "currency": "EUR"}}, 400, "usage"),
        ("", {"subject": "c", "action": "pay", "stake": {"amount": "NaN", "currency": "EUR"}}, 422, "invalid_request"),
        ("/no-such-session/cancel", None, 404, "unknown_session"),
    ],
)  # fmt: skip
def test_bad_requests_get_a_code_and_quote_nothing(
    client: Client, path: str, body: Any, status: int, code: str
) -> None:
    done = post(client, path, body)
    assert refused(done) == (status, code)
    assert "4937" not in done.text


def test_outages_are_503(client: Client, bench: AsyncBench) -> None:
    bench.customers.fail = RuntimeError("the CRM is down, and says 4937")
    done = post(client, "", {"subject": "cust-42", "action": "pay"})
    assert (done.status_code, done.headers["retry-after"]) == (503, "1")
    assert "4937" not in done.text


def test_the_schema_shows_no_secret(client: Client) -> None:
    schema = client.get("/openapi.json").json()
    answer = schema["components"]["schemas"]["AnswerIn"]["properties"]["answer"]
    assert answer["format"] == "password"
    assert answer["writeOnly"] is True
    amount = schema["components"]["schemas"]["StakeIn"]["properties"]["amount"]
    assert [each["type"] for each in amount["anyOf"]] == ["string", "number"]
    for path in schema["paths"].values():
        for route in path.values():
            shapes = {json.dumps(reply["content"]) for status, reply in route["responses"].items() if status != "200"}
            assert len(shapes) == 1
            assert "ErrorOut" in shapes.pop()
    text = json.dumps(schema)
    assert "grant" not in json.dumps(schema["components"]["schemas"]["StepOut"]).casefold()
    assert "token" not in text.casefold()


# ── Wired wrong ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_router_takes_no_sync_verifier() -> None:
    """Its answers would be charged and judged, and the client would be told of a failure."""
    bench = Bench(profiles.bank())
    with pytest.raises(ConfigurationError, match="router takes an AsyncVerifier"):
        router(bench.verifier, call=lambda: bench.call)  # type: ignore[arg-type]


def test_a_call_is_no_dependency(bench: AsyncBench) -> None:
    with pytest.raises(ConfigurationError, match="call must be a dependency that returns the Call"):
        router(bench.verifier, call=bench.call)  # type: ignore[arg-type]


def test_a_call_is_not_read_from_the_query(bench: AsyncBench) -> None:
    """As a dependency, the class would make of `?id=call-1&agent=ada` whoever the client wants to be."""
    with pytest.raises(ConfigurationError, match="call must not be Call itself"):
        router(bench.verifier, call=Call)


def test_all_that_is_wired_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"AsyncVerifier.*; call must be"):
        router(None, call=None)  # type: ignore[arg-type]


# ── Sent again ───────────────────────────────────────────────────────────────────────────────────────────────────────


def redeem(client: Client, step: Any, *, agent: str = "ada", **more: Any) -> Any:
    return post(client, f"/{step['session_id']}/redeem", PHONE | more, agent)


def test_a_redemption_whose_reply_was_lost_is_sent_again(client: Client) -> None:
    step = verified(client)
    first = redeem(client, step, request_id="r1")
    assert (first.status_code, first.json()["verdict"]) == (200, "verified")
    again = redeem(client, step, request_id="r1")
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize(
    ("more", "status", "code", "reason"),
    [
        ({}, 403, "not_verified", "used_or_expired"),
        ({"request_id": "r2"}, 403, "not_verified", "used"),
        ({"request_id": "r1", "action": "pay"}, 403, "not_verified", "used"),
        ({"request_id": "r1", "subject": "cust-43"}, 403, "not_verified", "used"),
        ({"request_id": "r1", "stake": {"amount": "1", "currency": "EUR"}}, 403, "not_verified", "used"),
        ({"request_id": "r1", "agent": "ben"}, 403, "not_allowed", None),
        ({"request_id": "r1", "agent": "ada in another call"}, 404, "unknown_session", None),
    ],
)  # fmt: skip
def test_a_used_grant_is_good_for_no_other_request(
    client: Client, more: dict[str, Any], status: int, code: str, reason: str | None
) -> None:
    step = verified(client)
    assert redeem(client, step, request_id="r1").status_code == 200
    done = redeem(client, step, **more)
    assert refused(done) == (status, code)
    assert done.json().get("reason") == reason


def test_a_grant_that_has_expired_unused_stays_refused(client: Client, bench: AsyncBench) -> None:
    step = verified(client)
    bench.clock.advance(seconds=bench.policy.lifetimes.grant.total_seconds())
    done = redeem(client, step, request_id="r1")
    assert refused(done) == (403, "not_verified")
    assert done.json()["reason"] == "expired"
    bench.clock.back(minutes=1)
    assert redeem(client, step, request_id="r1").json()["reason"] == "void"


def test_a_used_grant_may_be_told_of_after_its_end(client: Client, bench: AsyncBench) -> None:
    step = verified(client)
    assert redeem(client, step, request_id="r1").status_code == 200
    bench.clock.advance(seconds=bench.policy.lifetimes.grant.total_seconds())
    assert redeem(client, step, request_id="r1").status_code == 200
    assert refused(redeem(client, step, request_id="r2")) == (403, "not_verified")


def test_after_a_rotation_of_keys_the_token_is_the_same() -> None:
    """Of a customer without a number: a number has another fingerprint then, and no grant holds for it."""
    bench = AsyncBench(profiles.bank(), contacts=())
    with serving(bench, lambda: bench.call) as client:
        step = verified(client)
        assert redeem(client, step, request_id="r1").status_code == 200
    rotated = bench.over(bench.store)
    rotated.hasher = cheap_hasher(Keyring([("new", bytes(range(1, 33))), ("test", bytes(range(32)))]))
    rotated._wire()
    with serving(rotated, lambda: bench.call) as client:
        assert redeem(client, step, request_id="r1").status_code == 200
        assert redeem(client, step, request_id="r2").json()["reason"] == "used"


def test_a_request_id_makes_no_grant(client: Client) -> None:
    step = opened(client)
    done = redeem(client, step, request_id="r1")
    assert (done.status_code, done.json()["reason"]) == (403, "pending")
    step = verified(client)
    post(client, f"/{step['session_id']}/cancel", None)
    done = redeem(client, step, request_id="r1")
    assert (done.status_code, done.json()["reason"]) == (403, "denied")


def test_a_used_grant_does_not_change_hands(client: Client) -> None:
    step = verified(client)
    assert redeem(client, step, request_id="r1").status_code == 200
    assert post(client, f"/{step['session_id']}/transfer", None, agent="ben").status_code == 200
    done = redeem(client, step, request_id="r1", agent="ben")
    assert (done.status_code, done.json()["reason"]) == (403, "used_or_expired")
    assert refused(redeem(client, step, request_id="r1")) == (403, "not_allowed")


def test_the_same_request_at_the_same_time_is_done_once(client: Client, bench: AsyncBench) -> None:
    body = PHONE | {"request_id": "o1"}
    steps = client.together("/verifications", times=5, json=body, headers=ADA)
    step, *others = [each.json() for each in steps]
    assert step["verdict"] == "pending"
    assert all(other == step for other in others)
    answer = {"challenge_id": step["challenge"]["id"], "answer": "4937"}
    steps = client.together("/verifications/answers", times=5, json=answer, headers=ADA)
    assert {each.json()["challenge"]["check"] for each in steps} == {"account_tenure"}
    assert [record.event for record in bench.store.records("default", 0, 100)].count(Event.OPENED) == 1


@pytest.mark.parametrize(("more", "done"), [({"request_id": "r1"}, 5), ({}, 1)])
def test_a_grant_is_used_once_by_requests_at_the_same_time(client: Client, more: dict[str, str], done: int) -> None:
    step = verified(client)
    path = f"/verifications/{step['session_id']}/redeem"
    replies = client.together(path, times=5, json=PHONE | more, headers=ADA)
    assert [each.status_code for each in replies].count(200) == done
    assert {each.json()["reason"] for each in replies if each.status_code != 200} <= {"used", "used_or_expired"}


# ── What a client may send ───────────────────────────────────────────────────────────────────────────────────────────


def raw(client: Client, body: Any, *, path: str = "/answers", kind: str | None = "application/json") -> Any:
    headers = ADA | ({} if kind is None else {"Content-Type": kind})
    return client.post(f"/verifications{path}", content=body, headers=headers)


def test_names_that_the_client_chose_are_not_sent_back(client: Client) -> None:
    done = post(client, "/answers", {"challenge_id": "x", "4937-in-a-key": 1})
    assert refused(done) == (422, "invalid_request")
    assert done.json()["message"] == "wrong or missing: body.answer; there are unknown fields"
    done = post(client, "", PHONE | {"stake": {"amount": "1", "currency": "eur", "4937-in-a-key": 1}})
    assert done.json()["message"] == "wrong or missing: body.stake.currency; there are unknown fields"
    done = post(client, "/answers", {"challenge_id": "x", "answer": "y"} | {f"k{n}": n for n in range(5000)})
    assert (done.status_code, done.json()["message"]) == (422, "there are unknown fields")


def test_names_in_what_the_dependency_reads_are_not_sent_back(bench: AsyncBench) -> None:
    def call_of(limits: dict[str, int]) -> Call:
        return Call(id=str(limits), agent="ada")

    with serving(bench, call_of) as client:
        done = client.post("/verifications/x/cancel", json={"4937-in-a-key": "wrong"})
    assert refused(done) == (422, "invalid_request")
    assert done.json()["message"] == "wrong or missing: body"


@pytest.mark.parametrize(
    "body",
    [b'{"answer":"\xff4937"}', b'{"answer":' + b"[" * 100_000, b'{"answer":' + b"4937" * 2000 + b"}"],
    ids=["no text", "deep", "a long number"],
)
def test_what_cannot_be_read_gets_a_code_too(client: Client, body: bytes) -> None:
    done = raw(client, body)
    assert refused(done) == (400, "invalid_request")
    assert "4937" not in done.text


def test_no_body_and_no_json(client: Client) -> None:
    for body in (b"", b"4937 is my answer", b'{"challenge_id":"x","answer":"4937'):
        done = raw(client, body)
        assert refused(done) == (422, "invalid_request")
        assert done.json()["message"] == "wrong or missing: body"


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "a+json"],
)
def test_a_body_must_say_that_it_is_json(client: Client, kind: str | None) -> None:
    """A form of another site can be sent with the agent's cookies; it cannot say this."""
    done = raw(client, json.dumps({"challenge_id": "x", "answer": "4937"}).encode(), kind=kind)
    assert refused(done) == (415, "not_json")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.crm+json"])
def test_json_has_several_names(client: Client, kind: str) -> None:
    assert raw(client, json.dumps(PHONE).encode(), path="", kind=kind).status_code == 200


def test_a_large_body_is_not_read(client: Client) -> None:
    sent = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b" " * 10_000

    done = client.post("/verifications/answers", content=chunks(), headers={"Content-Type": "application/json"})
    assert refused(done) == (413, "too_large")
    assert len(sent) < 20


def test_the_longest_answer_fits_in_any_spelling(client: Client) -> None:
    step = opened(client)
    body = {"challenge_id": step["challenge"]["id"], "answer": "\N{CROSS MARK}\N{PINEAPPLE}" * 5_000}
    done = raw(client, json.dumps(body).encode())
    assert (done.status_code, done.json()["verdict"]) == (200, "pending")


@pytest.mark.parametrize("amount", ["12.50", "1250", 1250, 12.5])
def test_an_amount_is_exact(client: Client, amount: object) -> None:
    stake = {"amount": amount, "currency": "EUR"}
    assert post(client, "", {"subject": "cust-42", "action": "pay", "stake": stake}).status_code == 200


@pytest.mark.parametrize("amount", ["1000000000.5", "100000000000.000001", "1e9", "NaN", "Infinity", "true", "null"])
def test_an_amount_that_may_have_been_rounded_is_refused(client: Client, amount: str) -> None:
    body = f'{{"subject":"cust-42","action":"pay","stake":{{"amount":{amount},"currency":"EUR"}}}}'
    done = raw(client, body.encode(), path="")
    assert refused(done) == (422, "invalid_request")
    assert done.json()["message"] == "wrong or missing: body.stake.amount"


# ── What HTTP refuses ────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_not_logged_in_gets_nothing(client: Client) -> None:
    done = post(client, "", {"subject": "cust-42", "action": "pay"}, agent="mallory")
    assert refused(done) == (401, "not_logged_in")
    assert done.json()["message"] == "log in first"
    assert done.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (HTTPException(403), 403, "not_allowed"),
        (HTTPException(404, {"any": "thing"}), 404, "http_404"),
        (HTTPException(429, headers={"Cache-Control": "public"}), 429, "http_429"),
        (ConfigurationError("the log-in is not wired"), 500, "configuration"),
    ],
)
def test_what_the_dependency_refuses_has_the_same_shape(
    bench: AsyncBench, error: Exception, status: int, code: str
) -> None:
    def call_of() -> Call:
        raise error

    with serving(bench, call_of) as client:
        assert refused(client.get("/verifications/x")) == (status, code)


def test_a_log_in_may_send_the_agent_elsewhere(bench: AsyncBench) -> None:
    def call_of() -> Call:
        raise HTTPException(303, headers={"Location": "/login"})

    with serving(bench, call_of) as client:
        done = client.get("/verifications/x")
    assert (done.status_code, done.headers["location"], done.text) == (303, "/login", "")
    assert done.headers["cache-control"] == "no-store"


def test_another_method_gets_the_same_shape(client: Client) -> None:
    for method, path, allowed in [("PUT", "", "POST"), ("DELETE", "/x", "GET"), ("GET", "/x/redeem", "POST")]:
        done = client.ask(method, f"/verifications{path}", headers=ADA)
        assert refused(done) == (405, "wrong_method")
        assert done.headers["allow"] == allowed


@pytest.mark.parametrize("name", ["agent", "call", "roles", "tenant", "grant", "token", "entries"])
def test_a_body_does_not_say_who_the_agent_is(client: Client, name: str) -> None:
    where = f"/{opened(client)['session_id']}"
    for path, body in [("", PHONE), (f"{where}/step-up", {"action": "pay"}), (f"{where}/redeem", PHONE)]:
        assert refused(post(client, path, body | {name: "ben"})) == (422, "invalid_request")


def test_nor_does_a_query(client: Client) -> None:
    path = f"/verifications/{opened(client)['session_id']}?agent=ada&id=call-1&roles=auditor"
    forged = {"Authorization": "ben", "X-Agent": "ada", "Cookie": "agent=ada"}
    assert refused(client.get(path, headers=forged)) == (403, "not_allowed")


# ── A real server ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_serves(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import uvicorn, fastapi_app; "
        f"uvicorn.run(fastapi_app.create_app(), host='127.0.0.1', port={port}, log_level='debug')"
    )
    log = tmp_path / "server.log"
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out) as server:
        try:
            step = _ask(port, "", {"subject": "cust-42", "action": "account_question"}, tries=100)
            said = {"pin": "4937", "account_tenure": "since March 2019"}
            while step["challenge"] and step["challenge"]["check"] in said:
                body = {"challenge_id": step["challenge"]["id"], "answer": said[step["challenge"]["check"]]}
                step = _ask(port, "/answers", body)
            assert step["verdict"] == "verified", step
        finally:
            server.terminate()
    assert "4937" not in log.read_text()


def _ask(port: int, path: str, body: Any, *, tries: int = 1) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/verifications{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": "Bearer token-of-ada"},
    )
    for left in reversed(range(tries)):
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - our own server
                return json.load(reply)
        except ConnectionError:
            pass
        except urllib.error.URLError:
            if not left:
                raise
        time.sleep(0.1)
    pytest.fail("the server does not answer")
