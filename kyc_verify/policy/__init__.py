"""Policies: which layers there are, and what each action demands of them."""

from kyc_verify.policy.policy import Policy
from kyc_verify.policy.requirement import LOW_RISK, Requirement, Tier

__all__ = ["LOW_RISK", "Policy", "Requirement", "Tier"]
