"""The two fronts that a CRM calls: `Verifier` for threads, `AsyncVerifier` for an event loop.

Both have the same verbs over the same flows. A front is immutable and shared by threads or tasks; it may be built
before a fork. Time comes from its ``clock`` and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from kyc_verify._flows import answering, asking, moving, redeeming
from kyc_verify._flows.context import Context
from kyc_verify._flows.opening import Opening, open_run
from kyc_verify._flows.runner import AsyncRunner, SyncRunner, run_sync
from kyc_verify._flows.wiring import wire
from kyc_verify.call import Call, Stake
from kyc_verify.decision import Decision, Grant, Step
from kyc_verify.errors import UsageError
from kyc_verify.hashing import SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import CodeService, Customers, Observer, SeedSource, Sender, SignalSource, Store
from kyc_verify.terms import Entry, Secret

__all__ = ["AsyncVerifier", "Verifier", "utc_now"]

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def utc_now() -> datetime:
    """Return what time it is: the fronts' default clock."""
    return datetime.now(UTC)


class _Front:
    """What both fronts are: wiring that does not change."""

    __slots__ = ("_ctx",)

    _ctx: Context

    def __setattr__(self, name: str, value: object) -> None:
        msg = "a verifier is immutable; make another"
        raise UsageError(msg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self._ctx.policy.name!r}, tenant={self._ctx.tenant!r})"

    @property
    def policy(self) -> Policy:
        """The policy it verifies under."""
        return self._ctx.policy


