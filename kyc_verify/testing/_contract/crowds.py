"""Eight at once, in threads and in processes: what is atomic shows only here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, Protocol, TypeAlias

from kyc_verify.errors import KycVerifyError
from kyc_verify.ports import LEASE, Store
from kyc_verify.testing._contract.desk import DAY, NOW, Desk, charge, credential, expect, number, stake, yes

__all__ = ["EIGHT", "Crowd", "Crowds", "MakeStore", "in_processes", "in_threads", "workers"]

EIGHT: Final = 8
_PATIENCE: Final = 60.0

MakeStore: TypeAlias = Callable[[], Store]
Job: TypeAlias = Callable[[Desk, int], object]


class Barrier(Protocol):
    """Where all wait until all are there."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the others."""
        ...


Crowd: TypeAlias = Callable[[Job], list[Any]]
"""Does one job eight times at once and returns what each found: a result, or the code of an error."""

_STARTED: list[Barrier] = []


def _at(barrier: Barrier) -> None:
    _STARTED[:] = [barrier]


def workers() -> Iterator[ProcessPoolExecutor]:
    """Yield eight processes that start their jobs together."""
    context = get_context("spawn")  # as on every platform, and nothing is inherited
    with ProcessPoolExecutor(EIGHT, mp_context=context, initializer=_at, initargs=(context.Barrier(EIGHT),)) as pool:
        yield pool


def _in_process(make_store: MakeStore, job: Job, n: int) -> object:
    desk = Desk(make_store())
    try:
        desk.run(desk.store.ready(NOW))
        return _together(desk, job, n, _STARTED[0])
    finally:
        desk.done()


def _together(desk: Desk, job: Job, n: int, barrier: Barrier) -> object:
    barrier.wait(_PATIENCE)
    try:
        return job(desk, n)
    except KycVerifyError as error:
        return error.code


def in_processes(pool: ProcessPoolExecutor, make_store: MakeStore) -> Crowd:
    """Return a crowd of processes, each with the store opened anew."""

    def crowd(job: Job) -> list[Any]:
        return [found.result() for found in [pool.submit(_in_process, make_store, job, n) for n in range(EIGHT)]]

    return crowd


def in_threads(store: Store) -> Crowd:
    """Return a crowd of threads that share one store."""

    def crowd(job: Job) -> list[Any]:
        barrier = threading.Barrier(EIGHT)
        with ThreadPoolExecutor(EIGHT) as pool:
            done = [pool.submit(_together, Desk(store), job, n, barrier) for n in range(EIGHT)]
            return [found.result() for found in done]

    return crowd


# ── What each of the eight does ──────────────────────────────────────────────────────────────────────────────────────


def claim(desk: Desk, _: int) -> object:
    """Claim the one turn."""
    begun = desk.begin()
    return begun.claimed, begun.granted


def take_over(desk: Desk, _: int) -> object:
    """Claim a turn that somebody left."""
    begun = desk.begin(now=NOW + LEASE)
    return begun.claimed, begun.spent


def claim_own(desk: Desk, n: int) -> object:
    """Claim a turn of one's own, on a budget that all share."""
    return desk.begin(1, f"s-{n}").granted


def spend_own(desk: Desk, n: int) -> object:
    """Commit a step of one's own, if the shared budget has one left."""
    return desk.commit(f"s-{n}", spend=(charge(),), only_if_granted=True).granted[0]


def write(desk: Desk, n: int) -> object:
    """Commit a step of the one session, from the same version."""
    desk.commit(version=1, turn=2, state=f"by {n}")
    return "written"


def redeem(desk: Desk, _: int) -> object:
    """Redeem the one grant."""
    return desk.redeem().reason


def redeem_once(desk: Desk, _: int) -> object:
    """Redeem the one grant, as one request."""
    found = desk.redeem(request="r", charge=stake("6", ceiling="10"))
    return found.reason, found.replayed


def redeem_own(desk: Desk, n: int) -> object:
    """Redeem a grant of one's own, against a sum that all share."""
    return desk.redeem(bytes([n]) * 32, charge=stake("10", ceiling="35")).reason


