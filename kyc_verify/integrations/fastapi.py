"""A router for FastAPI over an `AsyncVerifier`: typed requests and replies, and no secret in either.

Who the agent is, which call they handle and what they may do come from a dependency of yours, never from the request.
Grants stay on the server: a reply says that the caller is verified, and `redeem` uses the grant up.
Every reply of a route has one of two shapes, `StepOut` or `ErrorOut`, and none is cached.
"""

# Without postponed annotations: FastAPI reads those of the routes, which name a type of their router.

from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from itertools import takewhile
from typing import Annotated, Any, Final, Self, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from kyc_verify._flows.asking import load, permit
from kyc_verify._flows.context import read_session
from kyc_verify.call import Call, Stake
from kyc_verify.decision import Grant, Step
from kyc_verify.errors import (
    BackendError,
    Busy,
    ConfigurationError,
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
_MOST: Final = 2**17
"""Bytes a body may have: the longest answer in JSON's longest spelling is 120,000."""
_ROUNDED: Final = 10**9
"""From here on a float does not hold the six places that an amount may have."""

_STATUS: Final[tuple[tuple[type[KycVerifyError], int], ...]] = (
    (NotVerified, 403),
    (NotAllowed, 403),
    (UnknownSession, 404),
    (InvalidTransition, 409),
    (ConflictError, 409),
    (Busy, 503),
    (BackendError, 503),
    (ConfigurationError, 500),
    (KycVerifyError, 400),
)
"""The first class that fits says the status."""

_CODES: Final = {
    400: "invalid_request", 401: "not_logged_in", 403: "not_allowed", 405: "wrong_method", 413: "too_large",
    415: "not_json",
}  # fmt: skip
"""Codes of what HTTP refuses; ``http_404`` and the like for the rest."""


def _exact(value: object) -> object:
    """Refuse a large number with a point: JSON's reader has rounded it by now, and another sum would be verified."""
    if isinstance(value, float):
        if not abs(value) < _ROUNDED:
            msg = "write an amount of a billion or more as a text"
            raise ValueError(msg)
        return Decimal(repr(value))
    return value


_Amount: TypeAlias = Annotated[
    Decimal, BeforeValidator(_exact), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class StakeIn(_Model):
    """What is moved, and to whom."""

    amount: _Amount
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


_NAMES: Final = frozenset(
    ("session_id", *StakeIn.model_fields, *OpenIn.model_fields, *AnswerIn.model_fields, *StepUpIn.model_fields)
) | frozenset(RedeemIn.model_fields)
"""The words of a request that a reply may hold; every other may be the client's."""


class _Route(APIRoute):
    """Turns what goes wrong into replies of one shape, lets none quote what was typed, and none be cached."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self.methods or set()
        if scope["method"] in methods:
            await super().handle(scope, receive, send)
            return
        allow = {"Allow": ", ".join(sorted(methods))}
        response = _refusal(HTTPException(405, "this is not done with this method; see Allow", headers=allow))
        await response(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                if self.body_field is not None and not _is_json(request):
                    raise HTTPException(415, "send application/json")  # noqa: TRY301 - one place makes the replies
                response = await handle(Request(request.scope, _bounded(request.receive)))
            except (RequestValidationError, HTTPException, KycVerifyError) as error:
                return _refusal(error)
            response.headers["Cache-Control"] = "no-store"
            return response

        return handled


def _is_json(request: Request) -> bool:
    """Whether the body says that it is JSON, whatever the framework's version takes for it: a form cannot say so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _bounded(receive: Receive) -> Receive:
    """Receive a body up to its limit: the framework reads it whole before it asks who is logged in."""
    left = _MOST

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"a body has at most {_MOST} bytes")
        return message

    return bounded


def _refusal(error: RequestValidationError | HTTPException | KycVerifyError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, RequestValidationError):
        status, body = 422, ErrorOut(code="invalid_request", message=_faults(error))
    elif isinstance(error, HTTPException):
        status, headers = error.status_code, dict(error.headers or {})
        detail: object = error.detail
        message = detail if isinstance(detail, str) else "this request was refused"
        body = ErrorOut(code=_CODES.get(status, f"http_{status}"), message=message)
    else:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        headers = {"Retry-After": "1"} if status == 503 else {}  # noqa: PLR2004
        reason = error.reason if isinstance(error, NotVerified) else None
        body = ErrorOut(code=error.code, message=str(error), reason=reason)
    if status < 400:  # noqa: PLR2004 - your log-in sends them elsewhere
        response = Response(status_code=status, headers=headers)
    else:
        response = JSONResponse(body.model_dump(exclude_none=True), status_code=status, headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _faults(error: RequestValidationError) -> str:
    """Name what is wrong in our own words: the framework's reply sends back the value, and names the client chose."""
    faults = error.errors()
    known = [each["loc"] for each in faults if each["type"] != "extra_forbidden"]
    where = sorted({_place(loc) for loc in known})
    said = [f"wrong or missing: {', '.join(where)}"] if where else []
    return "; ".join([*said, *(["there are unknown fields"] if len(known) < len(faults) else [])])


def _place(loc: tuple[int | str, ...]) -> str:
    """Name a place in a request as far as its words are ours."""
    return ".".join(map(str, [*loc[:1], *takewhile(_NAMES.__contains__, loc[1:])]))


async def _grant(verifier: AsyncVerifier, session_id: str, *, call: Call, again: bool) -> Grant:
    """Return a run's grant, to be redeemed and never to be sent.

    Args:
        verifier: Whose run it is.
        session_id: The run.
        call: Who asks; only the run's own agent, in its own call, gets this far.
        again: Whether this may be a request that was done before, its reply lost. The grant is then given though it
            is used up or too old: the store alone knows which request used it, and refuses every other.

    Raises:
        NotVerified: there is none.
    """
    step = await verifier.status(session_id, call=call)
    try:
        return step.require()
    except NotVerified:
        if not again:
            raise
        ctx = verifier._ctx  # noqa: SLF001 - no verb gives a used grant, and none should
        case, _ = await load(ctx, read_session(session_id), call)
        await permit(case)
        state = case.state
        if not state.grant or state.grant_until is None:
            raise
        token = ctx.hasher.grant_token(case.stored.id, state.grant, key_id=state.grant_key)
        return Grant(token=token, action=state.action, expires_at=state.grant_until)


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

    Raises:
        ConfigurationError: `verifier` is not an `AsyncVerifier`, or `call` cannot be called, or is `Call` itself.

    Security:
        Replies hold no answer, code or grant, errors quote nothing of a request, and nothing is cached. What an
        `HTTPException` of the dependency says is sent as it is.
    """
    _check(verifier, call)
    routes = APIRouter(prefix=prefix, route_class=_Route, tags=["verification"])
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorOut} for status in (400, 401, 403, 404, 409, 413, 415, 422, 503)
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
        """Use the grant up: only this reply says that the action may be done, once.

        With a request_id, the same request gets the same reply again.
        """
        grant = await _grant(verifier, session_id, call=handled, again=body.request_id is not None)
        step = await verifier.redeem(
            grant, subject=body.subject, action=body.action, call=handled,
            stake=body.stake.stake() if body.stake else None, request_id=body.request_id,
        )  # fmt: skip
        return StepOut.of(step)

    return routes


def _check(verifier: object, call: object) -> None:
    """Refuse what would fail, or let clients say who they are, only once callers are served."""
    wrong = []
    if not isinstance(verifier, AsyncVerifier):
        wrong.append("router takes an AsyncVerifier: wire one with the same arguments")
    if not callable(call):
        wrong.append("call must be a dependency that returns the Call, not the Call of anybody")
    elif isinstance(call, type) and issubclass(call, Call):
        wrong.append("call must not be Call itself, which would be read from the query: return one from a function")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
