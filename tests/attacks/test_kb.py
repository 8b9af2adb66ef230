"""Answers that are known: how they are enrolled, kept, moved, rotated and asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import EnrollmentError, Notice, Policy, Requirement, ThreatModel, UsageError, Verdict, checks
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.hashing import Keyring
from kyc_verify.testing import CheapHasher, FailingStore, cheap_hasher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

PEPPERS = {"a": bytes(range(32)), "b": bytes(range(1, 33))}


def kept(desk: Desk, subject: str = "cust-42") -> dict[str, Credential]:
    """Return what is stored of a customer."""
    step = desk.open("hours", subject=subject)
    return dict(desk.store.load(desk.tenant, step.session_id, desk.clock.now).subject.credentials)


def put(desk: Desk, credential: Credential, *, subject: str = "cust-42", check: str | None = None) -> None:
    """Write a credential into a row, as somebody who may write to the database could."""
    from kyc_verify.stores import _rows  # noqa: PLC0415

    text = _rows.credential_text(credential)
    with desk.store._writing() as db:
        done = db.execute(
            "UPDATE credentials SET body = ? WHERE subject = ? AND check_id = ?",
            (text, subject, check or credential.check),
        )
        assert done.rowcount == 1


def with_hasher(desk: Desk, hasher: Any) -> Desk:
    other = desk.bench.over(desk.store)
    other.hasher = hasher
    other._wire()
    return type(desk)(other, desk.loop)


def refused(desk: Desk, facts: dict[str, object]) -> dict[str, str]:
    with pytest.raises(EnrollmentError) as error:
        desk.enroller.enroll("cust-42", facts, by="crm-import")
    for fact in facts.values():
        assert len(str(fact).strip()) < 4 or str(fact) not in str(error.value)
    return dict(error.value.faults)


# ── Moved and damaged ────────────────────────────────────────────────────────────────────────────────────────────────


def test_kb_01_a_hash_transplanted_between_customers(desk: Desk) -> None:
    desk.customers["cust-9"] = desk.customers["cust-42"]
    desk.enroller.enroll("cust-9", {"pin": "8351"}, by="crm-import")
    theirs = kept(desk, "cust-9")["pin"]
    for moved in (theirs, replace(theirs, subject="cust-42")):
        put(desk, moved)
        assert desk.play("pin", {"pin": "8351"}).verdict is Verdict.DENIED
        assert Notice.BAD_SEAL in desk.observer.notices
        desk.observer.notices.clear()
        desk.fresh()


def test_kb_02_a_hash_swapped_between_two_questions(desk: Desk) -> None:
    mine = kept(desk)
    put(desk, replace(mine["school"], check="pin", kind=mine["pin"].kind), check="pin")
    assert desk.play("pin", {"pin": "Lindenhof school"}).verdict is Verdict.DENIED
    assert desk.fresh().play("pin").verdict is Verdict.DENIED
    assert Notice.BAD_SEAL in desk.observer.notices


@pytest.mark.parametrize(
    "damage",
    [
        {"full": b""}, {"full": b"4937"}, {"full": bytes(32)}, {"salt": b""}, {"salt": b"x" * 10_000}, {"seal": b""},
        {"kind": "text"}, {"scheme": 2}, {"enrolled_by": "agent-9"}, {"near": b"x" * 32},
        {"profile": Argon2Profile(memory=2**30, time=1, parallelism=1)}, {"full": b"x" * 1_000_000},
        {"profile": Argon2Profile(memory=0, time=0, parallelism=0)}, {"typo": (b"x" * 16,) * 64},
    ],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_kb_12_a_damaged_hash_fails_with_an_alarm_and_bounded_work(desk: Desk, damage: dict[str, Any]) -> None:
    put(desk, replace(kept(desk)["pin"], **damage))
    step = desk.open("pin")
    if step.challenge is None:
        assert step.verdict is Verdict.REVIEW  # of another kind: there is nothing to ask for
        return
    before = desk.hasher.hashes
    assert desk.say(step).verdict is Verdict.DENIED
    assert desk.hasher.hashes - before == 1
    assert Notice.BAD_SEAL in desk.observer.notices


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def colours(make: Callable[..., Desk]) -> Desk:
    policy = Policy(
        name="p",
        checks=[
            checks.SecretAnswer("hue", {"en": "What is your favourite colour?"}),
            checks.SecretAnswer("food", {"en": "Your favourite food?"}),
            checks.SecretAnswer("street", {"en": "The street of your childhood?"}),
        ],
        threats=ThreatModel.points({"hue": 2, "food": 2, "street": 2}),
        actions={"a": Requirement(bits=2), "hours": Requirement.none()},
    )
    return make(policy, facts={})


@pytest.mark.parametrize("fact", ["colour", "Favourite colour", "favourite"])
def test_kb_03_an_answer_inside_its_question_is_refused(make: Callable[..., Desk], fact: str) -> None:
    assert refused(colours(make), {"hue": fact}) == {"hue": "in_question"}


@pytest.mark.parametrize("fact", ["!!!", "...", "   ", "🙂", "\u200b\u200d", "", "—", "\u0301"])
def test_kb_04_what_folds_to_nothing_is_refused_and_never_matches(make: Callable[..., Desk], fact: str) -> None:
    desk = colours(make)
    assert refused(desk, {"street": fact}) == {"street": "blank"}
    desk.enroller.enroll("cust-42", {"hue": "Amaranth", "food": "Borschtsch", "street": "Lindengasse"}, by="crm")
    for said in (fact, "", "???"):
        step = desk.fresh().open("a")
        while step.challenge is not None:
            step = desk.say(step, said)
        assert step.verdict is Verdict.DENIED


@pytest.mark.parametrize("fact", ["pizza", "Pizza!", "1234", "password"])
def test_kb_05_popular_answers_are_refused(make: Callable[..., Desk], fact: str) -> None:
    assert refused(colours(make), {"food": fact})["food"] in {"too_common", "weak_pin"}


def test_kb_06_one_answer_to_every_question_is_refused(make: Callable[..., Desk]) -> None:
    found = refused(colours(make), {"hue": "Amaranth", "food": "amaranth", "street": "Amaranth!"})
    assert found == dict.fromkeys(("hue", "food", "street"), "repeated")


# ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_kb_08_question_shopping(desk: Desk) -> None:
    asked = set()
    for k in range(4):
        call = desk.another(id=f"call-{k}", agent=f"agent-{k}")
        step = desk.open("know", call=call)
        asked.add(step.challenge.check)
        desk.say(step, "80 years", call=call)
    assert asked == {"account_tenure"}
    assert desk.open("know").verdict is Verdict.REVIEW


def test_kb_09_there_is_no_second_try_in_one_challenge(desk: Desk) -> None:
    step = desk.open("pin")
    desk.say(step, "0000")
    with pytest.raises(UsageError):
        desk.say(step, "4937")
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is Verdict.DENIED


def test_kb_09_a_failure_stays_counted_after_a_success(make: Callable[..., Desk]) -> None:
    policy = Policy(
        name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 9}), actions={"pin": Requirement(bits=1)}
    )
    desk = make(policy)
    for k in range(5):
        desk.play("pin", {"pin": f"{7000 + k}"})
        if k < 4:
            assert desk.play("pin").verdict is Verdict.VERIFIED
    assert desk.open("pin").verdict is Verdict.REVIEW


# ── Costs, peppers, salts, enrolling again ───────────────────────────────────────────────────────────────────────────


def test_kb_10_a_costlier_hash_replaces_after_a_success_only_and_never_the_other_way(make: Callable[..., Desk]) -> None:
    cheap, dear = Argon2Profile(memory=8, time=1, parallelism=1), Argon2Profile(memory=16, time=2, parallelism=1)
    ring = Keyring({"a": PEPPERS["a"]})
    desk = make(hasher=CheapHasher(ring, profile=cheap))
    upgraded = with_hasher(desk, CheapHasher(ring, profile=dear, older_profiles=(cheap,)))
    upgraded.play("pin", {"pin": "0000"})
    assert kept(desk)["pin"].profile == cheap
    with pytest.raises(Exception, match="told to"):
        upgraded.over(FailingStore(desk.store, verb="commit", at=2)).fresh().play("pin")
    assert kept(desk)["pin"].profile == cheap
    desk.clock.advance(seconds=10)
    assert upgraded.fresh().play("pin").verdict is Verdict.VERIFIED
    assert kept(desk)["pin"].profile == dear
    assert desk.fresh().play("pin").verdict is Verdict.VERIFIED
    assert kept(desk)["pin"].profile == dear


def test_kb_11_peppers_rotate_and_none_is_never_an_empty_one(make: Callable[..., Desk]) -> None:
    desk = make(hasher=cheap_hasher(Keyring({"a": PEPPERS["a"]})))
    both = with_hasher(desk, cheap_hasher(Keyring([("b", PEPPERS["b"]), ("a", PEPPERS["a"])])))
    assert both.play("pin").verdict is Verdict.VERIFIED
    archived = with_hasher(desk, cheap_hasher(Keyring([("b", PEPPERS["b"]), ("a", PEPPERS["a"])], archived=["a"])))
    assert archived.play("pin").verdict is Verdict.VERIFIED
    assert archived.open("tenure").verdict is Verdict.REVIEW
    assert Notice.MISSING_KEY in archived.observer.notices
    put(desk, replace(kept(both)["pin"], key_id="zzz"))
    assert both.open("pin").verdict is Verdict.REVIEW


def test_kb_11_a_pepper_that_goes_mid_run_fails(make: Callable[..., Desk]) -> None:
    desk = make(hasher=cheap_hasher(Keyring([("b", PEPPERS["b"]), ("a", PEPPERS["a"])])))
    step = desk.open("pin")
    put(desk, replace(kept(desk)["pin"], key_id="zzz"))
    assert desk.say(step).verdict is Verdict.DENIED


def test_kb_13_every_salt_is_its_own(desk: Desk) -> None:
    for k in range(60):
        desk.enroller.enroll(f"c-{k}", {"pin": "8351"}, by="crm-import")
    with desk.store._reading() as db:
        bodies = [body for (body,) in db.execute("SELECT body FROM credentials WHERE check_id = 'pin'")]
    from kyc_verify.stores import _rows  # noqa: PLC0415

    found = [_rows.credential(body) for body in bodies]
    assert len({each.salt for each in found}) == len({each.full for each in found}) == len(found) == 61
    assert {len(each.salt) for each in found} == {16}


def test_kb_14_enrolling_again_kills_the_old_answers_at_once(desk: Desk) -> None:
    other_worker = type(desk)(desk.bench.over(desk.store), desk.loop)
    step, grant = other_worker.open("pin"), other_worker.play("pin")
    desk.enroller.enroll("cust-42", {"pin": "8351"}, by="agent-9")
    assert other_worker.say(step, "4937").verdict is Verdict.DENIED
    with pytest.raises(Exception, match="void"):
        other_worker.redeem(grant, "pin")
    assert other_worker.play("pin", {"pin": "8351"}).verdict is Verdict.VERIFIED
