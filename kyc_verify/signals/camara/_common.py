"""What all CAMARA APIs share: the number, the correlator, and what their errors mean."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from kyc_verify.ports import SignalQuery
from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.signals._http.fronts import Operation, Said, not_covered, useless
from kyc_verify.signals._http.reading import Unreadable, document, member, whole

__all__ = ["About", "correlator", "error_code", "fits", "post", "refused"]

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}\Z", re.ASCII)

_UNCOVERED: Final[Mapping[tuple[int, str], str]] = {
    (400, "OUT_OF_RANGE"): "out_of_range",
    (404, "IDENTIFIER_NOT_FOUND"): "not_found",
    (404, "NOT_FOUND"): "not_found",
    (422, "SERVICE_NOT_APPLICABLE"): "not_applicable",
}
"""The carrier does not know this number, or not for so long a time."""

_SAYABLE: Final = frozenset((
    "IDENTIFIER_NOT_FOUND", "INVALID_ARGUMENT", "INVALID_TOKEN_CONTEXT", "MISSING_IDENTIFIER", "NOT_FOUND",
    "NOT_IMPLEMENTED", "OUT_OF_RANGE", "PERMISSION_DENIED", "QUOTA_EXCEEDED", "SERVICE_NOT_APPLICABLE",
    "TOO_MANY_REQUESTS", "UNAUTHENTICATED", "UNNECESSARY_IDENTIFIER", "UNSUPPORTED_IDENTIFIER",
    "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_MISMATCH", "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_REQUIRED",
    "KNOW_YOUR_CUSTOMER.INVALID_PARAM_COMBINATION",
    "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK",
    "ONE_TIME_PASSWORD_SMS.INVALID_OTP", "ONE_TIME_PASSWORD_SMS.MAX_OTP_CODES_EXCEEDED",
    "ONE_TIME_PASSWORD_SMS.PHONE_NUMBER_BLOCKED", "ONE_TIME_PASSWORD_SMS.PHONE_NUMBER_NOT_ALLOWED",
    "ONE_TIME_PASSWORD_SMS.VERIFICATION_EXPIRED", "ONE_TIME_PASSWORD_SMS.VERIFICATION_FAILED",
))  # fmt: skip
"""The published codes: only these are ever repeated in a message of ours."""

_OURS: Final = frozenset((401, 403, 429))
"""Our token, our rights, our quota: whatever the number is."""


def correlator(key: str | None = None) -> tuple[str, str]:
    """Return the ``x-correlator`` header: random, or the same for the same message."""
    made = secrets.token_hex(16) if key is None else hashlib.sha256(key.encode()).hexdigest()
    return "x-correlator", made


def post(
    path: str, body: Mapping[str, object], *, key: str | None = None, repeatable: bool = True, about: object = None
) -> Request:
    """Return a request with a JSON body."""
    return Request(
        method="POST", path=path, body=json.dumps(body).encode(), headers=(correlator(key),), repeatable=repeatable,
        about=about,
    )  # fmt: skip


def error_code(reply: Reply) -> str:
    """Return the code of an error reply; nothing for one that is not as published.

    A gateway that says 404 of its own accord says nothing of the number: only the carrier's own code does.
    """
    try:
        found = document(reply)
        if whole(found, "status", 100, 599) != reply.status:
            return ""
        code = member(found, "code")
    except Unreadable:
        return ""
    return code if type(code) is str and code in _SAYABLE else ""


def refused(reply: Reply) -> Failure:
    """Return what to say of a reply with an unwanted status."""
    return Failure(f"answered {reply.status} {error_code(reply)}".rstrip())


def fits(number: str | None) -> bool:
    """Whether a number can be asked about: E.164, and no extension behind it."""
    return number is not None and _NUMBER.match(number) is not None


class About(Operation):
    """A question about the query's number; a subclass says which."""

    path: str

    def request(self, query: SignalQuery) -> Request | Said | Failure:
        """Ask about the number, if it is one."""
        if query.number is None or not fits(query.number):
            return not_covered(query, "no_number")
        asked = self.body(query)
        if isinstance(asked, Failure):
            return asked
        body, about = asked
        return post(self.path, {"phoneNumber": query.number} | body, about=about)

    def body(self, query: SignalQuery) -> tuple[dict[str, object], object] | Failure:
        """Return what is asked beside the number, and what the reader must know of it."""
        del query
        return {}, None

    def read(self, reply: Reply, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """Sort a reply by its status."""
        if reply.status == 200:  # noqa: PLR2004 - HTTP's OK
            return self.known(document(reply), query, about)
        code = error_code(reply)
        if (reply.status, code) in _UNCOVERED:
            return not_covered(query, _UNCOVERED[reply.status, code])
        if query.contact is None and 400 <= reply.status < 500 and reply.status not in _OURS and code:  # noqa: PLR2004
            # The caller chose the number. That it is refused is their failure, and no outage of the carrier's.
            return useless("refused")
        return refused(reply)

    def known(self, found: object, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """Return what a reply says.

        Raises:
            Unreadable: it is not what was published.
        """
        raise NotImplementedError
