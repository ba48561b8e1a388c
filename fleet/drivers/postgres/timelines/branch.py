"""A branch of a timeline whose compute runs, by Postgres's own backup protocol."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import LiteralString

import psycopg

from fleet.drivers.postgres.timelines.clone import Cloner
from fleet.drivers.postgres.timelines.compute import Compute
from fleet.drivers.postgres.timelines.session import admin_session
from fleet.errors import InfrastructureError

_LABEL = "appfleet branch"

# The slot, gone with the session, keeps checkpoints from recycling WAL that the branch needs.
_KEEP_WAL: LiteralString = (
    "SELECT pg_catalog.pg_create_physical_replication_slot('appfleet_branch', true, true)"
)
_START: LiteralString = (
    "SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_backup_start(%s, fast => true))"
)
_STOP: LiteralString = (
    "SELECT labelfile, pg_catalog.pg_walfile_name(lsn), lsn::pg_catalog.text"
    " FROM pg_catalog.pg_backup_stop(wait_for_archive => false)"
)


async def branch_live(compute: Compute, password: str, cloner: Cloner, target: Path) -> str:
    """`target` becomes a data directory that replays to the moment the copying ended: the LSN."""
    try:
        async with admin_session(compute.socket_folder, password) as connection:
            await connection.execute(_KEEP_WAL)
            first = await _one_row(await connection.execute(_START, (_LABEL,)))
            await asyncio.to_thread(cloner.folder, compute.pgdata, target, live=True)
            label, last, lsn = await _one_row(await connection.execute(_STOP))
            await asyncio.to_thread(
                _copy_wal, cloner, compute.pgdata / "pg_wal", target / "pg_wal", first[0], last
            )
    except psycopg.Error as error:
        raise InfrastructureError(f"The timeline could not be branched: {error}") from error
    cloner.write(target / "backup_label", label.encode())
    return lsn


def _copy_wal(cloner: Cloner, source: Path, target: Path, first: str, last: str) -> None:
    """Segment names are 24 hex digits that sort as their positions do."""
    wanted = sorted(
        p.name for p in source.iterdir() if len(p.name) == 24 and first <= p.name <= last
    )
    if not wanted or wanted[0] != first or wanted[-1] != last:
        raise InfrastructureError(f"WAL from {first} to {last} is not complete.")
    for name in wanted:
        cloner.file(source / name, target / name)


async def _one_row(cursor: psycopg.AsyncCursor[tuple[str, ...]]) -> tuple[str, ...]:
    row = await cursor.fetchone()
    if row is None:
        raise InfrastructureError("Postgres answered with no row.")
    return row
