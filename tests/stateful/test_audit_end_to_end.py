"""The audit log of real verifications in a real file: what is done to it behind the library's back is seen."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kyc_verify import audit
from kyc_verify.audit import Anchor, AuditRecord, ChainReport
from kyc_verify.call import Call
from kyc_verify.checks import CallerNumber, OneTimeCode, Pin
from kyc_verify.errors import NotVerified
from kyc_verify.hashing import Keyring
from kyc_verify.policy import Policy, Requirement
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench, Caller, cheap_hasher

POLICY = Policy(
    name="audited",
    checks=[CallerNumber(), Pin(), OneTimeCode()],
    actions={"read": Requirement(bits=1), "move": Requirement(bits="1.4", factors=2)},
)
KEYRING = Keyring({"test": bytes(range(32))})
KEYS: Mapping[str, bytes] = KEYRING.chain_keys()
TENANT = "default"


class Log(NamedTuple):
    """A file with a log in it, what its owner keeps elsewhere, and the bench that wrote it."""

    path: Path
    anchor: Anchor
    bench: Bench


def use(bench: Bench) -> None:
    """Verify, fail, decline, cancel, redeem, be refused, hold and explain."""
    bench.verifier.redeem(
        bench.play(action="read").require(), subject=bench.subject, action="read", call=bench.call, request_id="once"
    )
    bench.play(Caller.answers({"pin": "860213"}), action="move")
    bench.enroller.clear_runs(bench.subject, by="ops", reason="case 1")
    step = bench.verifier.open(bench.subject, action="move", call=bench.call)
    bench.verifier.cancel(bench.verifier.decline(step.challenge.id, call=bench.call).session_id, call=bench.call)
    with pytest.raises(NotVerified):
        bench.verifier.redeem("nothing", subject=bench.subject, action="read", call=bench.call)
    bench.verifier.open("nobody", action="read", call=bench.call)
    bench.enroller.lock(bench.subject, by="ops", reason="case 1")
    bench.enroller.unlock(bench.subject, by="ops", reason="case 1")
    bench.verifier.explain(step.session_id, call=Call(id="audit", agent="auditor", roles=frozenset({"auditor"})))


def bench_over(path: Path, **more: Any) -> Bench:
    return Bench(POLICY, store=SQLiteStore(path), hasher=cheap_hasher(KEYRING), **more)


def check(path: Path, *, anchor: Anchor | None, tenant: str = TENANT) -> ChainReport:
    with SQLiteStore(path) as store:
        return audit.verify(pages(store, tenant), tenant=tenant, keys=KEYS, anchor=anchor)


def pages(store: SQLiteStore, tenant: str = TENANT) -> Iterable[AuditRecord]:
    after = 0
    while page := store.records(tenant, after, 5):
        yield from page
        after = page[-1].seq


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Log:
    path = tmp_path_factory.mktemp("log") / "kyc.db"
    bench = bench_over(path)
    use(bench)
    bench.store.close()
    report = check(path, anchor=None)
    assert report.intact
    assert report.records > 15
    assert report.anchor is not None
    return Log(path, report.anchor, bench)


@pytest.fixture
def copied(written: Log, tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    shutil.copy(written.path, path)
    return path


Row = tuple[int, dict[str, Any]]


def rewritten(path: Path, work: Callable[[list[Row]], list[Row]]) -> None:
    """Rewrite the records as somebody with the file, and without the keys, can."""
    with sqlite3.connect(path) as db:
        rows = [(seq, json.loads(body)) for seq, body in db.execute("SELECT seq, body FROM records ORDER BY seq")]
        rows = work(rows)
        db.execute("DELETE FROM records")
        lines = [(TENANT, seq, json.dumps(body, separators=(",", ":"))) for seq, body in rows]
        db.executemany("INSERT INTO records VALUES (?, ?, ?)", lines)
        seq, last = rows[-1]
        db.execute("UPDATE heads SET seq = ?, mac = ?", (seq, bytes.fromhex(last["mac"])))
    db.close()


def renumbered(rows: list[Row]) -> list[Row]:
    return [(at, body | {"seq": at}) for at, (_, body) in enumerate(rows, start=1)]


def swapped(rows: list[Row], a: int, b: int) -> list[Row]:
    rows[a], rows[b] = rows[b], rows[a]
    return rows


def forged(rows: list[Row], start: int, key: bytes) -> list[Row]:
    """Compute every tag from `start` on anew, with a key of one's own."""
    previous = audit.GENESIS if start == 0 else bytes.fromhex(rows[start - 1][1]["mac"])
    made = rows[:start]
    for seq, body in rows[start:]:
        plain = {name: value for name, value in body.items() if name != "mac"}
        line = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
        previous = hmac.digest(key, len(previous).to_bytes(4, "big") + previous + line, hashlib.sha256)
        made.append((seq, plain | {"mac": previous.hex()}))
    return made


