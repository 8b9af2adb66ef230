"""The verbs of a run on an embedded database: open, begin, commit, load, redeem."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from kyc_verify.audit import AuditRecord, Head, Seal
from kyc_verify.decision import Binding
from kyc_verify.errors import ConflictError, UnknownSession
from kyc_verify.ports import (
    LEASE,
    Begun,
    Change,
    Charge,
    Committed,
    KnownNumber,
    Loaded,
    NewSession,
    Opened,
    Redeemed,
    RedeemSeal,
    Redemption,
    Run,
    StakeCharge,
    Standing,
    StoredGrant,
    StoredSession,
    StoredSubject,
)
from kyc_verify.stores import _schema as rows

__all__ = ["Running"]

_MICRO: Final = 10**6
_SESSION: Final = (
    "SELECT subject, day, version, turn, state, charges, claimed_at, expires_at FROM sessions "
    "WHERE tenant = ? AND id = ?"
)


class Running(ABC):
    """Each verb is one transaction; a writing one takes the database's only write lock before it reads."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that may write: committed durably at its end, or not at all."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run a block in a transaction that only reads."""

    # ── open ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        """Make a session, take a run number, and report; a request seen before returns its session instead."""
        with self._writing() as db:
            found = None
            if request is not None:
                sql = "SELECT id, run FROM sessions WHERE tenant = ? AND request = ?"
                found = db.execute(sql, (new.tenant, request)).fetchone()
            if found is not None:
                session, run = found
                stored, day = _session(db, new.tenant, session)
                return Opened(
                    session=stored,
                    subject=_subject(db, new.tenant, stored.subject, day),
                    replayed=True,
                    run=run,
                    spent=_spent(db, new.tenant, new.watch, now),
                    pin=_pin(db, new, now),
                )
            day = _make_subject(db, new.tenant, new.subject, known=new.known, key=new.fresh_key, now=now)
            run = _take_run(db, new.tenant, new.run, new.id, now)
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, 0, 0, '', '[]', NULL, ?)",
                (new.tenant, new.id, new.subject, request, run, day, rows.us(new.expires_at)),
            )
            stored = StoredSession(
                tenant=new.tenant,
                id=new.id,
                subject=new.subject,
                version=0,
                turn=0,
                state="",
                expires_at=new.expires_at,
            )
            return Opened(
                session=stored,
                subject=_subject(db, new.tenant, new.subject, day),
                replayed=False,
                run=run,
                spent=_spent(db, new.tenant, new.watch, now),
                pin=_pin(db, new, now),
            )

    # ── begin ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        """Claim the turn and take its charges, durably; or report why not."""
        with self._writing() as db:
            stored, day = _session(db, tenant, session)
            claimed = granted = spent = False
            if stored.turn == turn:
                spent = stored.claimed_at is not None and now - stored.claimed_at >= LEASE
                claimed = spent or stored.claimed_at is None
                if claimed:
                    granted = not spent and _charge_all(db, stored, now)
                    stored = _claim(db, stored, now)
            subject = _subject(db, tenant, stored.subject, day)
            return Begun(session=stored, subject=subject, claimed=claimed, granted=granted, spent=spent)

    # ── commit ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def commit(self, change: Change, seal: Seal, now: datetime) -> Committed:
        """Write a change and its record, if nothing has moved on."""
        with self._writing() as db:
            if change.subject_key is not None:
                sql = "SELECT key FROM subjects WHERE tenant = ? AND subject = ?"
                found = db.execute(sql, (change.tenant, change.subject)).fetchone()
                if found is None or found[0] != change.subject_key:
                    raise _conflict()
            granted = tuple(
                [_charge(db, change.tenant, each, change.session, change.turn, now) for each in change.spend]
            )
            if change.only_if_granted and not all(granted):
                db.rollback()
                db.execute("BEGIN")
                return Committed(granted=granted)
            if change.refund:
                db.execute(
                    "DELETE FROM charges WHERE tenant = ? AND session = ? AND turn = "
                    "(SELECT turn FROM sessions WHERE tenant = ? AND id = ?)",
                    (change.tenant, change.session, change.tenant, change.session),
                )
            done = db.execute(
                "UPDATE sessions SET version = version + 1, turn = ?, state = ?, charges = ?, claimed_at = NULL, "
                "expires_at = ? WHERE tenant = ? AND id = ? AND version = ?",
                (
                    change.turn, change.state, rows.charges_text(change.charges), rows.us(change.expires_at),
                    change.tenant, change.session, change.version,
                ),
            )  # fmt: skip
            if done.rowcount != 1:
                raise _conflict()
            _write_rest(db, change, now)
            append(db, change.tenant, seal)
            return Committed(granted=granted)

    # ── load ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        """Read a session and its subject; with `run`, take a further run number."""
        with self._writing() if run is not None else self._reading() as db:
            stored, day = _session(db, tenant, session)
            taken = None if run is None else _take_run(db, tenant, run, session, now)
            sql = "SELECT 1 FROM grants WHERE tenant = ? AND session = ? AND redeemed_at IS NULL AND void = 0"
            return Loaded(
                session=stored,
                subject=_subject(db, tenant, stored.subject, day),
                run=taken,
                grant_open=db.execute(sql, (tenant, session)).fetchone() is not None,
            )

    # ── redeem ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def redeem(self, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
        """Use a grant up, if it is there, open and bound as presented; record either way."""
        with self._writing() as db:
            found = _redeem(db, redemption, now)
            if not found.replayed:
                append(db, redemption.tenant, lambda head: seal(head, found))
            return found


