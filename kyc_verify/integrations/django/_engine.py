"""From an alias of ``settings.DATABASES`` to an engine that connects as Django would, with connections of its own.

Every connection asks Django's backend at the time it is made, and every use of one asks where the alias leads now: a
test run of the host's moves the alias to a database of its own, forks, and drops that database again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final
from weakref import WeakSet

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from kyc_verify.errors import ConfigurationError

__all__ = ["DRIVERS", "arguments", "engine_of", "in_memory"]

DRIVERS: Final[Mapping[str, str]] = {
    "django.db.backends.postgresql": "postgresql+psycopg", "django.db.backends.mysql": "mysql+pymysql",
    "django.db.backends.sqlite3": "sqlite",
}  # fmt: skip
"""Django's backends, and SQLAlchemy's names for the same."""

_MODULES: Final[Mapping[str, str]] = {"postgresql": "psycopg", "mysql": "pymysql", "sqlite": "sqlite3"}
_OURS: Final = frozenset({
    "autocommit", "check_same_thread", "context", "conv", "cursor_factory", "cursorclass", "defer_connect",
    "detect_types", "isolation_level", "row_factory", "uri",
})  # fmt: skip
"""How values are read and transactions begin: the store's business, whatever Django does on its own connections."""
_FOUND_ROWS: Final = 2
_MODES: Final[Mapping[str, Mapping[str, bool]]] = {
    "REQUIRED": {"check_hostname": False},
    "VERIFY_CA": {"check_hostname": False, "verify_mode": True},
    "VERIFY_IDENTITY": {"check_hostname": True, "verify_mode": True},
}
"""mysqlclient's ``ssl_mode`` in PyMySQL's words."""
_LESS: Final = frozenset({"compress", "named_pipe", "read_default_file", "read_default_group"})
"""What PyMySQL takes and does not do, or not all of: of a file of options it leaves out most of what is said of TLS."""
_PLACE: Final = "kyc_verify.place"

_made: Final[WeakSet[Engine]] = WeakSet()


def in_memory(name: object) -> bool:
    """Whether it names a SQLite that is no plain file: there each connection would find a database of its own."""
    return str(name).startswith("file:") or ":memory:" in str(name)


def arguments(alias: str) -> dict[str, Any]:
    """Return what the driver is to connect with: what Django would connect with, now.

    Raises:
        ConfigurationError: no such alias, a backend that the library does not know, or something of the alias that
            cannot be carried over.
    """
    if alias not in connections.settings:
        msg = f"settings.DATABASES has no {alias!r}: give the library an alias of its own"
        raise ConfigurationError(msg)
    found = connections.settings[alias]
    if found["ENGINE"] not in DRIVERS:
        msg = f"the library knows no {found['ENGINE']}; use PostgreSQL, MariaDB, MySQL or SQLite"
        raise ConfigurationError(msg)
    kind = _kind(found["ENGINE"])
    if kind == "sqlite" and in_memory(found["NAME"]):
        msg = (
            f"DATABASES[{alias!r}] is {found['NAME']}, and the library needs a file: write a path as its NAME; for "
            f"`manage.py test`, set DATABASES[{alias!r}]['TEST']['NAME'] to a file"
        )
        raise ConfigurationError(msg)
    try:
        import_module(_MODULES[kind])
        django: Any = connections[alias]
        given = {key: each for key, each in django.get_connection_params().items() if key not in _OURS}
        return _mysql(alias, given, own=django.Database.__name__) if kind == "mysql" else given
    except ImportError:
        msg = f"DATABASES[{alias!r}] needs the driver {_MODULES[kind]}: pip install {_MODULES[kind]}"
    except ImproperlyConfigured as error:
        msg = f"DATABASES[{alias!r}] cannot be used: {error}"
    raise ConfigurationError(msg)


def _kind(backend: str) -> str:
    return DRIVERS[backend].partition("+")[0]


