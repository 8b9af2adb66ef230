"""What a message says: put together in the moment it is handed over, so that nothing holds the code before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from kyc_verify import prompts
from kyc_verify._flows.case import Case
from kyc_verify.call import Stake
from kyc_verify.checks import AskedCheck, OneTimeCode
from kyc_verify.ports import Message
from kyc_verify.terms import Channel, Secret

__all__ = ["compose"]

_PLACE: Final = "{{code}}"
"""Where a provider that makes its own codes puts them: CAMARA One Time Password SMS 1.1.1, ``message``."""
_PAUSES: Final = {"fa": "، "}
_PAUSE: Final = ", "


def compose(case: Case, check: AskedCheck, code: Secret | None, *, channel: str, to: str) -> Callable[[], Message]:
    """Return what makes the message; what it makes is never kept in a variable.

    Args:
        case: The run, as it will be committed.
        check: What is asked.
        code: To be read out; None when a provider makes it, which puts it in its place, or there is none.
        channel: Name of what carries it.
        to: The number or address.
    """
    state = case.state
    wanted = (*state.languages, case.policy.language)
    own: Mapping[str, str] = check.messages if isinstance(check, OneTimeCode) else {}
    lang = prompts.pick({locale: locale for locale in own}, *wanted) if own else prompts.language(*wanted)
    texts = case.policy.actions[state.action].purpose
    purpose = prompts.pick(texts, lang, *wanted) if texts else state.action.replace("_", " ")
    key = f"{case.stored.id}.{state.sends}"
    subject = None
    if isinstance(check, OneTimeCode) and check.channel is Channel.EMAIL:
        subject = prompts.text("message.code.email.subject", prompts.language(lang, *wanted), purpose=purpose)

    brief = None
    if isinstance(check, OneTimeCode) and code is None:
        # A provider puts its code in later: there is nothing to hide yet.
        shipped = prompts.language(lang, *wanted)
        said = _stake(state.stake, shipped)
        brief = prompts.text("message.code.brief", shipped, purpose=purpose, stake=said, code=_PLACE)

    def build() -> Message:
        # No local variable ever holds the text: a traceback that shows locals would show the code.
        return Message(
            channel=channel,
            destination=to,
            language=lang,
            key=key,
            subject=subject,
            brief=brief,
            text=_text(check, lang, prompts.language(lang, *wanted), purpose, state.stake, code),
        )

    return build


def _text(check: AskedCheck, locale: str, lang: str, purpose: str, stake: Stake | None, code: Secret | None) -> str:
    said = _stake(stake, lang)
    if not isinstance(check, OneTimeCode):
        return prompts.text("message.push", lang, purpose=purpose, stake=said)
    warning = prompts.text("message.code.never", lang)
    spoken = check.channel is Channel.VOICE
    if check.messages:
        return prompts.fill(
            check.messages[locale],
            purpose=purpose, stake=said, warning=warning, code=_digits(code, lang, spoken=spoken),
        )  # fmt: skip
    return prompts.text(
        f"message.code.{_shipped(check)}", lang,
        purpose=purpose, stake=said, warning=warning, code=_digits(code, lang, spoken=spoken),
    )  # fmt: skip


def _stake(stake: Stake | None, lang: str) -> str:
    if stake is None:
        return ""
    amount = f"{stake.amount:f}"
    return prompts.text(
        "message.code.stake", lang, amount=amount, currency=stake.currency, payee=stake.payee or "-"
    )  # fmt: skip


def _shipped(check: OneTimeCode) -> str:
    if check.channel is not Channel.SMS:
        return check.channel.value
    return "plain" if check.template == "plain" else "warning"


def _digits(code: Secret | None, lang: str, *, spoken: bool) -> str:
    """Return the code; for the ear, one digit at a time: as one number nobody could write it down."""
    if code is None:
        return _PLACE
    return _PAUSES.get(lang, _PAUSE).join(code.reveal()) if spoken else code.reveal()
