"""``manage.py kyc_verify audit`` and ``manage.py kyc_verify purge``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kyc_verify import audit
from kyc_verify.integrations.django._wiring import store, tenant, verifier
from kyc_verify.verifier import utc_now

__all__ = ["Command"]

_BATCH = 1000


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
            CommandError: the chain is not intact.
        """
        del args
        if options["verb"] == "purge":
            if options["days"] < 0:
                msg = "--days is a number of days"
                raise CommandError(msg)
            before, gone = utc_now() - timedelta(days=options["days"]), 0
            while found := store().purge(before, _BATCH):
                gone += found
            self.stdout.write(f"{gone} rows dropped")
            return
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
