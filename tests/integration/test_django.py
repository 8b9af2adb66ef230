"""A Django project with the app: migrations, checks, views that are rolled back, the admin, the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")
pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from tests.services import database

pytestmark = [pytest.mark.slow, pytest.mark.wide]

PROJECT = """
import os, secrets
from datetime import date
from decimal import Decimal
from django.conf import settings

KYC = eval(os.environ["KYC_DATABASE"])
settings.configure(
    DEBUG=False, SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF="site_urls", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages", "kyc_verify.integrations.django"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth",
                               "django.contrib.messages.context_processors.messages"]}}],
    DATABASES={"kyc": KYC,
               "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "host.db", "ATOMIC_REQUESTS": True}},
    DATABASE_ROUTERS=["kyc_verify.integrations.django.routers.OwnAlias"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    KYC_VERIFY={"POLICY": "site_parts.policy", "KEYRING": "site_parts.keyring", "CUSTOMERS": "site_parts.crm",
                "SENDERS": {"sms": "site_parts.outbox"}, "PROFILE": "owasp"}
    | eval(os.environ.get("KYC_OPTIONS", "{}")),
)
import django
django.setup()
"""
PARTS = """
from kyc_verify import Contact, Customer, Keyring, Policy, Requirement, checks
policy = Policy(name="site", checks=[checks.Pin(), checks.OneTimeCode()], actions={"pay": Requirement(all_of=("pin",))})
keyring = Keyring({"k1": bytes(range(40, 72))})
class Crm:
    def get(self, subject):
        return Customer(contacts=(Contact(number="+33612345678"),)) if subject == "cust-42" else None
class Outbox:
    def send(self, message): pass
crm, outbox = Crm(), Outbox()
"""
URLS = '''
import json
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import JsonResponse
from django.urls import path
from kyc_verify import Call
from kyc_verify.integrations.django import enroller, verifier

def answer(request):
    """Answer, change something of the host's, and fail: the view's transaction is rolled back."""
    call = Call(id="call-1", agent="ada")
    step = verifier().open("cust-42", action="pay", call=call)
    step = verifier().respond(step.challenge.id, request.GET["said"], call=call)
    User.objects.create(username=f"made-by-{request.GET['said']}")
    if "fail" in request.GET:
        raise RuntimeError("the view fails")
    return JsonResponse(step.as_dict())

urlpatterns = [path("answer", answer), path("admin/", admin.site.urls)]
'''


class Site:
    """A project in a folder, with the library's tables on one kind of database."""

    def __init__(self, folder: Path, database: dict[str, Any]) -> None:
        self.folder, self.options = folder, {}
        self.database = database
        for name, text in (("site_settings.py", PROJECT), ("site_parts.py", PARTS), ("site_urls.py", URLS)):
            (folder / name).write_text(text, encoding="utf-8")

    def run(self, code: str, *, fails: bool = False) -> str:
        """Run some code in the project; returns what it printed."""
        environment = {**os.environ, "KYC_DATABASE": repr(self.database), "KYC_OPTIONS": repr(self.options)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", "import site_settings\n" + code],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stdout + (done.stderr if fails else "")

    def command(self, *words: str, fails: bool = False) -> str:
        """Run a management command."""
        return self.run(f"from django.core.management import call_command\ncall_command(*{list(words)!r})", fails=fails)


def _settings(kind: str, folder: Path) -> dict[str, Any]:
    if kind == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "kyc.db")}
    url = sa.make_url(database(kind))
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as db:
        names = sa.inspect(db).get_table_names()
        for name in names:
            quoted = f'"{name}"' if kind == "postgresql" else f"`{name}`"
            db.exec_driver_sql(f"DROP TABLE {quoted}" + (" CASCADE" if kind == "postgresql" else ""))
    engine.dispose()
    backend = {"postgresql": "postgresql", "mariadb": "mysql"}[kind]
    return {
        "ENGINE": f"django.db.backends.{backend}", "NAME": url.database, "USER": url.username or "",
        "PASSWORD": url.password or "", "HOST": url.host, "PORT": str(url.port),
    }  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(tmp_path, _settings(request.param, tmp_path))


@pytest.fixture
def migrated(site: Site) -> Site:
    site.command("migrate", "-v0")
    site.command("migrate", "-v0", "--database", "kyc")
    site.run(
        "from kyc_verify.integrations.django import enroller\n"
        "enroller().enroll('cust-42', {'pin': '493750'}, by='crm-import')"
    )
    return site


def test_migrations_make_the_tables_on_the_alias_alone(site: Site) -> None:
    assert "No changes" in site.command("makemigrations", "--check", "--dry-run", "kyc_verify")
    site.command("migrate", "-v0")
    tables = "from django.db import connections\nprint(sorted(connections[{!r}].introspection.table_names()))"
    assert "kyc_" not in site.run(tables.format("default")).replace("django", "")
    for _ in range(2):
        site.command("migrate", "-v0", "--database", "kyc")
    found = site.run(tables.format("kyc"))
    assert "kyc_sessions" in found
    assert "auth_user" not in found


