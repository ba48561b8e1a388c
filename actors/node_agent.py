"""Owns every process on its machine: databases and app sandboxes die with it, and only with it.

Other actors reach `Timelines` and `Runtime` through `call`; the gateway asks `route`. After a
crash the successor finds the endpoints on disk and starts an app when somebody looks at it.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from actors.proxy import PortName
from actors.route import Route
from fleet.assembly import local_runtime, local_timelines, open_store, repositories
from fleet.domain.ids import AppSlug, ProjectId, WorkloadId, dev_workload
from fleet.domain.project import Project, ProjectState
from fleet.domain.workload import Workload, WorkloadState, WorkloadStatus
from fleet.errors import AppfleetError, NotFound, WorkloadCrashed
from fleet.lifecycle.converge import dev_workload_of
from fleet.logs import log_to
from fleet.ports import Runtime, Store, Timelines
from fleet.settings import Settings

log = structlog.get_logger()


class NodeAgent:
    def __init__(self, settings: Settings) -> None:
        log_to(settings.data_dir, "node-agent")
        self._settings = settings
        self._started: asyncio.Task[None] | None = None
        self._starts: dict[WorkloadId, asyncio.Task[WorkloadStatus]] = {}
        self._last_seen: dict[WorkloadId, float] = {}
        self._store: Store
        self._timelines: Timelines
        self._runtime: Runtime

    async def ready(self) -> bool:
        """Idempotent start; every other method awaits it."""
        if self._started is None or (self._started.done() and self._started.exception()):
            self._started = asyncio.create_task(self._start())
        await asyncio.shield(self._started)
        return True

    async def _start(self) -> None:
        self._store = await open_store(self._settings)
        self._timelines = local_timelines(self._settings)
        await self._timelines.start()
        self._runtime = local_runtime(self._settings, repositories(self._settings), self._timelines)

    async def call(
        self, port: PortName, method: str, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """One call of a port's method, by name; arguments and result are the port's own."""
        await self.ready()
        protocol = {"timelines": Timelines, "runtime": Runtime}[port]
        if method.startswith("_") or not hasattr(protocol, method):
            raise NotFound(f"The port {port} has no method {method}.")
        target = self._timelines if port == "timelines" else self._runtime
        return await getattr(target, method)(*args, **kwargs)

    async def route(self, project: ProjectId, app: AppSlug) -> Route:
        """Looks an app up and begins to wake it; never waits for the start itself."""
        await self.ready()
        try:
            recorded = await self._store.project(project)
        except NotFound:
            return Route(known=False)
        spec = next((a for a in recorded.spec.apps if a.slug == app), None)
        if spec is None or recorded.state is not ProjectState.ACTIVE:
            return Route(known=False)
        if recorded.head is None:
            return await self._unbuilt(recorded)
        workload = dev_workload_of(project, spec, recorded.head)
        self._last_seen[workload.id] = time.monotonic()
        status = await self._runtime.status(workload.id)
        if status.state is WorkloadState.AWAKE:
            return Route(known=True, built=True, state=status.state, socket=status.socket)
        return self._wake(workload)

    def _wake(self, workload: Workload) -> Route:
        starting = Route(known=True, built=True, state=WorkloadState.STARTING)
        task = self._starts.get(workload.id)
        if task is None:
            task = asyncio.create_task(self._runtime.start(workload))
            self._starts[workload.id] = task
            return starting
        if not task.done():
            return starting
        del self._starts[workload.id]  # the next request tries again
        error = task.exception()
        if error is None:
            status = task.result()
            return Route(known=True, built=True, state=status.state, socket=status.socket)
        if not isinstance(error, AppfleetError):
            raise error
        return Route(
            known=True,
            built=True,
            state=WorkloadState.CRASHED,
            explanation=str(error),
            log=error.log if isinstance(error, WorkloadCrashed) else "",
        )

    async def _unbuilt(self, project: Project) -> Route:
        builds = await self._store.builds(project.id)
        if not builds:
            return Route(known=True, state=WorkloadState.ABSENT)
        last = builds[-1]
        if last.finished_at is not None:
            return Route(
                known=True,
                state=WorkloadState.ABSENT,
                explanation=last.explanation or "Its last build did not succeed.",
            )
        return Route(known=True, state=WorkloadState.STARTING, explanation="It is being built.")

    async def touch(self, project: ProjectId, app: AppSlug) -> None:
        """Somebody is looking: a request was served or a websocket is open."""
        self._last_seen[dev_workload(project, app)] = time.monotonic()

    async def stop_idle(self) -> list[str]:
        """Stops the previews nobody has looked at for `app_idle_s`; a request starts them again."""
        await self.ready()
        stopped = []
        now = time.monotonic()
        for status in await self._runtime.workloads():
            if status.state is not WorkloadState.AWAKE or not status.id.endswith(".dev"):
                continue
            seen = self._last_seen.setdefault(status.id, now)
            if now - seen > self._settings.app_idle_s:
                await self._runtime.stop(status.id)
                stopped.append(str(status.id))
        return stopped

    async def workloads(self) -> list[WorkloadStatus]:
        await self.ready()
        return await self._runtime.workloads()
