"""Unicode: what is one answer, and what is another; the whole of it is in tests/unit and tests/property."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import AnswerCheck, EnrollmentError, Forms, Policy, Requirement, ThreatModel, UsageError, Verdict
from kyc_verify.answers import Refused, text

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Nickname(AnswerCheck):
    """Read by the first version of its rules."""

    kind = "nickname"
    prompts = {"en": "What do your friends call you?"}  # noqa: RUF012 - as the documentation shows it

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        return text.forms(said)


class Anew(Nickname):
    """The second version: without the "the" in front, and with other forms for every answer."""

    id = "nickname"
    forms_version = 2

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        return text.forms("2 " + said.removeprefix("the "))


class Compatible(Anew):
    """The second version, which still knows the first."""

    id = "nickname"

    def forms_of(self, version: int, said: str, *, locale: str | None, now: datetime) -> Forms:
        assert version == 1
        return text.forms(said)


def asks(check: AnswerCheck) -> Policy:
    threats = ThreatModel.points({"nickname": 100})
    return Policy(name="p", checks=[check], threats=threats, actions={"read": Requirement(bits=1)})


def test_un_11_what_the_first_version_enrolled_keeps_verifying(make: Callable[..., Desk]) -> None:
    first = make(asks(Nickname()), facts={"nickname": "the Captain"})
    desk = first.under(asks(Compatible()))
    step = desk.open("read")
    done = desk.say(step, "The captain")
    assert done.verdict is Verdict.VERIFIED
    assert desk.say(step, "The captain").as_dict() == done.as_dict()
    with pytest.raises(UsageError, match="another answer was given to this challenge"):
        desk.say(step, "captain")
    assert desk.fresh().say(desk.open("read"), "captain").verdict is Verdict.DENIED
    desk.enroller.enroll(desk.subject, {"nickname": "the Captain"}, by="crm-import")
    desk.clock.advance(days=2)
    assert desk.fresh().say(desk.open("read"), "captain").verdict is Verdict.VERIFIED
    assert first.fresh().say(first.open("read"), "the Captain").verdict is Verdict.DENIED  # an older library


def test_un_11_a_check_that_does_not_know_its_first_version_lets_nobody_in(make: Callable[..., Desk]) -> None:
    desk = make(asks(Nickname()), facts={"nickname": "the Captain"}).under(asks(Anew()))
    assert desk.say(desk.open("read"), "the Captain").verdict is Verdict.DENIED
