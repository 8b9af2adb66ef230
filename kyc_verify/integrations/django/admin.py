"""The admin: to look at, never to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from kyc_verify.integrations.django.models import Record, Session, Subject

__all__ = ["RecordAdmin", "SessionAdmin", "SubjectAdmin"]


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: Any) -> bool:  # noqa: ANN401 - Django's own
        del request
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ANN401
        del request, obj
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ANN401
        del request, obj
        return False


@admin.register(Subject)
class SubjectAdmin(_ReadOnly):
    """Standing and flags."""

    list_display = ("subject", "standing", "flags")
    search_fields = ("=subject",)
    fields = ("subject", "standing", "flags")


@admin.register(Session)
class SessionAdmin(_ReadOnly):
    """When and how far."""

    list_display = ("id", "subject", "run", "turn", "expires")
    search_fields = ("=subject", "=id")
    fields = ("id", "subject", "run", "turn", "expires")
    readonly_fields = ("expires",)


@admin.register(Record)
class RecordAdmin(_ReadOnly):
    """What happened; the newest first."""

    list_display = ("seq", "at", "event", "agent", "action", "verdict")
    ordering = ("-seq",)
    fields = ("seq", "at", "event", "agent", "action", "verdict")
    readonly_fields = ("at", "event", "agent", "action", "verdict")

    @admin.display
    def at(self, record: Record) -> str:
        """When."""
        return record.told("at")

    @admin.display
    def event(self, record: Record) -> str:
        """What."""
        return record.told("event")

    @admin.display
    def agent(self, record: Record) -> str:
        """Who handled it."""
        return record.told("agent")

    @admin.display
    def action(self, record: Record) -> str:
        """What was asked for."""
        return record.told("action")

    @admin.display
    def verdict(self, record: Record) -> str:
        """Where it stood then."""
        return record.told("verdict")
