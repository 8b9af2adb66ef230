"""Codes of an authenticator app (RFC 6238), and the seeds they come from.

A seed is a key, not an answer: it must be read again for every code, so it can be no hash and is never a credential. It
comes from the host's vault in clear, as a `Secret`, or from the host's database sealed here: AES-256-GCM under a key of
the `Keyring`, bound to tenant, customer and check, so that one customer's sealed seed is nothing for another. Neither a
seed nor a code is in a state, a record, a message or a repr.

Needs ``pip install "kyc-verify[totp]"``; both libraries are loaded on first use.

Example:
    >>> new_seed()
    Secret(***)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from kyc_verify.errors import MissingExtraError, UsageError
from kyc_verify.hashing.keyring import Keyring, Label
from kyc_verify.hashing.tags import frame, text
from kyc_verify.terms import Secret

__all__ = [
    "ALGORITHMS", "STEP", "canonical", "code_at", "key_of", "matched", "new_seed", "open_seed", "provisioning_uri",
    "ready", "seal_seed",
]  # fmt: skip

STEP: Final = timedelta(seconds=30)
"""One time step: RFC 6238 section 4.2; ASVS 5.0 6.5.5 allows no longer one."""
ALGORITHMS: Final[Mapping[str, int]] = MappingProxyType({"sha1": 20, "sha256": 32, "sha512": 64})
"""Hash functions, and the bytes of a new seed for each: as many as its output has (RFC 6238 section 5.1)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HASHES: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
)
_DIGITS: Final = (6, 8)
_LEAST: Final = 14  # 112 bits: NIST SP 800-63B-4 section 3.1.4.1
_MOST: Final = 128
_WIDEST: Final = 1  # RFC 6238 section 5.2: at most one step
_SEALED: Final = re.compile(r"seed1\$([A-Za-z0-9._-]{1,32})\$([A-Za-z0-9_-]{40,400})")
_NONCE: Final = 12  # NIST SP 800-38D section 8.2.2: 96 random bits
_SPACES: Final = re.compile(r"[\s-]+")
_NOT_A_SEED: Final = f"a seed is base32 text of {_LEAST} to {_MOST} bytes, as an authenticator app takes it"
_UNOPENED: Final = "this sealed seed is damaged, another customer's or check's, or its key is no longer a pepper"


def ready() -> None:
    """Load the libraries, so that a missing one is found at the start.

    Raises:
        MissingExtraError: pyotp or cryptography is not installed.
    """
    _pyotp()
    _aesgcm()


def _pyotp() -> Any:  # noqa: ANN401 - a module of an extra
    try:
        import pyotp  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        extra = "totp"
        raise MissingExtraError(extra, "pyotp") from error
    return pyotp


def _aesgcm() -> Any:  # noqa: ANN401 - a class of an extra
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        extra = "totp"
        raise MissingExtraError(extra, "cryptography") from error
    return AESGCM


# ── Seeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_seed(algorithm: str = "sha1") -> Secret:
    """Draw a seed from the operating system's generator: base32, as an authenticator app takes it.

    Raises:
        UsageError: no such algorithm.
    """
    return Secret(base64.b32encode(secrets.token_bytes(ALGORITHMS[_algorithm(algorithm)])).decode().rstrip("="))


def canonical(seed: object) -> Secret:
    """Return the one spelling of a seed: capitals, without spaces, hyphens or padding.

    Raises:
        UsageError: it is no `Secret`, no base32, shorter than 112 bits or longer than 128 bytes.
    """
    if not isinstance(seed, Secret):
        msg = "a seed in clear must be a Secret, so that no log shows it"
        raise UsageError(msg)
    size = 0
    if len(seed) <= 2 * _MOST:
        try:
            size = len(_bytes(seed))
        except ValueError:
            size = 0
    if not _LEAST <= size <= _MOST:
        raise UsageError(_NOT_A_SEED)  # from here, where no frame holds a seed and no context quotes one
    return Secret(base64.b32encode(_bytes(seed)).decode().rstrip("="))


def _bytes(seed: Secret) -> bytes:
    return base64.b32decode(_padded(_SPACES.sub("", seed.reveal()).rstrip("=").upper()))


def _padded(bare: str) -> str:
    return bare + "=" * (-len(bare) % 8)


def provisioning_uri(
    seed: Secret, *, account: str, issuer: str, digits: int = 6, algorithm: str = "sha1"
) -> Secret:  # fmt: skip
    """Return the ``otpauth://`` address that an app reads as a QR code; it holds the seed.

    Args:
        seed: Of the customer.
        account: What the app shows it as: nothing that names the customer.
        issuer: The company.
        digits: As the check's.
        algorithm: As the check's.

    Raises:
        UsageError: what is no seed, or an empty name.
        MissingExtraError: pyotp is not installed.
    """
    name, issued = text(account, "account"), text(issuer, "issuer")
    return Secret(_totp(seed, _digits(digits), algorithm).provisioning_uri(name=name, issuer_name=issued))


