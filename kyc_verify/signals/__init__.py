"""What carriers and platforms say of a number or a call, read so that only what is clearly good counts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.errors import MissingExtraError

if TYPE_CHECKING:
    from kyc_verify.signals.camara import AsyncCamara, Camara
    from kyc_verify.signals.twilio import AsyncTwilio, Twilio

__all__ = ["AsyncCamara", "AsyncTwilio", "Camara", "Twilio"]

_HOME: Final = {
    "AsyncCamara": "camara",
    "AsyncTwilio": "twilio",
    "Camara": "camara",
    "Twilio": "twilio",
}
_EXTRA: Final = {"camara": "camara", "twilio": "twilio"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
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
