"""Enrolling what customers know, and an operator's holds: `Enroller` and `AsyncEnroller`.

Only these may write credentials; a verifier replaces one with a stronger hash of the same answer, and nothing else.
Who may call them is the host's to decide: every call says who did it, and is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from kyc_verify._flows import enrolling, recovery
from kyc_verify._flows.context import Context
from kyc_verify._flows.runner import AsyncRunner, Runner, SyncRunner, run_sync
from kyc_verify._flows.wiring import wire
from kyc_verify.audit import Event
from kyc_verify.call import Call
from kyc_verify.errors import UsageError
from kyc_verify.hashing import SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import Standing, Store
from kyc_verify.terms import Secret

__all__ = ["AsyncEnroller", "Enroller"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Enrolling:
    """What both are: wiring that does not change."""

    __slots__ = ("_ctx",)

    _ctx: Context
    _runner: type[Runner]

    def __init__(
        self, policy: Policy, *, store: Store, hasher: SecretHasher, clock: Callable[[], datetime] | None = None,
        tenant: str = "default",
    ) -> None:  # fmt: skip
        ctx = wire(policy, store=store, hasher=hasher, clock=clock or _utc_now, tenant=tenant, runner=self._runner())
        object.__setattr__(self, "_ctx", ctx)

    def __setattr__(self, name: str, value: object) -> None:
        msg = "an enroller is immutable; make another"
        raise UsageError(msg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self._ctx.policy.name!r}, tenant={self._ctx.tenant!r})"


class Enroller(_Enrolling):
    """Enrolls and holds, from threads.

    Args:
        policy: Its checks say which facts there are, and how they are read.
        store: As for the verifier.
        hasher: As for the verifier.
        clock: What time it is, aware; the real time by default.
        tenant: Whose customers these are.
    """

    __slots__ = ()
    _runner = SyncRunner

    def enroll(self, subject: str, facts: Mapping[str, object], *, by: str, call: Call | str | None = None) -> None:
        """Enroll facts about a customer, all or none; what was enrolled before under the same keys is replaced.

        Open grants of the customer are void. A credential enrolled in a call, or by an agent within 24 hours, is not
        asked for in that call or by that agent: who changes the answers cannot verify with them.

        Args:
            subject: Exact id of the customer.
            facts: By the id of the check that asks for it: a `date` for dates, text for everything else.
            by: Agent or system that enrolls.
            call: The call it is done in, where it is.

        Raises:
            EnrollmentError: ``faults`` names every refused fact with its reason; nothing was stored.
            UsageError: an id is not exact, or the facts are no mapping.
            BackendError: the store failed.
        """
        hidden = enrolling.Facts(facts)
        del facts  # a traceback of what follows must not show them
        run_sync(enrolling.enroll(self._ctx, subject, hidden, by=by, call=call))

    def issue_codes(
        self, subject: str, check: str = "recovery_code", *, by: str, call: Call | str | None = None
    ) -> tuple[Secret, ...]:  # fmt: skip
        """Draw a new list of recovery codes for a customer; every code of an earlier list is void.

        Args:
            subject: Exact id of the customer.
            check: Id of the `RecoveryCode`.
            by: Agent or system that asks for it.
            call: The call it is done in, where it is.

        Returns:
            The codes, ten digits each. This is the only time they are there: print them or show them to the customer,
            and keep nothing.

        Raises:
            UsageError: an id is not exact, or the policy has no such check.
            BackendError: the store failed; nothing of the list was kept.
        """
        return run_sync(recovery.issue(self._ctx, subject, check, by=by, call=call))

    def lock(self, subject: str, *, by: str, reason: str) -> None:
        """Hold a customer: nothing verifies until `unlock`, open grants are void, and callers see no difference."""
        run_sync(enrolling.stand(self._ctx, subject, Event.LOCKED, by=by, reason=reason, standing=Standing.LOCKED))

    def unlock(self, subject: str, *, by: str, reason: str) -> None:
        """Lift a hold."""
        run_sync(enrolling.stand(self._ctx, subject, Event.UNLOCKED, by=by, reason=reason, standing=Standing.OPEN))

    def flag(self, subject: str, *, fields: Iterable[str], by: str, reason: str) -> None:
        """Note which fields of the customer's record are exposed: they prove nothing from now on. Empty: none is."""
        run_sync(enrolling.stand(self._ctx, subject, Event.FLAGGED, by=by, reason=reason, flags=fields))

    def clear_runs(self, subject: str, *, by: str, reason: str) -> None:
        """Forget the counted runs and spent budgets of a customer, after the review path has settled who calls."""
        run_sync(enrolling.stand(self._ctx, subject, Event.RUNS_CLEARED, by=by, reason=reason, clear=True))

    def erase(self, subject: str, *, by: str, reason: str = "erasure") -> bool:
        """Forget a customer: credentials, sessions, grants, numbers, and what links audit records to them.

        Returns:
            Whether there was anything; it is recorded either way, without the name.
        """
        return run_sync(enrolling.erase(self._ctx, subject, by=by, reason=reason))

    def close(self) -> None:
        """Close the store."""
        run_sync(self._ctx.verb(self._ctx.store.close))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncEnroller(_Enrolling):
    """Enrolls and holds, from an event loop; the verbs, arguments and errors of `Enroller`."""

    __slots__ = ()
    _runner = AsyncRunner

    async def enroll(
        self, subject: str, facts: Mapping[str, object], *, by: str, call: Call | str | None = None
    ) -> None:
        """See `Enroller.enroll`."""
        hidden = enrolling.Facts(facts)
        del facts  # a traceback of what follows must not show them
        await enrolling.enroll(self._ctx, subject, hidden, by=by, call=call)

    async def issue_codes(
        self, subject: str, check: str = "recovery_code", *, by: str, call: Call | str | None = None
    ) -> tuple[Secret, ...]:  # fmt: skip
        """See `Enroller.issue_codes`."""
        return await recovery.issue(self._ctx, subject, check, by=by, call=call)

    async def lock(self, subject: str, *, by: str, reason: str) -> None:
        """See `Enroller.lock`."""
        await enrolling.stand(self._ctx, subject, Event.LOCKED, by=by, reason=reason, standing=Standing.LOCKED)

    async def unlock(self, subject: str, *, by: str, reason: str) -> None:
        """See `Enroller.unlock`."""
        await enrolling.stand(self._ctx, subject, Event.UNLOCKED, by=by, reason=reason, standing=Standing.OPEN)

    async def flag(self, subject: str, *, fields: Iterable[str], by: str, reason: str) -> None:
        """See `Enroller.flag`."""
        await enrolling.stand(self._ctx, subject, Event.FLAGGED, by=by, reason=reason, flags=fields)

    async def clear_runs(self, subject: str, *, by: str, reason: str) -> None:
        """See `Enroller.clear_runs`."""
        await enrolling.stand(self._ctx, subject, Event.RUNS_CLEARED, by=by, reason=reason, clear=True)

    async def erase(self, subject: str, *, by: str, reason: str = "erasure") -> bool:
        """See `Enroller.erase`."""
        return await enrolling.erase(self._ctx, subject, by=by, reason=reason)

    async def close(self) -> None:
        """See `Enroller.close`."""
        await self._ctx.verb(self._ctx.store.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
