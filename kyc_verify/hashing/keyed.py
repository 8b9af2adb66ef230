"""What is keyed and fast: codes, grants, fingerprints of numbers, and names that mean nothing without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final, TypedDict, Unpack

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.hashing.keyring import Closed, Keyring, Label
from kyc_verify.hashing.tags import count, frame, mac, text
from kyc_verify.terms import MAX_ANSWER, Secret

__all__ = ["CodeContext", "KeyedTags"]

_FEWEST_DIGITS: Final = 6  # NIST SP 800-63B-4 section 3.1.3.2
_MOST_DIGITS: Final = 10
_GRANT: Final = 16


class CodeContext(TypedDict):
    """What a one-time code is bound to.

    Attributes:
        tenant: Whose customer.
        subject: Which customer.
        check: Id of the check that sent it.
        session: In which session.
        send: Which send of the check in that session, from 0.
        purpose: The action it was sent for.
        stake: `Stake.text()` (amount, currency, payee); empty when nothing is moved.
    """

    tenant: str
    subject: str
    check: str
    session: str
    send: int
    purpose: str
    stake: str


def _code_context(*, tenant: str, subject: str, check: str, session: str, send: int, purpose: str, stake: str) -> bytes:
    where = (text(tenant, "tenant"), text(subject, "subject"), text(check, "check"), text(session, "session"))
    return frame(*where, count(send, "send"), text(purpose, "purpose"), text(stake, "stake", empty=True))


def _code(code: Secret | str) -> Secret:
    return code if isinstance(code, Secret) else Secret(code)


class KeyedTags(Closed):
    """Fast keyed tags; what is short, guessable and long-lived goes through `SecretHasher`'s slow hash instead."""

    __slots__ = ("_keyring",)

    def __init__(self, keyring: Keyring) -> None:
        given: object = keyring
        if not isinstance(given, Keyring):
            msg = "a hasher needs a Keyring, as in SecretHasher(Keyring.from_env())"
            raise ConfigurationError(msg)
        self._keyring = given

    @property
    def keyring(self) -> Keyring:
        """The keyring; it shows ids only."""
        return self._keyring

    @staticmethod
    def new_code(digits: int = 6) -> Secret:
        """Draw a one-time code of 6 to 10 digits, leading zeros kept, from the operating system's generator."""
        if not _FEWEST_DIGITS <= count(digits, "digits") <= _MOST_DIGITS:
            msg = f"a code has {_FEWEST_DIGITS} to {_MOST_DIGITS} digits"
            raise UsageError(msg)
        return Secret(f"{secrets.randbelow(10**digits):0{digits}d}")

    def code_tag(self, code: Secret | str, **about: Unpack[CodeContext]) -> str:
        """Return what is stored of a code: the key's id and a tag over the code and all it is bound to."""
        context = _code_context(**about)
        return self._code_tag(_code(code), context, self._keyring.active)

    def _code_tag(self, code: Secret, context: bytes, key_id: str) -> str:
        return f"{key_id}${mac(self._keyring.key(Label.CODE, key_id), 'code', context, code.reveal()).hex()}"

    def code_matches(self, tag: str, code: Secret | str, **about: Unpack[CodeContext]) -> bool:
        """Whether a code, its digits already in one spelling, is the one of the tag, for this very context.

        A damaged tag, one whose key is no longer a pepper, and an overlong code match nothing.
        """
        context, said = _code_context(**about), _code(code)
        key_id = text(tag, "tag").partition("$")[0]
        if key_id not in self._keyring.peppers or len(said) > MAX_ANSWER:
            return False
        return hmac.compare_digest(self._code_tag(said, context, key_id).encode(), tag.encode("utf-8", "surrogatepass"))

    def grant_token(self, session: str, turn: int, *, key_id: str | None = None) -> str:
        """Derive a grant's token: 128 bits in text, the same every time for one session, turn and key.

        Args:
            session: Id of the session.
            turn: Turn that earned it.
            key_id: Key it was first derived with; None: the active one. Keep it with the session, so that the same
                token can be given again after a rotation.

        Raises:
            ConfigurationError: the key is no longer in the keyring.
        """
        where = frame(text(session, "session"), count(turn, "turn"))
        tag = mac(self._keyring.key(Label.GRANT, key_id), "grant", where)[:_GRANT]
        return base64.urlsafe_b64encode(tag).decode().rstrip("=")

    @staticmethod
    def grant_digest(token: str) -> bytes:
        """Return what is stored of a token: SHA-256; a guess at 128 bits is hopeless without salt or cost."""
        return hashlib.sha256(text(token, "token").encode("utf-8", "surrogatepass")).digest()

    def number_fingerprints(self, number: str, *, tenant: str, subject: str, extension: str = "") -> tuple[str, ...]:
        """Return a number's fingerprints under every key, the active one's first.

        Store the first; a number is known when any of them is. A fingerprint is bound to the customer: the same number
        of two customers has two.

        Args:
            number: In E.164, or an address in its one spelling.
            tenant: Whose customer.
            subject: Which customer.
            extension: Behind a switchboard; empty without.
        """
        whose = text(tenant, "tenant"), text(subject, "subject")
        what = frame(*whose, text(number, "number"), text(extension, "extension", empty=True))
        keys = ((key_id, self._keyring.key(Label.CONTACT, key_id)) for key_id in self._keyring.ids)
        return tuple(f"{key_id}${mac(key, 'number', what).hex()[:32]}" for key_id, key in keys)

    def window_key(self, label: str, *parts: str | int) -> str:
        """Name a budget or a run count: 32 hexadecimal digits.

        Made with the keyring's last entry, because a name that changed with the active key would refill every budget.
        """
        what = frame(text(label, "label"), *parts)
        return mac(self._keyring.key(Label.WINDOW, self._keyring.oldest), "window", what).hex()[:32]

    def order_draw(self, *parts: str | int) -> bytes:
        """Draw 32 bytes that only the key tells from random, the same every time for the same parts.

        Made with the last entry too: an unknown subject whose draws changed at a rotation would be told by it.
        """
        what = frame(*parts)
        return mac(self._keyring.key(Label.ORDER, self._keyring.oldest), "order", what)

    def chain_key(self) -> tuple[str, bytes]:
        """Return the id and the key that new audit records are sealed with."""
        return self._keyring.active, self._keyring.key(Label.CHAIN)
