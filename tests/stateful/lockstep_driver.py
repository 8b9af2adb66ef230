"""Drives the library's two fronts and the reference model in lock step, and compares them after every step."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from reference_model import LEASE, ActionRule, CheckRule, Model, Refusal, Rules, Run

from kyc_verify.answers import Clarify, Forms, Refused
from kyc_verify.budgets import Budget, Budgets, Lifetimes
from kyc_verify.call import Call, Contact, Customer, Stake
from kyc_verify.checks import AnswerCheck, AppConfirmation, CallerNumber, OneTimeCode, Pin, SignalCheck
from kyc_verify.enrollment import AsyncEnroller, Enroller
from kyc_verify.errors import InvalidPolicy, KycVerifyError
from kyc_verify.hashing import Keyring
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.ports import Message
from kyc_verify.stores import MemoryStore, SQLiteStore
from kyc_verify.terms import Entry, Outcome
from kyc_verify.testing import CheapHasher, FakeClock
from kyc_verify.threats import AttackerClass, Likelihoods, Row, ThreatModel
from kyc_verify.verifier import AsyncVerifier, Verifier

__all__ = ["Difference", "World", "random_rules"]

TENANTS = ("north", "south")
SUBJECTS = ("anna", "bela", "ghost")  # the last is nobody's
AGENTS = ("agent-1", "agent-2")
CALLS = ("call-1", "call-2")
ENTRIES = (None, None, None, ("digits",), ("text",), ("digits", "confirm"))
CLASSES = ("stranger", "swapper", "insider")
WORDS = {"word_a": "kastanienallee", "word_b": "lindenhof", "pin": "493702"}
NUMBERS = ("+33612345678", "+33612345679")


class Difference(AssertionError):  # noqa: N818 - what a test reports
    """The library and the model disagree."""


class Word(AnswerCheck):
    """A question whose answers may be right, near, wrong, ambiguous (``?``) or unreadable (``!``)."""

    kind = "word"
    prompts = {"en": "Which word?"}  # noqa: RUF012 - as the documentation shows it
    row = "word"

    def forms(self, said: str, *, locale: str | None, now: Any) -> Forms | Clarify:
        if said == "?":
            return Clarify(question={"en": "Which of the two?"})
        if said in {"!", ""}:
            raise Refused("unreadable")
        return Forms(coarse=said[:4], fine=said, near=True)


class Carrier(SignalCheck):
    """A source that says the outcome itself."""

    source = "carrier"
    row = "carrier"

    def judge(self, signal: Any) -> Outcome:
        return Outcome(signal.value)


class InlineHasher(CheapHasher):
    """Hashes in the caller's own thread."""

    __slots__ = ()
    inline = True


# ── Random policies ──────────────────────────────────────────────────────────────────────────────────────────────────


def _cells(rng: random.Random, *, near: bool) -> dict[str, tuple[Fraction, ...]]:
    columns = {}
    for name in ("genuine", *CLASSES):
        passed = rng.randint(300, 950) if name == "genuine" else rng.choice((rng.randint(2, 60), rng.randint(2, 950)))
        nearly = rng.randint(1, 999 - passed) if near else 0
        columns[name] = tuple(Fraction(n, 1000) for n in (1000 - passed - nearly, nearly, passed))
    return columns


def _checks(rng: random.Random) -> list[CheckRule]:
    made = [
        CheckRule("caller_number", "number", {}, "context", "sim"),
        CheckRule("carrier", "signal", {}, "context"),
        CheckRule("word_a", "word", {}, "knowledge", entry="text"),
        CheckRule("word_b", "word", {}, "knowledge", entry="text"),
        CheckRule("pin", "pin", {}, "knowledge", entry="digits"),
        CheckRule("one_time_code", "code", {}, "possession", "sim", entry="digits", tries=3),
        CheckRule("app_confirmation", "app", {}, "possession", "app", entry="confirm"),
    ]
    kept = [each for each in made if rng.random() < 0.7] or [made[2]]
    rng.shuffle(kept)
    for each in kept:
        each.cells = _cells(rng, near=each.kind in {"number", "word"} or (each.kind == "signal" and rng.random() < 0.5))
    return kept


