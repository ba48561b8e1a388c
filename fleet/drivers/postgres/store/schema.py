"""Brings a control database up to this version's schema; refuses one from a newer version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fleet.drivers.postgres.store.database import Connection, Database, fetch_all, fetch_one
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import SetupError

_SQL = statements("schema")


@dataclass(frozen=True)
class SchemaMigration:
    number: int
    name: str
    sql: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()


def schema_migrations(folder: Path | None = None) -> list[SchemaMigration]:
    folder = folder or Path(__file__).parent / "migrations"
    return [
        SchemaMigration(int(path.name[:4]), path.name, path.read_bytes())
        for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


async def migrate(database: Database, known: list[SchemaMigration]) -> list[str]:
    """The names applied now. Each migration commits by itself, so a killed run goes on later."""
    async with database.transaction() as connection:
        pending = _pending(known, await _applied(connection))
    done = []
    for migration in pending:
        async with database.transaction() as connection:
            await connection.execute(_SQL["lock"])  # other processes may start at this moment too
            await connection.execute(_SQL["create_ledger"])
            if migration not in _pending(known, await _applied(connection)):
                continue
            await connection.execute(migration.sql)
            values = {"number": migration.number, "name": migration.name}
            await connection.execute(_SQL["record"], {**values, "sha256": migration.sha256})
            done.append(migration.name)
    return done


async def _applied(connection: Connection) -> dict[int, str]:
    """Number to checksum; empty for a database that was never used."""
    exists = await fetch_one(connection, _SQL["ledger_exists"], {})
    if exists is None or not exists["yes"]:
        return {}
    rows = await fetch_all(connection, _SQL["applied"], {})
    return {row["number"]: row["sha256"] for row in rows}


def _pending(known: list[SchemaMigration], applied: dict[int, str]) -> list[SchemaMigration]:
    newest = max((m.number for m in known), default=0)
    if applied and max(applied) > newest:
        raise SetupError(
            f"The control database has schema {max(applied)}, newer than this appfleet's {newest}.",
            action="Upgrade appfleet, or choose another --data-dir. Nothing was changed.",
        )
    for migration in known:
        if applied.get(migration.number, migration.sha256) != migration.sha256:
            raise SetupError(
                f"The control database was made by another build of appfleet: its migration "
                f"{migration.name} differs.",
                action="Use the appfleet that made it, or choose another --data-dir.",
            )
    return [m for m in known if m.number not in applied]
