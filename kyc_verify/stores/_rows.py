"""Values as stores keep them: times as whole microseconds, everything that is not looked into as compact JSON.

What is written here is read for ever: a change of a format is a new version of the schema.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kyc_verify.audit import AuditRecord, Event
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.decision import Binding
from kyc_verify.ports import Charge

__all__ = [
    "at", "binding", "binding_text", "charges", "charges_text", "credential", "credential_text", "flags", "flags_text",
    "record", "record_text", "us",
]  # fmt: skip

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_to_text: Final = json.JSONEncoder(separators=(",", ":")).encode


def us(moment: datetime) -> int:
    """Return a time as whole microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def at(microseconds: int) -> datetime:
    """Return the time that `us` wrote."""
    return _EPOCH + timedelta(microseconds=microseconds)


def flags_text(flags: tuple[str, ...]) -> str:
    """Write a subject's exposed fields."""
    return _to_text(flags)


def flags(text: str) -> tuple[str, ...]:
    """Read what `flags_text` wrote."""
    return tuple(json.loads(text))


def charges_text(charges: tuple[Charge, ...]) -> str:
    """Write what claiming a turn costs."""
    return _to_text([[c.key, c.limit, None if c.window is None else c.window // _MICROSECOND] for c in charges])


def charges(text: str) -> tuple[Charge, ...]:
    """Read what `charges_text` wrote."""
    return tuple(
        [
            Charge(key=key, limit=limit, window=None if window is None else timedelta(microseconds=window))
            for key, limit, window in json.loads(text)
        ]
    )


def binding_text(binding: Binding) -> str:
    """Write what a grant is bound to."""
    return _to_text(binding.as_dict())


def binding(text: str) -> Binding:
    """Read what `binding_text` wrote."""
    return Binding.from_dict(json.loads(text))


def credential_text(kept: Credential) -> str:
    """Write a credential."""
    body: dict[str, Any] = {each.name: getattr(kept, each.name) for each in fields(kept)}
    body |= {
        "profile": [kept.profile.memory, kept.profile.time, kept.profile.parallelism],
        "salt": kept.salt.hex(),
        "full": kept.full.hex(),
        "near": None if kept.near is None else kept.near.hex(),
        "typo": [tag.hex() for tag in kept.typo],
        "enrolled_at": us(kept.enrolled_at),
        "seal": kept.seal.hex(),
    }
    return _to_text(body)


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
    return _to_text(kept.as_dict())


def record(text: str) -> AuditRecord:
    """Read what `record_text` wrote."""
    body = json.loads(text)
    body |= {
        "at": datetime.fromisoformat(body["at"]),
        "event": Event(body["event"]),
        "mac": bytes.fromhex(body["mac"]),
    }
    return AuditRecord(**body)
