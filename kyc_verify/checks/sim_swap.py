"""Whether the SIM behind the number on record was changed lately."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from kyc_verify.checks.base import Signal, SignalCheck
from kyc_verify.terms import Outcome
from kyc_verify.threats import Likelihoods

__all__ = ["SimSwap"]

_WINDOW: Final = timedelta(days=7)


class SimSwap(SignalCheck):
    """PASS: no change within 7 days. FAIL: a change, or a malformed reply. UNAVAILABLE: the source does not cover it.

    The source named ``sim_swap`` returns one of: a bool (whether it was changed within the window); the aware time
    of the last change; a mapping with ``covered`` (bool), and ``swapped`` (bool) or ``changed_at`` (aware datetime;
    None, which some send for "none that we know of", is UNAVAILABLE).
    """

    row = "sim_swap"
    asset = "sim"
    source = "sim_swap"
    uses_contact = True
    taints_contact = True

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        source: str | None = None,
        likelihoods: Likelihoods | None = None,
    ) -> None:
        super().__init__(id, source=source, likelihoods=likelihoods)

    def judge(self, signal: Signal) -> Outcome:
        """Judge the reply; anything that is not clearly a "no change" fails."""
        value = signal.value
        if isinstance(value, Mapping):
            covered = value.get("covered", True)
            if covered is False:
                return Outcome.UNAVAILABLE
            if covered is not True:
                return Outcome.FAIL
            if "swapped" in value:
                value = value["swapped"]
            elif "changed_at" in value:
                value = value["changed_at"]
                if value is None:
                    return Outcome.UNAVAILABLE  # nobody says how far back was looked
        if value is False:
            return Outcome.PASS
        if isinstance(value, datetime) and value.utcoffset() is not None and value <= signal.now - _WINDOW:
            return Outcome.PASS
        return Outcome.FAIL
