"""Ready-made policies to start from: `everyday`, `bank`, `telecom`, `help_desk`.

Each asks the same six layers, signals first, and differs in what its actions demand and in how patient it is. Whom each
action stops, what share of genuine callers it verifies and how long that takes is printed by
``scripts/profile_shares.py`` from the shipped table, and stands in ``docs/profiles.md``. They are plain policies: take
one apart, change it, and look at it with `kyc_verify.analysis` before it meets a caller.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.checks import AccountTenure, AppConfirmation, CallerNumber, Check, OneTimeCode, Pin, SimSwap
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.terms import LANGUAGES

__all__ = ["bank", "everyday", "help_desk", "telecom"]

_EVERYDAY: Final = "1.5"
"""Bits that at least four genuine callers in five reach, also without a PIN, without the app or without attestation."""

_PURPOSES: Final = {
    "account": ("a question about your account", "une question sur votre compte", "una consulta sobre su cuenta",
                "پرسشی دربارهٔ حسابتان"),
    "contact": ("changing your contact details", "changer vos coordonnées", "cambiar sus datos de contacto",
                "تغییر نشانی‌های تماس شما"),
    "balance": ("reading your balance", "consulter votre solde", "consultar su saldo", "دیدن موجودی شما"),
    "payment": ("a payment", "un paiement", "un pago", "یک پرداخت"),
    "phone": ("changing your phone number", "changer votre numéro de téléphone", "cambiar su número de teléfono",
              "تغییر شمارهٔ تلفن شما"),
    "bill": ("a question about your bill", "une question sur votre facture", "una consulta sobre su factura",
             "پرسشی دربارهٔ قبض شما"),
    "calls": ("details of your calls", "le détail de vos appels", "el detalle de sus llamadas", "ریز تماس‌های شما"),
    "sim": ("a new SIM card", "une nouvelle carte SIM", "una nueva tarjeta SIM", "سیم‌کارت تازه"),
    "ticket": ("the state of your request", "l’état de votre demande", "el estado de su solicitud",
               "وضعیت درخواست شما"),
    "unlock": ("unlocking your account", "déverrouiller votre compte", "desbloquear su cuenta", "باز کردن حساب شما"),
    "password": ("a new password", "un nouveau mot de passe", "una nueva contraseña", "گذرواژهٔ تازه"),
}  # fmt: skip


def _for(purpose: str) -> dict[str, str]:
    """Return what a message says it is for, in every shipped language."""
    return dict(zip(LANGUAGES, _PURPOSES[purpose], strict=True))


def _layers() -> tuple[Check, ...]:
    return (CallerNumber(), SimSwap(), Pin(), AccountTenure(), AppConfirmation(), OneTimeCode(channel="sms"))


def everyday() -> Policy:
    """Return a policy for any company that serves customers by telephone.

    At everyday actions it stops strangers, relatives and holders of leaked records, and four in five of the
    best-placed attackers; changing contact details takes two factors.
    """
    return Policy(
        name="everyday",
        checks=_layers(),
        actions={
            "general_question": Requirement.none(),
            "account_question": Requirement(bits=_EVERYDAY, purpose=_for("account")),
            "change_contact": Requirement(bits="2.5", factors=2, accept="lossless", purpose=_for("contact")),
        },
    )


def bank() -> Policy:
    """Return a policy for a bank: payments need two factors, small ones nothing up to a ceiling, as PSD2 lets them.

    Five wrong answers in a row end a layer until it is enrolled again (RTS 2018/389 article 4(3)(b)).
    """
    low_value = Tier(up_to=Decimal(30), currency="EUR", requirement=Requirement.none(), ceiling=Decimal(100))
    return Policy(
        name="bank",
        checks=_layers(),
        actions={
            "branch_hours": Requirement.none(),
            "read_balance": Requirement(bits=_EVERYDAY, purpose=_for("balance")),
            "pay": Requirement(bits="2.5", factors=2, stakes=(low_value,), purpose=_for("payment")),
            "change_phone": Requirement(bits=3, factors=2, accept="lossless", purpose=_for("phone")),
        },
        budgets=replace(Budgets(), consecutive=5),
    )


def telecom() -> Policy:
    """Return a policy for a telephone company: call detail needs a PIN or a possession, a SIM change far more.

    Facts that others know or that the account shows never open call detail (47 CFR 64.2010(b)).
    """
    return Policy(
        name="telecom",
        checks=_layers(),
        actions={
            "coverage": Requirement.none(),
            "bill_question": Requirement(bits=_EVERYDAY, purpose=_for("bill")),
            "call_detail": Requirement(
                bits=2, any_of=("pin", "app_confirmation", "one_time_code"), purpose=_for("calls")
            ),
            "change_sim": Requirement(
                bits=3, factors=2, all_of=("app_confirmation",), accept="lossless", purpose=_for("sim")
            ),
        },
        budgets=replace(Budgets(), answers=Budget(5, timedelta(days=1))),
    )


def help_desk() -> Policy:
    """Return a policy for a help desk that resets its own people's passwords: the favourite door of intruders.

    A reset needs the app and a second factor; nothing is reset on what somebody knows.
    """
    return Policy(
        name="help-desk",
        checks=_layers(),
        actions={
            "how_to": Requirement.none(),
            "ticket_status": Requirement(bits=_EVERYDAY, purpose=_for("ticket")),
            "unlock_account": Requirement(bits="2.5", factors=2, purpose=_for("unlock")),
            "reset_password": Requirement(
                bits=3, factors=2, all_of=("app_confirmation",), accept="lossless", purpose=_for("password")
            ),
        },
        lifetimes=replace(Lifetimes(), session=timedelta(minutes=15), question=timedelta(minutes=2)),
    )
