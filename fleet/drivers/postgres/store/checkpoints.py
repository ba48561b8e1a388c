"""Moments a project can return to."""

from __future__ import annotations

from fleet.domain.ids import CheckpointId, ProjectId
from fleet.domain.record import require_storable
from fleet.domain.timeline import Checkpoint
from fleet.drivers.postgres.store import projects
from fleet.drivers.postgres.store.database import Connection, fetch_all
from fleet.drivers.postgres.store.sql import statements

_SQL = statements("checkpoints")


async def add(connection: Connection, checkpoint: Checkpoint) -> None:
    require_storable(checkpoint.id + checkpoint.reason, "checkpoint")
    await connection.execute(_SQL["add"], checkpoint.model_dump())


async def drop(connection: Connection, checkpoint: CheckpointId) -> None:
    await connection.execute(_SQL["drop"], {"checkpoint": checkpoint})


async def of_project(connection: Connection, project: ProjectId) -> list[Checkpoint]:
    rows = await fetch_all(connection, _SQL["of_project"], {"project": project})
    if not rows:
        await projects.one(connection, project)
    return [Checkpoint(**row) for row in rows]
