from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import StoreContract


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> partial[SQLiteStore]:
        return partial(SQLiteStore, tmp_path / "kyc.db")
