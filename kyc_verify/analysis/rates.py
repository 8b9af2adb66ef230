"""Exact error rates: who is let through, and how the customer fares.

Every run there can be is gone through under the verdict rule itself, those that nothing tells apart made one. What is
reported are sums of products of the table's cells; no probability is ever the difference of two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType

from kyc_verify.analysis._setting import Setting
from kyc_verify.call import Stake
from kyc_verify.decision import Verdict
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy
from kyc_verify.policy.rule import LOST
from kyc_verify.terms import Entry
from kyc_verify.threats import GENUINE, MAX_BITS, ThreatModel

__all__ = ["ErrorRates", "Rates", "curve", "error_rates"]

_MOST_RUNS = 1000
_STEP = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How one run goes.

    Attributes:
        run: Which counted run on the customer.
        required: Centibits it needs.
        bound: 2^-T: no class gets through more often; None for plain points, which claim nothing.
        attackers: P(verified) of each class.
        genuine: The probability of each verdict for the customer.
    """

    run: int
    required: int
    bound: float | None
    attackers: Mapping[str, float]
    genuine: Mapping[Verdict, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRates:
    """What one action lets through.

    Attributes:
        action: Which.
        accept: When it is met: ``first`` or ``lossless``.
        order: The questions, in the order they were taken to be asked.
        runs: How the first, the second ... counted run goes.
        within: For each class, P(verified in any of the first K runs), K = 1, 2 ..., when every run goes as the table
            says given what happened before.
        within_bound: ``(1 + ln K) 2^-T``, whatever was learnt in between; None for plain points.
    """

    action: str
    accept: str
    order: tuple[str, ...]
    runs: tuple[Rates, ...]
    within: Mapping[str, tuple[float, ...]]
    within_bound: tuple[float, ...] | None

    @property
    def attackers(self) -> Mapping[str, float]:
        """P(verified) of each class in its first run."""
        return self.runs[0].attackers

    @property
    def genuine(self) -> Mapping[Verdict, float]:
        """The probability of each verdict for the customer in the first run."""
        return self.runs[0].genuine

    @property
    def bound(self) -> float | None:
        """2^-T of the first run."""
        return self.runs[0].bound


def error_rates(
    policy: Policy,
    action: str,
    threats: ThreatModel | None = None,
    *,
    stake: Stake | None = None,
    available: Collection[str] | None = None,
    entries: Collection[Entry] | None = None,
    order: Iterable[str] | None = None,
    runs: int = 5,
) -> ErrorRates:
    """Return exactly whom an action lets through.

    Args:
        policy: The policy; its weights and rules decide.
        action: What is asked for.
        threats: How callers answer, if not as the policy's own model says; needed for plain points.
        stake: What is moved, where something is.
        available: Ids of the checks that the customer can be asked; None: all of them.
        entries: What the leg of the call can take; None: everything.
        order: The questions in another order than the policy's.
        runs: How many counted runs on one customer to look at.

    Raises:
        UsageError: no such action, or it cannot be analysed; the message says what to do.

    Example:
        >>> from kyc_verify import profiles
        >>> rates = error_rates(profiles.bank(), "read_balance")
        >>> rates.attackers["phisher"] <= rates.bound
        True
    """
    if type(runs) is not int or not 1 <= runs <= _MOST_RUNS:
        msg = f"runs must be a whole number from 1 to {_MOST_RUNS}"
        raise UsageError(msg)
    setting = Setting.of(
        policy, action, threats=threats, stake=stake, available=available, entries=entries, order=order
    )
    reports: list[Rates] = []
    within: dict[str, list[float]] = {name: [] for name in setting.threats.names}
    refused = dict.fromkeys(within, 1.0)
    for run in range(1, runs + 1):
        rates, lost = _rates(setting, run=run)
        reports.append(rates)
        for name, sofar in within.items():
            sofar.append((sofar[-1] if sofar else 0.0) + refused[name] * rates.attackers[name])
            refused[name] *= lost[name]
    first = reports[0].bound
    return ErrorRates(
        action=action,
        accept=setting.requirement.accept,
        order=setting.order,
        runs=tuple(reports),
        within=MappingProxyType({name: tuple(each) for name, each in within.items()}),
        within_bound=None if first is None else tuple(min(1.0, (1 + log(k)) * first) for k in range(1, runs + 1)),
    )


def curve(
    policy: Policy,
    action: str,
    threats: ThreatModel | None = None,
    *,
    thresholds: Iterable[int] | None = None,
    stake: Stake | None = None,
    available: Collection[str] | None = None,
) -> tuple[Rates, ...]:
    """Return the rates of the first run for every threshold, everything else as it is.

    Args:
        policy: The policy.
        action: What is asked for.
        threats: As in `error_rates`.
        thresholds: Centibits; None: every quarter of a bit up to what nobody reaches, and the action's own.
        stake: As in `error_rates`.
        available: As in `error_rates`.
    """
    setting = Setting.of(policy, action, threats=threats, stake=stake, available=available)
    if thresholds is None:
        most = min(policy.table.best_case(setting.available))
        thresholds = {*range(0, most + _STEP, _STEP), setting.requirement.threshold}
    wanted = sorted(set(thresholds))
    if not all(type(each) is int and 0 <= each <= MAX_BITS * 100 for each in wanted):
        msg = f"thresholds are whole centibits from 0 to {MAX_BITS * 100}"
        raise UsageError(msg)
    return tuple(_rates(setting, required=each)[0] for each in wanted)


def _rates(setting: Setting, *, run: int = 1, required: int | None = None) -> tuple[Rates, dict[str, float]]:
    """Return the rates of one run, and for each class the probability of not being verified."""
    rule = setting.rule(run=run, required=required)
    tree = setting.tree(rule)
    attackers, lost = {}, {}
    for name in setting.threats.names:
        given = setting.chances(rule, setting.cells(name))
        attackers[name] = tree.probability(given)
        lost[name] = tree.probability(given, verified=False)
    given = setting.chances(rule, setting.cells(GENUINE))
    otherwise = Verdict.STEP_UP if setting.waiting else Verdict.DENIED
    genuine = dict.fromkeys((Verdict.VERIFIED, Verdict.STEP_UP, Verdict.DENIED, Verdict.REVIEW), 0.0)
    if tree.root == LOST:
        genuine[Verdict.REVIEW] = 1.0
    else:
        genuine |= {Verdict.VERIFIED: tree.probability(given), otherwise: tree.probability(given, verified=False)}
    bound = 2.0 ** (-rule.required / 100) if setting.policy.threats.claims_bound else None
    rates = Rates(
        run=run,
        required=rule.required,
        bound=bound,
        attackers=MappingProxyType(attackers),
        genuine=MappingProxyType(genuine),
    )
    return rates, lost
