"""What a policy lets through: exact rates, ways in, lint, the order of questions, incidents, calibration.

Pure Python over the core. Nothing is estimated: where there are too many outcomes to go through, it says so.
"""

from kyc_verify.analysis.calibration import MISMATCHED, Calibration, Drift, Fit, Kept, LabelledCall, calibrate
from kyc_verify.analysis.capabilities import Capabilities, Capability
from kyc_verify.analysis.incident import ActionChange, Comparison, Detour, compare
from kyc_verify.analysis.linting import CODES, Code, Finding, lint
from kyc_verify.analysis.order import Ordered, OrderReport, question_order
from kyc_verify.analysis.paths import AttackPaths, Path, Way, attack_paths
from kyc_verify.analysis.rates import ErrorRates, Rates, curve, error_rates

__all__ = [
    "CODES",
    "MISMATCHED",
    "ActionChange",
    "AttackPaths",
    "Calibration",
    "Capabilities",
    "Capability",
    "Code",
    "Comparison",
    "Detour",
    "Drift",
    "ErrorRates",
    "Finding",
    "Fit",
    "Kept",
    "LabelledCall",
    "OrderReport",
    "Ordered",
    "Path",
    "Rates",
    "Way",
    "attack_paths",
    "calibrate",
    "compare",
    "curve",
    "error_rates",
    "lint",
    "question_order",
]
