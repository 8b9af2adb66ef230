"""From ``settings.KYC_VERIFY`` to a verifier."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string
from sqlalchemy import URL, Engine, create_engine

from kyc_verify.enrollment import Enroller
from kyc_verify.errors import ConfigurationError
from kyc_verify.hashing import SecretHasher
from kyc_verify.stores import SQLAlchemyStore
from kyc_verify.verifier import Verifier

__all__ = ["DEFAULTS", "DRIVERS", "engine_of", "enroller", "option", "store", "tenant", "verifier"]

DEFAULTS: Final[Mapping[str, Any]] = {
    "DATABASE": "kyc", "POLICY": None, "KEYRING": None, "CUSTOMERS": None, "SENDERS": {}, "SIGNALS": {}, "SERVICES": {},
    "SEEDS": None, "PROFILE": None, "TENANT": "default",
}  # fmt: skip
"""What ``settings.KYC_VERIFY`` may say; names of objects are dotted paths, or the objects."""

DRIVERS: Final[Mapping[str, str]] = {
    "django.db.backends.postgresql": "postgresql+psycopg", "django.db.backends.mysql": "mysql+pymysql",
    "django.db.backends.sqlite3": "sqlite",
}  # fmt: skip
"""Django's backends, and SQLAlchemy's names for the same."""


def option(name: str) -> Any:  # noqa: ANN401 - any kind of setting
    """Return one option of ``settings.KYC_VERIFY``, or its default."""
    given = getattr(settings, "KYC_VERIFY", {})
    return given.get(name, DEFAULTS[name])


def tenant() -> str:
    """Return whose data this project serves."""
    return str(option("TENANT"))


def _object(name: str) -> Any:  # noqa: ANN401 - whatever the path leads to
    """Return the object that an option names, made where it is a class or a function.

    Raises:
        ConfigurationError: the option is missing.
    """
    found = option(name)
    if found is None:
        msg = f"settings.KYC_VERIFY needs {name}: a dotted path, or the object"
        raise ConfigurationError(msg)
    return _loaded(found)


def _objects(name: str) -> dict[str, Any]:
    return {key: _loaded(each) for key, each in option(name).items()}


def _loaded(given: Any) -> Any:  # noqa: ANN401 - a dotted path, an object, or what makes it
    found = import_string(given) if isinstance(given, str) else given
    return found() if inspect.isclass(found) or inspect.isfunction(found) else found


def engine_of(alias: str) -> Engine:
    """Return an engine for a database alias, with connections that Django does not know.

    Raises:
        ConfigurationError: no such alias, or a backend that the library does not know.
    """
    if alias not in connections.settings:
        msg = f"settings.DATABASES has no {alias!r}: give the library an alias of its own"
        raise ConfigurationError(msg)
    found = connections[alias].settings_dict
    driver = DRIVERS.get(found["ENGINE"])
    if driver is None:
        msg = f"the library knows no {found['ENGINE']}; use PostgreSQL, MariaDB, MySQL or SQLite"
        raise ConfigurationError(msg)
    url = URL.create(
        driver, username=found["USER"] or None, password=found["PASSWORD"] or None, host=found["HOST"] or None,
        port=int(found["PORT"]) if found["PORT"] else None, database=str(found["NAME"]),
    )  # fmt: skip
    return create_engine(url)


@cache
def store() -> SQLAlchemyStore:
    """Return the store of this process; make it after a fork."""
    return SQLAlchemyStore(engine_of(option("DATABASE")))


def _hasher() -> SecretHasher:
    profile = option("PROFILE")
    keyring = _object("KEYRING")
    return SecretHasher(keyring) if profile is None else SecretHasher(keyring, profile=profile)


@cache
def verifier() -> Verifier:
    """Return the verifier of this process.

    Raises:
        ConfigurationError: an option is missing or wrong.
        StoreError: the database cannot be used; run ``manage.py migrate --database`` with its alias.
    """
    return Verifier(
        _object("POLICY"), store=store(), hasher=_hasher(), customers=_object("CUSTOMERS"), tenant=tenant(),
        senders=_objects("SENDERS"), signals=_objects("SIGNALS"), services=_objects("SERVICES"),
        seeds=None if option("SEEDS") is None else _object("SEEDS"),
    )  # fmt: skip


@cache
def enroller() -> Enroller:
    """Return the enroller of this process; raises as `verifier`."""
    return Enroller(_object("POLICY"), store=store(), hasher=_hasher(), tenant=tenant())
