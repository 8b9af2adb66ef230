"""Faults of the store's surroundings; every single call made to fail is in test_faults."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    ConfigurationError,
    NotVerified,
    Policy,
    Requirement,
    StoreError,
    ThreatModel,
    UnknownSession,
    Verdict,
    checks,
)
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench, FailingStore, StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

ROOT = Path(__file__).resolve().parent.parent.parent

FULL = """
import resource, signal, sys
from kyc_verify import *
from kyc_verify import checks
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench
path, room = sys.argv[1], int(sys.argv[2])
policy = Policy(name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}),
                actions={"pin": Requirement(bits=1)})
bench = Bench(policy, store=SQLiteStore(path))
step = bench.verifier.open("cust-42", action="pin", call=bench.call)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
failed, verified = 0, 0
for k in range(200):
    try:
        done = bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
        verified += done.verdict == "verified"
        bench.clock.advance(minutes=1)
        step = bench.verifier.open("cust-42", action="pin", call=bench.call)
    except BackendError:
        failed += 1
        if failed > 3:
            break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
bench.clock.advance(minutes=1)
after = bench.play(action="pin").verdict.value
from kyc_verify.audit import verify
report = verify(bench.store.records("default", 0, 10_000), tenant="default", keys=bench.hasher.keyring.chain_keys())
recorded = sum(record.verdict == "verified" for record in bench.store.records("default", 0, 10_000))
print(failed > 3, after, report.intact, recorded == verified + 1)
"""


@pytest.mark.parametrize("room", [20_000, 200_000, 1_000_000])
def test_st_04_a_full_disk_lets_nobody_in_and_nothing_is_torn(
    python: Callable[..., str], tmp_path: Path, room: int
) -> None:
    assert python(FULL, str(tmp_path / "full.db"), str(room)).split() == ["True", "verified", "True", "True"]


def test_st_04_a_file_that_cannot_be_written_is_an_outage(make: Callable[..., Desk], tmp_path: Path) -> None:
    desk = make(store=SQLiteStore(tmp_path / "kyc.db"))
    step = desk.open("pin")
    desk.store.close()
    with pytest.raises(StoreError):
        desk.say(step)
    with pytest.raises((StoreError, ConfigurationError)):
        SQLiteStore(tmp_path / "no-such-folder" / "kyc.db")


@pytest.mark.slow
def test_st_04_a_file_that_is_locked_for_30_seconds_is_an_outage_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "held.db"
    policy = Policy(
        name="held",
        checks=[checks.Pin()],
        threats=ThreatModel.points({"pin": 3}),
        actions={"pin": Requirement(bits=1)},
    )
    bench = Bench(policy, store=SQLiteStore(path))
    step = bench.verifier.open("cust-42", action="pin", call=bench.call)
    assert step.challenge is not None
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    end, failed = time.monotonic() + 30, 0
    while time.monotonic() < end:
        with pytest.raises(StoreError, match="try again"):
            bench.verifier.respond(step.challenge.id, "4937", call=bench.call)
        failed += 1
    other.execute("ROLLBACK")
    other.close()
    assert failed >= 2
    assert bench.verifier.respond(step.challenge.id, "4937", call=bench.call).verdict is Verdict.VERIFIED
    records = [record.event.value for record in bench.store.records(bench.tenant, 0, 100)]
    assert records == ["enrolled", "opened", "answered"]
    bench.store.close()


@pytest.mark.parametrize("verb", ["begin", "commit"])
def test_st_05_an_unknown_outcome_is_found_again_by_the_same_request(desk: Desk, verb: str) -> None:
    step = desk.open("pin")
    with pytest.raises(StoreError):
        desk.over(FailingStore(desk.store, verb=verb, mode="after")).say(step)
    desk.clock.advance(seconds=10)
    done = desk.say(step)
    assert done.verdict is (Verdict.VERIFIED if verb == "commit" else Verdict.DENIED)
    assert desk.events() == ["opened", "answered"]


def test_st_05_an_unknown_outcome_of_open_and_redeem(desk: Desk) -> None:
    with pytest.raises(StoreError):
        desk.over(FailingStore(desk.store, verb="commit", mode="after")).open("pin", request_id="r-1")
    step = desk.open("pin", request_id="r-1")
    done = desk.say(step)
    lost = desk.over(FailingStore(desk.store, verb="redeem", mode="after"))
    with pytest.raises(StoreError):
        lost.redeem(done, "pin", request_id="r-2")
    assert desk.redeem(done, "pin", request_id="r-2").verdict is Verdict.VERIFIED
    with pytest.raises(NotVerified):
        desk.redeem(done, "pin", request_id="r-3")
    assert desk.events() == ["opened", "answered", "redeemed", "refused"]


def test_st_06_nothing_security_depends_on_is_cached_in_a_front(desk: Desk) -> None:
    """Two fronts over one store: what one writes, the other sees at its next verb."""
    other = type(desk)(desk.bench.over(desk.store), desk.loop)
    step, grant = other.open("pin"), other.play("tenure")
    desk.enroller.lock("cust-42", by="ops", reason="fraud")
    assert other.say(step).verdict is Verdict.DENIED
    with pytest.raises(NotVerified):
        other.redeem(grant, "tenure")
    desk.enroller.erase("cust-42", by="ops")
    with pytest.raises(UnknownSession):
        other.verifier.status(step.session_id, call=desk.call)


@pytest.mark.parametrize(
    "drift", ["DROP TABLE grants", "UPDATE meta SET value = 99", "DELETE FROM meta", "DROP TABLE records"]
)
def test_st_07_a_schema_that_drifted_is_refused_at_the_start(tmp_path: Path, drift: str) -> None:
    path = tmp_path / "kyc.db"
    SQLiteStore(path).close()
    host = sqlite3.connect(path)
    host.execute(drift)
    host.commit()
    host.close()
    with pytest.raises(StoreError):
        SQLiteStore(path)


def test_st_08_there_is_a_kit_that_a_store_of_one_s_own_must_pass() -> None:
    """That it finds planted wrong stores is proven in tests/contracts/test_planted.py."""
    tests = [name for name in dir(StoreContract) if name.startswith("test_")]
    assert len(tests) > 40


def test_st_09_the_file_is_written_through(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "kyc.db")
    with store._writing() as db:
        found: dict[str, Any] = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
        }
    assert found == {"synchronous": 2, "journal_mode": "wal"}
    store.close()


def test_st_03_au_07_the_kill_loop_loses_nothing(environ: dict[str, str]) -> None:
    """A smoke run of scripts/kill9.py; its figures are in docs/reliability.md."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "kill9.py"), "--cycles", "6"],
        capture_output=True, text=True, timeout=120, check=False, env=environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "released without a record: 0" in done.stdout


