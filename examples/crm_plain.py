"""A CRM without any framework: enroll a customer, verify a caller, act on a single-use grant.

Run it: ``python examples/crm_plain.py``. It needs nothing but the library: the CRM, the carrier, the text message
gateway and the app are a few lines each below, where yours would be.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from kyc_verify import (
    Call,
    Contact,
    Customer,
    Enroller,
    Keyring,
    Message,
    NotVerified,
    Outcome,
    Policy,
    Requirement,
    SecretHasher,
    SignalQuery,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.stores import SQLiteStore

policy = Policy(
    name="retail-bank",
    checks=[
        checks.CallerNumber(),  # passive: 0 s on the call
        checks.SimSwap(),  # passive: was the SIM changed lately?
        checks.AccountTenure(),  # "How long have you had this account?"
        checks.Pin(),
        checks.AppConfirmation(),  # a tap in the customer's app
        checks.OneTimeCode(channel="sms"),
    ],
    actions={
        "opening_hours": Requirement.none(),
        "read_balance": Requirement(bits=2),
        "change_phone": Requirement(bits=3, factors=2, accept="lossless"),
    },
)

NUMBER = "+33612345678"


class Crm:
    """Your customers: one method."""

    def get(self, subject: str) -> Customer | None:
        if subject != "cust-42":
            return None
        known_since = datetime(2019, 3, 14, tzinfo=UTC)
        return Customer(language="en", contacts=(Contact(number=NUMBER, since=known_since),))


class Gateway:
    """Your text message gateway; here the customer's telephone is beside it."""

    def __init__(self) -> None:
        self.telephone: list[str] = []

    def send(self, message: Message) -> None:
        self.telephone.append(message.text)


class Carrier:
    """What your carrier says of a number: whether its SIM was changed within a week."""

    def get(self, query: SignalQuery) -> bool:
        return query.number != NUMBER


class App:
    """Your app's push service; here the customer taps "yes"."""

    def send(self, message: Message) -> str:
        return f"push-{message.key}"

    def check(self, handle: str, code: str) -> Outcome | None:
        return Outcome.PASS


def caller(gateway: Gateway, **said: str) -> Callable[[str, str], str]:
    """Somebody on the phone, who says these things and reads out the code that arrives."""

    def answer(check: str, question: str) -> str:
        words = gateway.telephone[-1].split()[-1] if check == "one_time_code" else said[check]
        print(f"    agent:  {question}")
        print(f"    caller: {words}")
        return words

    return answer


def main(hasher: SecretHasher | None = None) -> int:
    """Play three calls; 0 when they end as they must."""
    # In production: Keyring.from_env(), the pepper from a vault, never beside the database.
    hasher = hasher or SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
    gateway, crm = Gateway(), Crm()
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
        enroller = Enroller(policy, store=store, hasher=hasher)
        opened = date.today() - timedelta(days=5 * 365)  # noqa: DTZ011 - a CRM's own calendar
        # A fact's key is the id of the check that asks for it.
        enroller.enroll("cust-42", {"account_tenure": opened, "pin": "4729"}, by="crm-import")
        verifier = Verifier(
            policy,
            store=store,
            hasher=hasher,
            customers=crm,
            senders={"sms": gateway},
            signals={"sim_swap": Carrier()},
            services={"app": App()},
        )
        genuine = caller(gateway, account_tenure="about five years", pin="4729", app_confirmation="done")
        stranger = caller(gateway, account_tenure="since 2012", pin="1234", app_confirmation="done")

        print("A customer wants a new phone number on record.")
        call = Call(id="call-881", agent="agent-7", number=NUMBER)
        step = verifier.open("cust-42", action="change_phone", call=call)
        while step.challenge:
            said = genuine(step.challenge.check, step.challenge.text)
            step = verifier.respond(step.challenge.id, said, call=call)
        print(f"  {step.verdict.value}: {step.reasons[0]}")
        verifier.redeem(step.require(), subject="cust-42", action="change_phone", call=call)
        print("  The grant was redeemed: the CRM may change the number now, once.")

        print("An auditor asks why.")
        auditor = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))
        print(verifier.explain(step.session_id, call=auditor).table())

        print("A stranger asks for the balance of a customer who does not exist.")
        call = Call(id="call-882", agent="agent-7", number="+33698765432")
        second = verifier.open("cust-43", action="read_balance", call=call)
        asked = 0
        while second.challenge and asked < 3:
            said = stranger(second.challenge.check, second.challenge.text)
            second = verifier.respond(second.challenge.id, said, call=call)
            asked += 1
        second = verifier.cancel(second.session_id, call=call)
        try:
            second.require()
        except NotVerified as refused:
            print(f"  {refused.reason}: no grant, and nothing said whether there is such a customer.")
        return 0 if step.verdict is Verdict.VERIFIED and second.verdict is Verdict.DENIED else 1


if __name__ == "__main__":
    sys.exit(main())
