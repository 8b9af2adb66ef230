"""Faults of the store's surroundings; every single call made to fail is in test_faults."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import ConfigurationError, NotVerified, StoreError, UnknownSession, Verdict
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import FailingStore, StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.flows.conftest import Desk

FULL = """
import resource, signal, sys
from kyc_verify import *
from kyc_verify import checks
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench
path, room = sys.argv[1], int(sys.argv[2])
bench = Bench(Policy(name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}), actions={"pin": Requirement(bits=1)}),
              store=SQLiteStore(path))
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
after = bench.play("pin").verdict.value
from kyc_verify.audit import verify
report = verify(bench.store.records("default", 0, 10_000), tenant="default", keys=bench.hasher.keyring.chain_keys())
print(failed > 3, after, report.intact, sum(r.verdict == "verified" for r in bench.store.records("default", 0, 10_000)) == verified + 1)
"""


@pytest.mark.parametrize("room", [20_000, 200_000, 1_000_000])
def test_st_04_a_full_disk_lets_nobody_in_and_nothing_is_torn(python: Callable[..., str], tmp_path: Path, room: int) -> None:
    assert python(FULL, str(tmp_path / "full.db"), str(room)).split() == ["True", "verified", "True", "True"]


def test_st_04_a_file_that_cannot_be_written_is_an_outage(make: Callable[..., Desk], tmp_path: Path) -> None:
    desk = make(store=SQLiteStore(tmp_path / "kyc.db"))
    step = desk.open("pin")
    desk.store.close()
    with pytest.raises(StoreError):
        desk.say(step)
    with pytest.raises((StoreError, ConfigurationError)):
        SQLiteStore(tmp_path / "no-such-folder" / "kyc.db")


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
        found: dict[str, Any] = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
    assert found == {"synchronous": 2, "journal_mode": "wal"}
    store.close()


KILLED = """
import os, sys
from kyc_verify import *
from kyc_verify import checks
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench
bench = Bench(Policy(name="p", checks=[checks.Pin()], threats=ThreatModel.points({"pin": 60}), actions={"pin": Requirement(bits=1)}),
              store=SQLiteStore(sys.argv[1]))
for k in range(3):
    print(bench.play("pin", {"pin": f"{7000 + k}"}).session_id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_st_03_what_was_acknowledged_survives_a_kill(tmp_path: Path, environ: dict[str, str], make: Callable[..., Desk]) -> None:
    """Many cycles are in scripts/kill9.py."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    path = tmp_path / "killed.db"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert done.returncode == -9
    desk = make(store=SQLiteStore(path), facts={})
    assert len(done.stdout.split()) == desk.events().count("opened") == desk.events().count("answered") == 3
    desk.clock.advance(timedelta(0))
    desk.store.close()
