"""From a state to the Step that an agent sees: the same state always gives the same Step."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kyc_verify import prompts
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import challenge_id
from kyc_verify.checks import AskedCheck
from kyc_verify.decision import Challenge, Grant, Step, Verdict
from kyc_verify.session import Turn
from kyc_verify.terms import Entry

__all__ = ["now_step", "step_after"]

_KEYPAD: Final = frozenset(Entry) - {Entry.TEXT}
_GRANTED: Final = (Verdict.VERIFIED, Verdict.EXEMPT)


def now_step(case: Case, *, grant_open: bool = True) -> Step:
    """Return the Step of where the run stands now."""
    asked, verdict = case.state.question, case.state.verdict
    reply = Turn(of="", mark="", verdict=verdict)
    if asked is not None:
        reply = replace(reply, check=asked.check, note=asked.note)
    return _step(case, reply, turn=case.state.turn, grant=_grant(case) if grant_open else None)


def step_after(case: Case, turn: int) -> Step:
    """Return the Step that answering `turn` gave, however far the run has come since."""
    last = turn == len(case.state.turns)
    return _step(case, case.state.turns[turn - 1], turn=turn + 1, grant=_grant(case) if last else None)


def _grant(case: Case) -> Grant | None:
    state, until = case.state, case.state.grant_until
    if not state.grant or until is None or case.now >= until:
        return None
    token = case.ctx.hasher.grant_token(case.stored.id, state.grant, key_id=state.grant_key)
    return Grant(token=token, action=state.action, expires_at=until)


def _step(case: Case, reply: Turn, *, turn: int, grant: Grant | None) -> Step:
    lang = prompts.language(*case.state.languages, case.ctx.policy.language)
    if reply.verdict is not Verdict.PENDING:
        ending = case.state.ending if reply.verdict is Verdict.DENIED else ""
        reason = prompts.text(f"reason.{ending or reply.verdict.value}", lang)
        given = grant if reply.verdict in _GRANTED else None
        return Step(session_id=case.stored.id, verdict=reply.verdict, reasons=(reason,), _grant=given)
    check = case.policy.layer(reply.check)
    entry = check.entry if isinstance(check, AskedCheck) else Entry.TEXT
    challenge = Challenge(
        id=challenge_id(case.stored.id, turn), check=check.id, text=_text(case, check, reply.note), entry=entry
    )
    reason = prompts.text(_reason(case, entry), lang)
    return Step(session_id=case.stored.id, verdict=Verdict.PENDING, challenge=challenge, reasons=(reason,))


def _reason(case: Case, entry: Entry) -> str:
    entries = case.state.entries
    if entries is not None and set(entries) <= _KEYPAD:
        return "reason.keypad"
    return "reason.confirm" if entry is Entry.CONFIRM else "reason.ask"


def _text(case: Case, check: object, note: str) -> str:
    wanted = (*case.state.languages, case.ctx.policy.language)
    if note.startswith("="):
        return prompts.text(note[1:], prompts.language(*wanted))
    if note.startswith('"'):
        return note[1:]
    return check.prompt(*wanted) if isinstance(check, AskedCheck) else ""
