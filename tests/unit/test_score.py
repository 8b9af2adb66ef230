"""The compiled score: what it adds, what it refuses, and what it says of the rest."""

from __future__ import annotations

import pytest

from kyc_verify.errors import InvalidPolicy, UsageError
from kyc_verify.score import Score, ScoreTable, table_faults
from kyc_verify.terms import Outcome
from kyc_verify.threats import Likelihoods, ThreatModel

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
MODEL = ThreatModel.default()
OWN = Likelihoods(genuine={PASS: "0.9"}, classes={name: {PASS: "0.3"} for name in MODEL.names})
CHECKS = (
    ("account_tenure", "account_tenure"),
    ("pin", "pin"),
    ("code", "one_time_code.sms.warning"),
    ("sim_swap", "sim_swap"),
    ("own", OWN),
)
TABLE = ScoreTable(MODEL, CHECKS)


def faults(model: ThreatModel, *checks: tuple[str, str | Likelihoods]) -> dict[str, str]:
    """Return what the table refuses, and see that compiling refuses the same."""
    told = dict(table_faults(model, checks))
    with pytest.raises(InvalidPolicy) as caught:
        ScoreTable(model, checks)
    assert [fault.path for fault in caught.value.exceptions] == list(told)
    return told


def test_table_names_its_checks_and_classes() -> None:
    assert TABLE.classes == MODEL.names
    assert TABLE.checks == ("account_tenure", "pin", "code", "sim_swap", "own")
    assert TABLE.claims_bound
    assert table_faults(MODEL, CHECKS) == ()


def test_weights_are_those_of_the_rows() -> None:
    for check, source in CHECKS:
        weights = source.weights if isinstance(source, Likelihoods) else MODEL.rows[source].weights
        for outcome in Outcome:
            assert TABLE.weights(check, outcome) == tuple(weights[name][outcome] for name in MODEL.names)


def test_score_is_the_smallest_sum() -> None:
    score = TABLE.score({"account_tenure": PASS, "code": PASS})
    # Whoever took the number over receives the code, and knows the tenure with .35.
    assert score == Score(
        centibits=102,
        weakest="sim_swapper",
        per_class={
            "stranger": 220 + 964,
            "acquaintance": 151 + 473,
            "breach_data_holder": 183 + 432,
            "phisher": 102 + 332,
            "sim_swapper": 102,
            "insider": 532,
        },
    )
    assert TABLE.centibits({"account_tenure": PASS, "code": PASS}) == 102
    assert list(score.per_class) == list(MODEL.names)


def test_no_evidence_is_no_score() -> None:
    score = TABLE.score({})
    assert (score.centibits, score.weakest) == (0, "stranger")
    assert set(score.per_class.values()) == {0}


def test_unavailable_weighs_nothing_and_declined_weighs_as_fail() -> None:
    assert TABLE.score({"pin": PASS, "code": UNAVAILABLE}) == TABLE.score({"pin": PASS})
    assert TABLE.score({"pin": DECLINED}) == TABLE.score({"pin": FAIL})
    assert TABLE.centibits({"pin": FAIL}) == -231  # log2(.20 / .99) is -2.307


def test_pairs_do_as_well_as_a_mapping() -> None:
    class View(dict[str, Outcome]):
        """A mapping that is not exactly a dict."""

    outcomes = {"pin": PASS, "own": NEAR}
    assert TABLE.score(list(outcomes.items())) == TABLE.score(iter(outcomes.items())) == TABLE.score(outcomes)
    assert TABLE.score(View(outcomes)) == TABLE.score(outcomes)


@pytest.mark.parametrize(
    "outcomes",
    [
        {"pim": PASS},
        {"pin": "passed"},
        {"pin": True},
        {"pin": None},
        {"pin": []},
        {"pin": 1.0},
        [("pin", PASS), ("pim", PASS)],
        {None: PASS},
    ],
)
def test_what_is_no_evidence_is_refused(outcomes: dict[str, Outcome]) -> None:
    for weigh in (TABLE.score, TABLE.centibits, TABLE.waterfall):
        with pytest.raises(UsageError, match="of the checks of this table: account_tenure, pin, code, sim_swap, own"):
            weigh(outcomes)


@pytest.mark.parametrize("outcomes", [None, 5, "pin", ["pin"], [("pin", PASS, 1)], [([], PASS)]])
def test_what_is_no_mapping_is_refused(outcomes: object) -> None:
    for weigh in (TABLE.score, TABLE.centibits, TABLE.waterfall):
        with pytest.raises(UsageError, match="outcomes"):
            weigh(outcomes)


def test_a_check_counts_once() -> None:
    for weigh in (TABLE.score, TABLE.centibits, TABLE.waterfall):
        with pytest.raises(UsageError, match="counts once a run"):
            weigh([("pin", PASS), ("pin", PASS)])


