"""What gates found: per attempt as evidence, and by content so that it is not judged again."""

from __future__ import annotations

from fleet.domain.build import Task
from fleet.domain.ids import BuildId, ProjectId
from fleet.domain.record import require_storable
from fleet.domain.verdict import Verdict
from fleet.drivers.postgres.store import builds, projects
from fleet.drivers.postgres.store.database import Connection, fetch_all, fetch_one
from fleet.drivers.postgres.store.rows import document, verdict_of
from fleet.drivers.postgres.store.sql import statements
from fleet.ports import RecordedVerdict

_SQL = statements("verdicts")


async def record(connection: Connection, judged: Task, attempt: int, verdict: Verdict) -> None:
    values = {"task": judged.id, "attempt": attempt, "build": judged.build}
    await connection.execute(_SQL["add"], {**values, "verdict": document(verdict)})


async def of_build(connection: Connection, build: BuildId) -> list[RecordedVerdict]:
    rows = await fetch_all(connection, _SQL["of_build"], {"build": build})
    if not rows:
        await builds.one(connection, build)
    return [verdict_of(row) for row in rows]


async def remember(connection: Connection, project: ProjectId, key: str, verdict: Verdict) -> None:
    require_storable(key, "key")
    values = {"project": project, "key": key, "verdict": document(verdict)}
    await connection.execute(_SQL["remember"], values)


async def remembered(connection: Connection, project: ProjectId, key: str) -> Verdict | None:
    row = await fetch_one(connection, _SQL["remembered"], {"project": project, "key": key})
    if row is None:
        await projects.one(connection, project)
        return None
    return Verdict.model_validate_json(row["verdict"])
