"""One run: a state that is a value, and one table of what may follow what.

Theory of operation. A run begins with the state that opening it makes. From there `fire` is the only way from one
state to the next: it looks the present verdict and what happened up in `TABLE`, refuses what is not there, and refuses
to leave for a verdict that the row does not name. `advance` decides, from the evidence, where a run stands and what is
asked next. Nothing here does I/O, reads a clock or draws randomness; the state that went wrong is the state before.

Rules for editors. A check's outcome is written once a run (`with_outcome`), a code's once more for another action,
and then only downwards. UNAVAILABLE is written of signals alone, never of what was offered. VERIFIED is reached in
`advance` alone. A question that the present leg cannot take is put aside and comes back with the tries it had. A turn
that was answered is in `turns` for ever, so that the same answer sent again finds its own reply.

`docs/session.md` is drawn from the table.
"""

from __future__ import annotations

from kyc_verify.session.moves import MAX_TURNS, advance, fire, with_outcome
from kyc_verify.session.parts import Code, Question, Turn
from kyc_verify.session.state import State
from kyc_verify.session.table import ENDED, TABLE, Happening

__all__ = [
    "ENDED",
    "MAX_TURNS",
    "TABLE",
    "Code",
    "Happening",
    "Question",
    "State",
    "Turn",
    "advance",
    "fire",
    "with_outcome",
]
