"""How long genuine callers are kept: everything asked, the policy's order, the best order, and the best that leaks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kyc_verify import plan
from kyc_verify.analysis._setting import Setting
from kyc_verify.call import Stake
from kyc_verify.policy import Policy
from kyc_verify.policy.rule import seconds_of
from kyc_verify.threats import GENUINE

__all__ = ["OrderReport", "Ordered", "question_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What one order of the questions does.

    Attributes:
        order: The questions.
        seconds: Expected, of genuine callers.
        seconds_verified: Expected, of genuine callers who are verified.
        verified: P(verified) of genuine callers.
        attackers: P(verified) of each class.
    """

    order: tuple[str, ...]
    seconds: float
    seconds_verified: float
    verified: float
    attackers: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """The orders of one action's questions.

    Attributes:
        action: Which.
        accept: When it is met.
        everything: Seconds of asking all questions.
        given: The policy's order.
        best: The best order that is fixed beforehand, and those as good as it; the best first.
        exact: Whether the first of them is the best there is; else the best that was found.
        adaptive: Least expected seconds of an order that follows the answers; None where that was not computed. It
            is never used: the next question would tell which answer was wrong.
    """

    action: str
    accept: str
    everything: float
    given: Ordered
    best: tuple[Ordered, ...]
    exact: bool
    adaptive: float | None


def question_order(
    policy: Policy,
    action: str,
    *,
    stake: Stake | None = None,
    available: Collection[str] | None = None,
) -> OrderReport:
    """Return what the order of an action's questions costs genuine callers, and what a better one would.

    Args:
        policy: The policy; with probabilities, not plain points.
        action: What is asked for.
        stake: What is moved, where something is.
        available: Ids of the checks that the customer can be asked; None: all of them.

    Raises:
        UsageError: no such action, or it cannot be analysed; the message says what to do.
    """
    setting = Setting.of(policy, action, stake=stake, available=available)
    rule = setting.rule()
    costs = {name: seconds_of(policy.layer(name), policy.threats) for name in setting.available}
    columns = {name: setting.chances(rule, setting.cells(name)) for name in (GENUINE, *policy.threats.names)}

    def ordered(order: tuple[str, ...]) -> Ordered:
        tree = setting.tree(rule, order)
        rates = {name: tree.probability(given) for name, given in columns.items()}
        return Ordered(
            order=order,
            seconds=tree.seconds(columns[GENUINE], costs),
            seconds_verified=tree.seconds_verified(columns[GENUINE], costs),
            verified=rates.pop(GENUINE),
            attackers=MappingProxyType(rates),
        )

    search = plan.Search(rule, columns[GENUINE], costs)
    tied = plan.tied_orders(policy, setting.requirement, frozenset(setting.available))
    return OrderReport(
        action=action,
        accept=setting.requirement.accept,
        everything=search.seconds_all(),
        given=ordered(setting.order),
        best=tuple(ordered(order) for order in tied),
        exact=len(search.active) <= plan.MOST_ACTIVE,
        adaptive=search.adaptive(),
    )
