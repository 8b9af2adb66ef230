"""Using a grant up: everything it is bound to is looked at again, and one conditional write decides."""

from __future__ import annotations

from typing import Final

from kyc_verify._flows.context import Context
from kyc_verify._flows.numbers import contact_for
from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.call import Call, Stake, exact_id
from kyc_verify.decision import Binding, Grant, Step, Verdict
from kyc_verify.errors import NotVerified, UsageError
from kyc_verify.ports import Notice, Redeemed, Redemption, StakeCharge
from kyc_verify.prompts import language, text
from kyc_verify.terms import Secret

__all__ = ["redeem", "token_of"]

_LONGEST: Final = 200

_MESSAGES: Final = {
    "unknown": "there is no such grant",
    "used": "this grant was used already",
    "expired": "this grant has expired; verify again",
    "void": "this grant is void: something it rests on was changed; verify again",
    "locked": "the customer is on hold; offer the review path",
    "inactive": "the customer is no longer active; offer the review path",
    "ceiling": "the sums since the last full verification are used up; verify for this sum",
    "tenant": "this grant is another tenant's",
    "subject": "this grant is another customer's",
    "action": "this grant is for another action; step up",
    "agent": "this grant is in another agent's hands; transfer the session",
    "call": "this grant belongs to another call; verify again",
    "policy": "the rules have changed since; verify again",
    "stake": "amount, currency or payee are not those that were verified; verify again",
    "contact": "the customer's number has changed since; verify again",
    "role": "the agent no longer has a role that the grant was given under",
}


def token_of(grant: Grant | str) -> Secret:
    """Return a grant's token, so that no traceback of what follows shows it.

    Raises:
        UsageError: it is neither a grant nor a token.
    """
    token: object = grant.token if isinstance(grant, Grant) else grant
    if type(token) is not str or not 0 < len(token) <= _LONGEST or not token.isascii():
        msg = "grant must be the Grant that require() returned, or its token"
        raise UsageError(msg)
    return Secret(token)


async def redeem(
    ctx: Context, token: Secret, *, subject: str, action: str, call: Call, stake: Stake | None,
    request_id: str | None,
) -> Step:  # fmt: skip
    """See `Verifier.redeem`."""
    ctx.ids(call, subject=subject)
    ctx.stake(stake)
    request = None if request_id is None else ctx.key("redeem", call.id, exact_id(request_id, "request_id"))
    requirement, tier = ctx.policy.requirement(action, stake)
    now = ctx.moment()
    customer = await ctx.customer(subject)
    contact = contact_for(customer, hasher=ctx.hasher, tenant=ctx.tenant, subject=subject, call=call)
    roles = tuple(sorted(call.roles))
    active = requirement.exempt or (customer is not None and customer.active)
    lacking = requirement.role is not None and requirement.role not in call.roles
    presented = Binding(
        tenant=ctx.tenant,
        subject=subject,
        action=action,
        agent=call.agent,
        call=call.id,
        fingerprint=ctx.policy.fingerprint,
        stake="" if stake is None else stake.text(),
        contact=contact,
        roles=roles,
    )
    charge = None
    if tier is not None and stake is not None and (tier.ceiling is not None or tier.count is not None):
        charge = StakeCharge(
            key=ctx.key("stake", subject, action), amount=stake.amount, ceiling=tier.ceiling, count=tier.count
        )
    # An inactive customer's grant is refused by the same write that refuses any other, and recorded by it.
    hold = "inactive" if not active else ("role" if lacking else None)
    redemption = Redemption(
        tenant=ctx.tenant, digest=ctx.hasher.grant_digest(token.reveal()), binding=presented, charge=charge,
        request=request, hold=hold, exempt=requirement.exempt,
    )  # fmt: skip

    def seal(head: Head, found: Redeemed) -> AuditRecord:
        event = Event.REDEEMED if found.reason is None else Event.REFUSED
        detail: dict[str, str | int] = {} if found.reason is None else {"reason": found.reason}
        key = found.key
        record = ctx.record(
            event, now=now, key=key or b"", subject=None if key is None else subject, agent=call.agent,
            session=None if key is None else found.session, call=None if key is None else call.id, action=action,
            detail=detail,
        )  # fmt: skip
        return ctx.seal(head, record)

    found: Redeemed = await ctx.verb(ctx.store.redeem, redemption, seal, now)
    if found.reason is not None:
        ctx.notice(Notice.REDEEM_REFUSED)
        raise NotVerified(_MESSAGES[found.reason], reason=found.reason)
    verdict = Verdict.EXEMPT if requirement.exempt else Verdict.VERIFIED
    lang = language(None if customer is None else customer.language, ctx.policy.language)
    return Step(session_id=found.session or "", verdict=verdict, reasons=(text(f"reason.{verdict.value}", lang),))
