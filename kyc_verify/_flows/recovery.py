"""Recovery codes: drawn and hashed at enrollment, compared once, and then gone."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from kyc_verify._flows.availability import own
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context
from kyc_verify._flows.enrolling import keep
from kyc_verify.answers import Forms, Refused, digits
from kyc_verify.call import Call, exact_id
from kyc_verify.checks import RecoveryCode
from kyc_verify.credentials import Credential
from kyc_verify.errors import UsageError
from kyc_verify.hashing import AnswerContext, Verified
from kyc_verify.ports import Counter
from kyc_verify.terms import Secret

__all__ = ["compared", "issue", "said", "used"]

_USED: Final = "recovery:used"
"""The kind of a credential whose code was used."""


async def issue(ctx: Context, subject: str, check_id: str, *, by: str, call: Call | str | None) -> tuple[Secret, ...]:
    """See `Enroller.issue_codes`."""
    exact_id(subject, "subject")
    exact_id(by, "by")
    called = call.id if isinstance(call, Call) else (None if call is None else exact_id(call, "call"))
    check = next((each for each in ctx.policy.checks if each.id == check_id), None)
    if not isinstance(check, RecoveryCode):
        msg = "check must be the id of a RecoveryCode of the policy"
        raise UsageError(msg)
    now = ctx.moment()
    codes: list[Secret] = []
    credentials: list[Credential] = []
    for number in range(check.codes):
        codes.append(Secret(f"{number}{secrets.randbelow(10**check.digits):0{check.digits}d}"))
        made = await ctx.runner.hash(
            ctx.hasher.enroll, _forms(codes[-1]), at=now, by=by, call=called, **_about(ctx, subject, check, number)
        )  # fmt: skip
        credentials.append(made)
    await keep(ctx, subject, credentials, (check.id,), by=by, call=called, now=now)
    return tuple(codes)


def _about(ctx: Context, subject: str, check: RecoveryCode, number: int) -> AnswerContext:
    return {
        "tenant": ctx.tenant,
        "subject": subject,
        "check": check.slot(number),
        "kind": check.kind,
        "forms_version": check.forms_version,
    }


def _forms(code: Secret) -> Forms:
    return digits.forms(code.reveal()[1:])


def said(case: Case, check: RecoveryCode, answer: Secret) -> tuple[AnswerContext, Forms | None]:
    """Return which code was read out, and its forms; None for what cannot be one: the first code's place then."""
    code = None
    try:
        code = Secret(digits.code(answer.reveal()))
    except Refused:
        code = None
    if code is None or len(code) != 1 + check.digits:
        return _about(case.ctx, case.who, check, 0), None
    return _about(case.ctx, case.who, check, int(code.reveal()[0])), _forms(code)


async def compared(
    case: Case, check: RecoveryCode, answer: Secret, *, compare: bool
) -> tuple[Verified, Credential | None]:  # fmt: skip
    """Compare a code with the one of its place; one slow hash, whatever was said and whoever it is about."""
    about, forms = said(case, check, answer)
    kept = case.subject.credentials.get(about["check"])
    usable = kept is not None and kept.kind == check.kind and compare and not own(case.ctx, kept, case.call, case.now)
    verified = await case.ctx.runner.hash(case.ctx.hasher.verify, kept if usable else None, forms, **about)
    return verified, kept


def used(case: Case, kept: Credential) -> tuple[Counter, Credential]:
    """Return what a right code uses up, and what is left of its credential: nothing to compare with.

    The counter stands at the enrollment, so that the next list's code of the same place is another one.
    """
    counter = Counter(key=case.ctx.key("used", case.who, kept.check), at=kept.enrolled_at)
    return counter, replace(kept, kind=_USED, full=bytes(32), near=None, typo=(), seal=bytes(32))
