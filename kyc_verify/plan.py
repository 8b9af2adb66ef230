"""The order of questions, and when the rest can no longer matter.

The order is fixed when a run opens: the next question never depends on how an earlier one ended, so the caller
cannot read from it which answer was wrong. Signals come first, for they cost the call nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from kyc_verify.call import Stake
from kyc_verify.checks import AskedCheck, Check, SignalCheck
from kyc_verify.decision import Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Entry, Outcome

__all__ = ["askable", "questions", "reachable", "settled", "signals"]


def signals(policy: Policy, requirement: Requirement) -> tuple[SignalCheck, ...]:
    """Return the checks of a requirement that ask the caller nothing."""
    return tuple(check for check in policy.asked(requirement) if isinstance(check, SignalCheck))


def questions(
    policy: Policy, requirement: Requirement, *, available: Collection[str], pinned: str | None = None
) -> tuple[str, ...]:
    """Return the ids of what will be asked for a requirement, in order.

    Args:
        policy: The policy; its order of checks is the order of questions.
        requirement: What the action demands.
        available: Ids of the checks that this subject can be asked.
        pinned: The question that an earlier run left unanswered: it stays the first (OWASP, security questions).
    """
    order = [check.id for check in policy.asked(requirement) if isinstance(check, AskedCheck) and check.id in available]
    return tuple(sorted(order, key=lambda name: name != pinned))


def askable(check: Check, entries: Collection[Entry] | None) -> bool:
    """Whether the present leg of the call can take the check's answer."""
    return isinstance(check, AskedCheck) and (entries is None or check.entry in entries)


def _as(outcome: Outcome, names: Iterable[str], now: datetime, bound: str) -> list[Evidence]:
    return [Evidence(check=name, outcome=outcome, at=now, bound=bound) for name in names]


def reachable(
    policy: Policy, *, action: str, stake: Stake | None, run: int, available: Collection[str], now: datetime
) -> bool:
    """Whether the requirement could be met if everything available passed.

    It looks at no outcome: that a run is over before it began says nothing of how a check ended.
    """
    best = _as(Outcome.PASS, available, now, bound_to(action, stake))
    return policy.evaluate(best, action=action, now=now, run=run, stake=stake).verdict is Verdict.VERIFIED


def settled(
    policy: Policy,
    evidence: Sequence[Evidence],
    *,
    action: str,
    stake: Stake | None,
    run: int,
    remaining: Collection[str],
    now: datetime,
) -> bool:
    """Whether the requirement is met whatever the remaining checks would say; failing all of them is the worst."""
    worst = [*evidence, *_as(Outcome.FAIL, remaining, now, bound_to(action, stake))]
    return policy.evaluate(worst, action=action, now=now, run=run, stake=stake).verdict is Verdict.VERIFIED
