"""The verbs of a composite store, once: coroutines over a hot and a durable half, each half's step atomic by itself.

The order is what makes it safe. A try is charged hot before anything is compared; the step is recorded durably, with
the session's new state, by a change that only one can make from that version; then the turn is freed hot; then it is
released. Cut off anywhere, a try stays charged, and what was recorded counts: the next who asks finds it and goes on
from it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from kyc_verify.audit import Seal
from kyc_verify.errors import ConflictError, StoreError
from kyc_verify.ports import (
    Begun,
    Change,
    Charge,
    Committed,
    Loaded,
    NewSession,
    Opened,
    Run,
    StoredSession,
)
from kyc_verify.stores import _reading as reading
from kyc_verify.stores import _running as running
from kyc_verify.stores._hot import Epoch, Hot, Stale, state_unknown
from kyc_verify.stores._tables import Tables

__all__ = ["Composing", "Durable"]

T = TypeVar("T")

_AGAIN: Final = 5
"""How often a row is read again that turned out to be older than what is known hot."""
_LOOK_EVERY: Final = timedelta(minutes=1)
"""How often the settings of the hot server are looked at."""
_MARK: Final = "hot"
"""The row of the schema's own table that has the epoch."""
_IDS: Final = 2**31 - 1


class Durable(Protocol):
    """The durable half, sync or async: transactions over its tables."""

    def transact(self, work: Callable[[Tables], T], *, writing: bool = True) -> T | Awaitable[T]:
        """Do some work in one transaction."""
        ...


def _hot(charges: Sequence[Charge]) -> tuple[Charge, ...]:
    return tuple([each for each in charges if each.window is not None])


def _lasting(charges: Sequence[Charge]) -> tuple[Charge, ...]:
    return tuple([each for each in charges if each.window is None])


