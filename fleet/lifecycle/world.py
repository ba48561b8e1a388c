"""The ports that hold a project's things outside the control database, taken together."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from fleet.domain.ids import EndpointId, ProjectId, TimelineId, WorkloadId
from fleet.domain.resource import Resource, ResourceKind
from fleet.ports import Repositories, Runtime, Store, Timelines

_ORDER = list(ResourceKind)


@dataclass(frozen=True)
class World:
    store: Store
    repositories: Repositories
    timelines: Timelines
    runtime: Runtime
    artefacts_dir: Path

    async def remove(self, resource: Resource) -> None:
        """Removes the thing, then its row; a thing already gone is no error."""
        match resource.kind:
            case ResourceKind.WORKLOAD:
                await self.runtime.delete(WorkloadId(resource.name))
            case ResourceKind.ENDPOINT:
                await self.timelines.remove_endpoint(EndpointId(resource.name))
            case ResourceKind.TIMELINE:
                await self.timelines.delete(TimelineId(resource.name))
            case ResourceKind.REPOSITORY:
                await self.repositories.delete(ProjectId(resource.name))
            case ResourceKind.ARTEFACTS:
                folder = self.artefacts_dir / resource.name
                await asyncio.to_thread(shutil.rmtree, folder, True)
        await self.store.drop_resource(resource.kind, resource.name)

    async def remove_all(self, resources: list[Resource]) -> None:
        """In the order of deletion: what uses a thing goes before the thing."""
        for resource in sorted(resources, key=lambda r: _ORDER.index(r.kind)):
            await self.remove(resource)
