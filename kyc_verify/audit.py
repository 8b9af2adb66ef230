"""The audit log: one record a step, in a keyed chain that shows edits, gaps and reordering.

Theory of operation. A tenant has one chain. Record n is MACed over its own fields **as stored** and the MAC of record
n - 1, so that nobody without the key can change, drop, insert or reorder a record inside the chain unseen. What a
chain cannot show by itself is a missing tail: keep an `Anchor` (the newest sequence number and MAC) where the log's
owner cannot write, and give it to `verify`; without one the report says that completeness is not proven.

Subjects, calls, sessions and numbers appear only as keyed pseudonyms (`pseudonym`) under 32 random bytes of that
subject. Erasing a subject destroys these bytes: the chain still verifies, and nothing links its records to anybody.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kyc_verify.errors import UsageError

__all__ = ["GENESIS", "Anchor", "AuditRecord", "ChainReport", "Event", "Head", "Seal", "pseudonym", "seal", "verify"]

GENESIS: Final = b"\x00" * 32
"""What the first record of a chain follows."""

_MOST_FAULTS: Final = 100


class Event(StrEnum):
    """What a record is about; a closed set."""

    OPENED = "opened"
    ANSWERED = "answered"
    CLARIFIED = "clarified"
    DECLINED = "declined"
    RESENT = "resent"
    SENT = "sent"
    TRANSFERRED = "transferred"
    STEPPED_UP = "stepped_up"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    EXPLAINED = "explained"
    REDEEMED = "redeemed"
    ENROLLED = "enrolled"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    FLAGGED = "flagged"
    RUNS_CLEARED = "runs_cleared"
    ERASED = "erased"
    PURGED = "purged"
    POLICY_CHANGED = "policy_changed"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a tenant's chain ends: the newest record's sequence number (0: none yet) and MAC."""

    seq: int = 0
    mac: bytes = field(default=GENESIS, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A head kept elsewhere, against which completeness is proven."""

    tenant: str
    seq: int
    mac: bytes = field(repr=False)

    @property
    def head(self) -> Head:
        """Where a check that trusts this anchor may start."""
        return Head(seq=self.seq, mac=self.mac)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record, as stored.

    Attributes:
        tenant: Whose chain.
        seq: 1, 2, 3 ... without a gap.
        at: When; aware, UTC, microseconds.
        event: What happened.
        agent: Who handled it, in clear: agents are accountable.
        subject: Pseudonym of the subject; None where no subject is concerned.
        call: Pseudonym of the call.
        session: Pseudonym of the session.
        action: What was asked for.
        verdict: Where the session stands after this step.
        policy: Fingerprint of the policy in force.
        detail: Further closed facts (check, outcome, score in centibits, reason ...); strings and integers only.
        key_id: Which chain key.
        mac: Tag over all of this and the previous record's tag.
    """

    tenant: str
    seq: int
    at: datetime
    event: Event
    agent: str | None = None
    subject: str | None = None
    call: str | None = None
    session: str | None = None
    action: str | None = None
    verdict: str | None = None
    policy: str | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict)
    key_id: str
    mac: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", MappingProxyType(dict(sorted(self.detail.items()))))

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a report."""
        return {
            "tenant": self.tenant,
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "event": self.event.value,
            "agent": self.agent,
            "subject": self.subject,
            "call": self.call,
            "session": self.session,
            "action": self.action,
            "verdict": self.verdict,
            "policy": self.policy,
            "detail": dict(self.detail),
            "key_id": self.key_id,
            "mac": self.mac.hex(),
        }

    def to_json(self) -> str:
        """Write the record as one line of ASCII: what could end a line or drive a terminal is escaped."""
        return _line(self.as_dict())

    @classmethod
    def from_json(cls, line: str) -> AuditRecord:
        """Read what `to_json` wrote.

        Raises:
            UsageError: it is not a record.
        """
        try:
            plain = json.loads(line)
            read = {
                "seq": int(plain["seq"]),
                "at": datetime.fromisoformat(plain["at"]),
                "event": Event(plain["event"]),
                "mac": bytes.fromhex(plain["mac"]),
            }
            return cls(**(plain | read))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            msg = "this is not a record of the audit log, or it was changed"
            raise UsageError(msg) from None


Seal = Callable[[Head], AuditRecord]
"""Given the chain's head, the record that follows it; pure, so that it may be called again. A store locks the head."""


def pseudonym(key: bytes, label: str, value: str) -> str:
    """Name `value` under a subject's own key: stable while the key lives, meaningless after it is destroyed."""
    return hmac.digest(key, f"{len(label)}:{label}{value}".encode(), "sha256")[:16].hex()


