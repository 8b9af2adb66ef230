"""Where `assert_leaks_nothing` looks: whatever hides a canary there, it is found."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import importlib.util
import io
import itertools
import logging
import sys
import threading
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from kyc_verify import Keyring, Policy, Requirement, Secret, Verdict, checks
from kyc_verify.errors import UsageError
from kyc_verify.stores import MemoryStore, SQLiteStore
from kyc_verify.testing import (
    AsyncBench,
    Bench,
    CountingStore,
    FailingStore,
    RecordingSender,
    assert_leaks_nothing,
    cheap_hasher,
)
from kyc_verify.testing._leaks.kept import audited
from kyc_verify.testing.leaks import Hunter
from kyc_verify.testing.stores import VERBS

SAID = "blue teapot"
NAMED = {"the answer": SAID}
SUBJECT = "cust-blue-teapot"


def found(do: Callable[[], Any], **more: Any) -> str:
    """Return what is told of a leak; fail where none is found."""
    with pytest.raises(AssertionError, match="leaked: the answer") as told:
        assert_leaks_nothing(do, NAMED, **more)
    assert SAID not in str(told.value)
    return str(told.value)


class Masking:
    """Shows nothing, and can be neither pickled nor copied."""

    def __init__(self, said: object) -> None:
        self.said, self.lock = said, threading.Lock()

    def __repr__(self) -> str:
        return "Masking(***)"


class Slotted:
    __slots__ = ("__said", "lock", "unset")

    def __init__(self, said: object) -> None:
        self.__said, self.lock = said, threading.Lock()

    def __repr__(self) -> str:
        return "Slotted(***)"


@dataclasses.dataclass(repr=False, slots=True)
class Record:
    said: object
    lock: Any = dataclasses.field(default_factory=threading.Lock)


# ── Lazy results ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _raising() -> None:
    raise ValueError(SAID)


async def _returning() -> list[str]:
    return [SAID]


async def _later() -> AsyncIterator[str]:
    yield "first"
    yield SAID


async def _giving_later() -> AsyncIterator[str]:
    return _later()


async def _endless() -> AsyncIterator[int]:
    for each in itertools.count():
        yield each


def _returned_at_the_end() -> Iterator[int]:
    yield 1
    return Masking(SAID)


@pytest.mark.parametrize(
    ("do", "place"),
    [
        (_raising, "the exception"),
        (functools.partial(_raising), "the exception"),
        (_returning, "the result"),
        (_later, "the result"),
        (_giving_later, "the result"),
        (lambda: (each for each in ["first", SAID]), "the result"),
        (lambda: map(str.lower, [SAID]), "the result"),
        (_returned_at_the_end, "the result"),
        (lambda: (each for each in [1, int(SAID)]), "the exception"),
    ],
    ids=range(9),
)
def test_what_is_lazy_is_run_to_its_end(do: Any, place: str) -> None:
    assert place in found(do)


def test_what_was_lazy_is_returned_run() -> None:
    async def well() -> str:
        await asyncio.sleep(0)
        return "well"

    assert assert_leaks_nothing(well, NAMED) == "well"
    assert assert_leaks_nothing(lambda: iter("ab"), NAMED) == ["a", "b"]
    mocked = MagicMock()
    assert assert_leaks_nothing(lambda: mocked, NAMED) is mocked


@pytest.mark.parametrize("lazy", [_raising, _later], ids=["coroutine", "async generator"])
def test_in_a_loop_a_coroutine_is_refused_and_a_thread_does(lazy: Any) -> None:
    async def test() -> None:
        with pytest.raises(UsageError, match=r"await asyncio.to_thread\(assert_leaks_nothing"):
            assert_leaks_nothing(lazy, NAMED)
        with pytest.raises(AssertionError, match="leaked: the answer"):
            await asyncio.to_thread(assert_leaks_nothing, lazy, NAMED)
        assert assert_leaks_nothing(lambda: 1, NAMED) == 1

    asyncio.run(test())


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (lambda: [_raising()], "holds a coroutine that nobody ran"),
        (lambda: {"a": (each for each in "ab")}, "holds a generator that nobody ran"),
        (itertools.count, "more than 100,000 items; take some"),
        (_endless, "more than 100,000 items; take some"),
    ],
    ids=range(4),
)
def test_what_cannot_be_run_to_its_end_is_refused(do: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        assert_leaks_nothing(do, NAMED)


# ── Deep results ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrap",
    [
        Masking,
        Slotted,
        Record,
        lambda said: [Masking(said)],
        lambda said: {"a": Masking(said)},
        lambda said: {Masking(said): 1}.keys(),
        lambda said: types.MappingProxyType({"a": (Slotted(said),)}),
        lambda said: deque([Record({said})]),
        lambda said: Masking(Slotted(Record([said]))),
        lambda said: functools.partial(print, Masking(said)),
        lambda said: ValueError(Masking(said)),
        lambda said: Masking(io.StringIO(said)),
        lambda said: Masking(f"in the {said}".encode()),
    ],
    ids=range(13),
)
def test_a_result_is_looked_into(wrap: Callable[[object], object]) -> None:
    assert "the result" in found(lambda: wrap(SAID))


def test_a_result_that_reaches_itself_is_looked_into_once() -> None:
    ring: list[Any] = []
    ring += [ring, Masking(ring)]
    assert assert_leaks_nothing(lambda: ring, NAMED) is ring
    ring.append(Masking(SAID))
    assert "the result" in found(lambda: ring)


@pytest.mark.parametrize("where", ["attribute", "argument", "cause", "group", "obj"])
def test_an_error_is_looked_into(where: str) -> None:
    def fail() -> None:
        held = Masking(SAID)
        error = ValueError(held if where == "argument" else "plain")
        if where == "attribute":
            error.ctx = held  # type: ignore[attr-defined]
        if where == "cause":
            other = OSError("plain")
            other.held = held  # type: ignore[attr-defined]
            raise error from other
        if where == "group":
            words = "several"
            raise ExceptionGroup(words, [KeyError(held)])
        if where == "obj":
            held.heard  # type: ignore[attr-defined]  # noqa: B018
        raise error

    assert "the exception" in found(fail)


def test_an_exit_is_looked_into() -> None:
    assert "the exception" in found(lambda: sys.exit(SAID))


def test_what_holds_secrets_on_purpose_is_not_looked_into() -> None:
    said, policy = "Papageiengasse 17", Policy(name="p", checks=[checks.Pin()], actions={"a": Requirement(bits=1)})
    bench = Bench(policy, facts={"pin": "4937"}, subject=said)
    sender = RecordingSender()
    sender.messages.append(types.SimpleNamespace(text=said))  # type: ignore[arg-type]
    keyring = Keyring({"a": said.encode().ljust(32, b".")})
    held = [
        Secret(said), keyring, cheap_hasher(keyring), bench, bench.verifier, bench.enroller, bench.store, sender,
        CountingStore(bench.store), Held,
    ]  # fmt: skip
    assert_leaks_nothing(lambda: [Masking(each) for each in held], [said])
    assert_leaks_nothing(lambda: bench.verifier, [said])


class Held:
    said = "Papageiengasse 17"


# ── Logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _levels() -> dict[str, Any]:
    names = ["shop", "shop.quiet", "shop.alone", "shop.off"]
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    states: dict[str, Any] = {
        each.name: (each.level, each.propagate, each.disabled, tuple(each.handlers), each.isEnabledFor(logging.DEBUG))
        for each in loggers
    }
    ways = (logging.Logger.isEnabledFor, logging.Logger.handle, logging.Logger.getEffectiveLevel)
    return states | {"disable": logging.root.manager.disable, "ways": ways}


@pytest.fixture
def shop() -> Iterator[logging.Logger]:
    """Loggers that each hide what they are told in a way of their own."""
    shop, quiet, alone, off = (logging.getLogger(f"shop{each}") for each in ("", ".quiet", ".alone", ".off"))
    quiet.setLevel(logging.CRITICAL)
    alone.propagate = False
    off.disabled = True
    yield shop
    quiet.setLevel(logging.NOTSET)
    alone.propagate, off.disabled = True, False
    logging.disable(logging.NOTSET)


def _raised() -> None:
    try:
        int(SAID)
    except ValueError:
        logging.getLogger("shop").exception("it failed")


def _late() -> None:
    made = logging.getLogger("shop.made-meanwhile")
    made.setLevel(logging.ERROR)
    made.propagate = False
    made.info(SAID)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("disabled", [logging.NOTSET, logging.CRITICAL], ids=["", "disabled"])
@pytest.mark.parametrize(
    "log",
    [
        lambda: logging.getLogger("shop").debug("said %s", SAID),
        lambda: logging.getLogger("shop.quiet").debug("said %s", SAID),
        lambda: logging.getLogger("shop.alone").warning("said %s", SAID),
        lambda: logging.getLogger("shop.off").error("said %s", SAID),
        lambda: logging.getLogger("shop").debug("said", extra={"said": SAID}),
        lambda: logging.getLogger("shop").debug("said", extra={"about": {"said": [SAID]}}),
        lambda: logging.getLogger("shop").debug({"said": SAID}),
        lambda: logging.getLogger("shop").debug("said", SAID, "too many"),  # noqa: PLE1205 - a slip of the host's
        lambda: logging.LoggerAdapter(logging.getLogger("shop"), {"said": SAID}).debug("said"),
        _raised,
        _late,
    ],
    ids=range(11),
)
def test_a_log_is_heard_whatever_is_set(
    monkeypatch: pytest.MonkeyPatch, disabled: int, log: Callable[[], None]
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.disable(disabled)
    before = _levels()
    assert "the log" in found(log)
    assert _levels() == before


def test_handlers_get_what_they_would_get_anyway(shop: logging.Logger) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    shop.addHandler(handler)
    before = _levels()
    try:
        with pytest.raises(KeyboardInterrupt):
            assert_leaks_nothing(lambda: (_log_all(shop), _interrupt()), NAMED)
        assert _levels() == before
    finally:
        shop.removeHandler(handler)
    assert out.getvalue().split() == ["warned"]


def _log_all(shop: logging.Logger) -> None:
    shop.debug("debugged")
    shop.warning("warned")
    shop.getChild("quiet").error("failed")
    shop.getChild("alone").debug("debugged")
    shop.getChild("off").critical("off")


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_what_a_filter_keeps_back_is_not_said(shop: logging.Logger) -> None:
    def hush(_: logging.LogRecord) -> bool:
        return False

    shop.addFilter(hush)
    try:
        assert_leaks_nothing(lambda: shop.debug(SAID), NAMED)
    finally:
        shop.removeFilter(hush)


# ── Stores ───────────────────────────────────────────────────────────────────────────────────────────────────────────

POLICY = Policy(name="p", checks=[checks.Pin()], actions={"a": Requirement(bits=1)})


def _kept(store: Any, **more: Any) -> str:
    bench = Bench(POLICY, store=store, subject=SUBJECT, facts={"pin": "4937"})
    with pytest.raises(AssertionError) as told:
        assert_leaks_nothing(lambda: bench.play(action="a").verdict, [SUBJECT], bench=bench, **more)
    return str(told.value)


class Around:
    """A store of a host's around another."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner


