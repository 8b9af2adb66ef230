"""A PostgreSQL that is restarted, gracefully or not, while callers are being verified: FC-08, ST-05."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

from sqlalchemy import create_engine

from kyc_verify import KycVerifyError, Policy, Requirement, StoreError, ThreatModel, Verdict, checks
from kyc_verify.audit import pseudonym, verify
from kyc_verify.stores import SQLAlchemyStore
from kyc_verify.testing import Bench
from tests.services import absent

POLICY = Policy(
    name="restart",
    checks=[checks.Pin()],
    threats=ThreatModel.points({"pin": 60}),
    actions={"pin": Requirement(bits=1)},
)


class Cluster:
    """A PostgreSQL of one's own in a folder; root cannot run one and borrows the account of the service."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")
        self.control("start")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        command = [shutil.which(program) or program, *arguments]
        if getpass.getuser() == "root":
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr

    def control(self, verb: str, *options: str) -> None:
        """Start, stop or restart it."""
        start = ["-o", f"-k {self.folder} -h ''", "-l", str(self.folder / "log")] if verb != "stop" else []
        self.run("pg_ctl", verb, "-D", str(self.data), "-w", *start, *options)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if shutil.which("initdb") is None or (os.geteuid() == 0 and shutil.which("runuser") is None):
        absent("postgresql", "initdb is not installed")
    folder = Path(tempfile.mkdtemp(prefix="kyc_pg_"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    found = Cluster(folder)
    yield found
    found.control("stop", "-m", "immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_loses_nothing_and_lets_nobody_in(cluster: Cluster, mode: str) -> None:
    engine = create_engine(cluster.url)
    SQLAlchemyStore.migrate(engine)
    bench = Bench(POLICY, store=SQLAlchemyStore(engine))
    told: list[tuple[str, str]] = []
    failed: list[KycVerifyError] = []
    over = threading.Event()

    def serve() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                bench.clock.advance(minutes=20)
                bench.enroller.clear_runs(bench.subject, by="ops", reason="next")
                step = bench.verifier.open(bench.subject, action="pin", call=bench.call)
                told.append((step.session_id, step.verdict.value))
                if step.challenge is not None:
                    right = bench.answer(step.challenge)
                    step = bench.verifier.respond(step.challenge.id, right if number % 2 else "0", call=bench.call)
                    told.append((step.session_id, step.verdict.value))
                    assert (step.verdict is Verdict.VERIFIED) == bool(number % 2)
            except StoreError as error:
                failed.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    for _ in range(3):
        before = len(told)
        cluster.control("restart", "-m", mode)
        while len(told) < before + 20 and thread.is_alive():
            over.wait(0.02)
    over.set()
    thread.join(60)
    assert failed, "no call fell into a restart"
    assert len(told) >= 60
    kept = []
    while page := bench.store.records("default", len(kept), 1000):
        kept += page
    report = verify(kept, tenant="default", keys=bench.hasher.keyring.chain_keys())
    assert report.intact, report.faults
    recorded = {(record.session, record.verdict) for record in kept}
    for session, verdict in told:
        key = bench.store.load("default", session, bench.clock.now).subject.key
        assert (pseudonym(key, "session", session), verdict) in recorded
    for error in failed:
        assert "postgres" not in repr(error) + repr(error.__context__)
    engine.dispose()
