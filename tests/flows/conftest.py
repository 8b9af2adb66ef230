"""One desk for every test of a flow: each runs on both fronts and on every store of `tests.kinds`.

A test is a plain function: `Desk` awaits where its front must be awaited. What a test needs of the policy below it says
by the action's name; what it cannot say with that it makes with `make(policy, ...)`.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kyc_verify import (
    AsyncVerifier,
    Call,
    Policy,
    Requirement,
    Step,
    ThreatModel,
    Tier,
    Verifier,
    checks,
)
from kyc_verify.audit import AuditRecord, verify
from kyc_verify.testing import AsyncBench, Bench, Caller
from tests.kinds import KINDS, opened

NUMBER = "+33612345678"
POINTS = {
    "caller_number": 1, "sim_swap": 1, "account_tenure": 3, "date_of_birth": 3, "pin": 3, "school": 3,
    "app_confirmation": 6, "callback": 6, "one_time_code": 6,
}  # fmt: skip
FRONTS = [
    # In a short run of the tests each front and each store is tried once.
    pytest.param((front, store), id=f"{front}-{store}", marks=pytest.mark.slow if (at + other) % 2 else ())
    for at, front in enumerate(("sync", "async"))
    for other, store in enumerate(KINDS)
]


def usual(**changes: Any) -> Policy:
    """Return the policy of most tests: points, so that what verifies can be counted on the fingers."""
    return _usual() if not changes else _changed(**changes)


@cache
def _usual() -> Policy:
    return _changed()


def _changed(**changes: Any) -> Policy:
    given: dict[str, Any] = {
        "name": "usual",
        "checks": [
            checks.CallerNumber(), checks.SimSwap(), checks.AccountTenure(), checks.DateOfBirth(), checks.Pin(),
            checks.SecretAnswer("school", {"en": "Which was your first school?", "fr": "Quelle était votre école ?"}),
            checks.AppConfirmation(), checks.Callback(), checks.OneTimeCode(),
        ],
        "threats": ThreatModel.points(POINTS),
        "actions": {
            "hours": Requirement.none(),
            "know": Requirement(bits=4, checks=("account_tenure", "pin")),
            "pin": Requirement(bits=1, checks=("pin",)),
            "tenure": Requirement(bits=1, checks=("account_tenure",)),
            "born": Requirement(bits=1, checks=("date_of_birth",)),
            "school": Requirement(bits=1, checks=("school",)),
            "code": Requirement(bits=3, checks=("one_time_code",)),
            "code2": Requirement(bits=3, checks=("one_time_code",)),
            "app": Requirement(bits=3, checks=("app_confirmation",)),
            "callback": Requirement(bits=3, checks=("callback",)),
            "signals": Requirement(bits=1, checks=("caller_number", "sim_swap")),
            "all": Requirement(bits=14, checks=("caller_number", "sim_swap", "account_tenure", "pin", "one_time_code")),
            "lossless": Requirement(bits=4, checks=("account_tenure", "pin", "school"), accept="lossless"),
            "boss": Requirement(bits=1, checks=("pin",), role="supervisor"),
            "pay": Requirement(
                bits=3,
                checks=("one_time_code",),
                stakes=(
                    Tier(up_to=30, currency="EUR", requirement=Requirement.none(), ceiling=100, count=4),
                    Tier(up_to=100, currency="EUR", requirement=Requirement(bits=1, checks=("pin",))),
                ),
            ),
        },
    }  # fmt: skip
    return Policy(**(given | changes))


class _Verbs:
    """The verbs of a front, as plain calls."""

    def __init__(self, target: object, drive: Callable[[Any], Any]) -> None:
        self._target, self._drive = target, drive

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._target, name)
        return verb if not callable(verb) else lambda *args, **kwargs: self._drive(verb(*args, **kwargs))


class Desk:
    """A bench whose verbs are plain calls, whatever the front.

    Attributes:
        bench: The `Bench` or `AsyncBench` under it; its attributes are this one's too.
        verifier: Its verifier, to be called without await.
        enroller: Its enroller, the same way.
    """

    def __init__(self, bench: Bench | AsyncBench, loop: asyncio.Runner | None) -> None:
        self.bench, self.loop = bench, loop
        self.verifier = _Verbs(bench.verifier, self.drive)
        self.enroller = _Verbs(bench.enroller, self.drive)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bench, name)

    @property
    def is_async(self) -> bool:
        return self.loop is not None

    def drive(self, found: Any) -> Any:
        """Return what a verb returned, awaited where it must be."""
        if not inspect.iscoroutine(found):
            return found
        assert self.loop is not None
        return self.loop.run(found)

    def over(self, store: Any) -> Desk:
        """Return a desk over another store that shares everything else."""
        return Desk(self.bench.over(store), self.loop)

    def under(self, policy: Policy) -> Desk:
        """Return a desk under another policy that shares everything else."""
        other = self.bench.over(self.bench.store)
        other.policy = policy
        other._wire()
        return Desk(other, self.loop)

    def open(self, action: str, *, subject: str | None = None, call: Call | None = None, **more: Any) -> Step:
        subject = self.bench.subject if subject is None else subject
        return self.verifier.open(subject, action=action, call=call or self.bench.call, **more)

    def say(self, step: Step, answer: str | None = None, *, call: Call | None = None) -> Step:
        """Answer a step's challenge: rightly, or as given."""
        assert step.challenge is not None, step
        said = self.bench.answer(step.challenge) if answer is None else answer
        return self.verifier.respond(step.challenge.id, said, call=call or self.bench.call)

    def play(self, action: str, answers: dict[str, str] | None = None, *, call: Call | None = None) -> Step:
        caller = Caller.answers(answers) if answers else None
        played = self.drive(self.bench.play(caller, action=action, call=call))
        return played.step  # type: ignore[no-any-return]

    def fresh(self) -> Desk:
        """Forget the counted runs and spent budgets, so that the next run is the first."""
        self.enroller.clear_runs(self.bench.subject, by="ops", reason="next")
        return self

    def redeem(self, step: Step, action: str, *, call: Call | None = None, **more: Any) -> Step:
        who = {"subject": self.bench.subject} | more
        return self.verifier.redeem(step.require(), action=action, call=call or self.bench.call, **who)

    def together(self, jobs: Sequence[Callable[[Verifier | AsyncVerifier], Any]]) -> list[Any]:
        """Start several verbs at once, in threads or tasks; returns their results, or what they raised."""
        if self.loop is not None:

            async def gather() -> list[Any]:
                return await asyncio.gather(*[job(self.bench.verifier) for job in jobs], return_exceptions=True)

            return self.loop.run(gather())
        start = threading.Barrier(len(jobs))

        def run(job: Callable[[Any], Any]) -> Any:
            start.wait()
            try:
                return job(self.bench.verifier)
            except Exception as error:  # noqa: BLE001 - it is the result
                return error

        with ThreadPoolExecutor(len(jobs)) as threads:
            return list(threads.map(run, jobs))

    def records(self) -> list[AuditRecord]:
        """Return the audit log, its chain checked."""
        kept = list(self.bench.store.records(self.bench.tenant, 0, 100_000))
        keys = self.bench.hasher.keyring.chain_keys()
        report = verify(kept, tenant=self.bench.tenant, keys=keys)
        assert report.intact, report.faults
        return kept

    def events(self) -> list[str]:
        """Return what the audit log says of runs, in order."""
        return [
            record.event.value for record in self.records() if record.event.value not in {"enrolled", "runs_cleared"}
        ]

    @staticmethod
    def shows(secret: str, text: str) -> bool:
        """Whether a text shows a secret; digits inside longer hexadecimal or base64 are chance, not a leak."""
        if not secret.isdecimal():
            return secret in text
        return re.search(rf"(?<![0-9A-Za-z+/_-]){secret}(?![0-9A-Za-z+/_-])", text) is not None

    def another(self, **changes: Any) -> Call:
        """Return the desk's call with other fields."""
        return replace(self.bench.call, **changes)


@pytest.fixture(params=FRONTS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Return a maker of desks over this front and store: ``make(policy, **what a Bench takes)``."""
    front, kind = request.param
    made: list[Any] = []
    loop = asyncio.Runner() if front == "async" else None

    def build(policy: Policy | None = None, **more: Any) -> Desk:
        if "store" not in more:
            more["store"] = opened(kind, tmp_path / f"{len(made)}.db")
            made.append(more["store"])
        bench = (Bench if loop is None else AsyncBench)(policy or usual(), **more)
        return Desk(bench, loop)

    yield build
    if loop is not None:
        loop.close()
    for store in made:
        store.close()


@pytest.fixture
def desk(make: Callable[..., Desk]) -> Desk:
    """Return a desk with the usual policy and one enrolled customer."""
    return make()


@pytest.fixture
def policy() -> Callable[..., Policy]:
    """Return the maker of the usual policy, changed as its arguments say."""
    return usual
