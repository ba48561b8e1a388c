"""Real Postgres for every test that wants one: one server a session, one database a test."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from fleet.drivers.postgres.server import EmbeddedServer
from fleet.drivers.postgres.store.store import PostgresStore
from tests.running_platform import platform

__all__ = ["platform"]  # one platform a session, for all who want one

_TEMPLATE = "template_store"


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[str]:
    """The conninfo of a running control server, as its superuser."""
    data_dir = Path(tempfile.mkdtemp(prefix="afdata", dir="/tmp"))
    run_dir = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    server = EmbeddedServer(data_dir, run_dir)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(data_dir)
        shutil.rmtree(run_dir)


@dataclass(frozen=True)
class Databases:
    """Clones of a migrated, empty control database; a clone takes some 30 ms."""

    admin: str
    numbers: Iterator[int]

    def create(self) -> str:
        name = f"store_{next(self.numbers)}"
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f"create database {name} template {_TEMPLATE}")
        return make_conninfo(self.admin, dbname=name)

    def drop(self, conninfo: str) -> None:
        name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def databases(embedded_server: str) -> Databases:
    with psycopg.connect(embedded_server, autocommit=True) as connection:
        connection.execute(f"create database {_TEMPLATE}")

    async def migrate() -> None:
        store = await PostgresStore.connect(make_conninfo(embedded_server, dbname=_TEMPLATE))
        await store.close()

    # In a thread, because a test's loop may already run when the fixture is first asked for.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(migrate())).result(60)
    return Databases(embedded_server, itertools.count(1))


@pytest.fixture
def store_conninfo(databases: Databases) -> Iterator[str]:
    """A migrated control database of this test's own."""
    conninfo = databases.create()
    yield conninfo
    databases.drop(conninfo)


@pytest.fixture
async def store(store_conninfo: str) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.connect(store_conninfo, migrate=False)
    yield opened
    await opened.close()
