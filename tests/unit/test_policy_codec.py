"""Policies as JSON: what comes back is the same policy, and what is hostile is refused with its path."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.answers import Forms
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.errors import ConfigurationError, InvalidPolicy, KycVerifyError
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.terms import Factor, Outcome
from kyc_verify.threats import Likelihoods, Origin, Row, ThreatModel

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
OWN = Likelihoods(
    genuine={PASS: "0.8", NEAR: "1/30"},
    classes={name: {PASS: "0.1", NEAR: "1/300"} for name in ThreatModel.default().names},
    source="counted",
    tries=2,
)


class Pet(checks.AnswerCheck):
    prompts = {"en": "Which pet?", "fa": "کدام حیوان؟"}  # noqa: RUF012 - as an author writes it
    likelihoods = OWN

    def __init__(self, id: str | None = None, *, factor: Factor | None = None, words: list[str] | None = None) -> None:  # noqa: A002
        checks.Check.__init__(self, id, factor=factor, words=words)

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        return Forms(coarse=said, fine=said)


WHOLE = Policy(
    name="bank",
    checks=[
        checks.CallerNumber(),
        checks.SimSwap(source="carrier"),
        checks.AccountTenure(seconds=9),
        checks.DateOfBirth(prompts={"fa": "تاریخ تولد؟"}),
        checks.Pin(likelihoods=OWN),
        checks.SecretAnswer("pet", {"en": "Which pet?"}, row="secret_answer.displayed", tolerance="typo"),
        Pet("other_pet", factor=Factor.INHERENCE, words=["a", "b"]),
        checks.AppConfirmation(service="push"),
        checks.OneTimeCode(channel="sms", template="plain", digits=8),
        checks.OneTimeCode("mail", channel="email"),
        checks.Callback(),
    ],
    actions={
        "hours": Requirement.none(),
        "read": Requirement(bits="1.5", checks=["pin", "account_tenure"], max_age=timedelta(minutes=3, microseconds=7)),
        "pay": Requirement(
            risk=Fraction(1, 3),
            factors=2,
            all_of=["pin"],
            any_of=["mail", "callback"],
            accept="lossless",
            role="teller",
            purpose={"fa": "پرداخت", "en": "a payment"},
            stakes=[
                Tier(up_to="30.50", currency="EUR", requirement=Requirement.none(), ceiling=Decimal(100), count=5),
                Tier(up_to=10**15, currency="EUR", requirement=Requirement(bits=1, knowledge_only=True)),
            ],
        ),
    },
    threats=ThreatModel.default().with_cells({"pin": {"stranger": {PASS: "0.02"}}}),
    budgets=Budgets(answers=Budget(3, timedelta(hours=5)), consecutive=20, runs=timedelta(days=7)),
    lifetimes=Lifetimes(resend=timedelta(0), code=timedelta(seconds=90.5)),
    language="fa",
    enrolled_share={"pet": 0.25, "other_pet": 1},
)


def faults(read: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidPolicy) as caught:
        read()
    return [str(fault) for fault in caught.value.exceptions]


def written(**changed: Any) -> str:
    """Return a small policy as JSON, with fields of one's own."""
    body: dict[str, Any] = {
        "version": 1,
        "name": "small",
        "checks": [{"type": "Pin"}, {"type": "OneTimeCode"}],
        "actions": {"read": {"bits": 1}},
    }
    return json.dumps({name: value for name, value in (body | changed).items() if value is not ...})


def test_a_whole_policy_comes_back_the_same() -> None:
    again = Policy.from_json(WHOLE.to_json(), checks=(Pet,))
    assert again == WHOLE
    assert again.fingerprint == WHOLE.fingerprint
    assert again.to_json() == WHOLE.to_json()
    assert again.diff(WHOLE) == ()
    assert again.layer("other_pet").factor is Factor.INHERENCE
    assert again.actions["read"].max_age == timedelta(minutes=3, microseconds=7)


def test_points_come_back_the_same() -> None:
    points = ThreatModel.points({"pin": 2})
    own = Policy(name="p", checks=[checks.Pin()], actions={"read": Requirement(bits=2)}, threats=points)
    assert Policy.from_json(own.to_json()) == own


def test_the_default_table_is_named_and_any_other_is_written_out() -> None:
    small = Policy.from_json(written())
    default = ThreatModel.default()
    assert json.loads(small.to_json())["threats"] == f"default:{default.fingerprint}"
    assert json.loads(WHOLE.to_json())["threats"]["classes"]
    assert faults(lambda: Policy.from_json(written(threats="default:0"))) == [
        "threats: was written with another default table; review it, then write the policy again"
    ]


def test_what_is_left_out_has_its_default() -> None:
    small = Policy.from_json(written())
    assert small == Policy(
        name="small", checks=[checks.Pin(), checks.OneTimeCode()], actions={"read": Requirement(bits=1)}
    )


