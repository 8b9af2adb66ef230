"""One Time Password SMS: the carrier makes the code, sends it and judges it."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from kyc_verify.ports import Message
from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.signals._http.fronts import CodeOperation
from kyc_verify.signals._http.reading import Unreadable, document, member
from kyc_verify.signals.camara._common import error_code, fits, post, refused
from kyc_verify.terms import Outcome, Secret

__all__ = ["OneTimeCodes"]

_ROOT: Final = "/one-time-password-sms/v1"
_PLACE: Final = "{{code}}"
_LONGEST_TEXT: Final = 160
_ID: Final = re.compile(r"[!-~]{1,36}\Z", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z]{4,10}\Z", re.ASCII)
_HANDLE: Final = re.compile(r"camara:([0-9a-f]{32}):(.+)\Z", re.ASCII)
_WRONG: Final = frozenset((
    (400, "ONE_TIME_PASSWORD_SMS.INVALID_OTP"),
    (400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_EXPIRED"),
    (400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_FAILED"),
    (404, "NOT_FOUND"),
))  # fmt: skip


class OneTimeCodes(CodeOperation):
    """``POST /send-code`` and ``POST /validate-code``."""

    name = "one_time_code"

    def __init__(self, base: str) -> None:
        self._place = hashlib.sha256(base.encode()).hexdigest()[:32]

    def sending(self, message: Message) -> Request | Failure:
        """Ask for a code, once: whoever asks twice sends two."""
        if not fits(message.destination):
            return Failure("was not asked: the destination is no number", sent=False)
        text = next((each for each in (message.text, message.brief) if _sendable(each)), None)
        if text is None:
            # Cut short it would lack what it is for, or whom never to tell.
            return Failure("was not asked: the message does not fit", sent=False)
        body = {"phoneNumber": message.destination, "message": text}
        return post(f"{_ROOT}/send-code", body, key=message.key, repeatable=False)

    def handle(self, reply: Reply, message: Message) -> str | Failure:
        """Bind ``authenticationId`` to the service that gave it."""
        del message
        if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
            return refused(reply)
        found = member(document(reply), "authenticationId")
        if type(found) is not str or not _ID.match(found):
            raise Unreadable
        return f"camara:{self._place}:{found}"

    def checking(self, handle: str, code: Secret) -> Request | Outcome:
        """Ask about a code, once: each time is a try."""
        bound = _HANDLE.match(handle) if type(handle) is str else None
        if bound is None or bound[1] != self._place or not _ID.match(bound[2]) or not _CODE.match(code.reveal()):
            return Outcome.FAIL
        body = {"authenticationId": bound[2], "code": code.reveal()}
        return post(f"{_ROOT}/validate-code", body, repeatable=False)

    def outcome(self, reply: Reply, handle: str) -> Outcome | Failure:
        """Only 204 is a yes; a wrong, expired or used up code is a no; everything else is neither."""
        del handle
        if reply.status == 204 and not reply.body:  # noqa: PLR2004 - the published status of a valid code
            return Outcome.PASS
        return Outcome.FAIL if (reply.status, error_code(reply)) in _WRONG else refused(reply)


def _sendable(text: object) -> bool:
    return type(text) is str and len(text) <= _LONGEST_TEXT and text.count(_PLACE) == 1
