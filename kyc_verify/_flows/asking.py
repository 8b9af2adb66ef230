"""What a challenge can end in beside an answer: declined, sent again, or out of time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Final, NoReturn

from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context, read_challenge
from kyc_verify._flows.replies import now_step, step_after
from kyc_verify._flows.settle import SendRefused, Writing, settle
from kyc_verify.audit import Event
from kyc_verify.call import Call
from kyc_verify.decision import Step, Verdict
from kyc_verify.errors import InvalidTransition, NotAllowed, UnknownSession
from kyc_verify.policy import Policy
from kyc_verify.ports import Loaded, Notice, StoredSession, StoredSubject
from kyc_verify.session import TABLE, Code, Happening, Question, State, advance, fire, with_outcome
from kyc_verify.terms import Outcome

__all__ = [
    "ENDINGS", "WORDS", "decline", "ending_of", "finish", "load", "not_open", "over", "permit", "policy_for",
    "read_state", "resend",
]  # fmt: skip

_DECLINED: Final = "declined"
_RESENT: Final = "resent"
WORDS: Final = frozenset((_DECLINED, _RESENT, "transferred", "cancelled", "expired", "policy_changed", "stepped_up"))
"""Marks of turns that no answer ended."""
ENDINGS: Final = frozenset(("expired", "policy_changed"))
"""Marks of turns in which the run ended by itself: whatever was sent, and is sent again, gets the same reply."""


def not_open() -> NoReturn:
    """Refuse what needs an open question."""
    msg = "no question is open in this verification; see its status"
    raise InvalidTransition(msg)


def policy_for(ctx: Context, subject: StoredSubject) -> Policy:
    """Return the policy in force for a subject: exposed fields are worth nothing."""
    return ctx.policy.with_incident(subject.flags) if subject.flags else ctx.policy


async def load(ctx: Context, session: str, call: Call) -> tuple[Case, bool]:
    """Load a session: the case, and whether its grant is still open."""
    ctx.ids(call)
    now = ctx.moment()
    loaded: Loaded = await ctx.verb(ctx.store.load, ctx.tenant, session, now)
    state = read_state(loaded.session)
    case = Case(
        ctx=ctx, policy=policy_for(ctx, loaded.subject), stored=loaded.session, subject=loaded.subject, state=state,
        call=call, now=max(now, state.latest),
    )  # fmt: skip
    return case, loaded.grant_open


async def permit(case: Case) -> None:
    """Let only the session's own call, agent and roles through; who is not allowed is recorded."""
    try:
        case.ctx.allow(case.state, case.call, case.policy)
    except NotAllowed as error:
        raise await case.ctx.refuse(
            error, of=case.who, session=case.stored.id, state=case.state, call=case.call, now=case.now
        ) from None


def read_state(stored: StoredSession) -> State:
    """Return a session's state.

    Raises:
        UnknownSession: its opening was never committed.
    """
    if not stored.state:
        msg = "this verification was never opened; open a new one"
        raise UnknownSession(msg)
    return State.from_text(stored.state)


def over(case: Case) -> str:
    """Say why a run cannot go on: ``expired`` or ``policy_changed``; nothing while it can."""
    if case.now - case.state.opened_at >= case.ctx.policy.lifetimes.session:
        return "expired"
    return "" if case.state.fingerprint == case.policy.fingerprint else "policy_changed"


def ending_of(case: Case) -> State | None:
    """Return the run as it ends by itself: too old, or under rules that have changed; None while it goes on."""
    ending = over(case)
    if not ending or (case.state.verdict, Happening.EXPIRED) not in TABLE:
        return None
    after = replace(case.state, verdict=Verdict.DENIED, ending=ending, question=None, code=None, latest=case.now)
    return fire(case.state, Happening.EXPIRED, after, mark=ending)


async def finish(case: Case, ending: State, *, refund: bool = False) -> Step:
    """Write the end of a run that ran out of time, or whose policy has changed."""
    return await settle(case, ending, Writing(event=Event.EXPIRED, refund=refund))


async def _open_question(ctx: Context, challenge: str, call: Call, mark: str) -> tuple[Case, Question, Step | None]:
    """Load the run of a challenge; the Step is given when this very thing was done before."""
    session, turn = read_challenge(challenge)
    case, _ = await load(ctx, session, call)
    state = case.state
    await permit(case)
    if 1 <= turn < state.turn and state.turns[turn - 1].mark in {mark, *ENDINGS}:
        return case, Question(check=state.turns[turn - 1].of, asked_at=case.now), step_after(case, turn)
    if turn != state.turn or state.question is None or state.verdict is not Verdict.PENDING:
        not_open()
    ending = ending_of(case)
    return case, state.question, None if ending is None else await finish(case, ending)


async def decline(ctx: Context, challenge: str, *, call: Call) -> Step:
    """See `Verifier.decline`."""
    case, question, done = await _open_question(ctx, challenge, call, _DECLINED)
    if done is not None:
        return done
    bound = None if case.state.code is None else case.state.code.bound
    after = with_outcome(replace(case.state, latest=case.now), Outcome.DECLINED, now=case.now, bound=bound)
    after = advance(case.policy, after, now=case.now, allowed=case.allowed)
    after = fire(case.state, Happening.DECLINED, after, mark=_DECLINED)
    return await settle(case, after, Writing(event=Event.DECLINED, new_grant=True, detail=(("check", question.check),)))


async def resend(ctx: Context, challenge: str, *, call: Call) -> Step:
    """See `Verifier.resend`."""
    case, question, done = await _open_question(ctx, challenge, call, _RESENT)
    if done is not None:
        return done
    sent = case.state.code
    if sent is None:
        msg = "nothing was sent for this question; ask it"
        raise InvalidTransition(msg)
    # A refused resend changes nothing: the code already sent stays valid.
    unchanged = now_step(case)
    if case.now - (sent.again_at or sent.sent_at) >= ctx.policy.lifetimes.resend:
        with suppress(SendRefused):
            return await _resent(case, question, sent)
    ctx.notice(Notice.SEND_REFUSED)
    return unchanged


async def _resent(case: Case, question: Question, sent: Code) -> Step:
    """Ask again under a new id, and then put a new code in the place of the old one.

    These are two writes. Only the subject's own budget may be seen to refuse, so it decides the first. Where the
    destination or its country has had too many, the second writes nothing: the code already sent stays valid, and the
    agent sees what they would see of anybody.
    """
    detail = (("check", question.check),)
    asked = replace(question, asked_at=case.now, note="")
    after = replace(case.state, question=asked, code=replace(sent, again_at=case.now), latest=case.now)
    after = fire(case.state, Happening.RESENT, after, mark=_RESENT)
    charge = case.ctx.sends(case.who, case.policy.layer(question.check))
    writing = Writing(event=Event.RESENT, spend=(charge,), only_if_granted=True, detail=detail)
    step = await settle(case, after, writing)
    written = replace(case, stored=replace(case.stored, version=case.stored.version + 1))
    writing = Writing(event=Event.SENT, only_if_granted=True, charged=True, detail=detail)
    with suppress(SendRefused):
        await settle(written, replace(after, code=None), writing)
    return step
