"""What a front is given, checked once at construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from kyc_verify import totp
from kyc_verify._flows.context import Context
from kyc_verify._flows.runner import Runner
from kyc_verify.call import exact_id
from kyc_verify.checks import OneTimeCode
from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.hashing import SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import CodeService, Customers, Observer, SeedSource, Sender, SignalSource, Store
from kyc_verify.terms import Channel

__all__ = ["wire"]

_VERBS = ("open", "begin", "commit", "redeem", "load", "enroll", "set_standing", "note", "erase", "records")


def _named(ports: object, what: str, verbs: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(ports, Mapping):
        msg = f"{what} must map names to objects with {' and '.join(verbs)}"
        raise ConfigurationError(msg)
    for name, port in ports.items():
        if type(name) is not str or not all(callable(getattr(port, verb, None)) for verb in verbs):
            msg = f"{what}: each needs a name and {' and '.join(f'{verb}()' for verb in verbs)}"
            raise ConfigurationError(msg)
    return MappingProxyType(dict(ports))


def wire(
    policy: Policy, *, store: Store, hasher: SecretHasher, clock: Callable[[], datetime], tenant: str, runner: Runner,
    customers: Customers | None = None, senders: Mapping[str, Sender] | None = None,
    signals: Mapping[str, SignalSource] | None = None, services: Mapping[str, CodeService] | None = None,
    seeds: SeedSource | None = None, observer: Observer | None = None,
) -> Context:  # fmt: skip
    """Check what a front was given and wire it up.

    Raises:
        ConfigurationError: something is not what it must be.
        MissingExtraError: there are seeds, and not the libraries for them.
    """
    wrong = [
        name
        for name, fits in (
            ("policy must be a Policy", isinstance(policy, Policy)),
            ("hasher must be a SecretHasher", isinstance(hasher, SecretHasher)),
            ("store must have the verbs of ports.Store", all(callable(getattr(store, verb, None)) for verb in _VERBS)),
            ("clock must be callable", callable(clock)),
            ("seeds must have get()", seeds is None or callable(getattr(seeds, "get", None))),
            ("observer must have notice()", observer is None or callable(getattr(observer, "notice", None))),
            ("customers must have get()", customers is None or callable(getattr(customers, "get", None))),
        )
        if not fits
    ]
    try:
        exact_id(tenant, "tenant")
    except UsageError as fault:
        wrong.append(str(fault))
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    if seeds is not None:
        totp.ready()
    carried = _named(services or {}, "services", ("send", "check"))
    for check in policy.checks:
        # What a message of another's wording is worth against a phisher is another row of the table.
        if (
            isinstance(check, OneTimeCode) and check.channel is Channel.SMS and check.template != "elsewhere"
            and getattr(carried.get(check.channel.value), "own_words", False) is not False
        ):  # fmt: skip
            msg = f"the service for {check.id} words its messages itself: OneTimeCode(template='elsewhere')"
            raise ConfigurationError(msg)
    return Context(
        policy=policy,
        store=store,
        hasher=hasher,
        clock=clock,
        tenant=tenant,
        runner=runner,
        customers=customers,
        senders=_named(senders or {}, "senders", ("send",)),
        signals=_named(signals or {}, "signals", ("get",)),
        services=carried,
        seeds=seeds,
        observer=observer,
    )