def test_old_evidence_keeps_only_what_is_against_the_caller() -> None:
    outcomes = {"account_tenure": PASS, "pin": FAIL, "sim_swap": FAIL}
    fresh, old = TABLE.score(outcomes), TABLE.score(outcomes, stale=frozenset(outcomes))
    assert old == TABLE.score({"pin": FAIL, "sim_swap": FAIL})
    assert old.centibits < fresh.centibits
    assert TABLE.score(outcomes, stale=frozenset({"code"})) == fresh  # not asked: nothing to drop
    assert TABLE.centibits(outcomes, stale=frozenset({"account_tenure"})) == old.centibits


def test_old_near_is_judged_for_each_class() -> None:
    """A caller number without attestation speaks for the caller against strangers and against him against phishers."""
    table = ScoreTable(MODEL, [("number", "caller_number")])
    weights = table.weights("number", NEAR)
    assert min(weights) < 0 < max(weights)
    old = table.score({"number": NEAR}, stale=frozenset({"number"}))
    assert tuple(old.per_class.values()) == tuple(min(w, 0) for w in weights)


def test_waterfall_adds_up_to_the_score() -> None:
    outcomes, stale = {"pin": PASS, "account_tenure": NEAR, "code": FAIL, "own": PASS}, frozenset({"pin"})
    shares = TABLE.waterfall(outcomes, stale=stale)
    assert list(shares) == list(outcomes)
    score = TABLE.score(outcomes, stale=stale)
    assert {name: sum(share[name] for share in shares.values()) for name in TABLE.classes} == score.per_class
    assert set(shares["pin"].values()) == {0}


def test_best_and_worst_case_of_what_is_left() -> None:
    rest = ("pin", "sim_swap", "own")
    assert TABLE.best_case(rest) == tuple(TABLE.score(dict.fromkeys(rest, PASS)).per_class.values())
    assert TABLE.worst_case(rest) == tuple(TABLE.score(dict.fromkeys(rest, FAIL)).per_class.values())
    assert TABLE.best_case(()) == TABLE.worst_case(()) == (0,) * 6
    with pytest.raises(UsageError):
        TABLE.best_case(["pim"])


def test_weights_of_nothing_known() -> None:
    for check, outcome in (("pim", PASS), ("pin", "passed"), ([], PASS)):
        with pytest.raises(UsageError, match="of this table"):
            TABLE.weights(check, outcome)


def test_scores_are_values() -> None:
    one, other = TABLE.score({"pin": PASS}), TABLE.score({"pin": PASS})
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(TypeError):
        one.per_class["stranger"] = 0


def test_points_compare_with_points() -> None:
    model = ThreatModel.points({"pin": 3, "account_tenure": 1})
    table = ScoreTable(model, [("my_pin", "pin"), ("account_tenure", OWN)])
    assert not table.claims_bound
    assert table.score({"my_pin": PASS, "account_tenure": PASS}).per_class == {"points": 400}
    assert table.centibits({"my_pin": PASS, "account_tenure": FAIL}) == 300


def test_points_of_a_check_come_before_those_of_its_row() -> None:
    table = ScoreTable(ThreatModel.points({"pin": 3, "my_pin": 5}), [("my_pin", "pin")])
    assert table.centibits({"my_pin": PASS}) == 500


def test_a_check_without_weights_is_refused() -> None:
    assert "no row 'pim'" in faults(MODEL, ("pin", "pim"), ("code", "one_time_code.voice"))["checks.pin.row"]
    assert "or 0, in ThreatModel.points" in faults(ThreatModel.points({"pin": 1}), ("dob", "dob"))["checks.dob"]
    assert "no points" in faults(ThreatModel.points({"pin": 1}), ("own", OWN))["checks.own"]
    assert faults(MODEL, ("pin", "pin"), ("pin", "pin"), ("x", "y")).keys() == {"checks.pin", "checks.x.row"}


def test_likelihoods_must_know_exactly_the_classes_of_the_model() -> None:
    short = Likelihoods(genuine={PASS: "0.9"}, classes={name: {PASS: "0.3"} for name in MODEL.names[1:]})
    long = Likelihoods(genuine={PASS: "0.9"}, classes={**OWN.classes, "spy": {PASS: "0.3"}})
    assert "see: stranger" in faults(MODEL, ("short", short))["checks.short.likelihoods"]
    assert "see: spy" in faults(MODEL, ("long", long))["checks.long.likelihoods"]


def test_many_checks_do_not_run_over() -> None:
    count = 3000
    points = ThreatModel.points({f"c{at}": 10_000 for at in range(count)})
    table = ScoreTable(points, [(name, name) for name in points.rows])
    assert table.centibits(dict.fromkeys(points.rows, PASS)) == count * 10_000 * 100
