"""The tables of the embedded stores, and the refusal of any others.

Every table is keyed by tenant; text compares byte by byte. ``charges``, ``runs``, ``pins`` and ``stakes`` hang on
keyed names, not on subjects: they outlive an erasure until their window ends.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from kyc_verify.errors import StoreError

__all__ = ["VERSION", "check", "create"]

VERSION: Final = 1
"""Version of the schema; a store refuses every other."""

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE subjects (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, key BLOB NOT NULL, standing TEXT NOT NULL, flags TEXT NOT NULL,
    PRIMARY KEY (tenant, subject)
) WITHOUT ROWID;
CREATE TABLE days (
    tenant TEXT NOT NULL, day TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (tenant, day)
) WITHOUT ROWID;
CREATE TABLE credentials (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, check_id TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (tenant, subject, check_id)
) WITHOUT ROWID;
CREATE TABLE numbers (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, fingerprint TEXT NOT NULL, first_seen INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, fingerprint)
) WITHOUT ROWID;
CREATE TABLE sessions (
    tenant TEXT NOT NULL, id TEXT NOT NULL, subject TEXT NOT NULL, day TEXT, request TEXT, run INTEGER NOT NULL,
    version INTEGER NOT NULL, turn INTEGER NOT NULL, state TEXT NOT NULL, charges TEXT NOT NULL, claimed_at INTEGER,
    expires_at INTEGER NOT NULL, PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX sessions_request ON sessions (tenant, request) WHERE request IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (tenant, subject);
CREATE INDEX sessions_day ON sessions (tenant, day) WHERE day IS NOT NULL;
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE TABLE charges (
    tenant TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER, session TEXT NOT NULL, claim INTEGER
);
CREATE INDEX charges_key ON charges (tenant, key, at);
CREATE INDEX charges_until ON charges (until) WHERE until IS NOT NULL;
CREATE TABLE runs (
    tenant TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL, session TEXT NOT NULL
);
CREATE INDEX runs_key ON runs (tenant, key, at);
CREATE INDEX runs_until ON runs (until);
CREATE TABLE pins (
    tenant TEXT NOT NULL, key TEXT NOT NULL, check_id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE INDEX pins_until ON pins (until);
CREATE TABLE grants (
    tenant TEXT NOT NULL, digest BLOB NOT NULL, session TEXT NOT NULL, subject TEXT NOT NULL, binding TEXT NOT NULL,
    expires_at INTEGER NOT NULL, redeemed_at INTEGER, request TEXT, void INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
) WITHOUT ROWID;
CREATE INDEX grants_session ON grants (tenant, session);
CREATE INDEX grants_subject ON grants (tenant, subject);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE TABLE stakes (
    tenant TEXT NOT NULL, key TEXT NOT NULL, micros TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE TABLE records (
    tenant TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;
CREATE TABLE heads (tenant TEXT PRIMARY KEY, seq INTEGER NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
"""

_STATEMENTS: Final = tuple(text for each in _SCHEMA.split(";\n") if (text := each.strip()))


def _name(statement: str) -> str:
    return statement.partition("(")[0].partition(" ON ")[0].split()[-1]


_EXPECTED: Final = {_name(each): each for each in _STATEMENTS}


def _found(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    return dict(rows.fetchall())


def create(db: sqlite3.Connection) -> None:
    """Make the tables if the database is empty; a database that is not is left as it is."""
    if not _found(db):
        for each in _STATEMENTS:
            db.execute(each)
        db.execute("INSERT INTO meta VALUES ('schema', ?)", (VERSION,))


def check(db: sqlite3.Connection) -> None:
    """Refuse a database that is not exactly of this version.

    Raises:
        StoreError: it is of an older or newer version, another program's, shared with one, or damaged.
    """
    found = _found(db)
    if "meta" not in found:
        msg = "the database is not one of this library; give the library a file of its own"
        raise StoreError(msg)
    row = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    version = None if row is None else row[0]
    if type(version) is int and version != VERSION:
        advice = "migrate it" if version < VERSION else "use the newer version of the library that wrote it"
        msg = f"the database has schema version {version} and this library needs {VERSION}; {advice}"
        raise StoreError(msg)
    wrong = sorted(name for name, sql in _EXPECTED.items() if found.get(name) != sql)
    if version is None or wrong:
        msg = f"the schema of the database is damaged ({', '.join(wrong) or 'no version'}); restore it from a backup"
        raise StoreError(msg)
    if foreign := sorted(set(found) - set(_EXPECTED)):
        msg = f"the database also holds {', '.join(foreign)}; give the library a file of its own"
        raise StoreError(msg)
