"""CAMARA APIs of carriers: what they know of a number, and codes that they send and judge themselves.

Written to SIM Swap 2.1.0, Device Swap 1.0.0, Call Forwarding Signal 0.4.0, Number Recycling 0.2.0, KYC Match 0.4.0,
KYC Tenure 0.3.0-rc.1, Number Verification 2.1.0 and One Time Password SMS 1.1.1.
"""

from kyc_verify.signals.camara.client import AsyncCamara, Camara

__all__ = ["AsyncCamara", "Camara"]
