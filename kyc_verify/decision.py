"""What a verification says and ends in: steps for the agent, a decision for the auditor, a grant for one action.

A `Step` may be shown to the agent whole. A `Decision` holds the score and which check ended how: only an auditor gets
one, and only after the end. Neither has a truth value, so ``if step:`` cannot let anybody in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NoReturn, SupportsIndex

from kyc_verify.errors import NoTruthValue, NotVerified, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.score import Score, ScoreTable
from kyc_verify.terms import Entry, Method, Outcome

__all__ = ["Binding", "Challenge", "Decision", "Grant", "Step", "Verdict", "Waterfall"]


class Verdict(StrEnum):
    """Where a verification stands.

    PENDING: a question is open. VERIFIED: the requirement is met. STEP_UP: what is left cannot be asked on this leg;
    `transfer` goes on. REVIEW: VERIFIED is out of reach from the start. EXEMPT: the policy asks nothing for this, and
    says nothing of who is calling. DENIED: every other end.
    """

    PENDING = "pending"
    VERIFIED = "verified"
    STEP_UP = "step_up"
    REVIEW = "review"
    EXEMPT = "exempt"
    DENIED = "denied"

    def __bool__(self) -> bool:  # noqa: PLE0304 - it raises
        _no_truth("Verdict")


def _no_truth(what: str) -> NoReturn:
    msg = f"a {what} has no truth value; compare its verdict, as in step.verdict is Verdict.VERIFIED"
    raise NoTruthValue(msg)


_REDEEMABLE: Final = (Verdict.VERIFIED, Verdict.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What a grant holds for, and for nothing else.

    Attributes:
        tenant: Whose customer.
        subject: Which customer.
        action: For what.
        agent: In whose hands.
        call: In which call.
        fingerprint: Under which policy.
        stake: For how much and to whom; empty when nothing is moved.
        contact: Keyed fingerprint of the contact on record; empty when there is none.
        roles: What the agent was allowed when it was given; all of it must still hold.
    """

    tenant: str
    subject: str
    action: str
    agent: str
    call: str
    fingerprint: str
    stake: str = ""
    contact: str = ""
    roles: tuple[str, ...] = ()

    def refusal(self, presented: Binding) -> str | None:
        """Say why this binding does not fit what is presented; None when it fits.

        Returns:
            ``tenant``, ``subject``, ``action``, ``agent``, ``call``, ``policy``, ``stake``, ``contact`` or ``role``.
        """
        if self.fingerprint != presented.fingerprint:
            return "policy"
        for name in ("tenant", "subject", "action", "agent", "call", "stake", "contact"):
            if getattr(self, name) != getattr(presented, name):
                return name
        return None if set(self.roles) <= set(presented.roles) else "role"

    def as_dict(self) -> dict[str, object]:
        """Plain values for a store; `from_dict` reads them."""
        return {name: getattr(self, name) for name in self.__slots__} | {"roles": list(self.roles)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Binding:
        """Read what `as_dict` wrote."""
        roles = plain["roles"]
        texts = {name: str(value) for name, value in plain.items() if name != "roles"}
        return cls(**texts, roles=tuple(map(str, roles if isinstance(roles, list | tuple) else ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A single-use permit for one action, bound to what was verified; `Verifier.redeem` uses it up.

    Attributes:
        token: 128 bits, in text; keep it on the server. It is in no repr.
        action: For what.
        expires_at: Until when.
    """

    token: str = field(repr=False)
    action: str
    expires_at: datetime


class _Held:
    """A grant inside a `Step`, where `dataclasses.asdict` and a copy do not find it."""

    __slots__ = ("grant",)

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    def __repr__(self) -> str:
        return "***"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        _not_serialised()


def _not_serialised() -> NoReturn:
    msg = "a Step holds a grant and is not serialised; use as_dict() and status()"
    raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What to ask the caller next.

    Attributes:
        id: Names session and turn. Single use, and the idempotency key: sent again with the same answer it gives the
            same step and costs nothing.
        check: Id of the check.
        text: What to say, in the caller's language; the question back when the last answer was ambiguous.
        entry: What a screen or a keypad should offer.
    """

    id: str
    check: str
    text: str
    entry: Entry

    def as_dict(self) -> dict[str, str]:
        """Plain values, for a web page."""
        return {"id": self.id, "check": self.check, "text": self.text, "entry": self.entry.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where the verification stands; every verb returns one, and all of it may be shown to the agent.

    Attributes:
        session_id: Names the session in `status`, `step_up`, `transfer`, `cancel` and `explain`.
        verdict: PENDING exactly while there is a challenge.
        challenge: What to ask next, or None.
        reasons: What to do next, in plain words.
    """

    session_id: str
    verdict: Verdict
    challenge: Challenge | None = None
    reasons: tuple[str, ...] = ()
    _grant: Grant | _Held | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self._grant, Grant):
            object.__setattr__(self, "_grant", _Held(self._grant))

    def __bool__(self) -> bool:  # noqa: PLE0304 - it raises
        _no_truth("Step")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        _not_serialised()

    def require(self) -> Grant:
        """Return the grant.

        Raises:
            NotVerified: the verdict is neither VERIFIED nor EXEMPT (``reason`` is the verdict), or the grant is
                redeemed, expired or void (``reason`` is ``used_or_expired``).
        """
        if self.verdict not in _REDEEMABLE:
            msg = f"not verified: the verdict is {self.verdict.value}; {' '.join(self.reasons)}".rstrip("; ")
            raise NotVerified(msg, reason=self.verdict.value)
        if not isinstance(self._grant, _Held):
            msg = "this grant was used or has expired; start a new verification, or step up from this one"
            raise NotVerified(msg, reason="used_or_expired")
        return self._grant.grant

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a web page; never the grant."""
        return {
            "session_id": self.session_id,
            "verdict": self.verdict.value,
            "challenge": None if self.challenge is None else self.challenge.as_dict(),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """One check's part of the score.

    Attributes:
        check: Id of the check.
        outcome: How it ended.
        weights: Centibits it added against each class.
        stale: Whether it was too old to count for the caller.
    """

    check: str
    outcome: Outcome
    weights: Mapping[str, int]
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The whole of a judgement, for the auditor.

    Attributes:
        action: What was asked for.
        verdict: VERIFIED, EXEMPT, or PENDING when the requirement is not met (yet).
        centibits: What the evidence amounts to against the best-placed class.
        required: Centibits that were needed, the runs before this one paid for.
        run: Which counted run on the subject this is.
        missing: Stable words for what is missing: ``score``, ``factors``, ``all_of:pin``, ``any_of`` ...
        evidence: What it was judged on.
        stale: Checks too old to count.
        methods: RFC 8176 values of what was shown.
        claims_bound: Whether the threat model claims a risk bound; plain points do not.
        fingerprint: Of the policy.
        table_of: What the outcomes weigh, for `score` and `waterfall`, which are worked out when they are asked for.
    """

    action: str
    verdict: Verdict
    centibits: int
    required: int
    run: int
    missing: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    stale: frozenset[str] = frozenset()
    methods: tuple[Method, ...] = ()
    claims_bound: bool = True
    fingerprint: str = ""
    table_of: ScoreTable = field(repr=False, compare=False)

    def __bool__(self) -> bool:  # noqa: PLE0304 - it raises
        _no_truth("Decision")

    def _outcomes(self) -> dict[str, Outcome]:
        return {item.check: item.outcome for item in self.evidence}

    @property
    def score(self) -> Score:
        """Centibits against each class, and the weakest of them."""
        return self.table_of.score(self._outcomes(), stale=self.stale)

    @property
    def waterfall(self) -> tuple[Waterfall, ...]:
        """Which check added how much against whom."""
        rows = self.table_of.waterfall(self._outcomes(), stale=self.stale)
        return tuple(
            Waterfall(check=item.check, outcome=item.outcome, weights=rows[item.check], stale=item.check in self.stale)
            for item in self.evidence
        )

    @property
    def bound(self) -> float | None:
        """2^-S: of any class of the table, at most this share gets this far; None where no bound is claimed."""
        return 2.0 ** (-self.centibits / 100) if self.claims_bound and self.centibits > 0 else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in plain English, for the auditor; never an answer, a code or a number."""
        if self.verdict is Verdict.EXEMPT:
            return ("nothing is asked for this action, and nothing is said of who is calling",)
        score, needed = self.centibits / 100, self.required / 100
        unit, weakest = ("bits", f"; weakest against {self.score.weakest}") if self.claims_bound else ("points", "")
        lines = [f"{score:.2f} {unit} of {needed:.2f} needed{weakest}"]
        for word in self.missing:
            kind, _, names = word.partition(":")
            lines.append(
                {
                    "score": f"{needed - score:.2f} {unit} are missing",
                    "factors": f"too few distinct factors: {names}",
                    "all_of": f"{names} must pass",
                    "any_of": f"one of {names} must pass",
                }[kind],
            )
        return tuple(lines)

    def table(self) -> str:
        """The waterfall as plain text: a row a check, a column a class, in bits."""
        score, rows = self.score, self.waterfall
        width = max([len("required"), *(len(row.check) + 2 + len(row.outcome.value) for row in rows)])
        lines = [" ".join([" " * width, *(f"{name:>{max(6, len(name))}}" for name in score.per_class)])]
        for row in rows:
            label = f"{row.check}: {row.outcome.value}"
            lines.append(_line(label, width, row.weights) + (" (too old)" if row.stale else ""))
        lines.append(_line("total", width, score.per_class))
        weakest = f" bits, weakest against {score.weakest}" if self.claims_bound else " points"
        lines.append(f"{'required':<{width}} {self.required / 100:.2f}{weakest}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a report."""
        score = self.score
        return {
            "action": self.action,
            "verdict": self.verdict.value,
            "score": score.centibits,
            "per_class": dict(score.per_class),
            "weakest": score.weakest,
            "required": self.required,
            "run": self.run,
            "missing": list(self.missing),
            "methods": [method.value for method in self.methods],
            "waterfall": [
                {"check": row.check, "outcome": row.outcome.value, "weights": dict(row.weights), "stale": row.stale}
                for row in self.waterfall
            ],
            "reasons": list(self.reasons),
            "fingerprint": self.fingerprint,
        }


def _line(label: str, width: int, cells: Mapping[str, int]) -> str:
    return " ".join([f"{label:<{width}}", *(f"{cell / 100:>{max(6, len(name))}.2f}" for name, cell in cells.items())])
