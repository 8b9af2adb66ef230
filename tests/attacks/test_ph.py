"""Telephone numbers and what the network says of them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Call, Contact, Customer, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))


def matched(desk: Desk, known: str, presented: str | None, *, region: str | None = None, **call: Any) -> Outcome:
    """Return how the caller's number did against the number on record."""
    contact = Contact(number=known, since=desk.clock.now - timedelta(days=900))
    desk.customers["cust-77"] = Customer(contacts=(contact,))
    desk.enroller.enroll("cust-77", {"pin": "8351"}, by="crm-import")
    desk.enroller.clear_runs("cust-77", by="ops", reason="next")
    used = desk.another(number=presented, region=region, **call)
    step = desk.open("signals", subject="cust-77", call=used)
    if step.verdict is Verdict.REVIEW:
        return Outcome.UNAVAILABLE
    decision = desk.verifier.explain(step.session_id, call=AUDITOR)
    found = {item.check: item.outcome for item in decision.evidence}["caller_number"]
    desk.enroller.erase("cust-77", by="ops")
    return found


US = "+12125550123"


def test_ph_01_national_and_international(desk: Desk) -> None:
    assert matched(desk, "+1 212 736 5000", "(212) 736-5000", region="US") is Outcome.PASS
    assert matched(desk, "+1 212 736 5000", "2127365000") is Outcome.FAIL
    assert matched(desk, "+1 212 736 5000", "2127365000", region="XX") is Outcome.FAIL


@pytest.mark.parametrize(
    ("known", "presented"),
    [
        ("+442079460958", "+12079460958"), ("+390612345678", "+39612345678"), ("+5491123456789", "+541123456789"),
        ("+74951234567", "+77271234567"), ("+33612345678", "+33612345679"), ("+12127365000", "+12127365000 x4"),
        ("+12127365000;ext=4", "+12127365000;ext=5"), ("+12127365000;ext=4", "+12127365000"),
        ("+33612345678", "45678"), ("+33612345678", "5678"), ("+33612345678", "2345678"),
    ],
)  # fmt: skip
def test_ph_02_03_04_14_15_other_numbers_do_not_match(desk: Desk, known: str, presented: str) -> None:
    assert matched(desk, known, presented, region="FR") is not Outcome.PASS
    assert matched(desk, known, presented, region="FR") is not Outcome.NEAR


def test_ph_03_the_same_extension_matches(desk: Desk) -> None:
    assert matched(desk, "+1 212 736 5000 x4", "+12127365000 ext. 4") is Outcome.PASS


def test_ph_05_letters_are_treated_alike_on_both_sides(desk: Desk) -> None:
    assert matched(desk, "+1 800 FLOWERS", "+18003569377") is Outcome.UNAVAILABLE
    assert matched(desk, "+18003569377", "+1 800 FLOWERS") is Outcome.FAIL


@pytest.mark.parametrize(
    "presented",
    [
        "+۳۳۶۱۲۳۴۵۶۷۸",
        "+٣٣٦١٢٣٤٥٦٧٨",
        "＋３３６１２３４５６７８",
        "\u200e+33612345678",
        "\u202a+33 6\u00a012 34 56 78\u202c",
    ],
)
def test_ph_06_digits_of_other_scripts_and_marks(desk: Desk, presented: str) -> None:
    assert matched(desk, "+33612345678", presented) is Outcome.PASS
    assert matched(desk, presented, "+33612345678") is Outcome.PASS


@pytest.mark.parametrize("withheld", [None, "", "anonymous", "Restricted", "unknown", "Private", "0", "+"])
def test_ph_07_a_withheld_number_never_matches_even_another(desk: Desk, withheld: str | None) -> None:
    assert matched(desk, "+33612345678", withheld) is Outcome.FAIL
    if withheld is not None:
        assert matched(desk, withheld, withheld) is Outcome.UNAVAILABLE


@pytest.mark.parametrize(
    ("attestation", "outcome"),
    [
        ("A", "pass"),
        ("B", "near"),
        ("C", "near"),
        (None, "near"),
        ("failed", "fail"),
        ("unknown", "fail"),
        ("AA", "fail"),
    ],
)
def test_ph_08_only_verified_a_passes(desk: Desk, attestation: str | None, outcome: str) -> None:
    assert matched(desk, "+33612345678", "+33612345678", attestation=attestation).value == outcome


def test_ph_08_an_attestation_of_another_number_gives_nothing(desk: Desk) -> None:
    assert matched(desk, "+33612345678", "+33698765432", attestation="A") is Outcome.FAIL


def test_ph_10_a_shared_line_gives_no_credit(make: Callable[..., Desk]) -> None:
    desk = make(contacts=[Contact(number="+33612345678", shared=True)])
    desk.clock.advance(days=400)
    assert desk.open("signals").verdict is Verdict.REVIEW
    assert desk.open("code").verdict is Verdict.REVIEW


def test_ph_11_after_a_sim_swap_the_signal_counts_against_the_caller(make: Callable[..., Desk]) -> None:
    from kyc_verify import Policy, Requirement, checks  # noqa: PLC0415

    policy = Policy(
        name="p", checks=[checks.SimSwap(), checks.CallerNumber(), checks.OneTimeCode()],
        actions={"a": Requirement(bits="1.5")},
    )  # fmt: skip
    desk = make(policy)
    assert desk.play("a").verdict is Verdict.VERIFIED
    desk.signals["sim_swap"].value = desk.clock.now - timedelta(days=1)
    sent = len(desk.sender.messages)
    step = desk.open("a")
    while step.challenge is not None:
        step = desk.say(step, "000000")
    assert step.verdict is Verdict.DENIED
    assert len(desk.sender.messages) == sent  # whoever has the number now gets no code


@pytest.mark.parametrize(
    "number", ["911", "112", "+1 900 555 0123", "+33 899 70 00 00", "+870 773 111 632", "+88213", "3000"]
)
def test_ph_13_no_code_goes_to_dangerous_destinations(make: Callable[..., Desk], number: str) -> None:
    desk = make(contacts=[Contact(number=number)])
    desk.clock.advance(days=400)
    assert desk.open("code").verdict is Verdict.REVIEW
    assert desk.sender.messages == []


def test_ph_14_quirks_are_symmetric(desk: Desk) -> None:
    for one, other in (("+525512345678", "+5215512345678"), ("+5491123456789", "+541123456789")):
        assert {matched(desk, one, other), matched(desk, other, one)}.isdisjoint({Outcome.PASS, Outcome.NEAR})


def test_ph_15_parsing_is_quick(desk: Desk) -> None:
    start = time.monotonic()
    for odd in ("+" * 10_000, "1" * 100_000, ";ext=" * 5_000, "+1" + "-" * 10_000):
        assert matched(desk, "+33612345678", odd) is Outcome.FAIL
    assert time.monotonic() - start < 5
