"""One-time codes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import timedelta
from hashlib import new
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    Budget,
    Budgets,
    Contact,
    Customer,
    Lifetimes,
    Notice,
    Policy,
    Requirement,
    ThreatModel,
    UsageError,
    Verdict,
    checks,
    totp,
)
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.conftest import Race
    from tests.flows.conftest import Desk

AGAIN = "That code was not right. Please read it once more."


def other(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 10**6:06d}"


def only_codes(**budgets: Any) -> Policy:
    return Policy(
        name="codes",
        checks=[checks.OneTimeCode()],
        threats=ThreatModel.points({"one_time_code": 50}),
        actions={"code": Requirement(bits=1)},
        budgets=Budgets(sends=Budget(1000, timedelta(hours=1)), **budgets),
    )


def test_ot_01_guessing_across_sessions_calls_and_agents(make: Callable[..., Desk]) -> None:
    desk = make(only_codes())
    compared = 0
    for k in range(60):
        call = desk.another(id=f"call-{k}", agent=f"agent-{k % 4}", number=f"+336123456{k:02d}")
        step = desk.open("code", call=call)
        while step.challenge is not None:
            step = desk.say(step, other(desk.sender.code(), k + 1), call=call)
            compared += 1
    assert compared == 11  # of these the last was refused: ten are compared a day
    assert desk.observer.notices.count(Notice.BUDGET_REFUSED) == 1


def test_ot_01_guessing_across_sessions_in_processes(race: Race) -> None:
    bench = race.bench(only_codes())
    steps = [bench.verifier.open("cust-42", action="code", call=bench.call) for _ in range(24)]
    wrong = other(bench.sender.code())
    jobs = [{"verb": "respond", "args": [s.challenge.id, wrong], "call": {}, "more": {}} for s in steps]
    found = race.run([jobs[at::4] for at in range(4)], threads=6)
    assert sum(int(each.get("compared", 0)) for each in found) == 10


def test_ot_02_a_used_code_is_used(desk: Desk) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    done = desk.say(step, code)
    assert desk.say(step, code).require().token == done.require().token  # the same request, not a second use
    desk.redeem(done, "code")
    for call in (desk.call, desk.another(id="call-9")):
        again = desk.open("code", call=call)
        if desk.sender.code() != code:
            assert desk.say(again, code, call=call).challenge.text == AGAIN


@pytest.mark.parametrize("spelling", ["{} ", " {}", "{0[0]} {0[1]} {0[2]}{0[3]}{0[4]}{0[5]}"])
def test_ot_03_a_used_code_is_used_in_every_spelling(desk: Desk, spelling: str) -> None:
    step = desk.open("code")
    code = desk.sender.code()
    desk.say(step, code)
    second = desk.open("code")
    if desk.sender.code() != code:
        step = desk.say(second, spelling.format(code))
        step = desk.say(step, "".join(chr(0x0660 + int(digit)) for digit in code))
        assert desk.say(step, "".join(chr(0xFF10 + int(digit)) for digit in code)).verdict is Verdict.DENIED


def test_ot_04_a_code_of_one_customer_counts_against_the_other(desk: Desk) -> None:
    desk.customers["cust-9"] = desk.customers["cust-42"]
    desk.enroller.enroll("cust-9", {"pin": "8351"}, by="crm-import")
    desk.open("code")
    mine = desk.sender.code()
    step = desk.open("code", subject="cust-9")
    theirs = desk.sender.code()
    if mine != theirs:
        step = desk.say(step, mine)
        assert step.challenge.text == AGAIN
        assert desk.say(desk.say(step, mine), mine).verdict is Verdict.DENIED


def test_ot_05_a_code_for_one_purpose_is_none_for_another(desk: Desk) -> None:
    first = desk.open("code")
    code = desk.sender.code()
    second = desk.open("code2")
    if desk.sender.code() != code:
        assert desk.say(second, code).challenge.text == AGAIN
    assert desk.say(first, code).verdict is Verdict.VERIFIED
    third = desk.verifier.step_up(first.session_id, action="code2", call=desk.call)
    assert third.challenge is not None


def test_ot_06_an_older_code_is_dead_once_a_new_one_was_sent(desk: Desk) -> None:
    step = desk.open("code")
    old = desk.sender.code()
    desk.clock.advance(seconds=30)
    step = desk.verifier.resend(step.challenge.id, call=desk.call)
    if desk.sender.code() != old:
        assert desk.say(step, old).challenge.text == AGAIN


@pytest.mark.parametrize(("microseconds", "verdict"), [(-1, "verified"), (0, "pending"), (1, "pending")])
def test_ot_07_expiry(
    make: Callable[..., Desk], policy: Callable[..., Policy], microseconds: int, verdict: str
) -> None:
    desk = make(policy(lifetimes=Lifetimes(code=timedelta(seconds=120))))
    step = desk.open("code")
    desk.clock.advance(timedelta(seconds=120, microseconds=microseconds))
    assert desk.say(step).verdict.value == verdict


@pytest.mark.parametrize("seconds", [601, 3600, 0, 29])
def test_ot_07_no_code_lives_over_ten_minutes(policy: Callable[..., Policy], seconds: int) -> None:
    with pytest.raises(ValueError, match=r"lifetimes\.code"):
        policy(lifetimes=Lifetimes(code=timedelta(seconds=seconds)))


def test_ot_08_a_code_at_rest_is_a_keyed_tag(desk: Desk) -> None:
    desk.open("code")
    code = desk.sender.code()
    held = _dump(desk)
    assert len(held) > 1000
    for shown in (code, *(new(name, code.encode()).hexdigest() for name in ("md5", "sha1", "sha256"))):
        assert not desk.shows(shown, held)
        assert shown.encode().hex() not in held


def _dump(desk: Desk) -> str:
    with desk.store._reading() as db:
        assert isinstance(db, sqlite3.Connection)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [str(row) for name in tables for row in db.execute(f"SELECT * FROM {name}")]  # noqa: S608
    if isinstance(desk.store, SQLiteStore):
        path = Path(desk.store._path)
        rows += [each.read_bytes().decode("latin-1") for each in path.parent.glob(path.name + "*")]
    return "\n".join(rows)


def test_ot_09_codes_are_uniform_and_keep_their_leading_zeros() -> None:
    from kyc_verify.hashing.keyed import KeyedTags  # noqa: PLC0415

    codes = [KeyedTags.new_code().reveal() for _ in range(20_000)]
    assert {len(code) for code in codes} == {6}
    for place in range(6):
        seen = Counter(code[place] for code in codes)
        # 9 degrees of freedom: beyond 70 once in 10^11 times; a digit drawn one tenth too seldom gives over 200.
        assert sum((seen[digit] - 2000) ** 2 / 2000 for digit in "0123456789") < 70
    assert len(set(codes)) > 19_600  # about 199 pairs by the birthday bound


@pytest.mark.parametrize("fail", [RuntimeError("down"), TimeoutError(), StopIteration(), OSError("+33612345678")])
def test_ot_10_a_sender_that_fails_shows_nothing_and_is_counted(make: Callable[..., Desk], fail: Exception) -> None:
    desk = make()
    text = desk.open("code").challenge.text
    desk.sender.fail = fail
    step = desk.open("code")
    assert (step.verdict, step.challenge.text) == (Verdict.PENDING, text)
    assert Notice.DELIVERY_FAILED in desk.observer.notices
    desk.sender.fail = None
    for _ in range(3):
        desk.fresh().open("code")
    assert desk.open("code").verdict is Verdict.REVIEW  # 5 sends an hour, the failed one among them


def test_ot_11_sends_are_capped_by_subject_whatever_the_call(make: Callable[..., Desk]) -> None:
    """Many calls, many agents, one customer."""
    policy = Policy(
        name="p", checks=[checks.OneTimeCode()], threats=ThreatModel.points({"one_time_code": 50}),
        actions={"code": Requirement(bits=1)},
    )  # fmt: skip
    desk = make(policy)
    for k in range(30):
        desk.open("code", call=desk.another(id=f"call-{k}", agent=f"agent-{k}"))
    assert len(desk.sender.messages) == 5
    assert Notice.BUDGET_SPENT in desk.observer.notices


def test_ot_11_sends_are_capped_by_number_and_by_country_whoever_asks(make: Callable[..., Desk]) -> None:
    """Many customers with one number, and then many with numbers of one country; both are told to the observer."""
    desk = make(
        only_codes(destination=Budget(4, timedelta(hours=1)), country=Budget(9, timedelta(hours=1))), contacts=[]
    )
    for k in range(30):
        number = "+33612345678" if k < 15 else f"+336123456{k}"
        since = desk.clock.now - timedelta(days=400)
        desk.customers[f"cust-{k}"] = Customer(contacts=(Contact(number=number, since=since),))
        call = desk.another(id=f"call-{k}", agent=f"agent-{k}", number=f"+336987654{k:02d}")
        assert desk.open("code", subject=f"cust-{k}", call=call).verdict is Verdict.PENDING
    # A refused destination has cost its country a message: the cap errs on the side of fewer.
    assert len(desk.sender.messages) == 4
    assert desk.observer.notices.count(Notice.DESTINATION_BUSY) == 11
    assert desk.observer.notices.count(Notice.COUNTRY_BUSY) == 21


@pytest.mark.parametrize("budget", ["destination", "country"])
def test_ot_11_caps_of_destinations_and_countries_hold_under_a_race(race: Race, budget: str) -> None:
    race.bench(only_codes(**{budget: Budget(7, timedelta(hours=1))}))
    jobs = [
        {
            "verb": "open",
            "args": ["cust-42"],
            "call": {"id": f"call-{k}", "agent": f"agent-{k}"},
            "more": {"action": "code"},
        }
        for k in range(32)
    ]
    found = race.run([jobs[at::4] for at in range(4)], threads=4)
    assert sum(int(each.get("sent", 0)) for each in found) == 7
    assert {each["verdict"] for each in found} == {"pending"}


def test_ot_12_the_agent_cannot_choose_where_a_code_goes(desk: Desk) -> None:
    desk.open("code", call=desk.another(number="+33698765432"))
    assert desk.sender.last().destination == "+33612345678"
    with pytest.raises(TypeError):
        desk.verifier.open("cust-42", action="code", call=desk.call, number="+33698765432")


@pytest.mark.parametrize(
    "said", ["", "ABCDEF", "-1", "1e5", "x" * 10_000_000, "١٢٣", "12345", "1234567", "０", "\ud800"]
)
def test_ot_13_a_malformed_code_is_a_wrong_one(desk: Desk, said: str) -> None:
    step = desk.open("code")
    step = desk.say(step, said)
    assert step.challenge.text == AGAIN
    assert desk.say(desk.say(step, said), said).verdict is Verdict.DENIED


@pytest.mark.parametrize("said", [None, [], 123456, b"123456", {"code": "1"}])
def test_ot_13_what_is_no_text_is_refused(desk: Desk, said: Any) -> None:
    step = desk.open("code")
    with pytest.raises(UsageError):
        desk.verifier.respond(step.challenge.id, said, call=desk.call)


def test_ot_14_there_is_nothing_to_replay_in_the_client(make: Callable[..., Desk]) -> None:
    """A Step holds no counter: sending an earlier challenge again neither compares nor charges nor refills."""
    desk = make()
    first = desk.open("code")
    code = desk.sender.code()
    second = desk.say(first, other(code))
    third = desk.say(second, other(code, 2))
    for step, said in ((first, other(code)), (second, other(code, 2)), (first, other(code))):
        desk.say(step, said)
    assert desk.say(third, other(code, 3)).verdict is Verdict.DENIED


def test_ot_15_a_resend_refills_no_tries(desk: Desk) -> None:
    step = desk.open("code")
    step = desk.say(desk.say(step, other(desk.sender.code())), other(desk.sender.code(), 2))
    desk.clock.advance(seconds=30)
    step = desk.verifier.resend(step.challenge.id, call=desk.call)
    assert desk.say(step, other(desk.sender.code())).verdict is Verdict.DENIED


def only_apps() -> Policy:
    pytest.importorskip("pyotp")
    pytest.importorskip("cryptography")
    return Policy(
        name="apps",
        checks=[checks.AuthenticatorCode()],
        threats=ThreatModel.points({"authenticator_code": 50}),
        actions={"code": Requirement(bits=1)},
        budgets=Budgets(codes=Budget(1000, timedelta(days=1))),
    )


def test_ot_16_a_step_is_accepted_once_and_none_before_it(make: Callable[..., Desk]) -> None:
    desk = make(only_apps())
    seed = desk.seeds["cust-42"]
    before, now, after = (totp.code_at(seed, desk.clock.now + k * totp.STEP).reveal() for k in (-1, 0, 1))
    assert desk.say(desk.open("code"), now).verdict is Verdict.VERIFIED
    for k, old in enumerate((now, before, now, before)):
        desk.clock.advance(seconds=10 * (k % 2))
        assert desk.say(desk.fresh().open("code"), old).verdict is Verdict.PENDING
    assert desk.say(desk.fresh().open("code"), after).verdict is Verdict.VERIFIED
    desk.clock.back(minutes=5)
    for old in (now, before, after):
        assert desk.say(desk.fresh().open("code"), old).verdict is Verdict.PENDING


def test_ot_16_nor_over_a_restart(tmp_path: Path) -> None:
    path, verdicts = tmp_path / "kyc.db", []
    first = Bench(only_apps(), store=SQLiteStore(path))
    code = first.answer(first.verifier.open("cust-42", action="code", call=first.call).challenge)
    for _ in range(2):
        again = Bench(only_apps(), store=SQLiteStore(path), hasher=first.hasher)
        again.seeds["cust-42"] = first.seeds["cust-42"]
        step = again.verifier.open("cust-42", action="code", call=again.call)
        verdicts.append(again.verifier.respond(step.challenge.id, code, call=again.call).verdict)
        again.store.close()
    first.store.close()
    assert verdicts == [Verdict.VERIFIED, Verdict.PENDING]


def test_ot_16_one_code_in_many_processes_is_accepted_once(race: Race) -> None:
    bench = race.bench(only_apps())
    race.environ["KYC_RACE_SEED"] = bench.seeds["cust-42"].reveal()
    steps = [bench.verifier.open("cust-42", action="code", call=bench.call) for _ in range(24)]
    code = bench.answer(steps[0].challenge)
    jobs = [{"verb": "respond", "args": [s.challenge.id, code], "call": {}, "more": {}} for s in steps]
    found = race.run([jobs[at::4] for at in range(4)], threads=6)
    assert Counter(each["verdict"] for each in found) == {"verified": 1, "pending": 23}
    assert sum(bool(each["grant"]) for each in found) == 1
