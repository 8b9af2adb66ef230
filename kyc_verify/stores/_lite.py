"""`_tables.Tables` in SQLite's own dialect, for its own driver. A writer has the whole file: nothing else is held."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from kyc_verify.stores._tables import OF_SUBJECT, Row

__all__ = ["Lite"]

CASE: Final = (
    "SELECT s.subject, s.version, s.turn, s.state, s.charges, s.claimed_at, s.expires_at, u.standing, u.flags, "
    "u.key, d.key FROM sessions s "
    "LEFT JOIN subjects u ON u.tenant = s.tenant AND u.subject = s.subject "
    "LEFT JOIN days d ON d.tenant = s.tenant AND d.day = s.day WHERE s.tenant = ? AND s.id = ?"
)
CREDENTIALS: Final = "SELECT check_id, body FROM credentials WHERE tenant = ? AND subject = ?"
NUMBERS: Final = (
    "SELECT fingerprint, first_seen FROM numbers WHERE tenant = ? AND subject = ? ORDER BY first_seen, fingerprint"
)
CHARGE: Final = (
    "INSERT INTO charges SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
    "WHERE (SELECT count(*) FROM charges WHERE tenant = ?1 AND key = ?2 AND at > ?7) < ?8"
)
CLAIM: Final = (
    "UPDATE sessions SET version = version + 1, claimed_at = ? WHERE tenant = ? AND id = ? AND version = ? AND turn = ?"
)
MOVE: Final = (
    "UPDATE sessions SET version = version + 1, turn = ?, state = ?, charges = ?, claimed_at = NULL, expires_at = ? "
    "WHERE tenant = ? AND id = ? AND version = ?"
)
HEAD: Final = "SELECT seq, mac FROM heads WHERE tenant = ?"
NEW_HEAD: Final = "UPDATE heads SET seq = ?, mac = ? WHERE tenant = ?"
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
_OPEN: Final = "redeemed_at IS NULL AND void = 0"
_NEW_CREDENTIAL: Final = (
    "INSERT INTO credentials VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET enrolled_at = excluded.enrolled_at, body = excluded.body"
)
_REHASH: Final = "UPDATE credentials SET body = ? WHERE tenant = ? AND subject = ? AND check_id = ? AND enrolled_at = ?"
_NEW_PIN: Final = (
    "INSERT INTO pins VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET check_id = excluded.check_id, until = excluded.until"
)
_NEW_STAKE: Final = (
    "INSERT INTO stakes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET micros = excluded.micros, count = excluded.count"
)
_ENDING: Final = (
    ("sessions", "rowid", "expires_at"), ("grants", "tenant, digest", "expires_at"), ("charges", "rowid", "until"),
    ("runs", "rowid", "until"), ("pins", "tenant, key", "until"),
)  # fmt: skip
"""Table, its key, and the column that says until when its rows are needed."""
_PAST_DAYS: Final = (
    "SELECT tenant, day FROM days WHERE day < ? AND NOT EXISTS "
    "(SELECT 1 FROM sessions s WHERE s.tenant = days.tenant AND s.day = days.day) LIMIT ?"
)


class Lite:
    """See `Tables`."""

    __slots__ = ("_db",)

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _one(self, sql: str, *values: Any) -> Any:  # noqa: ANN401 - a row, or None
        return self._db.execute(sql, values).fetchone()

    def _all(self, sql: str, *values: Any) -> list[Any]:
        return self._db.execute(sql, values).fetchall()

    def _changed(self, sql: str, *values: Any) -> int:
        return self._db.execute(sql, values).rowcount

    # ── Locks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def lock_keys(self, tenant: str, keys: Iterable[str]) -> None:
        """Do nothing."""

    def lock_subject(self, tenant: str, subject: str, *, alone: bool) -> None:
        """Do nothing."""

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self, tenant: str, session: str, *, lock: bool) -> Row | None:
        """See `Tables.case`."""
        del lock
        found: Row | None = self._one(CASE, tenant, session)
        return found

    def session_of(self, tenant: str, request: str) -> Row | None:
        """See `Tables.session_of`."""
        found: Row | None = self._one("SELECT id, run FROM sessions WHERE tenant = ? AND request = ?", tenant, request)
        return found

    def sessions_of(self, tenant: str, subject: str) -> Sequence[str]:
        """See `Tables.sessions_of`."""
        found = self._all("SELECT id FROM sessions WHERE tenant = ? AND subject = ?", tenant, subject)
        return [row[0] for row in found]

    def add_session(
        self, tenant: str, session: str, subject: str, *, day: str | None, request: str | None, run: int, end: int
    ) -> None:
        """See `Tables.add_session`."""
        sql = "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, 0, 0, '', '[]', NULL, ?)"
        self._changed(sql, tenant, session, subject, day, request, run, end)

    def claim(self, tenant: str, session: str, *, version: int, turn: int, now: int) -> bool:
        """See `Tables.claim`."""
        return self._changed(CLAIM, now, tenant, session, version, turn) == 1

    def move(
        self, tenant: str, session: str, *, version: int, turn: int, state: str, charges: str, end: int
    ) -> bool:  # fmt: skip
        """See `Tables.move`."""
        return self._changed(MOVE, turn, state, charges, end, tenant, session, version) == 1

    # ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def subject_key(self, tenant: str, subject: str | None) -> bytes | None:
        """See `Tables.subject_key`."""
        found = self._one("SELECT key FROM subjects WHERE tenant = ? AND subject = ?", tenant, subject)
        return None if found is None else bytes(found[0])

    def add_subject(self, tenant: str, subject: str, key: bytes) -> bool:
        """See `Tables.add_subject`."""
        sql = "INSERT INTO subjects VALUES (?, ?, ?, 'open', '[]') ON CONFLICT DO NOTHING"
        return self._changed(sql, tenant, subject, key) == 1

    def set_standing(self, tenant: str, subject: str, standing: str) -> None:
        """See `Tables.set_standing`."""
        self._changed("UPDATE subjects SET standing = ? WHERE tenant = ? AND subject = ?", standing, tenant, subject)

    def set_flags(self, tenant: str, subject: str, flags: str) -> None:
        """See `Tables.set_flags`."""
        self._changed("UPDATE subjects SET flags = ? WHERE tenant = ? AND subject = ?", flags, tenant, subject)

    def drop_subject(self, tenant: str, subject: str) -> None:
        """See `Tables.drop_subject`."""
        for table in OF_SUBJECT:
            self._changed(f"DELETE FROM {table} WHERE tenant = ? AND subject = ?", tenant, subject)  # noqa: S608 - ours

    def day_key(self, tenant: str, day: str) -> bytes | None:
        """See `Tables.day_key`."""
        found = self._one("SELECT key FROM days WHERE tenant = ? AND day = ?", tenant, day)
        return None if found is None else bytes(found[0])

    def add_day(self, tenant: str, day: str, key: bytes) -> None:
        """See `Tables.add_day`."""
        self._changed("INSERT INTO days VALUES (?, ?, ?) ON CONFLICT DO NOTHING", tenant, day, key)

    def credentials(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.credentials`."""
        return self._all(CREDENTIALS, tenant, subject)

    def put_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.put_credential`."""
        self._changed(_NEW_CREDENTIAL, tenant, subject, check, enrolled_at, body)

    def replace_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.replace_credential`."""
        self._changed(_REHASH, body, tenant, subject, check, enrolled_at)

    def numbers(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.numbers`."""
        return self._all(NUMBERS, tenant, subject)

    def add_number(self, tenant: str, subject: str, fingerprint: str, first_seen: int) -> None:
        """See `Tables.add_number`."""
        sql = "INSERT INTO numbers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._changed(sql, tenant, subject, fingerprint, first_seen)

    # ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_charges(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_charges`."""
        sql = "SELECT count(*) FROM charges WHERE tenant = ? AND key = ? AND at > ?"
        return int(self._one(sql, tenant, key, since)[0])

    def charge(
        self, tenant: str, key: str, *, at: int, until: int | None, session: str, claim: int | None, since: int,
        limit: int,
    ) -> bool:  # fmt: skip
        """See `Tables.charge`."""
        return self._changed(CHARGE, tenant, key, at, until, session, claim, since, limit) == 1

    def refund(self, tenant: str, key: str, *, session: str, claim: int) -> None:
        """See `Tables.refund`."""
        sql = "DELETE FROM charges WHERE tenant = ? AND key = ? AND session = ? AND claim = ?"
        self._changed(sql, tenant, key, session, claim)

    def count_runs(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_runs`."""
        sql = "SELECT count(*) FROM runs WHERE tenant = ? AND key = ? AND at > ?"
        return int(self._one(sql, tenant, key, since)[0])

    def add_run(self, tenant: str, key: str, *, at: int, until: int, session: str) -> None:
        """See `Tables.add_run`."""
        self._changed("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", tenant, key, at, until, session)

    def drop_runs(self, tenant: str, key: str, session: str) -> None:
        """See `Tables.drop_runs`."""
        self._changed("DELETE FROM runs WHERE tenant = ? AND key = ? AND session = ?", tenant, key, session)

    def pin(self, tenant: str, key: str, now: int) -> str | None:
        """See `Tables.pin`."""
        found = self._one("SELECT check_id FROM pins WHERE tenant = ? AND key = ? AND until > ?", tenant, key, now)
        return None if found is None else str(found[0])

    def set_pin(self, tenant: str, key: str, check: str, until: int) -> None:
        """See `Tables.set_pin`."""
        self._changed(_NEW_PIN, tenant, key, check, until)

    def stake(self, tenant: str, key: str) -> Row | None:
        """See `Tables.stake`."""
        found: Row | None = self._one("SELECT micros, count FROM stakes WHERE tenant = ? AND key = ?", tenant, key)
        return found

    def set_stake(self, tenant: str, key: str, micros: str, count: int) -> None:
        """See `Tables.set_stake`."""
        self._changed(_NEW_STAKE, tenant, key, micros, count)

    def clear(self, table: str, tenant: str, key: str) -> None:
        """See `Tables.clear`."""
        self._changed(f"DELETE FROM {table} WHERE tenant = ? AND key = ?", tenant, key)  # noqa: S608 - our names

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, tenant: str, digest: bytes) -> Row | None:
        """See `Tables.grant`."""
        found: Row | None = self._one(_GRANT, tenant, digest)
        return found

    def add_grant(
        self, tenant: str, digest: bytes, *, session: str, subject: str, binding: str, end: int
    ) -> None:  # fmt: skip
        """See `Tables.add_grant`."""
        sql = "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0)"
        self._changed(sql, tenant, digest, session, subject, binding, end)

    def redeem(self, tenant: str, digest: bytes, *, now: int, request: str | None) -> bool:
        """See `Tables.redeem`."""
        return self._changed(_REDEEM, now, request, tenant, digest) == 1

    def void_grant(self, tenant: str, digest: bytes) -> None:
        """See `Tables.void_grant`."""
        self._changed("UPDATE grants SET void = 1 WHERE tenant = ? AND digest = ?", tenant, digest)

    def void_grants(self, tenant: str, *, session: str | None = None, subject: str | None = None) -> None:
        """See `Tables.void_grants`."""
        column, value = ("subject", subject) if session is None else ("session", session)
        self._changed(f"UPDATE grants SET void = 1 WHERE tenant = ? AND {column} = ? AND {_OPEN}", tenant, value)  # noqa: S608

    def has_open_grant(self, tenant: str, session: str) -> bool:
        """See `Tables.has_open_grant`."""
        sql = f"SELECT 1 FROM grants WHERE tenant = ? AND session = ? AND {_OPEN}"  # noqa: S608 - our words
        return self._one(sql, tenant, session) is not None

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def head(self, tenant: str) -> Row | None:
        """See `Tables.head`."""
        found: Row | None = self._one(HEAD, tenant)
        return found

    def add_record(self, tenant: str, seq: int, body: str, mac: bytes, *, first: bool) -> None:
        """See `Tables.add_record`."""
        self._changed("INSERT INTO records VALUES (?, ?, ?)", tenant, seq, body)
        if first:
            self._changed("INSERT INTO heads VALUES (?, ?, ?)", tenant, seq, mac)
        else:
            self._changed(NEW_HEAD, seq, mac, tenant)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[Row]:
        """See `Tables.records`."""
        sql = "SELECT body FROM records WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"
        return self._all(sql, tenant, after, limit)

    def purge(self, before: int, today: str, limit: int) -> int:
        """See `Tables.purge`."""
        left = limit
        for table, key, until in _ENDING:
            picked = f"SELECT {key} FROM {table} WHERE {until} <= ? LIMIT ?"  # noqa: S608 - our names
            left -= self._changed(f"DELETE FROM {table} WHERE ({key}) IN ({picked})", before, left)  # noqa: S608
        # A day's key goes after the day: whom was asked about in vain is then nobody's to find out.
        left -= self._changed(f"DELETE FROM days WHERE (tenant, day) IN ({_PAST_DAYS})", today, left)  # noqa: S608
        return limit - left

    # ── What belongs to no tenant ────────────────────────────────────────────────────────────────────────────────────

    def mark(self, name: str) -> int | None:
        """See `Tables.mark`."""
        found = self._one("SELECT value FROM meta WHERE name = ?", name)
        return None if found is None else int(found[0])

    def set_mark(self, name: str, value: int, *, over: bool) -> None:
        """See `Tables.set_mark`."""
        if over:
            self._changed("DELETE FROM meta WHERE name = ?", name)
        self._changed("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", name, value)

    # ── Part of a transaction ────────────────────────────────────────────────────────────────────────────────────────

    def keep_point(self) -> None:
        """See `Tables.keep_point`."""
        self._db.execute("SAVEPOINT step")

    def go_back(self) -> None:
        """See `Tables.go_back`."""
        self._db.execute("ROLLBACK TO step")
