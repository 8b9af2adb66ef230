"""The contract must be able to fail: each store here has one fault, and each fault fails the tests that name it."""

from __future__ import annotations

import fcntl
import inspect
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kyc_verify.audit import AuditRecord, Event, Head
from kyc_verify.errors import ConflictError, KycVerifyError, StoreError, UnknownSession
from kyc_verify.ports import (
    LEASE,
    Begun,
    Change,
    Committed,
    Loaded,
    NewSession,
    Opened,
    Redeemed,
    Redemption,
    Run,
    Store,
)
from kyc_verify.stores import MemoryStore, SQLiteStore
from kyc_verify.testing import StoreContract
from kyc_verify.testing._contract import crowds, restarting
from kyc_verify.testing._contract.desk import Desk
from tests.contracts.faulty import Faulty
from tests.contracts.statements import Misworded

Sealing = Callable[..., AuditRecord]

_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def written(store: Store) -> AbstractContextManager[sqlite3.Connection]:
    """Write past the verbs of the sound store in memory."""
    assert isinstance(store, MemoryStore)
    return store._writing()


def change_of(fault: Callable[[Change], Change]) -> Callable[..., Any]:
    """Make a `commit` that bends the change."""

    def commit(self: Faulty, change: Change, seal: Sealing, now: datetime) -> Committed:
        return self.inner.commit(fault(change), seal, now)

    return commit


def opening(fault: Callable[[NewSession], NewSession]) -> Callable[..., Any]:
    """Make an `open` that bends what is opened."""

    def open_(self: Faulty, new: NewSession, request: str | None, now: datetime) -> Opened:
        return self.inner.open(fault(new), request, now)

    return open_


# ── Check, then act ──────────────────────────────────────────────────────────────────────────────────────────────────


class ClaimsAfterLooking(Faulty):
    fails = ("test_one_of_eight_claims_a_turn",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        free = self.inner.load(tenant, session, now).session.claimed_at is None
        self.together()
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, claimed=True, granted=True) if free else begun


class TakesOverAfterLooking(Faulty):
    fails = ("test_one_of_eight_takes_a_spent_turn_over",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        claimed = self.inner.load(tenant, session, now).session.claimed_at
        self.together()
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, claimed=True, spent=True) if claimed and now - claimed >= LEASE else begun


