"""What every part of MemoryStore stands on: the tables, the fence, the events, the waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fleet.domain.event import Event, NewEvent
from fleet.domain.ids import BuildId, ProjectId
from fleet.domain.lease import Lease
from fleet.domain.record import build_lease_key
from fleet.drivers.memory.tables import Tables
from fleet.errors import InfrastructureError, LeaseLost


class MemoryGround:
    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._t = Tables()
        self._changed = asyncio.Event()
        self._closed = False

    async def ping(self) -> None:
        if self._closed:
            raise InfrastructureError("The store is closed.")

    async def close(self) -> None:
        self._closed = True

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _fence(self, lease: Lease, build: BuildId | None = None) -> None:
        held = self._t.leases.get(lease.key)
        if build is not None and lease.key != build_lease_key(build):
            raise LeaseLost(f"The lease on {lease.key} does not cover build {build}.")
        if held is None or held.token != lease.token:
            raise LeaseLost(f"{lease.holder} no longer holds the lease on {lease.key}.")

    def _grant(self, key: str, holder: str, ttl: timedelta) -> Lease:
        self._t.last_token += 1
        lease = Lease(
            key=key, token=self._t.last_token, holder=holder, expires_at=self._now() + ttl
        )
        self._t.leases[key] = lease
        return lease

    def _append(self, project: ProjectId, build: BuildId | None, new: NewEvent) -> Event:
        events = self._t.events.setdefault(project, [])
        event = Event(
            number=len(events) + 1,
            project=project,
            build=build,
            kind=new.kind,
            payload=new.payload,
            at=self._now(),
        )
        events.append(event)
        self._announce()
        return event

    async def _wait(self, there: Callable[[], bool], timeout: timedelta) -> bool:
        """Looks again after every change, and when a lease may have expired by itself."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout.total_seconds()
        while not there():
            left_s = give_up_at - loop.time()
            expiries = [
                (lease.expires_at - self._now()).total_seconds()
                for lease in self._t.leases.values()
            ]
            until_s = min([left_s, *(s for s in expiries if s > 0)])
            try:
                async with asyncio.timeout(max(until_s, 0.0)):
                    await self._changed.wait()
            except TimeoutError:
                if until_s == left_s:
                    return there()
        return True
