"""The secret keys, kept outside the database: one random value for each id, the active one first.

Every key in use is derived from an entry with HKDF-SHA256 (RFC 5869) under a label of its own, so that a tag made for
one purpose is never good for another. Each record names the id of its key.

An entry is *active* (the first that is nothing else: new things are made with it), *retired* (those after it: what was
made with it still verifies, and is replaced when it next passes), *archived* (no longer a pepper: nothing verifies with
it) or *staged* (not active yet: it goes to every node before one of them uses it). Old audit records need the chain key
of their entry, so archive an entry instead of removing it; names that must not change when keys do are made with the
last entry.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, NoReturn, Self, SupportsIndex

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.hashing import entries
from kyc_verify.terms import Secret

__all__ = ["Closed", "Keyring", "Label", "hkdf"]

_SALT: Final = b"kyc_verify keyring 1"


class Label(StrEnum):
    """What a derived key is for."""

    PEPPER = "pepper"
    SEAL = "seal"
    CODE = "code"
    GRANT = "grant"
    CONTACT = "contact"
    CHAIN = "chain"
    ORDER = "order"
    WINDOW = "window"
    SEED = "seed"


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """Derive a key: HKDF-SHA256, RFC 5869 section 2."""
    extracted = hmac.digest(salt, secret, "sha256")
    block, out = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


class Closed:
    """Base of what holds keys: it is neither shown, copied nor serialised."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"  # without state: a traceback may show it half built

    def _refuse(self, *_: object) -> NoReturn:
        msg = "what holds keys is never copied or serialised; build it again from its source"
        raise UsageError(msg)

    def __copy__(self) -> NoReturn:
        self._refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse()


class Keyring(Closed):
    """Keys by id.

    Args:
        keys: At least 32 random bytes for each id, the newest first. An id is 1 to 32 of ``A-Z a-z 0-9 . _ -``.
        archived: Ids that are no longer peppers.
        staged: Ids that are not used for new things yet.

    Raises:
        ConfigurationError: there is no key, or one is too short, not random, or there twice. It never quotes a value.

    Security:
        Whoever has these and the database can guess answers (see "Answers at rest" in the documentation). Keep them
        where the database's backups do not go.
    """

    __slots__ = ("__derived", "__ids", "__oldest", "__peppers", "__retired")

    def __init__(
        self,
        keys: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
        *,
        archived: Collection[str] = (),
        staged: Collection[str] = (),
    ) -> None:
        given = entries.pairs(keys)
        faults = "; ".join(entries.faults(given, archived, staged))
        if faults:
            del keys, given  # a traceback that shows local variables must not show a key
            raise ConfigurationError(faults)
        names: list[str] = [name for name, _ in given]
        active, *retired = [name for name in names if name not in archived and name not in staged]
        self.__ids = (active, *[name for name in names if name != active])
        self.__peppers = frozenset(name for name in names if name not in archived)
        self.__retired = frozenset(retired)
        self.__oldest = names[-1]
        self.__derived = {
            (label, name): hkdf(key, salt=_SALT, info=label.encode()) for name, key in given for label in Label
        }

    @classmethod
    def from_env(cls, name: str = "KYC_VERIFY_PEPPER", *, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``id:value,id:value`` from an environment variable, the newest entry first.

        A value is base64 or hexadecimal. ``id:value:archived`` is no longer a pepper, ``id:value:staged`` not active
        yet; a value alone has the id ``1``.

        Raises:
            ConfigurationError: the variable is not set, or as the class says.
        """
        value = Secret((os.environ if environ is None else environ).get(name, ""))
        environ = None  # as above
        if not value:
            msg = (
                f"{name} is not set; make a value, to be kept out of the database, with"
                ' python -c "from kyc_verify import Keyring; print(Keyring.new_entry())"'
            )
            raise ConfigurationError(msg)
        return cls._parsed(value, name)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file of such entries, one a line or with commas between.

        Raises:
            ConfigurationError: the file cannot be read, or as the class says.
        """
        try:
            value = Secret(Path(path).read_bytes().decode("utf-8", "replace"))
        except OSError as error:
            msg = f"the keyring file cannot be read: {error.strerror}"
            raise ConfigurationError(msg) from error
        return cls._parsed(value, "the keyring file")

    @classmethod
    def _parsed(cls, value: Secret, where: str) -> Self:
        try:
            return cls(**entries.parsed(value.reveal()))
        except ConfigurationError as error:
            fault = f"{where}: {error}"
        raise ConfigurationError(fault)  # from here, where no frame and no context holds a value

    @staticmethod
    def new_entry(key_id: str = "1") -> str:
        """Return a fresh ``id:value``, for the environment or a file. To rotate, put it before what is there."""
        return entries.new_entry(key_id)

    @property
    def active(self) -> str:
        """Id of the key that new things are made with."""
        return self.__ids[0]

    @property
    def oldest(self) -> str:
        """Id of the last entry: what must outlive a rotation is made with it."""
        return self.__oldest

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, the active one first."""
        return self.__ids

    @property
    def peppers(self) -> frozenset[str]:
        """Ids that answers verify with: all but the archived ones."""
        return self.__peppers

    @property
    def retired(self) -> frozenset[str]:
        """Ids whose credentials are being replaced."""
        return self.__retired

    def key(self, label: Label, key_id: str | None = None) -> bytes:
        """Return the derived key of an entry (by default the active one), for the library's own use.

        Raises:
            ConfigurationError: there is no such entry.
        """
        found = self.__derived.get((label, self.active if key_id is None else key_id))
        if found is None:
            msg = "this key is not in the keyring; archive an entry instead of removing it"
            raise ConfigurationError(msg)
        return found

    def chain_keys(self) -> Mapping[str, bytes]:
        """Return the audit chain's keys by id, archived ones included, for `audit.verify`."""
        return MappingProxyType({name: self.__derived[Label.CHAIN, name] for name in self.__ids})