class ChargesAfterLooking(Faulty):
    fails = ("test_three_tries_are_three_whoever_claims",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        self.together()
        return replace(self.inner.begin(tenant, session, turn, now), granted=True)


class WaitsForNobody(Faulty):
    """Gives up where another customer's step is under way, as one does who looks through all rows for one's own."""

    fails = ("test_eight_customers_are_answered_side_by_side",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.busy = threading.Lock()

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        if turn == 1:
            self.together()
        if not self.busy.acquire(blocking=False):
            msg = "others have held what this needs for too long"
            raise StoreError(msg)
        try:
            time.sleep(0.02)
            return self.inner.begin(tenant, session, turn, now)
        finally:
            self.busy.release()


class SpendsAfterLooking(Faulty):
    fails = ("test_three_sends_are_three_whoever_spends",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        self.together()
        done = self.inner.commit(replace(change, only_if_granted=False), seal, now)
        return replace(done, granted=(True,) * len(done.granted))


class WritesTheLastVersion(Faulty):
    fails = (
        "test_one_of_eight_writes_a_version",
        "test_a_commit_from_an_older_version_conflicts",
    )

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        for _ in range(2 * crowds.EIGHT):
            with suppress(ConflictError):
                version = self.inner.load(change.tenant, change.session, now).session.version
                return self.inner.commit(replace(change, version=version), seal, now)
        raise ConflictError


class RedeemsAfterLooking(Faulty):
    fails = ("test_one_of_eight_redeems_a_grant", "test_a_ceiling_holds_for_eight")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        self.together()
        return replace(self.inner.redeem(redemption, seal, now), reason=None)


class RecordsReplays(Faulty):
    fails = ("test_the_same_request_succeeds_again", "test_one_request_redeems_once")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        if found.replayed:
            self.inner.note("t", None, lambda head, _: seal(head, found), now, fresh_key=b"x" * 32)
        return found


class OpensAfterLooking(Faulty):
    fails = (
        "test_one_request_opens_one_session",
        "test_a_request_opens_once",
        "test_a_replay_reports_budgets_and_pin_as_they_are",
    )

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        del request
        return self.inner.open(new, None, now)


class TakesNoRequestForOne(Faulty):
    fails = ("test_two_opens_without_a_request_are_two_sessions",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        return self.inner.open(new, request or "none", now)


class CountsAfterLooking(Faulty):
    fails = ("test_eight_runs_have_eight_numbers",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        self.together()
        opened = self.inner.open(new, request, now)
        return replace(opened, run=1) if new.id != "s-9" else opened


class GivesEveryDayManyKeys(Faulty):
    fails = (
        "test_a_day_has_one_key",
        "test_unknown_subjects_share_the_key_of_the_day",
        "test_a_note_of_nobody_is_under_the_key_of_the_day",
    )

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        if opened.subject.known:
            return opened
        return replace(opened, subject=replace(opened.subject, key=new.fresh_key))


class ForksTheChain(Faulty):
    fails = ("test_a_chain_of_four_writers_has_no_fork_and_no_gap", "test_records_of_steps_and_notes_are_one_chain")

    def note(self, tenant: str, subject: str | None, seal: Sealing, now: datetime, *, fresh_key: bytes) -> None:
        def lost(head: Head, key: bytes) -> AuditRecord:
            return seal(replace(head, mac=Head().mac), key)

        self.inner.note(tenant, subject, lost, now, fresh_key=fresh_key)


class RevivesTheErased(Faulty):
    fails = (
        "test_nothing_outlives_an_erasure",
        "test_erasing_forgets_the_subject",
        "test_erasing_takes_sessions_about_somebody_unknown",
        "test_a_call_under_way_cannot_outlive_an_erasure",
        "test_a_commit_cannot_bring_an_erased_subject_back",
        "test_tenants_share_nothing",
        "test_an_erased_subject_redeems_nothing",
    )

    def erase(self, tenant: str, subject: str, seal: Sealing, now: datetime) -> bool:
        self.inner.note(tenant, subject, seal, now, fresh_key=b"x" * 32)
        return True


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class SwallowsConflicts(Faulty):
    fails = (
        "test_a_commit_from_an_older_version_conflicts",
        "test_a_commit_for_a_session_that_is_gone_conflicts",
        "test_a_commit_cannot_bring_an_erased_subject_back",
        "test_a_call_under_way_cannot_outlive_an_erasure",
        "test_one_of_eight_writes_a_version",
    )

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        try:
            return self.inner.commit(change, seal, now)
        except ConflictError:
            return Committed(granted=(True,) * len(change.spend))


class SwallowsSealErrors(Faulty):
    fails = ("test_a_broken_seal_writes_nothing",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        try:
            return self.inner.commit(change, seal, now)
        except KycVerifyError:
            raise
        except Exception:  # noqa: BLE001 - the fault
            return Committed()


class WrapsSealErrors(Faulty):
    fails = ("test_a_broken_seal_writes_nothing",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        try:
            return self.inner.commit(change, seal, now)
        except KycVerifyError:
            raise
        except Exception as error:
            raise StoreError(str(error)) from error


class WritesBeforeSealing(Faulty):
    fails = ("test_a_broken_seal_writes_nothing", "test_without_a_record_nothing_is_redeemed")

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        spare = AuditRecord(tenant=change.tenant, seq=0, at=now, event=Event.VOID, key_id="chain-1")
        done = self.inner.commit(change, lambda head: replace(spare, seq=head.seq + 1), now)
        seal(Head())
        return done

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        spare = AuditRecord(tenant=redemption.tenant, seq=0, at=now, event=Event.VOID, key_id="chain-1")
        found = self.inner.redeem(redemption, lambda head, _: replace(spare, seq=head.seq + 1), now)
        seal(Head(), found)
        return found


class MakesUpSessions(Faulty):
    fails = (
        "test_loading_what_is_not_there",
        "test_claiming_what_is_not_there",
        "test_a_purge_takes_what_has_ended",
    )

    def _made(self, verb: str, *args: object) -> Loaded | Begun:
        try:
            return getattr(self.inner, verb)(*args)
        except UnknownSession:
            raise StoreError from None

    def load(self, *args: Any) -> Loaded:
        return self._made("load", *args)

    def begin(self, *args: Any) -> Begun:
        return self._made("begin", *args)


class Overwrites(Faulty):
    fails = ("test_a_session_is_never_overwritten",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        try:
            return self.inner.open(new, request, now)
        except StoreError:
            return self.inner.open(replace(new, id=f"{new.id}-again"), request, now)


class ClosesOnce(Faulty):
    fails = ("test_closing_twice_is_harmless",)
    shut = False

    def close(self) -> None:
        if self.shut:
            raise StoreError
        self.shut = True
        self.inner.close()


class IsNeverReady(Faulty):
    fails = ("test_a_fresh_store_is_ready",)

    def ready(self, now: datetime) -> None:
        raise StoreError(str(now))


# ── Ids and values ───────────────────────────────────────────────────────────────────────────────────────────────────


class Folds(Faulty):
    """As a case-insensitive collation does."""

    fails = ("test_ids_of_subjects_are_exact",)

    @staticmethod
    def bend(text: str) -> str:
        return text.casefold()

    open = opening(lambda new: replace(new, subject=Folds.bend(new.subject)))

    def enroll(self, tenant: str, subject: str, credentials: Sequence[Any], **more: Any) -> None:
        self.inner.enroll(tenant, self.bend(subject), credentials, **more)


class Pads(Faulty):
    """As CHAR columns do."""

    fails = ("test_ids_of_sessions_tenants_and_requests_are_exact",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        return self.inner.open(new, request and request.strip(), now)


class FoldsRequests(Faulty):
    fails = ("test_requests_are_told_apart",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        return self.inner.open(new, request and request.casefold(), now)


class FoldsKeys(Faulty):
    fails = (
        "test_keyed_names_and_checks_are_exact",
        "test_clearing_drops_every_charge_of_a_budget",
        "test_budgets_are_told_apart",
    )

    commit = change_of(
        lambda change: replace(
            change,
            spend=tuple(replace(each, key=each.key.casefold()) for each in change.spend),
            charges=tuple(replace(each, key=each.key.casefold()) for each in change.charges),
        )
    )


class FoldsRuns(Faulty):
    fails = ("test_counts_of_runs_are_told_apart",)
    open = opening(lambda new: replace(new, run=replace(new.run, key=new.run.key.casefold())))


class FoldsPins(Faulty):
    fails = ("test_pins_are_told_apart",)
    open = opening(lambda new: replace(new, pin_key=new.pin_key.casefold()))


class FoldsSums(Faulty):
    fails = ("test_sums_are_told_apart",)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        charge = redemption.charge
        if charge is not None:
            charge = replace(charge, key=charge.key.casefold())
        return self.inner.redeem(replace(redemption, charge=charge), seal, now)


class Truncates(Faulty):
    """As VARCHAR(190) does."""

    fails = ("test_long_ids_are_not_cut",)
    open = opening(lambda new: replace(new, subject=new.subject[:190]))


class TruncatesStates(Faulty):
    """As TEXT of 64 KiB does."""

    fails = ("test_a_long_state_comes_back_whole",)
    commit = change_of(lambda change: replace(change, state=change.state[:65535]))


class Escapes(Faulty):
    fails = ("test_a_commit_writes_the_step",)
    commit = change_of(lambda change: replace(change, state=change.state.replace("'", "''")))


class CutsBytes(Faulty):
    """As text columns that hold bytes do."""

    fails = ("test_digests_and_keys_are_exact", "test_a_known_subject_keeps_its_first_key")
    open = opening(lambda new: replace(new, fresh_key=new.fresh_key.rstrip(b"\x00 ")))


class CutsTimes(Faulty):
    """As DATETIME without a fraction does."""

    fails = (
        "test_open_makes_an_empty_session",
        "test_a_commit_writes_the_step",
        "test_times_keep_their_microseconds",
    )
    open = opening(lambda new: replace(new, expires_at=new.expires_at.replace(microsecond=0)))
    commit = change_of(lambda change: replace(change, expires_at=change.expires_at.replace(microsecond=0)))


class CutsClaims(Faulty):
    """As times in floating point seconds, or in milliseconds, do."""

    fails = (
        "test_a_free_turn_is_claimed_and_charged",
        "test_a_claim_that_nobody_finished_is_a_spent_try",
        "test_a_charge_counts_until_its_window_ends",
        "test_a_try_comes_back_when_its_window_ends",
    )

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        return self.inner.begin(tenant, session, turn, now.replace(microsecond=now.microsecond // 1000 * 1000))


class ForgetsZones(Faulty):
    fails = ("test_times_are_instants",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        local = now.replace(tzinfo=UTC)
        return self.inner.begin(tenant, session, turn, local)


class TakesLocalDays(Faulty):
    fails = ("test_a_day_is_a_day_of_utc",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        return self.inner.open(new, request, now.replace(tzinfo=UTC))


class ReturnsText(Faulty):
    """As a store of strings does."""

    fails = ("test_integers_come_back_as_integers", "test_watching_charges_nothing")

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return replace(opened, spent={key: str(count) for key, count in opened.spent.items()})


class LosesZeros(Faulty):
    """As a counter that is not there does."""

    fails = ("test_an_unused_budget_reads_zero",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return replace(opened, spent={key: count or None for key, count in opened.spent.items()})


class MixesTenants(Faulty):
    fails = (
        "test_a_hold_belongs_to_one_subject",
        "test_erasing_leaves_everybody_else",
        "test_tenants_have_chains_of_their_own",
        "test_tenants_share_nothing",
        "test_what_was_never_granted_is_unknown",
    )

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        found = getattr(self.inner, verb)
        if verb not in {"begin", "load", "records", "note", "enroll", "set_standing", "erase"}:
            return found
        return lambda tenant, *args, **more: found(tenant.replace("u", "t"), *args, **more)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        try:
            return self.inner.open(replace(new, tenant=new.tenant.replace("u", "t")), request, now)
        except StoreError:
            return self.inner.open(replace(new, id=f"{new.id}.", tenant="t"), request, now)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        return self.inner.redeem(replace(redemption, tenant="t"), seal, now)


# ── Runs, budgets, pins ──────────────────────────────────────────────────────────────────────────────────────────────


class NumbersRunsFromZero(Faulty):
    fails = ("test_runs_are_numbered_from_one", "test_loading_with_a_run_takes_a_number")

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return replace(opened, run=opened.run - 1)


class CountsRunsAtTheEnd(Faulty):
    fails = ("test_a_run_counts_until_its_window_ends",)
    open = opening(lambda new: replace(new, run=replace(new.run, window=new.run.window + timedelta(microseconds=1))))


class GivesAllRunsBack(Faulty):
    fails = ("test_a_run_is_given_back_with_all_its_numbers",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        clear = () if change.give_back_run is None else (change.give_back_run,)
        more: dict[str, Any] = {"flags": None, "clear": clear, "fresh_key": b"x" * 32, "now": now}
        done = self.inner.commit(change, seal, now)
        self.inner.set_standing(change.tenant, change.subject, None, seal=lambda head, _: seal(head), **more)
        return done


class GivesAnyRunBack(Faulty):
    fails = ("test_giving_a_run_back_leaves_other_counts",)
    commit = change_of(lambda change: replace(change, give_back_run=change.give_back_run and "runs"))


class ChargesForLooking(Faulty):
    fails = ("test_watching_charges_nothing",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return replace(opened, spent={key: count + 1 for key, count in opened.spent.items()})


class AgesEverything(Faulty):
    fails = ("test_a_charge_without_a_window_counts_for_ever",)
    open = opening(
        lambda new: replace(new, watch=tuple(replace(c, window=c.window or timedelta(days=400)) for c in new.watch))
    )


class PurgesEarly(Faulty):
    fails = (
        "test_a_purge_leaves_charges_that_count",
        "test_a_purge_takes_what_has_ended",
        "test_a_purge_leaves_what_must_stay",
    )

    def purge(self, before: datetime, limit: int) -> int:
        return self.inner.purge(before + timedelta(days=1), limit)


class PurgesEverythingAtOnce(Faulty):
    fails = ("test_a_purge_is_bounded",)

    def purge(self, before: datetime, limit: int) -> int:
        return self.inner.purge(before, 10 * limit)


class NeverPurges(Faulty):
    fails = (
        "test_a_purge_takes_what_has_ended",
        "test_a_purge_forgets_the_keys_of_past_days",
        "test_a_commit_for_a_session_that_is_gone_conflicts",
    )

    def purge(self, before: datetime, limit: int) -> int:
        del before
        return limit * 0


class PinsTooLong(Faulty):
    fails = ("test_a_pin_stays_until_its_time", "test_a_pin_is_replaced_and_taken_away")
    commit = change_of(
        lambda change: replace(
            change, pin=change.pin and replace(change.pin, check=change.pin.check or "tenure", until=_NEVER)
        )
    )  # fmt: skip


class KeepsTheFirstPin(Faulty):
    fails = ("test_a_pin_is_replaced_and_taken_away",)
    pinned = False

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        if change.pin is not None and self.pinned:
            change = replace(change, pin=None)
        self.pinned = self.pinned or change.pin is not None
        return self.inner.commit(change, seal, now)


class ForgetsWhoeverTheCrmForgot(Faulty):
    fails = ("test_a_row_of_its_own_counts_also_for_whom_the_crm_forgot",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return replace(opened, subject=replace(opened.subject, known=new.known))


class MakesRowsOfEverybody(Faulty):
    fails = (
        "test_a_run_about_nobody_is_committed",
        "test_a_note_of_nobody_is_under_the_key_of_the_day",
        "test_unknown_subjects_share_the_key_of_the_day",
    )
    open = opening(lambda new: replace(new, known=True))


class ForgetsTheDay(Faulty):
    fails = ("test_a_run_keeps_the_key_of_the_day_it_began",)

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        found = self.inner.load(tenant, session, now, run)
        return found if found.subject.known else replace(found, subject=replace(found.subject, key=b"x" * 32))


class ChangesOnLoading(Faulty):
    fails = ("test_loading_changes_nothing",)
    loads = 0

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        found = self.inner.load(tenant, session, now, run)
        self.loads += 1
        return replace(found, session=replace(found.session, version=found.session.version + (self.loads > 2)))


class ForgetsGrantsAreOpen(Faulty):
    fails = ("test_an_open_grant_is_seen", "test_a_refused_sum_leaves_the_grant_open")

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        return replace(self.inner.load(tenant, session, now, run), grant_open=False)


# ── Claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class LeasesForEver(Faulty):
    fails = ("test_a_claim_that_nobody_finished_is_a_spent_try",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, claimed=False, spent=False) if begun.spent else begun


class LeasesForAMoment(Faulty):
    fails = (
        "test_a_claimed_turn_is_not_claimed_again",
        "test_a_claim_holds_for_the_lease",
        "test_a_claim_from_a_clock_ahead_is_not_taken_over",
    )

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        begun = self.inner.begin(tenant, session, turn, now)
        return begun if begun.claimed or begun.session.turn != turn else replace(begun, claimed=True, spent=True)


class ClaimsAnyTurn(Faulty):
    fails = ("test_another_turn_is_not_claimed",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        del turn
        return self.inner.begin(tenant, session, self.inner.load(tenant, session, now).session.turn, now)


class GrantsWhatIsLeft(Faulty):
    """Takes the charges that are left, one by one."""

    fails = ("test_all_charges_or_none",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        return replace(self.inner.begin(tenant, session, turn, now), granted=True)


class GrantsNothingForNothing(Faulty):
    fails = ("test_a_turn_that_costs_nothing_is_granted",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, granted=begun.granted and bool(begun.session.charges))


class GrantsOneMore(Faulty):
    fails = ("test_a_budget_has_exactly_its_limit", "test_spending_takes_what_is_left")
    commit = change_of(
        lambda change: replace(
            change,
            charges=tuple(replace(each, limit=each.limit + 1) for each in change.charges),
            spend=tuple(replace(each, limit=each.limit + 1) for each in change.spend),
        )
    )


class HidesTheSubject(Faulty):
    fails = ("test_the_subject_comes_with_the_claim",)

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, subject=replace(begun.subject, flags=()))


# ── Commits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class RefundsEverything(Faulty):
    fails = ("test_a_refund_gives_back_the_present_turn", "test_a_refund_leaves_what_was_spent")
    commit = change_of(
        lambda change: replace(change, clear=("tries", "sends", "b")) if change.refund else change  # every charge
    )


class RefundsAlways(Faulty):
    fails = ("test_without_a_refund_a_try_stays_spent",)
    commit = change_of(lambda change: replace(change, refund=True))


class IgnoresOnlyIfGranted(Faulty):
    fails = ("test_only_if_granted_writes_all_or_nothing",)
    commit = change_of(lambda change: replace(change, only_if_granted=False))


class IgnoresCounters(Faulty):
    fails = (
        "test_a_counter_only_moves_forward",
        "test_a_counter_that_stays_stops_the_whole_change",
        "test_a_change_that_is_not_granted_moves_no_counter",
        "test_counters_are_of_one_name_and_one_tenant",
        "test_a_counter_outlives_purge_and_erasure",
        "test_a_counter_survives_a_restart",
        "test_one_of_eight_moves_a_counter",
        "test_of_eight_places_the_last_is_reached",
    )
    commit = change_of(lambda change: replace(change, counter=None))


def _moving(store: Faulty, change: Change, seal: Sealing, now: datetime, *, at: datetime, stands: datetime) -> Any:
    """Commit as if a counter stood there that the store keeps nowhere else."""
    if at <= stands:
        return Committed()
    return replace(store.inner.commit(replace(change, counter=None), seal, now), moved=True)


class MovesAfterLooking(Faulty):
    fails = ("test_one_of_eight_moves_a_counter",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.reached: dict[str, datetime] = {}

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Any:
        if change.counter is None:
            return self.inner.commit(change, seal, now)
        stands = self.reached.get(change.counter.key, _LONG_AGO)
        self.together()
        self.reached[change.counter.key] = change.counter.at
        return _moving(self, change, seal, now, at=change.counter.at, stands=stands)


class ForgetsCounters(Faulty):
    fails = (
        "test_a_counter_outlives_purge_and_erasure",
        "test_a_counter_survives_a_restart",
        "test_counters_are_of_one_name_and_one_tenant",
    )

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.reached = _LONG_AGO

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Any:
        if change.counter is None:
            return self.inner.commit(change, seal, now)
        done = _moving(self, change, seal, now, at=change.counter.at, stands=self.reached)
        self.reached = max(self.reached, change.counter.at)
        return done

    def erase(self, tenant: str, subject: str, seal: Sealing, now: datetime) -> Any:
        self.reached = _LONG_AGO
        return self.inner.erase(tenant, subject, seal, now)


class UsesStepsOnce(Faulty):
    """Each step once, and an older one after a newer one."""

    fails = ("test_a_counter_only_moves_forward",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.used: set[datetime] = set()

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Any:
        if change.counter is None:
            return self.inner.commit(change, seal, now)
        used = change.counter.at in self.used
        self.used.add(change.counter.at)
        return _moving(self, change, seal, now, at=now, stands=now if used else _LONG_AGO)


class ClearsNoSums(Faulty):
    fails = ("test_clearing_drops_sums_of_stakes",)
    commit = change_of(lambda change: replace(change, clear=tuple(each for each in change.clear if each != "stake")))


class SeesNumbersAnew(Faulty):
    fails = (
        "test_a_number_keeps_the_time_it_was_first_seen",
        "test_numbers_belong_to_one_subject",
        "test_keyed_names_and_checks_are_exact",
    )
    commit = change_of(
        lambda change: replace(
            change,
            numbers=tuple(replace(each, first_seen=each.first_seen.replace(year=2000)) for each in change.numbers),
        )
    )


class RehashesWhateverIsThere(Faulty):
    fails = ("test_a_credential_is_rehashed_only_while_it_is_the_same",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        done = self.inner.commit(change, seal, now)
        if change.rehash is not None:
            self.inner.enroll(
                change.tenant, change.subject, [change.rehash], clear=(), fresh_key=b"x" * 32,
                seal=lambda head, _: seal(head), now=now,
            )  # fmt: skip
        return done


class ForgivesVoidGrants(Faulty):
    fails = (
        "test_a_new_grant_voids_the_earlier_ones",
        "test_enrolling_voids_open_grants",
        "test_a_hold_and_flags_void_open_grants",
        "test_a_locked_subject_redeems_nothing",
    )

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        return replace(found, reason=None) if found.reason == "void" else found


class VoidsNothing(Faulty):
    fails = ("test_voiding_leaves_what_was_redeemed", "test_an_open_grant_is_seen")
    commit = change_of(lambda change: replace(change, void_grants=False))


class HidesTheHead(Faulty):
    fails = (
        "test_a_seal_is_given_the_head",
        "test_a_commit_writes_the_step",
        "test_a_record_comes_back_as_it_was_sealed",
    )

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        return self.inner.commit(
            change, lambda head: replace(seal(Head(seq=head.seq, mac=b"x")), seq=head.seq + 1), now
        )


# ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class RedeemsTwice(Faulty):
    fails = ("test_a_grant_is_used_once", "test_without_a_request_nothing_is_repeated")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        return replace(found, reason=None, replayed=True) if found.reason == "used" else found


class RedeemsLate(Faulty):
    fails = ("test_a_grant_holds_until_its_end", "test_reasons_come_in_one_order")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        return self.inner.redeem(redemption, seal, now - timedelta(microseconds=1))


class UsesUpWhatItRefuses(Faulty):
    fails = ("test_a_grant_holds_only_as_it_is_bound", "test_a_hold_from_outside_refuses")

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.refused: set[bytes] = set()

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        if redemption.digest in self.refused:
            return replace(found, reason="used")
        if found.reason is not None:
            self.refused.add(redemption.digest)
        return found


class IgnoresHolds(Faulty):
    fails = ("test_a_locked_subject_redeems_nothing", "test_a_hold_does_not_show_where_nothing_is_asked")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        return self.inner.redeem(replace(redemption, exempt=True), seal, now)


class RoundsSums(Faulty):
    """As money columns with two places do."""

    fails = ("test_sums_add_up_to_the_ceiling", "test_great_sums_are_exact")

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        charge = redemption.charge
        if charge is not None:
            charge = replace(charge, amount=charge.amount.quantize(Decimal("0.01")))
        return self.inner.redeem(replace(redemption, charge=charge), seal, now)


class IgnoresCounts(Faulty):
    fails = ("test_their_number_is_limited",)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        charge = redemption.charge
        if charge is not None:
            charge = replace(charge, count=None)
        return self.inner.redeem(replace(redemption, charge=charge), seal, now)


class RecordsSomethingElse(Faulty):
    fails = ("test_what_was_found_is_recorded",)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        return self.inner.redeem(redemption, lambda head, _: seal(head, Redeemed(reason="?")), now)


# ── Keeping ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class DropsTypoTags(Faulty):
    fails = ("test_a_credential_comes_back_as_it_went_in",)

    def enroll(self, tenant: str, subject: str, credentials: Sequence[Any], **more: Any) -> None:
        self.inner.enroll(tenant, subject, [replace(each, typo=()) for each in credentials], **more)


class EnrollsOnce(Faulty):
    fails = ("test_enrolling_again_replaces",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.done: set[str] = set()

    def enroll(self, tenant: str, subject: str, credentials: Sequence[Any], **more: Any) -> None:
        self.inner.enroll(tenant, subject, [each for each in credentials if each.check not in self.done], **more)
        self.done |= {each.check for each in credentials}


class EnrollsWithoutClearing(Faulty):
    fails = ("test_enrolling_clears_the_named_budgets",)

    def enroll(self, *args: Any, clear: tuple[str, ...], **more: Any) -> None:
        del clear
        self.inner.enroll(*args, clear=(), **more)


class MakesAKeyEachTime(Faulty):
    fails = ("test_a_key_is_made_once",)

    def enroll(self, *args: Any, fresh_key: bytes, seal: Sealing, **more: Any) -> None:
        self.inner.enroll(*args, fresh_key=fresh_key, seal=lambda head, _: seal(head, fresh_key), **more)


class ResetsFlags(Faulty):
    fails = ("test_a_hold_is_set_and_lifted",)

    def set_standing(self, *args: Any, flags: tuple[str, ...] | None, **more: Any) -> None:
        self.inner.set_standing(*args, flags=flags or (), **more)


class HoldsOnlyTheKnown(Faulty):
    fails = ("test_a_hold_can_come_before_anything_else",)

    def open(self, new: NewSession, request: str | None, now: datetime) -> Opened:
        opened = self.inner.open(new, request, now)
        return opened if new.known else replace(opened, subject=replace(opened.subject, known=False))


class ClearsOnlyBudgets(Faulty):
    fails = ("test_counts_are_cleared_by_name",)

    def set_standing(self, *args: Any, clear: tuple[str, ...], **more: Any) -> None:
        self.inner.set_standing(*args, clear=tuple(each for each in clear if each != "runs"), **more)


class NotesFreeTheTurn(Faulty):
    fails = ("test_a_note_changes_nothing_else",)

    def note(self, tenant: str, subject: str | None, seal: Sealing, now: datetime, *, fresh_key: bytes) -> None:
        self.inner.note(tenant, subject, seal, now, fresh_key=fresh_key)
        with suppress(KycVerifyError):
            self.inner.begin(tenant, "s-1", 1, now)


class ErasesNobodyTwice(Faulty):
    fails = ("test_erasing_twice_and_erasing_nobody",)

    def erase(self, tenant: str, subject: str, seal: Sealing, now: datetime) -> bool:
        self.inner.erase(tenant, subject, seal, now)
        return True


class RefillsOnErasing(Faulty):
    fails = ("test_erasing_refills_no_budget",)

    def erase(self, tenant: str, subject: str, seal: Sealing, now: datetime) -> bool:
        more: dict[str, Any] = {"clear": ("tries",), "fresh_key": b"x" * 32, "seal": seal, "now": now}
        self.inner.set_standing(tenant, subject, None, flags=None, **more)
        return bool(self.inner.erase(tenant, subject, seal, now))


class PagesLoosely(Faulty):
    fails = ("test_records_come_in_order_and_in_pages",)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        return self.inner.records(tenant, after, limit + 1)


class SortsRecordsAsText(Faulty):
    fails = ("test_a_chain_of_four_writers_has_no_fork_and_no_gap",)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        return sorted(self.inner.records(tenant, after, limit), key=lambda each: str(each.seq))


class MakesTextOfDetails(Faulty):
    fails = ("test_a_record_comes_back_as_it_was_sealed",)

    def records(self, tenant: str, after: int, limit: int) -> Sequence[AuditRecord]:
        found = self.inner.records(tenant, after, limit)
        return [replace(each, detail={key: str(value) for key, value in each.detail.items()}) for each in found]


# ── In the wrong order, or once too often ────────────────────────────────────────────────────────────────────────────


class SpendsAndThenClears(Faulty):
    fails = ("test_what_is_cleared_is_cleared_before_it_is_spent",)

    def commit(self, change: Change, seal: Sealing, now: datetime) -> Committed:
        done = self.inner.commit(replace(change, clear=()), seal, now)
        with written(self.inner) as db:
            for key in change.clear:
                db.execute("DELETE FROM charges WHERE tenant = ? AND key = ?", (change.tenant, key))
        return done


class KeepsErasedGrants(Faulty):
    fails = ("test_an_erased_subject_redeems_nothing",)

    def erase(self, tenant: str, subject: str, seal: Sealing, now: datetime) -> bool:
        with written(self.inner) as db:
            kept = db.execute("SELECT * FROM grants WHERE tenant = ? AND subject = ?", (tenant, subject)).fetchall()
        done = self.inner.erase(tenant, subject, seal, now)
        with written(self.inner) as db:
            for row in kept:
                marks = ", ".join("?" * len(row))
                db.execute(f"INSERT INTO grants VALUES ({marks})", tuple(row))  # noqa: S608 - question marks
        return done


def added(store: Store, redemption: Redemption) -> None:
    """Add a sum once more."""
    if redemption.charge is not None:
        micros = int(redemption.charge.amount * 10**6)
        with written(store) as db:
            where = (redemption.tenant, redemption.charge.key)
            found = db.execute("SELECT micros FROM stakes WHERE tenant = ? AND key = ?", where).fetchone()
            total = micros + (0 if found is None else int(found[0]))
            db.execute("INSERT OR REPLACE INTO stakes VALUES (?, ?, ?, 1)", (*where, str(total)))


class AddsSumsOfReplays(Faulty):
    fails = ("test_the_same_request_succeeds_again",)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        if found.replayed:
            added(self.inner, redemption)
        return found


class AddsRefusedSums(Faulty):
    fails = ("test_a_refused_sum_leaves_the_grant_open",)

    def redeem(self, redemption: Redemption, seal: Sealing, now: datetime) -> Redeemed:
        found = self.inner.redeem(redemption, seal, now)
        if found.reason == "agent":
            added(self.inner, redemption)
        return found


# ── More than one connection ─────────────────────────────────────────────────────────────────────────────────────────


class ReadsStale(Faulty):
    """As a cache, or a replica, does."""

    fails = ("test_a_claim_is_seen_through_every_connection",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.kept: dict[str, Loaded] = {}

    def load(self, tenant: str, session: str, now: datetime, run: Run | None = None) -> Loaded:
        return self.kept.setdefault(session, self.inner.load(tenant, session, now, run))

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        free = self.load(tenant, session, now).session.claimed_at is None
        begun = self.inner.begin(tenant, session, turn, now)
        return replace(begun, claimed=True, granted=True) if free and begun.session.turn == turn else begun


class ForgetsOnRestart(Faulty):
    fails = ("test_everything_survives_a_restart", "test_a_counter_survives_a_restart")

    def __init__(self, inner: Store) -> None:
        super().__init__(MemoryStore())
        inner.close()


class WritesWhenClosed(Faulty):
    """As what keeps all in memory does, and saves it at its end: a crash forgets what was acknowledged."""

    fails = ("test_everything_survives_a_restart", "test_a_counter_survives_a_restart")
    ends = restarting.killed

    def __init__(self, inner: Store) -> None:
        super().__init__(MemoryStore())
        assert isinstance(inner, SQLiteStore)
        inner.close()
        self.file = Path(inner._path).with_suffix(".saved")
        if self.file.exists():
            with closing(sqlite3.connect(self.file)) as saved:
                saved.backup(self.inner._db)

    def close(self) -> None:
        if self.inner._db is not None:
            with closing(sqlite3.connect(self.file)) as saved:
                self.inner._db.backup(saved)
        self.inner.close()


class LosesTheLastSecond(Faulty):
    """As what is acknowledged first and written later does: the last change is gone when the power is."""

    fails = ("test_everything_survives_a_restart",)

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.before: sqlite3.Connection | None = None

    def file(self) -> AbstractContextManager[sqlite3.Connection]:
        assert isinstance(self.inner, SQLiteStore)
        return closing(sqlite3.connect(self.inner._path))

    def begin(self, tenant: str, session: str, turn: int, now: datetime) -> Begun:
        if self.before is not None:
            self.before.close()
        self.before = sqlite3.connect(":memory:")
        with self.file() as db:
            db.backup(self.before)
        return self.inner.begin(tenant, session, turn, now)

    def close(self) -> None:
        if self.before is not None:
            with self.file() as db:
                self.before.backup(db)
            self.before.close()
            self.before = None
        self.inner.close()


# ── Playing the contract ─────────────────────────────────────────────────────────────────────────────────────────────


def opened(fault: type[Faulty] | None, path: Path | None) -> Any:
    """Open a store, in a file or in memory, with a fault or without."""
    inner = MemoryStore() if path is None else SQLiteStore(path)
    return inner if fault is None else fault(inner)


def play(test: str, make_store: Callable[[], Any], ends: Callable[..., object]) -> None:
    """Run one test of the contract, in threads where it wants a crowd."""
    work = getattr(StoreContract(), test)
    wanted = inspect.signature(work).parameters
    desks = [Desk(make_store()) for name in wanted if name in {"desk", "another"}]

    def restart(before: restarting.Work) -> tuple[Any, Desk]:
        found = ends(make_store, before)
        desks.append(Desk(make_store()))
        return found, desks[-1]

    given: dict[str, Any] = {"restart": restart}
    if desks:
        given |= {"desk": desks[0], "another": desks[-1], "crowd": crowds.in_threads(desks[0].store)}
    try:
        work(**{name: given[name] for name in wanted})
    finally:
        for each in desks:
            with suppress(KycVerifyError):
                each.done()


def planted() -> list[type[Faulty]]:
    kinds = [*Faulty.__subclasses__(), *Misworded.__subclasses__()]
    return sorted((each for each in kinds if each is not Misworded), key=lambda each: each.__name__)


CASES = [(fault, test) for fault in planted() for test in fault.fails]


@pytest.mark.parametrize(("fault", "test"), CASES, ids=[f"{fault.__name__}-{test[5:]}" for fault, test in CASES])
def test_a_fault_fails_the_tests_that_name_it(fault: type[Faulty], test: str, tmp_path: Path) -> None:
    filed = {"another", "restart"} & set(inspect.signature(getattr(StoreContract, test)).parameters)
    play(test, partial(opened, None, tmp_path / "sound.db" if filed else None), fault.ends)
    with pytest.raises((AssertionError, KycVerifyError)):
        play(test, partial(opened, fault, tmp_path / "faulty.db" if filed else None), fault.ends)


def test_every_test_of_the_contract_fails_for_some_fault() -> None:
    tests = {name for name in dir(StoreContract) if name.startswith("test_")}
    assert tests == {test for fault in planted() for test in fault.fails}


def test_every_fault_is_named_by_a_test() -> None:
    assert all(fault.fails for fault in planted())
    assert len(planted()) >= 100


# ── What is no fault ─────────────────────────────────────────────────────────────────────────────────────────────────


class Locked(SQLiteStore):
    """A sound store of one process, which may be open once at a time."""

    def __init__(self, path: Path) -> None:
        self.lock = path.with_suffix(".lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        super().__init__(path)

    def close(self) -> None:
        super().close()
        self.lock.close()


@pytest.mark.parametrize("ends", [restarting.closed, restarting.killed])
@pytest.mark.parametrize("test", ["test_everything_survives_a_restart", "test_a_counter_survives_a_restart"])
def test_a_store_that_locks_its_file_for_itself_is_sound(
    test: str, ends: Callable[..., object], tmp_path: Path
) -> None:
    play(test, partial(Locked, tmp_path / "kyc.db"), ends)


# ── A process that ends ──────────────────────────────────────────────────────────────────────────────────────────────


def fail(_: Desk) -> None:
    raise StoreError


def vanish(_: Desk) -> None:
    os._exit(1)


@pytest.mark.parametrize(
    ("make_store", "work", "told"),
    [
        (lambda store=MemoryStore: store(), fail, "functools.partial"),
        (MemoryStore, fail, "StoreError"),
        (MemoryStore, vanish, "before the work was done"),
    ],
    ids=["not importable", "failed", "gone"],
)
def test_work_that_came_to_no_end_is_told(make_store: Callable[[], Any], work: restarting.Work, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        restarting.killed(make_store, work)
