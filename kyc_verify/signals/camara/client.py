"""The client of one carrier, or of one aggregator of carriers; sync and async."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

from kyc_verify.errors import ConfigurationError
from kyc_verify.signals._http.client import AsyncClient, C, Client, S, SyncClient
from kyc_verify.signals._http.fronts import AsyncCodes, AsyncSource, Codes, Source
from kyc_verify.signals._http.settings import base_url
from kyc_verify.signals.camara._code import OneTimeCodes
from kyc_verify.signals.camara._device import DeviceNumber, DeviceToken, Verification
from kyc_verify.signals.camara._lines import (
    Forwarding,
    Forwardings,
    Recycling,
    Since,
    SwapCheck,
    SwapDate,
    Tenure,
    on_record_since,
)
from kyc_verify.signals.camara._match import Attributes, Match

__all__ = ["AsyncCamara", "Camara"]

_WEEK: Final = 7 * 24
_MOST_HOURS: Final = 2400


class _Camara(Client[S, C]):
    """What both clients offer."""

    def __init__(
        self,
        api_root: str,
        *,
        token: Callable[[], Any],
        within: float = 4.0,
        tls: ssl.SSLContext | None = None,
        insecure_loopback_for_tests: bool = False,
    ) -> None:
        base = base_url(api_root, "api_root", insecure=insecure_loopback_for_tests)
        (self._line,) = self._lines("camara", (base,), token, _bearer, within=within, tls=tls)

    # ── The line ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def sim_swap(self, *, hours: int = _WEEK) -> S:
        """Whether the SIM was changed, for `kyc_verify.checks.SimSwap`: SIM Swap ``/check``.

        Args:
            hours: How far back is asked; at least the check's window of 7 days, 168 hours, and at most 2400.

        Returns:
            A source that says ``swapped``.
        """
        return self._source(self._line, SwapCheck("sim_swap", "/sim-swap/v2", _hours(hours, at_least=_WEEK)))

    def sim_swap_date(self) -> S:
        """When the SIM was last changed, for `kyc_verify.checks.SimSwap`: SIM Swap ``/retrieve-date``.

        Returns:
            A source that says ``changed_at``; a number whose date is null is not covered.
        """
        return self._source(self._line, SwapDate("sim_swap", "/sim-swap/v2", "latestSimChange"))

    def device_swap(self, *, hours: int = _WEEK) -> S:
        """Whether the SIM was put into another device: Device Swap ``/check``.

        Args:
            hours: How far back is asked, 1 to 2400.

        Returns:
            A source that says ``swapped``.
        """
        return self._source(self._line, SwapCheck("device_swap", "/device-swap/v1", _hours(hours, at_least=1)))

    def device_swap_date(self) -> S:
        """When the device was last changed: Device Swap ``/retrieve-date``.

        Returns:
            A source that says ``changed_at``; a number whose date is null is not covered.
        """
        return self._source(self._line, SwapDate("device_swap", "/device-swap/v1", "latestDeviceChange"))

    def call_forwarding(self) -> S:
        """Whether all calls go elsewhere: Call Forwarding Signal ``/unconditional-call-forwardings``.

        Returns:
            A source that says ``forwarded``.
        """
        return self._source(self._line, Forwarding())

    def call_forwardings(self) -> S:
        """Which calls go elsewhere: Call Forwarding Signal ``/call-forwardings``; not every carrier has it.

        Returns:
            A source that says ``forwarded`` and ``kinds``.
        """
        return self._source(self._line, Forwardings())

    # ── Its holder ───────────────────────────────────────────────────────────────────────────────────────────────────

    def number_recycling(self, *, since: Since = on_record_since) -> S:
        """Whether the number was given to somebody else since a day: Number Recycling ``/check``.

        Args:
            since: Returns the day for a query; by default since when the CRM has the number.

        Returns:
            A source that says ``recycled`` and ``since``; a number without a day is not covered.
        """
        return self._source(self._line, Recycling(since))

    def kyc_tenure(self, *, since: Since = on_record_since) -> S:
        """Whether the holder has been the carrier's customer since a day: KYC Tenure ``/check-tenure``.

        Args:
            since: As for `number_recycling`.

        Returns:
            A source that says ``tenured``, ``since`` and ``contract``; a number without a day is not covered.
        """
        return self._source(self._line, Tenure(since))

    def kyc_match(self, attributes: Attributes) -> S:
        """Whether the carrier's record of the holder is the CRM's of the customer: KYC Match ``/match``.

        Args:
            attributes: Returns, for a subject, what to compare, by the API's own names (``familyName``,
                ``birthdate`` ...). It is called for subjects that are not there too.

        Returns:
            A source that says ``match`` (True, False, or None for not available) and ``scores``, by attribute.
        """
        return self._source(self._line, Match(attributes))

    def number_verification(self, token: DeviceToken, *, hashed: bool = False) -> S:
        """Whether the customer's device is on the line: Number Verification ``/verify``.

        Args:
            token: Returns the three-legged token that the customer's device fetched, for a query.
            hashed: Send the number's SHA-256 instead of the number.

        Returns:
            A source that says ``verified``.
        """
        return self._source(self._line, Verification(token, hashed=hashed))

    def device_phone_number(self, token: DeviceToken) -> S:
        """As `number_verification`, by ``/device-phone-number``: the number comes here and is compared here.

        Args:
            token: As there.

        Returns:
            A source that says ``verified``; the number itself is not passed on.
        """
        return self._source(self._line, DeviceNumber(token))

    # ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def one_time_code(self) -> C:
        """Codes by SMS that the carrier makes and judges: One Time Password SMS.

        What is sent is the library's message, or `Message.brief` where that is longer than the carrier takes; one that
        does not fit either is not sent.

        Returns:
            A `CodeService`.
        """
        return self._codes(self._line, OneTimeCodes(self._line.base))


class Camara(_Camara[Source, Codes], SyncClient):
    """A carrier's CAMARA APIs, for a `Verifier`.

    Args:
        api_root: What the paths begin with, ``https://api.example.com``.
        token: Returns a two-legged access token with the scopes of what is asked. It is called for each question;
            keep the token as long as it is good.
        within: Seconds that one question may take, with the token, all tries and the waiting; at most 9.
        tls: Other authorities, or a certificate of ours; it must verify the carrier.
        insecure_loopback_for_tests: Take http to this machine.

    Security:
        Redirects are not followed and proxies of the environment not used. Replies are at most 64 KiB. No number,
        token or code is in a repr, a message or a log; what httpx logs of these requests is dropped.
    """


class AsyncCamara(_Camara[AsyncSource, AsyncCodes], AsyncClient):
    """As `Camara`, for an `AsyncVerifier`; ``token`` may be a coroutine function, and a plain one runs in a thread."""


def _bearer(token: str) -> str:
    return f"Bearer {token}"


def _hours(hours: object, *, at_least: int) -> int:
    if type(hours) is not int or not at_least <= hours <= _MOST_HOURS:
        msg = f"hours must be a whole number of hours from {at_least} to {_MOST_HOURS}"
        raise ConfigurationError(msg)
    return hours
