"""kyc_verify: whether the person on the phone is the customer they claim to be, and why.

Start with `Policy`, `Enroller` and `Verifier`; stores are in `kyc_verify.stores`, the layers in `kyc_verify.checks`.
Heavy parts are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kyc_verify import analysis, checks, floors, profiles, stores
    from kyc_verify.answers import Clarify, Forms
    from kyc_verify.audit import Anchor, AuditRecord
    from kyc_verify.budgets import Budget, Budgets, Lifetimes
    from kyc_verify.call import Call, Contact, Customer, Stake
    from kyc_verify.checks import AnswerCheck, Check, Signal, SignalCheck
    from kyc_verify.decision import Challenge, Decision, Grant, Step, Verdict
    from kyc_verify.enrollment import AsyncEnroller, Enroller
    from kyc_verify.errors import (
        BackendError,
        Busy,
        ConfigurationError,
        ConflictError,
        DeliveryError,
        EnrollmentError,
        InvalidPolicy,
        InvalidTransition,
        KycVerifyError,
        MissingExtraError,
        NotAllowed,
        NoTruthValue,
        NotVerified,
        PolicyError,
        SignalError,
        StoreError,
        UnknownSession,
        UsageError,
    )
    from kyc_verify.evidence import Evidence
    from kyc_verify.hashing import Keyring, SecretHasher
    from kyc_verify.policy import Policy, Requirement, Tier
    from kyc_verify.ports import (
        Clock,
        CodeService,
        Customers,
        Message,
        Notice,
        Observer,
        Sender,
        SignalQuery,
        SignalSource,
        Store,
    )
    from kyc_verify.score import Score
    from kyc_verify.terms import Channel, Entry, Factor, Method, Outcome, Secret
    from kyc_verify.threats import AttackerClass, Likelihoods, ThreatModel
    from kyc_verify.verifier import AsyncVerifier, Verifier

__version__ = "0.1.0"

_HOME: Final = {
    "answers": ("Clarify", "Forms"),
    "audit": ("Anchor", "AuditRecord"),
    "budgets": ("Budget", "Budgets", "Lifetimes"),
    "call": ("Call", "Contact", "Customer", "Stake"),
    "checks": ("AnswerCheck", "Check", "Signal", "SignalCheck"),
    "decision": ("Challenge", "Decision", "Grant", "Step", "Verdict"),
    "enrollment": ("AsyncEnroller", "Enroller"),
    "errors": (
        "BackendError", "Busy", "ConfigurationError", "ConflictError", "DeliveryError", "EnrollmentError",
        "InvalidPolicy", "InvalidTransition", "KycVerifyError", "MissingExtraError", "NoTruthValue", "NotAllowed",
        "NotVerified", "PolicyError", "SignalError", "StoreError", "UnknownSession", "UsageError",
    ),
    "evidence": ("Evidence",),
    "hashing": ("Keyring", "SecretHasher"),
    "policy": ("Policy", "Requirement", "Tier"),
    "ports": (
        "Clock", "CodeService", "Customers", "Message", "Notice", "Observer", "Sender", "SignalQuery", "SignalSource",
        "Store",
    ),
    "score": ("Score",),
    "terms": ("Channel", "Entry", "Factor", "Method", "Outcome", "Secret"),
    "threats": ("AttackerClass", "Likelihoods", "ThreatModel"),
    "verifier": ("AsyncVerifier", "Verifier"),
}  # fmt: skip
_WHERE: Final = {name: home for home, names in _HOME.items() for name in names}
_ROOMS: Final = ("analysis", "checks", "floors", "profiles", "stores")

__all__ = [
    "Anchor",
    "AnswerCheck",
    "AsyncEnroller",
    "AsyncVerifier",
    "AttackerClass",
    "AuditRecord",
    "BackendError",
    "Budget",
    "Budgets",
    "Busy",
    "Call",
    "Challenge",
    "Channel",
    "Check",
    "Clarify",
    "Clock",
    "CodeService",
    "ConfigurationError",
    "ConflictError",
    "Contact",
    "Customer",
    "Customers",
    "Decision",
    "DeliveryError",
    "Enroller",
    "EnrollmentError",
    "Entry",
    "Evidence",
    "Factor",
    "Forms",
    "Grant",
    "InvalidPolicy",
    "InvalidTransition",
    "Keyring",
    "KycVerifyError",
    "Lifetimes",
    "Likelihoods",
    "Message",
    "Method",
    "MissingExtraError",
    "NoTruthValue",
    "NotAllowed",
    "NotVerified",
    "Notice",
    "Observer",
    "Outcome",
    "Policy",
    "PolicyError",
    "Requirement",
    "Score",
    "Secret",
    "SecretHasher",
    "Sender",
    "Signal",
    "SignalCheck",
    "SignalError",
    "SignalQuery",
    "SignalSource",
    "Stake",
    "Step",
    "Store",
    "StoreError",
    "ThreatModel",
    "Tier",
    "UnknownSession",
    "UsageError",
    "Verdict",
    "Verifier",
    "analysis",
    "checks",
    "floors",
    "profiles",
    "stores",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names above are typed for checkers
    if name in _WHERE:
        found = getattr(import_module(f"kyc_verify.{_WHERE[name]}"), name)
        globals()[name] = found
        return found
    if name in _ROOMS:
        return import_module(f"kyc_verify.{name}")
    msg = f"module 'kyc_verify' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
