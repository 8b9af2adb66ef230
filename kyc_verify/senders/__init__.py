"""What carries codes to customers; each a `ports.Sender` that takes a message at once and delivers it by itself."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.errors import MissingExtraError

if TYPE_CHECKING:
    from kyc_verify.senders.console import ConsoleSender
    from kyc_verify.senders.smtp import SMTPSender
    from kyc_verify.senders.webhook import WebhookSender

__all__ = ["ConsoleSender", "SMTPSender", "WebhookSender"]

_HOME: Final = {"ConsoleSender": "console", "SMTPSender": "smtp", "WebhookSender": "webhook"}
_EXTRA: Final = {"webhook": "webhook"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _HOME:
        home = _HOME[name]
        try:
            return getattr(import_module(f"kyc_verify.senders.{home}"), name)
        except ModuleNotFoundError as error:
            if home not in _EXTRA or (error.name or "").startswith("kyc_verify"):
                raise
            raise MissingExtraError(_EXTRA[home], error.name or home) from error
    msg = f"module 'kyc_verify.senders' has no attribute {name!r}"
    raise AttributeError(msg)
