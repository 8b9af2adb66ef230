"""Requirements and tiers on their own: spelling, equality, faults, and which tier a sum falls into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from kyc_verify.call import Stake
from kyc_verify.errors import ConfigurationError
from kyc_verify.policy import Requirement, Tier

BIT = Requirement(bits=1)


def faults(requirement: Requirement, *, nested: bool = False) -> list[tuple[str, str]]:
    return list(requirement.faults("r", nested=nested))


def tier(**changed: Any) -> Tier:
    return Tier(**{"up_to": 30, "currency": "EUR", "requirement": BIT} | changed)


FAULTS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "r", "asks for nothing; use Requirement.none() to say so"),
    "NU-07 zero bits": ({"bits": 0}, "r.bits", "0 bits ask for nothing; use Requirement.none() to say so"),
    "two scales": ({"bits": 1, "risk": "1/2"}, "r", "give bits or risk, not both"),
    "no factor": ({"factors": -1}, "r.factors", "must be a whole number from 0 to 3"),
    "four factors": ({"factors": 4}, "r.factors", "must be a whole number from 0 to 3"),
    "NU-05 factors True": ({"factors": True}, "r.factors", "must be a whole number from 0 to 3"),
    "NU-05 factors of a half": ({"bits": 1, "factors": 1.0}, "r.factors", "must be a whole number from 0 to 3"),
    "risk 0": ({"risk": 0}, "r.risk", "a risk lies between 0 and 1"),
    "risk 1": ({"risk": 1}, "r.risk", "a risk lies between 0 and 1"),
    "NU-01 risk NaN": ({"risk": float("nan")}, "r.risk", "must be a finite number"),
    "NU-02 risk infinite": ({"risk": "inf"}, "r.risk", "must be a finite number"),
    "risk a list": ({"risk": []}, "r.risk", "must be a number"),
    "bits a mapping": ({"bits": {}}, "r.bits", "must be a number"),
    "accept": ({"bits": 1, "accept": "last"}, "r.accept", 'must be "first" or "lossless"'),
    "accept a list": ({"bits": 1, "accept": []}, "r.accept", 'must be "first" or "lossless"'),
    "knowledge_only 1": ({"bits": 1, "knowledge_only": 1}, "r.knowledge_only", "must be True or False"),
    "exempt 1": ({"bits": 1, "exempt": 1}, "r.exempt", "must be True or False"),
    "no check": ({"bits": 1, "checks": []}, "r.checks", "is empty; leave it out for all checks"),
    "a text of checks": ({"bits": 1, "checks": "pin"}, "r.checks", "must be a list of check ids"),
    "checks by number": ({"bits": 1, "checks": [1]}, "r.checks", "must be a list of check ids"),
    "checks in lists": ({"bits": 1, "all_of": [["pin"]]}, "r.all_of", "must be a list of check ids"),
    "mixed types": ({"bits": 1, "any_of": {1, "pin"}}, "r.any_of", "must be a list of check ids"),
    "all_of None": ({"bits": 1, "all_of": None}, "r.all_of", "must be a list of check ids"),
    "twice": ({"bits": 1, "any_of": ["pin", "pin"]}, "r.any_of", "names a check twice"),
    "a role": ({"bits": 1, "role": ""}, "r.role", "it must have 1 to 200 characters"),
    "a role by number": ({"bits": 1, "role": 1}, "r.role", "it must be a str"),
    "purposes": ({"bits": 1, "purpose": "pay"}, "r.purpose", "must map languages to texts"),
    "a purpose by number": ({"bits": 1, "purpose": {1: "a", "en": "b"}}, "r.purpose", "must map languages to texts"),
    "an empty purpose": ({"bits": 1, "purpose": {"en": ""}}, "r.purpose", "must map languages to texts"),
    "no age": ({"bits": 1, "max_age": timedelta(0)}, "r.max_age", "must be a timedelta of more than 0, up to 366 days"),
    "seconds": ({"bits": 1, "max_age": 5}, "r.max_age", "must be a timedelta of more than 0, up to 366 days"),
    "NU-08 for ever": ({"bits": 1, "max_age": timedelta.max}, "r.max_age", "must be a timedelta of more than 0, up to"),
    "tiers": ({"bits": 1, "stakes": {}}, "r.stakes", "must be a list of Tier values"),
    "exempt with bits": ({"exempt": True, "bits": 1}, "r", "an exempt requirement asks nothing: leave everything else"),
    "exempt with a factor": ({"exempt": True, "factors": 1}, "r", "an exempt requirement asks nothing"),
    "exempt with tiers": ({"exempt": True, "stakes": [tier()]}, "r.stakes", "an exempt action needs no tiers"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "path", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults(given: dict[str, Any], path: str, message: str) -> None:
    ((where, told),) = faults(Requirement(**given))
    assert where == path
    assert told.startswith(message)


@pytest.mark.parametrize(
    "given",
    [
        {"bits": 1},
        {"risk": "1/3"},
        {"bits": 0, "factors": 1},
        {"factors": 3},
        {"all_of": ["pin"]},
        {"any_of": ["pin"]},
        {"bits": 1, "max_age": timedelta.resolution},
        {"bits": 1, "max_age": timedelta(days=366)},
        {"exempt": True},
        {"exempt": True, "role": "teller", "purpose": {"en": "hours"}},
        {"bits": 1000, "checks": ["pin"], "accept": "lossless", "knowledge_only": True},
    ],
)
def test_what_is_sound(given: dict[str, Any]) -> None:
    assert faults(Requirement(**given)) == []


def test_every_fault_at_once() -> None:
    given = Requirement(bits="x", factors=9, checks=[], role="", max_age=timedelta(0), accept="no", stakes=[1])  # type: ignore[arg-type, list-item]
    assert sorted(path for path, _ in faults(given)) == [
        "r.accept",
        "r.bits",
        "r.checks",
        "r.factors",
        "r.max_age",
        "r.role",
        "r.stakes",
    ]


def test_a_tier_has_no_tiers() -> None:
    for requirement in (Requirement(bits=1, stakes=(tier(),)), Requirement(exempt=True, stakes=(tier(),))):
        assert faults(requirement, nested=True) == [("r.stakes", "a tier has no tiers of its own")]


def test_sequences_become_tuples_and_mappings_read_only() -> None:
    checks = ["pin", "tenure"]
    given = Requirement(
        bits=1,
        checks=checks,  # type: ignore[arg-type]
        any_of={"b", "a"},  # type: ignore[arg-type]
        all_of=frozenset({"d", "c"}),  # type: ignore[arg-type]
        purpose={"fr": "y", "en": "x"},
    )
    checks.append("third")
    assert (given.checks, given.any_of, given.all_of) == (("pin", "tenure"), ("a", "b"), ("c", "d"))
    assert list(given.purpose) == ["en", "fr"]
    with pytest.raises(TypeError):
        given.purpose["en"] = "z"  # type: ignore[index]
    with pytest.raises(AttributeError):
        given.bits = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("spellings", "bits"),
    [((2, "2", 2.0, Decimal(2), "2.00"), 2), (("1.5", 1.5, Decimal("1.50"), Fraction(3, 2)), Decimal("1.5"))],
)
def test_one_number_one_requirement(spellings: tuple[Any, ...], bits: object) -> None:
    made = {Requirement(bits=each) for each in spellings}
    assert len(made) == 1
    (one,) = made
    assert one.bits == bits
    assert type(one.bits) is type(bits)


def test_thresholds_round_up() -> None:
    assert Requirement(bits="0.01").threshold == 1
    assert Requirement(risk="1/3").threshold == 159
    assert Requirement(risk=Fraction(999_999, 1_000_000)).threshold == 1
    assert Requirement(factors=1).threshold == Requirement.none().threshold == 0
    with pytest.raises(ConfigurationError, match="must be a finite number"):
        _ = Requirement(bits="x").threshold


def test_the_smallest_tier_that_covers_a_sum() -> None:
    small, large, dollars = tier(up_to=10), tier(up_to=100, count=2), tier(currency="USD", up_to=7)
    given = Requirement(bits=2, stakes=(large, dollars, small))
    for amount, currency, expected in (
        ("0.01", "EUR", small),
        ("10", "EUR", small),
        ("10.000001", "EUR", large),
        ("100", "EUR", large),
        ("101", "EUR", None),
        ("7", "USD", dollars),
        ("8", "USD", None),
        ("1", "GBP", None),
    ):
        requirement, found = given.for_stake(Stake(amount=Decimal(amount), currency=currency))
        assert found is expected
        assert requirement is (given if expected is None else expected.requirement)
    assert given.for_stake(None) == (given, None)


TIERS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "no amount": ({"up_to": 0}, "t.up_to", "it must be more than 0"),
    "NU-04 negative": ({"up_to": -5}, "t.up_to", "it must be more than 0"),
    "NU-01 NaN": ({"up_to": Decimal("NaN")}, "t.up_to", "it must be more than 0"),
    "NU-05 a float": ({"up_to": 0.1}, "t.up_to", "it must be an int, a Decimal or a str"),
    "NU-05 True": ({"up_to": True}, "t.up_to", "it must be an int, a Decimal or a str"),
    "NU-08 huge": ({"up_to": 10**400}, "t.up_to", "it must be more than 0 and at most"),
    "None": ({"up_to": None}, "t.up_to", "it must be an int, a Decimal or a str"),
    "a fine ceiling": ({"ceiling": "0.0000001"}, "t.ceiling", "it has more than 6 decimal places"),
    "a currency": ({"currency": "euro"}, "t.currency", "it must be three capital letters"),
    "a list of currencies": ({"currency": ["EUR"]}, "t.currency", "it must be three capital letters"),
    "no count": ({"count": 0}, "t.count", "must be a whole number from 1 to 1000000"),
    "NU-05 count True": ({"count": True}, "t.count", "must be a whole number from 1 to 1000000"),
    "a requirement": ({"requirement": None}, "t.requirement", "must be a Requirement"),
    "nothing asked for ever": ({"requirement": Requirement.none()}, "t", "a tier that asks nothing needs a ceiling"),
}


@pytest.mark.parametrize(("given", "path", "message"), TIERS.values(), ids=TIERS.keys())
def test_faults_of_tiers(given: dict[str, Any], path: str, message: str) -> None:
    ((where, told),) = tier(**given).faults("t")
    assert where == path
    assert told.startswith(message)


def test_sound_tiers() -> None:
    for given in (
        tier(),
        tier(requirement=Requirement.none(), count=5),
        tier(requirement=Requirement.none(), ceiling=9),
    ):
        assert list(given.faults("t")) == []
    assert tier(up_to="30.00") == tier(up_to=Decimal("3E+1")) == tier()
    assert hash(tier(up_to="30.00")) == hash(tier())
