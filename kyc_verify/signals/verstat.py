"""What telephony platforms say of a call's attestation, read word for word.

A platform that verified the `Identity` header itself says so in a word of its own. Each word counts exactly as it is
documented: another case, a space, two values in one or a word of next year is unknown, and the unknown never helps. The
words and where they are documented stand in ``data/verstat.json``.

The word is worth what brought it: read it only from a request whose signature was verified, or from a SIP peer that is
trusted to strip what others wrote. `kyc_verify.signals.calls` does both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from kyc_verify.signals.attested import LEVELS, AttestationStatus, Attested

__all__ = [
    "MAPS",
    "REASONS",
    "asterisk",
    "bandwidth",
    "freeswitch",
    "plivo",
    "sip",
    "telnyx",
    "telnyx_webhook",
    "twilio",
]

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "verified": "the platform verified it",
        "validation_failed": "the platform found that it does not hold",
        "no_header": "the call carries no attestation",
        "no_validation": "the platform has not validated it",
        "not_verified": "less than a full attestation, or one that does not hold: the platform does not say which",
        "level_not_given": "validated, but at which level is not said",
        "unknown_value": "the platform does not document this value",
    }
)
"""What each `Attested.reason` of this module says to an auditor."""

_NO_HEADER: Final = Attested(status=AttestationStatus.NONE, reason="no_header")
_NO_LEVEL: Final = Attested(status=AttestationStatus.NONE, reason="level_not_given")
_UNKNOWN: Final = Attested(status=AttestationStatus.UNKNOWN, reason="unknown_value")
_FAILED: Final = Attested(status=AttestationStatus.FAILED, reason="validation_failed")
_LEVELS: Final = {level.value: Attested(status=level, reason="verified") for level in LEVELS}
_YES: Final = (True, "true")
_NO: Final = (False, "false")


def _loaded() -> Mapping[str, Mapping[str, Attested]]:
    shipped = json.loads((files("kyc_verify") / "data" / "verstat.json").read_bytes())
    values: dict[str, dict[str, dict[str, Any]]] = shipped["values"]
    return MappingProxyType(
        {
            provider: MappingProxyType(
                {
                    word: Attested(
                        status=AttestationStatus(row["status"]),
                        reason=row["reason"],
                        diverted=row.get("diverted", False),
                    )
                    for word, row in words.items()
                }
            )
            for provider, words in values.items()
        }
    )


MAPS: Final = _loaded()
"""What each provider's words mean, by provider and word."""


def _word(provider: str, value: object) -> Attested:
    if value is None:
        return _NO_HEADER
    return MAPS[provider].get(value, _UNKNOWN) if type(value) is str else _UNKNOWN


def _with_level(provider: str, value: object, level: object) -> Attested:
    """A word that says whether, and a letter beside it that says how well."""
    found = _word(provider, value)
    if found != _NO_LEVEL or level is None:
        return found
    return _LEVELS.get(level, _UNKNOWN) if type(level) is str else _UNKNOWN


def twilio(value: object) -> Attested:
    """Read ``StirVerstat`` of a voice webhook, or the SIP header ``X-Twilio-VerStat``; None where there is none."""
    return _word("twilio", value)


def telnyx(value: object) -> Attested:
    """Read ``verstat`` of the ``P-Asserted-Identity`` that Telnyx sends: without a letter it means A."""
    return _word("telnyx", value)


def telnyx_webhook(attestation: object, validated: object) -> Attested:
    """Read ``ShakenStirAttestation`` and ``ShakenStirValidated``: what did not validate has no level."""
    if attestation is None and validated is None:
        return _NO_HEADER
    if type(validated) in (bool, str) and validated in _NO:
        return _FAILED
    if type(validated) not in (bool, str) or validated not in _YES or type(attestation) is not str:
        return _UNKNOWN
    return _LEVELS.get(attestation, _UNKNOWN)


def bandwidth(value: object, attestation: object) -> Attested:
    """Read ``stirShaken.verstat`` and ``stirShaken.attestationIndicator``: neither says anything alone."""
    return _with_level("bandwidth", value, attestation)


def plivo(value: object) -> Attested:
    """Read ``X-Plivo-Stir-Verification`` or ``STIRVerification``, which gives no level: it never counts fully."""
    return _word("plivo", value)


def sip(value: object, attestation: object) -> Attested:
    """Read ``verstat`` of 3GPP TS 24.229 with the level of ``P-Attestation-Indicator`` or ``Attestation-Info``."""
    return _with_level("sip", value, attestation)


def freeswitch(value: object) -> Attested:
    """Read the channel variable ``sip_verstat_detailed`` that FreeSWITCH sets when it has verified."""
    return _word("freeswitch", value)


def asterisk(verify_result: object, attestation: object) -> Attested:
    """Read what Asterisk's function ``STIR_SHAKEN`` says of one identity."""
    return _with_level("asterisk", verify_result, attestation)
