"""``manage.py kyc_verify audit`` and ``manage.py kyc_verify purge``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kyc_verify import audit
from kyc_verify.errors import ConfigurationError, StoreError
from kyc_verify.integrations.django._wiring import store, tenant, verifier
from kyc_verify.verifier import utc_now

__all__ = ["Command"]

_BATCH = 1000
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    """Check the audit chain, or drop what has ended."""

    help = "audit: check the audit chain; purge: drop what ended long ago"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what may be said."""
        parser.add_argument("verb", choices=("audit", "purge"))
        parser.add_argument("--days", type=int, default=30, help="purge: what ended so many days ago")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it.

        Raises:
            CommandError: the chain is not intact, a setting is wrong, or the database cannot be used.
        """
        del args
        try:
            if options["verb"] == "purge":
                self._purge(options["days"])
            else:
                self._audit()
        except (ConfigurationError, StoreError) as error:
            raise CommandError(str(error)) from None

    def _purge(self, days: int) -> None:
        now = utc_now()
        if not 0 <= days <= (now - _FIRST).days:
            msg = f"--days is a number of days, from 0 to {(now - _FIRST).days}"
            raise CommandError(msg)
        gone = 0
        while found := store().purge(now - timedelta(days=days), _BATCH):
            gone += found
        self.stdout.write(f"{gone} rows dropped")

    def _audit(self) -> None:
        keys = verifier()._ctx.hasher.keyring.chain_keys()  # noqa: SLF001 - of the same house
        report = audit.verify(_records(), tenant=tenant(), keys=keys)
        if not report.intact:
            raise CommandError("; ".join(report.faults))
        self.stdout.write(f"{report.records} records, intact. {report.note or ''}".strip())


def _records() -> Any:  # noqa: ANN401 - a generator of records
    after = 0
    while batch := store().records(tenant(), after, _BATCH):
        yield from batch
        after = batch[-1].seq
