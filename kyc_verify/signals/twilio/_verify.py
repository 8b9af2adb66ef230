"""Verify v2: Twilio makes the code, sends it and judges it.

Twilio sends the same code again while one is open for a number. A code must be good for one purpose alone: what turns
out to go on from before is cancelled, and a new one is begun. The customer then has two messages, of which the second
counts.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from kyc_verify.errors import ConfigurationError
from kyc_verify.ports import Message
from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.signals._http.fronts import CodeOperation
from kyc_verify.signals._http.reading import Unreadable, document, flag, member, text
from kyc_verify.signals.twilio._lookup import error_body, refused
from kyc_verify.terms import Outcome, Secret

__all__ = ["Verifications"]

_SERVICE: Final = re.compile(r"VA[0-9a-fA-F]{32}\Z", re.ASCII)
_SID: Final = re.compile(r"VE[0-9a-fA-F]{32}\Z", re.ASCII)
_HANDLE: Final = re.compile(r"twilio:(VA[0-9a-fA-F]{32}):(VE[0-9a-fA-F]{32})\Z", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z]{4,10}\Z", re.ASCII)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}\Z", re.ASCII)
_ADDRESS: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\Z")
_CHANNELS: Final = {"sms": "sms", "voice": "call", "email": "email"}
_LOCALES: Final = frozenset(("en", "fr", "es"))
"""Those of our messages' languages that Verify has: another one is answered by 404, and nothing is sent."""
_ENDED: Final = frozenset(("pending", "canceled", "max_attempts_reached", "deleted", "failed", "expired"))
_FORM: Final = "application/x-www-form-urlencoded"


class Verifications(CodeOperation):
    """``/Verifications`` and ``/VerificationCheck`` of one service."""

    name = "verify"
    own_words = True

    def __init__(self, service: str) -> None:
        if type(service) is not str or not _SERVICE.match(service):
            msg = "service must be the SID of a Verify service: VA and 32 hexadecimal digits"
            raise ConfigurationError(msg)
        self._service = service
        self._root = f"/v2/Services/{service}"

    def sending(self, message: Message) -> Request | Failure:
        """Ask for a code, once: whoever asks twice sends two."""
        channel = _CHANNELS.get(message.channel)
        wanted = _ADDRESS if channel == "email" else _NUMBER
        if channel is None or not wanted.match(message.destination):
            return Failure("was not asked: it does not go to this destination by this channel", sent=False)
        locale = {"Locale": message.language} if message.language in _LOCALES else {}
        return self._post("Verifications", {"To": message.destination, "Channel": channel} | locale)

    def handle(self, reply: Reply, message: Message) -> str | Request | Failure:
        """Bind the verification's SID to its service; only what was begun now, for this destination, is taken."""
        if reply.status != 201:  # noqa: PLR2004 - HTTP's Created
            return refused(reply)
        found = document(reply)
        sid, attempts = member(found, "sid"), member(found, "send_code_attempts")
        if type(sid) is not str or not _SID.match(sid) or member(found, "service_sid") != self._service:
            raise Unreadable
        if member(found, "to") != message.destination or text(found, "status", ("pending",)) is None:
            raise Unreadable
        if type(attempts) is not list or not attempts:
            raise Unreadable
        if len(attempts) > 1:
            return self._post(f"Verifications/{sid}", {"Status": "canceled"}, repeatable=True)
        return f"twilio:{self._service}:{sid}"

    def ended(self, reply: Reply) -> bool:
        """Whether the older verification is cancelled, or gone by now."""
        if reply.status == 404:  # noqa: PLR2004 - HTTP's Not Found
            return error_body(reply)
        return reply.status == 200 and text(document(reply), "status", _ENDED) == "canceled"  # noqa: PLR2004 - OK

    def checking(self, handle: str, code: Secret) -> Request | Outcome:
        """Ask about a code, once: each time is a try."""
        bound = _HANDLE.match(handle) if type(handle) is str else None
        if bound is None or bound[1] != self._service or not _CODE.match(code.reveal()):
            return Outcome.FAIL
        return self._post("VerificationCheck", {"VerificationSid": bound[2], "Code": code.reveal()})

    def outcome(self, reply: Reply, handle: str) -> Outcome | Failure:
        """Only ``approved`` and ``valid``, of this verification, is a yes."""
        if reply.status == 404 and error_body(reply):  # noqa: PLR2004 - used up, expired, or never there
            return Outcome.FAIL
        if reply.status not in {200, 201}:
            return refused(reply)
        found = document(reply)
        status, valid = text(found, "status", _ENDED | {"approved"}), flag(found, "valid")
        sid = f"twilio:{member(found, 'service_sid')}:{member(found, 'sid')}"
        if status is None or sid != handle or valid is not (status == "approved"):
            raise Unreadable
        return Outcome.PASS if valid else Outcome.FAIL

    def _post(self, path: str, body: dict[str, str], *, repeatable: bool = False) -> Request:
        form = urlencode(body).encode()
        return Request(method="POST", path=f"{self._root}/{path}", body=form, kind=_FORM, repeatable=repeatable)
