"""Codes by e-mail, over a connection that is encrypted and checked, or not at all.

An e-mail shows that somebody reads a mailbox, and a mailbox has a password: under NIST SP 800-63B-4 section 3.1.3.1 it
is not possession of anything (see `kyc_verify.floors.nist4`).
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from kyc_verify.errors import ConfigurationError, DeliveryError
from kyc_verify.ports import Message, Observer
from kyc_verify.senders._clock import utc_now
from kyc_verify.senders._queue import Queued
from kyc_verify.senders._tls import context
from kyc_verify.terms import Secret

__all__ = ["SMTPSender"]

_PLAIN: Final = r"[^\s@<>()\[\],;:\\\"]"
_ADDRESS: Final = re.compile(rf"({_PLAIN}{{1,64}})@({_PLAIN}{{1,253}})\Z")
_TAG: Final = re.compile(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,4}\Z", re.ASCII)
_ATTEMPTS: Final = 3
_PAUSE: Final = 2.0
_WHOLE: Final = 3
"""Times `timeout` that one attempt may take altogether: a server that sends a byte now and then is cut off."""
_LASTING: Final = 500
_LAST_PORT: Final = 65_535
_LONGEST_SUBJECT: Final = 500


class SMTPSender(Queued):
    """Sends e-mails through a server that speaks TLS: by STARTTLS, or from the first byte.

    Args:
        host: Name of the server; its certificate must be for that name.
        sender: The address that it is sent from.
        port: 587 for STARTTLS and 465 for implicit TLS, by default.
        implicit_tls: TLS from the first byte (RFC 8314), and not after STARTTLS.
        username: To log in with, if the server wants that.
        password: To log in with.
        tls: Another context than the system's, for an authority of your own; it must check certificates and names.
        timeout: Seconds that the server may take for one thing, and a third of what one attempt may take, looking up
            its name aside.
        size: Messages that may wait; `send` raises beyond.
        workers: Connections at once.
        observer: Is told of what could not be delivered.
        clock: What time it is, for the date of the e-mail.

    Raises:
        ConfigurationError: something is wired wrong.

    Security:
        Nothing is ever sent over a connection that is not encrypted, or to a server whose certificate does not fit.
        What has a line break in it is refused, and nothing of a message comes into another header than its own.
    """

    def __init__(
        self, host: str, *, sender: str, port: int | None = None, implicit_tls: bool = False,
        username: str | None = None, password: str | None = None, tls: ssl.SSLContext | None = None,
        timeout: float = 10.0, size: int = 1000, workers: int = 4, observer: Observer | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:  # fmt: skip
        super().__init__(size=size, workers=workers, observer=observer)
        if type(host) is not str or not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host, re.ASCII):
            msg = "host must be the name of a server"
            raise ConfigurationError(msg)
        if port is not None and (type(port) is not int or not 0 < port <= _LAST_PORT):
            msg = f"port must be a whole number from 1 to {_LAST_PORT}"
            raise ConfigurationError(msg)
        if not _is_address(sender):
            msg = "sender must be an e-mail address, as in no-reply@bank.example"
            raise ConfigurationError(msg)
        if (username is None) != (password is None):
            msg = "username and password go together"
            raise ConfigurationError(msg)
        if type(timeout) not in (int, float) or not 0 < timeout <= 60:  # noqa: PLR2004 - a minute is a bound
            msg = "timeout must be a number of seconds up to 60"
            raise ConfigurationError(msg)
        self._host, self._port = host, port or (465 if implicit_tls else 587)
        self._implicit, self._tls, self._timeout = implicit_tls, context(tls), float(timeout)
        self._sender, self._domain = sender, sender.rpartition("@")[2]
        self._login = None if username is None or password is None else (username, Secret(password))
        self._clock = clock

    def _check(self, message: Message) -> None:
        if not _is_address(message.destination):
            msg = "the destination is no e-mail address"
            raise DeliveryError(msg)
        subject: object = message.subject
        if subject is not None and not (
            type(subject) is str and subject.isprintable() and len(subject) <= _LONGEST_SUBJECT
        ):
            msg = "the subject is not one line of printable text"
            raise DeliveryError(msg)

    def _deliver(self, message: Message, stop: threading.Event) -> None:
        mail = self._mail(message)
        for attempt in range(_ATTEMPTS):
            if attempt and stop.wait(_PAUSE * 2**attempt):
                break
            try:
                return self._hand_over(mail, message.destination)
            except Exception as error:
                if _lasting(error) or attempt + 1 == _ATTEMPTS:
                    raise
        msg = "the sender was closed"
        raise DeliveryError(msg)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address(addr_spec=self._sender)
        mail["To"] = Address(addr_spec=message.destination)
        if message.subject is not None:
            mail["Subject"] = message.subject
        mail["Date"] = self._clock()
        # The same message has the same id, so that a mailbox shows it once; the key itself names a verification.
        mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:32]}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        if _TAG.match(message.language):
            mail["Content-Language"] = message.language
        return mail

    def _hand_over(self, mail: EmailMessage, to: str) -> None:
        kind = _Encrypted if self._implicit else _Plain
        server = kind(self._host, domain=self._domain, timeout=self._timeout, tls=self._tls)
        watch = threading.Timer(_WHOLE * self._timeout, server.cut)
        watch.daemon = True
        watch.start()
        try:
            server.connect(self._host, self._port)
            server.ehlo()
            if not self._implicit:
                server.starttls(context=self._tls)  # raises where the server does not offer it
                server.ehlo()
            if self._login is not None:
                server.login(self._login[0], self._login[1].reveal())
            server.send_message(mail, from_addr=self._sender, to_addrs=[to])
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            watch.cancel()
            server.close()


class _Cut:
    sock: socket.socket | None

    def cut(self) -> None:
        """End a connection that takes too long, from another thread."""
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


# Made before they connect, so that there is something to cut off; the name they check is then given to them here.


class _Plain(_Cut, smtplib.SMTP):
    def __init__(self, host: str, *, domain: str, timeout: float, tls: ssl.SSLContext) -> None:
        del tls
        super().__init__(local_hostname=domain, timeout=timeout)
        self._host = host


class _Encrypted(_Cut, smtplib.SMTP_SSL):
    def __init__(self, host: str, *, domain: str, timeout: float, tls: ssl.SSLContext) -> None:
        super().__init__(local_hostname=domain, timeout=timeout, context=tls)
        self._host = host


def _is_address(value: Any) -> bool:  # noqa: ANN401 - what is checked may be anything
    return type(value) is str and value.isprintable() and _ADDRESS.match(value) is not None


def _lasting(error: Exception) -> bool:
    """Whether trying again would come to the same."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return any(code >= _LASTING for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= _LASTING
    return not isinstance(error, OSError) or isinstance(
        error, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError
    )
