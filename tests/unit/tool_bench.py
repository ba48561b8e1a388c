"""A producer's tools over doubles of the ports: the work tree and the notes are real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.domain.chat import ToolCall
from fleet.domain.ids import AppSlug, ProjectId
from fleet.domain.page import ConsoleEntry, FailedRequest, PageReport, PageVisit
from fleet.domain.project import AppSpec
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import SqlResult
from fleet.domain.workload import (
    CommandResult,
    PackageChange,
    PackageManifest,
    WorkloadState,
    WorkloadStatus,
)
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.drivers.postgres.effect import judge_sql
from fleet.errors import SqlFailed, WorkloadCrashed
from fleet.generation.tools.notes import Notes
from fleet.generation.tools.producer import producer_tools
from fleet.generation.tools.tool import Toolbox
from fleet.generation.tools.workbench import Dev, Workbench
from fleet.generation.twin import DraftTwin, TwinPorts
from fleet.generation.workspace import Bounds, Workspace
from tests.unit import generation_world as world

PROJECT = ProjectId("crm-aaaaa")
PACKAGE = '{"name": "app", "dependencies": {"zod": "4.6.7"}}\n'
FILES: dict[str, str | None] = {
    "package.json": PACKAGE,
    "package-lock.json": "{}\n",
    "src/App.tsx": 'import { z } from "zod";\none\n  two\nthree\ntwo\n',
    "server/router.ts": "export const appRouter = {};\n",
    "db/migrations/0001_a.sql": "create table a (id int);\n",
    "tests/a.test.ts": "it('works', () => {});\n",
}


class Timelines(world.Timelines):
    """Refuses writes in a read-only query, as Postgres does."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: list[tuple[str, str, bool]] = []
        self.fails = ""
        self.result = SqlResult(columns=("n",), rows=((1,),), row_count=1)

    async def query(self, endpoint: str, sql: str, **options: Any) -> SqlResult:
        read_only = bool(options.get("read_only", True))
        if read_only and not sql.lower().startswith("select"):
            raise SqlFailed("cannot execute it in a read-only transaction", sqlstate="25006")
        if self.fails:
            raise SqlFailed(self.fails, sqlstate="42P01")
        self.queries.append((endpoint, sql, read_only))
        return self.result


class Runtime(world.Runtime):
    """Answers commands from a list; package changes by editing package.json."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[CommandResult] = []
        self.crash: WorkloadCrashed | None = None
        self.prepared = 0

    async def prepare(self, workload: Any) -> None:
        self.prepared += 1
        if self.crash is not None:
            raise self.crash

    async def execute(self, workload: str, command: Any) -> CommandResult:
        await super().execute(workload, command)
        return self.results.pop(0)

    async def start(self, workload: Any) -> WorkloadStatus:
        return WorkloadStatus(id=workload.id, state=WorkloadState.AWAKE, socket="/tmp/app.sock")

    async def status(self, workload: Any) -> WorkloadStatus:
        return WorkloadStatus(id=workload, state=WorkloadState.AWAKE, socket="/tmp/app.sock")

    async def logs(self, workload: str, lines: int) -> str:
        return "Listening"

    async def change_packages(
        self, manifest: PackageManifest, change: PackageChange
    ) -> PackageManifest:
        package = json.loads(manifest.package)
        for spec in change.add:
            package["dependencies"][spec] = "1.0.0"
        for name in change.remove:
            del package["dependencies"][name]
        return PackageManifest(package=json.dumps(package), lock=manifest.lock + "changed\n")


class Browser(world.Browser):
    def __init__(self) -> None:
        self.visits: list[PageVisit] = []
        self.console: tuple[ConsoleEntry, ...] = ()
        self.failed: tuple[FailedRequest, ...] = ()
        self.text = "fine"

    async def visit(self, visit: PageVisit) -> PageReport:
        self.visits.append(visit)
        report = await super().visit(visit)
        seen = {"console": self.console, "failed_requests": self.failed, "text": self.text}
        return report.model_copy(update=seen)


@dataclass
class ToolBench:
    tools: Toolbox
    workspace: Workspace
    timelines: Timelines
    runtime: Runtime
    browser: Browser
    checkpoints: world.Checkpoints
    store: MemoryStore
    notes: Notes = field(default_factory=Notes)

    async def ask(self, name: str, /, **arguments: Any) -> str:
        call = ToolCall(id="c", name=name, arguments=json.dumps(arguments))
        result = await self.tools.call(call)
        assert result.failed is result.content.startswith("Error: ")
        return result.content

    def commands(self, *outcomes: tuple[int | None, str]) -> None:
        """What the next commands end with and write."""
        self.runtime.results = [
            CommandResult(exit_code=code, stdout=text, stderr="", elapsed_s=0.1)
            for code, text in outcomes
        ]


async def tool_bench(
    scope: Sequence[str] = ("src/**", "db/**"), files: dict[str, str | None] | None = None
) -> ToolBench:
    repositories, store = MemoryRepositories(), MemoryStore()
    owner = await store.ensure_owner("ada")
    await store.create_project(owner.id, PROJECT, "CRM")
    _, build = await store.post_message(PROJECT, "A CRM", None)
    await repositories.create(PROJECT)
    new = NewCommit(parent=None, changes=files or FILES, message="base", at=world.NOON)
    base = await repositories.commit(PROJECT, new)
    workspace = Workspace(repositories, PROJECT, base, Bounds(tuple(scope), 1_000))
    timelines, runtime, browser = Timelines(), Runtime(), Browser()
    checkpoints, notes, app = world.Checkpoints(), Notes(), AppSpec(slug=AppSlug("web"))
    doubles: Any = timelines
    processes: Any = runtime

    async def ready() -> None:
        pass

    bench = Workbench(
        workspace=workspace,
        twin=DraftTwin(TwinPorts(store, doubles, processes), build, app, ready),
        notes=notes,
        now=lambda: world.NOON,
        app=app,
        dev=Dev(
            project=PROJECT,
            commit=base,
            timelines=doubles,
            checkpoints=checkpoints,
            judge=judge_sql,
            ready=ready,
        ),
        runtime=processes,
        browser=browser,
    )
    box = Toolbox(producer_tools(bench))
    return ToolBench(box, workspace, timelines, runtime, browser, checkpoints, store, notes)