def _line(plain: Mapping[str, object]) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _mac(key: bytes, plain: Mapping[str, object], previous: bytes) -> bytes:
    body = _line({name: value for name, value in plain.items() if name != "mac"}).encode()
    return hmac.digest(key, len(previous).to_bytes(4, "big") + previous + body, "sha256")


def seal(record: AuditRecord, head: Head, *, key: bytes) -> AuditRecord:
    """Put a record at the end of the chain.

    Args:
        record: The record; its ``seq`` and ``mac`` are replaced.
        head: Where the chain ends.
        key: The chain key that ``record.key_id`` names.
    """
    seq = head.seq + 1
    return replace(record, seq=seq, mac=_mac(key, record.as_dict() | {"seq": seq}, head.mac))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a check of a chain found.

    Attributes:
        intact: No fault among the records seen.
        complete: The chain is intact and reaches the anchor; False without one, whatever the records say.
        records: How many were seen.
        faults: One plain sentence for each fault, with the sequence number; the first hundred.
        note: Why an intact chain is not proven complete; None when it is, or when there are faults.
        anchor: What to keep elsewhere now; None for a faulty or empty chain.
    """

    intact: bool
    complete: bool
    records: int
    faults: tuple[str, ...]
    note: str | None
    anchor: Anchor | None


def verify(
    records: Iterable[AuditRecord],
    *,
    tenant: str,
    keys: Mapping[str, bytes],
    anchor: Anchor | None = None,
    start: Head | None = None,
) -> ChainReport:
    """Check a chain from its beginning, or from a trusted head.

    Args:
        records: In the order of the store; streamed, so a chain may be longer than memory.
        tenant: Whose chain it is.
        keys: Chain keys by id.
        anchor: A head kept elsewhere; without it nothing proves that no newest record is missing.
        start: A trusted head that the first record follows, for a chain whose beginning was archived.

    Raises:
        UsageError: the anchor is another tenant's.
    """
    if anchor is not None and anchor.tenant != tenant:
        msg = "the anchor is another tenant's; give the one that was kept of this chain"
        raise UsageError(msg)
    head, seen = start or Head(), 0
    faults = _Faults()
    reached = faults.against(anchor, head)
    for record in records:
        seen += 1
        faults.add(*_faults(record, head, tenant, keys))
        head = Head(seq=record.seq, mac=record.mac)
        reached = faults.against(anchor, head) or reached
    if anchor is not None and head.seq < anchor.seq:
        faults.add(f"the chain ends at record {head.seq}, before the anchored record {anchor.seq}")
    intact, note = not faults.count, None
    if intact and not reached:
        why = "no anchor was given" if anchor is None else "the anchored record is older than the trusted head"
        note = f"completeness is not proven: {why}"
    return ChainReport(
        intact=intact,
        complete=intact and reached,
        records=seen,
        faults=faults.told(),
        note=note,
        anchor=Anchor(tenant=tenant, seq=head.seq, mac=head.mac) if seen and intact else None,
    )


class _Faults:
    """The first hundred faults, and how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[str] = []

    def add(self, *faults: str) -> None:
        self.count += len(faults)
        self._kept += faults[: _MOST_FAULTS - len(self._kept)]

    def against(self, anchor: Anchor | None, head: Head) -> bool:
        """Whether a head is the anchored one; one that only bears its number is a fault."""
        if anchor is None or anchor.seq != head.seq:
            return False
        same = hmac.compare_digest(anchor.mac, head.mac)
        if not same:
            self.add(f"record {head.seq} is not the anchored one: the chain was rewritten")
        return same

    def told(self) -> tuple[str, ...]:
        more = self.count - len(self._kept)
        return (*self._kept, *([f"and {more} more faults"] if more else []))


def _faults(record: AuditRecord, head: Head, tenant: str, keys: Mapping[str, bytes]) -> list[str]:
    found: list[str] = []
    if record.tenant != tenant:
        found.append(f"record {record.seq} is of another tenant")
    if record.seq != head.seq + 1:
        found.append(f"record {record.seq} follows record {head.seq}: missing, repeated or out of order")
    key = keys.get(record.key_id)
    if key is None:
        found.append(f"record {record.seq} names a key that is not in the keyring")
    elif not hmac.compare_digest(record.mac, _mac(key, record.as_dict(), head.mac)):
        found.append(f"record {record.seq} was changed, or does not follow the record before it")
    return found
