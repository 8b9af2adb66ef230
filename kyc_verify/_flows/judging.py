"""Judging an answer: what was said against what is kept, one slow hash whoever the subject is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kyc_verify._flows import recovery
from kyc_verify._flows.availability import own
from kyc_verify._flows.case import Case
from kyc_verify._flows.context import TIMEOUT, Context
from kyc_verify._flows.seeds import counter_of
from kyc_verify._flows.sending import code_context
from kyc_verify.answers import Clarify, Forms, Refused, common, confirm, digits
from kyc_verify.checks import AnswerCheck, AppConfirmation, AuthenticatorCode, OneTimeCode, RecoveryCode
from kyc_verify.credentials import Credential
from kyc_verify.hashing import AnswerContext, CodeContext, Verified
from kyc_verify.ports import Counter, Notice
from kyc_verify.prompts import pick
from kyc_verify.session import Code, Question
from kyc_verify.terms import MAX_ANSWER, Outcome, Secret

__all__ = [
    "SPENT",
    "Judged",
    "about",
    "code_of",
    "confirm_mark",
    "judge",
    "note_of",
    "read_forms",
    "try_context",
    "version_of",
]

SPENT: Final = "spent"
"""The mark of a turn that was begun and never committed: whatever is sent again finds its reply."""

_CLARIFIED: Final = 3
_POLLED: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How an answer did: an outcome, or a note to ask again with.

    Attributes:
        outcome: None: ask again, nothing was compared.
        mark: By what the same answer is known when it comes again.
        note: What to say instead of the prompt.
        rehash: The credential under today's key and cost, after a PASS.
        wrong_try: Whether another try of this check may follow.
        refund: Whether the try's charge is given back: it was right, or nothing was compared.
        counter: What a pass uses up; where it was used before, it was wrong.
    """

    outcome: Outcome | None
    mark: str = field(repr=False)
    note: str = ""
    rehash: Credential | None = None
    wrong_try: bool = False
    refund: bool = False
    counter: Counter | None = None


async def judge(case: Case, question: Question, answer: Secret) -> Judged:
    """Judge an answer to the open question of a turn that was claimed."""
    check = case.policy.layer(question.check)
    if case.spent:
        # The turn was begun and never committed: nobody knows what was compared, so it was wrong.
        return Judged(outcome=Outcome.FAIL, mark=SPENT, wrong_try=True)
    if not case.granted:
        case.ctx.notice(Notice.BUDGET_REFUSED)
    late = case.now - question.asked_at >= case.ctx.policy.lifetimes.question
    compare = case.granted and not late and case.allowed and case.state.real
    if isinstance(check, AnswerCheck):
        return await _answer(case, question, check, answer, compare=compare, late=late)
    if isinstance(check, OneTimeCode | AuthenticatorCode | RecoveryCode):
        return await _code(case, check, answer, compare=compare)
    if isinstance(check, AppConfirmation):
        return await _confirmation(case, question, check, answer, compare=compare)
    dialled = case.state.code is not None and bool(case.state.code.tag)
    return _callback(question, answer, compare=compare and dialled, late=late)


# ── What the caller knows ────────────────────────────────────────────────────────────────────────────────────────────


def about(case: Case, check: AnswerCheck, version: int) -> AnswerContext:
    """Return what a credential of this check, with forms of that version, is bound to."""
    return {
        "tenant": case.ctx.tenant,
        "subject": case.who,
        "check": check.id,
        "kind": check.storage_kind(),
        "forms_version": version,
    }


def version_of(check: AnswerCheck, kept: Credential | None) -> int:
    """Return the version of the forms to read an answer with: the credential's, which its seal holds to be true."""
    version = None if kept is None else kept.forms_version
    return version if type(version) is int and 1 <= version <= check.forms_version else check.forms_version


