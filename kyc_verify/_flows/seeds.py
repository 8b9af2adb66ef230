"""The seeds of authenticators: who has one, and which step a code is of.

The source is asked as often for a subject that is not there, and a code is computed all the same. A source that fails
counts against the caller, as a signal's does, until its circuit is open; then the check is UNAVAILABLE.
"""

from __future__ import annotations

from typing import Final

from kyc_verify import totp
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import TIMEOUT
from kyc_verify.checks import AuthenticatorCode, Check
from kyc_verify.errors import UsageError
from kyc_verify.ports import Counter, Notice
from kyc_verify.terms import Secret

__all__ = ["SOURCE", "counter_of", "with_seed"]

SOURCE: Final = ":seeds"
"""The source's name among circuits; no signal can have it."""

_DECOY: Final = Secret("A" * 32)


async def with_seed(case: Case) -> frozenset[str]:
    """Return the authenticator checks that the subject can be asked, as far as the source of seeds knows."""
    found: set[str] = set()
    for check in case.policy.checks:
        if isinstance(check, AuthenticatorCode) and is_there(case, check) and await _has(case, check):
            found.add(check.id)
    return frozenset(found)


def is_there(case: Case, check: Check) -> bool:
    """Whether there is a source of seeds that works, if the check needs one."""
    ctx = case.ctx
    return not isinstance(check, AuthenticatorCode) or (
        ctx.seeds is not None and not ctx.circuit.is_open(SOURCE, case.now)
    )


async def _has(case: Case, check: AuthenticatorCode) -> bool:
    try:
        seed = await _asked(case, check)
    except Exception:  # noqa: BLE001 - whatever a source raises: it is asked again when the code is there
        return True
    key = totp.key_of(seed)
    if key is not None and key not in case.ctx.hasher.keyring.peppers:
        case.ctx.notice(Notice.MISSING_KEY)
        return False
    return seed is not None


async def _asked(case: Case, check: AuthenticatorCode) -> object:
    ctx = case.ctx
    try:
        found: object = await ctx.runner.outside(ctx.seeds.get, case.who, check.id, timeout=TIMEOUT)
    except Exception:
        ctx.notice(Notice.SIGNAL_FAILED)
        if ctx.circuit.failed(SOURCE, case.now):
            ctx.notice(Notice.CIRCUIT_OPEN)
        raise
    ctx.circuit.answered(SOURCE)
    return found


async def counter_of(case: Case, check: AuthenticatorCode, code: Secret) -> Counter | None:
    """Return where a code moves the counter of its seed to; None: it is of no step that counts now.

    The counter is the seed's own: a new authenticator starts anew, and what was used of an old one stays used.
    """
    seed = await _seed(case, check)
    at = totp.matched(
        _DECOY if seed is None else seed, code, now=case.now, digits=check.digits, algorithm=check.algorithm,
        window=check.window,
    )  # fmt: skip
    if seed is None or at is None:
        return None
    # Of the seed, not of the check: two checks on one authenticator share its steps.
    return Counter(key=case.ctx.key("step", case.who, seed.reveal()), at=at)


async def _seed(case: Case, check: AuthenticatorCode) -> Secret | None:
    ctx = case.ctx
    if ctx.seeds is None:
        return None
    try:
        found = await _asked(case, check)
    except Exception:  # noqa: BLE001 - whatever a source raises proves nothing
        return None
    if found is None:
        return None
    if isinstance(found, str):
        return _opened(case, check, found)
    try:
        return totp.canonical(found)
    except UsageError:
        ctx.notice(Notice.CHECK_FAILED)
        return None


def _opened(case: Case, check: AuthenticatorCode, sealed: str) -> Secret | None:
    ctx = case.ctx
    try:
        return totp.open_seed(
            sealed, keyring=ctx.hasher.keyring, tenant=ctx.tenant, subject=case.who, check=check.id
        )  # fmt: skip
    except UsageError:
        key = totp.key_of(sealed)
        missing = key is not None and key not in ctx.hasher.keyring.peppers
        ctx.notice(Notice.MISSING_KEY if missing else Notice.BAD_SEAL)
        return None
