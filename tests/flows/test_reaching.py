"""Which number a code goes to, and of which number carriers are asked; what is never kept, and never counted twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import (
    ConfigurationError,
    Contact,
    Notice,
    Outcome,
    Policy,
    Requirement,
    ThreatModel,
    Verdict,
    checks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk

LONG_AGO = datetime(2019, 3, 14, tzinfo=UTC)
LANDLINE, MOBILE, OTHER = "+33142685300", "+33612345678", "+33698765432"


def policy(**changes: Any) -> Policy:
    given: dict[str, Any] = {
        "name": "reach",
        "checks": [checks.SimSwap(), checks.OneTimeCode(), checks.OneTimeCode("spoken", channel="voice"), checks.Pin()],
        "threats": ThreatModel.points({"sim_swap": 1, "one_time_code": 6, "spoken": 6, "pin": 3}),
        "actions": {
            "code": Requirement(bits=3, checks=("sim_swap", "one_time_code")),
            "spoken": Requirement(bits=3, checks=("sim_swap", "spoken")),
        },
    }
    return Policy(**(given | changes))


def contact(number: str, *channels: str) -> Contact:
    return Contact(number=number, since=LONG_AGO, channels=channels)


class Carrier:
    """Says of some numbers that their SIM was swapped, and keeps of which it was asked."""

    def __init__(self, *swapped: str, awaited: bool) -> None:
        self.swapped, self.asked, self.awaited = swapped, list[str | None](), awaited

    def get(self, query: Any) -> Any:
        self.asked.append(query.number)
        found = query.number in self.swapped
        return self._later(found) if self.awaited else found

    async def _later(self, found: bool) -> bool:
        return found


@pytest.fixture
def carried(make: Callable[..., Desk]) -> Callable[..., tuple[Desk, Carrier]]:
    def build(*swapped: str, contacts: tuple[Contact, ...]) -> tuple[Desk, Carrier]:
        probe = make(policy())
        carrier = Carrier(*swapped, awaited=probe.is_async)
        return make(policy(), contacts=contacts, signals={"sim_swap": carrier}), carrier

    return build


def test_a_carrier_is_asked_about_the_number_that_codes_go_to(carried: Callable[..., tuple[Desk, Carrier]]) -> None:
    desk, carrier = carried(MOBILE, contacts=(contact(LANDLINE, "voice"), contact(MOBILE, "sms")))
    step = desk.open("code")
    assert carrier.asked == [MOBILE]
    assert desk.sender.arrived == []
    assert step.verdict is not Verdict.VERIFIED
    assert Notice.SEND_REFUSED in desk.observer.notices


def test_a_landline_is_rung_though_only_the_mobile_was_asked_about(
    carried: Callable[..., tuple[Desk, Carrier]],
) -> None:
    desk, carrier = carried(contacts=(contact(LANDLINE, "voice"), contact(MOBILE, "sms")))
    desk.open("spoken")
    assert carrier.asked == [MOBILE]
    assert [message.destination for message in desk.sender.arrived] == [LANDLINE]


def test_a_second_mobile_of_which_no_carrier_is_asked_gets_no_code(
    carried: Callable[..., tuple[Desk, Carrier]],
) -> None:
    desk, _ = carried(contacts=(contact(OTHER, "voice"), contact(MOBILE, "sms")))
    assert desk.open("spoken").verdict is Verdict.REVIEW
    assert desk.open("code").challenge is not None
    assert [message.destination for message in desk.sender.arrived] == [MOBILE]


def test_a_service_with_words_of_its_own_is_not_credited_with_ours(make: Callable[..., Desk]) -> None:
    class Verify:
        own_words = True

        def send(self, message: Any) -> str:
            return "handle"

        def check(self, handle: str, code: str) -> Outcome:
            return Outcome.FAIL

    with pytest.raises(ConfigurationError, match=r"words its messages itself: OneTimeCode\(template='elsewhere'\)"):
        make(policy(), services={"sms": Verify()})
    make(policy(checks=[checks.SimSwap(), checks.OneTimeCode(template="elsewhere"), checks.OneTimeCode(
        "spoken", channel="voice"), checks.Pin()]), services={"sms": Verify()})  # fmt: skip


def test_of_a_card_number_not_even_a_hash_is_kept(make: Callable[..., Desk]) -> None:
    desk = make()
    first, second = desk.open("school"), desk.open("school")
    marks = []
    for step, said in ((first, "my card is 4111 1111 1111 1111"), (second, "5500005555555559 999")):
        desk.say(step, said)
        kept = desk.store.load(desk.tenant, step.session_id, desk.clock.now).session.state
        assert said not in kept
        marks.append(kept)
    # Both are read as nothing at all: what is kept of them would verify the one as well as the other.
    assert desk.verifier.respond(first.challenge.id, "378282246310005", call=desk.call).verdict is Verdict.DENIED  # type: ignore[union-attr]


def test_one_authenticator_is_one_authenticator(make: Callable[..., Desk]) -> None:
    pytest.importorskip("pyotp")
    pytest.importorskip("cryptography")
    twice = Policy(
        name="twice",
        checks=[checks.AuthenticatorCode(), checks.AuthenticatorCode("second")],
        threats=ThreatModel.points({"authenticator_code": 3, "second": 3}),
        actions={"both": Requirement(bits=5)},
    )
    desk = make(twice)
    step = desk.open("both")
    assert step.challenge is not None
    code = desk.bench.answer(step.challenge)
    step = desk.say(step, code)
    assert step.challenge is not None
    step = desk.say(step, code)
    assert step.verdict is not Verdict.VERIFIED


def test_an_extension_is_no_other_number(make: Callable[..., Desk]) -> None:
    """Of a line that is not fixed, so that nothing but the comparison lets it through."""
    rung = Policy(
        name="rung",
        checks=[checks.SimSwap(), checks.Callback(), checks.Pin()],
        threats=ThreatModel.points({"sim_swap": 1, "callback": 6, "pin": 3}),
        actions={"rung": Requirement(bits=3, checks=("sim_swap", "callback"))},
    )
    desk = make(rung, contacts=[contact("+33970123456;ext=4", "voice")])
    assert desk.open("rung").challenge is not None
    assert [message.destination for message in desk.sender.arrived] == ["+33970123456;ext=4"]