def _conflict() -> ConflictError:
    return ConflictError("somebody else changed this first; nothing of this call was written. Look at the status")


def append(db: sqlite3.Connection, tenant: str, seal: Seal) -> AuditRecord:
    """Put a record at the end of a tenant's chain; the head is locked with everything else."""
    found = db.execute("SELECT seq, mac FROM heads WHERE tenant = ?", (tenant,)).fetchone()
    head = Head() if found is None else Head(seq=found[0], mac=found[1])
    record = seal(head)
    db.execute("INSERT INTO records VALUES (?, ?, ?)", (tenant, record.seq, rows.record_text(record)))
    db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (tenant, record.seq, record.mac))
    return record


def _session(db: sqlite3.Connection, tenant: str, session: str) -> tuple[StoredSession, str | None]:
    found = db.execute(_SESSION, (tenant, session)).fetchone()
    if found is None:
        msg = "there is no such session here; open a new verification"
        raise UnknownSession(msg)
    subject, day, version, turn, state, charges, claimed_at, expires_at = found
    stored = StoredSession(
        tenant=tenant,
        id=session,
        subject=subject,
        version=version,
        turn=turn,
        state=state,
        charges=rows.read_charges(charges),
        claimed_at=None if claimed_at is None else rows.at(claimed_at),
        expires_at=rows.at(expires_at),
    )
    return stored, day


def _make_subject(
    db: sqlite3.Connection, tenant: str, subject: str, *, known: bool, key: bytes, now: datetime
) -> str | None:
    """Make the subject's row, or the day's key for one that the CRM does not know; returns the day."""
    if known:
        db.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?, ?, 'open', '[]')", (tenant, subject, key))
        return None
    if db.execute("SELECT 1 FROM subjects WHERE tenant = ? AND subject = ?", (tenant, subject)).fetchone():
        return None
    day = now.date().isoformat()
    db.execute("INSERT OR IGNORE INTO days VALUES (?, ?, ?)", (tenant, day, key))
    return day


