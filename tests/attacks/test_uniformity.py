"""Who is not there, cannot be verified or answers wrongly looks and costs the same; ID-01 to ID-04, LK-07."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Step
from kyc_verify.testing import CountingStore

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

ROOT = Path(__file__).resolve().parent.parent.parent
STATES = ["wrong", "right_then_refused", "unknown", "unenrolled", "disabled", "locked"]
OTHER_NUMBER = "+33698765432"


def subject_in(desk: Desk, state: str) -> str:
    """Make a subject of a state; the answers of all of them are those of the desk's customer."""
    if state == "unknown":
        return "cust-unknown"
    name = f"cust-{state}"
    desk.customers[name] = desk.customers["cust-42"]
    if state != "unenrolled":
        desk.clock.back(days=2)
        facts = {check: fact for check, fact in desk.facts.items() if check != "school"}
        desk.enroller.enroll(name, facts | {"school": "Lindenhof school"}, by="crm-import")
        desk.clock.advance(days=2)
    if state == "disabled":
        desk.customers[name] = replace(desk.customers[name], active=False)
    elif state == "locked":
        desk.enroller.lock(name, by="ops", reason="fraud")
    return name


def shown(step: Step) -> bytes:
    """Return all an agent sees of a step, but for the ids."""
    plain: dict[str, Any] = json.loads(json.dumps(step.as_dict()))
    assert plain.pop("session_id")
    if plain["challenge"] is not None:
        assert plain["challenge"].pop("id").endswith(tuple("123456789"))
    return json.dumps(plain, sort_keys=True).encode()


class Tally:
    """What one run showed and cost."""

    def __init__(self, desk: Desk) -> None:
        self.store = CountingStore(desk.store)
        self.desk = desk.over(self.store)
        self.shown: list[bytes] = []
        self.costs: list[Any] = []

    def after(self, verb: Callable[[], Step]) -> Step:
        hashes, asked, queries = self.desk.hasher.hashes, len(self.desk.customers.asked), self._queries()
        self.store.counts.clear()
        step = verb()
        self.shown.append(shown(step))
        self.costs.append(
            (
                self.desk.hasher.hashes - hashes, dict(self.store.counts), len(self.desk.customers.asked) - asked,
                self._queries() - queries,
            ),
        )  # fmt: skip
        return step

    def _queries(self) -> int:
        return len(self.desk.signals["sim_swap"].queries)


def answer_all(tally: Tally, subject: str, action: str, said: dict[str, str], call: Any) -> None:
    desk = tally.desk
    step = tally.after(lambda: desk.open(action, subject=subject, call=call))
    while step.challenge is not None:
        check = step.challenge.check
        answer = said.get(check) or ("000000" if check == "one_time_code" else desk.answer(step.challenge))
        step = tally.after(lambda s=step, a=answer: desk.say(s, a, call=call))
        if len(tally.shown) > 20:
            pytest.fail("it does not end")


WRONG = {"account_tenure": "80 years", "pin": "0000", "school": "Marienburg", "one_time_code": "000000"}


def tallied(desk: Desk, state: str, action: str) -> Tally:
    tally, call = Tally(desk), desk.another(number=OTHER_NUMBER, id=f"call-{state}")
    # Right everywhere and refused all the same: the number it comes from is another, and the code cannot be known.
    said = {} if state == "right_then_refused" else WRONG
    if state == "right_then_refused" and action in {"know", "lossless"}:
        said = {"pin": WRONG["pin"], "school": WRONG["school"]}  # only so that it is refused at all
    answer_all(tally, subject_in(desk, state), action, said, call)
    return tally


@pytest.mark.parametrize("action", ["know", "lossless", "all", "code", "callback", "tenure"])
def test_id_01_02_03_04_every_state_shows_the_same_bytes_and_costs_the_same(
    make: Callable[..., Desk], action: str
) -> None:
    desk = make()
    desk.sender.fail = RuntimeError("so that no code can be read")
    states = [state for state in STATES if not (state == "right_then_refused" and action in {"callback", "tenure"})]
    if action == "callback":
        states = [state for state in states if state not in {"wrong", "unenrolled"}]  # the agent's word decides
    found = {state: tallied(desk, state, action) for state in states}
    first = found[states[0]]
    assert len(first.shown) >= 2
    for state, tally in found.items():
        assert tally.shown == first.shown, state
        assert tally.costs == first.costs, state


