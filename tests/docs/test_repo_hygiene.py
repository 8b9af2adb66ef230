"""What must not be in the repository, and what the library's code must not do, by its syntax tree."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 400
# Taken apart, so that this file does not find itself.
WORDS = re.compile("|".join(["sub" + "-?agent", r"\.\." + "/shared", r"\bissue" + r" #?\d"]), re.IGNORECASE)
PATHS = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "tm" + "p"]) + ")/")
# Runs of a policy are sessions too, so these words are wrong only where nothing is said of code.
MAKING = re.compile("this " + "session|previous " + "session|next " + "session", re.IGNORECASE)
MAKING_IN = {"CHANGELOG.md", "README.md", "SECURITY.md", "pyproject.toml"}
SKIPPED = {"build", "dist", "node_modules", "__pycache__"}

# Who may read a clock: the default of the fronts' and the senders' `clock`, and doubles. Stores, runners and clients
# may only wait.
CLOCKS = re.compile(r"verifier\.py|enrollment\.py|senders/_clock\.py|testing/.*")
WAITS = re.compile(r"stores/.*|_flows/runner\.py|signals/_http/.*")
WAITING = {"time.monotonic", "time.sleep"}


def _package() -> Path:
    spec = find_spec("kyc_verify")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0])


PACKAGE = _package()
SOURCES = sorted(PACKAGE.rglob("*.py"))


def _written() -> Iterator[Path]:
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        yield from (ROOT / name for name in listed.split("\0") if name)
        return
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not any(part in SKIPPED or part.startswith(".") for part in parts[:-1]):
            yield path


def _texts() -> list[Path]:
    wanted = {path for path in _written() if path.suffix in {".md", ".py", ".toml"} or path.parent.name == ".ci"}
    return sorted(path for path in wanted | set(SOURCES) if path.is_file())


def unwanted(text: str, name: str) -> list[str]:
    """Return what in a file's text says how or where the file was made."""
    patterns = [WORDS, PATHS, MAKING] if name in MAKING_IN else [WORDS, PATHS]
    return [found.group() for pattern in patterns for found in pattern.finditer(text)]


def _imported(tree: ast.AST) -> dict[str, str]:
    """Map each imported name to the dotted name of what it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the dotted name that an expression stands for, or nothing."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _clock(node: ast.AST, place: str, names: dict[str, str]) -> Iterator[str]:
    if CLOCKS.fullmatch(place):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in {"now", "today", "utcnow"}:
            yield f"reads a clock: .{node.func.attr}()"
    elif isinstance(node, ast.Attribute | ast.Name):
        used = _dotted(node, names)
        if used.startswith("time.") and not (WAITS.fullmatch(place) and used in WAITING):
            yield f"reads a clock: {used}"


def _imports(node: ast.AST) -> Iterator[str]:
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
    yield from (f"imports {module}" for module in modules if module.partition(".")[0] in {"random", "uuid"})


def faults(source: str, place: str) -> list[str]:
    """Return what a module of the library must not do; `place` is its path inside the package."""
    tree = ast.parse(source)
    names = _imported(tree)
    found: list[str] = []
    for node in ast.walk(tree):
        found += [*_clock(node, place, names), *_imports(node)]
        if isinstance(node, ast.Assert):
            found.append("asserts: python -O removes it")
        if isinstance(node, ast.Call) and _dotted(node.func, names) == "dateutil.parser.parse":
            keywords = {keyword.arg for keyword in node.keywords}
            if "default" not in keywords:
                found.append("dateutil.parser.parse without default=: it would take today's date")
    return found


@pytest.mark.parametrize("path", _texts(), ids=lambda path: path.name)
def test_file_says_nothing_of_its_making(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
    assert unwanted(text, name) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_the_rules_of_the_house(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST
    assert faults(source, path.relative_to(PACKAGE).as_posix()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("asked a sub" + "agent", "docs/a.md"),
        ("see .." + "/shared/design", "docs/a.md"),
        ("cd /wo" + "rk/main", "README.md"),
        ('open("/tm' + 'p/x")', "tests/a.py"),
        ("(issue" + " 2)", "tests/a.py"),
        ("done in this " + "session", "CHANGELOG.md"),
    ],
)
def test_unwanted_words_are_found(text: str, name: str) -> None:
    assert len(unwanted(text, name)) == 1


@pytest.mark.parametrize(
    "text", ["not this session's agent", "the root/ of a tree", "an issue", "~/tmp/x", "tmp_path / x"]
)
def test_other_words_are_not(text: str) -> None:
    assert unwanted(text, "docs/a.md") == []


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("from datetime import datetime\ndatetime.now()", "policy.py"),
        ("import datetime as d\nd.date.today()", "answers/dates.py"),
        ("def f(x): return x.utcnow()", "stores/sqlite.py"),
        ("import time\ntime.time()", "session.py"),
        ("import time as t\nclock = t.monotonic", "_flows.py"),
        ("from time import time\ntime.x", "policy.py"),
        ("from time import time_ns as ns\nns()", "stores/memory.py"),
        ("import time\ntime.time()", "stores/sqlite.py"),
        ("import random", "testing/bench.py"),
        ("from uuid import uuid4", "verifier.py"),
        ("assert True", "testing/clock.py"),
        ("from dateutil import parser\nparser.parse('1')", "answers/dates.py"),
        ("from dateutil.parser import parse as p\np('1', fuzzy=True)", "answers/dates.py"),
        ("import dateutil.parser\ndateutil.parser.parse('1', **kw)", "answers/dates.py"),
    ],
)
def test_a_broken_rule_is_found(source: str, place: str) -> None:
    assert faults(source, place)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("from datetime import UTC, datetime\ndatetime.now(UTC)", "verifier.py"),
        ("import time\ntime.time()", "testing/clock.py"),
        ("import time\ntime.sleep(time.monotonic())", "stores/sqlite.py"),
        ("from datetime import time\ntime.min", "policy.py"),
        ("def f(time): return time.time", "policy.py"),
        ("import dateutil.parser\ndateutil.parser.parse('1', default=now)", "answers/dates.py"),
        ("import argparse\nparser = argparse.ArgumentParser()\nparser.parse('1')", "cli/demo.py"),
    ],
)
def test_a_kept_rule_is_not(source: str, place: str) -> None:
    assert faults(source, place) == []
