"""Checkpoints keep code and data together, are bounded, and leave nothing of a killed process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.domain.ids import CommitId, ProjectId, TimelineId, dev_timeline
from fleet.domain.resource import ResourceKind
from fleet.domain.timeline import Timeline
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.errors import Conflict, InfrastructureError
from fleet.lifecycle.checkpoint import (
    ABANDONED_AFTER,
    MAX_ASKED,
    MAX_AUTOMATIC,
    DevCheckpoints,
)
from fleet.lifecycle.converge import PROJECT_SCOPE
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World

PROJECT = ProjectId("crm-x7k2")
COMMIT = CommitId("a" * 40)


@dataclass
class Branches:
    """What of `Timelines` a checkpoint needs, in memory."""

    store: MemoryStore
    made: list[TimelineId] = field(default_factory=list)
    fails: bool = False

    async def branch(self, source: TimelineId, timeline: TimelineId) -> Timeline:
        assert source == dev_timeline(PROJECT)
        rows = await self.store.resources(PROJECT, scope=PROJECT_SCOPE)
        assert timeline in {r.name for r in rows}, "made before its resource row"
        if self.fails:
            raise InfrastructureError("The disk is full.")
        self.made.append(timeline)
        return Timeline(id=timeline, parent=source, copied=False, elapsed_s=0.1, lsn="0/1A")

    async def delete(self, timeline: TimelineId) -> None:
        if timeline in self.made:
            self.made.remove(timeline)


@dataclass
class Scene:
    checkpoints: DevCheckpoints
    branches: Branches
    store: MemoryStore
    world: World
    time: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)

    async def timelines(self) -> set[str]:
        rows = await self.store.resources(PROJECT)
        return {r.name for r in rows if r.kind is ResourceKind.TIMELINE}


@pytest.fixture
async def scene() -> Scene:
    store = MemoryStore(now=lambda: made.time)
    branches = Branches(store)
    nothing: Any = None
    timelines: Any = branches
    world = World(store, MemoryRepositories(), timelines, nothing, Path("/nonexistent"))
    made = Scene(DevCheckpoints(world, lambda: made.time), branches, store, world)
    owner = await store.ensure_owner("ada")
    await store.create_project(owner.id, PROJECT, "CRM")
    return made


async def test_a_checkpoint_names_its_commit_its_data_and_its_position(scene: Scene) -> None:
    taken = await scene.checkpoints.take(PROJECT, COMMIT, "Before the import")
    assert (taken.commit, taken.lsn, taken.reason) == (COMMIT, "0/1A", "Before the import")
    assert scene.branches.made == [taken.timeline]
    assert await scene.checkpoints.all(PROJECT) == [taken]


async def test_the_oldest_automatic_ones_make_room_with_their_data(scene: Scene) -> None:
    asked = await scene.checkpoints.take(PROJECT, COMMIT, "Asked for")
    taken = [
        await scene.checkpoints.take(PROJECT, COMMIT, f"Before SQL {n}", automatic=True)
        for n in range(MAX_AUTOMATIC + 2)
    ]
    assert await scene.checkpoints.all(PROJECT) == [asked, *taken[2:]]
    assert set(scene.branches.made) == {asked.timeline, *(c.timeline for c in taken[2:])}
    assert await scene.timelines() == set(scene.branches.made)


async def test_only_so_many_can_be_asked_for(scene: Scene) -> None:
    for number in range(MAX_ASKED):
        await scene.checkpoints.take(PROJECT, COMMIT, f"{number}")
    with pytest.raises(Conflict, match="risky SQL takes its own"):
        await scene.checkpoints.take(PROJECT, COMMIT, "one more")
    await scene.checkpoints.take(PROJECT, COMMIT, "Before SQL", automatic=True)


async def test_what_a_killed_process_left_is_removed_by_a_later_one(scene: Scene) -> None:
    scene.branches.fails = True
    with pytest.raises(InfrastructureError):
        await scene.checkpoints.take(PROJECT, COMMIT, "never made")
    scene.branches.fails = False
    (left,) = await scene.timelines()
    scene.branches.made.append(TimelineId(left))
    young = await scene.checkpoints.take(PROJECT, COMMIT, "soon after")
    assert left in scene.branches.made  # it may still be in the making
    scene.time += ABANDONED_AFTER + timedelta(seconds=1)
    later = await scene.checkpoints.take(PROJECT, COMMIT, "later")
    assert set(scene.branches.made) == {young.timeline, later.timeline}
    assert await scene.timelines() == set(scene.branches.made)


async def test_checkpoints_go_with_their_project(scene: Scene) -> None:
    await scene.checkpoints.take(PROJECT, COMMIT, "one")
    await scene.checkpoints.take(PROJECT, COMMIT, "two", automatic=True)
    assert await delete_project(scene.world, PROJECT, "test")
    assert scene.branches.made == [] and await scene.store.resources() == []
