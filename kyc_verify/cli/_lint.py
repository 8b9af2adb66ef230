"""``kyc-verify lint``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kyc_verify import __version__, floors
from kyc_verify.analysis.linting import CODES, Finding, lint
from kyc_verify.cli._load import add_policy, load_policy, load_threats

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add", "sarif"]

_FLOORS = {name: getattr(floors, name) for name in ("asvs5", "nist4", "pci", "psd2", "us_cpni")}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("lint", help="say what is wrong with a policy", description=__doc__)
    add_policy(parser)
    parser.add_argument(
        "--floor", action="append", default=[], choices=sorted(_FLOORS), help="a standard that it must hold; repeatable"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0, for code scanning")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Lint and print; 1 when there are errors."""
    loaded = load_policy(options.policy)
    found = lint(loaded.policy, load_threats(options.threats), floors=[_FLOORS[name] for name in options.floor])
    if options.json:
        text = json.dumps({"policy": options.policy, "findings": [each.as_dict() for each in found]}, indent=2)
    elif options.sarif:
        text = json.dumps(sarif(found, loaded.file), indent=2)
    else:
        text = _plain(found)
    sys.stdout.write(f"{text}\n")
    return int(any(each.severity == "error" for each in found))


def _plain(found: Sequence[Finding]) -> str:
    lines: list[str] = []
    for each in found:
        lines.append(f"{each.path}: {each.severity}: {each.code} {CODES[each.code].name}: {each.message}")
        if each.counter_example:
            run_shown = ", ".join(f"{name} {outcome.value}" for name, outcome in each.counter_example.items())
            lines.append(f"    shown by: {run_shown}")
        lines.append(f"    {each.advice}")
    counts = [sum(each.severity == kind for each in found) for kind in ("error", "warning", "note")]
    return "\n".join([*lines, f"{counts[0]} errors, {counts[1]} warnings, {counts[2]} notes"])


def sarif(found: Sequence[Finding], file: str | None) -> dict[str, object]:
    """Return the findings as a SARIF log."""
    rules = [
        {
            "id": code.code,
            "name": code.name,
            "shortDescription": {"text": code.says},
            "help": {"text": code.advice},
        }
        for code in CODES.values()
    ]
    driver = {"name": "kyc-verify", "version": __version__, "rules": rules}
    results = [_result(each, file) for each in found]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(each: Finding, file: str | None) -> dict[str, object]:
    location: dict[str, object] = {"logicalLocations": [{"fullyQualifiedName": each.path}]}
    if file is not None:
        uri = os.path.relpath(file).replace(os.sep, "/")
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}
    return {
        "ruleId": each.code,
        "ruleIndex": list(CODES).index(each.code),
        "level": each.severity,
        "message": {"text": f"{each.message}. {each.advice}"},
        "locations": [location],
        "properties": {"counter_example": each.as_dict()["counter_example"]},
    }
