"""Random callers, agents and operators for the lock-step tests: steps, and scenes of several steps."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from lockstep_driver import NUMBERS, SUBJECTS, WORDS, Difference, World
from lockstep_fronts import TENANTS
from reference_run import Run

__all__ = ["a_call", "random_step", "random_steps", "what_is_said"]

AGENTS = ("agent-1", "agent-2")
CALLS = ("call-1", "call-2")
ENTRIES = (None, None, None, ("digits",), ("text",), ("digits", "confirm"))
JUMPS = (1, 5, 11, 29, 31, 61, 119, 121, 299, 300, 301, 1000, 1801, 3601, 40_000, 90_000, -5, -61, -400, -4000)


def a_call(rng: random.Random, *, agent: str | None = None, id: str | None = None) -> dict[str, Any]:  # noqa: A002
    """Return a call, mostly of the given agent and id."""
    strange = rng.random() < 0.06
    return {
        "id": id if id and not strange else rng.choice(CALLS),
        "agent": agent if agent and not strange else rng.choice(AGENTS),
        "number": rng.choice((NUMBERS[0],) * 6 + (NUMBERS[1], None)),
        "attestation": rng.choice(("A",) * 5 + ("B", None, "failed")),
    }


def what_is_said(rng: random.Random, world: World, run: Run) -> str:
    """Return what a caller says: right, near, wrong, ambiguous or unreadable."""
    asked = run.question.check if run.question else world.rules.checks[0].id
    kind = world.models["north"].checks[asked].kind
    mood = "right" if rng.random() < world.honest else rng.choice(("near", "wrong", "wrong", "?", "!"))
    if kind == "app":
        return rng.choice(("yes", "no", "well"))
    if kind == "code":
        send = max(1, run.sends - (mood == "near"))
        return {"right": f"code {send}", "near": f"code {send}", "wrong": rng.choice(("111111", "222222"))}.get(
            mood, "!"
        )
    right = WORDS.get(asked, "word")
    wrong = {"pin": ("860213", "395716")}.get(asked, ("schwanenweg", "birkenhain"))
    return {"right": right, "near": right[:4] + "dorf" if kind == "word" else wrong[0], "wrong": rng.choice(wrong)}.get(
        mood, mood
    )


class Callers:
    """One step at a time, drawn by weight; each method is one kind."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.recent = range(max(0, len(world.known) - 6), len(world.known))
        self.pending = [i for i in self.recent if world.known[i][1].question]

    def run(self, index: int) -> Run:
        return self.world.known[index][1]

    def of(self, index: int) -> dict[str, Any]:
        return a_call(self.rng, agent=self.run(index).agent, id=self.run(index).call)

    def any(self) -> int:
        return self.rng.choice(self.pending if self.pending and self.rng.random() < 0.9 else self.recent)

    def asked_for(self) -> tuple[str, int | None]:
        action = self.rng.choice(("read", "move", "pay", "read", "move", "pay", "peek"))
        return action, self.rng.choice((None, 10, 25, 50)) if action == "pay" else None

    def open(self) -> None:
        action, stake = self.asked_for()
        signal = self.rng.choice(("pass",) * 5 + ("fail", "near", "unavailable", "error", "error"))
        subject = self.rng.choice(SUBJECTS[:2] * 4 + SUBJECTS[2:])
        call, entries = a_call(self.rng), self.rng.choice(ENTRIES)
        self.world.open(self.rng.choice(TENANTS), subject, action, stake, call, entries, signal)

    def answer(self, index: int | None = None, said: str | None = None, **call: str) -> None:
        if index is None and not self.pending:
            self.open()
            return
        index = self.any() if index is None else index
        run = self.run(index)
        said = what_is_said(self.rng, self.world, run) if said is None else said
        app = self.rng.choice(("pass", "pass", "fail", None))
        self.world.answer(index, len(run.turns) + 1, said, self.of(index) | call, app)

    def replay(self) -> None:
        if not self.world.said:
            return
        at, turn, said, app = self.rng.choice(self.world.said[-8:])
        said = said if self.rng.random() < 0.7 else what_is_said(self.rng, self.world, self.run(at))
        self.world.answer(at, turn, said, self.of(at), app)

    def plain(self, verb: str) -> None:
        index = self.any()
        turn = len(self.run(index).turns) + 1
        turn -= self.rng.random() < 0.2 and turn > 1
        self.world.plain(verb, index, turn, self.of(index))

    def decline(self) -> None:
        self.plain("decline")

    def resend(self) -> None:
        self.plain("resend")

    def status(self) -> None:
        index = self.any()
        self.world.look("status", index, self.of(index))

    def cancel(self) -> None:
        index = self.any()
        self.world.look("cancel", index, self.of(index))

    def let_in(self) -> int:
        done = [i for i in self.recent if self.run(i).verdict in {"verified", "exempt"}]
        return self.rng.choice(done or list(self.recent))

    def transfer(self) -> None:
        index = self.any() if self.rng.random() < 0.5 else self.let_in()
        call = self.of(index) | {"agent": self.rng.choice(AGENTS)}
        self.world.look("transfer", index, call, entries=self.rng.choice(ENTRIES))

    def step_up(self) -> None:
        index = self.let_in()
        action, stake = self.asked_for()
        signal = self.rng.choice(("pass", "pass", "fail", "unavailable"))
        self.world.look("step_up", index, self.of(index), action=action, stake=stake, signal=signal)

    def explain(self) -> None:
        self.world.explain(self.any())

    def redeem(self) -> None:
        world, rng = self.world, self.rng
        if not world.grants:
            return
        at = rng.randrange(max(0, len(world.grants) - 4), len(world.grants))
        home, grant = world.grants[at]
        strange = rng.random() < 0.15
        world.redeem(
            at, a_call(rng, agent=grant.agent, id=grant.run.call),
            subject=rng.choice(SUBJECTS) if strange else grant.run.subject,
            action=rng.choice(list(world.rules.actions)) if strange else grant.action,
            stake=rng.choice((None, 10, 50)) if strange else grant.stake,
            tenant=rng.choice(TENANTS) if strange else home,
            request=rng.choice((None, None, "once")),
        )  # fmt: skip

    def tick(self) -> None:
        self.world.tick(timedelta(seconds=self.rng.choice(JUMPS)))

    def restart(self) -> None:
        self.world.restart()

    def operate(self) -> None:
        verbs = ("lock", "unlock", "unlock", "flag", "flag", "flag", *("clear_runs",) * 8, "erase")
        words = [c.id for c in self.world.rules.checks if c.kind == "word"]
        flags = tuple(self.rng.sample(words, min(len(words), self.rng.randint(0, 1))))
        self.world.operate(self.rng.choice(verbs), self.rng.choice(TENANTS), self.rng.choice(SUBJECTS), flags)

    def enroll(self) -> None:
        some = self.rng.sample(list(WORDS), self.rng.randint(1, len(WORDS)))
        by, call = self.rng.choice(("crm-import", *AGENTS)), self.rng.choice((None, *CALLS))
        self.world.enroll(self.rng.choice(TENANTS), self.rng.choice(SUBJECTS), some, by, call)

    def crm(self) -> None:
        bad = self.rng.choice(({"active": False}, {"number": NUMBERS[1]}, {"shared": True}))
        good = {"active": True, "number": NUMBERS[0], "shared": False}
        self.world.crm_change(self.rng.choice(SUBJECTS[:2]), **(bad if self.rng.random() < 0.4 else good))

    # ── Scenes: what single steps seldom come to ─────────────────────────────────────────────────────────────────────

    def number_changed(self) -> None:
        """The number on record changes while a run is open; its questions go on, or it is stepped up."""
        index = self.any()
        if self.rng.random() < 0.5:
            index = len(self.world.known)
            self.world.open(self.rng.choice(TENANTS), "anna", "peek", None, a_call(self.rng), None, "pass")
        if self.run(index).subject not in SUBJECTS[:2]:
            return
        self.world.crm_change(self.run(index).subject, number=NUMBERS[1])
        if self.run(index).verdict in {"verified", "exempt"}:
            call = self.of(index) | {"number": NUMBERS[1], "attestation": "A"}
            for action in ("read", "move"):
                self.world.look("step_up", index, call, action=action)
        for _ in range(3):
            if self.run(index).question:
                self.answer(index)
        self.world.crm_change(self.run(index).subject, number=NUMBERS[0])

    def dead_process(self) -> None:
        """A process dies between claim and commit; others come after it, the wrong agent first."""
        if not self.pending:
            return
        index = self.any()
        self.world.begun(index)
        self.world.tick(timedelta(seconds=self.rng.choice((10, 11, 60))))
        if self.rng.random() < 0.5:
            self.answer(index, agent="agent-3")
            self.world.tick(timedelta(seconds=10))
        self.answer(index)

    def detour(self) -> None:
        """A code is tried, the call goes to a leg that cannot take it, and comes back: the tries are still spent."""
        index = next((i for i in self.pending if self.run(i).question.check == "one_time_code"), None)
        if index is None:
            return
        self.answer(index, "111111")
        for entries in (("text",), None):
            self.world.look("transfer", index, self.of(index), entries=entries)
        for _ in range(2):
            self.answer(index, self.rng.choice(("222222", "code 1")))

    def too_late(self) -> None:
        """The caller thinks for long, and then says something unclear."""
        if self.pending:
            index = self.any()
            self.world.tick(timedelta(seconds=self.rng.choice((299, 300))))
            self.answer(index, self.rng.choice(("?", "?", "!", None)))


