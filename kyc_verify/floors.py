"""What standards demand of a policy, as data: `nist4`, `asvs5`, `psd2`, `us_cpni`, `pci`.

A `Floor` is a set of rules, each with its clause; floors combine with ``|``. `Policy.check` says which rules a policy
breaks. A floor says nothing of what lies outside a policy: how secrets are hashed, who sees the CRM, what is notified.
The figures carry how they are known: ``verified`` was read in the primary text; ``secondary`` in a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from kyc_verify.errors import ConfigurationError

__all__ = ["Demand", "Floor", "Rule", "Violation", "asvs5", "nist4", "pci", "psd2", "us_cpni"]

Known = Literal["verified", "secondary", "memory"]


class Demand(StrEnum):
    """What kind of thing a rule demands of a field."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    FACTORS = "distinct factors"
    STRONG_FACTORS = "distinct factors, knowledge not counted"
    NO_CHANNEL = "no code by"
    ALTERNATIVE = "a possession that does not rest on"
    NO_KNOWLEDGE_ALONE = "more than biographical and account facts"
    LOW_VALUE = "exempt sums within"


_TEXTS: Final = frozenset({Demand.NO_CHANNEL, Demand.ALTERNATIVE, Demand.NO_KNOWLEDGE_ALONE})


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand.

    Attributes:
        clause: Where it stands.
        field: Path in the policy; ``*`` stands for every check or every action that asks something.
        demand: What kind of demand.
        value: Of it: seconds for a time, a count, a name; for `Demand.LOW_VALUE` single, cumulative and count.
        known: How the figure is known.

    Raises:
        ConfigurationError: the value is not of the type that the demand takes.
    """

    clause: str
    field: str
    demand: Demand
    value: int | str | tuple[int, int, int]
    known: Known

    def __post_init__(self) -> None:
        if self.demand in _TEXTS:
            fits = type(self.value) is str
        elif self.demand is Demand.LOW_VALUE:
            sums: object = self.value
            fits = isinstance(sums, tuple) and [type(each) for each in sums] == [int, int, int]
        else:
            fits = type(self.value) is int
        if not fits:
            msg = f"the value of a rule '{Demand(self.demand).value}' is of another type: see Rule.value"
            raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A set of rules with a name."""

    name: str
    rules: tuple[Rule, ...]

    def __or__(self, other: Floor) -> Floor:
        """Demand both."""
        merged = (*self.rules, *(rule for rule in other.rules if rule not in self.rules))
        return Floor(name=f"{self.name} + {other.name}", rules=merged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that a policy breaks.

    Attributes:
        floor: Name of the floor.
        clause: Where the rule stands.
        field: Path of what breaks it.
        found: What is.
        required: What must be.
        known: How the figure is known.
    """

    floor: str
    clause: str
    field: str
    found: str
    required: str
    known: Known

    def __str__(self) -> str:
        sure = "" if self.known == "verified" else f" [{self.known} source]"
        return f"{self.floor}, {self.clause}: {self.field} is {self.found}; must be {self.required}{sure}"


nist4: Final = Floor(
    name="nist4",
    rules=(
        # A caller identified by knowledge alone meets no NIST level: knowledge is not counted as a factor.
        Rule("SP 800-63A-4 2.5.1", "actions.*.factors", Demand.STRONG_FACTORS, 1, "verified"),
        Rule("SP 800-63B-4 3.1.3.2", "checks.*.digits", Demand.AT_LEAST, 6, "verified"),
        Rule("SP 800-63B-4 3.1.3.2", "lifetimes.code", Demand.AT_MOST, 600, "verified"),
        Rule("SP 800-63B-4 3.1.3.1", "checks.*.channel", Demand.NO_CHANNEL, "email", "verified"),
        Rule("SP 800-63B-4 3.1.3.3", "checks", Demand.ALTERNATIVE, "sim", "verified"),
        Rule("SP 800-63B-4 3.2.2", "budgets.consecutive", Demand.AT_MOST, 100, "verified"),
        Rule("SP 800-63B-4 2.2.3", "lifetimes.session", Demand.AT_MOST, 86400, "verified"),
        Rule("SP 800-63B-4 2.2.3", "lifetimes.question", Demand.AT_MOST, 3600, "verified"),
    ),
)
"""NIST SP 800-63A-4 and 800-63B-4, for one-time codes and sessions at AAL2."""

asvs5: Final = Floor(
    name="asvs5",
    rules=(
        Rule("ASVS 5.0 6.4.2", "actions.*.factors", Demand.STRONG_FACTORS, 1, "verified"),
        Rule("ASVS 5.0 6.5.4", "checks.*.digits", Demand.AT_LEAST, 6, "verified"),
        Rule("ASVS 5.0 6.5.5", "lifetimes.code", Demand.AT_MOST, 600, "verified"),
        Rule("ASVS 5.0 6.6.1", "checks", Demand.ALTERNATIVE, "sim", "verified"),
    ),
)
"""OWASP ASVS 5.0, chapter 6, level 2."""

psd2: Final = Floor(
    name="psd2",
    rules=(
        Rule("RTS 2018/389 art. 4(1)", "actions.*.factors", Demand.FACTORS, 2, "secondary"),
        Rule("RTS 2018/389 art. 4(3)(b)", "budgets.answers.limit", Demand.AT_MOST, 5, "secondary"),
        Rule("RTS 2018/389 art. 4(3)(b)", "budgets.consecutive", Demand.AT_MOST, 5, "secondary"),
        Rule("RTS 2018/389 art. 4(3)(d)", "lifetimes.question", Demand.AT_MOST, 300, "secondary"),
        Rule("RTS 2018/389 art. 16", "actions.*.stakes", Demand.LOW_VALUE, (30, 100, 5), "secondary"),
    ),
)
"""Commission Delegated Regulation (EU) 2018/389: strong customer authentication, remote low-value payments in EUR."""

us_cpni: Final = Floor(
    name="us_cpni",
    rules=(
        Rule("47 CFR 64.2010(b)", "actions.*", Demand.NO_KNOWLEDGE_ALONE, "a password or a call-back", "secondary"),
        Rule("47 CFR 64.2003(b)", "lifetimes.cool_off", Demand.AT_LEAST, 2592000, "secondary"),
    ),
)
"""US customer proprietary network information over the telephone."""

pci: Final = Floor(
    name="pci",
    rules=(
        Rule("PCI DSS 4.0.1 8.3.4", "budgets.answers.limit", Demand.AT_MOST, 10, "secondary"),
        Rule("PCI DSS 4.0.1 8.3.4", "budgets.codes.limit", Demand.AT_MOST, 10, "secondary"),
        Rule("PCI DSS 4.0.1 8.3.4", "budgets.answers.window", Demand.AT_LEAST, 1800, "secondary"),
        Rule("PCI DSS 4.0.1 8.2.8", "lifetimes.question", Demand.AT_MOST, 900, "secondary"),
    ),
)
"""PCI DSS 4.0.1: attempts and idle time. Card numbers and security codes are refused everywhere, whatever the floor."""
