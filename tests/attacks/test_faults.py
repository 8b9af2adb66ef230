"""Every call of a full verification made to fail in turn: before it does anything, after it has, by being late.

Whatever fails: never an approval that the answers do not carry, at most one attempt counted, nothing half-written, and
the caller goes on or ends cleanly. FC-06, FC-07, FC-08, FC-09, OT-10, CC-10, ST-05.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import pytest

from kyc_verify import KycVerifyError, NotVerified, Step, StoreError, UsageError, Verdict
from kyc_verify.session import State

pytestmark = [pytest.mark.slow, pytest.mark.wide]

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

Mode = Literal["before", "after", "late"]
PORTS = ("store", "customers", "signals", "senders", "services")


class Faulty:
    """A port of which one call fails.

    Args:
        inner: The port.
        at: Which call, from 1, over all its verbs; 0: none.
        mode: ``before``: nothing is done. ``after``: it is done, and the reply is lost. ``late``: it took too long.
    """

    def __init__(self, inner: Any, at: int, mode: Mode) -> None:
        self._inner, self._at, self._mode = inner, at, mode
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)

        def call(*args: Any, **more: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) != self._at:
                return verb(*args, **more)
            if self._mode != "before":
                verb(*args, **more)
            words = "it did not answer"
            raise TimeoutError(words) if self._mode == "late" else ConnectionError(words)

        return call


def broken(desk: Desk, port: str, at: int, mode: Mode) -> tuple[Desk, Faulty]:
    """Return a desk of which one call of a port fails."""
    other = desk.bench.over(desk.bench.store)
    current = getattr(other, port)
    if port in {"store", "customers"}:
        faulty = Faulty(current, at, mode)
        setattr(other, port, faulty)
    else:
        faulty = Faulty(next(iter(current.values())), at, mode)
        setattr(other, port, dict.fromkeys(current, faulty))
    other._wire()
    return type(desk)(other, desk.loop), faulty


def script(desk: Desk, action: str, *, request: str = "r-1") -> Step:
    """Play everything: signals, a tenure, a PIN, the app, a code, and the grant."""
    step = desk.open("full", request_id=request)
    while step.challenge is not None:
        said = "000000" if action == "wrong_code" and step.challenge.check == "one_time_code" else None
        step = desk.say(step, said)
    if step.verdict is Verdict.VERIFIED:
        desk.redeem(step, "full", request_id="r-2")
    return step


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for a reply that never comes."""
    monkeypatch.setattr("kyc_verify._flows.answering._LOOKS", 2)


@pytest.fixture
def full(make: Callable[..., Desk], policy: Callable[..., Any]) -> Desk:
    from kyc_verify import Requirement  # noqa: PLC0415

    layers = ("caller_number", "sim_swap", "account_tenure", "pin", "app_confirmation", "one_time_code")
    return make(policy(actions={"full": Requirement(bits=20, checks=layers), "hours": Requirement.none()}))


def calls_of(full: Desk, port: str) -> int:
    counted, faulty = broken(full, port, 0, "before")
    assert script(counted, "full", request=port).verdict is Verdict.VERIFIED
    return len(faulty.calls)


def charged(desk: Desk) -> Counter[str]:
    """Return what is used of each budget of tries."""
    ctx = desk.bench.verifier._ctx
    found: Counter[str] = Counter()
    with desk.bench.store._reading() as db:
        for check in desk.policy.checks:
            for charge in ctx.tries("cust-42", check):
                (count,) = db.execute("SELECT count(*) FROM charges WHERE key = ?", (charge.key,)).fetchone()
                found[f"{check.id}:{charge.window}"] += count
    return found


def whole(desk: Desk) -> None:
    """See that nothing is half-written: every session can be read, and the chain holds."""
    desk.records()
    with desk.bench.store._reading() as db:
        rows = db.execute("SELECT id, turn, state FROM sessions").fetchall()
    for _, turn, state in rows:
        if state:
            assert State.from_text(state).turn == turn


def go_on(full: Desk) -> Step | None:
    """Do what a CRM does after an outage: send the same request again, answer on, and redeem."""
    for _ in range(12):
        full.clock.advance(seconds=31)
        try:
            step = full.open("full", request_id="r-1")
            if step.verdict is Verdict.PENDING and step.challenge.check == "one_time_code":
                # It may never have been sent.
                step = full.verifier.resend(step.challenge.id, call=full.call)
            while step.challenge is not None:
                # After a signal that failed no code goes to the number: there is none to read out.
                unsent = step.challenge.check == "one_time_code" and not full.sender.messages
                step = full.say(step, "000000" if unsent else None)
        except KycVerifyError:
            continue
        return step
    return None


MOST = {"store": 16, "customers": 4, "signals": 1, "senders": 1, "services": 2}
# A reply that came too late is one that was lost: of the store's many, every third.
FULL = [
    (port, mode, at)
    for port, most in MOST.items()
    for mode in ("before", "after", "late")
    for at in range(1, most + 1)
    if (port, mode) != ("store", "late") or at % 3 == 0
]


def test_fc_06_the_sweep_reaches_every_call(full: Desk) -> None:
    found = {port: calls_of(full, port) for port in PORTS}
    swept = Counter(port for port, mode, _ in FULL if mode == "before")
    for port, count in found.items():
        assert count >= 1, port
        assert swept[port] >= count, (port, count)


