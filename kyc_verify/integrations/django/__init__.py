"""The library in a Django project: ``INSTALLED_APPS = [..., "kyc_verify.integrations.django"]``.

`store`, `verifier` and `enroller` are made from ``settings.KYC_VERIFY`` when they are first asked for. The store has
connections of its own to the database that the settings name: neither ``ATOMIC_REQUESTS`` nor a rollback of a view
undoes what it wrote.
"""

from __future__ import annotations

from kyc_verify.integrations.django._wiring import enroller, store, verifier

__all__ = ["enroller", "store", "verifier"]
