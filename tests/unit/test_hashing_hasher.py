"""Answers at rest: what matches, what is refused, and that nothing tells one subject from another by its hashes."""

from __future__ import annotations

import copy
import dataclasses
import hmac
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import argon2.exceptions
import argon2.low_level
import pytest

from kyc_verify.answers import Clarify, Forms, digits, durations, text
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.errors import Busy, EnrollmentError, UsageError
from kyc_verify.hashing import AnswerContext, Keyring, SecretHasher, Verified
from kyc_verify.hashing.keyring import Label
from kyc_verify.terms import Outcome, Secret
from kyc_verify.testing.hashing import CheapHasher, cheap_hasher

NOW = datetime(2031, 6, 15, 12, 30, 15, 123456, tzinfo=UTC)
ABOUT: AnswerContext = {
    "tenant": "acme",
    "subject": "cust-42",
    "check": "first_school",
    "kind": "text",
    "forms_version": 1,
}
KEYS = {name: bytes(range(start, start + 32)) for name, start in (("1", 0), ("2", 50), ("3", 100))}
CHEAP = Argon2Profile(memory=8, time=1, parallelism=1)
DEARER = Argon2Profile(memory=16, time=1, parallelism=1)
SCHOOL = text.forms("École Jules Ferry")
NO_SUBJECT: AnswerContext = {**ABOUT, "subject": "nobody"}


def ring(*ids: str, archived: tuple[str, ...] = (), staged: tuple[str, ...] = ()) -> Keyring:
    return Keyring([(name, KEYS[name]) for name in ids], archived=archived, staged=staged)


def enrolled(hasher: SecretHasher, forms: Forms = SCHOOL, about: AnswerContext = ABOUT) -> Credential:
    return hasher.enroll(forms, at=NOW, by="crm-import", **about)


def hashes(hasher: CheapHasher, act: Callable[[], object]) -> int:
    before = hasher.hashes
    act()
    return hasher.hashes - before


def tenure(said: str) -> Forms:
    month = durations.read(said, locale="en", now=NOW)
    assert not isinstance(month, Clarify)
    return durations.attempt(month, now=NOW)


# ── What matches ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("École Jules Ferry", Outcome.PASS),
        ("ecole  JULES-ferry", Outcome.PASS),
        ("Ferry Jules école", Outcome.NEAR),
        ("Ecole Jules Feri", Outcome.NEAR),
        ("École Victor Hugo", Outcome.FAIL),
    ],
)
def test_text_is_graded_by_its_forms(said: str, outcome: Outcome) -> None:
    hasher = cheap_hasher()
    assert hasher.verify(enrolled(hasher), text.forms(said), **ABOUT).outcome is outcome


def test_an_exact_answer_has_no_near() -> None:
    hasher = cheap_hasher()
    pin = enrolled(hasher, digits.forms("4711"))
    assert pin.near is None
    assert pin.typo == ()
    assert hasher.verify(pin, digits.forms("4711"), **ABOUT).outcome is Outcome.PASS
    assert hasher.verify(pin, digits.forms("4712"), **ABOUT).outcome is Outcome.FAIL


def test_near_needs_that_both_sides_allow_it() -> None:
    hasher = cheap_hasher()
    strict, lax = (Forms(coarse="c", fine="x", near=near) for near in (False, True))
    said_strict, said_lax = (Forms(coarse="c", fine="y", near=near) for near in (False, True))
    assert hasher.verify(enrolled(hasher, lax), said_lax, **ABOUT).outcome is Outcome.NEAR
    assert hasher.verify(enrolled(hasher, strict), said_lax, **ABOUT).outcome is Outcome.FAIL
    assert hasher.verify(enrolled(hasher, lax), said_strict, **ABOUT).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Chartreuse", Outcome.PASS),
        ("Chartrouse", Outcome.NEAR),
        ("Chrateruse", Outcome.FAIL),
        ("Cahrtreuse", Outcome.NEAR),
        ("Bordeaux", Outcome.FAIL),
    ],
)
def test_typo_tolerance_is_one_letter(said: str, outcome: Outcome) -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher, text.forms("Chartreuse", tolerance="typo"))
    assert hasher.verify(stored, text.forms(said, tolerance="typo"), **ABOUT).outcome is outcome


def test_the_number_of_typo_tags_does_not_tell_the_length() -> None:
    hasher = cheap_hasher()
    counts = {
        len(enrolled(hasher, text.forms(word, tolerance="typo")).typo) for word in ("lyon", "chartreuse", "a" * 63)
    }
    assert counts == {64}
    assert len(enrolled(hasher, text.forms("a" * 40 + "b" * 40 + "c", tolerance="typo")).typo) == 64
    assert len(enrolled(hasher, text.forms("".join(chr(97 + i % 26) for i in range(80)), tolerance="typo")).typo) == 128


