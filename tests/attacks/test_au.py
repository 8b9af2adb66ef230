"""The audit log, as a thief of the database would change it; a fuller set is in tests/stateful."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Call, KycVerifyError, Policy, Requirement, ThreatModel, UsageError, checks
from kyc_verify.audit import AuditRecord, ChainReport, Event, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.conftest import Race
    from tests.flows.conftest import Desk


def busy(desk: Desk) -> list[AuditRecord]:
    """Return a log of some length."""
    desk.play("all")
    desk.play("pin", {"pin": "0000"})
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    desk.open("know", subject="cust-43")
    return desk.records()


def checked(desk: Desk, records: list[AuditRecord], **more: Any) -> ChainReport:
    return verify(records, tenant="default", keys=desk.hasher.keyring.chain_keys(), **more)


@pytest.mark.parametrize("at", [0, 3, -1])
@pytest.mark.parametrize(
    "edit",
    [
        {"agent": "agent-8"}, {"verdict": "denied"}, {"action": "pay"}, {"subject": "0" * 32}, {"detail": {"x": 1}},
        {"event": Event.REDEEMED}, {"policy": "0" * 64}, {"tenant": "b"}, {"call": "2" * 32}, {"session": "1" * 32},
        {"mac": bytes(32)}, {"key_id": "none"}, {"seq": 99},
    ],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_au_01_an_edited_row_is_found_there(desk: Desk, at: int, edit: dict[str, Any]) -> None:
    records = busy(desk)
    records[at] = replace(records[at], **edit)
    report = checked(desk, records)
    assert not report.intact
    assert any(str(records[at].seq) in fault for fault in report.faults)


def test_au_01_an_edited_time_is_found(desk: Desk) -> None:
    records = busy(desk)
    records[2] = replace(records[2], at=records[2].at + timedelta(microseconds=1))
    assert not checked(desk, records).intact


def test_au_02_a_deleted_middle_is_found(desk: Desk) -> None:
    records = busy(desk)
    del records[3]
    assert not checked(desk, records).intact


@pytest.mark.parametrize("kept", [1, -10, -1])
def test_au_03_a_deleted_tail_is_found_with_the_anchor_and_never_called_complete_without(desk: Desk, kept: int) -> None:
    records = busy(desk)
    anchor = checked(desk, records).anchor
    cut = records[:kept] if -len(records) < kept else records[:2]
    alone = checked(desk, cut)
    assert alone.intact
    assert alone.complete is False
    assert "completeness is not proven" in alone.note
    with_anchor = checked(desk, cut, anchor=anchor)
    assert with_anchor.complete is False
    assert not with_anchor.intact
    assert checked(desk, records, anchor=anchor).complete is True


def test_au_04_a_chain_that_is_gone_is_found_with_the_anchor(desk: Desk) -> None:
    anchor = checked(desk, busy(desk)).anchor
    report = checked(desk, [], anchor=anchor)
    assert not report.intact
    assert report.complete is False
    assert checked(desk, []).complete is False


def test_au_05_reordered_repeated_and_inserted_rows_are_found(desk: Desk) -> None:
    records = busy(desk)
    swapped = [*records[:2], records[3], records[2], *records[4:]]
    repeated = [*records[:3], records[2], *records[3:]]
    inserted = [*records[:3], replace(records[5], seq=4), *records[3:]]
    renumbered = [replace(each, seq=at) for at, each in enumerate(swapped, 1)]
    for wrong in (swapped, repeated, inserted, renumbered):
        assert not checked(desk, wrong).intact


def test_au_06_a_suffix_recomputed_without_the_key_is_found(desk: Desk) -> None:
    from kyc_verify.audit import Head, seal  # noqa: PLC0415

    records = busy(desk)
    head = Head(seq=records[3].seq, mac=records[3].mac)
    forged = records[:4]
    for record in records[4:]:
        made = seal(replace(record, agent="nobody"), head, key=bytes(32))
        forged.append(made)
        head = Head(seq=made.seq, mac=made.mac)
    assert not checked(desk, forged).intact


def test_au_07_nothing_is_released_without_its_record(desk: Desk) -> None:
    """Kill -9 at random points is in scripts/kill9.py; here every step that was released is in the log."""
    steps = 0
    for _ in range(2):
        step = desk.fresh().open("all")
        steps += 1
        while step.challenge is not None:
            step = desk.say(step)
            steps += 1
    assert len(desk.events()) == steps


INJECTIONS = ['a","verdict":"verified', "=cmd()|x", "+1", "<script>", "%0a%0d", "{}", "a;b,c"]


@pytest.mark.parametrize("odd", INJECTIONS)
def test_au_08_what_is_written_stays_one_record(desk: Desk, odd: str) -> None:
    desk.open("pin", call=Call(id=odd, agent=odd, number=odd))
    desk.enroller.lock("cust-42", by=odd, reason=odd)
    for record in desk.records()[-2:]:
        line = json.dumps(record.as_dict())
        assert "\n" not in line
        assert json.loads(line)["agent"] == odd
        assert line.isascii()


@pytest.mark.parametrize("odd", ["a\r\nb", "\x1b[31m", "a\x00", "\u2028", "a\u202eb", "\ud800"])
def test_au_08_what_drives_a_terminal_is_refused(desk: Desk, odd: str) -> None:
    with pytest.raises(UsageError):
        Call(id=odd, agent="a")
    with pytest.raises(UsageError):
        desk.enroller.lock("cust-42", by="ops", reason=odd)


def test_au_09_no_secret_is_in_the_log_or_in_any_logger(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The whole hunt is in test_leaks."""
    caplog.set_level(logging.DEBUG)
    step = desk.play("all")
    shown = caplog.text + str([record.as_dict() for record in desk.records()])
    for canary in ("4937", desk.sender.code(), step.require().token, "612345678"):
        assert not desk.shows(canary, shown)


