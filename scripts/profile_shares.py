"""Print, for each ready-made policy and for the example's, whom each action lets through and how long it takes.

``python scripts/profile_shares.py`` prints the table that `docs/profiles.md` quotes. Everything is computed exactly
from the shipped table: nothing is typed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kyc_verify import Policy, Requirement, Verdict, analysis, checks, profiles

WITHOUT = {
    "everything enrolled": (),
    "without a PIN": ("pin",),
    "without the app": ("app_confirmation",),
    "without attestation": ("caller_number",),
}


def example() -> Policy:
    """Return the policy of the README."""
    return Policy(
        name="retail-bank",
        checks=[
            checks.CallerNumber(),
            checks.SimSwap(),
            checks.AccountTenure(),
            checks.Pin(),
            checks.AppConfirmation(),
            checks.OneTimeCode(channel="sms"),
        ],
        actions={
            "opening_hours": Requirement.none(),
            "read_balance": Requirement(bits=2),
            "change_phone": Requirement(bits=3, factors=2, accept="lossless"),
        },
    )


def rows(policy: Policy) -> list[str]:
    """Return the lines of one policy: each action's share of genuine callers verified, and its best-placed attacker."""
    found: list[str] = []
    ids = [check.id for check in policy.checks]
    for action, requirement in policy.actions.items():
        if requirement.exempt:
            continue
        shares: list[str] = []
        for lacking in WITHOUT.values():
            rates = analysis.error_rates(policy, action, available=[n for n in ids if n not in lacking], runs=1)
            shares.append(f"{rates.genuine[Verdict.VERIFIED]:.0%}")
        rates = analysis.error_rates(policy, action, runs=1)
        worst = max(rates.attackers, key=lambda name: rates.attackers[name])
        seconds = analysis.question_order(policy, action).given.seconds
        found.append(
            f"| {policy.name} | {action} | {' | '.join(shares)} | {rates.attackers[worst]:.1%} ({worst}) | "
            f"{rates.bound:.1%} | {seconds:.0f} s |"
        )
    return found


def table() -> str:
    """Return the whole table."""
    head = "| policy | action | " + " | ".join(WITHOUT) + " | best-placed attacker | bound | genuine caller |"
    policies = (profiles.everyday(), profiles.bank(), profiles.telecom(), profiles.help_desk(), example())
    return "\n".join([head, "|---" * (len(WITHOUT) + 5) + "|", *(row for policy in policies for row in rows(policy))])


if __name__ == "__main__":
    if "--write" in sys.argv:
        page = Path(__file__).parent.parent / "docs" / "profiles.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("<!-- table -->\n")
        _, _, after = rest.partition("<!-- end -->")
        page.write_text(f"{before}<!-- table -->\n{table()}\n<!-- end -->{after}", encoding="utf-8")
    else:
        print(table())