def seal_seed(seed: Secret, *, keyring: Keyring, tenant: str, subject: str, check: str) -> str:
    """Seal a seed for the host's own database: text that `open_seed` opens for the same customer and check only.

    Raises:
        UsageError: what is no seed, or an empty name.
        MissingExtraError: cryptography is not installed.

    Security:
        Without the keyring it is noise. It is not tied to one version: an older sealed seed of the same customer opens
        too, and the steps that were accepted of it stay used.
    """
    key_id, nonce = keyring.active, secrets.token_bytes(_NONCE)
    sealed = _aesgcm()(keyring.key(Label.SEED, key_id)).encrypt(
        nonce, canonical(seed).reveal().encode(), _context(key_id, tenant=tenant, subject=subject, check=check)
    )
    return f"seed1${key_id}${base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"


def open_seed(sealed: str, *, keyring: Keyring, tenant: str, subject: str, check: str) -> Secret:
    """Open what `seal_seed` sealed. To rotate keys, open and seal again.

    Raises:
        UsageError: it is damaged, another customer's or check's, or its key is archived or gone; it never says which.
        MissingExtraError: cryptography is not installed.
    """
    found = _SEALED.fullmatch(sealed) if type(sealed) is str else None
    cipher = _aesgcm()
    opened = None
    if found is not None and found[1] in keyring.peppers:
        context = _context(found[1], tenant=tenant, subject=subject, check=check)
        opened = _opened(cipher(keyring.key(Label.SEED, found[1])), found[2], context)
    if opened is None:
        raise UsageError(_UNOPENED)
    return opened


def _opened(cipher: Any, body: str, context: bytes) -> Secret | None:  # noqa: ANN401 - a class of an extra
    try:
        kept = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        return canonical(Secret(cipher.decrypt(kept[:_NONCE], kept[_NONCE:], context).decode()))
    except Exception:  # noqa: BLE001 - InvalidTag, or whatever else a damaged one gives
        return None


def key_of(sealed: object) -> str | None:
    """Return the id of the key that a seed was sealed with; None for what is no sealed seed."""
    found = _SEALED.fullmatch(sealed) if type(sealed) is str else None
    return None if found is None else found[1]


def _context(key_id: str, *, tenant: str, subject: str, check: str) -> bytes:
    return frame("seed", 1, key_id, text(tenant, "tenant"), text(subject, "subject"), text(check, "check"))


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def code_at(seed: Secret, now: datetime, *, digits: int = 6, algorithm: str = "sha1") -> Secret:
    """Return the code of the present step: for the desk that hands out authenticators, and for tests.

    Raises:
        UsageError: what is no seed, or a time before 1970.
        MissingExtraError: pyotp is not installed.
    """
    step = _step(now)
    if step < 0:
        msg = "codes begin in 1970; check the clock"
        raise UsageError(msg)
    return Secret(_totp(seed, _digits(digits), algorithm).generate_otp(step))


def matched(
    seed: Secret, code: Secret, *, now: datetime, digits: int = 6, algorithm: str = "sha1", window: int = 1
) -> datetime | None:  # fmt: skip
    """Find the step that a code is of.

    Args:
        seed: Of the customer.
        code: What was read out, digits only.
        now: When; aware.
        digits: 6 to 8.
        algorithm: ``sha1``, ``sha256`` or ``sha512``.
        window: Steps before and after the present one that count as well: 0 or 1.

    Returns:
        The beginning of the latest step in the window with this code, or None. Whether it was used before is the
        store's to say: `Change.counter`.

    Raises:
        UsageError: what is no seed, or an argument out of range.
        MissingExtraError: pyotp is not installed.

    Security:
        All codes of the window are computed, and each compared in constant time, whichever fits.
    """
    if type(window) is not int or not 0 <= window <= _WIDEST:
        msg = f"window must be 0 or {_WIDEST} (RFC 6238 section 5.2)"
        raise UsageError(msg)
    totp, present = _totp(seed, _digits(digits), algorithm), _step(now)
    said = code.reveal().encode("utf-8", "surrogatepass")
    found = None
    for step in range(max(0, present - window), present + window + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), said):
            found = step
    return None if found is None else _EPOCH + found * STEP


def _totp(seed: Secret, digits: int, algorithm: str) -> Any:  # noqa: ANN401 - a class of an extra
    digest = _HASHES[_algorithm(algorithm)]
    return _pyotp().TOTP(canonical(seed).reveal(), digits=digits, digest=digest, interval=int(STEP.total_seconds()))


def _step(now: object) -> int:
    if not isinstance(now, datetime) or now.utcoffset() is None:
        msg = "the time must be an aware datetime (use datetime.now(UTC))"
        raise UsageError(msg)
    return (now - _EPOCH) // STEP


def _digits(digits: int) -> int:
    if type(digits) is not int or not _DIGITS[0] <= digits <= _DIGITS[1]:
        msg = f"a code has {_DIGITS[0]} to {_DIGITS[1]} digits"
        raise UsageError(msg)
    return digits


def _algorithm(name: str) -> str:
    if type(name) is not str or name not in ALGORITHMS:
        msg = f"the algorithm is one of {', '.join(ALGORITHMS)}"
        raise UsageError(msg)
    return name
