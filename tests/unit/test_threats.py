"""The table of likelihoods: what it takes and refuses, what it weighs, and what the shipped one holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from math import exp
from typing import Any

import pytest

from kyc_verify.answers import durations
from kyc_verify.errors import ConfigurationError, InvalidPolicy, UsageError
from kyc_verify.terms import Outcome
from kyc_verify.threats import (
    FLOOR,
    GENUINE,
    MAX_BITS,
    POINT,
    POINTS,
    AttackerClass,
    Likelihoods,
    Origin,
    Row,
    ThreatModel,
    _weights,
    likelihoods,
    run_penalty,
    threshold,
    threshold_bits,
)

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
MODEL = ThreatModel.default()
TAP = Likelihoods(genuine={PASS: "0.8"}, classes={"phisher": {PASS: "0.1"}})
PHISHER = AttackerClass(name="phisher", description="talks codes out of customers", share="0.25")


def faults(build: Callable[[], object]) -> dict[str, str]:
    """Return path and message of every fault that building something tells."""
    with pytest.raises(InvalidPolicy) as caught:
        build()
    return {fault.path: str(fault).removeprefix(f"{fault.path}: ") for fault in caught.value.exceptions}


def small(**changes: object) -> ThreatModel:
    """Return a model of one class and one row."""
    row = Row(likelihoods=TAP, seconds=20, origins={"phisher": Origin(tag="guess", source="S1")}, fields=("device",))
    return ThreatModel(**{"classes": (PHISHER,), "rows": {"tap": row}, "sources": {"S1": "a study"}, **changes})


# ── Numbers ──


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("0.05", Fraction(1, 20)),
        ("1/20", Fraction(1, 20)),
        (".5", Fraction(1, 2)),
        ("1.", Fraction(1)),
        ("5e-2", Fraction(1, 20)),
        (0.1, Fraction(1, 10)),
        (1e-05, Fraction(1, 100_000)),
        (1, Fraction(1)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.30"), Fraction(3, 10)),
        ("0." + "3" * 999, Fraction(10**999 // 3, 10**999)),
    ],
)
def test_a_number_is_taken_as_it_is_written(given: object, value: Fraction) -> None:
    assert _weights.exact(given) == value


@pytest.mark.parametrize(
    "given",
    [
        *(
            True,
            False,
            None,
            b"0.5",
            [1],
            0.5j,
            "",
            " 0.5",
            "0.5 ",
            "x",
            "nan",
            "-0.1",
            "1/0",
            "1/-2",
            "0x1",
            "1_0",
            "٠.٥",
        ),
        *(float("nan"), float("inf"), -0.1, -1, Decimal("NaN"), Decimal(-1), Decimal("1e999"), 5e-324),
        *("1e999999999", "0." + "1" * 1000, "1" * 1000, "1/2/3", "5/", "/5", "."),
    ],
)
def test_other_things_are_no_numbers(given: object) -> None:
    with pytest.raises(ConfigurationError, match="must be a"):
        _weights.exact(given)


@pytest.mark.parametrize("given", [10**5000, Fraction(1, 10**5000)], ids=["int", "fraction"])
def test_a_number_of_thousands_of_digits_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="999 digits"):
        _weights.exact(given)


# ── Thresholds ──


@pytest.mark.parametrize(
    ("risk", "centibits"),
    [
        ("1/8", 300),
        (0.125, 300),
        (Fraction(1, 8), 300),
        ("1/7", 281),  # log2 7 = 2.80735...
        ("1/9", 317),
        ("0.5", 100),
        ("0.999", 1),
        ("1/1024", 1000),
    ],
)
def test_threshold_of_a_risk_rounds_up(risk: object, centibits: int) -> None:
    assert threshold(risk) == centibits
    assert 2**centibits >= (1 / _weights.exact(risk)) ** 100 > 2 ** (centibits - 1)


@pytest.mark.parametrize("risk", [0, 1, "1", "8/7", 1.5, -0.5, float("nan"), True, None])
def test_risk_outside_the_unit_interval(risk: object) -> None:
    with pytest.raises(ConfigurationError):
        threshold(risk)


@pytest.mark.parametrize(
    ("bits", "centibits"),
    [(0, 0), (2, 200), ("1.5", 150), (1.1, 110), (Decimal("4.25"), 425), ("0.29", 29), (MAX_BITS, 100 * MAX_BITS)],
)
def test_threshold_of_bits(bits: object, centibits: int) -> None:
    assert threshold_bits(bits) == centibits


@pytest.mark.parametrize(
    "bits",
    [
        -1,
        1.234,
        "0.001",
        MAX_BITS + 1,
        10**400,
        float("inf"),
        float("nan"),
        "NaN",
        True,
        None,
        "two",
        Decimal("Infinity"),
    ],
)
def test_bits_that_are_none(bits: object) -> None:
    with pytest.raises(ConfigurationError):
        threshold_bits(bits)


@pytest.mark.parametrize(("k", "centibits"), [(1, 0), (2, 100), (3, 159), (4, 200), (5, 233), (1000, 997)])
def test_run_penalty_rounds_up(k: int, centibits: int) -> None:
    assert run_penalty(k) == centibits


@pytest.mark.parametrize("k", [0, -1, True, 1.0, "2", None, 10**9 + 1])
def test_a_run_has_a_number(k: object) -> None:
    with pytest.raises(UsageError, match="run's number"):
        run_penalty(k)


# ── Likelihoods ──


def test_weights_are_rounded_down() -> None:
    tap = Likelihoods(genuine={PASS: "0.8"}, classes={"phisher": {PASS: "0.24"}})
    assert tap.weights["phisher"] == {PASS: 173, NEAR: -193, FAIL: -193, DECLINED: -193, UNAVAILABLE: 0}


def test_declined_is_folded_into_fail() -> None:
    given = Likelihoods(
        genuine={PASS: "0.7", DECLINED: "0.1"}, classes={"c": {PASS: "0.2", FAIL: "0.3", DECLINED: 0.5}}
    )
    assert given == Likelihoods(genuine={PASS: "0.7"}, classes={"c": {PASS: "0.2"}})
    assert given.column(GENUINE) == {FAIL: Fraction(3, 10), PASS: Fraction(7, 10)}
    assert given.column("c") == {FAIL: Fraction(4, 5), PASS: Fraction(1, 5)}


def test_near_that_a_check_does_not_have_weighs_as_fail() -> None:
    assert TAP.weights["phisher"][NEAR] == TAP.weights["phisher"][FAIL] < 0


def test_a_check_that_serves_an_insider_better_says_nothing_of_insiders() -> None:
    shown = Likelihoods(genuine={PASS: "0.7", NEAR: "0.1"}, classes={"insider": {PASS: "0.98", NEAR: "0.01"}})
    assert set(shown.weights["insider"].values()) == {0}


def test_pooling_stops_where_the_order_is_right() -> None:
    near = Likelihoods(genuine={PASS: "0.3", NEAR: "0.35"}, classes={"c": {PASS: "0.05", NEAR: "0.02"}})
    pooled = threshold(Fraction(7, 65))  # near and pass together: .65 against .07, rounded down
    assert (near.weights["c"][PASS], near.weights["c"][NEAR]) == (pooled - 1, pooled - 1)
    assert near.weights["c"][FAIL] == -threshold(Fraction(35, 93))


def test_likelihoods_are_values() -> None:
    same = Likelihoods(genuine={PASS: 0.8, FAIL: Fraction(1, 5)}, classes={"phisher": {"pass": "1/10"}})
    assert same == TAP
    assert hash(same) == hash(TAP)
    assert replace(TAP, tries=3) != TAP
    assert replace(TAP, tries=3).weights == TAP.weights
    assert list(Likelihoods(genuine={PASS: ".8"}, classes={"b": {PASS: ".1"}, "a": {PASS: ".1"}}).classes) == ["a", "b"]
    with pytest.raises(FrozenInstanceError):
        TAP.tries = 2
    for mapping in (TAP.genuine, TAP.classes, TAP.classes["phisher"], TAP.weights, TAP.weights["phisher"]):
        with pytest.raises(TypeError):
            mapping[PASS] = 1


GOOD: Mapping[Outcome, Any] = {PASS: "0.8"}


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"genuine": {UNAVAILABLE: "0.1"}}, "genuine.unavailable", "has no probability"),
        ({"genuine": {PASS: "0.8", "maybe": "0.1"}}, "genuine.maybe", "has no probability"),
        ({"genuine": {PASS: True}}, "genuine.pass", "must be a number"),
        ({"genuine": {PASS: float("nan")}}, "genuine.pass", "finite"),
        ({"genuine": {PASS: float("inf")}}, "genuine.pass", "finite"),
        ({"genuine": {PASS: "-0.1"}}, "genuine.pass", "finite"),
        ({"genuine": {PASS: "1.1"}}, "genuine", "sum to 11/10"),
        ({"genuine": {PASS: "0.8", FAIL: "0.1"}}, "genuine", "sum to 9/10"),
        ({"genuine": {PASS: "0.8", NEAR: "0.3"}}, "genuine", "sum to 11/10"),
        ({"genuine": {PASS: 1}}, "genuine.fail", "is 0, and nothing is that sure"),
        ({"genuine": {PASS: "0.8", NEAR: 0}}, "genuine.near", "leaves it out"),
        ({"genuine": {NEAR: "0.8"}}, "genuine", "give the probability of a pass"),
        ({"genuine": {}}, "genuine", "give the probability of a pass"),
        ({"genuine": "0.8"}, "genuine", "must map"),
        ({"classes": {}}, "classes", "at least one"),
        ({"classes": ["c"]}, "classes", "at least one"),
        ({"classes": {"": GOOD}}, "classes.", "printable name"),
        ({"classes": {" c": GOOD}}, "classes. c", "printable name"),
        ({"classes": {"c\n": GOOD}}, "classes.c\n", "printable name"),
        ({"classes": {"c" * 65: GOOD}}, "classes." + "c" * 65, "printable name"),
        ({"classes": {7: GOOD}}, "classes.7", "printable name"),
        ({"classes": {GENUINE: GOOD}}, "classes.genuine", "not 'genuine'"),
        ({"classes": {"c": None}}, "classes.c", "must map"),
        ({"classes": {"c": {PASS: "0.0009"}}}, "classes.c.pass", "below the floor of 0.001"),
        ({"classes": {"c": {PASS: "0.9995"}}}, "classes.c.fail", "below the floor of 0.001"),
        ({"classes": {"c": {PASS: 0}}}, "classes.c.pass", "below the floor"),
        ({"classes": {"c": {PASS: 1}}}, "classes.c.fail", "below the floor"),
        ({"classes": {"c": {PASS: 0}}, "cryptographic": True}, "classes.c.pass", "never 0"),
        ({"classes": {"c": {PASS: 1}}, "cryptographic": True}, "classes.c.fail", "never 0"),
        ({"classes": {"c": {PASS: "0.1", NEAR: "0.1"}}}, "classes.c.near", "no counterpart"),
        ({"genuine": {PASS: "0.8", NEAR: "0.1"}}, "classes.c.near", "below the floor"),
        ({"classes": {"c": {FAIL: 1}}}, "classes.c.pass", "below the floor"),
        ({"tries": 0}, "tries", "from 1 to"),
        ({"tries": 11}, "tries", "from 1 to"),
        ({"tries": True}, "tries", "must be a int"),
        ({"source": None}, "source", "must be a str"),
        ({"cryptographic": 1}, "cryptographic", "must be a bool"),
        ({"exposed": "no"}, "exposed", "must be a bool"),
    ],
)
def test_likelihoods_that_make_no_sense(changes: dict[str, Any], path: str, says: str) -> None:
    given = {"genuine": GOOD, "classes": {"c": {PASS: "0.1"}}, **changes}
    assert says in faults(lambda: Likelihoods(**given))[path]


def test_every_fault_is_told_at_once() -> None:
    told = faults(lambda: Likelihoods(genuine={PASS: 2}, classes={"a": {PASS: "x"}, "b": {PASS: "0"}}, tries=0))
    assert set(told) == {"genuine", "classes.a.pass", "tries"}  # b cannot be judged without the genuine column


def test_floor_is_included_and_lifted_for_cryptography() -> None:
    at = Likelihoods(genuine=GOOD, classes={"c": {PASS: FLOOR}})
    below = Likelihoods(genuine=GOOD, classes={"c": {PASS: Fraction(1, 2**128)}}, cryptographic=True)
    assert at.weights["c"][PASS] == 964
    assert below.weights["c"][PASS] == 12_800 - 33


def test_weights_that_break_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: rounding up instead of down."""

    def rounded_up(genuine: tuple[Fraction, ...], impostor: tuple[Fraction, ...]) -> tuple[int, ...]:
        return tuple(w + 1 for w in _weights.ladder(genuine, impostor))

    monkeypatch.setattr(likelihoods, "ladder", rounded_up)
    told = faults(lambda: Likelihoods(genuine=GOOD, classes={"c": {PASS: "0.1"}}))
    assert "would break the bound" in told["classes.c"]