def read_forms(case: Case, check: AnswerCheck, answer: Secret, version: int) -> tuple[Forms | None, Clarify | None]:
    """Return the forms of what was said, or the question back; neither for what cannot be read."""
    # Of a payment card nothing is kept, not even a hash (PCI DSS 3.3).
    if len(answer) > MAX_ANSWER or common.holds_card(answer.reveal()):
        return None, None
    languages = case.state.languages
    said, locale = answer.reveal(), languages[0] if languages else case.policy.language
    try:
        found: object = (
            check.forms(said, locale=locale, now=case.now)
            if version == check.forms_version
            else check.forms_of(version, said, locale=locale, now=case.now)
        )
    except Refused:
        return None, None
    except Exception:  # noqa: BLE001 - a custom check may raise anything, and it may quote the answer
        case.ctx.notice(Notice.CHECK_FAILED)
        return None, None
    if isinstance(found, Forms):
        return found, None
    if isinstance(found, Clarify):
        return None, found
    if callable(close := getattr(found, "close", None)):
        close()
    case.ctx.notice(Notice.CHECK_FAILED)
    return None, None


def note_of(clarify: Clarify, case: Case) -> str:
    """Return the note of a question back."""
    if isinstance(clarify.question, str):
        return f"=clarify.{clarify.question}"
    return f'"{pick(clarify.question, *case.state.languages, case.policy.language)}'


async def _answer(
    case: Case, question: Question, check: AnswerCheck, answer: Secret, *, compare: bool, late: bool
) -> Judged:
    ctx = case.ctx
    kept = case.subject.credentials.get(check.id) if check.stored else None
    version = version_of(check, kept)
    forms, clarify = read_forms(case, check, answer, version)
    # Out of time is wrong, whatever was said: an unclear answer buys no further five minutes.
    if clarify is not None and question.clarified < _CLARIFIED and not late:
        note = note_of(clarify, case)
        return Judged(outcome=None, mark=f"asked:{note}", note=note, refund=True)
    if check.stored:
        usable = kept is not None and compare and not own(ctx, kept, case.call, case.now)
        verified = await ctx.runner.hash(
            ctx.hasher.verify, kept if usable else None, forms, **about(case, check, version)
        )
    else:
        truth = await _fact(case, check) if compare else None
        verified = await ctx.runner.hash(ctx.hasher.truth, truth, forms, **about(case, check, version))
    return _judged(ctx, verified)


def _judged(ctx: Context, verified: Verified) -> Judged:
    if verified.alarm is not None:
        ctx.notice(Notice(verified.alarm))
    passed = verified.outcome is Outcome.PASS
    # Only a full pass is rehashed: a near one would enroll the caller's variant.
    rehash = verified.rehash if passed else None
    return Judged(outcome=verified.outcome, mark=verified.mark, rehash=rehash, refund=passed)


async def _fact(case: Case, check: AnswerCheck) -> Forms | None:
    """Return what the CRM knows now and nobody stores."""
    customer = await case.ctx.customer(case.who)
    if customer is None or check.id not in customer.facts:
        return None
    try:
        found: object = check.enrolled(
            customer.facts[check.id], locale=customer.language or case.policy.language, now=case.now
        )
    except Exception:  # noqa: BLE001 - a fact that cannot be read proves nothing
        case.ctx.notice(Notice.CHECK_FAILED)
        return None
    return found if isinstance(found, Forms) else None


# ── What the customer has ────────────────────────────────────────────────────────────────────────────────────────────


def code_of(answer: Secret) -> Secret | None:
    """Return the digits of a code as read out; None when it is none."""
    try:
        return Secret(digits.code(answer.reveal()))
    except Refused:
        return None


def try_context(case: Case, check: OneTimeCode | AuthenticatorCode) -> CodeContext:
    """Return what the mark of a code's try is bound to."""
    return {**code_context(case, check, send=0), "purpose": "try", "stake": ""}


async def _code(
    case: Case, check: OneTimeCode | AuthenticatorCode | RecoveryCode, answer: Secret, *, compare: bool
) -> Judged:
    if isinstance(check, OneTimeCode):
        return await _one_time_code(case, check, answer, compare=compare)
    if isinstance(check, AuthenticatorCode):
        return await _authenticator(case, check, answer, compare=compare)
    return await _recovery_code(case, check, answer, compare=compare)


async def _one_time_code(case: Case, check: OneTimeCode, answer: Secret, *, compare: bool) -> Judged:
    code, sent = code_of(answer), case.state.code
    mark = case.ctx.hasher.code_tag(code or Secret(""), **try_context(case, check))
    if not case.granted:
        return Judged(outcome=Outcome.FAIL, mark=mark)
    outcome = Outcome.FAIL
    if compare and sent is not None and code is not None and case.now - sent.sent_at < case.ctx.policy.lifetimes.code:
        outcome = await _matches(case, check, sent, code)
    passed = outcome is Outcome.PASS
    return Judged(outcome=outcome, mark=mark, wrong_try=not passed, refund=passed)


