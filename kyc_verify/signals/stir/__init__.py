"""STIR/SHAKEN: whether the `Identity` header of a call holds (RFC 8224, 8225, 8226, 8588, 8946).

Nothing here fetches anything and nothing reads a clock: the certificates come from a provider that the host supplies,
the time is an argument. Signatures are checked by `cryptography`.
"""

from __future__ import annotations

from kyc_verify.signals.stir.certificates import Certificates, Chain, TrustedCertificates
from kyc_verify.signals.stir.reasons import REASONS
from kyc_verify.signals.stir.replay import ReplayWindow
from kyc_verify.signals.stir.verify import FRESH, verify_identity

__all__ = ["FRESH", "REASONS", "Certificates", "Chain", "ReplayWindow", "TrustedCertificates", "verify_identity"]
