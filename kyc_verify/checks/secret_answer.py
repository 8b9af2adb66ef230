"""A question that the customer chose an answer to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kyc_verify.answers import Clarify, Forms, text
from kyc_verify.answers.text import Tolerance
from kyc_verify.checks.base import AnswerCheck
from kyc_verify.threats import Likelihoods

__all__ = ["SecretAnswer"]


class SecretAnswer(AnswerCheck):
    """A question with an enrolled answer that nobody at the company can see.

    Args:
        question_id: Id of the check, and the key of its fact.
        prompts: The question by language.
        row: Row of the table; the default one is for an answer the CRM does not display. For a fact that agents see,
            name the row of that fact.
        tolerance: ``"exact"``, ``"default"`` (sounds alike: NEAR) or ``"typo"``.

    Security:
        ``tolerance="typo"`` also forgives one wrong letter, and then only the pepper, not Argon2, stands between a
        thief of the database and the answer.
    """

    row = "secret_answer"
    kind = "text"
    forms_version = text.VERSION
    tolerance: Tolerance = "default"

    def __init__(
        self,
        question_id: str,
        prompts: Mapping[str, str],
        *,
        row: str | None = None,
        tolerance: Tolerance | None = None,
        likelihoods: Likelihoods | None = None,
        seconds: int | None = None,
    ) -> None:
        super().__init__(question_id, prompts=prompts, likelihoods=likelihoods, seconds=seconds)
        if row is not None:
            object.__setattr__(self, "row", row)
        if tolerance is not None:
            object.__setattr__(self, "tolerance", tolerance)

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:  # noqa: ARG002 - the base's
        """Return the folded words and, under them, how they sound."""
        return text.forms(said, tolerance=self.tolerance)

    def storage_kind(self) -> str:
        """Bind the tolerance too: an answer enrolled under one is not compared under another."""
        return self.kind if self.tolerance == "default" else f"{self.kind}:{self.tolerance}"
