"""The whole decision once more, naively, from the written rules alone: score, requirement, budgets, runs, session.

Nothing of `kyc_verify` is imported here. Everything is a plain list or dict, nothing is fast, and what is said by a
caller is a word: this file is to be read against the rules.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

LADDER = ("fail", "near", "pass")
LEASE, POLLS, QUESTIONS_BACK = timedelta(seconds=10), 30, 3


class Refusal(Exception):  # noqa: N818 - what a verb refuses, by the name of its error and the reason
    def __init__(self, kind: str, reason: str = "") -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


@dataclass
class CheckRule:
    """One check: `kind` is number, signal, word, pin, code or app; `cells` are by column (fail, near, pass)."""

    id: str
    kind: str
    cells: dict[str, tuple[Fraction, ...]]
    factor: str
    asset: str = ""
    entry: str = ""
    tries: int = 1


@dataclass
class ActionRule:
    """What one action, or one tier of sums, demands; `needed` are centibits."""

    needed: int = 0
    exempt: bool = False
    lossless: bool = False
    checks: tuple[str, ...] | None = None
    factors: int = 0
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    max_age: timedelta | None = None
    tiers: tuple[tuple[int, ActionRule, int | None, int | None], ...] = ()  # (up to, demands, ceiling, count)


@dataclass
class Rules:
    """A policy, written out."""

    checks: list[CheckRule]
    actions: dict[str, ActionRule]
    answers: tuple[int, timedelta]
    codes: tuple[int, timedelta]
    sends: tuple[int, timedelta]
    consecutive: int
    runs: timedelta
    session: timedelta = timedelta(minutes=30)
    question: timedelta = timedelta(minutes=5)
    code: timedelta = timedelta(minutes=5)
    grant: timedelta = timedelta(minutes=5)
    resend: timedelta = timedelta(seconds=30)
    cool_off: timedelta = timedelta(days=30)
    own: timedelta = timedelta(hours=24)


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


def centibits(ratio: Fraction) -> int:
    """Return the largest w with 2^(w/100) <= ratio."""
    w = math.floor(100 * math.log2(ratio)) - 2
    while Fraction(2) ** (w + 1) <= ratio**100:
        w += 1
    return w


def weights(genuine: tuple[Fraction, ...], impostor: tuple[Fraction, ...]) -> list[int]:
    """Weigh a ladder made monotone: of all stretches up to and from an outcome, the max-min of the pooled ratios."""
    n = len(genuine)

    def pooled(s: int, t: int) -> Fraction:
        held = sum(impostor[s : t + 1])
        return sum(genuine[s : t + 1], Fraction(0)) / held if held else Fraction(10**9)

    return [centibits(max(min(pooled(s, t) for t in range(i, n)) for s in range(i + 1))) for i in range(n)]


class Model:
    """One tenant's world."""

    def __init__(self, rules: Rules, crm: dict[str, dict[str, Any]]) -> None:
        self.rules, self.crm = rules, crm
        self.checks = {check.id: check for check in rules.checks}
        self.classes = [name for name in rules.checks[0].cells if name != "genuine"]
        self.weights: dict[str, dict[str, dict[str, int]]] = {}
        for check in rules.checks:
            cells, self.weights[check.id] = check.cells, {}
            for name in self.classes:
                # A check without NEAR has two rungs, and NEAR weighs as FAIL.
                rungs = [at for at in range(3) if cells["genuine"][at]]
                found = weights(tuple(cells["genuine"][at] for at in rungs), tuple(cells[name][at] for at in rungs))
                row = dict(zip([LADDER[at] for at in rungs], found, strict=True))
                row |= {"near": row.get("near", row["fail"]), "declined": row["fail"], "unavailable": 0}
                self.weights[check.id][name] = row
        self.people: dict[str, Person] = {}
        self.sessions: list[Run] = []
        self.spent: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
        self.counted: dict[str, list[tuple[datetime, Run]]] = defaultdict(list)
        self.pins: dict[str, tuple[str, datetime]] = {}
        self.sums: dict[tuple[str, str], list[int]] = {}
        self.failures: dict[str, int] = defaultdict(int)
        self.broken: dict[str, datetime] = {}

    # ── Score and requirement ────────────────────────────────────────────────────────────────────────────────────────

    def demands(self, action: str, stake: int | None) -> tuple[ActionRule, tuple[int | None, int | None] | None]:
        rule = self.rules.actions[action]
        if stake is not None:
            for up_to, demanded, ceiling, count in sorted(rule.tiers, key=lambda tier: tier[0]):
                if stake <= up_to:
                    return demanded, (ceiling, count)
        return rule, None

    def score(
        self, rule: ActionRule, outcomes: dict[str, tuple[str, datetime, Any]], bound: Any, flags: tuple[str, ...],
        now: datetime,
    ) -> dict[str, int]:  # fmt: skip
        per_class = dict.fromkeys(self.classes, 0)
        for name in self.allowed(rule, outcomes):
            outcome, at, for_what = outcomes[name]
            old = self.old(rule, at, for_what, bound, now)
            for attacker in self.classes:
                weight = 0 if name in flags else self.weights[name][attacker][outcome]
                per_class[attacker] += min(weight, 0) if old else weight
        return per_class

    def allowed(self, rule: ActionRule, names: Any) -> list[str]:
        return [
            check.id for check in self.rules.checks if check.id in names and check.id in (rule.checks or [check.id])
        ]

    @staticmethod
    def old(rule: ActionRule, at: datetime, for_what: Any, bound: Any, now: datetime) -> bool:
        return (rule.max_age is not None and now - at > rule.max_age) or for_what not in (None, bound)

    def met(self, rule: ActionRule, outcomes: dict[str, Any], run: Run, now: datetime) -> bool:
        if min(self.score(rule, outcomes, run.bound, run.flags, now).values()) < self.needed(rule, run.k):
            return False
        shown = [
            name
            for name in self.allowed(rule, outcomes)
            if outcomes[name][0] == "pass" and not self.old(rule, outcomes[name][1], outcomes[name][2], run.bound, now)
        ]
        return (
            set(rule.all_of) <= set(shown)
            and (not rule.any_of or bool(set(rule.any_of) & set(shown)))
            and self.factors(shown) >= rule.factors
        )

    @staticmethod
    def needed(rule: ActionRule, k: int) -> int:
        penalty = 0
        while 2**penalty < k**100:
            penalty += 1
        return rule.needed + penalty

    def factors(self, shown: list[str]) -> int:
        """Count distinct factors: context is none, and one asset shows one of its own."""
        assets: dict[str, set[str]] = defaultdict(set)
        for name in shown:
            check = self.checks[name]
            if check.factor != "context":
                assets[check.asset or f"own:{name}"].add(check.factor)
        return max(len(set(choice)) for choice in product(*assets.values()))

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
        if check.kind == "signal" and check.id in self.broken:
            since = self.broken[check.id]
            if since <= now < since + timedelta(seconds=60):
                return False
        if check.kind in ("code", "app") and not self.can_send(run.subject, check.id, now):
            return False
        if not all(self.left(*each, now) for each in self.budget(run.subject, check.id)):
            return False
        if not there:
            return True
        if check.kind in ("number", "code"):
            return self.trusted(run.subject, now)
        if check.kind in ("word", "pin"):
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
            run.sends += 1
            allowed = self.can_send(run.subject, name, now)
            if allowed:
                self.spent["sends", run.subject, name].append(now)
            reached = self.checks[name].kind == "app" or self.trusted(run.subject, now)
            run.code = (run.sends, now, run.bound, allowed and run.real and reached)

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

    # ── Verbs on a run ───────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, run: Run, call: dict[str, Any], now: datetime, *, same_agent: bool = True) -> datetime:
        if run not in self.sessions or run.call != call["id"]:
            raise Refusal("UnknownSession")
        if same_agent and run.agent != call["agent"]:
            raise Refusal("NotAllowed")
        return max(now, run.latest)

    def too_late(self, run: Run, now: datetime) -> bool:
        """End a run that is over by itself; True if it did."""
        if run.verdict not in ("pending", "step_up") or not self.is_over(run, now):
            return False
        asked = run.question.check if run.question else ""
        run.verdict, run.question, run.code, run.ending = "denied", None, None, "over"
        self.note(run, asked, "over", now)
        return True

    def is_over(self, run: Run, now: datetime) -> bool:
        return now - run.opened >= self.rules.session or run.flags != self.people.get(run.subject, Person()).flags

    def answer(self, run: Run, turn: int, said: str, call: Any, app: str | None, now: datetime) -> tuple[str, str]:
        """Answer a turn; returns the verdict and the check asked next."""
        if run not in self.sessions:
            raise Refusal("UnknownSession")
        current = turn == len(run.turns) + 1
        spent = current and run.claimed is not None
        if spent:
            run.claimed = now
        at = self.find(run, call, now)
        if not current:
            asked, before, verdict, following = run.turns[turn - 1]
            if before not in ("spent", "over") and not self.same(asked, before, said):
                raise Refusal("UsageError")
            return verdict, following
        if run.verdict != "pending" or run.question is None:
            raise Refusal("InvalidTransition")
        if not self.too_late(run, at):
            self.judge(run, run.question, said, app, now, at, spent=spent)
        return run.turns[-1][2:]

    def same(self, asked: str, before: Any, said: str) -> bool:
        if asked == "" or before in ("declined", "resent", "transferred", "cancelled", "over", "stepped_up"):
            return False
        if before == "asked back":
            return said == "?"
        return bool(before == self.read(asked, said))

    def read(self, asked: str, said: str) -> str:
        """Return what was said as far as it can be read."""
        kind = self.checks[asked].kind
        if kind == "app":
            return said if said in ("yes", "no") else "unclear"
        readable = said not in ("?", "!", "") if kind == "word" else said[-1:].isdigit()
        return said if readable else "unreadable"

    def judge(
        self, run: Run, question: Question, said: str, app: str | None, raw: datetime, now: datetime, *, spent: bool
    ) -> None:
        name, person = question.check, self.people.get(run.subject, Person())
        kind = self.checks[name].kind
        budget = [] if spent else self.budget(run.subject, name)
        late = now - question.asked >= self.rules.question
        granted = all(self.left(*each, raw) for each in budget)
        compared = granted and not late and run.real and not person.locked
        mark: Any = self.read(name, said)
        outcome: str | None = "fail"
        if spent:
            mark = "spent"
        elif kind in ("word", "pin"):
            if kind == "word" and said == "?" and question.back < QUESTIONS_BACK and not late:
                outcome, mark = None, "asked back"
            elif compared and name in person.enrolled and not self.own(run, name, now) and mark != "unreadable":
                truth = person.enrolled[name][0]
                near = kind == "word" and said[:4] == truth[:4]
                outcome = "pass" if said == truth else ("near" if near else "fail")
        elif kind == "code" and compared and run.code:
            send, sent, bound, arrived = run.code
            right = arrived and said == f"code {send}" and bound == run.bound and now - sent < self.rules.code
            outcome = "pass" if right else "fail"
        elif kind == "app":
            if compared:
                outcome = app if run.code and run.code[3] else None
            elif not run.real and not late:
                outcome = None
            if outcome is None and question.back >= POLLS:
                outcome = "fail"
        if granted and outcome not in (None, "pass"):
            for key, _, _ in budget:
                self.spent[key].append(raw)
        if outcome == "pass":
            self.spent.pop(("consecutive", run.subject, name), None)
        if outcome is None:
            question.back += 1
            question.asked = question.asked if kind == "app" else now
        elif outcome != "pass" and granted and question.tries + 1 < self.checks[name].tries:
            question.tries, question.asked = question.tries + 1, now
        else:
            self.end_question(run, outcome, now)
        self.note(run, name, mark, now)

    def begun(self, run: Run, now: datetime) -> None:
        """Claim the present turn and never finish: a spent try."""
        if run.question and run.claimed is None:
            budget = self.budget(run.subject, run.question.check)
            if all(self.left(*each, now) for each in budget):
                for key, _, _ in budget:
                    self.spent[key].append(now)
        run.claimed = now

    def open_question(self, run: Run, turn: int, said: str, call: Any, now: datetime) -> tuple[datetime, Any]:
        now = self.find(run, call, now)
        if turn <= len(run.turns) and run.turns[turn - 1][1] in (said, "over"):
            return now, run.turns[turn - 1][2:]
        if turn != len(run.turns) + 1 or run.verdict != "pending":
            raise Refusal("InvalidTransition")
        return now, run.turns[-1][2:] if self.too_late(run, now) else None

    def decline(self, run: Run, turn: int, call: Any, now: datetime) -> tuple[str, str]:
        now, done = self.open_question(run, turn, "declined", call, now)
        if not done and run.question:
            name = run.question.check
            self.end_question(run, "declined", now)
            self.note(run, name, "declined", now)
        return done or run.turns[-1][2:]

    def resend(self, run: Run, turn: int, call: Any, now: datetime) -> tuple[str, str]:
        now, done = self.open_question(run, turn, "resent", call, now)
        if not done and run.question:
            name = run.question.check
            if run.code is None:
                raise Refusal("InvalidTransition")
            if now - run.code[1] < self.rules.resend or not self.can_send(run.subject, name, now):
                return run.verdict, name
            run.question.asked = now
            self.send(run, now)
            self.note(run, name, "resent", now)
        return done or run.turns[-1][2:]

    def status(self, run: Run, call: Any, now: datetime) -> tuple[str, str, bool]:
        now = self.find(run, call, now)
        self.too_late(run, now)
        return run.verdict, run.question.check if run.question else "", self.holds(run, now)

    def holds(self, run: Run, now: datetime) -> bool:
        grant = run.grant
        return grant is not None and not grant.void and not grant.used and now < grant.until

    def step_up(self, run: Run, action: str, stake: int | None, call: Any, says: Any, now: datetime) -> None:
        now = self.find(run, call, now)
        if run.verdict not in ("verified", "exempt") or self.is_over(run, now):
            raise Refusal("InvalidTransition")
        rule, _ = self.demands(action, stake)
        run.action, run.stake = action, stake
        self.count(run, now)
        self.begin(run, rule, call, says, now, first=None)
        if run.verdict == "verified":
            self.verified(run)
        if run.verdict not in ("exempt", "review"):
            self.see(run.subject, now)
        self.note(run, "", "stepped_up", now)

    def transfer(self, run: Run, call: Any, entries: Any, now: datetime) -> None:
        now = self.find(run, call, now, same_agent=False)
        if self.too_late(run, now):
            return
        if run.verdict in ("denied", "review") or self.is_over(run, now):
            raise Refusal("InvalidTransition")
        asked = run.question.check if run.question else ""
        run.agent, run.entries = call["agent"], entries
        if run.verdict in ("pending", "step_up"):
            self.advance(run, now, deciding=False)
        elif self.holds(run, now) and run.grant:
            until = run.grant.until
            self.give(run, now)
            run.grant.until = until  # it changes hands and lasts no longer
        else:
            run.grant = None
        self.note(run, asked, "transferred", now)

    def cancel(self, run: Run, call: Any, now: datetime) -> None:
        now = self.find(run, call, now)
        if run.ending == "cancelled":
            return
        if run.verdict in ("denied", "review"):
            raise Refusal("InvalidTransition")
        asked = run.question.check if run.question else ""
        run.verdict, run.question, run.code, run.ending = "denied", None, None, "cancelled"
        self.note(run, asked, "cancelled", now)

    def redeem(
        self, grant: Grant, subject: str, action: str, stake: int | None, call: Any, request: str | None, now: datetime
    ) -> str:
        rule, limits = self.demands(action, stake)
        run, person = grant.run, self.people.get(grant.run.subject, Person())
        if run not in self.sessions:
            raise Refusal("NotVerified", "unknown")
        fits = (
            ("subject", run.subject == subject),
            ("action", grant.action == action),
            ("agent", grant.agent == call["agent"]),
            ("call", run.call == call["id"]),
            ("stake", grant.stake == stake),
            ("contact", run.number == self.number(subject)),
        )
        reason = next((name for name, right in fits if not right), None)
        if grant.used:
            if request is not None and grant.request == request and reason is None:
                return "exempt" if rule.exempt else "verified"
            raise Refusal("NotVerified", "used")
        if grant.void or now >= grant.until or (person.locked and not rule.exempt):
            raise Refusal("NotVerified", "void" if grant.void else ("expired" if now >= grant.until else "locked"))
        if reason is None and not rule.exempt and not self.crm.get(subject, {"active": False})["active"]:
            reason = "inactive"
        if reason is None and limits and limits != (None, None) and stake is not None:
            total, count = self.sums.get((subject, action), [0, 0])
            if (limits[0] is not None and total + stake > limits[0]) or (limits[1] is not None and count >= limits[1]):
                reason = "ceiling"
            else:
                self.sums[subject, action] = [total + stake, count + 1]
        if reason:
            raise Refusal("NotVerified", reason)
        grant.used, grant.request = True, request
        return "exempt" if rule.exempt else "verified"

    # ── The operator ─────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def void(run: Run) -> None:
        for grant in run.grants:
            grant.void = True

    def void_all(self, subject: str) -> None:
        for run in self.sessions:
            if run.subject == subject:
                self.void(run)

    def enroll(self, subject: str, words: dict[str, str], by: str, call: str | None, now: datetime) -> None:
        for name, word in words.items():
            self.people.setdefault(subject, Person()).enrolled[name] = (word, by, call, now)
            self.spent.pop(("consecutive", subject, name), None)
        self.void_all(subject)

    def hold(self, subject: str, *, locked: bool) -> None:
        self.people.setdefault(subject, Person()).locked = locked
        if locked:
            self.void_all(subject)

    def flag(self, subject: str, checks: tuple[str, ...]) -> None:
        self.people.setdefault(subject, Person()).flags = checks
        self.void_all(subject)

    def clear_runs(self, subject: str) -> None:
        self.people.setdefault(subject, Person())
        self.counted.pop(subject, None)
        self.pins.pop(subject, None)
        for name in self.checks:
            self.spent.pop(("tries", subject, name), None)
            self.spent.pop(("consecutive", subject, name), None)

    def erase(self, subject: str) -> bool:
        self.sessions = [run for run in self.sessions if run.subject != subject]
        return self.people.pop(subject, None) is not None
