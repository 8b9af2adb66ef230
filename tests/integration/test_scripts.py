"""Short runs of the scripts whose figures are in docs/reliability.md, on every durable store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from kyc_verify.stores._metadata import kind_of, tabled
from tests.services import database

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, kind: str, *options: str) -> str:
    """Run a script on a store, emptied; returns what it prints."""
    command = [sys.executable, str(ROOT / "scripts" / script), *options]
    if kind == "redis":
        command += ["--redis"]
    elif kind != "sqlite":
        url = database(kind)
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        with engine.begin() as db:
            tabled(kind_of(engine.dialect)).metadata.drop_all(db)
        command += ["--store", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "KYC_VERIFY_TESTING": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb", "redis"])
def test_races_in_processes(kind: str) -> None:
    out = run("races.py", kind, "--trials", "8", "--contenders", "8")
    assert out.count("    0 violations") == 7
    assert "is caught in" in out


@pytest.mark.slow
def test_one_chain_of_many_writers() -> None:
    assert "one chain" in run("races.py", "sqlite", "--chain", "20", "--contenders", "4")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "redis"])
def test_kill_9(kind: str) -> None:
    assert "released without a record: 0" in run("kill9.py", kind, "--cycles", "6")


@pytest.mark.slow
@pytest.mark.parametrize("leak", [0, 4096])
def test_the_process_does_not_grow_and_is_found_when_it_does(leak: int) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "memory.py"), "--times", "1200", "--leak", str(leak)],
        capture_output=True, text=True, check=False, timeout=300, env=_environment(),
    )  # fmt: skip
    assert "verified" in done.stdout, done.stderr
    assert done.returncode == bool(leak), done.stdout
