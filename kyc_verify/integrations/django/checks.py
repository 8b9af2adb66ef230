"""System checks: settings with which the library would not hold what it promises."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from kyc_verify.integrations.django._wiring import DEFAULTS, DRIVERS, option

__all__ = ["check_settings"]

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
    if odd := sorted(set(given) - set(DEFAULTS)):
        yield Error(f"KYC_VERIFY has no {', '.join(odd)}", hint=f"it has {', '.join(DEFAULTS)}", id="kyc_verify.E002")
    for name in _NEEDED:
        if not given.get(name):
            yield Error(f"KYC_VERIFY[{name!r}] is missing", hint="a dotted path, or the object", id="kyc_verify.E003")
    if "django.middleware.security.SecurityMiddleware" not in settings.MIDDLEWARE:
        yield checks.Warning(
            "the security middleware is off", hint="agents' screens show challenges", id="kyc_verify.W001"
        )


def _database() -> Iterable[CheckMessage]:
    alias = option("DATABASE")
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
    if found.get("ATOMIC_REQUESTS"):
        yield Error(
            f"DATABASES[{alias!r}] has ATOMIC_REQUESTS", hint="Django must not hold transactions there",
            id="kyc_verify.E007",
        )  # fmt: skip
    if engine == "django.db.backends.sqlite3":
        yield from _file(alias, found)


def _file(alias: str, found: dict[str, Any]) -> Iterable[CheckMessage]:
    name = str(found.get("NAME"))
    others = {str(each.get("NAME")): other for other, each in settings.DATABASES.items() if other != alias}
    if ":memory:" in name or "mode=memory" in name:
        yield Error(f"DATABASES[{alias!r}] is in memory", hint="nothing would be kept", id="kyc_verify.E008")
    elif other := next((each for path, each in others.items() if Path(path).absolute() == Path(name).absolute()), None):
        yield Error(
            f"DATABASES[{alias!r}] is the file of {other!r}",
            hint="a view's open transaction would keep callers waiting", id="kyc_verify.E009",
        )  # fmt: skip