def test_id_04_messages_go_to_those_that_are_there_alone(desk: Desk) -> None:
    counts = Counter()
    for state in STATES:
        before = len(desk.sender.messages)
        desk.open("all", subject=(who := subject_in(desk, state)))
        step = desk.open("code", subject=who)
        assert step.challenge is not None
        counts[state] = len(desk.sender.messages) - before
    # One whose facts are asked nowhere in the action counts as there: only unknown, disabled and held ones get none.
    assert counts == {"wrong": 1, "right_then_refused": 1, "unenrolled": 1, "unknown": 0, "disabled": 0, "locked": 0}


@pytest.mark.parametrize("way", ["decline", "clarify", "late", "cancel", "resend", "status"])
def test_lk_07_other_ways_through_a_run_show_and_cost_the_same(  # noqa: C901 - six ways, side by side
    make: Callable[..., Desk], way: str
) -> None:
    found: dict[str, Tally] = {}
    for state in ("wrong", "unknown", "unenrolled", "disabled", "locked"):
        desk = make()
        tally, who = Tally(desk), subject_in(desk, state)
        at, action = tally.desk, "code" if way == "resend" and state != "unenrolled" else "all"
        if way == "resend" and state == "unenrolled":
            continue
        step = tally.after(lambda at=at, who=who, action=action: at.open(action, subject=who))
        if way == "decline":
            while step.challenge is not None:
                step = tally.after(lambda at=at, s=step: at.verifier.decline(s.challenge.id, call=at.call))
        elif way == "clarify":
            for said in ("3", "4", "5", "6"):
                step = tally.after(lambda at=at, s=step, a=said: at.say(s, a))
        elif way == "late":
            desk.clock.advance(minutes=6)
            step = tally.after(lambda at=at, s=step: at.say(s, "8 years"))
            desk.clock.advance(minutes=26)
            tally.after(lambda at=at, s=step: at.verifier.status(s.session_id, call=at.call))
        elif way == "resend":
            for _ in range(3):
                desk.clock.advance(seconds=31)
                step = tally.after(lambda at=at, s=step: at.verifier.resend(s.challenge.id, call=at.call))
        else:
            tally.after(lambda at=at, s=step: getattr(at.verifier, way)(s.session_id, call=at.call))
        found[state] = tally
    first = found["wrong"]
    for state, tally in found.items():
        assert tally.shown == first.shown, state
        assert tally.costs == first.costs, state


def test_a_planted_difference_is_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control: a flow that does not hash for somebody unknown fails the comparison above."""
    from kyc_verify.hashing import SecretHasher  # noqa: PLC0415

    plain = SecretHasher.verify

    def quick(self: Any, credential: Any, forms: Any, **about: Any) -> Any:
        return plain(self, credential, forms, **about) if credential is not None else self._skipped

    known = tallied(desk, "wrong", "know")
    real = plain(desk.hasher, None, None, tenant="t", subject="s", check="c", kind="k", forms_version=1)
    monkeypatch.setattr(SecretHasher, "_skipped", real, raising=False)
    monkeypatch.setattr(SecretHasher, "verify", quick)
    assert tallied(desk, "unknown", "know").costs != known.costs


def test_lk_07_the_timing_experiment_runs_and_finds_its_planted_leak(environ: dict[str, str]) -> None:
    """A smoke run: figures are in docs/reliability.md."""
    script = ROOT / "scripts" / "timing.py"
    done = subprocess.run(
        [sys.executable, str(script), "--rounds", "60", "--leak", "10000"],
        capture_output=True, text=True, timeout=120, check=False, env=environ,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert {"control", "unknown", "unenrolled", "locked", "planted"} <= set(lines)
    assert "found" in lines["planted"]