def test_typo_tags_of_a_credential_without_any_match_nothing() -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher, text.forms("Chartreuse", tolerance="exact"))
    assert hasher.verify(stored, text.forms("Chartrouse", tolerance="typo"), **ABOUT).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("12 years", Outcome.PASS),
        ("10 years", Outcome.PASS),
        ("since March 2019", Outcome.PASS),
        ("8 years", Outcome.NEAR),
        ("3 years", Outcome.FAIL),
        ("40 years", Outcome.FAIL),
    ],
)
def test_tenure_is_graded_by_the_month_that_is_stored(said: str, outcome: Outcome) -> None:
    hasher = cheap_hasher()
    about: AnswerContext = {**ABOUT, "kind": "tenure"}
    stored = hasher.enroll(durations.forms(date(2019, 3, 14)), at=NOW, by="crm-import", **about)
    assert stored.near is None
    assert hasher.verify(stored, tenure(said), **about).outcome is outcome


@pytest.mark.parametrize("opened", [date(1903, 7, 1), date(2031, 6, 15), date(1970, 1, 1)])
def test_the_oldest_and_the_present_month_are_compared_too(opened: date) -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher, durations.forms(opened))
    said = durations.attempt(opened.year * 12 + opened.month - 1, now=NOW)
    assert len(said.graded) == durations.MONTHS
    assert hasher.verify(stored, said, **ABOUT).outcome is Outcome.PASS


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.DECLINED, Outcome.FAIL, "pass", None, 1])
def test_fc_05_a_graded_form_is_worth_pass_near_or_nothing(outcome: Outcome) -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher, Forms(coarse="c", fine="a"))
    said = Forms(coarse="c", fine="b", graded=((Secret("a"), outcome), (Secret("b"), Outcome.FAIL)))
    assert hasher.verify(stored, said, **ABOUT).outcome is Outcome.FAIL


@pytest.mark.parametrize("stored", [True, False])
def test_fc_05_a_month_that_is_not_found_is_none_and_not_the_last(stored: bool) -> None:
    hasher = cheap_hasher()
    record = enrolled(hasher, durations.forms(date(1890, 1, 1))) if stored else None  # before the oldest month compared
    said = tenure("1 month")
    assert said.graded[-1][1] is Outcome.PASS
    assert hasher.verify(record, said, **ABOUT).outcome is Outcome.FAIL


# ── What is enrolled ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_credential_says_who_when_and_where() -> None:
    hasher = cheap_hasher()
    paris = timezone(timedelta(hours=2))
    made = hasher.enroll(SCHOOL, at=NOW.astimezone(paris), by="agent-7", call="call-1", **ABOUT)
    assert (made.enrolled_at, made.enrolled_by, made.enrolled_call) == (NOW, "agent-7", "call-1")
    assert made.enrolled_at.tzinfo is UTC
    assert {name: getattr(made, name) for name in ABOUT} == ABOUT
    assert (made.scheme, made.profile, made.key_id) == (1, CHEAP, "test")
    assert [len(part or b"") for part in (made.salt, made.full, made.near, made.seal)] == [16, 32, 32, 32]


def test_kb_13_the_same_answer_of_10000_customers_is_10000_records() -> None:
    hasher = cheap_hasher()
    made = [enrolled(hasher, SCHOOL, {**ABOUT, "subject": f"cust-{n}"}) for n in range(10_000)]
    for part in ("salt", "full", "near", "seal"):
        assert len({getattr(one, part) for one in made}) == 10_000
    again = [enrolled(hasher) for _ in range(100)]
    assert len({one.full for one in again}) == len({one.salt for one in again}) == 100


@pytest.mark.parametrize(("coarse", "fine"), [("", ""), ("c", ""), ("", "f"), (" ", "f"), ("c", "\t")])
def test_kb_04_a_blank_is_not_enrolled_and_never_matches(coarse: str, fine: str) -> None:
    hasher, blank = cheap_hasher(), Forms(coarse=coarse, fine=fine, near=True)
    with pytest.raises(EnrollmentError, match="nothing left") as caught:
        enrolled(hasher, blank)
    assert caught.value.faults == {"first_school": "blank"}
    # Even against a record with those forms, which could only be made past the hasher.
    record = hasher._filled(hasher._empty(ABOUT), _framed(), blank, blank.fine)
    for said in (blank, None, Forms(coarse="", fine="")):
        assert hasher.verify(record, said, **ABOUT).outcome is Outcome.FAIL
        assert hasher.truth(blank, said, **ABOUT).outcome is Outcome.FAIL


def _framed() -> bytes:
    from kyc_verify.hashing.records import answer_context  # noqa: PLC0415

    return answer_context(**ABOUT)


