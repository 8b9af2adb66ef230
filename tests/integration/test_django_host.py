"""What a project says to Django, heard by the app too: connection options, wrong settings, the project's own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")
pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from kyc_verify.errors import ConfigurationError
from kyc_verify.integrations.django import _engine
from tests.integration.test_django import Site, _settings, _url

pytestmark = [pytest.mark.slow, pytest.mark.wide]

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db"}
ENGINE = "from kyc_verify.integrations.django._engine import engine_of\nengine = engine_of('kyc')\n"
ASK = ENGINE + "with engine.connect() as db: print(db.exec_driver_sql({!r}).fetchone()[0])"


# ── Connection options ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def postgresql(tmp_path: Path) -> Site:
    return Site(tmp_path, _settings("postgresql", tmp_path))


@pytest.mark.parametrize(
    ("options", "question", "answer"),
    [
        ({"options": "-c search_path=kyc_apart"}, "SHOW search_path", "kyc_apart"),
        ({"assume_role": "pg_monitor"}, "SELECT current_user", "pg_monitor"),
        # What belongs to Django's own connections is left to them.
        ({"pool": True, "server_side_binding": True, "isolation_level": 4}, "SHOW transaction_isolation", "read comm"),
    ],
)
def test_postgresql_options_are_carried_over(
    postgresql: Site, options: dict[str, Any], question: str, answer: str
) -> None:
    postgresql.database["OPTIONS"] = options
    assert postgresql.run(ASK.format(question)).startswith(answer)


def test_a_server_that_cannot_prove_itself_is_not_talked_to(postgresql: Site) -> None:
    postgresql.database["OPTIONS"] = {"sslmode": "verify-full", "sslrootcert": str(postgresql.folder / "absent.pem")}
    out = postgresql.run(ASK.format("SELECT 1"), fails=True)
    assert "root certificate file" in out or "server does not support SSL" in out


def test_a_service_leads_where_it_leads_django(postgresql: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = postgresql.database
    lines = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    text = "\n".join(["[bank]", *(f"{word}={found[name]}" for word, name in lines.items())])
    (postgresql.folder / "services").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(postgresql.folder / "services"))
    postgresql.database = {"ENGINE": found["ENGINE"], "NAME": "", "OPTIONS": {"service": "bank"}}
    assert postgresql.run(ASK.format("SELECT current_database()")).strip() == found["NAME"]


def test_mariadb_options_and_sockets_are_carried_over(tmp_path: Path) -> None:
    site = Site(tmp_path, _settings("mariadb", tmp_path))
    (tmp_path / "site_settings.py").write_text(
        "import pymysql; pymysql.install_as_MySQLdb()\n" + (tmp_path / "site_settings.py").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    site.database["OPTIONS"] = {"init_command": "SET @kyc = 7", "isolation_level": "serializable"}
    assert site.run(ASK.format("SELECT @kyc")) == "7\n"
    if "DISABLED" in site.run(ASK.format("SHOW VARIABLES LIKE 'have_ssl'").replace("[0])", "[1])")):
        site.database["OPTIONS"] = {"ssl": {"check_hostname": False}}
        assert "server doesn't support it" in site.run(ASK.format("SELECT 1"), fails=True)
    site.database |= {"HOST": str(tmp_path / "mysqld.sock"), "OPTIONS": {}}
    out = site.run(
        "from kyc_verify.integrations.django._engine import arguments\nimport json\nfound = arguments('kyc')\n"
        "print(json.dumps([found['unix_socket'], 'host' in found]))"
    )
    assert json.loads(out) == [site.database["HOST"], False]


def test_sqlite_options_are_carried_over(tmp_path: Path) -> None:
    site = Site(tmp_path, SQLITE | {"OPTIONS": {"init_command": "PRAGMA cache_size=-77; PRAGMA user_version=5"}})
    site.database["OPTIONS"] |= {"timeout": 9, "transaction_mode": "IMMEDIATE"}
    assert site.run(ASK.format("PRAGMA cache_size")) == "-77\n"


def _said(**given: Any) -> dict[str, Any]:
    """Return what PyMySQL is told where Django uses mysqlclient."""
    return _engine._mysql("kyc", {"client_flag": 0, **given}, own="MySQLdb")


@pytest.mark.parametrize(
    ("mode", "ssl", "told"),
    [
        ("REQUIRED", None, {"check_hostname": False}),
        ("verify_ca", {"ca": "a.pem"}, {"ca": "a.pem", "check_hostname": False, "verify_mode": True}),
        ("VERIFY_IDENTITY", {"ca": "a.pem"}, {"ca": "a.pem", "check_hostname": True, "verify_mode": True}),
        ("PREFERRED", {"ca": "a.pem"}, {"ca": "a.pem"}),
    ],
)
def test_the_tls_of_mysqlclient_is_said_in_pymysqls_words(
    mode: str, ssl: dict[str, str] | None, told: dict[str, Any]
) -> None:
    pytest.importorskip("pymysql")
    given = _said(ssl_mode=mode) if ssl is None else _said(ssl_mode=mode, ssl=ssl)
    assert given == {"client_flag": 2, "ssl": told}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ssl_mode": "VERIFY_IDENTITY"}, "ssl_mode"),  # PyMySQL would check nothing without an authority
        ({"ssl_mode": "VERIFY_CA", "ssl": {"cert": "c.pem"}}, "ssl_mode"),
        ({"ssl_mode": "STRICT"}, "ssl_mode"),
        ({"ssl": {}}, "ssl"),
        ({"ssl": True}, "ssl"),
        ({"ssl": True, "ssl_mode": "REQUIRED"}, "ssl"),
        ({"read_default_file": "my.cnf"}, "read_default_file"),
        ({"compress": True}, "compress"),
        ({"plugin_dir": "/x"}, "plugin_dir"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    pytest.importorskip("pymysql")
    with pytest.raises(ConfigurationError, match=rf"DATABASES\['kyc'\]\['OPTIONS'\]\['{named}'\] cannot be carried"):
        _said(**options)


def test_a_driver_that_is_missing_is_named(tmp_path: Path) -> None:
    out = Site(tmp_path, SQLITE).run(
        "from kyc_verify.integrations.django import _engine\n_engine._MODULES = {'sqlite': 'absent_driver'}\n"
        "from kyc_verify.integrations.django.checks import check_settings\nprint(check_settings(None))"
    )
    assert "kyc_verify.E011" in out
    assert "needs the driver absent_driver: pip install absent_driver" in out


def test_a_database_in_memory_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    names = [":memory:", "file:memorydb_kyc?mode=memory&cache=shared", "file:kyc.db?mode=rw"]
    site = Site(tmp_path, SQLITE)
    out = site.run(
        "from django.db import connections\nfrom kyc_verify.integrations.django._engine import engine_of\n"
        f"for name in {names!r}:\n"
        "    connections['kyc'].settings_dict['NAME'] = name\n"
        "    try: engine_of('kyc')\n"
        "    except ValueError as error: print(error)\n"
    )
    assert out.count("set DATABASES['kyc']['TEST']['NAME'] to a file") == len(names)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".py"] * 3


# ── The project's own tests ──────────────────────────────────────────────────────────────────────────────────────────

MANAGE = """
import site_settings, sys
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
TESTS = """
from django.conf import settings
from django.db import connections
from django.test import TestCase, override_settings

from kyc_verify import Call
from kyc_verify.integrations.django import enroller, store, verifier
from kyc_verify.integrations.django.models import Record

HELD = store()  # made on the real database, while the tests are collected


class Payments(TestCase):
    databases = {"default", "kyc"}
    subject = "cust-42"

    def test_a_wrong_answer_then_the_right_one(self):
        enroller().enroll("cust-42", {"pin": "493750"}, by="crm-import")
        self.assertEqual(self.client.get("/answer?said=493750").json()["verdict"], "verified")
        kept = len(store().records("default", 0, 99))
        self.assertEqual(kept, Record.objects.count())
        self.assertEqual(kept, len(HELD.records("default", 0, 99)))
        self.assertEqual(kept, 3)

    def test_a_setting_that_is_overridden(self):
        before = verifier()
        with override_settings(KYC_VERIFY={**settings.KYC_VERIFY, "TENANT": "other"}):
            self.assertIn("other", repr(verifier()))
        self.assertNotIn("other", repr(verifier()))
        self.assertIsNot(before, verifier())


class Elsewhere(TestCase):
    def test_an_alias_that_was_not_asked_for(self):
        with self.assertRaisesRegex(AssertionError, "Add 'kyc' to"):
            HELD.records("default", 0, 99)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_the_tests_of_a_project_run_on_databases_of_their_own(kind: str, tmp_path: Path) -> None:
    site = Site(tmp_path, _settings(kind, tmp_path))
    if kind == "sqlite":
        site.database["TEST"] = {"NAME": str(tmp_path / "kyc-test.db")}
    swap = "import pymysql; pymysql.install_as_MySQLdb()\n" if kind == "mariadb" else ""
    settings = swap + (tmp_path / "site_settings.py").read_text(encoding="utf-8")
    (tmp_path / "site_settings.py").write_text(settings, encoding="utf-8")
    (tmp_path / "manage.py").write_text(MANAGE, encoding="utf-8")
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "__init__.py").touch()
    (tmp_path / "bank" / "tests.py").write_text(TESTS, encoding="utf-8")
    site.command("migrate", "-v0", "--database", "kyc")

    for more in ([], ["--parallel=2"]):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", "test", "--noinput", *more],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240,
            env={**os.environ, "KYC_DATABASE": repr(site.database), "KYC_OPTIONS": "{}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Ran 3 tests" in done.stderr

    if kind == "sqlite":
        assert not [path.name for path in tmp_path.iterdir() if "test" in path.name or "memory" in path.name]
    else:
        listing = {"postgresql": "SELECT datname FROM pg_database", "mariadb": "SHOW DATABASES"}[kind]
        assert not [name for name in _names(site, listing) if name.startswith(f"test_{site.database['NAME']}")]
    assert "kyc_records" in _names(site, _TABLES[kind])
    assert _names(site, "SELECT seq FROM kyc_records") == []  # nothing reached the real one


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master",
    "postgresql": "SELECT tablename FROM pg_tables",
    "mariadb": "SHOW TABLES",
}


def _names(site: Site, question: str) -> list[str]:
    url = _url(site)
    if site.database["ENGINE"].endswith("mysql"):
        url = url.replace("postgresql+psycopg", "mysql+pymysql")
    with sa.create_engine(url, poolclass=sa.pool.NullPool).connect() as db:
        return [str(name) for (name, *_) in db.exec_driver_sql(question)]


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CHECKED = """
import json
from django.conf import settings
from django.core.checks import run_checks
from django.test import override_settings
with override_settings(**eval({!r})):
    print(json.dumps([[each.id, each.msg + " " + (each.hint or "")] for each in run_checks()]))
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    site = Site(tmp_path_factory.mktemp("checked"), SQLITE)
    (site.folder / "site_broken.py").write_text("raise RuntimeError('pepper-in-clear')", encoding="utf-8")
    return lambda changed: dict(json.loads(site.run(CHECKED.format(changed)).splitlines()[-1]))


