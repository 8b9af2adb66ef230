"""The report: one page that holds all it shows, loads nothing, and can be looked at."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kyc_verify import Policy, Requirement, checks, profiles
from kyc_verify.analysis import error_rates, lint
from kyc_verify.analysis.report import html_report
from kyc_verify.cli import main
from kyc_verify.decision import Verdict
from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.threats import ThreatModel

pytestmark = [pytest.mark.slow, pytest.mark.wide]

image = pytest.importorskip("matplotlib.image")
pytest.importorskip("jinja2")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page() -> str:
    return html_report(profiles.bank())


class Reader(HTMLParser):
    """Collects what a page refers to, and whether its tags are closed in order."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.refers += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_it_is_one_page_that_loads_and_runs_nothing(page: str) -> None:
    found = read(page)
    assert found.tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert all(each.startswith("#") for each in found.refers)
    assert "default-src 'none'" in page
    assert "url(http" not in page


def test_names_are_unique_and_every_reference_leads_somewhere(page: str) -> None:
    found = read(page)
    missing = {each[1:] for each in found.refers} - set(found.ids)
    used = set(re.findall(r"url\(#([^)]+)\)", page))
    assert not missing
    assert used <= set(found.ids)


def test_every_chart_is_well_formed_and_follows_the_page(page: str) -> None:
    charts = re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL)
    assert len(charts) == 4 * 3  # four for each of the three actions that ask for something
    for chart in charts:
        root = ET.fromstring(chart)  # noqa: S314 - our own
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert "currentColor" in chart
        assert "#0000f" not in chart
        assert "#010203" not in chart


def test_it_says_what_the_analysis_says(page: str) -> None:
    text = " ".join(" ".join(read(page).text).split())
    for action in ("pay", "read_balance", "change_phone"):
        rates = error_rates(profiles.bank(), action).runs[0]
        assert f"{100 * rates.genuine[Verdict.VERIFIED]:.1f} %" in text
    for finding in lint(profiles.bank()):
        assert finding.message in text
    assert "34 of its 42 cells are guesses" in text
    assert "Nothing is asked for branch_hours" in text


def test_the_same_policy_gives_the_same_page(page: str) -> None:
    assert html_report(profiles.bank()) == page


def test_names_are_text_and_never_markup() -> None:
    policy = Policy(
        name="<script>alert(1)</script> & {{ 7 * 7 }}",
        checks=[checks.Pin(), checks.AppConfirmation()],
        actions={"pay": Requirement(bits=2)},
    )
    page = html_report(policy)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7 * 7 }}" in page


def test_points_need_a_table_beside_them() -> None:
    policy = Policy(
        name="points",
        checks=[checks.Pin(), checks.DateOfBirth()],
        actions={"pay": Requirement(bits=3)},
        threats=ThreatModel.points({"pin": 3, "date_of_birth": 1}),
    )
    with pytest.raises(UsageError, match="threats="):
        html_report(policy)
    page = html_report(policy, ThreatModel.default())
    assert "They claim no bound" in page
    assert "at most" not in " ".join(read(page).text).split("Findings")[0].split("Verdict map")[0]


def test_signals_alone_and_age_are_shown() -> None:
    policy = Policy(
        name="quiet",
        checks=[checks.CallerNumber(), checks.SimSwap()],
        actions={"hear": Requirement(bits=1, max_age=timedelta(minutes=5)), "never": Requirement(bits=1)},
    )
    assert "asks <code>nothing</code>" in html_report(policy)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"kyc-verify\[report\]"):
        html_report(profiles.everyday())


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "report_policy.py").write_text("from kyc_verify import profiles\npolicy = profiles.everyday()\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_the_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "report_policy:policy", "-o", "report.html"]) == 0
    assert (here / "report.html").read_text(encoding="utf-8") == html_report(profiles.everyday())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["report", "report_policy:policy"], "-o/--output"),
        (["report", "report_policy:policy", "-o", "."], "cannot be written to '.'"),
        (["report", "report_policy:policy", "-o", "absent/report.html"], "cannot be written to"),
        (["report", "report_policy:policy", "-o", "a\0b"], "cannot be written to"),
        (["report", "report_policy:policy", "-o", "r.html", "--threats", "absent.json"], "cannot be read"),
        (["report", "report_absent:policy", "-o", "r.html"], "cannot be imported"),
    ],
)
def test_misuse_is_one_sentence(here: Path, argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert not list(here.glob("r*.html"))


# ── In a browser ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("scheme", "paper"), [("light", 1.0), ("dark", 0.1)])
def test_a_browser_shows_it(page: str, tmp_path: Path, scheme: str, paper: float) -> None:
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    assert CHROMIUM is not None
    shot = tmp_path / "shot.png"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,4000",
        f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}", f"file://{tmp_path / 'report.html'}",
        *(["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    seen = image.imread(shot)[:, :, :3]
    assert seen.shape[:2] == (4000, 1100)
    assert seen[5, 5].mean() == pytest.approx(paper, abs=0.05)  # the paper is of the scheme
    text = seen[:, 60:1000].reshape(-1, 3)
    inked = abs(text - seen[5, 5]).max(axis=1) > 0.3
    assert 0.02 < inked.mean() < 0.4  # written and drawn on, and not blotted out
    strips = abs(seen[:, 60:1000] - seen[5, 5]).max(axis=2).max(axis=1).reshape(40, 100)
    assert (strips.max(axis=1) > 0.3).sum() >= 36  # from top to bottom
