"""A request that the customer confirms in the company's app."""

from __future__ import annotations

from kyc_verify.checks.base import AskedCheck
from kyc_verify.terms import Entry, Factor, Method
from kyc_verify.threats import Likelihoods

__all__ = ["AppConfirmation"]


class AppConfirmation(AskedCheck):
    """A push that the customer answers in the app, through the `CodeService` named ``service``.

    What the agent types is of no weight: the service says whether the customer confirmed, refused, or has not
    answered yet, and then the same question stays.
    """

    row = "app_confirmation"
    factor = Factor.POSSESSION
    asset = "app"
    methods = (Method.POP,)
    entry = Entry.CONFIRM
    service: str = "app"

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        service: str | None = None,
        likelihoods: Likelihoods | None = None,
        seconds: int | None = None,
    ) -> None:
        super().__init__(id, service=service, likelihoods=likelihoods, seconds=seconds)

    def prompt_key(self) -> str:
        """Name the shipped text."""
        return "app_confirmation"
