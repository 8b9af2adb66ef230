"""The library against a second, naive implementation of the same rules, step by step."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import reference_run
import reference_score
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule
from lockstep_callers import CALLS, ENTRIES, JUMPS, a_call, random_step, random_steps, what_is_said
from lockstep_driver import NUMBERS, SUBJECTS, Difference, World
from lockstep_fronts import TENANTS
from reference_model import Model

CHUNKS, STEPS = 20, 5_000
"""20 chunks of 5,000 steps: 100,000 in every run of the tests, spread over as many processes as there are."""


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_hundred_thousand_steps(chunk: int) -> None:
    seen: Counter[str] = Counter()
    taken = random_steps(STEPS, seed=chunk, seen=seen)
    assert taken >= STEPS
    # A driver that never gets anybody through, or never anybody refused, would compare nothing.
    assert all(seen[verdict] for verdict in ("verified", "denied", "step_up", "review", "exempt", "pending"))
    assert seen["redeemed"]


@pytest.mark.parametrize(
    "over", ["sqlite", *[pytest.param(each, marks=pytest.mark.slow) for each in ("composite", "postgresql", "mariadb")]]
)
def test_steps_over_each_store(over: str, tmp_path: Path) -> None:
    assert random_steps(250, seed=1, folder=tmp_path, over=over) >= 250


class Machine(RuleBasedStateMachine):
    """Draws steps with Hypothesis, which finds the shortest way to a difference."""

    over = "memory"
    sessions: Bundle[int] = Bundle("sessions")

    @initialize(seed=st.integers(0, 10**6))
    def begin(self, seed: int) -> None:
        self.folder = None if self.over == "memory" else tempfile.TemporaryDirectory()
        folder = Path(self.folder.name) if self.folder else None
        self.rng = random.Random(seed)
        self.world = World(self.rng, folder=folder, over=self.over)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
            if self.folder:
                self.folder.cleanup()

    def _call(self, index: int, *, strange: bool) -> dict[str, Any]:
        run = self.world.known[index][1]
        call = a_call(self.rng, agent=run.agent, id=run.call)
        return call | ({"agent": "agent-3"} if strange else {})

    @rule(
        target=sessions,
        tenant=st.sampled_from(TENANTS),
        subject=st.sampled_from(SUBJECTS),
        action=st.sampled_from(("read", "move", "pay", "peek")),
        stake=st.sampled_from((None, 10, 50)),
        entries=st.sampled_from(ENTRIES),
        signal=st.sampled_from(("pass", "fail", "near", "unavailable", "error")),
        id=st.sampled_from(CALLS),
    )
    def open(
        self, tenant: str, subject: str, action: str, stake: int | None, entries: Any, signal: str, id: str  # noqa: A002
    ) -> int:  # fmt: skip
        stake = stake if action == "pay" else None
        self.world.open(tenant, subject, action, stake, a_call(self.rng, id=id), entries, signal)
        return len(self.world.known) - 1

    @rule(
        index=sessions, back=st.sampled_from((0, 0, 0, 0, 1)), strange=st.sampled_from((False, False, False, True)),
        honest=st.booleans(), app=st.sampled_from(("pass", "fail", None)),
    )  # fmt: skip
    def answer(self, index: int, back: int, honest: bool, app: str | None, strange: bool) -> None:
        run = self.world.known[index][1]
        self.world.honest = 1.0 if honest else 0.0
        turn = max(1, len(run.turns) + 1 - back)
        self.world.answer(index, turn, what_is_said(self.rng, self.world, run), self._call(index, strange=strange), app)

    @rule(index=sessions, verb=st.sampled_from(("decline", "resend")), back=st.sampled_from((0, 0, 1)))
    def plain(self, index: int, verb: str, back: int) -> None:
        turn = max(1, len(self.world.known[index][1].turns) + 1 - back)
        self.world.plain(verb, index, turn, self._call(index, strange=False))

    @rule(
        index=sessions, verb=st.sampled_from(("status", "transfer", "step_up", "step_up", "cancel")),
        entries=st.sampled_from(ENTRIES), action=st.sampled_from(("read", "move", "pay", "peek")),
        strange=st.booleans(),
    )  # fmt: skip
    def look(self, index: int, verb: str, entries: Any, action: str, strange: bool) -> None:
        self.world.look(verb, index, self._call(index, strange=strange), entries=entries, action=action)

    @rule(index=sessions)
    def explain(self, index: int) -> None:
        self.world.explain(index)

    @rule(index=sessions)
    def begun(self, index: int) -> None:
        self.world.begun(index)

    @rule(at=st.integers(0, 30), request=st.sampled_from((None, "once")), strange=st.booleans())
    def redeem(self, at: int, request: str | None, strange: bool) -> None:
        if self.world.grants:
            at %= len(self.world.grants)
            home, grant = self.world.grants[at]
            call = a_call(self.rng, agent=grant.agent, id=grant.run.call)
            self.world.redeem(
                at, call, subject=grant.run.subject, action="move" if strange else grant.action, stake=grant.stake,
                tenant=home, request=request,
            )  # fmt: skip

    @rule(by=st.sampled_from(JUMPS))
    def tick(self, by: int) -> None:
        self.world.tick(timedelta(seconds=by))

    @rule(
        verb=st.sampled_from(("lock", "unlock", "flag", "clear_runs", "erase")), tenant=st.sampled_from(TENANTS),
        subject=st.sampled_from(SUBJECTS), flagged=st.booleans(),
    )  # fmt: skip
    def operate(self, verb: str, tenant: str, subject: str, flagged: bool) -> None:
        words = tuple(c.id for c in self.world.rules.checks if c.kind == "word")
        self.world.operate(verb, tenant, subject, words[:1] if flagged else ())

    @rule(tenant=st.sampled_from(TENANTS), subject=st.sampled_from(SUBJECTS), by=st.sampled_from(("crm", "agent-1")))
    def enroll(self, tenant: str, subject: str, by: str) -> None:
        self.world.enroll(tenant, subject, ["word_a", "word_b", "pin"], by, None)

    @rule(subject=st.sampled_from(SUBJECTS[:2]), number=st.sampled_from(NUMBERS), active=st.booleans())
    def crm(self, subject: str, number: str, active: bool) -> None:
        self.world.crm_change(subject, number=number, active=active)

    @rule()
    def restart(self) -> None:
        self.world.restart()


class MachineOnFile(Machine):
    over = "sqlite"


class MachineOnComposite(Machine):
    over = "composite"


class MachineOnPostgreSQL(Machine):
    over = "postgresql"


class MachineOnMariaDB(Machine):
    over = "mariadb"


_HYPOTHESIS = settings(
    stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
TestMemory = Machine.TestCase
TestMemory.settings = settings(_HYPOTHESIS, max_examples=60)
TestFile = pytest.mark.slow(MachineOnFile.TestCase)
TestFile.settings = settings(_HYPOTHESIS, max_examples=8)
TestComposite = pytest.mark.slow(MachineOnComposite.TestCase)
TestComposite.settings = TestFile.settings
TestPostgreSQL = pytest.mark.slow(MachineOnPostgreSQL.TestCase)
TestPostgreSQL.settings = TestFile.settings
TestMariaDB = pytest.mark.slow(MachineOnMariaDB.TestCase)
TestMariaDB.settings = TestFile.settings


# ── The comparison itself can fail ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [
        "one centibit more for every pass",
        "a run is never counted",
        "a decline weighs nothing",
        "no budget of answers",
        "the number is trusted at once",
        "a grant is never used up",
        "the first crossing is enough",
    ],
)
def test_a_model_of_other_rules_is_found_out(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:

    if spoil == "one centibit more for every pass":
        right = reference_score.weights
        monkeypatch.setattr(reference_score, "weights", lambda g, b: [*right(g, b)[:-1], right(g, b)[-1] + 1])
    elif spoil == "a run is never counted":
        monkeypatch.setattr(Model, "count", lambda self, run, now: setattr(run, "k", 1))  # noqa: ARG005
    elif spoil == "a decline weighs nothing":
        score = Model.score
        monkeypatch.setattr(
            Model, "score",
            lambda self, rule, outcomes, *rest: score(
                self, rule, {n: o for n, o in outcomes.items() if o[0] != "declined"}, *rest
            ),
        )  # fmt: skip
    elif spoil == "no budget of answers":
        monkeypatch.setattr(Model, "budget", lambda self, subject, name: [])  # noqa: ARG005
    elif spoil == "the number is trusted at once":
        monkeypatch.setattr(Model, "trusted", lambda self, subject, now: subject in self.crm)  # noqa: ARG005
    elif spoil == "a grant is never used up":
        monkeypatch.setattr(reference_run.Grant, "used", property(lambda self: False, lambda self, value: None))  # noqa: ARG005
    else:
        met = Model.met
        monkeypatch.setattr(
            Model, "met",
            lambda self, rule, outcomes, run, now: met(
                self, rule, {n: o for n, o in outcomes.items() if n in run.outcomes or n in run.available}, run, now
            ) or (rule.lossless and met(self, rule, run.outcomes, run, now)),
        )  # fmt: skip
    with pytest.raises(Difference):
        random_steps(15_000, seed=0)


def test_most_steps_are_the_librarys() -> None:
    rng = random.Random(5)
    world = World(rng)
    while world.steps < 200:
        random_step(world, rng)
    world.close()
    idle = [line for line in world.log if any(f"('{word}'" in line for word in ("tick", "crm", "restart"))]
    assert len(world.log) == world.steps
    assert len(idle) < world.steps / 3
