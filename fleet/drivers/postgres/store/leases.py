"""Leases and the fence every lease-carrying write passes; claiming builds fairly."""

from __future__ import annotations

from datetime import timedelta

from fleet.domain.build import Build
from fleet.domain.ids import BuildId
from fleet.domain.lease import Lease
from fleet.domain.record import build_lease_key, require_storable
from fleet.drivers.postgres.store import builds, events
from fleet.drivers.postgres.store.database import Connection, fetch_all, fetch_one
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import LeaseLost

_SQL = statements("leases")
_CANDIDATES = 32  # how many rivals a claim may lose before it gives up for this time


async def fence(connection: Connection, lease: Lease, build: BuildId | None = None) -> None:
    """Raises LeaseLost unless `lease` is the newest of its key (and that key is the build's)."""
    if build is not None and lease.key != build_lease_key(build):
        raise LeaseLost(f"The lease on {lease.key} does not cover build {build}.")
    values = {"key": lease.key, "token": lease.token}
    if await fetch_one(connection, _SQL["fence"], values) is None:
        raise lost(lease)


def lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"{lease.holder} no longer holds the lease on {lease.key}.")


async def acquire(
    connection: Connection, key: str, holder: str, ttl: timedelta, *, again: bool = True
) -> Lease | None:
    """`again`: the holder itself may take it anew, which fences its older token off."""
    require_storable(key + holder, "lease")
    values = {"key": key, "holder": holder, "ttl": ttl, "again": again}
    row = await fetch_one(connection, _SQL["acquire"], values)
    return None if row is None else Lease(**row)


async def renew(connection: Connection, lease: Lease, ttl: timedelta) -> Lease:
    values = {"key": lease.key, "token": lease.token, "ttl": ttl}
    row = await fetch_one(connection, _SQL["renew"], values)
    if row is None:
        raise lost(lease)
    return Lease(**row)


async def release(connection: Connection, lease: Lease) -> None:
    values = {"key": lease.key, "token": lease.token}
    if await fetch_one(connection, _SQL["release"], values) is not None:
        await events.announce_work(connection)


async def release_of(connection: Connection, holder: str) -> int:
    rows = await fetch_all(connection, _SQL["release_of"], {"holder": holder})
    if rows:
        await events.announce_work(connection)
    return len(rows)


async def candidates(connection: Connection, limit: int) -> list[BuildId]:
    rows = await fetch_all(connection, _SQL["candidates"], {"limit": limit})
    return [BuildId(row["id"]) for row in rows]


async def claim(connection: Connection, holder: str, ttl: timedelta) -> tuple[Build, Lease] | None:
    """Rivals that read the same candidates meet at the lease's row: one gets it, the others go on.

    The build is looked at again under the lease, because it may have ended in between.
    """
    for candidate in await candidates(connection, _CANDIDATES):
        lease = await acquire(connection, build_lease_key(candidate), holder, ttl, again=False)
        if lease is None:
            continue
        if await fetch_one(connection, _SQL["still_open"], {"build": candidate}) is not None:
            return await builds.one(connection, candidate), lease
        await release(connection, lease)
    return None


async def next_expiry_s(connection: Connection) -> float | None:
    """Seconds until a build's lease may expire, which no notification will tell of."""
    row = await fetch_one(connection, _SQL["next_expiry"], {})
    return None if row is None else row["seconds"]
