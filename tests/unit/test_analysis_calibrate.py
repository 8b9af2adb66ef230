"""Calibration: what is fitted, how sure it is, what is refused, and what drifts."""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb, log2

import pytest

from kyc_verify.analysis import MISMATCHED, LabelledCall, calibrate
from kyc_verify.analysis._beta import log_evidence, quantile
from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

PRIOR = ThreatModel.default()
PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome


def calls(label: str, row: str, **counts: int) -> list[LabelledCall]:
    """Return so many calls, their outcomes well mixed."""
    outcomes = [Outcome(name) for name, count in counts.items() for _ in range(count)]
    random.Random(7).shuffle(outcomes)
    return [LabelledCall(label=label, outcomes={row: outcome}) for outcome in outcomes]


def cell(model: ThreatModel, row: str, column: str, outcome: Outcome = PASS) -> Fraction:
    return model.rows[row].likelihoods.column(column)[outcome]


def test_a_cell_is_the_mean_of_prior_and_calls() -> None:
    found = calibrate(calls(GENUINE, "pin", **{"pass": 140, "fail": 50, "declined": 10}), PRIOR, strength=50)
    # 50 calls at 0.8, and 140 of 200.
    assert cell(found.model, "pin", GENUINE) == Fraction("0.72")
    (fit,) = found.fitted
    assert (fit.row, fit.column, fit.calls) == ("pin", GENUINE, 200)
    low, high = fit.interval[PASS]
    assert low < 0.72 < high
    assert found.model.rows["pin"].origins[GENUINE].tag == "own"
    assert found.kept == found.drift == ()
    assert cell(found.model, "pin", "insider") == cell(PRIOR, "pin", "insider")
    assert ThreatModel.default() == PRIOR


def test_impostors_take_calls_of_their_own_class_only() -> None:
    told = calls("phisher", "pin", **{"pass": 60, "fail": 40})
    found = calibrate(told, PRIOR, strength=100)
    assert cell(found.model, "pin", "phisher") == Fraction("0.45")
    for name in ("stranger", "sim_swapper", GENUINE):
        assert cell(found.model, "pin", name) == cell(PRIOR, "pin", name)


def test_mismatched_pairs_are_strangers() -> None:
    told = calls(MISMATCHED, "secret_answer", **{"pass": 4, "near": 6, "fail": 990})
    found = calibrate(told, PRIOR, strength=100)
    (fit,) = found.fitted
    assert fit.column == "stranger"
    assert float(cell(found.model, "secret_answer", "stranger")) == pytest.approx((3.8 + 4) / 1100, abs=2e-6)
    assert float(cell(found.model, "secret_answer", "stranger", NEAR)) == pytest.approx((0.1 + 6) / 1100, abs=2e-6)
    other = calibrate(told, PRIOR, stranger="acquaintance")
    assert other.fitted[0].column == "acquaintance"


def test_conservative_cells_are_upper_ends_for_impostors_alone() -> None:
    told = calls("phisher", "pin", **{"pass": 30, "fail": 70}) + calls(GENUINE, "pin", **{"pass": 80, "fail": 20})
    mean, sure = calibrate(told, PRIOR), calibrate(told, PRIOR, conservative=True)
    fit = next(each for each in mean.fitted if each.column == "phisher")
    assert cell(sure.model, "pin", "phisher") > cell(mean.model, "pin", "phisher")
    assert float(cell(sure.model, "pin", "phisher")) == pytest.approx(fit.interval[PASS][1], abs=2e-6)
    assert cell(sure.model, "pin", GENUINE) == cell(mean.model, "pin", GENUINE)


def test_bits_hold_the_weight_of_the_new_table() -> None:
    told = calls("phisher", "pin", **{"pass": 30, "fail": 70}) + calls(GENUINE, "pin", **{"pass": 80, "fail": 20})
    found = calibrate(told, PRIOR)
    for fit in found.fitted:
        low, high = fit.bits[PASS]
        m, u = (float(cell(found.model, "pin", name)) for name in (GENUINE, "phisher"))
        assert low < log2(m / u) < high
        assert high - low < 2
    wide = calibrate(told, PRIOR, level=0.5).fitted[0].bits[PASS]
    assert wide[1] - wide[0] < found.fitted[0].bits[PASS][1] - found.fitted[0].bits[PASS][0]


