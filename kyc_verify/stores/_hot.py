"""The hot half of a composite store: claims of turns, and tries inside a window, as steps of one script in Redis.

The row of a session in the durable store has the version that was last recorded; here is how often its turns were
claimed. The version that the library sees is their sum: it goes up with every claim and with every record, and is
the same again only if neither happened.
"""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from kyc_verify.errors import StoreError
from kyc_verify.ports import LEASE, Charge
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import conflict

__all__ = ["SCRIPT", "Claimed", "Epoch", "Hot", "Look", "Stale", "state_unknown"]

SCRIPT: Final = (files("kyc_verify") / "data" / "hot.lua").read_text(encoding="utf-8")

_MIDDLE: Final = rows.us(datetime(2200, 1, 1, tzinfo=UTC))
"""Times are told from here: a double then has every microsecond from 1915 to 2485."""
_NEVER: Final = -(2**53)
_SLACK: Final = timedelta(days=1)
"""How much longer a key lives than it counts: clocks may go back, and are not those of the server."""
_LONGEST: Final = timedelta(days=367)
"""Longer than any window."""
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AT_ONCE: Final = 1000
"""Keys that one step drops."""
_FIRST: Final = 10**9
"""The count of a session's claims begins anywhere from 1 to here."""


class Stale(Exception):  # noqa: N818 - never leaves the composite store
    """The durable store's row was read before somebody recorded a step that is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One life of the hot state.

    Attributes:
        id: Drawn when it began; the durable store keeps it too.
        lost: Before this, tries may have been forgotten: a window that reaches back further counts as used up.
    """

    id: int
    lost: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A session as it is hot: its version, when its turn was claimed, and the use of the budgets asked for."""

    version: int
    claimed_at: datetime | None
    used: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What `Hot.claim` did; see `ports.Begun`."""

    version: int
    claimed_at: datetime | None
    claimed: bool
    spent: bool
    granted: bool


def state_unknown() -> StoreError:
    """Return the error of a Redis that does not hold the state that the durable store knows of."""
    return StoreError(
        "Redis lost its state, or is another one: which tries were made is unknown, and nobody is verified; "
        "bring the very append-only file back, or accept the loss with CompositeStore.accept_loss"
    )


def _us(moment: datetime) -> int:
    return rows.us(moment) - _MIDDLE


def _claimed_at(text: Any) -> datetime | None:  # noqa: ANN401 - str or bytes, as the client is set
    shown = text.decode() if isinstance(text, bytes) else text
    return rows.at(int(shown) + _MIDDLE) if shown else None


def _ttl(kept: timedelta) -> int:
    return max(kept, timedelta(0)) // _MILLISECOND + _SLACK // _MILLISECOND


def _budget(charge: Charge, now: datetime, *, cleared: bool = False) -> dict[str, object]:
    window = charge.window or timedelta(0)
    since = _us(now - window)
    return {
        "limit": charge.limit,
        "since": since,
        "after": f"({since}",
        "ttl": _ttl(window),
        "cleared": cleared,
    }


