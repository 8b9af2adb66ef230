"""Marks: by which the same answer sent again is told from another one, at the cost of the slow hash.

A mark holds what made it (cost, version of the forms, salt, key id) and half a tag of the answer under the slow hash's
key, so that whoever reads it must pay for each guess what a stored credential costs.
"""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple

from kyc_verify.answers import Forms
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.hashing.tags import mac

__all__ = ["Made", "mark_of", "read_mark"]

_MARK: Final = re.compile(
    r"([0-9]{1,8}),([0-9]{1,8}),([0-9]{1,8}),([0-9]{1,8})\$([A-Za-z0-9_-]{22}==)\$([A-Za-z0-9._-]{1,32})\$[0-9a-f]{32}"
)


class Made(NamedTuple):
    """What a mark was made with."""

    profile: Argon2Profile
    forms_version: int
    salt: bytes
    key_id: str


def mark_of(key: bytes, said: Forms, record: Credential) -> str:
    """Return the mark of an answer; `key` is the slow hash's, made with the record's cost, salt and pepper."""
    costs, salt = record.profile, base64.urlsafe_b64encode(record.salt).decode()
    made = f"{costs.memory},{costs.time},{costs.parallelism},{record.forms_version}"
    tag = mac(key, "try", said.fine.reveal()).hex()[:32]
    return f"{made}${salt}${record.key_id}${tag}"


def read_mark(mark: str) -> Made | None:
    """Return what a mark was made with; None for what is no mark. Its cost is not bounded yet."""
    found = _MARK.fullmatch(mark)
    if found is None:
        return None
    costs = Argon2Profile(memory=int(found[1]), time=int(found[2]), parallelism=int(found[3]))
    return Made(costs, int(found[4]), base64.urlsafe_b64decode(found[5]), found[6])
