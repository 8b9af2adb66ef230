"""The hot half of a composite store in Redis: `RedisStore` and its async twin, for `CompositeStore`.

A Redis that may forget is no store: it must write an append-only file and must not evict.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline
from redis.exceptions import NoPermissionError, RedisError

from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.stores._hot import SCRIPT, Epoch, Hot

__all__ = ["AsyncRedisStore", "RedisStore"]

_FAILED: Final = "Redis failed; nothing was revealed: look at the status"
_FORBIDDEN: Final = (
    "this account of Redis may not do what the library needs; nothing was revealed: allow it +@read, +@write, "
    "+@scripting and +info on the keys of its prefix"
)
_IN_SCRIPT: Final = ("ACL failure in script", "The user executing the script can't run this command")
"""How Redis says inside a script that the account may not, since 7 and before."""
_FIELDS: Final = ("id", "lost")
_NOTHING: Final = json.dumps({"step": "look", "epoch": "", "budgets": []})
"""A step of an epoch that there never is: it reads, and does nothing."""


def _failed(error: Exception) -> StoreError:
    """Return what to raise instead: the text of the client's error may hold what was sent, and is not kept."""
    forbidden = isinstance(error, NoPermissionError) or any(each in str(error) for each in _IN_SCRIPT)
    return StoreError(_FORBIDDEN if forbidden else _FAILED)


def _faults(info: Mapping[str, Any], fsync: str | None) -> list[str]:
    """Return what is wrong with a server's settings, as what to do."""
    found = []
    if int(info.get("aof_enabled", 0)) != 1:
        found.append("set appendonly yes")
    if fsync == "no":
        found.append("set appendfsync to always or everysec")
    if info.get("maxmemory_policy") != "noeviction":
        found.append("set maxmemory-policy noeviction")
    if info.get("role") != "master":
        found.append("connect to the primary, not to a replica")
    return found


class _OnRedis(Hot):
    """What both have in common: every call to the client may be awaited or not."""

    def __init__(self, client: Any, *, prefix: str, allow_data_loss: bool) -> None:  # noqa: ANN401 - either client
        if type(prefix) is not str or not prefix:
            msg = "prefix must be a text that no other program's keys begin with"
            raise ConfigurationError(msg)
        super().__init__(prefix)
        self._client = client
        self._script = client.register_script(SCRIPT)
        self._allow_data_loss = allow_data_loss

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    async def _ask(self, found: Any) -> Any:  # noqa: ANN401 - what the client returns
        return await found if isinstance(found, Awaitable) else found

    async def _run(self, keys: Sequence[str], arguments: str) -> list[Any]:
        failure = None
        try:
            return list(await self._ask(self._script(keys=list(keys), args=[arguments])))
        except (RedisError, OSError) as error:
            failure = _failed(error)
        raise failure

    async def check(self) -> None:
        """Check that what is written is kept (said by name that it need not be, only warn), and that steps can be run.

        Raises:
            StoreError: the server may forget, does not answer, or refuses this account what a step needs.
        """
        failure, fsync, info = None, None, {}
        try:
            for section in ("persistence", "memory", "replication"):
                info.update(await self._ask(self._client.info(section)))
        except (RedisError, OSError) as error:
            failure = _failed(error)
        if failure is not None:
            raise failure
        try:
            fsync = (await self._ask(self._client.config_get("appendfsync"))).get("appendfsync")
        except (RedisError, OSError):
            fsync = None  # managed servers do not tell
        if faults := _faults(info, fsync):
            msg = f"this Redis may forget tries that were made: {'; '.join(faults)}"
            if not self._allow_data_loss:
                raise StoreError(msg)
            warnings.warn(msg, RuntimeWarning, stacklevel=2)
        await self._run([self._epoch_key()], _NOTHING)

    async def read_epoch(self) -> Epoch | None:
        """See `Hot.read_epoch`."""
        failure = None
        try:
            return self._epoch_of(await self._ask(self._client.hmget(self._epoch_key(), *_FIELDS)))
        except (RedisError, OSError) as error:
            failure = _failed(error)
        except (ValueError, OverflowError):
            msg = "Redis holds an epoch that the library did not write: give RedisStore a prefix that nobody else uses"
            failure = StoreError(msg)
        raise failure

    async def write_epoch(self, epoch: Epoch, *, over: bool) -> None:
        """See `Hot.write_epoch`."""
        fields, failure = self._epoch_fields(epoch), None
        try:
            if over:
                await self._ask(self._client.hset(self._epoch_key(), mapping=fields))
                return
            # The id last, by one conditional write: whoever reads it reads the others too.
            for name in ("lost", "id"):
                await self._ask(self._client.hsetnx(self._epoch_key(), name, fields[name]))
        except (RedisError, OSError) as error:
            failure = _failed(error)
        if failure is not None:
            raise failure


class RedisStore(_OnRedis):
    """Sessions' claims, and tries inside a window, in Redis: the `hot` half of a `CompositeStore`.

    It is no store by itself: what must be kept for good goes to the `durable` half.

    Args:
        client: A `redis.Redis`; give it a `socket_timeout`, or a slow server holds callers for as long as it likes.
        prefix: Of every key.
        allow_data_loss: Only warn where the server writes no append-only file, or evicts. What it then forgets is
            found out when all of it is gone, and not when a part of it is: **guesses above the budget**.

    Raises:
        ConfigurationError: the client is not a `redis.Redis`.
    """

    def __init__(self, client: Redis, *, prefix: str = "kyc", allow_data_loss: bool = False) -> None:
        given: object = client
        if not isinstance(given, Redis) or isinstance(given, Pipeline):
            msg = "RedisStore takes a redis.Redis, not a pipeline of it; for a redis.asyncio.Redis use AsyncRedisStore"
            raise ConfigurationError(msg)
        super().__init__(client, prefix=prefix, allow_data_loss=allow_data_loss)


class AsyncRedisStore(_OnRedis):
    """`RedisStore` for a `redis.asyncio.Redis`, and the `hot` half of an `AsyncCompositeStore`."""

    def __init__(self, client: AsyncRedis, *, prefix: str = "kyc", allow_data_loss: bool = False) -> None:
        given: object = client
        if not isinstance(given, AsyncRedis) or isinstance(given, AsyncPipeline):
            msg = "AsyncRedisStore takes a redis.asyncio.Redis, not a pipeline of it; for a redis.Redis use RedisStore"
            raise ConfigurationError(msg)
        super().__init__(client, prefix=prefix, allow_data_loss=allow_data_loss)
