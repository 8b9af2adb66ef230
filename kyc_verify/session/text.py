"""A run's state as text for a store, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidTransition, StoreError, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.session.parts import Code, Question, Turn
from kyc_verify.terms import Entry, Outcome

if TYPE_CHECKING:
    from kyc_verify.session.state import State

__all__ = ["read", "write"]

_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _at(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _question_row(question: Question) -> list[Any]:
    return [question.check, _us(question.asked_at), question.tries, question.clarified, question.note]


def _question(row: list[Any]) -> Question:
    return Question(check=row[0], asked_at=_at(row[1]), tries=row[2], clarified=row[3], note=row[4])


def _code_row(code: Code) -> list[Any]:
    row = [code.tag, code.handle, code.number, _us(code.sent_at), code.bound]
    return row if code.again_at is None else [*row, _us(code.again_at)]


def _code(row: list[Any]) -> Code:
    tag, handle, number, sent_at, bound, *again = row
    again_at = _at(again[0]) if again else None
    return Code(tag=tag, handle=handle, number=number, sent_at=_at(sent_at), bound=bound, again_at=again_at)


def write(state: State) -> str:
    """Return a state as text."""
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
        "question": None if question is None else _question_row(question),
        "aside": [_question_row(each) for each in state.aside],
        "code": None if code is None else _code_row(code),
        "sends": state.sends,
        "turns": [[turn.of, turn.mark, turn.verdict, turn.check, turn.note] for turn in state.turns],
        "verdict": state.verdict,
        "ending": state.ending,
        "contact": state.contact,
        "times": [_us(state.opened_at), _us(state.latest)],
        "grant": [state.grant, None if state.grant_until is None else _us(state.grant_until), state.grant_key],
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":"))


def read(text: str) -> dict[str, Any]:
    """Return the fields of the state that `write` has written.

    Raises:
        InvalidTransition: a newer version of the library wrote it.
        StoreError: it is not what `write` has written.
    """
    try:
        body = json.loads(text)
        newer = body["v"] != _VERSION
        fields = {} if newer else _fields(body)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, UsageError):
        msg = "the stored session cannot be read; open a new one"
        raise StoreError(msg) from None
    if newer:
        msg = "a newer version of the library wrote this session; open a new one"
        raise InvalidTransition(msg)
    return fields


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    stake, question, code, grant = body["stake"], body["question"], body["code"], body["grant"]
    evidence = {
        name: Evidence(check=name, outcome=Outcome(outcome), at=_at(at), bound=bound)
        for name, outcome, at, bound in body["evidence"]
    }
    return {
        "action": body["action"],
        "stake": None if stake is None else Stake(amount=stake[0], currency=stake[1], payee=stake[2]),
        "call": body["call"],
        "agent": body["agent"],
        "roles": tuple(body["roles"]),
        "fingerprint": body["policy"],
        "flags": tuple(body["flags"]),
        "real": body["real"],
        "run": body["run"],
        "languages": tuple(body["lang"]),
        "entries": None if body["entries"] is None else tuple(map(Entry, body["entries"])),
        "available": tuple(body["available"]),
        "order": tuple(body["order"]),
        "evidence": MappingProxyType(evidence),
        "question": None if question is None else _question(question),
        "aside": tuple(map(_question, body["aside"])),
        "code": None if code is None else _code(code),
        "sends": body["sends"],
        "turns": tuple([Turn(of=t[0], mark=t[1], verdict=Verdict(t[2]), check=t[3], note=t[4]) for t in body["turns"]]),
        "verdict": Verdict(body["verdict"]),
        "ending": body["ending"],
        "contact": body["contact"],
        "opened_at": _at(body["times"][0]),
        "latest": _at(body["times"][1]),
        "grant": grant[0],
        "grant_until": None if grant[1] is None else _at(grant[1]),
        "grant_key": grant[2],
    }  # fmt: skip
