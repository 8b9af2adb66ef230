from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from kyc_verify import (
    Budgets,
    ConfigurationError,
    Lifetimes,
    Policy,
    Requirement,
    Tier,
    UsageError,
    checks,
    floors,
    profiles,
)

APP, SMS, PIN = checks.AppConfirmation(), checks.OneTimeCode(channel="sms"), checks.Pin()
TENURE = checks.AccountTenure()


def policy(
    *layers: checks.Check, lifetimes: Lifetimes | None = None, budgets: Budgets | None = None, **actions: Requirement
) -> Policy:
    return Policy(
        name="p",
        checks=layers,
        actions=actions,
        lifetimes=lifetimes or Lifetimes(),
        budgets=budgets or Budgets(),
    )


def broken(found: Policy, floor: floors.Floor) -> list[tuple[str, str]]:
    return [(violation.clause, violation.field) for violation in found.check(floor)]


def test_knowledge_alone_meets_no_nist_level() -> None:
    found = policy(PIN, TENURE, APP, read=Requirement(bits=1))
    assert ("SP 800-63A-4 2.5.1", "actions.read.factors") in broken(found, floors.nist4)
    assert ("ASVS 5.0 6.4.2", "actions.read.factors") in broken(found, floors.asvs5)


def test_two_factors_of_which_one_is_a_possession_meet_it() -> None:
    found = policy(PIN, TENURE, APP, SMS, read=Requirement(bits=1, factors=2))
    assert broken(found, floors.nist4) == []


def test_a_named_possession_meets_it() -> None:
    found = policy(PIN, APP, read=Requirement(bits=1, all_of=("app_confirmation",)))
    assert broken(found, floors.nist4) == []


def test_an_exempt_action_is_asked_nothing_by_a_floor() -> None:
    found = policy(PIN, APP, hours=Requirement.none())
    assert broken(found, floors.nist4 | floors.us_cpni) == []


def test_email_is_not_out_of_band() -> None:
    mail = checks.OneTimeCode("mail", channel="email")
    found = policy(PIN, mail, APP, read=Requirement(bits=1, all_of=("app_confirmation",)))
    assert broken(found, floors.nist4) == [("SP 800-63B-4 3.1.3.1", "checks.1.channel")]


@pytest.mark.parametrize(
    "read",
    [
        Requirement(bits=1, factors=2),  # the PIN and the mailbox would do
        Requirement(bits=1, factors=1),
        Requirement(bits=1, all_of=("mail",)),
        Requirement(bits=1, any_of=("mail", "app_confirmation")),
    ],
)
def test_email_is_no_possession_for_nist(read: Requirement) -> None:
    mail = checks.OneTimeCode("mail", channel="email")
    found = policy(PIN, mail, APP, read=read)
    assert broken(found, floors.nist4) == [
        ("SP 800-63A-4 2.5.1", "actions.read.factors"),
        ("SP 800-63B-4 3.1.3.1", "checks.1.channel"),
    ]


def test_email_is_no_alternative_to_the_sim_for_nist() -> None:
    found = policy(PIN, SMS, checks.OneTimeCode("mail", channel="email"), read=Requirement(bits=1, factors=2))
    assert ("SP 800-63B-4 3.1.3.3", "checks") in broken(found, floors.nist4)
    assert broken(found, floors.asvs5) == []  # which says nothing of e-mail


def test_the_sim_must_not_be_the_only_possession() -> None:
    found = policy(PIN, SMS, checks.Callback(), read=Requirement(bits=1, factors=2))
    assert broken(found, floors.nist4) == [("SP 800-63B-4 3.1.3.3", "checks")]
    (violation,) = found.check(floors.nist4)
    assert "one_time_code, callback" in violation.found


@pytest.mark.parametrize(
    ("floor", "lifetimes", "field"),
    [
        (floors.psd2, Lifetimes(question=timedelta(seconds=301)), "lifetimes.question"),
        (floors.pci, Lifetimes(question=timedelta(seconds=901)), "lifetimes.question"),
        (floors.us_cpni, Lifetimes(cool_off=timedelta(days=29)), "lifetimes.cool_off"),
    ],
)
def test_times_are_held_to_the_second(floor: floors.Floor, lifetimes: Lifetimes, field: str) -> None:
    base = policy(PIN, APP, lifetimes=lifetimes, budgets=Budgets(consecutive=5), read=Requirement(bits=1, factors=2))
    assert [path for _, path in broken(base, floor)] == [field]
    met = replace(Lifetimes(), question=timedelta(seconds=300), cool_off=timedelta(days=30))
    held = policy(PIN, APP, lifetimes=met, budgets=Budgets(consecutive=5), read=Requirement(bits=1, factors=2))
    assert broken(held, floor) == []


