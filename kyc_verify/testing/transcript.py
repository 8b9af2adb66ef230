"""What happened in one scripted call, to be asserted on and to be read when a test fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from kyc_verify.audit import AuditRecord
from kyc_verify.call import Call
from kyc_verify.decision import Decision, Grant, Step, Verdict
from kyc_verify.ports import Message

__all__ = ["Line", "Transcript", "recent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step of a call.

    Attributes:
        check: Id of the check that was asked; None for the opening.
        question: What the agent read out.
        said: What the caller said; None: nothing that could be heard (the opening, or "I cannot recall").
        reply: What came back.
        hashes: How many slow hashes it took; None where the hasher does not count.
        trips: How often each verb of the store was called.
        sends: How many messages were handed over.
    """

    check: str | None
    question: str | None
    said: str | None
    reply: Step
    hashes: int | None
    trips: Mapping[str, int] = field(default_factory=dict)
    sends: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One call, from the opening to its end. ``print`` it to read it: facts of tests stand in it, as they were said.

    Attributes:
        caller: Who called, in words.
        subject: Whom they claimed to be.
        action: What they wanted.
        call: The call.
        lines: Its steps.
        decision: The whole of the judgement, with its waterfall; None where the run has not ended.
        sends: What was sent while it lasted.
        audit: What was recorded while it lasted.
        broke: What was raised in the middle of it, in words; empty when it came to its end.
    """

    caller: str
    subject: str
    action: str
    call: Call
    lines: tuple[Line, ...]
    decision: Decision | None
    sends: tuple[Message, ...]
    audit: tuple[AuditRecord, ...]
    broke: str = ""

    @property
    def step(self) -> Step:
        """The last reply."""
        return self.lines[-1].reply

    @property
    def verdict(self) -> Verdict:
        """How it ended."""
        return self.step.verdict

    @property
    def session_id(self) -> str:
        """Of the run."""
        return self.step.session_id

    @property
    def asked(self) -> tuple[str, ...]:
        """Ids of the checks that were asked, in order."""
        return tuple(line.check for line in self.lines if line.check is not None)

    def require(self) -> Grant:
        """Return the grant; see `Step.require`."""
        return self.step.require()

    def __str__(self) -> str:
        end = f"broken off by {self.broke}" if self.broke else self.verdict.value
        shown = [f"{self.caller} calls as {self.subject!r} and wants {self.action!r}: {end}"]
        for line in self.lines:
            if line.check is not None:
                shown.append(f"  {line.check}: {line.question}")
                shown.append(f"    > {'(cannot recall)' if line.said is None else line.said!r}")
            shown.append(f"    {line.reply.verdict.value}: {' '.join(line.reply.reasons)}".rstrip(": "))
        if self.decision is not None:
            shown += [f"  {reason}" for reason in self.decision.reasons]
            shown += [f"  {row}" for row in self.decision.table().splitlines()]
        shown += [f"  sent by {each.channel} to {each.destination}: {each.text}" for each in self.sends]
        shown += [f"  recorded {each.seq}: {each.event.value} {dict(each.detail)}" for each in self.audit]
        return "\n".join(shown)


class Recent:
    """The last calls played in this process, with their numbers; the pytest plugin shows those of a failed test."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Transcript]] = deque(maxlen=8)
        self._count = 0

    def append(self, played: Transcript) -> None:
        """Keep one."""
        self._count += 1
        self._kept.append((self._count, played))

    def clear(self) -> None:
        """Forget them, and count from 1 again."""
        self._kept.clear()
        self._count = 0

    def __iter__(self) -> Iterator[tuple[int, Transcript]]:
        return iter(tuple(self._kept))


recent: Final = Recent()
