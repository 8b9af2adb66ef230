from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kyc_verify import profiles
from kyc_verify.cli import main
from kyc_verify.cli._world import say
from kyc_verify.terms import LANGUAGES
from kyc_verify.threats import ThreatModel

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


def test_no_folder_to_write_to_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    assert main(["demo"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("kyc-verify: the demo needs a folder for its temporary database; set TMPDIR to one: ")
    assert told.count("\n") == 1


def test_a_terminal_that_lacks_the_letters_shows_their_numbers() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*DEMO, "--lang", "fa"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
        env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\u06a9" in done.stdout


def test_an_unknown_language_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--lang", "xx"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


IN_TERMINAL = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that ^C is heard
signal.signal(signal.SIGINT, signal.default_int_handler)  # what was started in the background ignores it
from kyc_verify.cli import main
sys.exit(main(sys.argv[1:]))
"""


def typed(keys: bytes, lang: str = "en", term: str = "xterm") -> tuple[int, str]:
    """Run the demo in a terminal and type, once it asks; returns the exit code and what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "demo", "--lang", lang], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, env={**os.environ, "TERM": term},
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)  # ^C throws away what was about to be read
    shown, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.3)[0]:
                with suppress(BlockingIOError):
                    shown += os.read(ours, 65536)
            elif b" > " in shown:
                # It waits. A person whose ^C fell between the question and the waiting presses it again.
                os.write(ours, keys)
    except OSError:  # the terminal is gone with the process
        pass
    os.close(ours)
    try:
        return process.wait(timeout=10), shown.decode()
    finally:
        process.kill()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_person_plays_in_their_language(lang: str) -> None:
    code, text = typed(b"?\nquit\n", lang, term="dumb")
    assert code == 0
    assert "\x1b" not in text.replace("\x1b[?2004h", "").replace("\x1b[?2004l", "")  # readline's own
    assert say("screen", lang) in text
    assert say("why", lang) in text


def test_control_c_is_one_sentence() -> None:
    code, text = typed(b"\x03")
    assert code == 2
    assert text.splitlines()[-1] == "kyc-verify: stopped"


def test_control_d_hangs_up() -> None:
    code, text = typed(b"\x04")
    assert code == 0
    assert "denied: The verification was cancelled." in text


def test_a_person_plays_the_caller_in_a_terminal() -> None:
    code, text = typed(b"?\nquit\n")
    assert code == 0
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


def test_a_policy_under_another_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other_policy.py").write_text("from kyc_verify import profiles\npolicy = profiles.bank()\n")
    monkeypatch.chdir(tmp_path)
    policy = profiles.bank()
    points = ThreatModel.points({check.id: 7 for check in policy.checks})
    (tmp_path / "points.json").write_text(points.to_json())
    assert main(["policy", "show", "other_policy:policy", "--threats", "points.json"]) == 0
    out = capsys.readouterr().out
    assert "7.00" in out
    assert "of any kind of attacker" not in out
    (tmp_path / "points.json").write_text("{")
    assert main(["policy", "show", "other_policy:policy", "--threats", "points.json"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "where", ["no_such_module:policy", "kyc_verify.profiles:bank", "kyc_verify.profiles", "kyc_verify:nothing"]
)
def test_what_is_no_policy_is_one_sentence(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", where]) == 2
    assert capsys.readouterr().err.count("\n") == 1
