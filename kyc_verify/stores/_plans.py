"""Statements compiled once for a dialect, and sent as they are through the driver's own cursor.

To build one anew costs several times as much as the database takes for it; to have SQLAlchemy send one that is built,
and dress its rows, still half as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary, ref

from sqlalchemy import Dialect, Table, exists, insert, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor

from kyc_verify.stores import _metadata as metadata
from kyc_verify.stores._statements import MARK, Statements, p

__all__ = ["Build", "Plans", "plans"]

Build: TypeAlias = Callable[[Statements], Any]


class _Plan(NamedTuple):
    """A statement's text; its parameters in order, where the driver takes them by place; and its constants."""

    text: str
    order: tuple[str, ...] | None
    constants: dict[str, Any]


class Plans:
    """The compiled statements of one dialect, made when first used."""

    def __init__(self, dialect: Dialect) -> None:
        self.kind, self._dialect = metadata.kind_of(dialect), ref(dialect)
        self.made = metadata.tabled(self.kind)
        self._statements = Statements(self.made)
        self._plans: dict[object, _Plan] = {}

    def run(self, cursor: DBAPICursor, build: Build, values: dict[str, Any]) -> None:
        """Send a statement of `Statements`; what came of it the cursor has."""
        plan = self._plans.get(build)
        if plan is None:
            plan = self._plans[build] = self._compiled(build(self._statements))
        self._send(cursor, plan, values)

    def add(
        self, cursor: DBAPICursor, name: str, values: dict[str, Any], *, changing: Sequence[str] | None = None
    ) -> int:  # fmt: skip
        """Insert a row; where its key is there already, write `changing`, or nothing; None: fail."""
        key = (name, tuple(values), None if changing is None else tuple(changing))
        plan = self._plans.get(key)
        if plan is None:
            statement = _inserting(self.kind, self.made.of[name], tuple(values), changing)
            plan = self._plans[key] = self._compiled(statement)
        self._send(cursor, plan, values)
        return cursor.rowcount

    def drop(self, cursor: DBAPICursor, name: str, values: dict[str, Any]) -> None:
        """Delete the rows in which columns have these values."""
        key = ("drop", name, tuple(values))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._compiled(self._statements.drop(name, *values))
        self._send(cursor, plan, values)

    def once(self, cursor: DBAPICursor, statement: Any) -> None:  # noqa: ANN401 - any statement
        """Send a statement that holds its values; it is not kept."""
        found = statement.compile(dialect=self._dialect(), compile_kwargs={"render_postcompile": True})
        order = found.positiontup
        plan = _Plan(text=found.string, order=None if order is None else tuple(order), constants=found.params)
        self._send(cursor, plan, {})

    def _compiled(self, statement: Any) -> _Plan:  # noqa: ANN401 - any statement
        found = statement.compile(dialect=self._dialect())
        order = found.positiontup
        constants = {name: value for name, value in found.params.items() if not name.startswith(MARK)}
        return _Plan(text=found.string, order=None if order is None else tuple(order), constants=constants)

    @staticmethod
    def _send(cursor: DBAPICursor, plan: _Plan, values: dict[str, Any]) -> None:
        given = plan.constants | {f"{MARK}{name}": value for name, value in values.items()}
        cursor.execute(plan.text, given if plan.order is None else tuple([given[name] for name in plan.order]))


def _inserting(kind: str, table: Table, columns: Sequence[str], changing: Sequence[str] | None) -> Any:  # noqa: ANN401
    """Return what inserts a row, in each database's own words."""
    values = {column: p(column) for column in columns}
    if changing is None:
        return insert(table).values(**values)
    if kind in {"mariadb", "mysql"}:
        new = mysql.insert(table).values(**values)
        if changing:
            return new.on_duplicate_key_update({name: new.inserted[name] for name in changing})
        # IGNORE would let pass whatever else is wrong, cut what is too long, and have drivers log the key. Who is
        # second at the same time fails, and is done again. The count of rows is the same however a driver counts.
        there = exists().where(*[column == p(column.name) for column in table.primary_key])
        return insert(table).from_select(list(values), select(*values.values()).where(~there))
    given = (postgresql.insert if kind == "postgresql" else sqlite.insert)(table).values(**values)
    if not changing:
        return given.on_conflict_do_nothing()
    keys = [column.name for column in table.primary_key]
    return given.on_conflict_do_update(index_elements=keys, set_={name: given.excluded[name] for name in changing})


_PLANS: Final[WeakKeyDictionary[Dialect, Plans]] = WeakKeyDictionary()


def plans(dialect: Dialect) -> Plans:
    """Return the statements of a dialect: an engine has one for its life."""
    found = _PLANS.get(dialect)
    if found is None:
        found = _PLANS[dialect] = Plans(dialect)
    return found
