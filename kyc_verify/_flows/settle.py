"""From a new state to what is written: one change, its record, and what is sent after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from kyc_verify._flows.case import Case
from kyc_verify._flows.numbers import Numbers
from kyc_verify._flows.replies import now_step
from kyc_verify._flows.sending import Outgoing, is_sent, post, prepare, tell
from kyc_verify.audit import AuditRecord, Event, Head, Seal
from kyc_verify.credentials import Credential
from kyc_verify.decision import Binding, Step, Verdict
from kyc_verify.errors import ConflictError
from kyc_verify.ports import Change, Charge, Committed, Counter, Notice, Pin, StoredGrant
from kyc_verify.session import ENDED, State

__all__ = ["SendRefused", "UsedBefore", "Writing", "settle"]

_GRANTED = (Verdict.VERIFIED, Verdict.EXEMPT)


class SendRefused(Exception):  # noqa: N818 - caught inside the flows, never leaves them
    """No send is left; nothing was written."""


class UsedBefore(Exception):  # noqa: N818 - as `SendRefused`
    """What a pass rests on was used before; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a flow wants written beside the new state.

    Attributes:
        event: What the record is about.
        refund: Give the claimed turn's charge back.
        clear: Budgets to clear.
        spend: Charges to take.
        alarms: For the first charges of `spend`, what the observer hears when there is none left.
        rehash: A credential to replace.
        numbers: The customer's contacts, where the flow has looked at them; new ones are noted.
        pin: The question that stays the question.
        new_grant: Whether VERIFIED or EXEMPT is new here, and earns a grant.
        moved: Whether a grant only changes hands: it ends when it did, and nothing else is earned by it.
        give_back: Whether the run does not count.
        only_if_granted: Write nothing unless there is a send left.
        counter: What a pass uses up: write nothing if it was used before.
        charged: Whether the subject's own budget has paid for what is sent already.
        detail: For the record.
    """

    event: Event
    refund: bool = False
    clear: tuple[str, ...] = ()
    spend: tuple[Charge, ...] = ()
    alarms: tuple[Notice, ...] = ()
    rehash: Credential | None = None
    numbers: Numbers | None = None
    pin: Pin | None = None
    new_grant: bool = False
    moved: bool = False
    give_back: bool = False
    only_if_granted: bool = False
    counter: Counter | None = None
    charged: bool = False
    detail: tuple[tuple[str, str | int], ...] = ()


async def settle(case: Case, after: State, writing: Writing) -> Step:
    """Write the state `after`, send what its open question sends, and return the Step.

    Raises:
        SendRefused: `Writing.only_if_granted`, and no send is left: nothing was written.
        UsedBefore: `Writing.counter` stands there or beyond: nothing was written.
    """
    ctx = case.ctx
    case = case.at(after)
    question = after.question
    numbers = writing.numbers
    if numbers is None and question is not None and after.code is None and is_sent(case.policy.layer(question.check)):
        numbers = case.numbers(await ctx.customer(case.who))
    state, outgoing = prepare(case, numbers or Numbers())
    costs: tuple[Charge, ...] = ()
    if outgoing is not None:
        costs = outgoing.charges[1:] if writing.charged else outgoing.charges
    writing = replace(writing, spend=(*writing.spend, *costs))
    case = case.at(_with_grant(case.at(state), writing))
    done: Committed = await ctx.verb(ctx.store.commit, _change(case, writing), _seal(case, writing), case.now)
    if writing.counter is not None and not done.moved:
        raise UsedBefore
    for alarm, left in zip(writing.alarms, done.granted, strict=False):
        if not left:
            ctx.notice(alarm)
    granted = done.granted[len(writing.spend) - len(costs) :]
    granted = (True, *granted) if writing.charged else granted
    if outgoing is not None:
        tell(ctx, outgoing, granted)
    if writing.only_if_granted and not all(done.granted):
        raise SendRefused
    if outgoing is not None:
        case = await _send(case, outgoing, granted=all(granted))
    return now_step(case)


async def _send(case: Case, outgoing: Outgoing, *, granted: bool) -> Case:
    handle = await post(case.ctx, outgoing) if granted else ""
    if not outgoing.service or case.state.code is None:
        return case
    # A provider's handle is known only now; the same trip is made when there is none.
    state = replace(case.state, code=replace(case.state.code, handle=handle))
    case = replace(case, state=state, stored=replace(case.stored, version=case.stored.version + 1))
    writing = Writing(event=Event.SENT)
    try:
        await case.ctx.verb(case.ctx.store.commit, _change(case, writing), _seal(case, writing), case.now)
    except ConflictError:
        # Somebody has answered it already: what was written stands, and this code will not be right.
        case.ctx.notice(Notice.CONFLICT)
    return case


def _with_grant(case: Case, writing: Writing) -> State:
    state = case.state
    if state.verdict not in _GRANTED:
        return replace(state, grant=0, grant_until=None)
    if not writing.new_grant:
        return state
    until = state.grant_until if writing.moved else case.now + case.ctx.policy.lifetimes.grant
    return replace(state, grant=state.turn, grant_until=until, grant_key=case.ctx.hasher.keyring.active)


def _change(case: Case, writing: Writing) -> Change:
    ctx, state, stored = case.ctx, case.state, case.stored
    verified = state.verdict is Verdict.VERIFIED and writing.new_grant and not writing.moved
    clear, pin = writing.clear, writing.pin
    if verified:
        clear += tuple(ctx.key("stake", case.who, name) for name, rule in ctx.policy.actions.items() if rule.stakes)
        pin = Pin(key=ctx.key("pin", case.who), check=None, until=case.now)
    granted = state.verdict in _GRANTED
    lifetime = ctx.policy.lifetimes.grant if state.verdict in ENDED else timedelta(0)
    return Change(
        tenant=ctx.tenant,
        session=stored.id,
        subject=case.who,
        version=stored.version,
        subject_key=case.subject.key if case.subject.known else None,
        state=state.to_text(),
        turn=state.turn,
        charges=() if state.question is None else ctx.tries(case.who, case.policy.layer(state.question.check)),
        expires_at=max(stored.expires_at, case.now + lifetime),
        refund=writing.refund,
        clear=clear,
        spend=writing.spend,
        give_back_run=ctx.run(case.who).key if writing.give_back or verified else None,
        numbers=() if writing.numbers is None else writing.numbers.new,
        rehash=writing.rehash,
        pin=pin,
        grant=_grant(case) if writing.new_grant and granted else None,
        void_grants=not granted,
        only_if_granted=writing.only_if_granted,
        counter=writing.counter,
    )


def _grant(case: Case) -> StoredGrant:
    ctx, state = case.ctx, case.state
    binding = Binding(
        tenant=ctx.tenant,
        subject=case.who,
        action=state.action,
        agent=state.agent,
        call=state.call,
        fingerprint=ctx.policy.fingerprint,
        stake="" if state.stake is None else state.stake.text(),
        contact=state.contact,
        roles=state.roles,
    )
    token = ctx.hasher.grant_token(case.stored.id, state.grant, key_id=state.grant_key)
    return StoredGrant(
        digest=ctx.hasher.grant_digest(token),
        session=case.stored.id,
        binding=binding,
        expires_at=state.grant_until or case.now,
    )


def _seal(case: Case, writing: Writing) -> Seal:
    ctx, state = case.ctx, case.state
    detail: dict[str, str | int] = {"run": state.run, "turn": state.turn - 1, **dict(writing.detail)}
    if state.verdict in ENDED:
        # Who was let in, and on what: the auditor's business.
        detail |= {f"outcome:{each.check}": each.outcome.value for each in state.evidence.values()}
    if state.ending:
        detail["ending"] = state.ending
    record = ctx.record(
        writing.event, now=case.now, key=case.subject.key, subject=case.who, agent=case.call.agent,
        session=case.stored.id, state=state, detail=detail,
    )  # fmt: skip

    def seal(head: Head) -> AuditRecord:
        return ctx.seal(head, record)

    return seal