def test_answers_are_not_enrolled_as_facts() -> None:
    with pytest.raises(UsageError, match="enroll the forms of the fact"):
        enrolled(cheap_hasher(), tenure("3 years"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": NOW.replace(tzinfo=None)}, "aware datetime"),
        ({"at": "2031-06-15"}, "aware datetime"),
        ({"by": ""}, r"^by must be"),
        ({"by": 7}, r"^by must be"),
        ({"call": ""}, r"^call must be"),
        ({"call": b"c"}, r"^call must be"),
        ({"tenant": None}, r"^tenant must be"),
        ({"subject": 0}, r"^subject must be"),
        ({"check": ""}, r"^check must be"),
        ({"kind": ["text"]}, r"^kind must be"),
        ({"forms_version": True}, r"^forms_version must be"),
        ({"forms_version": "1"}, r"^forms_version must be"),
    ],
)
def test_ti_05_id_08_wrong_types_are_refused(change: dict[str, Any], message: str) -> None:
    hasher = cheap_hasher()
    with pytest.raises(UsageError, match=message):
        hasher.enroll(SCHOOL, **({"at": NOW, "by": "crm"} | dict(ABOUT) | change))
    assert hasher.hashes == 0


@pytest.mark.parametrize("forms", ["tabriz", Outcome.PASS, 7, object()])
def test_what_is_no_forms_is_refused(forms: Forms) -> None:
    hasher = cheap_hasher()
    for act in (
        lambda: enrolled(hasher, forms),
        lambda: hasher.verify(None, forms, **ABOUT),
        lambda: hasher.truth(forms, None, **ABOUT),
        lambda: hasher.same_try("m", forms, **ABOUT),
    ):
        with pytest.raises(UsageError, match="pass the Forms") as caught:
            act()
        assert "tabriz" not in str(caught.value)


def test_re_01_more_forms_than_any_answer_has_are_refused() -> None:
    hasher = cheap_hasher()
    many = Forms(coarse="c", fine="f", graded=tuple((Secret(str(n)), Outcome.PASS) for n in range(2049)))
    wide = Forms(coarse="c", fine="f", typo=tuple(str(n) for n in range(513)))
    for forms in (many, wide):
        with pytest.raises(UsageError, match="at most"):
            hasher.verify(None, forms, **ABOUT)
    assert hasher.hashes == 0


@pytest.mark.parametrize(
    "graded", [[], None, ("a",), ((Secret("a"),),), (("a", Outcome.PASS),), ([Secret("a"), Outcome.PASS],)]
)
def test_fc_05_graded_forms_are_pairs(graded: tuple[tuple[Secret, Outcome], ...]) -> None:
    with pytest.raises(UsageError, match=r"in tuples|are pairs"):
        cheap_hasher().verify(None, Forms(coarse="c", fine="f", graded=graded), **ABOUT)


def test_no_forms_at_all_are_not_enrolled() -> None:
    with pytest.raises(EnrollmentError):
        cheap_hasher().enroll(None, at=NOW, by="crm", **ABOUT)  # type: ignore[arg-type]


# ── Moved, damaged, forged ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [("subject", "cust-43"), ("check", "first_pet"), ("tenant", "b"), ("kind", "digits"), ("forms_version", 2)],
)
@pytest.mark.parametrize("edited", [False, True])
def test_kb_01_02_id_09_a_moved_record_fails_and_alarms(name: str, value: object, edited: bool) -> None:
    """A's row put where B's is looked up, its columns edited or not; A's right answer does not pass as B's."""
    hasher = cheap_hasher()
    there: Any = {**ABOUT, name: value}
    moved = dataclasses.replace(enrolled(hasher), **({name: value} if edited else {}))  # type: ignore[arg-type]
    before = hasher.hashes
    got = hasher.verify(moved, SCHOOL, **there)
    assert (got.outcome, got.alarm, got.rehash) == (Outcome.FAIL, "bad_seal", None)
    assert hasher.hashes - before == 1


