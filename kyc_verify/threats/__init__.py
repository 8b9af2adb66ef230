"""Who attacks, and what each outcome of each check says against each of them, as a table of probabilities.

For an outcome `o` of a check and a class `c` of attackers, the weight is ``log2(P(o | genuine) / P(o | c))``, rounded
down to a centibit. `ThreatModel.default` is the shipped table; `docs/threat-model.md` explains its cells and what the
bound assumes.
"""

from kyc_verify.threats._weights import MAX_BITS, Number, run_penalty, threshold, threshold_bits
from kyc_verify.threats.likelihoods import FLOOR, GENUINE, Fault, Likelihoods
from kyc_verify.threats.model import ThreatModel
from kyc_verify.threats.rows import POINT, POINTS, AttackerClass, Origin, Row

__all__ = [
    "FLOOR",
    "GENUINE",
    "MAX_BITS",
    "POINT",
    "POINTS",
    "AttackerClass",
    "Fault",
    "Likelihoods",
    "Number",
    "Origin",
    "Row",
    "ThreatModel",
    "run_penalty",
    "threshold",
    "threshold_bits",
]