@pytest.mark.parametrize(
    ("option", "value", "code", "told"),
    [
        ("TENANT", None, "E010", "KYC_VERIFY['TENANT'] is not a name: write a string"),
        ("TENANT", "", "E010", "KYC_VERIFY['TENANT'] is not a name: write a string"),
        ("SENDERS", None, "E010", "KYC_VERIFY['SENDERS'] is not a dict: write names with dotted paths"),
        ("SIGNALS", ["site_parts.crm"], "E010", "KYC_VERIFY['SIGNALS'] is not a dict"),
        ("SENDERS", {"sms": "site_parts.outbocks"}, "E010", "KYC_VERIFY['SENDERS']['sms'] leads nowhere"),
        ("POLICY", "site_partz.policy", "E010", "No module named 'site_partz'; write 'package.module.name'"),
        ("KEYRING", "site_broken.keyring", "E010", "KYC_VERIFY['KEYRING'] leads nowhere: importing it ends in Runtime"),
        ("ALLOW_DATA_LOSS", "no", "E010", "KYC_VERIFY['ALLOW_DATA_LOSS'] is True or False"),
        ("DATABASE", ["x"], "E010", "KYC_VERIFY['DATABASE'] is not a name: write a string"),
    ],
)
def test_a_wrong_setting_is_a_message_that_says_what_to_write(
    checked: Callable[[str], dict[str, str]], option: str, value: object, code: str, told: str
) -> None:
    found = checked(f"{{'KYC_VERIFY': {{**settings.KYC_VERIFY, {option!r}: {value!r}}}}}")
    assert list(found) == [f"kyc_verify.{code}"]
    assert told in found[f"kyc_verify.{code}"]
    assert "pepper-in-clear" not in str(found)


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ("{'DATABASE_ROUTERS': []}", "E012", "put 'kyc_verify.integrations.django.routers.OwnAlias' first"),
        ("{'KYC_VERIFY': ['POLICY']}", "E001", "a dict"),
    ],
)
def test_a_wiring_that_is_missing_is_a_message(
    checked: Callable[[str], dict[str, str]], changed: str, code: str, told: str
) -> None:
    assert told in checked(changed)[f"kyc_verify.{code}"]


