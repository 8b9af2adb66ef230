"""What is looked at before a database is counted on: its schema, and whether it keeps what it is told.

It must keep every character of a text, whatever it acknowledged even when the power fails, and anything at all. What a
host may change on a connection later is looked at by each transaction, see `_transactions`.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import DBAPIError

from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.stores._metadata import PREFIX, VERSION, Tabled, kind_of, tabled

__all__ = ["UNSENDABLE", "examine", "never", "newer", "version"]

UNSENDABLE: Final = (
    "the connection does not carry every text as it is; nothing was written: use charset=utf8mb4 in an address of "
    "MariaDB or MySQL, and on PostgreSQL client_encoding=utf8 and a database of encoding UTF8"
)
_BOOKS: Final = frozenset({"alembic_version", "django_migrations"})
"""What tools of migration keep beside the tables; nobody writes there while callers wait."""
_CHARACTER: Final = "\N{GRINNING FACE}"
"""Of four bytes: what carries it carries all."""
_THERE_AND_BACK: Final = {
    "postgresql": "SELECT t.x, encode(convert_to(t.x, 'UTF8'), 'hex') FROM (SELECT CAST(:x AS text) AS x) AS t",
    "other": "SELECT t.x, HEX(CONVERT(t.x USING utf8mb4)) FROM (SELECT :x AS x) AS t",
}
_FLUSHED: Final = {
    "postgresql": ("SHOW fsync", {"on"}, "set fsync=on"),
    # 3 is MariaDB's, and flushes more often still.
    "other": ("SELECT @@innodb_flush_log_at_trx_commit", {"1", "3"}, "set innodb_flush_log_at_trx_commit=1"),
}
"""What tells whether a commit is on disk when it is acknowledged, what it must say, and what to do."""


def examine(db: Connection, *, writing: bool, allow_data_loss: bool) -> None:
    """Refuse a database that cannot be counted on.

    Args:
        db: A connection to it, outside a transaction.
        writing: Whether it must be possible to write, too.
        allow_data_loss: Only warn where a commit that was acknowledged may be lost with the power.

    Raises:
        ConfigurationError: each connection has a database of its own.
        StoreError: the schema is not exactly the expected one; or the server, or the connection, may lose something.
    """
    if db.dialect.name == "sqlite":
        _one_file(db)
        _check(db)
        return
    _check(db)
    kind = "postgresql" if db.dialect.name == "postgresql" else "other"
    _carries(db, kind)
    _keeps(db, kind, allow_data_loss=allow_data_loss)
    if writing:
        _writes(db)


# ── The schema ───────────────────────────────────────────────────────────────────────────────────────────────────────


def version(db: Connection, made: Tabled) -> int | None:
    """Return the version that the schema says it has; None: there is none."""
    if not inspect(db).has_table(f"{PREFIX}meta"):
        return None
    meta = made.of["meta"]
    found = db.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()
    return None if found is None else int(found)


def newer(found: int) -> StoreError:
    """Return the error of a schema that only a later library knows."""
    return StoreError(f"the schema has version {found}, of a newer version of the library; use that")


def never(found: int) -> StoreError:
    """Return the error of a schema that no library made."""
    return StoreError(
        f"the schema says that it has version {found}, which no version of the library has written; "
        f"restore the table {PREFIX}meta from a backup"
    )


def _check(db: Connection) -> None:
    made = tabled(kind_of(db.dialect))
    found = version(db, made)
    if found is None:
        msg = "the database has no tables of this library; make them with `kyc-verify store migrate URL`"
        raise StoreError(msg)
    if found > VERSION:
        raise newer(found)
    if found < 1:
        raise never(found)
    if found < VERSION:
        msg = f"the schema has version {found} and this library needs {VERSION}: `kyc-verify store migrate URL`"
        raise StoreError(msg)
    if lacking := _lacking(db, made):
        msg = f"the schema is damaged: {'; '.join(lacking)}; restore it from a backup"
        raise StoreError(msg)
    if made.kind == "sqlite":
        _alone(db, made)


def _lacking(db: Connection, made: Tabled) -> list[str]:
    """Return what tables lack of columns, keys and unique indexes: what is to be single may be there twice then."""
    there, tables = inspect(db), made.metadata.sorted_tables
    names = [table.name for table in tables]
    columns = _by_name(there.get_multi_columns(filter_names=names))
    keys = _by_name(there.get_multi_pk_constraint(filter_names=names))
    indexes = _by_name(there.get_multi_indexes(filter_names=names))
    found = []
    for table in tables:
        present = {column["name"] for column in columns.get(table.name, ())}
        if missing := sorted({column.name for column in table.columns} - present):
            found.append(f"{table.name} lacks {', '.join(missing)}")
            continue
        key = [column.name for column in table.primary_key]
        if set(keys.get(table.name, {}).get("constrained_columns", ())) != set(key):
            found.append(f"{table.name} lacks its primary key ({', '.join(key)})")
        single = [set(each["column_names"]) for each in indexes.get(table.name, ()) if each["unique"]]
        found += [
            f"{table.name} lacks its unique index {index.name}"
            for index in table.indexes
            if index.unique and {column.name for column in index.columns} not in single
        ]
    return found


def _by_name(found: Any) -> dict[str, Any]:  # noqa: ANN401 - as the inspector has it
    return {name: told for (_, name), told in found.items()}


def _one_file(db: Connection) -> None:
    """Refuse a database in memory: each connection of the pool has another, empty one."""
    files = {str(row[1]): row[2] for row in db.exec_driver_sql("PRAGMA database_list")}
    if not files.get("main"):
        msg = "a SQLite database in memory is another one for each connection: name a file, or use MemoryStore"
        raise ConfigurationError(msg)


def _alone(db: Connection, made: Tabled) -> None:
    """Refuse a file that holds other tables: their writers and this library's would stop one another."""
    own = {table.name for table in made.metadata.sorted_tables} | _BOOKS
    names = db.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"))
    if foreign := sorted({str(name) for (name,) in names} - own):
        msg = f"the file also holds {', '.join(foreign)}; on SQLite give the library a file of its own"
        raise StoreError(msg)


# ── The server and the connection ────────────────────────────────────────────────────────────────────────────────────


def _carries(db: Connection, kind: str) -> None:
    """Send one character there and back, and have the server say what it took it for."""
    carried = False
    try:
        shown, taken = db.execute(text(_THERE_AND_BACK[kind]), {"x": _CHARACTER}).one()
        carried = shown == _CHARACTER and str(taken).lower() == _CHARACTER.encode().hex()
    except UnicodeError:
        pass
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    if not carried:
        raise StoreError(UNSENDABLE)


def _keeps(db: Connection, kind: str, *, allow_data_loss: bool) -> None:
    asked, kept, told = _FLUSHED[kind]
    if str(db.exec_driver_sql(asked).scalar()) in kept:
        return
    msg = f"this server acknowledges what is not on disk yet, and forgets tries when the power fails: {told}"
    if not allow_data_loss:
        msg += ", or accept it with allow_data_loss=True"
        raise StoreError(msg)
    warnings.warn(msg, RuntimeWarning, stacklevel=2)


def _writes(db: Connection) -> None:
    """Try to change no row: that fails where nothing may be written."""
    meta = tabled(kind_of(db.dialect)).of["meta"]
    try:
        db.execute(meta.update().where(meta.c.name == "").values(value=meta.c.value))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    else:
        return
    msg = (
        "nothing can be written here: connect to the primary, with an account that may write, and let no setting "
        "(default_transaction_read_only, read_only) forbid it"
    )
    raise StoreError(msg)
