"""The queue of writers: in order, one at a time, and nobody waits for the dead or for ever."""

from __future__ import annotations

import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kyc_verify.errors import StoreError
from kyc_verify.stores import _queue
from kyc_verify.stores._queue import WriterQueue

pytest.importorskip("fcntl")

_OTHER = """
import sys, time
from kyc_verify.stores._queue import WriterQueue
queue = WriterQueue(sys.argv[1])
with queue.turn(time.monotonic() + float(sys.argv[2])) as come:
    print(come, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "queue")


@pytest.fixture
def queue(path: str) -> Iterator[WriterQueue]:
    made = WriterQueue(path)
    assert come(made, 0)
    yield made
    made.close()


@pytest.fixture
def other(queue: WriterQueue, path: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Put another process in the line; it leaves when its input is closed."""
    made: list[subprocess.Popen[bytes]] = []

    def start(wait: float = 30) -> subprocess.Popen[bytes]:
        before = drawn(queue)
        command = [sys.executable, "-c", _OTHER, path, str(wait)]
        made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        while drawn(queue) == before:
            time.sleep(0.005)
        return made[-1]

    yield start
    for each in made:
        each.kill()
        each.wait()
        for pipe in (each.stdin, each.stdout):
            if pipe is not None:
                pipe.close()


def drawn(queue: WriterQueue) -> int:
    # Only through the queue: closing the file would drop this process's locks on it.
    return queue._read(_queue._DRAWN)


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def leave(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def come(queue: WriterQueue, wait: float) -> bool:
    with queue.turn(time.monotonic() + wait) as found:
        return found


def test_an_empty_line_is_no_wait(queue: WriterQueue) -> None:
    assert come(queue, 0)
    assert come(queue, 0)
    assert queue._read(_queue._SERVED) == drawn(queue) == 3  # who comes next looks at one place, not at all of them


def test_processes_have_their_turn_in_the_order_they_came(
    queue: WriterQueue, other: Callable[..., subprocess.Popen[bytes]]
) -> None:
    with queue.turn(time.monotonic() + 5) as mine:
        assert mine
        line = [other() for _ in range(3)]
    for n, each in enumerate(line):
        assert said(each) == b"True\n"
        assert not come(queue, 0.05)
        assert select.select([later.stdout for later in line[n + 1 :]], [], [], 0)[0] == []
        leave(each)
    assert come(queue, 5)


def test_the_one_behind_a_dead_one_waits_for_those_before_no_longer(
    queue: WriterQueue, other: Callable[..., subprocess.Popen[bytes]]
) -> None:
    holder = other()
    assert said(holder) == b"True\n"
    holder.kill()
    holder.wait()
    assert come(queue, 5)


def test_who_gives_up_leaves_the_line(queue: WriterQueue, other: Callable[..., subprocess.Popen[bytes]]) -> None:
    with queue.turn(time.monotonic() + 5):
        impatient = other(0.05)
        assert said(impatient) == b"False\n"
        leave(impatient)
        impatient.wait()
    assert come(queue, 5)


def test_nobody_waits_longer_than_told(queue: WriterQueue, other: Callable[..., subprocess.Popen[bytes]]) -> None:
    assert said(other()) == b"True\n"
    began = time.monotonic()
    assert not come(queue, 0.2)
    assert 0.2 <= time.monotonic() - began < 2


def test_who_goes_ahead_of_the_line_does_so_only_so_often(
    queue: WriterQueue, other: Callable[..., subprocess.Popen[bytes]]
) -> None:
    assert all(queue.ahead() for _ in range(1000))  # nobody waits
    holder = other()
    assert said(holder) == b"True\n"
    allowed = [queue.ahead() for _ in range(_queue._AHEAD + 3)]
    assert allowed == [True] * _queue._AHEAD + [False] * 3
    holder.kill()
    holder.wait()
    assert not queue.ahead()  # one who died in line is waited for once
    assert come(queue, 5)
    assert all(queue.ahead() for _ in range(1000))


def test_a_queue_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    queue = WriterQueue(str(tmp_path / "absent" / "queue"))
    for ask in (queue.ahead, lambda: come(queue, 1)):
        with pytest.raises(StoreError, match="writers' queue"):
            ask()


def test_threads_of_one_process_stand_one_after_the_other(queue: WriterQueue) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with queue.turn(time.monotonic() + 30) as found:
                assert found
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 1
    with queue.turn(time.monotonic() + 5):
        late: list[bool] = []
        thread = threading.Thread(target=lambda: late.append(come(queue, 0.02)))
        thread.start()
        thread.join()
        assert late == [False]


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\xff" * 3, b"\0" * 100])
def test_whatever_is_in_the_file_is_only_a_number(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    queue = WriterQueue(path)
    assert [come(queue, 1) for _ in range(3)] == [True] * 3
    queue.close()


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    queue = WriterQueue(str(tmp_path))
    with pytest.raises(StoreError, match="check the permissions of the folder") as caught:
        come(queue, 1)
    assert isinstance(caught.value.__cause__, OSError)
    assert not queue._mine.locked()


def test_a_closed_line(queue: WriterQueue) -> None:
    queue.close()
    with pytest.raises(StoreError, match="this store is closed"):
        come(queue, 1)
    assert not queue._mine.locked()


def test_a_failure_in_the_turn_ends_the_turn(queue: WriterQueue) -> None:
    with pytest.raises(ZeroDivisionError), queue.turn(time.monotonic() + 5):
        raise ZeroDivisionError
    assert come(queue, 0)
