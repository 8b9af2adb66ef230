"""What carriers and platforms say of a number or a call, read so that only what is clearly good counts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.errors import MissingExtraError

if TYPE_CHECKING:
    from kyc_verify.signals import calls, verstat
    from kyc_verify.signals.attested import AttestationStatus, Attested
    from kyc_verify.signals.camara import AsyncCamara, Camara
    from kyc_verify.signals.stir import Certificates, Chain, ReplayWindow, TrustedCertificates, verify_identity
    from kyc_verify.signals.twilio import AsyncTwilio, Twilio

__all__ = [
    "AsyncCamara",
    "AsyncTwilio",
    "AttestationStatus",
    "Attested",
    "Camara",
    "Certificates",
    "Chain",
    "ReplayWindow",
    "TrustedCertificates",
    "Twilio",
    "calls",
    "verify_identity",
    "verstat",
]

_HOME: Final = {
    "AsyncCamara": "camara",
    "AsyncTwilio": "twilio",
    "AttestationStatus": "attested",
    "Attested": "attested",
    "Camara": "camara",
    "Certificates": "stir",
    "Chain": "stir",
    "ReplayWindow": "stir",
    "TrustedCertificates": "stir",
    "Twilio": "twilio",
    "verify_identity": "stir",
}
_EXTRA: Final = {"camara": "camara", "stir": "stir", "twilio": "twilio"}
_MODULES: Final = frozenset(("calls", "verstat"))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _MODULES:
        return import_module(f"kyc_verify.signals.{name}")
    if name in _HOME:
        home = _HOME[name]
        try:
            return getattr(import_module(f"kyc_verify.signals.{home}"), name)
        except ModuleNotFoundError as error:
            if home not in _EXTRA or (error.name or "").startswith("kyc_verify"):
                raise
            raise MissingExtraError(_EXTRA[home], error.name or home) from error
    msg = f"module 'kyc_verify.signals' has no attribute {name!r}"
    raise AttributeError(msg)