WEIGHTS: dict[Callable[[Callers], None], int] = {
    Callers.open: 22, Callers.answer: 46, Callers.replay: 3, Callers.decline: 4, Callers.resend: 4, Callers.status: 3,
    Callers.transfer: 4, Callers.step_up: 6, Callers.cancel: 1, Callers.explain: 3, Callers.redeem: 7, Callers.tick: 12,
    Callers.restart: 1, Callers.operate: 4, Callers.enroll: 2, Callers.crm: 2, Callers.number_changed: 2,
    Callers.dead_process: 1, Callers.detour: 2, Callers.too_late: 1,
}  # fmt: skip


def random_step(world: World, rng: random.Random) -> None:
    """Take one random step, or play one scene."""
    callers = Callers(world, rng)
    drawn = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    (drawn if callers.recent else Callers.open)(callers)


def random_steps(
    steps: int, *, seed: int, seen: Counter[str] | None = None, folder: Path | None = None, over: str = "sqlite"
) -> int:
    """Drive worlds of 250 steps until so many are taken; returns how many were.

    Raises:
        Difference: the library and the model disagree; the message has the steps that led there.
    """
    taken, at = 0, 0
    while taken < steps:
        where = None if folder is None else folder / str(at)
        if where is not None:
            where.mkdir()
        rng = random.Random(f"{seed}.{at}")
        world = World(rng, folder=where, over=over)
        try:
            while world.steps < 250:
                random_step(world, rng)
        except Difference as difference:
            difference.add_note(f"random_steps seed {seed}, world {at}")
            raise
        finally:
            world.close()
        if seen is not None:
            seen.update(run.verdict for _, run in world.known)
            seen["redeemed"] += sum(grant.used for _, grant in world.grants)
        taken, at = taken + world.steps, at + 1
    return taken
