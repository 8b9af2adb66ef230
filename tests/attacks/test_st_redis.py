"""Redis beside a durable store, when Redis forgets, fails, is slow, or is another one."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kyc_verify import (
    Budget,
    Budgets,
    Busy,
    ConfigurationError,
    KycVerifyError,
    MissingExtraError,
    Policy,
    Requirement,
    Step,
    StoreError,
    ThreatModel,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify._flows import answering
from kyc_verify.audit import verify
from kyc_verify.errors import ConflictError
from kyc_verify.ports import LEASE
from kyc_verify.stores import AsyncRedisStore, CompositeStore, MemoryStore, RedisStore, SQLiteStore
from kyc_verify.testing import Bench, cheap_hasher
from kyc_verify.testing._contract.desk import NOW, Desk, charge
from tests.services import Server

POLICY = Policy(
    name="hot",
    checks=[checks.Pin(), checks.OneTimeCode()],
    threats=ThreatModel.points({"pin": 60, "one_time_code": 60}),
    actions={
        "know": Requirement(bits=1, checks=("pin",)),
        "both": Requirement(all_of=("pin", "one_time_code")),
    },
    budgets=Budgets(answers=Budget(3, timedelta(days=1)), consecutive=50, runs=timedelta(hours=1)),
)


@pytest.fixture
def server() -> Iterator[Server]:
    if shutil.which("redis-server") is None:
        from tests.services import absent  # noqa: PLC0415

        absent("redis-server", "not installed")
    folder = Path(tempfile.mkdtemp(prefix="kyc_redis_"))
    found = Server(folder)
    found.start()
    yield found
    found.signal(signal.SIGCONT)
    found.kill()
    shutil.rmtree(folder)


@pytest.fixture
def made(server: Server, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Return a maker of benches over the server and a file, which stay the same."""
    stores: list[Any] = []

    def make(client: Any = None, **more: Any) -> Bench:
        client = client or Redis(
            unix_socket_path=str(server.socket), socket_timeout=1, retry=Retry(NoBackoff(), retries=0)
        )
        store = CompositeStore(hot=RedisStore(client), durable=SQLiteStore(tmp_path / "kyc.db"))
        stores.append((store, client))
        given = {"facts": {"pin": "4937"}} | more
        return Bench(POLICY, store=store, **given)

    yield make
    for store, client in stores:
        store.close()
        client.close()


def wrong(bench: Bench, action: str = "know") -> Verdict:
    """Guess once."""
    step = bench.verifier.open(bench.subject, action=action, call=bench.call)
    if step.challenge is None:
        return step.verdict
    return bench.verifier.respond(step.challenge.id, "0000", call=bench.call).verdict


def intact(bench: Bench) -> list[str]:
    """Return the events of the log, its chain checked."""
    kept = list(bench.store.records("default", 0, 1000))
    report = verify(kept, tenant="default", keys=bench.hasher.keyring.chain_keys())
    assert report.intact, report.faults
    return [record.event.value for record in kept]


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("appendonly", "no", "set appendonly yes"),
        ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy noeviction"),
        ("maxmemory-policy", "volatile-ttl", "set maxmemory-policy noeviction"),
        ("appendfsync", "no", "set appendfsync to always or everysec"),
    ],
)
def test_st_02_a_redis_that_may_forget_is_refused_or_warned_of_by_name(
    server: Server, made: Callable[..., Bench], name: str, value: str, told: str, tmp_path: Path
) -> None:
    bench = made(facts={})
    with server.client() as client:
        client.config_set(name, value)
    with pytest.raises(StoreError, match=told):
        bench.store.ready(bench.clock.now)
    with pytest.raises(StoreError, match=told):
        bench.verifier.open(bench.subject, action="know", call=bench.call)
    with server.client() as client, SQLiteStore(tmp_path / "loose.db") as durable:
        with pytest.raises(StoreError, match=told):
            CompositeStore(hot=RedisStore(client), durable=durable)
        with pytest.warns(RuntimeWarning, match=told):
            loose = CompositeStore(hot=RedisStore(client, allow_data_loss=True), durable=durable)
        with pytest.warns(RuntimeWarning, match=told):
            loose.ready(bench.clock.now)


