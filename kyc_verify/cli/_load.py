"""What a command line names: a policy in a module, a table in a file."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from kyc_verify.policy import Policy
from kyc_verify.threats import ThreatModel

__all__ = ["Loaded", "Misuse", "add_policy", "load_policy", "load_threats", "read_text"]

_LARGEST = 16_000_000


class Misuse(Exception):  # noqa: N818 - the name of the domain
    """The command was used wrongly; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A policy and the file that made it, if there is one."""

    policy: Policy
    file: str | None


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes."""
    parser.add_argument("policy", metavar="module:policy", help="where the policy is: a module and its name there")
    parser.add_argument(
        "--threats", metavar="FILE", help="a threat model as JSON: how callers answer, if not as the policy says"
    )


def load_policy(where: str) -> Loaded:
    """Import a module and return the policy of that name.

    Raises:
        Misuse: there is none; the message says why.
    """
    name, _, attribute = where.partition(":")
    if not name or not attribute:
        msg = f"{where!r} names no policy; write module:policy, as in bank.policies:retail"
        raise Misuse(msg)
    if sys.path[0] != "":
        sys.path.insert(0, "")  # as python -m does: a command finds the modules of the directory it is run in
    try:
        found: object = import_module(name)
        module = found
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as fault:
        msg = f"{where!r} cannot be read: {fault}"
        raise Misuse(msg) from None
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - somebody else's module may raise anything
        msg = f"the module {name!r} cannot be imported: {type(fault).__name__}: {fault}"
        raise Misuse(msg) from None
    if not isinstance(found, Policy):
        msg = f"{where!r} is a {type(found).__name__}, not a Policy"
        raise Misuse(msg)
    return Loaded(policy=found, file=getattr(module, "__file__", None))


def read_text(path: str) -> str:
    """Return a file's text.

    Raises:
        Misuse: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as fault:
        msg = f"the file {path!r} cannot be read: {fault}"
        raise Misuse(msg) from None
    if len(raw) > _LARGEST:
        msg = f"the file {path!r} is larger than 16 MB"
        raise Misuse(msg)
    return text


def load_threats(path: str | None) -> ThreatModel | None:
    """Return the threat model of a file; None for none."""
    return None if path is None else ThreatModel.from_json(read_text(path))
