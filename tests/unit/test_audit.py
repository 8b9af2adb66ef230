from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest

from kyc_verify import audit
from kyc_verify.audit import GENESIS, Anchor, AuditRecord, ChainReport, Event, Head, pseudonym, seal
from kyc_verify.errors import UsageError

NOW = datetime(2100, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
KEYS = {"1": b"1" * 32, "2": b"2" * 32}


def record(**changes: object) -> AuditRecord:
    usual: dict[str, object] = {
        "tenant": "t",
        "seq": 0,
        "at": NOW,
        "event": Event.ANSWERED,
        "agent": "agent-7",
        "subject": "a" * 32,
        "call": "b" * 32,
        "session": "c" * 32,
        "action": "pay",
        "verdict": "pending",
        "policy": "d" * 64,
        "detail": {"turn": 1, "check": "pin"},
        "key_id": "1",
    }
    return AuditRecord(**(usual | changes))  # type: ignore[arg-type]


def chain(length: int, *, start: Head | None = None, key_id: str = "1", **changes: object) -> list[AuditRecord]:
    head, made = start or Head(), []
    for n in range(length):
        made.append(seal(record(key_id=key_id, at=NOW + timedelta(seconds=n), **changes), head, key=KEYS[key_id]))
        head = Head(seq=made[-1].seq, mac=made[-1].mac)
    return made


def anchor_of(records: list[AuditRecord]) -> Anchor:
    return Anchor(tenant="t", seq=records[-1].seq, mac=records[-1].mac)


def verify(records: list[AuditRecord], **changes: object) -> ChainReport:
    return audit.verify(iter(records), **({"tenant": "t", "keys": KEYS} | changes))  # type: ignore[arg-type]


# ── Records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_details_are_sorted_and_read_only() -> None:
    detail: dict[str, str | int] = {"b": 1, "a": 2}
    made = record(detail=detail)
    detail["c"] = 3
    assert list(made.detail.items()) == [("a", 2), ("b", 1)]
    assert isinstance(made.detail, MappingProxyType)


def test_a_tag_is_in_no_repr() -> None:
    made = chain(1)[0]
    assert made.mac.hex() not in repr(made)
    assert repr(made.mac) not in repr(made)
    assert repr(anchor_of([made])) == "Anchor(tenant='t', seq=1)"
    assert repr(Head()) == "Head(seq=0)"


def test_an_export_is_one_line_of_ascii_for_each_record() -> None:
    nasty = "a\nb\r\x1b[2J\u2028\u202e\x85é\x00"
    made = seal(record(agent=nasty, action=nasty, detail={nasty: nasty}), Head(), key=KEYS["1"])
    line = made.to_json()
    assert line.isascii()
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["agent"] == nasty


def test_an_export_is_read_back_and_verifies() -> None:
    made = chain(3)
    read = [AuditRecord.from_json(each.to_json()) for each in made]
    assert read == made
    assert verify(read).intact


def test_an_export_says_the_time_in_utc_to_the_microsecond() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    here, there = record().as_dict(), record(at=NOW.astimezone(east)).as_dict()
    assert here["at"] == there["at"] == "2100-01-01T12:00:00.123456+00:00"
    assert record(at=NOW.replace(microsecond=0)).as_dict()["at"] == "2100-01-01T12:00:00.000000+00:00"


@pytest.mark.parametrize(
    "line",
    ["", "null", "[]", "{}", '"x"', "[" * 100_000, '{"seq": 1}', "not json", '{"tenant": "t", "extra": 1}'],
    ids=lambda line: line[:9],
)
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="not a record"):
        AuditRecord.from_json(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", "x"), ("seq", None), ("at", "yesterday"), ("at", 5), ("event", "bogus"), ("mac", "zz"), ("mac", None),
        ("detail", 5), ("detail", [1]), ("unknown", 1),
    ],
)  # fmt: skip
def test_a_record_with_a_damaged_field_is_refused(field: str, value: object) -> None:
    plain = chain(1)[0].as_dict() | {field: value}
    with pytest.raises(UsageError, match="not a record"):
        AuditRecord.from_json(json.dumps(plain))


# ── Pseudonyms ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pseudonym_is_stable_under_one_key_and_one_label() -> None:
    name = pseudonym(b"k" * 32, "subject", "cust-42")
    assert name == pseudonym(b"k" * 32, "subject", "cust-42")
    assert len(name) == 32
    others = {
        pseudonym(b"K" * 32, "subject", "cust-42"),
        pseudonym(b"k" * 32, "session", "cust-42"),
        pseudonym(b"k" * 32, "subject", "cust-43"),
        pseudonym(b"k" * 32, "subjectc", "ust-42"),
    }
    assert len(others | {name}) == 5


def test_a_pseudonym_is_the_documented_hmac() -> None:
    # Stored for ever: another name for the same subject would cut its history in two.
    expected = hmac.digest(bytes(32), b"7:subject\xc3\xa9", "sha256")[:16].hex()
    assert pseudonym(bytes(32), "subject", "é") == expected == "2a922fdb34c19ca740ce181a8dab8ed2"


# ── Sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_put_after_the_head() -> None:
    first = seal(record(seq=99, mac=b"x"), Head(), key=KEYS["1"])
    second = seal(record(), Head(seq=1, mac=first.mac), key=KEYS["1"])
    assert (first.seq, second.seq) == (1, 2)
    assert len(first.mac) == 32
    assert replace(first, seq=0, mac=b"") == record()


def test_sealing_is_pure() -> None:
    assert seal(record(), Head(), key=KEYS["1"]) == seal(record(), Head(), key=KEYS["1"])


def test_a_tag_is_the_documented_mac() -> None:
    # Stored for ever: every chain that was ever written must keep verifying.
    body = (
        b'{"action":"pay","agent":"agent-7","at":"2100-01-01T12:00:00.123456+00:00","call":"%s",'
        b'"detail":{"check":"pin","turn":1},"event":"answered","key_id":"1","policy":"%s","seq":1,"session":"%s",'
        b'"subject":"%s","tenant":"t","verdict":"pending"}'
    ) % (b"b" * 32, b"d" * 64, b"c" * 32, b"a" * 32)
    expected = hmac.digest(KEYS["1"], b"\x00\x00\x00\x20" + bytes(32) + body, "sha256")
    assert chain(1)[0].mac == expected
    assert expected.hex() == "a0ca2b842141608e1c5baec7951a270558ee7f0cdc3cc04cfeed37456cb23255"


@pytest.mark.parametrize("changed", [Head(seq=1), Head(mac=b"\x01" * 32), Head(mac=b"")])
def test_a_tag_depends_on_the_whole_head(changed: Head) -> None:
    assert seal(record(), changed, key=KEYS["1"]).mac != seal(record(), Head(), key=KEYS["1"]).mac


# ── Verifying ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_chain_is_intact_but_not_proven_complete_without_an_anchor() -> None:
    made = chain(5)
    report = verify(made)
    assert (report.intact, report.complete, report.records, report.faults) == (True, False, 5, ())
    assert report.note == "completeness is not proven: no anchor was given"
    assert report.anchor == anchor_of(made)


def test_a_chain_that_reaches_its_anchor_is_complete() -> None:
    made = chain(5)
    report = verify(made, anchor=anchor_of(made))
    assert (report.intact, report.complete, report.note) == (True, True, None)
    grown = made + chain(2, start=Head(seq=5, mac=made[-1].mac))
    assert verify(grown, anchor=anchor_of(made)).complete


def test_an_empty_chain() -> None:
    report = verify([])
    assert (report.intact, report.complete, report.records, report.anchor) == (True, False, 0, None)
    empty = Anchor(tenant="t", seq=0, mac=GENESIS)
    assert verify([], anchor=empty).complete
    assert verify(chain(1), anchor=empty).complete
    gone = verify([], anchor=anchor_of(chain(3)))
    assert (gone.intact, gone.complete) == (False, False)
    assert gone.faults == ("the chain ends at record 0, before the anchored record 3",)


_EDITS: dict[str, object] = {
    "tenant": "u",
    "at": NOW + timedelta(microseconds=1),
    "event": Event.EXPIRED,
    "agent": None,
    "subject": "e" * 32,
    "call": None,
    "session": "",
    "action": "close",
    "verdict": "verified",
    "policy": "e" * 64,
    "detail": {"turn": 1, "check": "pin", "outcome": "pass"},
    "key_id": "2",
    "mac": b"m" * 32,
}


@pytest.mark.parametrize("where", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("field", [*_EDITS])
def test_an_edit_of_any_field_shows(field: str, where: int) -> None:
    made = chain(5)
    made[where] = replace(made[where], **{field: _EDITS[field]})  # type: ignore[arg-type]
    report = verify(made)
    assert (report.intact, report.complete, report.anchor) == (False, False, None)
    assert any(f"record {where + 1} was changed" in fault for fault in report.faults)


def test_every_field_but_the_number_is_edited_above() -> None:
    assert {each.name for each in fields(AuditRecord)} - {"seq"} == set(_EDITS)


@pytest.mark.parametrize("detail", [{"turn": "1", "check": "pin"}, {"turn": 1}, {}, {"turn": 1, "check": "pin "}])
def test_an_edit_within_the_details_shows(detail: dict[str, str | int]) -> None:
    made = chain(1)
    assert not verify([replace(made[0], detail=detail)]).intact


def test_a_renumbered_record_shows() -> None:
    made = chain(3)
    made[2] = replace(made[2], seq=4)
    report = verify(made)
    assert report.faults[0] == "record 4 follows record 2: missing, repeated or out of order"
    assert "record 4 was changed, or does not follow the record before it" in report.faults


def _without(*places: int) -> Callable[[list[AuditRecord]], list[AuditRecord]]:
    return lambda made: [each for n, each in enumerate(made) if n not in places]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_without(0), "record 2 follows record 0: missing"),
        (_without(2), "record 4 follows record 2: missing"),
        (_without(1, 2, 3), "record 5 follows record 1: missing"),
        (lambda made: [made[1], made[0], *made[2:]], "record 2 follows record 0: missing, repeated or out of order"),
        (lambda made: [*made[:3], made[2], *made[3:]], "record 3 follows record 3: missing, repeated"),
        (lambda made: [*made, *made], "record 1 follows record 5"),
        (lambda made: [*made[:2], record(seq=3, mac=b"m" * 32), *made[2:]], "record 3 was changed"),
        (lambda made: made[::-1], "record 5 follows record 0"),
    ],
    ids=["head", "middle", "several", "swapped", "doubled", "twice over", "inserted", "reversed"],
)
def test_what_is_dropped_moved_or_inserted_shows(
    damage: Callable[[list[AuditRecord]], list[AuditRecord]], fault: str
) -> None:
    report = verify(damage(chain(5)))
    assert not report.intact
    assert any(each.startswith(fault) for each in report.faults), report.faults


