"""The services that tests use: where they are, and a database of one's own on each.

Addresses come from the environment (``KYC_TEST_POSTGRES_URL`` ...); the defaults are the standard ports here. Where
a service does not answer its tests are skipped, visibly; ``KYC_TEST_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
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


def emptied(engine: Any) -> None:
    """Make the tables, empty."""
    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415 - needs the extra that is looked for above
    from kyc_verify.stores._metadata import kind_of, tabled  # noqa: PLC0415

    SQLAlchemyStore.migrate(engine)
    with engine.begin() as db:
        for table in reversed(tabled(kind_of(engine.dialect)).metadata.sorted_tables):
            kept = table.c.name != "schema" if table.name == "kyc_meta" else None
            db.execute(table.delete() if kept is None else table.delete().where(kept))


def asynchronous(url: str, kind: str) -> str:
    """Return the same address for the async driver."""
    return sqlalchemy.make_url(url).set(drivername=ASYNC[kind]).render_as_string(hide_password=False)


@cache
def redis_server() -> str:
    """Start this test process's own Redis, which keeps what it is told; returns the path of its socket."""
    program = shutil.which("redis-server")
    if program is None:
        absent("redis-server", "not installed")
        raise AssertionError  # absent never returns
    folder = tempfile.mkdtemp(prefix="kyc_redis_")
    server = Server(Path(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.kill)
    server.start()
    return str(server.socket)


class Server:
    """A Redis of one's own in a folder, that can be stopped, killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.socket, self._options = folder, folder / "s", options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        redis = pytest.importorskip("redis")
        command = [
            shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", str(self.socket),
            "--dir", str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
            "--maxmemory-policy", "noeviction", *self._options,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(redis.exceptions.RedisError, OSError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        pytest.fail("redis-server did not start")

    def client(self) -> Any:
        """Return a client."""
        from redis import Redis  # noqa: PLC0415 - an extra

        return Redis(unix_socket_path=str(self.socket), socket_timeout=10)

    def kill(self) -> None:
        """Kill it where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)
