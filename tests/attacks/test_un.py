"""Unicode: what is one answer, and what is another; the whole of it is in tests/unit and tests/property."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import EnrollmentError, Verdict
from kyc_verify.answers import Refused, text

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

SAME = [
    ("UN-01", "Café Königin", "Cafe\u0301 Ko\u0308nigin"),
    ("UN-02", "Großstraße", "GROSSSTRASSE"),
    ("UN-02", "Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
    ("UN-03", "Izmir Lisesi", "izmir lisesi"),
    ("UN-04", "علی کریمی", "علي كريمي"),
    ("UN-04", "مدرسه ۱۲۳", "مدرسه ١٢٣"),
    ("UN-05", "می‌روم", "می روم"),
    ("UN-05", "می‌روم", "میروم"),
    ("UN-06", "Lindenhof", "Linden\u00adhof\u200b\ufeff"),
    ("UN-06", "Lindenhof", "\u200eLindenhof\u200f"),
    ("UN-10", "O'Brien", "O’Brien"),
    ("UN-10", "Saint-Étienne", "saint etienne"),
]
OTHER = [
    ("UN-03", "Izmir Lisesi", "\u0131zm\u0131r bazaar"),
    ("UN-07", "Caravelle", "Cаrаvelle"),
    ("UN-07", "ABBA Hof", "АВВА Ноf"),
]


@pytest.mark.parametrize(("case", "enrolled", "said"), SAME)
def test_un_01_02_03_04_05_06_10_the_same_answer_written_differently(
    desk: Desk, case: str, enrolled: str, said: str
) -> None:
    for one, other in ((enrolled, said), (said, enrolled)):
        desk.enroller.enroll("cust-42", {"school": one}, by="crm-import")
        assert desk.fresh().play("school", {"school": other}).verdict is Verdict.VERIFIED, case


@pytest.mark.parametrize(("case", "enrolled", "said"), OTHER)
def test_un_03_07_another_answer_that_looks_alike(desk: Desk, case: str, enrolled: str, said: str) -> None:
    desk.enroller.enroll("cust-42", {"school": enrolled}, by="crm-import")
    assert desk.play("school", {"school": said}).verdict is Verdict.DENIED, case


@pytest.mark.parametrize("blank", ["\u200c", "\u200c\u200d\ufeff", "\u00ad", "\u202e\u202c", "\ufe0f"])
def test_un_05_06_invisible_characters_alone_are_blank(desk: Desk, blank: str) -> None:
    with pytest.raises(EnrollmentError) as refused:
        desk.enroller.enroll("cust-42", {"school": blank}, by="crm-import")
    assert refused.value.faults["school"] in {"blank", "unencodable"}
    assert desk.play("school", {"school": blank}).verdict is Verdict.DENIED


@given(st.text(max_size=40))
def test_un_08_folding_is_idempotent(said: str) -> None:
    try:
        once = text.fold(said)
    except Refused:
        return
    assert text.fold(once) == once


@pytest.mark.parametrize("odd", ["\ud800", "a\x00b", "\uffff", "\ue000", "Linden\udfff", "\U0010ffff"])
def test_un_09_text_that_cannot_be_written_is_refused_or_wrong(desk: Desk, odd: str) -> None:
    with pytest.raises(EnrollmentError):
        desk.enroller.enroll("cust-42", {"school": odd}, by="crm-import")
    for action in ("school", "pin", "tenure", "born", "code"):
        step = desk.fresh().open(action)
        while step.challenge is not None:
            step = desk.say(step, odd)
        assert step.verdict is Verdict.DENIED


def test_un_11_the_version_of_the_forms_is_kept_with_every_hash(desk: Desk) -> None:
    step = desk.open("hours")
    kept = desk.store.load(desk.tenant, step.session_id, desk.clock.now).subject.credentials
    by_id = {check.id: check for check in desk.policy.enrollable()}
    assert {name: each.forms_version for name, each in kept.items()} == {
        name: by_id[name].forms_version for name in kept
    }