def test_six_consecutive_failures_are_one_too_many_for_psd2() -> None:
    found = policy(PIN, APP, budgets=Budgets(consecutive=6), pay=Requirement(bits=1, factors=2))
    (violation,) = found.check(floors.psd2)
    assert (violation.field, violation.found, violation.required) == ("budgets.consecutive", "6", "at most 5")
    assert str(violation).endswith("[secondary source]")


def test_one_factor_is_too_few_for_psd2() -> None:
    found = policy(PIN, APP, budgets=Budgets(consecutive=5), pay=Requirement(bits=1))
    assert broken(found, floors.psd2) == [("RTS 2018/389 art. 4(1)", "actions.pay.factors")]


@pytest.mark.parametrize(
    ("tier", "held"),
    [
        ({"up_to": "30", "ceiling": "100"}, True),
        ({"up_to": "30", "count": 5}, True),
        ({"up_to": "30.01", "ceiling": "100"}, False),
        ({"up_to": "30", "ceiling": "100.01"}, False),
        ({"up_to": "30", "count": 6}, False),
    ],
)
def test_low_value_payments_stay_low(tier: dict[str, object], held: bool) -> None:
    small = Tier(
        currency="EUR",
        requirement=Requirement.none(),
        **{k: Decimal(v) if k != "count" else v for k, v in tier.items()},
    )  # type: ignore[arg-type]
    pay = Requirement(bits=1, factors=2, stakes=(small,))
    found = policy(PIN, APP, budgets=Budgets(consecutive=5), pay=pay)
    assert (broken(found, floors.psd2) == []) is held


def test_call_detail_never_opens_on_biography() -> None:
    born = checks.DateOfBirth()
    low = policy(born, TENURE, PIN, call_detail=Requirement(bits="0.3"))
    assert broken(low, floors.us_cpni) == [("47 CFR 64.2010(b)", "actions.call_detail")]
    named = policy(born, TENURE, PIN, call_detail=Requirement(bits="0.3", all_of=("pin",)))
    assert broken(named, floors.us_cpni) == []
    either = policy(born, TENURE, PIN, APP, call_detail=Requirement(bits="0.3", any_of=("pin", "app_confirmation")))
    assert broken(either, floors.us_cpni) == []
    weak = policy(born, TENURE, PIN, APP, call_detail=Requirement(bits="0.3", any_of=("pin", "account_tenure")))
    assert broken(weak, floors.us_cpni) == [("47 CFR 64.2010(b)", "actions.call_detail")]


def test_floors_combine_without_saying_anything_twice() -> None:
    both = floors.nist4 | floors.psd2
    assert both.name == "nist4 + psd2"
    assert len((both | floors.nist4).rules) == len(both.rules)


def test_every_rule_says_how_it_is_known() -> None:
    for floor in (floors.nist4, floors.asvs5, floors.psd2, floors.us_cpni, floors.pci):
        assert all(rule.known in {"verified", "secondary", "memory"} and rule.clause for rule in floor.rules)


def test_the_bank_profile_says_where_psd2_is_not_met() -> None:
    assert broken(profiles.bank(), floors.psd2) == [("RTS 2018/389 art. 4(1)", "actions.read_balance.factors")]


def test_the_telecom_profile_meets_cpni_for_call_detail() -> None:
    fields = [field for _, field in broken(profiles.telecom(), floors.us_cpni)]
    assert "actions.call_detail" not in fields


@pytest.mark.parametrize(
    ("demand", "value"),
    [
        (floors.Demand.AT_MOST, "600"),
        (floors.Demand.AT_LEAST, True),
        (floors.Demand.NO_CHANNEL, 6),
        (floors.Demand.LOW_VALUE, 30),
        (floors.Demand.LOW_VALUE, (30, 100)),
        (floors.Demand.FACTORS, (1, 2, 3)),
    ],
)
def test_a_rule_of_the_wrong_type_is_refused(demand: floors.Demand, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"the value of a rule '{demand.value}' is of another type"):
        floors.Rule("house rule 1", "lifetimes.code", demand, value, "verified")  # type: ignore[arg-type]


