"""What happens to a run beside its questions: looked at, stepped up, transferred, cancelled, explained."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType
from typing import NoReturn

from kyc_verify import plan
from kyc_verify._flows.asking import ending_of, finish, load, over, permit
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import AUDITOR, Context, read_session
from kyc_verify._flows.gathering import gather
from kyc_verify._flows.opening import checked_entries
from kyc_verify._flows.replies import now_step
from kyc_verify._flows.settle import Writing, settle
from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.call import Call, Stake, exact_id
from kyc_verify.decision import Decision, Step, Verdict
from kyc_verify.errors import ConflictError, InvalidTransition, NotAllowed, UnknownSession, UsageError
from kyc_verify.policy import Requirement
from kyc_verify.ports import Loaded, Notice
from kyc_verify.session import ENDED, TABLE, Happening, State, advance, fire
from kyc_verify.terms import Entry

__all__ = ["cancel", "explain", "status", "step_up", "transfer"]


async def status(ctx: Context, session_id: str, *, call: Call) -> Step:
    """See `Verifier.status`."""
    case, grant_open = await load(ctx, read_session(session_id), call)
    await permit(case)
    if (ending := ending_of(case)) is not None:
        return await finish(case, ending)
    return now_step(case, grant_open=grant_open)


async def step_up(
    ctx: Context, session_id: str, *, action: str, call: Call, stake: Stake | None, request_id: str | None
) -> Step:
    """See `Verifier.step_up`."""
    ctx.ids(call)
    ctx.stake(stake)
    ctx.policy.requirement(action, stake)
    mark = "stepped_up"
    if request_id is not None:
        mark = f"stepped_up:{ctx.key('request', call.id, exact_id(request_id, 'request_id'))}"
    case, grant_open = await load(ctx, read_session(session_id), call)
    state = case.state
    await permit(case)
    if request_id is not None and _stepped_before(state, mark, action, stake):
        return now_step(case, grant_open=grant_open)
    requirement, _ = case.policy.requirement(action, stake)
    await _need_role(case, requirement)
    if (state.verdict, Happening.STEPPED_UP) not in TABLE or over(case):
        msg = "only a run that is verified or exempt, and not yet over, can be stepped up; open a new one"
        raise InvalidTransition(msg)
    counted: Loaded = await ctx.verb(ctx.store.load, ctx.tenant, session_id, case.now, ctx.run(case.who))
    after, writing = await _stepped(case, requirement, action=action, stake=stake, run=counted.run or state.run)
    try:
        return await settle(case, fire(state, Happening.STEPPED_UP, after, mark=mark), writing)
    except ConflictError:
        if request_id is None:
            raise
        # The same request, at the same time, was faster: its step is this one's too.
        case, grant_open = await load(ctx, session_id, call)
        if not _stepped_before(case.state, mark, action, stake):
            raise
        return now_step(case, grant_open=grant_open)


def _stepped_before(state: State, mark: str, action: str, stake: Stake | None) -> bool:
    """Whether this very request has stepped the run up; raises UsageError where it did so to something else."""
    if all(turn.mark != mark for turn in state.turns):
        return False
    if state.action != action or state.stake != stake:
        msg = "this request_id was used for another step up; use a new one for each"
        raise UsageError(msg)
    return True


async def _stepped(
    case: Case, requirement: Requirement, *, action: str, stake: Stake | None, run: int
) -> tuple[State, Writing]:
    now = case.now
    fresh = replace(case.state, action=action, stake=stake, run=run, question=None, code=None, latest=now, grant=0)
    if requirement.exempt:
        return replace(fresh, verdict=Verdict.EXEMPT), Writing(event=Event.STEPPED_UP, new_grant=True, give_back=True)
    if not plan.reachable(case.policy, action=action, stake=stake, run=run, available=fresh.available, now=now):
        case.ctx.notice(Notice.REVIEW)
        return replace(fresh, verdict=Verdict.REVIEW), Writing(event=Event.STEPPED_UP, give_back=True)
    customer = await case.ctx.customer(case.who)
    numbers = case.numbers(customer)
    evidence = await gather(case.at(fresh), plan.signals(case.policy, requirement), customer, numbers)
    order = plan.questions(case.policy, requirement, available=fresh.available)
    fresh = replace(fresh, evidence=MappingProxyType(evidence), order=order)
    allowed = case.allowed and customer is not None and customer.active
    after = advance(case.policy, fresh, now=now, allowed=allowed)
    return after, Writing(event=Event.STEPPED_UP, numbers=numbers, new_grant=True)


async def transfer(ctx: Context, session_id: str, *, call: Call, entries: Collection[Entry] | None) -> Step:
    """See `Verifier.transfer`."""
    takes = checked_entries(entries)
    case, grant_open = await load(ctx, read_session(session_id), call)
    state = case.state
    if state.call != call.id:
        msg = "there is no such session in this call; a caller who calls back starts anew"
        raise UnknownSession(msg)
    await _need_role(case, case.ctx.policy.requirement(state.action, state.stake)[0])
    if (ending := ending_of(case)) is not None:
        return await finish(case, ending)
    if (state.verdict, Happening.TRANSFERRED) not in TABLE or over(case):
        msg = f"a run that is {state.verdict.value} is over; there is nothing to transfer"
        raise InvalidTransition(msg)
    after = replace(state, agent=call.agent, roles=tuple(sorted(call.roles)), entries=takes, latest=case.now)
    # A grant that was used, void or too old stays so: only an open one goes along, and it lasts no longer for it.
    carried = grant_open and state.grant_until is not None and case.now < state.grant_until
    if not carried:
        after = replace(after, grant=0, grant_until=None)
    if state.verdict not in ENDED:
        # Nothing is decided by a transfer: what was not met before is not met now.
        after = advance(case.policy, after, now=case.now, allowed=False)
    after = fire(state, Happening.TRANSFERRED, after, mark="transferred")
    return await settle(case, after, Writing(event=Event.TRANSFERRED, new_grant=carried, moved=True))


async def cancel(ctx: Context, session_id: str, *, call: Call) -> Step:
    """See `Verifier.cancel`."""
    case, _ = await load(ctx, read_session(session_id), call)
    state = case.state
    await permit(case)
    if state.verdict is Verdict.DENIED and state.ending == "cancelled":
        return now_step(case)
    after = replace(
        state, verdict=Verdict.DENIED, ending="cancelled", question=None, code=None, latest=case.now, grant=0
    )
    after = fire(state, Happening.CANCELLED, after, mark="cancelled")
    return await settle(case, after, Writing(event=Event.CANCELLED))


async def explain(ctx: Context, session_id: str, *, call: Call) -> Decision:
    """See `Verifier.explain`."""
    case, _ = await load(ctx, read_session(session_id), call)
    if AUDITOR not in call.roles:
        await _refuse(case, "only an auditor may see how a decision came about")
    decision, state = judgement(case), case.state

    def seal(head: Head, key: bytes) -> AuditRecord:
        record = ctx.record(
            Event.EXPLAINED, now=case.now, key=key, subject=case.who, agent=call.agent, session=session_id, state=state
        )
        return ctx.seal(head, record)

    await ctx.verb(ctx.store.note, ctx.tenant, case.who, seal, case.now, fresh_key=secrets.token_bytes(32))
    return decision


def judgement(case: Case) -> Decision:
    """Return the decision behind a run that has ended; who may see it is the caller's to know."""
    state = case.state
    if state.verdict not in ENDED:
        msg = "the run is still open; a decision is explained after its end"
        raise InvalidTransition(msg)
    if state.fingerprint != case.policy.fingerprint:
        msg = "the policy this run was judged under is not the present one; explain it with that policy"
        raise InvalidTransition(msg)
    evidence = tuple(state.evidence.values())
    decision = case.policy.evaluate(
        evidence, action=state.action, now=state.latest, run=max(1, state.run), stake=state.stake
    )
    return replace(decision, verdict=state.verdict)


async def _need_role(case: Case, requirement: Requirement) -> None:
    if requirement.role is not None and requirement.role not in case.call.roles:
        await _refuse(case, "the agent lacks the role that this action needs")


async def _refuse(case: Case, message: str) -> NoReturn:
    raise await case.ctx.refuse(
        NotAllowed(message), of=case.who, session=case.stored.id, state=case.state, call=case.call, now=case.now
    )
