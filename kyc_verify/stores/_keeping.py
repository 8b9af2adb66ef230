"""What happens between runs, inside one transaction of an embedded store: redeem, enroll, holds, erasure, purge."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kyc_verify.audit import AuditRecord
from kyc_verify.credentials import Credential
from kyc_verify.ports import Redeemed, RedeemSeal, Redemption, StakeCharge, Standing, SubjectSeal
from kyc_verify.stores import _reading as reading
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import KeptGrant, conflict, day, grant_refusal, micros, stake_fits
from kyc_verify.stores._running import clear

__all__ = ["enroll", "erase", "note", "purge", "records", "redeem", "set_standing"]

_KEY_BYTES: Final = 32
_KEYED: Final = ("charges", "runs", "pins", "stakes")
_OF_SUBJECT: Final = ("credentials", "numbers", "sessions", "grants", "subjects")
_ENDING: Final = (
    ("sessions", "rowid", "expires_at"), ("grants", "tenant, digest", "expires_at"), ("charges", "rowid", "until"),
    ("runs", "rowid", "until"), ("pins", "tenant, key", "until"),
)  # fmt: skip
"""Table, its key, and the column that says until when its rows are needed."""

_GRANT: Final = (
    "SELECT g.session, g.binding, g.expires_at, g.redeemed_at, g.request, g.void, u.standing, u.key, d.key "
    "FROM grants g LEFT JOIN subjects u ON u.tenant = g.tenant AND u.subject = g.subject "
    "LEFT JOIN sessions s ON s.tenant = g.tenant AND s.id = g.session "
    "LEFT JOIN days d ON d.tenant = s.tenant AND d.day = s.day WHERE g.tenant = ? AND g.digest = ?"
)
_REDEEM: Final = (
    "UPDATE grants SET redeemed_at = ?, request = ? "
    "WHERE tenant = ? AND digest = ? AND redeemed_at IS NULL AND void = 0"
)
_NEW_CREDENTIAL: Final = (
    "INSERT INTO credentials VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET enrolled_at = excluded.enrolled_at, body = excluded.body"
)
_NEW_STAKE: Final = (
    "INSERT INTO stakes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET micros = excluded.micros, count = excluded.count"
)
_PAST_DAYS: Final = (
    "SELECT tenant, day FROM days WHERE day < ? AND NOT EXISTS "
    "(SELECT 1 FROM sessions s WHERE s.tenant = days.tenant AND s.day = days.day) LIMIT ?"
)


# ── redeem ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def redeem(db: sqlite3.Connection, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
    """See `Embedded.redeem`."""
    found = _redeem(db, redemption, now)
    if not found.replayed:
        reading.append(db, redemption.tenant, lambda head: seal(head, found))
    return found


def _redeem(db: sqlite3.Connection, redemption: Redemption, now: datetime) -> Redeemed:
    where = (redemption.tenant, redemption.digest)
    row = db.execute(_GRANT, where).fetchone()
    kept, session, key, standing = None, None, None, Standing.OPEN
    # Of a grant whose session was purged nothing is left to be held against: it is as one that never was.
    if row is not None and (row[7] or row[8]) is not None:
        session, binding, expires_at, redeemed_at, request, void, held, own_key, day_key = row
        key, standing = own_key or day_key, Standing(held or Standing.OPEN)
        kept = KeptGrant(
            binding=rows.binding(binding),
            expires_at=rows.at(expires_at),
            redeemed=redeemed_at is not None,
            request=request,
            void=bool(void),
        )
    reason, replayed = grant_refusal(kept, redemption, standing=standing, now=now)
    if reason is None and not replayed:
        if redemption.charge is not None and not _stake(db, redemption.tenant, redemption.charge):
            reason = "ceiling"
        elif db.execute(_REDEEM, (rows.us(now), redemption.request, *where)).rowcount != 1:
            raise conflict()
    elif reason == "expired":
        # Time may go back; what was refused as too old stays refused.
        db.execute("UPDATE grants SET void = 1 WHERE tenant = ? AND digest = ?", where)
    return Redeemed(reason=reason, replayed=replayed, key=key, session=session)


def _stake(db: sqlite3.Connection, tenant: str, charge: StakeCharge) -> bool:
    """Add a sum, if it and the number of sums stay within the ceiling."""
    sql = "SELECT micros, count FROM stakes WHERE tenant = ? AND key = ?"
    total, count = db.execute(sql, (tenant, charge.key)).fetchone() or ("0", 0)
    if not stake_fits(charge, total=int(total), count=count):
        return False
    # As text: a sum may have more digits than the database's integers.
    db.execute(_NEW_STAKE, (tenant, charge.key, str(int(total) + micros(charge)), count + 1))
    return True


# ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def enroll(
    db: sqlite3.Connection, tenant: str, subject: str, credentials: Sequence[Credential], *, keys: tuple[str, ...],
    fresh_key: bytes, seal: SubjectSeal,
) -> None:  # fmt: skip
    """See `Embedded.enroll`."""
    key = _own_key(db, tenant, subject, fresh_key)
    for each in credentials:
        row = (tenant, subject, each.check, rows.us(each.enrolled_at), rows.credential_text(each))
        db.execute(_NEW_CREDENTIAL, row)
    _void(db, tenant, subject)
    clear(db, tenant, keys, _KEYED)
    reading.append(db, tenant, lambda head: seal(head, key))


def set_standing(
    db: sqlite3.Connection, tenant: str, subject: str, *, standing: Standing | None, flags: tuple[str, ...] | None,
    keys: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal,
) -> None:  # fmt: skip
    """See `Embedded.set_standing`."""
    key = _own_key(db, tenant, subject, fresh_key)
    if standing is not None:
        sql = "UPDATE subjects SET standing = ? WHERE tenant = ? AND subject = ?"
        db.execute(sql, (standing.value, tenant, subject))
    if flags is not None:
        sql = "UPDATE subjects SET flags = ? WHERE tenant = ? AND subject = ?"
        db.execute(sql, (rows.flags_text(flags), tenant, subject))
    if standing is Standing.LOCKED or flags is not None:
        _void(db, tenant, subject)
    clear(db, tenant, keys, _KEYED)
    reading.append(db, tenant, lambda head: seal(head, key))


def note(
    db: sqlite3.Connection, tenant: str, subject: str | None, *, fresh_key: bytes, seal: SubjectSeal, now: datetime
) -> None:
    """See `Embedded.note`."""
    key = reading.subject_key(db, tenant, subject)
    if key is None:
        today = (tenant, day(now))
        db.execute("INSERT INTO days VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*today, fresh_key))
        key = bytes(db.execute("SELECT key FROM days WHERE tenant = ? AND day = ?", today).fetchone()[0])
    found = key
    reading.append(db, tenant, lambda head: seal(head, found))


def erase(db: sqlite3.Connection, tenant: str, subject: str, seal: SubjectSeal) -> bool:
    """See `Embedded.erase`."""
    key = reading.subject_key(db, tenant, subject)
    for table in _OF_SUBJECT:
        db.execute(f"DELETE FROM {table} WHERE tenant = ? AND subject = ?", (tenant, subject))  # noqa: S608 - our names
    # A pseudonym under a key that anybody could guess would be none.
    used = key or secrets.token_bytes(_KEY_BYTES)
    reading.append(db, tenant, lambda head: seal(head, used))
    return key is not None


def _own_key(db: sqlite3.Connection, tenant: str, subject: str, fresh: bytes) -> bytes:
    sql = "INSERT INTO subjects VALUES (?, ?, ?, 'open', '[]') ON CONFLICT DO NOTHING"
    made = db.execute(sql, (tenant, subject, fresh)).rowcount == 1
    return fresh if made else reading.subject_key(db, tenant, subject) or fresh


def _void(db: sqlite3.Connection, tenant: str, subject: str) -> None:
    sql = "UPDATE grants SET void = 1 WHERE tenant = ? AND subject = ? AND void = 0 AND redeemed_at IS NULL"
    db.execute(sql, (tenant, subject))


# ── The log, and what has ended ──────────────────────────────────────────────────────────────────────────────────────


def records(db: sqlite3.Connection, tenant: str, after: int, limit: int) -> list[AuditRecord]:
    """See `Embedded.records`."""
    sql = "SELECT body FROM records WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"
    return [rows.record(body) for (body,) in db.execute(sql, (tenant, after, limit))]


def purge(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """See `Embedded.purge`."""
    end, left = rows.us(before), limit
    for table, key, until in _ENDING:
        picked = f"SELECT {key} FROM {table} WHERE {until} <= ? LIMIT ?"  # noqa: S608 - our names
        left -= db.execute(f"DELETE FROM {table} WHERE ({key}) IN ({picked})", (end, left)).rowcount  # noqa: S608
    # A day's key goes after the day: whom was asked about in vain is then nobody's to find out.
    sql = f"DELETE FROM days WHERE (tenant, day) IN ({_PAST_DAYS})"  # noqa: S608 - our names
    left -= db.execute(sql, (day(before), left)).rowcount
    return limit - left