class Verifier(_Front):
    """Verifies callers, from threads.

    Args:
        policy: What each action demands.
        store: Where sessions, credentials, budgets, grants and the audit log are kept.
        hasher: The slow hash and every keyed tag.
        customers: The CRM: ``get(subject) -> Customer | None``.
        senders: By channel (``sms``, ``voice``, ``email``, ``callback``), what carries messages.
        signals: By name (``sim_swap`` ...), what knows something of calls and numbers.
        services: By name (``app`` ...), providers that make and judge their own codes.
        seeds: Where the seeds of authenticator apps are: ``get(subject, check) -> Secret | str | None``.
        observer: Is told of alarms; changes nothing.
        clock: What time it is, aware; the real time by default.
        tenant: Whose customers these are.

    Raises:
        ConfigurationError: something is wired wrong.
        MissingExtraError: there are seeds, and not the libraries for them.
    """

    __slots__ = ()

    def __init__(
        self, policy: Policy, *, store: Store, hasher: SecretHasher, customers: Customers,
        senders: Mapping[str, Sender] = _NONE, signals: Mapping[str, SignalSource] = _NONE,
        services: Mapping[str, CodeService] = _NONE, seeds: SeedSource | None = None,
        observer: Observer | None = None,
        clock: Callable[[], datetime] | None = None, tenant: str = "default",
    ) -> None:  # fmt: skip
        ctx = wire(
            policy, store=store, hasher=hasher, customers=customers, senders=senders, signals=signals,
            services=services, seeds=seeds, observer=observer, clock=clock or utc_now, tenant=tenant,
            runner=SyncRunner(),
        )  # fmt: skip
        object.__setattr__(self, "_ctx", ctx)

    def ready(self) -> None:
        """Check that the store can be used.

        Raises:
            StoreError: it does not answer, or its schema is not the expected one.
        """
        run_sync(self._ctx.verb(self._ctx.store.ready, self._ctx.moment()))

    def open(
        self, subject: str, *, action: str, call: Call, stake: Stake | None = None, locale: str | None = None,
        entries: Collection[Entry] | None = None, request_id: str | None = None,
    ) -> Step:  # fmt: skip
        """Open a verification: look at what is known, ask the signals, and return the first question.

        Args:
            subject: Exact id of the customer the caller claims to be.
            action: What the caller wants; one of the policy's.
            call: Who handles which call, from the CRM's own log-in.
            stake: What is moved, and to whom; bound into codes and the grant.
            locale: Language of the call, where the CRM does not know the customer's.
            entries: What this leg can take (a keypad takes DIGITS); None: everything.
            request_id: Opens once, however often it is sent.

        Returns:
            A Step: PENDING with a challenge; VERIFIED, where signals suffice; EXEMPT; STEP_UP, where nothing can be
            asked on this leg; REVIEW, where VERIFIED is out of reach; DENIED.

        Raises:
            UsageError: an id is not exact, the action unknown, the request used for something else.
            NotAllowed: the agent lacks the action's role.
            BackendError: store or CRM failed; nothing was verified.

        Security:
            Unknown, disabled and locked customers give the same Step, at the same price, and never verify.
        """
        wanted = Opening(
            subject=subject, action=action, stake=stake, locale=locale, entries=entries, request_id=request_id
        )
        return run_sync(open_run(self._ctx, wanted, call=call))

    def respond(self, challenge_id: str, answer: str, *, call: Call) -> Step:
        """Answer a challenge with what the caller said.

        The same answer to the same challenge gives the same Step and costs nothing.

        Args:
            challenge_id: Of the open challenge.
            answer: As typed; over 256 characters it is wrong.
            call: As in `open`.

        Returns:
            A Step: the next challenge, the same one again (a question back, a code mistyped), or the end.

        Raises:
            UsageError: another answer was given to this challenge; `InvalidTransition`, `UnknownSession`, `NotAllowed`.
            Busy: too much is being checked; nothing was compared. Send it again.
            BackendError: the store failed; the try counts as spent, or as answered if it was written.

        Security:
            The try is charged, durably and for every process, before anything is compared.
        """
        answer = Secret(answer)  # type: ignore[assignment]
        return run_sync(answering.respond(self._ctx, challenge_id, answer, call=call))  # type: ignore[arg-type]

    def decline(self, challenge_id: str, *, call: Call) -> Step:
        """Note that the caller cannot or will not answer; it weighs as a wrong answer and spends no try."""
        return run_sync(asking.decline(self._ctx, challenge_id, call=call))

    def resend(self, challenge_id: str, *, call: Call) -> Step:
        """Send a new code under a new challenge id.

        Too soon or too often, nothing is sent and nothing changes: the code already sent stays good.
        """
        return run_sync(asking.resend(self._ctx, challenge_id, call=call))

    def status(self, session_id: str, *, call: Call) -> Step:
        """Return where a run stands, with its grant until that is redeemed or has expired."""
        return run_sync(moving.status(self._ctx, session_id, call=call))

    def step_up(
        self, session_id: str, *, action: str, call: Call, stake: Stake | None = None, request_id: str | None = None
    ) -> Step:
        """Go on to another action from VERIFIED or EXEMPT, in the same call; what was shown is kept.

        A code that was sent for another action or stake is asked for again. It counts as a run of its own.
        """
        return run_sync(
            moving.step_up(self._ctx, session_id, action=action, call=call, stake=stake, request_id=request_id)
        )

    def transfer(self, session_id: str, *, call: Call, entries: Collection[Entry] | None = None) -> Step:
        """Hand a run over to the agent of `call`, within the same call; the open challenge gets a new id."""
        return run_sync(moving.transfer(self._ctx, session_id, call=call, entries=entries))

    def cancel(self, session_id: str, *, call: Call) -> Step:
        """End a run; its grant is void."""
        return run_sync(moving.cancel(self._ctx, session_id, call=call))

    def explain(self, session_id: str, *, call: Call) -> Decision:
        """Return the decision behind a run that has ended: score per class, waterfall, reasons. Recorded.

        Args:
            session_id: Of the run.
            call: The auditor's own Call, with the role ``auditor``; not the run's.

        Raises:
            NotAllowed: no auditor; that is recorded too.
            InvalidTransition: the run is still open.
        """
        return run_sync(moving.explain(self._ctx, session_id, call=call))

    def redeem(
        self, grant: Grant | str, *, subject: str, action: str, call: Call, stake: Stake | None = None,
        request_id: str | None = None,
    ) -> Step:  # fmt: skip
        """Use a grant up, just before doing what it is for.

        Standing, roles, number and policy are looked at again. With a `request_id`, the same request succeeds again.

        Raises:
            NotVerified: ``reason`` says why: ``used``, ``expired``, ``void``, ``agent``, ``stake``, ``ceiling`` ...
        """
        token = redeeming.token_of(grant)
        del grant  # a traceback of what follows must not show it
        return run_sync(
            redeeming.redeem(
                self._ctx, token, subject=subject, action=action, call=call, stake=stake, request_id=request_id
            ),
        )

    def close(self) -> None:
        """Close the store."""
        run_sync(self._ctx.verb(self._ctx.store.close))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncVerifier(_Front):
    """Verifies callers, from an event loop; the verbs, arguments and errors of `Verifier`.

    Ports may be coroutine functions or plain ones: plain ones run in threads, so that the loop is never held.
    """

    __slots__ = ()

    def __init__(
        self, policy: Policy, *, store: Store, hasher: SecretHasher, customers: Customers,
        senders: Mapping[str, Sender] = _NONE, signals: Mapping[str, SignalSource] = _NONE,
        services: Mapping[str, CodeService] = _NONE, seeds: SeedSource | None = None,
        observer: Observer | None = None,
        clock: Callable[[], datetime] | None = None, tenant: str = "default",
    ) -> None:  # fmt: skip
        ctx = wire(
            policy, store=store, hasher=hasher, customers=customers, senders=senders, signals=signals,
            services=services, seeds=seeds, observer=observer, clock=clock or utc_now, tenant=tenant,
            runner=AsyncRunner(),
        )  # fmt: skip
        object.__setattr__(self, "_ctx", ctx)

    async def ready(self) -> None:
        """See `Verifier.ready`."""
        await self._ctx.verb(self._ctx.store.ready, self._ctx.moment())

    async def open(
        self, subject: str, *, action: str, call: Call, stake: Stake | None = None, locale: str | None = None,
        entries: Collection[Entry] | None = None, request_id: str | None = None,
    ) -> Step:  # fmt: skip
        """See `Verifier.open`."""
        wanted = Opening(
            subject=subject, action=action, stake=stake, locale=locale, entries=entries, request_id=request_id
        )
        return await open_run(self._ctx, wanted, call=call)

    async def respond(self, challenge_id: str, answer: str, *, call: Call) -> Step:
        """See `Verifier.respond`."""
        answer = Secret(answer)  # type: ignore[assignment]
        return await answering.respond(self._ctx, challenge_id, answer, call=call)  # type: ignore[arg-type]

    async def decline(self, challenge_id: str, *, call: Call) -> Step:
        """See `Verifier.decline`."""
        return await asking.decline(self._ctx, challenge_id, call=call)

    async def resend(self, challenge_id: str, *, call: Call) -> Step:
        """See `Verifier.resend`."""
        return await asking.resend(self._ctx, challenge_id, call=call)

    async def status(self, session_id: str, *, call: Call) -> Step:
        """See `Verifier.status`."""
        return await moving.status(self._ctx, session_id, call=call)

    async def step_up(
        self, session_id: str, *, action: str, call: Call, stake: Stake | None = None, request_id: str | None = None
    ) -> Step:
        """See `Verifier.step_up`."""
        return await moving.step_up(self._ctx, session_id, action=action, call=call, stake=stake, request_id=request_id)

    async def transfer(self, session_id: str, *, call: Call, entries: Collection[Entry] | None = None) -> Step:
        """See `Verifier.transfer`."""
        return await moving.transfer(self._ctx, session_id, call=call, entries=entries)

    async def cancel(self, session_id: str, *, call: Call) -> Step:
        """See `Verifier.cancel`."""
        return await moving.cancel(self._ctx, session_id, call=call)

    async def explain(self, session_id: str, *, call: Call) -> Decision:
        """See `Verifier.explain`."""
        return await moving.explain(self._ctx, session_id, call=call)

    async def redeem(
        self, grant: Grant | str, *, subject: str, action: str, call: Call, stake: Stake | None = None,
        request_id: str | None = None,
    ) -> Step:  # fmt: skip
        """See `Verifier.redeem`."""
        token = redeeming.token_of(grant)
        del grant  # a traceback of what follows must not show it
        return await redeeming.redeem(
            self._ctx, token, subject=subject, action=action, call=call, stake=stake, request_id=request_id
        )

    async def close(self) -> None:
        """See `Verifier.close`."""
        await self._ctx.verb(self._ctx.store.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
