"""Print what evidence from the phone network and codes is worth, against whom and why, as docs/signals.md quotes it.

Run it with ``python scripts/signal_worth.py``; a test compares the page with it, so no number there is typed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

ROWS = (
    "caller_number", "sim_swap", "one_time_code.sms.warning", "one_time_code.sms.plain", "one_time_code.voice",
    "one_time_code.email", "authenticator", "app_confirmation", "callback",
)  # fmt: skip


def section(name: str, row: dict[str, Any], model: ThreatModel) -> Iterator[str]:
    """Yield one row's part of the page."""
    weights = model.rows[name].weights
    told = (
        [Outcome.PASS, Outcome.NEAR, Outcome.FAIL] if "near" in row["cells"][GENUINE] else [Outcome.PASS, Outcome.FAIL]
    )
    yield f"## `{name}`"
    yield ""
    if "note" in row:
        yield f"{row['note']}."
        yield ""
    yield f"| who | passes with | {' / '.join(each.value for each in told)}, bits | figure | why |"
    yield "|---|---|---|---|---|"
    for column, cell in row["cells"].items():
        shares = " / ".join(cell[each] for each in ("pass", "near") if each in cell)
        bits = "" if column == GENUINE else " / ".join(f"{weights[column][each] / 100:.1f}" for each in told)
        tag = " ".join(filter(None, (cell["tag"], cell.get("source"))))
        yield f"| {column} | {shares} | {bits} | {tag} | {cell.get('note', '')} |"
    yield ""


def report() -> str:
    """Return the tables, and the sources that they name."""
    table = json.loads((files("kyc_verify") / "data" / "threats.json").read_text(encoding="utf-8"))
    model = ThreatModel.default()
    lines = [line for name in ROWS for line in section(name, table["rows"][name], model)]
    text = "\n".join(lines)
    named = [name for name in table["sources"] if f" {name} |" in text or f"({name})" in text]
    return "\n".join([text, "## Sources", "", *[f"* {name}: {table['sources'][name]}" for name in named]])


if __name__ == "__main__":
    print(report())
