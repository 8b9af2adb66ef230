"""The kit's state machine: sound verifiers pass it, and planted faults are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from kyc_verify import Policy, Requirement, ThreatModel, Verifier, checks, profiles
from kyc_verify.errors import UsageError
from kyc_verify.stores import MemoryStore, SQLiteStore
from kyc_verify.testing import Bench
from kyc_verify.testing.machine import VerifierMachine

pytestmark = [pytest.mark.slow, pytest.mark.wide]

MANY = settings(
    max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
"""For faults that must be found: the same search each time."""
SOME = settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


class Bank(VerifierMachine):
    def make_bench(self) -> Bench:
        return Bench(profiles.bank())


class Points(VerifierMachine):
    def make_bench(self) -> Bench:
        policy = Policy(
            name="points",
            checks=[checks.Pin(), checks.AccountTenure(), checks.OneTimeCode()],
            threats=ThreatModel.points({"pin": 1, "account_tenure": 1, "one_time_code": 3}),
            actions={
                "pin": Requirement(all_of=("pin",)), "code": Requirement(bits=3, checks=("one_time_code",)),
                "hours": Requirement.none(),
            },
        )  # fmt: skip
        return Bench(policy)


@pytest.mark.parametrize("machine", [Bank, Points])
def test_sound_verifiers_pass(machine: type[VerifierMachine]) -> None:
    run_state_machine_as_test(machine, settings=SOME)


def test_over_a_file_too(tmp_path: Path) -> None:
    made: list[SQLiteStore] = []

    class InFile(Points):
        def make_bench(self) -> Bench:
            made.append(SQLiteStore(tmp_path / f"{len(made)}.db"))
            return Bench(super().make_bench().policy, store=made[-1])

    run_state_machine_as_test(InFile, settings=settings(SOME, max_examples=5))
    assert len(made) >= 5


def test_a_grant_that_can_be_used_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = MemoryStore.redeem

    def again(self: MemoryStore, *args: Any, **kwargs: Any) -> Any:
        with self._writing() as db:
            db.execute("UPDATE grants SET redeemed_at = NULL, request = NULL")
        return honest(self, *args, **kwargs)

    monkeypatch.setattr(MemoryStore, "redeem", again)
    with pytest.raises(AssertionError, match="a grant was redeemed twice"):
        run_state_machine_as_test(Points, settings=MANY)


def test_a_verifier_that_knows_nobody_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Verifier.open

    def confused(self: Verifier, subject: str, **more: Any) -> Any:
        return honest(self, "cust-42" if subject == "nobody" else subject, **more)

    monkeypatch.setattr(Verifier, "open", confused)
    with pytest.raises(AssertionError, match="nobody was verified"):
        run_state_machine_as_test(Points, settings=MANY)


def test_another_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise KeyError(given, more)

    monkeypatch.setattr(Verifier, "respond", broken)
    with pytest.raises(KeyError):
        run_state_machine_as_test(Points, settings=MANY)


def test_a_question_that_shows_the_answer_is_found() -> None:
    class Telltale(VerifierMachine):
        def make_bench(self) -> Bench:
            policy = Policy(
                name="p",
                checks=[checks.SecretAnswer("street", {"en": "Is it Lindenhof?"})],
                actions={"a": Requirement(all_of=("street",))},
            )
            bench = Bench(policy, facts={})
            bench.facts["street"] = "Lindenhof"
            return bench

    with pytest.raises(AssertionError, match="a question shows a fact"):
        run_state_machine_as_test(Telltale, settings=MANY)


def test_it_must_be_pointed_at_something() -> None:
    with pytest.raises(UsageError, match="write make_bench"):
        run_state_machine_as_test(VerifierMachine, settings=MANY)
