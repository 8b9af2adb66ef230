"""Twilio: Lookup v2, which says what carriers know of a number, and Verify v2, which sends codes and judges them."""

from kyc_verify.signals.twilio.client import AsyncTwilio, Twilio

__all__ = ["AsyncTwilio", "Twilio"]