def open_once(desk: Desk, n: int) -> object:
    """Open a session, as one request."""
    opened = desk.open(f"s-{n}", request="r")
    return opened.session.id, opened.run, opened.replayed


def open_own(desk: Desk, n: int) -> object:
    """Open a session of one's own."""
    opened = desk.open(f"s-{n}")
    return opened.run, opened.subject.key


def open_unknown(desk: Desk, n: int) -> object:
    """Open a session about nobody."""
    return desk.open(f"s-{n}", "nobody", known=False).subject.key


def answer_rightly(desk: Desk, n: int) -> object:
    """Answer thirty questions of a session of one's own; each right answer gives back what it cost."""
    tries, row = charge(f"tries-{n}"), charge(f"row-{n}", window=None)
    for turn in range(1, 31):
        if not desk.begin(turn, f"s-{n}").granted:
            return "refused"
        desk.commit(f"s-{n}", charges=(tries, row), refund=True, clear=(row.key,), void_grants=True)
    return "answered"


def record(desk: Desk, n: int) -> object:
    """Write fifty records, where four do."""
    for _ in range(50 if n < EIGHT // 2 else 0):
        desk.note()
    return n


def erase_or_write(desk: Desk, n: int) -> object:
    """Erase the subject, or write about it."""
    if n % 2:
        return desk.erase()
    desk.commit(f"s-{n}", numbers=(number(f"n-{n}"),))
    return "written"


class Crowds:
    """What every verb promises when eight call it at once."""

    def test_one_of_eight_claims_a_turn(self, desk: Desk, crowd: Crowd) -> None:
        """And it is charged once."""
        desk.start("s-1", "cust-1", charge(limit=9))
        expect(
            sorted(crowd(claim)),
            [(False, False)] * 7 + [(True, True)],
            "of eight who claim a turn exactly one must have it",
        )
        expect(desk.spent(charge()), [1], "a turn that eight claim must be charged once")

    def test_one_of_eight_takes_a_spent_turn_over(self, desk: Desk, crowd: Crowd) -> None:
        """The others find it claimed."""
        desk.start("s-1", "cust-1", charge(limit=9))
        desk.begin()
        expect(
            sorted(crowd(take_over)),
            [(False, False)] * 7 + [(True, True)],
            "of eight who take a spent turn over exactly one must have it",
        )
        expect(desk.spent(charge()), [1], "who takes a turn over must not be charged again")

    def test_three_tries_are_three_whoever_claims(self, desk: Desk, crowd: Crowd) -> None:
        """Eight sessions on one budget of three."""
        for n in range(EIGHT):
            desk.start(f"s-{n}", "cust-1", charge())
        expect(
            sorted(crowd(claim_own)),
            [False] * 5 + [True] * 3,
            "of eight tries on a budget of three exactly three must be granted",
        )
        expect(desk.spent(charge()), [3], "a budget of three must be charged three times")

    def test_three_sends_are_three_whoever_spends(self, desk: Desk, crowd: Crowd) -> None:
        """Eight commits on one budget of three; those that are refused write nothing."""
        for n in range(EIGHT):
            desk.start(f"s-{n}", f"cust-{n}")
        expect(
            sorted(crowd(spend_own)),
            [False] * 5 + [True] * 3,
            "of eight who spend from a budget of three exactly three must be granted",
        )
        written = [desk.load(f"s-{n}").session.version for n in range(EIGHT)].count(2)
        expect(written, 3, "who is granted nothing must write nothing")
        desk.intact(EIGHT + 3)

    def test_one_of_eight_writes_a_version(self, desk: Desk, crowd: Crowd) -> None:
        """The others conflict, and leave no record."""
        desk.start()
        expect(
            sorted(crowd(write)),
            ["conflict"] * 7 + ["written"],
            "of eight who write the same version exactly one must succeed",
        )
        desk.intact(2)

    def test_one_of_eight_redeems_a_grant(self, desk: Desk, crowd: Crowd) -> None:
        """The others find it used."""
        desk.open()
        desk.grant()
        found = crowd(redeem)
        expect((found.count(None), found.count("used")), (1, 7), "of eight who redeem a grant exactly one must succeed")
        desk.intact(9)

    def test_one_request_redeems_once(self, desk: Desk, crowd: Crowd) -> None:
        """All eight succeed, one of them for the first time, and the sum is charged once."""
        desk.open()
        desk.grant()
        expect(
            sorted(crowd(redeem_once)),
            [(None, False)] + [(None, True)] * 7,
            "of eight with the same request one must redeem, and seven must find that it did",
        )
        desk.grant(b"2" * 32)
        expect(
            desk.redeem(b"2" * 32, charge=stake("4", ceiling="10")).reason,
            None,
            "a request that comes eight times must be charged once",
        )
        desk.intact(4)

    def test_a_ceiling_holds_for_eight(self, desk: Desk, crowd: Crowd) -> None:
        """Three tens fit under 35."""
        for n in range(EIGHT):
            desk.open(f"s-{n}")
            desk.grant(bytes([n]) * 32, f"s-{n}")
        found = crowd(redeem_own)
        expect(
            (found.count(None), found.count("ceiling")), (3, 5), "of eight sums of ten exactly three must fit under 35"
        )

    def test_one_request_opens_one_session(self, desk: Desk, crowd: Crowd) -> None:
        """All eight find the same one, and one run was taken."""
        found = crowd(open_once)
        expect(
            len({(session, run) for session, run, _ in found}),
            1,
            "a request that comes eight times must open one session",
        )
        expect(
            sorted(replayed for _, _, replayed in found),
            [False] + [True] * 7,
            "of eight with the same request seven must find the session of the first",
        )
        expect(desk.open("s-9").run, 2, "a request that comes eight times must take one run number")

    def test_eight_runs_have_eight_numbers(self, desk: Desk, crowd: Crowd) -> None:
        """And the subject one key."""
        found = crowd(open_own)
        expect(
            sorted(run for run, _ in found),
            list(range(1, EIGHT + 1)),
            "eight runs must have eight numbers, none twice and none left out",
        )
        expect(len({key for _, key in found}), 1, "eight who open a subject's first session must be given one key")
        expect(desk.open("s-9").subject.key, found[0][1], "the key they are given must be the one that is kept")

    def test_a_day_has_one_key(self, desk: Desk, crowd: Crowd) -> None:
        """Whoever asks first."""
        keys = set(crowd(open_unknown))
        expect(
            keys,
            {desk.open("s-9", "nobody", known=False).subject.key},
            "eight who ask for the key of the day must be given one",
        )

    def test_eight_customers_are_answered_side_by_side(self, desk: Desk, crowd: Crowd) -> None:
        """Their rows are their own, however few there are: nobody is told to try again."""
        for n in range(EIGHT):
            desk.start(f"s-{n}", f"cust-{n}", charge(f"tries-{n}"), charge(f"row-{n}", window=None))
        expect(
            crowd(answer_rightly), ["answered"] * EIGHT, "nobody may be told to try again because of other customers"
        )
        expect(
            desk.spent(*[charge(f"tries-{n}") for n in range(EIGHT)]),
            [0] * EIGHT,
            "every right answer must give its try back",
        )
        desk.intact(EIGHT * (1 + 30))

    def test_a_chain_of_four_writers_has_no_fork_and_no_gap(self, desk: Desk, crowd: Crowd) -> None:
        """Fifty records each."""
        crowd(record)
        desk.intact(200)

    def test_nothing_outlives_an_erasure(self, desk: Desk, crowd: Crowd) -> None:
        """Four write about a subject while four erase it: what was written is gone or was refused."""
        desk.enroll(credential())
        for n in range(EIGHT):
            desk.start(f"s-{n}")
        found = crowd(erase_or_write)
        expect(found[1::2].count(True), 1, "of four who erase a subject exactly one must have found it")
        yes(
            all(each in {"written", "conflict", "unknown_session"} for each in found[::2]),
            f"what is written about a subject that is erased must be written, refused or gone: {found}",
        )
        subject = desk.open("s-9", now=NOW + DAY).subject
        expect((dict(subject.credentials), subject.numbers), ({}, ()), "nothing of before an erasure may be left")
        desk.intact(1 + EIGHT + EIGHT // 2 + found.count("written"))
