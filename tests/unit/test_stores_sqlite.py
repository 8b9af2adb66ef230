"""The SQLite store as a file: what it refuses, who waits for how long, forks, full disks, what is left on disk."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kyc_verify import audit
from kyc_verify.errors import ConfigurationError, KycVerifyError, StoreError
from kyc_verify.stores import MemoryStore, SQLiteStore, _connections
from kyc_verify.testing._contract.desk import CHAIN_KEY, NOW, Desk, credential, number, sealed

BUSY = "another writer has held the database for too long"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kyc.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path, busy_timeout=0.4) as made:
        yield made


@pytest.fixture
def desk(store: SQLiteStore) -> Iterator[Desk]:
    made = Desk(store)
    yield made
    made.done()


def raw(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None, timeout=0))


def intact(store: SQLiteStore, records: int) -> bool:
    report = audit.verify(store.records("t", 0, 10_000), tenant="t", keys={"chain-1": CHAIN_KEY})
    return report.intact and report.records == records


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [":memory:", "", "file:kyc.db", "file::memory:?cache=shared", b"kyc.db", "kyc\0.db"])
def test_what_is_no_path_of_a_file_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="use MemoryStore"):
        SQLiteStore(path)


def test_a_folder_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "kyc.db"):
        with pytest.raises(ConfigurationError, match="in a folder that is there"):
            SQLiteStore(path)


@pytest.mark.parametrize("timeout", [-1, 61, float("nan"), True, "5", None])
def test_a_wait_that_is_none_is_refused(path: Path, timeout: float) -> None:
    with pytest.raises(ConfigurationError, match="busy_timeout must be from 0 to 60"):
        SQLiteStore(path, busy_timeout=timeout)
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("the customer's letter " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        SQLiteStore(path)
    assert str(caught.value) == "the file is not a database"
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert path.read_bytes() == before


def test_the_hosts_own_database_is_refused_and_left_alone(path: Path) -> None:
    with raw(path) as db:
        db.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(StoreError, match="give the library a file of its own"):
        SQLiteStore(path)
    with raw(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]


@pytest.mark.parametrize(
    ("drift", "why"),
    [
        ("UPDATE meta SET value = 2", "schema version 2 and this library needs 1; use the newer version"),
        ("UPDATE meta SET value = 0", "schema version 0 and this library needs 1; migrate it"),
        ("DELETE FROM meta", "no version"),
        ("DROP TABLE meta", "not one of this library"),
        ("DROP TABLE charges", r"damaged \(charges, charges_key, charges_until\)"),
        ("DROP INDEX sessions_request", r"damaged \(sessions_request\)"),
        ("ALTER TABLE sessions DROP COLUMN run", r"damaged \(sessions\)"),
        ("ALTER TABLE grants ADD COLUMN used INTEGER", r"damaged \(grants\)"),
        ("CREATE TABLE customers (name TEXT)", "also holds customers; give the library a file of its own"),
        ("CREATE TRIGGER quiet AFTER INSERT ON charges BEGIN DELETE FROM charges; END", "also holds quiet"),
    ],
)
def test_a_schema_that_is_not_exactly_ours_is_refused(store: SQLiteStore, path: Path, drift: str, why: str) -> None:
    with raw(path) as db:
        db.execute(drift)
    with pytest.raises(StoreError, match=why):
        SQLiteStore(path)
    with pytest.raises(StoreError, match=why):
        store.ready(NOW)


def test_a_damaged_file_is_an_error_of_the_store(desk: Desk, path: Path) -> None:
    desk.start()
    desk.done()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="damaged"), SQLiteStore(path) as store:
        store.load("t", "s-1", NOW)


def test_a_file_that_is_gone_does_not_come_back_empty(desk: Desk, store: SQLiteStore, path: Path) -> None:
    desk.start()
    for each in path.parent.glob("kyc.db*"):
        each.unlink()
    found: list[str] = []

    def load() -> None:
        try:
            store.load("t", "s-1", NOW)
        except StoreError as error:
            found.append(str(error))

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert found == ["the database cannot be opened; check that it is there, and its permissions"]
    assert not path.exists()


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that others than its owner may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_file_that_may_not_be_written_is_refused(common: Path) -> None:
    path = common / "kyc.db"
    SQLiteStore(path).close()
    path.chmod(0o444)
    (common / "kyc.db-queue").chmod(0o666)

    def refused() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        with pytest.raises(StoreError, match=r"cannot be written to|cannot be opened"):
            SQLiteStore(path)
        with pytest.raises(StoreError, match="cannot be opened"):
            SQLiteStore(common / "new.db")

    common.chmod(0o555)
    assert in_child(refused) == "done"
    common.chmod(0o755)


def test_files_are_made_for_their_owner_only(desk: Desk, path: Path) -> None:
    desk.start()
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("kyc.db*")}
    assert modes == dict.fromkeys(("kyc.db", "kyc.db-wal", "kyc.db-shm", "kyc.db-queue"), 0o600)


def test_odd_characters_in_a_path_are_only_characters(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=ro#b%20é .db"
    with SQLiteStore(path) as store:
        store.ready(NOW)
    assert path.exists()


# ── How it is kept ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_connection_is_durable_and_forgets_what_is_deleted(store: SQLiteStore) -> None:
    def pragmas() -> dict[str, object]:
        names = ("journal_mode", "synchronous", "secure_delete", "trusted_schema")
        with store._connections.use() as db:
            return {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    found: list[dict[str, object]] = [pragmas()]
    thread = threading.Thread(target=lambda: found.append(pragmas()))
    thread.start()
    thread.join()
    assert found == [{"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "trusted_schema": 0}] * 2


def test_each_thread_has_a_connection_and_takes_it_along(store: SQLiteStore) -> None:
    ids: set[int] = set()
    together = threading.Barrier(6)

    def use() -> None:
        with store._connections.use() as db:
            ids.add(id(db))
            together.wait()

    threads = [threading.Thread(target=use) for _ in range(5)]
    for each in threads:
        each.start()
    use()
    for each in threads:
        each.join()
    del each, threads
    gc.collect()
    assert len(ids) == 6
    assert len(store._connections._links) == 1


def test_it_is_pickled_by_its_path(store: SQLiteStore, desk: Desk) -> None:
    desk.start()
    with pickle.loads(pickle.dumps(store)) as again:  # noqa: S301 - our own bytes
        assert again.load("t", "s-1", NOW) == desk.load()
        assert again._busy_timeout == store._busy_timeout
    assert repr(store) == "SQLiteStore()"


def test_closing(store: SQLiteStore, desk: Desk) -> None:
    desk.start()
    closer = threading.Thread(target=store.close)
    closer.start()
    closer.join()
    for verb in (desk.load, desk.begin, lambda: store.ready(NOW), desk.records):
        with pytest.raises(StoreError, match="this store is closed"):
            verb()
    store.close()


def test_closing_waits_for_the_verb_under_way(store: SQLiteStore, desk: Desk) -> None:
    desk.start()
    inside, closers = threading.Event(), []

    def seal(head: audit.Head) -> audit.AuditRecord:
        closers.append(threading.Thread(target=store.close))
        closers[0].start()
        inside.wait(0.1)
        return sealed()(head)

    desk.write(desk.change(), seal)
    closers[0].join()
    with SQLiteStore(store._path) as again:
        assert intact(again, 2)


# ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_writer_that_does_not_let_go_is_waited_for_no_longer_than_told(desk: Desk, path: Path) -> None:
    desk.start()
    spans: list[float] = []

    def claim() -> None:
        began = time.monotonic()
        with pytest.raises(StoreError, match=BUSY):
            desk.store.begin("t", "s-1", 1, NOW)
        spans.append(time.monotonic() - began)

    with raw(path) as shell:
        shell.execute("BEGIN IMMEDIATE")
        crowd = [threading.Thread(target=claim) for _ in range(6)]
        for each in crowd:
            each.start()
        for each in crowd:
            each.join()
        assert desk.load().session.claimed_at is None  # reading goes on
    assert len(spans) == 6
    assert min(spans) > 0.3
    assert max(spans) < 2.0  # told 0.4 s; the rest is a slow machine, and far less than six in a row
    assert desk.begin().claimed


def test_what_was_waited_in_the_queue_is_not_waited_again_at_the_lock(path: Path) -> None:
    with SQLiteStore(path, busy_timeout=1.5) as store, raw(path) as shell:
        inside, go = threading.Event(), threading.Event()

        def dawdle() -> None:
            with store._connections.queue.turn(time.monotonic() + 3):
                inside.set()
                go.wait(1)

        dawdler = threading.Thread(target=dawdle)
        dawdler.start()
        inside.wait()
        shell.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError, match=BUSY):
            store.ready(NOW)
        assert 1.2 < time.monotonic() - began < 2.3  # 1 s in the queue and 0.5 s at the lock, not 1.5 s
        dawdler.join()


_HOLDER = """
import sys, time
from kyc_verify.stores import SQLiteStore
store = SQLiteStore(sys.argv[1])
with store._connections.queue.turn(time.monotonic() + 5):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_process_that_stands_still_in_the_queue_is_waited_for_no_longer_than_told(desk: Desk, path: Path) -> None:
    desk.start()
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"holding\n"
            holder.send_signal(signal.SIGSTOP)
            with raw(path) as shell:
                shell.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreError, match=BUSY):
                    desk.begin()
            assert desk.begin().claimed  # the file is free: nobody need be waited for
        finally:
            holder.kill()


