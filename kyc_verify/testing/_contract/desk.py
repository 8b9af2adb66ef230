"""Short ways to use a store in a contract: every verb with usual arguments, sync or async."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from kyc_verify import audit
from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.decision import Binding
from kyc_verify.errors import KycVerifyError
from kyc_verify.ports import (
    Begun,
    Change,
    Charge,
    Committed,
    KnownNumber,
    Loaded,
    NewSession,
    Opened,
    Redeemed,
    Redemption,
    Run,
    StakeCharge,
    Standing,
    Store,
    StoredGrant,
    SubjectSeal,
)

__all__ = [
    "CHAIN_KEY", "DAY", "NOW", "TICK", "Desk", "binding", "charge", "credential", "expect", "fails", "number", "sealed",
    "sealed_with", "stake", "yes",
]  # fmt: skip

T = TypeVar("T")

NOW: Final = datetime(2100, 1, 1, 12, 30, 15, 123457, tzinfo=UTC)
"""When most things happen: a time that does not survive being cut to milliseconds."""
TICK: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
CHAIN_KEY: Final = b"c" * 32


def expect(got: object, want: object, why: str) -> None:
    """Fail unless both are equal.

    Raises:
        AssertionError: they are not.
    """
    if got != want:
        msg = f"{why}\n  got:  {got!r}\n  want: {want!r}"
        raise AssertionError(msg)


def yes(found: object, why: str) -> None:
    """Fail unless it is so.

    Raises:
        AssertionError: it is not.
    """
    if not found:
        raise AssertionError(why)


def fails(kind: type[BaseException], work: Callable[[], object], why: str) -> None:
    """Fail unless `work` raises exactly what it must.

    Raises:
        AssertionError: it raised nothing, or something else.
    """
    try:
        work()
    except kind:
        return
    except Exception as error:
        msg = f"{why}: it must raise {kind.__name__}, and raised {type(error).__name__}"
        raise AssertionError(msg) from error
    msg = f"{why}: it must raise {kind.__name__}, and raised nothing"
    raise AssertionError(msg)


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def charge(key: str = "tries", limit: int = 3, window: timedelta | None = DAY) -> Charge:
    """Return one try of a budget."""
    return Charge(key=key, limit=limit, window=window)


def number(fingerprint: str, first_seen: datetime = NOW) -> KnownNumber:
    """Return a number to note."""
    return KnownNumber(fingerprint=fingerprint, first_seen=first_seen)


def stake(amount: str, *, ceiling: str | None = None, count: int | None = None, key: str = "stake") -> StakeCharge:
    """Return a sum to charge."""
    return StakeCharge(
        key=key, amount=Decimal(amount), ceiling=None if ceiling is None else Decimal(ceiling), count=count
    )


def binding(**changes: Any) -> Binding:
    """Return what the grants of a contract are bound to."""
    usual: dict[str, Any] = {
        "tenant": "t",
        "subject": "cust-1",
        "action": "pay",
        "agent": "agent-7",
        "call": "call-1",
        "fingerprint": "policy-1",
        "stake": "12.5 EUR Müller",
        "contact": "contact-1",
        "roles": ("clerk",),
    }
    return Binding(**(usual | changes))


def credential(check: str = "pin", subject: str = "cust-1", tenant: str = "t", **changes: Any) -> Credential:
    """Return a credential that nothing verifies: a store only keeps it."""
    usual: dict[str, Any] = {
        "kind": "digits",
        "forms_version": 1,
        "profile": Argon2Profile(memory=65536, time=3, parallelism=4),
        "salt": bytes(range(16)),
        "key_id": "k-1",
        "full": b"\x00\xff" * 16,
        "near": None,
        "typo": (),
        "enrolled_at": NOW - 2 * DAY,
        "enrolled_by": "crm-import",
        "enrolled_call": None,
        "seal": b"s" * 31 + b"\x00",
    }
    return Credential(tenant=tenant, subject=subject, check=check, **(usual | changes))


def sealed(tenant: str = "t", event: Event = Event.ANSWERED, **changes: Any) -> Callable[[Head], AuditRecord]:
    """Return a seal for a record."""
    record = AuditRecord(tenant=tenant, seq=0, at=NOW, event=event, key_id="chain-1", **changes)

    def seal(head: Head) -> AuditRecord:
        return audit.seal(record, head, key=CHAIN_KEY)

    return seal


def sealed_with(tenant: str = "t", event: Event = Event.ENROLLED, keys: list[bytes] | None = None) -> SubjectSeal:
    """Return a seal that is given the subject's key, and may keep it in `keys`."""

    def seal(head: Head, key: bytes) -> AuditRecord:
        if keys is not None:
            keys.append(key)
        return sealed(tenant, event, subject=audit.pseudonym(key, "subject", "s"))(head)

    return seal


