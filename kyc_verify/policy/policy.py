"""The policy: a value that says which checks there are and what each action demands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from kyc_verify.budgets import Budgets, Lifetimes
from kyc_verify.call import Stake, aware
from kyc_verify.checks import AnswerCheck, Check
from kyc_verify.decision import Decision
from kyc_verify.errors import UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.floors import Floor, Violation
from kyc_verify.policy import _codec, _reader
from kyc_verify.policy._floor import violations
from kyc_verify.policy._judge import Judge, compile_table
from kyc_verify.policy._validate import checked_table
from kyc_verify.policy.requirement import Requirement, Tier
from kyc_verify.score import ScoreTable
from kyc_verify.threats import ThreatModel

__all__ = ["Policy", "bound_to"]


@dataclass(frozen=True, kw_only=True, repr=False)
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
        table: What every outcome weighs; derived.
        fingerprint: SHA-256 of everything that a decision, a question or a record depends on; derived.
        incident_since: When the fields of an incident were exposed, as `with_incident` was told; decides nothing.

    Raises:
        InvalidPolicy: every fault at once, each with the path of its field.
    """

    name: str
    checks: Sequence[Check]
    actions: Mapping[str, Requirement]
    threats: ThreatModel = field(default_factory=ThreatModel.default)
    budgets: Budgets = field(default_factory=Budgets)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    language: str = "en"
    enrolled_share: Mapping[str, float] = field(default_factory=dict)

    table: ScoreTable = field(init=False, compare=False)
    fingerprint: str = field(init=False, compare=False)
    _by_id: Mapping[str, Check] = field(init=False, compare=False)
    _judges: Mapping[tuple[str, Tier | None], Judge] = field(init=False, compare=False)
    incident_since: datetime | None = field(init=False, default=None, compare=False)
    _incidents: dict[tuple[datetime | None, *tuple[str, ...]], Policy] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        given: object = self.checks
        if isinstance(given, Iterable) and not isinstance(given, str):
            self._set(checks=tuple(given))
        for name in ("actions", "enrolled_share"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                ordered = sorted(value.items(), key=lambda item: str(item[0]))
                self._set(**{name: MappingProxyType(dict(ordered))})
        self._set(table=checked_table(self))
        shares = {name: float(share) for name, share in self.enrolled_share.items()}
        self._set(enrolled_share=MappingProxyType(shares))
        self._compile()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _compile(self) -> None:
        """Derive everything else from the fields and the table."""
        by_id = {check.id: check for check in self.checks}
        body = _codec.dump(self, decisive=True)
        self._set(fingerprint=hashlib.sha256(body.encode()).hexdigest(), _by_id=MappingProxyType(by_id), _incidents={})
        judges = {
            (action, tier): self._judge(action, rule if tier is None else tier.requirement)
            for action, rule in self.actions.items()
            for tier in (None, *rule.stakes)
        }
        self._set(_judges=MappingProxyType(judges))

    def _judge(self, action: str, rule: Requirement) -> Judge:
        return Judge(
            action,
            rule,
            checks=self.asked(rule),
            known=frozenset(self._by_id),
            table=self.table,
            fingerprint=self.fingerprint,
            bound=bound_to(action, None),
        )

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Policy({self.name!r}; {len(self.checks)} checks; {len(self.actions)} actions; {self.fingerprint[:12]})"

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def layer(self, check_id: str) -> Check:
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
            UsageError: the policy has no such action, or the stake is none.
        """
        if type(action) is not str or action not in self.actions:
            msg = "the policy has no such action; see policy.actions"
            raise UsageError(msg)
        if stake is None:
            return self.actions[action], None
        given: object = stake
        if not isinstance(given, Stake):
            msg = "stake must be a Stake or None"
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
        evidence: Iterable[Evidence],
        *,
        action: str,
        now: datetime,
        run: int = 1,
        stake: Stake | None = None,
    ) -> Decision:
        """Weigh the evidence and decide.

        Pure: the same evidence and time give the same decision. Evidence older than `max_age` loses its positive
        weight, and so does a code that was sent for another action or stake. What the requirement may not ask for does
        not count.

        Args:
            evidence: What the checks observed, in any order; at most one per check counts: of two, the lower.
            action: What the claimant wants to do.
            now: When to judge freshness; aware.
            run: Which counted run on this subject this is; the k-th needs log2 k bits more.
            stake: What is moved, where something is.

        Returns:
            The decision: VERIFIED, EXEMPT, or PENDING with what is missing; its score in centibits per class.

        Raises:
            UsageError: `now` is naive, the action is unknown, `run` is no number of a run, the stake is none, or the
                evidence is not Evidence of checks of this policy.

        Security:
            Reasons never contain an answer, a code or a number. They name what is missing: they are for the auditor.
        """
        aware(now, "now")
        _, tier = self.requirement(action, stake)
        judge = self._judges[action, tier]
        bound = judge.bound if stake is None else bound_to(action, stake)
        return judge.decide(evidence, now=now, run=run, bound=bound)

    def check(self, floor: Floor) -> tuple[Violation, ...]:
        """Say what this policy breaks of a standard's floor: clause, field, what is, what must be.

        Args:
            floor: One of `kyc_verify.floors`, or several combined with ``|``.

        Raises:
            UsageError: it is no floor.
        """
        given: object = floor
        if not isinstance(given, Floor):
            msg = "check takes a floor, as in policy.check(floors.psd2); policy.layer(id) returns a check"
            raise UsageError(msg)
        return violations(self, given)

    # ── Other policies from this one ─────────────────────────────────────────────────────────────────────────────────

    def with_incident(self, fields: Iterable[str], *, since: datetime | None = None) -> Policy:
        """Return the policy for customers of whom these fields are exposed: every class passes them for certain.

        What asks for them then weighs nothing. An action that needed it is out of reach, and its runs go to REVIEW.

        Args:
            fields: Fields that rows of the threat model name, or ids of checks with likelihoods of their own.
            since: When they were exposed, aware, for reports. It decides nothing: what a customer enrolled anew since
                then counts for exposed as well, until `Enroller.flag` takes the flag back.

        Raises:
            InvalidPolicy: nothing asks for a field of that name.
            UsageError: `since` is naive.
        """
        if since is not None:
            aware(since, "since")
        key = tuple(sorted({fields} if isinstance(fields, str) else set(fields), key=str))
        if (since, *key) not in self._incidents:
            own = {check.id for check in self.checks if check.likelihoods is not None}.intersection(key)
            asked = {name for row in self.threats.rows.values() for name in row.fields}
            changed = object.__new__(Policy)
            changed.__dict__.update(self.__dict__)
            changed._set(
                checks=tuple(check.exposed() if check.id in own else check for check in self.checks),
                threats=self.threats.with_incident(name for name in key if name in asked or name not in own),
            )
            changed._set(table=compile_table(changed.checks, changed.threats), incident_since=since)
            changed._compile()
            self._incidents[since, *key] = changed
        return self._incidents[since, *key]

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
        return cls(**_reader.load(text, checks=checks))

    def diff(self, other: Policy) -> tuple[str, ...]:
        """Say what is different in another policy, one sentence for each field: path, this one's, the other's."""
        given: object = other
        if not isinstance(given, Policy):
            msg = "diff takes another Policy"
            raise UsageError(msg)
        return _codec.differences(self, other)


def bound_to(action: str, stake: Stake | None) -> str:
    """Return what a code is bound to: the action, and the stake if there is one. No two pairs give one text."""
    return f"{len(action)}:{action}{'' if stake is None else f'|{stake.text()}'}"
