"""The tables, as the store makes them; Django only looks at them."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

from kyc_verify.integrations.django._engine import engine_of
from kyc_verify.integrations.django._wiring import option
from kyc_verify.stores import SQLAlchemyStore


def make_tables(apps: Any, schema_editor: Any) -> None:  # noqa: ANN401 - Django's own
    """Make them on the library's alias; on any other do nothing."""
    del apps
    if schema_editor.connection.alias == option("DATABASE"):
        engine = engine_of(schema_editor.connection.alias)
        SQLAlchemyStore.migrate(engine)
        engine.dispose()


def _seen(name: str, table: str, *fields: tuple[str, Any]) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=name,
        fields=[("tenant", models.CharField(max_length=200)), *fields],
        options={"db_table": table, "managed": False},
    )


class Migration(migrations.Migration):
    """Version 1 of the store's schema."""

    initial = True
    atomic = False
    dependencies = ()
    operations = (
        migrations.RunPython(make_tables, migrations.RunPython.noop),
        _seen(
            "Subject", "kyc_subjects", ("subject", models.CharField(max_length=200, primary_key=True)),
            ("standing", models.CharField(max_length=200)), ("flags", models.TextField()),
        ),
        _seen(
            "Session", "kyc_sessions", ("id", models.CharField(max_length=200, primary_key=True)),
            ("subject", models.CharField(max_length=200)), ("run", models.BigIntegerField()),
            ("turn", models.BigIntegerField()), ("expires_at", models.BigIntegerField()),
        ),
        _seen(
            "Record", "kyc_records", ("seq", models.BigIntegerField(primary_key=True)), ("body", models.TextField())
        ),
    )  # fmt: skip
