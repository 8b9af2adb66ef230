"""One call, two legs: a machine that only takes keys, then an agent; what was shown on the first leg is kept.

The caller types PIN and tenure, so that no agent hears them; the question that needs words is left to the agent. What
was shown is bound to the call: another call, of the same caller even, finds nothing of it.

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
    Keyring,
    Policy,
    Requirement,
    SecretHasher,
    Step,
    UnknownSession,
    Verdict,
    Verifier,
    checks,
    keypad,
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


class Line:
    """The telephony: plays a prompt, and reports keys with their times. Here the caller is a script."""

    def __init__(self) -> None:
        # A card number, which is refused; a slip, mended with a star; then eight years.
        self.pressed = iter(["4000000000000002#", "47*4729#", "0800"])

    def play(self, text: str) -> None:
        print(f"machine: {text}")

    def heard(self) -> list[tuple[str, datetime]]:
        return [(key, datetime.now(UTC)) for key in next(self.pressed)]


def by_keypad(verifier: Verifier, step: Step, call: Call, line: Line) -> Step:
    """Put one question to the caller, again until it is answered, and give the answer on; nobody hears or sees it."""
    assert step.challenge is not None
    pad = keypad.Keypad.of(step.challenge, now=datetime.now(UTC), locale="fr")
    while pad.state is not keypad.KeypadState.DONE:
        if pad.state is not keypad.KeypadState.OPEN:
            line.play(pad.hint)
            if pad.reason is keypad.KeypadReason.SECURITY_CODE:
                return verifier.decline(step.challenge.id, call=call)
        pad = pad.again(now=datetime.now(UTC))
        line.play(pad.prompt)
        for key, at in line.heard():
            pad = pad.press(key, now=at)
        pad = pad.at(datetime.now(UTC))
    return verifier.respond(step.challenge.id, pad.answer.reveal(), call=call)


def main(hasher: SecretHasher | None = None) -> int:
    """Play the call; 0 when it ends as it must."""
    hasher = hasher or SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
        opened = date.today() - timedelta(days=8 * 365)  # noqa: DTZ011 - a CRM's own calendar
        facts = {"pin": "4729", "account_tenure": opened, "first_school": "École des Tilleuls"}
        Enroller(policy, store=store, hasher=hasher).enroll("cust-7", facts, by="crm-import")
        verifier = Verifier(policy, store=store, hasher=hasher, customers=Crm())

        machine, line = Call(id="call-9", agent="ivr-1", number="+33612345678"), Line()
        step = verifier.open("cust-7", action="call_detail", call=machine, entries=keypad.ENTRIES)
        while step.challenge:
            step = by_keypad(verifier, step, machine, line)
        print(f"machine: {step.verdict.value}: {step.reasons[0]}")
        if step.verdict is not Verdict.STEP_UP:
            return 1

        try:
            verifier.transfer(step.session_id, call=Call(id="call-10", agent="agent-3"))
        except UnknownSession:
            print("agent:   in another call there is nothing of it")
        agent = Call(id="call-9", agent="agent-3", number="+33612345678")
        step = verifier.transfer(step.session_id, call=agent)
        while step.challenge:
            print(f"agent:   {step.challenge.text}  [caller: ecole des tilleuls]")
            step = verifier.respond(step.challenge.id, "ecole des tilleuls", call=agent)
        print(f"agent:   {step.verdict.value}: {step.reasons[0]}")
        return 0 if step.verdict is Verdict.VERIFIED else 1


if __name__ == "__main__":
    sys.exit(main())
