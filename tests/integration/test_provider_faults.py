"""Providers that are slow, broken, huge, elsewhere or lying: one time limit, no second code, nothing shown."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from kyc_verify.errors import ConfigurationError, DeliveryError, MissingExtraError, SignalError, UsageError
from kyc_verify.signals import AsyncCamara, Camara, Twilio
from kyc_verify.signals._http import quiet
from kyc_verify.signals._http.direct import finished as stepped
from kyc_verify.terms import Outcome
from kyc_verify.testing import assert_leaks_nothing
from tests.providers import (
    FRONTS,
    MESSAGE,
    NUMBER,
    QUERY,
    SERVICE,
    SID,
    TOKEN,
    Handler,
    Provider,
    asked,
    camara,
    fails,
    finished,
    outcome,
    running,
    says,
    twilio,
    writes,
)

pytestmark = [pytest.mark.slow, pytest.mark.wide]

GOOD = says({"swapped": False})
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b'content-length: 18\r\n\r\n{"swapped": false}'
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
LIMIT = 0.5
PATIENCE = 1.8
"""More than the limit by what a loaded machine needs, and less than what is waited for."""

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "rubbish": b"\x00\xff\xfe\r\n\r\n" * 20,
    "another protocol": b"220 smtp.example.com ESMTP\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "half a body": HEAD + b'content-length: 18\r\n\r\n{"swapped"',
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "two lengths": HEAD + b'content-length: 18\r\ncontent-length: 4\r\n\r\n{"swapped": false}',
    "length and chunks": CHUNKED[:-2] + b'content-length: 18\r\n\r\n{"swapped": false}',
    "bad chunk": CHUNKED + b"zz\r\n",
    "half a chunk": CHUNKED + b"12\r\n{",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"b" * 200_000,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "naked body": b'{"swapped": false}',
}
SIZES: dict[str, bytes] = {
    "long": HEAD + b"content-length: 300000\r\n\r\n" + b" " * 299_982 + b'{"swapped": false}',
    "long chunks": CHUNKED + (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 9 + b"0\r\n\r\n",
    "no end": b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + b"[" * 200_000,
}
UNREAD: dict[str, Any] = {
    "empty": says(b""),
    "not JSON": says(b"{'swapped': False}"),
    "after JSON": says(b'{"swapped": false} {}'),
    "twice": says(b'{"swapped": true, "swapped": false}'),
    "NaN": says(b'{"swapped": false, "x": NaN}'),
    "deep": says(b"[" * 30_000 + b"]" * 30_000),
    "long number": says(b'{"swapped": false, "x": ' + b"9" * 5000 + b"}"),
    "not UTF-8": says(b'{"swapped": false, "x": "\xff"}'),
    "UTF-16": says('{"swapped": false}'.encode("utf-16")),
    "BOM": says(b'\xef\xbb\xbf{"swapped": false}'),
    "HTML": says({"swapped": False}, kind="text/html"),
    "no kind": says({"swapped": False}, kind=""),
    "nearly JSON": says({"swapped": False}, kind="application/jsonp"),
}


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def carrier() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return do(), time.monotonic() - began


def test_a_reply_may_come_in_pieces_and_have_a_charset(front: str, carrier: Provider) -> None:
    chunks = b"".join(b"1\r\n" + b'{"swapped": false}'[at : at + 1] + b"\r\n" for at in range(18)) + b"0\r\n\r\n"
    kind = HEAD.replace(b"json", b"JSON; charset=utf-8")
    for whole in (WHOLE, CHUNKED + chunks, kind + b'content-length: 18\r\n\r\n{"swapped": false}'):
        carrier.answer("sim-swap/check", writes(whole))
        assert asked(camara(front, carrier).sim_swap()) == {"covered": True, "swapped": False}


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "slow",
    [
        writes(WHOLE, pause=3.0),
        writes(WHOLE, slowly=0.1),
        writes(b"HTTP/1.1 200 OK\r\nx-drop: " + b"a" * 1000, slowly=0.05),
        writes(HEAD + b"content-length: 1000\r\n\r\n" + b" " * 1000, slowly=0.05),
        writes(CHUNKED + b"1\r\n \r\n" * 200, slowly=0.02),
        fails(429, "TOO_MANY_REQUESTS", retry_after="3"),
        fails(429, "TOO_MANY_REQUESTS", retry_after="99999999999999999999"),
        fails(429, "TOO_MANY_REQUESTS", retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
    ],
    ids=["pause", "drip", "head", "body", "chunks", "wait", "for ever", "date"],
)
def test_one_limit_for_everything(front: str, carrier: Provider, slow: Any) -> None:
    carrier.answer("sim-swap/check", slow)
    found, took = timed(lambda: asked(camara(front, carrier, within=LIMIT).sim_swap()))
    assert isinstance(found, SignalError)
    assert outcome(found) is Outcome.FAIL
    assert took < PATIENCE


def test_a_server_that_takes_no_connection(front: str) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.socket() as second:
            second.settimeout(0)
            second.connect_ex(("127.0.0.1", port))
            found, took = timed(lambda: asked(camara(front, Provider(port=port), within=LIMIT).sim_swap()))
    assert isinstance(found, SignalError)
    assert took < PATIENCE


def test_a_handshake_that_never_comes(front: str) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        made = Camara if front == "sync" else AsyncCamara
        client = made(f"https://127.0.0.1:{mute.getsockname()[1]}", token=lambda: TOKEN, within=LIMIT)
        found, took = timed(lambda: asked(client.sim_swap()))
    assert isinstance(found, SignalError)
    assert took < PATIENCE


def test_a_late_token_is_no_token(carrier: Provider) -> None:
    """The async client leaves it; a sync one cannot, and the verifier leaves both."""

    async def late() -> str:
        await asyncio.sleep(5)
        return TOKEN

    found, took = timed(lambda: asked(camara("async", carrier, token=late, within=LIMIT).sim_swap()))
    assert str(found) == "camara sim_swap was not asked: the token could not be had, or is no token"
    assert took < PATIENCE


def test_who_waits_can_be_cancelled(carrier: Provider) -> None:
    carrier.answer("sim-swap/check", writes(WHOLE, pause=3.0))

    async def leave() -> None:
        async with asyncio.timeout(0.2):
            await camara("async", carrier).sim_swap().get(QUERY)

    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    assert len(carrier.seen) == 1


# ── What is broken ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_reply_is_a_failed_signal(front: str, carrier: Provider, kind: str) -> None:
    carrier.answer("sim-swap/check", writes(BROKEN[kind]))
    found = asked(camara(front, carrier, within=2.0).sim_swap())
    assert str(found) in {
        "camara sim_swap broke off, or sent what is no reply", "camara sim_swap did not answer in time",
        "camara sim_swap answered 101",
    }  # fmt: skip


@pytest.mark.parametrize("kind", SIZES)
def test_a_huge_reply_is_left(front: str, carrier: Provider, kind: str) -> None:
    carrier.answer("sim-swap/check", writes(SIZES[kind]))
    found = asked(camara(front, carrier).sim_swap())
    assert str(found) == "camara sim_swap sent more than a reply may hold"


def test_an_endless_reply_is_not_listened_to(front: str, carrier: Provider) -> None:
    """It ends by its size, long before its time."""

    def endless(handler: Handler, _: Any) -> None:
        handler.raw(CHUNKED)
        while True:
            handler.raw(b"4000\r\n" + b" " * 0x4000 + b"\r\n", pause=0.01)

    carrier.answer("send-code", endless)
    with pytest.raises(DeliveryError, match="sent more than a reply may hold"):
        finished(camara(front, carrier).one_time_code().send(MESSAGE))


@pytest.mark.parametrize("kind", UNREAD)
def test_what_is_no_json_is_not_read(front: str, carrier: Provider, kind: str) -> None:
    carrier.answer("sim-swap/check", UNREAD[kind])
    assert str(asked(camara(front, carrier).sim_swap())) == "camara sim_swap sent a reply that is not what it publishes"


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_what_was_not_asked_for_is_not_unpacked(front: str, carrier: Provider, encoding: str) -> None:
    carrier.answer("sim-swap/check", says({"swapped": False}, content_encoding=encoding))
    found = asked(camara(front, carrier).sim_swap())
    assert str(found) == "camara sim_swap sent a reply in an encoding that was not asked for"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(front: str, carrier: Provider, status: int) -> None:
    with running(Provider()) as other:
        carrier.answer("sim-swap/check", says({"swapped": False}, status, location=f"{other.url}/sim-swap/v2/check"))
        assert str(asked(camara(front, carrier).sim_swap())) == f"camara sim_swap answered {status}"
    assert other.seen == []
    assert len(carrier.seen) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_not_used(
    front: str, carrier: Provider, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked(camara(front, carrier).sim_swap()) == {"covered": True, "swapped": False}


def test_many_at_once_and_after_a_fork(carrier: Provider) -> None:
    """Nothing is shared but the settings."""
    source = camara("sync", carrier).sim_swap()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(asked(source))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"covered": True, "swapped": False}] * 8
    together = camara("async", carrier).sim_swap()

    async def gathered() -> list[Any]:
        return await asyncio.gather(*[together.get(QUERY) for _ in range(8)])

    assert asyncio.run(gathered()) == asyncio.run(gathered()) == found


# ── Again, or not ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "first",
    [
        *[fails(status, "INTERNAL") for status in (500, 502, 503, 504)],
        fails(429, "TOO_MANY_REQUESTS", retry_after="0"),
        writes(b""),
        writes(BROKEN["half a body"]),
    ],
)
def test_a_question_is_asked_again(front: str, carrier: Provider, first: Any) -> None:
    carrier.answer("sim-swap/check", first, first, GOOD)
    assert asked(camara(front, carrier).sim_swap()) == {"covered": True, "swapped": False}
    assert len(carrier.seen) == 3
    assert len({seen.headers["x-correlator"] for seen in carrier.seen}) == 1


@pytest.mark.parametrize(("status", "times"), [(500, 3), (503, 3), (429, 3), (501, 1), (505, 1), (400, 1), (401, 1)])
def test_it_is_asked_three_times_at_most(front: str, carrier: Provider, status: int, times: int) -> None:
    carrier.answer("sim-swap/check", fails(status, "INTERNAL"))
    assert str(asked(camara(front, carrier).sim_swap())) == f"camara sim_swap answered {status}"
    assert len(carrier.seen) == times


def test_it_waits_as_long_as_it_is_told(front: str, carrier: Provider) -> None:
    carrier.answer("sim-swap/check", fails(429, "TOO_MANY_REQUESTS", retry_after="1"), GOOD)
    found, took = timed(lambda: asked(camara(front, carrier).sim_swap()))
    assert found == {"covered": True, "swapped": False}
    assert took > 1.0


AMBIGUOUS = [
    writes(b""), writes(BROKEN["half a head"]), writes(BROKEN["half a body"]), writes(WHOLE, pause=2.0), says(b"no"),
    says({}), fails(500, "INTERNAL"), fails(503, "UNAVAILABLE"), fails(429, "TOO_MANY_REQUESTS", retry_after="0"),
    says({}, 302, location="/one-time-password-sms/v1/send-code"),
]  # fmt: skip


@pytest.mark.parametrize("reply", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_a_code_is_never_sent_twice(front: str, carrier: Provider, reply: Any) -> None:
    carrier.answer("send-code", reply)
    with pytest.raises(DeliveryError):
        finished(camara(front, carrier, within=LIMIT).one_time_code().send(MESSAGE))
    assert [seen.api for seen in carrier.seen] == ["send-code"]
    carrier.answer("verify", reply)
    with pytest.raises(DeliveryError):
        finished(twilio(front, carrier, within=LIMIT).verify(SERVICE).send(MESSAGE))
    assert [seen.api for seen in carrier.seen] == ["send-code", "verify"]


@pytest.mark.parametrize("reply", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_a_code_is_never_judged_twice(front: str, carrier: Provider, reply: Any) -> None:
    service = camara(front, carrier, within=LIMIT).one_time_code()
    handle = finished(service.send(MESSAGE))
    carrier.answer("validate-code", reply)
    with pytest.raises(SignalError):
        finished(service.check(handle, "048213"))
    assert [seen.api for seen in carrier.seen] == ["send-code", "validate-code"]


def test_a_refused_connection_carries_nothing(front: str) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    with pytest.raises(DeliveryError, match="could not be reached"):
        finished(camara(front, Provider(port=port)).one_time_code().send(MESSAGE))


# ── Whom it talks to ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> Any:
    return pytest.importorskip("trustme").CA()


def contexts(authority: Any, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(*names).configure_cert(server)
    authority.configure_trust(client)
    return server, client


def over_tls(front: str, provider: Provider, tls: ssl.SSLContext | None) -> Any:
    made = Camara if front == "sync" else AsyncCamara
    return asked(made(f"https://127.0.0.1:{provider.port}", token=lambda: TOKEN, tls=tls).sim_swap())


def test_tls_is_verified(front: str, authority: Any) -> None:
    server, client = contexts(authority, "127.0.0.1")
    with running(Provider(), tls=server) as provider:
        assert over_tls(front, provider, client) == {"covered": True, "swapped": False}
        assert str(over_tls(front, provider, None)) == "camara sim_swap could not be reached"
    assert len(provider.seen) == 1


def test_a_certificate_for_another_name_is_none(front: str, authority: Any) -> None:
    server, client = contexts(authority, "api.example.com")
    with running(Provider(), tls=server) as provider:
        assert str(over_tls(front, provider, client)) == "camara sim_swap could not be reached"
    assert provider.seen == []


def test_authorities_of_the_environment_are_not_taken(
    front: str, authority: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server, _ = contexts(authority, "127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with running(Provider(), tls=server) as provider:
        assert str(over_tls(front, provider, None)) == "camara sim_swap could not be reached"


@pytest.mark.parametrize("client", [Camara, AsyncCamara])
@pytest.mark.parametrize(
    "root",
    [
        "http://api.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com",
        "ftp://127.0.0.1", "//127.0.0.1", "127.0.0.1", "", None, 5, b"https://a", "https://", "https://user@a.example",
        "https://u:p@a.example", "https://a.example?x=1", "https://a.example/#x", "https://a.example\\@b",
        "https://a b", "https://a\r\nb", "https://é.example", "https://[::1", "https://a.example:0", "https://a.example:99999",
        "http://2130706433", "http://169.254.169.254",
    ],
)  # fmt: skip
def test_where_numbers_and_tokens_do_not_go(client: Any, root: Any) -> None:
    with pytest.raises(ConfigurationError, match="api_root must"):
        client(root, token=lambda: TOKEN, insecure_loopback_for_tests=True)


def test_http_must_be_asked_for_by_its_name() -> None:
    for root in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/"):
        with pytest.raises(ConfigurationError, match="api_root must begin with https://"):
            Camara(root, token=lambda: TOKEN)
        assert (
            repr(Camara(root, token=lambda: TOKEN, insecure_loopback_for_tests=True)) == f"Camara({root.rstrip('/')!r})"
        )
    with pytest.raises(ConfigurationError, match="verify_root must begin with https://"):
        Twilio(SID, secret=lambda: TOKEN, verify_root="http://verify.twilio.com")
    assert (
        repr(Twilio(SID, secret=lambda: TOKEN)) == "Twilio('https://lookups.twilio.com', 'https://verify.twilio.com')"
    )


def test_settings_that_would_trust_anybody_are_refused() -> None:
    blind = ssl.create_default_context()
    blind.check_hostname = False
    with pytest.raises(ConfigurationError, match="must verify the provider's certificate and its name"):
        Camara("https://a.example", token=lambda: TOKEN, tls=blind)
    blind.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigurationError, match="must verify"):
        Camara("https://a.example", token=lambda: TOKEN, tls=blind)
    with pytest.raises(ConfigurationError, match="SSLContext or None"):
        Camara("https://a.example", token=lambda: TOKEN, tls=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("within", [0, -1, 9.1, float("nan"), float("inf"), True, "4", None])
def test_a_limit_is_below_the_verifiers(within: Any) -> None:
    with pytest.raises(ConfigurationError, match="within must be seconds"):
        Camara("https://a.example", token=lambda: TOKEN, within=within)


def test_other_settings() -> None:
    with pytest.raises(ConfigurationError, match="given as a function"):
        Camara("https://a.example", token=TOKEN)  # type: ignore[arg-type]
    for sid in ("", "AC1", SID + "5", "VA" + "5" * 32, None):
        with pytest.raises(ConfigurationError, match="sid must be the SID"):
            Twilio(sid, secret=lambda: TOKEN)  # type: ignore[arg-type]
    client = Camara("https://a.example", token=lambda: TOKEN)
    for hours in (0, 2401, 1.5, True, "24", None):
        with pytest.raises(ConfigurationError, match="from 1 to 2400"):
            client.device_swap(hours=hours)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="from 168 to 2400"):
        client.sim_swap(hours=167)
    with pytest.raises(ConfigurationError, match="service must be the SID"):
        Twilio(SID, secret=lambda: TOKEN).verify("VA1")


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from kyc_verify import signals  # noqa: PLC0415 - its own lookup is what is tested

    def absent(_: str) -> Any:
        raise ModuleNotFoundError(name="httpx")

    monkeypatch.setattr(signals, "import_module", absent)
    for name, extra in (("Camara", "camara"), ("AsyncTwilio", "twilio")):
        with pytest.raises(MissingExtraError, match=rf"kyc-verify\[{extra}\]"):
            getattr(signals, name)

    def ours(_: str) -> Any:
        raise ModuleNotFoundError(name="kyc_verify.signals.camara")

    monkeypatch.setattr(signals, "import_module", ours)
    with pytest.raises(ModuleNotFoundError):
        _ = signals.Camara
    with pytest.raises(AttributeError, match="no attribute 'Vonage'"):
        _ = signals.Vonage  # type: ignore[attr-defined]


# ── Tokens, and what is shown ────────────────────────────────────────────────────────────────────────────────────────


def boom() -> str:
    msg = f"refused for {TOKEN}"
    raise RuntimeError(msg)


@pytest.mark.parametrize(
    "token",
    [boom, lambda: None, lambda: "", lambda: b"x", lambda: "a b", lambda: "a\r\nx: y", lambda: "é", lambda: "x" * 8193],
)
def test_what_is_no_token_is_not_sent(front: str, carrier: Provider, token: Any) -> None:
    found = asked(camara(front, carrier, token=token).sim_swap())
    assert str(found) == "camara sim_swap was not asked: the token could not be had, or is no token"
    assert found.__cause__ is found.__context__ is None
    assert carrier.seen == []


def test_a_token_is_fetched_for_each_question(front: str, carrier: Provider) -> None:
    carrier.authorisation = "Bearer second"
    tokens = iter(["first", "second"])
    source = camara(front, carrier, token=lambda: next(tokens)).sim_swap()
    assert str(asked(source)) == "camara sim_swap answered 401 UNAUTHENTICATED"
    assert asked(source) == {"covered": True, "swapped": False}


def test_tokens_may_be_awaited(carrier: Provider) -> None:
    async def token() -> str:
        await asyncio.sleep(0)
        return TOKEN

    class Keeper:
        async def __call__(self) -> str:
            return TOKEN

    for each in (token, Keeper(), partial(token)):
        assert asked(camara("async", carrier, token=each).sim_swap())["swapped"] is False
    found = asked(camara("sync", carrier, token=token).sim_swap())
    assert "was not asked" in str(found)


def test_a_sync_client_does_not_wait_for_a_loop() -> None:
    async def suspends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(UsageError, match="use the async one"):
        stepped(suspends())


CANARIES = {"the number": NUMBER, "the token": TOKEN, "the code": "948213"}
LOUD = writes(
    b"HTTP/1.1 200 OK\r\nx-for: +33612345678\r\nset-cookie: n=+33612345678\r\ncontent-type: application/json\r\n"
    b'content-length: 38\r\n\r\n{"swapped": "+33612345678 is swapped"}'
)


def echo(handler: Handler, seen: Any) -> None:
    handler.error(401, f"{TOKEN}-{seen.body}", x_token=TOKEN)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD, LOUD, echo, fails(401, NUMBER), fails(500, TOKEN), writes(b""), writes(WHOLE, pause=1.0),
        writes(f"HTTP/1.1 +{NUMBER} {TOKEN}\r\n\r\n".encode()), says({"code": "948213"}, 400),
        says({}, 302, location=f"https://a.example/{NUMBER}"),
    ],
    ids=range(10),
)  # fmt: skip
def test_nothing_is_shown(front: str, carrier: Provider, answer: Any) -> None:
    """Not in what is raised, its frames and its chain; not in a log at DEBUG, httpx's and asyncio's included."""
    for api in ("sim-swap/check", "match", "lookup", "send-code", "validate-code", "verify", "verify-check"):
        carrier.answer(api, answer)
    client = camara(front, carrier, within=LIMIT)
    codes = client.one_time_code()
    handle = f"camara:{codes._operation._place}:ea0840f3"
    doing: list[Callable[[], Any]] = [
        lambda: finished(client.sim_swap().get(QUERY)),
        lambda: finished(client.kyc_match(lambda _: {"name": NUMBER}).get(QUERY)),
        lambda: finished(codes.send(MESSAGE)),
        lambda: finished(codes.check(handle, "948213")),
    ]
    for do in doing:
        assert_leaks_nothing(do, CANARIES)
    other = twilio(front, carrier, within=LIMIT)
    verify = other.verify(SERVICE)
    for do in (
        lambda: finished(other.sim_swap().get(QUERY)),
        lambda: finished(verify.send(MESSAGE)),
        lambda: finished(verify.check(f"twilio:{SERVICE}:VE{'b2' * 16}", "948213")),
    ):
        assert_leaks_nothing(do, CANARIES)
    for thing in (client, other, codes, verify, client.sim_swap(), other.sim_swap()):
        assert_leaks_nothing(lambda thing=thing: thing, CANARIES)  # type: ignore[misc]


def test_unreached_shows_nothing(front: str) -> None:
    client = twilio(front, Provider(port=1), within=LIMIT)
    assert_leaks_nothing(lambda: finished(client.sim_swap().get(QUERY)), CANARIES)


def test_others_may_log(caplog: pytest.LogCaptureFixture) -> None:
    """Only what is done for us is silent: the application may use the same libraries."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").info("theirs")
        with quiet.quiet():
            logging.getLogger("httpx").info("ours")
            logging.getLogger("httpcore.http11").debug("ours")
            logging.getLogger("application").info("theirs too")
    assert caplog.messages == ["theirs", "theirs too"]


def test_what_a_request_is_shows_nothing(carrier: Provider) -> None:
    query = camara("sync", carrier).sim_swap()._operation.request(QUERY)
    assert json.loads(query.body)["phoneNumber"] == NUMBER
    assert NUMBER[1:] not in repr(query)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_works_after_a_fork(carrier: Provider) -> None:
    source = camara("sync", carrier).sim_swap()
    assert asked(source)["swapped"] is False
    with warnings.catch_warnings():
        # The server's thread is on the parent's side alone; the child only asks.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if asked(source) == {"covered": True, "swapped": False} else 1)
    assert os.waitpid(child, 0)[1] == 0
