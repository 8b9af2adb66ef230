"""Enrolling facts, and an operator's holds: all of a call or nothing, each with its record."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from kyc_verify._flows.context import Context
from kyc_verify.answers import Forms, Refused
from kyc_verify.answers.forms import REFUSALS
from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.call import Call, exact_id
from kyc_verify.checks import AnswerCheck, RecoveryCode, SecretAnswer
from kyc_verify.credentials import Credential
from kyc_verify.errors import EnrollmentError, UsageError
from kyc_verify.ports import Standing, SubjectSeal
from kyc_verify.terms import MAX_ANSWER

__all__ = ["Facts", "enroll", "erase", "keep", "stand"]

_MOST_FACTS = 64


class Facts:
    """Facts to enroll, by check id; like a `Secret`, a traceback does not show them."""

    __slots__ = ("__given",)

    def __init__(self, given: object) -> None:
        self.__given = given

    def __repr__(self) -> str:
        return "Facts(***)"

    def reveal(self) -> Mapping[str, object]:
        """Return the facts.

        Raises:
            UsageError: they are no mapping, or too few or too many.
        """
        if not isinstance(self.__given, Mapping) or not 0 < len(self.__given) <= _MOST_FACTS:
            msg = f"facts must map 1 to {_MOST_FACTS} check ids to facts"
            raise UsageError(msg)
        return self.__given


async def enroll(ctx: Context, subject: str, facts: Facts, *, by: str, call: Call | str | None) -> None:
    """See `Enroller.enroll`."""
    exact_id(subject, "subject")
    exact_id(by, "by")
    called = call.id if isinstance(call, Call) else (None if call is None else exact_id(call, "call"))
    now = ctx.moment()
    forms = _read(ctx, facts, now)
    credentials: list[Credential] = []
    for check, found in forms:
        made = await ctx.runner.hash(
            ctx.hasher.enroll, found, tenant=ctx.tenant, subject=subject, check=check.id, kind=check.storage_kind(),
            forms_version=check.forms_version, at=now, by=by, call=called,
        )  # fmt: skip
        credentials.append(made)
    await keep(ctx, subject, credentials, tuple(check.id for check, _ in forms), by=by, call=called, now=now)


async def keep(
    ctx: Context, subject: str, credentials: Sequence[Credential], checks: tuple[str, ...], *, by: str,
    call: str | None, now: datetime,
) -> None:  # fmt: skip
    """Write credentials and their record, and forget wrong answers in a row to these checks."""
    clear = tuple(ctx.key("consecutive", subject, check) for check in checks)
    detail: dict[str, str | int] = {"checks": ",".join(checks)}
    seal = _sealed(ctx, Event.ENROLLED, subject, by=by, call=call, now=now, detail=detail)
    await ctx.verb(
        ctx.store.enroll, ctx.tenant, subject, tuple(credentials), clear=clear, fresh_key=secrets.token_bytes(32),
        seal=seal, now=now,
    )  # fmt: skip


def _read(ctx: Context, facts: Facts, now: datetime) -> list[tuple[AnswerCheck, Forms]]:
    """Return the forms of every fact, or refuse all of them, each with its reason."""
    forms, faults = _each(ctx, facts, now)
    _repeated(forms, faults)
    if faults:
        # From here, where no frame holds a fact, nor a key that may be one.
        raise EnrollmentError(faults, {name: REFUSALS.get(reason, reason) for name, reason in faults.items()})
    return forms


def _each(ctx: Context, facts: Facts, now: datetime) -> tuple[list[tuple[AnswerCheck, Forms]], dict[str, str]]:
    """Return the forms of every fact that can be enrolled, and why each of the others cannot."""
    checks = {check.id: check for check in ctx.policy.checks}
    forms: list[tuple[AnswerCheck, Forms]] = []
    faults: dict[str, str] = {}
    for name in sorted(facts.reveal(), key=str):
        check = checks.get(name) if type(name) is str else None
        if check is None:
            faults[_shown(name)] = "unknown_check"
        elif isinstance(check, RecoveryCode):
            faults[name] = "issued"
        elif not isinstance(check, AnswerCheck) or not check.stored:
            faults[name] = "not_stored"
        else:
            try:
                forms.append((check, _forms(ctx, check, facts.reveal()[name], now)))
            except Refused as refused:
                faults[name] = refused.reason
    return forms, faults


def _shown(name: object) -> str:
    """Name an unknown key without quoting what may be a fact that stands in the wrong place."""
    return name if type(name) is str and name.isidentifier() and len(name) <= 40 else "?"  # noqa: PLR2004


def _forms(ctx: Context, check: AnswerCheck, fact: object, now: datetime) -> Forms:
    if not isinstance(fact, str | date):
        raise Refused("wrong_type")
    if isinstance(fact, str) and len(fact) > MAX_ANSWER:
        raise Refused("too_long")
    try:
        found = check.enrolled(fact, locale=ctx.policy.language, now=now)
    except Refused:
        raise
    except Exception:  # noqa: BLE001 - a custom check may raise anything, and it may quote the fact
        raise Refused("unreadable") from None
    if not isinstance(found, Forms):
        raise Refused("unreadable")
    return found


def _repeated(forms: list[tuple[AnswerCheck, Forms]], faults: dict[str, str]) -> None:
    """Refuse one answer to several questions: whoever learns one knows them all."""
    by_answer: dict[str, list[str]] = {}
    for check, found in forms:
        if isinstance(check, SecretAnswer):
            by_answer.setdefault(found.coarse.reveal(), []).append(check.id)
    for names in by_answer.values():
        if len(names) > 1:
            faults |= dict.fromkeys(names, "repeated")


def _sealed(
    ctx: Context, event: Event, subject: str, *, by: str, call: str | None, now: datetime, detail: dict[str, str | int]
) -> SubjectSeal:
    def seal(head: Head, key: bytes) -> AuditRecord:
        record = ctx.record(event, now=now, key=key, subject=subject, agent=by, call=call, detail=detail)
        return ctx.seal(head, record)

    return seal


async def stand(
    ctx: Context, subject: str, event: Event, *, by: str, reason: str, standing: Standing | None = None,
    flags: Iterable[str] | None = None, clear: bool = False,
) -> None:  # fmt: skip
    """Set the hold, the flags or the counts of a subject; see `Enroller`."""
    exact_id(subject, "subject")
    exact_id(by, "by")
    exact_id(reason, "reason")
    now = ctx.moment()
    exposed = None
    if event is Event.FLAGGED:
        if isinstance(flags, str) or not isinstance(flags, Iterable):
            msg = "fields must be a collection of field names"
            raise UsageError(msg)
        exposed = tuple(sorted({exact_id(each, "a field") for each in flags}))
        if exposed:
            ctx.policy.with_incident(exposed)
    keys: list[str] = []
    if clear:
        keys = [ctx.run(subject).key, ctx.key("pin", subject)]
        keys += [charge.key for check in ctx.policy.checks for charge in ctx.tries(subject, check)]
    detail: dict[str, str | int] = {"reason": reason}
    if exposed is not None:
        detail["fields"] = ",".join(exposed)
    seal = _sealed(ctx, event, subject, by=by, call=None, now=now, detail=detail)
    await ctx.verb(
        ctx.store.set_standing, ctx.tenant, subject, standing, flags=exposed, clear=tuple(keys),
        fresh_key=secrets.token_bytes(32), seal=seal, now=now,
    )  # fmt: skip


async def erase(ctx: Context, subject: str, *, by: str, reason: str) -> bool:
    """See `Enroller.erase`."""
    exact_id(subject, "subject")
    exact_id(by, "by")
    exact_id(reason, "reason")
    now = ctx.moment()

    def seal(head: Head, key: bytes) -> AuditRecord:
        # The record that outlives the subject names nobody: its key is gone with the same write.
        record = ctx.record(Event.ERASED, now=now, key=key, subject=None, agent=by, detail={"reason": reason})
        return ctx.seal(head, record)

    found: bool = await ctx.verb(ctx.store.erase, ctx.tenant, subject, seal, now)
    return found
