"""The pytest plugin, as a user's own tests meet it: in another process, without this project's configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OWN = """
import pytest
from kyc_verify import Policy, Requirement, checks
from kyc_verify.testing import Caller, assert_verified

@pytest.fixture
def kyc_policy():
    return Policy(name="own", checks=[checks.Pin(), checks.OneTimeCode()], actions={"pay": Requirement(factors=2)})

def test_genuine(kyc_bench, kyc_sender, kyc_clock):
    call = kyc_bench.play(action="pay")
    assert_verified(call)
    assert kyc_sender.code() in kyc_sender.last().text
    assert kyc_clock() == kyc_bench.clock()

def test_fails(kyc_bench):
    assert_verified(kyc_bench.play(Caller.answers({"pin": "0000"}), action="pay"))

def test_passes_after(kyc_bench, kyc_seed):
    assert kyc_seed == %d
    kyc_bench.play(Caller.of_class("stranger", seed=kyc_seed), action="pay")

def test_fails_without_a_call():
    assert False

@pytest.mark.kyc_exhaustive
def test_everything():
    pass
"""


def run(folder: Path, *options: str, seed: int = 0, source: str = OWN) -> str:
    (folder / "test_own.py").write_text(source % seed if "%d" in source else source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *options, "test_own.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def test_a_users_suite(tmp_path: Path) -> None:
    out = run(tmp_path)
    assert "2 failed, 2 passed, 1 skipped" in out
    assert "exhaustive: run with --kyc-exhaustive" in out
    assert "kyc-verify 0.1.0, argon2-cffi " in out
    assert "--kyc-seed=0" in out
    assert out.count("call 1") == 1  # of the test that failed with a call; the other one played none
    assert "one who has own answers to pin calls as 'cust-42' and wants 'pay': denied" in out


def test_a_seed_and_everything(tmp_path: Path) -> None:
    out = run(tmp_path, "--kyc-seed=7", "--kyc-exhaustive", seed=7)
    assert "2 failed, 3 passed" in out
    assert "--kyc-seed=7, exhaustive" in out


def test_a_policy_must_be_given(tmp_path: Path) -> None:
    out = run(tmp_path, source="def test_it(kyc_bench): pass\n")
    assert "write a fixture kyc_policy that returns your policy" in out


def test_who_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    source = "import sys\ndef test_it():\n    assert not [m for m in sys.modules if m in %r]\n" % (  # noqa: UP031
        ["argon2", "phonenumbers", "kyc_verify.policy", "kyc_verify.testing.bench"],
    )
    assert "1 passed" in run(tmp_path, "-p", "no:hypothesispytest", source=source)


@pytest.mark.parametrize("options", [["--kyc-seed=x"], ["--kyc-seed"]])
def test_a_seed_is_a_number(tmp_path: Path, options: list[str]) -> None:
    assert "--kyc-seed" in run(tmp_path, *options)
