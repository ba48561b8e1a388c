"""What builds spend, and giving one that ran out a fresh budget."""

from __future__ import annotations

from datetime import datetime

from fleet.domain.build import Build, BuildState, Step
from fleet.domain.chat import Usage
from fleet.domain.ids import BuildId, OwnerId
from fleet.domain.project import ProjectState
from fleet.domain.record import continued, require_continuable, spending_from
from fleet.drivers.postgres.store import builds, events, projects
from fleet.drivers.postgres.store.database import Connection, fetch_one
from fleet.drivers.postgres.store.rows import Row
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import Conflict, NotFound
from fleet.ports import Spending, Totals

_SQL = statements("budgets")


async def spend(connection: Connection, step: Step) -> None:
    values = {"build": step.build, "at": step.created_at, "wall_s": step.elapsed_s}
    values |= {"steps": int(step.counted), **step.usage.model_dump()}
    await connection.execute(_SQL["spend"], values)


async def spent(connection: Connection, owner: OwnerId, since: datetime) -> Spending:
    values = {"owner": owner, "since": spending_from(since)}
    row = await fetch_one(connection, _SQL["spent"], values)
    if row is None:
        raise NotFound("There is no such owner.")
    return _spending_of(row)


async def totals(connection: Connection) -> Totals:
    row = await fetch_one(connection, _SQL["spent_by_all"], {})
    assert row is not None
    builds_by_state = await builds.count_states(connection)
    return Totals(projects=row["projects"], builds=builds_by_state, spent=_spending_of(row))


def _spending_of(row: Row) -> Spending:
    usage = Usage(**{name: row[name] for name in Usage.model_fields})
    return Spending(steps=row["steps"], usage=usage, wall_s=row["wall_s"])


async def continue_build(connection: Connection, build: BuildId) -> Build:
    project = (await builds.one(connection, build)).project
    # Its row is locked first, as a message's sender does: which build is newest stays so.
    if (await projects.one(connection, project, lock=True)).state is not ProjectState.ACTIVE:
        raise Conflict(f"Project {project} is being deleted.")
    current = await builds.locked(connection, build)
    newest = await fetch_one(connection, _SQL["newest"], {"project": project})
    assert newest is not None
    require_continuable(current, await builds.one(connection, BuildId(newest["id"])))
    await connection.execute(_SQL["continue"], {"build": build, "state": BuildState.QUEUED})
    again = await builds.one(connection, build)
    event = continued(again, await builds.tasks(connection, build))
    await events.append(connection, project, build, event)
    await events.announce_work(connection)
    return again