@pytest.mark.parametrize(("port", "mode", "at"), FULL)
def test_fc_06_07_08_09_a_failing_call_approves_nobody_and_counts_at_most_once(
    full: Desk, port: str, mode: Mode, at: int
) -> None:
    failing, faulty = broken(full, port, at, mode)
    raised: KycVerifyError | None = None
    step: Step | None = None
    try:
        step = script(failing, "full")
    except KycVerifyError as error:
        raised = error
    failed = len(faulty.calls) >= at
    if not failed:
        assert step is not None
        assert step.verdict is Verdict.VERIFIED
        return
    # A store or a CRM that fails is an outage; a signal, a sender and a service are what the caller's call is worth.
    if port in {"store", "customers"}:
        assert raised is not None
        assert raised.__cause__ is not None
    elif step is not None:
        sent = port == "senders" and mode != "before"  # the code arrived, and only the gateway's reply was lost
        assert step.verdict is (Verdict.VERIFIED if sent else Verdict.DENIED)
    counts = charged(full)
    # The right answers gave theirs back; what was begun and never committed is one.
    assert sum(n for name, n in counts.items() if name.endswith("None")) <= (3 if step is not None else 1), counts
    assert max(counts.values()) <= (3 if step is not None else 1)
    whole(full)
    redeemed = [record for record in full.records() if record.event == "redeemed"]
    verified = [record for record in full.records() if record.verdict == "verified"]
    assert len(redeemed) <= 1
    assert len(verified) <= 1
    # It goes on, or ends, and never twice.
    last = go_on(full)
    assert last is not None
    assert last.verdict in (Verdict.VERIFIED, Verdict.DENIED)
    if last.verdict is Verdict.VERIFIED:
        try:
            full.redeem(last, "full", request_id="r-2")
        except NotVerified as refused:
            assert refused.reason in {"used", "used_or_expired"}  # noqa: PT017 - redeemed before the outage
    assert len([record for record in full.records() if record.event == "redeemed"]) <= 1
    whole(full)
    full.clock.advance(hours=2)
    assert full.fresh().play("full").verdict is Verdict.VERIFIED


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 17))
def test_fc_06_a_wrong_code_is_never_right_for_a_failing_store(full: Desk, mode: Mode, at: int) -> None:
    failing, faulty = broken(full, "store", at, mode)
    for _ in range(3):
        try:
            step = script(failing, "wrong_code")
        except KycVerifyError:
            full.clock.advance(seconds=11)
            continue
        assert step.verdict is Verdict.DENIED
    assert len(faulty.calls) >= at
    assert "verified" not in {record.verdict for record in full.records()}
    assert charged(full)["one_time_code:1 day, 0:00:00"] <= 3
    whole(full)


VERBS: dict[str, Callable[[Desk, Step], Any]] = {
    "decline": lambda d, s: d.verifier.decline(s.challenge.id, call=d.call),
    "resend": lambda d, s: d.verifier.resend(s.challenge.id, call=d.call),
    "status": lambda d, s: d.verifier.status(s.session_id, call=d.call),
    "transfer": lambda d, s: d.verifier.transfer(s.session_id, call=d.call),
    "cancel": lambda d, s: d.verifier.cancel(s.session_id, call=d.call),
    "lock": lambda d, _: d.enroller.lock("cust-42", by="ops", reason="x"),
    "unlock": lambda d, _: d.enroller.unlock("cust-42", by="ops", reason="x"),
    "flag": lambda d, _: d.enroller.flag("cust-42", fields=[], by="ops", reason="x"),
    "clear_runs": lambda d, _: d.enroller.clear_runs("cust-42", by="ops", reason="x"),
    "enroll": lambda d, _: d.enroller.enroll("cust-42", {"pin": "8351"}, by="crm-import"),
    "erase": lambda d, _: d.enroller.erase("cust-42", by="ops"),
}


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_st_05_every_other_verb_fails_whole_and_may_be_sent_again(desk: Desk, verb: str, mode: Mode) -> None:
    step = desk.open("code")
    desk.clock.advance(seconds=31)
    at = 1
    while True:
        failing, faulty = broken(desk, "store", at, mode)
        try:
            VERBS[verb](failing, step)
        except StoreError:
            whole(desk)
        except UsageError:  # an earlier round has done it: the reply was lost, the deed was not
            assert mode != "before" or at > 1
        if len(faulty.calls) < at:
            break
        at += 1
    assert at >= 2
    whole(desk)
    assert "verified" not in {record.verdict for record in desk.records()}


@pytest.mark.parametrize("mode", ["before", "after", "late"])
@pytest.mark.parametrize("port", ["store", "customers"])
def test_st_05_a_step_up_fails_whole_and_may_be_sent_again(desk: Desk, port: str, mode: Mode) -> None:
    at, action = 1, "code"
    while True:
        step = desk.fresh().play("pin")
        failing, faulty = broken(desk, port, at, mode)
        request = f"r-{at}"
        try:
            up = failing.verifier.step_up(step.session_id, action=action, call=desk.call, request_id=request)
        except KycVerifyError:
            up = desk.verifier.step_up(step.session_id, action=action, call=desk.call, request_id=request)
        again = desk.verifier.step_up(step.session_id, action=action, call=desk.call, request_id=request)
        assert up.as_dict() == again.as_dict()
        assert up.verdict is Verdict.PENDING
        whole(desk)
        if len(faulty.calls) < at:
            break
        at += 1
    assert at >= 2