def test_classes_and_functions_are_made_and_objects_taken_as_they_are(site: Site) -> None:
    parts = "class Desk(Crm): pass\ndef made_keyring(): return keyring\nclass Gateway(Outbox): pass\n"
    with (site.folder / "site_parts.py").open("a", encoding="utf-8") as more:
        more.write(parts)
    site.options = {
        "CUSTOMERS": "site_parts.Desk", "KEYRING": "site_parts.made_keyring", "SENDERS": {"sms": "site_parts.Gateway"},
    }  # fmt: skip
    site.command("migrate", "-v0", "--database", "kyc")
    out = site.run(
        "from kyc_verify import Call\nfrom kyc_verify.integrations.django import enroller, verifier\n"
        "enroller().enroll('cust-42', {'pin': '493750'}, by='crm-import')\n"
        "call = Call(id='call-1', agent='ada')\nstep = verifier().open('cust-42', action='pay', call=call)\n"
        "print(verifier().respond(step.challenge.id, '493750', call=call).verdict.value)"
    )
    assert out == "verified\n"


def test_a_view_that_fails_undoes_nothing_of_the_library(migrated: Site) -> None:
    out = migrated.run(
        "from django.test import Client\nimport json\n"
        "client = Client(raise_request_exception=False)\n"
        "print(client.get('/answer?said=000000&fail=1').status_code)\n"
        "print(client.get('/answer?said=493750').json()['verdict'])\n"
        "from django.contrib.auth.models import User\nprint(sorted(User.objects.values_list('username', flat=True)))\n"
        "from kyc_verify.integrations.django import store\n"
        "print([r.detail.get('outcome') for r in store().records('default', 0, 99) if r.event.value == 'answered'])\n"
    )
    assert out.splitlines() == ["500", "verified", "['made-by-493750']", "['fail', 'pass']"]


def test_the_admin_shows_no_secret_and_changes_nothing(migrated: Site) -> None:
    out = migrated.run(
        "from django.test import Client\nfrom django.contrib.auth.models import User\n"
        "User.objects.create_superuser('root', password='pw')\n"
        "client = Client(); client.get('/answer?said=493750'); client.force_login(User.objects.get(username='root'))\n"
        "from kyc_verify.integrations.django.models import Record, Session\n"
        "import json\n"
        "paths = ['subject/', 'session/', 'record/', 'subject/cust-42/change/', 'record/2/change/',\n"
        "         f'session/{Session.objects.first().id}/change/']\n"
        "pages = {path: client.get('/admin/kyc_verify/' + path, follow=True) for path in paths}\n"
        "print(json.dumps({p: [r.status_code, r.content.decode()] for p, r in pages.items()}))\n"
        "print([client.post('/admin/kyc_verify/' + p, {'standing': 'open'}).status_code\n"
        "       for p in ('subject/cust-42/change/', 'subject/add/', 'record/2/delete/')])\n"
    )
    first, second = out.strip().splitlines()[-2:]
    for path, (status, text) in json.loads(first).items():
        assert status == 200, path
        for secret in ("493750", "mac", "binding", "turns", "$argon", "salt"):
            assert secret not in text.replace("machine", "").split("<main", 1)[-1], (path, secret)
    assert "answered" in json.loads(first)["record/"][1]
    assert second == "[403, 403, 403]"


def test_the_command_checks_the_chain_and_purges(migrated: Site) -> None:
    migrated.run("from django.test import Client\nClient().get('/answer?said=493750')")
    assert "3 records, intact" in migrated.command("kyc_verify", "audit")
    assert "0 rows dropped" in migrated.command("kyc_verify", "purge")
    assert "--days is a number of days" in migrated.command("kyc_verify", "purge", "--days=-1", fails=True)
    with sa.create_engine(_url(migrated), poolclass=sa.pool.NullPool).begin() as db:
        db.execute(sa.text("DELETE FROM kyc_records WHERE seq = 2"))
    assert "missing" in migrated.command("kyc_verify", "audit", fails=True)


def _url(site: Site) -> str:
    found = site.database
    if found["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{found['NAME']}"
    return sa.URL.create(
        "postgresql+psycopg", found["USER"], found["PASSWORD"], found["HOST"], int(found["PORT"]), found["NAME"]
    ).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("database", "options", "code"),
    [
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "host.db"}, {}, "E009"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, {}, "E008"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db", "ATOMIC_REQUESTS": True}, {}, "E007"),
        ({"ENGINE": "django.db.backends.oracle", "NAME": "kyc"}, {}, "E005"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db"}, {"DATABASE": "default"}, "E006"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db"}, {"DATABASE": "absent"}, "E004"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db"}, {"POLICY": None}, "E003"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "kyc.db"}, {"PEPPER": "x"}, "E002"),
    ],
)
def test_unsafe_settings_are_caught(
    tmp_path: Path, database: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    site = Site(tmp_path, database)
    site.options = options
    out = site.run(
        "from kyc_verify.integrations.django.checks import check_settings\n"
        "print([each.id for each in check_settings(None)])"
    )
    assert f"kyc_verify.{code}" in out


def test_sound_settings_are_silent(site: Site) -> None:
    out = site.run(
        "from django.core.checks import run_checks\nprint([e.id for e in run_checks() if 'kyc_verify' in (e.id or '')])"
    )
    assert out == "[]\n"
