"""Statements that differ from database to database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select, tuple_
from sqlalchemy.dialects import mysql, postgresql, sqlite

__all__ = ["purged", "upsert"]

_BATCH: Final = 500
"""Rows that one statement of a purge deletes."""


def upsert(kind: str, table: Table, values: Mapping[str, Any], *, changing: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """Return what inserts a row; where its key is there already, it writes `changing`, or nothing."""
    if kind in {"mariadb", "mysql"}:
        new = mysql.insert(table).values(**values)
        if changing:
            return new.on_duplicate_key_update({name: new.inserted[name] for name in changing})
        return new.prefix_with("IGNORE")
    make = postgresql.insert if kind == "postgresql" else sqlite.insert
    given = make(table).values(**values)
    if not changing:
        return given.on_conflict_do_nothing()
    keys = [column.name for column in table.primary_key]
    return given.on_conflict_do_update(index_elements=keys, set_={name: given.excluded[name] for name in changing})


def purged(db: Connection, table: Table, ended: Any, limit: int) -> int:  # noqa: ANN401 - a condition
    """Delete some rows by their keys, and return how many: MariaDB deletes from no subquery with a limit."""
    keys = list(table.primary_key)
    gone = 0
    while gone < limit:
        some = min(_BATCH, limit - gone)
        found = [tuple(row) for row in db.execute(select(*keys).where(ended).limit(some))]
        if not found:
            break
        gone += int(db.execute(delete(table).where(tuple_(*keys).in_(found), ended)).rowcount)
        if len(found) < some:
            break
    return gone
