"""What an action demands of a caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from kyc_verify.call import Stake, exact_amount, exact_currency
from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.policy._faults import Faults, id_faults, text_faults
from kyc_verify.threats import threshold, threshold_bits

__all__ = ["LOW_RISK", "Requirement", "Tier"]

LOW_RISK: Final = 200
"""Centibits up to which a requirement is one of low risk."""

_MOST_FACTORS: Final = 3
_MOST_COUNT: Final = 1_000_000
_YEAR: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What must hold before an action may be done.

    Attributes:
        bits: Evidence against the best-placed attacker class; at most 1 in 2^bits of any class gets through.
        risk: The same as a share (``"1/8"``); one of the two, not both. Plain points claim no bound and refuse it.
        checks: Those that may be asked for it; None: all of the policy. What is not among them does not count.
        factors: How many distinct factors must pass; CONTEXT is none, and one asset counts once.
        all_of: Checks that must all PASS.
        any_of: Checks of which one must PASS.
        max_age: Older evidence loses its positive weight; None: it lasts as long as the session.
        stakes: What sums ask; an amount over every tier, or in another currency, asks this requirement itself.
        accept: ``"first"``: met at the first crossing. ``"lossless"``: met only when nothing that could still be
            asked could undo it; for sensitive actions.
        knowledge_only: Says that more than 2 bits may rest on knowledge alone.
        role: Role the agent must have.
        purpose: What a message says the code is for, by language; empty: the action's name.
        exempt: Nothing is asked; use `none`.
    """

    bits: int | str | float | Decimal | None = None
    risk: str | float | Decimal | Fraction | None = None
    checks: Collection[str] | None = None
    factors: int = 0
    all_of: Collection[str] = ()
    any_of: Collection[str] = ()
    max_age: timedelta | None = None
    stakes: tuple[Tier, ...] = ()
    accept: Literal["first", "lossless"] = "first"
    knowledge_only: bool = False
    role: str | None = None
    purpose: Mapping[str, str] = field(default_factory=dict)
    exempt: bool = False

    def __post_init__(self) -> None:
        for name in ("checks", "all_of", "any_of", "stakes"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif isinstance(value, set | frozenset):
                object.__setattr__(self, name, tuple(sorted(value, key=str)))
        if isinstance(self.purpose, Mapping):
            texts = sorted(self.purpose.items(), key=lambda item: str(item[0]))
            object.__setattr__(self, "purpose", MappingProxyType(dict(texts)))
        # One spelling for one number: 2, "2" and 2.0 make equal requirements, with one fingerprint.
        with suppress(ConfigurationError):
            if self.bits is not None:
                whole, rest = divmod(threshold_bits(self.bits), 100)
                object.__setattr__(self, "bits", Decimal(f"{whole}.{rest:02}".rstrip("0")) if rest else whole)
        with suppress(ConfigurationError):
            if self.risk is not None:
                threshold(self.risk)
                object.__setattr__(self, "risk", Fraction(str(self.risk)))

    def __hash__(self) -> int:
        return hash((str(self.bits), str(self.risk), self.checks, self.factors, self.all_of, self.any_of, self.accept))

    @classmethod
    def none(cls) -> Requirement:
        """Ask nothing: the verdict is EXEMPT, which says nothing of who is calling."""
        return cls(exempt=True)

    @property
    def threshold(self) -> int:
        """Centibits needed on the first run.

        Raises:
            ConfigurationError: `bits` or `risk` is not a number that makes sense; a policy has refused it already.
        """
        if self.risk is not None:
            return threshold(self.risk)
        return threshold_bits(0 if self.bits is None else self.bits)

    def for_stake(self, stake: Stake | None) -> tuple[Requirement, Tier | None]:
        """Return the requirement for a sum and the tier it falls into, if any: the smallest that covers it."""
        if stake is None:
            return self, None
        fitting = [t for t in self.stakes if t.currency == stake.currency and stake.amount <= t.up_to]
        tier = min(fitting, key=lambda t: t.up_to, default=None)
        return (self, None) if tier is None else (tier.requirement, tier)

    def faults(self, path: str, *, nested: bool = False) -> Faults:
        """Yield the path and the message of each fault that needs no other part of the policy."""
        yield from self._kinds(path)
        if self.stakes and (nested or self.exempt is True):
            yield f"{path}.stakes", "a tier has no tiers of its own" if nested else "an exempt action needs no tiers"
        if self.exempt is True:
            if self != Requirement(exempt=True, role=self.role, stakes=self.stakes, purpose=self.purpose):
                yield path, "an exempt requirement asks nothing: leave everything else out"
            return
        if self.bits is not None and self.risk is not None:
            yield path, "give bits or risk, not both"
        elif self.bits is None and self.risk is None and not (self.factors or self.all_of or self.any_of):
            yield path, "asks for nothing; use Requirement.none() to say so"
        yield from self._numbers(path)

    def _kinds(self, path: str) -> Faults:
        yield from self._names(path)
        for name in ("knowledge_only", "exempt"):
            if type(getattr(self, name)) is not bool:
                yield f"{path}.{name}", "must be True or False"
        if self.accept not in ("first", "lossless"):
            yield f"{path}.accept", 'must be "first" or "lossless"'
        if self.role is not None:
            yield from id_faults(self.role, f"{path}.role")
        yield from text_faults(self.purpose, f"{path}.purpose")
        if not isinstance(self.stakes, tuple) or not all(isinstance(tier, Tier) for tier in self.stakes):
            yield f"{path}.stakes", "must be a list of Tier values"

    def _names(self, path: str) -> Faults:
        for name in ("checks", "all_of", "any_of"):
            value = getattr(self, name)
            if value is None and name == "checks":
                continue
            if not isinstance(value, tuple) or not all(type(each) is str for each in value):
                yield f"{path}.{name}", "must be a list of check ids"
            elif len(set(value)) < len(value):
                yield f"{path}.{name}", "names a check twice"
        if isinstance(self.checks, tuple) and not self.checks:
            yield f"{path}.checks", "is empty; leave it out for all checks"

    def _numbers(self, path: str) -> Faults:
        try:
            named = self.factors or self.all_of or self.any_of
            if self.bits is not None and threshold_bits(self.bits) == 0 and not named:
                yield f"{path}.bits", "0 bits ask for nothing; use Requirement.none() to say so"
        except ConfigurationError as fault:
            yield f"{path}.bits", str(fault)
        try:
            if self.risk is not None:
                threshold(self.risk)
        except ConfigurationError as fault:
            yield f"{path}.risk", str(fault)
        if type(self.factors) is not int or not 0 <= self.factors <= _MOST_FACTORS:
            yield f"{path}.factors", f"must be a whole number from 0 to {_MOST_FACTORS}"
        age = self.max_age
        if age is not None and not (isinstance(age, timedelta) and timedelta(0) < age <= _YEAR):
            yield f"{path}.max_age", "must be a timedelta of more than 0, up to 366 days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What sums up to an amount ask.

    Attributes:
        up_to: The largest amount, included.
        currency: Three capital letters.
        requirement: What such a sum asks; `Requirement.none` for nothing.
        ceiling: All sums of this tier together, since the last time the customer was VERIFIED; None: no ceiling.
        count: How many of them; None: any number. PSD2 RTS articles 11 and 16 limit one of the two.
    """

    up_to: Decimal
    currency: str
    requirement: Requirement
    ceiling: Decimal | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        for name in ("up_to", "ceiling"):
            with suppress(UsageError):
                object.__setattr__(self, name, exact_amount(getattr(self, name), name))

    def faults(self, path: str) -> Faults:
        """Yield the path and the message of each fault of the tier; those of its requirement are its own."""
        for name in ("up_to", "ceiling"):
            value = getattr(self, name)
            if name == "up_to" or value is not None:
                try:
                    exact_amount(value, "it")
                except UsageError as fault:
                    yield f"{path}.{name}", str(fault)
        try:
            exact_currency(self.currency, "it")
        except UsageError as fault:
            yield f"{path}.currency", str(fault)
        if self.count is not None and (type(self.count) is not int or not 1 <= self.count <= _MOST_COUNT):
            yield f"{path}.count", f"must be a whole number from 1 to {_MOST_COUNT}"
        if not isinstance(self.requirement, Requirement):
            yield f"{path}.requirement", "must be a Requirement"
        elif self.requirement.exempt is True and self.ceiling is None and self.count is None:
            yield path, "a tier that asks nothing needs a ceiling or a count"
