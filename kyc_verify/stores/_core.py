"""`_tables.Tables` on PostgreSQL, MariaDB, MySQL and SQLite, through SQLAlchemy.

Rows that decide are held, and so are keyed names, by the database's own advisory locks: what is counted under a name
cannot change between the count and the row that it allows. They are taken in one order, so that two verbs never wait
for one another; what deadlocks all the same is undone and done again by the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPICursor

from kyc_verify.errors import StoreError
from kyc_verify.stores._plans import Build, plans
from kyc_verify.stores._statements import Statements, purge
from kyc_verify.stores._tables import OF_SUBJECT, Row

__all__ = ["Core"]

_PATIENCE: Final = 10
"""Seconds that a keyed name is waited for."""


def _plain(row: Sequence[Any]) -> Row:
    """Return a row; some drivers give a view of memory for bytes."""
    return tuple([bytes(value) if type(value) is memoryview else value for value in row])


class Core:
    """See `Tables`; statements go through the driver's own cursor, and what it raises is the driver's own error."""

    __slots__ = ("_db", "_kind", "_opened", "_plans", "named")

    def __init__(self, db: Connection) -> None:
        self._db, self._plans = db, plans(db.dialect)
        self._opened: DBAPICursor | None = None
        self._kind = self._plans.kind
        self.named = False
        """Whether names are held that outlive the transaction (MariaDB's, MySQL's)."""

    @property
    def _cursor(self) -> DBAPICursor:
        """The driver's cursor of this transaction."""
        if self._opened is None:
            self._opened = self._db.connection.cursor()
        return self._opened

    def close(self) -> None:
        """Let go of the cursor; the transaction is its owner's."""
        if self._opened is not None:
            self._opened.close()

    def _run(self, build: Build, **values: Any) -> None:
        self._plans.run(self._cursor, build, values)

    def _one(self, build: Build, **values: Any) -> Row | None:
        self._run(build, **values)
        found = self._cursor.fetchone()
        return None if found is None else _plain(found)

    def _all(self, build: Build, **values: Any) -> list[Row]:
        self._run(build, **values)
        return [_plain(row) for row in self._cursor.fetchall()]

    def _value(self, build: Build, **values: Any) -> Any:  # noqa: ANN401 - as the database has it
        found = self._one(build, **values)
        return None if found is None else found[0]

    def _bytes(self, build: Build, **values: Any) -> bytes | None:
        found = self._value(build, **values)
        return None if found is None else bytes(found)

    def _changed(self, build: Build, **values: Any) -> int:
        self._run(build, **values)
        return self._cursor.rowcount

    def _add(self, name: str, **values: Any) -> None:
        self._plans.add(self._cursor, name, values)

    # ── Locks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def lock_keys(self, tenant: str, keys: Iterable[str]) -> None:
        """See `Tables.lock_keys`; in the order of their hashes, whoever asks."""
        hashes = sorted(hashlib.sha256(f"{tenant}\0{key}".encode()).digest()[:16] for key in set(keys))
        if not hashes or self._kind == "sqlite":
            return
        if self._kind == "postgresql":
            for each in hashes:
                self._run(Statements.lock_name, name=int.from_bytes(each[:8], "big", signed=True))
            return
        self.named = True
        for each in hashes:
            if self._value(Statements.lock_named, name=f"kyc:{each.hex()}", patience=_PATIENCE) != 1:
                msg = "somebody else has held this budget for too long; nothing was written: try again"
                raise StoreError(msg)

    def lock_subject(self, tenant: str, subject: str, *, alone: bool) -> None:
        """See `Tables.lock_subject`."""
        if self._kind != "sqlite":
            self._run(Statements.lock_subject if alone else Statements.share_subject, tenant=tenant, subject=subject)

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self, tenant: str, session: str, *, lock: bool) -> Row | None:
        """See `Tables.case`."""
        if lock and self._kind in {"mariadb", "mysql"}:
            # First the session alone: to hold the subject too would be to hold it after the session.
            self._run(Statements.hold_session, tenant=tenant, id=session)
        return self._one(Statements.held_case if lock else Statements.case, tenant=tenant, id=session)

    def session_of(self, tenant: str, request: str) -> Row | None:
        """See `Tables.session_of`."""
        return self._one(Statements.session_of, tenant=tenant, request=request)

    def sessions_of(self, tenant: str, subject: str) -> Sequence[str]:
        """See `Tables.sessions_of`."""
        return [str(row[0]) for row in self._all(Statements.sessions_of, tenant=tenant, subject=subject)]

    def add_session(
        self, tenant: str, session: str, subject: str, *, day: str | None, request: str | None, run: int, end: int
    ) -> None:
        """See `Tables.add_session`."""
        self._add(
            "sessions", tenant=tenant, id=session, subject=subject, day=day, request=request, run=run, version=0,
            turn=0, state="", charges="[]", claimed_at=None, expires_at=end,
        )  # fmt: skip

    def claim(self, tenant: str, session: str, *, version: int, turn: int, now: int) -> bool:
        """See `Tables.claim`."""
        return self._changed(Statements.claim, tenant=tenant, id=session, version=version, turn=turn, now=now) == 1

    def move(
        self, tenant: str, session: str, *, version: int, turn: int, state: str, charges: str, end: int
    ) -> bool:  # fmt: skip
        """See `Tables.move`."""
        values = {"tenant": tenant, "id": session, "version": version, "turn": turn, "state": state}
        return self._changed(Statements.move, **values, charges=charges, end=end) == 1

    # ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def subject_key(self, tenant: str, subject: str | None) -> bytes | None:
        """See `Tables.subject_key`."""
        return self._bytes(Statements.subject_key, tenant=tenant, subject=subject)

    def add_subject(self, tenant: str, subject: str, key: bytes) -> bool:
        """See `Tables.add_subject`."""
        values = {"tenant": tenant, "subject": subject, "key": key, "standing": "open", "flags": "[]"}
        return self._plans.add(self._cursor, "subjects", values, changing=()) == 1

    def set_standing(self, tenant: str, subject: str, standing: str) -> None:
        """See `Tables.set_standing`."""
        self._run(Statements.set_standing, tenant=tenant, subject=subject, standing=standing)

    def set_flags(self, tenant: str, subject: str, flags: str) -> None:
        """See `Tables.set_flags`."""
        self._run(Statements.set_flags, tenant=tenant, subject=subject, flags=flags)

    def drop_subject(self, tenant: str, subject: str) -> None:
        """See `Tables.drop_subject`."""
        for name in OF_SUBJECT:
            self._plans.drop(self._cursor, name, {"tenant": tenant, "subject": subject})

    def day_key(self, tenant: str, day: str) -> bytes | None:
        """See `Tables.day_key`."""
        return self._bytes(Statements.day_key, tenant=tenant, day=day)

    def add_day(self, tenant: str, day: str, key: bytes) -> None:
        """See `Tables.add_day`."""
        self._plans.add(self._cursor, "days", {"tenant": tenant, "day": day, "key": key}, changing=())

    def credentials(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.credentials`."""
        return self._all(Statements.credentials, tenant=tenant, subject=subject)

    def put_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.put_credential`."""
        values = {"tenant": tenant, "subject": subject, "check_id": check, "enrolled_at": enrolled_at, "body": body}
        self._plans.add(self._cursor, "credentials", values, changing=("enrolled_at", "body"))

    def replace_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.replace_credential`."""
        self._run(
            Statements.replace_credential,
            tenant=tenant,
            subject=subject,
            check_id=check,
            enrolled_at=enrolled_at,
            body=body,
        )

    def numbers(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.numbers`."""
        return sorted(self._all(Statements.numbers, tenant=tenant, subject=subject), key=lambda row: (row[1], row[0]))

    def add_number(self, tenant: str, subject: str, fingerprint: str, first_seen: int) -> None:
        """See `Tables.add_number`."""
        values = {"tenant": tenant, "subject": subject, "fingerprint": fingerprint, "first_seen": first_seen}
        self._plans.add(self._cursor, "numbers", values, changing=())

    # ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_charges(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_charges`."""
        return int(self._value(Statements.count_charges, tenant=tenant, key=key, since=since))

    def charge(
        self, tenant: str, key: str, *, at: int, until: int | None, session: str, claim: int | None, since: int,
        limit: int,
    ) -> bool:  # fmt: skip
        """See `Tables.charge`; the name is held."""
        if self.count_charges(tenant, key, since) >= limit:
            return False
        self._add("charges", tenant=tenant, key=key, at=at, until=until, session=session, claim=claim)
        return True

    def refund(self, tenant: str, key: str, *, session: str, claim: int) -> None:
        """See `Tables.refund`."""
        self._run(Statements.refund, tenant=tenant, key=key, session=session, claim=claim)

    def count_runs(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_runs`; the name is held."""
        return int(self._value(Statements.count_runs, tenant=tenant, key=key, since=since))

    def add_run(self, tenant: str, key: str, *, at: int, until: int, session: str) -> None:
        """See `Tables.add_run`."""
        self._add("runs", tenant=tenant, key=key, at=at, until=until, session=session)

    def drop_runs(self, tenant: str, key: str, session: str) -> None:
        """See `Tables.drop_runs`."""
        self._run(Statements.drop_runs, tenant=tenant, key=key, session=session)

    def pin(self, tenant: str, key: str, now: int) -> str | None:
        """See `Tables.pin`."""
        found: str | None = self._value(Statements.pin, tenant=tenant, key=key, now=now)
        return found

    def set_pin(self, tenant: str, key: str, check: str, until: int) -> None:
        """See `Tables.set_pin`."""
        values = {"tenant": tenant, "key": key, "check_id": check, "until": until}
        self._plans.add(self._cursor, "pins", values, changing=("check_id", "until"))

    def stake(self, tenant: str, key: str) -> Row | None:
        """See `Tables.stake`; the name is held."""
        return self._one(Statements.stake, tenant=tenant, key=key)

    def set_stake(self, tenant: str, key: str, micros: str, count: int) -> None:
        """See `Tables.set_stake`."""
        values = {"tenant": tenant, "key": key, "micros": micros, "count": count}
        self._plans.add(self._cursor, "stakes", values, changing=("micros", "count"))

    def clear(self, table: str, tenant: str, key: str) -> None:
        """See `Tables.clear`."""
        self._plans.drop(self._cursor, table, {"tenant": tenant, "key": key})

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, tenant: str, digest: bytes) -> Row | None:
        """See `Tables.grant`."""
        if self._kind in {"mariadb", "mysql"}:
            self._run(Statements.hold_grant, tenant=tenant, digest=digest)
        return self._one(Statements.grant, tenant=tenant, digest=digest)

    def add_grant(
        self, tenant: str, digest: bytes, *, session: str, subject: str, binding: str, end: int
    ) -> None:  # fmt: skip
        """See `Tables.add_grant`."""
        self._add(
            "grants", tenant=tenant, digest=digest, session=session, subject=subject, binding=binding, expires_at=end,
            redeemed_at=None, request=None, void=0,
        )  # fmt: skip

    def redeem(self, tenant: str, digest: bytes, *, now: int, request: str | None) -> bool:
        """See `Tables.redeem`."""
        return self._changed(Statements.redeem, tenant=tenant, digest=digest, now=now, request=request) == 1

    def void_grant(self, tenant: str, digest: bytes) -> None:
        """See `Tables.void_grant`."""
        self._run(Statements.void_grant, tenant=tenant, digest=digest)

    def void_grants(self, tenant: str, *, session: str | None = None, subject: str | None = None) -> None:
        """See `Tables.void_grants`."""
        if session is None:
            self._run(Statements.void_of_subject, tenant=tenant, subject=subject)
        else:
            self._run(Statements.void_of_session, tenant=tenant, session=session)

    def has_open_grant(self, tenant: str, session: str) -> bool:
        """See `Tables.has_open_grant`."""
        return self._one(Statements.open_grant, tenant=tenant, session=session) is not None

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def head(self, tenant: str) -> Row | None:
        """See `Tables.head`."""
        found = self._one(Statements.head, tenant=tenant)
        return None if found is None else (int(found[0]), bytes(found[1]))

    def add_record(self, tenant: str, seq: int, body: str, mac: bytes, *, first: bool) -> None:
        """See `Tables.add_record`; who was second with a first record fails, and is done again."""
        self._add("records", tenant=tenant, seq=seq, body=body)
        if first:
            self._add("heads", tenant=tenant, seq=seq, mac=mac)
        else:
            self._run(Statements.move_head, tenant=tenant, seq=seq, mac=mac)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[Row]:
        """See `Tables.records`."""
        return self._all(Statements.records, tenant=tenant, after=after, limit=limit)

    def purge(self, before: int, today: str, limit: int) -> int:
        """See `Tables.purge`."""
        return purge(self._plans.made, self._read_once, self._change_once, before, today, limit)

    def _read_once(self, statement: Any) -> list[Row]:  # noqa: ANN401 - any statement
        self._plans.once(self._cursor, statement)
        return [_plain(row) for row in self._cursor.fetchall()]

    def _change_once(self, statement: Any) -> int:  # noqa: ANN401 - any statement
        self._plans.once(self._cursor, statement)
        return self._cursor.rowcount

    # ── What belongs to no tenant ────────────────────────────────────────────────────────────────────────────────────

    def mark(self, name: str) -> int | None:
        """See `Tables.mark`."""
        found: int | None = self._value(Statements.mark, name=name)
        return found

    def set_mark(self, name: str, value: int, *, over: bool) -> None:
        """See `Tables.set_mark`."""
        self._plans.add(self._cursor, "meta", {"name": name, "value": value}, changing=("value",) if over else ())

    # ── Part of a transaction ────────────────────────────────────────────────────────────────────────────────────────

    def keep_point(self) -> None:
        """See `Tables.keep_point`."""
        self._db.exec_driver_sql("SAVEPOINT kyc_step")

    def go_back(self) -> None:
        """See `Tables.go_back`."""
        self._db.exec_driver_sql("ROLLBACK TO SAVEPOINT kyc_step")
