"""Policies: what construction refuses, how evidence is judged, and what a policy is as a value."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.answers import Forms
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidPolicy, KycVerifyError, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import LOW_RISK, Policy, Requirement, Tier
from kyc_verify.policy._judge import factors_of
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Channel, Entry, Factor, Method, Outcome
from kyc_verify.threats import Likelihoods, ThreatModel, threshold

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
CLASSES = ThreatModel.default().names
OWN = Likelihoods(genuine={PASS: "0.8"}, classes={name: {PASS: "0.1"} for name in CLASSES})
WHICH = {"en": "Which?"}


class First(checks.AnswerCheck):
    prompts = WHICH
    likelihoods = OWN

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        return Forms(coarse=said, fine=said)


class Gut(checks.SignalCheck):
    likelihoods = OWN
    source = None

    def judge(self, signal: checks.Signal) -> Outcome:
        return PASS


def policy(**changed: Any) -> Policy:
    fields: dict[str, Any] = {
        "name": "bank",
        "checks": [checks.AccountTenure(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode()],
        "actions": {"read": Requirement(bits=2)},
    }
    return Policy(**fields | changed)


def faults(make: Callable[[], object]) -> list[str]:
    """Return every fault as path and message."""
    with pytest.raises(InvalidPolicy) as caught:
        make()
    return [str(fault) for fault in caught.value.exceptions]


def ask(*names: str, outcome: Outcome = PASS, at: datetime = NOW, bound: str | None = None) -> list[Evidence]:
    return [Evidence(check=name, outcome=outcome, at=at, bound=bound) for name in names]


def tier(**changed: Any) -> Tier:
    return Tier(**{"up_to": 30, "currency": "EUR", "requirement": Requirement(bits=1)} | changed)


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def anonymous(cls: type[checks.Check] = First, **attributes: Any) -> checks.Check:
    """Return an instance of a class made for one test."""
    return type(cls.__name__, (cls,), attributes)()


MUTE = type("Mute", (checks.AnswerCheck,), {"prompts": WHICH, "likelihoods": OWN})
BLANK = type("Blank", (checks.AnswerCheck,), {"forms": First.forms, "likelihoods": OWN})
UNWEIGHED = type("Unweighed", (checks.AnswerCheck,), {"forms": First.forms, "prompts": WHICH})
UNJUDGED = type("Unjudged", (checks.SignalCheck,), {"likelihoods": OWN})
HEARSAY = type("Hearsay", (checks.AskedCheck,), {"prompts": WHICH, "likelihoods": OWN})
BARE = type("Bare", (checks.Check,), {"likelihoods": OWN})
LACKING = Likelihoods(genuine={PASS: "0.8"}, classes={"stranger": {PASS: "0.1"}})

CHECKS: Mapping[str, tuple[object, str]] = {
    "no check": ([], "checks: must be a list of at least one check"),
    "no list": (5, "checks: must be a list of at least one check"),
    "a text": ("pin", "checks: must be a list of at least one check"),
    "too many": ([First(f"q{at}") for at in range(65)], "checks: has more than 64 checks"),
    "a class": ([checks.Pin], "checks.0: must be a check, not a type; add ()"),
    "another class": ([int], "checks.0: must be a check, not a type"),
    "a name": (["pin"], "checks.0: must be a check, not a str"),
    "the same twice": ([checks.Pin(), checks.Pin()], "checks.1.id: two checks have this id"),
    "an id that is none": ([First(" q")], "checks.0.id: it must be printable NFC text"),
    "an id of another type": ([First(["q"])], "checks.0.id: it must be a str"),  # type: ignore[arg-type]
    "no forms": ([MUTE()], "checks.0: must define forms(said, *, locale, now)"),
    "no judge": ([UNJUDGED()], "checks.0: must define judge(signal)"),
    "nothing that compares": ([HEARSAY()], "checks.0: must derive from AnswerCheck, OneTimeCode, AppConfirmation"),
    "neither asked nor a signal": ([BARE()], "checks.0: must derive from AnswerCheck or SignalCheck"),
    "no prompts": ([BLANK()], "checks.0.prompts: is missing"),
    "prompts that are none": ([checks.Pin(prompts=[])], "checks.0.prompts: must map languages to texts"),  # type: ignore[arg-type]
    "prompts by number": ([First(prompts={1: "?"})], "checks.0.prompts: must map languages to texts"),  # type: ignore[dict-item]
    "a prompt of spaces": ([First(prompts={"en": " "})], "checks.0.prompts: must map languages to texts"),
    "a lone surrogate": ([First(prompts={"en": "\ud800"})], "checks.0.prompts: must map languages to texts"),
    "no likelihoods": ([UNWEIGHED()], "checks.0.row: the threat model has no row 'unweighed'; give likelihoods"),
    "an unknown row": ([checks.SecretAnswer("q", WHICH, row="hm")], "checks.0.row: the threat model has no row 'hm'"),
    "likelihoods that are none": ([checks.Pin(likelihoods=1)], "checks.0.likelihoods: must be Likelihoods"),  # type: ignore[arg-type]
    "classes missing": ([checks.Pin(likelihoods=LACKING)], "checks.0.likelihoods: must give cells for the classes"),
    "more tries than meant": ([checks.OneTimeCode(likelihoods=OWN)], "checks.0.tries: its likelihoods are meant of 1"),
    "no try": ([anonymous(tries=0)], "checks.0.tries: must be a whole number from 1 to 10"),
    "tries True": ([anonymous(tries=True)], "checks.0.tries: must be a whole number from 1 to 10"),
    "a factor by name": ([anonymous(factor="knowledge")], "checks.0.factor: must be a Factor"),
    "methods by name": ([anonymous(methods=("pin",))], "checks.0.methods: must be a tuple of Method values"),
    "an entry by name": ([anonymous(entry="text")], "checks.0.entry: must be an Entry"),
    "no forms version": ([anonymous(forms_version=0)], "checks.0.forms_version: must be a whole number of 1 or more"),
    "an asset that is none": ([First(asset=["sim"])], "checks.0.asset: must be a name, or None"),  # type: ignore[arg-type]
    "a source that is none": ([checks.SimSwap(source=3)], "checks.0.source: must be a name, or None"),  # type: ignore[arg-type]
    "an empty service": ([checks.AppConfirmation(service="")], "checks.0.service: must be a name, or None"),
    "negative seconds": ([checks.Pin(seconds=-1)], "checks.0.seconds: must be a whole number of seconds up to 3600"),
    "seconds True": ([checks.Pin(seconds=True)], "checks.0.seconds: must be a whole number of seconds up to 3600"),
    "a parameter for nobody": (
        [anonymous(__init__=lambda self: checks.Check.__init__(self, since=NOW))],
        "checks.0.since: cannot be written as JSON",
    ),
    "a NaN parameter": (
        [anonymous(__init__=lambda self: checks.Check.__init__(self, share=float("nan")))],
        "checks.0.share: cannot be written as JSON",
    ),
    "five shown": ([checks.AuthenticatorCode(digits=5)], "checks.0.digits: must be from 6 to 8, as the app was told"),
    "nine shown": ([checks.AuthenticatorCode(digits=9)], "checks.0.digits: must be from 6 to 8, as the app was told"),
    "no algorithm": ([checks.AuthenticatorCode(algorithm="md5")], "checks.0.algorithm: must be one of sha1"),
    "a wide window": ([checks.AuthenticatorCode(window=2)], "checks.0.window: must be 0 or 1 (RFC 6238 section 5.2)"),
    "five digits": ([checks.OneTimeCode(digits=5)], "checks.0.digits: must be from 6 to 10 (NIST SP 800-63B-4"),
    "eleven digits": ([checks.OneTimeCode(digits=11)], "checks.0.digits: must be from 6 to 10 (NIST SP 800-63B-4"),
    "digits True": ([checks.OneTimeCode(digits=True)], "checks.0.digits: must be from 6 to 10 (NIST SP 800-63B-4"),
    "a push as a code": ([checks.OneTimeCode(channel="app")], "checks.0.channel: must be sms, voice or email"),
    "no channel": ([checks.OneTimeCode(channel=[])], "checks.0.channel: must be sms, voice or email"),  # type: ignore[arg-type]
    "a template": ([checks.OneTimeCode(template="own")], "checks.0.template: must be one of warning, plain, elsewhere"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("given", "fault"), CHECKS.values(), ids=CHECKS.keys())
def test_faults_of_checks(given: object, fault: str) -> None:
    found = faults(lambda: policy(checks=given, actions={"read": Requirement(all_of=["pin"])}))
    assert any(each.startswith(fault) for each in found), found


def test_fc_01_a_policy_without_checks_or_actions_is_refused() -> None:
    assert faults(lambda: policy(checks=(), actions={})) == [
        "checks: must be a list of at least one check",
        "actions: must map at least one action to a Requirement",
    ]


FIELDS: Mapping[str, tuple[dict[str, object], str]] = {
    "an empty name": ({"name": ""}, "name: it must have 1 to 200 characters"),
    "no name": ({"name": None}, "name: it must be a str"),
    "a language": ({"language": "de"}, "language: must be one of en, fr, es, fa"),
    "threats": ({"threats": {}}, "threats: must be a ThreatModel"),
    "budgets": ({"budgets": 5}, "budgets: must be Budgets"),
    "lifetimes": ({"lifetimes": 5}, "lifetimes: must be Lifetimes"),
    "a budget of none": ({"budgets": Budgets(answers=Budget(0, timedelta(days=1)))}, "budgets.answers.limit: must be"),
    "a long code": ({"lifetimes": Lifetimes(code=timedelta(seconds=601))}, "lifetimes.code: must be a timedelta"),
    "shares": ({"enrolled_share": 1}, "enrolled_share: must map check ids to shares"),
    "a share of nobody": ({"enrolled_share": {"pni": 0.5}}, "enrolled_share.pni: the policy has no check of this id"),
    "a share above 1": ({"enrolled_share": {"pin": 1.5}}, "enrolled_share.pin: must be a number from 0 to 1"),
    "a share True": ({"enrolled_share": {"pin": True}}, "enrolled_share.pin: must be a number from 0 to 1"),
    "NU-01 a share NaN": ({"enrolled_share": {"pin": float("nan")}}, "enrolled_share.pin: must be a number"),
    "NU-08 a huge share": ({"enrolled_share": {"pin": 10**400}}, "enrolled_share.pin: must be a number"),
    "no actions": ({"actions": {}}, "actions: must map at least one action to a Requirement"),
    "a list of actions": ({"actions": ["read"]}, "actions: must map at least one action to a Requirement"),
    "too many actions": (
        {"actions": {f"a{at}": Requirement(bits=1) for at in range(501)}},
        "actions: has more than 500 actions",
    ),
    "an action by number": ({"actions": {1: Requirement(bits=1)}}, "actions.1: it must be a str"),
    "an action with a space": ({"actions": {"read ": Requirement(bits=1)}}, "actions.read : it must be printable NFC"),
    "bits as a requirement": ({"actions": {"read": 2}}, "actions.read: must be a Requirement"),
}


@pytest.mark.parametrize(("changed", "fault"), FIELDS.values(), ids=FIELDS.keys())
def test_faults_of_fields(changed: dict[str, object], fault: str) -> None:
    found = faults(lambda: policy(**changed))
    assert len(found) == 1
    assert found[0].startswith(fault)


ACTIONS: Mapping[str, tuple[Requirement, str]] = {
    "FC-13 a misspelt check": (
        Requirement(bits=1, checks=["pni"]),
        ".checks: the policy has no check 'pni'; it has account_tenure, app_confirmation, one_time_code, pin",
    ),
    "FC-13 misspelt in all_of": (Requirement(all_of=["pni"]), ".all_of: the policy has no check 'pni'"),
    "FC-13 misspelt in any_of": (Requirement(any_of=["pni"]), ".any_of: the policy has no check 'pni'"),
    "demanded and not asked": (
        Requirement(checks=["pin"], all_of=["account_tenure"]),
        ".all_of: 'account_tenure' is not among the checks of this requirement",
    ),
    "one of what is not asked": (
        Requirement(checks=["pin"], any_of=["account_tenure"]),
        ".any_of: 'account_tenure' is not among the checks of this requirement",
    ),
    "out of reach": (
        Requirement(bits=9, knowledge_only=True),
        ": is out of reach: all checks passed give 7.75 bits against sim_swapper, and 9.00 are demanded",
    ),
    "factors out of reach": (
        Requirement(bits=1, factors=3),
        ".factors: is out of reach: its checks show 2 distinct factors",
    ),
    "knowledge alone": (
        Requirement(bits="2.01", checks=["account_tenure", "pin"]),
        ": rests on knowledge alone above 2 bits; add a possession, or say knowledge_only=True",
    ),
    "nested tiers": (
        Requirement(bits=1, stakes=[tier(requirement=Requirement(bits=1, stakes=[tier()]))]),
        ".stakes.0.requirement.stakes: a tier has no tiers of its own",
    ),
    "exempt with nested tiers": (
        Requirement(bits=1, stakes=[tier(count=1, requirement=Requirement(exempt=True, stakes=(tier(),)))]),
        ".stakes.0.requirement.stakes: a tier has no tiers of its own",
    ),
    "one amount twice": (Requirement(bits=1, stakes=[tier(), tier(count=3)]), ".stakes.1.up_to: two tiers end at"),
    "a tier out of reach": (
        Requirement(bits=1, stakes=[tier(requirement=Requirement(bits=9, knowledge_only=True))]),
        ".stakes.0.requirement: is out of reach",
    ),
    "a tier's misspelt check": (
        Requirement(bits=1, stakes=[tier(requirement=Requirement(all_of=["pni"]))]),
        ".stakes.0.requirement.all_of: the policy has no check 'pni'",
    ),
    "a vacuous tier": (
        Requirement(bits=1, stakes=[tier(requirement=Requirement())]),
        ".stakes.0.requirement: asks for nothing",
    ),
    "a tier of bits": (Requirement(bits=1, stakes=[tier(requirement=2)]), ".stakes.0.requirement: must be"),
    "a number as tier": (Requirement(bits=1, stakes=[5]), ".stakes: must be a list of Tier values"),  # type: ignore[list-item]
    "tiers that are none": (Requirement(bits=1, stakes=5), ".stakes: must be a list of Tier values"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("requirement", "fault"), ACTIONS.values(), ids=ACTIONS.keys())
def test_faults_of_actions(requirement: Requirement, fault: str) -> None:
    found = faults(lambda: policy(actions={"read": requirement}))
    assert len(found) == 1
    assert found[0].startswith(f"actions.read{fault}")


def test_what_is_no_requirement_hides_no_other_fault() -> None:
    found = faults(lambda: policy(actions={"pay": 1, "read": Requirement()}))
    assert [each.partition(":")[0] for each in found] == ["actions.pay", "actions.read"]


def test_all_faults_at_once() -> None:
    def make() -> Policy:
        return Policy(
            name="",
            checks=[checks.Pin(), checks.Pin, First(asset="")],
            actions={"read": Requirement(), "pay": Requirement(all_of=["pni"], stakes=[tier(currency="euro")]), "x": 1},
            budgets=Budgets(consecutive=0),
            lifetimes=Lifetimes(grant=timedelta(0)),
            language="tlh",
            enrolled_share={"pni": 2},
        )

    assert [each.split(": ")[0] for each in faults(make)] == [
        "name",
        "language",
        "budgets.consecutive",
        "lifetimes.grant",
        "checks.1",
        "checks.2.asset",
        "enrolled_share.pni",
        "enrolled_share.pni",
        "actions.pay.all_of",
        "actions.pay.stakes.0.currency",
        "actions.read",
        "actions.x",
    ]


@pytest.mark.parametrize("junk", [None, 0, "x", b"x", [], {}, object(), float("nan"), 10**400, [[]], {"a": []}, int])
@pytest.mark.parametrize(
    "field", ["name", "checks", "actions", "threats", "budgets", "lifetimes", "language", "enrolled_share"]
)
def test_junk_raises_nothing_but_errors_of_the_tree(field: str, junk: object) -> None:
    try:
        policy(**{field: junk})
    except KycVerifyError:
        pass
    else:
        assert (field, junk) in [("name", "x"), ("enrolled_share", {})]


# ── Numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS: Mapping[str, tuple[object, str]] = {
    "NU-01 NaN": (float("nan"), "must be a finite number of 0 or more"),
    "NU-01 Decimal NaN": (Decimal("NaN"), "must be a finite number of 0 or more"),
    "NU-02 infinity": (float("inf"), "must be a finite number of 0 or more"),
    "NU-02 minus infinity": (float("-inf"), "must be a finite number of 0 or more"),
    "NU-02 1e400": ("1e400", "must be a finite number of 0 or more"),
    "NU-04 negative": (-1, "must be a finite number of 0 or more"),
    "NU-04 out of range": (10**6, "bits are a number from 0 to 1000"),
    "NU-05 True": (True, "must be a number"),
    "NU-05 a list": ([2], "must be a number"),
    "NU-05 a complex number": (2j, "must be a number"),
    "NU-05 finer than a centibit": ("2.001", "with at most two decimals"),
    "NU-08 a huge int": (10**400, "bits are a number from 0 to 1000"),
    "NU-08 an int of thousands of digits": (10**5000, "must be a finite number of 0 or more"),
}


@pytest.mark.parametrize(("bits", "message"), NUMBERS.values(), ids=NUMBERS.keys())
def test_bits_that_are_no_number(bits: Any, message: str) -> None:
    (fault,) = faults(lambda: policy(actions={"read": Requirement(bits=bits)}))
    assert fault.startswith("actions.read.bits: ")
    assert message in fault


def test_nu_01_nu_04_nu_05_an_outcome_is_an_outcome() -> None:
    for junk in (float("nan"), float("inf"), -50, 1e6, True, "pass", Decimal(1), Fraction(1, 2)):
        with pytest.raises(UsageError):
            Evidence(check="pin", outcome=junk, at=NOW)  # type: ignore[arg-type]


def test_nu_03_decimal_fractions_at_the_line() -> None:
    # Ten checks of a tenth of a bit each; 0.7 and 0.1 bits against 0.8. In floats both sums fall short.
    def of(genuine: str, impostor: str) -> Likelihoods:
        return Likelihoods(genuine={PASS: genuine}, classes={name: {PASS: impostor} for name in CLASSES})

    tenth, seven = of("0.6", "0.5598"), of("0.8", "0.4924")
    assert {tenth.weights[name][PASS] for name in CLASSES} == {10}
    assert {seven.weights[name][PASS] for name in CLASSES} == {70}
    given = [First(f"t{at}", likelihoods=tenth) for at in range(10)]
    own = policy(
        checks=[*given, First("seven", likelihoods=seven)],
        actions={
            "ten": Requirement(bits=1, checks=[check.id for check in given]),
            "two": Requirement(bits="0.8", checks=["seven", "t0"]),
        },
    )
    for order in ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 3, 1, 0, 2, 8, 7, 4, 6, 5]):
        decision = own.evaluate(ask(*(f"t{at}" for at in order)), action="ten", now=NOW)
        assert (decision.centibits, decision.verdict) == (100, Verdict.VERIFIED)
    for names in (("seven", "t0"), ("t0", "seven")):
        decision = own.evaluate(ask(*names), action="two", now=NOW)
        assert (decision.centibits, decision.verdict) == (80, Verdict.VERIFIED)


@pytest.mark.parametrize("accept", ["first", "lossless"])
def test_nu_06_equal_to_the_threshold_is_met_and_one_centibit_less_is_not(accept: Any) -> None:
    have = policy().table.score({"pin": PASS, "account_tenure": PASS, "one_time_code": PASS}).centibits
    for bits, verdict in ((have, "verified"), (have - 1, "verified"), (have + 1, "pending")):
        own = policy(actions={"read": Requirement(bits=Decimal(bits) / 100, accept=accept, knowledge_only=True)})
        for each in (own, Policy.from_json(own.to_json())):
            decision = each.evaluate(ask("pin", "account_tenure", "one_time_code"), action="read", now=NOW)
            assert decision.verdict.value == verdict
            assert decision.missing == (("score",) if verdict == "pending" else ())


def test_nu_07_weights_of_zero_reach_nothing() -> None:
    points = ThreatModel.points({"pin": 0, "account_tenure": 5})
    assert faults(lambda: policy(checks=[checks.Pin()], threats=points)) == [
        "actions.read: is out of reach: all checks passed give 0.00 bits against points, and 2.00 are demanded"
    ]
    lost = policy().with_incident(["pin"])
    assert lost.evaluate(ask("pin"), action="read", now=NOW).centibits == 0


@pytest.mark.parametrize("run", [0, -1, True, 1.0, "1", None, 10**400])
def test_nu_05_nu_08_a_run_is_numbered(run: Any) -> None:
    with pytest.raises(UsageError, match="a run's number is an int"):
        policy().evaluate([], action="read", now=NOW, run=run)


@pytest.mark.parametrize(("bits", "same"), [(2, "2"), (2, 2.0), (2, Decimal("2.00")), ("1.5", 1.5), ("0.10", 0.1)])
def test_one_number_has_one_spelling(bits: Any, same: Any) -> None:
    one, other = (policy(actions={"read": Requirement(bits=each, factors=1)}) for each in (bits, same))
    assert one == other
    assert one.fingerprint == other.fingerprint


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fc_02_nothing_is_not_everything() -> None:
    own = policy(actions={"read": Requirement(bits=1), "named": Requirement(all_of=["pin"])})
    for action, missing in (("read", ("score",)), ("named", ("all_of:pin",))):
        decision = own.evaluate([], action=action, now=NOW)
        assert (decision.verdict, decision.missing, decision.methods) == (Verdict.PENDING, missing, ())


def test_what_counts_is_one_outcome_a_check_the_lower() -> None:
    own = policy()
    once = own.evaluate(ask("pin"), action="read", now=NOW)
    for low in (FAIL, DECLINED, NEAR, UNAVAILABLE):
        for evidence in ([*ask("pin"), *ask("pin", outcome=low)], [*ask("pin", outcome=low), *ask("pin")]):
            decision = own.evaluate(evidence, action="read", now=NOW)
            assert [item.outcome for item in decision.evidence] == [low]
            assert decision.centibits < once.centibits


def test_of_two_alike_the_newer_counts() -> None:
    own = policy(actions={"read": Requirement(bits=1, max_age=timedelta(minutes=5))})
    old, new = ask("pin", at=NOW - timedelta(hours=1)), ask("pin")
    for evidence in (old + new, new + old):
        assert own.evaluate(evidence, action="read", now=NOW).stale == frozenset()
    assert own.evaluate(old, action="read", now=NOW).stale == {"pin"}


def test_stale_evidence_loses_what_is_positive_and_proves_nothing() -> None:
    age = timedelta(minutes=5)
    own = policy(actions={"read": Requirement(bits=1, factors=1, all_of=["pin"], max_age=age)})
    just = own.evaluate(ask("pin", at=NOW - age), action="read", now=NOW)
    assert (just.stale, just.methods, just.missing) == (frozenset(), (Method.PIN,), ())
    later = own.evaluate(ask("pin", at=NOW - age), action="read", now=NOW + timedelta.resolution)
    assert (later.centibits, later.stale, later.methods) == (0, {"pin"}, ())
    assert later.missing == ("score", "factors:0 of 1", "all_of:pin")
    failed = [own.evaluate(ask("pin", outcome=FAIL, at=at), action="read", now=NOW) for at in (NOW, NOW - 2 * age)]
    assert failed[0].centibits == failed[1].centibits < 0


def test_a_code_counts_for_what_it_was_sent_for() -> None:
    own = policy(actions={"read": Requirement(bits=1), "pay": Requirement(bits=1)})
    stake = Stake(amount=Decimal(5), currency="EUR", payee="bob")
    sent = ask("one_time_code", bound=bound_to("pay", stake))
    worth = own.evaluate(ask("one_time_code"), action="pay", now=NOW).score.per_class["stranger"]
    assert worth > 0
    for action, given, counts in (("pay", stake, True), ("pay", None, False), ("read", stake, False)):
        decision = own.evaluate(sent, action=action, now=NOW, stake=given)
        assert decision.score.per_class["stranger"] == (worth if counts else 0)
        assert decision.stale == (frozenset() if counts else {"one_time_code"})
    other = Stake(amount=Decimal(5), currency="EUR", payee="eve")
    assert own.evaluate(sent, action="pay", now=NOW, stake=other).stale == {"one_time_code"}
    wrong = ask("one_time_code", outcome=FAIL, bound=bound_to("read", None))
    assert own.evaluate(wrong, action="pay", now=NOW).score.per_class["stranger"] < 0


def test_what_a_code_is_bound_to_has_one_reading() -> None:
    stake = Stake(amount=Decimal("5.50"), currency="EUR", payee="x|")
    assert bound_to("a|5.5 EUR x|", None) != bound_to("a", stake)
    assert bound_to("a", stake) == bound_to("a", Stake(amount=Decimal("5.5"), currency="EUR", payee="x|"))


def test_what_may_not_be_asked_does_not_count() -> None:
    own = policy(actions={"read": Requirement(bits=1, checks=["account_tenure", "pin"])})
    decision = own.evaluate(ask("app_confirmation", "one_time_code"), action="read", now=NOW)
    assert (decision.evidence, decision.centibits, decision.methods) == ((), 0, ())
    assert own.evaluate(ask("app_confirmation", outcome=FAIL), action="read", now=NOW).centibits == 0


def test_fc_13_evidence_of_a_misspelt_check_is_refused() -> None:
    with pytest.raises(UsageError, match="evidence names a check that the policy does not have"):
        policy().evaluate(ask("pni", outcome=FAIL), action="read", now=NOW)


def test_all_of_and_any_of_want_a_pass() -> None:
    own = policy(
        checks=[checks.Pin(), checks.DateOfBirth(), checks.AccountTenure()],
        actions={
            "all": Requirement(all_of=["date_of_birth", "pin"]),
            "any": Requirement(any_of=["date_of_birth", "pin"]),
        },
    )
    near = ask("date_of_birth", outcome=NEAR)
    assert own.evaluate(near, action="any", now=NOW).missing == ("any_of:date_of_birth, pin",)
    assert own.evaluate([*near, *ask("pin")], action="any", now=NOW).missing == ()
    assert own.evaluate([*near, *ask("pin")], action="all", now=NOW).missing == ("all_of:date_of_birth",)
    assert own.evaluate(ask("date_of_birth", "pin"), action="all", now=NOW).verdict is Verdict.VERIFIED
    assert own.evaluate(ask("date_of_birth", outcome=UNAVAILABLE), action="any", now=NOW).verdict is Verdict.PENDING


def test_factors_leave_context_out_and_count_an_asset_once() -> None:
    own = policy(
        checks=[
            checks.CallerNumber(),
            checks.Pin(),
            checks.OneTimeCode(),
            checks.OneTimeCode("voice", channel="voice"),
        ],
        actions={"read": Requirement(factors=2)},
    )
    codes = ask("caller_number", "one_time_code", "voice")
    assert own.evaluate(codes, action="read", now=NOW).missing == ("factors:1 of 2",)
    decision = own.evaluate([*codes, *ask("pin")], action="read", now=NOW)
    assert decision.missing == ()
    assert decision.methods == (Method.MFA, Method.OTP, Method.PIN, Method.SMS, Method.TEL)
    near = own.evaluate([*codes, *ask("pin", outcome=NEAR)], action="read", now=NOW)
    assert "factors:1 of 2" in near.missing


def test_factors_of_assets_is_the_most_they_can_give() -> None:
    k, p, i = Factor.KNOWLEDGE, Factor.POSSESSION, Factor.INHERENCE

    def shown(*pairs: tuple[Factor, str | None]) -> int:
        return len(factors_of([anonymous(factor=factor, asset=asset) for factor, asset in pairs]))

    assert shown() == 0
    assert shown((Factor.CONTEXT, None), (Factor.CONTEXT, "sim")) == 0
    assert shown((k, "sim"), (p, "sim")) == 1
    assert shown((k, "sim"), (p, "sim"), (p, None)) == 2
    # Each asset could give two factors; a greedy choice finds two of the three.
    assert shown((k, "a"), (p, "a"), (i, "b"), (p, "b"), (i, "c"), (k, "c")) == 3
    assert shown((k, None), (p, None), (i, None)) == 3


def test_the_kth_run_needs_log2_k_more() -> None:
    own = policy(actions={"read": Requirement(bits=1)})
    needs = [own.evaluate([], action="read", now=NOW, run=k).required for k in (1, 2, 3, 4, 5, 1000)]
    assert needs == [100, 200, 259, 300, 333, 1097]


def test_an_exempt_action_asks_nothing_and_says_nothing() -> None:
    own = policy(actions={"hours": Requirement.none()})
    decision = own.evaluate(ask("pin"), action="hours", now=NOW, run=7)
    assert (decision.verdict, decision.missing, decision.required, decision.methods) == (Verdict.EXEMPT, (), 0, ())
    assert decision.reasons == ("nothing is asked for this action, and nothing is said of who is calling",)


def test_stakes() -> None:
    low, high = tier(up_to=30, ceiling=100, requirement=Requirement.none()), tier(up_to="500.00")
    own = policy(actions={"pay": Requirement(bits=2, stakes=[high, low])})

    def at(amount: object, currency: str = "EUR") -> tuple[int, str, Tier | None]:
        stake = None if amount is None else Stake(amount=amount, currency=currency)  # type: ignore[arg-type]
        decision = own.evaluate([], action="pay", now=NOW, stake=stake)
        return decision.required, decision.verdict.value, own.requirement("pay", stake)[1]

    assert at(30) == (0, "exempt", low)
    assert at("30.01") == (100, "pending", high)
    assert at(500) == (100, "pending", high)
    assert at(501) == at(30, "USD") == at(None) == (200, "pending", None)


def test_points() -> None:
    own = policy(
        threats=ThreatModel.points({"pin": 3, "account_tenure": 2, "app_confirmation": 0, "one_time_code": 0}),
        actions={"read": Requirement(bits=5, knowledge_only=True), "pay": Requirement(bits=3, factors=2)},
    )
    decision = own.evaluate(ask("pin", "account_tenure"), action="read", now=NOW)
    assert (decision.centibits, decision.verdict, decision.bound) == (500, Verdict.VERIFIED, None)
    assert not decision.claims_bound
    wrong = own.evaluate([*ask("pin"), *ask("account_tenure", outcome=FAIL)], action="read", now=NOW)
    assert wrong.centibits == 300
    assert wrong.reasons == ("3.00 points of 5.00 needed", "2.00 points are missing")
    code = own.evaluate(ask("pin", "one_time_code"), action="pay", now=NOW)
    assert (code.verdict, code.methods) == (Verdict.VERIFIED, (Method.PIN,))


def test_points_claim_no_bound() -> None:
    points = ThreatModel.points({"pin": 3})
    found = faults(lambda: policy(checks=[checks.Pin()], threats=points, actions={"read": Requirement(risk="1/8")}))
    assert found == ["actions.read.risk: plain points claim no bound; give bits, which are then points"]


def test_points_by_row_and_by_id() -> None:
    points = ThreatModel.points({"secret_answer": 1, "school": 3})
    given = [checks.SecretAnswer("school", WHICH), checks.SecretAnswer("pet", WHICH)]
    own = policy(checks=given, threats=points, actions={"read": Requirement(bits=1)})
    assert own.evaluate(ask("school"), action="read", now=NOW).centibits == 300
    assert own.evaluate(ask("pet"), action="read", now=NOW).centibits == 100


def test_a_row_that_is_named_counts_before_one_that_has_the_id() -> None:
    named = policy(checks=[checks.SecretAnswer("pin", WHICH)], actions={"read": Requirement(all_of=["pin"])})
    assert named.table.weights("pin", PASS) != policy().table.weights("pin", PASS)
    by_id = type("Pin", (UNWEIGHED,), {})()
    assert by_id.row is None
    own = policy(checks=[by_id], actions={"read": Requirement(all_of=["pin"])})
    assert own.table.weights("pin", PASS) == policy().table.weights("pin", PASS)


def test_knowledge_alone_up_to_two_bits_or_said() -> None:
    assert LOW_RISK == 200
    only = ["account_tenure", "pin"]
    for requirement in (
        Requirement(bits=2, checks=only),
        Requirement(bits="2.01", checks=only, knowledge_only=True),
        Requirement(bits="2.01", checks=[*only, "one_time_code"]),
    ):
        assert policy(actions={"read": requirement}).actions["read"].threshold in (200, 201)


def test_misuse() -> None:
    own = policy()
    with pytest.raises(UsageError, match="now must be an aware datetime"):
        own.evaluate([], action="read", now=NOW.replace(tzinfo=None))
    for action in ("Read", None, ["read"]):
        with pytest.raises(UsageError, match="the policy has no such action"):
            own.evaluate([], action=action, now=NOW)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="stake must be a Stake or None"):
        own.evaluate([], action="read", now=NOW, stake=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="evidence must be Evidence values"):
        own.evaluate([{"check": "pin"}], action="read", now=NOW)  # type: ignore[list-item]
    for check in ("pni", ["pin"]):
        with pytest.raises(UsageError, match="the policy has no check of this id"):
            own.layer(check)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="diff takes another Policy"):
        own.diff("bank")  # type: ignore[arg-type]


def test_reading() -> None:
    own = policy(
        checks=[Gut(), checks.Pin(), type("Truth", (First,), {"stored": False})()],
        actions={"read": Requirement(bits=1, checks={"pin", "gut"})},
    )
    assert own.layer("pin") == checks.Pin()
    assert [check.id for check in own.asked(own.actions["read"])] == ["gut", "pin"]
    assert [check.id for check in own.enrollable()] == ["pin"]


# ── As a value ───────────────────────────────────────────────────────────────────────────────────────────────────────

CHANGES: Mapping[str, dict[str, object]] = {
    "name": {"name": "other"},
    "a check": {"checks": [checks.AccountTenure(), checks.Pin(), checks.AppConfirmation()]},
    "order": {"checks": [checks.Pin(), checks.AccountTenure(), checks.AppConfirmation(), checks.OneTimeCode()]},
    "a parameter": {
        "checks": [checks.AccountTenure(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode(digits=8)]
    },
    "prompts": {
        "checks": [checks.AccountTenure(), checks.Pin(prompts=WHICH), checks.AppConfirmation(), checks.OneTimeCode()]
    },
    "an action": {"actions": {"read": Requirement(bits=2), "pay": Requirement(bits=2)}},
    "bits": {"actions": {"read": Requirement(bits=1)}},
    "accept": {"actions": {"read": Requirement(bits=2, accept="lossless")}},
    "factors": {"actions": {"read": Requirement(bits=2, factors=1)}},
    "all_of": {"actions": {"read": Requirement(bits=2, all_of=["pin"])}},
    "role": {"actions": {"read": Requirement(bits=2, role="teller")}},
    "max_age": {"actions": {"read": Requirement(bits=2, max_age=timedelta(minutes=1))}},
    "purpose": {"actions": {"read": Requirement(bits=2, purpose={"en": "reading"})}},
    "stakes": {"actions": {"read": Requirement(bits=2, stakes=[tier()])}},
    "a ceiling": {"actions": {"read": Requirement(bits=2, stakes=[tier(ceiling=90)])}},
    "threats": {"threats": ThreatModel.default().with_cells({"pin": {"stranger": {PASS: "0.02"}}})},
    "points": {
        "threats": ThreatModel.points({"pin": 2, "account_tenure": 2, "app_confirmation": 2, "one_time_code": 2})
    },
    "budgets": {"budgets": Budgets(consecutive=49)},
    "lifetimes": {"lifetimes": Lifetimes(code=timedelta(seconds=299))},
    "language": {"language": "fa"},
    "enrolled_share": {"enrolled_share": {"pin": 0.5}},
}  # fmt: skip


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_decides_is_in_equality_fingerprint_and_diff(changed: dict[str, object]) -> None:
    one, other = policy(), policy(**changed)
    assert one != other
    assert one.fingerprint != other.fingerprint
    assert one.diff(other)
    assert other.diff(one)


def test_equal_policies() -> None:
    one, other = policy(), policy(checks=(check for check in policy().checks), enrolled_share={})
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint == other.fingerprint
    assert one.diff(other) == ()
    assert len({one, other, policy(name="other")}) == 2
    assert policy(enrolled_share={"pin": 1}).fingerprint == policy(enrolled_share={"pin": 1.0}).fingerprint
    assert repr(one) == f"Policy('bank'; 4 checks; 1 actions; {one.fingerprint[:12]})"


def test_the_words_of_the_table_decide_nothing() -> None:
    default = ThreatModel.default()
    own = type(default)(classes=default.classes, rows=default.rows, sources=default.sources, conversions=("none",))
    assert own != default
    assert policy(threats=own).fingerprint == policy().fingerprint
    assert Policy.from_json(policy(threats=own).to_json()) == policy(threats=own)


@pytest.mark.parametrize(
    "attributes",
    [
        {"likelihoods": Likelihoods(genuine={PASS: "0.9"}, classes={name: {PASS: "0.1"} for name in CLASSES})},
        {"factor": Factor.INHERENCE},
        {"asset": "voice"},
        {"methods": (Method.VBM,)},
        {"seconds": 7},
        {"uses_contact": True},
        {"entry": Entry.DIGITS},
        {"prompts": {"en": "What?"}},
        {"kind": "digits"},
        {"forms_version": 2},
        {"stored": False},
    ],
)
def test_what_a_class_says_of_its_check_is_in_the_fingerprint(attributes: dict[str, Any]) -> None:
    one, other = (
        policy(checks=[cls()], actions={"read": Requirement(bits=1)})
        for cls in (First, type("First", (First,), attributes))
    )
    assert one.to_json() == other.to_json()
    assert one.fingerprint != other.fingerprint


def test_diff_says_what_becomes_what() -> None:
    one = policy(actions={"read": Requirement(bits=2), "gone": Requirement(bits=1)})
    other = policy(
        checks=[checks.Pin(), checks.AccountTenure(), checks.AppConfirmation(seconds=9), checks.OneTimeCode(digits=8)],
        actions={"read": Requirement(bits="2.5")},
        threats=ThreatModel.default().with_cells({"pin": {"stranger": {PASS: "0.02"}}}),
    )
    lines = one.diff(other)
    assert "actions.read.bits: 2 becomes '2.5'" in lines
    assert "actions.gone.bits: 1 is gone" in lines
    assert "checks.app_confirmation.seconds: 9 is new" in lines
    assert "checks.one_time_code.digits: 6 becomes 8" in lines
    assert "threats.rows.pin.cells.stranger.pass: '0.01' becomes '0.02'" in lines
    assert lines[-1] == (
        "checks: the order ['account_tenure', 'pin', 'app_confirmation', 'one_time_code'] becomes "
        "['pin', 'account_tenure', 'app_confirmation', 'one_time_code']"
    )


# ── Incidents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incident_takes_all_weight_from_what_leaked() -> None:
    own = policy(actions={"read": Requirement(bits=2), "named": Requirement(all_of=["pin", "account_tenure"])})
    lost = own.with_incident(["pin", "account_opened"])
    assert own.evaluate(ask("pin", "account_tenure"), action="read", now=NOW).verdict is Verdict.VERIFIED
    for outcome in (PASS, FAIL):
        decision = lost.evaluate(ask("pin", "account_tenure", outcome=outcome), action="read", now=NOW)
        assert set(decision.score.per_class.values()) == {0}
    # What passes for everybody proves no method, though it is the pass that was demanded.
    named = lost.evaluate(ask("pin", "account_tenure"), action="named", now=NOW)
    assert (named.verdict, named.methods) == (Verdict.VERIFIED, ())
    assert lost.evaluate(ask("one_time_code"), action="read", now=NOW).methods == (Method.OTP, Method.SMS)


def test_an_incident_is_another_policy_and_always_the_same() -> None:
    own = policy()
    lost = own.with_incident("pin")
    assert lost != own
    assert lost.fingerprint != own.fingerprint
    assert lost is own.with_incident({"pin"})
    when = datetime(2031, 5, 1, tzinfo=UTC)
    dated = own.with_incident(["pin"], since=when)
    assert (dated.incident_since, lost.incident_since, own.incident_since) == (when, None, None)
    assert dated == lost
    assert dated.fingerprint == lost.fingerprint
    with pytest.raises(UsageError, match="since must be an aware datetime"):
        own.with_incident(["pin"], since=datetime(2031, 5, 1))  # noqa: DTZ001 - naive on purpose
    assert own.with_incident(["pin", "account_opened"]) is own.with_incident(("account_opened", "pin", "pin"))
    assert lost.with_incident(["pin"]).fingerprint == lost.fingerprint
    assert Policy.from_json(lost.to_json()) == lost
    assert own.with_incident([]).fingerprint == own.fingerprint


def test_an_incident_also_names_checks_with_likelihoods_of_their_own() -> None:
    own = policy(checks=[First(), checks.Pin(likelihoods=OWN)], actions={"read": Requirement(bits=1)})
    lost = own.with_incident(["first", "pin"])
    assert own.evaluate(ask("first"), action="read", now=NOW).centibits == 300
    assert lost.evaluate(ask("first"), action="read", now=NOW).centibits == 0
    assert lost.evaluate(ask("pin"), action="read", now=NOW).centibits == 0
    assert lost.threats != own.threats
    assert "exposed" in lost.to_json()
    assert own.with_incident(["first"]).table.weights("pin", PASS) == own.table.weights("pin", PASS)


def test_an_incident_of_what_nobody_asks_is_refused() -> None:
    assert faults(lambda: policy().with_incident(["shoe_size"])) == [
        "fields.shoe_size: no row asks for it; see Row.fields"
    ]


def test_risk_and_bits_are_one_scale() -> None:
    for risk in ("1/8", 0.125, Fraction(1, 8), Decimal("0.125")):
        assert Requirement(risk=risk) == Requirement(risk="0.125")
        assert Requirement(risk=risk).threshold == threshold("1/8") == Requirement(bits=3).threshold


def test_a_channel_by_name_is_the_channel() -> None:
    assert checks.OneTimeCode(channel="email") == checks.OneTimeCode(channel=Channel.EMAIL)


def test_a_policy_does_not_change() -> None:
    own = policy()
    with pytest.raises(AttributeError):
        own.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        own.actions["read"] = Requirement(bits=1)  # type: ignore[index]
    assert copy.copy(own) == own
