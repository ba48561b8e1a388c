"""The drivers in memory that replays stand on: what they keep, and what they refuse to make up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fleet.domain.ids import AppSlug, CommitId, EndpointId, ProjectId, TimelineId, WorkloadId
from fleet.domain.page import PageVisit
from fleet.domain.timeline import Migration
from fleet.domain.workload import Command, Purpose, Workload, WorkloadState
from fleet.drivers.memory.clock import MemoryClock
from fleet.drivers.memory.runtime import MemoryBrowser, MemoryRuntime
from fleet.drivers.memory.timelines import MemoryTimelines
from fleet.errors import InfrastructureError, MigrationFailed, NotFound

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEV, DRAFT, END = TimelineId("p.dev"), TimelineId("p.draft"), EndpointId("p.end")
FIRST = Migration(path="db/migrations/0001_a.sql", sql="create table a()")
WORK = Workload(
    id=WorkloadId("w"),
    project=ProjectId("p"),
    app=AppSlug("web"),
    app_path=".",
    purpose=Purpose.TWIN,
    commit=CommitId("c" * 40),
    endpoint=END,
)


async def test_a_branch_knows_the_migrations_of_its_source_and_leaves_it_alone() -> None:
    timelines = MemoryTimelines()
    await timelines.create(DEV)
    await timelines.point(END, DEV)
    assert await timelines.migrate(END, [FIRST]) == [FIRST.path]
    await timelines.branch(DEV, DRAFT)
    await timelines.point(END, DRAFT)
    second = Migration(path="db/migrations/0002_b.sql", sql="create table b()")
    assert await timelines.migrate(END, [FIRST, second]) == [second.path]
    await timelines.point(END, DEV)
    assert await timelines.migrate(END, [FIRST]) == []
    edited = FIRST.model_copy(update={"sql": "create table other()"})
    with pytest.raises(MigrationFailed, match="edited after it was applied"):
        await timelines.migrate(END, [edited])


async def test_what_does_not_exist_is_not_found_and_goes_without_complaint() -> None:
    timelines = MemoryTimelines()
    with pytest.raises(NotFound):
        await timelines.endpoint(END)
    with pytest.raises(NotFound):
        await timelines.branch(DEV, DRAFT)
    await timelines.delete(DEV)
    await timelines.remove_endpoint(END)
    assert (await timelines.timelines(), await timelines.endpoints()) == ([], [])


async def test_nothing_is_made_up() -> None:
    timelines, runtime = MemoryTimelines(), MemoryRuntime()
    await timelines.create(DEV)
    await timelines.point(END, DEV)
    for refused in (
        timelines.query(END, "select 1"),
        runtime.start(WORK),
        runtime.execute(WORK.id, Command(argv=("node",))),
        MemoryBrowser().visit(PageVisit(socket="", path="/")),
    ):
        with pytest.raises(InfrastructureError):
            await refused


async def test_a_workload_is_kept_until_it_is_deleted() -> None:
    runtime = MemoryRuntime()
    await runtime.prepare(WORK)
    known = await runtime.status(WORK.id)
    assert (known.state, known.commit) == (WorkloadState.STOPPED, WORK.commit)
    await runtime.delete(WORK.id)
    assert (await runtime.status(WORK.id)).state is WorkloadState.ABSENT


async def test_a_still_clock_moves_by_sleeping_and_never_back() -> None:
    clock = MemoryClock(NOON)
    await clock.sleep(90)
    clock.advance_to(NOON)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=90), 90.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await clock.sleep(1_000_000)
