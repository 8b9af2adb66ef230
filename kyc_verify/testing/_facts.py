"""What a bench is made of where its user says nothing: facts of a customer, and who answers for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from kyc_verify.checks import AnswerCheck, AppConfirmation, Check, OneTimeCode, RecoveryCode, SignalCheck
from kyc_verify.testing._given import instead, mapping
from kyc_verify.testing.doubles import ScriptedService, ScriptedSignals

__all__ = ["lists", "stored", "usual", "wired"]

_AGE, _TENURE = 39, 8
"""Years: of the customer, and of the account."""


def usual(checks: Iterable[Check], now: datetime) -> dict[str, object]:
    """Return a fact for each check of a kind that the library ships; for a list of codes, that there is one."""
    shipped: Mapping[str, object] = {
        "digits": "4937", "date": date(now.year - _AGE, 10, 23), "tenure": date(now.year - _TENURE, 3, 14),
        "text": "Lindenhof",
    }  # fmt: skip
    found: dict[str, object] = {}
    for check in checks:
        if isinstance(check, AnswerCheck) and check.kind in shipped:
            fact = shipped[check.kind]
            # One answer to two questions would be refused.
            found[check.id] = f"{fact} {check.id}" if check.kind == "text" else fact
        elif isinstance(check, RecoveryCode):
            found[check.id] = "issued"
    return found


def stored(checks: Iterable[Check], name: str) -> bool:
    """Whether a fact of this check is enrolled, and not kept by the CRM."""
    check = next((each for each in checks if each.id == name), None)
    return not isinstance(check, AnswerCheck) or check.stored


def lists(checks: Iterable[Check], facts: Mapping[str, object]) -> list[str]:
    """Return the ids of the named checks that ask for codes of a list: these are issued, and not enrolled."""
    return [check.id for check in checks if isinstance(check, RecoveryCode) and check.id in facts]


def wired(checks: Iterable[Check], signals: object, services: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sources and the services of a bench: the user's own in place of doubles.

    Raises:
        UsageError: they are no mappings, or no check asks for one of them.
    """
    checks = tuple(checks)
    sources = {check.source for check in checks if isinstance(check, SignalCheck) and check.source}
    apps = {check.service for check in checks if isinstance(check, AppConfirmation)}
    channels = {check.channel.value for check in checks if isinstance(check, OneTimeCode)}
    own_signals = mapping(signals, "signals", "signals={'sim_swap': ScriptedSignals(False)}")
    own_services = mapping(services, "services", "services={'app': ScriptedService()}")
    for given, known, what in ((own_signals, sources, "signals"), (own_services, apps | channels, "services")):
        if odd := sorted(map(str, given.keys() - known)):
            has = ", ".join(sorted(known)) or "nothing"
            instead(f"{what}: no check asks for {', '.join(odd)}; those of the policy ask for {has}")
    return (
        {source: ScriptedSignals(value=False) for source in sources} | own_signals,
        {app: ScriptedService() for app in apps} | own_services,
    )
