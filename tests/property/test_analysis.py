"""The analysis against naive enumeration: every outcome of every check, through the state machine that runs calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from itertools import permutations, product
from math import isclose
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kyc_verify import plan
from kyc_verify.analysis import compare, curve, error_rates
from kyc_verify.analysis._setting import Setting, strongest
from kyc_verify.analysis.paths import minimal_sets, worst_outcomes
from kyc_verify.answers import Forms
from kyc_verify.checks import AnswerCheck, SignalCheck
from kyc_verify.decision import Verdict
from kyc_verify.errors import InvalidPolicy
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.policy.rule import Tree, chances
from kyc_verify.session import State, advance
from kyc_verify.terms import Entry, Factor, Outcome
from kyc_verify.threats import GENUINE, AttackerClass, Likelihoods, Row, ThreatModel

NOW = datetime(2031, 6, 15, tzinfo=UTC)
CLASSES = ("a", "b", "c")
PASS, NEAR, FAIL = Outcome.PASS, Outcome.NEAR, Outcome.FAIL
MODEL = ThreatModel(
    classes=tuple(AttackerClass(name=name, description="") for name in CLASSES),
    rows={
        "unused": Row(likelihoods=Likelihoods(genuine={PASS: "0.5"}, classes={name: {PASS: "0.5"} for name in CLASSES}))
    },
)
Columns = Mapping[str, Mapping[Outcome, Fraction]]
few = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


class Asked(AnswerCheck):
    """A question with whatever cells, factor, asset and seconds a test wants."""

    prompts = MappingProxyType({"en": "Well?"})

    def __init__(self, name: str, cells: Likelihoods, *, factor: Factor, asset: str | None, seconds: int) -> None:
        super().__init__(name, likelihoods=cells, asset=asset, seconds=seconds)
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "entry", Entry.DIGITS if seconds % 2 else Entry.TEXT)

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms:
        raise NotImplementedError

    def parameters(self) -> dict[str, object]:
        return {name: value for name, value in super().parameters().items() if name != "entry"}


class Passive(SignalCheck):
    """A signal with whatever cells."""

    source = None


def _column(draw: st.DrawFn, size: int) -> dict[Outcome, Fraction]:
    shares = draw(st.lists(st.sampled_from([1, 2, 30, 500, 8000]), min_size=size, max_size=size))
    floor = Fraction(1, 1000)
    cells = [floor + (1 - size * floor) * Fraction(share, sum(shares)) for share in shares]
    return dict(zip((FAIL, PASS) if size == 2 else (FAIL, NEAR, PASS), cells, strict=True))


@st.composite
def policies(draw: st.DrawFn, *, signals: int = 1, questions: int = 4) -> Policy:
    """Draw a policy with one action ``act``; what its construction refuses is not looked at."""

    def cells() -> Likelihoods:
        size = draw(st.integers(2, 3))
        return Likelihoods(genuine=_column(draw, size), classes={name: _column(draw, size) for name in CLASSES})

    passive = [Passive(f"s{at}", likelihoods=cells()) for at in range(draw(st.integers(0, signals)))]
    asked = [
        Asked(
            f"q{at}",
            cells(),
            factor=draw(st.sampled_from([Factor.KNOWLEDGE, Factor.POSSESSION, Factor.INHERENCE, Factor.CONTEXT])),
            asset=draw(st.sampled_from([None, "sim", "app"])),
            seconds=draw(st.integers(1, 40)),
        )
        for at in range(draw(st.integers(1, questions)))
    ]
    names = [check.id for check in (*passive, *asked)]
    some = st.lists(st.sampled_from(names), unique=True, max_size=2)
    rule = Requirement(
        bits=draw(st.sampled_from(["0.1", "0.5", 1, 2, 3, 5])),
        factors=draw(st.sampled_from([0, 0, 1, 2, 3])),
        all_of=tuple(draw(st.one_of(st.just([]), some))),
        any_of=tuple(draw(st.one_of(st.just([]), some))),
        accept=draw(st.sampled_from(["first", "lossless"])),
        knowledge_only=True,
    )
    checks = draw(st.permutations([*passive, *asked]))
    try:
        return Policy(name="drawn", checks=checks, actions={"act": rule}, threats=MODEL)
    except InvalidPolicy:
        assume(condition=False)
        raise


def columns_of(policy: Policy, column: str) -> Columns:
    return {check.id: check.likelihoods.column(column) for check in policy.checks}


def _opened(policy: Policy, order: tuple[str, ...], run: int, entries: tuple[Entry, ...] | None) -> State:
    return State(
        action="act", call="c", agent="a", fingerprint=policy.fingerprint, real=True, run=run, entries=entries,
        order=order, evidence=MappingProxyType({}), verdict=Verdict.PENDING, opened_at=NOW, latest=NOW,
    )  # fmt: skip


def runs_of(
    policy: Policy,
    columns: Columns,
    *,
    order: tuple[str, ...] | None = None,
    run: int = 1,
    entries: tuple[Entry, ...] | None = None,
) -> Iterator[tuple[Fraction, Verdict, dict[str, Outcome]]]:
    """Yield every run there can be, through `session.advance`: its probability, verdict and outcomes."""
    rule = policy.actions["act"]
    passive = [check.id for check in plan.signals(policy, rule)]
    everything = [check.id for check in policy.checks]
    asked = order or plan.questions(policy, rule, available=everything)
    start = _opened(policy, asked, run, entries)

    def go(state: State, p: Fraction) -> Iterator[tuple[Fraction, Verdict, dict[str, Outcome]]]:
        state = advance(policy, state, now=NOW, allowed=True)
        if state.verdict is not Verdict.PENDING:
            yield p, state.verdict, {name: item.outcome for name, item in state.evidence.items()}
            return
        name = state.question.check
        for outcome, q in columns[name].items():
            found = Evidence(check=name, outcome=outcome, at=NOW)
            evidence = MappingProxyType({**state.evidence, name: found})
            yield from go(_with(state, evidence), p * q)

    for outcomes in product(*(columns[name].items() for name in passive)):
        p = Fraction(1)
        evidence = {}
        for name, (outcome, q) in zip(passive, outcomes, strict=True):
            evidence[name] = Evidence(check=name, outcome=outcome, at=NOW)
            p *= q
        if p:
            yield from go(_with(start, MappingProxyType(evidence)), p)


def _with(state: State, evidence: Mapping[str, Evidence]) -> State:
    return State(**{name: getattr(state, name) for name in State.__slots__} | {"evidence": evidence, "question": None})


def naive(policy: Policy, columns: Columns, **options: object) -> dict[Verdict, Fraction]:
    found = dict.fromkeys((Verdict.VERIFIED, Verdict.STEP_UP, Verdict.DENIED), Fraction(0))
    for p, verdict, _ in runs_of(policy, columns, **options):
        found[verdict] += p
    return found


def reachable(policy: Policy, run: int) -> bool:
    names = [check.id for check in policy.checks]
    return plan.reachable(policy, action="act", stake=None, run=run, available=names, now=NOW)


def same(ours: float, theirs: Fraction | float) -> bool:
    return isclose(ours, float(theirs), rel_tol=1e-12, abs_tol=0)


@pytest.mark.slow
@settings(few, max_examples=80)
@given(policies(), st.integers(1, 6))
def test_rates_are_those_of_every_run_there_can_be(policy: Policy, run: int) -> None:
    rates = error_rates(policy, "act", runs=run).runs[-1]
    if not reachable(policy, run):
        assert set(rates.attackers.values()) == {0.0}
        assert rates.genuine[Verdict.REVIEW] == 1
        return
    for name in CLASSES:
        assert same(rates.attackers[name], naive(policy, columns_of(policy, name), run=run)[Verdict.VERIFIED])
    for verdict, p in naive(policy, columns_of(policy, GENUINE), run=run).items():
        assert same(rates.genuine[verdict], p)


@few
@given(policies())
def test_what_a_leg_cannot_take_ends_in_a_step_up(policy: Policy) -> None:
    rates = error_rates(policy, "act", entries=[Entry.DIGITS], runs=1)
    for verdict, p in naive(policy, columns_of(policy, GENUINE), entries=(Entry.DIGITS,)).items():
        assert same(rates.genuine[verdict], p)


@pytest.mark.slow
@few
@given(policies())
def test_lossless_rates_are_those_of_asking_everything(policy: Policy) -> None:
    rule = policy.actions["act"]
    assume(rule.accept == "lossless")
    for name in (*CLASSES, GENUINE):
        columns = columns_of(policy, name)
        total = Fraction(0)
        for outcomes in product(*(columns[check.id].items() for check in policy.checks)):
            p = Fraction(1)
            evidence = []
            for check, (outcome, q) in zip(policy.checks, outcomes, strict=True):
                p *= q
                evidence.append(Evidence(check=check.id, outcome=outcome, at=NOW))
            if policy.evaluate(evidence, action="act", now=NOW).verdict is Verdict.VERIFIED:
                total += p
        rates = error_rates(policy, "act", runs=1)
        assert same(rates.genuine[Verdict.VERIFIED] if name == GENUINE else rates.attackers[name], total)


@few
@given(policies())
def test_no_class_beats_the_bound_at_any_threshold(policy: Policy) -> None:
    for point in curve(policy, "act"):
        assert max(point.attackers.values()) <= point.bound * (1 + 1e-12)
    assert curve(policy, "act", thresholds=[policy.actions["act"].threshold])[0] == error_rates(policy, "act").runs[0]


@few
@given(policies())
def test_any_of_some_runs(policy: Policy) -> None:
    rates = error_rates(policy, "act", runs=3)
    for name in CLASSES:
        refused, total = Fraction(1), Fraction(0)
        for run in (1, 2, 3):
            p = naive(policy, columns_of(policy, name), run=run)[Verdict.VERIFIED] if reachable(policy, run) else 0
            total += refused * p
            refused *= 1 - p
            assert same(rates.within[name][run - 1], total)
            assert rates.within[name][run - 1] <= rates.within_bound[run - 1] * (1 + 1e-12)


@few
@given(policies())
def test_a_coalition_does_at_least_as_well_as_its_members(policy: Policy) -> None:
    setting = Setting.of(policy, "act")
    rule = setting.rule()
    tree = setting.tree(rule)
    each = [setting.cells(name) for name in ("a", "b")]
    both = {name: strongest(cells[name] for cells in each) for name in setting.available}
    together = tree.probability(chances(rule, both))
    assert all(sum(column.values()) == 1 for column in both.values())
    assert all(tree.probability(chances(rule, cells)) <= together * (1 + 1e-12) for cells in each)


# ── Ways in ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _end(policy: Policy, passed: set[str]) -> tuple[Verdict, dict[str, Outcome]]:
    columns = {
        check.id: {PASS if check.id in passed else NEAR if NEAR in check.likelihoods.genuine else FAIL: Fraction(1)}
        for check in policy.checks
    }
    ((_, verdict, outcomes),) = runs_of(policy, columns)
    return verdict, outcomes


@few
@given(policies())
def test_least_sets_are_those_of_trying_every_set(policy: Policy) -> None:
    names = [check.id for check in policy.checks]
    every = [
        {name for name, taken in zip(names, bits, strict=True) if taken}
        for bits in product([False, True], repeat=len(names))
    ]
    enough = [passed for passed in every if _end(policy, passed)[0] is Verdict.VERIFIED]
    least = {frozenset(passed) for passed in enough if not any(other < passed for other in enough)}
    setting = Setting.of(policy, "act")
    found = minimal_sets(setting, setting.rule())
    assert len(found) == len(set(found))
    assert {frozenset(checks) for checks in found} == least
    for checks in found:
        shown = worst_outcomes(setting, setting.rule(), checks)
        assert dict(shown) == _end(policy, set(checks))[1]


# ── The order of questions ───────────────────────────────────────────────────────────────────────────────────────────


def _seconds(policy: Policy, order: tuple[str, ...]) -> Fraction:
    costs = {check.id: check.seconds or 0 for check in policy.checks}
    every = runs_of(policy, columns_of(policy, GENUINE), order=order)
    return sum((p * sum(costs[name] for name in outcomes) for p, _, outcomes in every), Fraction(0))


def _adaptive(policy: Policy, evidence: dict[str, Outcome], left: frozenset[str]) -> Fraction:
    """Return the least seconds from here when the next question may follow the answers."""
    rule = policy.actions["act"]
    known = [Evidence(check=name, outcome=outcome, at=NOW) for name, outcome in evidence.items()]
    met = policy.evaluate(known, action="act", now=NOW).verdict is Verdict.VERIFIED
    if met and rule.accept == "lossless":
        met = plan.settled(policy, known, action="act", stake=None, run=1, remaining=left, now=NOW)
    if met or not left:
        return Fraction(0)
    return min(
        Fraction(policy.layer(name).seconds)
        + sum(
            p * _adaptive(policy, {**evidence, name: outcome}, left - {name})
            for outcome, p in policy.layer(name).likelihoods.genuine.items()
        )
        for name in left
    )


@settings(few, max_examples=15)
@given(policies(questions=3))
def test_the_order_is_the_best_there_is(policy: Policy) -> None:
    rule = policy.actions["act"]
    names = [check.id for check in policy.checks]
    asked = plan.questions(policy, rule, available=names)
    every = {order: _seconds(policy, order) for order in permutations(asked)}
    tied = plan.tied_orders(policy, rule, frozenset(names))
    assert same(float(every[tied[0]]), min(every.values()))
    assert all(every[order] <= min(every.values()) * Fraction("1.0501") for order in tied)
    assert len(set(tied)) == len(tied)
    setting = Setting.of(policy, "act")
    compiled = setting.rule()
    genuine = chances(compiled, columns_of(policy, GENUINE))
    costs = {check.id: check.seconds or 0 for check in policy.checks}
    for order, seconds in every.items():
        tree = Tree.of(compiled, (*compiled.signals, *order))
        assert same(tree.seconds(genuine, costs), seconds)
    search = plan.Search(compiled, genuine, costs)
    signals = [check.id for check in plan.signals(policy, rule)]
    columns = columns_of(policy, GENUINE)
    best = Fraction(0)
    for outcomes in product(*(columns[name].items() for name in signals)):
        p = Fraction(1)
        for _, q in outcomes:
            p *= q
        told = {name: outcome for name, (outcome, _) in zip(signals, outcomes, strict=True)}
        best += p * _adaptive(policy, told, frozenset(asked))
    assert same(search.adaptive(), best)


@few
@given(policies())
def test_orders_that_are_tied_agree_in_every_rate(policy: Policy) -> None:
    names = frozenset(check.id for check in policy.checks)
    tied = plan.tied_orders(policy, policy.actions["act"], names)
    first, *others = [error_rates(policy, "act", order=order, runs=1) for order in tied]
    for other in others:
        for name in CLASSES:
            assert isclose(first.attackers[name], other.attackers[name], rel_tol=0.0101)
        assert isclose(first.genuine[Verdict.VERIFIED], other.genuine[Verdict.VERIFIED], rel_tol=0.0101)


# ── Tails ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tails_far_below_rounding() -> None:
    """Six checks at 1e-4 each: 1 - P would be exactly 1 in floats, so nothing here is a difference."""
    cells = Likelihoods(
        genuine={PASS: "0.9"},
        classes={name: {PASS: "0.0001"} for name in CLASSES},
        cryptographic=True,
        source="made up",
    )
    checks = [Asked(f"q{at}", cells, factor=Factor.POSSESSION, asset=None, seconds=1) for at in range(6)]
    policy = Policy(name="tail", checks=checks, threats=MODEL, actions={"act": Requirement(bits=70, accept="lossless")})
    rates = error_rates(policy, "act", runs=1)
    exact = naive(policy, columns_of(policy, "a"))[Verdict.VERIFIED]
    assert 0 < exact < 1e-18
    assert same(rates.attackers["a"], exact)


@pytest.mark.slow
@few
@given(policies())
def test_an_incident_against_every_run_there_can_be(policy: Policy) -> None:
    rows = {check.id: Row(likelihoods=check.likelihoods, fields=(f"f_{check.id}",)) for check in policy.checks}
    model = ThreatModel(classes=MODEL.classes, rows=rows)
    bare = [
        Asked(check.id, None, factor=check.factor, asset=check.asset, seconds=check.seconds)
        if isinstance(check, Asked)
        else Passive(check.id)
        for check in policy.checks
    ]
    old = Policy(name="old", checks=bare, actions=policy.actions, threats=model)
    hit = policy.checks[0].id
    new = old.with_incident([f"f_{hit}"])
    found = compare(old, new)
    assert found.checks == (hit,)
    (change,) = found.actions
    lowest = min((policy.checks[0].likelihoods.column(name) for name in CLASSES), key=lambda column: column[PASS])
    sure = {PASS: Fraction(1)}
    for name in CLASSES:
        columns = columns_of(policy, name)
        before = naive(old, {**columns, hit: lowest})[Verdict.VERIFIED]
        exposed = naive(old, {**columns, hit: sure})[Verdict.VERIFIED]
        assert same(change.before[name], before)
        assert same(change.exposed[name], exposed)
        after = naive(new, {**columns, hit: sure})[Verdict.VERIFIED]
        assert same(change.after[name], after)
    assert same(change.genuine[1], naive(new, columns_of(policy, GENUINE))[Verdict.VERIFIED])
