"""Every exception a public call can raise, and nothing else.

The claimant's failure is a value (an `Outcome`, a `Verdict`); misuse and outage are exceptions. The tree::

    KycVerifyError                      base; never raised itself
    ├── ConfigurationError (ValueError)     wired wrong; raised at construction
    │   ├── PolicyError                     one fault of a policy, with the path of its field
    │   ├── InvalidPolicy (ExceptionGroup)  all PolicyErrors of a policy at once
    │   └── MissingExtraError (ImportError)
    ├── UsageError                          called wrongly
    │   ├── NoTruthValue (TypeError)        ``if step:``, where a verdict must be asked for by name
    │   ├── InvalidTransition               this step is not possible now
    │   ├── UnknownSession (LookupError)
    │   └── NotAllowed                      role missing, or not this session's agent
    ├── EnrollmentError (ValueError)        a fact cannot be enrolled; says why, never quotes it
    ├── BackendError                        a store or a source failed; ``__cause__`` kept
    │   ├── StoreError
    │   │   └── ConflictError               somebody else changed it first
    │   ├── SignalError
    │   ├── DeliveryError                   raised by senders to us
    │   └── Busy                            too much work under way; try again
    └── NotVerified                         only from ``require()`` and ``redeem()``

No message, attribute or repr of them holds an answer, a code, a hash, a number or a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Self

__all__ = [
    "BackendError",
    "Busy",
    "ConfigurationError",
    "ConflictError",
    "DeliveryError",
    "EnrollmentError",
    "InvalidPolicy",
    "InvalidTransition",
    "KycVerifyError",
    "MissingExtraError",
    "NoTruthValue",
    "NotAllowed",
    "NotVerified",
    "PolicyError",
    "SignalError",
    "StoreError",
    "UnknownSession",
    "UsageError",
]


class KycVerifyError(Exception):
    """Base of the tree; catch it to catch everything the library raises.

    Attributes:
        code: A stable, machine-readable name of the kind of error.
    """

    code: ClassVar[str] = "error"


class ConfigurationError(KycVerifyError, ValueError):
    """Something is wired wrong; raised when it is constructed, before any caller is served."""

    code = "configuration"


class PolicyError(ConfigurationError):
    """One fault of a policy.

    Attributes:
        path: Where the fault is, as in ``actions.read_balance.bits``.
    """

    code = "policy"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class InvalidPolicy(ExceptionGroup[PolicyError], ConfigurationError):  # noqa: N818 - the name of the domain
    """Every fault of a policy at once; ``exceptions`` holds one `PolicyError` for each."""

    code = "invalid_policy"

    def __new__(cls, faults: Sequence[PolicyError]) -> Self:
        """Build the group; its message lists every fault, one a line."""
        lines = "\n".join(f"  {fault}" for fault in faults)
        return super().__new__(cls, f"the policy has {len(faults)} fault(s):\n{lines}", list(faults))

    def __init__(self, faults: Sequence[PolicyError]) -> None:
        """Accept what `__new__` has already stored."""

    def derive(self, excs: Sequence[PolicyError]) -> InvalidPolicy:  # type: ignore[override]
        """Keep the type when the group is split."""
        return InvalidPolicy(excs)


class MissingExtraError(ConfigurationError, ImportError):
    """An optional part was asked for whose library is not installed."""

    code = "missing_extra"

    def __init__(self, extra: str, module: str) -> None:
        super().__init__(f'{module} is not installed; run: pip install "kyc-verify[{extra}]"')
        self.extra = extra


class UsageError(KycVerifyError):
    """The library was called wrongly; the message says what to call instead."""

    code = "usage"


class NoTruthValue(UsageError, TypeError):  # noqa: N818 - the name of the domain
    """A value that could be mistaken for a yes was tested for truth; ask for its verdict by name."""

    code = "no_truth_value"


class InvalidTransition(UsageError):  # noqa: N818 - the name of the domain
    """This step is not possible in the session's present state."""

    code = "invalid_transition"


class UnknownSession(UsageError, LookupError):  # noqa: N818 - the name of the domain
    """No such session here: never made, expired and purged, or of another call or tenant."""

    code = "unknown_session"


class NotAllowed(UsageError):  # noqa: N818 - the name of the domain
    """The call's agent may not do this: the role is missing, or it is another agent's session."""

    code = "not_allowed"


class EnrollmentError(KycVerifyError, ValueError):
    """Facts were refused; nothing of the call was stored.

    Attributes:
        faults: For each refused check id, the stable reason (``blank``, ``too_common`` ...); never the fact.
    """

    code = "enrollment"

    def __init__(self, faults: Mapping[str, str], messages: Mapping[str, str] | None = None) -> None:
        texts = messages or faults
        super().__init__("; ".join(f"{check}: {texts[check]}" for check in sorted(faults)))
        self.faults: Mapping[str, str] = MappingProxyType(dict(sorted(faults.items())))


class BackendError(KycVerifyError):
    """A store or a source outside failed; nothing was verified."""

    code = "backend"


class StoreError(BackendError):
    """The store failed or its schema is not the expected one."""

    code = "store"


class ConflictError(StoreError):
    """Somebody else changed the same thing first; nothing of this call was written."""

    code = "conflict"


class SignalError(BackendError):
    """A signal source failed; the signal counts against the caller, never for."""

    code = "signal"


class DeliveryError(BackendError):
    """A message could not be handed over; raised by senders to the library."""

    code = "delivery"


class Busy(BackendError):  # noqa: N818 - the name of the domain
    """Too much work is under way; nothing was compared or decided. Try again shortly."""

    code = "busy"


class NotVerified(KycVerifyError):  # noqa: N818 - the name of the domain
    """There is no grant, or it cannot be redeemed here and now.

    Attributes:
        reason: A stable word for why (``not_verified``, ``expired``, ``used``, ``binding`` ...).
    """

    code = "not_verified"

    def __init__(self, message: str, *, reason: str = "not_verified") -> None:
        super().__init__(message)
        self.reason = reason