def test_a_replica_is_refused(server: Server, made: Callable[..., Bench]) -> None:
    bench = made(facts={})
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)
    with pytest.raises(StoreError, match="connect to the primary"):
        bench.store.ready(bench.clock.now)
    with pytest.raises(StoreError, match="connect to the primary"):
        made(facts={})


@pytest.mark.parametrize("missing", ["-eval", "-evalsha", "-@scripting", "-info", "-hmget"])
def test_an_account_that_may_not_do_what_a_verb_needs_is_refused(server: Server, missing: str, tmp_path: Path) -> None:
    with server.client() as client:
        rights = ["-eval", "-evalsha"] if missing == "-eval" else [missing]
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", *rights)
    with (
        Redis(unix_socket_path=str(server.socket), username="app", password="pw", socket_timeout=5) as client,
        SQLiteStore(tmp_path / "acl.db") as durable,
        pytest.raises(StoreError, match=r"this account of Redis may not .* allow it \+@read") as raised,
    ):
        CompositeStore(hot=RedisStore(client), durable=durable).ready(NOW)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("junk", [{"id": "x", "lost": "y"}, {"id": "1", "lost": "9" * 30}])
def test_an_epoch_that_somebody_else_wrote_is_a_sentence(server: Server, junk: dict[str, str], tmp_path: Path) -> None:
    with server.client() as client, SQLiteStore(tmp_path / "junk.db") as durable:
        client.hset("{kyc}:epoch", mapping=junk)
        with pytest.raises(StoreError, match="a prefix that nobody else uses") as raised:
            CompositeStore(hot=RedisStore(client), durable=durable).ready(NOW)
    assert raised.value.__context__ is None


def test_settings_that_are_changed_later_are_found_out(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    assert wrong(bench) is Verdict.DENIED
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    bench.clock.advance(minutes=1)
    with pytest.raises(StoreError, match="noeviction"):
        wrong(bench)


def test_a_managed_server_that_tells_no_settings_is_used(server: Server, made: Callable[..., Bench]) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-config")
    bench = made(Redis(unix_socket_path=str(server.socket), username="app", password="pw", socket_timeout=5))
    assert wrong(bench) is Verdict.DENIED


def test_halves_of_the_wrong_kind(server: Server) -> None:
    with server.client() as client:
        with pytest.raises(ConfigurationError, match="CompositeStore takes hot=RedisStore"):
            CompositeStore(hot=client, durable=MemoryStore())  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="CompositeStore takes hot=RedisStore"):
            CompositeStore(hot=RedisStore(client), durable=object())  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="prefix"):
            RedisStore(client, prefix="")
        with pytest.raises(ConfigurationError, match="store must have the verbs"):
            Verifier(POLICY, store=RedisStore(client), hasher=cheap_hasher(), customers=Bench(POLICY).customers)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="not a pipeline of it"):
            RedisStore(client.pipeline())
    with pytest.raises(ConfigurationError, match="not a pipeline of it"):
        AsyncRedisStore(AsyncRedis().pipeline())
    with pytest.raises(ConfigurationError, match=r"takes a redis\.Redis"):
        RedisStore("redis://127.0.0.1")  # type: ignore[arg-type]
    assert issubclass(MissingExtraError, ConfigurationError)


# ── Losing everything ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["flushed", "wiped", "another"])
def test_st_01_a_wiped_redis_is_not_a_clean_slate(server: Server, made: Callable[..., Bench], how: str) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="know", call=bench.call)
    for _ in range(3):
        wrong(bench)
    assert wrong(bench) is Verdict.REVIEW
    assert step.challenge is not None
    if how == "flushed":
        with server.client() as client:
            client.flushall()
    else:
        server.kill()
        shutil.rmtree(server.folder / "appendonlydir")
        server.start()
        if how == "another":  # the state of some other deployment
            other = CompositeStore(hot=RedisStore(server.client()), durable=MemoryStore())
            other.ready(bench.clock.now)
    again = made(facts={})
    for each in (bench, again):
        for call in (
            lambda each=each: each.verifier.open(each.subject, action="know", call=each.call),
            lambda each=each: each.verifier.respond(step.challenge.id, "4937", call=each.call),
            lambda each=each: each.verifier.status(step.session_id, call=each.call),
            lambda each=each: each.store.ready(each.clock.now),
        ):
            with pytest.raises(StoreError, match="state"):
                call()
    bench.store.accept_loss(bench.clock.now)
    for each in (bench, again):
        # Nobody knows how many tries were made: all of them.
        assert wrong(each) is Verdict.REVIEW
    bench.clock.advance(days=1, seconds=-1)
    assert wrong(bench) is Verdict.REVIEW
    bench.clock.advance(seconds=1, microseconds=1)
    assert wrong(bench) is Verdict.DENIED
    intact(bench)


