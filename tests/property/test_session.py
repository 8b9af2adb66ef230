"""Laws of runs, for random policies and random answers; the walk in tests/exhaustive looks at small ones whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kyc_verify import checks, plan
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement
from kyc_verify.session import Code, Happening, Question, State, Turn, advance, fire, with_outcome
from kyc_verify.terms import Entry, Outcome

LAW = settings(deadline=None, max_examples=100)  # a busy machine is no fault
PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
POOL = (
    checks.AccountTenure(),
    checks.DateOfBirth(),
    checks.Pin(),
    checks.SecretAnswer("school", {"en": "Which?"}),
    checks.AppConfirmation(),
    checks.OneTimeCode(),
    checks.OneTimeCode("mail", channel="email"),
    checks.Callback(),
)


@st.composite
def runs(draw: st.DrawFn) -> tuple[Policy, State]:
    """Draw a policy and a run that has just been opened under it."""
    layers = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=6, unique=True))
    names = [check.id for check in layers]
    base = Policy(name="p", checks=layers, actions={"read": Requirement(all_of=names[:1])})  # type: ignore[arg-type]
    best = base.table.centibits(dict.fromkeys(names, PASS))
    requirement = Requirement(
        bits=Decimal(draw(st.integers(0, best))) / 100,
        any_of=names,  # type: ignore[arg-type]
        accept=draw(st.sampled_from(("first", "lossless"))),
        knowledge_only=True,
    )
    policy = replace(base, actions={"read": requirement})
    available = tuple(name for name in names if draw(st.booleans())) or tuple(names)
    order = plan.questions(policy, requirement, available=available, pinned=draw(st.none() | st.sampled_from(names)))
    blank = State(
        action="read",
        call="c",
        agent="a",
        fingerprint=policy.fingerprint,
        real=True,
        run=draw(st.integers(1, 3)),
        available=available,
        order=order,
        evidence=MappingProxyType({}),
        verdict=Verdict.PENDING,
        opened_at=NOW,
        latest=NOW,
    )
    return policy, advance(policy, blank, now=NOW, allowed=True)


def vectors(policy: Policy) -> st.SearchStrategy[dict[str, Outcome]]:
    told = st.sampled_from((PASS, NEAR, FAIL, DECLINED))
    return st.fixed_dictionaries({check.id: told for check in policy.checks})


def played(policy: Policy, state: State, outcomes: dict[str, Outcome], **changed: Any) -> tuple[list[str], State]:
    asked, state = [], replace(state, **changed)
    while state.question is not None:
        asked.append(state.question.check)
        written = with_outcome(state, outcomes[state.question.check], now=NOW)
        state = fire(state, Happening.ANSWERED, advance(policy, written, now=NOW, allowed=True), mark="m")
    return asked, state


@LAW
@given(st.data(), runs())
def test_the_questions_are_the_same_whatever_is_answered(data: st.DataObject, run: tuple[Policy, State]) -> None:
    policy, state = run
    (one, ended), (other, _) = (played(policy, state, data.draw(vectors(policy))) for _ in range(2))
    shorter = min(len(one), len(other))
    assert one[:shorter] == other[:shorter] == list(state.order)[:shorter]
    assert one == list(state.order) or ended.verdict is Verdict.VERIFIED
    # Somebody who is not there is asked everything, and is never verified.
    nobody, end = played(policy, state, data.draw(vectors(policy)), real=False)
    assert nobody == list(state.order)
    assert end.verdict is Verdict.DENIED


@LAW
@given(st.data(), runs())
def test_lossless_is_asking_everything_and_first_is_the_first_crossing(
    data: st.DataObject, run: tuple[Policy, State]
) -> None:
    policy, state = run
    outcomes = data.draw(vectors(policy))
    asked, end = played(policy, state, outcomes)
    known: list[Evidence] = []
    crossings = []
    for name in state.order:
        known.append(Evidence(check=name, outcome=outcomes[name], at=NOW))
        verdict = policy.evaluate(known, action="read", now=NOW, run=state.run).verdict
        crossings.append(verdict is Verdict.VERIFIED)
    verified = end.verdict is Verdict.VERIFIED
    if policy.actions["read"].accept == "lossless":
        assert verified is crossings[-1]
    else:
        assert verified is any(crossings)
        assert not verified or crossings.index(True) == len(asked) - 1


@LAW
@given(runs(), st.sets(st.sampled_from(Entry), min_size=1))
def test_a_leg_is_asked_what_it_can_take_and_the_rest_comes_after(
    run: tuple[Policy, State], entries: set[Entry]
) -> None:
    policy, state = run
    everything = dict.fromkeys(state.order, DECLINED)
    keypad = advance(policy, replace(state, entries=tuple(sorted(entries))), now=NOW, allowed=False)
    asked, end = played(policy, keypad, everything)
    able = [name for name in state.order if plan.askable(policy.layer(name), entries)]
    assert asked == able
    assert end.verdict is (Verdict.DENIED if len(able) == len(state.order) else Verdict.STEP_UP)
    if end.verdict is Verdict.STEP_UP:
        moved = advance(policy, replace(end, entries=None), now=NOW, allowed=False)
        rest, last = played(policy, fire(end, Happening.TRANSFERRED, moved, mark="m"), everything)
        assert sorted([*asked, *rest]) == sorted(state.order)
        assert last.verdict is Verdict.DENIED


TEXT = st.text(max_size=9)
TIMES = st.datetimes(datetime(1969, 1, 1), datetime(2262, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st wants them naive
QUESTIONS = st.builds(
    Question, check=TEXT, asked_at=TIMES, tries=st.integers(0, 9), clarified=st.integers(0, 3), note=TEXT
)
TURNS = st.builds(Turn, of=TEXT, mark=TEXT, verdict=st.sampled_from(Verdict), check=TEXT, note=TEXT)
STAKES = st.builds(
    Stake, amount=st.integers(1, 10**12).map(lambda n: Decimal(n) / 10**6), currency=st.just("EUR"), payee=st.none()
)
EVIDENCE = st.builds(
    Evidence, check=TEXT, outcome=st.sampled_from(Outcome), at=TIMES, bound=st.none() | TEXT
)  # fmt: skip
STATES = st.builds(
    State,
    action=TEXT,
    stake=st.none() | STAKES,
    call=TEXT,
    agent=TEXT,
    roles=st.lists(TEXT, max_size=2).map(tuple),
    fingerprint=TEXT,
    flags=st.lists(TEXT, max_size=2).map(tuple),
    real=st.booleans(),
    run=st.integers(1, 10**9),
    languages=st.lists(TEXT, max_size=2).map(tuple),
    entries=st.none() | st.lists(st.sampled_from(Entry), max_size=3).map(tuple),
    available=st.lists(TEXT, max_size=3).map(tuple),
    order=st.lists(TEXT, max_size=3).map(tuple),
    evidence=st.lists(EVIDENCE, max_size=3).map(lambda items: MappingProxyType({item.check: item for item in items})),
    question=st.none() | QUESTIONS,
    code=st.none() | st.builds(Code, tag=TEXT, handle=TEXT, number=st.integers(0, 99), sent_at=TIMES, bound=TEXT),
    aside=st.lists(QUESTIONS, max_size=2).map(tuple),
    sends=st.integers(0, 99),
    turns=st.lists(TURNS, max_size=3).map(tuple),
    verdict=st.sampled_from(Verdict),
    ending=TEXT,
    contact=TEXT,
    opened_at=TIMES,
    latest=TIMES.map(lambda moment: moment + timedelta.resolution),
    grant=st.integers(0, 99),
    grant_until=st.none() | TIMES,
    grant_key=TEXT,
)


@LAW
@given(STATES)
def test_a_state_comes_back_from_its_text_the_same(state: State) -> None:
    again = State.from_text(state.to_text())
    assert again == state
    assert again.to_text() == state.to_text()
