"""What a developer reads when a verb is used wrongly: whole sentences that say what to write instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    BackendError,
    Call,
    Customer,
    KycVerifyError,
    NotVerified,
    Policy,
    Requirement,
    StoreError,
    ThreatModel,
    Verifier,
    checks,
)
from kyc_verify._flows.opening import _new
from kyc_verify.answers.forms import REFUSALS
from kyc_verify.stores import MemoryStore
from kyc_verify.testing import AsyncBench, Bench, FailingStore, cheap_hasher

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

AUDITOR = frozenset({"auditor"})
OPEN = "no question is open in this verification; see its status"
UNKNOWN = "there is no such session or challenge here; open a new verification"
NO_STR = " must be a str"
PIN = Policy(
    name="p",
    checks=[checks.Pin()],
    threats=ThreatModel.points({"pin": 3}),
    actions={"pin": Requirement(bits=1)},
)


def said(work: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Return what a refusal says."""
    with pytest.raises(KycVerifyError) as refused:
        work(*args, **kwargs)
    return str(refused.value)


# ── Arguments ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_a_call(desk: Desk) -> None:
    step = desk.open("pin")
    assert step.challenge is not None
    verb, session, challenge = desk.verifier, step.session_id, step.challenge.id
    wrong: Any = "call-881"
    for work in (
        lambda: verb.open("cust-42", action="pin", call=wrong),
        lambda: verb.respond(challenge, "4937", call=wrong),
        lambda: verb.decline(challenge, call=wrong),
        lambda: verb.resend(challenge, call=wrong),
        lambda: verb.status(session, call=wrong),
        lambda: verb.step_up(session, action="pin", call=wrong),
        lambda: verb.transfer(session, call=wrong),
        lambda: verb.cancel(session, call=wrong),
        lambda: verb.explain(session, call=wrong),
        lambda: verb.redeem("token", subject="cust-42", action="pin", call=wrong),
    ):
        assert said(work) == "call must be a Call"


def test_each_id_is_called_by_its_name(desk: Desk) -> None:
    verb, enroller, call = desk.verifier, desk.enroller, desk.call
    session = desk.play("pin").session_id
    facts = {"pin": "8350"}
    named = {
        "subject": (
            lambda: verb.open(5, action="pin", call=call),
            lambda: verb.redeem("token", subject=5, action="pin", call=call),
            lambda: enroller.enroll(5, facts, by="ops"),
            lambda: enroller.issue_codes(5, "recovery_code", by="ops"),
            lambda: enroller.lock(5, by="ops", reason="x"),
            lambda: enroller.erase(5, by="ops", reason="x"),
        ),
        "request_id": (
            lambda: verb.open("cust-42", action="pin", call=call, request_id=5),
            lambda: verb.step_up(session, action="tenure", call=call, request_id=5),
            lambda: verb.redeem("token", subject="cust-42", action="pin", call=call, request_id=5),
        ),
        "by": (
            lambda: enroller.enroll("cust-42", facts, by=5),
            lambda: enroller.issue_codes("cust-42", "recovery_code", by=5),
            lambda: enroller.lock("cust-42", by=5, reason="x"),
            lambda: enroller.erase("cust-42", by=5, reason="x"),
        ),
        "call": (
            lambda: enroller.enroll("cust-42", facts, by="ops", call=5),
            lambda: enroller.issue_codes("cust-42", "recovery_code", by="ops", call=5),
        ),
        "reason": (
            lambda: enroller.lock("cust-42", by="ops", reason=5),
            lambda: enroller.erase("cust-42", by="ops", reason=5),
        ),
        "a field": (lambda: enroller.flag("cust-42", fields=[5], by="ops", reason="x"),),
    }
    for name, works in named.items():
        for work in works:
            assert said(work) == name + NO_STR


def test_what_else_a_verb_is_given(desk: Desk) -> None:
    verb, enroller, call = desk.verifier, desk.enroller, desk.call
    session = desk.play("pin").session_id
    stake = "stake must be a Stake or None"
    locale = "locale must be a language tag such as fr-CA, or None"
    entries = "entries must be a collection of Entry values, or None for everything"
    grant = "grant must be the Grant that require() returned, or its token"
    facts = "facts must map 1 to 64 check ids to facts"
    assert said(verb.open, "cust-42", action="pay", call=call, stake=5) == stake
    assert said(verb.step_up, session, action="pay", call=call, stake=5) == stake
    assert said(verb.redeem, "token", subject="cust-42", action="pay", call=call, stake=5) == stake
    for wrong in ("", 5, "x" * 36):
        assert said(verb.open, "cust-42", action="pin", call=call, locale=wrong) == locale
    assert desk.open("pin", locale="x" * 35).challenge
    for none in ((), "digits", ["shout"], 5):
        assert said(verb.open, "cust-42", action="pin", call=call, entries=none) == entries
    for token in (None, "", "é", "x" * 201, b"token"):
        assert said(verb.redeem, token, subject="cust-42", action="pin", call=call) == grant
    for given in ({}, None, ["pin"], dict.fromkeys(map(str, range(65)), "x")):
        assert said(enroller.enroll, "cust-42", given, by="ops") == facts
    most = dict.fromkeys(map(str, range(64)), "x")
    assert said(enroller.enroll, "cust-42", most, by="ops") != facts
    refused = {"pin": "1234", "school": "", "one_time_code": "x", "nothing": "x"}
    assert said(enroller.enroll, "cust-42", refused, by="ops") == "; ".join(
        f"{name}: {REFUSALS[reason]}"
        for name, reason in sorted(
            {"nothing": "unknown_check", "one_time_code": "not_stored", "pin": "weak_pin", "school": "blank"}.items()
        )
    )
    for fields in ("birth_date", None, 5):
        assert said(enroller.flag, "cust-42", fields=fields, by="ops", reason="x") == (
            "fields must be a collection of field names"
        )
    for check in ("pin", "no_such", None):
        assert said(enroller.issue_codes, "cust-42", check, by="ops") == (
            "check must be the id of a RecoveryCode of the policy"
        )


