"""What the verbs of the SQL stores read: a session with its subject, budgets, the head of the chain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from kyc_verify.audit import Head, Seal
from kyc_verify.errors import StoreError
from kyc_verify.ports import Charge, KnownNumber, Standing, StoredSession, StoredSubject
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import unknown_session
from kyc_verify.stores._tables import Tables

__all__ = ["append", "case", "since", "spent"]

_EVER: Final = -(2**63)


def case(db: Tables, tenant: str, session: str, *, lock: bool) -> tuple[StoredSession, StoredSubject]:
    """Read a session and what is kept of its subject.

    A subject without a row costs the same statements as one with everything.
    """
    found = db.case(tenant, session, lock=lock)
    if found is None:
        raise unknown_session()
    subject, version, turn, state, charges, claimed_at, expires_at, standing, flags, own_key, day_key = found
    stored = StoredSession(
        tenant=tenant,
        id=session,
        subject=subject,
        version=version,
        turn=turn,
        state=state,
        charges=rows.charges(charges),
        claimed_at=None if claimed_at is None else rows.at(claimed_at),
        expires_at=rows.at(expires_at),
    )
    credentials, numbers = db.credentials(tenant, subject), db.numbers(tenant, subject)
    if own_key is None:
        if day_key is None:
            msg = "the key that this session was recorded under is gone; open a new verification"
            raise StoreError(msg)
        return stored, StoredSubject(key=day_key, known=False)
    return stored, StoredSubject(
        key=own_key,
        known=True,
        standing=Standing(standing),
        flags=rows.flags(flags),
        credentials={check: rows.credential(body) for check, body in credentials},
        numbers=tuple([KnownNumber(fingerprint=each, first_seen=rows.at(seen)) for each, seen in numbers]),
    )


def since(window: timedelta | None, now: datetime) -> int:
    """Return the moment after which one counts: one exactly a window old counts no longer."""
    return _EVER if window is None else rows.us(now - window)


def spent(db: Tables, tenant: str, watch: Iterable[Charge], now: datetime) -> dict[str, int]:
    """Return how much of each budget is used."""
    return {each.key: db.count_charges(tenant, each.key, since(each.window, now)) for each in watch}


def append(db: Tables, tenant: str, seal: Seal) -> None:
    """Put a record at the end of a tenant's chain, its head held; last of all that a verb does."""
    found = db.head(tenant)
    record = seal(Head() if found is None else Head(seq=found[0], mac=found[1]))
    db.add_record(tenant, record.seq, rows.record_text(record), record.mac, first=found is None)