def test_proof_needs_more_digits_only_when_it_is_close() -> None:
    """A column made so that the sum lies within 2^-70 of 1: the first enclosure cannot tell, the next can."""
    root = Fraction(_weights._power(1, 256), 2**256)  # 2^(1/100), from below
    for excess, held in ((Fraction(-1, 2**70), True), (Fraction(1, 2**70), False)):
        p = (1 + excess) / root
        low, high = _weights._bounds((p,), (1,), 64)
        assert low <= 1 < high
        assert _weights.holds((p,), (1,)) is held


def test_proof_of_equality_needs_no_root() -> None:
    assert _weights.holds((Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)), (-100, 0, 200)) is False
    assert _weights.holds((Fraction(1, 2), Fraction(1, 2)), (0, 0))
    assert _weights.holds((Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)), (0, -100, 100)) is False
    assert _weights.holds((Fraction(2, 3), Fraction(1, 3)), (-100, 100))


# ── Rows and classes ──


def test_shares_are_exact() -> None:
    assert (PHISHER.share, PHISHER.targeting) == (Fraction(1, 4), None)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, "classes."),
        ({"name": GENUINE}, "classes.genuine"),
        ({"description": None}, "classes.c.description"),
        ({"share": "1.1"}, "classes.c.share"),
        ({"share": True}, "classes.c.share"),
        ({"targeting": "often"}, "classes.c.targeting"),
    ],
)
def test_classes_that_make_no_sense(changes: dict[str, Any], path: str) -> None:
    assert list(faults(lambda: AttackerClass(**{"name": "c", "description": "", **changes}))) == [path]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"likelihoods": None}, "likelihoods"),
        ({"points": 3}, "likelihoods"),
        ({"likelihoods": "0.8"}, "likelihoods"),
        ({"likelihoods": None, "points": -1}, "points"),
        ({"likelihoods": None, "points": 10_001}, "points"),
        ({"likelihoods": None, "points": True}, "points"),
        ({"likelihoods": None, "points": 1.0}, "points"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": 1.5}, "seconds"),
        ({"seconds": 2**60}, "seconds"),
        ({"seconds_tag": "sure"}, "seconds_tag"),
        ({"fields": "pin"}, "fields"),
        ({"fields": ("",)}, "fields"),
        ({"origins": None}, "origins"),
        ({"origins": {"nobody": Origin(tag="guess")}}, "origins.nobody"),
        ({"origins": {"phisher": "S1"}}, "origins.phisher"),
    ],
)
def test_rows_that_make_no_sense(changes: dict[str, Any], path: str) -> None:
    assert list(faults(lambda: Row(**{"likelihoods": TAP, **changes}))) == [path]


