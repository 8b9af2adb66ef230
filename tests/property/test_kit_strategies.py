"""The kit's strategies: what they draw is what they say, and the shipped checks take it so."""

from __future__ import annotations

from datetime import UTC, datetime

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyc_verify import checks
from kyc_verify.answers import Forms, phones
from kyc_verify.checks import AnswerCheck
from kyc_verify.decision import Decision
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy, Requirement
from kyc_verify.terms import LANGUAGES, Outcome
from kyc_verify.testing import strategies
from kyc_verify.testing._acting import graded
from kyc_verify.threats import ThreatModel

LAW = settings(deadline=None, max_examples=60)
NOW = datetime(2100, 1, 1, tzinfo=UTC)
CHECKS: dict[str, AnswerCheck] = {
    "text": checks.SecretAnswer("place", {"en": "Which place?"}),
    "date": checks.DateOfBirth(),
    "tenure": checks.AccountTenure(),
    "digits": checks.Pin(),
}


@LAW
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", CHECKS)
@given(data=st.data())
def test_what_is_said_is_right(kind: str, lang: str, data: st.DataObject) -> None:
    answer = data.draw(strategies.answers(kind, lang))
    if kind == "digits" and len(set(str(answer.fact))) < 3:
        return  # too common a PIN to be enrolled
    check = CHECKS[kind]
    true = check.enrolled(answer.fact, locale=lang, now=NOW) if kind != "digits" else check.forms(
        str(answer.fact), locale=lang, now=NOW
    )  # fmt: skip
    said = check.forms(answer.said, locale=lang, now=NOW)
    assert isinstance(true, Forms)
    assert isinstance(said, Forms)
    assert graded(true, said) is Outcome.PASS


@LAW
@given(strategies.answers("phone"))
def test_a_number_is_the_same_however_it_is_written(answer: strategies.Answer) -> None:
    assert phones.same(phones.canonical(str(answer.fact), region=None), phones.canonical(answer.said, region=None))


@LAW
@given(st.sampled_from(["FR", "GB", "IR", "US"]).flatmap(strategies.phone_numbers))
def test_numbers_are_valid(number: str) -> None:
    assert phonenumbers.is_valid_number(phonenumbers.parse(number))


@LAW
@given(strategies.slips("Lindenhof"))
def test_a_slip_is_another_text(said: str) -> None:
    assert said != "Lindenhof"
    assert abs(len(said) - len("Lindenhof")) <= 1


@LAW
@given(st.data(), strategies.policies())
def test_drawn_evidence_can_be_judged(data: st.DataObject, policy: Policy) -> None:
    found = data.draw(strategies.evidence(policy, action="pay"))
    assert isinstance(policy.evaluate(found, action="pay", now=NOW), Decision)
    assert Policy.from_json(policy.to_json()) == policy


@LAW
@given(strategies.threat_models(rows=("pin", "date_of_birth")))
def test_a_drawn_model_holds_its_bound(model: ThreatModel) -> None:
    policy = Policy(
        name="p",
        checks=[checks.Pin(), checks.DateOfBirth()],
        actions={"a": Requirement(any_of=("pin",), knowledge_only=True)},
        threats=model,
    )
    for name in model.names:
        total = sum(
            float(model.rows["pin"].likelihoods.column(name)[outcome])  # type: ignore[union-attr]
            for outcome in (Outcome.PASS, Outcome.NEAR)
            if outcome in model.rows["pin"].likelihoods.column(name)  # type: ignore[union-attr]
        )
        assert 0 < total < 1
    assert policy.table.centibits({"pin": Outcome.PASS, "date_of_birth": Outcome.PASS}) >= 0


def test_misuse_says_what_to_write() -> None:
    for use, told in (
        (lambda: strategies.answers("colour"), "a kind of text, date"),
        (lambda: strategies.answers("text", "xx"), "a language of en, fr"),
        (lambda: strategies.phone_numbers("XX"), "write one as 'FR'"),
        (lambda: strategies.slips("--"), "nothing in this text to slip on"),
        (lambda: strategies.policies(pool=()), "at least one maker"),
    ):
        with pytest.raises(UsageError, match=told):
            use()
