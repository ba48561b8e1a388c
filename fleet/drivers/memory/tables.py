"""What MemoryStore remembers, each kind in the order it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from fleet.domain.build import Build, Step, Task
from fleet.domain.event import Event
from fleet.domain.ids import BuildId, CheckpointId, OwnerId, ProjectId, TaskId
from fleet.domain.lease import Lease
from fleet.domain.project import Owner, Project, ProjectState
from fleet.domain.record import build_lease_key, require_storable
from fleet.domain.resource import Resource, ResourceKind
from fleet.domain.timeline import Checkpoint
from fleet.domain.verdict import Verdict
from fleet.errors import NotFound
from fleet.ports import RecordedVerdict, Spending

K = TypeVar("K", bound=str)
V = TypeVar("V")


def found(table: Mapping[K, V], key: K, what: str) -> V:
    require_storable(key, "id")
    try:
        return table[key]
    except KeyError:
        raise NotFound(f"There is no {what} {key!r}.") from None


@dataclass
class Tables:
    owners: dict[OwnerId, Owner] = field(default_factory=dict)
    tokens: dict[str, OwnerId] = field(default_factory=dict)
    taken_ids: set[ProjectId] = field(default_factory=set)
    projects: dict[ProjectId, Project] = field(default_factory=dict)
    builds: dict[BuildId, Build] = field(default_factory=dict)
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    steps: dict[BuildId, list[Step]] = field(default_factory=dict)
    verdicts: dict[tuple[TaskId, int], RecordedVerdict] = field(default_factory=dict)
    remembered: dict[tuple[ProjectId, str], Verdict] = field(default_factory=dict)
    checkpoints: dict[CheckpointId, Checkpoint] = field(default_factory=dict)
    spent: list[tuple[OwnerId, datetime, Spending]] = field(default_factory=list)
    events: dict[ProjectId, list[Event]] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    resources: dict[tuple[ResourceKind, str], Resource] = field(default_factory=dict)
    last_token: int = 0

    def live(self, key: str, now: datetime) -> bool:
        held = self.leases.get(key)
        return held is not None and held.expires_at > now

    def claimable(self, now: datetime) -> Build | None:
        """The fairest next build; see `Store.claim_build`."""
        oldest: dict[ProjectId, Build] = {}
        running: dict[OwnerId, int] = {}
        order: dict[BuildId, int] = {}
        for build in self.builds.values():  # in the order of posting
            if build.finished_at is not None:
                continue
            order[build.id] = len(order)
            oldest.setdefault(build.project, build)
            if self.live(build_lease_key(build.id), now):
                owner = self.projects[build.project].owner
                running[owner] = running.get(owner, 0) + 1
        free = [
            build
            for build in oldest.values()
            if not self.live(build_lease_key(build.id), now)
            and self.projects[build.project].state is ProjectState.ACTIVE
        ]
        return min(
            free,
            key=lambda b: (running.get(self.projects[b.project].owner, 0), order[b.id]),
            default=None,
        )

    def forget(self, project: ProjectId) -> None:
        self.projects.pop(project, None)
        self.events.pop(project, None)
        self.remembered = {k: v for k, v in self.remembered.items() if k[0] != project}
        self.checkpoints = {k: c for k, c in self.checkpoints.items() if c.project != project}
        for build in [b.id for b in self.builds.values() if b.project == project]:
            tasks = {t.id for t in self.tasks.values() if t.build == build}
            for task in tasks:
                del self.tasks[task]
            self.verdicts = {k: v for k, v in self.verdicts.items() if v.task not in tasks}
            self.steps.pop(build, None)
            self.leases.pop(build_lease_key(build), None)
            del self.builds[build]