def test_a_missing_tail_shows_only_against_an_anchor() -> None:
    made = chain(5)
    assert verify(made[:3]).intact
    report = verify(made[:3], anchor=anchor_of(made))
    assert (report.intact, report.complete, report.anchor, report.note) == (False, False, None, None)
    assert report.faults == ("the chain ends at record 3, before the anchored record 5",)


def test_a_fork_shows_beside_the_other_branch_and_against_an_anchor() -> None:
    made = chain(5)
    head = Head(seq=3, mac=made[2].mac)
    fork = made[:3] + chain(4, start=head, agent="agent-8")
    assert verify(fork).intact
    assert not verify([*made, *fork[3:]]).intact
    report = verify(fork, anchor=anchor_of(made))
    assert (report.intact, report.complete) == (False, False)
    assert report.faults == ("record 5 is not the anchored one: the chain was rewritten",)


def test_a_suffix_recomputed_without_the_key_shows() -> None:
    made = chain(5)
    forged, head = made[:2], Head(seq=2, mac=made[1].mac)
    for each in made[2:]:
        forged.append(seal(replace(each, verdict="verified"), head, key=b"guess" * 7))
        head = Head(seq=forged[-1].seq, mac=forged[-1].mac)
    assert verify(forged).faults == tuple(
        f"record {n} was changed, or does not follow the record before it" for n in (3, 4, 5)
    )


def test_records_of_another_tenant_show() -> None:
    made = chain(3, tenant="u")
    assert "record 1 is of another tenant" in verify(made).faults
    assert verify(made, tenant="u").intact


def test_a_chain_goes_on_under_a_new_key() -> None:
    made = chain(2)
    made += chain(2, start=Head(seq=2, mac=made[-1].mac), key_id="2")
    assert verify(made).intact
    report = verify(made, keys={"2": KEYS["2"]})
    assert report.faults == tuple(f"record {n} names a key that is not in the keyring" for n in (1, 2))


def test_a_chain_may_begin_after_a_trusted_head() -> None:
    made = chain(6)
    kept = anchor_of(made[:4])
    report = verify(made[4:], start=kept.head)
    assert (report.intact, report.complete, report.records) == (True, False, 2)
    assert report.anchor == anchor_of(made)
    assert verify(made[4:], start=kept.head, anchor=anchor_of(made)).complete
    assert verify([], start=kept.head, anchor=kept).complete
    assert not verify(made[4:]).intact
    assert not verify(made[4:], start=Head(seq=4, mac=b"m" * 32)).intact
    assert not verify(made[5:], start=kept.head).intact


def test_an_anchor_before_the_trusted_head_proves_nothing() -> None:
    made = chain(6)
    report = verify(made[4:], start=anchor_of(made[:4]).head, anchor=anchor_of(made[:2]))
    assert (report.intact, report.complete) == (True, False)
    assert report.note == "completeness is not proven: the anchored record is older than the trusted head"


def test_a_trusted_head_that_is_not_the_anchored_one_shows() -> None:
    made = chain(6)
    report = verify(made[4:], start=anchor_of(made[:4]).head, anchor=Anchor(tenant="t", seq=4, mac=b"m" * 32))
    assert report.faults == ("record 4 is not the anchored one: the chain was rewritten",)


def test_an_anchor_of_another_tenant_is_refused() -> None:
    with pytest.raises(UsageError, match="another tenant's"):
        verify(chain(1), anchor=Anchor(tenant="u", seq=1, mac=b"m" * 32))


def test_a_chain_is_streamed() -> None:
    made, alive, most = chain(3), 0, 0

    class Counted:
        def __init__(self, inner: AuditRecord) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> Iterator[Counted]:
        for _ in range(1000):
            yield Counted(made[0])

    report = audit.verify(stream(), tenant="t", keys=KEYS)  # type: ignore[arg-type]
    assert report.records == 1000
    assert most <= 2


def test_the_faults_of_a_rotten_chain_are_counted_not_all_kept() -> None:
    report = verify(chain(1) * 1000)
    assert len(report.faults) == 101
    assert report.faults[-1] == "and 1898 more faults"
    assert not report.intact
