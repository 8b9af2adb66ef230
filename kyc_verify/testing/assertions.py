"""What an integrator asserts of a verification chain: of one call, of every attacker, of the policy itself.

Everything that concerns a policy is exact, by `kyc_verify.analysis`; a failing assertion says how to get in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias

from kyc_verify.analysis import attack_paths, error_rates, lint
from kyc_verify.call import Stake
from kyc_verify.decision import Step, Verdict
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Outcome
from kyc_verify.testing._given import a_policy, instead, names, tiers
from kyc_verify.testing.transcript import Transcript
from kyc_verify.threats import ThreatModel

__all__ = [
    "assert_monotone",
    "assert_never_verifies",
    "assert_no_single_point",
    "assert_not_verified",
    "assert_uniform",
    "assert_verified",
]

Played: TypeAlias = Transcript | Step
Play: TypeAlias = Callable[[], Transcript]

_MOST_CHECKS: Final = 9
"""Every outcome of so many checks is gone through: 3^9 evaluations are a second."""
_LADDER: Final = (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)
_WHEN: Final = datetime(2100, 1, 1, tzinfo=UTC)
_SINGLE: Final = frozenset({"KV101", "KV103"})


def _step(played: Played) -> Step:
    given: object = played
    if isinstance(given, Transcript):
        return given.step
    if isinstance(given, Step):
        return given
    msg = f"pass what bench.play(...) or a verifier's verb returned, not a {type(given).__name__}"
    raise UsageError(msg)


def _told(played: Played) -> str:
    return str(played) if isinstance(played, Transcript) else f"{played.verdict.value}: {' '.join(played.reasons)}"


def assert_verified(call: Played) -> None:
    """Assert that a call ended VERIFIED; EXEMPT says nothing of who is calling, and fails.

    Raises:
        AssertionError: with the transcript.
    """
    if _step(call).verdict is not Verdict.VERIFIED:
        msg = f"the caller was not verified\n{_told(call)}"
        raise AssertionError(msg)


def assert_not_verified(call: Played, *, reason: str | None = None) -> None:
    """Assert that a call did not end VERIFIED or EXEMPT, and why.

    Args:
        call: What was played.
        reason: A word of ``Decision.missing`` (``score``, ``factors``, ``all_of``, ``all_of:pin`` ...), a verdict
            (``denied``, ``review``, ``step_up``), or a part of the reasons.

    Raises:
        AssertionError: with the transcript; also when it was refused for another reason.
    """
    step = _step(call)
    if reason is not None and (type(reason) is not str or not reason.strip()):
        instead("reason takes a word of Decision.missing or a part of the reasons, as in reason='score', or None")
    if step.verdict in {Verdict.VERIFIED, Verdict.EXEMPT}:
        msg = f"the caller got through: {step.verdict.value}\n{_told(call)}"
        raise AssertionError(msg)
    if reason is None:
        return
    decision = call.decision if isinstance(call, Transcript) else None
    words = [step.verdict.value, *(decision.missing if decision is not None else ())]
    texts = [*step.reasons, *(decision.reasons if decision is not None else ())]
    named = any(word.partition(":")[0] == reason or word == reason for word in words)
    if not named and not any(reason in text for text in texts):
        msg = f"the caller was refused, but not for {reason!r}; it was for {', '.join(words)}\n{_told(call)}"
        raise AssertionError(msg)


def _actions(policy: Policy, action: str | None) -> list[str]:
    wanted = [name for name, rule in a_policy(policy).actions.items() if not rule.exempt]
    if action is None:
        return wanted
    if type(action) is not str or action not in policy.actions:
        msg = f"the policy has no action {action!r}; it has {', '.join(policy.actions)}"
        raise UsageError(msg)
    return [action]


def _asking(policy: Policy, action: str | None) -> list[tuple[str, str, Stake | None]]:
    """Return what asks for something: in words, the action, and a sum of each of its tiers."""
    return [
        (words, name, stake)
        for name in _actions(policy, action)
        for words, requirement, stake in tiers(policy, name)
        if not requirement.exempt
    ]


def _probability(given: object) -> float:
    fits = isinstance(given, int | float | Fraction | Decimal) and not isinstance(given, bool)
    if not fits or not 0 <= given <= 1:  # type: ignore[operator]
        instead("at_most is a probability from 0 to 1, as in at_most=1 / 30")
    return float(given)  # type: ignore[arg-type]


def assert_never_verifies(
    policy: Policy, *, classes: Iterable[str], at_most: float, action: str | None = None,
    threats: ThreatModel | None = None, runs: int = 1,
) -> None:  # fmt: skip
    """Assert that none of these classes is verified more often than that, in every action or one; exactly.

    Each tier of an action's sums is gone through as well, at its largest sum; one that asks nothing verifies nobody.

    Args:
        policy: The policy.
        classes: Names of classes of the threat model.
        at_most: A probability: ``1 / 30``.
        action: Which; None: all that ask for something.
        threats: How callers answer, if not as the policy's own model says; needed for plain points.
        runs: Within so many counted runs on one customer.

    Raises:
        AssertionError: with the class, the rate and the cheapest way in.
        UsageError: no such class or action, or no probability.
    """
    a_policy(policy)
    wanted, most = names(classes, "classes", "sim_swapper"), _probability(at_most)
    model = _model(policy, threats)
    if odd := [name for name in wanted if name not in model.names]:
        msg = f"the threat model has no class {', '.join(map(repr, odd))}; it has {', '.join(model.names)}"
        raise UsageError(msg)
    if not wanted:
        msg = f"name at least one class of {', '.join(model.names)}"
        raise UsageError(msg)
    if type(runs) is not int or runs < 1:
        instead("runs counts the runs on one customer, from 1")
    told = []
    for words, name, stake in _asking(policy, action):
        within = error_rates(policy, name, threats, stake=stake, runs=runs).within
        for each in wanted:
            if (rate := within[each][-1]) > most:
                told.append(f"{words}: {each} is verified with probability {rate:.3g}, more than {most:.3g}")
                told += _ways_in(policy, name, threats, each, stake)
    if told:
        raise AssertionError("\n".join(told))


def _model(policy: Policy, threats: object) -> ThreatModel:
    if threats is None:
        return policy.threats
    if not isinstance(threats, ThreatModel):
        instead(f"threats takes a ThreatModel, such as ThreatModel.default(), not a {type(threats).__name__}")
    return threats


def _ways_in(policy: Policy, action: str, threats: ThreatModel | None, name: str, stake: Stake | None) -> list[str]:
    paths = sorted(attack_paths(policy, action, threats, stake=stake).paths, key=lambda path: -path.probability[name])
    return [f"    by passing {', '.join(path.checks)}: {path.probability[name]:.3g}" for path in paths[:3]]


def assert_monotone(policy: Policy, action: str | None = None) -> None:
    """Assert that a better answer never makes a verdict worse: every outcome of every check is gone through.

    Raises:
        AssertionError: with the two runs.
        UsageError: an action has more than 9 checks; say which it may ask in ``Requirement(checks=...)``.
    """
    for words, name, stake in _asking(policy, action):
        ids = [check.id for check in policy.asked(policy.requirement(name, stake)[0])]
        if len(ids) > _MOST_CHECKS:
            msg = f"{words!r} has {len(ids)} checks; every outcome is gone through with up to {_MOST_CHECKS}"
            raise UsageError(msg)
        verified: dict[tuple[Outcome, ...], bool] = {}
        for run in itertools.product(_LADDER, repeat=len(ids)):
            verified[run] = _judged(policy, name, stake, ids, run)
            for at, outcome in enumerate(run):
                if outcome is Outcome.FAIL:
                    continue
                worse = (*run[:at], _LADDER[_LADDER.index(outcome) - 1], *run[at + 1 :])
                if verified[worse] and not verified[run]:
                    shown = ", ".join(f"{check} {each.value}" for check, each in zip(ids, run, strict=True))
                    msg = f"{words}: verified if {ids[at]} is {worse[at].value}, and not in {shown}"
                    raise AssertionError(msg)


def _judged(policy: Policy, action: str, stake: Stake | None, ids: Sequence[str], run: Sequence[Outcome]) -> bool:
    bound = bound_to(action, stake)
    found = [Evidence(check=c, outcome=o, at=_WHEN, bound=bound) for c, o in zip(ids, run, strict=True)]
    return policy.evaluate(found, action=action, now=_WHEN, stake=stake).verdict is Verdict.VERIFIED


def assert_no_single_point(policy: Policy, action: str | None = None, *, threats: ThreatModel | None = None) -> None:
    """Assert that nothing verifies that rests on a single check, or on a single asset or record.

    Args:
        policy: The policy.
        action: Which; None: all that ask for something.
        threats: As for `assert_never_verifies`.

    Raises:
        AssertionError: with how a run goes that shows it, and what to do.
    """
    paths = tuple(f"actions.{name}" for name in _actions(policy, action))
    _model(policy, threats)
    told = []
    for finding in lint(policy, threats):
        if finding.code in _SINGLE and (
            finding.path in paths or finding.path.startswith(tuple(f"{p}." for p in paths))
        ):
            shown = ", ".join(f"{check} {outcome.value}" for check, outcome in finding.counter_example.items())
            told.append(f"{finding.path}: {finding.message}\n    shown by: {shown}\n    {finding.advice}")
    if told:
        raise AssertionError("\n".join(told))


def assert_uniform(
    known: Transcript | Callable[[], Transcript], unknown: Transcript | Callable[[], Transcript]
) -> None:
    """Assert that nobody can tell a customer who is refused from one who is not there.

    Both calls are compared step by step: every reply byte for byte but for its ids, the slow hashes and the trips to
    the store. To the one who is not there nothing may be sent. Let both give the same wrong answers::

        caller = Caller.answers({"pin": "0000"})
        assert_uniform(
            lambda: bench.play(caller, action="pay"), lambda: bench.play(caller, action="pay", subject="nobody")
        )

    Raises:
        AssertionError: with the first step that differs.
        UsageError: not what `Bench.play` returns, or by a hasher that does not count its slow hashes.
    """
    here, there = _transcript(known), _transcript(unknown)
    if any(line.sends for line in there.lines):
        msg = f"a message was sent for {there.subject!r}, who is not there\n{there}"
        raise AssertionError(msg)
    if any(line.hashes is None for line in (*here.lines, *there.lines)):
        instead("the slow hashes of these calls were not counted: give the bench cheap_hasher(), which counts them")
    for at, (one, other) in enumerate(itertools.zip_longest(here.lines, there.lines)):
        if one is None or other is None:
            msg = f"one call has {len(here.lines)} steps, the other {len(there.lines)}\n{here}\n{there}"
            raise AssertionError(msg)
        for what, a, b in (
            ("the replies", _shown(one.reply), _shown(other.reply)),
            ("the slow hashes", one.hashes, other.hashes),
            ("the trips to the store", one.trips, other.trips),
        ):
            if a != b:
                msg = f"{what} of step {at} differ: {a!r} for {here.subject!r}, {b!r} for {there.subject!r}"
                raise AssertionError(msg)


def _transcript(played: Any) -> Transcript:  # noqa: ANN401 - checked here
    found = played() if callable(played) else played
    if not isinstance(found, Transcript):
        msg = "pass what bench.play(...) returned, or a function that returns it"
        raise UsageError(msg)
    return found


def _shown(step: Step) -> dict[str, object]:
    plain = {name: value for name, value in step.as_dict().items() if name != "session_id"}
    if isinstance(challenge := plain["challenge"], dict):
        plain["challenge"] = {name: value for name, value in challenge.items() if name != "id"}
    return plain
