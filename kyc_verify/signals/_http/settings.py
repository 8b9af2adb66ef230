"""What a client is given, checked once at construction."""

from __future__ import annotations

import ipaddress
import ssl
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx

from kyc_verify.errors import ConfigurationError

__all__ = ["base_url", "seconds", "tls_context"]

_MOST_SECONDS: Final = 9.0
"""The verifier leaves a service at 10 seconds; a client must have given up by itself before."""


def base_url(value: object, what: str, *, insecure: bool) -> str:
    """Return a base URL without the slash at its end.

    Args:
        value: What was given.
        what: Its name, for the message.
        insecure: Whether http is taken too, and then on this machine only.

    Raises:
        ConfigurationError: not https, or with a user, a query or a fragment, or no URL at all.
    """
    given = value if type(value) is str and value.isascii() and value.isprintable() and " " not in value else ""
    try:
        parts = urlsplit(given)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable or "@" in parts.netloc or "?" in given or "#" in given or "\\" in given:
        msg = f"{what} must be a URL such as https://api.example.com, without user, query or fragment"
        raise ConfigurationError(msg)
    if parts.scheme != "https" and not (insecure and parts.scheme == "http" and _loopback(parts)):
        msg = f"{what} must begin with https://: numbers and tokens go over it"
        raise ConfigurationError(msg)
    return given.rstrip("/")


def _loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@cache
def _usual() -> ssl.SSLContext:
    # Reading all authorities takes a tenth of a second; nobody outside sees it, so that nobody can change it.
    return httpx.create_ssl_context(trust_env=False)


def tls_context(given: object) -> ssl.SSLContext:
    """Return the TLS settings: those given, or the usual authorities.

    Raises:
        ConfigurationError: they would take any server for the provider.
    """
    if given is None:
        return _usual()
    if not isinstance(given, ssl.SSLContext):
        msg = "tls must be an ssl.SSLContext or None"
        raise ConfigurationError(msg)
    if given.verify_mode is not ssl.CERT_REQUIRED or not given.check_hostname:
        msg = "tls must verify the provider's certificate and its name: verify_mode CERT_REQUIRED, check_hostname True"
        raise ConfigurationError(msg)
    return given


def seconds(value: object) -> float:
    """Return a time limit.

    Raises:
        ConfigurationError: not a number of seconds above 0 and at most 9.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_SECONDS:
        msg = f"within must be seconds, more than 0 and at most {_MOST_SECONDS:g}"
        raise ConfigurationError(msg)
    return float(value)
