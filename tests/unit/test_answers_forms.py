"""The values of the answer modules hide what they hold."""

from __future__ import annotations

import copy
import pickle

import pytest

from kyc_verify.answers import Forms, Refused
from kyc_verify.answers.forms import REFUSALS
from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome, Secret

FORMS = Forms(coarse="edwrt", fine="edworth", near=True, typo=("edwort",), graded=((Secret("2019-03"), Outcome.PASS),))


def test_nothing_of_an_answer_is_shown() -> None:
    shown = repr([FORMS, FORMS.coarse, FORMS.fine, FORMS.typo, FORMS.graded])
    assert not any(part in shown for part in ("edw", "2019"))
    assert [form.reveal() for form, _ in FORMS.graded] == ["2019-03"]


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_forms_are_never_serialised(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(UsageError, match="never serialised"):
        leak(FORMS)


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_every_refusal_says_why_in_words(reason: str) -> None:
    assert " " in REFUSALS[reason]
    assert str(Refused(reason)) == reason