EDITS: list[dict[str, Any]] = [
    {"full": b"\x01" * 32},
    {"near": b"\x01" * 32},
    {"near": None},
    {"salt": b"\x01" * 16},
    {"typo": (b"\x01" * 16,)},
    {"enrolled_by": "somebody"},
    {"enrolled_at": NOW + timedelta(microseconds=1)},
    {"enrolled_call": "call-2"},
    {"profile": DEARER},
    {"key_id": "1"},
    {"seal": b"\x01" * 32},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
def test_kb_12_a_forged_field_fails_its_seal(edit: dict[str, Any]) -> None:
    hasher = CheapHasher(ring("2", "1"))
    got = hasher.verify(dataclasses.replace(enrolled(hasher), **edit), SCHOOL, **ABOUT)
    assert (got.outcome, got.alarm, got.rehash) == (Outcome.FAIL, "bad_seal", None)


DAMAGES: list[dict[str, Any]] = [
    {"full": b""},
    {"full": b"\x01" * 31},
    {"full": "École Jules Ferry"},
    {"full": b"x" * 1_000_000},
    {"near": b"x"},
    {"near": ""},
    {"salt": b""},
    {"salt": b"x" * 1_000_000},
    {"salt": "0123456789abcdef"},
    {"seal": b""},
    {"seal": None},
    {"seal": "0" * 32},
    {"typo": [b"x" * 16]},
    {"typo": (b"x",)},
    {"typo": (b"x" * 16,) * 100_000},
    {"typo": None},
    {"scheme": 2},
    {"scheme": "1"},
    {"scheme": True},
    {"key_id": None},
    {"key_id": ["test"]},
    {"key_id": ""},
    {"key_id": "k" * 1_000_000},
    {"enrolled_at": None},
    {"enrolled_at": "2031-06-15"},
    {"enrolled_at": NOW.replace(tzinfo=None)},
    {"enrolled_by": None},
    {"enrolled_by": "x" * 1_000_000},
    {"enrolled_call": 7},
    {"enrolled_call": ""},
    {"profile": None},
    {"profile": "owasp"},
    {"profile": (8, 1, 1)},
    {"profile": Argon2Profile(memory=4_194_304, time=4_294_967_295, parallelism=1)},
    {"profile": Argon2Profile(memory=4, time=1, parallelism=1)},
    {"profile": Argon2Profile(memory="8", time=1, parallelism=1)},  # type: ignore[arg-type]
]


@pytest.mark.parametrize("damage", DAMAGES, ids=[f"{next(iter(each))}{at}" for at, each in enumerate(DAMAGES)])
def test_kb_12_a_damaged_record_is_a_decoy_an_alarm_and_bounded_work(
    damage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = cheap_hasher()
    damaged = dataclasses.replace(enrolled(hasher), **damage)
    monkeypatch.setattr("kyc_verify.hashing.hasher.well_sealed", pytest.fail)  # its size is seen before any work
    before = hasher.hashes
    got = hasher.verify(damaged, SCHOOL, **ABOUT)
    assert (got.outcome, got.alarm, got.rehash) == (Outcome.FAIL, "bad_seal", None)
    assert hasher.hashes - before == 1
    assert not hasher.needs_rehash(damaged)
    assert f"{CHEAP.memory},{CHEAP.time}," in got.mark  # not the cost of the record


def test_kb_12_a_record_cheaper_than_the_minimum_is_refused_by_a_real_hasher() -> None:
    """It could only come from tests that shared the key."""
    keys = ring("1")
    cheap = enrolled(CheapHasher(keys))
    real = SecretHasher(keys, profile="owasp")
    assert real.verify(cheap, SCHOOL, **ABOUT).alarm == "bad_seal"


@pytest.mark.parametrize("record", [b"", "plaintext", {"full": b""}, 7])
def test_kb_12_what_is_no_credential_is_refused(record: Credential) -> None:
    hasher = cheap_hasher()
    for act in (lambda: hasher.verify(record, SCHOOL, **ABOUT), lambda: hasher.needs_rehash(record)):
        with pytest.raises(UsageError, match="pass a Credential"):
            act()
    with pytest.raises(UsageError, match="pass a Credential"):
        hasher.has_key(record)


def test_the_seal_does_not_depend_on_the_time_zone_a_store_returns() -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher)
    there = dataclasses.replace(stored, enrolled_at=stored.enrolled_at.astimezone(timezone(timedelta(hours=-9))))
    assert hasher.verify(there, SCHOOL, **ABOUT).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "at", [datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), datetime.max.replace(tzinfo=UTC)]
)
def test_ti_07_an_extreme_time_is_a_bad_seal(at: datetime) -> None:
    hasher = cheap_hasher()
    assert hasher.verify(dataclasses.replace(enrolled(hasher), enrolled_at=at), SCHOOL, **ABOUT).alarm == "bad_seal"


# ── Keys and costs that change ───────────────────────────────────────────────────────────────────────────────────────


def test_kb_11_a_pepper_is_rotated() -> None:
    first, both = CheapHasher(ring("1")), CheapHasher(ring("2", "1"))
    stored = enrolled(first)
    assert both.has_key(stored)
    assert both.needs_rehash(stored)
    got = both.verify(stored, SCHOOL, **ABOUT)
    assert (got.outcome, got.alarm) == (Outcome.PASS, None)
    fresh = got.rehash
    assert fresh is not None
    assert (fresh.key_id, fresh.enrolled_at, fresh.enrolled_by) == ("2", stored.enrolled_at, stored.enrolled_by)
    assert fresh.salt != stored.salt
    assert both.verify(fresh, SCHOOL, **ABOUT).rehash is None

    for after in (CheapHasher(ring("2")), CheapHasher(ring("2", "1", archived=("1",)))):
        assert after.verify(fresh, SCHOOL, **ABOUT).outcome is Outcome.PASS
        assert not after.has_key(stored)
        late = after.verify(stored, SCHOOL, **ABOUT)
        assert (late.outcome, late.alarm, late.rehash) == (Outcome.FAIL, "missing_key", None)
        assert hashes(after, lambda: after.verify(stored, SCHOOL, **ABOUT)) == 1  # noqa: B023


