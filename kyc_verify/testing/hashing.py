"""A hasher for tests: the real one at a cost of microseconds, counting its slow hashes."""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import ClassVar, Final

from kyc_verify.answers import Forms
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.errors import ConfigurationError
from kyc_verify.hashing import Keyring, SecretHasher

__all__ = ["CheapHasher", "cheap_hasher"]

_CHEAPEST: Final = Argon2Profile(memory=8, time=1, parallelism=1)


class CheapHasher(SecretHasher):
    """A `SecretHasher` that accepts any cost.

    Attributes:
        hashes: How many slow hashes it has run.
    """

    __slots__ = ("_lock", "hashes")

    _floor: ClassVar[tuple[Argon2Profile, ...]] = (_CHEAPEST,)

    def __init__(
        self, keyring: Keyring, *, profile: Argon2Profile = _CHEAPEST, older_profiles: tuple[Argon2Profile, ...] = ()
    ) -> None:
        # Not whether pytest is loaded, which the kit does itself, nor what it leaves in the environment of others.
        plugin = sys.modules.get("kyc_verify.testing.plugin")
        if not getattr(plugin, "sessions", 0) and os.environ.get("KYC_VERIFY_TESTING") != "1":
            msg = "the cheap hasher protects nothing and is for tests: run it under pytest, or set KYC_VERIFY_TESTING=1"
            raise ConfigurationError(msg)
        super().__init__(keyring, profile=profile, older_profiles=older_profiles)
        self.hashes = 0
        self._lock = Lock()

    def _key(self, record: Credential, context: bytes, forms: Forms) -> bytes:
        with self._lock:
            self.hashes += 1
        return super()._key(record, context, forms)


def cheap_hasher(keyring: Keyring | None = None) -> CheapHasher:
    """Return a hasher that tests can afford; by default with a fixed key, so that processes agree.

    Raises:
        ConfigurationError: neither pytest runs nor ``KYC_VERIFY_TESTING=1`` set.
    """
    return CheapHasher(keyring or Keyring({"test": bytes(range(32))}))
