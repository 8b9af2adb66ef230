"""What an administrator may see of the tables: no column that holds a secret is here, and the store alone writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db import models

from kyc_verify.integrations.django._wiring import tenant

__all__ = ["Record", "Session", "Subject"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _OwnTenant(models.Manager[Any]):
    """Rows of this project's tenant: within one, their names are unique."""

    def get_queryset(self) -> Any:  # noqa: ANN401 - a query set
        return super().get_queryset().filter(tenant=tenant())


class Subject(models.Model):
    """A customer that the library knows."""

    tenant: Any = models.CharField(max_length=200)
    subject: Any = models.CharField(max_length=200, primary_key=True)
    standing: Any = models.CharField(max_length=200)
    flags: Any = models.TextField()

    objects: ClassVar[Any] = _OwnTenant()

    class Meta:
        """Of the store."""

        managed = False
        db_table = "kyc_subjects"

    def __str__(self) -> str:
        return str(self.subject)


class Session(models.Model):
    """A run of a verification; its state is the library's."""

    tenant: Any = models.CharField(max_length=200)
    id: Any = models.CharField(max_length=200, primary_key=True)
    subject: Any = models.CharField(max_length=200)
    run: Any = models.BigIntegerField()
    turn: Any = models.BigIntegerField()
    expires_at: Any = models.BigIntegerField()

    objects: ClassVar[Any] = _OwnTenant()

    class Meta:
        """Of the store."""

        managed = False
        db_table = "kyc_sessions"

    def __str__(self) -> str:
        return str(self.id)

    @property
    def expires(self) -> datetime:
        """When it may be purged."""
        return _EPOCH + timedelta(microseconds=self.expires_at)


class Record(models.Model):
    """A record of the audit log; people stand in it under pseudonyms."""

    tenant: Any = models.CharField(max_length=200)
    seq: Any = models.BigIntegerField(primary_key=True)
    body: Any = models.TextField()

    objects: ClassVar[Any] = _OwnTenant()

    class Meta:
        """Of the store."""

        managed = False
        db_table = "kyc_records"

    def __str__(self) -> str:
        return f"{self.seq} {self.told('event')}"

    def told(self, name: str) -> str:
        """Return one field of the record."""
        return str(json.loads(self.body).get(name) or "")