def test_kb_11_a_new_key_reaches_every_node_before_one_uses_it() -> None:
    staged, switched = CheapHasher(ring("2", "1", staged=("2",))), CheapHasher(ring("2", "1"))
    old, new = enrolled(staged), enrolled(switched)
    assert (old.key_id, new.key_id) == ("1", "2")
    got = staged.verify(new, SCHOOL, **ABOUT)
    assert (got.outcome, got.rehash) == (Outcome.PASS, None)  # never back to the old key
    assert not staged.needs_rehash(new)
    assert hashes(staged, lambda: staged.verify(new, SCHOOL, **ABOUT)) == 1
    assert switched.verify(old, SCHOOL, **ABOUT).outcome is Outcome.PASS


def test_kb_11_an_unknown_pepper_id_is_an_alarm_and_never_no_pepper() -> None:
    hasher = cheap_hasher()
    stranger = dataclasses.replace(enrolled(hasher), key_id="unpeppered")
    assert hasher.verify(stranger, SCHOOL, **ABOUT).alarm == "missing_key"


@pytest.mark.parametrize("said", ["Ecole Jules Feri", "École Victor Hugo", None])
def test_kb_10_only_a_pass_is_rehashed(said: str | None) -> None:
    hasher = CheapHasher(ring("2", "1"))
    stored = enrolled(CheapHasher(ring("1")))
    got = hasher.verify(stored, None if said is None else text.forms(said), **ABOUT)
    assert got.outcome is not Outcome.PASS
    assert got.rehash is None


def test_kb_10_a_rehash_keeps_what_was_enrolled_and_not_what_was_said() -> None:
    """Of a tenure that passes, the stored month is kept, not the month that was said."""
    hasher, about = CheapHasher(ring("2", "1")), AnswerContext(**{**ABOUT, "kind": "tenure"})  # type: ignore[typeddict-item]
    opened = durations.forms(date(2019, 3, 14))
    stored = enrolled(CheapHasher(ring("1")), opened, about)
    fresh = hasher.verify(stored, tenure("11 years"), **about).rehash
    assert fresh is not None
    assert fresh.near is None
    assert hasher.verify(fresh, opened, **about).outcome is Outcome.PASS
    assert (
        hasher.verify(fresh, tenure("14 years"), **about).outcome
        is hasher.verify(stored, tenure("14 years"), **about).outcome
    )


def test_kb_10_typo_and_near_tags_survive_a_rehash() -> None:
    hasher = CheapHasher(ring("2", "1"))
    forms = text.forms("Chartreuse", tolerance="typo")
    fresh = hasher.verify(enrolled(CheapHasher(ring("1")), forms), forms, **ABOUT).rehash
    assert fresh is not None
    assert hasher.verify(fresh, text.forms("Chartrouse", tolerance="typo"), **ABOUT).outcome is Outcome.NEAR
    assert fresh.near is not None


def test_kb_10_costs_go_up_and_never_down() -> None:
    keys = ring("1")
    old, new = enrolled(CheapHasher(keys, profile=CHEAP)), enrolled(CheapHasher(keys, profile=DEARER))
    up = CheapHasher(keys, profile=DEARER, older_profiles=(CHEAP,))
    raised = up.verify(old, SCHOOL, **ABOUT).rehash
    assert raised is not None
    assert raised.profile == DEARER
    assert up.verify(new, SCHOOL, **ABOUT).rehash is None

    down = CheapHasher(keys, profile=CHEAP, older_profiles=(DEARER,))
    assert not down.needs_rehash(new)
    assert down.verify(new, SCHOOL, **ABOUT).rehash is None
    # A retired key is replaced all the same, at the record's own cost.
    both = CheapHasher(ring("2", "1"), profile=CHEAP, older_profiles=(DEARER,))
    moved = both.verify(new, SCHOOL, **ABOUT).rehash
    assert moved is not None
    assert (moved.profile, moved.key_id) == (DEARER, "2")


def test_kb_10_an_undeclared_cost_still_verifies_and_stays() -> None:
    keys = ring("1")
    old, hasher = enrolled(CheapHasher(keys, profile=CHEAP)), CheapHasher(keys, profile=DEARER)
    got = hasher.verify(old, SCHOOL, **ABOUT)
    assert (got.outcome, got.rehash) == (Outcome.PASS, None)
    assert hasher.needs_rehash(old)


