"""Numbers: the cool-off, shared and changed ones, attestation, where codes may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Call,
    Contact,
    Customer,
    Lifetimes,
    Outcome,
    Policy,
    Requirement,
    ThreatModel,
    Verdict,
    checks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))
OLD, NEW = "+33612345678", "+33698765432"


def shown(desk: Desk, *, check: str = "caller_number", **call: Any) -> Outcome:
    """Return how a signal ended, as the auditor sees it."""
    used = desk.another(**call)
    step = desk.open("signals", call=used)
    if step.verdict is Verdict.PENDING:
        step = desk.verifier.cancel(step.session_id, call=used)
    decision = desk.verifier.explain(step.session_id, call=AUDITOR)
    return next(item.outcome for item in decision.evidence if item.check == check)


def contact(desk: Desk, *, number: str = OLD, days: int = 400, **more: Any) -> None:
    known = Contact(number=number, since=desk.clock.now - timedelta(days=days), **more)
    desk.customers["cust-42"] = Customer(contacts=(known,))


# ── The cool-off ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_crm_s_date_is_believed_once(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    contact(desk, days=30)
    assert desk.open("code").verdict is Verdict.PENDING
    contact(desk, number=NEW, days=3000)
    assert desk.open("code").verdict is Verdict.REVIEW
    desk.clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert desk.open("code").verdict is Verdict.REVIEW
    desk.clock.advance(microseconds=1)
    assert desk.open("code").verdict is Verdict.PENDING
    assert [message.destination for message in desk.sender.messages] == [OLD, NEW]


def test_a_number_younger_than_the_cool_off_gets_no_code_and_no_credit(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    contact(desk, days=29)
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.open("signals").verdict is Verdict.REVIEW
    desk.clock.advance(days=1)
    assert desk.open("code").verdict is Verdict.PENDING


def test_a_number_the_crm_cannot_date_counts_from_when_we_see_it(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    desk.customers["cust-42"] = Customer(contacts=(Contact(number=OLD),))
    assert desk.open("code").verdict is Verdict.REVIEW
    desk.clock.advance(days=30)
    assert desk.open("code").verdict is Verdict.PENDING


def test_a_change_the_crm_tells_of_starts_the_cool_off_again(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    contact(desk, changed_at=desk.clock.now - timedelta(days=29))
    assert desk.open("code").verdict is Verdict.REVIEW
    desk.clock.advance(days=1)
    assert desk.open("code").verdict is Verdict.PENDING


def test_a_date_in_the_future_gives_nothing(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    contact(desk, days=-4000)
    assert desk.open("code").verdict is Verdict.REVIEW


def test_a_shared_number_gives_no_credit_and_gets_no_code(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    contact(desk, shared=True)
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.open("signals").verdict is Verdict.REVIEW
    assert desk.sender.messages == []


def test_a_number_that_changes_mid_run_gets_no_code(desk: Desk) -> None:
    step = desk.open("all")
    desk.customers["cust-42"] = Customer(contacts=(Contact(number=NEW, since=desk.clock.now - timedelta(days=900)),))
    step = desk.say(desk.say(step))
    assert step.challenge.check == "one_time_code"
    assert desk.sender.messages == []
    while step.challenge is not None:
        step = desk.say(step, "123456")
    assert step.verdict is Verdict.DENIED


def test_no_number_at_all(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[])
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.play("pin").verdict is Verdict.VERIFIED


@pytest.mark.parametrize("number", ["112", "+33 899 70 00 00", "+870773111632", "06 12 34 56 78", "not a number", ""])
def test_no_code_goes_to_dear_short_or_unreadable_numbers(make: Callable[..., Desk], number: str) -> None:
    desk = make(contacts=[])
    contact(desk, number=number)
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.sender.messages == []


# ── The caller's number ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("attestation", "outcome"),
    [
        ("A", "pass"),
        ("B", "near"),
        ("C", "near"),
        (None, "near"),
        ("failed", "fail"),
        ("a", "fail"),
        ("", "fail"),
        ("X", "fail"),
    ],
)
def test_only_a_verified_number_passes(desk: Desk, attestation: str | None, outcome: str) -> None:
    assert shown(desk, attestation=attestation).value == outcome


@pytest.mark.parametrize(
    "number", [None, "", "anonymous", "Restricted", "+3361234567", "12345678", "\x00", "+" * 4096, NEW]
)
def test_any_other_number_fails_whatever_its_attestation(desk: Desk, number: str | None) -> None:
    assert shown(desk, number=number) is Outcome.FAIL


@pytest.mark.parametrize("number", ["+33 6 12 34 56 78", "0033612345678", "06 12 34 56 78", "+٣٣٦١٢٣٤٥٦٧٨"])
def test_one_number_in_other_spellings_passes_with_a_region(desk: Desk, number: str) -> None:
    assert shown(desk, number=number, region="FR") is Outcome.PASS


def test_a_national_number_without_a_region_fails(desk: Desk) -> None:
    assert shown(desk, number="06 12 34 56 78") is Outcome.FAIL


# ── What a carrier says ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (False, "pass"), (True, "fail"), (None, "fail"), ("no", "fail"), (0, "fail"), ({}, "fail"), ([], "fail"),
        ({"covered": False}, "unavailable"), ({"covered": True, "swapped": False}, "pass"),
        ({"swapped": True}, "fail"), ({"changed_at": None}, "unavailable"), (float("nan"), "fail"),
        (RuntimeError("down"), "fail"), (TimeoutError(), "fail"), (StopIteration(), "fail"),
    ],
)  # fmt: skip
def test_only_a_clear_no_change_passes(desk: Desk, said: object, outcome: str) -> None:
    desk.signals["sim_swap"].value = said
    assert shown(desk, check="sim_swap").value == outcome


@pytest.mark.parametrize(("days", "outcome"), [(8, "pass"), (7, "pass"), (6, "fail"), (-1, "fail")])
def test_a_swap_within_a_week_fails(desk: Desk, days: int, outcome: str) -> None:
    desk.signals["sim_swap"].value = desk.clock.now - timedelta(days=days)
    assert shown(desk, check="sim_swap").value == outcome


def test_a_source_that_fails_for_everybody_is_left_alone_for_a_minute(desk: Desk) -> None:
    desk.signals["sim_swap"].value = RuntimeError("down")
    for k in range(7):
        desk.open("signals", subject=f"cust-{k}")
    assert len(desk.signals["sim_swap"].queries) == 5
    assert {"signal_failed", "circuit_open"} <= set(desk.observer.notices)
    assert shown(desk, check="sim_swap") is Outcome.UNAVAILABLE
    desk.clock.advance(minutes=1)
    desk.signals["sim_swap"].value = False
    assert shown(desk, check="sim_swap") is Outcome.PASS


def test_a_source_gets_the_number_on_record_for_a_customer_and_the_presented_one_for_nobody(desk: Desk) -> None:
    desk.open("signals", call=desk.another(number=NEW))
    desk.open("signals", subject="cust-43", call=desk.another(number=NEW))
    assert [query.number for query in desk.signals["sim_swap"].queries] == [OLD, NEW]
    desk.open("signals", subject="cust-43", call=desk.another(number="06 12 34 56 79", region="FR"))
    desk.open("signals", subject="cust-44", call=desk.another(number="withheld"))
    desk.open("signals", subject="cust-45", call=desk.another(number=None))
    assert [query.number for query in desk.signals["sim_swap"].queries[2:]] == ["+33612345679", None, None]


def test_numbers_are_kept_as_keyed_fingerprints_only(desk: Desk) -> None:
    desk.play("all")
    assert replace(desk.call).number == OLD
    kept = str(desk.records()) + str(desk.store.records(desk.tenant, 0, 1000))
    assert "612345678" not in kept


# ── Call-backs ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cool_off", [timedelta(0), timedelta(days=1), timedelta(days=30)])
@pytest.mark.parametrize(("short", "verdict"), [(1, Verdict.REVIEW), (0, Verdict.PENDING)])
def test_a_number_is_called_back_after_thirty_days_to_the_microsecond(
    make: Callable[..., Desk], policy: Callable[..., Policy], cool_off: timedelta, short: int, verdict: Verdict
) -> None:
    desk = make(policy(lifetimes=Lifetimes(cool_off=cool_off)), contacts=[])
    since = desk.clock.now - timedelta(days=30) + timedelta(microseconds=short)
    desk.customers["cust-42"] = Customer(contacts=(Contact(number=OLD, since=since),))
    assert desk.open("callback").verdict is verdict
    assert len(desk.sender.messages) == (verdict is Verdict.PENDING)


def test_a_longer_cool_off_holds_for_call_backs_too(make: Callable[..., Desk], policy: Callable[..., Policy]) -> None:
    desk = make(policy(lifetimes=Lifetimes(cool_off=timedelta(days=90))), contacts=[])
    contact(desk, days=89)
    assert desk.open("callback").verdict is Verdict.REVIEW
    desk.clock.advance(days=1)
    assert desk.open("callback").verdict is Verdict.PENDING


def test_a_change_within_thirty_days_is_not_called_back(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(lifetimes=Lifetimes(cool_off=timedelta(0))), contacts=[])
    contact(desk, changed_at=desk.clock.now - timedelta(days=30) + timedelta(microseconds=1))
    assert desk.open("callback").verdict is Verdict.REVIEW
    assert desk.open("code").verdict is Verdict.PENDING  # the policy's cool-off, for everything else
    desk.clock.advance(microseconds=1)
    assert desk.fresh().open("callback").verdict is Verdict.PENDING


def test_a_call_that_was_not_dialled_confirms_nothing(make: Callable[..., Desk]) -> None:
    both = Policy(
        name="both", checks=[checks.Pin(), checks.Callback()],
        threats=ThreatModel.points({"pin": 3, "callback": 6}), actions={"pay": Requirement(bits=8)},
    )  # fmt: skip
    for number, verdict in ((OLD, Verdict.VERIFIED), (NEW, Verdict.DENIED)):
        desk = make(both)
        step = desk.open("pay")
        desk.customers["cust-42"] = Customer(contacts=(Contact(number=number, since=desk.clock.now),))
        while step.challenge is not None:
            step = desk.say(step)
        assert step.verdict is verdict
        assert len(desk.sender.messages) == (number == OLD)


def test_what_somebody_who_does_not_exist_can_be_asked_is_drawn_for_each_check_and_stays(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(enrolled_share={"pin": 0.5, "account_tenure": 0.5}))

    def asked() -> list[tuple[Verdict, ...]]:
        return [
            tuple(desk.open(action, subject=f"nobody-{number}").verdict for action in ("pin", "tenure"))
            for number in range(40)
        ]

    first = asked()
    assert set(first) == {(a, b) for a in (Verdict.PENDING, Verdict.REVIEW) for b in (Verdict.PENDING, Verdict.REVIEW)}
    desk.clock.advance(days=400)
    assert asked() == first


def test_call_backs_of_somebody_who_does_not_exist_look_the_same(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    """Whether a number is old enough shows in the share that the policy states, for both alike."""
    for share, verdict in ((1.0, Verdict.PENDING), (0.0, Verdict.REVIEW)):
        desk = make(policy(lifetimes=Lifetimes(cool_off=timedelta(0)), enrolled_share={"callback": share}))
        nobody = desk.open("callback", subject="nobody")
        assert nobody.verdict is verdict
        if verdict is Verdict.REVIEW:
            contact(desk, number=NEW, days=29)
        somebody = desk.open("callback")
        assert (somebody.verdict, somebody.reasons) == (nobody.verdict, nobody.reasons)
