"""MemoryStore: the record without a disk, for tests and try-outs. One event loop, one process.

Nothing between a check and its write awaits, so every method is as atomic as a transaction.
"""

from __future__ import annotations

from datetime import timedelta

from fleet.domain.event import Event, NewEvent
from fleet.domain.ids import BuildId, ProjectId
from fleet.domain.lease import Lease
from fleet.domain.record import require_storable
from fleet.drivers.memory.builds import MemoryBuilds
from fleet.drivers.memory.projects import MemoryProjects
from fleet.drivers.memory.tables import found


class MemoryStore(MemoryProjects, MemoryBuilds):
    """Implements `fleet.ports.Store`."""

    # Events

    async def append_event(
        self, project: ProjectId, build: BuildId | None, event: NewEvent
    ) -> Event:
        found(self._t.projects, project, "project")
        if build is not None:
            found(self._t.builds, build, "build")
        return self._append(project, build, event)

    async def events(self, project: ProjectId, after: int, limit: int = 500) -> list[Event]:
        found(self._t.projects, project, "project")
        return self._t.events[project][after : after + limit]

    async def last_event(self, project: ProjectId) -> int:
        found(self._t.projects, project, "project")
        return len(self._t.events[project])

    async def wait_for_events(self, project: ProjectId, after: int, timeout: timedelta) -> bool:
        def there() -> bool:
            found(self._t.projects, project, "project")
            return len(self._t.events[project]) > after

        return await self._wait(there, timeout)

    async def wait_for_work(self, timeout: timedelta) -> bool:
        return await self._wait(lambda: self._t.claimable(self._now()) is not None, timeout)

    # Leases

    async def acquire_lease(self, key: str, holder: str, ttl: timedelta) -> Lease | None:
        require_storable(key + holder, "lease")
        if self._t.live(key, self._now()) and self._t.leases[key].holder != holder:
            return None
        return self._grant(key, holder, ttl)

    async def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        self._fence(lease)
        renewed = lease.model_copy(update={"expires_at": self._now() + ttl})
        self._t.leases[lease.key] = renewed
        return renewed

    async def release_lease(self, lease: Lease) -> None:
        held = self._t.leases.get(lease.key)
        if held is not None and held.token == lease.token:
            del self._t.leases[lease.key]
            self._announce()

    async def release_leases_of(self, holder: str) -> int:
        keys = [lease.key for lease in self._t.leases.values() if lease.holder == holder]
        for key in keys:
            del self._t.leases[key]
        self._announce()
        return len(keys)
