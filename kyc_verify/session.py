"""One run: a state that nothing outside this module changes, and one table of what may follow what.

Theory of operation. A `State` is a value. `fire` is the only way from one to the next: it looks the present verdict
and the event up in `TABLE`, refuses what is not there, and refuses to leave for a verdict that the row does not name.
`advance` decides, from the evidence, where a run stands and what is asked next. Nothing here does I/O, reads a clock
or draws randomness; the state that went wrong is the state before.

Rules for editors. A check's outcome is written once a run (`with_outcome`), a code's the second time only downwards.
UNAVAILABLE is written by `opened` alone, before anything was offered. VERIFIED is reached in `advance` alone. A turn
that was answered is in `turns` for ever, so that the same answer sent again finds its own reply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidTransition
from kyc_verify.evidence import Evidence
from kyc_verify.plan import askable, settled
from kyc_verify.policy import Policy
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Entry, Outcome

__all__ = ["ENDED", "TABLE", "Code", "Happening", "Question", "State", "Turn", "advance", "fire", "with_outcome"]


class Happening(StrEnum):
    """What can happen to a run."""

    ANSWERED = "answered"
    DECLINED = "declined"
    CLARIFIED = "clarified"
    RESENT = "resent"
    TRANSFERRED = "transferred"
    STEPPED_UP = "stepped_up"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_V = Verdict
_OPEN: Final = frozenset((_V.PENDING, _V.VERIFIED, _V.STEP_UP, _V.DENIED))
_ASIDE: Final = frozenset((_V.PENDING, _V.STEP_UP))
_LOST: Final = frozenset((_V.DENIED,))

TABLE: Final[Mapping[tuple[Verdict, Happening], frozenset[Verdict]]] = MappingProxyType(
    {
        (_V.PENDING, Happening.ANSWERED): _OPEN,
        (_V.PENDING, Happening.DECLINED): _OPEN,
        (_V.PENDING, Happening.CLARIFIED): frozenset((_V.PENDING,)),
        (_V.PENDING, Happening.RESENT): frozenset((_V.PENDING,)),
        (_V.PENDING, Happening.TRANSFERRED): _ASIDE,
        (_V.PENDING, Happening.CANCELLED): _LOST,
        (_V.PENDING, Happening.EXPIRED): _LOST,
        (_V.STEP_UP, Happening.TRANSFERRED): _ASIDE,
        (_V.STEP_UP, Happening.CANCELLED): _LOST,
        (_V.STEP_UP, Happening.EXPIRED): _LOST,
        (_V.VERIFIED, Happening.STEPPED_UP): _OPEN | {_V.EXEMPT, _V.REVIEW},
        (_V.VERIFIED, Happening.TRANSFERRED): frozenset((_V.VERIFIED,)),
        (_V.VERIFIED, Happening.CANCELLED): _LOST,
        (_V.EXEMPT, Happening.STEPPED_UP): _OPEN | {_V.EXEMPT, _V.REVIEW},
        (_V.EXEMPT, Happening.TRANSFERRED): frozenset((_V.EXEMPT,)),
        (_V.EXEMPT, Happening.CANCELLED): _LOST,
    },
)
"""From which verdict, by what, to which verdicts. What is not here does not happen."""

ENDED: Final = frozenset(_V) - _ASIDE
"""Verdicts that no answer changes any more."""

_RANK: Final = {Outcome.FAIL: 0, Outcome.DECLINED: 0, Outcome.NEAR: 1, Outcome.PASS: 2}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The open question.

    Attributes:
        check: Id of the check.
        asked_at: When it was put, or put again.
        tries: Wrong answers so far.
        clarified: Questions back so far.
        note: What is said instead of the prompt: ``=key`` of a shipped text, ``"text`` as it is, or nothing.
    """

    check: str
    asked_at: datetime
    tries: int = 0
    clarified: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What was sent for the open question: a keyed tag of our own code, or a provider's handle."""

    tag: str = ""
    handle: str = ""
    number: int
    sent_at: datetime
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn that was answered, and what was said then.

    Attributes:
        of: The check whose question was answered; empty for none.
        mark: By what the same answer is known; a word for what was not an answer.
        verdict: Of the reply.
        check: What the reply asked; empty for none.
        note: As in `Question`.
    """

    of: str
    mark: str
    verdict: Verdict
    check: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is known of a run.

    Attributes:
        action: What is asked for.
        stake: What is moved.
        call: Id of the call.
        agent: Who handles it now.
        roles: What that agent was allowed when they took it.
        fingerprint: Of the policy it runs under.
        flags: Exposed fields it takes into account.
        real: Whether anything could be verified at all; False for a subject that is not there.
        run: Which counted run this is.
        languages: In which to speak, by preference.
        entries: What the present leg can take; None: everything.
        available: Checks that could be asked when the run opened.
        order: What is asked for the present action, in order.
        evidence: How checks ended.
        question: What is open.
        code: What was sent for it.
        sends: How many codes were sent, over all.
        turns: Turns that were answered, oldest first.
        verdict: Where it stands.
        ending: Why it was denied, beyond the answers: ``cancelled``, ``expired``, ``policy_changed`` or nothing.
        contact: Keyed fingerprint of the contact it rests on.
        opened_at: When it began.
        latest: The latest time it has seen: time never goes back for it.
        grant: Turn that the grant was made at; 0 for none.
        grant_until: End of the grant.
        grant_key: Which key the grant's token was derived with.
    """

    action: str
    stake: Stake | None = None
    call: str
    agent: str
    roles: tuple[str, ...] = ()
    fingerprint: str
    flags: tuple[str, ...] = ()
    real: bool
    run: int
    languages: tuple[str, ...] = ()
    entries: tuple[Entry, ...] | None = None
    available: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    evidence: Mapping[str, Evidence]
    question: Question | None = None
    code: Code | None = None
    sends: int = 0
    turns: tuple[Turn, ...] = ()
    verdict: Verdict
    ending: str = ""
    contact: str = ""
    opened_at: datetime
    latest: datetime
    grant: int = 0
    grant_until: datetime | None = None
    grant_key: str = ""

    @property
    def turn(self) -> int:
        """The turn that the next answer must name."""
        return len(self.turns) + 1

    @property
    def bound(self) -> str:
        """What a code sent now is bound to."""
        return bound_to(self.action, self.stake)

    def remaining(self) -> tuple[str, ...]:
        """What is still to be asked; a code that was sent for something else is asked again."""
        return tuple(
            name
            for name in self.order
            if name not in self.evidence or self.evidence[name].bound not in (None, self.bound)
        )

    def to_text(self) -> str:
        """Write the state for a store."""
        return _write(self)

    @classmethod
    def from_text(cls, text: str) -> State:
        """Read what `to_text` wrote."""
        return _read(text)


