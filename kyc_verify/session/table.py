"""What may follow what: the whole state machine as one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kyc_verify.decision import Verdict

__all__ = ["ENDED", "TABLE", "Happening"]


class Happening(StrEnum):
    """What can happen to a run."""

    ANSWERED = "answered"
    DECLINED = "declined"
    CLARIFIED = "clarified"
    RESENT = "resent"
    TRANSFERRED = "transferred"
    STEPPED_UP = "stepped_up"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_V = Verdict
_OPEN: Final = frozenset((_V.PENDING, _V.VERIFIED, _V.STEP_UP, _V.DENIED))
_ASIDE: Final = frozenset((_V.PENDING, _V.STEP_UP))
_LOST: Final = frozenset((_V.DENIED,))

TABLE: Final[Mapping[tuple[Verdict, Happening], frozenset[Verdict]]] = MappingProxyType(
    {
        (_V.PENDING, Happening.ANSWERED): _OPEN,
        (_V.PENDING, Happening.DECLINED): _OPEN,
        (_V.PENDING, Happening.CLARIFIED): frozenset((_V.PENDING,)),
        (_V.PENDING, Happening.RESENT): frozenset((_V.PENDING,)),
        (_V.PENDING, Happening.TRANSFERRED): _ASIDE,
        (_V.PENDING, Happening.CANCELLED): _LOST,
        (_V.PENDING, Happening.EXPIRED): _LOST,
        (_V.STEP_UP, Happening.TRANSFERRED): _ASIDE,
        (_V.STEP_UP, Happening.CANCELLED): _LOST,
        (_V.STEP_UP, Happening.EXPIRED): _LOST,
        (_V.VERIFIED, Happening.STEPPED_UP): _OPEN | {_V.EXEMPT, _V.REVIEW},
        (_V.VERIFIED, Happening.TRANSFERRED): frozenset((_V.VERIFIED,)),
        (_V.VERIFIED, Happening.CANCELLED): _LOST,
        (_V.EXEMPT, Happening.STEPPED_UP): _OPEN | {_V.EXEMPT, _V.REVIEW},
        (_V.EXEMPT, Happening.TRANSFERRED): frozenset((_V.EXEMPT,)),
        (_V.EXEMPT, Happening.CANCELLED): _LOST,
    },
)
"""From which verdict, by what, to which verdicts. What is not here does not happen."""

ENDED: Final = frozenset(_V) - _ASIDE
"""Verdicts that no answer changes any more."""
