"""An agent's screen in a terminal: type what the caller says.

Run it: ``python examples/terminal.py``. You play the caller: the account was opened in March 2019, the PIN is 4729, and
the code arrives above the question. Type ``?`` when you cannot recall, ``resend`` for a new code, ``quit`` to hang up.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from kyc_verify import (
    Call,
    Contact,
    Customer,
    Enroller,
    Keyring,
    Message,
    Policy,
    Requirement,
    SecretHasher,
    UsageError,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.stores import SQLiteStore

policy = Policy(
    name="terminal",
    checks=[checks.CallerNumber(), checks.AccountTenure(), checks.Pin(), checks.OneTimeCode(channel="sms")],
    actions={"read_balance": Requirement(bits=2)},
)


class Crm:
    """One customer."""

    def get(self, subject: str) -> Customer | None:
        since = datetime(2019, 3, 14, tzinfo=UTC)
        return Customer(contacts=(Contact(number="+33612345678", since=since),)) if subject == "cust-42" else None


class Telephone:
    """Shows what arrives on the customer's telephone."""

    def send(self, message: Message) -> None:
        print(f"\n    [customer's telephone] {message.text}\n")


def main(read: Callable[[str], str] = input, hasher: SecretHasher | None = None) -> int:
    """Verify one caller; 0 when verified, 1 when not."""
    hasher = hasher or SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
        Enroller(policy, store=store, hasher=hasher).enroll(
            "cust-42", {"account_tenure": date(2019, 3, 14), "pin": "4729"}, by="crm-import"
        )
        verifier = Verifier(policy, store=store, hasher=hasher, customers=Crm(), senders={"sms": Telephone()})
        call = Call(id="call-1", agent="agent-1", number="+33612345678")
        step = verifier.open("cust-42", action="read_balance", call=call)
        while step.challenge:
            print(step.reasons[0])
            said = read(f"{step.challenge.text} ")
            try:
                match said.strip():
                    case "?":
                        step = verifier.decline(step.challenge.id, call=call)
                    case "resend":
                        step = verifier.resend(step.challenge.id, call=call)
                    case "quit":
                        step = verifier.cancel(step.session_id, call=call)
                    case _:
                        step = verifier.respond(step.challenge.id, said, call=call)
            except UsageError as fault:
                print(fault)
        print(f"{step.verdict.value}: {step.reasons[0]}")
        return 0 if step.verdict is Verdict.VERIFIED else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (EOFError, KeyboardInterrupt):
        sys.exit("hung up")