def test_a_router_that_cannot_be_imported_is_a_message(tmp_path: Path) -> None:
    out = Site(tmp_path, SQLITE).run(
        "from django.conf import settings\nsettings.DATABASE_ROUTERS = ['site_absent.Router']\n"
        "from kyc_verify.integrations.django.checks import check_settings\nprint(check_settings(None))"
    )
    assert "cannot be imported: No module named 'site_absent'" in out
    assert "kyc_verify.E012" in out


def test_options_that_cannot_be_carried_over_are_a_message(tmp_path: Path) -> None:
    site = Site(tmp_path, SQLITE | {"OPTIONS": {"transaction_mode": "SOON"}})
    out = site.run(CHECKED.format("{}"))
    assert "kyc_verify.E011" in out
    assert "transaction_mode" in out


def test_the_command_fails_in_sentences(tmp_path: Path) -> None:
    site = Site(tmp_path, SQLITE)
    for words in (["audit"], ["purge"]):
        out = site.command("kyc_verify", *words, fails=True)
        assert "CommandError: DATABASES['kyc']: the database has no tables" in out
        assert "`manage.py migrate --database kyc`" in out
    site.command("migrate", "-v0", "--database", "kyc")
    for days in ("99999999", "999999999999999"):
        assert "CommandError: --days is a number of days, from 0 to " in site.command(
            "kyc_verify", "purge", f"--days={days}", fails=True
        )
    site.options = {"DATABASE": "absent"}
    assert "CommandError: settings.DATABASES has no 'absent'" in site.command("kyc_verify", "audit", fails=True)
