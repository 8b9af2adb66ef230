"""The number the call comes from."""

from __future__ import annotations

from kyc_verify.answers import Refused, phones
from kyc_verify.checks.base import Signal, SignalCheck
from kyc_verify.terms import Outcome
from kyc_verify.threats import Likelihoods

__all__ = ["CallerNumber"]


class CallerNumber(SignalCheck):
    """Whether the presented number is the one on record, and how well the network vouches for it.

    PASS: the same number with verified attestation A. NEAR: the same number with B, C or none. FAIL: failed
    verification, another number, withheld, or malformed. Anybody can present any number: without A it says little.
    """

    row = "caller_number"
    asset = "sim"
    source = None
    uses_contact = True

    def __init__(self, id: str | None = None, *, likelihoods: Likelihoods | None = None) -> None:  # noqa: A002
        super().__init__(id, likelihoods=likelihoods)

    def judge(self, signal: Signal) -> Outcome:
        """Compare canonical forms, extension included; a national number needs the call's region."""
        call, contact = signal.call, signal.contact
        if contact is None or call.number is None:
            return Outcome.FAIL
        try:
            presented = phones.canonical(call.number, region=call.region)
            known = phones.canonical(contact.number, region=call.region)
        except Refused:
            return Outcome.FAIL
        if not phones.same(presented, known):
            return Outcome.FAIL
        if call.attestation == "A":
            return Outcome.PASS
        return Outcome.NEAR if call.attestation in {"B", "C", None} else Outcome.FAIL
