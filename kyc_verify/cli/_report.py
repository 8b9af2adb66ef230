"""``kyc-verify report module:policy -o report.html``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kyc_verify.analysis import Capabilities
from kyc_verify.analysis.report import html_report
from kyc_verify.cli._load import Misuse, add_policy, load_policy, load_threats, read_text

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add"]


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("report", help="one page for a risk manager, as HTML", description=__doc__)
    add_policy(parser)
    parser.add_argument("--capabilities", metavar="FILE", help="what attackers can do, as JSON")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to write the page")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    policy = load_policy(options.policy).policy
    able = None if options.capabilities is None else Capabilities.from_json(read_text(options.capabilities))
    text = html_report(policy, load_threats(options.threats), capabilities=able)
    try:
        Path(options.output).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as fault:
        msg = f"the report cannot be written to {options.output!r}: {fault}"
        raise Misuse(msg) from None
    return 0
