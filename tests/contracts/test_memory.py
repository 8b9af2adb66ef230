from __future__ import annotations

import pytest

from kyc_verify.stores import MemoryStore
from kyc_verify.testing import StoreContract


class TestMemoryStore(StoreContract):
    durable = False
    multiprocess = False

    @pytest.fixture
    def make_store(self) -> type[MemoryStore]:
        return MemoryStore
