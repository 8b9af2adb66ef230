"""Which tables go where: ``DATABASE_ROUTERS = ["kyc_verify.integrations.django.routers.OwnAlias"]``."""

from __future__ import annotations

from typing import Any

from kyc_verify.integrations.django._wiring import option

__all__ = ["OwnAlias"]

_LABEL = "kyc_verify"


class OwnAlias:
    """The library's tables on its own alias, and nobody else's there."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:  # noqa: ANN401 - Django's own
        """Read the library's tables from its alias."""
        del hints
        return str(option("DATABASE")) if model._meta.app_label == _LABEL else None  # noqa: SLF001 - Django's way

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Migrate them there, and nothing else."""
        del hints
        if app_label == _LABEL or db == option("DATABASE"):
            return app_label == _LABEL and db == option("DATABASE")
        return None
