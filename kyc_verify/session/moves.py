"""The moves from one state to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidTransition
from kyc_verify.evidence import Evidence
from kyc_verify.plan import askable, settled
from kyc_verify.policy import Policy
from kyc_verify.session.parts import Question, Turn
from kyc_verify.session.state import State
from kyc_verify.session.table import ENDED, TABLE, Happening
from kyc_verify.terms import Outcome

__all__ = ["MAX_TURNS", "advance", "fire", "with_outcome"]

MAX_TURNS: Final = 200
"""Turns of one run; far more than any policy's questions, answers, codes and transfers."""

_RANK: Final = {Outcome.FAIL: 0, Outcome.DECLINED: 0, Outcome.NEAR: 1, Outcome.PASS: 2}


def fire(state: State, happening: Happening, after: State, *, mark: str) -> State:
    """Take the one step from `state` to `after` that `happening` allows, and note the turn.

    Raises:
        InvalidTransition: the table has no such step; the state stands as it was.
    """
    if len(state.turns) >= MAX_TURNS and after.verdict not in ENDED:
        msg = "this run has gone on for too long; open a new one"
        raise InvalidTransition(msg)
    allowed = TABLE.get((state.verdict, happening))
    if allowed is None:
        msg = f"a run that is {state.verdict.value} cannot be {happening.value}"
        raise InvalidTransition(msg)
    if after.verdict not in allowed:
        msg = f"a run that is {state.verdict.value} and {happening.value} does not become {after.verdict.value}"
        raise InvalidTransition(msg)
    asked = after.question
    turn = Turn(
        of="" if state.question is None else state.question.check,
        mark=mark,
        verdict=after.verdict,
        check="" if asked is None else asked.check,
        note="" if asked is None else asked.note,
    )
    return replace(after, turns=(*state.turns, turn))


def with_outcome(state: State, outcome: Outcome, *, now: datetime, bound: str | None = None) -> State:
    """Write how the open question ended; of two outcomes of a code, the lower counts.

    Raises:
        InvalidTransition: no question is open, its check has ended already, or the outcome is UNAVAILABLE.
    """
    if state.question is None or state.question.check not in state.remaining() or outcome is Outcome.UNAVAILABLE:
        msg = "a question that was offered ends once, in pass, near, fail or declined"
        raise InvalidTransition(msg)
    name = state.question.check
    earlier = state.evidence.get(name)
    if earlier is not None and _RANK[earlier.outcome] < _RANK[outcome]:
        outcome = earlier.outcome
    found = Evidence(check=name, outcome=outcome, at=now, bound=bound)
    evidence = MappingProxyType({**state.evidence, name: found})
    return replace(state, evidence=evidence, question=None, code=None, aside=_without(state.aside, name))


def _without(questions: tuple[Question, ...], check: str) -> tuple[Question, ...]:
    return tuple(question for question in questions if question.check != check)


def advance(policy: Policy, state: State, *, now: datetime, allowed: bool) -> State:
    """Decide where the run stands, and what is asked next.

    Args:
        policy: The policy it runs under.
        state: With the latest outcome written.
        now: When.
        allowed: Whether the subject may be verified at all now: no hold, still active.
    """
    evidence = tuple(state.evidence.values())
    remaining = state.remaining()
    decision = policy.evaluate(evidence, action=state.action, now=now, run=state.run, stake=state.stake)
    met = state.real and allowed and decision.verdict is Verdict.VERIFIED
    requirement, _ = policy.requirement(state.action, state.stake)
    if met and remaining and requirement.accept == "lossless":
        met = settled(
            policy, evidence, action=state.action, stake=state.stake, run=state.run, remaining=remaining, now=now,
        )  # fmt: skip
    if met:
        return replace(state, verdict=Verdict.VERIFIED, question=None, code=None)
    if not remaining:
        return replace(state, verdict=Verdict.DENIED, question=None, code=None)
    aside = state.aside
    if state.question is not None:
        if _can_ask(policy, state, state.question.check):
            return replace(state, verdict=Verdict.PENDING, question=replace(state.question, asked_at=now))
        aside = (*aside, state.question)
    following = next((name for name in remaining if _can_ask(policy, state, name)), None)
    if following is None:
        return replace(state, verdict=Verdict.STEP_UP, question=None, code=None, aside=aside)
    put = next((each for each in aside if each.check == following), Question(check=following, asked_at=now))
    question = replace(put, asked_at=now, note="")
    return replace(state, verdict=Verdict.PENDING, question=question, code=None, aside=_without(aside, following))


def _can_ask(policy: Policy, state: State, name: str) -> bool:
    return askable(policy.layer(name), state.entries)
