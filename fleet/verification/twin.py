"""The twin: the commit in its own sandbox on a throwaway branch of dev's timeline."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from fleet.domain.ids import BuildId, EndpointId, ProjectId, TimelineId, WorkloadId, dev_timeline
from fleet.domain.resource import ResourceKind
from fleet.domain.verdict import GateRequest
from fleet.domain.workload import Purpose, Workload
from fleet.ports import Runtime, Store, Timelines


@dataclass(frozen=True)
class Twin:
    """Named after the gate run, so that a retry finds what a killed run left behind."""

    project: ProjectId
    build: BuildId
    scope: str
    name: str
    workload: Workload

    @property
    def timeline(self) -> TimelineId:
        return TimelineId(self.name)

    @property
    def endpoint(self) -> EndpointId:
        return EndpointId(self.name)

    @property
    def things(self) -> tuple[tuple[ResourceKind, str], ...]:
        """In the order of deletion."""
        return (
            (ResourceKind.WORKLOAD, self.name),
            (ResourceKind.ENDPOINT, self.name),
            (ResourceKind.TIMELINE, self.name),
        )


def twin_of(request: GateRequest) -> Twin:
    """Short, because unix socket paths are; the digest keeps sanitized names apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", request.run.lower()).strip("-")[:24].strip("-")
    digest = hashlib.sha256(request.run.encode()).hexdigest()[:6]
    name = f"t-{plain}-{digest}"
    workload = Workload(
        id=WorkloadId(name),
        project=request.project,
        app=request.app,
        app_path=request.app_path,
        purpose=Purpose.TWIN,
        commit=request.commit,
        endpoint=EndpointId(name),
        bundled=True,
    )
    return Twin(request.project, request.build, f"run:{request.run}", name, workload)


async def register_twin(twin: Twin, store: Store) -> None:
    for kind, name in twin.things:
        await store.register_resource(twin.project, kind, name, twin.scope)


async def branch_twin(twin: Twin, store: Store, timelines: Timelines) -> None:
    """A branch of dev as it is now; a project that has no dev timeline yet gets one."""
    dev = dev_timeline(twin.project)
    if dev not in await timelines.timelines():
        await store.register_resource(twin.project, ResourceKind.TIMELINE, dev, "project")
        await timelines.create(dev)
    await timelines.branch(dev, twin.timeline)
    await timelines.point(twin.endpoint, twin.timeline)


async def remove_twin(twin: Twin, store: Store, timelines: Timelines, runtime: Runtime) -> None:
    """Whatever of it exists, then its rows. Idempotent."""
    await runtime.delete(twin.workload.id)
    await store.drop_resource(ResourceKind.WORKLOAD, twin.name)
    await timelines.remove_endpoint(twin.endpoint)
    await store.drop_resource(ResourceKind.ENDPOINT, twin.name)
    await timelines.delete(twin.timeline)
    await store.drop_resource(ResourceKind.TIMELINE, twin.name)


async def has_leftovers(twin: Twin, store: Store) -> bool:
    return bool(await store.resources(twin.project, twin.scope))
