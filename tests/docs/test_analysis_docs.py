"""The page on the analysis runs as it stands, its numbers are those of the benchmark, and the codes are all listed."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from kyc_verify.analysis import CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
LINT = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")


def test_every_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/analysis.md", "exec"), names)  # noqa: S102 - the page of this repository
    assert "now also needs" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["seconds", "incident"])
def test_figures_are_those_of_the_benchmark(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = spec_from_file_location("bench_analysis", ROOT / "benchmarks" / "bench_analysis.py")
    assert spec is not None
    assert spec.loader is not None
    bench = module_from_spec(spec)
    spec.loader.exec_module(bench)
    getattr(bench, what)()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) > 8
    for line in lines:
        assert line in PAGE


def test_the_table_of_incidents_is_called_illustrative() -> None:
    assert "**Illustrative**" in PAGE.split("## Incidents")[1].split("| class |")[0]


def test_every_code_is_listed_as_the_library_has_it() -> None:
    listed = re.findall(r"^\| (KV\d+) \| ([\w-]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", LINT, re.MULTILINE)
    assert listed == [(code.code, code.name, code.says, code.advice) for code in CODES.values()]
