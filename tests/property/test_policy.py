"""Laws of policies, for random ones: what comes back from JSON is the same, and evidence is judged by a plain rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kyc_verify import checks
from kyc_verify.answers import Forms
from kyc_verify.call import Stake
from kyc_verify.checks import Check
from kyc_verify.decision import Decision, Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy._judge import factors_of
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Factor, Outcome
from kyc_verify.testing import strategies
from kyc_verify.threats import Likelihoods, ThreatModel

LAW = settings(deadline=None, max_examples=60)  # a busy machine is no fault
PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
RANK = {FAIL: 0, DECLINED: 0, NEAR: 1, UNAVAILABLE: 2, PASS: 3}
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT = ThreatModel.default()
OWN = Likelihoods(
    genuine={PASS: "0.7", NEAR: "0.1"}, classes={name: {PASS: "0.1", NEAR: "0.05"} for name in DEFAULT.names}, tries=3
)


class Pet(checks.AnswerCheck):
    prompts = {"en": "Which pet?"}  # noqa: RUF012 - as an author writes it
    likelihoods = OWN

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        return Forms(coarse=said, fine=said)


class Voice(checks.SignalCheck):
    likelihoods = OWN
    factor = Factor.INHERENCE
    asset = "sim"

    def judge(self, signal: checks.Signal) -> Outcome:
        return PASS


POOL: tuple[Callable[[], Check], ...] = (
    checks.CallerNumber,
    checks.SimSwap,
    checks.AccountTenure,
    checks.DateOfBirth,
    checks.Pin,
    lambda: checks.Pin("other_pin", likelihoods=OWN, seconds=4),
    lambda: checks.SecretAnswer("school", {"en": "Which?", "fa": "کدام؟"}, tolerance="typo"),
    Pet,
    Voice,
    checks.AppConfirmation,
    checks.OneTimeCode,
    lambda: checks.OneTimeCode("mail", channel="email", digits=8),
    checks.Callback,
)
MODELS = (
    DEFAULT,
    DEFAULT.with_cells({"pin": {"stranger": {PASS: "0.02"}}}),
    DEFAULT.with_incident(["pin", "birth_date"]),
    ThreatModel.points({made().id: at % 4 for at, made in enumerate(POOL)}),
)
SECONDS = st.integers(1, 10**9).map(lambda us: timedelta(microseconds=us))


def policies(models: tuple[ThreatModel, ...] = MODELS) -> st.SearchStrategy[Policy]:
    return strategies.policies(pool=POOL, threats=models)


def bits_of(own: Policy, requirement: Requirement) -> Policy:
    return replace(own, actions={"read": requirement})


def pieces(own: Policy, action: str = "read") -> st.SearchStrategy[list[Evidence]]:
    return strategies.evidence(own, action=action, now=NOW)


def judged(own: Policy, evidence: list[Evidence], **more: Any) -> Decision:
    return own.evaluate(evidence, action="read", now=NOW, **more)


def no_better(worse: Decision, better: Decision) -> bool:
    """Whether one decision says no more for the caller than another, against every class."""
    below = all(worse.score.per_class[name] <= centibits for name, centibits in better.score.per_class.items())
    return below and (worse.verdict is not Verdict.VERIFIED or better.verdict is Verdict.VERIFIED)


# ── As data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@LAW
@given(policies())
def test_a_policy_comes_back_from_json_the_same(own: Policy) -> None:
    again = Policy.from_json(own.to_json(), checks=(Pet, Voice))
    assert again == own
    assert hash(again) == hash(own)
    assert again.fingerprint == own.fingerprint
    assert again.to_json() == own.to_json()
    assert again.diff(own) == ()


@LAW
@given(policies(), policies())
def test_policies_are_equal_alike_and_without_difference_together(one: Policy, other: Policy) -> None:
    assert (one == other) is (one.diff(other) == ()) is (one.fingerprint == other.fingerprint)
    changed = replace(one, language="fa" if one.language == "en" else "en")
    assert changed != one
    assert len(one.diff(changed)) == 1


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def plain(own: Policy, evidence: list[Evidence], run: int) -> tuple[int, Verdict]:
    """Judge as the rules are written, without any table: the oracle."""
    rule = own.actions["read"]
    layers = {check.id: check for check in own.checks if rule.checks is None or check.id in rule.checks}
    sums = dict.fromkeys(own.threats.names, 0)
    passed = []
    for item in evidence:
        if item.check not in layers:
            continue
        late = rule.max_age is not None and NOW - item.at > rule.max_age
        late = late or item.bound not in (None, bound_to("read", None))
        for name, weight in zip(sums, own.table.weights(item.check, item.outcome), strict=True):
            sums[name] += min(weight, 0) if late else weight
        if item.outcome is PASS and not late:
            passed.append(layers[item.check])
    needed = rule.threshold
    while 2 ** (needed - rule.threshold) < run**100:
        needed += 1
    names = {check.id for check in passed}
    met = min(sums.values()) >= needed and most_factors(passed) >= rule.factors and names >= set(rule.all_of)
    met = met and (not rule.any_of or bool(names & set(rule.any_of)))
    return min(sums.values()), Verdict.VERIFIED if met else Verdict.PENDING


def most_factors(passed: list[Check]) -> int:
    """Return the most distinct factors, by trying every choice of one factor for each asset."""
    real = [check for check in passed if check.factor is not Factor.CONTEXT]
    own = {check.factor for check in real if check.asset is None}
    by_asset: dict[str, set[Factor]] = {}
    for check in real:
        if check.asset is not None:
            by_asset.setdefault(check.asset, set()).add(check.factor)
    return max(len(own | set(choice)) for choice in product(*by_asset.values()))


@LAW
@given(st.data(), policies(), st.integers(1, 40))
def test_a_decision_is_what_the_plain_rule_says(data: st.DataObject, own: Policy, run: int) -> None:
    evidence = data.draw(pieces(own))
    decision = judged(own, evidence, run=run)
    assert (decision.centibits, decision.verdict) == plain(own, evidence, run)
    assert decision.centibits == decision.score.centibits == min(decision.score.per_class.values())
    assert (decision.missing == ()) is (decision.verdict is Verdict.VERIFIED)
    assert decision.reasons
    assert decision.table()


@LAW
@given(st.lists(st.tuples(st.sampled_from(Factor), st.sampled_from((None, "a", "b", "c"))), max_size=9))
def test_factors_are_the_most_that_can_be_shown(pairs: list[tuple[Factor, str | None]]) -> None:
    made = [type("Any", (Pet,), {"factor": factor, "asset": asset})() for factor, asset in pairs]
    assert len(factors_of(made)) == most_factors(made)
    assert Factor.CONTEXT not in factors_of(made)


@LAW
@given(st.data(), policies())
def test_the_order_of_evidence_is_nothing(data: st.DataObject, own: Policy) -> None:
    evidence = [*data.draw(pieces(own)), *data.draw(pieces(own))]
    one, other = judged(own, evidence), judged(own, data.draw(st.permutations(evidence)))
    assert set(one.evidence) == set(other.evidence)
    assert replace(one, evidence=()) == replace(other, evidence=())


@LAW
@given(st.data(), policies(), st.sampled_from(Outcome))
def test_a_pass_never_lowers_and_a_fail_never_raises(data: st.DataObject, own: Policy, outcome: Outcome) -> None:
    evidence = data.draw(pieces(own))
    before = judged(own, evidence)
    name = data.draw(st.sampled_from([check.id for check in own.checks]))
    rest = [item for item in evidence if item.check != name]

    def with_one(found: Outcome) -> Decision:
        return judged(own, [*rest, Evidence(check=name, outcome=found, at=NOW)])

    assert no_better(before, with_one(PASS))
    assert no_better(with_one(FAIL), judged(own, rest))
    assert no_better(with_one(FAIL), with_one(outcome))
    assert no_better(with_one(outcome), with_one(PASS))
    assert no_better(with_one(UNAVAILABLE), with_one(PASS))
    assert no_better(judged(own, rest), with_one(PASS))


@LAW
@given(st.data(), policies())
def test_declined_is_a_fail(data: st.DataObject, own: Policy) -> None:
    evidence = data.draw(pieces(own))
    said = [replace(item, outcome=DECLINED) if item.outcome is FAIL else item for item in evidence]
    one, other = judged(own, evidence), judged(own, said)
    assert (one.score, one.verdict, one.missing) == (other.score, other.verdict, other.missing)


@LAW
@given(st.data(), policies(), st.sampled_from(Outcome))
def test_of_two_outcomes_the_lower_counts(data: st.DataObject, own: Policy, outcome: Outcome) -> None:
    evidence = data.draw(pieces(own))
    assume(evidence)
    first = data.draw(st.sampled_from(evidence))
    second = replace(first, outcome=outcome)
    lower = min(first, second, key=lambda item: (RANK[item.outcome], item.outcome))
    alone = [item for item in evidence if item is not first]
    both, one = judged(own, [*evidence, second]), judged(own, [*alone, lower])
    assert (both.score, both.verdict, both.missing) == (one.score, one.verdict, one.missing)
    assert no_better(both, judged(own, [*alone, replace(first, outcome=PASS)]))


@LAW
@given(st.data(), policies(), SECONDS)
def test_age_takes_what_is_positive_and_nothing_else(data: st.DataObject, own: Policy, later: timedelta) -> None:
    evidence = data.draw(pieces(own))
    now, then = judged(own, evidence), own.evaluate(evidence, action="read", now=NOW + later)
    assert no_better(then, now)
    negative = [item for item in evidence if all(w <= 0 for w in own.table.weights(item.check, item.outcome))]
    old = own.evaluate(negative, action="read", now=NOW + later)
    assert old.score == judged(own, negative).score


@LAW
@given(st.data(), policies())
def test_a_code_for_something_else_counts_for_nothing(data: st.DataObject, own: Policy) -> None:
    evidence = data.draw(pieces(own))
    elsewhere = [replace(item, bound=bound_to("read", Stake(amount=Decimal(1), currency="EUR"))) for item in evidence]
    decision = judged(own, elsewhere)
    assert all(centibits <= 0 for centibits in decision.score.per_class.values())
    assert decision.methods == ()
    assert no_better(decision, judged(own, [replace(item, bound=None, at=NOW) for item in evidence]))


@LAW
@given(st.data(), policies(), st.integers(1, 10**6))
def test_the_kth_run_needs_log2_k_more(data: st.DataObject, own: Policy, run: int) -> None:
    evidence = data.draw(pieces(own))
    first, kth = judged(own, evidence), judged(own, evidence, run=run)
    more = kth.required - first.required
    assert 2**more >= run**100
    assert run == 1 or 2 ** (more - 1) < run**100
    assert no_better(kth, first)


@LAW
@given(st.data(), policies(models=MODELS[:1]))
def test_nu_06_equal_is_enough_and_one_less_is_not(data: st.DataObject, own: Policy) -> None:
    given_up = data.draw(st.sets(st.sampled_from([check.id for check in own.checks])))
    evidence = [Evidence(check=c.id, outcome=NEAR if c.id in given_up else PASS, at=NOW) for c in own.checks]
    have = own.table.centibits({item.check: item.outcome for item in evidence})
    best = own.table.centibits({check.id: PASS for check in own.checks})
    for needed, missing in ((have, ()), (have + 1, ("score",))):
        if 0 < needed <= best:
            exact = bits_of(own, Requirement(bits=Decimal(needed) / 100, knowledge_only=True))
            assert exact.evaluate(evidence, action="read", now=NOW).missing == missing


@LAW
@given(st.data(), policies())
def test_an_exempt_action_is_exempt_whatever_is_known(data: st.DataObject, own: Policy) -> None:
    evidence = data.draw(pieces(own))
    decision = bits_of(own, Requirement.none()).evaluate(evidence, action="read", now=NOW, run=9)
    assert (decision.verdict, decision.missing, decision.required, decision.methods) == (Verdict.EXEMPT, (), 0, ())


@LAW
@given(st.data(), policies(models=MODELS[-1:]))
def test_points_of_right_answers_are_all_that_points_see(data: st.DataObject, own: Policy) -> None:
    decision = judged(own, data.draw(pieces(own)))
    counted = [item.check for item in decision.evidence if item.outcome is PASS and item.check not in decision.stale]
    assert decision.centibits == sum(own.table.weights(name, PASS)[0] for name in counted)
    assert decision.bound is None
