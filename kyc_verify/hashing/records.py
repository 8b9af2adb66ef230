"""What a credential is bound to, its seal, and which records are fit to be compared at all."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from kyc_verify.credentials import SCHEME, Argon2Profile, Credential
from kyc_verify.errors import UsageError
from kyc_verify.hashing.grading import TYPO
from kyc_verify.hashing.slow import bounded
from kyc_verify.hashing.tags import MAX_TEXT, Part, count, frame, mac, text

__all__ = ["SALT", "AnswerContext", "answer_context", "moment", "sealed", "well_formed", "well_sealed"]

SALT: Final = 16
_TAG: Final = 32
_MOST_TYPO: Final = 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AnswerContext(TypedDict):
    """What an answer is bound to; the same at enrollment and when it is compared.

    Attributes:
        tenant: Whose customer.
        subject: Which customer.
        check: Id of the check.
        kind: Its kind of answer.
        forms_version: Version of the forms.
    """

    tenant: str
    subject: str
    check: str
    kind: str
    forms_version: int


def answer_context(*, tenant: str, subject: str, check: str, kind: str, forms_version: int) -> bytes:
    """Return the context, framed; raises UsageError for a wrong type."""
    names = (text(tenant, "tenant"), text(subject, "subject"), text(check, "check"), text(kind, "kind"))
    return frame(SCHEME, *names, count(forms_version, "forms_version"))


def moment(value: object) -> datetime:
    """Return an aware datetime as it is; raises UsageError for anything else."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        msg = "the time must be an aware datetime (use datetime.now(UTC))"
        raise UsageError(msg)
    return value


def _seal(key: bytes, context: bytes, record: Credential) -> bytes:
    costs = record.profile
    fields: tuple[Part, ...] = (
        record.scheme,
        costs.memory,
        costs.time,
        costs.parallelism,
        record.salt,
        record.key_id,
        record.full,
        record.near or b"",
        frame(*record.typo),
        (record.enrolled_at - _EPOCH) // timedelta(microseconds=1),
        record.enrolled_by,
        record.enrolled_call or "",
    )
    return mac(key, "seal", context, *fields)


def sealed(record: Credential, context: bytes, *, key: bytes) -> Credential:
    """Return the record with its seal."""
    return replace(record, seal=_seal(key, context, record))


def well_sealed(record: Credential, context: bytes, *, key: bytes) -> bool:
    """Whether nobody without the key changed a well-formed record or moved it from another context."""
    return hmac.compare_digest(record.seal, _seal(key, context, record))


def _texts(*values: object) -> bool:
    return all(type(value) is str and 0 < len(value) <= MAX_TEXT for value in values)


def _bytes(size: int, *values: object) -> bool:
    return all(type(value) is bytes and len(value) == size for value in values)


def well_formed(record: Credential, floor: tuple[Argon2Profile, ...]) -> bool:
    """Whether every field that is used has the type and the size this scheme writes: a store may return anything."""
    at: object = record.enrolled_at
    typo: object = record.typo
    return (
        type(record.scheme) is int
        and record.scheme == SCHEME
        and bounded(record.profile, floor)
        and _texts(record.key_id, record.enrolled_by, *([] if record.enrolled_call is None else [record.enrolled_call]))
        and _bytes(SALT, record.salt)
        and _bytes(_TAG, record.full, record.seal, *([] if record.near is None else [record.near]))
        and type(typo) is tuple
        and len(typo) <= _MOST_TYPO
        and _bytes(TYPO, *typo)
        and isinstance(at, datetime)
        and at.utcoffset() is not None
    )
