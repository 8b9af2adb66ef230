"""The tables as SQLAlchemy knows them, for PostgreSQL, MariaDB, MySQL and SQLite.

The columns are those of `_schema`. Text compares byte by byte, case and trailing spaces included; times are whole
microseconds in 64 bits; nothing is ever cut: a value that does not fit fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql, postgresql

from kyc_verify.errors import ConfigurationError

__all__ = ["PREFIX", "VERSION", "Tabled", "kind_of", "tabled"]

PREFIX: Final = "kyc_"
"""Of every table, since the database is the host's."""
VERSION: Final = 1
"""Version of the schema; a store refuses every other."""

_ID: Final = 200
_KEY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabled:
    """The tables of one kind of database.

    Attributes:
        kind: ``postgresql``, ``mariadb``, ``mysql`` or ``sqlite``.
        metadata: All of them.
        of: Each by its name without the prefix.
    """

    kind: str
    metadata: MetaData
    of: dict[str, Table]


def kind_of(dialect: Any) -> str:  # noqa: ANN401 - SQLAlchemy types it per dialect
    """Name the kind of database.

    Raises:
        ConfigurationError: it is none that the library knows.
    """
    name = str(dialect.name)
    if name == "mysql" and getattr(dialect, "is_mariadb", False):
        name = "mariadb"
    if name not in {"postgresql", "mariadb", "mysql", "sqlite"}:
        msg = f"SQLAlchemyStore knows PostgreSQL, MariaDB, MySQL and SQLite, not {name}"
        raise ConfigurationError(msg)
    return name


def _exact(kind: str, length: int) -> Any:  # noqa: ANN401 - a type of SQLAlchemy
    """Return a text that compares byte by byte."""
    if kind in {"mariadb", "mysql"}:
        # Without padding: to the usual collations "a" and "a " are the same.
        collation = "utf8mb4_nopad_bin" if kind == "mariadb" else "utf8mb4_0900_bin"
        return mysql.VARCHAR(length, charset="utf8mb4", collation=collation)
    return postgresql.TEXT(collation="C") if kind == "postgresql" else String(length)


@cache
def tabled(kind: str) -> Tabled:
    """Return the tables of a kind of database."""
    metadata = MetaData()
    big = BigInteger()
    binary: Any = mysql.VARBINARY(64) if kind in {"mariadb", "mysql"} else LargeBinary()
    long: Any = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin") if kind in {"mariadb", "mysql"} else Text()

    def id_(name: str, *, key: bool = False, null: bool = False) -> Column[Any]:
        return Column(name, _exact(kind, _ID), primary_key=key, nullable=null)

    def short(name: str, *, key: bool = False, null: bool = False) -> Column[Any]:
        return Column(name, _exact(kind, _KEY), primary_key=key, nullable=null)

    def number(name: str, *, null: bool = False, key: bool = False) -> Column[Any]:
        return Column(name, big, nullable=null, primary_key=key, autoincrement=False)

    def body(name: str) -> Column[Any]:
        return Column(name, long, nullable=False)

    def blob(name: str, *, key: bool = False) -> Column[Any]:
        return Column(name, binary, nullable=False, primary_key=key)

    def table(name: str, *columns: Any) -> Table:
        return Table(f"{PREFIX}{name}", metadata, *columns, mysql_engine="InnoDB", mariadb_engine="InnoDB")

    def index(name: str, *columns: str, unique: bool = False) -> Index:
        return Index(f"{PREFIX}{name}", *columns, unique=unique)

    def tenant() -> Column[Any]:
        return id_("tenant", key=True)

    def counted(*, key: bool) -> list[Column[Any]]:
        """Return tenant and keyed name; counted rows need a key of their own."""
        own = [] if key else [Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)]
        return [*own, id_("tenant", key=key), short("key", key=key)]

    of = {
        "meta": table("meta", short("name", key=True), Column("value", Integer, nullable=False)),
        "subjects": table(
            "subjects", tenant(), id_("subject", key=True), blob("key"), short("standing"), body("flags")
        ),
        "days": table("days", tenant(), short("day", key=True), blob("key")),
        "credentials": table(
            "credentials", tenant(), id_("subject", key=True), id_("check_id", key=True), number("enrolled_at"),
            body("body"),
        ),
        "numbers": table(
            "numbers", tenant(), id_("subject", key=True), short("fingerprint", key=True), number("first_seen")
        ),
        "sessions": table(
            "sessions", tenant(), short("id", key=True), id_("subject"), short("day", null=True),
            short("request", null=True), number("run"), number("version"), number("turn"), body("state"),
            body("charges"), number("claimed_at", null=True), number("expires_at"),
            index("sessions_request", "tenant", "request", unique=True),
            index("sessions_subject", "tenant", "subject"), index("sessions_day", "tenant", "day"),
            index("sessions_expiry", "expires_at"),
        ),
        "charges": table(
            "charges", *counted(key=False), number("at"), number("until", null=True), short("session"),
            number("claim", null=True), index("charges_key", "tenant", "key", "at"), index("charges_until", "until"),
        ),
        "runs": table(
            "runs", *counted(key=False), number("at"), number("until"), short("session"),
            index("runs_key", "tenant", "key", "at"), index("runs_until", "until"),
        ),
        "pins": table("pins", *counted(key=True), id_("check_id"), number("until"), index("pins_until", "until")),
        "stakes": table("stakes", *counted(key=True), body("micros"), number("count")),
        "grants": table(
            "grants", tenant(), blob("digest", key=True), short("session"), id_("subject"), body("binding"),
            number("expires_at"), number("redeemed_at", null=True), short("request", null=True),
            Column("void", SmallInteger, nullable=False), index("grants_session", "tenant", "session"),
            index("grants_subject", "tenant", "subject"), index("grants_expiry", "expires_at"),
        ),
        "records": table("records", tenant(), number("seq", key=True), body("body")),
        "heads": table("heads", tenant(), number("seq"), blob("mac")),
    }  # fmt: skip
    return Tabled(kind=kind, metadata=metadata, of=of)