@pytest.mark.parametrize(
    "wrong",
    [None, 5, "", ".", "x", "x.", ".1", "x.-1", "x.01", "x.1.", "x.one", "x.12345", "é.1", "x" * 99 + ".1", b"x.1"],
)
def test_what_is_no_challenge_is_not_there(desk: Desk, wrong: Any) -> None:
    verb, call = desk.verifier, desk.call
    assert said(verb.respond, wrong, "4937", call=call) == UNKNOWN
    assert said(verb.decline, wrong, call=call) == UNKNOWN
    if wrong in (None, 5, "", "é.1", b"x.1"):
        assert said(verb.status, wrong, call=call) == UNKNOWN
    assert said(verb.cancel, "x" * 101, call=call) == UNKNOWN


# ── Whose turn it is ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_fit_where_the_run_stands(desk: Desk) -> None:
    verb, call = desk.verifier, desk.call
    boss = replace(call, roles=frozenset({"supervisor"}))
    step = desk.open("boss", call=boss)
    assert step.challenge is not None
    session, challenge = step.session_id, step.challenge.id
    assert said(verb.resend, challenge, call=boss) == "nothing was sent for this question; ask it"
    assert said(verb.respond, f"{session}.2", "4937", call=boss) == OPEN
    assert said(verb.decline, f"{session}.2", call=boss) == OPEN
    assert said(verb.status, session, call=call) == ("the agent no longer has a role that this session was opened with")
    assert said(verb.respond, challenge, "4937", call=replace(boss, agent="agent-8")) == (
        "this session is another agent's; use transfer"
    )
    assert said(verb.status, session, call=replace(boss, id="call-882")) == UNKNOWN
    assert said(verb.transfer, session, call=replace(boss, id="call-882")) == (
        "there is no such session in this call; a caller who calls back starts anew"
    )
    lacks = "the agent lacks the role that this action needs"
    assert said(desk.open, "boss") == lacks
    assert said(verb.transfer, session, call=replace(call, agent="agent-8")) == lacks
    assert said(verb.step_up, session, action="tenure", call=boss) == (
        "only a run that is verified or exempt, and not yet over, can be stepped up; open a new one"
    )
    assert said(verb.explain, session, call=call) == "only an auditor may see how a decision came about"
    auditor = Call(id="audit-1", agent="auditor-1", roles=AUDITOR)
    assert said(verb.explain, session, call=auditor) == ("the run is still open; a decision is explained after its end")
    step = desk.say(step, call=boss)
    assert step.verdict.value == "verified"
    assert said(verb.respond, challenge, "1111", call=boss) == (
        "another answer was given to this challenge; a challenge takes one answer, the next one has its own id"
    )
    assert said(verb.respond, f"{session}.2", "4937", call=boss) == OPEN
    plain = desk.play("pin").session_id
    assert said(verb.step_up, plain, action="boss", call=call) == lacks
    denied = desk.play("pin", {"pin": "1111"}).session_id
    assert said(verb.transfer, denied, call=call) == "a run that is denied is over; there is nothing to transfer"


def test_a_request_id_is_good_for_one_thing(desk: Desk) -> None:
    verb, call = desk.verifier, desk.call
    other = "this request_id was used for another verification; use a new one for each"
    step = desk.open("pin", request_id="r-1")
    assert said(desk.open, "tenure", request_id="r-1") == other
    desk.customers["cust-43"] = Customer()
    assert said(desk.open, "pin", subject="cust-43", request_id="r-1") == other
    step = desk.say(step)
    verb.step_up(step.session_id, action="hours", call=call, request_id="r-2")
    assert said(verb.step_up, step.session_id, action="tenure", call=call, request_id="r-2") == (
        "this request_id was used for another step up; use a new one for each"
    )


def test_a_policy_that_changed_explains_nothing(desk: Desk, policy: Callable[..., Policy]) -> None:
    step = desk.play("pin")
    changed = desk.under(policy(name="changed"))
    auditor = Call(id="audit-1", agent="auditor-1", roles=AUDITOR)
    assert said(changed.verifier.explain, step.session_id, call=auditor) == (
        "the policy this run was judged under is not the present one; explain it with that policy"
    )