_HOG = """
import sys
from datetime import UTC, datetime
from kyc_verify.stores import SQLiteStore
store = SQLiteStore(sys.argv[1])
print("writing", flush=True)
while True:
    store.ready(datetime(2100, 1, 1, tzinfo=UTC))
"""


def test_who_writes_without_a_pause_is_overtaken(desk: Desk, path: Path) -> None:
    desk.start()
    with subprocess.Popen([sys.executable, "-c", _HOG, str(path)], stdout=subprocess.PIPE) as hog:
        try:
            assert hog.stdout is not None
            assert hog.stdout.readline() == b"writing\n"
            for _ in range(100):
                desk.store.ready(NOW)
        finally:
            hog.kill()


# ── Forks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_child(work: Callable[[], object]) -> str:
    """Run `work` in a forked process; returns how it went."""
    end, beginning = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(beginning, b"done")
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(beginning, repr(error).encode())
        os._exit(0)
    os.close(beginning)
    with os.fdopen(end, "rb") as said:
        text = said.read().decode()
    os.waitpid(pid, 0)
    return text


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_no_connection_lives_through_a_fork(store: SQLiteStore, desk: Desk) -> None:
    desk.start()
    opened: list[object] = []
    with store._connections.use() as db:
        opened.append(db)

    def other() -> None:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            opened[0].execute("SELECT 1")  # type: ignore[attr-defined]
        desk.commit()
        if desk.load().session.version != 2:
            raise RuntimeError

    assert in_child(other) == "done"
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")  # type: ignore[attr-defined]
    desk.commit()
    assert intact(store, 3)