def test_a_killed_redis_keeps_what_it_was_told(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    for _ in range(2):
        assert wrong(bench) is Verdict.DENIED
    step = bench.verifier.open(bench.subject, action="know", call=bench.call)
    server.kill()
    assert step.challenge is not None
    with pytest.raises(StoreError):
        bench.verifier.respond(step.challenge.id, "0000", call=bench.call)
    server.start()
    assert bench.verifier.respond(step.challenge.id, "0000", call=bench.call).verdict is Verdict.DENIED
    assert wrong(bench) is Verdict.REVIEW


def test_a_durable_half_from_a_backup_is_found_out(made: Callable[..., Bench], tmp_path: Path) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="both", call=bench.call)
    bench.store.close()
    backup = (tmp_path / "kyc.db").read_bytes()
    bench = made(facts={})
    assert step.challenge is not None
    bench.verifier.respond(step.challenge.id, "0000", call=bench.call)
    bench.store.close()
    (tmp_path / "kyc.db").write_bytes(backup)
    for rest in tmp_path.glob("kyc.db-*"):
        rest.unlink()
    bench = made(facts={})
    for call in (
        lambda: bench.verifier.respond(step.challenge.id, "4937", call=bench.call),
        lambda: bench.verifier.status(step.session_id, call=bench.call),
    ):
        with pytest.raises(StoreError, match="backup"):
            call()


# ── Failing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Fails:
    """A client of which one call of the script fails: before it reaches the server, or with its reply lost."""

    def __init__(self, client: Redis, at: int, *, after: bool) -> None:
        self.count, self.client, self.at, self.after = 0, client, at, after

    def __call__(self, **given: Any) -> Any:
        self.count += 1
        if self.count != self.at:
            return self.script(**given)
        if self.after:
            self.script(**given)
        msg = "gone, with 4937 in its text"
        raise ConnectionError(msg)

    def into(self, store: CompositeStore) -> None:
        """Put it in place of the store's own script."""
        hot: Any = store._composing.hot
        self.script, hot._script = hot._script, self


def until_it_ends(bench: Bench, pin: str, request: str) -> tuple[list[str], Step]:
    """Send each request until it is answered; returns what was raised, as text, and the last step."""
    raised, step = list[str](), None
    while step is None or step.challenge is not None:
        try:
            if step is None:
                step = bench.verifier.open(bench.subject, action="both", call=bench.call, request_id=request)
                continue
            assert step.challenge is not None
            if step.challenge.check == "one_time_code" and not bench.sender.arrived:
                # It was recorded that one is sent, and then the step broke off.
                bench.clock.advance(seconds=31)
                step = bench.verifier.resend(step.challenge.id, call=bench.call)
                continue
            answer = pin if step.challenge.check == "pin" else bench.answer(step.challenge)
            step = bench.verifier.respond(step.challenge.id, answer, call=bench.call)
        except KycVerifyError as error:
            raised.append(repr(error) + repr(error.__context__) + repr(error.__cause__))
            # Where the claim was made and its acknowledgement lost, the try is spent once its lease has ended.
            bench.clock.advance(seconds=11)
            assert len(raised) < 4
    return raised, step


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pin", ["4937", "0000"])
def test_each_call_of_redis_fails_in_turn(
    made: Callable[..., Bench], pin: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_LOOK", 0.0)
    at = 0
    while True:
        at += 1
        bench = made(subject=f"cust-{at}", number=f"+3361234{at:04}")
        fails = Fails(bench.store._composing.hot._client, at, after=after)
        fails.into(bench.store)
        raised, step = until_it_ends(bench, pin, f"r-{at}")
        if pin == "0000":
            assert step.verdict is Verdict.DENIED
        elif step.verdict is Verdict.VERIFIED:
            bench.verifier.redeem(step.require(), subject=bench.subject, action="both", call=bench.call)
        intact(bench)
        assert "4937" not in "".join(raised)
        client = bench.store._composing.hot._client
        for key in client.keys("*tries*"):
            if b"\0" in key:
                continue
            claimed = Counter(each.split(b":")[0] for each in client.zrange(key, 0, -1) if b":" in each)
            assert max(claimed.values(), default=0) <= 1, "one question of one run, one attempt"
        if fails.count < at:
            break
        assert raised
    assert at > 5


def test_what_was_recorded_and_not_released_is_released_when_asked_again(made: Callable[..., Bench]) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="know", call=bench.call)
    # Of an answer: claim, spend, and the third frees the turn after the record.
    fails = Fails(bench.store._composing.hot._client, 3, after=False)
    fails.into(bench.store)
    assert step.challenge is not None
    with pytest.raises(StoreError):
        bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    assert intact(bench)[-1] == "answered"
    assert bench.verifier.status(step.session_id, call=bench.call).verdict is Verdict.VERIFIED
    again = bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    assert again.verdict is Verdict.VERIFIED
    bench.verifier.redeem(again.require(), subject=bench.subject, action="know", call=bench.call)
    assert intact(bench).count("answered") == 1


