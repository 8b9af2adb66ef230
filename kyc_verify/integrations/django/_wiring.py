"""From ``settings.KYC_VERIFY`` to a verifier."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from kyc_verify.enrollment import Enroller
from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.hashing import SecretHasher
from kyc_verify.integrations.django._engine import engine_of
from kyc_verify.stores import SQLAlchemyStore
from kyc_verify.verifier import Verifier

__all__ = ["DEFAULTS", "enroller", "faults", "option", "store", "tenant", "verifier"]

DEFAULTS: Final[Mapping[str, Any]] = {
    "DATABASE": "kyc", "POLICY": None, "KEYRING": None, "CUSTOMERS": None, "SENDERS": {}, "SIGNALS": {}, "SERVICES": {},
    "SEEDS": None, "PROFILE": None, "TENANT": "default", "ALLOW_DATA_LOSS": False,
}  # fmt: skip
"""What ``settings.KYC_VERIFY`` may say; names of objects are dotted paths, or the objects."""

_OBJECTS: Final = ("POLICY", "KEYRING", "CUSTOMERS", "SEEDS")
_GROUPS: Final = ("SENDERS", "SIGNALS", "SERVICES")


def option(name: str) -> Any:  # noqa: ANN401 - any kind of setting
    """Return one option of ``settings.KYC_VERIFY``, or its default.

    Raises:
        ConfigurationError: it is of the wrong kind.
    """
    given = getattr(settings, "KYC_VERIFY", {})
    if not isinstance(given, dict):
        msg = "settings.KYC_VERIFY is not a dict; see the page on Django"
        raise ConfigurationError(msg)
    found = given.get(name, DEFAULTS[name])
    if name in {"DATABASE", "TENANT"} and not (isinstance(found, str) and found):
        msg = f"KYC_VERIFY[{name!r}] is not a name: write a string, or leave it out for {DEFAULTS[name]!r}"
        raise ConfigurationError(msg)
    if name == "ALLOW_DATA_LOSS" and not isinstance(found, bool):
        msg = f"KYC_VERIFY[{name!r}] is True or False: whether a server may forget commits when the power fails"
        raise ConfigurationError(msg)
    if name in _GROUPS and not isinstance(found, dict):
        msg = f"KYC_VERIFY[{name!r}] is not a dict: write names with dotted paths or objects, or leave it out"
        raise ConfigurationError(msg)
    return found


def tenant() -> str:
    """Return whose data this project serves."""
    return str(option("TENANT"))


def faults() -> Iterator[ConfigurationError]:
    """Say which options are of the wrong kind, and which dotted paths lead nowhere; nothing is made."""
    for name in DEFAULTS:
        try:
            found = option(name)
        except ConfigurationError as error:
            yield error
            continue
        given = {f"[{name!r}]": found} if name in _OBJECTS else {}
        if name in _GROUPS:
            given = {f"[{name!r}][{key!r}]": each for key, each in found.items()}
        for place, each in given.items():
            try:
                _found(place, each)
            except ConfigurationError as error:
                yield error


def _found(place: str, given: Any) -> Any:  # noqa: ANN401 - whatever the path leads to
    """Return the object that a dotted path leads to; an object is taken as it is.

    Raises:
        ConfigurationError: nothing is there, or its module cannot be imported.
    """
    if not isinstance(given, str):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - a module may raise anything, and its text may hold a secret
        why = f"importing it ends in {type(error).__name__}"
    msg = f"KYC_VERIFY{place} leads nowhere: {why}; write 'package.module.name', or the object"
    raise ConfigurationError(msg)


def _object(name: str) -> Any:  # noqa: ANN401 - whatever the path leads to
    """Return the object that an option names, made where it is a class or a function.

    Raises:
        ConfigurationError: the option is missing or leads nowhere.
    """
    found = option(name)
    if found is None:
        msg = f"settings.KYC_VERIFY needs {name}: a dotted path, or the object"
        raise ConfigurationError(msg)
    return _made(f"[{name!r}]", found)


def _objects(name: str) -> dict[str, Any]:
    return {key: _made(f"[{name!r}][{key!r}]", each) for key, each in option(name).items()}


def _made(place: str, given: Any) -> Any:  # noqa: ANN401 - a dotted path, an object, or what makes it
    found = _found(place, given)
    return found() if inspect.isclass(found) or inspect.isfunction(found) else found


@cache
def store() -> SQLAlchemyStore:
    """Return the store of this process; make it after a fork.

    Raises:
        ConfigurationError: the alias is missing or cannot be used.
        StoreError: the database does not answer, or is not migrated.
    """
    alias = option("DATABASE")
    try:
        return SQLAlchemyStore(engine_of(alias), allow_data_loss=option("ALLOW_DATA_LOSS"))
    except StoreError as error:
        msg = f"DATABASES[{alias!r}]: {error} (`manage.py migrate --database {alias}` makes the tables)"
        raise StoreError(msg) from None


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


@receiver(setting_changed)
def _anew(setting: str, **more: Any) -> None:
    """Make them from the new settings where a test overrides some."""
    del more
    if setting in {"KYC_VERIFY", "DATABASES"}:
        for each in (store, verifier, enroller):
            each.cache_clear()