@needs_fork
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_forking_while_threads_write(path: Path) -> None:
    with SQLiteStore(path) as store:
        stop = threading.Event()
        written = [0] * 3

        def write(place: int) -> None:
            while not stop.is_set():
                Desk(store).note()
                written[place] += 1

        threads = [threading.Thread(target=write, args=(place,)) for place in range(3)]
        for each in threads:
            each.start()
        children = [in_child(Desk(store).note) for _ in range(8)]
        stop.set()
        for each in threads:
            each.join()
        assert children == ["done"] * 8
        assert intact(store, sum(written) + 8)


def test_a_connection_that_came_through_a_fork_unseen_is_neither_used_nor_closed(store: SQLiteStore) -> None:
    link = store._connections._local.link
    db, link.pid = link.db, link.pid + 1  # as a server that forks without telling Python would leave it
    with pytest.raises(StoreError, match="make the store after the fork"):
        store.ready(NOW)
    store.close()
    assert _connections._abandoned.pop() is db
    db.close()


@needs_fork
def test_a_memory_store_is_refused_after_a_fork() -> None:
    store = MemoryStore()
    store.ready(NOW)
    assert "a MemoryStore is of no use after a fork" in in_child(lambda: store.ready(NOW))


def test_a_memory_store_that_is_closed() -> None:
    store = MemoryStore()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="this store is closed"):
        store.ready(NOW)
    assert repr(store) == "MemoryStore()"


# ── Full disks, and errors ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_writes_nothing_and_recovers(store: SQLiteStore, desk: Desk) -> None:
    desk.start()
    with store._connections.use() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")
    before = desk.load()
    with pytest.raises(StoreError, match="the disk is full; nothing was written") as caught:
        desk.commit(state="x" * 100_000)
    assert "xxx" not in repr(caught.value) + repr(caught.value.__cause__)
    assert desk.load() == before
    with store._connections.use() as db:
        db.execute("PRAGMA max_page_count=1000000")
    desk.commit(state="x" * 100_000)
    assert intact(store, 2)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_no_error_quotes_what_was_to_be_written(path: Path, kind: str) -> None:
    desk = Desk(MemoryStore() if kind == "memory" else SQLiteStore(path))
    desk.start("s-canary", "canary")
    with pytest.raises(KycVerifyError) as caught:
        desk.open("s-canary", "canary")
    desk.done()
    said = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__) + str(caught.value.__cause__)
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert "canary" not in said


# ── Erasure, and kills ───────────────────────────────────────────────────────────────────────────────────────────────


def on_disk(path: Path, *needles: bytes) -> list[bytes]:
    data = b"".join(each.read_bytes() for each in path.parent.glob("kyc.db*"))
    return [each for each in needles if each in data]


def remember(desk: Desk) -> tuple[bytes, ...]:
    desk.enroll(credential(salt=b"Q" * 16), fresh_key=b"K" * 32)
    desk.start(numbers=(number("N" * 32),), state="S" * 32)
    return b"K" * 32, (b"Q" * 16).hex().encode(), b"N" * 32, b"S" * 32


def test_what_is_erased_is_gone_from_the_disk(desk: Desk, path: Path) -> None:
    needles = remember(desk)
    assert on_disk(path, *needles) == list(needles)
    assert desk.erase()
    assert on_disk(path, *needles) == []


def test_an_erasure_that_a_reader_holds_up_says_so(desk: Desk, path: Path) -> None:
    needles = remember(desk)
    with raw(path) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM subjects").fetchone()
        with pytest.raises(StoreError, match="end the reader and erase again"):
            desk.erase()
    assert desk.erase() is False
    assert on_disk(path, *needles) == []


_WRITER = """
import sys
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing._contract.desk import Desk
desk = Desk(SQLiteStore(sys.argv[1]))
while True:
    desk.note()
    print(".", end="", flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(store: SQLiteStore, path: Path) -> None:
    acknowledged = 0
    for rest in (0.0, 0.003, 0.011):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            acknowledged += len(writer.stdout.read(5))
            time.sleep(rest)
            writer.kill()
            acknowledged += len(writer.stdout.read())
    records = len(store.records("t", 0, 10_000))
    assert acknowledged <= records <= acknowledged + 3
    assert intact(store, records)
