"""The services that tests use: where they are, and a database of one's own on each.

Addresses come from the environment (``KYC_TEST_POSTGRES_URL`` ...); the defaults are the standard ports here. Where
a service does not answer its tests are skipped, visibly; ``KYC_TEST_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy")

URLS = {
    "postgresql": os.environ.get(
        "KYC_TEST_POSTGRES_URL", "postgresql+psycopg://postgres:postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("KYC_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql"),
}
ASYNC = {"postgresql": "postgresql+asyncpg", "mariadb": "mysql+asyncmy"}


@cache
def database(kind: str) -> str:
    """Return the URL of this test process's own database, made anew; skips where the service does not answer."""
    url = sqlalchemy.make_url(URLS[kind])
    name = f"kyc_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    try:
        server = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
        with server.connect() as db:
            _drop_old(db, kind)
            db.exec_driver_sql(f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if kind == "mariadb" else ""))
        server.dispose()
    except sqlalchemy.exc.SQLAlchemyError as error:
        absent(kind, type(error).__name__)
    return url.set(database=name).render_as_string(hide_password=False)


def _drop_old(db: Any, kind: str) -> None:
    """Drop what earlier runs left, if nobody uses it."""
    listing = "SELECT datname FROM pg_database" if kind == "postgresql" else "SHOW DATABASES"
    for (name,) in db.exec_driver_sql(listing).fetchall():
        if name.startswith("kyc_test_") and not _alive(int(name.rsplit("_", 1)[1])):
            db.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def absent(kind: str, why: str) -> None:
    """Skip, or fail where services are required."""
    told = f"{kind} does not answer at its address ({why})"
    if os.environ.get("KYC_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(told)
    pytest.skip(told)


def asynchronous(url: str, kind: str) -> str:
    """Return the same address for the async driver."""
    return sqlalchemy.make_url(url).set(drivername=ASYNC[kind]).render_as_string(hide_password=False)
