"""What the verbs of the embedded stores read: a session with its subject, budgets, the head of the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from kyc_verify.audit import Head, Seal
from kyc_verify.errors import StoreError
from kyc_verify.ports import Charge, KnownNumber, Standing, StoredSession, StoredSubject
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import unknown_session

__all__ = ["append", "case", "count", "pinned", "since", "spent", "subject_key"]

_EVER: Final = -(2**63)
_CASE: Final = (
    "SELECT s.subject, s.version, s.turn, s.state, s.charges, s.claimed_at, s.expires_at, u.standing, u.flags, "
    "u.key, d.key FROM sessions s "
    "LEFT JOIN subjects u ON u.tenant = s.tenant AND u.subject = s.subject "
    "LEFT JOIN days d ON d.tenant = s.tenant AND d.day = s.day WHERE s.tenant = ? AND s.id = ?"
)
_CREDENTIALS: Final = "SELECT check_id, body FROM credentials WHERE tenant = ? AND subject = ?"
_NUMBERS: Final = (
    "SELECT fingerprint, first_seen FROM numbers WHERE tenant = ? AND subject = ? ORDER BY first_seen, fingerprint"
)
_HEAD: Final = "SELECT seq, mac FROM heads WHERE tenant = ?"
_NEW_HEAD: Final = "INSERT INTO heads VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, mac = excluded.mac"


def case(db: sqlite3.Connection, tenant: str, session: str) -> tuple[StoredSession, StoredSubject]:
    """Read a session and what is kept of its subject.

    A subject without a row costs the same statements as one with everything.
    """
    found = db.execute(_CASE, (tenant, session)).fetchone()
    if found is None:
        raise unknown_session()
    subject, version, turn, state, charges, claimed_at, expires_at, standing, flags, own_key, day_key = found
    stored = StoredSession(
        tenant=tenant,
        id=session,
        subject=subject,
        version=version,
        turn=turn,
        state=state,
        charges=rows.charges(charges),
        claimed_at=None if claimed_at is None else rows.at(claimed_at),
        expires_at=rows.at(expires_at),
    )
    credentials = db.execute(_CREDENTIALS, (tenant, subject)).fetchall()
    numbers = db.execute(_NUMBERS, (tenant, subject)).fetchall()
    if own_key is None:
        if day_key is None:
            msg = "the key that this session was recorded under is gone; open a new verification"
            raise StoreError(msg)
        return stored, StoredSubject(key=day_key, known=False)
    return stored, StoredSubject(
        key=own_key,
        known=True,
        standing=Standing(standing),
        flags=rows.flags(flags),
        credentials={check: rows.credential(body) for check, body in credentials},
        numbers=tuple([KnownNumber(fingerprint=each, first_seen=rows.at(seen)) for each, seen in numbers]),
    )


def subject_key(db: sqlite3.Connection, tenant: str, subject: str | None) -> bytes | None:
    """Return the key in the subject's own row; None when there is no row."""
    found = db.execute("SELECT key FROM subjects WHERE tenant = ? AND subject = ?", (tenant, subject)).fetchone()
    return None if found is None else bytes(found[0])


def since(window: timedelta | None, now: datetime) -> int:
    """Return the moment after which one counts: one exactly a window old counts no longer."""
    return _EVER if window is None else rows.us(now - window)


def count(db: sqlite3.Connection, tenant: str, charge: Charge, now: datetime) -> int:
    """Return how much of a budget is used."""
    sql = "SELECT count(*) FROM charges WHERE tenant = ? AND key = ? AND at > ?"
    return int(db.execute(sql, (tenant, charge.key, since(charge.window, now))).fetchone()[0])


def spent(db: sqlite3.Connection, tenant: str, watch: Iterable[Charge], now: datetime) -> dict[str, int]:
    """Return how much of each budget is used."""
    return {each.key: count(db, tenant, each, now) for each in watch}


def pinned(db: sqlite3.Connection, tenant: str, key: str, now: datetime) -> str | None:
    """Return the pinned question, if there is one."""
    sql = "SELECT check_id FROM pins WHERE tenant = ? AND key = ? AND until > ?"
    found = db.execute(sql, (tenant, key, rows.us(now))).fetchone()
    return None if found is None else str(found[0])


def append(db: sqlite3.Connection, tenant: str, seal: Seal) -> None:
    """Put a record at the end of a tenant's chain; the head is locked with everything else."""
    found = db.execute(_HEAD, (tenant,)).fetchone()
    record = seal(Head() if found is None else Head(seq=found[0], mac=found[1]))
    db.execute("INSERT INTO records VALUES (?, ?, ?)", (tenant, record.seq, rows.record_text(record)))
    db.execute(_NEW_HEAD, (tenant, record.seq, record.mac))
