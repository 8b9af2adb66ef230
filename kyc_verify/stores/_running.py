"""A run, inside one transaction of a SQL store: open, begin, commit, load.

What is held is held in this order: the subject, the session, the keyed names, the head of the chain.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from kyc_verify.audit import Seal
from kyc_verify.ports import (
    Begun,
    Change,
    Charge,
    Committed,
    Counter,
    Loaded,
    NewSession,
    Opened,
    Run,
    StoredSession,
)
from kyc_verify.stores import _reading as reading
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import claim, conflict, day
from kyc_verify.stores._tables import Tables

__all__ = ["begin", "charge_all", "clear", "commit", "load", "open_session"]

_UNKNOWN_KEPT: Final = timedelta(days=366)
"""How long a charge without a window is kept of a subject without a row, so that made-up subjects fill no disk."""


# ── open ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_session(db: Tables, new: NewSession, request: str | None, now: datetime) -> Opened:
    """See `Verbs.open`."""
    db.lock_keys(new.tenant, [new.run.key])
    found = None if request is None else db.session_of(new.tenant, request)
    session, run = found or (new.id, _make(db, new, request, now))
    stored, subject = reading.case(db, new.tenant, session, lock=False)
    return Opened(
        session=stored,
        subject=subject,
        replayed=found is not None,
        run=run,
        spent=reading.spent(db, new.tenant, new.watch, now),
        pin=db.pin(new.tenant, new.pin_key, rows.us(now)),
    )


def _make(db: Tables, new: NewSession, request: str | None, now: datetime) -> int:
    today = None
    if new.known:
        db.add_subject(new.tenant, new.subject, new.fresh_key)
    elif db.subject_key(new.tenant, new.subject) is None:
        today = day(now)
        db.add_day(new.tenant, today, new.fresh_key)
    run = _take_run(db, new.tenant, new.run, new.id, now)
    db.add_session(
        new.tenant, new.id, new.subject, day=today, request=request, run=run, end=rows.us(new.expires_at)
    )  # fmt: skip
    return run


def _take_run(db: Tables, tenant: str, run: Run, session: str, now: datetime) -> int:
    before = db.count_runs(tenant, run.key, reading.since(run.window, now))
    db.add_run(tenant, run.key, at=rows.us(now), until=rows.us(now + run.window), session=session)
    return before + 1


# ── begin ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def begin(db: Tables, tenant: str, session: str, turn: int, now: datetime) -> Begun:
    """See `Verbs.begin`."""
    stored, subject = reading.case(db, tenant, session, lock=True)
    claimed, spent = claim(turn=stored.turn, asked=turn, claimed_at=stored.claimed_at, now=now)
    granted = False
    if claimed:
        # A spent try was charged when it was first claimed.
        if not db.claim(tenant, session, version=stored.version, turn=turn, now=rows.us(now)):
            raise conflict()
        stored = replace(stored, version=stored.version + 1, claimed_at=now)
        granted = not spent and charge_all(db, stored, known=subject.known, now=now)
    return Begun(session=stored, subject=subject, claimed=claimed, granted=granted, spent=spent)


def charge_all(db: Tables, stored: StoredSession, *, known: bool, now: datetime) -> bool:
    """Take what claiming a turn costs, all of it or nothing."""
    db.lock_keys(stored.tenant, [each.key for each in stored.charges])
    for index, each in enumerate(stored.charges):
        if not _charge(db, stored.tenant, each, session=stored.id, claim=stored.version, known=known, now=now):
            _refund(db, stored.tenant, stored.charges[:index], stored.id, stored.version)
            return False
    return True


def _charge(
    db: Tables, tenant: str, charge: Charge, *, session: str, claim: int | None, known: bool, now: datetime
) -> bool:
    """Take one try if there is one left; `claim` is the session's version that claimed it, for a refund."""
    kept = charge.window
    if kept is None and not known:
        kept = _UNKNOWN_KEPT
    return db.charge(
        tenant, charge.key, at=rows.us(now), until=None if kept is None else rows.us(now + kept), session=session,
        claim=claim, since=reading.since(charge.window, now), limit=charge.limit,
    )  # fmt: skip


