"""What is installed, loaded and shipped."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import kyc_verify

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(kyc_verify.__file__).parent


def test_sc_03_nothing_is_loaded_that_was_not_asked_for() -> None:
    for path in PACKAGE.rglob("*.py"):
        names = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Attribute | ast.Name)
        }
        assert names.isdisjoint({"entry_points", "iter_entry_points", "pkg_resources", "eval", "exec"}), path


def test_sc_04_without_argon2_nothing_starts(python: Callable[..., str]) -> None:
    script = """
import sys
for name in ("argon2", "argon2.low_level", "_argon2_cffi_bindings", "argon2._utils"):
    sys.modules[name] = None
from kyc_verify import ConfigurationError, Keyring, SecretHasher
try:
    SecretHasher(Keyring({"a": bytes(range(32))}), profile="owasp")
except (ConfigurationError, ImportError) as error:
    print(type(error).__name__)
"""
    assert python(script, flags=()).strip() == "ConfigurationError"


def test_sc_05_the_package_holds_no_tests_and_imports_offline(python: Callable[..., str]) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        built = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]
    assert built["wheel"]["packages"] == ["kyc_verify"]
    assert {"*.db", "*.env", "*.key", "*.pem"} <= set(built["sdist"]["exclude"])
    assert not [path for path in PACKAGE.rglob("*") if path.suffix in {".db", ".key", ".pem", ".env", ".sqlite"}]
    script = """
import socket
def none(*a, **k):
    raise OSError("no network here")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = none
import kyc_verify
for name in kyc_verify.__all__:
    getattr(kyc_verify, name)
from kyc_verify import Policy, Requirement, checks
from kyc_verify.testing import Bench
bench = Bench(Policy(name="p", checks=[checks.Pin()], actions={"a": Requirement(bits=1)}))
print(bench.play(action="a").verdict.value)
"""
    assert python(script).strip() == "verified"