class AsyncAround:
    def __init__(self, inner: Any) -> None:
        self.keeping = inner


def _verb(name: str, *, within: str, awaited: bool) -> Any:
    def verb(self: Any, *args: Any, **more: Any) -> Any:
        return getattr(getattr(self, within), name)(*args, **more)

    async def later(self: Any, *args: Any, **more: Any) -> Any:
        return verb(self, *args, **more)

    return later if awaited else verb


for _name in VERBS:
    setattr(Around, _name, _verb(_name, within="_inner", awaited=False))
    setattr(AsyncAround, _name, _verb(_name, within="keeping", awaited=True))


class OwnMemory(MemoryStore):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda _: OwnMemory(),
        lambda path: SQLiteStore(path / "kyc[1].db"),
        lambda _: CountingStore(MemoryStore()),
        lambda path: FailingStore(CountingStore(SQLiteStore(path / "kyc.db")), at=10_000),
        lambda _: Around(MemoryStore()),
    ],
    ids=range(5),
)
def test_a_store_is_searched_through_those_around_it(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    assert "in the store" in _kept(make(tmp_path))


def test_the_audit_log_is_read_though_the_store_fails() -> None:
    bench = Bench(POLICY, facts={"pin": "4937"})
    broken = bench.over(FailingStore(bench.store, every="records"))
    lock = bench.enroller.lock
    with pytest.raises(AssertionError, match="the audit log"):
        assert_leaks_nothing(lambda: lock(bench.subject, by="ops", reason=SAID), NAMED, bench=broken)


def test_a_database_is_searched_and_so_is_its_file(tmp_path: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415 - an extra

    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'kyc.db'}")
    SQLAlchemyStore.migrate(engine)
    store = SQLAlchemyStore(engine)
    assert "in the store" in _kept(store)
    assert "in the store" in _kept(FailingStore(store, at=10_000))
    erased = Hunter({"erased": "cust-erased-teapot"})
    with engine.begin() as db:
        assert erased.in_store(store) == set()
        db.exec_driver_sql("CREATE TABLE rests (said TEXT)")
        db.exec_driver_sql("INSERT INTO rests VALUES ('cust-erased-teapot')")
    with engine.begin() as db:
        db.exec_driver_sql("PRAGMA secure_delete = OFF")
        db.exec_driver_sql("DELETE FROM rests")
    assert erased.in_store(store) == {"erased-0"}
    engine.dispose()


def test_an_async_database_is_searched(tmp_path: Path) -> None:
    pytest.importorskip("aiosqlite")
    pytest.importorskip("sqlalchemy")
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - an extra

    from kyc_verify.stores import AsyncSQLAlchemyStore  # noqa: PLC0415

    async def ready() -> AsyncBench:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'kyc.db'}")
        await AsyncSQLAlchemyStore.migrate(engine)
        bench = AsyncBench(POLICY, store=AsyncSQLAlchemyStore(engine), subject=SUBJECT, facts={"pin": "4937"})
        await bench.enroll()
        await engine.dispose()
        return bench

    bench = asyncio.run(ready())

    async def locked() -> None:
        await bench.enroller.lock(SUBJECT, by="ops", reason=SAID)
        await bench.store._engine.dispose()  # type: ignore[attr-defined]

    told = found(locked, bench=bench)
    assert "in the audit log" in told
    assert "in the store" in told


