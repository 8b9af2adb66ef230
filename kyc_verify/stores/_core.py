"""`_tables.Tables` in SQLAlchemy Core, for PostgreSQL, MariaDB, MySQL and SQLite.

Rows that decide are held (``FOR UPDATE``), and so are keyed names, by the database's own advisory locks: what is
counted under a name cannot change between the count and the row that it allows. They are taken in one order, so that
two verbs never wait for one another; what deadlocks all the same is undone and done again by the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, and_, delete, exists, func, insert, select, update

from kyc_verify.errors import StoreError
from kyc_verify.stores._metadata import Tabled
from kyc_verify.stores._statements import purged, upsert
from kyc_verify.stores._tables import OF_SUBJECT, Row

__all__ = ["Core"]

_PATIENCE: Final = 10
"""Seconds that a keyed name is waited for."""
_ENDING: Final = (
    ("sessions", "expires_at"), ("grants", "expires_at"), ("charges", "until"), ("runs", "until"), ("pins", "until"),
)  # fmt: skip
"""Tables, and the column that says until when their rows are needed."""


class Core:
    """See `Tables`."""

    __slots__ = ("_db", "_kind", "_of", "named")

    def __init__(self, db: Connection, made: Tabled) -> None:
        self._db, self._kind, self._of = db, made.kind, made.of
        self.named = False
        """Whether names are held that outlive the transaction (MariaDB's, MySQL's)."""

    def _one(self, statement: Any) -> Row | None:  # noqa: ANN401 - any of Core's
        found = self._db.execute(statement).first()
        return None if found is None else tuple(found)

    def _bytes(self, statement: Any) -> bytes | None:  # noqa: ANN401
        found = self._db.execute(statement).scalar()
        return None if found is None else bytes(found)

    def _changed(self, statement: Any) -> int:  # noqa: ANN401
        return int(self._db.execute(statement).rowcount)

    def _held(self, statement: Any, *, of: Table | None = None, shared: bool = False) -> Any:  # noqa: ANN401
        """Hold the rows; a writer on SQLite has the whole file."""
        if self._kind == "sqlite":
            return statement
        # MariaDB cannot name the table to hold; to hold the few joined rows as well does no harm.
        named = of if self._kind == "postgresql" else None
        return statement.with_for_update(of=named, read=shared)

    def _put(self, table: Table, values: Mapping[str, Any], *, changing: Sequence[str] = ()) -> int:
        return self._changed(upsert(self._kind, table, values, changing=changing))

    # ── Locks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def lock_keys(self, tenant: str, keys: Iterable[str]) -> None:
        """See `Tables.lock_keys`; in the order of their hashes, whoever asks."""
        hashes = sorted(hashlib.sha256(f"{tenant}\0{key}".encode()).digest()[:16] for key in set(keys))
        if not hashes or self._kind == "sqlite":
            return
        if self._kind == "postgresql":
            for each in hashes:
                self._db.execute(select(func.pg_advisory_xact_lock(int.from_bytes(each[:8], "big", signed=True))))
            return
        self.named = True
        for each in hashes:
            if self._db.execute(select(func.get_lock(f"kyc:{each.hex()}", _PATIENCE))).scalar() != 1:
                msg = "somebody else has held this budget for too long; nothing was written: try again"
                raise StoreError(msg)

    def lock_subject(self, tenant: str, subject: str, *, alone: bool) -> None:
        """See `Tables.lock_subject`."""
        table = self._of["subjects"]
        if self._kind != "sqlite":
            statement = select(table.c.standing).where(table.c.tenant == tenant, table.c.subject == subject)
            self._db.execute(self._held(statement, shared=not alone))

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self, tenant: str, session: str, *, lock: bool) -> Row | None:
        """See `Tables.case`."""
        s, u, d = self._of["sessions"], self._of["subjects"], self._of["days"]
        joined = s.outerjoin(u, and_(u.c.tenant == s.c.tenant, u.c.subject == s.c.subject)).outerjoin(
            d, and_(d.c.tenant == s.c.tenant, d.c.day == s.c.day)
        )
        statement = (
            select(
                s.c.subject, s.c.version, s.c.turn, s.c.state, s.c.charges, s.c.claimed_at, s.c.expires_at,
                u.c.standing, u.c.flags, u.c.key, d.c.key.label("day_key"),
            )
            .select_from(joined)
            .where(s.c.tenant == tenant, s.c.id == session)
        )  # fmt: skip
        if lock and self._kind in {"mariadb", "mysql"}:
            # First the session alone: to hold the subject too would be to hold it after the session.
            self._db.execute(select(s.c.version).where(s.c.tenant == tenant, s.c.id == session).with_for_update())
        return self._one(self._held(statement, of=s) if lock and self._kind == "postgresql" else statement)

    def session_of(self, tenant: str, request: str) -> Row | None:
        """See `Tables.session_of`."""
        s = self._of["sessions"]
        return self._one(select(s.c.id, s.c.run).where(s.c.tenant == tenant, s.c.request == request))

    def sessions_of(self, tenant: str, subject: str) -> Sequence[str]:
        """See `Tables.sessions_of`."""
        s = self._of["sessions"]
        return list(self._db.execute(select(s.c.id).where(s.c.tenant == tenant, s.c.subject == subject)).scalars())

    def add_session(
        self, tenant: str, session: str, subject: str, *, day: str | None, request: str | None, run: int, end: int
    ) -> None:
        """See `Tables.add_session`."""
        values = {
            "tenant": tenant, "id": session, "subject": subject, "day": day, "request": request, "run": run,
            "version": 0, "turn": 0, "state": "", "charges": "[]", "claimed_at": None, "expires_at": end,
        }  # fmt: skip
        self._changed(insert(self._of["sessions"]).values(**values))

    def claim(self, tenant: str, session: str, *, version: int, turn: int, now: int) -> bool:
        """See `Tables.claim`."""
        s = self._of["sessions"]
        there = and_(s.c.tenant == tenant, s.c.id == session, s.c.version == version, s.c.turn == turn)
        return self._changed(update(s).where(there).values(version=s.c.version + 1, claimed_at=now)) == 1

    def move(
        self, tenant: str, session: str, *, version: int, turn: int, state: str, charges: str, end: int
    ) -> bool:  # fmt: skip
        """See `Tables.move`."""
        s = self._of["sessions"]
        there = and_(s.c.tenant == tenant, s.c.id == session, s.c.version == version)
        written = {"turn": turn, "state": state, "charges": charges, "claimed_at": None, "expires_at": end}
        return self._changed(update(s).where(there).values(version=s.c.version + 1, **written)) == 1

    # ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _subject(self, tenant: str, subject: str | None) -> Any:  # noqa: ANN401 - a condition
        u = self._of["subjects"]
        return and_(u.c.tenant == tenant, u.c.subject == subject)

    def subject_key(self, tenant: str, subject: str | None) -> bytes | None:
        """See `Tables.subject_key`."""
        return self._bytes(select(self._of["subjects"].c.key).where(self._subject(tenant, subject)))

    def add_subject(self, tenant: str, subject: str, key: bytes) -> bool:
        """See `Tables.add_subject`."""
        values = {"tenant": tenant, "subject": subject, "key": key, "standing": "open", "flags": "[]"}
        return self._put(self._of["subjects"], values) == 1

    def set_standing(self, tenant: str, subject: str, standing: str) -> None:
        """See `Tables.set_standing`."""
        self._changed(update(self._of["subjects"]).where(self._subject(tenant, subject)).values(standing=standing))

    def set_flags(self, tenant: str, subject: str, flags: str) -> None:
        """See `Tables.set_flags`."""
        self._changed(update(self._of["subjects"]).where(self._subject(tenant, subject)).values(flags=flags))

    def drop_subject(self, tenant: str, subject: str) -> None:
        """See `Tables.drop_subject`."""
        for name in OF_SUBJECT:
            table = self._of[name]
            self._changed(delete(table).where(table.c.tenant == tenant, table.c.subject == subject))

    def day_key(self, tenant: str, day: str) -> bytes | None:
        """See `Tables.day_key`."""
        d = self._of["days"]
        return self._bytes(select(d.c.key).where(d.c.tenant == tenant, d.c.day == day))

    def add_day(self, tenant: str, day: str, key: bytes) -> None:
        """See `Tables.add_day`."""
        self._put(self._of["days"], {"tenant": tenant, "day": day, "key": key})

    def credentials(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.credentials`."""
        c = self._of["credentials"]
        statement = select(c.c.check_id, c.c.body).where(c.c.tenant == tenant, c.c.subject == subject)
        return [tuple(row) for row in self._db.execute(statement)]

    def put_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.put_credential`."""
        values = {"tenant": tenant, "subject": subject, "check_id": check, "enrolled_at": enrolled_at, "body": body}
        self._put(self._of["credentials"], values, changing=("enrolled_at", "body"))

    def replace_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """See `Tables.replace_credential`."""
        c = self._of["credentials"]
        there = and_(c.c.tenant == tenant, c.c.subject == subject, c.c.check_id == check)
        self._changed(update(c).where(there, c.c.enrolled_at == enrolled_at).values(body=body))

    def numbers(self, tenant: str, subject: str) -> Sequence[Row]:
        """See `Tables.numbers`."""
        n = self._of["numbers"]
        statement = select(n.c.fingerprint, n.c.first_seen).where(n.c.tenant == tenant, n.c.subject == subject)
        return sorted((tuple(row) for row in self._db.execute(statement)), key=lambda row: (row[1], row[0]))

    def add_number(self, tenant: str, subject: str, fingerprint: str, first_seen: int) -> None:
        """See `Tables.add_number`."""
        values = {"tenant": tenant, "subject": subject, "fingerprint": fingerprint, "first_seen": first_seen}
        self._put(self._of["numbers"], values)

    # ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _count(self, name: str, tenant: str, key: str, since: int) -> int:
        table = self._of[name]
        there = and_(table.c.tenant == tenant, table.c.key == key, table.c.at > since)
        return int(self._db.execute(select(func.count()).select_from(table).where(there)).scalar_one())

    def count_charges(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_charges`."""
        return self._count("charges", tenant, key, since)

    def charge(
        self, tenant: str, key: str, *, at: int, until: int | None, session: str, claim: int | None, since: int,
        limit: int,
    ) -> bool:  # fmt: skip
        """See `Tables.charge`; the name is held."""
        if self.count_charges(tenant, key, since) >= limit:
            return False
        values = {"tenant": tenant, "key": key, "at": at, "until": until, "session": session, "claim": claim}
        self._changed(insert(self._of["charges"]).values(**values))
        return True

    def refund(self, tenant: str, key: str, *, session: str, claim: int) -> None:
        """See `Tables.refund`."""
        c = self._of["charges"]
        there = and_(c.c.tenant == tenant, c.c.key == key, c.c.session == session, c.c.claim == claim)
        self._changed(delete(c).where(there))

    def count_runs(self, tenant: str, key: str, since: int) -> int:
        """See `Tables.count_runs`; the name is held."""
        return self._count("runs", tenant, key, since)

    def add_run(self, tenant: str, key: str, *, at: int, until: int, session: str) -> None:
        """See `Tables.add_run`."""
        values = {"tenant": tenant, "key": key, "at": at, "until": until, "session": session}
        self._changed(insert(self._of["runs"]).values(**values))

    def drop_runs(self, tenant: str, key: str, session: str) -> None:
        """See `Tables.drop_runs`."""
        r = self._of["runs"]
        self._changed(delete(r).where(r.c.tenant == tenant, r.c.key == key, r.c.session == session))

    def pin(self, tenant: str, key: str, now: int) -> str | None:
        """See `Tables.pin`."""
        p = self._of["pins"]
        there = and_(p.c.tenant == tenant, p.c.key == key, p.c.until > now)
        return self._db.execute(select(p.c.check_id).where(there)).scalar()

    def set_pin(self, tenant: str, key: str, check: str, until: int) -> None:
        """See `Tables.set_pin`."""
        values = {"tenant": tenant, "key": key, "check_id": check, "until": until}
        self._put(self._of["pins"], values, changing=("check_id", "until"))

    def stake(self, tenant: str, key: str) -> Row | None:
        """See `Tables.stake`; the name is held."""
        s = self._of["stakes"]
        return self._one(select(s.c.micros, s.c.count).where(s.c.tenant == tenant, s.c.key == key))

    def set_stake(self, tenant: str, key: str, micros: str, count: int) -> None:
        """See `Tables.set_stake`."""
        values = {"tenant": tenant, "key": key, "micros": micros, "count": count}
        self._put(self._of["stakes"], values, changing=("micros", "count"))

    def clear(self, table: str, tenant: str, key: str) -> None:
        """See `Tables.clear`."""
        found = self._of[table]
        self._changed(delete(found).where(found.c.tenant == tenant, found.c.key == key))

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, tenant: str, digest: bytes) -> Row | None:
        """See `Tables.grant`."""
        g, u, s, d = (self._of[name] for name in ("grants", "subjects", "sessions", "days"))
        there = and_(g.c.tenant == tenant, g.c.digest == digest)
        joined = (
            g.outerjoin(u, and_(u.c.tenant == g.c.tenant, u.c.subject == g.c.subject))
            .outerjoin(s, and_(s.c.tenant == g.c.tenant, s.c.id == g.c.session))
            .outerjoin(d, and_(d.c.tenant == s.c.tenant, d.c.day == s.c.day))
        )
        statement = (
            select(
                g.c.session, g.c.binding, g.c.expires_at, g.c.redeemed_at, g.c.request, g.c.void, u.c.standing,
                u.c.key, d.c.key.label("day_key"),
            )
            .select_from(joined)
            .where(there)
        )  # fmt: skip
        if self._kind in {"mariadb", "mysql"}:
            self._db.execute(select(g.c.void).where(there).with_for_update())
        return self._one(self._held(statement, of=g) if self._kind == "postgresql" else statement)

    def add_grant(
        self, tenant: str, digest: bytes, *, session: str, subject: str, binding: str, end: int
    ) -> None:  # fmt: skip
        """See `Tables.add_grant`."""
        values = {
            "tenant": tenant, "digest": digest, "session": session, "subject": subject, "binding": binding,
            "expires_at": end, "redeemed_at": None, "request": None, "void": 0,
        }  # fmt: skip
        self._changed(insert(self._of["grants"]).values(**values))

    def redeem(self, tenant: str, digest: bytes, *, now: int, request: str | None) -> bool:
        """See `Tables.redeem`."""
        g = self._of["grants"]
        there = and_(g.c.tenant == tenant, g.c.digest == digest, g.c.redeemed_at.is_(None), g.c.void == 0)
        return self._changed(update(g).where(there).values(redeemed_at=now, request=request)) == 1

    def void_grant(self, tenant: str, digest: bytes) -> None:
        """See `Tables.void_grant`."""
        g = self._of["grants"]
        self._changed(update(g).where(g.c.tenant == tenant, g.c.digest == digest).values(void=1))

    def void_grants(self, tenant: str, *, session: str | None = None, subject: str | None = None) -> None:
        """See `Tables.void_grants`."""
        g = self._of["grants"]
        whose = g.c.subject == subject if session is None else g.c.session == session
        opened = and_(g.c.redeemed_at.is_(None), g.c.void == 0)
        self._changed(update(g).where(g.c.tenant == tenant, whose, opened).values(void=1))

    def has_open_grant(self, tenant: str, session: str) -> bool:
        """See `Tables.has_open_grant`."""
        g = self._of["grants"]
        opened = and_(g.c.redeemed_at.is_(None), g.c.void == 0)
        return self._one(select(g.c.void).where(g.c.tenant == tenant, g.c.session == session, opened)) is not None

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def head(self, tenant: str) -> Row | None:
        """See `Tables.head`."""
        h = self._of["heads"]
        found = self._one(self._held(select(h.c.seq, h.c.mac).where(h.c.tenant == tenant)))
        return None if found is None else (int(found[0]), bytes(found[1]))

    def add_record(self, tenant: str, seq: int, body: str, mac: bytes, *, first: bool) -> None:
        """See `Tables.add_record`; who was second with a first record fails, and is done again."""
        self._changed(insert(self._of["records"]).values(tenant=tenant, seq=seq, body=body))
        h = self._of["heads"]
        if first:
            self._changed(insert(h).values(tenant=tenant, seq=seq, mac=mac))
        else:
            self._changed(update(h).where(h.c.tenant == tenant).values(seq=seq, mac=mac))

    def records(self, tenant: str, after: int, limit: int) -> Sequence[Row]:
        """See `Tables.records`."""
        r = self._of["records"]
        statement = select(r.c.body).where(r.c.tenant == tenant, r.c.seq > after).order_by(r.c.seq).limit(limit)
        return [tuple(row) for row in self._db.execute(statement)]

    def purge(self, before: int, today: str, limit: int) -> int:
        """See `Tables.purge`."""
        left = limit
        for name, column in _ENDING:
            table = self._of[name]
            left -= purged(self._db, table, table.c[column] <= before, left)
        d, s = self._of["days"], self._of["sessions"]
        used = exists().where(s.c.tenant == d.c.tenant, s.c.day == d.c.day)
        # A day's key goes after the day: whom was asked about in vain is then nobody's to find out.
        left -= purged(self._db, d, and_(d.c.day < today, ~used), left)
        return limit - left

    # ── What belongs to no tenant ────────────────────────────────────────────────────────────────────────────────────

    def mark(self, name: str) -> int | None:
        """See `Tables.mark`."""
        m = self._of["meta"]
        return self._db.execute(select(m.c.value).where(m.c.name == name)).scalar()

    def set_mark(self, name: str, value: int, *, over: bool) -> None:
        """See `Tables.set_mark`."""
        self._put(self._of["meta"], {"name": name, "value": value}, changing=("value",) if over else ())

    # ── Part of a transaction ────────────────────────────────────────────────────────────────────────────────────────

    def keep_point(self) -> None:
        """See `Tables.keep_point`."""
        self._db.exec_driver_sql("SAVEPOINT kyc_step")

    def go_back(self) -> None:
        """See `Tables.go_back`."""
        self._db.exec_driver_sql("ROLLBACK TO SAVEPOINT kyc_step")
