from __future__ import annotations

from decimal import Decimal

import pytest

from kyc_verify import Policy, Requirement, Stake, Verdict, analysis, profiles

ALL = [profiles.everyday, profiles.bank, profiles.telecom, profiles.help_desk]
EVERYDAY = {
    "everyday": "account_question",
    "bank": "read_balance",
    "telecom": "bill_question",
    "help-desk": "ticket_status",
}


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("lacking", [(), ("pin",), ("app_confirmation",), ("caller_number",)], ids="-".join)
def test_four_genuine_callers_in_five_are_served_every_day(make: object, lacking: tuple[str, ...]) -> None:
    policy = make()  # type: ignore[operator]
    available = [check.id for check in policy.checks if check.id not in lacking]
    rates = analysis.error_rates(policy, EVERYDAY[policy.name], available=available, runs=1)
    assert rates.genuine[Verdict.VERIFIED] >= 0.8


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_no_class_gets_through_more_often_than_the_bound(make: object) -> None:
    policy = make()  # type: ignore[operator]
    for action, requirement in policy.actions.items():
        if not requirement.exempt:
            rates = analysis.error_rates(policy, action, runs=1)
            assert rates.bound is not None
            assert max(rates.attackers.values()) <= rates.bound, action


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_profiles_are_values(make: object) -> None:
    policy = make()  # type: ignore[operator]
    assert policy == make()  # type: ignore[operator]
    assert Policy.from_json(policy.to_json()).fingerprint == policy.fingerprint


def test_small_payments_ask_nothing_and_large_ones_two_factors() -> None:
    policy = profiles.bank()
    small, tier = policy.requirement("pay", Stake(amount=Decimal(30), currency="EUR", payee="shop"))
    assert small == Requirement.none()
    assert tier is not None
    large, none = policy.requirement("pay", Stake(amount=Decimal("30.01"), currency="EUR", payee="shop"))
    assert (large.factors, none) == (2, None)
