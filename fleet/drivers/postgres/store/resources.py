"""The inventory of what exists outside this database."""

from __future__ import annotations

from fleet.domain.ids import ProjectId
from fleet.domain.record import require_storable
from fleet.domain.resource import Resource, ResourceKind
from fleet.drivers.postgres.store.database import Connection, fetch_all, fetch_one
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import Conflict

_SQL = statements("resources")


async def register(
    connection: Connection, project: ProjectId, kind: ResourceKind, name: str, scope: str
) -> None:
    require_storable(name + scope, "resource's name")
    values = {"project": project, "kind": kind, "name": name, "scope": scope}
    if await fetch_one(connection, _SQL["register"], values) is None:
        raise Conflict(f"The {kind} {name} belongs to another project.")


async def drop(connection: Connection, kind: ResourceKind, name: str) -> None:
    await connection.execute(_SQL["drop"], {"kind": kind, "name": name})


async def find(
    connection: Connection, project: ProjectId | None, scope: str | None
) -> list[Resource]:
    rows = await fetch_all(connection, _SQL["find"], {"project": project, "scope": scope})
    return [Resource(**row) for row in rows]