def test_an_origin_has_a_known_tag() -> None:
    assert "published, computed, guess" in faults(lambda: Origin(tag="seen"))["tag"]


def test_rows_are_values() -> None:
    one, other = Row(likelihoods=TAP, fields=("b", "a", "b")), Row(likelihoods=TAP, fields=["a", "b"])
    assert one == other
    assert hash(one) == hash(other)
    assert one.fields == ("a", "b")


# ── Models ──


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"classes": ()}, "classes", "at least one"),
        ({"classes": None}, "classes", "in a tuple"),
        ({"classes": ("phisher",)}, "classes", "in a tuple"),
        ({"classes": (PHISHER, PHISHER)}, "classes.phisher", "twice"),
        ({"rows": {}}, "rows", "at least one"),
        ({"rows": [TAP]}, "rows", "must map"),
        ({"rows": {"tap": TAP}}, "rows", "must map"),
        ({"rows": {" tap": Row(likelihoods=TAP)}}, "rows. tap", "printable name"),
        ({"rows": {"tap": Row(points=1)}}, "rows.tap.classes.points", "no class of the model"),
        ({"classes": (AttackerClass(name="c", description=""),)}, "rows.tap.classes.c", "missing"),
        ({"classes": (AttackerClass(name="c", description=""),)}, "rows.tap.classes.phisher", "no class"),
        ({"sources": {}}, "rows.tap.phisher.source", "'S1' is not among the sources"),
        ({"sources": None}, "sources", "must map"),
        ({"conversions": (1,)}, "sources", "tuple of texts"),
        ({"conversions": "one"}, "sources", "tuple of texts"),
    ],
)
def test_models_that_make_no_sense(changes: dict[str, Any], path: str, says: str) -> None:
    assert says in faults(lambda: small(**changes))[path]