def test_no_cell_falls_below_the_floor() -> None:
    found = calibrate(calls("phisher", "pin", fail=100_000), PRIOR)
    assert cell(found.model, "pin", "phisher") == Fraction(1, 1000)
    sure = calibrate(calls("phisher", "pin", **{"pass": 5_000}), PRIOR, strength=1, conservative=True)
    assert cell(sure.model, "pin", "phisher", FAIL) >= Fraction(1, 1000)


# ── What calls cannot tell ───────────────────────────────────────────────────────────────────────────────────────────


def test_too_few_calls_leave_a_cell_as_it_was() -> None:
    found = calibrate(calls("phisher", "pin", **{"pass": 29}), PRIOR)
    (kept,) = found.kept
    assert (kept.column, kept.calls) == ("phisher", 29)
    assert kept.reason == "29 calls are too few; 30 are needed"
    assert found.model == PRIOR


def test_labels_made_from_outcomes_are_seen() -> None:
    found = calibrate(calls(GENUINE, "pin", **{"pass": 400}), PRIOR)
    (kept,) = found.kept
    assert "labelled by how they ended" in kept.reason
    assert found.model == PRIOR
    # Where a pass is what is expected of nearly all, forty of them prove nothing of the kind.
    assert calibrate(calls(GENUINE, "date_of_birth", **{"pass": 40}), PRIOR).kept == ()


def test_exposed_rows_are_left_alone() -> None:
    leaked = PRIOR.with_incident(["pin"])
    (kept,) = calibrate(calls("phisher", "pin", **{"pass": 100}), leaked).kept
    assert "exposed" in kept.reason


def test_what_was_not_to_be_had_is_not_counted() -> None:
    found = calibrate(calls(GENUINE, "pin", **{"pass": 80, "fail": 20, "unavailable": 500}), PRIOR)
    assert found.fitted[0].calls == 100


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (LabelledCall(label="fraud", outcomes={"pin": PASS}), "'fraud' is no label.*cannot be told from how"),
        (LabelledCall(label="", outcomes={}), "is no label"),
        (LabelledCall(label=GENUINE, outcomes={"shoe_size": PASS}), "no row 'shoe_size'"),
        (LabelledCall(label=GENUINE, outcomes={"pin": NEAR}), "no cell for"),
        (LabelledCall(label=GENUINE, outcomes={"pin": "maybe"}), "no cell for 'maybe'"),
    ],
)
def test_calls_that_are_refused(call: LabelledCall, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        calibrate([call], PRIOR)


@pytest.mark.parametrize(
    "options", [{"strength": 0}, {"least": 0}, {"level": 1}, {"level": 0}, {"strength": 2.5}, {"stranger": "nobody"}]
)
def test_options_that_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        calibrate([], PRIOR, **options)


def test_points_are_refused() -> None:
    with pytest.raises(UsageError, match="plain points"):
        calibrate([], ThreatModel.points({"pin": 1}))


# ── Drift ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_in_the_last_third_alarms() -> None:
    before = calls("phisher", "pin", **{"pass": 40, "fail": 160})
    after = calls("phisher", "pin", **{"pass": 60, "fail": 40})
    (drift,) = calibrate(before + after, PRIOR).drift
    assert (drift.row, drift.column) == ("pin", "phisher")
    assert drift.odds > 20
    assert calibrate(calls("phisher", "pin", **{"pass": 100, "fail": 200}), PRIOR).drift == ()


# ── The functions behind it ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 5), (20, 2), (1, 60), (7, 300)])
@pytest.mark.parametrize("level", [0.025, 0.5, 0.975])
def test_quantiles_by_the_binomial(a: int, b: int, level: float) -> None:
    """P(Beta(a, b) <= x) = P(Binomial(a + b - 1, x) >= a), for whole a and b."""
    x = quantile(a, b, level)
    n = a + b - 1
    assert sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1)) == pytest.approx(level, rel=1e-9)


def test_quantiles_at_the_ends() -> None:
    assert quantile(1, 1, 1.0) == pytest.approx(1.0)
    assert quantile(0.5, 1e5, 0.5) < 1e-4


def test_evidence_by_counting() -> None:
    # Uniform prior, two passes and one fail: 2! 1! / 4!, times 1.
    assert log_evidence([1, 1], [2, 1]) == pytest.approx(-2.4849066497880004, rel=1e-12)
