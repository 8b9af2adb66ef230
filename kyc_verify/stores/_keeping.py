"""What happens between runs, inside one transaction of a SQL store: redeem, enroll, holds, erasure, purge."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kyc_verify.audit import AuditRecord
from kyc_verify.credentials import Credential
from kyc_verify.ports import Redeemed, RedeemSeal, Redemption, StakeCharge, Standing, SubjectSeal
from kyc_verify.stores import _reading as reading
from kyc_verify.stores import _rows as rows
from kyc_verify.stores._rules import KeptGrant, conflict, day, grant_refusal, micros, stake_fits
from kyc_verify.stores._running import clear
from kyc_verify.stores._tables import KEYED, Tables

__all__ = ["enroll", "erase", "note", "purge", "records", "redeem", "set_standing"]

_KEY_BYTES: Final = 32


# ── redeem ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def redeem(db: Tables, redemption: Redemption, seal: RedeemSeal, now: datetime) -> Redeemed:
    """See `Verbs.redeem`."""
    found = _redeem(db, redemption, now)
    if not found.replayed:
        reading.append(db, redemption.tenant, lambda head: seal(head, found))
    return found


def _redeem(db: Tables, redemption: Redemption, now: datetime) -> Redeemed:
    where = (redemption.tenant, redemption.digest)
    db.lock_subject(redemption.tenant, redemption.binding.subject, alone=False)
    row = db.grant(*where)
    kept, session, key, standing = None, None, None, Standing.OPEN
    # Of a grant whose session was purged nothing is left to be held against: it is as one that never was.
    if row is not None and (row[7] or row[8]) is not None:
        session, binding, expires_at, redeemed_at, request, void, held, own_key, day_key = row
        key, standing = own_key or day_key, Standing(held or Standing.OPEN)
        kept = KeptGrant(
            binding=rows.binding(binding),
            expires_at=rows.at(expires_at),
            redeemed=redeemed_at is not None,
            request=request,
            void=bool(void),
        )
    reason, replayed = grant_refusal(kept, redemption, standing=standing, now=now)
    if reason is None and not replayed:
        if redemption.charge is not None and not _stake(db, redemption.tenant, redemption.charge):
            reason = "ceiling"
        elif not db.redeem(*where, now=rows.us(now), request=redemption.request):
            raise conflict()
    elif reason == "expired":
        # Time may go back; what was refused as too old stays refused.
        db.void_grant(*where)
    return Redeemed(reason=reason, replayed=replayed, key=key, session=session)


def _stake(db: Tables, tenant: str, charge: StakeCharge) -> bool:
    """Add a sum, if it and the number of sums stay within the ceiling."""
    db.lock_keys(tenant, [charge.key])
    total, count = db.stake(tenant, charge.key) or ("0", 0)
    if not stake_fits(charge, total=int(total), count=count):
        return False
    # As text: a sum may have more digits than the database's integers.
    db.set_stake(tenant, charge.key, str(int(total) + micros(charge)), count + 1)
    return True


# ── Subjects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def enroll(
    db: Tables, tenant: str, subject: str, credentials: Sequence[Credential], *, keys: tuple[str, ...],
    fresh_key: bytes, seal: SubjectSeal,
) -> None:  # fmt: skip
    """See `Verbs.enroll`."""
    key = _own_key(db, tenant, subject, fresh_key)
    for each in credentials:
        at = rows.us(each.enrolled_at)
        db.put_credential(tenant, subject, each.check, enrolled_at=at, body=rows.credential_text(each))
    db.void_grants(tenant, subject=subject)
    clear(db, tenant, keys, KEYED)
    reading.append(db, tenant, lambda head: seal(head, key))


def set_standing(
    db: Tables, tenant: str, subject: str, *, standing: Standing | None, flags: tuple[str, ...] | None,
    keys: tuple[str, ...], fresh_key: bytes, seal: SubjectSeal,
) -> None:  # fmt: skip
    """See `Verbs.set_standing`."""
    key = _own_key(db, tenant, subject, fresh_key)
    if standing is not None:
        db.set_standing(tenant, subject, standing.value)
    if flags is not None:
        db.set_flags(tenant, subject, rows.flags_text(flags))
    if standing is Standing.LOCKED or flags is not None:
        db.void_grants(tenant, subject=subject)
    clear(db, tenant, keys, KEYED)
    reading.append(db, tenant, lambda head: seal(head, key))


def note(db: Tables, tenant: str, subject: str | None, *, fresh_key: bytes, seal: SubjectSeal, now: datetime) -> None:
    """See `Verbs.note`."""
    key = db.subject_key(tenant, subject)
    if key is None:
        db.add_day(tenant, day(now), fresh_key)
        key = db.day_key(tenant, day(now)) or fresh_key
    found = key
    reading.append(db, tenant, lambda head: seal(head, found))


def erase(db: Tables, tenant: str, subject: str, seal: SubjectSeal) -> bool:
    """See `Verbs.erase`."""
    db.lock_subject(tenant, subject, alone=True)
    key = db.subject_key(tenant, subject)
    db.drop_subject(tenant, subject)
    # A pseudonym under a key that anybody could guess would be none.
    used = key or secrets.token_bytes(_KEY_BYTES)
    reading.append(db, tenant, lambda head: seal(head, used))
    return key is not None


def _own_key(db: Tables, tenant: str, subject: str, fresh: bytes) -> bytes:
    made = db.add_subject(tenant, subject, fresh)
    db.lock_subject(tenant, subject, alone=True)
    return fresh if made else db.subject_key(tenant, subject) or fresh


# ── The log, and what has ended ──────────────────────────────────────────────────────────────────────────────────────


def records(db: Tables, tenant: str, after: int, limit: int) -> list[AuditRecord]:
    """See `Verbs.records`."""
    return [rows.record(body) for (body,) in db.records(tenant, after, limit)]


def purge(db: Tables, before: datetime, limit: int) -> int:
    """See `Verbs.purge`."""
    return db.purge(rows.us(before), day(before), limit)
