"""Number Verification: whether the customer's device is on the line, as its own network sees it.

It needs a three-legged token: one that the device itself fetched over mobile data, in the customer's app or browser.
The voice call does not give one.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from kyc_verify.ports import SignalQuery
from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.signals._http.fronts import Said, useless
from kyc_verify.signals._http.reading import Unreadable, flag, member
from kyc_verify.signals.camara._common import About, correlator, error_code, fits, post

__all__ = ["DeviceNumber", "DeviceToken", "Verification"]

DeviceToken: TypeAlias = Callable[[SignalQuery], Any]

_ROOT: Final = "/number-verification/v2"
_OF_TOKEN: Final = frozenset((400, 401, 403, 404, 422))
_ELSEWHERE: Final = (403, "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK")


class _OfDevice(About):
    """A question whose token stands for the device."""

    name = "number_verification"

    def __init__(self, token: DeviceToken) -> None:
        self._token = token

    def secret(self, query: SignalQuery) -> Callable[[], Any]:
        """Return what gives the device's own token."""
        return partial(self._token, query)

    def request(self, query: SignalQuery) -> Request | Said | Failure:
        """Ask about the number on record, if there is one to compare with."""
        if query.number is None or not fits(query.number):
            return useless("no_number")
        return self.asking(query.number)

    @abstractmethod
    def asking(self, number: str) -> Request:
        """Return the request."""

    def without_token(self) -> Said:
        """Whether there is a device with a token is the caller's doing."""
        return useless("no_token")

    def read(self, reply: Reply, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """The token is the caller's: that it is not taken is their failure, and no outage of the carrier's."""
        code = error_code(reply)
        if (reply.status, code) == _ELSEWHERE:
            return useless("not_on_mobile_network")
        if reply.status in _OF_TOKEN and code:
            return useless("refused")
        return super().read(reply, query, about)


class Verification(_OfDevice):
    """``POST /verify``, with the number or its SHA-256."""

    path = f"{_ROOT}/verify"

    def __init__(self, token: DeviceToken, *, hashed: bool) -> None:
        super().__init__(token)
        self._hashed = hashed

    def asking(self, number: str) -> Request:
        """Send the number or, of the number with its plus sign, the hash."""
        if self._hashed:
            return post(self.path, {"hashedPhoneNumber": hashlib.sha256(number.encode()).hexdigest()})
        return post(self.path, {"phoneNumber": number})

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read ``devicePhoneNumberVerified``."""
        del query, about
        return {"covered": True, "verified": flag(found, "devicePhoneNumberVerified")}


class DeviceNumber(_OfDevice):
    """``GET /device-phone-number``, compared here."""

    path = f"{_ROOT}/device-phone-number"

    def asking(self, number: str) -> Request:
        """Ask which number it is."""
        del number
        return Request(method="GET", path=self.path, headers=(correlator(),))

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Compare ``devicePhoneNumber`` with the number on record."""
        del about
        number = member(found, "devicePhoneNumber")
        if type(number) is not str or not fits(number):
            raise Unreadable
        same = hmac.compare_digest(number.encode(), (query.number or "").encode())
        return {"covered": True, "verified": same}
