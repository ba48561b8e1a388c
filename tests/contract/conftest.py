"""Drivers that a contract's body runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from _pytest.fixtures import FixtureRequest

from fleet.drivers.memory.store import MemoryStore
from fleet.drivers.postgres.store.store import PostgresStore
from fleet.ports import Store


@pytest.fixture(params=["memory", "postgres"])
async def record(request: FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    conninfo = request.getfixturevalue("store_conninfo")
    store = await PostgresStore.connect(conninfo, migrate=False)
    yield store
    await store.close()
