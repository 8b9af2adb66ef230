"""The client of a Twilio account; sync and async."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable
from typing import Any, Final

from kyc_verify.errors import ConfigurationError
from kyc_verify.signals._http.client import AsyncClient, C, Client, S, SyncClient
from kyc_verify.signals._http.fronts import AsyncCodes, AsyncSource, Codes, Source
from kyc_verify.signals._http.settings import base_url
from kyc_verify.signals.twilio._lookup import Attributes, Forwarding, IdentityMatch, LineType, SimSwap
from kyc_verify.signals.twilio._verify import Verifications

__all__ = ["AsyncTwilio", "Twilio"]

_SID: Final = re.compile(r"(?:AC|SK)[0-9a-fA-F]{32}\Z", re.ASCII)


class _Twilio(Client[S, C]):
    """What both clients offer."""

    def __init__(
        self,
        sid: str,
        *,
        secret: Callable[[], Any],
        within: float = 4.0,
        lookup_root: str = "https://lookups.twilio.com",
        verify_root: str = "https://verify.twilio.com",
        tls: ssl.SSLContext | None = None,
        insecure_loopback_for_tests: bool = False,
    ) -> None:
        if type(sid) is not str or not _SID.match(sid):
            msg = "sid must be the SID of an API key or an account: SK or AC and 32 hexadecimal digits"
            raise ConfigurationError(msg)

        def basic(word: str) -> str:
            return f"Basic {base64.b64encode(f'{sid}:{word}'.encode()).decode()}"

        bases = (
            base_url(lookup_root, "lookup_root", insecure=insecure_loopback_for_tests),
            base_url(verify_root, "verify_root", insecure=insecure_loopback_for_tests),
        )
        self._lookup, self._verify = self._lines("twilio", bases, secret, basic, within=within, tls=tls)

    def sim_swap(self) -> S:
        """Whether the SIM was changed, for `kyc_verify.checks.SimSwap`: Lookup ``sim_swap``.

        Returns:
            A source that says ``changed_at`` where the carrier gives a date, else ``swapped``. A no for less than
            the check's 7 days is no answer: have the account's ``swapped_period`` set to ``PT168H``.
        """
        return self._source(self._lookup, SimSwap())

    def call_forwarding(self) -> S:
        """Whether all calls go elsewhere: Lookup ``call_forwarding``.

        Returns:
            A source that says ``forwarded``.
        """
        return self._source(self._lookup, Forwarding())

    def line_type(self) -> S:
        """What kind of line it is: Lookup ``line_type_intelligence``.

        Returns:
            A source that says ``type``: ``mobile``, ``landline``, ``nonFixedVoip`` ...
        """
        return self._source(self._lookup, LineType())

    def identity_match(self, attributes: Attributes) -> S:
        """Whether records of the number's holder are the CRM's of the customer: Lookup ``identity_match``.

        Args:
            attributes: Returns, for a subject, what to compare, by the API's own names (``LastName``,
                ``DateOfBirth`` ...). It is called for subjects that are not there too.

        Returns:
            A source that says ``match`` (Twilio's word, or None where there are no data) by part, and ``score``.
        """
        return self._source(self._lookup, IdentityMatch(attributes))

    def verify(self, service: str) -> C:
        """Codes that Twilio makes and judges, by SMS, by voice or by e-mail: Verify v2.

        Args:
            service: SID of the Verify service, with codes of at least 6 digits.

        Returns:
            A `CodeService`. What it says is the service's own text: ``OneTimeCode(template="elsewhere")``.
        """
        return self._codes(self._verify, Verifications(service))


class Twilio(_Twilio[Source, Codes], SyncClient):
    """Twilio's Lookup and Verify, for a `Verifier`.

    Args:
        sid: SID of an API key (``SK`` ...), or of the account (``AC`` ...).
        secret: Returns the key's secret, or the account's token. It is called for each question.
        within: Seconds that one question may take, with all tries and the waiting; at most 9.
        lookup_root: Where Lookup is, for another region.
        verify_root: Where Verify is, for another region.
        tls: Other authorities; it must verify Twilio.
        insecure_loopback_for_tests: Take http to this machine.

    Security:
        As `kyc_verify.signals.Camara`. Lookup has the number in its address: nothing logs it.
    """


class AsyncTwilio(_Twilio[AsyncSource, AsyncCodes], AsyncClient):
    """As `Twilio`, for an `AsyncVerifier`; ``secret`` may be a coroutine function, and a plain one runs in a thread."""