def _mysql(alias: str, given: dict[str, Any], *, own: str) -> dict[str, Any]:
    """Say to PyMySQL what is meant for the driver that Django uses.

    Raises:
        ConfigurationError: PyMySQL has no word for it, or would be less strict.
    """
    ssl = given.get("ssl")
    if ssl is not None and not (
        ssl and (isinstance(ssl, Mapping) or (own == "pymysql" and isinstance(ssl, SSLContext)))
    ):
        raise _refused(alias, "ssl", "write {'ca': path of the authority's certificate}")
    if own != "pymysql":
        _tls(alias, given)
        known = set(inspect.signature(import_module("pymysql.connections").Connection).parameters)
        if odd := sorted(set(given) - (known - _LESS)):
            raise _refused(alias, odd[0], "leave it out, or say it with HOST, USER and options that PyMySQL has too")
    return given | {"client_flag": given["client_flag"] | _FOUND_ROWS}


def _tls(alias: str, given: dict[str, Any]) -> None:
    mode = str(given.pop("ssl_mode", None) or "PREFERRED").upper()
    if mode == "DISABLED":
        given["ssl_disabled"] = True
    elif mode in _MODES:
        ssl = {**(given.get("ssl") or {}), **_MODES[mode]}
        if mode != "REQUIRED" and not (ssl.get("ca") or ssl.get("capath")):
            raise _refused(alias, "ssl_mode", "name the authority too: 'ssl': {'ca': path of its certificate}")
        given["ssl"] = ssl
    elif mode != "PREFERRED":
        raise _refused(alias, "ssl_mode", f"use one of DISABLED, PREFERRED, {', '.join(_MODES)}")


def _refused(alias: str, name: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"DATABASES[{alias!r}]['OPTIONS'][{name!r}] cannot be carried over: {remedy}")


def engine_of(alias: str) -> Engine:
    """Return an engine for a database alias, with connections that Django does not know.

    Raises:
        ConfigurationError: as `arguments`; nothing has been connected to then.
    """
    arguments(alias)
    found = connections.settings[alias]
    kind = _kind(found["ENGINE"])
    engine = create_engine(URL.create(DRIVERS[found["ENGINE"]], database=str(found["NAME"]) or None))
    event.listen(engine, "do_connect", _connecting(alias))
    event.listen(engine, "connect", _connected(alias, kind))
    event.listen(engine, "checkout", _used(alias))
    if kind == "sqlite":
        event.listen(engine, "checkin", _given_back(alias))
    _made.add(engine)
    return engine


def _connecting(alias: str) -> Callable[..., None]:
    def connecting(dialect: object, record: object, words: list[Any], named: dict[str, Any]) -> None:
        del dialect, record
        words.clear()
        for each in ("dbname", "database"):  # of the address, which is where the alias once led
            named.pop(each, None)
        named.update(arguments(alias))

    return connecting


def _connected(alias: str, kind: str) -> Callable[..., None]:
    def connected(raw: Any, record: Any) -> None:  # noqa: ANN401 - the driver's connection
        django: Any = connections[alias]
        record.info[_PLACE] = str(django.settings_dict["NAME"])
        if kind == "postgresql" and (role := django.settings_dict["OPTIONS"].get("assume_role")):
            raw.execute("SELECT set_config('role', %s, false)", [role])
            raw.commit()
        if kind == "sqlite":
            for each in django.init_commands:
                raw.execute(each)

    return connected


def _used(alias: str) -> Callable[..., None]:
    def used(raw: object, record: Any, proxy: object) -> None:  # noqa: ANN401 - of SQLAlchemy's pool
        del raw, proxy
        django = connections[alias]
        if type(django.connect).__name__ == "_DatabaseFailure":
            django.connect()  # a test that did not ask for the alias, which may lead to the real database: it raises
        if record.info[_PLACE] != str(django.settings_dict["NAME"]):
            raise DisconnectionError

    return used


def _given_back(alias: str) -> Callable[..., None]:
    def given_back(raw: object, record: Any) -> None:  # noqa: ANN401 - of SQLAlchemy's pool
        del raw
        found = connections.settings[alias]
        here, tests = Path(found["NAME"]), Path(found["TEST"]["NAME"] or "?")
        if here.stem.startswith(tests.stem) and (here.parent, here.suffix) == (tests.parent, tests.suffix):
            record.invalidate()  # of a test run, or a copy: Django deletes the file, and its journal must not stay

    return given_back


@receiver(connection_created)
def _let_go(connection: Any, **more: Any) -> None:  # noqa: ANN401 - Django's own
    """Close what idles where Django connects beside its aliases: it is about to create, copy or drop a database."""
    del more
    if connection.settings_dict is not connections.settings.get(connection.alias):
        for engine in list(_made):
            engine.dispose()
