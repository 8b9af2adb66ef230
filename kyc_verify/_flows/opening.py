"""Opening a run: who it is about, what can be asked, what the signals say, and the first question."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from kyc_verify import plan
from kyc_verify._flows.asking import policy_for
from kyc_verify._flows.availability import available_checks, watched
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context
from kyc_verify._flows.gathering import gather
from kyc_verify._flows.numbers import Numbers
from kyc_verify._flows.replies import now_step
from kyc_verify._flows.seeds import with_seed
from kyc_verify._flows.settle import Writing, settle
from kyc_verify.audit import Event
from kyc_verify.call import Call, Customer, Stake, exact_id
from kyc_verify.checks import AnswerCheck, RecoveryCode
from kyc_verify.decision import Step, Verdict
from kyc_verify.errors import ConflictError, NotAllowed, UsageError
from kyc_verify.ports import Charge, NewSession, Notice, Opened, Pin
from kyc_verify.session import State, advance
from kyc_verify.terms import Entry

__all__ = ["Opening", "checked_entries", "open_run"]

_LONGEST_LOCALE: Final = 35  # RFC 5646 section 4.4.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What `Verifier.open` was asked for."""

    subject: str
    action: str
    stake: Stake | None
    locale: str | None
    entries: Collection[Entry] | None
    request_id: str | None


def checked_entries(entries: Collection[Entry] | None) -> tuple[Entry, ...] | None:
    """Return what a leg can take; raises UsageError for what is no Entry."""
    if entries is None:
        return None
    try:
        found = () if isinstance(entries, str) else tuple(sorted({Entry(entry) for entry in entries}))
    except (ValueError, TypeError):
        found = ()
    if not found:
        msg = "entries must be a collection of Entry values, or None for everything"
        raise UsageError(msg)
    return found


async def open_run(ctx: Context, wanted: Opening, *, call: Call) -> Step:
    """See `Verifier.open`."""
    ctx.ids(call, subject=wanted.subject)
    ctx.stake(wanted.stake)
    if wanted.locale is not None and (type(wanted.locale) is not str or not 0 < len(wanted.locale) <= _LONGEST_LOCALE):
        msg = "locale must be a language tag such as fr-CA, or None"
        raise UsageError(msg)
    takes = checked_entries(wanted.entries)
    requirement, _ = ctx.policy.requirement(wanted.action, wanted.stake)
    request = None
    if wanted.request_id is not None:
        request = ctx.key("request", call.id, call.agent, exact_id(wanted.request_id, "request_id"))
    now = ctx.moment()
    blank = _blank(ctx, wanted, call, takes, now)
    if requirement.role is not None and requirement.role not in call.roles:
        error = NotAllowed("the agent lacks the role that this action needs")
        raise await ctx.refuse(error, of=wanted.subject, session=None, state=blank, call=call, now=now)
    customer = await ctx.customer(wanted.subject)
    new = _new(ctx, wanted.subject, customer, now)
    opened: Opened = await ctx.verb(ctx.store.open, new, request, now)
    if opened.replayed and opened.session.state:
        return _again(ctx, opened, wanted, call, now)
    if opened.session.subject != wanted.subject:
        raise _other_request()
    case = Case(
        ctx=ctx, policy=policy_for(ctx, opened.subject), stored=opened.session, subject=opened.subject, state=blank,
        call=call, now=now,
    )  # fmt: skip
    numbers = case.numbers(customer)
    state = await _first(case, opened, customer, numbers, wanted.locale)
    writing = Writing(
        event=Event.OPENED,
        spend=_alarms(ctx, call),
        alarms=(Notice.AGENT_BUSY, Notice.NUMBER_BUSY),
        numbers=numbers,
        pin=_pin(case, opened, state),
        new_grant=True,
        give_back=state.verdict in (Verdict.REVIEW, Verdict.EXEMPT),
    )
    if state.verdict is Verdict.REVIEW:
        ctx.notice(Notice.REVIEW)
    try:
        return await settle(case, state, writing)
    except ConflictError:
        if request is None:
            raise
        # The same request, at the same time, was faster: its run is this one's too.
        return _again(ctx, await ctx.verb(ctx.store.open, new, request, now), wanted, call, now)