def _kill9() -> ModuleType:
    spec = spec_from_file_location("kill9", ROOT / "scripts" / "kill9.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_st_03_au_07_the_kill_loop_finds_what_is_missing(tmp_path: Path) -> None:
    """A control: a step that was acknowledged and never recorded, and a log that lost its tail."""
    kill9, path = _kill9(), tmp_path / "kyc.db"
    bench = Bench(kill9.POLICY, store=SQLiteStore(path))
    step = bench.verifier.open("cust-42", action="both", call=bench.call)
    ledger = kill9.Ledger()
    ledger.check(path, ["ready", f"opened {step.session_id} pending"], 0)
    assert ledger.faults == []
    ledger.check(path, ["ready", f"answered {step.session_id} verified"], 1)
    assert len(ledger.faults) == 2
    ledger.faults.clear()
    done = bench.play(action="both")
    ledger.check(path, ["ready", f"redeemed {done.session_id} {done.require().token}"], 2)
    assert "a redeemed grant is expired" in ledger.faults[0]
    ledger.faults.clear()
    with bench.store._writing() as db:
        db.execute("DELETE FROM records WHERE seq > 2")
    ledger.check(path, ["ready"], 3)
    assert "was seen and is lost" in ledger.faults[0]
    bench.store.close()


def test_st_03_au_07_the_kill_loop_reads_the_whole_chain_in_the_end(tmp_path: Path) -> None:
    """A control: an old record that is gone."""
    kill9, path = _kill9(), tmp_path / "kyc.db"
    bench = Bench(kill9.POLICY, store=SQLiteStore(path))
    bench.play(action="both")
    ledger = kill9.Ledger()
    ledger.check(path, ["ready"], 0)
    ledger.end(path)
    assert ledger.faults == []
    with bench.store._writing() as db:
        db.execute("DELETE FROM records WHERE seq = 1")
    ledger.check(path, ["ready"], 1)
    assert ledger.faults == []
    ledger.end(path)
    assert "in the end: " in ledger.faults[0]
    bench.store.close()


KILLED = """
import os, sys
from kyc_verify import *
from kyc_verify import checks
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench, Caller
policy = Policy(name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}),
                actions={"pin": Requirement(bits=1)})
bench = Bench(policy, store=SQLiteStore(sys.argv[1]))
for k in range(3):
    print(bench.play(Caller.answers({"pin": f"{7000 + k}"}), action="pin").session_id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_st_03_what_was_acknowledged_survives_a_kill(
    tmp_path: Path, environ: dict[str, str], make: Callable[..., Desk]
) -> None:
    """Many cycles are in scripts/kill9.py."""
    path = tmp_path / "killed.db"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert done.returncode == -9
    desk = make(store=SQLiteStore(path), facts={})
    assert len(done.stdout.split()) == desk.events().count("opened") == desk.events().count("answered") == 3
    desk.store.close()