def _action(rng: random.Random, checks: list[CheckRule], model: Model, *, tiers: bool = False) -> ActionRule:
    names = [each.id for each in checks]
    allowed = tuple(sorted(rng.sample(names, rng.randint(1, len(names))))) if rng.random() < 0.2 else None
    rule = ActionRule(
        checks=allowed, lossless=rng.random() < 0.4, max_age=rng.choice((None, None, timedelta(minutes=2)))
    )
    inside = list(allowed or names)
    best = min(sum(model.weights[n][c]["pass"] for n in inside) for c in CLASSES)
    rule.needed = 1 + int((best - 1) * rng.random() ** 2) if best > 0 else 0
    if rng.random() < 0.4:
        rule.factors = rng.randint(1, max(1, model.factors(inside)))
    if rng.random() < 0.2 or not (rule.needed or rule.factors):
        rule.all_of = (rng.choice(inside),)
    if rng.random() < 0.2:
        rule.any_of = tuple(sorted(rng.sample(inside, min(2, len(inside)))))
    if tiers:
        small = ActionRule(exempt=True) if rng.random() < 0.6 else _action(rng, checks, model)
        rule.tiers = ((30, small, rng.choice((None, 60)), 2),)
    return rule


def random_rules(rng: random.Random) -> Rules:
    """Return a policy as plain rules, with budgets small enough to be reached."""
    checks = _checks(rng)
    hour = timedelta(hours=1)
    rules = Rules(
        checks,
        {},
        answers=(rng.randint(1, 4), rng.choice((hour, 24 * hour))),
        codes=(rng.randint(1, 5), hour),
        sends=(rng.randint(1, 4), hour),
        consecutive=rng.randint(2, 7),
        runs=rng.choice((hour, 24 * hour, 720 * hour)),
        cool_off=rng.choice((timedelta(0), timedelta(days=30))),
    )
    model = Model(rules, {})
    rules.actions["peek"] = ActionRule(exempt=True)
    rules.actions["read"] = _action(rng, checks, model)
    rules.actions["move"] = _action(rng, checks, model)
    rules.actions["pay"] = _action(rng, checks, model, tiers=True)
    return rules


def _requirement(rule: ActionRule) -> Requirement:
    if rule.exempt:
        return Requirement.none()
    tiers = tuple(
        Tier(up_to=Decimal(up_to), currency="EUR", requirement=_requirement(demanded), count=count,
             ceiling=None if ceiling is None else Decimal(ceiling))
        for up_to, demanded, ceiling, count in rule.tiers
    )  # fmt: skip
    return Requirement(
        bits=Decimal(rule.needed) / 100 if rule.needed else None,
        checks=rule.checks,
        factors=rule.factors,
        all_of=rule.all_of,
        any_of=rule.any_of,
        max_age=rule.max_age,
        accept="lossless" if rule.lossless else "first",
        stakes=tiers,
        knowledge_only=True,
    )


def policy_of(rules: Rules) -> Policy:
    """Return the library's own policy for the rules."""
    rows = {}
    for each in rules.checks:
        columns = {
            name: {o: p for o, p in zip((Outcome.FAIL, Outcome.NEAR, Outcome.PASS), column, strict=True) if p}
            for name, column in each.cells.items()
        }
        cells = Likelihoods(genuine=columns.pop("genuine"), classes=columns, tries=each.tries)
        rows[each.id] = Row(likelihoods=cells, fields=(each.id,))
    made = {
        "caller_number": CallerNumber, "carrier": Carrier, "pin": Pin, "one_time_code": OneTimeCode,
        "app_confirmation": AppConfirmation,
    }  # fmt: skip
    return Policy(
        name="lockstep",
        checks=[Word(each.id) if each.kind == "word" else made[each.id]() for each in rules.checks],
        actions={name: _requirement(rule) for name, rule in rules.actions.items()},
        threats=ThreatModel(classes=tuple(AttackerClass(name=n, description=n) for n in CLASSES), rows=rows),
        budgets=Budgets(
            answers=Budget(*rules.answers), codes=Budget(*rules.codes), sends=Budget(*rules.sends),
            consecutive=rules.consecutive, runs=rules.runs,
        ),
        lifetimes=Lifetimes(cool_off=rules.cool_off),
    )  # fmt: skip


