"""Which questions a run has, in which order, and when the rest can no longer matter."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kyc_verify import checks
from kyc_verify.call import Stake
from kyc_verify.evidence import Evidence
from kyc_verify.plan import askable, questions, reachable, settled, signals
from kyc_verify.policy import Policy, Requirement, Tier
from kyc_verify.policy.policy import bound_to
from kyc_verify.terms import Entry, Outcome

PASS, NEAR, FAIL, DECLINED, UNAVAILABLE = Outcome
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
BANK = Policy(
    name="bank",
    checks=[
        checks.Pin(),
        checks.CallerNumber(),
        checks.AccountTenure(),
        checks.SimSwap(),
        checks.AppConfirmation(),
        checks.OneTimeCode(),
    ],
    actions={
        "read": Requirement(bits="1.4"),
        "some": Requirement(bits=1, checks=["sim_swap", "pin", "account_tenure"]),
        "two": Requirement(factors=2),
        "pay": Requirement(bits=2, stakes=[Tier(up_to=5, currency="EUR", requirement=Requirement(bits=1))]),
    },
)
EVERYTHING = frozenset(check.id for check in BANK.checks)


def test_signals_are_what_asks_nothing() -> None:
    assert [check.id for check in signals(BANK, BANK.actions["read"])] == ["caller_number", "sim_swap"]
    assert [check.id for check in signals(BANK, BANK.actions["some"])] == ["sim_swap"]


def test_questions_come_in_the_policys_order_and_the_pinned_one_first() -> None:
    read, some = BANK.actions["read"], BANK.actions["some"]
    assert questions(BANK, read, available=EVERYTHING) == (
        "pin",
        "account_tenure",
        "app_confirmation",
        "one_time_code",
    )
    assert questions(BANK, some, available=EVERYTHING) == ("pin", "account_tenure")
    assert questions(BANK, read, available=EVERYTHING - {"pin"}, pinned="one_time_code") == (
        "one_time_code",
        "account_tenure",
        "app_confirmation",
    )
    for pinned in ("sim_swap", "gone", None):
        assert questions(BANK, some, available=EVERYTHING, pinned=pinned) == ("pin", "account_tenure")
    assert questions(BANK, read, available=()) == ()


def test_a_leg_takes_what_it_can() -> None:
    pin, tenure, number = BANK.layer("pin"), BANK.layer("account_tenure"), BANK.layer("caller_number")
    assert askable(pin, None)
    assert askable(pin, (Entry.DIGITS,))
    assert not askable(tenure, (Entry.DIGITS,))
    assert not askable(number, None)


@pytest.mark.parametrize(
    ("action", "available", "run", "reached"),
    [
        ("read", {"pin"}, 1, True),
        ("read", {"pin"}, 2, False),
        ("read", {"account_tenure"}, 1, False),
        ("read", EVERYTHING, 1, True),
        ("read", EVERYTHING, 10**6, False),
        ("read", (), 1, False),
        ("two", {"pin", "account_tenure"}, 1, False),
        ("two", {"pin", "one_time_code"}, 1, True),
        ("some", {"app_confirmation", "one_time_code"}, 1, False),
    ],
)
def test_reachable_is_what_passing_everything_would_give(
    action: str, available: frozenset[str], run: int, *, reached: bool
) -> None:
    assert reachable(BANK, action=action, stake=None, run=run, available=available, now=NOW) is reached


def test_reachable_looks_at_the_tier() -> None:
    for amount, reached in ((5, True), (6, False)):
        stake = Stake(amount=Decimal(amount), currency="EUR", payee="bob")
        assert reachable(BANK, action="pay", stake=stake, run=1, available={"pin"}, now=NOW) is reached


def test_settled_is_met_even_if_all_the_rest_fails() -> None:
    def told(remaining: tuple[str, ...], *names: str, bound: str | None = None) -> bool:
        evidence = [Evidence(check=name, outcome=PASS, at=NOW, bound=bound) for name in names]
        return settled(BANK, evidence, action="read", stake=None, run=1, remaining=remaining, now=NOW)

    assert told((), "pin")
    assert not told(("account_tenure",), "pin")
    assert told(("account_tenure",), "pin", "app_confirmation")
    assert not told(("account_tenure",), "app_confirmation", bound=bound_to("pay", None))
    # A code that was sent for something else is asked again: its second outcome may be the lower.
    assert not told(("app_confirmation",), "app_confirmation", bound=bound_to("pay", None))
    assert told(("one_time_code",), "pin", "app_confirmation")


def test_settled_asks_as_much_as_the_stake_does() -> None:
    small = Stake(amount=Decimal(5), currency="EUR")
    for stake, enough in ((small, True), (None, False)):
        evidence = [Evidence(check="pin", outcome=PASS, at=NOW, bound=bound_to("pay", stake))]
        assert settled(BANK, evidence, action="pay", stake=stake, run=1, remaining=(), now=NOW) is enough
