"""Numbered events, and the two channels that wake those who wait."""

from __future__ import annotations

from fleet.domain.event import Event, NewEvent
from fleet.domain.ids import BuildId, ProjectId
from fleet.drivers.postgres.store.database import Connection, fetch_all, fetch_one
from fleet.drivers.postgres.store.rows import event_of, mapping
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import NotFound

_SQL = statements("events")
EVENT_CHANNEL = "appfleet_events"  # payload: "<project> <number>"
WORK_CHANNEL = "appfleet_work"  # payload: ""


async def append(
    connection: Connection, project: ProjectId, build: BuildId | None, event: NewEvent
) -> Event:
    row = await fetch_one(connection, _SQL["next_number"], {"project": project})
    if row is None:
        raise no_project(project)
    number = row["last_event"]
    values = {
        "project": project,
        "number": number,
        "build": build,
        "kind": event.kind,
        "payload": mapping(event.payload),
    }
    stored = await fetch_one(connection, _SQL["add"], values)
    assert stored is not None
    await announce_event(connection, project, number)
    return event_of(stored)


async def after(connection: Connection, project: ProjectId, number: int, limit: int) -> list[Event]:
    values = {"project": project, "after": number, "limit": limit}
    rows = await fetch_all(connection, _SQL["after"], values)
    if not rows:
        await last(connection, project)  # an unknown project is not an empty one
    return [event_of(row) for row in rows]


async def last(connection: Connection, project: ProjectId) -> int:
    row = await fetch_one(connection, _SQL["last"], {"project": project})
    if row is None:
        raise no_project(project)
    number: int = row["last_event"]
    return number


async def announce_event(connection: Connection, project: ProjectId, number: int) -> None:
    """Delivered at commit. Number 0 makes the waiters look for themselves."""
    values = {"channel": EVENT_CHANNEL, "payload": f"{project} {number}"}
    await connection.execute(_SQL["notify"], values)


async def announce_work(connection: Connection) -> None:
    await connection.execute(_SQL["notify"], {"channel": WORK_CHANNEL, "payload": ""})


def no_project(project: ProjectId) -> NotFound:
    return NotFound(f"There is no project {project!r}.", action="`appfleet status` lists them.")