def test_fc_08_a_slow_redis_ends_in_time(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="know", call=bench.call)
    assert step.challenge is not None
    server.signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreError, match="Redis failed"):
        bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    assert time.monotonic() - began < 15
    server.signal(signal.SIGCONT)
    # It had the claim all the same, and makes it now: a try that nobody finished.
    with pytest.raises(Busy):
        bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    bench.clock.advance(seconds=11)
    assert bench.verifier.respond(step.challenge.id, "4937", call=bench.call).verdict is Verdict.DENIED


def test_a_full_redis_counts_nothing_and_lets_nobody_in(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="know", call=bench.call)
    assert step.challenge is not None
    with server.client() as client:
        client.config_set("maxmemory", "1")
    with pytest.raises(StoreError, match="Redis failed"):
        bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    with server.client() as client:
        client.config_set("maxmemory", "0")
    assert bench.verifier.respond(step.challenge.id, "4937", call=bench.call).verdict is Verdict.VERIFIED


def test_nothing_in_redis_names_the_customer(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    wrong(bench, "both")
    with server.client() as client:
        dump = b"".join(key + (client.dump(key) or b"") for key in client.keys("*"))
    log = b"".join(path.read_bytes() for path in (server.folder / "appendonlydir").iterdir())
    for secret in (bench.subject, bench.call.number or "-", bench.call.agent):
        assert secret.encode() not in dump
        assert secret.encode() not in log


def test_keys_go_by_themselves(server: Server, made: Callable[..., Bench]) -> None:
    bench = made()
    wrong(bench, "both")
    with server.client() as client:
        kept = {key.decode().split(":")[1]: client.pttl(key) for key in client.keys("*") if b"\0" not in key}
    assert kept.pop("epoch") == -1
    day = timedelta(days=1) // timedelta(milliseconds=1)
    assert day < kept["session"] <= 1.03 * day
    assert day < kept["tries"] <= 2 * day


@pytest.mark.filterwarnings("error")
def test_a_step_is_two_trips_to_each_half(made: Callable[..., Bench]) -> None:
    bench = made()
    step = bench.verifier.open(bench.subject, action="both", call=bench.call)
    fails = Fails(bench.store._composing.hot._client, 0, after=False)
    fails.into(bench.store)
    assert step.challenge is not None
    bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
    assert fails.count == 3  # claim; spend and finish around the record
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bench.store.ready(bench.clock.now)


# ── Found by looking for them ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def desk(server: Server, tmp_path: Path) -> Iterator[Desk]:
    """Yield the contract's short ways to use a store."""
    client = Redis(unix_socket_path=str(server.socket), socket_timeout=5)
    found = Desk(CompositeStore(hot=RedisStore(client), durable=SQLiteStore(tmp_path / "desk.db")))
    yield found
    found.done()
    client.close()


def hot_of(desk: Desk) -> Any:
    store: Any = desk.store
    return store._composing.hot


def twice(desk: Desk) -> None:
    """Make the client send everything twice, as one does whose first reply was lost."""
    hot, script = hot_of(desk), hot_of(desk)._script

    def send(**given: Any) -> Any:
        script(**given)
        return script(**given)

    hot._script = send


def test_what_is_erased_is_not_in_the_file_s_log(desk: Desk, tmp_path: Path) -> None:
    desk.start("s-1", "cust-with-a-name", charge())
    desk.erase(subject="cust-with-a-name")
    for path in tmp_path.glob("desk.db*"):
        assert b"cust-with-a-name" not in path.read_bytes()
    assert not hot_of(desk)._client.keys("*session*")


def test_a_session_whose_hash_is_lost_takes_no_change_from_before(desk: Desk) -> None:
    desk.start("s-1", "cust-1", charge())
    begun = desk.begin()
    late = desk.change(state="verified")
    assert late.version == begun.session.version
    hot_of(desk)._client.delete(*hot_of(desk)._client.keys("*session*"))
    desk.commit(state="cancelled")
    with pytest.raises(ConflictError):
        desk.write(late)
    assert desk.load().session.state == "cancelled"
    assert desk.begin(2).session.version != begun.session.version


def test_a_refill_that_is_sent_twice_is_one(desk: Desk) -> None:
    for n in range(7):
        desk.start(f"s-{n}", "cust-1", charge(limit=3))
    assert [desk.begin(1, f"s-{n}").granted for n in range(4)] == [True, True, True, False]
    hot, script = hot_of(desk), hot_of(desk)._script
    kept: list[dict[str, Any]] = []

    def send(**given: Any) -> Any:
        kept.append(given)
        return script(**given)

    hot._script = send
    desk.stand(clear=("tries",))
    refill = kept[-1]
    assert [desk.begin(1, f"s-{n}").granted for n in (4, 5)] == [True, True]
    script(**refill)
    assert desk.spent(charge(limit=3)) == [2]


def test_every_step_may_be_sent_twice(desk: Desk) -> None:
    desk.start("s-1", "cust-1", charge(limit=3))
    twice(desk)
    begun = desk.begin()
    assert (begun.claimed, begun.granted, begun.spent) == (True, True, False)
    assert desk.spent(charge(limit=3)) == [1]
    desk.commit(spend=(charge("sends", limit=2),), charges=(charge(limit=3),))
    assert desk.spent(charge("sends", limit=2)) == [1]
    desk.begin(2)
    late = desk.begin(2, now=NOW + LEASE)
    assert (late.claimed, late.granted, late.spent) == (True, False, True)
    assert desk.spent(charge(limit=3)) == [2]
    desk.commit(clear=("sends",), spend=(charge("sends", limit=2),), refund=True)
    assert desk.spent(charge("sends", limit=2)) == [1]


def test_a_clock_that_once_ran_ahead_takes_no_try_away(desk: Desk) -> None:
    for n in range(8):
        desk.start(f"s-{n}", "cust-1", charge(limit=3))
    assert [desk.begin(1, f"s-{n}").granted for n in range(3)] == [True] * 3
    assert desk.begin(1, "s-3", now=NOW + timedelta(days=3)).granted
    assert [desk.begin(1, f"s-{n}").granted for n in range(4, 8)] == [False] * 4


def test_a_refill_after_a_loss_holds(desk: Desk) -> None:
    desk.start("s-1", "cust-1", charge(limit=1))
    store: Any = desk.store
    store.accept_loss(NOW)
    assert desk.spent(charge(limit=1)) == [1]
    desk.stand(clear=("tries",))
    assert desk.spent(charge(limit=1)) == [0]
    assert desk.begin().granted


def test_two_who_accept_the_same_loss(desk: Desk, tmp_path: Path) -> None:
    desk.start("s-1", "cust-1")
    store: Any = desk.store
    client = hot_of(desk)._client
    client.flushall()
    other = CompositeStore(hot=RedisStore(client), durable=SQLiteStore(tmp_path / "desk.db"))
    store.accept_loss(NOW)
    other.accept_loss(NOW)
    with pytest.raises(StoreError, match="state"):
        desk.load()  # of the epoch before the second
    assert desk.load().session.id == "s-1"
    other.close()