# ── The number of hashes tells nothing ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("make", "each"),
    [
        (lambda: CheapHasher(ring("1")), 1),
        (lambda: CheapHasher(ring("2", "1", archived=("1",))), 1),
        (lambda: CheapHasher(ring("2", "1")), 2),
        (lambda: CheapHasher(ring("1"), profile=DEARER, older_profiles=(CHEAP,)), 2),
        (lambda: CheapHasher(ring("3", "2", "1"), profile=DEARER, older_profiles=(CHEAP,)), 2),
    ],
    ids=["one-key", "archived", "retired-key", "older-profile", "both"],
)
def test_id_01_02_03_every_answer_costs_the_same_hashes(make: Callable[[], CheapHasher], each: int) -> None:
    hasher = make()
    fresh = enrolled(hasher)
    old = enrolled(CheapHasher(ring("1")))
    moved = enrolled(hasher, SCHOOL, {**ABOUT, "subject": "cust-43"})
    lost = dataclasses.replace(fresh, key_id="9")
    said: list[Forms | None] = [
        SCHOOL,
        text.forms("Ecole Jules Feri"),
        text.forms("Victor Hugo"),
        None,
        tenure("3 years"),
    ]
    said += [Forms(coarse="", fine=""), text.forms("Chartreuse", tolerance="typo")]
    counts = {
        hashes(hasher, lambda: hasher.verify(record, answer, **ABOUT))  # noqa: B023
        for record in (fresh, old, moved, lost, None)
        for answer in said
    }
    assert counts == {each}


def test_truth_enrolling_and_marks_cost_one_hash() -> None:
    hasher = CheapHasher(ring("2", "1"))
    mark = hasher.verify(None, SCHOOL, **ABOUT).mark
    truths = ((SCHOOL, SCHOOL), (None, SCHOOL), (SCHOOL, None), (None, None), (SCHOOL, text.forms("other")))
    assert {hashes(hasher, lambda: hasher.truth(*pair, **ABOUT)) for pair in truths} == {1}  # noqa: B023
    tries = ((mark, SCHOOL), (mark, None), ("rubbish", SCHOOL), ("rubbish", None))
    assert {hashes(hasher, lambda: hasher.same_try(*pair, **ABOUT)) for pair in tries} == {1}  # noqa: B023
    assert hashes(hasher, lambda: enrolled(hasher)) == 1


def test_id_01_a_decoy_has_a_cost_in_use_the_same_every_time() -> None:
    hasher = CheapHasher(ring("2", "1"), profile=DEARER, older_profiles=(CHEAP,))

    def cost(subject: str, check: str = "first_school") -> str:
        return hasher.verify(None, SCHOOL, **{**ABOUT, "subject": subject, "check": check}).mark.split("$")[0]

    drawn = Counter(cost(f"nobody-{n}") for n in range(400))
    assert set(drawn) == {"8,1,1,1", "16,1,1,1"}
    assert min(drawn.values()) > 120  # of 200 expected, 10 deviations of 8 below
    assert cost("nobody-7") == cost("nobody-7") == cost("nobody-7", "pin")
    rotated = CheapHasher(ring("3", "2", "1"), profile=DEARER, older_profiles=(CHEAP,))
    assert rotated.verify(None, SCHOOL, **{**ABOUT, "subject": "nobody-7"}).mark.startswith(cost("nobody-7"))


def test_id_01_a_decoy_never_passes_even_if_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = cheap_hasher()
    stored = enrolled(hasher)
    monkeypatch.setattr(CheapHasher, "_decoy", lambda *_: stored)
    assert hasher.verify(None, SCHOOL, **ABOUT).outcome is Outcome.FAIL


