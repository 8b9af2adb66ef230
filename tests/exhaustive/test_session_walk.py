"""Every run there can be, of small policies: walked breadth first through the table, each state looked at.

The walk does what the flows do, without their stores and senders. Time stands still, so that equal states are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from types import MappingProxyType

import pytest

from kyc_verify import checks, plan
from kyc_verify.call import Stake
from kyc_verify.decision import Grant, Step, Verdict
from kyc_verify.errors import InvalidTransition, NotVerified
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.session import ENDED, TABLE, Code, Happening, State, advance, fire, with_outcome
from kyc_verify.terms import Entry, Outcome

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
DEPTH = 6
SENT = (checks.OneTimeCode, checks.AppConfirmation, checks.Callback)
KEYPAD = (Entry.DIGITS,)


def bank(*layers: checks.Check, **actions: Requirement) -> Policy:
    return Policy(name="bank", checks=layers, actions={"hours": Requirement.none(), **actions})


POLICIES: Mapping[str, Policy] = {
    "a PIN": bank(checks.Pin(), read=Requirement(bits=1), pay=Requirement(all_of=("pin",), accept="lossless")),
    "a code": bank(checks.OneTimeCode(channel="email"), read=Requirement(factors=1), pay=Requirement(factors=1)),
    "a PIN and a code": bank(
        checks.Pin(),
        checks.OneTimeCode(),
        read=Requirement(bits=1),
        pay=Requirement(bits=1, factors=2, accept="lossless"),
        any=Requirement(any_of=("one_time_code",)),
    ),
    "a signal, a tenure and a code": bank(
        checks.SimSwap(),
        checks.AccountTenure(),
        checks.OneTimeCode(),
        read=Requirement(bits="1.5", accept="lossless"),
        pay=Requirement(bits="0.5", factors=2),
    ),
    "three questions": bank(
        checks.AccountTenure(),
        checks.Pin(),
        checks.AppConfirmation(),
        read=Requirement(bits=1),
        safe=Requirement(bits="0.1", accept="lossless"),
        some=Requirement(bits=1, checks=("pin", "app_confirmation"), any_of=("app_confirmation",)),
    ),
}


# ── What the flows do ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Node:
    """A state, how it came about, and what was counted on the way."""

    state: State
    allowed: bool
    wrong: Mapping[str, int] = field(default_factory=dict)


def sent(policy: Policy, state: State) -> State:
    """Send what the open question sends, unless it was sent already."""
    if state.question is None or state.code is not None or not isinstance(policy.layer(state.question.check), SENT):
        return state
    code = Code(tag="t", number=state.sends + 1, sent_at=NOW, bound=state.bound)
    return replace(state, code=code, sends=state.sends + 1)


def begun(
    policy: Policy, state: State, *, action: str, signals: Sequence[Outcome], allowed: bool, run: int = 1
) -> State:
    """Open a run, or step it up: what is out of reach, what the signals say, and the first question."""
    fresh = replace(state, action=action, run=run, question=None, code=None)
    requirement, _ = policy.requirement(action)
    if requirement.exempt:
        return replace(fresh, verdict=Verdict.EXEMPT)
    available = fresh.available
    if not plan.reachable(policy, action=action, stake=None, run=run, available=available, now=NOW):
        return replace(fresh, verdict=Verdict.REVIEW)
    found = dict(fresh.evidence)
    for check, outcome in zip(plan.signals(policy, requirement), signals, strict=False):
        said = outcome if check.id in available else UNAVAILABLE
        found.setdefault(check.id, Evidence(check=check.id, outcome=said, at=NOW))
    order = plan.questions(policy, requirement, available=available)
    fresh = replace(fresh, evidence=MappingProxyType(found), order=order)
    return sent(policy, advance(policy, fresh, now=NOW, allowed=allowed))


def opened(policy: Policy, action: str, *, real: bool = True, allowed: bool = True, **more: object) -> Iterator[Node]:
    """Yield a run as it opens, for every outcome of the signals."""
    signals = [check for check in policy.checks if isinstance(check, checks.SignalCheck)]
    given: dict[str, object] = {"available": tuple(check.id for check in policy.checks), "entries": None} | more
    blank = State(
        action=action,
        call="c",
        agent="a",
        fingerprint=policy.fingerprint,
        real=real,
        run=1,
        evidence=MappingProxyType({}),
        verdict=Verdict.DENIED,
        opened_at=NOW,
        latest=NOW,
        **given,  # type: ignore[arg-type]
    )
    for outcomes in product((PASS, FAIL, UNAVAILABLE), repeat=len(signals)):
        yield Node(begun(policy, blank, action=action, signals=outcomes, allowed=allowed), allowed)


def answered(policy: Policy, node: Node, outcome: Outcome) -> Node:
    """Answer the open question; a wrong code may have more tries."""
    state, question = node.state, node.state.question
    assert question is not None
    name = question.check
    wrong = node.wrong.get(name, 0) + (outcome is FAIL)
    if outcome is FAIL and question.tries + 1 < policy.layer(name).tries:
        again = replace(state, question=replace(question, tries=question.tries + 1))
        return to(policy, node, Happening.ANSWERED, again, wrong={**node.wrong, name: wrong})
    bound = None if state.code is None else state.code.bound
    after = advance(policy, with_outcome(state, outcome, now=NOW, bound=bound), now=NOW, allowed=node.allowed)
    happening = Happening.DECLINED if outcome is DECLINED else Happening.ANSWERED
    return to(policy, node, happening, after, wrong={key: n for key, n in node.wrong.items() if key != name})


def to(
    policy: Policy, node: Node, happening: Happening, after: State, *, wrong: Mapping[str, int] | None = None
) -> Node:
    fired = fire(node.state, happening, after, mark="m")
    return Node(sent(policy, fired), node.allowed, node.wrong if wrong is None else wrong)


def asked_moves(policy: Policy, node: Node) -> Iterator[Node]:
    """Yield what can follow an open question."""
    state, question = node.state, node.state.question
    if question is None:
        return
    for outcome in (PASS, NEAR, FAIL, DECLINED):
        yield answered(policy, node, outcome)
    if question.clarified < 1:
        asked = replace(question, clarified=question.clarified + 1, note="=clarify.again")
        yield to(policy, node, Happening.CLARIFIED, replace(state, question=asked))
    if state.code is not None and state.sends < 2:
        again = replace(state, question=replace(question, note=""), code=None)
        yield to(policy, node, Happening.RESENT, again)


def moves(policy: Policy, node: Node) -> Iterator[Node]:
    """Yield every state that can follow, as the flows make it."""
    state = node.state
    yield from asked_moves(policy, node)
    for happening, ending in ((Happening.EXPIRED, "expired"), (Happening.CANCELLED, "cancelled")):
        if (state.verdict, happening) in TABLE:
            lost = replace(state, verdict=Verdict.DENIED, ending=ending, question=None, code=None)
            yield to(policy, node, happening, lost)
    if state.verdict not in ENDED:
        for entries in (None, KEYPAD, (Entry.TEXT,)):
            moved = advance(policy, replace(state, entries=entries), now=NOW, allowed=False)
            yield to(policy, node, Happening.TRANSFERRED, moved)
    if (state.verdict, Happening.STEPPED_UP) in TABLE:
        yield to(policy, node, Happening.TRANSFERRED, replace(state, agent="b"))
        for action, run in [*((action, 1) for action in policy.actions), ("read", 10**6)]:
            up = begun(policy, state, action=action, signals=(PASS,) * 3, allowed=node.allowed, run=run)
            yield to(policy, node, Happening.STEPPED_UP, up)


# ── What must hold in every state ────────────────────────────────────────────────────────────────────────────────────


def hold(policy: Policy, node: Node) -> None:
    state, evidence = node.state, tuple(node.state.evidence.values())
    remaining = state.remaining()
    requirement, _ = policy.requirement(state.action, state.stake)
    asked = {check.id for check in policy.checks if isinstance(check, checks.AskedCheck)}
    askable = [name for name in remaining if plan.askable(policy.layer(name), state.entries)]

    def says(*more: Evidence) -> Verdict:
        given = (*evidence, *more)
        return policy.evaluate(given, action=state.action, now=NOW, run=state.run, stake=state.stake).verdict

    # What was offered has an outcome of its own.
    assert not [item for item in evidence if item.check in asked and item.outcome is UNAVAILABLE]
    assert (state.verdict is Verdict.PENDING) is (state.question is not None)
    assert state.question is not None or state.code is None
    assert all(item.check not in remaining or item.bound not in (None, state.bound) for item in evidence)
    if state.verdict is Verdict.PENDING:
        assert state.question is not None
        assert state.question.check in askable
        assert (state.code is not None) is isinstance(policy.layer(state.question.check), SENT)
        assert state.code is None or state.code.bound == state.bound
    if state.verdict is Verdict.STEP_UP:
        assert remaining
        assert not askable
    if state.verdict is Verdict.VERIFIED:
        assert state.real
        assert node.allowed
        assert says() is Verdict.VERIFIED
        if requirement.accept == "lossless":
            worst = [Evidence(check=name, outcome=FAIL, at=NOW, bound=state.bound) for name in remaining]
            assert says(*worst) is Verdict.VERIFIED
    if state.verdict is Verdict.DENIED and not state.ending:
        assert not remaining
        assert not (state.real and node.allowed and says() is Verdict.VERIFIED)
    if state.verdict is Verdict.EXEMPT:
        assert requirement.exempt
    # All tries of one question count together, through transfers and new codes.
    tries = {each.check: each.tries for each in (state.question, *state.aside) if each is not None and each.tries}
    assert tries == node.wrong or state.ending or state.verdict in ENDED
    assert all(wrong < policy.layer(name).tries for name, wrong in node.wrong.items())
    redeemable(state)
    again = State.from_text(state.to_text())
    assert again == state


def redeemable(state: State) -> None:
    step = Step(session_id="s", verdict=state.verdict, _grant=Grant(token="t", action=state.action, expires_at=NOW))
    if state.verdict in (Verdict.VERIFIED, Verdict.EXEMPT):
        assert step.require().action == state.action
    else:
        with pytest.raises(NotVerified):
            step.require()


def refused(node: Node) -> None:
    """Whatever the table has not is refused, and leaves the state as it was."""
    text = node.state.to_text()
    become = {verdict: replace(node.state, verdict=verdict) for verdict in Verdict}
    for happening in Happening:
        for verdict in become.keys() - TABLE.get((node.state.verdict, happening), frozenset()):
            try:
                fire(node.state, happening, become[verdict], mark="m")
            except InvalidTransition:
                continue
            pytest.fail(f"{node.state.verdict} and {happening} became {verdict}")
    assert node.state.to_text() == text


def asks_once(policy: Policy, before: Node, after: Node) -> None:
    """A check is put once a run; only what was sent for something else is put again, for another action."""
    put = after.state.question
    if put is None or (before.state.question is not None and before.state.question.check == put.check):
        return
    earlier = before.state.evidence.get(put.check)
    if earlier is not None:
        assert isinstance(policy.layer(put.check), SENT)
        assert earlier.bound not in (None, after.state.bound)


def kept(before: Node, after: Node) -> None:
    """An outcome never gets better, and none is forgotten."""
    rank = {FAIL: 0, DECLINED: 0, NEAR: 1, UNAVAILABLE: 1, PASS: 2}
    for name, item in before.state.evidence.items():
        assert rank[after.state.evidence[name].outcome] <= rank[item.outcome]
    assert len(after.state.turns) == len(before.state.turns) + 1


def key(node: Node) -> tuple[object, ...]:
    return (replace(node.state, turns=()).to_text(), node.allowed, tuple(sorted(node.wrong.items())))


def walk(policy: Policy, roots: Iterator[Node], depth: int = DEPTH) -> Counter[Verdict]:
    """Walk breadth first; return how many different states there are of each verdict."""
    seen: set[tuple[object, ...]] = set()
    found: Counter[Verdict] = Counter()
    layer = list(roots)
    for _ in range(depth + 1):
        following: list[Node] = []
        for node in layer:
            if (name := key(node)) in seen:
                continue
            seen.add(name)
            found[node.state.verdict] += 1
            hold(policy, node)
            refused(node)
            for after in moves(policy, node):
                asks_once(policy, node, after)
                kept(node, after)
                following.append(after)
        layer = following
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_every_run(name: str) -> None:
    policy = POLICIES[name]
    found: Counter[Verdict] = Counter()
    for action in policy.actions:
        found += walk(policy, opened(policy, action))
    assert set(found) >= {Verdict.PENDING, Verdict.VERIFIED, Verdict.DENIED, Verdict.EXEMPT, Verdict.REVIEW}
    assert sum(found.values()) > 30


@pytest.mark.parametrize(("real", "allowed"), [(False, True), (True, False), (False, False)])
def test_whoever_may_not_be_verified_never_is(*, real: bool, allowed: bool) -> None:
    for name in ("a PIN and a code", "three questions"):
        policy = POLICIES[name]
        for action in policy.actions.keys() - {"hours"}:
            found = walk(policy, opened(policy, action, real=real, allowed=allowed), depth=5)
            assert set(found) <= {Verdict.PENDING, Verdict.STEP_UP, Verdict.DENIED}
            assert found[Verdict.DENIED]


# ── Every vector of outcomes ─────────────────────────────────────────────────────────────────────────────────────────


def played(policy: Policy, node: Node, outcomes: Mapping[str, Outcome]) -> tuple[list[str], State]:
    """Answer every question as it is told; return the questions, and where it ended."""
    state, asked = node.state, []
    while state.question is not None:
        name = state.question.check
        asked.append(name)
        bound = None if state.code is None else state.code.bound
        written = with_outcome(state, outcomes[name], now=NOW, bound=bound)
        after = advance(policy, written, now=NOW, allowed=node.allowed)
        state = sent(policy, fire(state, Happening.ANSWERED, after, mark="m"))
    return asked, state


def vectors(policy: Policy) -> Iterator[dict[str, Outcome]]:
    names = [check.id for check in policy.checks if isinstance(check, checks.AskedCheck)]
    for outcomes in product((PASS, NEAR, FAIL, DECLINED), repeat=len(names)):
        yield dict(zip(names, outcomes, strict=True))


def settings() -> Iterator[tuple[Policy, str, tuple[Entry, ...] | None, Node]]:
    for policy in POLICIES.values():
        for action, entries in product(policy.actions.keys() - {"hours"}, (None, KEYPAD)):
            for node in opened(policy, action, entries=entries):
                yield policy, action, entries, node


def test_the_questions_do_not_depend_on_how_earlier_ones_ended() -> None:
    for policy, _, entries, node in settings():
        full = [name for name in node.state.remaining() if plan.askable(policy.layer(name), entries)]
        for outcomes in vectors(policy):
            asked, end = played(policy, node, outcomes)
            if end.verdict is Verdict.VERIFIED:
                assert asked == full[: len(asked)]
            else:
                # What does not verify ends after all questions, whichever answer was wrong.
                assert asked == full
                assert end.verdict in (Verdict.DENIED, Verdict.STEP_UP)


def test_whom_lossless_verifies_is_who_verifies_when_everything_is_asked() -> None:
    compared = 0
    for policy, action, entries, node in settings():
        if entries is not None:
            continue
        lossless = policy.actions[action].accept == "lossless"
        for outcomes in vectors(policy):
            _, end = played(policy, node, outcomes)
            known = {**node.state.evidence}
            crossed = policy.evaluate(known.values(), action=action, now=NOW).verdict is Verdict.VERIFIED
            for name in node.state.order:
                known[name] = Evidence(check=name, outcome=outcomes[name], at=NOW)
                crossed |= policy.evaluate(known.values(), action=action, now=NOW).verdict is Verdict.VERIFIED
            everything = policy.evaluate(known.values(), action=action, now=NOW).verdict is Verdict.VERIFIED
            assert (end.verdict is Verdict.VERIFIED) is (everything if lossless else crossed)
            compared += 1
    assert compared > 300


def test_lossless_stops_as_soon_as_nothing_can_undo_it() -> None:
    policy = POLICIES["three questions"]
    (node,) = opened(policy, "safe")
    lengths = {len(played(policy, node, outcomes)[0]) for outcomes in vectors(policy)}
    assert lengths == {2, 3}


def test_a_code_for_another_stake_is_asked_again_and_nothing_else() -> None:
    policy = bank(
        checks.Pin(),
        checks.OneTimeCode(),
        read=Requirement(bits=1),
        pay=Requirement(
            factors=2, stakes=(Tier(up_to=10, currency="EUR", requirement=Requirement(factors=2, accept="lossless")),)
        ),
    )
    (node,) = opened(policy, "pay")
    _, verified = played(policy, node, {"pin": PASS, "one_time_code": PASS})
    assert verified.verdict is Verdict.VERIFIED
    for amount, expected in ((5, ("one_time_code",)), (50, ("one_time_code",))):
        stake = Stake(amount=amount, currency="EUR", payee="bob")  # type: ignore[arg-type]
        again = begun(policy, replace(verified, stake=stake), action="pay", signals=(), allowed=True)
        assert again.remaining() == expected
        assert again.verdict is Verdict.PENDING
