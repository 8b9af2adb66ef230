"""Codes, pushes and calls: what is made before a question is put, and sent after it is committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kyc_verify._flows.case import Case
from kyc_verify._flows.context import TIMEOUT, Context
from kyc_verify._flows.numbers import Numbers
from kyc_verify._flows.reaching import limits, may_reach, recipient, tainted
from kyc_verify._flows.wording import compose
from kyc_verify.checks import AppConfirmation, AskedCheck, Callback, Check, OneTimeCode
from kyc_verify.hashing import CodeContext
from kyc_verify.ports import Charge, Message, Notice
from kyc_verify.session import Code, State

__all__ = ["Outgoing", "carrier", "code_context", "is_sent", "post", "prepare", "tell"]


_REFUSALS: Final = (Notice.SEND_REFUSED, Notice.DESTINATION_BUSY, Notice.COUNTRY_BUSY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Something to hand over once it is committed.

    Attributes:
        charges: What it costs: the subject first, then the destination, then its country.
        carrier: Who carries it.
        service: Whether that is a `CodeService`.
        refused: Whether there is somebody to send it to who must not get it.
        message: Makes it; None: nothing is sent.
    """

    charges: tuple[Charge, ...]
    carrier: str
    service: bool
    refused: bool
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
    reached, to = _reaches(case, check, numbers)
    told = state.real and reached
    if isinstance(check, Callback) and told and made.code is not None:
        # What was dialled; without it nothing that the agent says is a pass.
        known = recipient(check, numbers)
        made = replace(made, code=replace(made.code, tag="" if known is None else known.fingerprint))
    message = compose(case.at(made), check, code, channel=name, to=to) if told else None
    return made, Outgoing(
        charges=(ctx.sends(case.who, check), *limits(ctx, check, to=to if told else "", subject=case.who)),
        carrier=name,
        service=service,
        refused=state.real and not told,
        message=message,
    )


def _reaches(case: Case, check: AskedCheck, numbers: Numbers) -> tuple[bool, str]:
    """Return whether a message may go out, and where to."""
    known = recipient(check, numbers)
    to = "" if known is None else known.canonical
    if isinstance(check, AppConfirmation):
        return True, to
    # Looked at again: the number may have been changed since the run opened, and the signals have spoken.
    reached = may_reach(case, check, numbers)
    return reached and known is not None and not tainted(case, known, numbers), to


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


def tell(ctx: Context, outgoing: Outgoing, granted: Sequence[bool]) -> None:
    """Tell the observer what kept a message back; nobody else is told."""
    if outgoing.refused:
        ctx.notice(Notice.SEND_REFUSED)
    for left, notice in zip(granted, _REFUSALS, strict=False):
        if not left:
            ctx.notice(notice)


async def post(ctx: Context, outgoing: Outgoing) -> str:
    """Hand over what was committed and granted; returns a service's handle, or nothing.

    A failure is told to the observer and to nobody else: the Step is as for success.
    """
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
