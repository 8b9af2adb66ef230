"""The slow hash: Argon2id (RFC 9106), what it may cost, and what is too cheap."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kyc_verify.credentials import Argon2Profile
from kyc_verify.errors import Busy, ConfigurationError

__all__ = ["FLOOR", "PROFILES", "argon2id", "bounded", "cost", "profile", "ready"]

PROFILES: Final[Mapping[str, Argon2Profile]] = MappingProxyType(
    {
        "rfc9106_low_memory": Argon2Profile(memory=65536, time=3, parallelism=4),  # RFC 9106 section 4, second choice
        "owasp": Argon2Profile(memory=19456, time=2, parallelism=1),
    },
)
"""Profiles by name."""

FLOOR: Final = tuple(
    Argon2Profile(memory=memory, time=time, parallelism=1)
    for memory, time in ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))
)
"""The least that is accepted, OWASP Password Storage Cheat Sheet: at least the memory and the time of one of these."""

_MOST_MEMORY: Final = 1 << 21  # RFC 9106 section 4, first choice: 2 GiB
_MOST_TIME: Final = 64
_MOST_PARALLELISM: Final = 16
_MOST_WORK: Final = 1 << 22  # 4 GiB filled: twice the first choice
_BLOCKS_PER_LANE: Final = 8  # RFC 9106 section 3.1


def bounded(candidate: object, floor: tuple[Argon2Profile, ...] = FLOOR) -> bool:
    """Whether a profile, read from a record or given, is strong enough and not so dear that it is an attack."""
    if type(candidate) is not Argon2Profile:
        return False
    memory, time, parallelism = candidate.memory, candidate.time, candidate.parallelism
    if not all(type(number) is int and number > 0 for number in (memory, time, parallelism)):
        return False
    if not _BLOCKS_PER_LANE * parallelism <= memory <= _MOST_MEMORY:
        return False
    if time > _MOST_TIME or parallelism > _MOST_PARALLELISM or memory * time > _MOST_WORK:
        return False
    return any(memory >= least.memory and time >= least.time for least in floor)


def profile(given: object, floor: tuple[Argon2Profile, ...] = FLOOR) -> Argon2Profile:
    """Return the profile of a name, or a profile of one's own.

    Raises:
        ConfigurationError: there is no such name, or it is weaker than OWASP's minimum or absurdly dear.
    """
    found = PROFILES.get(given) if type(given) is str else given
    if isinstance(found, Argon2Profile) and bounded(found, floor):
        return found
    msg = (
        f"an Argon2 profile is one of {', '.join(sorted(PROFILES))} or an Argon2Profile no weaker than OWASP's minimum"
        " (in KiB and passes: 47104/1, 19456/2, 12288/3, 9216/4 or 7168/5) of at most 2 GiB, 64 passes and 16 lanes"
    )
    raise ConfigurationError(msg)


def cost(which: Argon2Profile) -> tuple[int, int]:
    """Order profiles: by memory filled, then by memory held."""
    return which.memory * which.time, which.memory


def ready() -> None:
    """Load the library, so that one that is missing or broken is found at the start.

    Raises:
        ConfigurationError: it cannot be loaded; there is no other hash to fall back to.
    """
    try:
        import argon2.low_level  # noqa: F401, PLC0415 - 7 ms that `import kyc_verify` need not cost
    except Exception as error:
        msg = "argon2-cffi cannot be loaded; run: pip install argon2-cffi"
        raise ConfigurationError(msg) from error


def argon2id(password: bytes, salt: bytes, costs: Argon2Profile) -> bytes:
    """Return 32 bytes of Argon2id.

    Raises:
        Busy: there was not the memory for it; nothing was compared.
    """
    from argon2.exceptions import HashingError  # noqa: PLC0415 - as in `ready`
    from argon2.low_level import Type, hash_secret_raw  # noqa: PLC0415

    try:
        return hash_secret_raw(password, salt, costs.time, costs.memory, costs.parallelism, 32, Type.ID)
    except HashingError:
        msg = "there is not enough memory for the slow hash; run fewer at once, or choose a smaller profile"
    del password  # a traceback that shows local variables must not show it; nor has this error a context
    raise Busy(msg)