class Composing:
    """The verbs in which both halves take part. Tries inside a window are hot; all else is durable."""

    def __init__(self, hot: Hot, durable: Durable) -> None:
        self.hot, self.durable = hot, durable
        self._looked: datetime | None = None

    async def _transact(self, work: Callable[[Tables], T], *, writing: bool = True) -> T:
        found = self.durable.transact(work, writing=writing)
        return await found if isinstance(found, Awaitable) else found

    # ── The epoch ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def ready(self, now: datetime) -> None:
        """Check the hot server's settings, and that its state is the one that the durable half knows.

        Raises:
            StoreError: the server may forget, does not answer, or has another state or none.
        """
        await self.hot.check()
        # They are written hot first and read durable first: who starts beside others finds both, or neither.
        known = await self._transact(lambda db: db.mark(_MARK), writing=False)
        found = await self.hot.read_epoch()
        if known is None:
            if found is None:
                await self.hot.write_epoch(Epoch(id=1 + secrets.randbelow(_IDS)), over=False)
                found = await self.hot.read_epoch()
            first = found
            if first is None:
                raise state_unknown()

            def meet(db: Tables) -> int | None:
                db.set_mark(_MARK, first.id, over=False)
                return db.mark(_MARK)

            known = await self._transact(meet)
        if found is None or found.id != known:
            raise state_unknown()
        self.hot.epoch = known
        self._looked = now

    async def accept_loss(self, now: datetime) -> None:
        """Go on with a hot server that lost its state: every window that reaches back before `now` is used up.

        Raises:
            StoreError: it may forget again, or one of the two does not answer.
        """
        await self.hot.check()
        fresh = Epoch(id=1 + secrets.randbelow(_IDS), lost=now)
        await self.hot.write_epoch(fresh, over=True)
        # Whoever accepts it at the same time writes another: both end at the one that is there.
        found = await self.hot.read_epoch() or fresh
        await self._transact(lambda db: db.set_mark(_MARK, found.id, over=True))
        await self.ready(now)

    async def _start(self, now: datetime) -> None:
        """Before a run, now and then, look whether the server still keeps what is written."""
        if self.hot.epoch is None or self._looked is None or not timedelta(0) <= now - self._looked < _LOOK_EVERY:
            await self.ready(now)

    # ── Verbs ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """See `Store.open`."""
        await self._start(now)
        part = replace(new, watch=_lasting(new.watch))
        opened = await self._transact(lambda db: running.open_session(db, part, request, now))
        watch = _hot(new.watch)
        if opened.replayed:
            found = await self.load(new.tenant, opened.session.id, now)
            opened = replace(opened, session=found.session, subject=found.subject)
            look = await self.hot.look(new.tenant, None, None, watch, now)
        else:
            look = await self.hot.look(new.tenant, new.id, opened.session.version, watch, now)
            opened = replace(opened, session=replace(opened.session, version=look.version))
        spent = dict(opened.spent) | {each.key: used for each, used in zip(watch, look.used, strict=True)}
        return replace(opened, spent=spent)

    async def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """See `Store.load`."""
        await self._meet(now)
        loaded = await self._transact(lambda db: running.load(db, tenant, session, run, now), writing=run is not None)
        for _ in range(_AGAIN):
            try:
                look = await self.hot.look(tenant, session, loaded.session.version, (), now)
            except Stale:
                again = await self._transact(lambda db: running.load(db, tenant, session, None, now), writing=False)
                loaded = replace(again, run=loaded.run)
                continue
            return replace(loaded, session=replace(loaded.session, version=look.version, claimed_at=look.claimed_at))
        raise _backwards()

    async def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """See `Store.begin`."""
        await self._meet(now)
        for _ in range(_AGAIN):
            stored, subject = await self._transact(
                lambda db: reading.case(db, tenant, session, lock=False), writing=False
            )
            try:
                if stored.turn != turn:
                    look = await self.hot.look(tenant, session, stored.version, (), now)
                    seen = replace(stored, version=look.version, claimed_at=look.claimed_at)
                    return Begun(session=seen, subject=subject, claimed=False, granted=False, spent=False)
                done = await self.hot.claim(
                    tenant, session, stored.version, _hot(stored.charges), ends=stored.expires_at - now, now=now
                )
            except Stale:
                continue
            stored = replace(stored, version=done.version, claimed_at=done.claimed_at)
            granted = done.granted and await self._charge(stored, known=subject.known, now=now)
            return Begun(session=stored, subject=subject, claimed=done.claimed, granted=granted, spent=done.spent)
        raise _backwards()

    async def _meet(self, now: datetime) -> None:
        if self.hot.epoch is None:
            await self.ready(now)

    async def _charge(self, stored: StoredSession, *, known: bool, now: datetime) -> bool:
        """Take what a claim costs for good; what it cost hot goes back if that is not granted."""
        lasting = replace(stored, charges=_lasting(stored.charges))
        if not lasting.charges:
            return True
        if await self._transact(lambda db: running.charge_all(db, lasting, known=known, now=now)):
            return True
        member = self.hot.member(stored.id, stored.version)
        await self.hot.undo(stored.tenant, stored.id, [(each.key, member) for each in _hot(stored.charges)])
        return False

    async def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """See `Store.commit`."""
        await self._meet(now)
        tenant, session, token = change.tenant, change.session, secrets.token_hex(8)
        spend = _hot(change.spend)
        recorded, hot = await self.hot.spend(
            tenant, session, change.version, spend, token=token, refund=change.refund, clear=change.clear,
            every=change.only_if_granted, now=now,
        )  # fmt: skip
        if change.only_if_granted and not all(hot):
            lasting = tuple([False] * (len(change.spend) - len(spend)))
            return Committed(granted=_merged(change.spend, hot, lasting))
        taken = [(each.key, f"{token}{at}") for at, (each, got) in enumerate(zip(spend, hot, strict=True), 1) if got]
        part = replace(change, version=recorded, spend=_lasting(change.spend))
        try:
            done = await self._transact(lambda db: running.commit(db, part, seal, now, claim=change.version))
        except Exception as error:
            # Whether a store that failed has written it nobody knows: what was charged then stays.
            if not isinstance(error, StoreError) or isinstance(error, ConflictError):
                await self.hot.undo(tenant, session, taken)
            raise
        if change.only_if_granted and not all(done.granted):
            await self.hot.undo(tenant, session, taken)
            return Committed(granted=_merged(change.spend, hot, done.granted))
        if change.counter is not None and not done.moved:
            await self.hot.undo(tenant, session, taken)
            return Committed()
        await self.hot.finish(
            tenant, session, change.version, written=recorded + 1, token=token, spent=len(spend), refund=change.refund,
            clear=change.clear, ends=change.expires_at - now,
        )  # fmt: skip
        return Committed(granted=_merged(change.spend, hot, done.granted), moved=done.moved)

    async def sessions_of(self, tenant: str, subject: str) -> Sequence[str]:
        """Return the ids of a subject's sessions, before they are erased."""
        return await self._transact(lambda db: db.sessions_of(tenant, subject), writing=False)

    async def forget(self, tenant: str, sessions: Sequence[str], now: datetime) -> None:
        """Drop what is hot of sessions, after they were erased."""
        if sessions:
            await self._meet(now)
            await self.hot.forget(tenant, sessions)

    async def clear(self, tenant: str, names: Sequence[str], now: datetime) -> None:
        """Refill hot budgets, after it was recorded that they are."""
        if names:
            await self._meet(now)
            await self.hot.clear(tenant, names, now)


def _merged(charges: Sequence[Charge], hot: Sequence[bool], lasting: Sequence[bool]) -> tuple[bool, ...]:
    """Put the answers of both halves in the order of the charges."""
    of_hot, of_lasting = iter(hot), iter(lasting)
    return tuple([next(of_lasting if each.window is None else of_hot) for each in charges])


def _backwards() -> StoreError:
    return StoreError("the durable half is behind what it acknowledged: was it restored from a backup? nobody verifies")