def test_a_run_that_was_never_committed_was_never_opened(desk: Desk) -> None:
    with pytest.raises(StoreError, match="told to"):
        desk.over(FailingStore(desk.store, verb="commit")).open("pin", request_id="r-1")
    ctx = desk.verifier._target._ctx
    left = desk.drive(desk.store.open(_new(ctx, "cust-42", None, desk.clock.now), None, desk.clock.now)).session.id
    for verb, about in (("status", left), ("cancel", left), ("decline", f"{left}.1"), ("resend", f"{left}.1")):
        assert said(getattr(desk.verifier, verb), about, call=desk.call) == (
            "this verification was never opened; open a new one"
        )
    # Whoever asks for it again by the same request is served; another subject is not.
    desk.customers["cust-43"] = Customer()
    assert said(desk.open, "pin", subject="cust-43", request_id="r-1") == (
        "this request_id was used for another verification; use a new one for each"
    )
    assert desk.open("pin", request_id="r-1").challenge


# ── Outages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_fails_is_called_by_its_name(desk: Desk) -> None:
    broken = ValueError("quotes cust-42")
    assert said(desk.over(FailingStore(desk.store, verb="open", error=broken)).open, "pin") == (
        "the store failed; nothing was verified"
    )
    desk.customers["cust-42"] = "a customer"
    assert said(desk.open, "pin") == "customers.get must return a Customer or None"
    desk.customers.fail = broken
    assert said(desk.open, "pin") == "the CRM's customers could not be read; nothing was verified"


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: 1 / 0, "the clock failed; nothing was verified"),
        (lambda: 5, "what the clock returned must be an aware datetime (use datetime.now(UTC))"),
    ],
)
def test_a_clock_that_fails(read: Callable[[], Any], sentence: str) -> None:
    bench = Bench(PIN)
    verifier = Verifier(bench.policy, **(bench._wiring | {"clock": read}), **bench._ports)
    with pytest.raises((BackendError, KycVerifyError)) as failed:
        verifier.open("cust-42", action="pin", call=bench.call)
    assert str(failed.value) == sentence


# ── Wiring ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Port:
    def get(self, *_: object) -> None: ...


PORT = _Port()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"policy": "policy"}, "policy must be a Policy"),
        ({"hasher": "pepper"}, "hasher must be a SecretHasher"),
        ({"store": object()}, "store must have the verbs of ports.Store"),
        ({"clock": 5}, "clock must be callable"),
        ({"seeds": object()}, "seeds must have get()"),
        ({"observer": object()}, "observer must have notice()"),
        ({"customers": object()}, "customers must have get()"),
        ({"tenant": 5}, "tenant must be a str"),
        ({"tenant": ""}, "tenant must have 1 to 200 characters"),
        ({"clock": 5, "tenant": 5}, "clock must be callable; tenant must be a str"),
        ({"senders": ["sms"]}, "senders must map names to objects with send"),
        ({"senders": {"sms": PORT}}, "senders: each needs a name and send()"),
        ({"senders": {5: PORT}}, "senders: each needs a name and send()"),
        ({"signals": ["x"]}, "signals must map names to objects with get"),
        ({"signals": {"x": object()}}, "signals: each needs a name and get()"),
        ({"signals": {5: PORT}}, "signals: each needs a name and get()"),
        ({"services": ["x"]}, "services must map names to objects with send and check"),
        ({"services": {"x": PORT}}, "services: each needs a name and send() and check()"),
    ],
)
def test_what_is_wired_wrong(wrong: dict[str, Any], sentence: str) -> None:
    right: dict[str, Any] = {"policy": PIN, "store": MemoryStore(), "hasher": cheap_hasher(), "customers": PORT}
    assert Verifier(**right, signals={"x": PORT}).policy is PIN
    assert said(Verifier, **(right | wrong)) == sentence


def test_what_belongs_to_the_other_front() -> None:
    bench = Bench(PIN)

    async def get(subject: str) -> None: ...

    bench.customers.get = get  # type: ignore[method-assign, assignment]
    with pytest.raises(KycVerifyError) as refused:
        bench.verifier.open("cust-42", action="pin", call=bench.call)
    assert str(refused.value) == "a coroutine function was given to the sync front; use AsyncVerifier or AsyncEnroller"


def test_what_an_async_crm_raises_is_an_outage(policy: Callable[..., Policy]) -> None:
    async def run() -> str:
        bench = AsyncBench(policy())

        async def get(_: str) -> None:
            raise KeyError

        bench.customers.get = get  # type: ignore[method-assign, assignment]
        with pytest.raises(BackendError) as failed:
            await bench.verifier.open("cust-42", action="pin", call=bench.call)
        return str(failed.value)

    assert asyncio.run(run()) == "the CRM's customers could not be read; nothing was verified"


def test_a_grant_says_why_it_is_refused(desk: Desk) -> None:
    step = desk.play("pin")
    desk.redeem(step, "pin")
    with pytest.raises(NotVerified) as refused:
        desk.redeem(step, "pin")
    assert str(refused.value) == "this grant was used already"
