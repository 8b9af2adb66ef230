"""Print what may follow what in a run, drawn from the table of the code, as docs/session.md quotes it.

Run it with ``python scripts/session_table.py``; a test compares the page with it, so the page cannot be wrong.
"""

from __future__ import annotations

from kyc_verify.decision import Verdict
from kyc_verify.session import ENDED, TABLE, Happening

_ORDER = list(Verdict)


def _names(verdicts: frozenset[Verdict]) -> str:
    return ", ".join(f"`{verdict.value}`" for verdict in sorted(verdicts, key=_ORDER.index))


def steps() -> str:
    """Return the table of steps: a row for a verdict, a column for what happens, where it leads in the cell."""
    happenings = [each for each in Happening if any(happening is each for _, happening in TABLE)]
    lines = [f"| from | {' | '.join(each.value.replace('_', ' ') for each in happenings)} |"]
    lines.append("|---" * (len(happenings) + 1) + "|")
    for verdict in Verdict:
        cells = [_names(TABLE.get((verdict, each), frozenset())) or "-" for each in happenings]
        lines.append(f"| `{verdict.value}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def ends() -> str:
    """Return which verdicts no answer changes, and which of them nothing changes."""
    final = ENDED - {verdict for verdict, _ in TABLE}
    return f"No answer changes {_names(ENDED)}; nothing at all changes {_names(final)}."


def report() -> str:
    """Return everything, one block after the other."""
    return f"{steps()}\n\n{ends()}"


if __name__ == "__main__":
    print(report())
