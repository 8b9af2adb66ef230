from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kyc_verify.cli import main
from kyc_verify.terms import LANGUAGES

DEMO = [sys.executable, "-m", "kyc_verify.cli", "demo"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_five_calls_end_as_they_must(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--scripted", "--lang", lang]) == 0
    out = capsys.readouterr().out
    assert (out.count(": verified."), out.count(": denied.")) == (2, 3)
    assert "Quel est votre code secret" in out
    assert "sim_swapper" in out


def test_without_a_terminal_it_plays_by_itself() -> None:
    done = subprocess.run(DEMO, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "All five calls ended as they must." in done.stdout


def test_a_closed_pipe_is_one_sentence() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(DEMO, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    os.close(write)
    assert done.returncode == 2
    assert done.stderr == "kyc-verify: the output was closed before its end\n"


def test_an_unknown_language_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--lang", "xx"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_person_plays_the_caller_in_a_terminal() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(DEMO, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(ours, b"?\nquit\n")
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal is gone with the process
        pass
    assert process.wait(timeout=120) == 0
    text = shown.decode()
    assert "agent's screen" in text
    assert "denied: The verification was cancelled." in text
    assert "the auditor's view" in text
    assert "intact and complete" in text


def test_a_policy_in_plain_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shown_policy.py").write_text("from kyc_verify import profiles\npolicy = profiles.bank()\n")
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "show", "shown_policy:policy"]) == 0
    out = capsys.readouterr().out
    for words in (
        "at most 1 in 8.0 of any kind of attacker gets through",
        "up to 30 EUR, together at most 100: asks nothing",
        "RTS 2018/389 art. 4(1): actions.read_balance.factors is 0",
        "pci: every rule held",
        "wrong answers: 5 for each layer and customer in 1 day",
    ):
        assert words in out


@pytest.mark.parametrize(
    "where", ["no_such_module:policy", "kyc_verify.profiles:bank", "kyc_verify.profiles", "kyc_verify:nothing"]
)
def test_what_is_no_policy_is_one_sentence(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", where]) == 2
    assert capsys.readouterr().err.count("\n") == 1
