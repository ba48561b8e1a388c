"""What the producer's tools work on: the files, the draft, dev, and the notes they leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from fleet.domain.frozen import Frozen
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.project import AppSpec
from fleet.domain.timeline import Checkpoint
from fleet.generation.tools.notes import Notes
from fleet.generation.twin import DraftTwin
from fleet.generation.workspace import Workspace
from fleet.ports import Browser, Runtime, Timelines


class SqlEffect(StrEnum):
    """What a statement may do to a database, at worst."""

    READS = "reads"
    WRITES = "writes"
    RISKY = "risky"  # loses data or changes the schema: DDL, DROP, TRUNCATE, no WHERE


class SqlJudgement(Frozen):
    """`why` names what makes it risky, in words."""

    effect: SqlEffect
    why: str = ""


# Raises SqlFailed, with Postgres's own words, for what does not parse.
JudgeSql = Callable[[str], SqlJudgement]


class Checkpoints(Protocol):
    """Moments of dev, code and data together, kept with the project."""

    async def take(self, project: ProjectId, commit: CommitId, reason: str) -> Checkpoint: ...
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
