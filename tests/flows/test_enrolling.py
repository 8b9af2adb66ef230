"""enroll, lock, unlock, flag, clear_runs, erase."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from kyc_verify import EnrollmentError, NotVerified, UnknownSession, UsageError, Verdict
from kyc_verify._flows.enrolling import Facts
from kyc_verify.credentials import Credential
from kyc_verify.hashing import Keyring
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import cheap_hasher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def faults(desk: Desk, facts: object) -> dict[str, str]:
    with pytest.raises(EnrollmentError) as refused:
        desk.enroller.enroll("cust-42", facts, by="crm-import")
    return dict(refused.value.faults)


def kept(desk: Desk, subject: str = "cust-42") -> dict[str, Credential]:
    """Return what is stored of a customer, through the verb that the flows use."""
    step = desk.open("know", subject=subject)
    return dict(desk.store.load(desk.tenant, step.session_id, desk.clock.now).subject.credentials)


# ── enroll ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_refused_fact_is_named_with_its_reason_and_nothing_is_stored(desk: Desk) -> None:
    before = kept(desk)
    found = faults(
        desk,
        {
            "pin": "1234", "account_tenure": date(2999, 1, 1), "school": "!!!", "one_time_code": "1", "nonsense": "x",
            "date_of_birth": 5,
        },
    )  # fmt: skip
    assert found == {
        "pin": "weak_pin", "account_tenure": "future", "school": "blank", "one_time_code": "not_stored",
        "nonsense": "unknown_check", "date_of_birth": "wrong_type",
    }  # fmt: skip
    assert kept(desk) == before
    faults(desk, {"pin": "8350", "school": "?"})
    assert kept(desk) == before
    assert "enrolled" not in [record.event.value for record in desk.records()[1:]]


@pytest.mark.parametrize("facts", [None, {}, [], "pin", 5, {f"c{k}": "x" for k in range(65)}, [("pin", "8350")]])
def test_facts_that_are_no_mapping_or_too_many_are_refused(desk: Desk, facts: object) -> None:
    with pytest.raises(UsageError):
        desk.enroller.enroll("cust-42", facts, by="crm-import")


def test_an_unknown_key_is_not_quoted_where_it_may_be_a_fact(desk: Desk) -> None:
    assert faults(desk, {"Anna Maria Weber, 12 March": "x"}) == {"?": "unknown_check"}


def test_what_is_enrolled_replaces_what_was_and_its_grants_are_void(desk: Desk) -> None:
    step = desk.play("pin")
    early = desk.open("pin")
    desk.enroller.enroll("cust-42", {"pin": "8350"}, by="crm-import")
    with pytest.raises(NotVerified) as refused:
        desk.redeem(step, "pin")
    assert refused.value.reason == "void"
    assert desk.say(early, "4937").verdict is Verdict.DENIED
    assert desk.play("pin", {"pin": "8350"}).verdict is Verdict.VERIFIED


def test_the_same_answer_to_two_questions_is_refused(make: Callable[..., Desk], policy: Callable[..., object]) -> None:
    from kyc_verify import Requirement, ThreatModel, checks  # noqa: PLC0415

    two = policy(
        checks=[checks.SecretAnswer("a", {"en": "First school?"}), checks.SecretAnswer("b", {"en": "First street?"})],
        threats=ThreatModel.points({"a": 3, "b": 3}),
        actions={"x": Requirement(bits=2)},
    )
    assert faults(make(two, facts={}), {"a": "Lindenhof", "b": "lindenhof!"}) == {"a": "repeated", "b": "repeated"}


def test_who_changes_the_answers_cannot_verify_with_them(desk: Desk) -> None:
    desk.enroller.enroll("cust-42", {"pin": "8350"}, by="agent-7", call=desk.call)
    assert desk.open("pin").verdict is Verdict.REVIEW
    assert desk.open("pin", call=desk.another(agent="agent-8")).verdict is Verdict.REVIEW  # the same call
    assert desk.open("pin", call=desk.another(id="call-9")).verdict is Verdict.REVIEW  # the same agent
    other = desk.another(id="call-9", agent="agent-8")
    assert desk.play("pin", {"pin": "8350"}, call=other).verdict is Verdict.VERIFIED
    desk.clock.advance(hours=24)
    assert desk.play("pin", {"pin": "8350"}, call=desk.another(id="call-9")).verdict is Verdict.VERIFIED
    assert desk.open("pin").verdict is Verdict.REVIEW  # the same call for ever


def test_answers_enrolled_by_the_agent_mid_run_are_not_compared(desk: Desk) -> None:
    step = desk.open("pin")
    desk.enroller.enroll("cust-42", {"pin": "8350"}, by="agent-7")
    assert desk.say(step, "8350").verdict is Verdict.DENIED


@pytest.mark.parametrize("name", ["subject", "by", "call"])
@pytest.mark.parametrize("value", ["", " x", "x ", "e\u0301", "a\x00b", "\ud800", "x" * 201, 5, None, b"x"])
def test_ids_are_exact(desk: Desk, name: str, value: object) -> None:
    if (name, value) == ("call", None):
        return
    given = {"subject": "cust-42", "by": "crm-import", "call": "call-1"} | {name: value}
    with pytest.raises(UsageError):
        desk.enroller.enroll(given.pop("subject"), {"pin": "8350"}, **given)


def test_facts_do_not_show_themselves() -> None:
    facts = Facts({"pin": "8350"})
    assert repr(facts) == str(facts) == "Facts(***)"
    assert facts.reveal() == {"pin": "8350"}


# ── lock, unlock, flag, clear_runs ───────────────────────────────────────────────────────────────────────────────────


def test_every_verb_of_an_operator_says_who_and_why_and_is_recorded(desk: Desk) -> None:
    desk.enroller.lock("cust-42", by="ops-1", reason="fraud")
    desk.enroller.unlock("cust-42", by="ops-2", reason="settled")
    desk.enroller.clear_runs("cust-42", by="ops-3", reason="review")
    found = [(r.event.value, r.agent, r.detail["reason"]) for r in desk.records()[1:]]
    assert found == [
        ("locked", "ops-1", "fraud"), ("unlocked", "ops-2", "settled"), ("runs_cleared", "ops-3", "review"),
    ]  # fmt: skip


@pytest.mark.parametrize("verb", ["lock", "unlock", "clear_runs", "flag", "erase"])
@pytest.mark.parametrize("bad", ["", " ", 5, None, "x" * 201, "\ud800", "a\nb"])
def test_an_operator_s_ids_and_reasons_are_exact(desk: Desk, verb: str, bad: object) -> None:
    more = {"fields": ["birth_date"]} if verb == "flag" else {}
    call = getattr(desk.enroller, verb)
    for given in ({"by": bad, "reason": "x"}, {"by": "ops", "reason": bad}):
        with pytest.raises(UsageError):
            call("cust-42", **given, **more)
    with pytest.raises(UsageError):
        call(bad, by="ops", reason="x", **more)


@pytest.mark.parametrize("fields", ["birth_date", [5], ["no_such_field"], None, 5])
def test_flags_name_fields_of_the_table(desk: Desk, fields: object) -> None:
    with pytest.raises((UsageError, ValueError)) as refused:
        desk.enroller.flag("cust-42", fields=fields, by="ops", reason="breach")
    from kyc_verify import KycVerifyError  # noqa: PLC0415

    assert isinstance(refused.value, KycVerifyError)


# ── erase ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_erase_forgets_everything_but_what_guesses_cost(desk: Desk) -> None:
    for k in range(3):
        desk.play("pin", {"pin": f"000{k}"})
    step = desk.play("pin")
    running = desk.open("know")
    assert desk.enroller.erase("cust-42", by="ops", reason="asked for it") is True
    assert desk.enroller.erase("cust-42", by="ops") is False
    for verb in ("status", "cancel"):
        with pytest.raises(UnknownSession):
            getattr(desk.verifier, verb)(step.session_id, call=desk.call)
    with pytest.raises(UnknownSession):
        desk.say(running)
    assert [r.event.value for r in desk.records()[-2:]] == ["erased", "erased"]
    assert desk.records()[-1].subject is None
    desk.enroller.enroll("cust-42", {"pin": "8350"}, by="crm-import")
    assert desk.open("know").verdict is Verdict.REVIEW  # the fifth run needs 2.3 bits more, as before the erasure


def test_erase_leaves_no_bytes_of_the_customer_in_the_file(desk: Desk) -> None:
    desk.play("all")
    if not isinstance(desk.store, SQLiteStore):
        pytest.skip("a file is wanted")
    folder = desk.store._path
    desk.enroller.erase("cust-42", by="ops")
    from pathlib import Path  # noqa: PLC0415

    held = b"".join(path.read_bytes() for path in Path(folder).parent.glob(Path(folder).name + "*"))
    assert b"cust-42" not in held


def test_a_customer_erased_mid_run_is_not_brought_back(desk: Desk) -> None:
    step = desk.open("all")
    desk.enroller.erase("cust-42", by="ops")
    with pytest.raises(UnknownSession):
        desk.say(step)
    assert desk.open("pin").verdict in (Verdict.PENDING, Verdict.REVIEW)
    assert desk.play("pin", {"pin": "4937"}).verdict is not Verdict.VERIFIED


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_rotation_old_answers_verify_and_are_rehashed_on_a_full_pass_only(make: Callable[..., Desk]) -> None:
    desk = make(hasher=cheap_hasher(Keyring({"old": OLD})))
    rotated = desk.bench.over(desk.store)
    rotated.hasher = cheap_hasher(Keyring([("new", NEW), ("old", OLD)]))
    rotated._wire()
    after = type(desk)(rotated, desk.loop)
    assert after.play("school", {"school": "Lindenhoff school"}).verdict is Verdict.DENIED
    assert {each.key_id for each in kept(after).values()} == {"old"}
    assert after.play("pin").verdict is Verdict.VERIFIED
    assert {name: each.key_id for name, each in kept(after).items()}["pin"] == "new"
    only_new = desk.bench.over(desk.store)
    only_new.hasher = cheap_hasher(Keyring([("new", NEW), ("old", OLD)], archived=["old"]))
    only_new._wire()
    last = type(desk)(only_new, desk.loop)
    assert last.play("pin").verdict is Verdict.VERIFIED
    assert last.open("tenure").verdict is Verdict.REVIEW
    assert "missing_key" in last.observer.notices


def test_a_rehash_is_not_what_an_answer_costs_more(make: Callable[..., Desk]) -> None:
    desk = make(hasher=cheap_hasher(Keyring([("new", NEW), ("old", OLD)])))
    cost = []
    for subject, answer in (("cust-42", "4937"), ("cust-42", "0000"), ("cust-43", "4937")):
        step = desk.open("pin", subject=subject)
        before = desk.hasher.hashes
        desk.say(step, answer)
        cost.append(desk.hasher.hashes - before)
    assert cost == [2, 2, 2]
