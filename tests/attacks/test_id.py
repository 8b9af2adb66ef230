"""Who is meant: unknown, unusable, look-alike and other tenants' subjects."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kyc_verify import KycVerifyError, NotVerified, UsageError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


def cost(desk: Desk, subject: str, action: str = "know") -> tuple[object, ...]:
    """Return what a run on a subject costs and shows: hashes, trips, and every step without its ids."""
    from kyc_verify.testing import CountingStore  # noqa: PLC0415

    counting, before = CountingStore(desk.store), desk.hasher.hashes
    counted = desk.over(counting)
    step, shown = counted.open(action, subject=subject), []
    while step.challenge is not None:
        shown.append((step.challenge.text, step.challenge.entry, step.reasons))
        step = counted.say(step, "0000")
    return (desk.hasher.hashes - before, tuple(sorted(counting.counts.items())), *shown, step.verdict, step.reasons)


def people(desk: Desk) -> list[str]:
    """Make one subject of every state; the first is known and answers wrongly."""
    for name in ("cust-locked", "cust-inactive"):
        desk.customers[name] = desk.customers["cust-42"]
        desk.enroller.enroll(name, {"pin": "8351", "account_tenure": "2090-01-01"}, by="crm-import")
    desk.enroller.lock("cust-locked", by="ops", reason="fraud")
    desk.customers["cust-inactive"] = replace(desk.customers["cust-42"], active=False)
    desk.customers["cust-empty"] = desk.customers["cust-42"]
    return ["cust-42", "cust-unknown", "cust-empty", "cust-locked", "cust-inactive"]


def test_id_01_an_unknown_subject_costs_and_shows_the_same(desk: Desk) -> None:
    assert cost(desk, "cust-42") == cost(desk, "cust-43")


def test_id_02_unusable_subjects_cost_and_show_the_same(desk: Desk) -> None:
    found = [cost(desk, who) for who in people(desk)]
    assert found[0][0] == 2
    assert all(each == found[0] for each in found[1:]), found


def test_id_03_every_path_pays_the_decoy(desk: Desk) -> None:
    """Answered, replayed, out of time, out of budget: the hash is paid."""
    for who in people(desk):
        step = desk.open("pin", subject=who)
        hashes = []
        for answer in ("0000", "0000"):
            before = desk.hasher.hashes
            desk.say(step, answer)
            hashes.append(desk.hasher.hashes - before)
        late = desk.open("pin", subject=who)
        desk.clock.advance(minutes=6)
        before = desk.hasher.hashes
        desk.say(late, "4937")
        assert [*hashes, desk.hasher.hashes - before] == [1, 1, 1], who


def test_id_04_a_code_for_an_unknown_subject(desk: Desk) -> None:
    found = {}
    for fail in (None, RuntimeError("no such number")):
        desk.sender.fail = fail
        for who in people(desk):
            step = desk.open("code", subject=who)
            found[who, str(fail)] = (step.challenge.text, step.reasons, step.verdict)
    assert len(set(found.values())) == 1
    # Nothing enrolled is asked for a code: who has no enrolled fact gets one; nobody on hold, gone or unknown does.
    assert len(desk.sender.messages) == 2


VARIANTS = ["a123", " A123", "A123 ", "Ａ１２３", "A123\u200b", "А123", "A\u0301123"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_id_05_a_variant_spelling_is_refused_or_somebody_unknown(desk: Desk, variant: str) -> None:
    desk.customers["A123"] = desk.customers["cust-42"]
    desk.enroller.enroll("A123", {"pin": "4937"}, by="crm-import")
    try:
        step = desk.open("pin", subject=variant)
    except UsageError:
        return
    assert desk.say(step, "4937").verdict is Verdict.DENIED


def test_id_05_spreading_guesses_over_spellings_gains_none(desk: Desk) -> None:
    for variant in ["CUST-42", "Cust-42", "cust\u201042", "cust-4２"]:
        assert unicodedata.normalize("NFC", variant) == variant
        for k in range(3):
            step = desk.open("pin", subject=variant)
            if step.challenge is not None:
                desk.say(step, f"{7000 + k}")
    assert desk.play("pin").verdict is Verdict.VERIFIED


@pytest.mark.parametrize("alike", ["mıke", "miKe", "\u212aike", "mi\u017fe", "mіke", "MIKE"])
def test_id_06_a_look_alike_is_somebody_else_and_gets_no_code(desk: Desk, alike: str) -> None:
    desk.customers["mike"] = desk.customers["cust-42"]
    desk.enroller.enroll("mike", {"pin": "4937"}, by="crm-import")
    try:
        step = desk.open("code", subject=alike)
    except UsageError:
        return
    assert desk.sender.messages == []
    while step.challenge is not None:
        step = desk.say(step, "123456")
    assert step.verdict is Verdict.DENIED


def test_id_07_there_is_no_looking_up_by_anything_but_the_exact_id(desk: Desk) -> None:
    """The CRM port has one method and returns one customer or none; several rows are an error."""
    desk.open("pin")
    assert set(desk.customers.asked) == {"cust-42"}
    desk.customers["cust-42"] = [desk.customers["cust-42"], desk.customers["cust-42"]]
    with pytest.raises(UsageError):
        desk.open("pin")


@pytest.mark.parametrize("odd", [0, None, True, "", b"x", 1.0, ("cust-42",), object()])
def test_id_08_an_id_of_another_type_is_refused(desk: Desk, odd: object) -> None:
    desk.customers["0"] = desk.customers["cust-42"]
    with pytest.raises(KycVerifyError):
        desk.verifier.open(odd, action="pin", call=desk.call)


def test_id_08_ids_are_not_coerced(desk: Desk) -> None:
    desk.customers["0"] = desk.customers["cust-42"]
    desk.enroller.enroll("0", {"pin": "8351"}, by="crm-import")
    assert desk.say(desk.open("pin", subject="00"), "8351").verdict is Verdict.DENIED
    assert desk.say(desk.open("pin", subject="0"), "8351").verdict is Verdict.VERIFIED


def test_id_09_tenants_do_not_touch(make: Callable[..., Desk]) -> None:
    first = make()
    second = make(store=first.store, tenant="b", facts={"pin": "8351", "account_tenure": "2090-01-01"})
    assert second.play("pin", {"pin": "4937"}).verdict is Verdict.DENIED
    step = first.play("pin")
    with pytest.raises(NotVerified) as refused:
        second.redeem(step, "pin")
    assert refused.value.reason == "unknown"
    for k in range(6):
        first.play("pin", {"pin": f"{7000 + k}"})
    assert second.play("pin", {"pin": "8351"}).verdict is Verdict.VERIFIED
    code = first.open("code")
    with pytest.raises(LookupError):
        second.say(code, first.sender.code())
    assert {record.tenant for record in second.records()} == {"b"}
