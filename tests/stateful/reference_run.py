"""The whole decision once more. Second part: a run, and the facts that its caller cannot choose."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reference_score import ActionRule, CheckRule, Rules, Scorer

__all__ = ["Grant", "Person", "Question", "Run", "Runs"]


@dataclass
class Question:
    check: str
    asked: datetime
    tries: int = 0
    back: int = 0


@dataclass(eq=False)
class Run:
    """One session; `turns` are (check asked, what was said, verdict, check asked next)."""

    subject: str
    action: str
    stake: int | None
    call: str
    agent: str
    entries: tuple[str, ...] | None
    number: str
    opened: datetime
    latest: datetime
    k: int
    flags: tuple[str, ...]
    real: bool = False
    available: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    outcomes: dict[str, tuple[str, datetime, Any]] = field(default_factory=dict)
    question: Question | None = None
    aside: dict[str, Question] = field(default_factory=dict)  # put aside by a transfer, with the tries they had
    code: tuple[int, datetime, Any, bool] | None = None  # (which send, when, bound to, whether it arrived)
    again: datetime | None = None  # when another code was asked for in vain
    sends: int = 0
    turns: list[tuple[str, Any, str, str]] = field(default_factory=list)
    verdict: str = "pending"
    grant: Grant | None = None
    grants: list[Grant] = field(default_factory=list)
    claimed: datetime | None = None
    ending: str = ""

    @property
    def bound(self) -> tuple[str, int | None]:
        return self.action, self.stake


@dataclass(eq=False)
class Grant:
    run: Run
    action: str
    stake: int | None
    agent: str
    until: datetime
    void: bool = False
    used: bool = False
    request: str | None = None


@dataclass
class Person:
    """What is kept of a subject: `enrolled` by check is (word, by whom, in which call, when)."""

    enrolled: dict[str, tuple[str, str, str | None, datetime]] = field(default_factory=dict)
    numbers: dict[str, datetime] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    locked: bool = False


class Runs(Scorer):
    """One tenant's runs: how they begin, go on and count."""

    def __init__(self, rules: Rules, crm: dict[str, dict[str, Any]]) -> None:
        super().__init__(rules)
        self.crm = crm
        self.people: dict[str, Person] = {}
        self.sessions: list[Run] = []
        self.spent: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
        self.counted: dict[str, list[tuple[datetime, Run]]] = defaultdict(list)
        self.pins: dict[str, tuple[str, datetime]] = {}
        self.sums: dict[tuple[str, str], list[int]] = {}
        self.failures: dict[str, int] = defaultdict(int)
        self.broken: dict[str, datetime] = {}

    # ── Facts the caller cannot choose ───────────────────────────────────────────────────────────────────────────────

    def budget(self, subject: str, name: str) -> list[tuple[tuple[str, ...], int, timedelta | None]]:
        kind = self.checks[name].kind
        if kind not in ("word", "pin", "code"):
            return []
        limit, window = self.rules.codes if kind == "code" else self.rules.answers
        return [
            (("tries", subject, name), limit, window),
            (("consecutive", subject, name), self.rules.consecutive, None),
        ]

    def left(self, key: tuple[str, ...], limit: int, window: timedelta | None, now: datetime) -> bool:
        return len([at for at in self.spent[key] if window is None or at > now - window]) < limit

    def can_send(self, subject: str, name: str, now: datetime) -> bool:
        return self.left(("sends", subject, name), *self.rules.sends, now)

    def reaches(self, run: Run, name: str, now: datetime) -> bool:
        """Whether a message of this run goes out at all: known, old enough, and no signal against the number."""
        if self.checks[name].kind == "app":
            return run.real
        suspect = run.outcomes.get("carrier", ("",))[0] == "fail"
        return run.real and self.trusted(run.subject, now) and not suspect

    def further(self, run: Run, name: str, now: datetime) -> list[tuple[tuple[str, ...], int, timedelta]]:
        """Return the budgets of the destination and of its country; who is sent nothing has their own."""
        if self.checks[name].kind == "app":
            return []
        told = self.reaches(run, name, now)
        to, country = (self.number(run.subject), "FR") if told else ("nowhere", "nowhere")
        whose = "" if told else run.subject
        return [
            (("destination", to, whose), *self.rules.destination),
            (("country", country, whose), *self.rules.country),
        ]

    def trusted(self, subject: str, now: datetime) -> bool:
        """Whether the number on record is old enough: as we saw it; as the CRM says only while we know none."""
        person, record = self.people.get(subject, Person()), self.crm.get(subject)
        if record is None:
            return False
        believed = record["since"] if not person.numbers else now
        seen = person.numbers.get(record["number"], min(believed, now))
        return not record["shared"] and now - seen >= self.rules.cool_off

    def see(self, subject: str, now: datetime) -> None:
        if subject in self.crm and subject in self.people:
            record, kept = self.crm[subject], self.people[subject].numbers
            kept.setdefault(record["number"], now if kept else min(record["since"], now))

    def own(self, run: Run, name: str, now: datetime) -> bool:
        _, by, call, at = self.people[run.subject].enrolled[name]
        return call == run.call or (by == run.agent and now - at < self.rules.own)

    def is_available(self, run: Run, check: CheckRule, now: datetime, *, there: bool) -> bool:
        since = self.broken.get(check.id)
        if since is not None and since <= now < since + timedelta(seconds=60):
            return False
        left = all(self.left(*each, now) for each in self.budget(run.subject, check.id))
        if not left or (check.kind in ("code", "app") and not self.can_send(run.subject, check.id, now)):
            return False
        if there and check.kind in ("number", "code"):
            return self.trusted(run.subject, now)
        if there and check.kind in ("word", "pin"):
            return check.id in self.people[run.subject].enrolled and not self.own(run, check.id, now)
        return True

    # ── A run ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(
        self, subject: str, action: str, stake: int | None, call: dict[str, Any], entries: Any, says: Any, now: datetime
    ) -> Run:
        if subject in self.crm:
            self.people.setdefault(subject, Person())
        person = self.people.get(subject, Person())
        run = Run(
            subject, action, stake, call["id"], call["agent"], entries, self.number(subject), now, now, 0, person.flags
        )
        self.count(run, now)
        self.sessions.append(run)
        rule, _ = self.demands(action, stake)
        asked_facts = [n for n in self.allowed(rule, self.checks) if self.checks[n].kind in ("word", "pin")]
        there = subject in self.crm and (bool(person.enrolled) or not asked_facts)
        run.real = there and self.crm[subject]["active"] and not person.locked
        run.available = [c.id for c in self.rules.checks if self.is_available(run, c, now, there=there)]
        pin = self.pins.get(subject)
        first = pin[0] if pin and pin[1] > now else None
        self.begin(run, rule, call, says, now, first=first)
        if first is None and run.order:
            self.pins[subject] = (run.order[0], now + self.rules.runs)
        if run.verdict == "verified":
            self.verified(run)
        self.see(subject, now)
        return run

    def begin(self, run: Run, rule: ActionRule, call: Any, says: Any, now: datetime, *, first: str | None) -> None:
        """Look at what is known, ask the signals, put the first question: for `open` and for `step_up`."""
        everything = dict.fromkeys(run.available, ("pass", now, run.bound))
        if rule.exempt or not self.met(rule, everything, run, now):
            run.verdict = "exempt" if rule.exempt else "review"
            self.give_back(run)
            if rule.exempt:
                self.give(run, now)
            return
        for name in self.allowed(rule, self.checks):
            if self.checks[name].kind in ("number", "signal") and name not in run.outcomes:
                run.outcomes[name] = (self.signal(run, name, call, says, now), now, None)
        asked = [n for n in self.allowed(rule, run.available) if self.checks[n].entry]
        run.order = [n for n in asked if n == first] + [n for n in asked if n != first]
        active = run.subject in self.crm and self.crm[run.subject]["active"]
        self.advance(run, now, deciding=active)
        if run.verdict == "verified":
            self.give(run, now)

    def signal(self, run: Run, name: str, call: dict[str, Any], says: dict[str, str], now: datetime) -> str:
        if name not in run.available:
            return "unavailable"
        if self.checks[name].kind == "number":
            if not run.real or not self.trusted(run.subject, now) or call["number"] != self.number(run.subject):
                return "fail"
            return {"A": "pass", "failed": "fail"}.get(call["attestation"], "near")
        if says[name] == "error":
            self.failures[name] += 1
            if self.failures[name] >= 5:
                self.broken[name] = now
            return "fail"
        self.failures.pop(name, None)
        self.broken.pop(name, None)
        return says[name] if run.real else "fail"

    def number(self, subject: str) -> str:
        return self.crm[subject]["number"] if subject in self.crm else ""

    def remaining(self, run: Run) -> list[str]:
        return [n for n in run.order if n not in run.outcomes or run.outcomes[n][2] not in (None, run.bound)]

    def advance(self, run: Run, now: datetime, *, deciding: bool = True) -> None:
        rule, _ = self.demands(run.action, run.stake)
        left, person = self.remaining(run), self.people.get(run.subject, Person())
        met = deciding and run.real and not person.locked and self.met(rule, run.outcomes, run, now)
        if met and rule.lossless:
            met = self.met(rule, run.outcomes | dict.fromkeys(left, ("fail", now, run.bound)), run, now)
        here = [n for n in left if run.entries is None or self.checks[n].entry in run.entries]
        if run.question and run.question.check not in here:
            run.aside[run.question.check] = run.question
        if met or not here:
            run.verdict = "verified" if met else ("step_up" if left else "denied")
            run.question = run.code = None
        elif run.question and run.question.check in here:
            run.verdict, run.question.asked = "pending", now
        else:
            run.verdict, run.question, run.code = "pending", run.aside.pop(here[0], Question(here[0], now)), None
            run.question.asked = now
            self.send(run, now)

    def send(self, run: Run, now: datetime) -> None:
        name = run.question.check if run.question else ""
        if self.checks[name].kind in ("code", "app"):
            budgets = [(("sends", run.subject, name), *self.rules.sends), *self.further(run, name, now)]
            left = [self.left(*each, now) for each in budgets]
            for (key, _, _), granted in zip(budgets, left, strict=True):
                if granted:
                    self.spent[key].append(now)
            self.sent(run, now, arrived=all(left) and self.reaches(run, name, now))

    @staticmethod
    def sent(run: Run, now: datetime, *, arrived: bool) -> None:
        run.sends += 1
        run.code, run.again = (run.sends, now, run.bound, arrived), None

    def end_question(self, run: Run, outcome: str, now: datetime) -> None:
        """Write how the open question ended, and go on; of two outcomes of a code the lower counts."""
        name = run.question.check if run.question else ""
        before = run.outcomes.get(name)
        rank = {"fail": 0, "declined": 0, "near": 1, "pass": 2}
        if before and rank[before[0]] < rank[outcome]:
            outcome = before[0]
        run.outcomes[name] = (outcome, now, run.code[2] if run.code else None)
        run.question = run.code = None
        self.advance(run, now)

    def note(self, run: Run, asked: str, said: Any, now: datetime) -> Run:
        if run.verdict == "verified" and said not in ("stepped_up", "transferred", "cancelled"):
            self.give(run, now)
            self.verified(run)
        if run.verdict not in ("verified", "exempt"):
            self.void(run)
            run.grant = None
        run.turns.append((asked, said, run.verdict, run.question.check if run.question else ""))
        run.latest, run.claimed = now, None
        return run

    def count(self, run: Run, now: datetime) -> None:
        counted = self.counted[run.subject]
        run.k = len([at for at, _ in counted if at > now - self.rules.runs]) + 1
        counted.append((now, run))

    def give_back(self, run: Run) -> None:
        self.counted[run.subject] = [each for each in self.counted[run.subject] if each[1] is not run]

    def give(self, run: Run, now: datetime) -> None:
        self.void(run)
        run.grant = Grant(run, run.action, run.stake, run.agent, now + self.rules.grant)
        run.grants.append(run.grant)

    def verified(self, run: Run) -> None:
        self.give_back(run)
        self.pins.pop(run.subject, None)
        for action in self.rules.actions:
            self.sums.pop((run.subject, action), None)

    @staticmethod
    def void(run: Run) -> None:
        for grant in run.grants:
            grant.void = True