class Hot(ABC):
    """The steps, over whatever runs the script. All are coroutines; over a plain client they never suspend.

    Every step raises `StoreError` when Redis fails, or is not the one that the durable store knows.
    """

    def __init__(self, prefix: str) -> None:
        # In braces: where a proxy spreads keys by slot, all of these stay together for one script.
        self._prefix = f"{{{quote(prefix, safe='')}}}"
        self.epoch: int | None = None
        """The epoch that the durable store knows; None until `CompositeStore` has looked."""

    @abstractmethod
    async def _run(self, keys: Sequence[str], arguments: str) -> list[Any]:
        """Run the script."""

    @abstractmethod
    async def check(self) -> None:
        """Check the server's settings."""

    @abstractmethod
    async def read_epoch(self) -> Epoch | None:
        """Return the epoch of the state that is there."""

    @abstractmethod
    async def write_epoch(self, epoch: Epoch, *, over: bool) -> None:
        """Begin an epoch, if there is none, or whatever there is."""

    # ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _epoch_key(self) -> str:
        return f"{self._prefix}:epoch"

    def _session(self, tenant: str, session: str) -> str:
        return f"{self._prefix}:session:{quote(tenant, safe='')}:{session}"

    def _keys(self, tenant: str, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}:tries:{quote(tenant, safe='')}:{name}" for name in names]

    def _epoch_fields(self, epoch: Epoch) -> dict[str, str | int]:
        lost = _NEVER if epoch.lost is None else _us(epoch.lost)
        return {"id": str(epoch.id), "lost": lost}

    @staticmethod
    def _epoch_of(fields: Sequence[Any]) -> Epoch | None:
        if any(each is None for each in fields):
            return None
        number, lost = (int(each) for each in fields)
        return Epoch(id=number, lost=None if lost == _NEVER else rows.at(lost + _MIDDLE))

    async def _step(self, step: str, keys: Sequence[str], **told: object) -> list[Any]:
        given = {"step": step, "epoch": str(self.epoch), **told}
        found = await self._run([self._epoch_key(), *keys], json.dumps(given))
        status = found[0].decode() if isinstance(found[0], bytes) else found[0]
        if status == "unknown":
            self.epoch = None  # looked at again by the next verb: somebody may have accepted the loss
            raise state_unknown()
        if status == "moved":
            raise conflict()
        if status == "stale":
            raise Stale
        return found[1:]

    # ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def look(
        self, tenant: str, session: str | None, recorded: int | None, watch: Sequence[Charge], now: datetime
    ) -> Look:
        """Return what a session (its row at version `recorded`) and some budgets are like.

        Raises:
            Stale: the row is older than what is known here.
        """
        keys = [] if session is None else [self._session(tenant, session)]
        keys += self._keys(tenant, [each.key for each in watch])
        told: dict[str, object] = {} if session is None else {"recorded": recorded}
        found = await self._step("look", keys, budgets=[_budget(each, now) for each in watch], **told)
        return Look(version=found[0] + found[1], claimed_at=_claimed_at(found[2]), used=tuple(found[3:]))

    async def claim(
        self, tenant: str, session: str, recorded: int, charges: Sequence[Charge], *, ends: timedelta, now: datetime
    ) -> Claimed:
        """Claim the turn of a session and take all charges, or none; a claim `LEASE` old is a spent try.

        Raises:
            Stale: the row is older than what is known here.
        """
        keys = [self._session(tenant, session), *self._keys(tenant, [each.key for each in charges])]
        budgets = [_budget(each, now) for each in charges]
        claims, at, claimed, spent, granted = await self._step(
            "claim", keys, recorded=recorded, budgets=budgets, now=_us(now), at=str(_us(now)), ttl=_ttl(ends),
            lease=LEASE // _MICROSECOND, token=secrets.token_hex(8), member=self.member(session, ""),
            first=1 + secrets.randbelow(_FIRST),
        )  # fmt: skip
        return Claimed(
            version=recorded + claims,
            claimed_at=_claimed_at(at),
            claimed=claimed == 1,
            spent=spent == 1,
            granted=granted == 1,
        )

    async def spend(
        self, tenant: str, session: str, version: int, charges: Sequence[Charge], *, token: str, refund: bool,
        clear: Sequence[str], every: bool, now: datetime,
    ) -> tuple[int, tuple[bool, ...]]:  # fmt: skip
        """Take charges for a change from a version, each if there is one left; with `every` all of them or none.

        Returns:
            The version of the session's row that the change must find, and which charges were granted.

        Raises:
            ConflictError: the session has moved on.
        """
        keys = [self._session(tenant, session), *self._keys(tenant, [each.key for each in charges])]
        budgets = [_budget(each, now, cleared=each.key in clear) for each in charges]
        recorded, *granted = await self._step(
            "spend", keys, version=version, budgets=budgets, now=_us(now), token=token, refund=refund, all=every,
            member=self.member(session, version),
        )  # fmt: skip
        return recorded, tuple([each == 1 for each in granted])

    async def undo(self, tenant: str, session: str, taken: Sequence[tuple[str, str]]) -> None:
        """Take tries back: pairs of a budget's name and the member it was charged as."""
        keys = [self._session(tenant, session), *self._keys(tenant, [name for name, _ in taken])]
        await self._step("undo", keys, members=[member for _, member in taken])

    async def finish(
        self, tenant: str, session: str, version: int, *, written: int, token: str, spent: int, refund: bool,
        clear: Sequence[str], ends: timedelta,
    ) -> None:  # fmt: skip
        """Free the turn of a session whose row is at `written` now; give back and clear what the change says."""
        keys = [self._session(tenant, session), *self._keys(tenant, clear)]
        await self._step(
            "finish", keys, written=written, token=token, spent=spent, refund=refund, ttl=_ttl(ends),
            member=self.member(session, version),
        )  # fmt: skip

    async def clear(self, tenant: str, names: Sequence[str], now: datetime) -> None:
        """Refill budgets."""
        await self._drop(self._keys(tenant, names), now=str(_us(now)), known=_LONGEST // _MILLISECOND)

    async def forget(self, tenant: str, sessions: Sequence[str]) -> None:
        """Drop sessions that were erased."""
        for start in range(0, len(sessions), _AT_ONCE):
            await self._drop([self._session(tenant, each) for each in sessions[start : start + _AT_ONCE]])

    async def _drop(self, keys: Sequence[str], **told: object) -> None:
        once = f"{self._prefix}:once:{secrets.token_hex(8)}"
        await self._step("clear", [once, *keys], ttl=_SLACK // _MILLISECOND, **told)

    @staticmethod
    def member(session: str, version: int | str) -> str:
        """Name what the claim that made a version charged."""
        return f"{session}:{version}"
