"""KYC Match: whether what the CRM has of a customer is what the carrier has of the number's holder.

What matched is for the check's eyes: shown to an agent it would tell a caller which of their data are right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from kyc_verify.ports import SignalQuery
from kyc_verify.signals._http.exchange import Failure, Reply
from kyc_verify.signals._http.fronts import Said, not_covered
from kyc_verify.signals._http.reading import Unreadable, day, text, whole
from kyc_verify.signals.camara._common import About, error_code

__all__ = ["Attributes", "Match"]

Attributes: TypeAlias = Callable[[str], Mapping[str, object]]

_SCORED: Final = frozenset((
    "name", "givenName", "familyName", "nameKanaHankaku", "nameKanaZenkaku", "middleNames", "familyNameAtBirth",
    "address", "streetName", "streetNumber", "region", "locality", "email", "cityOfBirth",
))  # fmt: skip
_PLAIN: Final = frozenset((
    "idDocument", "idDocumentType", "idDocumentExpiryDate", "postalCode", "country", "houseNumberExtension",
    "birthdate", "gender", "countryOfBirth", "nationality",
))  # fmt: skip
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "gender": frozenset(("MALE", "FEMALE", "OTHER")),
    "idDocumentType": frozenset((
        "passport", "national_id_card", "residence_permit", "diplomatic_id", "driver_licence", "social_security_id",
        "other",
    )),
}  # fmt: skip
_DAYS: Final = frozenset(("birthdate", "idDocumentExpiryDate"))
_RESULTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "not_available": None}
_LONGEST: Final = 500
_MISMATCH: Final = (403, "KNOW_YOUR_CUSTOMER.ID_DOCUMENT_MISMATCH")


class Match(About):
    """``POST /match``."""

    name = "kyc_match"
    path = "/kyc-match/v0.4/match"

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes

    def body(self, query: SignalQuery) -> tuple[dict[str, object], object] | Failure:
        """Return the customer's attributes."""
        given: object = self._attributes(query.subject)
        found = {name: _written(name, value) for name, value in given.items()} if isinstance(given, Mapping) else None
        if found is None or None in found.values():
            return Failure("was not asked: these attributes cannot be asked about", sent=False)
        return dict(found), sorted(found)

    def read(self, reply: Reply, query: SignalQuery, about: Any) -> Said | Failure:  # noqa: ANN401 - the request's
        """A document that is not the holder's is an answer, though it comes as 403."""
        if (reply.status, error_code(reply)) == _MISMATCH:
            return {"covered": True, "match": {"idDocument": False}, "scores": {}}
        return super().read(reply, query, about)

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read each ``...Match`` and ``...MatchScore`` that was asked for."""
        match: dict[str, bool | None] = {}
        scores: dict[str, int] = {}
        for name in about:
            word = text(found, f"{name}Match", _RESULTS)
            if word is not None:
                match[name] = _RESULTS[word]
            score = whole(found, f"{name}MatchScore", 0, 99) if name in _SCORED else None
            if score is not None:
                if word != "false":  # an exact match has no score, and what is not available has none either
                    raise Unreadable
                scores[name] = score
        if not match:
            raise Unreadable
        if all(each is None for each in match.values()):
            return not_covered(query, "not_available")
        return {"covered": True, "match": match, "scores": scores}


def _written(name: object, value: object) -> str | None:
    """Return an attribute as it is sent; None for what the API does not have or would not take."""
    if name not in _SCORED | _PLAIN:
        return None
    if name in _DAYS:
        return day(value)
    if type(value) is not str or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return None
    return value if value in _WORDS.get(str(name), (value,)) else None
