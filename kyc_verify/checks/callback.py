"""Calling the customer back on the number on record."""

from __future__ import annotations

from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["Callback"]


class Callback(AskedCheck):
    """Dials the number on record, never the presented one, and the agent says whether the customer confirmed.

    The row gives it nothing against an insider, whose word it rests on.
    """

    row = "callback"
    factor = Factor.POSSESSION
    asset = "sim"
    methods = (Method.TEL,)
    entry = Entry.CONFIRM
    uses_contact = True

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
