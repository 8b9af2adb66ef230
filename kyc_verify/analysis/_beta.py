"""The two functions that calibration needs: quantiles of Beta, and the evidence of Dirichlet counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, log1p
from typing import Final

__all__ = ["log_evidence", "quantile"]

_TINY: Final = 1e-300
_CLOSE: Final = 1e-15
_MOST: Final = 10_000
_HALVINGS: Final = 100


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    found = d
    for m in range(1, _MOST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1 + term * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + term / c
            c = c if abs(c) > _TINY else _TINY
            step = d * c
            found *= step
        if abs(step - 1) < _CLOSE:
            break
    return found


def _below(a: float, b: float, x: float) -> float:
    """Return P(Beta(a, b) <= x)."""
    if not 0 < x < 1:
        return float(x >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def quantile(a: float, b: float, level: float) -> float:
    """Return the x with P(Beta(a, b) <= x) = level."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _below(a, b, middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def log_evidence(prior: Sequence[float], counts: Sequence[int]) -> float:
    """Return the log probability of a sequence with these counts, its probabilities drawn from a Dirichlet."""
    found = lgamma(sum(prior)) - lgamma(sum(prior) + sum(counts))
    return found + sum(lgamma(a + n) - lgamma(a) for a, n in zip(prior, counts, strict=True))
