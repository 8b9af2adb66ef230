"""The clients of carriers and Twilio under the contract of signal sources, both fronts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kyc_verify.testing import SignalContract
from tests.providers import FRONTS, NUMBER, Provider, camara, fails, running, says, twilio, writes

pytestmark = [pytest.mark.slow, pytest.mark.wide]

FORWARDING = {"phone_number": NUMBER, "valid": True, "call_forwarding": {"call_forwarding_enabled": False}}


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(Provider()) as provider:
        yield provider


class TestCamara(SignalContract):
    @pytest.fixture
    def make_source(self, front: str, provider: Provider) -> Callable[[], Any]:
        return lambda: camara(front, provider).sim_swap()


class TestCamaraThatIsOut(SignalContract):
    out = True

    @pytest.fixture(
        params=[fails(501, "NOT_IMPLEMENTED"), writes(b"", pause=9.0), says({"swapped": NUMBER})], ids=range(3)
    )
    def make_source(self, front: str, provider: Provider, request: pytest.FixtureRequest) -> Callable[[], Any]:
        provider.answer("sim-swap/check", request.param)
        return lambda: camara(front, provider, within=2.0).sim_swap()


class TestTwilio(SignalContract):
    @pytest.fixture
    def make_source(self, front: str, provider: Provider) -> Callable[[], Any]:
        provider.answer("lookup", says(FORWARDING))
        return lambda: twilio(front, provider).call_forwarding()
