"""Secrets at rest: the keyring, the slow hash for answers, fast keyed tags for codes, grants and names."""

from kyc_verify.hashing.hasher import SecretHasher, Verified
from kyc_verify.hashing.keyed import CodeContext
from kyc_verify.hashing.keyring import Keyring
from kyc_verify.hashing.records import AnswerContext

__all__ = ["AnswerContext", "CodeContext", "Keyring", "SecretHasher", "Verified"]
