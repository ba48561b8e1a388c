"""The draft twin: the present files on a throwaway branch of dev's data, for the live tools.

Made only when a live tool is first used; every part has its resource row before it exists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from fleet.domain.build import Build
from fleet.domain.ids import CommitId, EndpointId, TimelineId, WorkloadId, dev_timeline
from fleet.domain.project import AppSpec
from fleet.domain.resource import ResourceKind
from fleet.domain.timeline import Migration, SqlResult
from fleet.domain.workload import Command, CommandResult, Purpose, Workload
from fleet.errors import WorkloadCrashed
from fleet.generation.path import MIGRATIONS_FOLDER, is_migration
from fleet.generation.workspace import Workspace
from fleet.ports import Runtime, Store, Timelines


def draft_scope(build: Build) -> str:
    return f"build:{build.id}"


@dataclass(frozen=True)
class TwinPorts:
    store: Store
    timelines: Timelines
    runtime: Runtime


class DraftTwin:
    """`ready` waits until dev's timeline exists. One per running build; not concurrent."""

    def __init__(
        self,
        ports: TwinPorts,
        build: Build,
        app: AppSpec,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._ports = ports
        self._build = build
        self._app = app
        self._ready = ready
        self._applied: dict[str, str] | None = None  # None: no database yet
        self._running: CommitId | None = None
        name = f"{build.id}.draft"
        self._workload_id = WorkloadId(name)
        self._endpoint = EndpointId(name)
        self._timeline = TimelineId(name)

    async def query(self, workspace: Workspace, sql: str, *, read_only: bool = False) -> SqlResult:
        await self._migrated(workspace)
        return await self._ports.timelines.query(
            self._endpoint, sql, read_only=read_only, max_rows=100
        )

    async def prepare(self, workspace: Workspace, at: datetime) -> None:
        """The present files and their packages, ready to run; no database is needed for that.
        Raises WorkloadCrashed."""
        commit = await workspace.commit(at, "Draft")
        await self._ports.store.register_resource(
            self._build.project, ResourceKind.WORKLOAD, self._workload_id, draft_scope(self._build)
        )
        await self._ports.runtime.prepare(self._workload(commit))
        self._running = None  # the tree below the running process has changed

    async def execute(self, workspace: Workspace, command: Command, at: datetime) -> CommandResult:
        await self._migrated(workspace)
        await self._ports.runtime.prepare(self._workload(await workspace.commit(at, "Draft")))
        self._running = None  # the tree below the running process has changed
        return await self._ports.runtime.execute(self._workload_id, command)

    async def socket(self, workspace: Workspace, at: datetime) -> str:
        """The HTTP socket of the app at the present files. Raises WorkloadCrashed."""
        await self._migrated(workspace)
        commit = await workspace.commit(at, "Draft")
        if commit == self._running:
            status = await self._ports.runtime.status(self._workload_id)
        else:
            status = await self._ports.runtime.start(self._workload(commit))
        self._running = commit
        if not status.socket:
            self._running = None
            raise WorkloadCrashed("The app does not run.", action="See read_logs.")
        return status.socket

    async def logs(self, lines: int) -> str:
        if self._applied is None:
            return ""
        return await self._ports.runtime.logs(self._workload_id, lines)

    async def remove(self) -> None:
        """Whatever of it exists, also what a killed predecessor left."""
        rows = await self._ports.store.resources(
            self._build.project, scope=draft_scope(self._build)
        )
        for kind in ResourceKind:
            for row in rows:
                if row.kind is kind:
                    await self._remove(kind)
                    await self._ports.store.drop_resource(kind, row.name)
        self._applied = self._running = None

    async def _remove(self, kind: ResourceKind) -> None:
        match kind:
            case ResourceKind.WORKLOAD:
                await self._ports.runtime.delete(self._workload_id)
            case ResourceKind.ENDPOINT:
                await self._ports.timelines.remove_endpoint(self._endpoint)
            case ResourceKind.TIMELINE:
                await self._ports.timelines.delete(self._timeline)
            case _:
                pass

    async def _migrated(self, workspace: Workspace) -> None:
        scripts = {
            path: text
            for path, text in (await workspace.text_files(MIGRATIONS_FOLDER)).items()
            if is_migration(path)
        }
        edited = self._applied is not None and any(
            scripts.get(path) != text for path, text in self._applied.items()
        )
        if self._applied is None or edited:
            await self._create()
        if scripts == self._applied:
            return
        # Noted before it runs: a migration that fails half-way is judged again from a fresh branch.
        self._applied = scripts
        await self._ports.timelines.migrate(
            self._endpoint, [Migration(path=path, sql=text) for path, text in scripts.items()]
        )

    async def _create(self) -> None:
        await self._ready()
        await self.remove()
        register, scope = self._ports.store.register_resource, draft_scope(self._build)
        project = self._build.project
        await register(project, ResourceKind.TIMELINE, self._timeline, scope)
        await register(project, ResourceKind.ENDPOINT, self._endpoint, scope)
        await register(project, ResourceKind.WORKLOAD, self._workload_id, scope)
        await self._ports.timelines.branch(dev_timeline(project), self._timeline)
        await self._ports.timelines.point(self._endpoint, self._timeline)
        self._applied = {}

    def _workload(self, commit: CommitId) -> Workload:
        return Workload(
            id=self._workload_id,
            project=self._build.project,
            app=self._app.slug,
            app_path=self._app.path,
            purpose=Purpose.TWIN,
            commit=commit,
            endpoint=self._endpoint,
        )
