"""Codes, pushes and calls: what is made before a question is put, and sent after it is committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from kyc_verify import prompts
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import TIMEOUT, Context
from kyc_verify._flows.numbers import Known, Numbers
from kyc_verify.call import Stake
from kyc_verify.checks import AppConfirmation, AskedCheck, Callback, Check, OneTimeCode
from kyc_verify.hashing import CodeContext
from kyc_verify.ports import Charge, Message, Notice
from kyc_verify.session import Code, State
from kyc_verify.terms import Channel, Secret

__all__ = ["Outgoing", "carrier", "code_context", "is_sent", "post", "prepare", "recipient", "trusted"]


_PLACE: Final = "{{code}}"
"""Where a provider that makes its own codes puts them: CAMARA One Time Password SMS 1.1.1, ``message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Something to hand over once it is committed; `charge` must have been granted."""

    charge: Charge
    carrier: str
    service: bool
    message: Callable[[], Message] | None


def is_sent(check: Check) -> bool:
    """Whether putting this question sends something to the customer."""
    return isinstance(check, OneTimeCode | AppConfirmation | Callback)


def carrier(ctx: Context, check: Check) -> tuple[str, bool] | None:
    """Return what carries a check's message, and whether it is a `CodeService`; None when nothing is configured."""
    if isinstance(check, AppConfirmation):
        return (check.service, True) if check.service in ctx.services else None
    if isinstance(check, Callback):
        return ("callback", False) if "callback" in ctx.senders else None
    if isinstance(check, OneTimeCode):
        channel = check.channel.value
        if channel in ctx.services:
            return channel, True
        return (channel, False) if channel in ctx.senders else None
    return None


def recipient(check: Check, numbers: Numbers) -> Known | None:
    """Return the contact on record that a check uses; never the presented number."""
    if isinstance(check, OneTimeCode):
        return numbers.of(check.channel)
    return numbers.of(Channel.VOICE) if isinstance(check, Callback) else numbers.main


def trusted(case: Case, check: Check, known: Known | None) -> bool:
    """Whether a contact gives a check credit: known for the policy's cool-off, and for as long as the check wants."""
    return known is not None and known.trusted(case.now, max(check.least_age, case.policy.lifetimes.cool_off))


def prepare(case: Case, numbers: Numbers) -> tuple[State, Outgoing | None]:
    """Make what the open question sends, if it sends anything and nothing was made for it yet.

    The state then holds a keyed tag; the code itself is only in the message, which only the sender sees.
    """
    ctx, state, question = case.ctx, case.state, case.state.question
    if question is None or state.code is not None:
        return state, None
    check = case.policy.layer(question.check)
    by = carrier(ctx, check)
    if by is None or not isinstance(check, AskedCheck):
        return state, None
    name, service = by
    made = replace(state, sends=state.sends + 1)
    code, tag = None, ""
    if isinstance(check, OneTimeCode) and not service:
        code = ctx.hasher.new_code(check.digits)
        tag = ctx.hasher.code_tag(code, **code_context(case.at(made), check, send=made.sends))
    made = replace(made, code=Code(tag=tag, number=made.sends, sent_at=case.now, bound=made.bound))
    known = recipient(check, numbers) if state.real else None
    # A number that was changed since the run opened receives nothing.
    told = state.real and (trusted(case, check, known) or isinstance(check, AppConfirmation))
    to = "" if known is None else known.canonical
    if isinstance(check, Callback) and told and known is not None and made.code is not None:
        # What was dialled; without it nothing that the agent says is a pass.
        made = replace(made, code=replace(made.code, tag=known.fingerprint))
    message = _message(case.at(made), check, code, channel=name, to=to) if told else None
    return made, Outgoing(charge=ctx.sends(case.who, check), carrier=name, service=service, message=message)


def code_context(case: Case, check: AskedCheck, *, send: int) -> CodeContext:
    """Return all that a code is good for, and nothing else."""
    stake = case.state.stake
    return {
        "tenant": case.ctx.tenant,
        "subject": case.who,
        "check": check.id,
        "session": case.stored.id,
        "send": send,
        "purpose": case.state.action,
        "stake": "" if stake is None else stake.text(),
    }


def _message(case: Case, check: AskedCheck, code: Secret | None, *, channel: str, to: str) -> Callable[[], Message]:
    state = case.state
    lang = prompts.language(*state.languages, case.policy.language)
    texts = case.policy.actions[state.action].purpose
    purpose = prompts.pick(texts, *state.languages, case.policy.language) if texts else state.action.replace("_", " ")
    key = f"{case.stored.id}.{state.sends}"

    def build() -> Message:
        # No local variable ever holds the text: a traceback that shows locals would show the code.
        return Message(
            channel=channel, destination=to, language=lang, key=key, text=_text(check, lang, purpose, state.stake, code)
        )

    return build


def _text(check: AskedCheck, lang: str, purpose: str, stake: Stake | None, code: Secret | None) -> str:
    said = ""
    if stake is not None:
        said = prompts.text(
            "message.code.stake", lang, amount=f"{stake.amount:f}", currency=stake.currency, payee=stake.payee or "-"
        )
    if isinstance(check, OneTimeCode):
        template = "plain" if check.template == "plain" else "warning"
        return prompts.text(
            f"message.code.{template}",
            lang,
            purpose=purpose,
            stake=said,
            code=_PLACE if code is None else code.reveal(),
        )
    return prompts.text("message.push", lang, purpose=purpose, stake=said)


async def post(ctx: Context, outgoing: Outgoing, *, granted: bool) -> str:
    """Hand over what was committed; returns a service's handle, or nothing.

    A failure is told to the observer and to nobody else: the Step is as for success.
    """
    if not granted:
        ctx.notice(Notice.SEND_REFUSED)
        return ""
    if outgoing.message is None:
        return ""
    port = (ctx.services if outgoing.service else ctx.senders)[outgoing.carrier]
    try:
        found = await ctx.runner.outside(port.send, outgoing.message(), timeout=TIMEOUT)
    except Exception:  # noqa: BLE001 - whatever a gateway raises may quote the code
        ctx.notice(Notice.DELIVERY_FAILED)
        return ""
    if not outgoing.service:
        return ""
    if type(found) is not str or not found or len(found) > 500:  # noqa: PLR2004 - no handle is that long
        ctx.notice(Notice.DELIVERY_FAILED)
        return ""
    return found
