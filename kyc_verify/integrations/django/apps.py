"""The app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["KycVerifyConfig"]


class KycVerifyConfig(AppConfig):
    """Registers the system checks, and keeps the tables on their own alias."""

    name = "kyc_verify.integrations.django"
    label = "kyc_verify"
    verbose_name = "Verification"

    def ready(self) -> None:
        """Register the checks."""
        from kyc_verify.integrations.django import checks  # noqa: F401, PLC0415 - registering is what importing does