def _subject(db: sqlite3.Connection, tenant: str, subject: str, day: str | None) -> StoredSubject:
    where = (tenant, subject)
    found = db.execute("SELECT key, standing, flags FROM subjects WHERE tenant = ? AND subject = ?", where).fetchone()
    if found is None:
        kept = db.execute("SELECT key FROM days WHERE tenant = ? AND day = ?", (tenant, day)).fetchone()
        return StoredSubject(key=bytes(32) if kept is None else kept[0], known=False)
    credentials = db.execute("SELECT check_id, body FROM credentials WHERE tenant = ? AND subject = ?", where)
    numbers = db.execute(
        "SELECT fingerprint, first_seen FROM numbers WHERE tenant = ? AND subject = ? ORDER BY first_seen", where
    )
    return StoredSubject(
        key=found[0],
        known=True,
        standing=Standing(found[1]),
        flags=tuple(json.loads(found[2])),
        credentials={check: rows.credential(body) for check, body in credentials},
        numbers=tuple([KnownNumber(fingerprint=fp, first_seen=rows.at(seen)) for fp, seen in numbers]),
    )


def _count(db: sqlite3.Connection, tenant: str, key: str, window: timedelta | None, now: datetime) -> int:
    since = -(2**62) if window is None else rows.us(now - window)
    sql = "SELECT count(*) FROM charges WHERE tenant = ? AND key = ? AND at > ?"
    return int(db.execute(sql, (tenant, key, since)).fetchone()[0])


def _spent(db: sqlite3.Connection, tenant: str, watch: tuple[Charge, ...], now: datetime) -> dict[str, int]:
    return {each.key: _count(db, tenant, each.key, each.window, now) for each in watch}


def _charge(db: sqlite3.Connection, tenant: str, charge: Charge, session: str, turn: int, now: datetime) -> bool:
    if _count(db, tenant, charge.key, charge.window, now) >= charge.limit:
        return False
    until = None if charge.window is None else rows.us(now + charge.window)
    db.execute(
        "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?)", (tenant, charge.key, rows.us(now), until, session, turn)
    )
    return True


def _charge_all(db: sqlite3.Connection, stored: StoredSession, now: datetime) -> bool:
    left = all(_count(db, stored.tenant, c.key, c.window, now) < c.limit for c in stored.charges)
    if left:
        for charge in stored.charges:
            _charge(db, stored.tenant, charge, stored.id, stored.turn, now)
    return left


def _claim(db: sqlite3.Connection, stored: StoredSession, now: datetime) -> StoredSession:
    done = db.execute(
        "UPDATE sessions SET claimed_at = ?, version = version + 1 WHERE tenant = ? AND id = ? AND version = ?",
        (rows.us(now), stored.tenant, stored.id, stored.version),
    )
    if done.rowcount != 1:
        raise _conflict()
    return StoredSession(
        tenant=stored.tenant,
        id=stored.id,
        subject=stored.subject,
        version=stored.version + 1,
        turn=stored.turn,
        state=stored.state,
        charges=stored.charges,
        claimed_at=now,
        expires_at=stored.expires_at,
    )


def _take_run(db: sqlite3.Connection, tenant: str, run: Run, session: str, now: datetime) -> int:
    sql = "SELECT count(*) FROM runs WHERE tenant = ? AND key = ? AND at > ?"
    before = int(db.execute(sql, (tenant, run.key, rows.us(now - run.window))).fetchone()[0])
    row = (tenant, run.key, rows.us(now), rows.us(now + run.window), session)
    db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", row)
    return before + 1


def _pin(db: sqlite3.Connection, new: NewSession, now: datetime) -> str | None:
    sql = "SELECT check_id FROM pins WHERE tenant = ? AND key = ? AND until > ?"
    found = db.execute(sql, (new.tenant, new.pin_key, rows.us(now))).fetchone()
    return None if found is None else str(found[0])


