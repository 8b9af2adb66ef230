"""Answering a challenge: claim and charge, compare, commit, reveal."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime
from typing import Final

from kyc_verify._flows.asking import ENDINGS, WORDS, ending_of, finish, not_open, permit, policy_for, read_state
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context, read_challenge
from kyc_verify._flows.judging import (
    SPENT,
    Judged,
    about,
    code_of,
    confirm_mark,
    judge,
    note_of,
    read_forms,
    try_context,
    version_of,
)
from kyc_verify._flows.recovery import said
from kyc_verify._flows.replies import step_after
from kyc_verify._flows.settle import UsedBefore, Writing, settle
from kyc_verify.audit import Event
from kyc_verify.call import Call
from kyc_verify.checks import AnswerCheck, AppConfirmation, AuthenticatorCode, Check, OneTimeCode, RecoveryCode
from kyc_verify.decision import Step, Verdict
from kyc_verify.errors import Busy, KycVerifyError, UsageError
from kyc_verify.ports import Begun
from kyc_verify.session import Happening, Question, State, advance, fire, with_outcome
from kyc_verify.terms import Outcome, Secret

__all__ = ["respond"]

_LOOKS: Final = 20
_LOOK: Final = 0.025


async def respond(ctx: Context, challenge: str, answer: Secret, *, call: Call) -> Step:
    """See `Verifier.respond`."""
    ctx.ids(call)
    session, turn = read_challenge(challenge)
    now = ctx.moment()
    begun = await _begin(ctx, session, turn, now)
    state = read_state(begun.session)
    case = Case(
        ctx=ctx, policy=policy_for(ctx, begun.subject), stored=begun.session, subject=begun.subject, state=state,
        call=call, now=max(now, state.latest), granted=begun.granted, spent=begun.spent,
    )  # fmt: skip
    if not begun.claimed:
        return await _replay(case, turn, answer)
    try:
        ctx.allow(state, call, case.policy)
        question = state.question or not_open()
        if state.verdict is not Verdict.PENDING:
            not_open()
    except UsageError as error:
        await _release(case, error)
        raise
    if (ending := ending_of(case)) is not None:
        return await finish(case, ending, refund=not begun.spent)
    try:
        judged = await judge(case, question, answer)
    except Busy as error:
        await _release(case, error)
        raise
    try:
        return await _write(case, question, judged)
    except UsedBefore:
        # Right once is wrong ever after, and costs what a wrong one costs.
        return await _write(case, question, Judged(outcome=Outcome.FAIL, mark=judged.mark, wrong_try=True))


async def _begin(ctx: Context, session: str, turn: int, now: datetime) -> Begun:
    """Claim the turn; where somebody is at it, wait a moment for their reply."""
    for _ in range(_LOOKS):
        begun: Begun = await ctx.verb(ctx.store.begin, ctx.tenant, session, turn, now)
        if begun.claimed or begun.session.turn != turn:
            return begun
        await ctx.runner.pause(_LOOK)
    msg = "this answer is being checked; send it again in a moment"
    raise Busy(msg)


async def _release(case: Case, error: KycVerifyError) -> None:
    """Give the turn and its charge back: nothing was tried. A spent try stays spent for whoever may settle it."""
    if not case.spent:
        await settle(case, case.state, Writing(event=Event.REFUSED, refund=True, detail=(("reason", error.code),)))


# ── The same answer again ────────────────────────────────────────────────────────────────────────────────────────────


async def _replay(case: Case, turn: int, answer: Secret) -> Step:
    await permit(case)
    if not 1 <= turn <= len(case.state.turns):
        not_open()
    given = case.state.turns[turn - 1]
    if given.mark not in {SPENT, *ENDINGS} and not await _same(case, given.of, given.mark, answer):
        msg = "another answer was given to this challenge; a challenge takes one answer, the next one has its own id"
        raise UsageError(msg)
    return step_after(case, turn)


async def _same(case: Case, name: str, mark: str, answer: Secret) -> bool:
    """Whether an answer is the one that a mark was made of; as slow as the first time."""
    if mark in WORDS:
        return False
    ctx, check = case.ctx, case.policy.layer(name)
    if isinstance(check, AnswerCheck):
        version = ctx.hasher.forms_version(mark) or version_of(check, case.subject.credentials.get(check.id))
        forms, clarify = read_forms(case, check, answer, version)
        if mark.startswith("asked:"):
            asked = "" if clarify is None else note_of(clarify, case)
            return hmac.compare_digest(mark.encode(), f"asked:{asked}".encode())
        return await ctx.runner.hash(ctx.hasher.same_try, mark, forms, **about(case, check, version))
    if isinstance(check, OneTimeCode | AuthenticatorCode):
        return ctx.hasher.code_matches(mark, code_of(answer) or Secret(""), **try_context(case, check))
    if isinstance(check, RecoveryCode):
        bound, forms = said(case, check, answer)
        return await ctx.runner.hash(ctx.hasher.same_try, mark, forms, **bound)
    return hmac.compare_digest(mark.encode(), confirm_mark(answer).encode())


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _write(case: Case, question: Question, judged: Judged) -> Step:
    check = case.policy.layer(question.check)
    state = replace(case.state, latest=case.now)
    happening, event = Happening.ANSWERED, Event.ANSWERED
    clear: tuple[str, ...] = ()
    if judged.outcome is None:
        happening, event = Happening.CLARIFIED, Event.CLARIFIED
        # Looking whether the customer has tapped does not give them more time.
        asked_at = question.asked_at if isinstance(check, AppConfirmation) else case.now
        asked = replace(question, asked_at=asked_at, clarified=question.clarified + 1, note=judged.note)
        after = replace(state, question=asked)
    elif judged.wrong_try and question.tries + 1 < check.tries:
        after = replace(state, question=_again(check, question, case.now))
    else:
        if judged.outcome is Outcome.PASS:
            clear = tuple([charge.key for charge in case.stored.charges if charge.window is None])
        after = _ended(case, state, judged.outcome)
    after = fire(case.state, happening, after, mark=judged.mark)
    detail = (("check", question.check), *((("outcome", judged.outcome.value),) if judged.outcome else ()))
    writing = Writing(
        event=event,
        refund=judged.refund,
        clear=clear,
        rehash=judged.rehash,
        new_grant=True,
        counter=judged.counter,
        detail=detail,
    )
    return await settle(case, after, writing)


def _again(check: Check, question: Question, now: datetime) -> Question:
    asked = "authenticator_code" if isinstance(check, AuthenticatorCode) else "one_time_code"
    return replace(question, asked_at=now, tries=question.tries + 1, note=f"=ask.{asked}.again")


def _ended(case: Case, state: State, outcome: Outcome) -> State:
    bound = None if state.code is None else state.code.bound
    after = with_outcome(state, outcome, now=case.now, bound=bound)
    return advance(case.policy, after, now=case.now, allowed=case.allowed)
