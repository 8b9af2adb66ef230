"""What is kept of a secret: keyed tags under a slow, salted, peppered hash, and a seal over all of it.

A credential never holds an answer, a form of it or a fast hash of it. Its parameters travel with it, so that every
version that was ever written keeps verifying.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

__all__ = ["SCHEME", "Argon2Profile", "Credential"]

SCHEME: Final = 1
"""Version of the storage scheme written today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Profile:
    """Cost of one Argon2id (RFC 9106): `memory` in KiB."""

    memory: int
    time: int
    parallelism: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One enrolled fact.

    Attributes:
        tenant: Whose customer it is; with the next three, what the tags are bound to.
        subject: Opaque id of the customer.
        check: Id of the check that asks for it.
        kind: Kind of answer (``text``, ``date``, ``tenure``, ``digits`` or a custom check's).
        forms_version: Version of the forms of that kind when it was enrolled.
        scheme: Version of this storage scheme.
        profile: Cost of the slow hash.
        salt: 16 random bytes.
        key_id: Which pepper of the keyring.
        full: Tag of the fine form.
        near: Tag of the coarse form; None for kinds whose coarse form does not depend on the answer.
        typo: Tags of the one-deletion neighbourhood; only for ``tolerance="typo"``.
        enrolled_at: When; aware, UTC.
        enrolled_by: Agent or system that enrolled it.
        enrolled_call: Id of the call it was enrolled in; None outside a call.
        seal: Tag over every other field; a credential whose seal is wrong is never compared.
    """

    tenant: str
    subject: str
    check: str
    kind: str
    forms_version: int
    scheme: int = SCHEME
    profile: Argon2Profile
    salt: bytes = field(repr=False)
    key_id: str
    full: bytes = field(repr=False)
    near: bytes | None = field(default=None, repr=False)
    typo: tuple[bytes, ...] = field(default=(), repr=False)
    enrolled_at: datetime
    enrolled_by: str
    enrolled_call: str | None = None
    seal: bytes = field(default=b"", repr=False)
