"""Owners, tokens and projects."""

from __future__ import annotations

from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import CommitId, OwnerId, ProjectId, new_id
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.record import project_moves, require_storable
from fleet.drivers.postgres.store import events
from fleet.drivers.postgres.store.database import Connection, Values, fetch_all, fetch_one
from fleet.drivers.postgres.store.rows import document, project_of
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import Conflict

_SQL = statements("projects")


async def ensure_owner(connection: Connection, name: str) -> Owner:
    require_storable(name, "owner's name")
    await connection.execute(_SQL["add_owner"], {"id": new_id("own"), "name": name})
    row = await fetch_one(connection, _SQL["owner_by_name"], {"name": name})
    assert row is not None
    return Owner(**row)


async def add_token(connection: Connection, owner: OwnerId, token_hash: str, label: str) -> None:
    require_storable(label, "label")
    values = {"hash": token_hash, "owner": owner, "label": label}
    if await fetch_one(connection, _SQL["add_token"], values) is None:
        raise Conflict("That token belongs to another owner.")


async def owner_of_token(connection: Connection, token_hash: str) -> Owner | None:
    row = await fetch_one(connection, _SQL["owner_of_token"], {"hash": token_hash})
    return None if row is None else Owner(**row)


async def create(connection: Connection, owner: OwnerId, project: ProjectId, title: str) -> Project:
    require_storable(title, "title")
    await connection.execute(_SQL["take_id"], {"project": project})
    values = {
        "project": project,
        "owner": owner,
        "title": title,
        "state": ProjectState.ACTIVE,
        "spec": document(Spec()),
    }
    await connection.execute(_SQL["add"], values)
    await events.append(
        connection,
        project,
        None,
        NewEvent(kind=EventKind.PROJECT_CREATED, payload={"title": title}),
    )
    return await one(connection, project)


async def one(connection: Connection, project: ProjectId, *, lock: bool = False) -> Project:
    statement = _SQL["one_locked" if lock else "one"]
    row = await fetch_one(connection, statement, {"project": project})
    if row is None:
        raise events.no_project(project)
    return project_of(row)


async def every(connection: Connection, owner: OwnerId | None) -> list[Project]:
    return [project_of(row) for row in await fetch_all(connection, _SQL["every"], {"owner": owner})]


async def set_title(connection: Connection, project: ProjectId, title: str) -> None:
    require_storable(title, "title")
    await _set(connection, "set_title", {"project": project, "title": title})


async def set_head(connection: Connection, project: ProjectId, head: CommitId) -> None:
    await _set(connection, "set_head", {"project": project, "head": head})


async def set_spec(connection: Connection, project: ProjectId, spec: Spec) -> None:
    await _set(connection, "set_spec", {"project": project, "spec": document(spec)})


async def _set(connection: Connection, statement: str, values: Values) -> None:
    if await fetch_one(connection, _SQL[statement], values) is None:
        raise events.no_project(ProjectId(str(values["project"])))


async def set_state(connection: Connection, project: ProjectId, state: ProjectState) -> None:
    if project_moves((await one(connection, project, lock=True)).state, state):
        await connection.execute(_SQL["set_state"], {"project": project, "state": state})
        await events.append(connection, project, None, NewEvent(kind=EventKind.PROJECT_DELETED))


async def forget(connection: Connection, project: ProjectId) -> None:
    """Absent: no-op. Conflict while the inventory still holds something of it."""
    await connection.execute(_SQL["forget_leases"], {"project": project})
    if await fetch_one(connection, _SQL["forget"], {"project": project}) is not None:
        await events.announce_event(connection, project, 0)
