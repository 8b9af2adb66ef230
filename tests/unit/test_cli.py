"""The commands lint and analyse: what they print, their exit codes, and one clear sentence for every misuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kyc_verify import __version__
from kyc_verify.analysis import CODES
from kyc_verify.cli import main
from kyc_verify.threats import ThreatModel

BANK = """
from kyc_verify import Policy, Requirement, ThreatModel, checks

layers = [checks.SimSwap(), checks.Pin(), checks.AppConfirmation(), checks.OneTimeCode(channel="sms")]
sound = Policy(name="sound", checks=layers, actions={
    "hours": Requirement.none(), "pay": Requirement(bits=3, factors=2, accept="lossless")})
weak = Policy(name="weak", checks=[checks.AppConfirmation(), checks.Pin()], actions={"pay": Requirement(bits=3)})
points = Policy(name="points", checks=layers[1:], actions={"pay": Requirement(bits=1)},
    threats=ThreatModel.points({"pin": 1, "app_confirmation": 1, "one_time_code": 1}))
many = Policy(name="many", checks=[checks.AppConfirmation()] + [
    checks.SecretAnswer(f"q{at}", {"en": "?"}) for at in range(29)], actions={"pay": Requirement(bits=1)})
number = 3

class space:
    sound = sound
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "cli_bank.py").write_text(BANK, encoding="utf-8")
    (tmp_path / "cli_raises.py").write_text("raise RuntimeError('on\\nimport')", encoding="utf-8")
    (tmp_path / "cli_exits.py").write_text("raise SystemExit(0)", encoding="utf-8")
    (tmp_path / "cli_syntax.py").write_text("def", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [each for each in sys.modules if each.startswith("cli_")]:
        monkeypatch.delitem(sys.modules, name)

    def act(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return act


# ── lint ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lint_says_what_it_finds(run: Run) -> None:
    code, out, err = run("lint", "cli_bank:weak")
    assert (code, err) == (1, "")
    assert "actions.pay: error: KV101 one-check: 'app_confirmation' alone verifies for 'pay'" in out
    assert "    shown by: app_confirmation pass\n" in out
    assert out.splitlines()[-1].startswith("1 errors, ")


def test_lint_without_errors_is_0(run: Run) -> None:
    code, out, _ = run("lint", "cli_bank:sound")
    assert code == 0
    assert out.splitlines()[-1].startswith("0 errors, ")


def test_a_standard_can_be_asked_for(run: Run) -> None:
    code, out, _ = run("lint", "cli_bank:sound", "--floor", "psd2", "--floor", "pci")
    assert code == 1
    assert "KV302" in out
    code, _, err = run("lint", "cli_bank:sound", "--floor", "iso")
    assert (code, "invalid choice: 'iso'" in err) == (2, True)


def test_lint_as_json(run: Run) -> None:
    code, out, _ = run("lint", "cli_bank:weak", "--json")
    body = json.loads(out)
    assert code == 1
    assert body["policy"] == "cli_bank:weak"
    first = body["findings"][0]
    assert (first["code"], first["severity"], first["path"]) == ("KV101", "error", "actions.pay")
    assert first["counter_example"] == {"app_confirmation": "pass"}


def test_lint_as_sarif(run: Run) -> None:
    code, out, _ = run("lint", "cli_bank:weak", "--sarif")
    log = json.loads(out)
    assert code == 1
    assert log["version"] == "2.1.0"
    (only,) = log["runs"]
    driver = only["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("kyc-verify", __version__)
    assert [rule["id"] for rule in driver["rules"]] == list(CODES)
    for result in only["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "cli_bank.py"
        assert place["logicalLocations"][0]["fullyQualifiedName"]
    assert run("lint", "cli_bank:weak", "--sarif", "--json")[0] == 2


def test_points_are_held_against_another_table(run: Run, tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(ThreatModel.default().to_json(), encoding="utf-8")
    code, out, _ = run("lint", "cli_bank:points", "--threats", "table.json", "--json")
    assert code == 0
    assert "KV403" not in out
    assert run("analyse", "cli_bank:points", "--threats", "table.json")[0] == 0


# ── analyse ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_analyse_prints_every_action_that_asks_for_something(run: Run) -> None:
    code, out, err = run("analyse", "cli_bank:space.sound")
    assert (code, err) == (0, "")
    assert out.startswith("pay: 3 bits, accept=lossless, bound 0.125\n")
    assert "hours" not in out
    for word in ("stranger", "insider", "genuine callers", "least sets", "best order", "live_phishing"):
        assert word in out


def test_analyse_as_json(run: Run) -> None:
    code, out, _ = run("analyse", "cli_bank:sound", "--action", "pay", "--json")
    (only,) = json.loads(out)["actions"]
    assert code == 0
    assert set(only["runs"][0]["attackers"]) == set(ThreatModel.default().names)
    assert len(only["runs"]) == 5
    assert only["runs"][0]["bound"] == 0.125
    assert len(only["ways"]) == 64
    assert only["paths"][0]["outcomes"]
    assert only["seconds"]["adaptive"] <= only["seconds"]["best"] <= only["seconds"]["given"]


# ── Misuse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "the following arguments are required"),
        (["frob"], "invalid choice: 'frob'"),
        (["lint"], "the following arguments are required: module:policy"),
        (["lint", "cli_bank"], "names no policy; write module:policy"),
        (["lint", ":x"], "names no policy"),
        (["lint", "cli_bank:nope"], "no attribute 'nope'"),
        (["lint", "cli_bank:number"], "is a int, not a Policy"),
        (["lint", "cli_absent:x"], "'cli_absent' cannot be imported: ModuleNotFoundError"),
        (["lint", "cli_raises:x"], "'cli_raises' cannot be imported: RuntimeError: on import"),
        (["lint", "cli_exits:x"], "'cli_exits' cannot be imported: SystemExit"),
        (["lint", "cli_syntax:x"], "'cli_syntax' cannot be imported: SyntaxError"),
        (["lint", "..:x"], "cannot be imported"),
        (["lint", "cli_bank:many"], "30 checks, and can be analysed with at most 24"),
        (["analyse", "cli_bank:many"], "30 checks, and can be analysed with at most 24"),
        (["analyse", "cli_bank:sound", "--action", "nope"], "no action 'nope'; it has hours, pay"),
        (["analyse", "cli_bank:sound", "--action", "hours"], "asks nothing"),
        (["analyse", "cli_bank:points"], "pass threats="),
        (["lint", "cli_bank:sound", "--threats", "absent.json"], "the file 'absent.json' cannot be read"),
        (["lint", "cli_bank:sound", "--threats", "."], "the file '.' cannot be read"),
        (["lint", "cli_bank:sound", "--threats", "a\0b"], "cannot be read"),
    ],
)
def test_misuse_is_one_sentence_and_exit_2(run: Run, argv: list[str], told: str) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("kyc-verify: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["--threats", "--capabilities"])
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"schema": Infinity}',
        b'{"schema": "kyc_verify.threats/1", "rows": NaN}',
        b'{"schema": "kyc_verify.capabilities/1", "capabilities": [{"name": "x", "price": Infinity}]}',
        b'__import__("os").abort()',
        b"[" * 100_000,
        b" " * 17_000_000,
    ],
    ids=range(11),
)
def test_a_file_that_is_no_table(run: Run, tmp_path: Path, option: str, text: bytes) -> None:
    (tmp_path / "table.json").write_bytes(text)
    code, out, err = run("analyse", "cli_bank:sound", option, "table.json")
    assert (code, out) == (2, "")
    assert err.startswith("kyc-verify: ")
    assert err.count("\n") == 1


def test_help_is_not_misuse(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run("lint", "--help")
    assert raised.value.code == 0
    assert "module:policy" in capsys.readouterr().out


def test_the_module_is_the_command(tmp_path: Path) -> None:
    (tmp_path / "cli_bank.py").write_text(BANK, encoding="utf-8")
    command = [sys.executable, "-m", "kyc_verify.cli", "lint", "cli_bank:weak"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "KV101" in done.stdout
