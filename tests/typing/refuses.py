"""What users must not write: each line is an error, and one that a type checker accepts is an error itself."""

from kyc_verify.errors import EnrollmentError, PolicyError
from kyc_verify.terms import Outcome, Secret

Secret(1234)  # pyright: ignore[reportArgumentType]
len(Secret("tabriz").text)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
PolicyError("without a path")  # pyright: ignore[reportCallIssue]
EnrollmentError({"pin": "blank"}).faults["pin"] = "seen"  # pyright: ignore[reportIndexIssue]
Outcome.PASS = "fail"  # pyright: ignore[reportAttributeAccessIssue]
