"""Canaries hunted through everything that comes out or stays behind: LK-01 to LK-05, LK-09, AU-09, OT-08.

Answers right and wrong, codes, numbers, peppers, hashes and tokens, each in every spelling a leak could have, are
looked for in results, reprs, exceptions with their chains and the locals of their frames, logs, the audit log, the
store's bytes, pickles and `asdict`.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Call,
    Contact,
    Keyring,
    KycVerifyError,
    Policy,
    Requirement,
    Secret,
    StoreError,
    ThreatModel,
    checks,
)
from kyc_verify._flows import pool
from kyc_verify.hashing import slow
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import FailingStore, ScriptedService, cheap_hasher
from kyc_verify.testing.leaks import Hunter

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

RIGHT = [f"Papageiengasse {word}" for word in (
    "Amsel", "Bussard", "Drossel", "Elster", "Falke", "Geier", "Habicht", "Ibis", "Kakadu", "Lerche", "Milan",
    "Nachtigall", "Orpheus", "Pirol", "Rabe", "Sperber",
)]  # fmt: skip
WRONG = [f"Kolibriallee {word}" for word in (
    "Ahorn", "Buche", "Eiche", "Fichte", "Ginster", "Hasel", "Kiefer", "Linde", "Mistel", "Pappel",
)]  # fmt: skip
# Long enough not to be found in random hexadecimal by chance; codes have ten digits too.
PINS = {"right": "8402619375", "wrong": "7159382604", "second": "3691470258"}
NUMBERS = ["+33612345678", "+442079460958", "+12127365000"]
PEPPERS = {"p1": b"pfauenfeder-eins-" + bytes(range(200, 223)), "p2": b"pfauenfeder-zwei-" + bytes(range(160, 183))}
MAIL = "anna.papagena@example.org"


def told_policy() -> Policy:
    questions = [checks.SecretAnswer(f"q{k}", {"en": f"Question number {k}?"}) for k in range(len(RIGHT))]
    return Policy(
        name="told",
        checks=[
            *questions, checks.Pin(), checks.SimSwap(), checks.AppConfirmation(),
            checks.OneTimeCode(digits=10), checks.OneTimeCode("mail", channel="email", digits=10),
        ],
        threats=ThreatModel.points(
            {f"q{k}": 5 for k in range(len(RIGHT))}
            | {"pin": 50, "sim_swap": 1, "app_confirmation": 50, "one_time_code": 50, "mail": 50},
        ),
        actions={f"q{k}": Requirement(bits=1, checks=(f"q{k}",)) for k in range(len(RIGHT))} | {
            "pin": Requirement(bits=1, checks=("pin",)), "code": Requirement(bits=1, checks=("one_time_code",)),
            "mail": Requirement(bits=1, checks=("mail",)), "app": Requirement(bits=1, checks=("app_confirmation",)),
            "signals": Requirement(bits=1, checks=("sim_swap",)), "hours": Requirement.none(),
        },
    )  # fmt: skip


class Stage:
    """A desk with canaries everywhere, played through all verbs; what came out is in `results` and `errors`."""

    def __init__(self, make: Callable[..., Desk], hunter: Hunter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hunter, self.patch = hunter, monkeypatch
        hasher = cheap_hasher(Keyring(list(PEPPERS.items())))
        self.desk = make(told_policy(), hasher=hasher, facts={}, number=NUMBERS[0])
        for name, secret in [("answer", a) for a in RIGHT] + [("wrong", a) for a in WRONG]:
            hunter.add(name, secret)
        for secret in PINS.values():
            hunter.add("pin", secret)
        for secret in [*NUMBERS, MAIL]:
            hunter.add("number", secret)
        for pepper in PEPPERS.values():
            hunter.add("pepper", pepper)
        self.results: list[Any] = []
        self.errors: list[BaseException] = []
        self.call = self.desk.another(number=NUMBERS[1])

    def do(self, verb: Callable[[], Any]) -> Any:
        """Do something, and keep what came out."""
        try:
            found = verb()
        except KycVerifyError as error:
            self.errors.append(error)
            return None
        self.results.append(found)
        return found

    def enroll(self) -> None:
        desk, since = self.desk, self.desk.clock.now
        old = since.replace(year=since.year - 9)
        contacts = (Contact(number=NUMBERS[0], since=old), Contact(number=MAIL, since=old), Contact(number=NUMBERS[2]))
        desk.customers["cust-42"] = replace(desk.customers["cust-42"], contacts=contacts)
        facts = {f"q{k}": fact for k, fact in enumerate(RIGHT)} | {"pin": PINS["right"]}
        desk.enroller.enroll("cust-42", facts, by="crm-import")
        for bad in (
            facts | {"pin": "1234"}, facts | {"app": PINS["second"]}, {"q0": RIGHT[0], "q1": RIGHT[0]},
            {RIGHT[0]: "pin"}, {"q0": 5, "q1": RIGHT[1]}, [RIGHT[0]], {"q0": RIGHT[0] + "\ud800"},
            {"pin": "4111 1111 1111 1111"}, {"q1": "x" * 300 + RIGHT[1]},
        ):  # fmt: skip
            self.do(lambda b=bad: desk.enroller.enroll("cust-42", b, by="crm-import"))
        for mode in ("before", "after"):
            broken = desk.over(FailingStore(desk.store, verb="enroll", mode=mode))
            self.do(lambda b=broken: b.enroller.enroll("cust-42", facts, by="crm-import"))
        for credential in self.kept().values():
            for secret in (credential.full, credential.near, credential.salt, credential.seal):
                if secret is not None:
                    self.hunter.add("hash", secret)

    def kept(self) -> dict[str, Any]:
        step = self.desk.open("hours")
        return dict(self.desk.store.load("default", step.session_id, self.desk.clock.now).subject.credentials)

    def add_marks(self) -> None:
        """Add what the states of runs hold of answers and codes: tags by which the same one is known again."""
        with self.desk.store._reading() as db:
            states = [state for (state,) in db.execute("SELECT state FROM sessions") if state]
        for state in map(json.loads, states):
            for _, mark, *_ in state["turns"]:
                if mark.count("$") in {1, 3}:
                    self.hunter.add("hash", mark.rpartition("$")[2])
            if state["code"] and state["code"][0]:
                self.hunter.add("hash", state["code"][0].rpartition("$")[2])

    def play(self) -> None:
        desk, call = self.desk, self.call
        for k, (right, wrong) in enumerate(zip(RIGHT, WRONG * 2, strict=False)):
            desk.fresh()
            step = self.do(lambda k=k: desk.open(f"q{k}", call=call))
            done = self.do(lambda s=step, w=right if k % 2 else wrong: desk.say(s, w, call=call))
            other = wrong if k % 2 else right
            self.do(lambda s=step, o=other: desk.say(s, o, call=call))  # another answer to the same challenge
            self.do(lambda d=done: desk.verifier.status(d.session_id, call=call))
            if k % 2:
                self._redeem(done, f"q{k}")
        self._codes()
        self._faults()

    def _redeem(self, done: Any, action: str) -> None:
        desk, call, grant = self.desk, self.call, done.require()
        self.hunter.add("token", grant.token)
        redeem = desk.verifier.redeem
        for wrong in ({"subject": "cust-43"}, {"action": "pin"}, {"call": replace(call, agent="agent-9")}):
            given = {"subject": "cust-42", "action": action, "call": call} | wrong
            self.do(lambda g=given: redeem(grant, **g))
            self.do(lambda g=given: redeem(grant.token, **g))
        broken = desk.over(FailingStore(desk.store, verb="redeem"))
        self.do(lambda: broken.verifier.redeem(grant.token, subject="cust-42", action=action, call=call))
        for _ in range(2):
            self.do(lambda: redeem(grant, subject="cust-42", action=action, call=call))
        auditor = Call(id="audit", agent="auditor", roles=frozenset({"auditor"}))
        self.do(lambda: desk.verifier.explain(done.session_id, call=auditor))
        self.do(lambda: desk.verifier.explain(done.session_id, call=call))

    def _codes(self) -> None:
        desk, call = self.desk, self.call
        for action in ("code", "mail", "code", "app"):
            desk.fresh()
            desk.clock.advance(hours=2)
            step = self.do(lambda a=action: desk.open(a, call=call))
            if action != "app":
                code = desk.sender.code()
                self.hunter.add("code", code)
                step = self.do(lambda s=step: desk.say(s, PINS["wrong"], call=call))
                desk.clock.advance(seconds=31)
                step = self.do(lambda s=step: desk.verifier.resend(s.challenge.id, call=call))
                code = desk.sender.code()
                self.hunter.add("code", code)
                done = self.do(lambda s=step, c=code: desk.say(s, c, call=call))
                self.do(lambda s=step: desk.say(s, PINS["wrong"], call=call))
                self._redeem(done, action)

        class Gateway:
            def send(self, message: Any) -> None:
                words = f"cannot send {message.text} to {message.destination}"
                raise RuntimeError(words)

        desk.bench.senders = dict.fromkeys(desk.bench.senders, Gateway())
        desk.bench._wire()
        self.desk = desk = type(desk)(desk.bench, desk.loop)
        desk.clock.advance(hours=2)
        self.do(lambda: desk.fresh().open("code", call=call))
        desk.bench.services = {"app": ScriptedService(RuntimeError(f"refused for {NUMBERS[0]}"))}
        desk.bench._wire()
        self.desk = desk = type(desk)(desk.bench, desk.loop)
        step = self.do(lambda: desk.fresh().open("app", call=call))
        self.do(lambda: desk.say(step, WRONG[0], call=call))

    def _faults(self) -> None:
        desk, call = self.desk, self.call
        for verb, mode in (("begin", "before"), ("begin", "after"), ("commit", "before"), ("commit", "after")):
            for action, said in (("pin", PINS["right"]), ("q2", RIGHT[2]), ("q3", WRONG[3])):
                step = desk.fresh().open(action, call=call)
                broken = desk.over(FailingStore(desk.store, verb=verb, mode=mode, error=OSError("no disk")))
                self.do(lambda b=broken, s=step, a=said: b.say(s, a, call=call))
        step = desk.fresh().open("q4", call=call)
        with self.patch.context() as patched:

            def none(*_: Any, **__: Any) -> Any:
                from kyc_verify import Busy  # noqa: PLC0415

                words = "no memory"
                raise Busy(words)

            patched.setattr(slow, "argon2id", none)
            self.do(lambda: desk.say(step, RIGHT[4], call=call))
            self.do(lambda: desk.enroller.enroll("cust-42", {"q4": RIGHT[4], "pin": PINS["second"]}, by="crm-import"))
        with self.patch.context() as patched:
            patched.setattr(pool, "submit", none)
            self.do(lambda: desk.say(step, RIGHT[4], call=call))
        desk.customers.fail = RuntimeError("the CRM is down")
        self.do(lambda: desk.open("pin", call=call))
        desk.customers.fail = None
        self.do(lambda: desk.verifier.respond(step.challenge.id, RIGHT[4], call=replace(call, agent="agent-9")))
        self.do(lambda: desk.verifier.respond("x.1", RIGHT[5], call=call))
        self.do(lambda: desk.verifier.respond(step.challenge.id, RIGHT[6], call=None))
        for verb in ("lock", "unlock", "clear_runs"):
            self.do(lambda v=verb: getattr(desk.enroller, v)("cust-42", by="ops", reason="x"))


def store_bytes(desk: Desk) -> bytes:
    """Return every byte the store keeps."""
    if isinstance(desk.store, SQLiteStore):
        path = Path(desk.store._path)
        return b"".join(each.read_bytes() for each in path.parent.glob(path.name + "*"))
    with desk.store._reading() as db:
        return "\n".join(db.iterdump()).encode()


@pytest.fixture
def hunter() -> Hunter:
    return Hunter()


@pytest.fixture
def stage(make: Callable[..., Desk], hunter: Hunter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    played = Stage(make, hunter, monkeypatch)
    yield played
    played.errors.clear()


def test_lk_01_02_03_04_09_au_09_ot_08_no_canary_is_anywhere(
    stage: Stage, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """LK-01, LK-02, LK-03, LK-04, LK-05, LK-09, AU-09, OT-08: at least forty canaries, none found."""
    caplog.set_level(logging.DEBUG)
    stage.enroll()
    stage.play()
    desk, hunter = stage.desk, stage.hunter
    stage.add_marks()
    assert len(hunter.canaries) >= 40
    assert {"answer", "wrong", "pin", "number", "pepper", "hash", "code", "token"} == {
        name.partition("-")[0] for name in hunter.canaries
    }
    assert len(stage.errors) >= 60
    assert len({type(error) for error in stage.errors}) >= 7
    assert len(stage.results) >= 60
    found = {type(error).__name__: names for error in stage.errors if (names := hunter.in_error(error))}
    assert found == {}
    shown = [hunter.in_object(each) for each in stage.results if type(each).__name__ != "Grant"]
    assert set().union(*shown) == set()
    out, err = capfd.readouterr()
    assert hunter.hunt(caplog.text, out, err, desk.observer.notices) == set()
    assert hunter.hunt([record.as_dict() for record in desk.records()], desk.records()) == set()
    assert {name for name in hunter.hunt(store_bytes(desk)) if not name.startswith("hash")} == set()
    for each in (desk.bench.verifier, desk.bench.enroller, desk.hasher, desk.hasher.keyring, desk.store, desk.policy):
        assert hunter.in_object(each) == set(), type(each)


@pytest.mark.parametrize(
    "place", ["message", "note", "cause", "local", "result", "record", "log", "file", "pickle", "vars"]
)
def test_lk_02_a_planted_leak_is_found_by_the_same_hunter(
    make: Callable[..., Desk], hunter: Hunter, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """A control: the same canaries, planted once in each place that is looked at."""
    secret = RIGHT[0]
    hunter.add("answer", secret)

    @dataclasses.dataclass(repr=False)
    class Careless:
        answer: str

    def leak() -> None:
        try:
            if place == "cause":
                raise ValueError(secret)  # noqa: TRY301 - a chain is wanted
            if place == "local":
                names = {"said": secret}
                exec("def f(said):\n    raise OSError('x')\nf(said)", names)  # noqa: S102 - a frame of no test
        except (ValueError, OSError) as error:
            words = "plain"
            raise StoreError(words) from error
        failed = StoreError(secret if place == "message" else "plain")
        failed.add_note(secret if place == "note" else "plain")
        raise failed

    with pytest.raises(StoreError) as failed:
        leak()
    caplog.set_level(logging.DEBUG)
    desk = make(told_policy(), facts={"q0": RIGHT[1]})
    if place == "log":
        logging.getLogger("kyc_verify").debug("said %s", secret)
    if place == "record":
        desk.enroller.lock("cust-42", by="ops", reason=secret)
    if place == "file":
        with desk.store._writing() as db:
            db.execute("UPDATE subjects SET flags = ?", (f'["{secret.encode().hex()}"]',))
    found = {
        "message": hunter.in_error(failed.value), "note": hunter.in_error(failed.value),
        "cause": hunter.in_error(failed.value), "local": hunter.in_error(failed.value),
        "result": hunter.hunt({"challenge": secret.casefold()}), "record": hunter.hunt(desk.records()),
        "log": hunter.hunt(caplog.text), "file": hunter.hunt(store_bytes(desk)),
        "pickle": hunter.hunt(pickle.dumps({"a": secret})), "vars": hunter.in_object(Careless(secret)),
    }  # fmt: skip
    assert len(found[place]) == 1
    if place in {"log", "record", "file"}:
        also = ["record", "file"] if place == "record" else [place]  # the log is in the file
        assert [name for name in ("log", "record", "file") if found[name]] == also


def test_lk_01_a_secret_shows_nothing(hunter: Hunter) -> None:
    hunter.add("answer", RIGHT[0])
    assert hunter.in_object(Secret(RIGHT[0])) == set()
