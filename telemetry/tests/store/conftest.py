"""Stores for the tests of the store, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.store import MappedStore, MemoryStore, Store, open_store


@pytest.fixture(params=["memory", "mapped"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each of the stores: what a test says of this one holds for all."""
    made: Store = MemoryStore() if request.param == "memory" else open_store((), tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[MappedStore]:
    made = open_store((), tmp_path / "store")
    assert isinstance(made, MappedStore)
    yield made
    made.close()
