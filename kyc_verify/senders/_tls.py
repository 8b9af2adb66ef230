"""Encryption that is checked: one rule for whoever connects."""

from __future__ import annotations

import ssl

from kyc_verify.errors import ConfigurationError

__all__ = ["context"]


def context(given: ssl.SSLContext | None) -> ssl.SSLContext:
    """Return the context to connect with: the system's authorities, or the one given, if it checks certificates.

    Raises:
        ConfigurationError: it does not.
    """
    if given is None:
        return ssl.create_default_context()
    found: object = given
    if (
        not isinstance(found, ssl.SSLContext)
        or found.verify_mode is not ssl.CERT_REQUIRED
        or not found.check_hostname
        or found.minimum_version < ssl.TLSVersion.TLSv1_2
    ):
        msg = "tls must check certificates and names, TLS 1.2 or newer, as ssl.create_default_context() does"
        raise ConfigurationError(msg)
    return found
