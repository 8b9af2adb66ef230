"""Ways in: capabilities, their prices, and the table they come from."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.resources import files
from math import inf

import pytest

from kyc_verify import checks
from kyc_verify.analysis import Capabilities, attack_paths, error_rates
from kyc_verify.analysis._setting import Setting
from kyc_verify.analysis.paths import verifies
from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.policy import Policy, Requirement
from kyc_verify.terms import Outcome
from kyc_verify.threats import AttackerClass, Likelihoods, Row, ThreatModel

BANK = Policy(
    name="bank",
    checks=[checks.SimSwap(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode(channel="sms")],
    actions={"tap": Requirement(bits=2, checks=("app_confirmation",)), "pay": Requirement(bits=3, factors=2)},
)
SHIPPED = json.loads((files("kyc_verify") / "data" / "capabilities.json").read_text(encoding="utf-8"))


def test_prices_of_one_check() -> None:
    found = attack_paths(BANK, "tap")
    by_name = {way.capabilities: way for way in found.ways}
    assert len(by_name) == 1 + 7 + 21 + 35
    assert by_name[()].probability == 0.001
    phishing = by_name[("live_phishing",)]
    assert (phishing.price, phishing.probability, phishing.per_success) == (50.0, 0.1, 500.0)
    assert by_name[("device_theft",)].per_success == 600.0
    # What does not help costs its price and changes nothing.
    assert by_name[("mailbox",)].probability == 0.001
    assert [way.per_success for way in found.ways] == sorted(way.per_success for way in found.ways)
    (path,) = found.paths
    assert path.checks == ("app_confirmation",)
    assert path.outcomes == {"app_confirmation": Outcome.PASS}
    assert path.capabilities == ("live_phishing",)
    assert path.probability["phisher"] == 0.1


def test_a_capability_that_trips_a_signal_trips_it_in_company() -> None:
    setting = Setting.of(BANK, "pay")
    table = Capabilities.default()
    alone = table.cells(setting, ["sim_swap"])
    both = table.cells(setting, ["sim_swap", "breach_file"])
    assert alone["sim_swap"][Outcome.PASS] == both["sim_swap"][Outcome.PASS] == Fraction("0.2")
    assert table.cells(setting, ["breach_file"])["sim_swap"][Outcome.PASS] == Fraction("0.993")
    assert both["one_time_code"][Outcome.PASS] == Fraction("0.95")
    assert both["pin"][Outcome.PASS] == Fraction("0.05")


def test_every_path_is_enough_and_none_of_its_parts() -> None:
    setting = Setting.of(BANK, "pay")
    rule = setting.rule()
    paths = attack_paths(BANK, "pay").paths
    assert paths
    for path in paths:
        assert verifies(setting, rule, path.checks)
        for name in path.checks:
            assert not verifies(setting, rule, set(path.checks) - {name})


def test_without_capabilities_there_is_only_anybody() -> None:
    found = attack_paths(BANK, "pay", most=0)
    (way,) = found.ways
    assert way.capabilities == ()
    assert way.probability == error_rates(BANK, "pay", runs=1).attackers["stranger"]
    with pytest.raises(UsageError, match="most must be"):
        attack_paths(BANK, "pay", most=4)


def test_an_action_out_of_reach_has_no_price() -> None:
    found = attack_paths(BANK, "pay", available=["pin"])
    assert found.paths == ()
    assert {way.per_success for way in found.ways} == {inf}


def test_too_many_ways_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kyc_verify.analysis.paths._MOST_PATHS", 1)
    with pytest.raises(UsageError, match="more than 1 ways in"):
        attack_paths(BANK, "pay")


def test_checks_of_ones_own_know_the_classes_that_capabilities_are_like() -> None:
    names = ThreatModel.default().names
    cells = Likelihoods(
        genuine={Outcome.PASS: "0.9"}, classes={name: {Outcome.PASS: f"0.{at}1"} for at, name in enumerate(names)}
    )
    own = checks.SecretAnswer("own", {"en": "Well?"}, likelihoods=cells)
    policy = Policy(name="own", checks=[own], actions={"any": Requirement(bits="0.1")})
    setting = Setting.of(policy, "any")
    held = Capabilities.default().cells(setting, ["breach_file", "osint"])
    assert held["own"][Outcome.PASS] == Fraction("0.21")


def test_a_model_with_classes_of_its_own_needs_a_table_of_its_own() -> None:
    cells = Likelihoods(genuine={Outcome.PASS: "0.9"}, classes={"martian": {Outcome.PASS: "0.1"}})
    model = ThreatModel(classes=(AttackerClass(name="martian", description=""),), rows={"pin": Row(likelihoods=cells)})
    policy = Policy(name="mars", checks=[checks.Pin()], threats=model, actions={"any": Requirement(bits=1)})
    with pytest.raises(UsageError, match="the class 'stranger', which 'pin' has no cells for"):
        attack_paths(policy, "any")


def test_points_need_a_model() -> None:
    points = Policy(
        name="points", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 1}), actions={"a": Requirement(bits=1)}
    )
    with pytest.raises(UsageError, match="pass threats="):
        attack_paths(points, "a")
    assert attack_paths(points, "a", ThreatModel.default()).paths[0].checks == ("pin",)


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_table_names_rows_and_classes_that_there_are() -> None:
    table, model = Capabilities.default(), ThreatModel.default()
    assert [each.name for each in table.entries] == [
        "breach_file", "osint", "live_phishing", "sim_swap", "device_theft", "mailbox", "insider",
    ]  # fmt: skip
    for each in table.entries:
        assert each.rows | each.trips | set(each.cells) <= set(model.rows)
        assert each.like is None or each.like in model.names
        assert each.description
    assert ("device_theft", "price") in table.guesses()
    assert ("osint", "date_of_birth") in table.guesses()


def test_no_capability_is_worse_than_none_but_for_what_it_trips() -> None:
    rows = [checks.SecretAnswer(f"q_{at}", {"en": "?"}, row=row) for at, row in enumerate(ThreatModel.default().rows)]
    for at in range(0, len(rows), 9):
        layers = [*rows[at : at + 9], checks.SimSwap()]
        policy = Policy(name="rows", checks=layers, actions={"a": Requirement(factors=1)})
        setting = Setting.of(policy, "a")
        table = Capabilities.default()
        nothing = table.cells(setting, [])
        for each in table.entries:
            held = table.cells(setting, [each.name])
            for name in setting.available:
                if name != "sim_swap" and policy.layer(name).row not in each.trips:
                    assert held[name][Outcome.PASS] >= nothing[name][Outcome.PASS]
                assert sum(held[name].values()) == 1


def _broken(**changes: object) -> str:
    return json.dumps(SHIPPED | changes)


def _first(**changes: object) -> str:
    return _broken(capabilities=[{"name": "x", "price": "1", **changes}])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON text, and this is not"),
        ("[" * 100_000, "JSON text, and this is not"),
        (b"{}", "JSON text of at most 1 MB"),
        ("[]", "table: must be an object"),
        (_broken(schema="other"), "schema: must be"),
        (_broken(extra=1), "table.extra: is not known here"),
        (_broken(base=1), "table.base: must be a text"),
        (_broken(capabilities=[]), "capabilities: must be a list"),
        (_broken(capabilities=SHIPPED["capabilities"][:1] * 2), "two of them have one name"),
        (_first(price="-1"), "capabilities.0.price: must be a finite number"),
        ('{"schema": Infinity}', "Infinity is not a number"),
        (_first(price=None), "capabilities.0.price: must be a number"),
        (_first(price="1e400"), "capabilities.0.price"),
        (_first(tag="hearsay"), "capabilities.0.tag: must be one of"),
        (_first(source="S99"), "'S99' is not among the sources"),
        (_first(rows=["pin"]), "capabilities.0.like: must name the class"),
        (_first(like="insider", rows=[1]), "capabilities.0.rows: must be a list of rows"),
        (_first(cells={"pin": {"pass": "0.9", "near": "0.2"}}), "sum to more than 1"),
        (_first(cells={"pin": {"pass": "x"}}), "capabilities.0.cells.pin.pass"),
        (_first(cells={"pin": {"fail": "0.5"}}), "capabilities.0.cells.pin.fail: is not known"),
    ],
)
def test_a_table_that_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Capabilities.from_json(text)
    assert told in str(raised.value)


def test_a_capability_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no capability 'telepathy'"):
        Capabilities.default().cells(Setting.of(BANK, "pay"), ["telepathy", "insider"])
