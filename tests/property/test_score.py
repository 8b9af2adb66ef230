"""Laws of weights and score, for random tables: the bound holds exactly, and the score is monotone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify.score import ScoreTable
from kyc_verify.terms import Outcome
from kyc_verify.threats import FLOOR, POINT, AttackerClass, Likelihoods, Row, ThreatModel, _weights, threshold

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
LADDER = (FAIL, NEAR, PASS)
CLASSES = ("a", "b", "c")


@st.composite
def columns(draw: st.DrawFn, size: int, *, floor: Fraction = FLOOR) -> tuple[Fraction, ...]:
    """Draw probabilities that sum to 1, none below the floor, lowest rung first."""
    shares = draw(st.lists(st.integers(1, 10**6), min_size=size, max_size=size))
    return tuple(floor + (1 - size * floor) * Fraction(share, sum(shares)) for share in shares)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Draw a genuine column and an impostor's, with or without near."""
    size = draw(st.integers(2, 3))
    floor = draw(st.sampled_from([FLOOR, Fraction(1, 2**100)]))
    return draw(columns(size, floor=floor)), draw(columns(size, floor=floor))


@st.composite
def rows(draw: st.DrawFn) -> Likelihoods:
    """Draw the likelihoods of one check for three classes."""
    size = draw(st.integers(2, 3))
    by_rung = [(FAIL, PASS), LADDER][size - 2]
    told = [dict(zip(by_rung, draw(columns(size)), strict=True)) for _ in range(4)]
    return Likelihoods(genuine=told[0], classes=dict(zip(CLASSES, told[1:], strict=True)))


@st.composite
def tables(draw: st.DrawFn) -> ScoreTable:
    """Draw a table of up to six checks."""
    checks = {f"check {at}": row for at, row in enumerate(draw(st.lists(rows(), min_size=1, max_size=6)))}
    classes = tuple(AttackerClass(name=name, description="") for name in CLASSES)
    model = ThreatModel(classes=classes, rows={name: Row(likelihoods=row) for name, row in checks.items()})
    return ScoreTable(model, [(name, name) for name in checks])


def evidence(draw: st.DrawFn, table: ScoreTable) -> dict[str, Outcome]:
    """Draw how some checks of a table ended."""
    asked = draw(st.lists(st.sampled_from(table.checks), unique=True))
    return {check: draw(st.sampled_from(Outcome)) for check in asked}


def ratios(genuine: Sequence[Fraction], impostor: Sequence[Fraction]) -> list[Fraction]:
    """Return the pooled ratio of each outcome by its definition: the largest over beginnings of the smallest mean.

    The isotonic fit is ``max over i <= k of min over j >= k of A(i..j) / B(i..j)``.
    """
    count = range(len(genuine))
    return [
        max(min(sum(genuine[i : j + 1]) / sum(impostor[i : j + 1]) for j in count if j >= k) for i in count if i <= k)
        for k in count
    ]


