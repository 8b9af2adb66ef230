"""The clients of carriers are what the verifiers take."""

from __future__ import annotations

from datetime import date

from kyc_verify.ports import CodeService, SignalQuery, SignalSource
from kyc_verify.signals import AsyncCamara, AsyncTwilio, Camara, Twilio


async def token() -> str:
    return "token"


def of_device(query: SignalQuery) -> str | None:
    return query.subject


carrier = Camara("https://api.carrier.example", token=lambda: "token", within=3)
later = AsyncCamara("https://api.carrier.example", token=token)
sources: dict[str, SignalSource] = {
    "sim_swap": carrier.sim_swap(hours=200),
    "device_swap": later.device_swap_date(),
    "kyc_match": carrier.kyc_match(lambda subject: {"name": subject, "birthdate": date(1980, 2, 29)}),
    "kyc_tenure": later.kyc_tenure(since=lambda _: None),
    "number_verification": carrier.number_verification(of_device, hashed=True),
    "line_type": Twilio("SK" + "0" * 32, secret=lambda: "secret").line_type(),
}
services: dict[str, CodeService] = {
    "sms": carrier.one_time_code(),
    "voice": AsyncTwilio("SK" + "0" * 32, secret=token).verify("VA" + "0" * 32),
}
