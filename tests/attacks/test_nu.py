"""Numbers: what is no exact number never becomes a score."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Evidence,
    KycVerifyError,
    Lifetimes,
    Likelihoods,
    Outcome,
    Policy,
    Requirement,
    SignalCheck,
    ThreatModel,
    Verdict,
    checks,
)
from kyc_verify.threats import run_penalty

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

NAN, INF = float("nan"), float("inf")


def watched(judged: object) -> Policy:
    class Watch(SignalCheck):
        source = None

        def judge(self, signal: Any) -> Any:
            return judged

    return Policy(
        name="watched",
        checks=[Watch(), checks.Pin()],
        threats=ThreatModel.points({"watch": 3, "pin": 3}),
        actions={"both": Requirement(bits=6), "pin": Requirement(bits=3)},
    )


@pytest.mark.parametrize("judged", [NAN, INF, -INF, 1e308, -50, 10**6, 10**400, True, "100", Decimal(1), Fraction(1)])
def test_nu_01_02_04_05_what_a_check_judges_is_an_outcome_or_it_failed(
    make: Callable[..., Desk], judged: object
) -> None:
    desk = make(watched(judged))
    assert desk.play("both").verdict is Verdict.DENIED
    assert desk.fresh().play("pin").verdict is Verdict.VERIFIED
    assert desk.fresh().play("pin", {"pin": "0000"}).verdict is Verdict.DENIED


@pytest.mark.parametrize("cell", [NAN, INF, -INF, -0.1, 1.5, "NaN", "1e400", True, None, Decimal("NaN"), 10**400])
def test_nu_01_02_04_05_cells_of_a_table_are_probabilities(cell: Any) -> None:
    with pytest.raises(KycVerifyError):
        Likelihoods(genuine={Outcome.PASS: cell}, classes={"stranger": {Outcome.PASS: "0.1"}}, source="x")
    with pytest.raises(KycVerifyError):
        Likelihoods(genuine={Outcome.PASS: "0.9"}, classes={"stranger": {Outcome.PASS: cell}}, source="x")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_nu_02_json_has_no_such_numbers_here(desk: Desk, text: str) -> None:
    written = desk.policy.to_json().replace('"consecutive":50', f'"consecutive":{text}')
    assert text in written or '"consecutive": 50' in desk.policy.to_json()
    written = (
        written if text in written else desk.policy.to_json().replace('"consecutive": 50', f'"consecutive": {text}')
    )
    with pytest.raises(KycVerifyError):
        Policy.from_json(written)


def test_nu_03_sums_are_exact_in_every_order(policy: Callable[..., Policy], desk: Desk) -> None:
    rule = policy(actions={"a": Requirement(bits=9, checks=("account_tenure", "pin", "school"))})
    now = desk.clock.now
    evidence = [Evidence(check=name, outcome=Outcome.PASS, at=now) for name in ("account_tenure", "pin", "school")]
    for order in permutations(evidence):
        assert rule.evaluate(order, action="a", now=now).verdict is Verdict.VERIFIED
        assert rule.evaluate(order[:2], action="a", now=now).verdict is Verdict.PENDING
    assert type(rule.evaluate(evidence, action="a", now=now).score.centibits) is int


@pytest.mark.parametrize("points", [NAN, INF, -50, 1.5, True, "3", None, 10**400])
def test_nu_04_05_points_are_whole_and_bounded(points: Any) -> None:
    with pytest.raises(KycVerifyError):
        ThreatModel.points({"pin": points})


@pytest.mark.parametrize("bits", [NAN, INF, -1, True, "x", [], 10**400, "1e400"])
def test_nu_05_bits_are_numbers_that_make_sense(policy: Callable[..., Policy], bits: Any) -> None:
    with pytest.raises(KycVerifyError):
        policy(actions={"a": Requirement(bits=bits)})


@pytest.mark.parametrize(("bits", "verdict"), [("5.99", "verified"), (6, "verified"), ("6.01", "denied")])
def test_nu_06_the_line_itself_is_met_on_every_store(
    make: Callable[..., Desk], policy: Callable[..., Policy], bits: Any, verdict: str
) -> None:
    desk = make(policy(actions={"a": Requirement(bits=bits, checks=("pin", "account_tenure", "school"))}))
    step = desk.play("a", {"school": "Marienburg"})
    assert step.verdict.value == verdict


def test_nu_06_the_line_of_later_runs_rounds_up(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    assert [run_penalty(k) for k in (1, 2, 3, 4)] == [0, 100, 159, 200]
    desk = make(policy(actions={"a": Requirement(bits=5, checks=("pin", "account_tenure"))}))
    desk.open("a")
    assert desk.play("a").verdict is Verdict.VERIFIED  # run 2 needs exactly 6 of 6
    desk.open("a")
    assert desk.open("a").verdict is Verdict.REVIEW


@pytest.mark.parametrize("points", [{"pin": 0}, {}, {"pin": 0, "school": 0}])
def test_nu_07_nothing_that_can_be_scored_is_refused(points: dict[str, int]) -> None:
    with pytest.raises(KycVerifyError):
        Policy(name="p", checks=[checks.Pin()], threats=ThreatModel.points(points), actions={"a": Requirement(bits=1)})


def test_nu_08_huge_numbers_are_refused_at_load(policy: Callable[..., Policy]) -> None:
    for wrong in (
        {"actions": {"a": Requirement(bits=10**6)}}, {"lifetimes": Lifetimes(session=2**60)},
        {"lifetimes": Lifetimes(grant=10**400)},
    ):  # fmt: skip
        with pytest.raises(KycVerifyError):
            policy(**wrong)
    text = policy().to_json()
    with pytest.raises(KycVerifyError):
        Policy.from_json(text.replace("1800", str(2**60)))
