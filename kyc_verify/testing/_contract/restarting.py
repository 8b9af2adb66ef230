"""The end of a process: what was acknowledged is there when the store is opened again."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol, TypeAlias

from kyc_verify.errors import UnknownSession
from kyc_verify.ports import Counter, Loaded, Pin, Run, Standing
from kyc_verify.testing._contract.crowds import MakeStore
from kyc_verify.testing._contract.desk import DAY, NOW, Desk, charge, credential, expect, number, stake, yes

__all__ = ["Restart", "Restarting", "closed", "killed"]

_PATIENCE: Final = 60.0

Work: TypeAlias = Callable[[Desk], Any]


class Restart(Protocol):
    """Does some work on the store, ends the store, and opens it again: only one is ever open."""

    def __call__(self, work: Work) -> tuple[Any, Desk]:
        """Return what the work found, and the store as it is after it."""
        ...


def closed(make_store: MakeStore, work: Work) -> object:
    """Do some work on a store that is closed then, as at an orderly end."""
    desk = Desk(make_store())
    try:
        return work(desk)
    finally:
        desk.done()


def killed(make_store: MakeStore, work: Work) -> object:
    """Do some work on a store in a process of its own that ends there and then, as in a crash: nothing is closed.

    Raises:
        AssertionError: the work failed, or came to no end.
    """
    try:
        pickle.dumps(make_store)
    except Exception as error:
        msg = "make_store must be told to other processes: make it with functools.partial of what can be imported"
        raise AssertionError(msg) from error
    context = get_context("spawn")  # as on every platform, and nothing is inherited
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work_and_die, args=(make_store, work, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        told = ours.recv() if ours.poll(_PATIENCE) else _Told(error=f"it was not done after {_PATIENCE:.0f} seconds")
    except EOFError:
        told = _Told(error="the process ended before the work was done")
    finally:
        process.kill()
        process.join()
        ours.close()
    yes(told.error is None, f"the store must do its work in a process of its own: {told.error}")
    return told.found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a process said before it ended."""

    found: Any = None
    error: str | None = None


def _work_and_die(make_store: MakeStore, work: Work, answer: Connection) -> None:
    try:
        desk = Desk(make_store())
        told = _Told(found=work(desk))
    except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
        told = _Told(error=f"{type(error).__name__}: {error}")
    answer.send(told)
    os._exit(0)  # no handler, no destructor, no buffer that is written at the end


# ── What is done before the end ──────────────────────────────────────────────────────────────────────────────────────


def write_everything(desk: Desk) -> Loaded:
    """Write to every table, and return the session as it is at last, its turn claimed."""
    desk.enroll(credential())
    desk.stand(flags=("name",))
    desk.stand(Standing.LOCKED, subject="cust-2")
    desk.open("s-0", "nobody", run=Run(key="other", window=DAY), known=False, fresh_key=b"0" * 32)
    pin = Pin(key="pin", check="pin", until=NOW + DAY)
    desk.open(request="open")
    desk.commit(turn=1, charges=(charge(limit=1),), pin=pin, numbers=(number("n"),))
    desk.grant(b"1" * 32)
    desk.redeem(b"1" * 32, charge=stake("6", ceiling="10"), request="redeem")
    desk.commit(turn=1, charges=(charge(limit=1),))
    desk.begin()
    return desk.load()


def move_a_counter(desk: Desk) -> bool:
    """Move a counter on."""
    desk.open()
    return _move(desk, 3)


def _found(desk: Desk) -> Loaded:
    try:
        return desk.load()
    except UnknownSession as error:
        msg = "what was acknowledged must be there when the store is opened again, whether it was closed or not"
        raise AssertionError(msg) from error


def _move(desk: Desk, days: int) -> bool:
    return desk.commit(counter=Counter(key="steps", at=NOW + days * DAY)).moved


class Restarting:
    """What survives the end of a process, closed or killed."""

    def test_everything_survives_a_restart(self, restart: Restart) -> None:
        """Claims, budgets, runs, pins, sums, grants, requests, credentials, keys, and the end of the chain."""
        before, desk = restart(write_everything)
        expect(_found(desk), before, "the session and its subject must be what they were before the restart")
        yes(not desk.begin().claimed, "a turn that was claimed before the restart must still be claimed")
        expect(desk.spent(charge()), [1], "a try that was charged before the restart must still be charged")
        again = desk.open("s-9", request="open")
        expect((again.replayed, again.session.id), (True, "s-1"), "a request seen before must find its session")
        expect(desk.open("s-2").run, 2, "a run that was counted before the restart must still count")
        expect(desk.pin(), "pin", "a question that was pinned must still be pinned")
        expect(desk.load("s-0").subject.key, b"0" * 32, "the key of the day must still be the same")
        expect(desk.open("s-3", "cust-2").subject.standing, Standing.LOCKED, "a hold must still hold")
        expect(desk.redeem(b"1" * 32).reason, "used", "a grant that was redeemed must still be used")
        yes(desk.redeem(b"1" * 32, request="redeem").replayed, "the request that redeemed it must find it its own")
        desk.grant(b"2" * 32, "s-2")
        found = desk.redeem(b"2" * 32, charge=stake("6", ceiling="10")).reason
        expect(found, "ceiling", "a sum that was charged before the restart must still count: 6 + 6 > 10")
        desk.intact(10)

    def test_a_counter_survives_a_restart(self, restart: Restart) -> None:
        """Durable like everything else."""
        moved, desk = restart(move_a_counter)
        yes(moved, "a counter that is new must move")
        _found(desk)
        yes(not _move(desk, 3), "a counter must still stand where it stood before the restart")
        yes(_move(desk, 4), "a counter must move forward after a restart as before it")
