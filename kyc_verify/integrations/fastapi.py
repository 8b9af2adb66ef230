"""A router for FastAPI over an `AsyncVerifier`: typed requests and replies, and no secret in either.

Who the agent is, which call they handle and what they may do come from a dependency of yours, never from the request.
Grants stay on the server: a reply says that the caller is verified, and `redeem` uses the grant up.
"""

# Without postponed annotations: FastAPI reads those of the routes, which name a type of their router.

from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Annotated, Any, Final, Self, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kyc_verify.call import Call, Stake
from kyc_verify.decision import Step
from kyc_verify.errors import (
    BackendError,
    Busy,
    ConflictError,
    InvalidTransition,
    KycVerifyError,
    NotAllowed,
    NotVerified,
    UnknownSession,
)
from kyc_verify.verifier import AsyncVerifier

__all__ = ["router"]

_Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
_LONGEST: Final = 10_000

_STATUS: Final[tuple[tuple[type[KycVerifyError], int], ...]] = (
    (NotVerified, 403),
    (NotAllowed, 403),
    (UnknownSession, 404),
    (InvalidTransition, 409),
    (ConflictError, 409),
    (Busy, 503),
    (BackendError, 503),
    (KycVerifyError, 400),
)
"""The first class that fits says the status."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class StakeIn(_Model):
    """What is moved, and to whom."""

    amount: Decimal
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    payee: _Id | None = None

    def stake(self) -> Stake:
        """Return it as the library's own."""
        return Stake(amount=self.amount, currency=self.currency, payee=self.payee)


class OpenIn(_Model):
    """Open a verification."""

    subject: _Id
    action: _Id
    stake: StakeIn | None = None
    locale: str | None = Field(default=None, max_length=35)
    request_id: _Id | None = None


class ChallengeIn(_Model):
    """Name the open challenge."""

    challenge_id: _Id


class AnswerIn(ChallengeIn):
    """Answer it, as the caller said it."""

    answer: SecretStr = Field(max_length=_LONGEST, json_schema_extra={"writeOnly": True})


class StepUpIn(_Model):
    """Go on to another action."""

    action: _Id
    stake: StakeIn | None = None
    request_id: _Id | None = None


class RedeemIn(_Model):
    """Use the grant up, just before doing what it is for."""

    subject: _Id
    action: _Id
    stake: StakeIn | None = None
    request_id: _Id | None = None


class ChallengeOut(BaseModel):
    """What to ask the caller next."""

    id: str
    check: str
    text: str
    entry: str


class StepOut(BaseModel):
    """Where the verification stands; all of it may be shown to the agent."""

    session_id: str
    verdict: str
    challenge: ChallengeOut | None
    reasons: list[str]

    @classmethod
    def of(cls, step: Step) -> Self:
        """Return what may be shown of a step."""
        return cls.model_validate(step.as_dict())


class ErrorOut(BaseModel):
    """Why not: a stable code, and a sentence that quotes nothing of the request."""

    code: str
    message: str
    reason: str | None = None


class _Route(APIRoute):
    """Turns the library's errors into replies, and lets no reply quote what was typed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                # The framework's own reply would send back the value that was wrong: an answer, perhaps.
                where = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
                return _reply(422, ErrorOut(code="invalid_request", message=f"wrong or missing: {', '.join(where)}"))
            except KycVerifyError as error:
                status = next(status for kind, status in _STATUS if isinstance(error, kind))
                reason = error.reason if isinstance(error, NotVerified) else None
                return _reply(status, ErrorOut(code=error.code, message=str(error), reason=reason))

        return handled


def _reply(status: int, body: ErrorOut) -> JSONResponse:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if status == 503 else {})  # noqa: PLR2004
    return JSONResponse(body.model_dump(exclude_none=True), status_code=status, headers=headers)


def _no_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def router(
    verifier: AsyncVerifier, *, call: Callable[..., Call | Awaitable[Call]], prefix: str = "/verifications"
) -> APIRouter:
    """Return the verifier's verbs as routes.

    Args:
        verifier: Over your policy and store.
        call: A dependency that returns the `Call` of whoever is logged in: agent, roles, the telephony's call id, the
            presented number with its attestation. Whatever it takes from the request it must have authenticated.
        prefix: Where the routes are.

    Returns:
        A router to include; every route needs the dependency.

    Security:
        Replies hold no answer, code or grant, errors quote nothing of a request, and nothing is cached.
    """
    routes = APIRouter(prefix=prefix, route_class=_Route, tags=["verification"], dependencies=[Depends(_no_store)])
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorOut} for status in (400, 403, 404, 409, 422, 503)
    }  # fmt: skip
    Handled = Annotated[Call, Depends(call)]  # noqa: N806 - a type

    @routes.post("", responses=errors)
    async def open_verification(body: OpenIn, handled: Handled) -> StepOut:
        """Open a verification of whom the caller claims to be."""
        step = await verifier.open(
            body.subject, action=body.action, call=handled, stake=body.stake.stake() if body.stake else None,
            locale=body.locale, request_id=body.request_id,
        )  # fmt: skip
        return StepOut.of(step)

    @routes.get("/{session_id}", responses=errors)
    async def read_status(session_id: _Id, handled: Handled) -> StepOut:
        """Say where a verification stands."""
        return StepOut.of(await verifier.status(session_id, call=handled))

    @routes.post("/answers", responses=errors)
    async def answer_challenge(body: AnswerIn, handled: Handled) -> StepOut:
        """Answer the open challenge."""
        return StepOut.of(await verifier.respond(body.challenge_id, body.answer.get_secret_value(), call=handled))

    @routes.post("/declines", responses=errors)
    async def decline_challenge(body: ChallengeIn, handled: Handled) -> StepOut:
        """Note that the caller cannot answer."""
        return StepOut.of(await verifier.decline(body.challenge_id, call=handled))

    @routes.post("/resends", responses=errors)
    async def resend_code(body: ChallengeIn, handled: Handled) -> StepOut:
        """Send another code."""
        return StepOut.of(await verifier.resend(body.challenge_id, call=handled))

    @routes.post("/{session_id}/step-up", responses=errors)
    async def step_up(session_id: _Id, body: StepUpIn, handled: Handled) -> StepOut:
        """Go on to another action; what was shown is kept."""
        stake = body.stake.stake() if body.stake else None
        step = await verifier.step_up(
            session_id, action=body.action, call=handled, stake=stake, request_id=body.request_id
        )
        return StepOut.of(step)

    @routes.post("/{session_id}/transfer", responses=errors)
    async def transfer(session_id: _Id, handled: Handled) -> StepOut:
        """Take a verification over, within the same call."""
        return StepOut.of(await verifier.transfer(session_id, call=handled))

    @routes.post("/{session_id}/cancel", responses=errors)
    async def cancel(session_id: _Id, handled: Handled) -> StepOut:
        """End a verification."""
        return StepOut.of(await verifier.cancel(session_id, call=handled))

    @routes.post("/{session_id}/redeem", responses=errors)
    async def redeem(session_id: _Id, body: RedeemIn, handled: Handled) -> StepOut:
        """Use the grant up: only this reply says that the action may be done, once."""
        grant = (await verifier.status(session_id, call=handled)).require()
        step = await verifier.redeem(
            grant, subject=body.subject, action=body.action, call=handled,
            stake=body.stake.stake() if body.stake else None, request_id=body.request_id,
        )  # fmt: skip
        return StepOut.of(step)

    return routes
