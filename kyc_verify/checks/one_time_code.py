"""A one-time code sent to the contact on record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Channel, Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["PLACEHOLDERS", "OneTimeCode"]

PLACEHOLDERS: Final = frozenset(("purpose", "stake", "warning", "code"))
"""What a message of one's own may have put in."""

Template = Literal["warning", "plain", "elsewhere"]

_METHODS = {
    Channel.SMS: (Method.OTP, Method.SMS),
    Channel.VOICE: (Method.OTP, Method.TEL),
    Channel.EMAIL: (Method.OTP,),
}


class OneTimeCode(AskedCheck):
    """A code that the caller reads out; three tries together, one success ever.

    Args:
        id: ``one_time_code`` unless a policy has several.
        channel: ``sms``, ``voice`` or ``email``: which `Sender` (or `CodeService`) carries it.
        template: What the message says: ``warning`` (the shipped one, which says whom never to tell), ``plain``, or
            ``elsewhere`` for wording of a provider's or your own. It decides what a code by text message is worth
            against a phisher.
        messages: Your own message, by language, with ``$purpose`` and ``$code``, and where they belong ``$stake``
            (amount and payee, if there are any) and ``$warning`` (the shipped sentences on whom never to tell). On
            the telephone the digits of ``$code`` are spoken one by one: say it twice.
        digits: At least 6 (NIST SP 800-63B-4 section 3.1.3.2).

    Security:
        Only the contact on record is used, only when it is older than the policy's cool-off and not shared. What is
        stored is a keyed tag bound to session, action, amount and payee.
    """

    factor = Factor.POSSESSION
    entry = Entry.DIGITS
    tries = 3
    uses_contact = True
    channel: Channel = Channel.SMS
    template: Template = "warning"
    messages: Mapping[str, str] = MappingProxyType({})
    digits: int = 6

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        channel: Channel | str = Channel.SMS,
        template: Template = "warning",
        messages: Mapping[str, str] | None = None,
        digits: int = 6,
        likelihoods: Likelihoods | None = None,
        seconds: int | None = None,
    ) -> None:
        known = channel if isinstance(channel, Channel) else next((c for c in Channel if c.value == channel), channel)
        texts: object = dict(messages) if isinstance(messages, Mapping) else messages
        super().__init__(
            id, channel=known, template=template, messages=texts, digits=digits, likelihoods=likelihoods,
            seconds=seconds,
        )  # fmt: skip
        code = f"one_time_code.{known}"
        object.__setattr__(self, "row", f"{code}.{template}" if known is Channel.SMS else code)
        object.__setattr__(self, "asset", "mailbox" if known is Channel.EMAIL else "sim")
        methods = _METHODS.get(known) if isinstance(known, Channel) else None
        object.__setattr__(self, "methods", methods or (Method.OTP,))

    def parameters(self) -> dict[str, object]:
        """What `__init__` takes."""
        derived = ("row", "asset", "methods")
        return {name: value for name, value in super().parameters().items() if name not in derived}

    def prompt_key(self) -> str:
        """Name the shipped text of the channel."""
        return f"one_time_code.{self.channel}"
