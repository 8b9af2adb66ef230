"""The small values that a run's state is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kyc_verify.decision import Verdict

__all__ = ["Code", "Question", "Turn"]


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
    """What was sent for the open question: a keyed tag of our own code, or a provider's handle.

    Attributes:
        tag: Of our own code.
        handle: Of the provider.
        number: Which send of the run.
        sent_at: When; its age counts from here.
        bound: What it is good for.
        again_at: When another was last asked for, if none was sent in its place.
    """

    tag: str = field(default="", repr=False)
    handle: str = field(default="", repr=False)
    number: int
    sent_at: datetime
    bound: str
    again_at: datetime | None = None


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
    mark: str = field(repr=False)
    verdict: Verdict
    check: str = ""
    note: str = ""
