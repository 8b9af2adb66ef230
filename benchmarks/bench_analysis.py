"""What the analysis costs, what the order of questions saves, and what an incident changes.

Run: python benchmarks/bench_analysis.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from kyc_verify import checks, plan
from kyc_verify.analysis import attack_paths, compare, curve, error_rates, lint, question_order
from kyc_verify.analysis._setting import Setting
from kyc_verify.analysis.paths import minimal_sets
from kyc_verify.policy import Policy, Requirement
from kyc_verify.threats import ThreatModel

FIELDS = ("birth_date", "postcode", "ssn")
FACTS = (
    "mothers_maiden_name",
    "city_of_birth",
    "fathers_middle_name",
    "last_transaction",
    "ssn_last4",
    "postcode",
    "first_phone_number",
    "name_and_address",
    "account_or_customer_number",
    "favourite_food",
    "static_kba_battery",
)


def fact(row: str) -> checks.Check:
    return checks.SecretAnswer(row, {"en": "What is it?"}, row=row)


def policy(count: int, requirement: Requirement) -> Policy:
    """Return a policy of so many checks: two signals, three possessions and the rest knowledge."""
    layers: list[checks.Check] = [
        checks.CallerNumber(),
        checks.SimSwap(),
        checks.AccountTenure(),
        checks.Pin(),
        checks.AppConfirmation(),
        checks.OneTimeCode(channel="sms"),
        checks.DateOfBirth(),
        checks.OneTimeCode("mail_code", channel="email"),
        checks.Callback(),
        *map(fact, FACTS),
    ]
    return Policy(name="bench", checks=layers[:count], actions={"act": requirement})


def milliseconds(act: Callable[[], object], rounds: int = 5) -> float:
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        found.append(1000 * (time.perf_counter() - start))
    return statistics.median(found)


def speed() -> None:
    print("milliseconds, median of 5; six classes; 3 bits, two factors\n")
    print("| what | first | lossless |\n|---|---|---|")
    rules = [Requirement(bits=3, factors=2, accept=accept) for accept in ("first", "lossless")]

    def row(what: str, act: Callable[[Policy], object], count: int) -> None:
        cells = [f"{milliseconds(partial(act, policy(count, rule))):.1f}" for rule in rules]
        print(f"| {what} | {' | '.join(cells)} |")

    def sets(each: Policy) -> object:
        setting = Setting.of(each, "act")
        return minimal_sets(setting, setting.rule())

    def order(each: Policy) -> object:
        plan.tied_orders.cache_clear()
        return plan.tied_orders(each, each.actions["act"], frozenset(check.id for check in each.checks))

    for count in (8, 12, 16, 20):
        row(f"rates of one run, {count} checks", lambda each: error_rates(each, "act", runs=1), count)
    row("rates of five runs, 12 checks", lambda each: error_rates(each, "act"), 12)
    row("the curve over all thresholds, 12 checks", lambda each: curve(each, "act"), 12)
    row("least sets, 20 checks", sets, 20)
    row("ways in, 64 sets of capabilities, 12 checks", lambda each: attack_paths(each, "act"), 12)
    row("lint, 12 checks", lint, 12)
    row("order of 9 active questions", order, 11)


def seconds() -> None:
    print("\nseconds of genuine callers; in brackets of those who are verified\n")
    print("| requirement | everything | as given | best order | following the answers |\n|---|---|---|---|---|")
    for count, bits, factors in ((6, 2, 0), (8, 2, 0), (8, 3, 2), (11, 2, 0), (11, 3, 2)):
        for accept in ("first", "lossless"):
            each = policy(count, Requirement(bits=bits, factors=factors, accept=accept))
            found = question_order(each, "act")
            best = found.best[0]
            print(
                f"| {count} checks, {bits} bits, factors={factors}, {accept} | {found.everything:.0f} "
                f"| {found.given.seconds:.1f} ({found.given.seconds_verified:.1f}) "
                f"| {best.seconds:.1f} ({best.seconds_verified:.1f}) | {found.adaptive:.1f} |"
            )


def incident() -> None:
    layers = [
        checks.CallerNumber(),
        checks.SimSwap(),
        checks.Pin(),
        checks.AppConfirmation(),
        checks.OneTimeCode(channel="sms"),
        checks.DateOfBirth(),
        fact("postcode"),
        fact("ssn_last4"),
    ]
    given = {"pin": 2, "app_confirmation": 2, "one_time_code": 2, "caller_number": 1, "sim_swap": 0}
    points = ThreatModel.points({**given, "date_of_birth": 1, "postcode": 1, "ssn_last4": 1})
    by_points = Policy(name="points", checks=layers, actions={"act": Requirement(bits=3)}, threats=points)
    by_bits = Policy(name="bits", checks=layers, actions={"act": Requirement(bits=4)})
    told = compare(by_points, by_points, fields=FIELDS, threats=ThreatModel.default()).actions[0]
    mode = compare(by_bits, by_bits.with_incident(FIELDS)).actions[0]
    print("\nthree fields exposed; illustrative\n")
    print("| class | points, before | after | bits, before | after, as it was | after, incident mode |")
    print("|---|---|---|---|---|---|")
    for name in told.before:
        cells = (
            told.before[name], told.exposed[name], mode.before[name], mode.exposed[name], mode.after[name],
        )  # fmt: skip
        print(f"| {name} | {' | '.join(f'{p:.2g}' for p in cells)} |")
    print(
        f"| worst rise | | {told.rise_without:.0f}-fold | | {mode.rise_without:.0f}-fold | {mode.rise:.1f}-fold |\n"
        f"| genuine verified | {told.genuine[0]:.3f} | | {mode.genuine[0]:.3f} | | {mode.genuine[1]:.3f} |"
    )


if __name__ == "__main__":
    speed()
    seconds()
    incident()
