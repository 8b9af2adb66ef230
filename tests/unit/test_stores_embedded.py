"""What the embedded stores add to the contract of stores: keys of past days, unknown subjects' charges, exact sums."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import localcontext

import pytest

from kyc_verify.audit import AuditRecord, Head
from kyc_verify.errors import StoreError
from kyc_verify.ports import Standing
from kyc_verify.stores import MemoryStore, _rules, _schema
from kyc_verify.testing._contract.desk import DAY, NOW, TICK, Desk, charge, credential, sealed, stake

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def desk(store: MemoryStore) -> Iterator[Desk]:
    made = Desk(store)
    yield made
    made.done()


def count(store: MemoryStore, table: str) -> int:
    with store._reading() as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our names


def test_the_key_of_a_day_goes_after_the_day_and_its_last_session(store: MemoryStore, desk: Desk) -> None:
    desk.open("s-1", "nobody", known=False, expires_at=NOW + DAY)
    desk.purge(NOW)
    assert count(store, "days") == 1  # the day goes on
    desk.purge(NOW + DAY - TICK)
    assert count(store, "days") == 1  # a session still uses it
    desk.purge(NOW + DAY)
    assert (count(store, "sessions"), count(store, "days")) == (0, 0)


def test_a_key_of_today_stays_without_any_session(store: MemoryStore, desk: Desk) -> None:
    desk.note(None)
    desk.purge(NOW + MINUTE)
    assert count(store, "days") == 1


def test_a_purge_never_drops_more_than_told_and_ends_at_nothing(store: MemoryStore, desk: Desk) -> None:
    for n in range(3):
        desk.start(f"s-{n}", "nobody", charge())
        desk.begin(1, f"s-{n}")
    dropped = []
    while not dropped or dropped[-1]:
        dropped.append(desk.purge(NOW + 40 * DAY, limit=2))
    assert max(dropped) == 2
    assert sum(dropped) == 9  # sessions, charges, runs
    assert count(store, "subjects") == 1


@pytest.mark.parametrize(("known", "left"), [(True, 1), (False, 0)])
def test_made_up_subjects_fill_no_disk(store: MemoryStore, desk: Desk, known: bool, left: int) -> None:
    desk.open("s-1", "nobody", known=known)
    desk.commit("s-1", turn=1, charges=(charge(window=None),))
    desk.begin()
    desk.purge(NOW + 366 * DAY - TICK)
    assert count(store, "charges") == 1
    desk.purge(NOW + 366 * DAY)
    assert count(store, "charges") == left


def test_sums_are_exact_whatever_the_callers_decimals_are_rounded_to(desk: Desk) -> None:
    desk.open()
    with localcontext() as context:
        context.prec = 3
        for n, reason in enumerate([None, None, "ceiling"]):
            digest = bytes([n]) * 32
            desk.grant(digest)
            found = desk.redeem(digest, charge=stake("1235.567891", ceiling="2471.135782"))
            assert found.reason == reason


def test_an_erasure_is_recorded_under_the_key_it_destroys_and_never_under_one_to_be_guessed(desk: Desk) -> None:
    keys: list[bytes] = []

    def seal(head: Head, key: bytes) -> AuditRecord:
        keys.append(key)
        return sealed()(head)

    own = desk.open(fresh_key=b"o" * 32).subject.key
    assert [desk.erase(seal=seal) for _ in range(3)] == [True, False, False]
    assert keys[0] == own
    assert len({*keys, bytes(32)}) == 4
    assert {len(each) for each in keys} == {32}


def test_a_session_whose_key_is_gone_is_refused(store: MemoryStore, desk: Desk) -> None:
    desk.open("s-1", "nobody", known=False)
    with store._writing() as db:
        db.execute("DELETE FROM days")
    for verb in (desk.load, lambda: desk.begin(0)):
        with pytest.raises(StoreError, match="the key that this session was recorded under is gone"):
            verb()


def test_a_grant_whose_key_is_gone_is_as_one_that_never_was(store: MemoryStore, desk: Desk) -> None:
    desk.open("s-1", "nobody", known=False)
    desk.grant()
    with store._writing() as db:
        db.execute("DELETE FROM sessions")
    found = desk.redeem()
    assert (found.reason, found.key, found.session) == ("unknown", None, None)


def test_no_row_is_told_in_a_repr(desk: Desk) -> None:
    desk.enroll(credential(salt=b"Q" * 16), fresh_key=b"K" * 32)
    desk.start(state="S" * 9)
    desk.stand(Standing.LOCKED)
    said = repr(desk.load()) + repr(desk.begin()) + repr(desk.store)
    assert not any(each in said for each in ("K" * 9, "S" * 9, "Q" * 9, "salt"))


def test_every_object_of_the_schema_has_its_own_name() -> None:
    assert len(_schema._EXPECTED) == len(_schema._STATEMENTS)
    assert all(each.isidentifier() for each in _schema._EXPECTED)


@pytest.mark.parametrize(
    ("turn", "age", "expected"),
    [
        (1, None, (True, False)),
        (2, None, (False, False)),
        (1, timedelta(0), (False, False)),
        (1, timedelta(seconds=10) - TICK, (False, False)),
        (1, timedelta(seconds=10), (True, True)),
        (2, timedelta(seconds=10), (False, False)),
        (1, -DAY, (False, False)),
    ],
)
def test_whose_turn_it_is(turn: int, age: timedelta | None, expected: tuple[bool, bool]) -> None:
    claimed_at = None if age is None else NOW - age
    assert _rules.claim(turn=1, asked=turn, claimed_at=claimed_at, now=NOW) == expected
