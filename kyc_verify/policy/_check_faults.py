"""What construction refuses of a single check of a policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Final

from kyc_verify import totp
from kyc_verify.checks import (
    AnswerCheck,
    AppConfirmation,
    AskedCheck,
    AuthenticatorCode,
    Callback,
    Check,
    OneTimeCode,
    RecoveryCode,
    SignalCheck,
)
from kyc_verify.checks.one_time_code import PLACEHOLDERS
from kyc_verify.policy._codec import plain_value
from kyc_verify.policy._faults import Faults, id_faults, text_faults
from kyc_verify.policy._judge import source_of
from kyc_verify.score import table_faults
from kyc_verify.terms import Channel, Entry, Factor, Method
from kyc_verify.threats import Likelihoods, ThreatModel

__all__ = ["check_faults"]

_MOST_TRIES: Final = 10
_MOST_SECONDS: Final = 3600
_DIGITS: Final = (6, 10)
_SHOWN: Final = (6, 8)
_CODE_CHANNELS: Final = (Channel.SMS, Channel.VOICE, Channel.EMAIL)
_TEMPLATES: Final = ("warning", "plain", "elsewhere")
_PLACEHOLDERS: Final = ", ".join(f"${name}" for name in sorted(PLACEHOLDERS))
_NEEDED: Final = frozenset(("purpose", "code"))


def check_faults(check: Check, threats: ThreatModel | None, path: str) -> Faults:
    """Yield the path and the message of each fault of a check; its fields may hold anything yet."""
    yield from id_faults(check.id, f"{path}.id")
    yield from _fields(check, path)
    if isinstance(check, AskedCheck):
        yield from _asked(check, path)
    elif not isinstance(check, SignalCheck):
        yield path, "must derive from AnswerCheck or SignalCheck"
    elif type(check).judge is SignalCheck.judge:
        yield path, "must define judge(signal)"
    if isinstance(check, OneTimeCode):
        yield from _code(check, path)
    if isinstance(check, AuthenticatorCode):
        yield from _authenticator(check, path)
    if threats is not None and type(check.id) is str and type(check.row) in (str, type(None)):
        yield from _weights(check, threats, path)
    yield from _parameters(check, path)


def _fields(check: Check, path: str) -> Faults:
    if not isinstance(check.factor, Factor):
        yield f"{path}.factor", "must be a Factor"
    if type(check.tries) is not int or not 1 <= check.tries <= _MOST_TRIES:
        yield f"{path}.tries", f"must be a whole number from 1 to {_MOST_TRIES}"
    seconds = check.seconds
    if seconds is not None and (type(seconds) is not int or not 0 <= seconds <= _MOST_SECONDS):
        yield f"{path}.seconds", f"must be a whole number of seconds up to {_MOST_SECONDS}"
    if not isinstance(check.methods, tuple) or not all(isinstance(method, Method) for method in check.methods):
        yield f"{path}.methods", "must be a tuple of Method values"
    for name in ("row", "asset", "source", "service"):
        value = getattr(check, name, None)
        if value is not None and (type(value) is not str or not value):
            yield f"{path}.{name}", "must be a name, or None"
    if check.likelihoods is not None and not isinstance(check.likelihoods, Likelihoods):
        yield f"{path}.likelihoods", "must be Likelihoods"


def _asked(check: AskedCheck, path: str) -> Faults:
    if not isinstance(check.entry, Entry):
        yield f"{path}.entry", "must be an Entry"
    if check.prompts or not isinstance(check.prompts, Mapping):
        yield from text_faults(check.prompts, f"{path}.prompts")
    else:
        try:
            check.prompt("en")
        except LookupError:
            yield f"{path}.prompts", 'is missing: say what to ask, as in {"en": "..."}'
    if isinstance(check, AnswerCheck):
        if type(check).forms is AnswerCheck.forms:
            yield path, "must define forms(said, *, locale, now)"
        if type(check.forms_version) is not int or check.forms_version < 1:
            yield f"{path}.forms_version", "must be a whole number of 1 or more"
    elif not isinstance(check, OneTimeCode | AuthenticatorCode | RecoveryCode | AppConfirmation | Callback):
        # Nothing would compare what the caller says.
        yield (
            path,
            "must derive from AnswerCheck, OneTimeCode, AppConfirmation, Callback, AuthenticatorCode or RecoveryCode",
        )


def _code(check: OneTimeCode, path: str) -> Faults:
    if check.channel not in _CODE_CHANNELS:
        yield f"{path}.channel", "must be sms, voice or email"
    if check.template not in _TEMPLATES:
        yield f"{path}.template", f"must be one of {', '.join(_TEMPLATES)}"
    if check.messages or not isinstance(check.messages, Mapping):
        yield from text_faults(check.messages, f"{path}.messages")
        yield from _messages(check.messages, f"{path}.messages")
    if type(check.digits) is not int or not _DIGITS[0] <= check.digits <= _DIGITS[1]:
        yield f"{path}.digits", f"must be from {_DIGITS[0]} to {_DIGITS[1]} (NIST SP 800-63B-4 section 3.1.3.2)"


def _authenticator(check: AuthenticatorCode, path: str) -> Faults:
    if type(check.digits) is not int or not _SHOWN[0] <= check.digits <= _SHOWN[1]:
        yield f"{path}.digits", f"must be from {_SHOWN[0]} to {_SHOWN[1]}, as the app was told"
    if type(check.algorithm) is not str or check.algorithm not in totp.ALGORITHMS:
        yield f"{path}.algorithm", f"must be one of {', '.join(totp.ALGORITHMS)}"
    if type(check.window) is not int or check.window not in {0, 1}:
        yield f"{path}.window", "must be 0 or 1 (RFC 6238 section 5.2)"


def _messages(given: object, path: str) -> Faults:
    texts = given if isinstance(given, Mapping) else {}
    for locale, said in texts.items():
        if type(said) is not str:
            continue
        template = Template(said)
        if not template.is_valid():
            yield f"{path}.{locale}", "has a $ that begins no placeholder; write $$ for the sign"
            continue
        found = set(template.get_identifiers())
        for name in sorted(found - PLACEHOLDERS):
            yield f"{path}.{locale}", f"${name} is unknown; there are {_PLACEHOLDERS}"
        for name in sorted(_NEEDED - found):
            yield f"{path}.{locale}", f"lacks ${name}: a code says what it is for"


def _weights(check: Check, threats: ThreatModel, path: str) -> Faults:
    own = check.likelihoods
    if own is not None and not isinstance(own, Likelihoods):
        return
    source = source_of(check, threats)
    faults = table_faults(threats, ((check.id, source),))
    hint = "" if own is not None else "; give likelihoods=Likelihoods(...) or name a row of the table"
    for where, message in faults:
        yield f"{path}{where.removeprefix(f'checks.{check.id}')}", f"{message}{hint}"
    meant = own or (threats.rows[source].likelihoods if isinstance(source, str) and not faults else None)
    if meant is not None and type(check.tries) is int and check.tries > meant.tries:
        yield f"{path}.tries", f"its likelihoods are meant of {meant.tries} tries in one run, not of {check.tries}"


def _parameters(check: Check, path: str) -> Faults:
    for name, value in check.parameters().items():
        try:
            json.dumps(plain_value(value), allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            yield f"{path}.{name}", "cannot be written as JSON; use numbers, texts, lists and mappings"
