"""A runtime that keeps workloads without running them, and a browser with nothing to open.

What would need a process is refused as out of reach, never answered with something made up.
"""

from __future__ import annotations

from fleet.domain.ids import WorkloadId
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.workload import (
    Command,
    CommandResult,
    PackageChange,
    PackageManifest,
    Workload,
    WorkloadState,
    WorkloadStatus,
)
from fleet.errors import InfrastructureError


class MemoryRuntime:
    """Implements `fleet.ports.Runtime`, but for what runs."""

    def __init__(self) -> None:
        self._workloads: dict[WorkloadId, Workload] = {}

    async def prepare(self, workload: Workload) -> None:
        self._workloads[workload.id] = workload

    async def start(self, workload: Workload) -> WorkloadStatus:
        raise _runs_nothing(f"start {workload.id}")

    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult:
        raise _runs_nothing(f"run {command.argv[0]}")

    async def status(self, workload: WorkloadId) -> WorkloadStatus:
        known = self._workloads.get(workload)
        if known is None:
            return WorkloadStatus(id=workload, state=WorkloadState.ABSENT)
        return WorkloadStatus(id=workload, state=WorkloadState.STOPPED, commit=known.commit)

    async def workloads(self) -> list[WorkloadStatus]:
        return [await self.status(workload) for workload in sorted(self._workloads)]

    async def logs(self, workload: WorkloadId, lines: int = 200) -> str:
        return ""

    async def change_packages(
        self, manifest: PackageManifest, change: PackageChange
    ) -> PackageManifest:
        raise _runs_nothing("resolve packages")

    async def stop(self, workload: WorkloadId) -> None: ...

    async def delete(self, workload: WorkloadId) -> None:
        self._workloads.pop(workload, None)

    async def close(self) -> None: ...


class MemoryBrowser:
    """Implements `fleet.ports.Browser` where there are no pages."""

    async def visit(self, visit: PageVisit) -> PageReport:
        raise _runs_nothing(f"open {visit.path}")

    async def close(self) -> None: ...


def _runs_nothing(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"The runtime in memory cannot {what}.", action="Use the bubblewrap driver to run apps."
    )
