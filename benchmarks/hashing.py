"""What hashing costs: bare Argon2id and ours side by side, tags, codes, and what a thief pays for guesses.

Run: python benchmarks/hashing.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from argon2.low_level import Type, hash_secret_raw

from kyc_verify.answers import digits, durations, text
from kyc_verify.hashing import AnswerContext, CodeContext, Keyring, SecretHasher, grading
from kyc_verify.hashing.slow import PROFILES
from kyc_verify.hashing.tags import mac

NOW = datetime(2031, 6, 15, tzinfo=UTC)
KEYS = Keyring({"1": bytes(range(32))})
ABOUT: AnswerContext = {"tenant": "acme", "subject": "cust-42", "check": "pin", "kind": "digits", "forms_version": 1}
CODE: CodeContext = {
    "tenant": "acme",
    "subject": "cust-42",
    "check": "one_time_code",
    "session": "s-1",
    "send": 0,
    "purpose": "change_phone",
    "stake": "12.5 EUR FR76 3000",
}


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def best(act: Callable[[], object], rounds: int) -> float:
    return min(seconds(act) for _ in range(rounds))


def interleaved(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Medians of both, taken in turns and in both orders, so that drift and caches hit both alike."""
    taken: dict[Callable[[], object], list[float]] = {one: [], other: []}
    for number in range(rounds):
        for act in (one, other) if number % 2 else (other, one):
            taken[act].append(seconds(act))
    return statistics.median(taken[one]), statistics.median(taken[other])


def slow(name: str, rounds: int) -> None:
    costs, hasher = PROFILES[name], SecretHasher(KEYS, profile=name)
    pin = hasher.enroll(digits.forms("4831"), at=NOW, by="crm", **ABOUT)
    opened = hasher.enroll(durations.forms(date(2019, 3, 14)), at=NOW, by="crm", **ABOUT)
    said, tenure = digits.forms("4832"), durations.attempt(2019 * 12 + 2, now=NOW)

    def bare() -> bytes:
        return hash_secret_raw(bytes(32), bytes(16), costs.time, costs.memory, costs.parallelism, 32, Type.ID)

    plain, answer = interleaved(bare, lambda: hasher.verify(pin, said, **ABOUT), rounds)
    again, months = interleaved(bare, lambda: hasher.verify(opened, tenure, **ABOUT), rounds)
    print(f"{name}: bare {plain * 1e3:.1f} ms, one answer x {answer / plain:.3f}, a tenure x {months / again:.3f}")
    print("  a thief who has the pepper too, on this machine, at most:")
    for what, guesses in (("an opening month", 1), ("a 4-digit PIN", 10_000), ("a 6-digit PIN", 1_000_000)):
        print(f"    {what}: {guesses * plain:,.1f} s")


def fast() -> None:
    tenure = durations.attempt(2019 * 12 + 2, now=NOW)
    key, hasher = bytes(32), SecretHasher(KEYS, profile="owasp")
    true = grading.kept(key, durations.forms(date(2019, 3, 14)).fine, near=False, typo=())
    print(f"1,536 months graded: {best(lambda: grading.grade(key, tenure, true, ()), 200) * 1e3:.2f} ms")
    wide = text.forms("Chartreuse", tolerance="typo")
    tags = grading.typo_tags(key, wide)
    stored = grading.kept(key, wide.fine, near=True, typo=tags * 6)
    print(f"one word within a typo graded: {best(lambda: grading.grade(key, wide, stored, tags), 200) * 1e6:.0f} us")
    one = best(lambda: [mac(key, "code", b"", "012345") for _ in range(10_000)], 5) / 10_000
    print(f"one tag {one * 1e6:.1f} us; with the code key, a 6-digit code is found in {one * 1e6:.1f} s at most")
    tag = hasher.code_tag("012345", **CODE)
    print(f"a code matched: {best(lambda: hasher.code_matches(tag, '012345', **CODE), 500) * 1e6:.0f} us")
    print(f"a grant derived: {best(lambda: hasher.grant_token('s-1', 3), 500) * 1e6:.0f} us")
    ring = best(lambda: Keyring({str(n): bytes(range(n, n + 32)) for n in range(3)}), 200)
    print(f"a keyring of three read: {ring * 1e6:.0f} us")


def imports() -> None:
    def run(code: str) -> float:
        return min(seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(7))

    bare, room = run("pass"), run("import kyc_verify.hashing")
    first = run("from kyc_verify.hashing import SecretHasher; SecretHasher.unpeppered()")
    print(
        f"import kyc_verify.hashing: {(room - bare) * 1e3:.0f} ms, with the first hasher {(first - bare) * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    slow("rfc9106_low_memory", 25)
    slow("owasp", 100)
    fast()
    imports()