async def _authenticator(case: Case, check: AuthenticatorCode, answer: Secret, *, compare: bool) -> Judged:
    code = code_of(answer) or Secret("")
    mark = case.ctx.hasher.code_tag(code, **try_context(case, check))
    if not case.granted:
        return Judged(outcome=Outcome.FAIL, mark=mark)
    counter = await counter_of(case, check, code)
    if counter is None or not compare:
        return Judged(outcome=Outcome.FAIL, mark=mark, wrong_try=True)
    return Judged(outcome=Outcome.PASS, mark=mark, refund=True, counter=counter)


async def _recovery_code(case: Case, check: RecoveryCode, answer: Secret, *, compare: bool) -> Judged:
    verified, kept = await recovery.compared(case, check, answer, compare=compare)
    if verified.alarm is not None:
        case.ctx.notice(Notice(verified.alarm))
    if verified.outcome is not Outcome.PASS or kept is None:
        return Judged(outcome=Outcome.FAIL, mark=verified.mark, wrong_try=case.granted)
    counter, gone = recovery.used(case, kept)
    return Judged(outcome=Outcome.PASS, mark=verified.mark, refund=True, counter=counter, rehash=gone)


async def _matches(case: Case, check: OneTimeCode, sent: Code, code: Secret) -> Outcome:
    if sent.bound != case.state.bound:
        return Outcome.FAIL
    if sent.handle:
        return await _provider(case.ctx, check.channel.value, sent.handle, code) or Outcome.FAIL
    if not sent.tag:
        return Outcome.FAIL
    right = case.ctx.hasher.code_matches(sent.tag, code, **code_context(case, check, send=sent.number))
    return Outcome.PASS if right else Outcome.FAIL


async def _provider(ctx: Context, service: str, handle: str, code: Secret) -> Outcome | None:
    """Ask a service that judges its own codes; None: not answered yet. What goes wrong is FAIL."""
    port = ctx.services.get(service)
    if port is None:
        return Outcome.FAIL
    try:
        found = await ctx.runner.outside(lambda: port.check(handle, code.reveal()), timeout=TIMEOUT)
    except Exception:  # noqa: BLE001 - whatever a service raises proves nothing
        ctx.notice(Notice.SIGNAL_FAILED)
        return Outcome.FAIL
    if found is None:
        return None
    if not isinstance(found, Outcome) or found is Outcome.UNAVAILABLE:
        ctx.notice(Notice.CHECK_FAILED)
        return Outcome.FAIL
    return found


def confirm_mark(answer: Secret) -> str:
    """Return the mark of a yes or a no."""
    try:
        said = confirm.read(answer.reveal()) if len(answer) <= MAX_ANSWER else False
    except Refused:
        said = False
    return {True: "confirm:yes", False: "confirm:no", None: "confirm:unclear"}[said]


async def _confirmation(
    case: Case, question: Question, check: AppConfirmation, answer: Secret, *, compare: bool
) -> Judged:
    mark, sent = confirm_mark(answer), case.state.code
    if not compare:
        # Nobody taps for a subject that is not there, and a customer may not tap either: the same question, as long.
        pending = case.state.real is False and case.now - question.asked_at < case.ctx.policy.lifetimes.question
        outcome = None if pending else Outcome.FAIL
    else:
        outcome = await _provider(case.ctx, check.service, sent.handle, Secret("")) if sent and sent.handle else None
    if outcome is None and question.clarified < _POLLED:
        return Judged(outcome=None, mark=mark, note="=ask.app_confirmation.again", refund=True)
    return Judged(outcome=outcome or Outcome.FAIL, mark=mark)


def _callback(question: Question, answer: Secret, *, compare: bool, late: bool) -> Judged:
    mark = confirm_mark(answer)
    if mark == "confirm:unclear" and question.clarified < _CLARIFIED and not late:
        return Judged(outcome=None, mark=mark, note="=clarify.again", refund=True)
    return Judged(outcome=Outcome.PASS if mark == "confirm:yes" and compare else Outcome.FAIL, mark=mark)
