"""Drives the library's two fronts and the reference model in lock step, and compares them after every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lockstep_fronts import TENANTS, Crm, Front
from lockstep_policies import policy_of, random_rules
from reference_model import LEASE, Model
from reference_run import Run
from reference_score import Refusal

from kyc_verify.call import Call, Stake
from kyc_verify.errors import InvalidPolicy
from kyc_verify.terms import Entry
from kyc_verify.testing import FakeClock

__all__ = ["NUMBERS", "SUBJECTS", "WORDS", "Difference", "World"]

SUBJECTS = ("anna", "bela", "ghost")  # the last is nobody's
WORDS = {"word_a": "kastanienallee", "word_b": "lindenhof", "pin": "493702"}
NUMBERS = ("+33612345678", "+33612345679")


class Difference(AssertionError):  # noqa: N818 - what a test reports
    """The library and the model disagree."""


class World:
    """A policy, two fronts, a model for each tenant, and a clock; every public method is one step."""

    def __init__(self, rng: random.Random, *, folder: Path | None = None, over: str = "sqlite") -> None:
        while True:
            rules = random_rules(rng)
            try:
                policy = policy_of(rules)
            except InvalidPolicy:
                continue
            break
        self.rules, self.policy = rules, policy
        self.clock, self.crm = FakeClock(), Crm()
        for name in SUBJECTS[:2]:
            self.crm.records[name] = {
                "active": True, "number": NUMBERS[0], "since": self.clock.now - timedelta(days=900), "shared": False,
            }  # fmt: skip
        self.models = {t: Model(rules, self.crm.records) for t in TENANTS}
        self.fronts = [
            Front(
                policy,
                self.crm,
                self.clock,
                kind=kind,
                path=None if folder is None else folder / f"{kind}.db",
                over=over,
            )
            for kind in ("sync", "async")
        ]
        self.known: list[tuple[str, Run]] = []
        self.grants: list[tuple[str, Any]] = []
        self.said: list[tuple[int, int, str, str | None]] = []
        self.honest = rng.choice((0.4, 0.8, 0.95))
        self.steps = 0
        self.log: list[str] = []
        for tenant in TENANTS:
            for name in SUBJECTS[:2]:
                self.enroll(tenant, name, list(WORDS), "crm-import", None)

    def close(self) -> None:
        for front in self.fronts:
            front.close()

    # ── Comparing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def expect(self, what: str, expected: Any, found: list[Any]) -> None:
        for front, each in zip(self.fronts, found, strict=True):
            if each != expected:
                tail = "\n".join(self.log[-40:])
                msg = f"{what}\n model: {expected}\n {front.kind}: {each}\n{tail}"
                raise Difference(msg)

    @contextmanager
    def step(self, *words: Any) -> Iterator[None]:
        self.steps += 1
        self.log.append(f"{self.clock.now:%d %H:%M:%S} {words}")
        yield

    @staticmethod
    def refusal(work: Callable[[], Any]) -> tuple[Any, tuple[str, str] | None]:
        try:
            return work(), None
        except Refusal as refused:
            return None, (refused.kind, refused.reason)

    def both(self, what: str, expected: tuple[str, str] | None, calls: list[tuple[Any, Any]]) -> bool:
        """Compare refusals; returns whether nothing was refused."""
        told = [None if error is None else (type(error).__name__, getattr(error, "reason", "")) for _, error in calls]
        self.expect(what, expected, told)
        return expected is None

    def compare(self, tenant: str, index: int, reply: tuple[str, str], steps: list[Any], *, grant: bool | None) -> None:
        run = self.known[index][1]
        shown = [(s.verdict.value, s.challenge.check if s.challenge else "") for s in steps]
        self.expect("verdict and question", reply, shown)
        plain = [{**s.as_dict(), "session_id": "", "challenge": s.challenge and s.challenge.text} for s in steps]
        self.expect("the two steps", plain[0], plain)
        if grant is not None:
            self.expect("grant", grant, [s._grant is not None for s in steps])
            if grant and run.grant:
                at = next((i for i, (_, g) in enumerate(self.grants) if g is run.grant), len(self.grants))
                if at == len(self.grants):
                    self.grants.append((tenant, run.grant))
                for front, s in zip(self.fronts, steps, strict=True):
                    front.tokens[at] = s.require().token
        self.deep(tenant, index)

    def deep(self, tenant: str, index: int) -> None:
        """Compare what is kept of a run: its number, what could be asked, the order, how checks ended."""
        run = self.known[index][1]
        if run not in self.models[tenant].sessions:
            return
        expected = (
            run.k, sorted(run.available), run.order, {n: o[0] for n, o in run.outcomes.items()}, len(run.turns),
            run.verdict,
        )  # fmt: skip
        found = []
        for front in self.fronts:
            s = front.state(tenant, front.ids[index])
            outcomes = {check: outcome for check, outcome, *_ in s["evidence"]}
            found.append((s["run"], sorted(s["available"]), s["order"], outcomes, len(s["turns"]), s["verdict"]))
        self.expect("what is kept", expected, found)

    # ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, call: dict[str, Any]) -> Call:
        return Call(id=call["id"], agent=call["agent"], number=call["number"], attestation=call["attestation"])

    def stake(self, amount: int | None) -> Stake | None:
        return None if amount is None else Stake(amount=Decimal(amount), currency="EUR", payee="shop")

    def says(self, signal: str) -> dict[str, str]:
        for front in self.fronts:
            front.source.value = signal
        return {"carrier": signal}

    def open(
        self, tenant: str, subject: str, action: str, stake: int | None, call: dict[str, Any], entries: Any, signal: str
    ) -> None:  # fmt: skip
        with self.step("open", tenant, subject, action, stake, call, entries, signal):
            model, says, now = self.models[tenant], self.says(signal), self.clock.now
            run = model.open(subject, action, stake, call, entries, says, now)
            index = len(self.known)
            self.known.append((tenant, run))
            request = f"open-{index}"
            steps = []
            for front in self.fronts:
                for _ in range(1 + (index % 4 == 0)):  # the same request again opens nothing more
                    step, error = front.run(
                        front.verifiers[tenant].open, subject, action=action, stake=self.stake(stake),
                        call=self.call(call), entries=entries and [Entry(e) for e in entries], request_id=request,
                    )  # fmt: skip
                    if error is not None:
                        raise error
                    front.ids[index] = step.session_id
                steps.append(step)
            reply = (run.verdict, run.question.check if run.question else "")
            self.compare(tenant, index, reply, steps, grant=model.holds(run, now))

    def _challenge(self, front: Front, index: int, turn: int) -> str:
        return f"{front.ids[index]}.{turn}"

    def _digits(self, front: Front, index: int, said: str) -> str:
        """Turn `code 2` into the digits of this front's own second code."""
        if not said.startswith("code "):
            return said
        return front.gateway.codes.get(f"{front.ids[index]}.{said[5:]}", "")

    def answer(self, index: int, turn: int, said: str, call: dict[str, Any], app: str | None) -> None:
        tenant, run = self.known[index]
        now, model = self.clock.now, self.models[tenant]
        alive = run in model.sessions
        if alive and run.claimed is not None and turn == len(run.turns) + 1 and now - run.claimed < LEASE:
            return  # somebody is at it: it would wait
        asked = run.question.check if run.question else ""
        if turn <= len(run.turns):
            asked = run.turns[turn - 1][0]
        if said.startswith("code ") and any(not self._digits(f, index, said) for f in self.fronts):
            said = ""
        with self.step("answer", index, turn, asked, said, call["agent"], call["id"], app):
            for front in self.fronts:
                front.gateway.app = app
            current = turn == len(run.turns) + 1
            found, refused = self.refusal(lambda: model.answer(run, turn, said, call, app, now))
            calls = [
                f.run(f.verifiers[tenant].respond, self._challenge(f, index, turn), self._digits(f, index, said),
                      call=self.call(call))
                for f in self.fronts
            ]  # fmt: skip
            if self.both("answer", refused, calls):
                at = max(now, run.latest)
                self.compare(
                    tenant, index, found, [s for s, _ in calls], grant=model.holds(run, at) if current else None
                )
                if current:
                    self.said.append((index, turn, said, app))

    def begun(self, index: int) -> None:
        """A process dies between the claim and the commit."""
        tenant, run = self.known[index]
        now, model = self.clock.now, self.models[tenant]
        lives = run in model.sessions and run.verdict == "pending"
        if not lives or (run.claimed is not None and now - run.claimed < LEASE):
            return
        with self.step("begun", index):
            model.begun(run, now)
            for front in self.fronts:
                front.store.begin(tenant, front.ids[index], len(run.turns) + 1, now)

    def plain(self, verb: str, index: int, turn: int, call: dict[str, Any]) -> None:
        """Decline, or send again."""
        tenant, run = self.known[index]
        with self.step(verb, index, turn, call["agent"], call["id"]):
            now, model = self.clock.now, self.models[tenant]
            current = turn == len(run.turns) + 1
            found, refused = self.refusal(lambda: getattr(model, verb)(run, turn, call, now))
            calls = [
                f.run(getattr(f.verifiers[tenant], verb), self._challenge(f, index, turn), call=self.call(call))
                for f in self.fronts
            ]
            if self.both(verb, refused, calls):
                at = max(now, run.latest)
                grant = model.holds(run, at) if current else None
                self.compare(tenant, index, found, [s for s, _ in calls], grant=grant)

    def look(
        self, verb: str, index: int, call: dict[str, Any], *, entries: Any = None, action: str = "",
        stake: int | None = None, signal: str = "pass",
    ) -> None:  # fmt: skip
        """Status, transfer, cancel and step_up."""
        tenant, run = self.known[index]
        with self.step(verb, index, call, entries, action, stake, signal):
            now, model = self.clock.now, self.models[tenant]
            given: dict[str, Any] = {"call": self.call(call)}
            if verb == "transfer":
                given["entries"] = entries and [Entry(e) for e in entries]
                _, refused = self.refusal(lambda: model.transfer(run, call, entries, now))
            elif verb == "step_up":
                says = self.says(signal)
                given |= {"action": action, "stake": self.stake(stake)}
                _, refused = self.refusal(lambda: model.step_up(run, action, stake, call, says, now))
            else:
                _, refused = self.refusal(lambda: getattr(model, verb)(run, call, now))
            calls = [f.run(getattr(f.verifiers[tenant], verb), f.ids[index], **given) for f in self.fronts]
            if self.both(verb, refused, calls):
                reply = (run.verdict, run.question.check if run.question else "")
                holds = model.holds(run, max(now, run.latest))
                self.compare(tenant, index, reply, [s for s, _ in calls], grant=holds)

    def explain(self, index: int) -> None:
        tenant, run = self.known[index]
        model = self.models[tenant]
        over = run.verdict not in ("pending", "step_up")
        person = model.people.get(run.subject)
        if run not in model.sessions or not over or run.flags != (person.flags if person else ()):
            return
        with self.step("explain", index):
            rule, _ = model.demands(run.action, run.stake)
            per_class = model.score(rule, run.outcomes, run.bound, run.flags, run.latest)
            needed = 0 if rule.exempt else model.needed(rule, run.k)
            auditor = Call(id="audit", agent="auditor-1", roles=frozenset({"auditor"}))
            calls = [f.run(f.verifiers[tenant].explain, f.ids[index], call=auditor) for f in self.fronts]
            self.both("explain", None, calls)
            shown = [(dict(d.score.per_class), d.score.centibits, d.required, d.verdict.value, d.run) for d, _ in calls]
            self.expect("decision", (per_class, min(per_class.values()), needed, run.verdict, run.k), shown)

    def redeem(
        self, index: int, call: dict[str, Any], *, subject: str, action: str, stake: int | None, tenant: str,
        request: str | None,
    ) -> None:  # fmt: skip
        home, grant = self.grants[index]
        with self.step("redeem", index, call, subject, action, stake, tenant, request):
            now = self.clock.now

            def work() -> str:
                if tenant != home:
                    raise Refusal("NotVerified", "unknown")
                return self.models[home].redeem(grant, subject, action, stake, call, request, now)

            found, refused = self.refusal(work)
            calls = [
                f.run(f.verifiers[tenant].redeem, f.tokens[index], subject=subject, action=action,
                      stake=self.stake(stake), call=self.call(call), request_id=request)
                for f in self.fronts
            ]  # fmt: skip
            if self.both("redeem", refused, calls):
                self.expect("redeemed", found, [s.verdict.value for s, _ in calls])

    def enroll(self, tenant: str, subject: str, names: list[str], by: str, call: str | None) -> None:
        with self.step("enroll", tenant, subject, names, by, call):
            names = [n for n in names if n in self.models[tenant].checks]
            words = {n: self.word(n) for n in names}
            if not words:
                return
            self.models[tenant].enroll(subject, words, by, call, self.clock.now)
            self._operate("enroll", tenant, subject, words, by=by, call=call)

    def word(self, name: str) -> str:
        return WORDS[name]

    def _operate(self, verb: str, tenant: str, *args: Any, **kwargs: Any) -> list[Any]:
        calls = [f.run(getattr(f.enrollers[tenant], verb), *args, **kwargs) for f in self.fronts]
        self.both(verb, None, calls)
        return [found for found, _ in calls]

    def operate(self, verb: str, tenant: str, subject: str, flags: tuple[str, ...] = ()) -> None:
        """Lock, unlock, flag, clear_runs and erase."""
        with self.step(verb, tenant, subject, flags):
            model = self.models[tenant]
            if verb in {"lock", "unlock"}:
                model.hold(subject, locked=verb == "lock")
            elif verb == "flag":
                model.flag(subject, flags)
            expected = getattr(model, verb)(subject) if verb in {"clear_runs", "erase"} else None
            more = {"fields": flags} if verb == "flag" else {}
            self.expect(verb, expected, self._operate(verb, tenant, subject, by="ops", reason="test", **more))

    def crm_change(self, subject: str, **change: Any) -> None:
        with self.step("crm", subject, change):
            self.crm.records[subject].update(change)

    def tick(self, by: timedelta) -> None:
        with self.step("tick", by):
            self.clock.advance(by)

    def restart(self) -> None:
        with self.step("restart"):
            for front in self.fronts:
                front.restart()
            for model in self.models.values():
                model.failures.clear()
                model.broken.clear()