def test_a_check_takes_a_floor() -> None:
    with pytest.raises(UsageError, match=r"check takes a floor, as in policy\.check\(floors\.psd2\)"):
        profiles.bank().check("psd2")  # type: ignore[arg-type]


def test_a_floor_of_the_house() -> None:
    house = floors.Floor(
        name="house",
        rules=(floors.Rule("rule 1", "lifetimes.code", floors.Demand.AT_MOST, 60, "verified"),),
    )
    assert broken(policy(PIN, APP, read=Requirement(bits=1)), house) == [("rule 1", "lifetimes.code")]


def test_any_of_two_secrets_is_more_than_biography() -> None:
    one = policy(PIN, TENURE, APP, read=Requirement(bits=1, any_of=("pin", "app_confirmation")))
    other = policy(PIN, TENURE, APP, read=Requirement(bits=1, any_of=("pin", "account_tenure")))
    assert broken(one, floors.us_cpni) == []
    assert broken(other, floors.us_cpni) == [("47 CFR 64.2010(b)", "actions.read")]


def test_a_tier_that_asks_something_is_judged_too() -> None:
    weak = Tier(up_to=Decimal(100), currency="EUR", requirement=Requirement(bits=1))
    found = policy(PIN, APP, budgets=Budgets(consecutive=5), pay=Requirement(bits=1, factors=2, stakes=(weak,)))
    assert broken(found, floors.psd2) == [("RTS 2018/389 art. 4(1)", "actions.pay.stakes.0.requirement.factors")]


def test_what_is_and_what_must_be_is_said() -> None:
    school = checks.SecretAnswer("school", {"en": "Which was your first school?"})
    mail = checks.OneTimeCode("mail", channel="email")
    summed = Tier(up_to=Decimal(50), currency="EUR", requirement=Requirement.none(), ceiling=Decimal(200))
    counted = Tier(up_to=Decimal(30), currency="EUR", requirement=Requirement.none(), count=9)
    found = policy(
        checks.DateOfBirth(), TENURE, school, SMS, mail,
        lifetimes=Lifetimes(question=timedelta(minutes=20), cool_off=timedelta(days=1)),
        budgets=Budgets(consecutive=20),
        read=Requirement(bits="0.3"), call=Requirement(bits="0.3", all_of=("school",)),
        pay=Requirement(bits="0.3", factors=2, stakes=(summed,)),
        give=Requirement(bits="0.3", factors=2, stakes=(counted,)),
    )  # fmt: skip
    every = floors.nist4 | floors.psd2 | floors.us_cpni | floors.pci
    assert {(each.field, each.found, each.required) for each in found.check(every)} == {
        ("actions.call.factors", "0", "1 distinct factors, knowledge not counted"),
        ("actions.read.factors", "0", "1 distinct factors, knowledge not counted"),
        ("actions.pay.factors", "0", "1 distinct factors, knowledge not counted"),
        ("actions.give.factors", "0", "1 distinct factors, knowledge not counted"),
        ("checks", "possession only by one_time_code", "a possession that does not rest on the sim"),
        ("checks.4.channel", "email", "another channel: email is not out of band"),
        ("actions.call.factors", "1", "2 distinct factors"),
        ("actions.read.factors", "0", "2 distinct factors"),
        ("budgets.consecutive", "20", "at most 5"),
        ("lifetimes.question", "1200 s", "at most 300 s"),
        ("lifetimes.question", "1200 s", "at most 900 s"),
        (
            "actions.pay.stakes.0",
            "up to 50 EUR, together 200, any number of times",
            "30 EUR, together 100 EUR or 5 times",
        ),
        ("actions.give.stakes.0", "up to 30 EUR, without a ceiling, 9 times", "30 EUR, together 100 EUR or 5 times"),
        (
            "actions.read",
            "within reach of facts that others know",
            "more than biographical and account facts: a password or a call-back",
        ),
        ("lifetimes.cool_off", "86400 s", "at least 2592000 s"),
    }
    assert {each.floor for each in found.check(floors.psd2)} == {"psd2"}
