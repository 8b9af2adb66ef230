"""E-mail against a real SMTP server on loopback: with TLS or not at all."""

from __future__ import annotations

import email
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyc_verify import ConfigurationError, DeliveryError, Notice
from kyc_verify.ports import Message
from kyc_verify.senders import SMTPSender
from kyc_verify.testing import RecordingObserver, SenderContract

trustme = pytest.importorskip("trustme")
controller = pytest.importorskip("aiosmtpd.controller")
smtp = pytest.importorskip("aiosmtpd.smtp")

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)


class Mailbox:
    """What the server took, and what it says instead of taking it, in turn."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.replies: list[str] = []
        self.secure: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        if self.replies:
            return self.replies.pop(0)
        self.secure.append(server.transport.get_extra_info("ssl_object") is not None)
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(each.content, policy=default) for each in self.envelopes]  # type: ignore[misc]

    def texts(self) -> list[str]:
        return [mail.get_content().replace("\r\n", "\n").removesuffix("\n") for mail in self.mails]


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


@contextmanager
def serving(
    box: Mailbox, authority: Any, *, kind: str = "starttls", name: str = "localhost", **more: Any
) -> Iterator[int]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    given: dict[str, Any] = {
        "starttls": {"tls_context": tls, "require_starttls": True},
        "implicit": {"ssl_context": tls},
        "plain": {},
    }[kind]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = controller.Controller(box, hostname="127.0.0.1", port=port, **given, **more)
    server.start()
    try:
        yield port
    finally:
        server.stop()


def trusting(authority: Any) -> ssl.SSLContext:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return tls


def message(**changes: Any) -> Message:
    usual: dict[str, Any] = {
        "channel": "email", "destination": "anna@example.org", "text": "For: a new card. Code: 048213",
        "language": "en", "key": "key-1", "subject": "Your code for: a new card",
    }  # fmt: skip
    return Message(**(usual | changes))


def sender(port: int, authority: Any, **more: Any) -> SMTPSender:
    given: dict[str, Any] = {"tls": trusting(authority), "sender": "no-reply@bank.example", "clock": lambda: NOW}
    return SMTPSender("localhost", port=port, **(given | more))


def wait_for(found: Callable[[], object], *, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


# ── The contract ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
class TestSMTPSender(SenderContract):
    channels = ("email",)

    @pytest.fixture
    def made(self) -> list[SMTPSender]:
        return []

    @pytest.fixture
    def make_sender(
        self, kind: str, box: Mailbox, authority: Any, made: list[SMTPSender]
    ) -> Iterator[Callable[[], SMTPSender]]:
        with serving(box, authority, kind=kind) as port:

            def make() -> SMTPSender:
                made.append(sender(port, authority, implicit_tls=kind == "implicit"))
                return made[-1]

            yield make
            for each in made:
                each.close()

    @pytest.fixture
    def delivered(self, box: Mailbox, made: list[SMTPSender]) -> Callable[[], list[str]]:
        def look() -> list[str]:
            for each in made:
                assert each.close()
            assert all(box.secure)
            return box.texts()

        return look


# ── What arrives ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_arrives_with_its_headers(box: Mailbox, authority: Any) -> None:
    with serving(box, authority) as port, sender(port, authority) as made:
        made.send(message(text="برای: کارت.\nکد: 048213", language="fa", subject="کد شما برای: کارت"))
        assert made.close()
    (mail,), (envelope,) = box.mails, box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@bank.example", ["anna@example.org"])
    assert mail["Subject"] == "کد شما برای: کارت"
    assert mail["From"] == "no-reply@bank.example"
    assert mail["To"] == "anna@example.org"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "fa"
    assert mail["Message-ID"].endswith("@bank.example>")
    assert box.texts() == ["برای: کارت.\nکد: 048213"]
    assert "048213" not in str(mail["Subject"]) + str(mail["Message-ID"])


def test_one_key_is_one_message_id_and_the_key_itself_is_in_no_header(box: Mailbox, authority: Any) -> None:
    with serving(box, authority) as port:
        for key in ("session-1.1", "session-1.1", "session-1.2"):
            with sender(port, authority) as made:
                made.send(message(key=key))
    first, again, other = (mail["Message-ID"] for mail in box.mails)
    assert first == again != other
    assert b"session-1" not in b"".join(each.content for each in box.envelopes)


def test_it_logs_in_after_encryption_alone(box: Mailbox, authority: Any) -> None:
    given: list[tuple[bytes, bytes]] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
        given.append((data.login, data.password))
        return smtp.AuthResult(success=data.password == b"right", handled=False)

    observer = RecordingObserver()
    with serving(box, authority, authenticator=check, auth_required=True, auth_exclude_mechanism=["LOGIN"]) as port:
        for password in ("right", "wrong"):
            with sender(port, authority, username="crm", password=password, observer=observer, timeout=1) as made:
                made.send(message())
    assert given == [(b"crm", b"right"), (b"crm", b"wrong")]
    assert len(box.envelopes) == 1
    assert observer.notices == [Notice.DELIVERY_FAILED]


# ── Encryption, or nothing ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "name", "trusted", "implicit"),
    [
        ("plain", "localhost", True, False),  # no STARTTLS: nothing is sent in clear
        ("plain", "localhost", True, True),
        ("starttls", "localhost", False, False),  # an authority that nobody trusts
        ("implicit", "localhost", False, True),
        ("starttls", "elsewhere.example", True, False),  # a certificate for another name
        ("implicit", "elsewhere.example", True, True),
        ("implicit", "localhost", True, False),
    ],
)
def test_nothing_is_sent_that_is_not_encrypted_and_checked(
    box: Mailbox, authority: Any, kind: str, name: str, trusted: bool, implicit: bool
) -> None:
    observer = RecordingObserver()
    known = trusting(authority) if trusted else trusting(trustme.CA())
    with serving(box, authority, kind=kind, name=name) as port:
        made = sender(port, authority, tls=known, implicit_tls=implicit, observer=observer, timeout=0.5)
        made.send(message())
        made.close(1.0)
        wait_for(lambda: observer.notices)
    assert box.envelopes == []
    assert observer.notices == [Notice.DELIVERY_FAILED]


def unchecked(**fields: Any) -> ssl.SSLContext:
    tls = ssl.create_default_context()
    for name, value in fields.items():
        setattr(tls, name, value)
    return tls


@pytest.mark.parametrize(
    "wrong",
    [
        {"tls": unchecked(check_hostname=False)},
        {"tls": unchecked(check_hostname=False, verify_mode=ssl.CERT_NONE)},
        {"tls": unchecked(minimum_version=ssl.TLSVersion.MINIMUM_SUPPORTED)},
        {"tls": True},
        {"host": ""},
        {"host": "mail.example\r\nRCPT TO:<x@y.z>"},
        {"sender": "nobody"},
        {"sender": "a@b.c\r\nBcc: x@y.z"},
        {"sender": "Anna <a@b.c>"},
        {"port": 0},
        {"port": 65_536},
        {"port": True},
        {"port": "587"},
        {"username": "crm"},
        {"password": "x"},
        {"timeout": 0},
        {"timeout": True},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"size": 0},
    ],
)
def test_what_is_wired_wrong_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"host": "mail.example", "sender": "no-reply@bank.example"}
    with pytest.raises(ConfigurationError):
        SMTPSender(**(right | wrong))


# ── Hostile messages ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [
        {"destination": "anna@example.org\r\nBcc: eve@example.org"},
        {"destination": "anna@example.org\nBcc: eve@example.org"},
        {"destination": "anna@example.org, eve@example.org"},
        {"destination": "Anna <anna@example.org>"},
        {"destination": "anna"},
        {"destination": "anna@"},
        {"destination": ""},
        {"destination": None},
        {"destination": "+33612345678"},
        {"subject": "Your code\r\nBcc: eve@example.org"},
        {"subject": "Your code\nX: y"},
        {"subject": "Your code\u2028X: y"},
        {"subject": "\x00"},
        {"subject": "x" * 501},
        {"subject": 7},
    ],
)
def test_what_could_be_another_header_is_refused_without_quoting_it(changes: dict[str, Any]) -> None:
    with (
        SMTPSender("localhost", sender="no-reply@bank.example") as made,
        pytest.raises(DeliveryError) as refused,
    ):
        made.send(message(**changes))
    assert "eve" not in str(refused.value)
    assert "anna" not in str(refused.value)


UNUSED = SMTPSender("localhost", sender="no-reply@bank.example", clock=lambda: NOW)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300), subject=st.text(max_size=80), to=st.text(max_size=40), key=st.text(max_size=40),
       language=st.text(max_size=12))  # fmt: skip
def test_whatever_is_in_a_message_no_header_is_added(text: str, subject: str, to: str, key: str, language: str) -> None:
    made = UNUSED
    given_message = message(text=text, subject=subject, destination=f"{to}@example.org", key=key, language=language)
    try:
        made._check(given_message)
    except DeliveryError:
        return
    try:
        mail = made._mail(given_message)
    except (UnicodeError, ValueError):
        return  # told to the observer; nothing is sent
    read = email.message_from_bytes(mail.as_bytes(), policy=default)
    usual = {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert set(read.keys()) <= usual
    assert len(read.keys()) == len(set(read.keys()))


# ── Servers that fail ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_not(
    box: Mailbox, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kyc_verify.senders.smtp._PAUSE", 0.01)
    observer = RecordingObserver()
    with serving(box, authority) as port, sender(port, authority, observer=observer) as made:
        box.replies = ["451 later", "421 later"]
        made.send(message())
        wait_for(lambda: box.envelopes)
        assert observer.notices == []
        box.replies = ["550 no", "250 never asked"]
        made.send(message(key="key-2"))
        wait_for(lambda: observer.notices)
        assert box.replies == ["250 never asked"]
        box.replies = ["451 later"] * 3
        made.send(message(key="key-3"))
        wait_for(lambda: len(observer.notices) == 2)
        assert box.replies == []
    assert len(box.envelopes) == 1


@contextmanager
def odd_server(say: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let connections be treated as `say` does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    with suppress(OSError):
                        say(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    connection.sendall(b"220-")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.05)


def garbage(connection: socket.socket) -> None:
    connection.sendall(bytes(range(256)) * 40)


def endless(connection: socket.socket) -> None:
    for _ in range(2_000):
        connection.sendall(b"220-hello\r\n" * 100)


def closing(connection: socket.socket) -> None:
    del connection


@pytest.mark.parametrize("say", [silent, dripping, garbage, endless, closing])
def test_a_server_that_misbehaves_holds_nothing_up_for_long(
    authority: Any, monkeypatch: pytest.MonkeyPatch, say: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr("kyc_verify.senders.smtp._ATTEMPTS", 1)
    observer = RecordingObserver()
    with odd_server(say) as port:
        made = sender(port, authority, observer=observer, timeout=0.2)
        started = time.monotonic()
        made.send(message())
        assert time.monotonic() - started < 0.2
        wait_for(lambda: observer.notices, seconds=5)
        made.close(1.0)
    assert observer.notices == [Notice.DELIVERY_FAILED]


def test_a_server_that_is_not_there_is_given_up_when_the_sender_closes(authority: Any) -> None:
    observer = RecordingObserver()
    made = sender(1, authority, observer=observer)
    made.send(message())
    time.sleep(0.1)
    started = time.monotonic()
    made.close(0.1)
    assert time.monotonic() - started < 3
    assert observer.notices == [Notice.DELIVERY_FAILED]


def test_its_repr_holds_no_password() -> None:
    made = SMTPSender("localhost", sender="no-reply@bank.example", username="crm", password="hunter-2-hunter")
    assert "hunter" not in repr(made) + str(vars(made))
    made.close()
