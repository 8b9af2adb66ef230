"""Which checks can be asked of a subject in this run: decided once, before anything is offered.

Only facts that the caller cannot choose in this call go in: what is enrolled and configured, how long a number has
been known, what is left of the budgets. A subject that is not there is given a profile by a keyed draw, so that it
looks like any other, today and next year.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context
from kyc_verify._flows.numbers import Numbers
from kyc_verify._flows.reaching import may_reach
from kyc_verify._flows.seeds import is_there
from kyc_verify._flows.sending import carrier, is_sent
from kyc_verify.call import Call, Customer
from kyc_verify.checks import AnswerCheck, AuthenticatorCode, Check, RecoveryCode, SignalCheck
from kyc_verify.credentials import Credential
from kyc_verify.ports import Charge, Notice, Opened

__all__ = ["available_checks", "own", "watched"]

_DRAW: Final = 1 << 32


def watched(ctx: Context, subject: str) -> tuple[Charge, ...]:
    """Return the budgets to look at when a run opens."""
    found: list[Charge] = []
    for check in ctx.policy.checks:
        found += ctx.tries(subject, check)
        if is_sent(check):
            found.append(ctx.sends(subject, check))
    return tuple(found)


def own(ctx: Context, credential: Credential, call: Call, now: datetime) -> bool:
    """Whether a credential comes out of this very call, or from this agent not long ago.

    An agent who changes the answers cannot verify with them.
    """
    if credential.enrolled_call == call.id:
        return True
    return credential.enrolled_by == call.agent and now - credential.enrolled_at < ctx.policy.lifetimes.own_enrollment


def available_checks(
    case: Case,
    opened: Opened,
    customer: Customer | None,
    numbers: Numbers,
    *,
    there: bool,
    seeded: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return the ids of the checks that can be asked, in the policy's order.

    Args:
        case: The run, its policy and its subject.
        opened: What is used of the budgets.
        customer: What the CRM has.
        numbers: The customer's contacts.
        there: Whether the subject exists and has enrolled anything.
        seeded: Authenticator checks that it has a seed for.
    """
    found: list[str] = []
    for check in case.policy.checks:
        if not _configured(case, check) or not _left(case, check, opened.spent):
            continue
        if not there:
            has = _drawn(case, check)
        elif isinstance(check, AuthenticatorCode):
            has = check.id in seeded
        else:
            has = _has(case, check, customer, numbers)
        if has:
            found.append(check.id)
    return tuple(found)


def _configured(case: Case, check: Check) -> bool:
    ctx = case.ctx
    if isinstance(check, SignalCheck) and check.source is not None:
        return check.source in ctx.signals and not ctx.circuit.is_open(check.source, case.now)
    return is_there(case, check) and (not is_sent(check) or carrier(ctx, check) is not None)


def _left(case: Case, check: Check, spent: Mapping[str, int]) -> bool:
    ctx = case.ctx
    charges = ctx.tries(case.who, check) + ((ctx.sends(case.who, check),) if is_sent(check) else ())
    left = all(spent.get(charge.key, 0) < charge.limit for charge in charges)
    if not left:
        ctx.notice(Notice.BUDGET_SPENT)
    elif any(spent.get(charge.key, 0) == charge.limit - 1 and charge.limit > 1 for charge in charges):
        ctx.notice(Notice.BLOCK_IMMINENT)  # PSD2 RTS article 4(4)
    return left


def _drawn(case: Case, check: Check) -> bool:
    share = case.policy.enrolled_share.get(check.id, 1.0)
    draw = int.from_bytes(case.ctx.hasher.order_draw("profile", case.ctx.tenant, case.who, check.id)[:4], "big")
    return draw < share * _DRAW


def _has(case: Case, check: Check, customer: Customer | None, numbers: Numbers) -> bool:
    if isinstance(check, AnswerCheck):
        return _enrolled(case, check) if check.stored else customer is not None and check.id in customer.facts
    if isinstance(check, RecoveryCode):
        kept = [case.subject.credentials.get(check.slot(number)) for number in range(check.codes)]
        return any(_usable(case, each, check.kind) for each in kept)
    if not check.uses_contact:
        return True
    return may_reach(case, check, numbers)


def _enrolled(case: Case, check: AnswerCheck) -> bool:
    return _usable(case, case.subject.credentials.get(check.id), check.storage_kind())


def _usable(case: Case, credential: Credential | None, kind: str) -> bool:
    if credential is None or credential.kind != kind or own(case.ctx, credential, case.call, case.now):
        return False
    if case.ctx.hasher.has_key(credential):
        return True
    case.ctx.notice(Notice.MISSING_KEY)
    return False
