"""What the producer's tools work on: the files, the draft, dev, and the notes they leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.project import AppSpec
from fleet.domain.statement import JudgeSql, SqlEffect, SqlJudgement
from fleet.domain.timeline import Checkpoint
from fleet.generation.tools.notes import Notes
from fleet.generation.twin import DraftTwin
from fleet.generation.workspace import Workspace
from fleet.ports import Browser, Runtime, Timelines

__all__ = ["Checkpoints", "Dev", "JudgeSql", "SqlEffect", "SqlJudgement", "Workbench"]


class Checkpoints(Protocol):
    """Moments of dev, code and data together, kept with the project."""

    # Automatic ones are dropped, the oldest first, when there are many; Conflict when too many
    # were asked for.
    async def take(
        self, project: ProjectId, commit: CommitId, reason: str, *, automatic: bool = False
    ) -> Checkpoint: ...
    async def all(self, project: ProjectId) -> list[Checkpoint]: ...  # oldest first


@dataclass(frozen=True)
class Dev:
    """Dev's database as it serves. `commit` is the code it is migrated to; `ready` waits for it."""

    project: ProjectId
    commit: CommitId
    timelines: Timelines
    checkpoints: Checkpoints
    judge: JudgeSql
    ready: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Workbench:
    """One per task. `now` dates draft commits and checkpoints."""

    workspace: Workspace
    twin: DraftTwin
    notes: Notes
    now: Callable[[], datetime]
    app: AppSpec
    dev: Dev
    runtime: Runtime
    browser: Browser
