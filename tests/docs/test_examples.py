"""Every example runs, with the cheap hasher and, one of them, as a reader runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from kyc_verify.testing import cheap_hasher

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_crm_plain(capsys: pytest.CaptureFixture[str]) -> None:
    assert _load("crm_plain").main(cheap_hasher()) == 0
    out = capsys.readouterr().out
    assert "verified: The caller is verified" in out
    assert "weakest against phisher" in out
    assert "denied: no grant" in out


def test_terminal_verifies_who_answers(capsys: pytest.CaptureFixture[str]) -> None:
    said = iter(["3", "since March 2019", "4729"])
    assert _load("terminal").main(lambda _: next(said), cheap_hasher()) == 0
    assert "verified" in capsys.readouterr().out


def test_terminal_ends_when_the_caller_hangs_up(capsys: pytest.CaptureFixture[str]) -> None:
    said = iter(["?", "quit"])
    assert _load("terminal").main(lambda _: next(said), cheap_hasher()) == 1
    assert "cancelled" in capsys.readouterr().out


def test_ivr_handover_keeps_what_was_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert _load("ivr_handover").main(cheap_hasher()) == 0
    out = capsys.readouterr().out
    assert "machine: step_up" in out
    assert "numéro de carte bancaire" in out
    assert "agent:   in another call there is nothing of it" in out
    assert out.count("première école") == 1
    assert "agent:   verified" in out
    assert not {"4729", "4000000000000002", "0800"} & set(re.findall("[0-9]+", out))


def test_real_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert _load("real_people").main(300, cheap_hasher()) == 0
    out = capsys.readouterr().out
    assert "somebody else's record: denied" in out


def test_custom_check_has_its_own_tests() -> None:
    module = _load("custom_check")
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert len(tests) >= 4
    for test in tests:
        test()


def test_webhook_receiver(capsys: pytest.CaptureFixture[str]) -> None:
    """What `WebhookSender` sends it, tests/integration/test_webhook.py shows."""
    _load("webhook_receiver").main()
    assert "taken once" in capsys.readouterr().out


def test_fastapi_app() -> None:
    """Its routes are there; tests/integration/test_fastapi.py serves it."""
    pytest.importorskip("fastapi")
    paths = _load("fastapi_app").create_app().openapi()["paths"]
    assert {"/verifications", "/verifications/answers", "/verifications/{session_id}/redeem"} <= set(paths)


def test_an_example_runs_as_a_reader_runs_it() -> None:
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "crm_plain.py")],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "The grant was redeemed" in done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_is_run_here(path: Path) -> None:
    assert f'_load("{path.stem}")' in Path(__file__).read_text(encoding="utf-8")
