"""The attacks run at the desk of the flows: both fronts, every embedded store; races run in processes on SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import kyc_verify
from kyc_verify import Policy
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench

HERE = Path(__file__).parent


def _flows() -> Any:
    spec = spec_from_file_location("_desk_of_the_flows", HERE.parent / "flows" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.get(spec.name)
    if module is None:
        module = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


_desk = _flows()
make, desk, policy = _desk.make, _desk.desk, _desk.policy


@pytest.fixture
def environ() -> dict[str, str]:
    """Return the environment of a child that uses the package under test."""
    where = str(Path(kyc_verify.__file__).parent.parent)
    return os.environ | {"KYC_VERIFY_TESTING": "1", "PYTHONPATH": where}


@pytest.fixture
def python(environ: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run a script in a child, warnings as errors; returns what it printed."""

    def run(script: str, *args: str, flags: tuple[str, ...] = ("-W", "error")) -> str:
        done = subprocess.run(
            [sys.executable, *flags, "-c", script, *args],
            capture_output=True, text=True, timeout=90, check=False, env=environ, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


class Race:
    """One SQLite file, and processes that all start at once."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self.environ, self.count = folder, environ, 0

    def bench(self, policy: Policy, **more: Any) -> Bench:
        """Return a bench over a new file, in this process."""
        self.count += 1
        self.path = self.folder / f"race-{self.count}.db"
        self.policy = policy
        return Bench(policy, store=SQLiteStore(self.path), **more)

    def run(self, processes: list[list[dict[str, Any]]], *, threads: int = 1) -> list[dict[str, Any]]:
        """Let each process do its jobs, all at the same time; returns what each job gave."""
        command = [sys.executable, "-W", "error", str(HERE / "racer.py"), str(self.path), str(threads)]
        text = self.policy.to_json().replace("\n", " ")
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environ)
            for _ in processes
        ]
        found: list[dict[str, Any]] = []
        try:
            for child, jobs in zip(running, processes, strict=True):
                assert child.stdin is not None
                child.stdin.write(text + "\n" + json.dumps(jobs) + "\n")
                child.stdin.flush()
            for child in running:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
            for child in running:
                assert child.stdin is not None
                child.stdin.write("go\n")
                child.stdin.flush()
            for child in running:
                out, _ = child.communicate(timeout=90)
                found += json.loads(out)
        finally:
            for child in running:
                child.kill()
                child.wait()
        return found


@pytest.fixture
def race(tmp_path: Path, environ: dict[str, str]) -> Race:
    """Return a starter of races."""
    return Race(tmp_path, environ)
