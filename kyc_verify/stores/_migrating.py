"""Bringing the schema of a database to this library's version: one at a time, however many processes start at once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, insert
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from kyc_verify.errors import StoreError
from kyc_verify.stores._examining import never, newer, version
from kyc_verify.stores._metadata import VERSION, Tabled, kind_of, tabled

__all__ = ["BROKEN", "migrate", "upgrade"]

BROKEN: Final = "the schema cannot be made; check the address, and that the account may create tables"

_PATIENCE: Final = 20
"""Seconds that another migration is waited for."""
_NAME: Final = int.from_bytes(b"kyc_meta", "big")
_LOCK: Final = f"SELECT pg_advisory_xact_lock({_NAME})"
# Names are of the whole server, and each of its databases has a schema of its own.
_NAMED: Final = "CONCAT('kyc:schema:', MD5(DATABASE()))"
_LOCK_NAMED: Final = f"SELECT GET_LOCK({_NAMED}, {_PATIENCE})"
_FREE_NAMED: Final = f"DO RELEASE_LOCK({_NAMED})"


def upgrade(db: Connection) -> int:
    """Bring the schema to this library's version, in a transaction of its own on this connection.

    Returns:
        The version it is at.

    Raises:
        StoreError: a newer version of the library wrote it, or none has.
    """
    if db.dialect.name == "sqlite":
        return _upgrade_file(db)
    if db.dialect.name == "postgresql":
        # A transaction that sees what was there when it began would not see what it has waited for.
        db.execution_options(isolation_level="READ COMMITTED")
        with db.begin():
            return migrate(db)
    if db.exec_driver_sql(_LOCK_NAMED).scalar() != 1:
        msg = "another migration has been under way for too long; look at it, and try again"
        raise StoreError(msg)
    try:
        found = migrate(db)
        db.commit()
    finally:
        with suppress(SQLAlchemyError):
            db.exec_driver_sql(_FREE_NAMED)
    return found


def _upgrade_file(db: Connection) -> int:
    db.execution_options(isolation_level="AUTOCOMMIT")
    db.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE * 1000}")
    db.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        found = migrate(db)
        db.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(SQLAlchemyError):
            db.exec_driver_sql("ROLLBACK")
        raise
    return found


def migrate(db: Connection) -> int:
    """Bring the schema to this library's version, as a part of whatever transaction is under way.

    Returns:
        The version it is at.

    Raises:
        StoreError: a newer version of the library wrote it, or none has.
    """
    made = tabled(kind_of(db.dialect))
    if made.kind == "postgresql":
        db.exec_driver_sql(_LOCK).close()
    found = version(db, made)
    if found is not None and found > VERSION:
        raise newer(found)
    if found is not None and found < 1:
        raise never(found)
    if found is None:
        # Version 1. A later one adds its steps here, each for the version before it.
        made.metadata.create_all(db, checkfirst=True)
        if version(db, made) is None:
            db.execute(_first(made))
    return VERSION


def _first(made: Tabled) -> Any:  # noqa: ANN401 - a statement
    meta = made.of["meta"]
    values = {"name": "schema", "value": VERSION}
    if made.kind in {"mariadb", "mysql"}:
        # Tables are there at once, and others may see them before this row, when the transaction is a host's.
        return mysql.insert(meta).values(**values).on_duplicate_key_update(name=meta.c.name)
    return insert(meta).values(**values)
