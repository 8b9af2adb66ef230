"""A state machine of Hypothesis that calls, answers, retries, waits and redeems as it likes, over your own verifier.

Point it at your bench, and let it look for a way in::

    class MyMachine(VerifierMachine):
        def make_bench(self):
            return Bench(my_policy(), store=MyStore(...))

    TestMyMachine = MyMachine.TestCase
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from kyc_verify import audit
from kyc_verify.call import Call
from kyc_verify.checks import AnswerCheck, AppConfirmation, OneTimeCode, SignalCheck
from kyc_verify.decision import Grant, Step, Verdict
from kyc_verify.errors import KycVerifyError, NotVerified, UsageError
from kyc_verify.evidence import Evidence
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Outcome
from kyc_verify.testing import _acting as acting
from kyc_verify.testing._contract.desk import expect, yes
from kyc_verify.testing._contract.hosts import RUBBISH
from kyc_verify.testing.bench import Bench
from kyc_verify.testing.doubles import ScriptedService

__all__ = ["VerifierMachine"]

_NOBODY = "nobody"
_WAITS = st.sampled_from((0, 1, 29, 31, 299, 301, 601, 1801, 90_000)).map(lambda seconds: timedelta(seconds=seconds))


@dataclass(slots=True)
class Run:
    """One run, as the machine saw it.

    Attributes:
        subject: Whom they claim to be.
        action: What they want.
        call: The call.
        step: The last reply.
        right: Checks that were answered rightly.
        grant: What was granted.
        redeemed: How often that was redeemed.
    """

    subject: str
    action: str
    call: Call
    step: Step
    right: set[str] = field(default_factory=set)
    grant: Grant | None = None
    redeemed: int = 0


class VerifierMachine(RuleBasedStateMachine):
    """Rules and invariants for any policy over any store. Write `make_bench`.

    It holds that: nobody is verified who is not there; wrong answers carry nobody: signals and what was answered
    rightly are enough by the policy, or the run is not verified; a grant is redeemed once, by its own agent, for its
    own action; what is raised is an error of the library's tree; no question shows a fact; the audit chain is whole.
    """

    runs = Bundle("runs")

    def make_bench(self) -> Bench:
        """Return a new bench, with its store empty; yours.

        Raises:
            UsageError: it was not written.
        """
        msg = "write make_bench: def make_bench(self): return Bench(my_policy())"
        raise UsageError(msg)

    @initialize()
    def _start(self) -> None:
        given: object = self.make_bench()
        if not isinstance(given, Bench):
            msg = f"make_bench returns a Bench, as in return Bench(my_policy()), and not a {type(given).__name__}"
            raise UsageError(msg)
        self.bench = given
        self.started: list[Run] = []

    def _do(self, verb: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any verb of a front
        """Do it; an error of the library's own tree is an answer, anything else is a fault."""
        try:
            return verb(*args, **kwargs)
        except KycVerifyError:
            return None

    @rule(target=runs, action=st.integers(0, 7), agent=st.sampled_from(("agent-7", "agent-8")), known=st.booleans())
    def open(self, action: int, agent: str, known: bool) -> Any:  # noqa: ANN401, FBT001 - Hypothesis's own
        """Somebody calls."""
        names = sorted(self.bench.policy.actions)
        call = Call(id=f"call-{len(self.started)}", agent=agent, number=self.bench.call.number, attestation="A")
        subject = self.bench.subject if known else _NOBODY
        name = names[action % len(names)]
        step = self._do(self.bench.verifier.open, subject, action=name, call=call)
        if step is None:
            return multiple()
        self.started.append(run := Run(subject, name, call, step))
        self._seen(run, step)
        return run

    @rule(run=runs, how=st.sampled_from(("right", "wrong", "rubbish", "code")), at=st.integers(0, len(RUBBISH) - 1))
    def answer(self, run: Run, how: str, at: int) -> None:
        """They answer: rightly, wrongly, with rubbish, or with any code that was sent to anybody."""
        if (challenge := run.step.challenge) is None:
            return
        check = self.bench.policy.layer(challenge.check)
        said = RUBBISH[at]
        if how == "right" and not (isinstance(check, OneTimeCode) and not self.bench.sender.arrived):
            said = self.bench.answer(challenge)
            run.right.add(check.id)
        elif how == "wrong" and isinstance(check, AnswerCheck):
            said = acting.wrong(check, self.bench.facts.get(check.id), now=self.bench.clock.now, turn=at)
        elif how == "code" and self.bench.sender.arrived:
            said = self.bench.sender.code()
            run.right |= {check.id} if isinstance(check, OneTimeCode) else set()
        if isinstance(check, AppConfirmation):
            self._tapped(check, how == "right")
        self._seen(run, self._do(self.bench.verifier.respond, challenge.id, said, call=run.call))

    def _tapped(self, check: AppConfirmation, right: bool) -> None:  # noqa: FBT001
        if isinstance(service := self.bench.services.get(check.service), ScriptedService):
            service.outcome = Outcome.PASS if right else Outcome.FAIL

    @rule(run=runs, verb=st.sampled_from(("decline", "resend")))
    def turn(self, run: Run, verb: str) -> None:
        """They cannot recall, or want the code again."""
        if (challenge := run.step.challenge) is not None:
            self._seen(run, self._do(getattr(self.bench.verifier, verb), challenge.id, call=run.call))

    @rule(run=runs, verb=st.sampled_from(("status", "cancel")))
    def look(self, run: Run, verb: str) -> None:
        """The agent looks again, or hangs up."""
        self._seen(run, self._do(getattr(self.bench.verifier, verb), run.step.session_id, call=run.call))

    @rule(by=_WAITS)
    def wait(self, by: timedelta) -> None:
        """Time passes."""
        self.bench.clock.advance(by)

    @rule(by=st.sampled_from((1, 60, 400)))
    def back(self, by: int) -> None:
        """The server's clock is set back."""
        self.bench.clock.back(seconds=by)

    @rule(run=runs, how=st.sampled_from(("own", "other_agent", "other_action", "other_subject")))
    def redeem(self, run: Run, how: str) -> None:
        """A grant is used: for what it is, or by somebody else, or for something else."""
        if run.grant is None:
            return
        others = [name for name in self.bench.policy.actions if name != run.action]
        call = Call(id=run.call.id, agent="agent-9") if how == "other_agent" else run.call
        action = others[0] if how == "other_action" and others else run.action
        subject = "somebody-else" if how == "other_subject" else run.subject
        own = (call, action, subject) == (run.call, run.action, run.subject)
        try:
            self.bench.verifier.redeem(run.grant, subject=subject, action=action, call=call)
        except KycVerifyError:
            return
        yes(own, f"a grant was redeemed with {how}")
        run.redeemed += 1

    def _seen(self, run: Run, step: Step | None) -> None:
        if step is None:
            return
        run.step = step
        if step.verdict in {Verdict.VERIFIED, Verdict.EXEMPT}:
            try:
                run.grant = step.require()
            except NotVerified:
                return

    @invariant()
    def who_is_not_there_is_never_verified(self) -> None:
        """Whatever was said."""
        for run in getattr(self, "started", ()):
            yes(run.subject != _NOBODY or run.step.verdict is not Verdict.VERIFIED, "nobody was verified")

    @invariant()
    def who_answers_wrongly_is_not_verified_by_questions(self) -> None:
        """What was answered rightly, and the signals, must be enough by themselves."""
        for run in getattr(self, "started", ()):
            if run.step.verdict is Verdict.VERIFIED:
                yes(self._may_be(run), f"verified, though only {sorted(run.right) or 'nothing'} was answered rightly")

    def _may_be(self, run: Run) -> bool:
        """Whether the policy verifies somebody of whom all signals speak well, with what they answered rightly."""
        policy, now = self.bench.policy, self.bench.clock.now
        passed = {check.id for check in policy.checks if isinstance(check, SignalCheck)} | run.right
        bound = bound_to(run.action, None)
        shown = [Evidence(check=name, outcome=Outcome.PASS, at=now, bound=bound) for name in sorted(passed)]
        return policy.evaluate(shown, action=run.action, now=now).verdict is Verdict.VERIFIED

    @invariant()
    def a_grant_is_redeemed_once(self) -> None:
        """However often it is tried."""
        for run in getattr(self, "started", ()):
            yes(run.redeemed <= 1, "a grant was redeemed twice")

    @invariant()
    def no_question_shows_a_fact(self) -> None:
        """Nor a code."""
        for run in getattr(self, "started", ()):
            if (challenge := run.step.challenge) is not None:
                shown = [str(fact) for fact in self.bench.facts.values() if str(fact) in challenge.text]
                yes(not shown, "a question shows a fact")

    def teardown(self) -> None:
        """Check the audit chain at the end.

        Raises:
            AssertionError: it is not whole.
        """
        if (bench := getattr(self, "bench", None)) is not None:
            records: Any = bench.store.records(bench.tenant, 0, 1_000_000)
            report = audit.verify(list(records), tenant=bench.tenant, keys=bench.hasher.keyring.chain_keys())
            expect(report.faults, (), "the audit chain is whole")
