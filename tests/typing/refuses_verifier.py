"""What a CRM might write and a type checker must refuse."""

from __future__ import annotations

from kyc_verify import Call, Policy, Requirement, Step, Verifier, checks


def wrong(verifier: Verifier, call: Call, step: Step) -> None:
    verifier.open("cust-1", call=call)  # pyright: ignore[reportCallIssue]
    verifier.open("cust-1", "read", call=call)  # pyright: ignore[reportCallIssue]
    verifier.respond("id", 4729, call=call)  # pyright: ignore[reportArgumentType]
    verifier.redeem(step, subject="cust-1", action="read", call=call)  # pyright: ignore[reportArgumentType]
    step.verdict = "verified"  # pyright: ignore[reportAttributeAccessIssue]
    Call("call-1", "agent-1")  # pyright: ignore[reportCallIssue]
    Requirement(accept="sometimes")  # pyright: ignore[reportArgumentType]
    Policy(name="p", checks=checks.Pin(), actions={})  # pyright: ignore[reportArgumentType]
