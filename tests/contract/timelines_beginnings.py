"""Beginnings shared by the Timelines contract's bodies."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from fleet.domain.ids import EndpointId, TimelineId
from fleet.domain.timeline import ComputeState, Migration
from fleet.drivers.postgres.timelines import LocalTimelines

DEV = TimelineId("crm-x7k2.dev")
TWIN = TimelineId("crm-x7k2.twin-1")
ENDPOINT = EndpointId("crm-x7k2.dev")
OTHER = EndpointId("crm-x7k2.twin-1")
FIRST = Migration(
    path="db/migrations/0001_people.sql",
    sql="-- people\nCREATE TABLE people (\n  id int PRIMARY KEY,\n  name text\n);\n"
    "INSERT INTO people VALUES (1, 'a;b');\n",
)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A data directory with a template in it, so that initdb runs once and not per test."""
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))

    async def prepare() -> None:
        async with started(folder):
            pass

    asyncio.run(prepare())
    shutil.rmtree(folder / "data" / "timelines" / ".spares")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def root(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Spares are copied and forced to disk in the background: most of the time that a test took.
    monkeypatch.setattr("fleet.drivers.postgres.timelines.files._SPARES", 0)
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    subprocess.run(["cp", "-a", "--reflink=auto", prepared, folder / "data"], check=True)
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def started(root: Path, idle_timeout_s: float = 300.0) -> AsyncIterator[LocalTimelines]:
    timelines = LocalTimelines(root / "data", root / "run", idle_timeout_s)
    await timelines.start()
    try:
        yield timelines
    finally:
        await timelines.close()


@pytest.fixture
async def timelines(root: Path) -> AsyncIterator[LocalTimelines]:
    async with started(root) as timelines:
        await timelines.create(DEV)
        await timelines.point(ENDPOINT, DEV)
        yield timelines


async def connect(timelines: LocalTimelines, endpoint: EndpointId = ENDPOINT, **more: str):
    """As an app does: through the endpoint's folder, and nothing else."""
    folder = (await timelines.endpoint(endpoint)).directory
    return await psycopg.AsyncConnection.connect(
        host=folder, user=more.pop("user", "app"), dbname="app", autocommit=True, **more
    )


async def write(timelines: LocalTimelines, sql: str, endpoint: EndpointId = ENDPOINT) -> None:
    await timelines.query(endpoint, sql, read_only=False)


async def scalar(timelines: LocalTimelines, sql: str, endpoint: EndpointId = ENDPOINT) -> object:
    return (await timelines.query(endpoint, sql)).rows[0][0]


async def until(timelines: LocalTimelines, state: ComputeState) -> None:
    async with asyncio.timeout(10):
        while (await timelines.endpoint(ENDPOINT)).compute is not state:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def postgres_main_processes(root: Path) -> list[int]:
    """Host pids of the computes of this test: bwrap, its init, then Postgres."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            argv = (proc / "cmdline").read_bytes() if proc.name.isdigit() else b""
            if b"/bwrap\0" in argv and f"\0--bind\0{root}/".encode() in argv:
                init = (proc / "task" / proc.name / "children").read_text().split()
                for child in init:
                    if Path(f"/proc/{child}/comm").read_text() != "bwrap\n":
                        continue  # `proc` was the init itself
                    inner = Path(f"/proc/{child}/task/{child}/children").read_text().split()
                    found += [
                        int(pid)
                        for pid in inner
                        if "postgres" in Path(f"/proc/{pid}/comm").read_text()
                    ]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def processes_below(root: Path) -> list[str]:
    """Any process, jailed or half-way into its jail, that was started on this test's folders."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            argv = (proc / "cmdline").read_bytes() if proc.name.isdigit() else b""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"\0{root}/".encode() in argv:
            found.append(argv.decode())
    return found
