"""What every store, sender, check and signal source must hold, as tests: inherit them, and say how yours is made.

A store of your own is right when these pass, and one that fails any of them lets somebody in::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def make_store(self, tmp_path):
            return functools.partial(MyStore, tmp_path / "my.db")
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, ClassVar

import pytest

from kyc_verify.ports import Store
from kyc_verify.testing._contract import crowds, restarting
from kyc_verify.testing._contract.belonging import Belonging
from kyc_verify.testing._contract.claiming import Claiming
from kyc_verify.testing._contract.committing import Committing
from kyc_verify.testing._contract.counting import Counting
from kyc_verify.testing._contract.crowds import Crowd, Crowds, MakeStore
from kyc_verify.testing._contract.desk import Desk
from kyc_verify.testing._contract.exactness import Exactness
from kyc_verify.testing._contract.keeping import Keeping
from kyc_verify.testing._contract.layers import CheckContract
from kyc_verify.testing._contract.opening import Opening
from kyc_verify.testing._contract.purging import Purging
from kyc_verify.testing._contract.redeeming import Redeeming
from kyc_verify.testing._contract.restarting import Restart, Restarting
from kyc_verify.testing._contract.senders import SenderContract
from kyc_verify.testing._contract.sources import SignalContract

__all__ = ["CheckContract", "SenderContract", "SignalContract", "StoreContract"]


class StoreContract(
    Opening, Claiming, Committing, Counting, Redeeming, Keeping, Purging, Belonging, Exactness, Restarting, Crowds
):
    """Every promise of `kyc_verify.ports.Store`, for a store whose verbs are plain or coroutine functions.

    Write one fixture, ``make_store``: a function without arguments that opens the store, empty at the start of each
    test and **the same one** each time it is called within a test. It is pickled for other processes, so make it with
    `functools.partial` of something that can be imported.

    Attributes:
        durable: Whether what was acknowledged survives a restart and a crash. False skips the tests of it: do not serve
            callers from it.
        multiprocess: Whether several processes may share the store. False skips their tests: serve from one process.
    """

    durable: ClassVar[bool] = True
    multiprocess: ClassVar[bool] = True

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Return what opens the store; yours."""
        msg = "write a fixture make_store that returns a function which opens the store"
        raise NotImplementedError(msg)

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Store:
        """Return the store, empty."""
        return make_store()

    @pytest.fixture
    def desk(self, store: Store) -> Iterator[Desk]:
        """Yield short ways to use the store."""
        desk = Desk(store)
        yield desk
        desk.done()

    @pytest.fixture
    def another(self, make_store: MakeStore, desk: Desk) -> Iterator[Desk]:
        """Yield the same store, opened once more beside the first."""
        del desk
        if not self.multiprocess:
            pytest.skip("multiprocess = False: the store is opened once")
        other = Desk(make_store())
        yield other
        other.done()

    @pytest.fixture(params=["closed", "killed"])
    def restart(self, request: pytest.FixtureRequest, make_store: MakeStore) -> Iterator[Restart]:
        """Yield what does some work on the store, ends the store, and opens it again.

        ``closed``: the store is closed first, as at an orderly end. ``killed``: the work is done in a process of its
        own that ends there and then, as in a crash, so that what is only saved by closing is lost. Either way the store
        is opened again after that, and is never open twice: it may lock whatever it lives in for itself.
        """
        if not self.durable:
            pytest.skip("durable = False: a restart forgets everything")
        end = restarting.killed if request.param == "killed" else restarting.closed
        opened: list[Desk] = []

        def again(work: restarting.Work) -> tuple[Any, Desk]:
            found = end(make_store, work)
            opened.append(Desk(make_store()))
            return found, opened[-1]

        yield again
        for each in opened:
            each.done()

    @pytest.fixture(scope="class")
    @classmethod
    def pool(cls) -> Iterator[ProcessPoolExecutor]:
        """Yield eight processes."""
        yield from crowds.workers()

    @pytest.fixture(params=["threads", "processes"])
    def crowd(self, request: pytest.FixtureRequest, make_store: MakeStore, store: Store) -> Crowd:
        """Return what does a job eight times at once."""
        if request.param == "threads":
            if inspect.iscoroutinefunction(store.begin):
                pytest.skip("an async store belongs to one event loop: its processes show the same")
            return crowds.in_threads(store)
        if not self.multiprocess:
            pytest.skip("multiprocess = False: the store is of one process")
        return crowds.in_processes(request.getfixturevalue("pool"), make_store)
