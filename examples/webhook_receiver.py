"""What a service must check that gets codes from `WebhookSender`, with the standard library alone.

Take the body as it came, before anything reads it as JSON. The example carries its own tests: run it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


class SignatureError(Exception):
    """The request is not from whom it should be; answer 401 and say no more."""


class Receiver:
    """Takes messages, each once.

    Args:
        secret: Shared with the sender.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._taken: set[str] = set()  # yours: a table with a unique key, kept for a day

    def take(self, headers: dict[str, str], body: bytes, *, now: datetime) -> dict[str, str] | None:
        """Return the message to send on, or None where it was taken before.

        Raises:
            SignatureError: the signature is not right, or too old.
        """
        found = SIGNATURE.fullmatch(headers.get("kyc-verify-signature", ""))
        if found is None:
            raise SignatureError
        at, tag = found.groups()
        right = hmac.new(self._secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, tag):
            raise SignatureError
        if abs(now.timestamp() - int(at)) > TOLERANCE.total_seconds():
            raise SignatureError
        message = json.loads(body)
        # The key stands in the body as well, where the signature covers it.
        if headers.get("idempotency-key") != message["key"]:
            raise SignatureError
        if message["key"] in self._taken:
            return None
        self._taken.add(message["key"])
        return message


def signed(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    """Sign as the sender does."""
    seconds = int(at.timestamp())
    tag = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"kyc-verify-signature": f"t={seconds},v1={tag}", "idempotency-key": json.loads(body)["key"]}


def refused(receiver: Receiver, headers: dict[str, str], body: bytes, now: datetime) -> bool:
    """Whether a request is refused."""
    try:
        receiver.take(headers, body, now=now)
    except SignatureError:
        return True
    return False


def main() -> None:
    secret, now = bytes(range(32)), datetime(2031, 6, 15, tzinfo=UTC)
    body = json.dumps({"channel": "sms", "destination": "+33612345678", "text": "Code: 048213", "key": "s.1"}).encode()
    headers = signed(secret, body, now)
    receiver = Receiver(secret)

    taken = receiver.take(headers, body, now=now)
    assert taken is not None
    assert taken["destination"] == "+33612345678"
    assert receiver.take(headers, body, now=now) is None  # sent again: the same message, taken once

    other = body.replace(b"+33612345678", b"+33698765432")
    late = now + TOLERANCE + timedelta(seconds=1)
    assert refused(receiver, headers, other, now)
    assert refused(receiver, headers, body, late)
    assert refused(receiver, signed(bytes(32), body, now), body, now)
    assert refused(receiver, headers | {"idempotency-key": "s.2"}, body, now)
    assert refused(receiver, {}, body, now)
    print("taken once, and refused five times")


if __name__ == "__main__":
    main()
