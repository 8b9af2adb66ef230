"""System checks: settings with which the library would not hold what it promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import router

from kyc_verify.errors import ConfigurationError
from kyc_verify.integrations.django._engine import DRIVERS, arguments, in_memory
from kyc_verify.integrations.django._wiring import DEFAULTS, faults, option

__all__ = ["check_settings"]

_ROUTER = "put 'kyc_verify.integrations.django.routers.OwnAlias' first in DATABASE_ROUTERS"
_NEEDED = ("POLICY", "KEYRING", "CUSTOMERS")


@register(Tags.security)
def check_settings(app_configs: Any, **more: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's own
    """Say what is wrong with the settings."""
    del app_configs, more
    given = getattr(settings, "KYC_VERIFY", None)
    if not isinstance(given, dict):
        return [Error("settings.KYC_VERIFY is missing", hint="a dict; see the page on Django", id="kyc_verify.E001")]
    return [*_options(given), *_database()]


def _options(given: dict[str, Any]) -> Iterable[CheckMessage]:
    if odd := sorted(str(each) for each in given if each not in DEFAULTS):
        yield Error(f"KYC_VERIFY has no {', '.join(odd)}", hint=f"it has {', '.join(DEFAULTS)}", id="kyc_verify.E002")
    for name in _NEEDED:
        if given.get(name) is None:
            yield Error(f"KYC_VERIFY[{name!r}] is missing", hint="a dotted path, or the object", id="kyc_verify.E003")
    for fault in faults():
        yield Error(str(fault), id="kyc_verify.E010")
    if "django.middleware.security.SecurityMiddleware" not in settings.MIDDLEWARE:
        yield checks.Warning(
            "the security middleware is off", hint="agents' screens show challenges", id="kyc_verify.W001"
        )


def _database() -> Iterable[CheckMessage]:
    try:
        alias = option("DATABASE")
    except ConfigurationError:
        return  # `_options` says so
    found = settings.DATABASES.get(alias)
    if found is None:
        yield Error(
            f"DATABASES has no {alias!r}", hint="give the library an alias of its own", id="kyc_verify.E004"
        )  # fmt: skip
        return
    engine = found.get("ENGINE")
    if engine not in DRIVERS:
        yield Error(f"DATABASES[{alias!r}] is {engine}", hint=f"use one of {', '.join(DRIVERS)}", id="kyc_verify.E005")
    if alias == "default":
        yield Error(
            "the library's alias is 'default'", hint="its tables would be migrated with yours; add an alias",
            id="kyc_verify.E006",
        )  # fmt: skip
    else:
        yield from _routers(alias)
    if found.get("ATOMIC_REQUESTS"):
        yield Error(
            f"DATABASES[{alias!r}] has ATOMIC_REQUESTS", hint="Django must not hold transactions there",
            id="kyc_verify.E007",
        )  # fmt: skip
    if engine == "django.db.backends.sqlite3" and in_memory(found.get("NAME")):
        yield Error(
            f"DATABASES[{alias!r}] is in memory, or no plain path",
            hint="nothing would be kept; write the path of a file as its NAME", id="kyc_verify.E008",
        )  # fmt: skip
    elif engine in DRIVERS:
        yield from _connection(alias, found)


def _connection(alias: str, found: Mapping[str, Any]) -> Iterable[CheckMessage]:
    if found["ENGINE"] == "django.db.backends.sqlite3":
        name = Path(found.get("NAME") or "").absolute()
        others = {each: more.get("NAME") for each, more in settings.DATABASES.items() if each != alias}
        if other := next((each for each, path in others.items() if path and Path(path).absolute() == name), None):
            yield Error(
                f"DATABASES[{alias!r}] is the file of {other!r}",
                hint="a view's open transaction would keep callers waiting", id="kyc_verify.E009",
            )  # fmt: skip
    try:
        arguments(alias)
    except ConfigurationError as fault:
        yield Error(str(fault), hint="the library connects as Django does, or not at all", id="kyc_verify.E011")


def _routers(alias: str) -> Iterable[CheckMessage]:
    """Ask what the routers do, whichever they are."""
    ours = apps.get_app_config("kyc_verify")
    try:
        misread = any(router.db_for_read(each) != alias for each in ours.get_models())
        places = {each for each in settings.DATABASES if router.allow_migrate(each, ours.label)}
        guests = [
            each.label
            for each in apps.get_app_configs()
            if each is not ours and router.allow_migrate(alias, each.label)
        ]
    except ImportError as error:
        yield Error(f"DATABASE_ROUTERS names what cannot be imported: {error}", hint=_ROUTER, id="kyc_verify.E012")
        return
    if misread or places != {alias} or guests:
        yield Error(
            f"the routers do not keep the library's tables on {alias!r} and others away: Django would read them "
            f"{'elsewhere' if misread else 'there'}, make them on {', '.join(sorted(places)) or 'no alias'}, and make "
            f"there those of {', '.join(guests) or 'no other app'}",
            hint=_ROUTER, id="kyc_verify.E012",
        )  # fmt: skip
