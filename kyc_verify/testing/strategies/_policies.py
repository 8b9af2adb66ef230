"""Random policies, threat models and evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from kyc_verify import checks
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import Check
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.policy._judge import factors_of
from kyc_verify.policy.policy import bound_to
from kyc_verify.score import ScoreTable
from kyc_verify.terms import LANGUAGES, Outcome
from kyc_verify.testing._given import a_policy
from kyc_verify.threats import AttackerClass, Likelihoods, Row, ThreatModel

__all__ = ["evidence", "outcomes", "policies", "threat_models"]

_WHEN: Final = datetime(2100, 1, 1, tzinfo=UTC)
_POOL: Final[tuple[Callable[[], Check], ...]] = (
    checks.CallerNumber,
    checks.SimSwap,
    checks.AccountTenure,
    checks.DateOfBirth,
    checks.Pin,
    lambda: checks.SecretAnswer("school", {"en": "Which school?", "fa": "کدام مدرسه؟"}, tolerance="typo"),
    checks.AppConfirmation,
    checks.OneTimeCode,
    lambda: checks.OneTimeCode("mail", channel="email", digits=8),
    checks.Callback,
)
_SPANS: Final = st.integers(1, 10**9).map(lambda us: timedelta(microseconds=us))
_ROWS: Final = ("caller_number", "sim_swap", "account_tenure", "date_of_birth", "pin", "secret_answer")


def outcomes() -> st.SearchStrategy[Outcome]:
    """Return how a check can end."""
    return st.sampled_from(Outcome)


@st.composite
def _columns(draw: st.DrawFn, size: int) -> tuple[Fraction, ...]:
    """Draw probabilities that sum to 1, each of at least a thousandth."""
    shares = draw(st.lists(st.integers(1, 10_000), min_size=size, max_size=size))
    least = Fraction(1, 1000)
    return tuple(least + (1 - size * least) * Fraction(share, sum(shares)) for share in shares)


@st.composite
def threat_models(draw: st.DrawFn, *, rows: Sequence[str] = _ROWS, classes: int | None = None) -> ThreatModel:
    """Draw a threat model with these rows, and so many classes (one to four by default).

    Raises:
        UsageError: `classes` is no count.
    """
    if classes is not None and (type(classes) is not int or classes < 1):
        msg = "classes counts the classes of attackers, from 1"
        raise UsageError(msg)
    names = [f"class_{at}" for at in range(draw(st.integers(1, 4)) if classes is None else classes)]
    table: dict[str, Row] = {}
    for name in rows:
        rungs = (Outcome.FAIL, Outcome.PASS) if draw(st.booleans()) else (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)
        genuine, *others = (
            dict(zip(rungs, draw(_columns(len(rungs))), strict=True)) for _ in range(len(names) + 1)
        )  # fmt: skip
        cells = Likelihoods(genuine=genuine, classes=dict(zip(names, others, strict=True)))
        table[name] = Row(likelihoods=cells, seconds=draw(st.integers(0, 60)))
    return ThreatModel(classes=tuple(AttackerClass(name=name, description="drawn") for name in names), rows=table)


@st.composite
def _requirements(draw: st.DrawFn, table: ScoreTable, by_id: Mapping[str, Check], *, tiers: bool) -> Requirement:
    """Draw a requirement that these checks can meet."""
    names = sorted(by_id)
    asked = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True))
    allowed = names if asked is None else asked
    subset = st.lists(st.sampled_from(allowed), unique=True, max_size=2).map(tuple)
    best = table.centibits(dict.fromkeys(allowed, Outcome.PASS))
    centibits = draw(st.none() | st.integers(0, max(0, best)))
    factors = draw(st.integers(0, len(factors_of(by_id[name] for name in allowed))))
    all_of, any_of = draw(subset), draw(subset)
    if not (centibits or factors or any_of):
        all_of = all_of or (allowed[0],)
    stakes: list[Tier] = []
    for amount in draw(st.lists(st.integers(1, 10**6), unique=True, max_size=2)) if tiers else ():
        inner = draw(st.just(Requirement.none()) | _requirements(table, by_id, tiers=False))
        ceiling = draw(st.none() | st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100))
        count = draw(st.integers(1, 9)) if inner.exempt else None
        stakes.append(Tier(up_to=Decimal(amount), currency="EUR", requirement=inner, ceiling=ceiling, count=count))
    return Requirement(
        bits=None if centibits is None else Decimal(centibits) / 100,
        checks=None if asked is None else tuple(asked),
        factors=factors,
        all_of=all_of,
        any_of=any_of,
        max_age=draw(st.none() | _SPANS),
        stakes=tuple(stakes),
        accept=draw(st.sampled_from(("first", "lossless"))),
        knowledge_only=True,
        role=draw(st.none() | st.just("teller")),
        purpose=draw(st.sampled_from(({}, {"en": "a payment", "fa": "پرداخت"}))),
    )


def policies(
    *, pool: Sequence[Callable[[], Check]] = _POOL, threats: Sequence[ThreatModel] | None = None
) -> st.SearchStrategy[Policy]:
    """Return policies with the actions ``pay`` (with tiers), ``read``, and sometimes ``hours``, which asks nothing.

    Args:
        pool: What makes the checks they may have; the shipped ones by default.
        threats: The models they may rest on; by default the shipped table, also under an incident.

    Raises:
        UsageError: an empty pool, or no model.
    """
    makers: object = pool
    if not isinstance(makers, Sequence) or not all(callable(build) for build in makers):
        msg = "pool takes makers of checks, as in policies(pool=[checks.Pin, lambda: checks.OneTimeCode()])"
        raise UsageError(msg)
    given: object = () if threats is None else threats
    if not isinstance(given, Sequence) or not all(isinstance(each, ThreatModel) for each in given):
        msg = "threats takes threat models, as in policies(threats=[ThreatModel.default()])"
        raise UsageError(msg)
    models = _models() if threats is None else tuple(threats)
    if not pool or not models:
        msg = "policies() takes at least one maker of a check and one threat model"
        raise UsageError(msg)
    return _policies(tuple(pool), models)


@st.composite
def _policies(draw: st.DrawFn, pool: Sequence[Callable[[], Check]], models: Sequence[ThreatModel]) -> Policy:
    built = [build() for build in draw(st.lists(st.sampled_from(pool), min_size=1, max_size=6, unique=True))]
    made = list({check.id: check for check in built}.values())
    model = draw(st.sampled_from(models))
    by_id = {check.id: check for check in made}
    anything = Requirement(all_of=(made[0].id,), knowledge_only=True)
    table = Policy(name="drawn", checks=made, threats=model, actions={"x": anything}).table
    actions = {
        "pay": draw(_requirements(table, by_id, tiers=True)),
        "read": draw(_requirements(table, by_id, tiers=False)),
    } | ({"hours": Requirement.none()} if draw(st.booleans()) else {})
    return Policy(
        name=draw(st.sampled_from(("bank", "بانک"))),
        checks=made,
        actions=actions,
        threats=model,
        budgets=Budgets(
            answers=Budget(draw(st.integers(1, 9)), timedelta(seconds=1) + draw(_SPANS)),
            runs=timedelta(hours=1) + draw(_SPANS),
        ),
        lifetimes=Lifetimes(cool_off=draw(_SPANS)),
        language=draw(st.sampled_from(LANGUAGES)),
        enrolled_share=draw(st.dictionaries(st.sampled_from(sorted(by_id)), st.floats(0, 1))),
    )


def _models() -> tuple[ThreatModel, ...]:
    default = ThreatModel.default()
    return default, default.with_incident(["pin", "birth_date"])


@st.composite
def evidence(draw: st.DrawFn, policy: Policy, *, action: str | None = None, now: datetime = _WHEN) -> list[Evidence]:
    """Draw at most one piece of evidence for each check of a policy, some of it old or bound to something else.

    Args:
        draw: Hypothesis's own.
        policy: The policy.
        action: What bound evidence is bound to, where it is not to something else; None: the policy's first action.
        now: When; nothing is younger.

    Raises:
        UsageError: it is no policy, or has no such action.
    """
    actions = tuple(a_policy(policy).actions)
    action = actions[0] if action is None else action
    if action not in actions:
        msg = f"the policy has no action {action!r}; it has {', '.join(actions)}"
        raise UsageError(msg)
    found = []
    for check in policy.checks:
        if draw(st.booleans()):
            age = draw(st.just(timedelta(0)) | _SPANS)
            bound = draw(st.sampled_from((None, None, bound_to(action, None), bound_to("other", None))))
            found.append(Evidence(check=check.id, outcome=draw(outcomes()), at=now - age, bound=bound))
    return found
