"""Stores with one fault each: a statement that says a little less, or a purge that takes a little more, than it should.

``wrong`` is where the statement is known by, what it says, and what it says with the fault; ``also`` is what a purge
does besides. A condition that is forgotten keeps its place, for the values that are told by theirs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, ClassVar, Final

from kyc_verify.ports import Store
from kyc_verify.stores import MemoryStore
from kyc_verify.stores._lite import Lite
from tests.contracts.faulty import Faulty

ANY_TENANT: Final = ("tenant = ?", "? IS NOT NULL")
ANY_SUBJECT: Final = ("AND subject = ?", "AND ? IS NOT NULL")
ANY_NAME: Final = ("key = ?", "? IS NOT NULL")
ANY_SESSION: Final = ("AND session = ?", "AND ? IS NOT NULL")
DAY: Final = 86_400 * 10**6


class Tables(Lite):
    """The statements of SQLite's own driver, each looked at before it goes there."""

    def __init__(self, db: sqlite3.Connection, bend: Callable[[str], str], also: str) -> None:
        super().__init__(db)
        self.bend, self.also = bend, also

    def _one(self, sql: str, *values: Any) -> Any:
        return super()._one(self.bend(sql), *values)

    def _all(self, sql: str, *values: Any) -> list[Any]:
        return super()._all(self.bend(sql), *values)

    def _changed(self, sql: str, *values: Any) -> int:
        return super()._changed(self.bend(sql), *values)

    def purge(self, before: int, today: str, limit: int) -> int:
        done = super().purge(before, today, limit)
        if self.also:
            self._changed(self.also)
        return done


class Misworded(Faulty):
    """A sound store in memory, and one thing that it says wrong."""

    wrong: ClassVar[tuple[str, tuple[str, str]]] = ("", ("", ""))
    also: ClassVar[str] = ""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        assert isinstance(inner, MemoryStore)

        def transact(work: Callable[[Lite], Any]) -> Any:
            with inner._writing() as db:
                return work(Tables(db, self.bend, self.also))

        inner._write = inner._read = transact

    def bend(self, sql: str) -> str:
        known, (right, wrong) = self.wrong
        return sql.replace(right, wrong) if known and sql.startswith(known) else sql


# ── Clocks that go back ──────────────────────────────────────────────────────────────────────────────────────────────


class GrantsWhatWasTriedLater(Misworded):
    fails = ("test_a_clock_that_goes_back_refills_no_budget",)
    wrong = ("INSERT INTO charges", ("at > ?7", "at > ?7 AND at <= ?3"))


class CountsNoLaterTries(Misworded):
    fails = ("test_a_clock_that_goes_back_refills_no_budget",)
    wrong = ("SELECT count(*) FROM charges", ("AND at > ?", f"AND at > ?3 AND at <= ?3 + {DAY}"))


class CountsNoLaterRuns(Misworded):
    fails = ("test_a_clock_that_goes_back_starts_no_count_anew",)
    wrong = ("SELECT count(*) FROM runs", ("AND at > ?", f"AND at > ?3 AND at <= ?3 + {30 * DAY}"))


# ── Purges ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class PurgesPins(Misworded):
    fails = ("test_a_purge_leaves_pins_until_their_time",)
    also = "DELETE FROM pins"


class PurgesSums(Misworded):
    fails = ("test_a_purge_leaves_sums_of_stakes",)
    also = "DELETE FROM stakes"


class PurgesRunsWithTheirSession(Misworded):
    fails = ("test_a_purge_leaves_runs_that_count",)
    also = (
        "DELETE FROM runs WHERE NOT EXISTS "
        "(SELECT 1 FROM sessions s WHERE s.tenant = runs.tenant AND s.id = runs.session)"
    )


class PurgesTriesWithTheirSession(Misworded):
    fails = ("test_a_purge_leaves_charges_that_count",)
    also = (
        "DELETE FROM charges WHERE NOT EXISTS "
        "(SELECT 1 FROM sessions s WHERE s.tenant = charges.tenant AND s.id = charges.session)"
    )


