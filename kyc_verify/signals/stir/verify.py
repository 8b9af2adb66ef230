"""Whether the `Identity` headers of a call vouch for its number.

What must hold, and in this order, so that the first thing wrong is the reason: the form of each token (`passport`);
one attestation among them, fresh, of this caller and with a level (`claims`); a chain of diversions from the number
it was made for to the one that was called; for every token a certificate that the host's provider has, valid now and
for that number (`certificates`, `chain`), and a signature by its key; and that none was used before (`replay`).

Every token that is presented must hold, or be of a kind that says nothing of numbers: a header that fails is not
outweighed by one beside it that passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from kyc_verify.call import aware
from kyc_verify.errors import UsageError
from kyc_verify.signals.attested import LEVELS, Attested
from kyc_verify.signals.stir import claims, passport
from kyc_verify.signals.stir.certificates import Provider, lookup
from kyc_verify.signals.stir.claims import FRESH, Claims
from kyc_verify.signals.stir.header import identities
from kyc_verify.signals.stir.passport import DIVERTS, SHAKEN, Passport
from kyc_verify.signals.stir.reasons import Refusal
from kyc_verify.signals.stir.replay import ReplayWindow

__all__ = ["FRESH", "verify_identity"]

# The only algorithm there is: what a token says of it is compared, never looked up (RFC 8225 section 8).
# The digest is made apart because `hashlib` is quicker at it.
_ES256: Final = ECDSA(Prehashed(SHA256()))
_HALF: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_RESULTS: Final = {
    (level, diverted): Attested(status=level, reason="verified", diverted=diverted)
    for level in LEVELS
    for diverted in (False, True)
}


def verify_identity(
    header: str | bytes | Sequence[str | bytes] | None,
    *,
    caller: str | None,
    called: str | None,
    now: datetime | float | None,
    certificates: Provider | None,
    region: str | None = None,
    replay: ReplayWindow | None = None,
) -> Attested:
    """Check the `Identity` headers of one call.

    Verify once, when the call arrives, and keep the result: a minute later every header is stale.

    Args:
        header: The value of the header, or several; a bare PASSporT is taken too. None: the call has none.
        caller: The presented number, in international form.
        called: The number that was called, likewise.
        now: When the call arrived: aware, or seconds since 1970 as a SIP stack has them. None: nobody knows.
        certificates: A provider (`TrustedCertificates`), a mapping from addresses, or a function of the address. What
            comes from the latter two without a `Chain` is taken at the host's word.
        region: Where a national number is at home, as in ``FR``.
        replay: What was seen before; without it a token can be used again while it is fresh.

    Returns:
        The status, a stable reason for the auditor (a key of `REASONS`) and the `attestation` that `Call` takes.

    Raises:
        UsageError: `now` is naive, or `certificates` is not a provider.

    Security:
        Nothing is fetched. An address that a token names is looked at only after the host's provider has said that it
        is on its list. Give a function that downloads to `TrustedCertificates`, never here: it would trust whatever
        the caller has published.
    """
    try:
        moment = _moment(now)
        passports = [passport.read(identity) for identity in identities(header)]
        route = _route(passports, caller, called, region)
        for token in route:
            claims.fresh_until(token.claims, moment)
            _signed(token, moment, certificates)
        if replay is not None:
            for token in route:
                _first_time(replay, token, moment)
    except Refusal as refusal:
        return Attested(status=refusal.status, reason=refusal.reason)
    return _RESULTS[route[0].claims.level, len(route) > 1]


def _moment(now: object) -> int:
    """Return a moment in microseconds since 1970: exact, where a fraction of a second would be rounded."""
    if isinstance(now, datetime):
        try:
            return (now - _EPOCH) // _MICROSECOND
        except TypeError:
            aware(now, "now")
    if now is None or (type(now) is float and not math.isfinite(now * _SECOND)):
        raise Refusal("no_clock")
    if not isinstance(now, int | float) or type(now) is bool:
        msg = "now must be an aware datetime or seconds since 1970"
        raise UsageError(msg)
    return round(now * _SECOND)


def _route(passports: Sequence[Passport], caller: object, called: object, region: str | None) -> list[Passport]:
    """Return the attestation of this call, and the diversions from the number it was made for to the one called."""
    original = passports[0]
    if len(passports) > 1 or original.ppt != SHAKEN:
        original = _original(passports)
    if type(caller) is not str or not caller:
        raise Refusal("no_caller")
    if type(called) is not str or not called:
        raise Refusal("no_called")
    route = [original]
    # Most numbers are written the same on both sides, which is seen at once.
    if len(passports) > 1 or (called not in original.claims.dest and not _reaches(original.claims, called, region)):
        route += _diversions(original.claims, passports, called, region)
    for token in route:
        if token.claims.orig != caller and not claims.matches(token.claims.orig, caller, region=region):
            raise Refusal("orig_mismatch")
    return route


def _original(passports: Sequence[Passport]) -> Passport:
    """Return the one attestation among the tokens."""
    kinds = [token.ppt for token in passports]
    if kinds.count(SHAKEN) == 1:
        return passports[kinds.index(SHAKEN)]
    if SHAKEN in kinds:
        raise Refusal("several_originals")
    if DIVERTS in kinds:
        raise Refusal("diversion_only")
    raise Refusal("ppt_missing" if None in kinds else "ppt_unsupported")


def _reaches(said: Claims, called: str, region: str | None) -> bool:
    for number in said.dest:  # noqa: SIM110 - a generator costs more than what it is for
        if claims.matches(number, called, region=region):
            return True
    return False


def _diversions(said: Claims, passports: Sequence[Passport], called: str, region: str | None) -> list[Passport]:
    left = [token for token in passports if token.ppt == DIVERTS]
    route: list[Passport] = []
    while not _reaches(said, called, region):
        step = next((token for token in left if _reaches(said, token.claims.signer, None)), None)
        if step is None:
            raise Refusal("div_unlinked" if left else "dest_mismatch")
        left.remove(step)
        route.append(step)
        said = step.claims
    if left:
        raise Refusal("div_unlinked")
    return route


def _signed(token: Passport, now: int, certificates: Provider | None) -> None:
    found = lookup(certificates, token.x5u)
    if now < found.since:
        raise Refusal("certificate_not_yet")
    if now > found.until:
        raise Refusal("certificate_expired")
    r, s = int.from_bytes(token.signature[:_HALF]), int.from_bytes(token.signature[_HALF:])
    try:
        # A JWS has the raw numbers (RFC 7518 section 3.4), OpenSSL wants them in DER.
        found.key.verify(encode_dss_signature(r, s), sha256(token.signed).digest(), _ES256)
    except InvalidSignature:
        raise Refusal("signature") from None
    for authority in found.authorities:
        if not authority.covers(token.claims.signer[1:]):
            raise Refusal("not_authorised")


def _first_time(replay: ReplayWindow, token: Passport, now: int) -> None:
    until = claims.fresh_until(token.claims, now)
    first = replay.claim(sha256(token.signed).digest(), until=until, now=now)
    if first is None:
        raise Refusal("replay_window_full")
    if not first:
        raise Refusal("replayed")