def fire(state: State, happening: Happening, after: State, *, mark: str) -> State:
    """Take the one step from `state` to `after` that `happening` allows, and note the turn.

    Raises:
        InvalidTransition: the table has no such step; the state stands as it was.
    """
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
        InvalidTransition: no question is open, or the outcome is UNAVAILABLE: it was offered.
    """
    if state.question is None or outcome is Outcome.UNAVAILABLE:
        msg = "a question that was offered ends in pass, near, fail or declined"
        raise InvalidTransition(msg)
    name = state.question.check
    earlier = state.evidence.get(name)
    if earlier is not None and _RANK[earlier.outcome] < _RANK[outcome]:
        outcome = earlier.outcome
    found = Evidence(check=name, outcome=outcome, at=now, bound=bound)
    evidence = MappingProxyType({**state.evidence, name: found})
    return replace(state, evidence=evidence, question=None, code=None)


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
    if (
        state.question is not None
        and state.question.check in remaining
        and _can_ask(policy, state, state.question.check)
    ):
        return replace(state, verdict=Verdict.PENDING, question=replace(state.question, asked_at=now))
    following = next((name for name in remaining if _can_ask(policy, state, name)), None)
    if following is None:
        return replace(state, verdict=Verdict.STEP_UP, question=None, code=None)
    return replace(state, verdict=Verdict.PENDING, question=Question(check=following, asked_at=now), code=None)


def _can_ask(policy: Policy, state: State, name: str) -> bool:
    return askable(policy.check(name), state.entries)


# ── As text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_VERSION: Final = 1


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _at(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _write(state: State) -> str:
    question, code, stake = state.question, state.code, state.stake
    body: dict[str, Any] = {
        "v": _VERSION,
        "action": state.action,
        "stake": None if stake is None else [f"{stake.amount:f}", stake.currency, stake.payee],
        "call": state.call,
        "agent": state.agent,
        "roles": state.roles,
        "policy": state.fingerprint,
        "flags": state.flags,
        "real": state.real,
        "run": state.run,
        "lang": state.languages,
        "entries": state.entries,
        "available": state.available,
        "order": state.order,
        "evidence": [[e.check, e.outcome, _us(e.at), e.bound] for e in state.evidence.values()],
        "question": None if question is None else [
            question.check, _us(question.asked_at), question.tries, question.clarified, question.note,
        ],
        "code": None if code is None else [code.tag, code.handle, code.number, _us(code.sent_at), code.bound],
        "sends": state.sends,
        "turns": [[turn.of, turn.mark, turn.verdict, turn.check, turn.note] for turn in state.turns],
        "verdict": state.verdict,
        "ending": state.ending,
        "contact": state.contact,
        "times": [_us(state.opened_at), _us(state.latest)],
        "grant": [state.grant, None if state.grant_until is None else _us(state.grant_until), state.grant_key],
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":"))


def _read(text: str) -> State:
    body = json.loads(text)
    if body["v"] != _VERSION:
        msg = "a newer version of the library wrote this session; open a new one"
        raise InvalidTransition(msg)
    stake, question, code, grant = body["stake"], body["question"], body["code"], body["grant"]
    evidence = {
        name: Evidence(check=name, outcome=Outcome(outcome), at=_at(at), bound=bound)
        for name, outcome, at, bound in body["evidence"]
    }
    return State(
        action=body["action"],
        stake=None if stake is None else Stake(amount=stake[0], currency=stake[1], payee=stake[2]),
        call=body["call"],
        agent=body["agent"],
        roles=tuple(body["roles"]),
        fingerprint=body["policy"],
        flags=tuple(body["flags"]),
        real=body["real"],
        run=body["run"],
        languages=tuple(body["lang"]),
        entries=None if body["entries"] is None else tuple(map(Entry, body["entries"])),
        available=tuple(body["available"]),
        order=tuple(body["order"]),
        evidence=MappingProxyType(evidence),
        question=None if question is None else Question(
            check=question[0], asked_at=_at(question[1]), tries=question[2], clarified=question[3], note=question[4],
        ),
        code=None if code is None else Code(
            tag=code[0], handle=code[1], number=code[2], sent_at=_at(code[3]), bound=code[4],
        ),
        sends=body["sends"],
        turns=tuple([Turn(of=t[0], mark=t[1], verdict=Verdict(t[2]), check=t[3], note=t[4]) for t in body["turns"]]),
        verdict=Verdict(body["verdict"]),
        ending=body["ending"],
        contact=body["contact"],
        opened_at=_at(body["times"][0]),
        latest=_at(body["times"][1]),
        grant=grant[0],
        grant_until=None if grant[1] is None else _at(grant[1]),
        grant_key=grant[2],
    )  # fmt: skip
