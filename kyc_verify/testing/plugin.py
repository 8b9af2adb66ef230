"""The pytest plugin: fixtures of a bench, a seed, a header, and the transcripts of the calls that a failed test played.

pytest loads it wherever the library is installed, so it imports nothing of the library until a test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from kyc_verify.policy import Policy
    from kyc_verify.ports import Store
    from kyc_verify.testing import Bench, FakeClock, RecordingSender

__all__ = ["kyc_bench", "kyc_clock", "kyc_policy", "kyc_seed", "kyc_sender", "kyc_store"]

_TRANSCRIPTS: Final = "kyc_verify.testing.transcript"

sessions = 0
"""How many runs of pytest are under way in this process; what is for tests alone looks at it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kyc_verify", "tests of verification chains")
    group.addoption("--kyc-seed", type=int, default=0, metavar="N", help="seed of the fixture kyc_seed (default: 0)")
    group.addoption(
        "--kyc-exhaustive", action="store_true", help="run the tests marked kyc_exhaustive as well; they take longer"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is for, and that tests are run."""
    global sessions  # noqa: PLW0603 - of the process
    sessions += 1
    config.addinivalue_line("markers", "kyc_exhaustive: goes through everything; run with --kyc-exhaustive only")


def pytest_unconfigure() -> None:
    """Note that a run has ended."""
    global sessions  # noqa: PLW0603
    sessions -= 1


def pytest_report_header(config: pytest.Config) -> str:
    """Return the line with the versions that results depend on."""
    exhaustive = ", exhaustive" if config.getoption("--kyc-exhaustive") else ""
    parts = [f"{name} {version(name)}" for name in ("kyc-verify", "argon2-cffi", "phonenumbers")]
    return f"{', '.join(parts)}; --kyc-seed={config.getoption('--kyc-seed')}{exhaustive}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is exhaustive unless it is asked for."""
    if config.getoption("--kyc-exhaustive"):
        return
    skip = pytest.mark.skip(reason="exhaustive: run with --kyc-exhaustive")
    for item in items:
        if item.get_closest_marker("kyc_exhaustive") is not None:
            item.add_marker(skip)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget the calls of the test before."""
    del item
    if (module := sys.modules.get(_TRANSCRIPTS)) is not None:
        module.recent.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Show the calls that a failed test, or a fixture of it, played."""
    del item, call
    report = yield
    module = sys.modules.get(_TRANSCRIPTS)
    if module is not None and report.failed:
        for number, each in module.recent:
            report.sections.append((f"call {number}", str(each)))
    return report


@pytest.fixture
def kyc_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed that ``--kyc-seed`` sets, for `Caller.of_class`."""
    return int(request.config.getoption("--kyc-seed"))


@pytest.fixture
def kyc_policy() -> Policy:
    """Return the policy under test; override it with your own."""
    from kyc_verify.errors import UsageError  # noqa: PLC0415 - nothing is loaded before a test asks

    msg = "write a fixture kyc_policy that returns your policy: kyc_bench puts it on a bench"
    raise UsageError(msg)


@pytest.fixture
def kyc_clock() -> FakeClock:
    """Return the bench's clock."""
    from kyc_verify.testing import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def kyc_store() -> Store:
    """Return the bench's store; override it to run your tests over another."""
    from kyc_verify.stores import MemoryStore  # noqa: PLC0415

    return MemoryStore()


@pytest.fixture
def kyc_bench(kyc_policy: Policy, kyc_clock: FakeClock, kyc_store: Store) -> Bench:
    """Return a `Bench` of the policy, with one enrolled customer."""
    from kyc_verify.testing import Bench  # noqa: PLC0415

    return Bench(kyc_policy, clock=kyc_clock, store=kyc_store)


@pytest.fixture
def kyc_sender(kyc_bench: Bench) -> RecordingSender:
    """Return the bench's sender."""
    return kyc_bench.sender
