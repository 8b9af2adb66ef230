"""A CRM's verification service with FastAPI; ``python examples/fastapi_app.py`` serves it on port 8000.

Who the agent is comes from the CRM's own log-in: here a token from a table, in life your session or your gateway.
"""

from __future__ import annotations

import secrets
from datetime import date
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException

from kyc_verify import AsyncVerifier, Call, Contact, Customer, Enroller, Keyring, Message, SecretHasher, profiles
from kyc_verify.integrations.fastapi import router
from kyc_verify.stores import MemoryStore

AGENTS = {"token-of-ada": "ada", "token-of-ben": "ben"}
CALLS = {"ada": Call(id="call-1", agent="ada", number="+33612345678", attestation="A")}
"""What the telephony says of who is speaking to whom."""


class Crm:
    """The customers."""

    def get(self, subject: str) -> Customer | None:
        """Return one, by exact id."""
        return Customer(contacts=(Contact(number="+33612345678"),)) if subject == "cust-42" else None


class Outbox:
    """In place of a gateway: the last message, for whoever tries this."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep it."""
        self.messages.append(message)


def call_of(authorization: Annotated[str, Header()] = "") -> Call:
    """Return the call that the logged-in agent handles."""
    agent = AGENTS.get(authorization.removeprefix("Bearer "))
    if agent is None:
        raise HTTPException(401, "log in first")
    return CALLS.get(agent) or Call(id=f"desk-{agent}", agent=agent)


def create_app(store: MemoryStore | None = None, outbox: Outbox | None = None) -> FastAPI:
    """Wire everything."""
    policy = profiles.everyday()
    hasher = SecretHasher(Keyring({"2031-01": secrets.token_bytes(32)}), profile="owasp")
    kept, sent = store or MemoryStore(), outbox or Outbox()
    Enroller(policy, store=kept, hasher=hasher).enroll(
        "cust-42", {"pin": "4937", "account_tenure": date(2019, 3, 14)}, by="crm-import"
    )

    class App:
        def send(self, message: Message) -> str:
            return message.key

        def check(self, handle: str, code: str) -> None:
            return None  # nobody taps here

    verifier = AsyncVerifier(
        policy, store=kept, hasher=hasher, customers=Crm(), senders={"sms": sent},
        signals={"sim_swap": NoSwap()}, services={"app": App()},
    )  # fmt: skip
    app = FastAPI(title="Verification")
    app.include_router(router(verifier, call=call_of))
    return app


class NoSwap:
    """In place of the carrier: nothing was changed."""

    def get(self, query: object) -> bool:
        """Say so."""
        del query
        return False


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(create_app(), host="127.0.0.1", port=8000)