def test_models_are_values() -> None:
    assert small() == small()
    assert hash(small()) == hash(small())
    assert small() != small(conversions=("halved",))
    assert repr(small()) == f"ThreatModel(phisher; 1 rows; {small().fingerprint[:12]})"
    with pytest.raises(TypeError):
        MODEL.rows["pin"] = MODEL.rows["pin"]


def test_fingerprint_covers_what_decides_and_no_words() -> None:
    base = small()
    assert len(base.fingerprint) == 64
    assert small(conversions=("halved",), sources={"S1": "another study"}).fingerprint == base.fingerprint
    row = base.rows["tap"]
    for other in (
        base.with_cells({"tap": {"phisher": {PASS: "0.2"}}}),
        base.with_cells({"tap": {GENUINE: {PASS: "0.7"}}}),
        base.with_incident(["device"]),
        small(rows={"tip": row}),
        small(rows={"tap": replace(row, seconds=21)}),
        small(rows={"tap": replace(row, likelihoods=replace(TAP, tries=2))}),
        ThreatModel.points({"tap": 1}),
        ThreatModel.points({"tap": 2}),
    ):
        assert other.fingerprint != base.fingerprint


def test_cells_are_overridden_in_a_new_model() -> None:
    before = MODEL.to_json()
    mine = MODEL.with_cells({"pin": {"insider": {PASS: "0.02"}, GENUINE: {PASS: "0.9"}}})
    assert MODEL.to_json() == before
    assert mine.rows["pin"].likelihoods == Likelihoods(
        genuine={PASS: "0.9"},
        classes={**MODEL.rows["pin"].likelihoods.classes, "insider": {PASS: "0.02"}},
        tries=MODEL.rows["pin"].likelihoods.tries,
    )
    assert mine.rows["pin"].origins["insider"] == Origin(tag="own")
    assert mine.rows["pin"].origins["phisher"] == MODEL.rows["pin"].origins["phisher"]
    assert ("pin", "insider") in MODEL.guesses()
    assert ("pin", "insider") not in mine.guesses()
    assert set(MODEL.guesses()) - set(mine.guesses()) == {("pin", "insider"), ("pin", GENUINE)}


