"""Timelines in memory: which exist, what branched from what, which migrations ran. No rows.

There is no SQL engine in it: a query is refused, never answered with something made up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from fleet.domain.ids import EndpointId, TimelineId
from fleet.domain.timeline import ComputeState, Endpoint, Migration, SqlResult, Timeline
from fleet.errors import InfrastructureError, MigrationFailed, NotFound


class MemoryTimelines:
    """Implements `fleet.ports.Timelines`, but for queries."""

    def __init__(self) -> None:
        self._applied: dict[TimelineId, dict[str, str]] = {}  # path: hash of the text
        self._points: dict[EndpointId, TimelineId] = {}
        self._awake: set[EndpointId] = set()

    async def create(self, timeline: TimelineId) -> Timeline:
        self._applied.setdefault(timeline, {})
        return _timeline(timeline, None)

    async def branch(self, source: TimelineId, timeline: TimelineId) -> Timeline:
        self._applied.setdefault(timeline, dict(self._of(source)))
        return _timeline(timeline, source)

    async def delete(self, timeline: TimelineId) -> None:
        self._applied.pop(timeline, None)

    async def timelines(self) -> list[TimelineId]:
        return sorted(self._applied)

    async def point(self, endpoint: EndpointId, timeline: TimelineId) -> Endpoint:
        self._of(timeline)
        self._points[endpoint] = timeline
        return await self.endpoint(endpoint)

    async def endpoint(self, endpoint: EndpointId) -> Endpoint:
        state = ComputeState.AWAKE if endpoint in self._awake else ComputeState.ASLEEP
        return Endpoint(id=endpoint, timeline=self._pointed(endpoint), directory="", compute=state)

    async def endpoints(self) -> list[Endpoint]:
        return [await self.endpoint(e) for e in sorted(self._points)]

    async def remove_endpoint(self, endpoint: EndpointId) -> None:
        self._points.pop(endpoint, None)
        self._awake.discard(endpoint)

    async def wake(self, endpoint: EndpointId) -> None:
        self._pointed(endpoint)
        self._awake.add(endpoint)

    async def suspend(self, endpoint: EndpointId) -> None:
        self._awake.discard(endpoint)

    async def query(
        self, endpoint: EndpointId, sql: str, *, read_only: bool = True, max_rows: int = 100
    ) -> SqlResult:
        self._pointed(endpoint)
        raise InfrastructureError(
            "A database in memory runs no SQL.", action="Use the Postgres driver for queries."
        )

    async def migrate(self, endpoint: EndpointId, migrations: Sequence[Migration]) -> list[str]:
        applied = self._of(self._pointed(endpoint))
        done = []
        for migration in sorted(migrations, key=lambda m: m.path):
            text = hashlib.sha256(migration.sql.encode()).hexdigest()
            if migration.path not in applied:
                applied[migration.path] = text
                done.append(migration.path)
            elif applied[migration.path] != text:
                raise MigrationFailed(
                    f"{migration.path} was edited after it was applied.",
                    path=migration.path,
                    action="Add a new migration.",
                )
        return done

    async def tables(self, endpoint: EndpointId) -> dict[str, list[str]]:
        self._pointed(endpoint)
        return {}

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def _of(self, timeline: TimelineId) -> dict[str, str]:
        try:
            return self._applied[timeline]
        except KeyError as error:
            raise NotFound(f"There is no timeline {timeline}.") from error

    def _pointed(self, endpoint: EndpointId) -> TimelineId:
        try:
            return self._points[endpoint]
        except KeyError as error:
            raise NotFound(f"There is no endpoint {endpoint}.") from error


def _timeline(timeline: TimelineId, parent: TimelineId | None) -> Timeline:
    return Timeline(id=timeline, parent=parent, copied=False, elapsed_s=0.0, lsn="0/0")