def test_both_halves_of_a_composite_are_searched(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis")
    from kyc_verify.stores import CompositeStore, RedisStore  # noqa: PLC0415 - an extra
    from tests.services import redis_server  # noqa: PLC0415

    client = redis.Redis(unix_socket_path=redis_server(), socket_timeout=30)
    hot = RedisStore(client, prefix=f"leaks{tmp_path.name}")
    store = CompositeStore(hot=hot, durable=SQLiteStore(tmp_path / "kyc.db"))
    assert "in the store" in _kept(store)
    hunter = Hunter(NAMED)
    assert hunter.in_store(store) == set()
    client.hset(f"{hot._prefix}:session:x", mapping={"said": SAID})
    assert hunter.in_store(store) == {"the answer-0"}
    client.delete(f"{hot._prefix}:session:x")
    client.zadd(f"{hot._prefix}:tries:{SAID}", {"x": 1})
    assert hunter.in_store(store) == {"the answer-0"}
    store.close()
    client.close()


def test_a_store_that_nobody_can_read_is_refused_unless_its_files_are_named(tmp_path: Path) -> None:
    class Own(Around):
        def __init__(self, inner: Any) -> None:
            self.keeping = inner

    for name in VERBS:
        setattr(Own, name, _verb(name, within="keeping", awaited=False))
    bench = Bench(POLICY, store=Own(MemoryStore()), facts={"pin": "4937"})
    done: list[int] = []
    with pytest.raises(UsageError, match=r"what a Own keeps cannot be read .*files=\[\.\.\.\]"):
        assert_leaks_nothing(lambda: done.append(1), NAMED, bench=bench)
    assert done == []
    (tmp_path / "own.db").write_text(SAID)
    assert "the file" in found(lambda: None, bench=bench, files=[tmp_path / "own.db"])
    with pytest.raises(UsageError, match="cannot be read"):
        Hunter(NAMED).in_store(bench.store)


def test_an_async_bench(tmp_path: Path) -> None:
    (tmp_path / "own.db").touch()
    plain = AsyncBench(POLICY, facts={"pin": "4937"})
    assert assert_leaks_nothing(lambda: plain.play(action="a"), NAMED, bench=plain).decision.verdict is Verdict.VERIFIED
    bench = AsyncBench(POLICY, store=AsyncAround(MemoryStore()), facts={"pin": "4937"})
    asyncio.run(bench.enroll())
    with pytest.raises(UsageError, match="what a AsyncAround keeps"):
        assert_leaks_nothing(lambda: None, NAMED, bench=bench)
    told = found(
        lambda: bench.enroller.lock(bench.subject, by="ops", reason=SAID), bench=bench, files=[tmp_path / "own.db"]
    )
    assert "the audit log" in told

    async def within() -> None:
        with pytest.raises(UsageError, match=r"await asyncio.to_thread"):
            audited(bench.store, bench.tenant)
        assert_leaks_nothing(lambda: None, NAMED, bench=bench, files=[tmp_path / "own.db"])

    with pytest.raises(UsageError, match=r"await asyncio.to_thread"):
        asyncio.run(within())


# ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SHOP = """
def crash(said):
    raise OSError("no disk")

def hand(do):
    return do()

async def later(said):
    raise OSError("no disk")
"""


@pytest.fixture(params=["test_env/tests/_pytest/svc.py", "hypothesis/svc.py", "prod/svc.py"])
def shop_module(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / request.param
    path.parent.mkdir(parents=True)
    path.write_text(SHOP)
    spec = importlib.util.spec_from_file_location("svc", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_locals_are_looked_at_wherever_the_code_lies(shop_module: Any) -> None:
    assert "in the locals of crash (svc.py:3)" in found(lambda: shop_module.crash(SAID))
    assert "in the locals of later (svc.py:9)" in found(lambda: shop_module.later(SAID))
    assert "in the locals of crash (svc.py:3)" in found(functools.partial(shop_module.crash, SAID))


def test_locals_of_tests_and_of_the_kit_are_not_looked_at(shop_module: Any) -> None:
    said = SAID

    def do() -> None:
        heard = said
        Bench(POLICY, facts={"pin": "4937"}).play(action=f"no such {len(heard)}")

    assert assert_leaks_nothing(lambda: shop_module.hand(do), NAMED) is None


def test_locals_of_a_script_that_asserts_are_its_own(tmp_path: Path) -> None:
    """A script has no name of a test: what it does, and what is above, is left out; what it calls is not."""
    script = """
def crash(said):
    raise OSError("no disk")

def run(find, said):
    def do():
        heard = said
        raise OSError("no disk")
    find(do, [said])
    find(lambda: do(), [said])
    try:
        raise KeyError("above")
    except KeyError:
        find(do, [said])
    find(lambda: crash(said), [said])
"""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(script, tmp_path / "script.py", "exec"), scope)  # noqa: S102 - a module with no name of a test
    with pytest.raises(AssertionError, match=r"in the exception, in the locals of crash \(script.py:3\)$") as told:
        scope["run"](assert_leaks_nothing, SAID)
    assert told.traceback[1].lineno == 14


# ── Misuse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dob": date(1990, 1, 31)}, "'dob' is of type date: write the text as it would be seen"),
        ({"a": 1234567}, "'a' is of type int: write the text"),
        ([None], "'canary 0' is of type NoneType"),
        ({"a": Secret(SAID)}, r"'a' is a Secret: .*secret.reveal\(\)"),
        (None, r"write assert_leaks_nothing\(lambda"),
        (1234567, r"write assert_leaks_nothing\(lambda"),
        (Secret(SAID), r"write assert_leaks_nothing\(lambda"),
        (SAID, r"write assert_leaks_nothing\(lambda"),
        ("", r"write assert_leaks_nothing\(lambda"),
        ({"a": ""}, "found by chance"),
        ({}, "at least one secret"),
    ],
    ids=range(11),
)
def test_canaries_that_are_none(given: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        assert_leaks_nothing(lambda: None, given)
    assert SAID not in str(raised.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"bench": POLICY}, "takes a Bench or an AsyncBench, not a Policy: write bench=bench"),
        ({"bench": Bench(POLICY, facts={}).verifier}, "not a Verifier: write bench=bench"),
        ({"files": "/var/log/app.log"}, r"write files=\['app.log'\]"),
        ({"files": Path("x")}, r"write files=\['app.log'\]"),
        ({"files": [3]}, r"write files=\['app.log'\]"),
        ({"files": None}, r"write files=\['app.log'\]"),
        ({"files": ["no-such.log"]}, r"no-such.log cannot be read \(No such file or directory\)"),
        ({"files": ["."]}, "Is a directory"),
    ],
    ids=range(8),
)
def test_benches_and_files_that_are_none(more: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        assert_leaks_nothing(lambda: None, NAMED, **more)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: None, r"write assert_leaks_nothing\(lambda"),
        (_raising, r"write assert_leaks_nothing\(lambda"),
        (lambda: Masking, "called without arguments, and this one wants some .*'said'.*: write assert_leaks_nothing"),
    ],
    ids=range(3),
)
def test_what_cannot_be_done(make: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        assert_leaks_nothing(make(), NAMED)
