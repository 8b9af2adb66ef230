"""The statements of the SQL stores, as SQLAlchemy writes them for each kind of database. `_plans` compiles them once.

A value is a parameter by the name of what it is; rows that decide are held (``FOR UPDATE``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from kyc_verify.stores._metadata import PREFIX, Tabled

__all__ = ["MARK", "Statements", "p", "purge"]

Read: TypeAlias = Callable[[Any], Sequence[Sequence[Any]]]
"""Sends a statement, and returns its rows."""
Change: TypeAlias = Callable[[Any], int]
"""Sends a statement, and returns how many rows it changed."""

MARK: Final = "p_"
"""Before a parameter's name: a column's own name is taken where rows are written."""

_BATCH: Final = 500
"""Rows that one statement of a purge deletes."""
_ENDING: Final = (
    ("sessions", "expires_at"), ("grants", "expires_at"), ("charges", "until"), ("runs", "until"), ("pins", "until"),
)  # fmt: skip
"""Tables, and the column that says until when their rows are needed."""


def p(name: str, type_: Any = None) -> BindParameter[Any]:  # noqa: ANN401 - a type of SQLAlchemy
    """Return a parameter; it has the type of what it is compared with."""
    return bindparam(f"{MARK}{name}", type_=type_)


class Statements:
    """One method a statement; see the method of `Tables` of the same or the nearest name."""

    def __init__(self, made: Tabled) -> None:
        self.kind, self.of = made.kind, made.of

    def _held(self, statement: Any, *, of: Table | None = None, shared: bool = False) -> Any:  # noqa: ANN401
        """Hold the rows; a writer on SQLite has the whole file."""
        if self.kind == "sqlite":
            return statement
        # MariaDB cannot name the table to hold; to hold the few joined rows as well does no harm.
        named = of if self.kind == "postgresql" else None
        return statement.with_for_update(of=named, read=shared)

    def _where(self, name: str, *columns: str) -> Any:  # noqa: ANN401 - a condition
        table = self.of[name]
        return and_(*[table.c[column] == p(column) for column in ("tenant", *columns)])

    def _by(self, statement: Any, name: str, index: str) -> Any:  # noqa: ANN401 - a statement
        """Have MariaDB find rows to change by this index.

        It would rather go through all of a table that it takes for nearly empty, and wait for every row that others
        hold there: two who each delete a row of their own then wait for one another.
        """
        if self.kind not in {"mariadb", "mysql"}:
            return statement
        table = self.of[name]
        if statement.is_delete:  # of several tables is the only one that may name an index
            statement = statement.prefix_with(table.name)
        return statement.with_hint(f"FORCE INDEX ({PREFIX}{index})")

    def drop(self, name: str, *columns: str) -> Any:  # noqa: ANN401
        """Delete the rows in which columns have some values."""
        table = self.of[name]
        found = delete(table).where(*[table.c[column] == p(column) for column in columns])
        return self._by(found, name, f"{name}_key") if name in {"charges", "runs"} else found

    # ── Locks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def lock_name(self) -> Any:  # noqa: ANN401 - a statement, here and below
        """Hold a name, given as a number."""
        return select(func.pg_advisory_xact_lock(p("name", BigInteger())))

    def lock_named(self) -> Any:  # noqa: ANN401
        """Hold a name, given as text."""
        return select(func.get_lock(p("name"), p("patience", BigInteger())))

    def lock_subject(self) -> Any:  # noqa: ANN401
        """Hold a subject's row alone."""
        return self._held(select(self.of["subjects"].c.standing).where(self._where("subjects", "subject")))

    def share_subject(self) -> Any:  # noqa: ANN401
        """Hold a subject's row together with other readers."""
        statement = select(self.of["subjects"].c.standing).where(self._where("subjects", "subject"))
        return self._held(statement, shared=True)

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self) -> Any:  # noqa: ANN401
        """Read a session with its subject and its day."""
        s, u, d = self.of["sessions"], self.of["subjects"], self.of["days"]
        joined = s.outerjoin(u, and_(u.c.tenant == s.c.tenant, u.c.subject == s.c.subject)).outerjoin(
            d, and_(d.c.tenant == s.c.tenant, d.c.day == s.c.day)
        )
        return (
            select(
                s.c.subject, s.c.version, s.c.turn, s.c.state, s.c.charges, s.c.claimed_at, s.c.expires_at,
                u.c.standing, u.c.flags, u.c.key, d.c.key.label("day_key"),
            )
            .select_from(joined)
            .where(self._where("sessions", "id"))
        )  # fmt: skip

    def held_case(self) -> Any:  # noqa: ANN401
        """Read it and hold the session's row; MariaDB holds it before, or it would hold the subject after it."""
        return self._held(self.case(), of=self.of["sessions"]) if self.kind == "postgresql" else self.case()

    def hold_session(self) -> Any:  # noqa: ANN401
        """Hold a session's row."""
        return self._held(select(self.of["sessions"].c.version).where(self._where("sessions", "id")))

    def session_of(self) -> Any:  # noqa: ANN401
        """Find the session of a request."""
        s = self.of["sessions"]
        return select(s.c.id, s.c.run).where(self._where("sessions", "request"))

    def sessions_of(self) -> Any:  # noqa: ANN401
        """Find the sessions of a subject."""
        return select(self.of["sessions"].c.id).where(self._where("sessions", "subject"))

    def claim(self) -> Any:  # noqa: ANN401
        """Claim a turn, if version and turn are these."""
        s = self.of["sessions"]
        there = self._where("sessions", "id", "version", "turn")
        return update(s).where(there).values(version=s.c.version + 1, claimed_at=p("now"))

    def move(self) -> Any:  # noqa: ANN401
        """Write a session, if its version is this."""
        s = self.of["sessions"]
        return (
            update(s)
            .where(self._where("sessions", "id", "version"))
            .values(
                version=s.c.version + 1, turn=p("turn"), state=p("state"), charges=p("charges"), claimed_at=None,
                expires_at=p("end"),
            )
        )  # fmt: skip

    # ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def subject_key(self) -> Any:  # noqa: ANN401
        """Read a subject's key."""
        return select(self.of["subjects"].c.key).where(self._where("subjects", "subject"))

    def set_standing(self) -> Any:  # noqa: ANN401
        """Write a hold."""
        return update(self.of["subjects"]).where(self._where("subjects", "subject")).values(standing=p("standing"))

    def set_flags(self) -> Any:  # noqa: ANN401
        """Write exposed fields."""
        return update(self.of["subjects"]).where(self._where("subjects", "subject")).values(flags=p("flags"))

    def day_key(self) -> Any:  # noqa: ANN401
        """Read the key of a day."""
        return select(self.of["days"].c.key).where(self._where("days", "day"))

    def credentials(self) -> Any:  # noqa: ANN401
        """Read a subject's credentials."""
        c = self.of["credentials"]
        return select(c.c.check_id, c.c.body).where(self._where("credentials", "subject"))

    def replace_credential(self) -> Any:  # noqa: ANN401
        """Write a credential, if it is still that enrollment."""
        there = self._where("credentials", "subject", "check_id", "enrolled_at")
        return update(self.of["credentials"]).where(there).values(body=p("body"))

    def numbers(self) -> Any:  # noqa: ANN401
        """Read a subject's numbers."""
        n = self.of["numbers"]
        return select(n.c.fingerprint, n.c.first_seen).where(self._where("numbers", "subject"))

    # ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _count(self, name: str) -> Any:  # noqa: ANN401
        table = self.of[name]
        return select(func.count()).select_from(table).where(self._where(name, "key"), table.c.at > p("since"))

    def count_charges(self) -> Any:  # noqa: ANN401
        """Count charges after a moment."""
        return self._count("charges")

    def count_runs(self) -> Any:  # noqa: ANN401
        """Count runs after a moment."""
        return self._count("runs")

    def refund(self) -> Any:  # noqa: ANN401
        """Delete what a claim charged."""
        return self.drop("charges", "tenant", "key", "session", "claim")

    def drop_runs(self) -> Any:  # noqa: ANN401
        """Delete the runs of a session."""
        return self.drop("runs", "tenant", "key", "session")

    def pin(self) -> Any:  # noqa: ANN401
        """Read the pinned question."""
        pins = self.of["pins"]
        return select(pins.c.check_id).where(self._where("pins", "key"), pins.c.until > p("now"))

    def stake(self) -> Any:  # noqa: ANN401
        """Read sum and count."""
        s = self.of["stakes"]
        return select(s.c.micros, s.c.count).where(self._where("stakes", "key"))

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self) -> Any:  # noqa: ANN401
        """Read a grant, held, with its subject and its day."""
        g, u, s, d = (self.of[name] for name in ("grants", "subjects", "sessions", "days"))
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
            .where(self._where("grants", "digest"))
        )  # fmt: skip
        return self._held(statement, of=g) if self.kind == "postgresql" else statement

    def hold_grant(self) -> Any:  # noqa: ANN401
        """Hold a grant's row."""
        return self._held(select(self.of["grants"].c.void).where(self._where("grants", "digest")))

    def _open(self) -> Any:  # noqa: ANN401 - a condition
        g = self.of["grants"]
        return and_(g.c.redeemed_at.is_(None), g.c.void == 0)

    def redeem(self) -> Any:  # noqa: ANN401
        """Use a grant up, if it is open."""
        there = and_(self._where("grants", "digest"), self._open())
        return update(self.of["grants"]).where(there).values(redeemed_at=p("now"), request=p("request"))

    def void_grant(self) -> Any:  # noqa: ANN401
        """Void a grant."""
        return update(self.of["grants"]).where(self._where("grants", "digest")).values(void=1)

    def void_of_session(self) -> Any:  # noqa: ANN401
        """Void the open grants of a session."""
        found = update(self.of["grants"]).where(self._where("grants", "session"), self._open()).values(void=1)
        return self._by(found, "grants", "grants_session")

    def void_of_subject(self) -> Any:  # noqa: ANN401
        """Void the open grants of a subject."""
        found = update(self.of["grants"]).where(self._where("grants", "subject"), self._open()).values(void=1)
        return self._by(found, "grants", "grants_subject")

    def open_grant(self) -> Any:  # noqa: ANN401
        """Find an open grant of a session."""
        return select(self.of["grants"].c.void).where(self._where("grants", "session"), self._open())

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def head(self) -> Any:  # noqa: ANN401
        """Read the end of the chain, held."""
        h = self.of["heads"]
        return self._held(select(h.c.seq, h.c.mac).where(self._where("heads")))

    def move_head(self) -> Any:  # noqa: ANN401
        """Write the end of the chain."""
        return update(self.of["heads"]).where(self._where("heads")).values(seq=p("seq"), mac=p("mac"))

    def records(self) -> Any:  # noqa: ANN401
        """Read records, in order."""
        r = self.of["records"]
        statement = select(r.c.body).where(self._where("records"), r.c.seq > p("after"))
        return statement.order_by(r.c.seq).limit(p("limit", BigInteger()))

    def mark(self) -> Any:  # noqa: ANN401
        """Read a number of the schema's own table."""
        m = self.of["meta"]
        return select(m.c.value).where(m.c.name == p("name"))


def purge(made: Tabled, read: Read, change: Change, before: int, today: str, limit: int) -> int:
    """Drop what ended, see `Tables.purge`; returns how many rows went."""
    left = limit
    for name, column in _ENDING:
        table = made.of[name]
        left -= _purged(read, change, table, table.c[column] <= before, left)
    d, s = made.of["days"], made.of["sessions"]
    used = exists().where(s.c.tenant == d.c.tenant, s.c.day == d.c.day)
    # A day's key goes after the day: whom was asked about in vain is then nobody's to find out.
    left -= _purged(read, change, d, and_(d.c.day < today, ~used), left)
    return limit - left


def _purged(read: Read, change: Change, table: Table, ended: Any, limit: int) -> int:  # noqa: ANN401 - a condition
    """Delete some rows by their keys, and return how many: MariaDB deletes from no subquery with a limit."""
    keys = list(table.primary_key)
    gone = 0
    while gone < limit:
        some = min(_BATCH, limit - gone)
        found = [tuple(row) for row in read(select(*keys).where(ended).limit(some))]
        if not found:
            break
        gone += change(delete(table).where(tuple_(*keys).in_(found), ended))
        if len(found) < some:
            break
    return gone
