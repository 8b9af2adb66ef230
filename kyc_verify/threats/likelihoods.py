"""How likely each outcome of one check is, for the customer and for every class of attacker.

An impostor's cell is an upper bound: P(at least this outcome | class, all that happened before, best strategy and
time to prepare). The genuine column affects only how many customers are turned away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final, cast

from kyc_verify.errors import ConfigurationError, InvalidPolicy, PolicyError
from kyc_verify.terms import Outcome
from kyc_verify.threats._weights import Number, exact, holds, ladder

__all__ = ["FLOOR", "GENUINE", "Fault", "Likelihoods", "is_name", "refuse"]

Fault = tuple[str, str]
"""Where something is wrong, as in ``classes.phisher.pass``, and what to do about it."""

GENUINE: Final = "genuine"
"""The name of the customer's column beside those of the classes."""

FLOOR: Final = Fraction(1, 1000)
"""No impostor's cell is lower, unless cryptography says so: nobody measures one in a thousand."""

_MAX_TRIES: Final = 10
_MAX_NAME: Final = 64
_LADDER: Final = (Outcome.FAIL, Outcome.NEAR, Outcome.PASS)

Column = dict[Outcome, Fraction]


def is_name(name: object) -> bool:
    """Whether this can name a class, a row or a field: printable, trimmed, at most 64 characters."""
    return isinstance(name, str) and 0 < len(name) <= _MAX_NAME and name.isprintable() and name == name.strip()