def edited(at: int, /, **change: Any) -> Callable[[list[Row]], list[Row]]:
    def work(rows: list[Row]) -> list[Row]:
        seq, body = rows[at]
        assert {name: body[name] for name in change} != change
        rows[at] = (seq, body | change)
        return rows

    return work


TAMPERED: dict[str, Callable[[list[Row]], list[Row]]] = {
    "delete the head": lambda rows: rows[1:],
    "delete the head, renumber": lambda rows: renumbered(rows[1:]),
    "delete the middle": lambda rows: rows[:7] + rows[8:],
    "delete the middle, renumber": lambda rows: renumbered(rows[:7] + rows[8:]),
    "delete the tail": lambda rows: rows[:-1],
    "delete a long tail": lambda rows: rows[:3],
    "swap two": lambda rows: renumbered(swapped(rows, 4, 5)),
    "swap two with their numbers": lambda rows: [(at, body) for at, (_, body) in enumerate(swapped(rows, 4, 5), 1)],
    "repeat one": lambda rows: renumbered([*rows[:6], rows[5], *rows[6:]]),
    "repeat the last": lambda rows: renumbered([*rows, rows[-1]]),
    "insert one": lambda rows: renumbered([*rows[:6], (0, rows[5][1] | {"agent": "agent-9"}), *rows[6:]]),
    "append one": lambda rows: renumbered([*rows, (0, rows[-1][1] | {"event": "locked"})]),
    "compute a suffix without the key": lambda rows: forged(edited(8, agent="agent-9")(rows), 8, bytes(32)),
    "compute everything without the key": lambda rows: forged(edited(0, agent="agent-9")(rows), 0, b"x" * 32),
    "compute everything under another id": lambda rows: forged([(s, b | {"key_id": "mine"}) for s, b in rows], 0, b"x"),
    "edit the number": edited(5, seq=600),
    "edit the time": edited(5, at="2100-01-01T00:00:00.000001+00:00"),
    "edit the event": edited(5, event="locked"),
    "edit the agent": edited(5, agent="agent-9"),
    "edit the subject": edited(5, subject="00" * 16),
    "edit the call": edited(5, call="00" * 16),
    "edit the session": edited(5, session=None),
    "edit the action": edited(5, action="other"),
    "edit the verdict": edited(5, verdict="exempt"),
    "edit the policy": edited(5, policy="00" * 32),
    "edit the detail": edited(5, detail={"check": "pin"}),
    "edit the key's id": edited(5, key_id="other"),
    "edit the tag": edited(5, mac="00" * 32),
    "edit the tenant": edited(5, tenant="south"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_is_done_to_the_file_is_seen(how: str, written: Log, copied: Path) -> None:
    rewritten(copied, TAMPERED[how])
    report = check(copied, anchor=written.anchor)
    assert not report.intact or not report.complete
    assert report.faults
    assert report.anchor is None, "a faulty chain is no anchor of anything"


def test_rewriting_it_as_it_was_is_no_fault(written: Log, copied: Path) -> None:
    rewritten(copied, lambda rows: rows)
    report = check(copied, anchor=written.anchor)
    assert (report.intact, report.complete, report.faults) == (True, True, ())


def test_without_an_anchor_completeness_is_not_proven(written: Log, copied: Path) -> None:
    report = check(written.path, anchor=None)
    assert report.intact
    assert not report.complete
    assert "completeness is not proven" in str(report.note)
    # This is why: a missing tail shows nothing by itself.
    rewritten(copied, lambda rows: rows[:-3])
    cut = check(copied, anchor=None)
    assert cut.intact
    assert not cut.complete
    assert "completeness is not proven" in str(cut.note)


def test_a_longer_log_still_holds_against_an_older_anchor(written: Log, copied: Path) -> None:
    bench = bench_over(copied, facts={})
    bench.enroller.lock("cust-42", by="ops", reason="later")
    bench.store.close()
    report = check(copied, anchor=written.anchor)
    assert report.complete
    assert report.anchor is not None
    assert report.anchor.seq == written.anchor.seq + 1


def test_a_fork_is_seen(written: Log, copied: Path) -> None:
    """The library itself, with the key, went on from an older copy: every tag is right, and it is another history."""
    rewritten(copied, lambda rows: rows[:-4])
    bench = bench_over(copied, facts={})
    for at in range(6):
        bench.enroller.lock("cust-42", by="ops", reason=f"other history {at}")
    bench.store.close()
    assert check(copied, anchor=None).intact
    report = check(copied, anchor=written.anchor)
    assert not report.intact
    assert any("rewritten" in fault for fault in report.faults)


def test_another_tenants_log_is_no_substitute(written: Log, copied: Path) -> None:
    bench = bench_over(copied, tenant="south")
    bench.store.close()
    with sqlite3.connect(copied) as db:
        body = db.execute("SELECT body FROM records WHERE tenant = 'south'").fetchone()[0]
        db.execute("UPDATE records SET body = ? WHERE tenant = ? AND seq = 1", (body, TENANT))
    db.close()
    assert any("another tenant" in fault for fault in check(copied, anchor=written.anchor).faults)


# ── Erasure ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def bytes_of(path: Path) -> bytes:
    """Return everything on the disk: the file, its journal and its index."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


def linked(path: Path, names: Mapping[str, str]) -> set[str]:
    """Return which people and calls somebody with the file and all keys of the server can find in the records.

    Every 32 bytes on the disk are tried as a subject's own key, and so is every key of the keyring.
    """
    with SQLiteStore(path) as store:
        records = list(pages(store))
    shown = {each for record in records for each in (record.subject, record.call, record.session) if each}
    disk = bytes_of(path)
    keys = {disk[at : at + 32] for at in range(len(disk) - 31)} | set(KEYS.values()) | {bytes(32), bytes(range(32))}
    return {
        value
        for value, label in names.items()
        if any(audit.pseudonym(key, label, value) in shown for key in keys if len(set(key)) > 8)
    }


def test_after_an_erasure_nothing_links_and_the_chain_holds(tmp_path: Path) -> None:
    path = tmp_path / "kyc.db"
    bench = bench_over(path)
    use(bench)
    names = {bench.subject: "subject", bench.call.id: "call"}
    with sqlite3.connect(path) as db:
        (key,) = db.execute("SELECT key FROM subjects WHERE subject = ?", (bench.subject,)).fetchone()
        credentials = [json.loads(body) for (body,) in db.execute("SELECT body FROM credentials")]
        prints = [each for (each,) in db.execute("SELECT fingerprint FROM numbers")]
        states = [each for (each,) in db.execute("SELECT state FROM sessions WHERE subject = ?", (bench.subject,))]
    db.close()
    texts = [bench.subject, *prints, *states]
    texts += [each[name] for each in credentials for name in ("salt", "full", "seal")]
    gone = [key, *(text.encode() for text in texts)]
    before = bytes_of(path)
    assert all(each in before for each in gone), "the control: they were there"
    assert bench.subject in linked(path, {bench.subject: "subject"}), "the control: it could be recomputed"
    anchor = check(path, anchor=None).anchor

    assert bench.enroller.erase(bench.subject, by="dpo", reason="request 7")

    after = bytes_of(path)
    assert not [each for each in gone if each in after]
    assert linked(path, names) <= {bench.call.id}, "the call may still be found under a day's key, not the customer"
    report = check(path, anchor=anchor)
    assert report.complete, report.faults
    with SQLiteStore(path) as store:
        last = list(pages(store))[-1]
    assert (last.event, last.subject, last.call) == (audit.Event.ERASED, None, None)


def test_who_was_asked_about_in_vain_is_nobody_once_the_day_is_purged(tmp_path: Path) -> None:
    path = tmp_path / "kyc.db"
    bench = bench_over(path)
    bench.verifier.open("nobody-known", action="read", call=bench.call)
    anchor = check(path, anchor=None).anchor
    assert linked(path, {"nobody-known": "subject"}), "the control: under the day's key it can be found"
    bench.store.purge(bench.clock.now + timedelta(days=2), 1_000)
    bench.store.close()
    assert not linked(path, {"nobody-known": "subject"})
    assert b"nobody-known" not in bytes_of(path)
    assert check(path, anchor=anchor).complete
