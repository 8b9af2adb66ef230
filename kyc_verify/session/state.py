"""Everything that is known of a run, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy.policy import bound_to
from kyc_verify.session import text as text_form
from kyc_verify.session.parts import Code, Question, Turn
from kyc_verify.terms import Entry

__all__ = ["State"]


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
        aside: Questions that were put and then could not be taken on another leg; they come back as they were.
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
    aside: tuple[Question, ...] = ()
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
        return text_form.write(self)

    @classmethod
    def from_text(cls, text: str) -> State:
        """Read what `to_text` wrote.

        Raises:
            InvalidTransition: a newer version of the library wrote it.
            StoreError: it is not what `to_text` wrote.
        """
        return cls(**text_form.read(text))