def test_texts_are_written_as_people_read_them() -> None:
    assert "کدام" not in WHOLE.to_json()  # it is the class's own
    assert "پرداخت" in WHOLE.to_json()
    assert json.loads(WHOLE.to_json())["actions"]["pay"]["risk"] == "1/3"


def test_only_named_classes_are_built() -> None:
    assert faults(lambda: Policy.from_json(WHOLE.to_json())) == [
        "checks.6.type: names no check that may be built; pass your own classes as checks=(...)"
    ]
    for name in ("Check", "AskedCheck", "AnswerCheck", "SignalCheck", "Signal", "os", "", None, 5, ["Pin"], {}):
        (fault,) = faults(lambda name=name: Policy.from_json(written(checks=[{"type": name, "id": "x"}])))
        assert fault.startswith("checks.0.type: names no check that may be built")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((5,), "checks must be the classes of your own checks"),
        ((int,), "checks must be the classes of your own checks"),
        ((Pet("x"),), "checks must be the classes of your own checks"),
        ((type("Pin", (Pet,), {}),), "two checks are called Pin; rename your own"),
        ((Pet, type("Pet", (Pet,), {})), "two checks are called Pet; rename your own"),
    ],
)
def test_classes_of_ones_own_have_names_of_their_own(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Policy.from_json(written(), checks=given)
    assert Policy.from_json(written(), checks=(Pet, Pet)).name == "small"


class Touchy(Pet):
    def __init__(self, id: str | None = None, **_: object) -> None:  # noqa: A002
        raise KeyError(id)


def test_a_class_that_raises_is_a_fault() -> None:
    text = written(checks=[{"type": "Touchy", "id": "t"}])
    assert faults(lambda: Policy.from_json(text, checks=(Touchy,))) == [
        "checks.0: has parameters that Touchy does not take"
    ]


NOT_JSON: Mapping[str, object] = {
    "no text": 5,
    "bytes": b"{}",
    "empty": "",
    "half": '{"version": 1',
    "a word": "policy",
    "NU-08 a number of thousands of digits": '{"version": ' + "9" * 5000 + "}",
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "long": " " * 4_000_001,
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_json(text: Any) -> None:
    with pytest.raises(ConfigurationError, match="a policy is JSON text") as caught:
        Policy.from_json(text)
    assert not isinstance(caught.value, InvalidPolicy)


HOSTILE: Mapping[str, tuple[str, list[str]]] = {
    "NU-01 NaN": (written().replace('"bits": 1', '"bits": NaN'), ["json: NaN is not a number that a policy may hold"]),
    "NU-02 Infinity": (
        written().replace('"bits": 1', '"bits": -Infinity'),
        ["json: -Infinity is not a number that a policy may hold"],
    ),
    "NU-02 1e400": (
        written().replace('"bits": 1', '"bits": 1e400'),
        ["actions.read.bits: must be a finite number of 0 or more, in at most 999 digits"],
    ),
    "a name twice": (
        written().replace('"bits": 1', '"bits": 9, "bits": 1'),
        ["json: a name stands twice in one object"],
    ),
    "a list": ("[]", ["policy: must be an object"]),
    "another version": (written(version=2), ["version: must be 1; a newer version of the library may have written"]),
    "version true": (written(version=True), ["version: must be 1; a newer version of the library may have written"]),
    "no version": (written(version=...), ["version: must be 1; a newer version of the library may have written"]),
    "unknown parts": (
        written(owner=1, audience=2),
        ["policy.audience: is not known here; known are actions, budgets", "policy.owner: is not known here"],
    ),
    "no name": (written(name=...), ["name: it must be a str"]),
    "no checks": (written(checks=...), ["checks: must be a list"]),
    "a check that is none": (written(checks=["Pin"]), ["checks.0: must be an object"]),
    "no actions": (written(actions=...), ["actions: must be an object"]),
    "an action that is none": (written(actions={"read": 2}), ["actions.read: must be an object"]),
    "an unknown field": (written(actions={"read": {"bitz": 2}}), ["actions.read.bitz: is not known here; known are"]),
    "an age in words": (written(actions={"read": {"bits": 1, "max_age": "1h"}}), ["actions.read.max_age: must be"]),
    "an age true": (written(actions={"read": {"bits": 1, "max_age": True}}), ["actions.read.max_age: must be a numb"]),
    "NU-08 an endless age": (
        written(actions={"read": {"bits": 1, "max_age": 2**60}}),
        ["actions.read.max_age: is too long"],
    ),
    "tiers": (written(actions={"read": {"bits": 1, "stakes": 5}}), ["actions.read.stakes: must be a list"]),
    "a tier of nothing": (
        written(actions={"read": {"bits": 1, "stakes": [{}]}}),
        ["actions.read.stakes.0.requirement: must be an object"],
    ),
    "a tier of junk": (
        written(actions={"read": {"bits": 1, "stakes": [{"requirement": {"bits": 1}, "up_to": []}]}}),
        [
            "actions.read.stakes.0.up_to: it must be an int, a Decimal or a str",
            "actions.read.stakes.0.currency: it must be three capital letters",
        ],
    ),
    "a parameter": (
        written(checks=[{"type": "Pin", "digits": 6}]),
        ["checks.0: has parameters that Pin does not take"],
    ),
    "a parameter named self": (
        written(checks=[{"type": "Pin", "self": 6}]),
        ["checks.0: has parameters that Pin does not take"],
    ),
    "no prompts": (
        written(checks=[{"type": "SecretAnswer", "id": "pet"}]),
        ["checks.0: has parameters that SecretAnswer does not take"],
    ),
    "likelihoods in words": (
        written(checks=[{"type": "Pin", "likelihoods": "high"}]),
        ["checks.0.likelihoods: must hold genuine and classes"],
    ),
    "likelihoods without classes": (
        written(checks=[{"type": "Pin", "likelihoods": {"genuine": {}}}]),
        ["checks.0.likelihoods: must hold genuine and classes"],
    ),
    "likelihoods that are none": (
        written(checks=[{"type": "Pin", "likelihoods": {"genuine": {"pass": 2}, "classes": {}}}]),
        ["checks.0.likelihoods.genuine: the probabilities sum to 2", "checks.0.likelihoods.classes: name at least one"],
    ),
    "budgets": (
        written(budgets={"answers": 5, "codes": {"limit": 3}, "runs": "7d", "per_day": 1}),
        [
            "budgets.per_day: is not known here; known are agent, answers",
            "budgets.answers: must be an object",
            "budgets.answers.window: must be a number of seconds",
            "budgets.codes.window: must be a number of seconds",
            "budgets.runs: must be a number of seconds",
        ],
    ),
    "lifetimes": (
        written(lifetimes={"grant": None, "tea": 300}),
        ["lifetimes.tea: is not known here; known are code", "lifetimes.grant: must be a number of seconds"],
    ),
    "threats": (written(threats={"schema": 7}), ["threats.schema: must be 'kyc_verify.threats/1'"]),
    "threats by number": (written(threats=7), ["threats.model: must be an object", "threats.schema: must be"]),
    "shares": (written(enrolled_share=[]), ["enrolled_share: must map check ids to shares"]),
    "every part": (
        written(checks=[{"type": "Pni"}, 5], actions={"a": 1, "b": []}, threats="x", budgets=1, lifetimes=2),
        ["checks.0.type", "checks.1", "actions.a", "actions.b", "threats", "budgets", "lifetimes"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_json(text: str, expected: list[str]) -> None:
    found = faults(lambda: Policy.from_json(text))
    assert len(found) == len(expected), found
    for fault, start in zip(found, expected, strict=True):
        assert fault.startswith(start)


def _paths(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def _at(body: Any, path: tuple[Any, ...], junk: object) -> Any:
    if not path:
        return junk
    changed = copy.deepcopy(body)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return changed


JUNK = (None, True, 0, -1, 1.5, 10**400, "", "\ud800", "pin", [], ["a", ["b"]], [{}], {}, {"a": {"b": [1]}})
DEFAULT = ThreatModel.default()
WHOLE_BODY = {**json.loads(WHOLE.to_json()), "threats": f"default:{DEFAULT.fingerprint}"}
# Two classes and two rows stand for the others.
FEW = Likelihoods(genuine={PASS: "0.8"}, classes={each.name: {PASS: "0.1"} for each in DEFAULT.classes[:2]})
TOLD = {"genuine": Origin(tag="published", source="f2", note="p. 3"), "stranger": Origin(tag="guess")}
SMALL = ThreatModel(
    classes=DEFAULT.classes[:2],
    rows={"pin": Row(likelihoods=FEW, seconds=9, fields=("pin",), origins=TOLD, note="n"), "tea": Row(likelihoods=FEW)},
    sources={"f2": "a paper"},
    conversions=DEFAULT.conversions[:2],
)
TABLE_BODY = json.loads(
    Policy(name="p", checks=[checks.Pin()], actions={"read": Requirement(bits=1)}, threats=SMALL).to_json()
)


@pytest.mark.parametrize("body", [WHOLE_BODY, TABLE_BODY], ids=["policy", "table"])
@pytest.mark.parametrize("junk", JUNK, ids=[f"{type(each).__name__}{at}" for at, each in enumerate(JUNK)])
def test_junk_at_every_path_raises_only_errors_of_the_tree(body: object, junk: object) -> None:
    paths, refused = list(_paths(body)), 0
    for path in paths:
        try:
            Policy.from_json(json.dumps(_at(body, path, junk)), checks=(Pet,))
        except KycVerifyError:
            refused += 1
    assert refused > len(paths) / 4