@pytest.mark.parametrize("said", [SCHOOL, text.forms("Chartreuse", tolerance="typo"), digits.forms("4711")])
def test_id_01_an_unknown_subject_costs_the_same_comparisons(said: Forms, monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, real, calls = cheap_hasher(), hmac.compare_digest, [0]
    plain = enrolled(hasher, Forms(coarse=said.coarse.reveal(), fine="else"))

    def counted(one: bytes, other: bytes) -> bool:
        calls[0] += 1
        return real(one, other)

    def comparisons(record: Credential | None, forms: Forms) -> int:
        calls[0] = 0
        hasher.verify(record, forms, **ABOUT)
        return calls[0] - (record is not None)  # the seal's

    records = (None, enrolled(hasher, said), plain, enrolled(hasher, text.forms("Bordeaux", tolerance="typo")))
    monkeypatch.setattr(hmac, "compare_digest", counted)
    assert len({comparisons(record, said) for record in records}) == 1
    assert comparisons(None, tenure("3 years")) == durations.MONTHS


def test_id_01_the_result_of_an_unknown_subject_has_the_same_shape() -> None:
    hasher = cheap_hasher()
    known = hasher.verify(enrolled(hasher), text.forms("wrong"), **ABOUT)
    unknown = hasher.verify(None, text.forms("wrong"), **NO_SUBJECT)
    assert (known.outcome, known.rehash, known.alarm) == (unknown.outcome, unknown.rehash, unknown.alarm)
    assert [len(part) for part in known.mark.split("$")] == [len(part) for part in unknown.mark.split("$")]


# ── The same try again ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stored", [True, False])
def test_a_mark_knows_its_try(stored: bool) -> None:
    hasher = cheap_hasher()
    record = enrolled(hasher) if stored else None
    for said in (SCHOOL, text.forms("Ecole Jules Feri"), text.forms("Victor Hugo"), tenure("3 years")):
        mark = hasher.verify(record, said, **ABOUT).mark
        assert hasher.same_try(mark, said, **ABOUT)
        assert not hasher.same_try(mark, text.forms("Emile Zola"), **ABOUT)
        assert not hasher.same_try(mark, Forms(coarse=said.coarse.reveal(), fine="else"), **ABOUT)
        assert not hasher.same_try(mark, None, **ABOUT)
        assert not hasher.same_try(mark, said, **NO_SUBJECT)
        assert json.loads(json.dumps(mark)) == mark


def test_a_mark_of_an_unreadable_try_knows_it() -> None:
    hasher = cheap_hasher()
    for mark in (hasher.verify(None, None, **ABOUT).mark, hasher.truth(SCHOOL, None, **ABOUT).mark):
        assert hasher.same_try(mark, None, **ABOUT)
        assert not hasher.same_try(mark, SCHOOL, **ABOUT)


def test_a_mark_outlives_a_rotation_until_the_key_goes() -> None:
    mark = CheapHasher(ring("1")).truth(SCHOOL, SCHOOL, **ABOUT).mark
    assert CheapHasher(ring("2", "1")).same_try(mark, SCHOOL, **ABOUT)
    assert not CheapHasher(ring("2", "1", archived=("1",))).same_try(mark, SCHOOL, **ABOUT)


def test_two_tries_of_one_answer_have_unlike_marks_without_the_credential() -> None:
    hasher = cheap_hasher()
    assert hasher.verify(None, SCHOOL, **ABOUT).mark != hasher.verify(None, SCHOOL, **ABOUT).mark
    assert hasher.truth(SCHOOL, SCHOOL, **ABOUT).mark != hasher.truth(SCHOOL, SCHOOL, **ABOUT).mark


def test_kb_12_a_damaged_mark_is_of_no_answer() -> None:
    hasher = cheap_hasher()
    mark = hasher.verify(None, SCHOOL, **ABOUT).mark
    costs, salt, key_id, tag = mark.split("$")
    for damaged in (
        f"4194304,60,1${salt}${key_id}${tag}",
        f"4,1,1${salt}${key_id}${tag}",
        f"8,1,1${salt}$9${tag}",
        f"8,1${salt}${key_id}${tag}",
        f"{costs}${salt[2:]}${key_id}${tag}",
        f"{costs}${salt}${key_id}${tag[:-1]}",
        f"{costs}${salt}${key_id}${tag[:-1]}\ud800",
        f"{costs}${salt}${key_id}${'0' * 32}",
        "École Jules Ferry",
    ):
        assert not hasher.same_try(damaged, SCHOOL, **ABOUT)
    for wrong in ("", None, 7, "x" * 1001):
        with pytest.raises(UsageError, match=r"^mark must be"):
            hasher.same_try(wrong, SCHOOL, **ABOUT)  # type: ignore[arg-type]


# ── A truth that is never stored ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("true", "said", "outcome"),
    [
        (SCHOOL, text.forms("ecole jules ferry"), Outcome.PASS),
        (SCHOOL, text.forms("Ecole Jules Feri"), Outcome.NEAR),
        (SCHOOL, text.forms("Victor Hugo"), Outcome.FAIL),
        (SCHOOL, None, Outcome.FAIL),
        (None, SCHOOL, Outcome.FAIL),
        (None, None, Outcome.FAIL),
        (Forms(coarse="", fine="", near=True), Forms(coarse="", fine="", near=True), Outcome.FAIL),
        (text.forms("Chartreuse", tolerance="typo"), text.forms("Chartrouse", tolerance="typo"), Outcome.NEAR),
        (digits.forms("4711"), digits.forms("4712"), Outcome.FAIL),
        (Forms(coarse="a", fine="", near=True), Forms(coarse="a", fine="x", near=True), Outcome.FAIL),
        (Forms(coarse="a", fine="x", near=True), Forms(coarse="a", fine="", near=True), Outcome.FAIL),
        (Forms(coarse="a", fine="same", near=True), Forms(coarse="b", fine="same", near=True), Outcome.FAIL),
        (durations.forms(date(2019, 3, 14)), tenure("12 years"), Outcome.PASS),
        (durations.forms(date(2019, 3, 14)), tenure("8 years"), Outcome.NEAR),
    ],
)
def test_a_truth_is_graded_like_a_credential(true: Forms | None, said: Forms | None, outcome: Outcome) -> None:
    hasher = cheap_hasher()
    got = hasher.truth(true, said, **ABOUT)
    assert (got.outcome, got.rehash, got.alarm) == (outcome, None, None)
    assert hasher.same_try(got.mark, said, **ABOUT)
    stored = None if true is None or not true.fine.reveal() else enrolled(hasher, true)
    assert hasher.verify(stored, said, **ABOUT).outcome is outcome


