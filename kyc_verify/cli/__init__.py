"""The command ``kyc-verify``: look at a policy before it meets a caller.

Exit codes: 0, nothing that must be mended; 1, lint found errors; 2, the command was used wrongly, and one sentence on
standard error says how. The module that is named is imported, as Python does; what files hold is only ever read.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from kyc_verify.cli import _analyse, _demo, _lint, _report, _show, _store
from kyc_verify.cli._load import Misuse
from kyc_verify.errors import KycVerifyError

__all__ = ["main"]

_MISUSE = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misuse(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kyc-verify", description="Look at a verification policy before it meets a caller.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command", parser_class=_Parser)
    for module in (_demo, _show, _lint, _analyse, _report, _store):
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Its arguments; None: those of the process.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter ends no command
    try:
        options = _parser().parse_args(argv)
        return int(options.run(options))
    except (Misuse, KycVerifyError) as fault:
        sentence = " ".join(str(fault).split())
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more is written, at the interpreter's end neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sentence = "the output was closed before its end"
    except KeyboardInterrupt:
        sys.stderr.write("\n" if sys.stderr.isatty() else "")  # the line that shows ^C ends
        sentence = "stopped"
    sys.stderr.write(f"kyc-verify: {sentence}\n")
    return _MISUSE
