"""Lookup v2: one package of fields a question, and only what is asked is read."""

from __future__ import annotations

import hmac
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

from kyc_verify.ports import SignalQuery
from kyc_verify.signals._http.exchange import Failure, Reply, Request
from kyc_verify.signals._http.fronts import Operation, Said, not_covered, useless
from kyc_verify.signals._http.reading import Unreadable, day, document, flag, instant, member, text, whole

__all__ = ["Attributes", "Forwarding", "IdentityMatch", "LineType", "SimSwap", "refused"]

Attributes: TypeAlias = Callable[[str], Mapping[str, object]]

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}\Z", re.ASCII)
_PERIOD: Final = re.compile(r"P(?:(\d{1,4})D)?(?:T(\d{1,5})H)?\Z", re.ASCII)
_WEEK: Final = 7 * 24
_OURS: Final = frozenset((401, 403, 429))

_TYPES: Final = frozenset((
    "landline", "mobile", "fixedVoip", "nonFixedVoip", "personal", "tollFree", "premium", "sharedCost", "uan",
    "voicemail", "pager", "unknown",
))  # fmt: skip

_ASKED: Final[Mapping[str, str]] = {
    "FirstName": "first_name", "LastName": "last_name", "AddressLine1": "address_lines",
    "AddressLine2": "address_lines", "City": "city", "State": "state", "PostalCode": "postal_code",
    "AddressCountryCode": "address_country", "NationalId": "national_id", "DateOfBirth": "date_of_birth",
}  # fmt: skip
"""What may be compared, and by which part of ``identity_match`` it is answered."""

_MATCHES: Final = frozenset(("exact_match", "high_partial_match", "partial_match", "no_match", "no_data_available"))
_LONGEST: Final = 500


def error_body(reply: Reply) -> bool:
    """Whether an error reply is Twilio's own, not a gateway's."""
    try:
        found = document(reply)
        return whole(found, "status", 100, 599) == reply.status and type(member(found, "code")) is int
    except Unreadable:
        return False


def refused(reply: Reply) -> Failure:
    """Return what to say of a reply with an unwanted status."""
    return Failure(f"answered {reply.status}")