# ── The host's services ──────────────────────────────────────────────────────────────────────────────────────────────


class Crm:
    """The CRM: plain records for the model, Customers for the library."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def get(self, subject: str) -> Customer | None:
        record = self.records.get(subject)
        if record is None:
            return None
        contact = Contact(number=record["number"], since=record["since"], shared=record["shared"])
        return Customer(active=record["active"], contacts=(contact,))


class Gateway:
    """A sender and a service: it keeps codes by message key."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}
        self.app: str | None = None

    def send(self, message: Message) -> str:
        found = re.search(r"(?<!\d)\d{6}(?!\d)", message.text)
        self.codes[message.key] = found.group() if found else ""
        return "handle"

    def check(self, handle: str, code: str) -> Outcome | None:
        del handle, code
        return None if self.app is None else Outcome(self.app)


class Source:
    """A signal source that says what it is told to."""

    value: str = "pass"

    def get(self, query: object) -> object:
        del query
        if self.value == "error":
            raise OSError
        return self.value


class Awaited:
    """The same object with coroutine functions: what an event loop calls without threads."""

    def __init__(self, inner: Any) -> None:
        for name, verb in inspect.getmembers(inner, callable):
            if not name.startswith("_"):
                setattr(self, name, self._awaited(verb))

    @staticmethod
    def _awaited(verb: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return verb(*args, **kwargs)

        return call


class Front:
    """One front over its own store, for both tenants."""

    def __init__(self, policy: Policy, crm: Crm, clock: FakeClock, *, kind: str, path: Path | None) -> None:
        self.policy, self.crm, self.clock, self.kind, self.path = policy, crm, clock, kind, path
        self.store = self._made()
        self.gateway, self.source = Gateway(), Source()
        self.hasher = InlineHasher(Keyring({"test": bytes(range(32))}))
        self.ids: dict[int, str] = {}
        self.tokens: dict[int, Any] = {}
        self.loop = asyncio.new_event_loop() if kind == "async" else None
        self.restart()

    def _made(self) -> Any:
        return MemoryStore() if self.path is None else SQLiteStore(self.path)

    def restart(self) -> None:
        """Make everything anew that does not live in the store, and open the file again."""
        if self.path is not None:
            self.store.close()
            self.store = self._made()
        wrap = Awaited if self.kind == "async" and self.path is None else (lambda port: port)
        ports = {
            "senders": {"sms": wrap(self.gateway)},
            "services": {"app": wrap(self.gateway)},
            "signals": {"carrier": wrap(self.source)},
            "customers": wrap(self.crm),
        }
        verifier, enroller = (AsyncVerifier, AsyncEnroller) if self.kind == "async" else (Verifier, Enroller)
        common = {"store": wrap(self.store), "hasher": self.hasher, "clock": self.clock}
        self.verifiers = {t: verifier(self.policy, tenant=t, **common, **ports) for t in TENANTS}
        self.enrollers = {t: enroller(self.policy, tenant=t, **common) for t in TENANTS}

    def run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a verb; returns the Step (or what it returns) and None, or None and the error."""
        try:
            found = verb(*args, **kwargs)
            return (self.loop.run_until_complete(found) if self.loop else found), None
        except KycVerifyError as error:
            return None, error

    def state(self, tenant: str, session: str) -> dict[str, Any]:
        """Return a session's state as it is stored."""
        return json.loads(self.store.load(tenant, session, self.clock.now).session.state)

    def close(self) -> None:
        self.store.close()
        if self.loop:
            self.loop.close()


# ── The world ────────────────────────────────────────────────────────────────────────────────────────────────────────


class World:
    """A policy, two fronts, a model for each tenant, and a clock; every public method is one step."""

    def __init__(self, rng: random.Random, *, folder: Path | None = None) -> None:
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
            Front(policy, self.crm, self.clock, kind=kind, path=None if folder is None else folder / f"{kind}.db")
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


# ── Random callers ───────────────────────────────────────────────────────────────────────────────────────────────────

JUMPS = (1, 5, 11, 29, 31, 61, 119, 121, 299, 300, 301, 1000, 1801, 3601, 40_000, 90_000, -5, -61, -400, -4000)
WEIGHTS = {
    "open": 22, "answer": 46, "replay": 3, "decline": 4, "resend": 4, "status": 3, "transfer": 4, "step_up": 6, "cancel": 1,
    "explain": 3, "redeem": 7, "tick": 12, "begun": 1, "restart": 1, "operate": 4, "enroll": 2, "crm": 2,
}  # fmt: skip


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


def random_step(world: World, rng: random.Random) -> None:
    """Take one random step."""
    what = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    recent = range(max(0, len(world.known) - 6), len(world.known))
    pending = [i for i in recent if world.known[i][1].question]
    if what == "open" or not recent or (what == "answer" and not pending):
        action = rng.choice(("read", "read", "move", "move", "pay", "pay", "peek"))
        stake = rng.choice((None, 10, 25, 50)) if action == "pay" else None
        signal = rng.choice(("pass",) * 5 + ("fail", "near", "unavailable", "error", "error"))
        world.open(
            rng.choice(TENANTS), rng.choice(SUBJECTS[:2] * 4 + SUBJECTS[2:]), action, stake, a_call(rng),
            rng.choice(ENTRIES), signal,
        )  # fmt: skip
        return
    index = rng.choice(pending if pending and rng.random() < 0.9 else recent)
    tenant, run = world.known[index]
    turn = len(run.turns) + 1
    call = a_call(rng, agent=run.agent, id=run.call)
    if what == "answer":
        app = rng.choice(("pass", "pass", "fail", None))
        world.answer(index, turn, what_is_said(rng, world, run), call, app)
    elif what == "replay" and world.said:
        at, turn, said, app = rng.choice(world.said[-8:])
        call = a_call(rng, agent=world.known[at][1].agent, id=world.known[at][1].call)
        same = rng.random() < 0.7
        world.answer(at, turn, said if same else what_is_said(rng, world, world.known[at][1]), call, app)
    elif what in {"decline", "resend"}:
        turn -= rng.random() < 0.2 and turn > 1
        world.plain(what, index, turn, call)
    elif what in {"status", "cancel", "transfer", "step_up"}:
        if what in {"step_up", "transfer"}:
            done = [i for i in recent if world.known[i][1].verdict in {"verified", "exempt"}]
            index = rng.choice(done or list(recent))
            call = a_call(rng, agent=world.known[index][1].agent, id=world.known[index][1].call)
        if what == "transfer":
            call["agent"] = rng.choice(AGENTS)
        action = rng.choice(("read", "move", "pay", "peek"))
        stake = rng.choice((None, 10, 50)) if action == "pay" else None
        world.look(what, index, call, entries=rng.choice(ENTRIES), action=action, stake=stake,
                   signal=rng.choice(("pass", "pass", "fail", "unavailable")))  # fmt: skip
    elif what == "explain":
        world.explain(index)
    elif what == "redeem" and world.grants:
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
    elif what == "tick":
        world.tick(timedelta(seconds=rng.choice(JUMPS)))
    elif what == "begun":
        world.begun(index)
    elif what == "restart":
        world.restart()
    elif what == "operate":
        verb = rng.choice(("lock", "unlock", "unlock", "flag", "flag", "flag", *("clear_runs",) * 8, "erase"))
        words = [c.id for c in world.rules.checks if c.kind == "word"]
        flags = tuple(rng.sample(words, min(len(words), rng.randint(0, 1))))
        world.operate(verb, tenant, rng.choice(SUBJECTS), flags)
    elif what == "enroll":
        some = rng.sample(list(WORDS), rng.randint(1, len(WORDS)))
        world.enroll(
            tenant, rng.choice(SUBJECTS), some, rng.choice(("crm-import", *AGENTS)), rng.choice((None, *CALLS))
        )
    elif what == "crm":
        off, on = (
            rng.choice((("active", False), ("number", NUMBERS[1]), ("shared", True))),
            {"active": True, "shared": False},
        )
        change = dict([off]) if rng.random() < 0.4 else on | {"number": NUMBERS[0]}
        world.crm_change(rng.choice(SUBJECTS[:2]), **change)


def random_steps(steps: int, *, seed: int, seen: Counter[str] | None = None, folder: Path | None = None) -> int:
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
        world = World(rng, folder=where)
        try:
            for _ in range(250):
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
