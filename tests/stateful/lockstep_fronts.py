"""One front of the library over its own store, with doubles of the host's services around it."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kyc_verify.call import Contact, Customer
from kyc_verify.enrollment import AsyncEnroller, Enroller
from kyc_verify.errors import KycVerifyError
from kyc_verify.hashing import Keyring
from kyc_verify.policy import Policy
from kyc_verify.ports import Message
from kyc_verify.terms import Outcome
from kyc_verify.testing import CheapHasher, FakeClock
from kyc_verify.verifier import AsyncVerifier, Verifier
from tests.kinds import opened

__all__ = ["TENANTS", "Crm", "Front"]

TENANTS = ("north", "south")


class InlineHasher(CheapHasher):
    """Hashes in the caller's own thread."""

    __slots__ = ()
    inline = True


class Crm:
    """The CRM: plain records for the model, Customers for the library."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def get(self, subject: str) -> Customer | None:
        record = self.records.get(subject)
        if record is None:
            return None
        contact = Contact(number=record["number"], since=record["since"], shared=record["shared"])
        return Customer(active=record["active"], contacts=(contact,))


class Gateway:
    """A sender and a service: it keeps codes by message key."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}
        self.app: str | None = None

    def send(self, message: Message) -> str:
        found = re.search(r"(?<!\d)\d{6}(?!\d)", message.text)
        self.codes[message.key] = found.group() if found else ""
        return "handle"

    def check(self, handle: str, code: str) -> Outcome | None:
        del handle, code
        return None if self.app is None else Outcome(self.app)


class Source:
    """A signal source that says what it is told to."""

    value: str = "pass"

    def get(self, query: object) -> object:
        del query
        if self.value == "error":
            raise OSError
        return self.value


class Awaited:
    """The same object with coroutine functions: what an event loop calls without threads."""

    def __init__(self, inner: Any) -> None:
        for name, verb in inspect.getmembers(inner, callable):
            if not name.startswith("_"):
                setattr(self, name, self._awaited(verb))

    @staticmethod
    def _awaited(verb: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return verb(*args, **kwargs)

        return call


class Front:
    """One front over its own store, for both tenants."""

    def __init__(
        self, policy: Policy, crm: Crm, clock: FakeClock, *, kind: str, path: Path | None, over: str = "sqlite"
    ) -> None:
        self.policy, self.crm, self.clock, self.kind, self.path, self.over = policy, crm, clock, kind, path, over
        self.store = self._made()
        self.gateway, self.source = Gateway(), Source()
        self.hasher = InlineHasher(Keyring({"test": bytes(range(32))}))
        self.ids: dict[int, str] = {}
        self.tokens: dict[int, Any] = {}
        self.loop = asyncio.new_event_loop() if kind == "async" else None
        self.restart()

    def _made(self) -> Any:
        return opened("memory", Path()) if self.path is None else opened(self.over, self.path)

    def restart(self) -> None:
        """Make everything anew that does not live in the store, and open the file again."""
        if self.path is not None:
            self.store.close()
            self.store = self._made()
        wrap = Awaited if self.kind == "async" and self.path is None else (lambda port: port)
        ports = {
            "senders": {"sms": wrap(self.gateway)},
            "services": {"app": wrap(self.gateway)},
            "signals": {"carrier": wrap(self.source)},
            "customers": wrap(self.crm),
        }
        verifier, enroller = (AsyncVerifier, AsyncEnroller) if self.kind == "async" else (Verifier, Enroller)
        common = {"store": wrap(self.store), "hasher": self.hasher, "clock": self.clock}
        self.verifiers = {t: verifier(self.policy, tenant=t, **common, **ports) for t in TENANTS}
        self.enrollers = {t: enroller(self.policy, tenant=t, **common) for t in TENANTS}

    def run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a verb; returns the Step (or what it returns) and None, or None and the error."""
        try:
            found = verb(*args, **kwargs)
            return (self.loop.run_until_complete(found) if self.loop else found), None
        except KycVerifyError as error:
            return None, error

    def state(self, tenant: str, session: str) -> dict[str, Any]:
        """Return a session's state as it is stored."""
        return json.loads(self.store.load(tenant, session, self.clock.now).session.state)

    def close(self) -> None:
        self.store.close()
        if self.loop:
            self.loop.close()
