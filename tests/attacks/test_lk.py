"""Leaks; the hunt for canaries is in test_leaks, equal looks and costs in test_uniformity."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Keyring, KycVerifyError, Notice, NotVerified, Secret, UsageError, Verdict
from kyc_verify.stores import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

CANARY = "Papageienweg"


def objects(desk: Desk) -> list[Any]:
    """Return everything of the public kind that is near a secret."""
    step = desk.open("school")
    call = desk.call
    return [
        Secret(CANARY), desk.hasher, desk.hasher.keyring, Keyring({"k": CANARY.encode() * 3}), desk.verifier._target,
        desk.enroller._target, desk.store, desk.policy, step, desk.play("pin"), desk.play("pin").require(), call,
        desk.customers["cust-42"], desk.customers["cust-42"].contacts[0], *desk.records(),
        desk.store.load("default", step.session_id, desk.clock.now),
    ]  # fmt: skip


def test_lk_01_printing_shows_no_secret(desk: Desk) -> None:
    desk.enroller.enroll("cust-42", {"school": CANARY}, by="crm-import")
    token = desk.play("pin").require().token
    for each in objects(desk):
        for shown in (repr(each), str(each), f"{each}", "%r" % (each,)):  # noqa: UP031
            assert CANARY not in shown, type(each)
            assert token not in shown, type(each)
            assert "612345678" not in shown or type(each).__name__ == "SignalQuery", type(each)


def test_lk_03_copies_and_serialised_forms_are_refused_or_show_nothing(desk: Desk) -> None:
    desk.enroller.enroll("cust-42", {"school": CANARY}, by="crm-import")
    for each in objects(desk):
        for serialise in (pickle.dumps, copy.copy, copy.deepcopy):
            try:
                made = serialise(each)
            except (UsageError, TypeError, AttributeError, pickle.PicklingError):
                continue
            assert CANARY.encode() not in (made if isinstance(made, bytes) else repr(made).encode()), type(each)
        if is_dataclass(each) and not isinstance(each, type):
            try:
                plain = repr(asdict(each))
            except (UsageError, TypeError):
                continue
            assert CANARY not in plain, type(each)


def test_lk_02_04_an_error_s_chain_and_locals_show_no_secret(desk: Desk) -> None:
    import traceback  # noqa: PLC0415

    step = desk.open("school")
    desk.say(step, "anything")

    def provoke() -> None:
        desk.verifier.respond(step.challenge.id, CANARY, call=desk.call)

    with pytest.raises(KycVerifyError) as failed:
        provoke()
    found = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    ours = [frame for frame in found.stack if "kyc_verify" in frame.filename]
    assert ours
    assert CANARY not in str([frame.locals for frame in ours])
    assert CANARY not in str(failed.value.args)
    assert CANARY not in str(failed.value.__cause__) + str(failed.value.__context__)


def test_lk_05_what_the_database_is_told_holds_no_answer_and_no_code(make: Callable[..., Desk]) -> None:
    store = MemoryStore()
    told: list[str] = []
    desk = make(store=store)
    with store._writing() as db:
        db.set_trace_callback(told.append)
    desk.enroller.enroll("cust-42", {"school": CANARY}, by="crm-import")
    desk.play("school", {"school": CANARY})
    desk.play("all")
    text = "\n".join(told)
    assert "INSERT" in text
    for secret in (CANARY, CANARY.lower(), "4937", desk.sender.code(), "612345678"):
        assert not desk.shows(secret, text)
    with store._writing() as db:
        db.set_trace_callback(None)


def test_lk_06_what_an_observer_hears_is_a_closed_set_of_words(desk: Desk) -> None:
    for who in ("cust-42", "cust-43"):
        desk.play("pin", {"pin": "0000"})
        desk.open("all", subject=who)
    desk.enroller.flag("cust-42", fields=[], by="ops", reason="x")
    with pytest.raises(NotVerified):
        desk.verifier.redeem("A" * 22, subject="cust-42", action="pin", call=desk.call)
    assert set(desk.observer.notices) <= set(Notice)
    assert all(value.isascii() and value.replace("_", "").isalpha() for value in Notice)


def test_lk_08_which_answer_was_wrong_is_not_told(desk: Desk) -> None:
    shown = set()
    for said in ({"account_tenure": "80 years"}, {"pin": "0000"}, {"account_tenure": "80 years", "pin": "0000"}):
        step, seen = desk.fresh().open("know"), []
        while step.challenge is not None:
            seen.append((step.challenge.text, step.reasons))
            step = desk.say(step, said.get(step.challenge.check))
        assert step.verdict is Verdict.DENIED
        shown.add(str((seen, step.reasons)))
    assert len(shown) == 1


def test_lk_09_between_two_steps_nothing_is_kept_in_clear(desk: Desk) -> None:
    step = desk.open("school")
    desk.say(step, CANARY)
    open_code = desk.open("code")
    stored = desk.store.load("default", open_code.session_id, desk.clock.now)
    both = json.dumps([stored.session.state, desk.store.load("default", step.session_id, desk.clock.now).session.state])
    for secret in (CANARY, CANARY.lower(), desk.sender.code(), "612345678", desk.sender.last().text):
        assert not desk.shows(secret, both)


def test_lk_05_no_logger_says_anything(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.play("all")
    assert [record for record in caplog.records if record.name.startswith("kyc_verify")] == []
