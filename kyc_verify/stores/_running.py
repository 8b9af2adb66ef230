"""A run, inside one transaction of an embedded store: open, begin, commit, load."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from kyc_verify.audit import Seal
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
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import claim, conflict, day

__all__ = ["begin", "clear", "commit", "load", "open_session"]

_UNKNOWN_KEPT: Final = timedelta(days=366)
"""How long a charge without a window is kept of a subject without a row, so that made-up subjects fill no disk."""

_CHARGE: Final = (
    "INSERT INTO charges SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
    "WHERE (SELECT count(*) FROM charges WHERE tenant = ?1 AND key = ?2 AND at > ?7) < ?8"
)
_MOVE: Final = (
    "UPDATE sessions SET version = version + 1, turn = ?, state = ?, charges = ?, claimed_at = NULL, expires_at = ? "
    "WHERE tenant = ? AND id = ? AND version = ?"
)
_CLAIM: Final = (
    "UPDATE sessions SET version = version + 1, claimed_at = ? WHERE tenant = ? AND id = ? AND version = ? AND turn = ?"
)
_FOUND: Final = (
    "SELECT s.version, s.charges, u.key FROM sessions s "
    "LEFT JOIN subjects u ON u.tenant = s.tenant AND u.subject = s.subject WHERE s.tenant = ? AND s.id = ?"
)
_REHASH: Final = "UPDATE credentials SET body = ? WHERE tenant = ? AND subject = ? AND check_id = ? AND enrolled_at = ?"
_NEW_PIN: Final = (
    "INSERT INTO pins VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET check_id = excluded.check_id, until = excluded.until"
)


# ── open ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_session(db: sqlite3.Connection, new: NewSession, request: str | None, now: datetime) -> Opened:
    """See `Embedded.open`."""
    found = None
    if request is not None:
        sql = "SELECT id, run FROM sessions WHERE tenant = ? AND request = ?"
        found = db.execute(sql, (new.tenant, request)).fetchone()
    session, run = found or (new.id, _make(db, new, request, now))
    stored, subject = reading.case(db, new.tenant, session)
    return Opened(
        session=stored,
        subject=subject,
        replayed=found is not None,
        run=run,
        spent=reading.spent(db, new.tenant, new.watch, now),
        pin=reading.pinned(db, new.tenant, new.pin_key, now),
    )


def _make(db: sqlite3.Connection, new: NewSession, request: str | None, now: datetime) -> int:
    today = None
    if new.known:
        sql = "INSERT INTO subjects VALUES (?, ?, ?, 'open', '[]') ON CONFLICT DO NOTHING"
        db.execute(sql, (new.tenant, new.subject, new.fresh_key))
    elif reading.subject_key(db, new.tenant, new.subject) is None:
        today = day(now)
        sql = "INSERT INTO days VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        db.execute(sql, (new.tenant, today, new.fresh_key))
    run = _take_run(db, new.tenant, new.run, new.id, now)
    db.execute(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, 0, 0, '', '[]', NULL, ?)",
        (new.tenant, new.id, new.subject, today, request, run, rows.us(new.expires_at)),
    )
    return run


def _take_run(db: sqlite3.Connection, tenant: str, run: Run, session: str, now: datetime) -> int:
    sql = "SELECT count(*) FROM runs WHERE tenant = ? AND key = ? AND at > ?"
    before = int(db.execute(sql, (tenant, run.key, reading.since(run.window, now))).fetchone()[0])
    row = (tenant, run.key, rows.us(now), rows.us(now + run.window), session)
    db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", row)
    return before + 1


# ── begin ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def begin(db: sqlite3.Connection, tenant: str, session: str, turn: int, now: datetime) -> Begun:
    """See `Embedded.begin`."""
    stored, subject = reading.case(db, tenant, session)
    claimed, spent = claim(turn=stored.turn, asked=turn, claimed_at=stored.claimed_at, now=now)
    granted = False
    if claimed:
        # A spent try was charged when it was first claimed.
        done = db.execute(_CLAIM, (rows.us(now), tenant, session, stored.version, turn))
        if done.rowcount != 1:
            raise conflict()
        stored = replace(stored, version=stored.version + 1, claimed_at=now)
        granted = not spent and _charge_all(db, stored, known=subject.known, now=now)
    return Begun(session=stored, subject=subject, claimed=claimed, granted=granted, spent=spent)


def _charge_all(db: sqlite3.Connection, stored: StoredSession, *, known: bool, now: datetime) -> bool:
    for index, each in enumerate(stored.charges):
        if not _charge(db, stored.tenant, each, session=stored.id, claim=stored.version, known=known, now=now):
            _refund(db, stored.tenant, stored.charges[:index], stored.id, stored.version)
            return False
    return True


def _charge(
    db: sqlite3.Connection, tenant: str, charge: Charge, *, session: str, claim: int | None, known: bool, now: datetime
) -> bool:
    """Take one try if there is one left; `claim` is the session's version that claimed it, for a refund."""
    kept = charge.window
    if kept is None and not known:
        kept = _UNKNOWN_KEPT
    until = None if kept is None else rows.us(now + kept)
    row = (tenant, charge.key, rows.us(now), until, session, claim, reading.since(charge.window, now), charge.limit)
    return db.execute(_CHARGE, row).rowcount == 1


