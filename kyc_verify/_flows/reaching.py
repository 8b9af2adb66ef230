"""Whom a message reaches, whether it may be sent there, and what that costs beside the subject's own budget.

Nothing goes to a number that is young, shared, changed, dear or of a kind that no message reaches, nor to one of which
this run's own signals say that somebody else may have it. What is not sent is asked for all the same, and looks the
same: somebody who is not there pays from budgets of their own that nobody else uses.
"""

from __future__ import annotations

from typing import Final

from kyc_verify._flows.case import Case
from kyc_verify._flows.context import Context
from kyc_verify._flows.numbers import Known, Numbers
from kyc_verify.answers import phones
from kyc_verify.checks import AppConfirmation, Callback, Check, OneTimeCode, SignalCheck
from kyc_verify.ports import Charge
from kyc_verify.terms import Channel, Outcome

__all__ = ["limits", "may_reach", "recipient", "tainted", "trusted"]

_EXTENSION: Final = ";ext="
_NOBODY: Final = "+442079460958"
"""A number set aside for fiction: looked at where there is none, because looking takes time."""


def recipient(check: Check, numbers: Numbers) -> Known | None:
    """Return the contact on record that a check uses; never the presented number."""
    if isinstance(check, OneTimeCode):
        return numbers.of(check.channel)
    if isinstance(check, SignalCheck) and check.taints_contact:
        return _asked_about(numbers)
    return numbers.of(Channel.VOICE) if isinstance(check, Callback) else numbers.main


def _asked_about(numbers: Numbers) -> Known | None:
    """Return the number of which carriers are asked whether it is still its holder's: where codes go."""
    return numbers.of(Channel.SMS) or numbers.main


def _by_phone(check: Check) -> bool:
    return isinstance(check, Callback) or (isinstance(check, OneTimeCode) and check.channel is not Channel.EMAIL)


def trusted(case: Case, check: Check, known: Known | None) -> bool:
    """Whether a contact gives a check credit: known for the policy's cool-off, and for as long as the check wants."""
    return known is not None and known.trusted(case.now, max(check.least_age, case.policy.lifetimes.cool_off))


def may_reach(case: Case, check: Check, numbers: Numbers) -> bool:
    """Whether a check's contact is old enough, its holder's own, and of a kind that this check may use.

    In a policy that asks a carrier about one number, another is not trusted with a message: whoever took it over would
    show in nothing. A fixed line has no SIM that could be swapped.
    """
    known = recipient(check, numbers)
    number = _NOBODY if known is None else known.canonical
    if isinstance(check, Callback):
        # An agent who dials can dial an extension; a message has nowhere to go.
        number = number.partition(_EXTENSION)[0]
    fits = not _by_phone(check) or phones.sendable(number)
    return fits and trusted(case, check, known) and not _unasked(case, check, number, numbers)


def _tainting(case: Case) -> list[SignalCheck]:
    """Return the signals that say whether a number is still its holder's."""
    return [check for check in case.policy.checks if isinstance(check, SignalCheck) and check.taints_contact]


def _unasked(case: Case, check: Check, number: str, numbers: Numbers) -> bool:
    """Whether carriers are asked about another number than the one a message would go to."""
    asked = _asked_about(numbers)
    if asked is None or not _tainting(case) or not _by_phone(check):
        return False
    # An extension of a number is no other number.
    return not phones.same(asked.canonical.partition(_EXTENSION)[0], number) and not phones.fixed(number)


def tainted(case: Case, known: Known, numbers: Numbers) -> bool:
    """Whether a signal of this run says that somebody else may have this number by now."""
    asked = _asked_about(numbers)
    if asked is None or not phones.same(asked.canonical, known.canonical):
        return False  # a fixed line, or an address
    evidence = case.state.evidence
    return any(
        check.id in evidence and evidence[check.id].outcome is Outcome.FAIL for check in _tainting(case)
    )  # fmt: skip


def limits(ctx: Context, check: Check, *, to: str, subject: str) -> tuple[Charge, ...]:
    """Return what a message to a destination costs the destination and its country.

    Args:
        ctx: The wiring.
        check: What sends it.
        to: The number or address in its canonical form; empty when nothing is sent.
        subject: Whose budgets pay for what is sent nowhere: as many, and nobody else's.
    """
    if isinstance(check, AppConfirmation):
        return ()
    budgets, whose = ctx.policy.budgets, ("to", to) if to else ("nowhere", subject)
    found = [ctx.charge(budgets.destination, "destination", *whose)]
    if _by_phone(check):
        country = phones.country(to or _NOBODY)
        where = ("in", country) if to else ("nowhere", subject)
        found.append(ctx.charge(budgets.country, "country", *where))
    return tuple(found)
