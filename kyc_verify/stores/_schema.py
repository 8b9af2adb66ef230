"""The tables of the embedded store, and the rows as text.

Every table is keyed by tenant. Times are whole microseconds since 1970, UTC. ``charges``, ``runs``, ``pins`` and
``stakes`` hang on keyed names, not on subjects: they outlive an erasure until their window ends.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kyc_verify.audit import AuditRecord, Event
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.ports import Charge

__all__ = [
    "SCHEMA", "TABLES", "VERSION", "at", "charges_text", "credential", "credential_text", "read_charges", "record",
    "record_text", "us",
]  # fmt: skip

VERSION: Final = 1
"""Version of the schema; a store refuses every other."""

TABLES: Final = (
    "meta", "subjects", "days", "credentials", "numbers", "sessions", "charges", "runs", "pins", "grants", "stakes",
    "records", "heads",
)  # fmt: skip

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE subjects (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, key BLOB NOT NULL, standing TEXT NOT NULL, flags TEXT NOT NULL,
    PRIMARY KEY (tenant, subject)
) WITHOUT ROWID;
CREATE TABLE days (
    tenant TEXT NOT NULL, day TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (tenant, day)
) WITHOUT ROWID;
CREATE TABLE credentials (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, check_id TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, subject, check_id)
) WITHOUT ROWID;
CREATE TABLE numbers (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, fingerprint TEXT NOT NULL, first_seen INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, fingerprint)
) WITHOUT ROWID;
CREATE TABLE sessions (
    tenant TEXT NOT NULL, id TEXT NOT NULL, subject TEXT NOT NULL, request TEXT, run INTEGER NOT NULL,
    day TEXT, version INTEGER NOT NULL, turn INTEGER NOT NULL, state TEXT NOT NULL, charges TEXT NOT NULL,
    claimed_at INTEGER, expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_request ON sessions (tenant, request) WHERE request IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (tenant, subject);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE TABLE charges (
    tenant TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER, session TEXT NOT NULL,
    turn INTEGER NOT NULL
);
CREATE INDEX charges_key ON charges (tenant, key, at);
CREATE INDEX charges_until ON charges (until) WHERE until IS NOT NULL;
CREATE TABLE runs (
    tenant TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL, session TEXT NOT NULL
);
CREATE INDEX runs_key ON runs (tenant, key, at);
CREATE INDEX runs_until ON runs (until);
CREATE TABLE pins (
    tenant TEXT NOT NULL, key TEXT NOT NULL, check_id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE TABLE grants (
    tenant TEXT NOT NULL, digest BLOB NOT NULL, session TEXT NOT NULL, subject TEXT NOT NULL, binding TEXT NOT NULL,
    expires_at INTEGER NOT NULL, redeemed_at INTEGER, request TEXT, void INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
) WITHOUT ROWID;
CREATE INDEX grants_session ON grants (tenant, session);
CREATE INDEX grants_subject ON grants (tenant, subject);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE TABLE stakes (
    tenant TEXT NOT NULL, key TEXT NOT NULL, amount INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE TABLE records (
    tenant TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;
CREATE TABLE heads (tenant TEXT PRIMARY KEY, seq INTEGER NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def us(moment: datetime) -> int:
    """Return a time as whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def at(microseconds: int) -> datetime:
    """Return the time that `us` wrote."""
    return _EPOCH + microseconds * _MICROSECOND


def _text(body: object) -> str:
    return json.dumps(body, separators=(",", ":"))


def charges_text(charges: tuple[Charge, ...]) -> str:
    """Write what claiming a turn costs."""
    return _text([[c.key, c.limit, None if c.window is None else c.window // _MICROSECOND] for c in charges])


def read_charges(text: str) -> tuple[Charge, ...]:
    """Read what `charges_text` wrote."""
    return tuple(
        [
            Charge(key=key, limit=limit, window=None if window is None else window * _MICROSECOND)
            for key, limit, window in json.loads(text)
        ]
    )


def credential_text(kept: Credential) -> str:
    """Write a credential."""
    body: dict[str, Any] = {each.name: getattr(kept, each.name) for each in fields(kept)}
    profile = kept.profile
    body |= {
        "profile": [profile.memory, profile.time, profile.parallelism],
        "salt": kept.salt.hex(),
        "full": kept.full.hex(),
        "near": None if kept.near is None else kept.near.hex(),
        "typo": [tag.hex() for tag in kept.typo],
        "enrolled_at": us(kept.enrolled_at),
        "seal": kept.seal.hex(),
    }
    return _text(body)


def credential(text: str) -> Credential:
    """Read what `credential_text` wrote."""
    body = json.loads(text)
    memory, time, parallelism = body["profile"]
    body |= {
        "profile": Argon2Profile(memory=memory, time=time, parallelism=parallelism),
        "salt": bytes.fromhex(body["salt"]),
        "full": bytes.fromhex(body["full"]),
        "near": None if body["near"] is None else bytes.fromhex(body["near"]),
        "typo": tuple([bytes.fromhex(tag) for tag in body["typo"]]),
        "enrolled_at": at(body["enrolled_at"]),
        "seal": bytes.fromhex(body["seal"]),
    }
    return Credential(**body)


def record_text(kept: AuditRecord) -> str:
    """Write an audit record."""
    return _text(kept.as_dict())


def record(text: str) -> AuditRecord:
    """Read what `record_text` wrote."""
    body = json.loads(text)
    body |= {
        "at": datetime.fromisoformat(body["at"]),
        "event": Event(body["event"]),
        "mac": bytes.fromhex(body["mac"]),
    }
    return AuditRecord(**body)
