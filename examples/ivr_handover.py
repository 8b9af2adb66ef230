"""One call, two legs: a machine that only takes digits, then an agent; what was shown on the first leg is kept.

Run it: ``python examples/ivr_handover.py``.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from kyc_verify import (
    Call,
    Contact,
    Customer,
    Enroller,
    Entry,
    Keyring,
    Policy,
    Requirement,
    SecretHasher,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.stores import SQLiteStore

policy = Policy(
    name="telecom",
    checks=[
        checks.CallerNumber(),
        checks.Pin(),
        checks.AccountTenure(),
        checks.SecretAnswer(
            "first_school", {"en": "Which was your first school?", "fr": "Quelle était votre première école ?"}
        ),
    ],
    actions={"read_bill": Requirement(bits=1), "call_detail": Requirement(bits=2, accept="lossless")},
)


class Crm:
    """One customer, who speaks French."""

    def get(self, subject: str) -> Customer | None:
        if subject != "cust-7":
            return None
        since = datetime(2015, 1, 1, tzinfo=UTC)
        return Customer(language="fr", contacts=(Contact(number="+33612345678", since=since),))


def main(hasher: SecretHasher | None = None) -> int:
    """Play the call; 0 when it ends as it must."""
    hasher = hasher or SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
        opened = date.today() - timedelta(days=8 * 365)  # noqa: DTZ011 - a CRM's own calendar
        facts = {"pin": "4729", "account_tenure": opened, "first_school": "École des Tilleuls"}
        Enroller(policy, store=store, hasher=hasher).enroll("cust-7", facts, by="crm-import")
        verifier = Verifier(policy, store=store, hasher=hasher, customers=Crm())

        machine = Call(id="call-9", agent="ivr-1", number="+33612345678")
        step = verifier.open("cust-7", action="call_detail", call=machine, entries={Entry.DIGITS})
        while step.challenge:
            print(f"machine: {step.challenge.text}  [keypad: 4729]")
            step = verifier.respond(step.challenge.id, "4729", call=machine)
        print(f"machine: {step.verdict.value}: {step.reasons[0]}")
        if step.verdict is not Verdict.STEP_UP:
            return 1

        agent = Call(id="call-9", agent="agent-3", number="+33612345678")
        step = verifier.transfer(step.session_id, call=agent)
        said = {"account_tenure": "ça fait huit ans", "first_school": "ecole des tilleuls"}
        while step.challenge:
            print(f"agent:   {step.challenge.text}  [caller: {said[step.challenge.check]}]")
            step = verifier.respond(step.challenge.id, said[step.challenge.check], call=agent)
        print(f"agent:   {step.verdict.value}: {step.reasons[0]}")
        return 0 if step.verdict is Verdict.VERIFIED else 1


if __name__ == "__main__":
    sys.exit(main())
