"""Why an `Identity` header does not count: a closed set of words, with what each says to an auditor."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kyc_verify.signals.attested import AttestationStatus

__all__ = ["REASONS", "Refusal"]

_NONE: Final = {
    "no_header": "the call carries no Identity header",
    "ppt_missing": "a PASSporT without an extension says nothing of how the caller is known",
    "ppt_unsupported": "no PASSporT is of a kind that attests a number",
    "diversion_only": "a diversion without the PASSporT of the call that was diverted",
}

_UNAVAILABLE: Final = {
    "no_clock": "there is no time to judge freshness by",
    "no_certificate": "the provider has no certificate for it now",
    "source_failed": "the provider of certificates failed",
    "replay_window_full": "the replay window holds no more tokens",
}

_FAILED: Final = {
    "malformed": "not an Identity header",
    "too_long": "longer than any genuine header",
    "too_many": "more headers than any genuine call has",
    "compact_form": "an attestation in compact form cannot be put together again: its level is not in it",
    "info_missing": "the header names no certificate",
    "info_mismatch": "the header and its PASSporT name different certificates",
    "alg_mismatch": "the header and its PASSporT name different algorithms",
    "ppt_mismatch": "the header and its PASSporT name different extensions",
    "not_base64url": "not in canonical base64url",
    "not_json": "not a JSON object",
    "duplicate_key": "one name stands twice in one object",
    "alg": "not signed with ES256",
    "typ": "not a PASSporT",
    "crit": "demands what is not understood here",
    "x5u": "names no certificate by an https address",
    "x5u_not_allowed": "names a certificate from a place that is not on the list",
    "iat": "its time is not a number",
    "stale": "made too long ago",
    "from_the_future": "made later than now",
    "orig": "does not name one telephone number as its origin",
    "orig_mismatch": "made for another caller",
    "dest": "names its destinations in no permitted form",
    "dest_mismatch": "made for another called number",
    "no_caller": "there is no number to attest",
    "no_called": "the called number is not a number",
    "attest": "its level is not A, B or C",
    "origid": "its origination identifier is not a UUID",
    "div": "does not name the number that diverted",
    "div_unlinked": "a diversion that does not belong to this call",
    "several_originals": "several attestations, of which only one can be of this call",
    "signature_form": "not a raw signature of 64 bytes",
    "signature": "the signature does not hold",
    "certificate_malformed": "the certificate cannot be read",
    "certificate_key": "the certificate's key is not on P-256",
    "certificate_use": "the certificate is not one for signing calls",
    "certificate_critical": "the certificate demands what is not understood here",
    "certificate_limits": "the certificate limits claims, which is not understood here",
    "certificate_numbers": "the certificate's list of numbers cannot be read",
    "certificate_expired": "the certificate or one above it has expired",
    "certificate_not_yet": "the certificate or one above it is not valid yet",
    "chain": "the certificate was not issued under a trusted one",
    "not_authorised": "the certificate is not one for this number",
    "replayed": "this PASSporT was used before",
}

_STATUS: Final = {
    **dict.fromkeys(_NONE, AttestationStatus.NONE),
    **dict.fromkeys(_UNAVAILABLE, AttestationStatus.UNAVAILABLE),
    **dict.fromkeys(_FAILED, AttestationStatus.FAILED),
}

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {"verified": "signed, fresh, and of this call", **_NONE, **_UNAVAILABLE, **_FAILED}
)
"""What each `Attested.reason` of `verify_identity` says to an auditor."""


class Refusal(Exception):  # noqa: N818 - what is said of a header, never leaves this package
    """An `Identity` header that does not count; the reason says with which status."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = _STATUS[reason]
