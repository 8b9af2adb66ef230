"""Signed webhooks against a real server on loopback that is slow, broken, redirecting or hostile."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from kyc_verify import (
    AsyncVerifier,
    ConfigurationError,
    DeliveryError,
    Notice,
    Policy,
    Requirement,
    ThreatModel,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.ports import Message
from kyc_verify.testing import Bench, RecordingObserver, SenderContract

pytest.importorskip("httpx")
pytest.importorskip("tenacity")
trustme = pytest.importorskip("trustme")

from kyc_verify.senders import WebhookSender  # noqa: E402 - it needs what was looked for above

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
SECRET = bytes(range(32))
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "webhook_receiver.py"


def _example() -> Any:
    spec = spec_from_file_location("webhook_receiver", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _example()


class Service:
    """What was posted, what the example made of it, and what to answer, in turn."""

    def __init__(self) -> None:
        self.receiver = example.Receiver(SECRET)
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[dict[str, str]] = []
        self.answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = []
        self.now = NOW
        self.lock = threading.Lock()

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self.lock:
            self.posts.append((headers, body))
            answer = self.answers.pop(0) if self.answers else 204
            if answer in (200, 204):
                found = self.receiver.take(headers, body, now=self.now)
                self.taken += [] if found is None else [found]
        if callable(answer):
            answer(handler)
            return
        handler.send_response(answer)
        if 300 <= answer < 400:
            handler.send_header("Location", handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def serving(service: Service, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):
                service.post(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"{'http' if tls is None else 'https'}://localhost:{server.server_port}/codes"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def service() -> Service:
    return Service()


def message(number: int = 1, **changes: Any) -> Message:
    usual: dict[str, Any] = {
        "channel": "sms", "destination": "+33612345678", "text": "For: a new card. Code: 048213", "language": "en",
        "key": f"session.{number}",
    }  # fmt: skip
    return Message(**(usual | changes))


def sender(url: str, **more: Any) -> WebhookSender:
    given: dict[str, Any] = {"secret": SECRET, "allow_insecure_loopback": True, "clock": lambda: NOW, "timeout": 2}
    return WebhookSender(url, **(given | more))


def wait_for(found: Callable[[], object], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


class TestWebhookSender(SenderContract):
    channels = ("sms", "voice", "email", "callback")

    @pytest.fixture
    def made(self) -> list[WebhookSender]:
        return []

    @pytest.fixture
    def make_sender(self, service: Service, made: list[WebhookSender]) -> Iterator[Callable[[], WebhookSender]]:
        with serving(service) as url:

            def make() -> WebhookSender:
                made.append(sender(url))
                return made[-1]

            yield make
            for each in made:
                each.close()

    @pytest.fixture
    def delivered(self, service: Service, made: list[WebhookSender]) -> Callable[[], list[str]]:
        def look() -> list[str]:
            for each in made:
                assert each.close()
            return [each["text"] for each in service.taken]

        return look


# ── What arrives ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_receiver_takes_what_is_sent(service: Service) -> None:
    with serving(service) as url, sender(url) as made:
        made.send(message(text="برای: کارت. کد: 048213", subject="کد شما"))
        assert made.close()
    (taken,) = service.taken
    assert taken == {
        "channel": "sms", "destination": "+33612345678", "key": "session.1", "language": "en", "subject": "کد شما",
        "text": "برای: کارت. کد: 048213",
    }  # fmt: skip
    ((headers, _),) = service.posts
    assert headers["idempotency-key"] == "session.1"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("change", ["body", "time", "secret", "key", "age"])
def test_the_example_receiver_takes_nothing_else(service: Service, change: str) -> None:
    with serving(service) as url, sender(url) as made:
        made.send(message())
        assert made.close()
    ((headers, body),) = service.posts
    receiver, now = example.Receiver(SECRET if change != "secret" else bytes(32)), NOW
    if change == "body":
        body = body.replace(b"5678", b"9999")
    elif change == "time":
        headers["kyc-verify-signature"] = headers["kyc-verify-signature"].replace("t=", "t=1")
    elif change == "key":
        headers["idempotency-key"] = "session.2"
    elif change == "age":
        now += timedelta(minutes=5, seconds=1)
    with pytest.raises(example.SignatureError):
        receiver.take(headers, body, now=now)


def test_it_is_encrypted_and_checked(service: Service) -> None:
    authority, tls, known = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(tls)
    authority.configure_trust(known)
    observer = RecordingObserver()
    with serving(service, tls=tls) as url:
        with sender(url, tls=known, allow_insecure_loopback=False) as made:
            made.send(message())
            assert made.close()
        assert len(service.taken) == 1
        with sender(url, observer=observer, attempts=1) as made:  # an authority that nobody knows
            made.send(message(2))
        with sender(url.replace("localhost", "127.0.0.1"), tls=known, observer=observer, attempts=1) as made:
            made.send(message(3))  # a certificate for another name
    assert len(service.posts) == 1
    assert observer.notices == [Notice.DELIVERY_FAILED] * 2


@pytest.mark.parametrize("front", [Verifier, AsyncVerifier])
def test_it_serves_both_fronts(service: Service, front: type[Any]) -> None:
    policy = Policy(
        name="p",
        checks=[checks.OneTimeCode()],
        threats=ThreatModel.points({"one_time_code": 6}),
        actions={"a": Requirement(bits=3)},
    )
    bench = Bench(policy)

    async def finished(found: Any) -> Any:
        return await found if inspect.isawaitable(found) else found

    async def play(made: WebhookSender) -> Verdict:
        verifier = front(
            policy, store=bench.store, hasher=bench.hasher, customers=bench.customers, senders={"sms": made},
            clock=bench.clock,
        )  # fmt: skip
        step = await finished(verifier.open("cust-42", action="a", call=bench.call))
        wait_for(lambda: service.taken)
        code = service.taken[0]["text"][-6:]
        step = await finished(verifier.respond(step.challenge.id, code, call=bench.call))
        return step.verdict  # type: ignore[no-any-return]

    with serving(service) as url, sender(url) as made:
        assert asyncio.run(play(made)) is Verdict.VERIFIED


# ── Receivers that fail ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answers", [[500], [503, 502], [429], [408, 500, 425]])
def test_a_passing_fault_is_tried_again_with_the_same_key(service: Service, answers: list[int]) -> None:
    service.answers = list(answers)
    with serving(service) as url, sender(url) as made:
        made.send(message())
        wait_for(lambda: service.taken)
    assert len(service.posts) == len(answers) + 1
    assert {headers["idempotency-key"] for headers, _ in service.posts} == {"session.1"}
    assert len(service.taken) == 1


@pytest.mark.parametrize("answer", [301, 302, 303, 307, 308, 400, 401, 404, 410, 422])
def test_a_refusal_is_final_and_no_redirect_is_followed(service: Service, answer: int) -> None:
    service.answers, observer = [answer], RecordingObserver()
    with serving(service) as url, sender(url, observer=observer) as made:
        made.send(message())
        wait_for(lambda: observer.notices)
    assert len(service.posts) == 1
    assert observer.notices == [Notice.DELIVERY_FAILED]


def hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1)
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(400):
        handler.wfile.write(f"X-{number}: y\r\n".encode())
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Answer rightly, and go on for ever: what is in the reply is nobody's business."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(1000):
        handler.wfile.write(b"x" * 65536)


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(bytes(range(256)) * 8)


@pytest.mark.parametrize("answer", [hang, drip, cut, garbage])
def test_a_receiver_that_misbehaves_is_left_in_time_and_tried_again(
    service: Service, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    service.answers, observer = [answer, answer], RecordingObserver()
    with serving(service) as url:
        made = sender(url, observer=observer, timeout=0.2, attempts=2)
        started = time.monotonic()
        made.send(message())
        assert time.monotonic() - started < 0.2
        wait_for(lambda: observer.notices, seconds=5)
        made.close(1)
    assert len(service.posts) == 2
    assert observer.notices == [Notice.DELIVERY_FAILED]


def test_an_endless_reply_is_not_read(service: Service) -> None:
    service.answers, observer = [endless], RecordingObserver()
    with serving(service) as url, sender(url, observer=observer) as made:
        made.send(message())
        assert made.close(2)
    assert observer.notices == []
    assert len(service.posts) == 1


def test_closing_does_not_wait_for_further_attempts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    observer = RecordingObserver()
    made = sender(url, observer=observer, attempts=10)
    made.send(message())
    started = time.monotonic()
    assert made.close(0.1) is False
    assert time.monotonic() - started < 3
    assert observer.notices == [Notice.DELIVERY_FAILED]


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/codes", "ftp://gateway.example", "gateway.example", "https://", "https://u:p@x.example/",
        "https://x.example/#part", "http://127.0.0.1.evil.example/", "http://localhost@evil.example/", "", None, b"https://x",
        "https://x.example:99999999/", "file:///etc/passwd", "http://[::1",
    ],
)  # fmt: skip
def test_only_https_or_this_very_machine(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="url must be"):
        WebhookSender(url, secret=SECRET, allow_insecure_loopback=True)


@pytest.mark.parametrize("allowed", [{}, {"allow_insecure_loopback": False}, {"allow_insecure_loopback": 1}])
def test_http_to_this_machine_must_be_allowed_in_so_many_words(allowed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="url must be"):
        WebhookSender("http://localhost/", secret=SECRET, **allowed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": b"short"}, {"secret": "x" * 32}, {"timeout": 0}, {"timeout": 61}, {"timeout": "1"}, {"attempts": 0},
        {"attempts": 11}, {"attempts": True}, {"tls": object()}, {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
    ],
)  # fmt: skip
def test_what_is_wired_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WebhookSender("https://gateway.example/", **({"secret": SECRET} | wrong))


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""}, {"key": "a\r\nX: y"}, {"key": "clé"}, {"key": "k" * 256}, {"key": None}, {"text": "\ud800"},
        {"text": object()},
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_posted_is_refused_at_once(changes: dict[str, Any]) -> None:
    with WebhookSender("https://gateway.example/", secret=SECRET) as made, pytest.raises(DeliveryError):
        made.send(message(**changes))


def test_its_repr_holds_no_secret() -> None:
    with WebhookSender("https://gateway.example/", secret=SECRET) as made:
        assert SECRET.hex() not in repr(made) + str(vars(made))