@pytest.mark.parametrize(
    ("cells", "path", "says"),
    [
        ({"pim": {}}, "rows.pim", "no such row"),
        ({"pin": {"insidre": {PASS: "0.1"}}}, "rows.pin.insidre", "no such column"),
        ({"pin": {"insider": {PASS: "0.0001"}}}, "rows.pin.classes.insider.pass", "below the floor"),
        ({"pin": {GENUINE: {PASS: "1"}}}, "rows.pin.genuine.fail", "nothing is that sure"),
        (["pin"], "rows", "map rows to columns"),
        ({"pin": "0.1"}, "rows", "map rows to columns"),
    ],
)
def test_cells_that_are_none(cells: object, path: str, says: str) -> None:
    assert says in faults(lambda: MODEL.with_cells(cells))[path]


def test_an_incident_leaves_no_evidence_in_what_leaked() -> None:
    after = MODEL.with_incident(["birth_date", "secret_answers"])
    leaked = {"date_of_birth", "secret_answer", "secret_answer.displayed", "mothers_maiden_name", "static_kba_battery"}
    for name, row in after.rows.items():
        weights = {w for by_outcome in row.weights.values() for w in by_outcome.values()}
        if leaked & {name} or set(row.fields) & {"birth_date", "secret_answers"}:
            assert weights == {0}
            assert row.likelihoods is not None
            assert all(row.likelihoods.column(who)[PASS] == 1 for who in MODEL.names)
        else:
            assert row == MODEL.rows[name]
    assert leaked <= {name for name in after.rows if after.rows[name] != MODEL.rows[name]}


def test_incidents_add_up_and_stay() -> None:
    both = MODEL.with_incident({"pin"}).with_incident({"postcode"})
    assert both == MODEL.with_incident({"pin", "postcode"})
    assert both.with_cells({"pin": {"stranger": {PASS: "0.001"}}}).rows["pin"].weights["stranger"][PASS] == 0
    assert MODEL.with_incident(()) == MODEL


