"""The layers of a policy, one kind a file, and the two bases for your own."""

from kyc_verify.checks.account_tenure import AccountTenure
from kyc_verify.checks.app_confirmation import AppConfirmation
from kyc_verify.checks.authenticator_code import AuthenticatorCode
from kyc_verify.checks.base import AnswerCheck, AskedCheck, Check, Signal, SignalCheck
from kyc_verify.checks.callback import Callback
from kyc_verify.checks.caller_number import CallerNumber
from kyc_verify.checks.date_of_birth import DateOfBirth
from kyc_verify.checks.one_time_code import OneTimeCode
from kyc_verify.checks.pin import Pin
from kyc_verify.checks.recovery_code import RecoveryCode
from kyc_verify.checks.secret_answer import SecretAnswer
from kyc_verify.checks.sim_swap import SimSwap

__all__ = [
    "AccountTenure",
    "AnswerCheck",
    "AppConfirmation",
    "AskedCheck",
    "AuthenticatorCode",
    "Callback",
    "CallerNumber",
    "Check",
    "DateOfBirth",
    "OneTimeCode",
    "Pin",
    "RecoveryCode",
    "SecretAnswer",
    "Signal",
    "SignalCheck",
    "SimSwap",
]
