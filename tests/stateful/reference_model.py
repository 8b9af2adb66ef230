"""The whole decision once more. Third part: the verbs, as one tenant's agents and operators call them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reference_run import Grant, Person, Question, Run, Runs
from reference_score import Refusal

__all__ = ["LEASE", "Model"]

LEASE, POLLS, QUESTIONS_BACK = timedelta(seconds=10), 30, 3


class Model(Runs):
    """One tenant's world."""

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
        """Charge, compare, and write what came of it; a spent try is charged already."""
        name, kind = question.check, self.checks[question.check].kind
        budget = [] if spent else self.budget(run.subject, name)
        granted = all(self.left(*each, raw) for each in budget)
        late = now - question.asked >= self.rules.question
        free = granted and not late and run.real and not self.people.get(run.subject, Person()).locked
        mark: str = "spent" if spent else self.read(name, said)
        outcome: str | None = "fail"
        if not spent and kind == "word" and said == "?" and question.back < QUESTIONS_BACK and not late:
            outcome, mark = None, "asked back"
        elif not spent and kind == "app":
            outcome = self.tapped(run, question, app, compared=free, late=late)
        elif not spent and free:
            outcome = self.compare(run, name, said, now)
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

    def compare(self, run: Run, name: str, said: str, now: datetime) -> str:
        if self.checks[name].kind == "code":
            send, sent, bound, arrived = run.code or (0, now, None, False)
            right = arrived and said == f"code {send}" and bound == run.bound and now - sent < self.rules.code
            return "pass" if right else "fail"
        enrolled = self.people[run.subject].enrolled
        if name not in enrolled or self.own(run, name, now) or self.read(name, said) == "unreadable":
            return "fail"
        truth = enrolled[name][0]
        near = self.checks[name].kind == "word" and said[:4] == truth[:4]
        return "pass" if said == truth else ("near" if near else "fail")

    @staticmethod
    def tapped(run: Run, question: Question, app: str | None, *, compared: bool, late: bool) -> str | None:
        """Say what the app says; None: not yet, the same question stays."""
        if not compared:
            outcome = None if not run.real and not late else "fail"
        else:
            outcome = app if run.code and run.code[3] else None
        return "fail" if outcome is None and question.back >= POLLS else outcome

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
            if now - (run.again or run.code[1]) < self.rules.resend or not self.can_send(run.subject, name, now):
                return run.verdict, name
            run.question.asked = run.again = now
            self.spent["sends", run.subject, name].append(now)
            budgets = self.further(run, name, now)
            if all(self.left(*each, now) for each in budgets):
                for key, _, _ in budgets:
                    self.spent[key].append(now)
                self.sent(run, now, arrived=self.reaches(run, name, now))
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
            reason = "void" if grant.void else ("expired" if now >= grant.until else "locked")
            # Nothing expired revives, so what was refused as too old is void, whatever the clock does then.
            grant.void = grant.void or reason == "expired"
            raise Refusal("NotVerified", reason)
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