def test_an_unknown_field_is_refused() -> None:
    assert set(faults(lambda: MODEL.with_incident(["birth_dat", "pin"]))) == {"fields.birth_dat"}
    assert set(faults(lambda: MODEL.with_incident("birth_date_"))) == {"fields.birth_date_"}
    assert MODEL.with_incident("pin") == MODEL.with_incident(["pin"])


# ── Points ──


def test_points_give_a_pass_its_points_and_nothing_else() -> None:
    model = ThreatModel.points({"pin": 3, "dob": 0})
    assert model.names == (POINTS,)
    assert model.rows["pin"].weights == {POINTS: {PASS: 3 * POINT, NEAR: 0, FAIL: 0, DECLINED: 0, UNAVAILABLE: 0}}
    assert threshold_bits(3) == 3 * POINT
    assert not model.claims_bound
    assert MODEL.claims_bound
    assert model.guesses() == ()
    assert model.rows["pin"].exposed() is model.rows["pin"]


@pytest.mark.parametrize(
    ("points", "path"),
    [
        ({}, "points"),
        ({"pin": 0}, "points"),
        (None, "points"),
        ({"pin": 1.5}, "pin.points"),
        ({"pin": -1, "dob": 2}, "pin.points"),
    ],
)
def test_points_that_make_no_sense(points: object, path: str) -> None:
    assert list(faults(lambda: ThreatModel.points(points))) == [path]


def test_cells_of_points_cannot_be_overridden() -> None:
    assert "rows.pin" in faults(lambda: ThreatModel.points({"pin": 3}).with_cells({"pin": {POINTS: {PASS: "0.1"}}}))


# ── JSON ──

CRYPTOGRAPHIC = Likelihoods(
    genuine={PASS: "1/3", NEAR: Fraction(1, 7)},
    classes={"phisher": {PASS: "1e-20", NEAR: "1/3"}},
    cryptographic=True,
    source="a proof",
)


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        MODEL.with_incident(["pin"]),
        ThreatModel.points({"pin": 3, "dob": 0}),
        small(rows={"key": Row(likelihoods=CRYPTOGRAPHIC, note="a note")}),
        small(classes=(replace(PHISHER, targeting=1),)),
    ],
    ids=["default", "incident", "points", "cryptographic", "targeting"],
)
def test_json_round_trip(model: ThreatModel) -> None:
    again = ThreatModel.from_json(model.to_json())
    assert again == model
    assert again.fingerprint == model.fingerprint
    assert again.to_json() == model.to_json()


def _edited(change: Callable[[dict[str, Any]], object]) -> str:
    whole = json.loads(small().to_json())
    change(whole)
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda m: m.update(schema="kyc_verify.threats/2"), "schema"),
        (lambda m: m.pop("schema"), "schema"),
        (lambda m: m.update(extra=1), "model.extra"),
        (lambda m: m.update(classes="phisher"), "classes"),
        (lambda m: m["classes"].append("c"), "classes.1"),
        (lambda m: m["classes"][0].update(shre=1), "classes.0.shre"),
        (lambda m: m["classes"][0].pop("name"), "classes."),
        (lambda m: m["classes"][0].update(share=2), "classes.phisher.share"),
        (lambda m: m.update(rows=[]), "rows"),
        (lambda m: m["rows"].update(tap=1), "rows.tap"),
        (lambda m: m["rows"]["tap"].update(second=1), "rows.tap.second"),
        (lambda m: m["rows"]["tap"].update(seconds="1"), "rows.tap.seconds"),
        (lambda m: m["rows"]["tap"].update(tries=0), "rows.tap.tries"),
        (lambda m: m["rows"]["tap"].update(points=1), "rows.tap.likelihoods"),
        (lambda m: m["rows"]["tap"].pop("cells"), "rows.tap.likelihoods"),
        (lambda m: m["rows"]["tap"].update(cells=[]), "rows.tap.cells"),
        (lambda m: m["rows"]["tap"]["cells"].pop(GENUINE), "rows.tap.genuine"),
        (lambda m: m["rows"]["tap"]["cells"].update(phisher=1), "rows.tap.cells.phisher"),
        (lambda m: m["rows"]["tap"]["cells"]["phisher"].update(tag="seen"), "rows.tap.cells.phisher.tag"),
        (lambda m: m["rows"]["tap"]["cells"]["phisher"].pop("tag"), "rows.tap.cells.phisher.tag"),
        (lambda m: m["rows"]["tap"]["cells"]["phisher"].update(source="S9"), "rows.tap.phisher.source"),
        (lambda m: m["rows"]["tap"]["cells"]["phisher"].update(passed="0.1"), "rows.tap.classes.phisher.passed"),
        (
            lambda m: m["rows"]["tap"]["cells"]["phisher"].update({"pass": float("nan")}),
            "rows.tap.classes.phisher.pass",
        ),
        (lambda m: m.update(sources=["S1"]), "sources"),
        (lambda m: m.update(conversions=5), "sources"),
    ],
)
def test_json_that_is_no_model(change: Callable[[dict[str, Any]], object], path: str) -> None:
    assert path in faults(lambda: ThreatModel.from_json(_edited(change)))