@given(pairs())
def test_no_larger_weight_would_do(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    for ratio, w in zip(ratios(*pair), _weights.ladder(*pair), strict=True):
        assert Fraction(2) ** w <= ratio**100 < Fraction(2) ** (w + 1)


@given(pairs())
def test_pooled_ratios_expect_exactly_one(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    assert sum(p * ratio for p, ratio in zip(pair[1], ratios(*pair), strict=True)) == 1


@given(pairs())
def test_the_bound_holds_after_rounding(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    assert _weights.holds(pair[1], _weights.ladder(*pair))


@given(pairs())
def test_the_proof_sees_weights_rounded_up(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    """A planted fault: the ceiling. It is wrong unless every ratio is a whole power, where both are the same."""
    floor = _weights.ladder(*pair)
    up = tuple(w + (Fraction(2) ** w != ratio**100) for ratio, w in zip(ratios(*pair), floor, strict=True))
    assert _weights.holds(pair[1], up) is (up == floor)


@given(columns(3), st.tuples(*[st.integers(-400, 400)] * 3))
def test_the_proof_agrees_with_floats_where_they_can_tell(
    column: tuple[Fraction, ...], weights: tuple[int, ...]
) -> None:
    expected = sum(float(p) * 2.0 ** (w / 100) for p, w in zip(column, weights, strict=True))
    if abs(expected - 1) > 1e-9:
        assert _weights.holds(column, weights) is (expected < 1)


@given(pairs())
def test_the_ladder_is_monotone_and_straddles_zero(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    weights = _weights.ladder(*pair)
    assert list(weights) == sorted(weights)
    assert weights[0] <= 0 <= weights[-1]


@given(pairs())
def test_pooling_twice_changes_nothing(pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]) -> None:
    pooled = tuple(p * ratio for p, ratio in zip(pair[1], ratios(*pair), strict=True))
    assert ratios(pooled, pair[1]) == ratios(*pair)
    assert _weights.ladder(pooled, pair[1]) == _weights.ladder(*pair)


@given(pairs(), st.data())
def test_the_bound_holds_for_every_impostor_the_cells_bound(
    pair: tuple[tuple[Fraction, ...], tuple[Fraction, ...]], data: st.DataObject
) -> None:
    """Cells are upper bounds of "at least this outcome": whoever does worse at it is covered."""
    genuine, impostor = pair
    worse = list(impostor)
    for rung in range(1, len(worse)):
        moved = worse[rung] * data.draw(st.fractions(0, 1, max_denominator=100))
        worse[rung] -= moved
        worse[rung - 1] += moved
    assert _weights.holds(worse, _weights.ladder(genuine, impostor))


@given(st.fractions(min_value=Fraction(1, 2**64), max_value=Fraction(2**64 - 1, 2**64), max_denominator=2**64))
def test_thresholds_round_up(risk: Fraction) -> None:
    needed = threshold(risk)
    assert Fraction(2) ** -needed <= risk**100 < Fraction(2) ** (1 - needed)


@given(st.data(), tables())
def test_lanes_are_the_plain_sum(data: st.DataObject, table: ScoreTable) -> None:
    outcomes = evidence(data.draw, table)
    stale = frozenset(data.draw(st.sets(st.sampled_from(table.checks))))
    sums = [0] * len(CLASSES)
    for check, outcome in outcomes.items():
        for at, w in enumerate(table.weights(check, outcome)):
            sums[at] += min(w, 0) if check in stale else w
    score = table.score(outcomes, stale=stale)
    assert dict(score.per_class) == dict(zip(CLASSES, sums, strict=True))
    assert score.centibits == min(sums) == table.centibits(outcomes, stale=stale)
    assert score.weakest == CLASSES[sums.index(min(sums))]


@given(st.data(), tables())
def test_order_does_not_matter(data: st.DataObject, table: ScoreTable) -> None:
    outcomes = evidence(data.draw, table)
    assert table.score(data.draw(st.permutations(list(outcomes.items())))) == table.score(outcomes)


@given(st.data(), tables())
def test_a_pass_never_lowers_and_a_fail_never_raises(data: st.DataObject, table: ScoreTable) -> None:
    outcomes = evidence(data.draw, table)
    check = data.draw(st.sampled_from(table.checks))
    without = {other: outcome for other, outcome in outcomes.items() if other != check}
    before, scores = table.score(without), {o: table.score({**without, check: o}) for o in Outcome}
    assert scores[UNAVAILABLE] == before
    for name in CLASSES:
        by_rung = [scores[outcome].per_class[name] for outcome in LADDER]
        assert by_rung == sorted(by_rung)
        assert by_rung[0] <= before.per_class[name] <= by_rung[-1]
    assert scores[DECLINED] == scores[FAIL]
    assert scores[FAIL].centibits <= before.centibits <= scores[PASS].centibits


@given(st.data(), tables())
def test_age_never_helps(data: st.DataObject, table: ScoreTable) -> None:
    outcomes = evidence(data.draw, table)
    stale = frozenset(data.draw(st.sets(st.sampled_from(table.checks))))
    fresh, old = table.score(outcomes), table.score(outcomes, stale=stale)
    assert all(old.per_class[name] <= fresh.per_class[name] for name in CLASSES)
    assert old.centibits <= fresh.centibits


@given(st.data(), tables())
def test_whatever_is_left_ends_between_best_and_worst(data: st.DataObject, table: ScoreTable) -> None:
    outcomes = evidence(data.draw, table)
    best, worst = table.best_case(outcomes), table.worst_case(outcomes)
    for high, got, low in zip(best, table.score(outcomes).per_class.values(), worst, strict=True):
        assert low <= got <= high


@given(rows(), rows())
def test_the_bound_holds_for_checks_asked_one_after_the_other(first: Likelihoods, second: Likelihoods) -> None:
    for name in CLASSES:
        ends = [
            (p * q, first.weights[name][one] + second.weights[name][other])
            for one, p in first.column(name).items()
            for other, q in second.column(name).items()
        ]
        assert _weights.holds(*zip(*ends, strict=True))


@given(rows())
def test_what_leaked_never_weighs_in_favour_nor_against(row: Likelihoods) -> None:
    classes = tuple(AttackerClass(name=name, description="") for name in CLASSES)
    model = ThreatModel(classes=classes, rows={"fact": Row(likelihoods=row, fields=("field",))})
    after = model.with_incident(["field"]).rows["fact"]
    assert {w for weights in after.weights.values() for w in weights.values()} == {0}
    assert after.likelihoods is not None
    for name in CLASSES:
        column = tuple(after.likelihoods.column(name).values())
        assert sum(column) == 1
        assert _weights.holds(column, (0,) * len(column))


@given(rows())
def test_likelihoods_survive_their_written_form(row: Likelihoods) -> None:
    classes = tuple(AttackerClass(name=name, description="") for name in CLASSES)
    model = ThreatModel(classes=classes, rows={"fact": Row(likelihoods=row)})
    assert ThreatModel.from_json(model.to_json()) == model


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1), st.data())
def test_points_are_counted(points: dict[str, int], data: st.DataObject) -> None:
    if not any(points.values()):
        with pytest.raises(ValueError, match="more than 0"):
            ThreatModel.points(points)
        return
    table = ScoreTable(ThreatModel.points(points), [(name, name) for name in points])
    outcomes = evidence(data.draw, table)
    passed = sum(points[check] for check, outcome in outcomes.items() if outcome is PASS)
    assert table.centibits(outcomes) == POINT * passed
