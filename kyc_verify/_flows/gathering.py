"""Asking the sources outside, and judging what they say; whatever goes wrong counts against the caller."""

from __future__ import annotations

from collections.abc import Sequence

from kyc_verify._flows.case import Case
from kyc_verify._flows.context import TIMEOUT
from kyc_verify._flows.numbers import Known, Numbers
from kyc_verify._flows.reaching import recipient, trusted
from kyc_verify.answers import Refused, phones
from kyc_verify.call import Call, Customer
from kyc_verify.checks import Signal, SignalCheck
from kyc_verify.evidence import Evidence
from kyc_verify.ports import Notice, SignalQuery
from kyc_verify.terms import Outcome

__all__ = ["gather"]


async def gather(
    case: Case, checks: Sequence[SignalCheck], customer: Customer | None, numbers: Numbers
) -> dict[str, Evidence]:
    """Return the run's evidence with what these signals say; a check counts once a run."""
    found = dict(case.state.evidence)
    for check in checks:
        if check.id not in found:
            outcome = Outcome.UNAVAILABLE
            if check.id in case.state.available:
                outcome = await _outcome(case, check, customer, recipient(check, numbers))
            found[check.id] = Evidence(check=check.id, outcome=outcome, at=case.now)
    return found


async def _outcome(case: Case, check: SignalCheck, customer: Customer | None, known: Known | None) -> Outcome:
    value: object = None
    if check.source is not None:
        try:
            value = await _asked(case, check.source, known)
        except Exception:  # noqa: BLE001 - whatever a source raises is a failed signal
            case.ctx.notice(Notice.SIGNAL_FAILED)
            if case.ctx.circuit.failed(check.source, case.now):
                case.ctx.notice(Notice.CIRCUIT_OPEN)
            return Outcome.FAIL
        case.ctx.circuit.answered(check.source)
    if not case.state.real or customer is None:
        return Outcome.FAIL
    if check.uses_contact and not trusted(case, check, known):
        # The number was changed since the run opened: a new one gives no credit.
        return Outcome.FAIL
    contact = None if known is None else known.contact
    signal = Signal(value=value, now=case.now, call=case.call, customer=customer, contact=contact)
    try:
        outcome: object = check.judge(signal)
    except Exception:  # noqa: BLE001 - a custom check may raise anything
        outcome = None
    if isinstance(outcome, Outcome):
        return outcome
    case.ctx.notice(Notice.CHECK_FAILED)
    return Outcome.FAIL


async def _asked(case: Case, source: str, known: Known | None) -> object:
    # For somebody who is not there the presented number is asked about: the source is called as often for everybody.
    number = known.canonical if known is not None else _presented(case.call)
    query = SignalQuery(
        subject=case.who, call=case.call, contact=None if known is None else known.contact, number=number
    )
    return await case.ctx.runner.outside(case.ctx.signals[source].get, query, timeout=TIMEOUT)


def _presented(call: Call) -> str | None:
    try:
        return None if call.number is None else phones.canonical(call.number, region=call.region)
    except Refused:
        return None