def refuse(faults: list[Fault]) -> None:
    """Raise every fault at once.

    Raises:
        InvalidPolicy: there is at least one.
    """
    if faults:
        raise InvalidPolicy([PolicyError(path, message) for path, message in faults])


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihoods:
    """What one check's outcomes are worth: P(outcome | genuine) and P(outcome | class) for every class.

    Probabilities are texts (``"0.05"``, ``"1/20"``), numbers or fractions, taken as they are written. FAIL may be left
    out: it is the rest. DECLINED counts as FAIL, or "I cannot recall" would be the cheapest attack there is. A check
    without NEAR has no cell for it, and evidence of NEAR then weighs as FAIL. What cannot be obtained (UNAVAILABLE)
    has no probability and weighs 0.

    Attributes:
        genuine: P(outcome | the customer); each between 0 and 1.
        classes: For every class of the threat model, P(outcome | class) as an upper bound; at least `FLOOR`.
        source: Where the figures come from.
        tries: How many tries of one run, together, the cells are meant for.
        cryptographic: Whether cells below `FLOOR` are meant, because only breaking a key would do better.
        exposed: Whether an incident lets every class pass for certain; `classes` then says so.
        weights: For every class the centibits of each outcome, derived.

    Raises:
        InvalidPolicy: every fault at once, with its path.

    Example:
        >>> tap = Likelihoods(genuine={Outcome.PASS: "0.8"}, classes={"phisher": {Outcome.PASS: "0.1"}})
        >>> tap.weights["phisher"][Outcome.PASS]
        300
    """

    genuine: Mapping[Outcome, Number]
    classes: Mapping[str, Mapping[Outcome, Number]]
    source: str = ""
    tries: int = 1
    cryptographic: bool = False
    exposed: bool = False
    weights: Mapping[str, Mapping[Outcome, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns, faults = _read(self)
        refuse(faults)
        genuine = columns.pop(GENUINE)
        weights = {name: _weigh(f"classes.{name}", genuine, column, faults) for name, column in columns.items()}
        refuse(faults)
        object.__setattr__(self, "genuine", MappingProxyType(genuine))
        object.__setattr__(self, "classes", MappingProxyType({n: MappingProxyType(c) for n, c in columns.items()}))
        object.__setattr__(self, "weights", MappingProxyType(weights))

    def __hash__(self) -> int:
        return hash((tuple(self.genuine.items()), tuple(self.classes), self.tries))

    def column(self, name: str) -> Mapping[Outcome, Fraction]:
        """Return the probabilities of `GENUINE` or of a class, lowest outcome first, summing to exactly 1."""
        return cast("Mapping[Outcome, Fraction]", self.genuine if name == GENUINE else self.classes[name])


def _read(given: Likelihoods) -> tuple[dict[str, Column], list[Fault]]:
    """Return the columns by name, the genuine one first, and everything that is wrong with them."""
    plain: dict[str, tuple[object, type]] = {
        "source": (given.source, str),
        "tries": (given.tries, int),
        "cryptographic": (given.cryptographic, bool),
        "exposed": (given.exposed, bool),
    }
    faults = [(name, f"must be a {kind.__name__}") for name, (value, kind) in plain.items() if type(value) is not kind]
    if type(given.tries) is int and not 1 <= given.tries <= _MAX_TRIES:
        faults.append(("tries", f"must be from 1 to {_MAX_TRIES}"))
    genuine = _read_column(GENUINE, given.genuine, faults)
    _check_genuine(genuine, faults)
    columns = {GENUINE: genuine}
    by_name = given.classes if _is_mapping(given.classes) else {}
    if not by_name:
        faults.append(("classes", "name at least one class of attacker and its probabilities"))
    for name in sorted(by_name, key=str):
        path = f"classes.{name}"
        if not is_name(name) or name == GENUINE:
            faults.append((path, f"a class has a printable name of at most {_MAX_NAME} characters, not {GENUINE!r}"))
        elif given.exposed:
            columns[name] = {outcome: Fraction(outcome is Outcome.PASS) for outcome in genuine}
        else:
            columns[name] = _read_column(path, by_name[name], faults)
            _check_class(path, columns[name], genuine, faults, lowest=Fraction(0) if given.cryptographic else FLOOR)
    return columns, faults


def _is_mapping(given: object) -> bool:
    return isinstance(given, Mapping)


def _read_column(path: str, given: object, faults: list[Fault]) -> Column:
    """Return the column in the order of the ladder, DECLINED within FAIL; empty if there is a fault."""
    if not isinstance(given, Mapping):
        faults.append((path, "must map outcomes to probabilities"))
        return {}
    cells: Column = {}
    for outcome, value in given.items():
        if outcome not in {*_LADDER, Outcome.DECLINED}:
            faults.append((f"{path}.{outcome}", "has no probability; give pass, near, fail and declined"))
            continue
        try:
            cells[Outcome(outcome)] = exact(value)
        except ConfigurationError as error:
            faults.append((f"{path}.{outcome}", str(error)))
    if len(cells) < len(given):
        return {}
    total = sum(cells.values())
    if total > 1 or (Outcome.FAIL in cells and total < 1):
        faults.append((path, f"the probabilities sum to {total}, not to 1; leave fail out to give it the rest"))
        return {}
    accepted: Column = {outcome: cells[outcome] for outcome in _LADDER[1:] if outcome in cells}
    return {Outcome.FAIL: 1 - sum(accepted.values(), Fraction(0)), **accepted}


def _check_genuine(column: Column, faults: list[Fault]) -> None:
    if column and Outcome.PASS not in column:
        faults.append((GENUINE, "give the probability of a pass"))
    for outcome, p in column.items():
        if not 0 < p < 1:
            advice = "nothing is that sure; a check without near leaves it out"
            faults.append((f"{GENUINE}.{outcome}", f"is {p}, and {advice}"))


def _check_class(path: str, column: Column, genuine: Column, faults: list[Fault], *, lowest: Fraction) -> None:
    if not column or not genuine:
        return  # its fault is told already
    for outcome in _LADDER:
        p = column.get(outcome, Fraction(0))
        if outcome in column and outcome not in genuine:
            faults.append((f"{path}.{outcome}", "has no counterpart in the genuine column; give both or neither"))
        elif outcome in genuine and (p < lowest or not p):
            advice = "raise it, or say cryptographic=True if only breaking a key would do better; never 0"
            faults.append((f"{path}.{outcome}", f"is {p}, below the floor of 0.001: {advice}"))


def _weigh(path: str, genuine: Column, column: Column, faults: list[Fault]) -> Mapping[Outcome, int]:
    weights = dict(zip(genuine, ladder(tuple(genuine.values()), tuple(column.values())), strict=True))
    # The bound rests on this inequality: it is proved of every row, from its cells and its rounded weights alone.
    if not holds(tuple(column.values()), tuple(weights.values())):
        faults.append((path, "its weights would break the bound: a defect of this library, please report it"))
    fail = weights[Outcome.FAIL]
    return MappingProxyType(
        {
            Outcome.PASS: weights[Outcome.PASS],
            Outcome.NEAR: weights.get(Outcome.NEAR, fail),
            Outcome.FAIL: fail,
            Outcome.DECLINED: fail,
            Outcome.UNAVAILABLE: 0,
        }
    )
