"""Before anything is sent: signals against the number, its kind, budgets of destinations and countries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Budget,
    Budgets,
    Contact,
    Customer,
    Notice,
    Policy,
    Requirement,
    Step,
    ThreatModel,
    Verdict,
    checks,
)
from kyc_verify.checks import Signal, SignalCheck
from kyc_verify.terms import Outcome
from kyc_verify.testing import CountingStore, ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

MOBILE, OTHER, ABROAD = "+33612345678", "+33698765432", "+447400123456"
HOUR = timedelta(hours=1)
LIMITED = [
    pytest.param({"destination": Budget(2, HOUR)}, Notice.DESTINATION_BUSY, id="destination"),
    pytest.param({"country": Budget(2, HOUR)}, Notice.COUNTRY_BUSY, id="country"),
]


class Forwarding(SignalCheck):
    """A signal of one's own: calls to the number go elsewhere."""

    source = "forwarding"
    uses_contact = True
    taints_contact = True

    def judge(self, signal: Signal) -> Outcome:
        return Outcome.PASS if signal.value is False else Outcome.FAIL


def codes(*signals: checks.Check, **budgets: Any) -> Policy:
    sent = (checks.OneTimeCode(), checks.OneTimeCode("rung", channel="voice"), checks.Callback())
    known = tuple(check.id for check in signals)
    return Policy(
        name="codes",
        checks=[*signals, *sent],
        threats=ThreatModel.points(dict.fromkeys(known, 1) | {check.id: 50 for check in sent}),
        actions={check.id: Requirement(bits=20, checks=(*known, check.id)) for check in sent},
        budgets=Budgets(**({"sends": Budget(100, HOUR)} | budgets)),
    )


def customer(desk: Desk, name: str, *contacts: Contact | str) -> str:
    since = desk.clock.now - timedelta(days=400)
    made = [replace(Contact(number=each) if isinstance(each, str) else each, since=since) for each in contacts]
    desk.customers[name] = Customer(contacts=tuple(made))
    return name


def resent(desk: Desk, step: Step, **more: Any) -> Step:
    assert step.challenge is not None
    desk.clock.advance(seconds=30)
    return desk.verifier.resend(step.challenge.id, call=desk.call, **more)


# ── What the signals of the run say ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", ["one_time_code", "rung", "callback"])
@pytest.mark.parametrize("said", [True, None, RuntimeError("down")])
def test_after_a_recent_swap_nothing_is_sent_and_the_same_is_asked(
    make: Callable[..., Desk], action: str, said: object
) -> None:
    desk = make(codes(checks.SimSwap()))
    clear = desk.open(action)
    assert len(desk.sender.messages) == 1
    desk.signals["sim_swap"].value = said
    swapped = desk.open(action)
    assert swapped.challenge is not None
    assert clear.challenge is not None
    assert swapped.challenge.text == clear.challenge.text
    assert len(desk.sender.messages) == 1
    assert Notice.SEND_REFUSED in desk.observer.notices


def test_after_a_recent_swap_a_resend_sends_nothing_either(make: Callable[..., Desk]) -> None:
    desk = make(codes(checks.SimSwap()))
    desk.signals["sim_swap"].value = True
    resent(desk, desk.open("one_time_code"))
    assert desk.sender.messages == []


def test_a_signal_of_one_s_own_stops_messages(make: Callable[..., Desk]) -> None:
    from kyc_verify.testing import ScriptedSignals  # noqa: PLC0415

    source = ScriptedSignals(value=True)
    desk = make(codes(Forwarding()), signals={"forwarding": source})
    desk.open("rung")
    assert desk.sender.messages == []
    source.value = False
    desk.open("rung")
    assert len(desk.sender.messages) == 1


def test_a_source_that_does_not_cover_the_number_stops_nothing(make: Callable[..., Desk]) -> None:
    desk = make(codes(checks.SimSwap()))
    desk.signals["sim_swap"].value = {"covered": False}
    desk.open("one_time_code")
    assert len(desk.sender.messages) == 1


def test_another_presented_number_is_no_sign_that_the_number_on_record_is_lost(make: Callable[..., Desk]) -> None:
    desk = make(codes(checks.CallerNumber()))
    desk.open("one_time_code", call=desk.another(number=OTHER))
    assert [message.destination for message in desk.sender.messages] == [MOBILE]


