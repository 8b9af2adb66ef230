"""The router over real HTTP semantics: a whole verification, and no secret in any reply, error or schema."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import httpx
from fastapi import FastAPI, Header, HTTPException

from kyc_verify import Call, profiles
from kyc_verify.integrations.fastapi import router
from kyc_verify.testing import AsyncBench

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ADA = {"Authorization": "ada"}


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


@pytest.fixture
def client(bench: AsyncBench) -> Iterator[Client]:
    def call_of(authorization: str = Header("")) -> Call:
        if authorization not in {"ada", "ben"}:
            raise HTTPException(401, "log in first")
        return Call(id="call-1", agent=authorization, number=bench.call.number, attestation="A")

    app = FastAPI()
    app.include_router(router(bench.verifier, call=call_of))
    with asyncio.Runner() as loop:
        yield Client(app, loop)


def post(client: Client, path: str, body: Any, agent: str = "ada") -> Any:
    return client.post(f"/verifications{path}", json=body, headers={"Authorization": agent})


def opened(client: Client, action: str = "change_phone") -> Any:
    done = post(client, "", {"subject": "cust-42", "action": action})
    assert done.status_code == 200
    return done.json()


def test_a_whole_verification(client: Client) -> None:
    step = opened(client)
    said = {"pin": "4937", "account_tenure": "since March 2092", "app_confirmation": "yes"}
    while step["challenge"]:
        body = {"challenge_id": step["challenge"]["id"], "answer": said[step["challenge"]["check"]]}
        done = post(client, "/answers", body)
        assert done.headers["cache-control"] == "no-store"
        step = done.json()
    assert step["verdict"] == "verified"
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
    assert (done.status_code, done.json()["code"]) == (status, code)
    assert "4937" not in done.text


def test_who_is_not_logged_in_gets_nothing(client: Client) -> None:
    assert post(client, "", {"subject": "cust-42", "action": "pay"}, agent="mallory").status_code == 401


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
    text = json.dumps(schema)
    assert "grant" not in json.dumps(schema["components"]["schemas"]["StepOut"]).casefold()
    assert "token" not in text.casefold()


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
