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

import base64
import hmac
import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn, Self, SupportsIndex, TypedDict

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.terms import Secret

__all__ = ["Closed", "Keyring", "Label", "hkdf"]

_LEAST: Final = 32
_MOST: Final = 1024
_DISTINCT: Final = 8  # of 32 random bytes about 30 differ; fewer than 8 do once in 10^40
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")
_SALT: Final = b"kyc_verify keyring 1"
_URL_SAFE: Final = str.maketrans("-_", "+/")
_STATES: Final = ("archived", "staged")


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
        entries = _pairs(keys)
        faults = "; ".join(_faults(entries, archived, staged))
        if faults:
            del keys, entries  # a traceback that shows local variables must not show a key
            raise ConfigurationError(faults)
        names: list[str] = [name for name, _ in entries]
        active, *retired = [name for name in names if name not in archived and name not in staged]
        self.__ids = (active, *[name for name in names if name != active])
        self.__peppers = frozenset([active, *retired, *staged])
        self.__retired = frozenset(retired)
        self.__oldest = names[-1]
        self.__derived = {
            (label, name): hkdf(key, salt=_SALT, info=label.encode()) for name, key in entries for label in Label
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
            return cls(**_entries(value.reveal()))
        except ConfigurationError as error:
            fault = f"{where}: {error}"
        raise ConfigurationError(fault)  # from here, where no frame and no context holds a value

    @staticmethod
    def new_entry(key_id: str = "1") -> str:
        """Return a fresh ``id:value``, for the environment or a file. To rotate, put it before what is there."""
        if type(key_id) is not str or not _ID.fullmatch(key_id):
            raise ConfigurationError(_ID_RULE)
        return f"{key_id}:{base64.b64encode(secrets.token_bytes(_LEAST)).decode()}"

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
            msg = "this key is not in the keyring; put it back, as the last entry or before it"
            raise ConfigurationError(msg)
        return found

    def chain_keys(self) -> Mapping[str, bytes]:
        """Return the audit chain's keys by id, archived ones included, for `audit.verify`."""
        return MappingProxyType({name: self.__derived[Label.CHAIN, name] for name in self.__ids})


_ID_RULE: Final = "a key id is 1 to 32 of A-Z a-z 0-9 . _ -"


class _Given(TypedDict):
    keys: list[tuple[str, bytes]]
    archived: list[str]
    staged: list[str]


def _pairs(keys: object) -> tuple[Any, ...]:
    if isinstance(keys, Mapping):
        return tuple(keys.items())
    return tuple(keys) if isinstance(keys, Iterable) else ()


def _faults(entries: tuple[Any, ...], archived: object, staged: object) -> Iterator[str]:
    """Say what is wrong with the entries, without quoting any: a mistyped id may be a key."""
    if not entries:
        yield "a keyring needs at least one key: a mapping of id to bytes, the newest first"
    ids: list[str] = []
    values: list[bytes] = []
    for at, entry in enumerate(entries, 1):
        name, key = entry if type(entry) is tuple and len(entry) == 2 else (None, None)  # noqa: PLR2004 - a pair
        if type(name) is not str or not _ID.fullmatch(name):
            yield f"key {at}: {_ID_RULE}"
        elif name in ids:
            yield f"key {at} has the id of another"
        else:
            ids.append(name)
        if type(key) is not bytes or not _LEAST <= len(key) <= _MOST or len(set(key)) < _DISTINCT:
            yield f"key {at} must be {_LEAST} to {_MOST} random bytes, as from Keyring.new_entry()"
        elif key in values:
            yield f"key {at} has the value of another"
        else:
            values.append(key)
    for what, given in (("archived", archived), ("staged", staged)):
        if isinstance(given, str) or not isinstance(given, Collection) or not all(name in ids for name in given):
            yield f"{what} must be a set of ids of this keyring"
            return
    if ids and not [name for name in ids if name not in archived and name not in staged]:
        yield "no key is active: one must be neither archived nor staged"
    elif ids and ids[-1] in staged:
        yield "the last key cannot be staged: names are made with it; put a new key first"


def _entries(value: str) -> _Given:
    given = _Given(keys=[], archived=[], staged=[])
    written = re.split(r"[\s,]+", value.strip())
    for at, entry in enumerate(written, 1):
        name, *rest = f"1:{entry}".split(":") if [entry] == written and ":" not in entry else entry.split(":")
        if len(rest) == 2 and rest[1] in _STATES:  # noqa: PLR2004 - a value and a state
            (given["archived"] if rest[1] == "archived" else given["staged"]).append(name)
        elif len(rest) != 1:
            msg = f"entry {at} must be id:value, id:value:archived or id:value:staged"
            raise ConfigurationError(msg)
        given["keys"].append((name, _decoded(rest[0], at)))
    return given


def _decoded(value: str, at: int) -> bytes:
    if _HEX.fullmatch(value):
        return bytes.fromhex(value)
    bare = value.translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        msg = f"entry {at} is neither base64 nor hexadecimal"
        raise ConfigurationError(msg) from None