async def _wait(work: Awaitable[T]) -> T:
    return await work


# ── The store in hand ────────────────────────────────────────────────────────────────────────────────────────────────


class Desk:
    """A store, and its verbs with usual arguments: tenant ``t``, session ``s-1``, subject ``cust-1``, at `NOW`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._loop: asyncio.Runner | None = None
        self._done = False
        self._probes = 0

    def run(self, found: T | Awaitable[T]) -> T:
        """Await what an async store returned; give back what another did."""
        if not isinstance(found, Awaitable):
            return found
        if self._loop is None:
            self._loop = asyncio.Runner()
        work: Awaitable[T] = found
        return self._loop.run(_wait(work))

    def done(self) -> None:
        """Close the store and the event loop; again does nothing."""
        if self._done:
            return
        self._done = True
        self.run(self.store.close())
        if self._loop is not None:
            self._loop.close()

    def open(
        self, session: str = "s-1", subject: str = "cust-1", *, tenant: str = "t", request: str | None = None,
        now: datetime = NOW, **changes: Any,
    ) -> Opened:  # fmt: skip
        """Open a session."""
        usual: dict[str, Any] = {
            "known": True,
            "fresh_key": f"{tenant} {session}".encode()[-32:].rjust(32, b"."),
            "expires_at": now + timedelta(minutes=30),
            "run": Run(key="runs", window=30 * DAY),
            "watch": (),
            "pin_key": "pin",
        }
        new = NewSession(tenant=tenant, id=session, subject=subject, **(usual | changes))
        return self.run(self.store.open(new, request, now))

    def start(
        self, session: str = "s-1", subject: str = "cust-1", *charges: Charge, tenant: str = "t", now: datetime = NOW,
        **changes: Any,
    ) -> Opened:  # fmt: skip
        """Open a session and commit its first question, turn 1."""
        opened = self.open(session, subject, tenant=tenant, now=now)
        self.commit(session, tenant=tenant, now=now, turn=1, charges=charges, **changes)
        return opened

    def begin(self, turn: int = 1, session: str = "s-1", *, tenant: str = "t", now: datetime = NOW) -> Begun:
        """Claim a turn."""
        return self.run(self.store.begin(tenant, session, turn, now))

    def change(self, session: str = "s-1", *, tenant: str = "t", now: datetime = NOW, **changes: Any) -> Change:
        """Return a change of a session as it is now, to its next turn."""
        loaded = self.load(session, tenant=tenant, now=now)
        usual: dict[str, Any] = {
            "subject": loaded.session.subject,
            "version": loaded.session.version,
            "subject_key": loaded.subject.key if loaded.subject.known else None,
            "state": f"state of turn {loaded.session.turn + 1}",
            "turn": loaded.session.turn + 1,
            "expires_at": loaded.session.expires_at,
        }
        return Change(tenant=tenant, session=session, **(usual | changes))

    def write(
        self, change: Change, seal: Callable[[Head], AuditRecord] | None = None, now: datetime = NOW
    ) -> Committed:
        """Commit a change."""
        return self.run(self.store.commit(change, seal or sealed(change.tenant), now))

    def commit(self, session: str = "s-1", *, tenant: str = "t", now: datetime = NOW, **changes: Any) -> Committed:
        """Commit a change of a session as it is now."""
        return self.write(self.change(session, tenant=tenant, now=now, **changes), now=now)

    def grant(
        self, digest: bytes = b"d" * 32, session: str = "s-1", *, tenant: str = "t", expires_at: datetime = NOW + DAY,
        **changes: Any,
    ) -> None:  # fmt: skip
        """Commit a grant of a session."""
        kept = StoredGrant(
            digest=digest, session=session, binding=binding(tenant=tenant, **changes), expires_at=expires_at
        )
        self.commit(session, tenant=tenant, grant=kept)

    def redeem(
        self, digest: bytes = b"d" * 32, *, tenant: str = "t", now: datetime = NOW, bound: Binding | None = None,
        **changes: Any,
    ) -> Redeemed:  # fmt: skip
        """Redeem a grant."""
        presented = Redemption(tenant=tenant, digest=digest, binding=bound or binding(tenant=tenant), **changes)

        def seal(head: Head, found: Redeemed) -> AuditRecord:
            return sealed(tenant, Event.REDEEMED, detail={"reason": found.reason or ""})(head)

        return self.run(self.store.redeem(presented, seal, now))

    def load(self, session: str = "s-1", *, tenant: str = "t", now: datetime = NOW, run: Run | None = None) -> Loaded:
        """Read a session."""
        return self.run(self.store.load(tenant, session, now, run))

    def enroll(
        self, *credentials: Credential, subject: str = "cust-1", tenant: str = "t", clear: tuple[str, ...] = (),
        fresh_key: bytes = b"e" * 32, seal: SubjectSeal | None = None,
    ) -> None:  # fmt: skip
        """Enroll credentials."""
        self.run(
            self.store.enroll(
                tenant,
                subject,
                credentials,
                clear=clear,
                fresh_key=fresh_key,
                seal=seal or sealed_with(tenant),
                now=NOW,
            )
        )

    def stand(
        self, standing: Standing | None = None, *, flags: tuple[str, ...] | None = None, clear: tuple[str, ...] = (),
        subject: str = "cust-1", tenant: str = "t", seal: SubjectSeal | None = None,
    ) -> None:  # fmt: skip
        """Set the hold, the flags or the counts of a subject."""
        self.run(
            self.store.set_standing(
                tenant, subject, standing, flags=flags, clear=clear, fresh_key=b"f" * 32,
                seal=seal or sealed_with(tenant, Event.LOCKED), now=NOW,
            )
        )  # fmt: skip

    def note(
        self, subject: str | None = "cust-1", *, tenant: str = "t", now: datetime = NOW,
        seal: SubjectSeal | None = None, fresh_key: bytes = b"n" * 32,
    ) -> None:  # fmt: skip
        """Append a record."""
        sealing = seal or sealed_with(tenant, Event.REFUSED)
        self.run(self.store.note(tenant, subject, sealing, now, fresh_key=fresh_key))

    def erase(self, subject: str = "cust-1", *, tenant: str = "t", seal: SubjectSeal | None = None) -> bool:
        """Forget a subject."""
        return self.run(self.store.erase(tenant, subject, seal or sealed_with(tenant, Event.ERASED), NOW))

    def records(self, after: int = 0, limit: int = 10_000, *, tenant: str = "t") -> list[AuditRecord]:
        """Return audit records."""
        return list(self.run(self.store.records(tenant, after, limit)))

    def purge(self, before: datetime, limit: int = 1000) -> int:
        """Drop what has ended."""
        return self.run(self.store.purge(before, limit))

    # ── Looking at what no verb shows alone ──────────────────────────────────────────────────────────────────────────

    def _probe(self, **more: Any) -> Opened:
        self._probes += 1
        probe = f"probe-{self._probes}"
        return self.open(probe, "probe", run=Run(key=probe, window=DAY), **more)

    def spent(self, *watched: Charge, now: datetime = NOW, tenant: str = "t") -> list[int]:
        """Return how much of each budget is used."""
        found = self._probe(watch=watched, now=now, tenant=tenant).spent
        return [found[each.key] for each in watched]

    def pin(self, key: str = "pin", *, now: datetime = NOW, tenant: str = "t") -> str | None:
        """Return the pinned question."""
        return self._probe(pin_key=key, now=now, tenant=tenant).pin

    def intact(self, records: int, *, tenant: str = "t") -> None:
        """Fail unless the chain is whole and of this length."""
        report = audit.verify(self.records(tenant=tenant), tenant=tenant, keys={"chain-1": CHAIN_KEY})
        yes(report.intact, f"the audit chain must be whole: {'; '.join(report.faults)}")
        expect(report.records, records, "there must be as many audit records as steps")

    def untouched(self, work: Callable[[], object], kind: type[BaseException], why: str) -> None:
        """Fail unless `work` raises and leaves session, subject, budgets and chain as they were."""
        before = self.picture()
        fails(kind, work, why)
        expect(self.picture(), before, f"{why}: nothing of it may be written")

    def picture(self) -> dict[str, object]:
        """Return all that is to be seen of session ``s-1``: for comparing before and after."""
        try:
            found: object = self.load()
        except KycVerifyError as error:
            found = error.code
        return {
            "session": found,
            "records": self.records(),
            "budgets": self.spent(charge(), charge("other"), charge("spend")),
            "pin": self.pin(),
        }