def _refund(db: sqlite3.Connection, tenant: str, charges: tuple[Charge, ...], session: str, claim: int) -> None:
    for each in charges:
        sql = "DELETE FROM charges WHERE tenant = ? AND key = ? AND session = ? AND claim = ?"
        db.execute(sql, (tenant, each.key, session, claim))


# ── commit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def commit(db: sqlite3.Connection, change: Change, seal: Seal, now: datetime) -> Committed:
    """See `Embedded.commit`."""
    tenant, session = change.tenant, change.session
    version, charges, key = db.execute(_FOUND, (tenant, session)).fetchone() or (None, "", None)
    if version != change.version or (change.subject_key is not None and key != change.subject_key):
        raise conflict()
    if change.only_if_granted:
        db.execute("SAVEPOINT step")
    if change.refund:
        _refund(db, tenant, rows.charges(charges), session, version)
    clear(db, tenant, change.clear, ("charges", "stakes"))
    taken = [_charge(db, tenant, c, session=session, claim=None, known=key is not None, now=now) for c in change.spend]
    if change.only_if_granted and not all(taken):
        db.execute("ROLLBACK TO step")
        return Committed(granted=tuple(taken))
    moved = (change.turn, change.state, rows.charges_text(change.charges), rows.us(change.expires_at))
    if db.execute(_MOVE, (*moved, tenant, session, change.version)).rowcount != 1:
        raise conflict()
    _note(db, change)
    _grants(db, change)
    reading.append(db, tenant, seal)
    return Committed(granted=tuple(taken))


def clear(db: sqlite3.Connection, tenant: str, keys: tuple[str, ...], tables: tuple[str, ...]) -> None:
    """Drop every row of these keyed names."""
    for key in keys:
        for table in tables:
            db.execute(f"DELETE FROM {table} WHERE tenant = ? AND key = ?", (tenant, key))  # noqa: S608 - our names


def _note(db: sqlite3.Connection, change: Change) -> None:
    tenant, subject, pin = change.tenant, change.subject, change.pin
    if change.give_back_run is not None:
        sql = "DELETE FROM runs WHERE tenant = ? AND key = ? AND session = ?"
        db.execute(sql, (tenant, change.give_back_run, change.session))
    if change.subject_key is not None:
        for number in change.numbers:
            sql = "INSERT INTO numbers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
            db.execute(sql, (tenant, subject, number.fingerprint, rows.us(number.first_seen)))
        if (new := change.rehash) is not None:
            # One that was enrolled anew in the meantime stays.
            db.execute(_REHASH, (rows.credential_text(new), tenant, subject, new.check, rows.us(new.enrolled_at)))
    if pin is not None and pin.check is None:
        db.execute("DELETE FROM pins WHERE tenant = ? AND key = ?", (tenant, pin.key))
    elif pin is not None:
        db.execute(_NEW_PIN, (tenant, pin.key, pin.check, rows.us(pin.until)))


def _grants(db: sqlite3.Connection, change: Change) -> None:
    new = change.grant
    if change.void_grants or new is not None:
        sql = "UPDATE grants SET void = 1 WHERE tenant = ? AND session = ? AND void = 0 AND redeemed_at IS NULL"
        db.execute(sql, (change.tenant, change.session))
    if new is not None:
        row = (change.tenant, new.digest, new.session, change.subject, rows.binding_text(new.binding))
        db.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0)", (*row, rows.us(new.expires_at)))


# ── load ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def load(db: sqlite3.Connection, tenant: str, session: str, run: Run | None, now: datetime) -> Loaded:
    """See `Embedded.load`."""
    stored, subject = reading.case(db, tenant, session)
    sql = "SELECT 1 FROM grants WHERE tenant = ? AND session = ? AND redeemed_at IS NULL AND void = 0"
    return Loaded(
        session=stored,
        subject=subject,
        run=None if run is None else _take_run(db, tenant, run, session, now),
        grant_open=db.execute(sql, (tenant, session)).fetchone() is not None,
    )
