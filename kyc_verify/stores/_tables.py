"""The statements of a transaction, one method each: what the verbs of every SQL store are written in.

`_running` and `_keeping` say what a verb does, once; `_lite` says it to SQLite's own driver, `_core` to SQLAlchemy.
Times are whole microseconds, texts are what `_rows` writes. ``lock_...`` holds until the transaction ends; where a
writer has the whole database to itself they do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["KEYED", "OF_SUBJECT", "Row", "Tables"]

Row: TypeAlias = Sequence[Any]

KEYED: Final = ("charges", "runs", "pins", "stakes")
"""Tables that hang on keyed names; the only ones that `Tables.clear` is for."""
OF_SUBJECT: Final = ("credentials", "numbers", "sessions", "grants", "subjects")
"""Tables that an erasure empties of a subject."""


class Tables(Protocol):
    """The tables of `_schema`, inside one transaction. A bool says whether a row was written: its count was checked."""

    # ── Locks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def lock_keys(self, tenant: str, keys: Iterable[str]) -> None:
        """Hold these keyed names: what is counted under them does not change until the transaction ends."""
        ...

    def lock_subject(self, tenant: str, subject: str, *, alone: bool) -> None:
        """Hold a subject's row, if there is one: alone, or together with others who only read it."""
        ...

    # ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def case(self, tenant: str, session: str, *, lock: bool) -> Row | None:
        """Return a session with its subject and its day.

        Columns: subject, version, turn, state, charges, claimed_at, expires_at; standing, flags, key of the subject;
        key of the day.
        """
        ...

    def session_of(self, tenant: str, request: str) -> Row | None:
        """Return id and run of the session that a request made."""
        ...

    def sessions_of(self, tenant: str, subject: str) -> Sequence[str]:
        """Return the ids of a subject's sessions."""
        ...

    def add_session(
        self, tenant: str, session: str, subject: str, *, day: str | None, request: str | None, run: int, end: int
    ) -> None:
        """Add a session, at version 0 and turn 0."""
        ...

    def claim(self, tenant: str, session: str, *, version: int, turn: int, now: int) -> bool:
        """Claim a turn, if version and turn are still these."""
        ...

    def move(
        self, tenant: str, session: str, *, version: int, turn: int, state: str, charges: str, end: int
    ) -> bool:  # fmt: skip
        """Write a session, if its version is still this, and free its turn."""
        ...

    # ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def subject_key(self, tenant: str, subject: str | None) -> bytes | None:
        """Return the key in a subject's own row."""
        ...

    def add_subject(self, tenant: str, subject: str, key: bytes) -> bool:
        """Add a subject's row, unless there is one."""
        ...

    def set_standing(self, tenant: str, subject: str, standing: str) -> None:
        """Write an operator's hold."""
        ...

    def set_flags(self, tenant: str, subject: str, flags: str) -> None:
        """Write the exposed fields."""
        ...

    def drop_subject(self, tenant: str, subject: str) -> None:
        """Delete every row of a subject, in every table of `OF_SUBJECT`."""
        ...

    def day_key(self, tenant: str, day: str) -> bytes | None:
        """Return the key of a day."""
        ...

    def add_day(self, tenant: str, day: str, key: bytes) -> None:
        """Add the key of a day, unless there is one."""
        ...

    def credentials(self, tenant: str, subject: str) -> Sequence[Row]:
        """Return check and body of each."""
        ...

    def put_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """Write a credential, whatever was there."""
        ...

    def replace_credential(self, tenant: str, subject: str, check: str, *, enrolled_at: int, body: str) -> None:
        """Write a credential's body, if it is still that enrollment."""
        ...

    def numbers(self, tenant: str, subject: str) -> Sequence[Row]:
        """Return fingerprint and first time of each number, oldest first."""
        ...

    def add_number(self, tenant: str, subject: str, fingerprint: str, first_seen: int) -> None:
        """Note a number, unless it is known."""
        ...

    # ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_charges(self, tenant: str, key: str, since: int) -> int:
        """Return how many charges came after a moment."""
        ...

    def charge(
        self, tenant: str, key: str, *, at: int, until: int | None, session: str, claim: int | None, since: int,
        limit: int,
    ) -> bool:  # fmt: skip
        """Add a charge, if fewer than the limit came after a moment."""
        ...

    def refund(self, tenant: str, key: str, *, session: str, claim: int) -> None:
        """Delete what a claim charged."""
        ...

    def count_runs(self, tenant: str, key: str, since: int) -> int:
        """Return how many runs came after a moment."""
        ...

    def add_run(self, tenant: str, key: str, *, at: int, until: int, session: str) -> None:
        """Add a run."""
        ...

    def drop_runs(self, tenant: str, key: str, session: str) -> None:
        """Delete the runs that a session was counted as."""
        ...

    def pin(self, tenant: str, key: str, now: int) -> str | None:
        """Return the pinned question."""
        ...

    def set_pin(self, tenant: str, key: str, check: str, until: int) -> None:
        """Pin a question, whatever was pinned."""
        ...

    def stake(self, tenant: str, key: str) -> Row | None:
        """Return sum, as text, and count."""
        ...

    def set_stake(self, tenant: str, key: str, micros: str, count: int) -> None:
        """Write a sum."""
        ...

    def clear(self, table: str, tenant: str, key: str) -> None:
        """Delete every row of a keyed name from a table of `KEYED`."""
        ...

    # ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, tenant: str, digest: bytes) -> Row | None:
        """Return a grant, held, with its subject and its day.

        Columns: session, binding, expires_at, redeemed_at, request, void; standing and key of the subject; key of the
        day.
        """
        ...

    def add_grant(
        self, tenant: str, digest: bytes, *, session: str, subject: str, binding: str, end: int
    ) -> None:  # fmt: skip
        """Add a grant."""
        ...

    def redeem(self, tenant: str, digest: bytes, *, now: int, request: str | None) -> bool:
        """Use a grant up, if it is open."""
        ...

    def void_grant(self, tenant: str, digest: bytes) -> None:
        """Void one."""
        ...

    def void_grants(self, tenant: str, *, session: str | None = None, subject: str | None = None) -> None:
        """Void the open ones of a session, or of a subject."""
        ...

    def has_open_grant(self, tenant: str, session: str) -> bool:
        """Whether a session has a grant that can be used."""
        ...

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def head(self, tenant: str) -> Row | None:
        """Return number and tag of the newest record, held."""
        ...

    def add_record(self, tenant: str, seq: int, body: str, mac: bytes, *, first: bool) -> None:
        """Append a record and move the head; `first`: there is no head yet."""
        ...

    def records(self, tenant: str, after: int, limit: int) -> Sequence[Row]:
        """Return bodies, in order."""
        ...

    def purge(self, before: int, today: str, limit: int) -> int:
        """Drop what ended, see `Store.purge`; returns how many rows went."""
        ...

    # ── What belongs to no tenant ────────────────────────────────────────────────────────────────────────────────────

    def mark(self, name: str) -> int | None:
        """Return a number kept beside the version of the schema."""
        ...

    def set_mark(self, name: str, value: int, *, over: bool) -> None:
        """Keep a number: over what there was, or only where there was none."""
        ...

    # ── Part of a transaction ────────────────────────────────────────────────────────────────────────────────────────

    def keep_point(self) -> None:
        """Mark where `go_back` goes back to."""
        ...

    def go_back(self) -> None:
        """Undo what was written since `keep_point`."""
        ...
