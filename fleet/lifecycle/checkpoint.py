"""Checkpoints of dev: a commit and a branch of the data as they were together.

The branch's resource row is there before the branch, and its checkpoint's row after it; a process
killed between leaves a branch without a checkpoint, which a later one removes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.domain.ids import CheckpointId, CommitId, ProjectId, TimelineId, dev_timeline, new_id
from fleet.domain.resource import ResourceKind
from fleet.domain.timeline import Checkpoint
from fleet.errors import Conflict
from fleet.lifecycle.converge import PROJECT_SCOPE
from fleet.lifecycle.world import World

MAX_AUTOMATIC = 5
MAX_ASKED = 10
# No branch takes this long: one without a checkpoint is what a killed process left.
ABANDONED_AFTER = timedelta(minutes=10)
_AUTOMATIC, _ASKED = "auto", "chk"


@dataclass(frozen=True)
class DevCheckpoints:
    world: World
    now: Callable[[], datetime]

    async def take(
        self, project: ProjectId, commit: CommitId, reason: str, *, automatic: bool = False
    ) -> Checkpoint:
        """Dev's data now, with `commit` as its code. The oldest automatic ones make room;
        Conflict when as many as may be were asked for."""
        world = self.world
        kept = await world.store.checkpoints(project)
        if not automatic and len(kept) - _count(kept) >= MAX_ASKED:
            raise Conflict(
                f"There are {MAX_ASKED} checkpoints already.",
                action="Go on without one; risky SQL takes its own.",
            )
        await self._remove_abandoned(project, kept)
        name = CheckpointId(new_id(_AUTOMATIC if automatic else _ASKED))
        timeline = _timeline(project, name)
        await world.store.register_resource(project, ResourceKind.TIMELINE, timeline, PROJECT_SCOPE)
        made = await world.timelines.branch(dev_timeline(project), timeline)
        checkpoint = Checkpoint(
            id=name,
            project=project,
            commit=commit,
            timeline=timeline,
            lsn=made.lsn,
            reason=reason,
            created_at=self.now(),
        )
        await world.store.add_checkpoint(checkpoint)
        await self._make_room(project)
        return checkpoint

    async def all(self, project: ProjectId) -> list[Checkpoint]:
        """Oldest first."""
        return await self.world.store.checkpoints(project)

    async def _make_room(self, project: ProjectId) -> None:
        kept = await self.world.store.checkpoints(project)
        automatic = [c for c in kept if _is_automatic(c)]
        for checkpoint in automatic[:-MAX_AUTOMATIC]:
            # Its row first: what is listed can always be returned to.
            await self.world.store.drop_checkpoint(checkpoint.id)
            await self._remove_timeline(checkpoint.timeline)

    async def _remove_abandoned(self, project: ProjectId, kept: list[Checkpoint]) -> None:
        before = self.now() - ABANDONED_AFTER
        prefixes = tuple(_timeline(project, f"{kind}_") for kind in (_AUTOMATIC, _ASKED))
        known = {str(c.timeline) for c in kept}
        for resource in await self.world.store.resources(project, scope=PROJECT_SCOPE):
            if (
                resource.kind is ResourceKind.TIMELINE
                and resource.name.startswith(prefixes)
                and resource.name not in known
                and resource.created_at < before
            ):
                await self.world.remove(resource)

    async def _remove_timeline(self, timeline: TimelineId) -> None:
        await self.world.timelines.delete(timeline)
        await self.world.store.drop_resource(ResourceKind.TIMELINE, timeline)


def _timeline(project: ProjectId, name: str) -> TimelineId:
    return TimelineId(f"{project}.{name}")


def _is_automatic(checkpoint: Checkpoint) -> bool:
    return checkpoint.id.startswith(f"{_AUTOMATIC}_")


def _count(kept: list[Checkpoint]) -> int:
    return sum(_is_automatic(c) for c in kept)
