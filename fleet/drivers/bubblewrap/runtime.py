"""The `Runtime` port on one machine: each app in a bubblewrap sandbox of its own."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fleet.domain.ids import WorkloadId
from fleet.domain.workload import (
    Command,
    CommandResult,
    PackageChange,
    PackageManifest,
    Workload,
    WorkloadState,
    WorkloadStatus,
)
from fleet.drivers.bubblewrap.cgroup import Cgroup, Limits
from fleet.drivers.bubblewrap.changes import changed_packages
from fleet.drivers.bubblewrap.jail import Jail
from fleet.drivers.bubblewrap.one_shot import run_once
from fleet.drivers.bubblewrap.place import Place
from fleet.drivers.bubblewrap.process import JailedProcess, tail
from fleet.drivers.bubblewrap.store import NodeStore
from fleet.errors import InfrastructureError, NotFound, WorkloadCrashed
from fleet.ports import Repositories, Timelines

__all__ = ["BubblewrapRuntime", "Limits"]

_SERVER = ["node", "server/main.ts"]
_BUNDLED_SERVER = [*_SERVER, "--production"]
_HEALTH = "/healthz"
_EVIDENCE_LINES = 40
# Vite brings these to the browser by itself; anything else needs a new process.
_HOT_FOLDERS = ("src/", "public/", "tests/")
_HOT_FILES = ("index.html",)
_HOT_SUFFIXES = (".md",)


@dataclass
class _Run:
    workload: Workload
    process: JailedProcess
    started_at: datetime
    ready: bool = False
    why: str = ""  # plain words, once it is known that it will not become ready


@dataclass(frozen=True)
class _Prepared:
    workload: Workload
    modules: Path | None


class BubblewrapRuntime:
    def __init__(
        self,
        data_dir: Path,
        run_dir: Path,
        repositories: Repositories,
        timelines: Timelines,
        limits: Limits,
    ) -> None:
        self._data_dir = data_dir
        self._run_dir = run_dir
        self._repositories = repositories
        self._timelines = timelines
        self._limits = limits
        self._store = NodeStore(data_dir / "stores", run_dir.name, limits)
        self._runs: dict[WorkloadId, _Run] = {}
        self._prepared: dict[WorkloadId, _Prepared] = {}
        self._locks: defaultdict[WorkloadId, asyncio.Lock] = defaultdict(asyncio.Lock)

    # Desired state

    async def prepare(self, workload: Workload) -> None:
        async with self._locks[workload.id]:
            await self._prepare(workload)

    async def start(self, workload: Workload) -> WorkloadStatus:
        async with self._locks[workload.id]:
            run = self._runs.get(workload.id)
            if run is not None and run.process.alive and run.ready:
                if run.workload == workload:
                    return self._status(workload.id)
                if await self._is_hot(run.workload, workload):
                    await self._prepare(workload)
                    run.workload = workload
                    return self._status(workload.id)
            if run is not None:
                await run.process.stop()
            await self._prepare(workload)
            await self._run(workload)
            return self._status(workload.id)

    async def _is_hot(self, old: Workload, new: Workload) -> bool:
        """Whether only files changed that Vite reloads without a new process."""
        if (old.endpoint, old.app_path) != (new.endpoint, new.app_path):
            return False
        if old.bundled or new.bundled:
            return False
        paths = await self._repositories.changed_paths(new.project, old.commit, new.commit)
        prefix = "" if new.app_path == "." else f"{new.app_path}/"
        own = [p.removeprefix(prefix) for p in paths if p.startswith(prefix)]
        return all(
            p.startswith(_HOT_FOLDERS) or p in _HOT_FILES or p.endswith(_HOT_SUFFIXES) for p in own
        )

    async def _prepare(self, workload: Workload) -> None:
        place = self._place(workload.id)
        ready = self._prepared.get(workload.id)
        if ready is not None and ready.workload == workload and place.tree.exists():
            return
        self._prepared.pop(workload.id, None)
        await self._repositories.materialise(workload.project, workload.commit, place.tree)
        if not place.app(workload).is_dir():
            raise WorkloadCrashed(f"The app's folder {workload.app_path} is not in the commit.")
        modules = await self._store.modules_for(place.app(workload))
        if workload.bundled:
            await asyncio.to_thread(place.make_dist)
        await asyncio.to_thread(place.write_note, workload)
        self._prepared[workload.id] = _Prepared(workload, modules)

    async def _run(self, workload: Workload) -> None:
        place = self._place(workload.id)
        jail = self._jail(workload, await self._database(workload), serves=True)
        await asyncio.to_thread(place.make_http)
        process = JailedProcess(self._cgroup(workload.id), place.log)
        run = _Run(workload, process, datetime.now(UTC))
        self._runs[workload.id] = run
        command = _BUNDLED_SERVER if workload.bundled else _SERVER
        await process.start(jail, command, self._limits)
        run.why = "Its start was interrupted."
        try:
            run.why = await self._what_is_wrong(process, place)
            run.ready = not run.why
        except WorkloadCrashed as crash:
            run.why = crash.message
        finally:
            if not run.ready:  # also when we are cancelled: nothing half-started stays
                await process.stop()
        if run.why and process.killed:
            raise InfrastructureError(f"The app was killed while it started: {run.why}")
        if run.why:
            raise WorkloadCrashed(run.why, log=tail(place.log, _EVIDENCE_LINES))

    async def _what_is_wrong(self, process: JailedProcess, place: Place) -> str:
        """Waits until the app is ready; "" when it is."""
        deadline_s = self._limits.start_timeout_s
        try:
            status = await process.answers(place.publish, _HEALTH, deadline_s)
        except TimeoutError:
            return f"The app did not answer {_HEALTH} within {deadline_s:.0f} s."
        if status is None:
            return process.explanation()
        return "" if status == 200 else f"The app answers {_HEALTH} with {status or 'no HTTP'}."

    async def _database(self, workload: Workload) -> str:
        return (await self._timelines.endpoint(workload.endpoint)).directory

    def _jail(self, workload: Workload, database: str | None, *, serves: bool) -> Jail:
        modules = self._prepared[workload.id].modules
        return self._place(workload.id).jail(workload, modules, database, serves=serves)

    # One-shot commands

    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult:
        prepared = self._prepared.get(workload) or await self._recall(workload)
        database = await self._database(prepared.workload) if command.database else None
        jail = self._jail(prepared.workload, database, serves=False)
        # Beside the app's own group: a greedy test must not end the server.
        group = Cgroup(self._run_dir.name, f"{workload}.{time.monotonic_ns()}")
        return await run_once(jail, command, group, self._limits)

    async def _recall(self, workload: WorkloadId) -> _Prepared:
        """After a restart of this process the note says what the tree on disk is."""
        place = self._place(workload)
        if not place.note.exists():
            raise NotFound(f"The workload {workload} was not prepared.")
        async with self._locks[workload]:
            await self._prepare(Workload.model_validate_json(place.note.read_text()))
        return self._prepared[workload]

    # Observed state

    async def status(self, workload: WorkloadId) -> WorkloadStatus:
        return self._status(workload)

    def _status(self, workload: WorkloadId) -> WorkloadStatus:
        run = self._runs.get(workload)
        place = self._place(workload)
        if run is None:
            if not place.note.exists():
                return WorkloadStatus(id=workload, state=WorkloadState.ABSENT)
            noted = Workload.model_validate_json(place.note.read_text())
            return WorkloadStatus(id=workload, state=WorkloadState.STOPPED, commit=noted.commit)
        if run.process.alive:
            state = WorkloadState.AWAKE if run.ready else WorkloadState.STARTING
            return WorkloadStatus(
                id=workload,
                state=state,
                commit=run.workload.commit,
                socket=str(place.socket) if run.ready else "",
                started_at=run.started_at,
            )
        why = f"{run.why or run.process.explanation()}\n{tail(place.log, _EVIDENCE_LINES)}".strip()
        return WorkloadStatus(
            id=workload,
            state=WorkloadState.CRASHED,
            commit=run.workload.commit,
            explanation=why,
            killed=run.process.killed,
        )

    async def workloads(self) -> list[WorkloadStatus]:
        folder = self._data_dir / "checkouts"
        names = {note.stem for note in folder.glob("*.json")} | set(self._runs)
        return [self._status(WorkloadId(name)) for name in sorted(names)]

    async def logs(self, workload: WorkloadId, lines: int = 200) -> str:
        return await asyncio.to_thread(tail, self._place(workload).log, lines)

    # Packages

    async def change_packages(
        self, manifest: PackageManifest, change: PackageChange
    ) -> PackageManifest:
        """`prepare` then builds the store of what comes out."""
        folder = self._data_dir / "stores"
        return await asyncio.to_thread(changed_packages, folder, manifest, change)

    # The end

    async def stop(self, workload: WorkloadId) -> None:
        async with self._locks[workload]:
            await self._stop(workload)

    async def _stop(self, workload: WorkloadId) -> None:
        run = self._runs.pop(workload, None)
        if run is not None:
            await run.process.stop()
            await asyncio.to_thread(self._place(workload).withdraw)

    async def delete(self, workload: WorkloadId) -> None:
        async with self._locks[workload]:
            await self._stop(workload)
            self._prepared.pop(workload, None)
            await asyncio.to_thread(self._cgroup(workload).remove_parts)
            await asyncio.to_thread(self._cgroup(workload).remove)
            await asyncio.to_thread(self._place(workload).remove)
        self._locks.pop(workload, None)

    async def close(self) -> None:
        for workload in list(self._runs):
            await self.stop(workload)

    def _place(self, workload: WorkloadId) -> Place:
        return Place.of(self._data_dir, self._run_dir, workload)

    def _cgroup(self, workload: WorkloadId) -> Cgroup:
        return Cgroup(self._run_dir.name, workload)
