"""Hypothesis strategies for laws about verifications: policies, evidence, threat models, answers, numbers.

Needs Hypothesis (the extra ``testing``).
"""

from kyc_verify.testing.strategies._answers import Answer, answers, perturbed, phone_numbers, slips
from kyc_verify.testing.strategies._policies import evidence, outcomes, policies, threat_models

__all__ = [
    "Answer",
    "answers",
    "evidence",
    "outcomes",
    "perturbed",
    "phone_numbers",
    "policies",
    "slips",
    "threat_models",
]
