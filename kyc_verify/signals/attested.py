"""How well the network vouches for the presented number: the one value that every reader of attestations returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from kyc_verify.errors import NoTruthValue

__all__ = ["LEVELS", "AttestationStatus", "Attested"]


class AttestationStatus(StrEnum):
    """What came of looking at an attestation.

    ``A``, ``B`` and ``C`` were verified (RFC 8588 section 4: full, partial, gateway). ``failed``: there is one, and it
    does not hold. ``none``: there is none that says anything of the number. ``unavailable``: it could not be checked.
    ``unknown``: a platform used a word that it has not documented.
    """

    A = "A"
    B = "B"
    C = "C"
    FAILED = "failed"
    NONE = "none"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


LEVELS: Final = (AttestationStatus.A, AttestationStatus.B, AttestationStatus.C)
"""What a verified attestation can say, the strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What is known of the presented number's attestation; nothing personal is in it.

    Attributes:
        status: What came of it.
        reason: A stable word for why, for the auditor: a key of `stir.REASONS` or of `verstat.REASONS`.
        diverted: The call was diverted or passed on: the level is of the call to somebody else's number.
    """

    status: AttestationStatus
    reason: str
    diverted: bool = False

    @property
    def attestation(self) -> str | None:
        """What `Call` takes as its attestation: ``A``, ``B``, ``C``, ``failed`` or None.

        What could not be checked is worth what no attestation is worth, which the caller could have had by leaving it
        out: None. So is a diverted call's: whoever is called by a customer can send that call on to anybody, and
        the level is then no word of who is speaking.
        """
        if self.status is AttestationStatus.FAILED:
            return self.status.value
        return self.status.value if self.status in LEVELS and not self.diverted else None

    def __str__(self) -> str:
        return self.status.value

    def __bool__(self) -> NoReturn:
        msg = "an Attested has no truth value; ask for its status, or pass its attestation to Call"
        raise NoTruthValue(msg)
