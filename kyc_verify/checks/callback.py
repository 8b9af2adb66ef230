"""Calling the customer back on the number on record."""

from __future__ import annotations

from datetime import timedelta

from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["Callback"]


class Callback(AskedCheck):
    """Dials the number on record, never the presented one, and the agent says whether the customer confirmed.

    The row gives it nothing against an insider, whose word it rests on. The number must have been known for 30 days,
    whatever shorter cool-off a policy has (47 CFR 64.2003(b) and 64.2010(b): the number of record), and a call that was
    not dialled confirms nothing, whatever the agent says.
    """

    row = "callback"
    factor = Factor.POSSESSION
    asset = "sim"
    methods = (Method.TEL,)
    entry = Entry.CONFIRM
    by_agent = True
    uses_contact = True
    least_age = timedelta(days=30)

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        likelihoods: Likelihoods | None = None,
        seconds: int | None = None,
    ) -> None:
        super().__init__(id, likelihoods=likelihoods, seconds=seconds)

    def prompt_key(self) -> str:
        """Name the shipped text."""
        return "callback"