class PurgesHolds(Misworded):
    """Takes a subject for gone of whom nothing else is kept."""

    fails = ("test_a_purge_leaves_holds",)
    also = (
        "DELETE FROM subjects WHERE NOT EXISTS "
        "(SELECT 1 FROM sessions s WHERE s.tenant = subjects.tenant AND s.subject = subjects.subject) AND NOT EXISTS "
        "(SELECT 1 FROM credentials c WHERE c.tenant = subjects.tenant AND c.subject = subjects.subject)"
    )


class PurgesRequests(Misworded):
    fails = ("test_a_purge_leaves_requests_of_sessions_that_have_not_ended",)
    also = "UPDATE sessions SET request = NULL"


class PurgesUsedGrants(Misworded):
    fails = ("test_a_purge_leaves_grants_until_their_end",)
    also = "DELETE FROM grants WHERE redeemed_at IS NOT NULL"


class PurgesGrantsWithTheirSession(Misworded):
    fails = ("test_a_purge_leaves_grants_until_their_end",)
    also = (
        "DELETE FROM grants WHERE NOT EXISTS "
        "(SELECT 1 FROM sessions s WHERE s.tenant = grants.tenant AND s.id = grants.session)"
    )


class PurgesTheKeyOfToday(Misworded):
    fails = ("test_a_purge_forgets_the_keys_of_past_days",)
    wrong = ("DELETE FROM days", ("day < ?", "day <= ?"))


# ── Tenants, subjects and sessions ───────────────────────────────────────────────────────────────────────────────────


class RehashesAnySubjects(Misworded):
    fails = ("test_a_rehash_is_of_one_credential",)
    wrong = ("UPDATE credentials", ANY_SUBJECT)


class RehashesAnyTenants(Misworded):
    fails = ("test_a_rehash_is_of_one_credential",)
    wrong = ("UPDATE credentials", ANY_TENANT)


class RehashesAnyCheck(Misworded):
    fails = ("test_a_rehash_is_of_one_credential",)
    wrong = ("UPDATE credentials", ("check_id = ?", "? IS NOT NULL"))


class RefundsAnyTenants(Misworded):
    fails = ("test_a_refund_is_of_one_session_of_one_tenant",)
    wrong = ("DELETE FROM charges WHERE tenant = ? AND key = ? AND session", ANY_TENANT)


class RefundsAnySessions(Misworded):
    fails = ("test_a_refund_is_of_one_session_of_one_tenant",)
    wrong = ("DELETE FROM charges WHERE tenant = ? AND key = ? AND session", ANY_SESSION)


class GivesBackAnyTenantsRun(Misworded):
    fails = ("test_a_run_is_given_back_to_one_tenant",)
    wrong = ("DELETE FROM runs WHERE tenant = ? AND key = ? AND session", ANY_TENANT)


class _Clearing:
    fails = ("test_counts_are_cleared_of_one_tenant",)


class ClearsAnyTenantsTries(_Clearing, Misworded):
    wrong = ("DELETE FROM charges WHERE tenant = ? AND key = ?", ANY_TENANT)


class ClearsAnyTenantsRuns(_Clearing, Misworded):
    wrong = ("DELETE FROM runs WHERE tenant = ? AND key = ?", ANY_TENANT)


class ClearsAnyTenantsPins(Misworded):
    fails = ("test_counts_are_cleared_of_one_tenant", "test_a_pin_is_of_one_name_of_one_tenant")
    wrong = ("DELETE FROM pins WHERE tenant = ? AND key = ?", ANY_TENANT)


class ClearsAnyTenantsSums(_Clearing, Misworded):
    wrong = ("DELETE FROM stakes WHERE tenant = ? AND key = ?", ANY_TENANT)


class ClearsAnyPin(Misworded):
    fails = ("test_counts_are_cleared_by_name", "test_a_pin_is_of_one_name_of_one_tenant")
    wrong = ("DELETE FROM pins WHERE tenant = ? AND key = ?", ANY_NAME)


class ClearsAnySum(Misworded):
    fails = ("test_counts_are_cleared_by_name",)
    wrong = ("DELETE FROM stakes WHERE tenant = ? AND key = ?", ANY_NAME)


class PinsForAnyTenant(Misworded):
    fails = ("test_a_pin_is_of_one_name_of_one_tenant",)
    wrong = ("SELECT check_id FROM pins", ANY_TENANT)