def _write_rest(db: sqlite3.Connection, change: Change, now: datetime) -> None:
    tenant = change.tenant
    for key in change.clear:
        db.execute("DELETE FROM charges WHERE tenant = ? AND key = ?", (tenant, key))
        db.execute("DELETE FROM stakes WHERE tenant = ? AND key = ?", (tenant, key))
    if change.give_back_run is not None:
        sql = "DELETE FROM runs WHERE tenant = ? AND key = ? AND session = ?"
        db.execute(sql, (tenant, change.give_back_run, change.session))
    if change.subject_key is not None:
        for number in change.numbers:
            sql = "INSERT OR IGNORE INTO numbers VALUES (?, ?, ?, ?)"
            db.execute(sql, (tenant, change.subject, number.fingerprint, rows.us(number.first_seen)))
    if change.rehash is not None:
        db.execute(
            "UPDATE credentials SET body = ? WHERE tenant = ? AND subject = ? AND check_id = ? AND enrolled_at = ?",
            (
                rows.credential_text(change.rehash), tenant, change.subject, change.rehash.check,
                rows.us(change.rehash.enrolled_at),
            ),
        )  # fmt: skip
    if change.pin is not None and change.pin.check is None:
        db.execute("DELETE FROM pins WHERE tenant = ? AND key = ?", (tenant, change.pin.key))
    elif change.pin is not None:
        row = (tenant, change.pin.key, change.pin.check, rows.us(change.pin.until))
        db.execute("INSERT OR REPLACE INTO pins VALUES (?, ?, ?, ?)", row)
    if change.void_grants or change.grant is not None:
        sql = "UPDATE grants SET void = 1 WHERE tenant = ? AND session = ? AND redeemed_at IS NULL"
        db.execute(sql, (tenant, change.session))
    if change.grant is not None:
        _grant(db, tenant, change.subject, change.grant)
    del now


def _grant(db: sqlite3.Connection, tenant: str, subject: str, grant: StoredGrant) -> None:
    binding = json.dumps(grant.binding.as_dict(), separators=(",", ":"))
    row = (tenant, grant.digest, grant.session, subject, binding, rows.us(grant.expires_at))
    db.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0)", row)


def _redeem(db: sqlite3.Connection, redemption: Redemption, now: datetime) -> Redeemed:
    tenant = redemption.tenant
    found = db.execute(
        "SELECT session, subject, binding, expires_at, redeemed_at, request, void FROM grants "
        "WHERE tenant = ? AND digest = ?",
        (tenant, redemption.digest),
    ).fetchone()
    if found is None:
        return Redeemed(reason="unknown")
    session, subject, text, expires_at, redeemed_at, request, void = found
    day = db.execute("SELECT day FROM sessions WHERE tenant = ? AND id = ?", (tenant, session)).fetchone()
    kept = _subject(db, tenant, subject, None if day is None else day[0])
    binding = Binding.from_dict(json.loads(text))
    refusal = binding.refusal(redemption.binding)
    reason: str | None
    if redeemed_at is not None:
        again = redemption.request is not None and request == redemption.request and refusal is None
        if again:
            return Redeemed(reason=None, replayed=True, key=kept.key, session=session)
        reason = "used"
    elif void:
        reason = "void"
    elif now >= rows.at(expires_at):
        reason = "expired"
    elif kept.standing is not Standing.OPEN:
        reason = "locked"
    else:
        reason = refusal or redemption.hold
    if reason is None and redemption.charge is not None and not _stake(db, tenant, redemption.charge):
        reason = "ceiling"
    if reason is None:
        done = db.execute(
            "UPDATE grants SET redeemed_at = ?, request = ? WHERE tenant = ? AND digest = ? AND redeemed_at IS NULL",
            (rows.us(now), redemption.request, tenant, redemption.digest),
        )
        if done.rowcount != 1:
            raise _conflict()
    return Redeemed(reason=reason, key=kept.key, session=session)


def _stake(db: sqlite3.Connection, tenant: str, charge: StakeCharge) -> bool:
    """Add a sum, if it and their number stay within the ceiling."""
    sql = "SELECT amount, count FROM stakes WHERE tenant = ? AND key = ?"
    amount, count = db.execute(sql, (tenant, charge.key)).fetchone() or (0, 0)
    total = amount + int(charge.amount * _MICRO)
    if charge.ceiling is not None and Decimal(total) / _MICRO > charge.ceiling:
        return False
    if charge.count is not None and count >= charge.count:
        return False
    db.execute("INSERT OR REPLACE INTO stakes VALUES (?, ?, ?, ?)", (tenant, charge.key, total, count + 1))
    return True