def test_faults_of_cells_are_told_once() -> None:
    assert list(faults(lambda: ThreatModel.from_json(_edited(lambda m: m["rows"]["tap"].update(tries=0))))) == [
        "rows.tap.tries"
    ]


@pytest.mark.parametrize("text", ["", "{", "NaN", "[" * 100_000, None, "[]", "7"])
def test_text_that_is_no_json_object(text: object) -> None:
    with pytest.raises(ConfigurationError):
        ThreatModel.from_json(text)


# ── The shipped table ──

KNOWLEDGE = [name for name, row in MODEL.rows.items() if row.fields]


def test_the_table_is_read_once_and_not_by_import() -> None:
    assert ThreatModel.default() is MODEL
    code = "import kyc_verify.threats.model as m; raise SystemExit(m._default.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_file_is_what_the_model_writes() -> None:
    shipped = json.loads((files("kyc_verify") / "data" / "threats.json").read_bytes())
    assert json.loads(MODEL.to_json()) == shipped


def test_every_cell_has_an_origin_and_every_source_a_use() -> None:
    for name, row in MODEL.rows.items():
        assert set(row.origins) == {GENUINE, *MODEL.names}, name
        assert all(origin.tag != "own" for origin in row.origins.values())
        assert all(origin.source for origin in row.origins.values() if origin.tag in {"published", "computed"}), name
        assert row.seconds == 0 or row.seconds_tag == "guess"
    text = MODEL.to_json()
    assert [
        key for key in MODEL.sources if text.count(f'{key}"') + text.count(f"({key}") + text.count(f" {key},") < 2
    ] == []
    assert sum(attacker.share or 0 for attacker in MODEL.classes) == 1


def test_rows_of_every_shipped_check() -> None:
    assert {
        *("account_tenure", "date_of_birth", "secret_answer", "secret_answer.displayed", "pin", "app_confirmation"),
        *("callback", "caller_number", "sim_swap", "authenticator", "one_time_code.voice", "one_time_code.email"),
        *("one_time_code.sms.warning", "one_time_code.sms.plain", "one_time_code.sms.elsewhere"),
        *("city_of_birth", "mothers_maiden_name", "postcode", "last_transaction", "name_and_address"),
    } <= MODEL.rows.keys()
    assert MODEL.names == ("stranger", "acquaintance", "breach_data_holder", "phisher", "sim_swapper", "insider")


def _at_least(row: str, who: str, outcome: Outcome) -> Fraction:
    likelihoods = MODEL.rows[row].likelihoods
    assert likelihoods is not None
    column = likelihoods.column(who)
    return sum((column.get(o, Fraction(0)) for o in ((PASS, NEAR) if outcome is NEAR else (PASS,))), Fraction(0))


@pytest.mark.parametrize("outcome", [PASS, NEAR])
@pytest.mark.parametrize("who", ["phisher", "sim_swapper"])
@pytest.mark.parametrize("row", KNOWLEDGE)
def test_those_who_aim_hold_the_leaked_records_as_well(row: str, who: str, outcome: Outcome) -> None:
    assert _at_least(row, who, outcome) >= _at_least(row, "breach_data_holder", outcome)


@pytest.mark.parametrize(
    "row", [name for name in MODEL.rows if name.startswith("one_time_code.")] + ["caller_number", "callback"]
)
def test_a_sim_swapper_owns_the_number(row: str) -> None:
    assert _at_least(row, "sim_swapper", PASS) >= Fraction(4, 5)
    assert max(MODEL.rows[row].weights["sim_swapper"].values()) == 0


