"""The demo's little world: a bank's dozen customers, a telephone, a carrier and an app, on a database of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from kyc_verify import audit
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.decision import Decision
from kyc_verify.enrollment import Enroller
from kyc_verify.hashing import Keyring, SecretHasher
from kyc_verify.policy import Policy
from kyc_verify.ports import Message, SignalQuery
from kyc_verify.profiles import bank
from kyc_verify.stores import SQLiteStore
from kyc_verify.terms import Outcome
from kyc_verify.verifier import Verifier

__all__ = ["Person", "World", "helped", "say"]


@cache
def _data() -> dict[str, Any]:
    shipped: dict[str, Any] = json.loads((files("kyc_verify") / "data" / "demo.json").read_bytes())
    return shipped


def say(key: str, lang: str, **values: str) -> str:
    """Return one of the demo's own texts."""
    return Template(_data()["texts"][key][lang]).substitute(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer of the demo's bank; invented, as their numbers are."""

    id: str
    name: str
    language: str
    number: str
    opened: date
    pin: str


class World:
    """Everything around the verifier; all of it is gone when the demo ends.

    Args:
        folder: Where the database goes.
        show: Shows what arrives on the customer's telephone.
        language: What everybody speaks; None: what each customer does.
        now: The present; the demo's accounts were opened some years before.
    """

    def __init__(self, folder: str, *, show: Callable[[str], None], language: str | None, now: datetime) -> None:
        self.policy: Policy = bank()
        self.show, self.language, self.now = show, language, now
        self.people = {each["id"]: _person(each, now) for each in _data()["customers"]}
        self.telephone: list[str] = []
        self.swapped: set[str] = set()
        self.tap: Callable[[], Outcome | None] = lambda: Outcome.FAIL
        self.hasher = SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
        self.store = SQLiteStore(Path(folder) / "demo.db")
        self.verifier = Verifier(
            self.policy,
            store=self.store,
            hasher=self.hasher,
            customers=self,
            senders={"sms": self},
            signals={"sim_swap": _Carrier(self)},
            services={"app": _App(self)},
            clock=lambda: self.now,
        )
        enroller = Enroller(
            self.policy, store=self.store, hasher=self.hasher, clock=lambda: self.now - timedelta(days=90)
        )
        for person in self.people.values():
            enroller.enroll(person.id, {"account_tenure": person.opened, "pin": person.pin}, by="crm-import")

    def get(self, subject: str) -> Customer | None:
        """Be the CRM."""
        person = self.people.get(subject)
        if person is None:
            return None
        since = datetime(person.opened.year, person.opened.month, 1, tzinfo=UTC)
        contact = Contact(number=person.number, since=since)
        return Customer(language=self.language or person.language, contacts=(contact,))

    def send(self, message: Message) -> None:
        """Be the text message gateway, and the telephone at its end."""
        self.telephone.append(message.text)
        self.show(message.text)

    def code(self) -> str:
        """Return the code of the newest message."""
        return self.telephone[-1].split()[-1] if self.telephone else ""

    def explain(self, session: str) -> Decision:
        """Be the auditor."""
        return self.verifier.explain(session, call=Call(id="audit", agent="auditor", roles=frozenset({"auditor"})))

    def chain(self) -> audit.ChainReport:
        """Check the audit log against its own newest record, as an auditor does who kept it."""
        records = list(self.store.records("default", 0, 10_000))
        key_id, key = self.hasher.chain_key()
        anchor = audit.Anchor(tenant="default", seq=records[-1].seq, mac=records[-1].mac)
        return audit.verify(records, tenant="default", keys={key_id: key}, anchor=anchor)


class _Carrier:
    """Says whose SIM was changed within a week."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, query: SignalQuery) -> bool:
        return query.number in self._world.swapped


class _App:
    """Asks the customer in the app."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, message: Message) -> str:
        self._world.show(message.text)
        return f"push-{message.key}"

    def check(self, handle: str, code: str) -> Outcome | None:
        del handle, code
        return self._world.tap()


def _person(each: dict[str, Any], now: datetime) -> Person:
    years, month = each["opened"]
    return Person(
        id=each["id"],
        name=each["name"],
        language=each["language"],
        number=each["number"],
        opened=date(now.year - years, month, 14),
        pin=each["pin"],
    )


def helped(policy: Policy, decision: Decision) -> tuple[str, float] | None:
    """Return the check whose pass would have added most against the weakest class, and the bits; None when verified."""
    if decision.missing == ():
        return None
    outcomes = {item.check: item.outcome for item in decision.evidence}
    table, gains = policy.table, {}
    for check in policy.asked(policy.requirement(decision.action)[0]):
        if outcomes.get(check.id) is not Outcome.PASS:
            gains[check.id] = table.centibits({**outcomes, check.id: Outcome.PASS}) - table.centibits(outcomes)
    best = max(gains, key=lambda name: gains[name], default=None)
    return None if best is None else (best, gains[best] / 100)
