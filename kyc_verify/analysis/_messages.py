"""The rules of lint for messages with codes: what construction cannot refuse of an author's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from string import Template
from typing import Final

from kyc_verify import prompts
from kyc_verify.analysis.linting import Finding, View, finding
from kyc_verify.checks import OneTimeCode
from kyc_verify.policy import Policy
from kyc_verify.terms import Channel

__all__ = ["RULES"]

_PARTS: Final = 4
_PURPOSE: Final = "x" * 20


def _own(policy: Policy) -> Iterator[tuple[OneTimeCode, str, str, set[str]]]:
    """Yield each message of the author's own: its check, its path, its text, and what is put in."""
    for check in policy.checks:
        if isinstance(check, OneTimeCode):
            for locale, said in check.messages.items():
                yield check, f"checks.{check.id}.messages.{locale}", said, set(Template(said).get_identifiers())


def unwarned(policy: Policy, _: tuple[View, ...]) -> Iterator[Finding]:
    """KV209: a code whose message lacks the warning; an error where the score counts on it."""
    for check, path, _said, names in _own(policy):
        if "warning" not in names:
            message = f"the message of {check.id!r} does not say whom never to tell the code"
            counted = check.template == "warning" and check.channel is Channel.SMS
            yield from finding("KV209", "error" if counted else "warning", path, message)
    for layer in policy.checks:
        plain = isinstance(layer, OneTimeCode) and layer.channel is Channel.SMS and layer.template == "plain"
        if isinstance(layer, OneTimeCode) and plain and not layer.messages:
            message = f"the message of {layer.id!r} does not say whom never to tell the code"
            yield from finding("KV209", "warning", f"checks.{layer.id}.template", message)


def unstated(policy: Policy, _: tuple[View, ...]) -> Iterator[Finding]:
    """KV210: a code whose message does not say what is moved."""
    for check, path, _said, names in _own(policy):
        if "stake" not in names:
            yield from finding("KV210", "warning", path, f"the message of {check.id!r} does not say amount and payee")


def long_messages(policy: Policy, _: tuple[View, ...]) -> Iterator[Finding]:
    """KV211: a text message of one's own in too many parts."""
    for check, path, said, _names in _own(policy):
        values = {"purpose": _PURPOSE, "stake": "", "code": "0" * check.digits}
        warning = prompts.text("message.code.never", prompts.language(path.rpartition(".")[2], policy.language))
        parts = prompts.segments(prompts.fill(said, warning=warning, **values))
        if check.channel is Channel.SMS and parts > _PARTS:
            message = f"the message of {check.id!r} takes {parts} text messages and more"
            yield from finding("KV211", "note", path, message)


RULES: Final[tuple[Callable[[Policy, tuple[View, ...]], Iterator[Finding]], ...]] = (
    unwarned,
    unstated,
    long_messages,
)
"""All of them."""