def test_a_signal_speaks_of_the_number_that_codes_go_to(make: Callable[..., Desk]) -> None:
    desk = make(codes(checks.SimSwap()), contacts=[])
    voice = Contact(number="+33142685300", channels=frozenset({"voice"}))
    who = customer(desk, "cust-42", voice, Contact(number=MOBILE, channels=frozenset({"sms"})))
    desk.signals["sim_swap"].value = True
    desk.open("one_time_code", subject=who)
    assert desk.sender.messages == []
    desk.open("rung", subject=who)
    assert [message.destination for message in desk.sender.messages] == ["+33142685300"]


def test_a_push_to_the_app_does_not_rest_on_the_number(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="app",
        checks=[checks.SimSwap(), checks.AppConfirmation()],
        threats=ThreatModel.points({"sim_swap": 1, "app_confirmation": 6}),
        actions={"a": Requirement(bits=3)},
    )
    service = ScriptedService()
    desk = make(policy, services={"app": service})
    desk.signals["sim_swap"].value = True
    desk.open("a")
    assert len(service.messages) == 1


# ── Kinds of numbers ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "number",
    [
        "+33899700000", "+870773111632", "+8816315550000", "+882161555000", "+883510001234567", "+448432100000",
        "112", "3639", "+8081234567", "+979123456789",
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", ["one_time_code", "callback"])
def test_nothing_goes_to_dear_short_or_satellite_numbers(make: Callable[..., Desk], number: str, action: str) -> None:
    desk = make(codes(), contacts=[])
    assert desk.open(action, subject=customer(desk, "cust-42", number)).verdict is Verdict.REVIEW
    assert desk.sender.messages == []


def test_an_extension_can_be_dialled_and_not_written_to(make: Callable[..., Desk]) -> None:
    desk = make(codes(), contacts=[])
    who = customer(desk, "cust-42", "+33142685300;ext=12")
    assert desk.open("one_time_code", subject=who).verdict is Verdict.REVIEW
    desk.open("callback", subject=who)
    assert [message.destination for message in desk.sender.messages] == ["+33142685300;ext=12"]


def test_a_number_that_became_dear_since_the_run_opened_gets_nothing(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    """Both are old numbers of the customer's; the CRM puts the dear one first in the middle of a run."""
    desk = make(policy(), contacts=[])
    who = customer(desk, "cust-42", MOBILE, "+33899700000")
    desk.open("hours", subject=who)
    step = desk.open("all", subject=who)
    customer(desk, "cust-42", "+33899700000", MOBILE)
    for _ in range(2):
        step = desk.say(step)
    assert step.challenge is not None
    assert step.challenge.check == "one_time_code"
    assert desk.sender.messages == []


# ── Destinations and countries ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("budgets", "notice"), LIMITED)
def test_too_many_for_a_destination_or_a_country_are_not_sent_and_nobody_sees_it(
    make: Callable[..., Desk], budgets: dict[str, Budget], notice: Notice
) -> None:
    desk = make(codes(**budgets))
    steps = [desk.open("one_time_code") for _ in range(4)]
    assert len(desk.sender.messages) == 2
    assert desk.observer.notices.count(notice) == 2
    assert {step.verdict for step in steps} == {Verdict.PENDING}
    assert len({step.challenge.text for step in steps if step.challenge}) == 1
    desk.clock.advance(HOUR)
    desk.open("one_time_code")
    assert len(desk.sender.messages) == 3


def test_a_destination_is_one_whoever_it_is_said_to_belong_to(make: Callable[..., Desk]) -> None:
    """Many customers with one number, or one customer with many checks: the telephone rings as often."""
    desk = make(codes(destination=Budget(3, HOUR)), contacts=[])
    for k in range(4):
        who = customer(desk, f"cust-{k}", MOBILE)
        desk.open("one_time_code", subject=who)
        desk.open("rung", subject=who)
    assert len(desk.sender.messages) == 3
    desk.open("one_time_code", subject=customer(desk, "cust-9", OTHER))
    assert len(desk.sender.messages) == 4


def test_a_country_is_one_whatever_the_number(make: Callable[..., Desk]) -> None:
    desk = make(codes(country=Budget(3, HOUR)), contacts=[])
    for k in range(5):
        desk.open("one_time_code", subject=customer(desk, f"cust-{k}", f"+3361234567{k}"))
    assert len(desk.sender.messages) == 3
    desk.open("one_time_code", subject=customer(desk, "cust-9", ABROAD))
    assert desk.sender.messages[-1].destination == ABROAD


def test_what_is_not_sent_uses_up_no_destination_and_no_country(make: Callable[..., Desk]) -> None:
    """Asking for codes that nobody gets keeps nobody else from theirs."""
    desk = make(codes(checks.SimSwap(), destination=Budget(1, HOUR), country=Budget(1, HOUR)))
    desk.signals["sim_swap"].value = True
    for k in range(5):
        desk.open("one_time_code")
        desk.open("one_time_code", subject=f"nobody-{k}")
    desk.signals["sim_swap"].value = False
    desk.open("one_time_code")
    assert len(desk.sender.messages) == 1


@pytest.mark.parametrize(("budgets", "notice"), LIMITED)
def test_a_resend_too_many_for_the_destination_leaves_the_code_already_sent_good(
    make: Callable[..., Desk], budgets: dict[str, Budget], notice: Notice
) -> None:
    desk = make(codes(**budgets))
    step = resent(desk, desk.open("one_time_code"))
    refused = resent(desk, step)
    assert refused.challenge is not None
    assert step.challenge is not None
    assert refused.challenge.id != step.challenge.id  # as of anybody
    assert len(desk.sender.messages) == 2
    assert notice in desk.observer.notices
    assert desk.say(refused).verdict is Verdict.VERIFIED
    assert desk.events() == ["opened", "resent", "sent", "resent", "answered"]


def test_a_code_that_was_kept_grows_no_younger(make: Callable[..., Desk]) -> None:
    desk = make(codes(destination=Budget(1, HOUR)))
    step = desk.open("one_time_code")
    for _ in range(10):
        step = resent(desk, step)
    assert desk.say(step).verdict is Verdict.PENDING  # 300 s old: it is wrong now


@pytest.mark.parametrize("budgets", [each.values[0] for each in LIMITED])
def test_resending_looks_and_costs_the_same_whether_or_not_it_is_refused(
    make: Callable[..., Desk], budgets: dict[str, Budget]
) -> None:
    """The cool-down starts anew as well: the second of two quick resends is too soon for everybody."""
    found = {}
    for subject in ("cust-42", "nobody"):
        desk = make(codes(**budgets))
        for _ in range(2):
            desk.open("one_time_code")  # uses up what there is for cust-42
        store = CountingStore(desk.store)
        at = desk.over(store)
        step, shown = at.open("one_time_code", subject=subject), []
        for seconds in (30, 1, 29, 30):
            desk.clock.advance(seconds=seconds)
            store.counts.clear()
            assert step.challenge is not None
            again = at.verifier.resend(step.challenge.id, call=at.call)
            shown.append((again.challenge.text, again.challenge.id == step.challenge.id, dict(store.counts)))
            step = again
        found[subject] = shown
    assert found["cust-42"] == found["nobody"]
    assert [same for _, same, _ in found["nobody"]] == [False, True, False, False]


def test_an_e_mail_counts_for_its_mailbox_and_for_no_country(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="mail",
        checks=[checks.OneTimeCode("mail", channel="email")],
        threats=ThreatModel.points({"mail": 6}),
        actions={"a": Requirement(bits=3)},
        budgets=Budgets(destination=Budget(2, HOUR), country=Budget(1, HOUR)),
    )
    desk = make(policy, contacts=[])
    for _ in range(3):
        desk.open("a", subject=customer(desk, "cust-42", "anna@example.org"))
    assert len(desk.sender.messages) == 2


def test_nothing_kept_names_the_destination(make: Callable[..., Desk]) -> None:
    desk = make(codes())
    desk.open("one_time_code")
    if hasattr(desk.store, "_writing"):
        with desk.store._writing() as db:
            kept = [row[0] for row in db.execute("SELECT key FROM charges")]
        assert kept
        assert not any("612345678" in key for key in kept)