def test_au_10_concurrent_writers_make_one_chain(race: Race) -> None:
    policy = Policy(
        name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}), actions={"pin": Requirement(bits=1)}
    )
    bench = race.bench(policy)
    jobs = [
        {"verb": "open", "args": [f"cust-{k}"], "call": {"id": f"call-{k}"}, "more": {"action": "pin"}}
        for k in range(120)
    ]
    found = race.run([jobs[at::4] for at in range(4)], threads=3)
    assert len(found) == 120
    assert not [each for each in found if "error" in each]
    records = list(bench.store.records("default", 0, 1000))
    report = verify(records, tenant="default", keys=bench.hasher.keyring.chain_keys())
    assert report.intact, report.faults
    assert [record.seq for record in records] == list(range(1, 122))


def test_au_11_people_are_named_by_keyed_pseudonyms_that_correlate(desk: Desk) -> None:
    desk.play("pin")
    desk.play("tenure")
    shown = json.dumps([record.as_dict() for record in desk.records()])
    for name in ("cust-42", "call-881", "612345678"):
        assert name not in shown
    runs = [record for record in desk.records() if record.event is Event.OPENED]
    assert len({record.subject for record in runs}) == len({record.call for record in runs}) == 1
    assert len({record.session for record in runs}) == 2


def test_au_12_erasing_leaves_a_chain_that_verifies_and_links_nobody(desk: Desk) -> None:
    desk.play("pin")
    before = desk.records()
    desk.enroller.erase("cust-42", by="ops", reason="asked")
    after = desk.records()
    assert after[:-1] == before
    assert after[-1].event is Event.ERASED
    desk.open("pin")
    assert desk.records()[-1].subject not in {record.subject for record in before}


def test_au_12_purging_drops_state_and_keeps_the_chain(desk: Desk) -> None:
    desk.play("pin")
    kept = desk.records()
    desk.clock.advance(days=400)
    assert desk.store.purge(desk.clock.now, 1000) > 0
    assert desk.records()[: len(kept)] == kept


def test_au_13_every_outcome_is_recorded(desk: Desk) -> None:
    desk.play("pin")
    desk.play("pin", {"pin": "0000"})
    step = desk.open("know")
    desk.verifier.decline(step.challenge.id, call=desk.call)
    desk.verifier.cancel(step.session_id, call=desk.call)
    desk.open("hours")
    late = desk.open("code")
    desk.clock.advance(minutes=31)
    desk.verifier.status(late.session_id, call=desk.call)
    desk.enroller.lock("cust-42", by="ops", reason="x")
    with pytest.raises(KycVerifyError):
        desk.open("boss")
    found = [(record.event.value, record.verdict) for record in desk.records()[1:]]
    assert found == [
        ("opened", "pending"), ("answered", "verified"), ("opened", "pending"), ("answered", "denied"),
        ("opened", "pending"), ("declined", "pending"), ("cancelled", "denied"), ("opened", "exempt"),
        ("opened", "pending"), ("expired", "denied"), ("locked", None), ("refused", "denied"),
    ]  # fmt: skip


def test_au_14_an_older_copy_is_found_by_the_anchor(make: Callable[..., Desk]) -> None:
    desk = make()
    older = busy(desk)
    desk.open("hours")
    anchor = checked(desk, desk.records()).anchor
    assert checked(desk, older, anchor=anchor).complete is False
    assert checked(desk, older).intact  # moved elsewhere, it verifies as it stands