@pytest.mark.parametrize(
    ("row", "who", "p"),
    [
        ("one_time_code.sms.warning", "phisher", "0.08"),
        ("one_time_code.sms.plain", "phisher", "0.5"),
        ("one_time_code.sms.elsewhere", "phisher", "0.24"),
        ("app_confirmation", "phisher", "0.1"),
        ("one_time_code.sms.warning", "sim_swapper", "0.95"),
        ("caller_number", "sim_swapper", "0.9"),
        ("app_confirmation", "sim_swapper", "0.02"),
        ("sim_swap", "sim_swapper", "0.2"),
        ("secret_answer.displayed", "insider", "0.99"),
        ("secret_answer", "insider", "0.1"),
        ("pin", "insider", "0.1"),
    ],
)
def test_cells_that_the_classes_are_defined_by(row: str, who: str, p: str) -> None:
    assert _at_least(row, who, PASS) == Fraction(p)


@pytest.mark.parametrize("row", ["callback", "secret_answer.displayed", "account_tenure", "date_of_birth", "postcode"])
def test_what_the_screen_shows_or_the_agent_says_is_nothing_against_an_insider(row: str) -> None:
    assert set(MODEL.rows[row].weights["insider"].values()) == {0}


def test_outcomes_are_ordered_for_every_class() -> None:
    for row in MODEL.rows.values():
        for weights in row.weights.values():
            assert weights[FAIL] == weights[DECLINED] <= 0 == weights[UNAVAILABLE] <= weights[PASS]
            assert weights[FAIL] <= weights[NEAR] <= weights[PASS]


@pytest.mark.parametrize("mean", [7.6, 14.1, 17.75, 24.6])
def test_tenure_of_a_guesser_is_computed_from_the_bands(mean: float) -> None:
    """The best guess at an exponential tenure, in whole months, judged as answers are judged."""
    now = datetime(2031, 6, 15, tzinfo=UTC)
    present = now.year * 12 + now.month - 1
    monthly = exp(-1 / (12 * mean))
    chance = [(1 - monthly) * monthly**months for months in range(1536)]
    passing = nearing = 0.0
    for guess in range(0, 400, 12):
        graded = [(durations.grade(present - guess, present - true, now=now), p) for true, p in enumerate(chance[:900])]
        passed = sum(p for outcome, p in graded if outcome is PASS)
        passing = max(passing, passed)
        nearing = max(nearing, passed + sum(p for outcome, p in graded if outcome is NEAR))
    assert 0.147 < passing <= 0.152 <= _at_least("account_tenure", "stranger", PASS)
    assert 0.301 < nearing <= _at_least("account_tenure", "stranger", NEAR) == Fraction("0.305")


def test_tenure_of_the_others_follows_from_knowing_it_or_guessing() -> None:
    guess, near = Fraction("0.155"), Fraction("0.305")
    for who in MODEL.names[1:]:
        p = _at_least("account_tenure", who, PASS)
        knows = (p - guess) / (1 - guess)
        exactly = knows + (1 - knows) * near
        assert exactly <= _at_least("account_tenure", who, NEAR) < exactly + Fraction("0.001")


def test_near_of_the_genuine_follows_from_the_measured_shares() -> None:
    surnames, names = Fraction("0.074"), Fraction("0.123")
    assert round(Fraction(726, 726 + 9125), 3) == surnames
    assert round(Fraction(576, 576 + 4095), 3) == names
    for row, share in (
        ("mothers_maiden_name", surnames),
        ("fathers_middle_name", surnames),
        ("name_and_address", names),
    ):
        accepted = _at_least(row, GENUINE, NEAR)
        assert abs(accepted * share - (accepted - _at_least(row, GENUINE, PASS))) <= Fraction("0.0001")


def test_every_fault_of_points_and_of_cells_is_told_at_once() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        ThreatModel.points({"pin": -1, "school": 1, "date_of_birth": 10**9})
    assert sorted(fault.path.partition(".")[0] for fault in refused.value.exceptions) == ["date_of_birth", "pin"]
    with pytest.raises(InvalidPolicy) as refused:
        ThreatModel.default().with_cells(
            {
                "absent": {"stranger": {Outcome.PASS: "0.1"}},
                "pin": {"nobody": {Outcome.PASS: "0.1"}},
                "other": {},
                "account_tenure": {"stranger": {Outcome.PASS: "2"}},
            }
        )
    paths = {fault.path for fault in refused.value.exceptions}
    assert {"rows.absent", "rows.other", "rows.pin.nobody"} <= paths
    assert any(path.startswith("rows.account_tenure.") for path in paths)
