"""The arithmetic of the score, in integers: weights, their proof, and thresholds.

A weight is a whole number of centibits: the largest `w` with ``2 ** (w / 100) <= P(o | genuine) / P(o | class)``, so
it is the same on every platform. Weights round down and thresholds round up: what is rounded never helps a caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Final

from kyc_verify.errors import ConfigurationError, UsageError

__all__ = ["MAX_BITS", "Number", "exact", "holds", "ladder", "run_penalty", "threshold", "threshold_bits"]

Number = int | str | float | Decimal | Fraction

MAX_BITS: Final = 1000
"""No threshold is higher; whatever asks for more is a mistake."""

_SCALE: Final = 100
_MAX_RUNS: Final = 10**9
# Bounded in length and exponent before any arithmetic is done with it.
_WRITTEN: Final = re.compile(r"(?=\.?\d)\d{0,999}(?:/\d{1,999}|(?:\.\d{0,999})?(?:[eE][+-]?\d{1,2})?)\Z", re.ASCII)


def exact(value: Number) -> Fraction:
    """Return the number that is written: a float as it prints, a text as a decimal or a ratio.

    Raises:
        ConfigurationError: not a number of these types, negative, not finite, or written with too many digits.
    """
    if type(value) not in {int, str, float, Decimal, Fraction}:
        msg = "must be a number: an int, float, Decimal or Fraction, or a text such as '0.05' or '1/20'"
        raise ConfigurationError(msg)
    try:
        text = str(value)  # a ValueError for an int of thousands of digits
        return Fraction(text if _WRITTEN.match(text) else "")
    except (ValueError, ZeroDivisionError):
        msg = "must be a finite number of 0 or more, in at most 999 digits"
        raise ConfigurationError(msg) from None


def _floor(numerator: int, denominator: int) -> int:
    """Return the largest w with 2 ** w * denominator ** 100 <= numerator ** 100."""
    a: int = numerator**_SCALE
    b: int = denominator**_SCALE
    w = a.bit_length() - b.bit_length()
    return w if b << max(w, 0) <= a << max(-w, 0) else w - 1


def ladder(genuine: Sequence[Fraction], impostor: Sequence[Fraction]) -> tuple[int, ...]:
    """Return the weight of each outcome, in centibits.

    Neighbours that are out of order are pooled: a pooled group has the ratio of its summed probabilities, which keeps
    the expected ratio of an impostor at 1 (pool-adjacent-violators).

    Args:
        genuine: P(outcome | genuine), lowest rung first; each above 0.
        impostor: P(outcome | class) of the same outcomes; 0 only below an outcome that is not.
    """
    groups: list[tuple[Fraction, Fraction, int]] = []
    for group in zip(genuine, impostor, [1] * len(genuine), strict=True):
        a, b, size = group
        while groups and groups[-1][0] * b > a * groups[-1][1]:
            below = groups.pop()
            a, b, size = a + below[0], b + below[1], size + below[2]
        groups.append((a, b, size))
    weights: list[int] = []
    for a, b, size in groups:
        ratio = a / b
        weights += [_floor(ratio.numerator, ratio.denominator)] * size
    return tuple(weights)


def _fifth_root(n: int) -> int:
    root = 1 << -(-n.bit_length() // 5)
    while (closer := (4 * root + n // root**4) // 5) < root:
        root = closer
    return root


@lru_cache(maxsize=512)
def _power(hundredths: int, digits: int) -> int:
    """Return 2 ** (hundredths / 100 + digits), rounded down: a floor of roots of floors is the floor of the root."""
    return _fifth_root(_fifth_root(isqrt(isqrt(1 << hundredths + _SCALE * digits))))


def _bounds(column: Sequence[Fraction], weights: Sequence[int], digits: int) -> tuple[Fraction, Fraction]:
    low = high = Fraction(0)
    for p, w in zip(column, weights, strict=True):
        if p:
            whole, hundredths = divmod(w, _SCALE)
            unit = p * Fraction(2) ** (whole - digits)
            power = _power(hundredths, digits)
            low += unit * power
            high += unit * (power + bool(hundredths))
    return low, high


def holds(column: Sequence[Fraction], weights: Sequence[int]) -> bool:
    """Whether E[2 ** (weight / 100)] <= 1 for a caller with these probabilities, decided exactly.

    This is what the bound rests on, so it is proved of every row from nothing but its cells and its weights. Roots
    are enclosed between rationals, ever closer until the sum lies on one side of 1. That comes to an end: the powers
    2 ** (r / 100) with 0 <= r < 100 are linearly independent over the rationals, so a sum that is exactly 1 has no
    root in it.
    """
    digits = 64
    while True:
        low, high = _bounds(column, weights, digits)
        if high <= 1 or low > 1:
            return high <= 1
        digits *= 2


def threshold(risk: Number) -> int:
    """Return the centibits that hold the risk: ceil(100 * log2(1 / risk)).

    Args:
        risk: The share of attackers, of whatever class, that may get through in one call; between 0 and 1.

    Raises:
        ConfigurationError: not such a number.

    Example:
        >>> threshold("1/8")
        300
    """
    ratio = exact(risk)
    if not 0 < ratio < 1:
        msg = "a risk lies between 0 and 1, as '1/8' does; to ask for nothing, use Requirement.none()"
        raise ConfigurationError(msg)
    return -_floor(ratio.numerator, ratio.denominator)


def threshold_bits(bits: Number) -> int:
    """Return bits as centibits.

    Args:
        bits: From 0 to `MAX_BITS`, with at most two decimals.

    Raises:
        ConfigurationError: not such a number.

    Example:
        >>> threshold_bits("1.5")
        150
    """
    centibits = exact(bits) * _SCALE
    if centibits.denominator != 1 or centibits > MAX_BITS * _SCALE:
        msg = f"bits are a number from 0 to {MAX_BITS} with at most two decimals"
        raise ConfigurationError(msg)
    return centibits.numerator


def run_penalty(k: int) -> int:
    """Return the centibits that the k-th counted run needs beyond the threshold: ceil(100 * log2(k)).

    Raises:
        UsageError: `k` is not an int of 1 or more.
    """
    if type(k) is not int or not 1 <= k <= _MAX_RUNS:
        msg = f"a run's number is an int from 1 to {_MAX_RUNS}"
        raise UsageError(msg)
    return -_floor(1, k)