# ── Leaks ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CANARY = "canary school"


def test_lk_01_03_nothing_shown_or_stored_holds_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    hasher = cheap_hasher()
    forms = text.forms(CANARY)
    stored, got = enrolled(hasher, forms), hasher.verify(None, forms, **ABOUT)
    with caplog.at_level(logging.INFO):
        logging.getLogger().info("%r %s %r %s", stored, stored, got, hasher)
    shown = [
        caplog.text,
        repr(stored),
        str(got),
        f"{got}",
        repr(dataclasses.asdict(stored)),
        repr(dataclasses.asdict(got)),
    ]
    shown += [repr(pickle.dumps(got)), repr(copy.deepcopy(stored)), got.mark]
    assert not [one for one in shown if "canary" in one or "kanari" in one.lower()]
    assert stored.full.hex() not in repr(stored)
    assert got.mark not in repr(got)


def test_lk_03_a_forms_or_a_hasher_is_not_serialised() -> None:
    for kept in (SCHOOL, cheap_hasher()):
        with pytest.raises(UsageError):
            pickle.dumps(kept)


@pytest.mark.parametrize("call", [1, 2])
def test_lk_02_04_out_of_memory_shows_neither_answer_nor_key(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, real, calls = CheapHasher(ring("2", "1")), argon2.low_level.hash_secret_raw, [0]
    stored = enrolled(CheapHasher(ring("1")), text.forms(CANARY))
    made: list[bytes] = []

    def fails(secret: bytes, *rest: Any) -> bytes:
        calls[0] += 1
        made.append(secret)
        if calls[0] == call:
            raise argon2.exceptions.HashingError(repr(secret))
        made.append(real(secret, *rest))
        return made[-1]

    monkeypatch.setattr(argon2.low_level, "hash_secret_raw", fails)
    said = text.forms(CANARY)
    with pytest.raises(Busy) as caught:
        hasher.verify(stored, said, **ABOUT)
    assert caught.value.__context__ is None
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    shown = "".join(str(frame.locals) for frame in stack if "test_hashing" not in frame.filename)
    secrets = [*made, *(hasher.keyring.key(label, name) for label in Label for name in hasher.keyring.ids)]
    assert len(made) == 2 * call - 1
    assert "canary" not in shown
    assert not [secret for secret in secrets if repr(secret)[2:-1] in shown]


# ── Hashers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_real_hasher_does_the_same_at_its_cost() -> None:
    hasher = SecretHasher(ring("1"), profile="owasp")
    stored = enrolled(hasher)
    assert stored.profile == Argon2Profile(memory=19456, time=2, parallelism=1)
    assert hasher.verify(stored, SCHOOL, **ABOUT).outcome is Outcome.PASS
    assert hasher.verify(stored, text.forms("Victor Hugo"), **ABOUT).outcome is Outcome.FAIL


def test_unpeppered_is_asked_for_by_name_and_the_same_everywhere() -> None:
    hasher, other = (SecretHasher.unpeppered(profile="owasp") for _ in range(2))
    stored = enrolled(hasher)
    assert stored.key_id == "unpeppered"
    assert other.verify(stored, SCHOOL, **ABOUT).outcome is Outcome.PASS
    assert SecretHasher(ring("1"), profile="owasp").verify(stored, SCHOOL, **ABOUT).alarm == "missing_key"


def test_the_cheap_hasher_counts_in_threads() -> None:
    hasher = cheap_hasher()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: hasher.verify(None, SCHOOL, **ABOUT).outcome, range(400)))
    assert set(results) == {Outcome.FAIL}
    assert hasher.hashes == 400
    assert not hasattr(SecretHasher, "hashes")


def test_the_cheap_hasher_takes_a_keyring_and_agrees_with_itself() -> None:
    assert cheap_hasher(ring("1")).keyring.active == "1"
    assert cheap_hasher().verify(enrolled(cheap_hasher()), SCHOOL, **ABOUT).outcome is Outcome.PASS


@pytest.mark.parametrize(("value", "allowed"), [(None, False), ("0", False), ("1", True)])
def test_the_cheap_hasher_is_refused_outside_tests(value: str | None, allowed: bool) -> None:
    # The kit's contracts load pytest; that alone is no test run.
    code = "from kyc_verify.testing import StoreContract, cheap_hasher; cheap_hasher()"
    environ = {name: text for name, text in os.environ.items() if name != "KYC_VERIFY_TESTING"}
    environ |= {} if value is None else {"KYC_VERIFY_TESTING": value}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, check=False, capture_output=True, text=True)
    assert (ran.returncode == 0) is allowed
    assert allowed or "the cheap hasher protects nothing" in ran.stderr


def test_verified_is_a_value() -> None:
    assert Verified(outcome=Outcome.PASS, mark="m") == Verified(outcome=Outcome.PASS, mark="m")
