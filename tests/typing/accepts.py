"""What users write and a type checker must accept."""

from collections.abc import Mapping
from typing import assert_type

from kyc_verify.errors import EnrollmentError, InvalidPolicy, KycVerifyError, MissingExtraError, PolicyError
from kyc_verify.terms import Outcome, Secret


def faults(error: InvalidPolicy) -> list[str]:
    return [fault.path for fault in error.exceptions if isinstance(fault, PolicyError)]


def refused(error: EnrollmentError) -> list[str]:
    assert_type(error.faults, Mapping[str, str])
    return sorted(error.faults)


def code(error: KycVerifyError) -> str:
    return error.code


def install(error: ImportError) -> str:
    return error.extra if isinstance(error, MissingExtraError) else ""


def ladder(outcome: Outcome) -> int:
    match outcome:
        case Outcome.PASS:
            return 2
        case Outcome.NEAR:
            return 1
        case Outcome.FAIL | Outcome.DECLINED | Outcome.UNAVAILABLE:
            return 0


assert_type(Secret("tabriz").reveal(), str)
assert_type(Outcome("pass"), Outcome)
