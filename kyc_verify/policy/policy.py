"""The policy: a value that says which checks there are and what each action demands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Self

from kyc_verify.budgets import Budgets, Lifetimes
from kyc_verify.call import Stake, aware
from kyc_verify.checks import AnswerCheck, Check
from kyc_verify.decision import Decision, Verdict
from kyc_verify.errors import InvalidPolicy, PolicyError, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy import _codec, _validate
from kyc_verify.policy._judge import Judge
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.score import ScoreTable
from kyc_verify.threats import Likelihoods, ThreatModel

__all__ = ["Policy"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Which layers there are, and what each action demands of them; compared, hashed, serialised, fingerprinted.

    Attributes:
        name: Of the policy.
        checks: Its layers; the caller is asked in this order, signals first.
        actions: What each action demands.
        threats: Who attacks, and what each outcome says; the shipped table by default.
        budgets: How many tries, of whom, in which window.
        lifetimes: How long sessions, questions, codes and grants last.
        language: What is spoken when neither the customer's nor the call's language is known.
        enrolled_share: By check id, the share of customers who have it (1 by default); subjects that do not exist are
            given the same profile by a keyed draw.

    Raises:
        InvalidPolicy: every fault at once, each with the path of its field.
    """

    name: str
    checks: tuple[Check, ...]
    actions: Mapping[str, Requirement]
    threats: ThreatModel = field(default_factory=ThreatModel.default)
    budgets: Budgets = field(default_factory=Budgets)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    language: str = "en"
    enrolled_share: Mapping[str, float] = field(default_factory=dict)

    table: ScoreTable = field(init=False, repr=False, compare=False)
    fingerprint: str = field(init=False, repr=False, compare=False)
    _by_id: Mapping[str, Check] = field(init=False, repr=False, compare=False)
    _judges: dict[tuple[str, Requirement], Judge] = field(init=False, repr=False, compare=False)
    _incidents: dict[tuple[str, ...], Policy] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given: object = self.checks
        if isinstance(given, Iterable) and not isinstance(given, str):
            object.__setattr__(self, "checks", tuple(given))
        for name in ("actions", "enrolled_share"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                ordered = sorted(value.items(), key=lambda item: str(item[0]))
                object.__setattr__(self, name, MappingProxyType(dict(ordered)))
        # The table is needed to see what is out of reach; it is made as soon as the checks are sound.
        object.__setattr__(self, "table", _Late(self))
        faults = [PolicyError(path, message) for path, message in _validate.faults_of(self)]
        if faults:
            raise InvalidPolicy(faults)
        object.__setattr__(self, "table", _table(self))
        object.__setattr__(self, "_by_id", MappingProxyType({check.id: check for check in self.checks}))
        object.__setattr__(self, "_judges", {})
        object.__setattr__(self, "_incidents", {})
        body = _codec.dump(self, decisive=True)
        object.__setattr__(self, "fingerprint", hashlib.sha256(body.encode()).hexdigest())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, check_id: str) -> Check:
        """Return the check of an id.

        Raises:
            UsageError: there is none.
        """
        try:
            return self._by_id[check_id]
        except (KeyError, TypeError):
            msg = "the policy has no check of this id"
            raise UsageError(msg) from None

    def requirement(self, action: str, stake: Stake | None = None) -> tuple[Requirement, Tier | None]:
        """Return what an action demands for a stake, and the tier it falls into.

        Raises:
            UsageError: the policy has no such action.
        """
        if type(action) is not str or action not in self.actions:
            msg = "the policy has no such action; see policy.actions"
            raise UsageError(msg)
        return self.actions[action].for_stake(stake)

    def asked(self, requirement: Requirement) -> tuple[Check, ...]:
        """Return the checks that may be asked for a requirement, in the policy's order."""
        names = requirement.checks
        return tuple(check for check in self.checks if names is None or check.id in names)

    def enrollable(self) -> tuple[AnswerCheck, ...]:
        """Return the checks that store a fact."""
        return tuple(check for check in self.checks if isinstance(check, AnswerCheck) and check.stored)

    # ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def evaluate(
        self,
        evidence: Sequence[Evidence],
        *,
        action: str,
        now: datetime,
        run: int = 1,
        stake: Stake | None = None,
    ) -> Decision:
        """Weigh the evidence and decide.

        Pure: the same evidence and time give the same decision. Evidence older than `max_age` loses its positive
        weight, and so does a code that was sent for another action or stake.

        Args:
            evidence: What the checks observed, in any order; at most one per check counts: of two, the lower.
            action: What the claimant wants to do.
            now: When to judge freshness; aware.
            run: Which counted run on this subject this is; the k-th needs log2 k bits more.
            stake: What is moved, where something is.

        Returns:
            The decision: VERIFIED, EXEMPT, or PENDING with what is missing; its score in centibits per class.

        Raises:
            UsageError: `now` is naive, the action is unknown, or the evidence is not Evidence.

        Security:
            Reasons never contain an answer, a code or a number, nor which answer was wrong.
        """
        aware(now, "now")
        if not all(isinstance(item, Evidence) for item in evidence):
            msg = "evidence must be Evidence values"
            raise UsageError(msg)
        requirement, _ = self.requirement(action, stake)
        judge = self._judges.get((action, requirement)) or self._judge(action, requirement)
        decision = judge.decide(evidence, now=now, run=run, bound=bound_to(action, stake))
        return replace(decision, verdict=Verdict.EXEMPT, missing=(), required=0) if requirement.exempt else decision

    def _judge(self, action: str, requirement: Requirement) -> Judge:
        judge = Judge(
            action=action,
            requirement=requirement,
            threshold=0 if requirement.exempt else requirement.threshold,
            checks={check.id: check for check in self.asked(requirement)},
            table=self.table,
            claims_bound=self.threats.claims_bound,
            fingerprint=self.fingerprint,
        )
        self._judges[action, requirement] = judge
        return judge

    # ── Other policies from this one ─────────────────────────────────────────────────────────────────────────────────

    def with_incident(self, fields: Iterable[str]) -> Policy:
        """Return the policy for customers of whom these fields are exposed: every class passes them for certain.

        Raises:
            InvalidPolicy: an action is then out of reach; or no row has such a field.
        """
        key = tuple(sorted(set(fields)))
        if key not in self._incidents:
            changed = object.__new__(Policy)
            changed.__dict__.update(self.__dict__)
            threats = self.threats.with_incident(key)
            object.__setattr__(changed, "threats", threats)
            object.__setattr__(changed, "table", _table(changed))
            object.__setattr__(changed, "_judges", {})
            object.__setattr__(changed, "_incidents", {})
            body = _codec.dump(changed, decisive=True)
            object.__setattr__(changed, "fingerprint", hashlib.sha256(body.encode()).hexdigest())
            self._incidents[key] = changed
        return self._incidents[key]

    # ── As data ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def to_json(self) -> str:
        """Return the policy as JSON; the default table is named by its fingerprint, any other is written out."""
        return _codec.dump(self)

    @classmethod
    def from_json(cls, text: str, checks: Iterable[type[Check]] = ()) -> Self:
        """Read what `to_json` has written.

        Args:
            text: JSON; NaN and infinities are refused.
            checks: Classes of your own that it may build; nothing else is ever built from data.

        Raises:
            InvalidPolicy: every fault, with its path.
            ConfigurationError: it is not JSON.
        """
        return cls(**_codec.load(text, checks=checks))

    def diff(self, other: Policy) -> tuple[str, ...]:
        """Say what is different in another policy, one sentence for each field: path, this one's, the other's."""
        given: object = other
        if not isinstance(given, Policy):
            msg = "diff takes another Policy"
            raise UsageError(msg)
        return _codec.differences(_codec.plain(self), _codec.plain(other))


def bound_to(action: str, stake: Stake | None) -> str:
    """Return what a code is bound to: the action, and the stake if there is one."""
    return f"{action}|{'' if stake is None else stake.text()}"


class _Late:
    """The table of a policy that is still being looked at; made when the first score is asked for."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._made: ScoreTable | None = None

    def __getattr__(self, name: str) -> object:
        if self._made is None:
            self._made = _table(self._policy)
        return getattr(self._made, name)


def _table(policy: Policy) -> ScoreTable:
    columns: list[tuple[str, Likelihoods | str]] = []
    for check in policy.checks:
        by_id = check.id if check.id in policy.threats.rows and not check.likelihoods else check.row
        own = check.likelihoods if policy.threats.claims_bound else None
        columns.append((check.id, own if own is not None else str(by_id if by_id in policy.threats.rows else check.id)))
    return ScoreTable(policy.threats, tuple(columns))
