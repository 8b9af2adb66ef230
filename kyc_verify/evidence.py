"""What a check observed: how it ended, when, and what it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kyc_verify.call import aware
from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome

__all__ = ["Evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How one check ended in one run.

    Attributes:
        check: Id of the check.
        outcome: How it ended.
        at: When; aware.
        bound: For a code: the action and stake it was sent for. It is worth nothing for another.
    """

    check: str
    outcome: Outcome
    at: datetime
    bound: str | None = None

    def __post_init__(self) -> None:
        if type(self.check) is not str or type(self.bound) not in (str, type(None)):
            msg = "Evidence.check must be a check's id, and Evidence.bound a text or None"
            raise UsageError(msg)
        if not isinstance(self.outcome, Outcome):
            msg = "Evidence.outcome must be an Outcome"
            raise UsageError(msg)
        aware(self.at, "Evidence.at")