class _Package(Operation):
    """One package of Lookup; a subclass says which."""

    name: str

    def request(self, query: SignalQuery) -> Request | Said | Failure:
        """Ask about the number, if it is one. The number is in the path: nothing logs it."""
        if query.number is None or not _NUMBER.match(query.number):
            return not_covered(query, "no_number")
        asked = self.parameters(query)
        if isinstance(asked, Failure):
            return asked
        path = f"/v2/PhoneNumbers/{quote(query.number, safe='')}?{urlencode({'Fields': self.name} | asked)}"
        return Request(method="GET", path=path, about=(query.number, frozenset(asked)))

    def parameters(self, query: SignalQuery) -> dict[str, str] | Failure:
        """Return what is asked beside the number."""
        del query
        return {}

    def read(self, reply: Reply, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """Sort a reply by its status, and see that it is of this number."""
        if reply.status == 404 and error_body(reply):  # noqa: PLR2004 - HTTP's Not Found
            return not_covered(query, "not_found")
        if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
            theirs = 400 <= reply.status < 500 and reply.status not in _OURS  # noqa: PLR2004 - HTTP's client errors
            # The caller chose the number. That it is refused is their failure, and no outage of Twilio's.
            return useless("refused") if query.contact is None and theirs and error_body(reply) else refused(reply)
        found, (number, asked) = document(reply), about
        echoed = member(found, "phone_number")
        if type(echoed) is not str or not hmac.compare_digest(echoed.encode("utf-8", "replace"), number.encode()):
            raise Unreadable
        if not flag(found, "valid"):
            return not_covered(query, "not_valid")
        package = member(found, self.name)
        if package is None or _code(package) is not None:
            return not_covered(query, "not_available")
        return self.known(package, query, asked)

    @abstractmethod
    def known(self, found: object, query: SignalQuery, asked: frozenset[str]) -> Said:
        """Return what the package says.

        Raises:
            Unreadable: it is not what was published.
        """


def _code(package: object) -> object:
    """Return a package's error: the carrier does not say, or is not asked for us."""
    code = member(package, "error_code")
    if code is not None and type(code) is not int:
        raise Unreadable
    return code


class SimSwap(_Package):
    """``sim_swap``: a date where the carrier gives one, else a yes or no for the period of the account."""

    name = "sim_swap"

    def known(self, found: object, query: SignalQuery, asked: frozenset[str]) -> Said:
        """Read ``last_sim_swap``. A no for less than the check's window is no answer; a yes always is one."""
        del asked
        last = member(found, "last_sim_swap")
        if last is None:
            return not_covered(query, "not_available")
        at, hours = instant(last, "last_sim_swap_date"), _hours(member(last, "swapped_period"))
        swapped = None if member(last, "swapped_in_period") is None else flag(last, "swapped_in_period")
        if swapped:
            return {"covered": True, "swapped": True}
        if at is not None:
            return {"covered": True, "changed_at": at}
        if swapped is False and hours is not None and hours >= _WEEK:
            return {"covered": True, "swapped": False}
        return not_covered(query, "period_too_short")


def _hours(period: object) -> int | None:
    """Return the hours of an ISO 8601 duration such as ``PT48H`` or ``P7D``; None when there is none."""
    if period is None:
        return None
    found = _PERIOD.match(period) if type(period) is str else None
    if found is None or found.group(1, 2) == (None, None):
        raise Unreadable
    return 24 * int(found[1] or 0) + int(found[2] or 0)


class Forwarding(_Package):
    """``call_forwarding``: whether all calls go elsewhere."""

    name = "call_forwarding"

    def known(self, found: object, query: SignalQuery, asked: frozenset[str]) -> Said:
        """Read ``call_forwarding_enabled``."""
        del asked
        if member(found, "call_forwarding_enabled") is None:
            return not_covered(query, "not_available")
        return {"covered": True, "forwarded": flag(found, "call_forwarding_enabled")}


class LineType(_Package):
    """``line_type_intelligence``: what kind of line it is."""

    name = "line_type_intelligence"

    def known(self, found: object, query: SignalQuery, asked: frozenset[str]) -> Said:
        """Read ``type``; ``unknown`` is not a kind."""
        del asked
        kind = text(found, "type", _TYPES)
        return not_covered(query, "not_available") if kind in {None, "unknown"} else {"covered": True, "type": kind}


class IdentityMatch(_Package):
    """``identity_match``: whether what the CRM has of a customer is what authoritative records have."""

    name = "identity_match"

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes

    def parameters(self, query: SignalQuery) -> dict[str, str] | Failure:
        """Return the customer's attributes."""
        given: object = self._attributes(query.subject)
        found = {name: _written(name, value) for name, value in given.items()} if isinstance(given, Mapping) else None
        if found is None or None in found.values():
            return Failure("was not asked: these attributes cannot be asked about", sent=False)
        return {name: value for name, value in found.items() if value is not None}

    def known(self, found: object, query: SignalQuery, asked: frozenset[str]) -> Said:
        """Read the ``..._match`` of what was asked, and ``summary_score``."""
        match: dict[str, str | None] = {}
        for part in sorted({_ASKED[name] for name in asked}):
            word = text(found, f"{part}_match", _MATCHES)
            match[part] = None if word == "no_data_available" else word
        score = whole(found, "summary_score", 0, 100)
        if not any(match.values()):
            return not_covered(query, "not_available")
        return {"covered": True, "match": match, "score": score}


def _written(name: object, value: object) -> str | None:
    """Return an attribute as it is sent; None for what Lookup does not have or would not take."""
    if name == "DateOfBirth":
        read = day(value)
        return None if read is None else read.replace("-", "")
    if name not in _ASKED or type(value) is not str or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return None
    return value