class SumsUpAllTenants(Misworded):
    fails = ("test_sums_are_of_one_tenant",)
    wrong = ("SELECT micros, count FROM stakes", ANY_TENANT)


class KnowsAnyTenantsNumbers(Misworded):
    fails = ("test_numbers_are_of_one_tenant",)
    wrong = ("SELECT fingerprint, first_seen", ANY_TENANT)


class HoldsAnyTenants(Misworded):
    fails = ("test_standing_is_of_one_subject",)
    wrong = ("UPDATE subjects SET standing", ANY_TENANT)


class HoldsAnySubjects(Misworded):
    fails = ("test_standing_is_of_one_subject",)
    wrong = ("UPDATE subjects SET standing", ANY_SUBJECT)


class FlagsAnyTenants(Misworded):
    fails = ("test_standing_is_of_one_subject",)
    wrong = ("UPDATE subjects SET flags", ANY_TENANT)


class SeesAnySessionsGrant(Misworded):
    fails = ("test_an_open_grant_is_of_one_session",)
    wrong = ("SELECT 1 FROM grants", ANY_SESSION)


class SeesAnyTenantsGrant(Misworded):
    fails = ("test_an_open_grant_is_of_one_session",)
    wrong = ("SELECT 1 FROM grants", ANY_TENANT)


class VoidsAnyTenantsGrants(Misworded):
    fails = ("test_grants_are_voided_of_one_tenant",)
    wrong = ("UPDATE grants SET void", ANY_TENANT)


class VoidsEverythingThatIsLate(Misworded):
    fails = ("test_grants_are_voided_of_one_tenant",)
    wrong = ("UPDATE grants SET void = 1 WHERE tenant = ? AND digest", ("digest = ?", "? IS NOT NULL"))


class RedeemsUnderAnyHold(Misworded):
    fails = ("test_a_grant_is_redeemed_by_its_own_subject",)
    wrong = ("SELECT g.session", (" AND u.subject = g.subject", ""))


class RedeemsUnderAnyDay(Misworded):
    fails = ("test_a_grant_is_redeemed_by_its_own_subject",)
    wrong = ("SELECT g.session", (" AND d.day = s.day", ""))


class RedeemsUnderAnyTenantsDay(Misworded):
    fails = ("test_a_grant_is_redeemed_by_its_own_subject",)
    wrong = ("SELECT g.session", ("d.tenant = s.tenant AND ", ""))


class RedeemsUnderAnySession(Misworded):
    fails = ("test_a_grant_is_redeemed_by_its_own_subject",)
    wrong = ("SELECT g.session", (" AND s.id = g.session", ""))


class RecordsUnderAnySubject(Misworded):
    fails = ("test_records_are_under_the_key_of_their_subject",)
    wrong = ("SELECT key FROM subjects", ANY_SUBJECT)


class RecordsUnderAnyTenantsSubject(Misworded):
    fails = ("test_records_are_under_the_key_of_their_subject",)
    wrong = ("SELECT key FROM subjects", ANY_TENANT)


class RecordsUnderAnyTenantsDay(Misworded):
    fails = ("test_records_are_under_the_key_of_their_subject",)
    wrong = ("SELECT key FROM days", ANY_TENANT)


class MovesEveryChain(Misworded):
    fails = ("test_tenants_have_chains_of_their_own",)
    wrong = ("UPDATE heads", ("WHERE tenant = ?", "WHERE ? IS NOT NULL"))


class ErasesAnybodysGrants(Misworded):
    fails = ("test_erasing_leaves_everybody_else",)
    wrong = ("DELETE FROM grants WHERE tenant = ? AND subject", ANY_SUBJECT)


class ErasesAnyTenantsGrants(Misworded):
    fails = ("test_erasing_leaves_everybody_else",)
    wrong = ("DELETE FROM grants WHERE tenant = ? AND subject", ANY_TENANT)


class ErasesAnybodysNumbers(Misworded):
    fails = ("test_erasing_leaves_everybody_else",)
    wrong = ("DELETE FROM numbers WHERE tenant = ? AND subject", ANY_SUBJECT)


class ErasesAnyTenantsNumbers(Misworded):
    fails = ("test_erasing_leaves_everybody_else",)
    wrong = ("DELETE FROM numbers WHERE tenant = ? AND subject", ANY_TENANT)
