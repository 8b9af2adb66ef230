"""The verbs around runs on an embedded database: enroll, set_standing, note, erase, records, purge, ready."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kyc_verify.audit import AuditRecord
from kyc_verify.credentials import Credential
from kyc_verify.errors import StoreError
from kyc_verify.ports import Standing, SubjectSeal
from kyc_verify.stores import _schema as rows
from kyc_verify.stores._running import Running, append

__all__ = ["Keeping", "check_schema"]

_OF_SUBJECT: Final = ("credentials", "numbers", "sessions", "grants", "subjects")


def check_schema(db: sqlite3.Connection) -> None:
    """Refuse a database that is not of this version.

    Raises:
        StoreError: it is older or newer, or a table is missing.
    """
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if missing := sorted(set(rows.TABLES) - names):
        msg = f"the database lacks the tables {', '.join(missing)}; it is another program's, or damaged"
        raise StoreError(msg)
    found = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    version = None if found is None else found[0]
    if version != rows.VERSION:
        older = type(version) is int and version < rows.VERSION
        advice = "migrate it" if older else "use the newer version of the library that wrote it"
        msg = f"the database has schema version {version}, and this library needs {rows.VERSION}; {advice}"
        raise StoreError(msg)


class Keeping(Running):
    """What is kept between runs."""

    def ready(self, now: datetime) -> None:
        """Check that the store answers and has the expected schema."""
        del now
        with self._reading() as db:
            check_schema(db)

    def enroll(
        self, tenant: str, subject: str, credentials: Sequence[Credential], *, clear: tuple[str, ...], fresh_key: bytes,
        seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Keep credentials, void the subject's open grants, drop the named budgets, record."""
        del now
        with self._writing() as db:
            key = _own_key(db, tenant, subject, fresh_key)
            for each in credentials:
                row = (tenant, subject, each.check, rows.us(each.enrolled_at), rows.credential_text(each))
                db.execute("INSERT OR REPLACE INTO credentials VALUES (?, ?, ?, ?, ?)", row)
            _void(db, tenant, subject)
            _clear(db, tenant, clear)
            append(db, tenant, lambda head: seal(head, key))

    def set_standing(
        self, tenant: str, subject: str, standing: Standing | None, *, flags: tuple[str, ...] | None,
        clear: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal, now: datetime,
    ) -> None:  # fmt: skip
        """Set the hold or the flags, drop the named budgets and run counts, record."""
        del now
        where = (tenant, subject)
        with self._writing() as db:
            key = _own_key(db, tenant, subject, fresh_key)
            if standing is not None:
                sql = "UPDATE subjects SET standing = ? WHERE tenant = ? AND subject = ?"
                db.execute(sql, (standing.value, *where))
            if flags is not None:
                db.execute(
                    "UPDATE subjects SET flags = ? WHERE tenant = ? AND subject = ?", (json.dumps(flags), *where)
                )
            if standing is Standing.LOCKED or flags is not None:
                _void(db, tenant, subject)
            _clear(db, tenant, clear)
            append(db, tenant, lambda head: seal(head, key))

    def note(self, tenant: str, subject: str | None, seal: SubjectSeal, now: datetime, *, fresh_key: bytes) -> None:
        """Append a record and change nothing else."""
        with self._writing() as db:
            sql = "SELECT key FROM subjects WHERE tenant = ? AND subject = ?"
            found = db.execute(sql, (tenant, subject)).fetchone()
            if found is None:
                day = (tenant, now.date().isoformat())
                db.execute("INSERT OR IGNORE INTO days VALUES (?, ?, ?)", (*day, fresh_key))
                found = db.execute("SELECT key FROM days WHERE tenant = ? AND day = ?", day).fetchone()
            key = found[0]
            append(db, tenant, lambda head: seal(head, key))

    def erase(self, tenant: str, subject: str, seal: SubjectSeal, now: datetime) -> bool:
        """Forget a subject; budgets and counts under keyed names stay until their window ends."""
        del now
        with self._writing() as db:
            sql = "SELECT key FROM subjects WHERE tenant = ? AND subject = ?"
            found = db.execute(sql, (tenant, subject)).fetchone()
            for table in _OF_SUBJECT:
                db.execute(f"DELETE FROM {table} WHERE tenant = ? AND subject = ?", (tenant, subject))  # noqa: S608
            append(db, tenant, lambda head: seal(head, bytes(32)))
        self._forget()
        return found is not None

    def _forget(self) -> None:
        """Make sure that deleted bytes are gone from the disk."""

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        """Return audit records with a sequence number over `after`, in order, at most `limit`."""
        sql = "SELECT body FROM records WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"
        with self._reading() as db:
            return [rows.record(body) for (body,) in db.execute(sql, (tenant, after, limit))]

    def purge(self, before: datetime, limit: int) -> int:
        """Drop what ended before: sessions, grants, charges, runs, pins, keys of past days; at most `limit` of each."""
        end, dropped = rows.us(before), 0
        with self._writing() as db:
            for table, key, column in (
                ("sessions", "tenant, id", "expires_at"),
                ("grants", "tenant, digest", "expires_at"),
                ("charges", "rowid", "until"),
                ("runs", "rowid", "until"),
                ("pins", "tenant, key", "until"),
            ):
                picked = f"SELECT {key} FROM {table} WHERE {column} <= ? LIMIT ?"  # noqa: S608 - names from above
                dropped += db.execute(f"DELETE FROM {table} WHERE ({key}) IN ({picked})", (end, limit)).rowcount  # noqa: S608
            # A day's key goes with the day: who was asked about in vain on it is then nobody's to find out.
            day = before.date().isoformat()
            live = "SELECT 1 FROM sessions WHERE sessions.tenant = days.tenant AND sessions.day = days.day"
            dropped += db.execute(f"DELETE FROM days WHERE day < ? AND NOT EXISTS ({live})", (day,)).rowcount  # noqa: S608
        return dropped


def _own_key(db: sqlite3.Connection, tenant: str, subject: str, fresh: bytes) -> bytes:
    db.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?, ?, 'open', '[]')", (tenant, subject, fresh))
    sql = "SELECT key FROM subjects WHERE tenant = ? AND subject = ?"
    return bytes(db.execute(sql, (tenant, subject)).fetchone()[0])


def _void(db: sqlite3.Connection, tenant: str, subject: str) -> None:
    sql = "UPDATE grants SET void = 1 WHERE tenant = ? AND subject = ? AND redeemed_at IS NULL"
    db.execute(sql, (tenant, subject))


def _clear(db: sqlite3.Connection, tenant: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        for table in ("charges", "runs", "pins", "stakes"):
            db.execute(f"DELETE FROM {table} WHERE tenant = ? AND key = ?", (tenant, key))  # noqa: S608 - names from above