def _new(ctx: Context, subject: str, customer: Customer | None, now: datetime) -> NewSession:
    return NewSession(
        tenant=ctx.tenant,
        id=secrets.token_urlsafe(16),
        subject=subject,
        known=customer is not None,
        fresh_key=secrets.token_bytes(32),
        expires_at=now + ctx.policy.lifetimes.session,
        run=ctx.run(subject),
        watch=watched(ctx, subject),
        pin_key=ctx.key("pin", subject),
    )


def _again(ctx: Context, opened: Opened, wanted: Opening, call: Call, now: datetime) -> Step:
    """Return where the run stands that the same request opened before."""
    if not opened.session.state:
        raise _other_request()
    state = State.from_text(opened.session.state)
    case = Case(
        ctx=ctx, policy=policy_for(ctx, opened.subject), stored=opened.session, subject=opened.subject, state=state,
        call=call, now=max(now, state.latest),
    )  # fmt: skip
    stepped = any(turn.mark.startswith("stepped_up") for turn in state.turns)
    same = stepped or (state.action == wanted.action and state.stake == wanted.stake)
    if opened.session.subject != wanted.subject or not same:
        raise _other_request()
    ctx.allow(state, call, case.policy)
    return now_step(case)


def _other_request() -> UsageError:
    return UsageError("this request_id was used for another verification; use a new one for each")


def _blank(ctx: Context, wanted: Opening, call: Call, takes: tuple[Entry, ...] | None, now: datetime) -> State:
    return State(
        action=wanted.action,
        stake=wanted.stake,
        call=call.id,
        agent=call.agent,
        roles=tuple(sorted(call.roles)),
        fingerprint=ctx.policy.fingerprint,
        real=False,
        run=0,
        entries=takes,
        evidence=MappingProxyType({}),
        verdict=Verdict.DENIED,
        opened_at=now,
        latest=now,
    )


async def _first(case: Case, opened: Opened, customer: Customer | None, numbers: Numbers, locale: str | None) -> State:
    policy, now = case.policy, case.now
    requirement, _ = policy.requirement(case.state.action, case.state.stake)
    # Somebody with nothing enrolled looks like somebody who does not exist, wherever something enrolled is asked for.
    needs_facts = any(
        isinstance(check, RecoveryCode) or (isinstance(check, AnswerCheck) and check.stored)
        for check in policy.asked(requirement)
    )
    there = customer is not None and (bool(opened.subject.credentials) or not needs_facts)
    real = there and customer is not None and customer.active and case.allowed
    seeded = await with_seed(case)
    available = available_checks(case, opened, customer, numbers, there=there, seeded=seeded)
    wanted = (None if customer is None else customer.language, locale)
    main = numbers.main
    state = replace(
        case.state,
        fingerprint=policy.fingerprint,
        flags=opened.subject.flags,
        real=real,
        run=opened.run,
        languages=tuple(dict.fromkeys(each for each in wanted if each)),
        available=available,
        contact="" if main is None else main.fingerprint,
    )
    if requirement.exempt:
        return replace(state, verdict=Verdict.EXEMPT)
    reachable = plan.reachable(
        policy, action=state.action, stake=state.stake, run=state.run, available=available, now=now
    )
    if not reachable:
        return replace(state, verdict=Verdict.REVIEW)
    evidence = await gather(case.at(state), plan.signals(policy, requirement), customer, numbers)
    order = plan.questions(policy, requirement, available=available, pinned=opened.pin)
    return advance(policy, replace(state, evidence=MappingProxyType(evidence), order=order), now=now, allowed=real)


def _alarms(ctx: Context, call: Call) -> tuple[Charge, ...]:
    """Return what counts this agent's and this number's calls; beyond the limit the observer hears of it."""
    budgets = ctx.policy.budgets
    found = [ctx.charge(budgets.agent, "agent", call.agent)]
    if call.number is not None and call.attestation == "A":
        found.append(ctx.charge(budgets.number, "number", call.number))
    return tuple(found)


def _pin(case: Case, opened: Opened, state: State) -> Pin | None:
    if opened.pin is not None or not state.order:
        return None
    until = case.now + case.ctx.policy.budgets.runs
    return Pin(key=case.ctx.key("pin", case.who), check=state.order[0], until=until)