def _refund(db: Tables, tenant: str, charges: tuple[Charge, ...], session: str, claim: int) -> None:
    for each in charges:
        db.refund(tenant, each.key, session=session, claim=claim)


# ── commit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def commit(db: Tables, change: Change, seal: Seal, now: datetime, *, claim: int | None = None) -> Committed:
    """See `Verbs.commit`; `claim` is the version that what is given back was charged under, if it is another."""
    tenant, session = change.tenant, change.session
    db.lock_subject(tenant, change.subject, alone=False)
    found = db.case(tenant, session, lock=True)
    version, charges, key = (None, "", None) if found is None else (found[1], found[4], found[9])
    if version != change.version or (change.subject_key is not None and key != change.subject_key):
        raise conflict()
    counter = change.counter
    db.lock_keys(tenant, [each.key for each in change.spend] + ([] if counter is None else [counter.key]))
    if change.only_if_granted:
        db.keep_point()
    moved = counter is not None and _forward(db, tenant, counter, session)
    if counter is not None and not moved:
        return Committed()
    if change.refund:
        _refund(db, tenant, rows.charges(charges), session, version if claim is None else claim)
    clear(db, tenant, change.clear, ("charges", "stakes"))
    taken = [_charge(db, tenant, c, session=session, claim=None, known=key is not None, now=now) for c in change.spend]
    if change.only_if_granted and not all(taken):
        db.go_back()
        return Committed(granted=tuple(taken))
    if not db.move(
        tenant, session, version=version, turn=change.turn, state=change.state,
        charges=rows.charges_text(change.charges), end=rows.us(change.expires_at),
    ):  # fmt: skip
        raise conflict()
    _note(db, change)
    _grants(db, change)
    reading.append(db, tenant, seal)
    return Committed(granted=tuple(taken), moved=moved)


def _forward(db: Tables, tenant: str, counter: Counter, session: str) -> bool:
    """Move a counter, its name held, unless it stands there or beyond; one row is kept of it, and no purge takes it."""
    at = rows.us(counter.at)
    if db.count_charges(tenant, counter.key, at - 1):
        return False
    db.clear("charges", tenant, counter.key)
    return db.charge(tenant, counter.key, at=at, until=None, session=session, claim=None, since=at - 1, limit=1)


def clear(db: Tables, tenant: str, keys: tuple[str, ...], tables: tuple[str, ...]) -> None:
    """Drop every row of these keyed names."""
    for key in keys:
        for table in tables:
            db.clear(table, tenant, key)


def _note(db: Tables, change: Change) -> None:
    tenant, subject, pin = change.tenant, change.subject, change.pin
    if change.give_back_run is not None:
        db.drop_runs(tenant, change.give_back_run, change.session)
    if change.subject_key is not None:
        for number in change.numbers:
            db.add_number(tenant, subject, number.fingerprint, rows.us(number.first_seen))
        if (new := change.rehash) is not None:
            # One that was enrolled anew in the meantime stays.
            at = rows.us(new.enrolled_at)
            db.replace_credential(tenant, subject, new.check, enrolled_at=at, body=rows.credential_text(new))
    if pin is not None and pin.check is None:
        db.clear("pins", tenant, pin.key)
    elif pin is not None and pin.check is not None:
        db.set_pin(tenant, pin.key, pin.check, rows.us(pin.until))


def _grants(db: Tables, change: Change) -> None:
    new = change.grant
    if change.void_grants or new is not None:
        db.void_grants(change.tenant, session=change.session)
    if new is not None:
        db.add_grant(
            change.tenant, new.digest, session=new.session, subject=change.subject,
            binding=rows.binding_text(new.binding), end=rows.us(new.expires_at),
        )  # fmt: skip


# ── load ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def load(db: Tables, tenant: str, session: str, run: Run | None, now: datetime) -> Loaded:
    """See `Verbs.load`."""
    stored, subject = reading.case(db, tenant, session, lock=False)
    number = None
    if run is not None:
        db.lock_keys(tenant, [run.key])
        number = _take_run(db, tenant, run, session, now)
    return Loaded(session=stored, subject=subject, run=number, grant_open=db.has_open_grant(tenant, session))
