"""The producer's tools on real drivers: what compiler, tests, npm, Postgres and Chromium say."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fleet.domain.chat import ToolCall
from fleet.domain.ids import AppSlug, ProjectId, dev_endpoint
from fleet.domain.progress import StepNotes
from fleet.domain.project import AppSpec
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import Migration
from fleet.drivers.bubblewrap.runtime import BubblewrapRuntime, Limits
from fleet.drivers.chromium.browser import ChromiumBrowser
from fleet.drivers.git.repositories import GitRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.drivers.postgres.effect import judge_sql
from fleet.drivers.postgres.timelines.local import LocalTimelines
from fleet.generation.tools.notes import Notes
from fleet.generation.tools.producer import producer_tools
from fleet.generation.tools.tool import Toolbox, ToolResult
from fleet.generation.tools.workbench import Dev, Workbench
from fleet.generation.twin import DraftTwin, TwinPorts
from fleet.generation.workspace import Bounds, Workspace
from fleet.lifecycle.checkpoint import DevCheckpoints
from fleet.lifecycle.converge import DevConverge
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World
from tests.catalog.conftest import app_files

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PROJECT = ProjectId("crm-x7k2p")
DEV = dev_endpoint(PROJECT)
APP = AppSpec(slug=AppSlug("web"))
AT = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = "src/pages/CustomersPage.tsx"


async def ready() -> None:
    """Dev is there from the beginning."""


@dataclass
class Bench:
    tools: Toolbox
    workspace: Workspace
    notes: Notes
    world: World

    async def call(self, tool: str, **arguments: Any) -> ToolResult:
        result = await self.tools.call(ToolCall(id="c", name=tool, arguments=json.dumps(arguments)))
        print(f"\n--- {tool} {arguments}\n{result.content[:1500]}")
        return result

    async def ok(self, tool: str, **arguments: Any) -> str:
        result = await self.call(tool, **arguments)
        assert not result.failed, result.content
        return result.content

    async def error(self, tool: str, **arguments: Any) -> str:
        result = await self.call(tool, **arguments)
        assert result.failed, result.content
        return result.content

    def taken(self) -> StepNotes:
        return self.notes.take()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    """The example app on dev with one customer; the task writes in `src/` and `tests/`."""
    root = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    git, store = GitRepositories(root / "git"), MemoryStore()
    timelines = LocalTimelines(root / "data", root / "run", 300.0)
    runtime = BubblewrapRuntime(root / "data", root / "run", git, timelines, Limits())
    browser = ChromiumBrowser()
    world = World(store, git, timelines, runtime, root / "artefacts")
    try:
        await timelines.start()
        owner = await store.ensure_owner("tester")
        await store.create_project(owner.id, PROJECT, "CRM")
        _, build = await store.post_message(PROJECT, "A CRM", None)
        await git.create(PROJECT)
        files: dict[str, str | None] = dict(app_files("react-app"))
        new = NewCommit(parent=None, changes=files, message="an app", at=AT)
        commit = await git.commit(PROJECT, new)
        await DevConverge(world).ensure_database(PROJECT)
        scripts = [Migration(path=p, sql=t or "") for p, t in files.items() if p.endswith(".sql")]
        await timelines.migrate(DEV, sorted(scripts, key=lambda m: m.path))
        await timelines.query(
            DEV,
            "INSERT INTO customers (name, email) VALUES ('Ada', 'ada@example.com')",
            read_only=False,
        )
        notes = Notes()
        workspace = Workspace(git, PROJECT, commit, Bounds(("src/**", "tests/**"), 200_000))
        twin = DraftTwin(TwinPorts(store, timelines, runtime), build, APP, ready)
        tools = producer_tools(
            Workbench(
                workspace=workspace,
                twin=twin,
                notes=notes,
                now=lambda: AT,
                app=APP,
                dev=Dev(
                    project=PROJECT,
                    commit=commit,
                    timelines=timelines,
                    checkpoints=DevCheckpoints(world, lambda: datetime.now(UTC)),
                    judge=judge_sql,
                    ready=ready,
                ),
                runtime=runtime,
                browser=browser,
            )
        )
        yield Bench(Toolbox(tools), workspace, notes, world)
        await twin.remove()
        assert await delete_project(world, PROJECT, "test")
        assert await timelines.timelines() == []
        assert await runtime.workloads() == []
    finally:
        await browser.close()
        await runtime.close()
        await timelines.close()
        shutil.rmtree(root, ignore_errors=True)


async def test_the_compiler_names_what_is_wrong_and_its_fingerprint_outlives_moved_lines(
    bench: Bench,
) -> None:
    assert (await bench.ok("typecheck")).startswith("No type error")
    (green,) = bench.taken().checks
    assert green.passed and green.fingerprint == ""
    await bench.ok("write_file", path="src/wrong.ts", content="export const n: number = 'x';\n")
    told = await bench.ok("typecheck")
    assert told.startswith("Type errors: 1 in 1 file") and "src/wrong.ts(1,14): error TS" in told
    (first,) = bench.taken().checks
    await bench.ok("edit_file", path="src/wrong.ts", old="export", new="// moved\n\nexport")
    await bench.ok("typecheck")
    (moved,) = bench.taken().checks
    assert not moved.passed and moved.fingerprint == first.fingerprint != ""
    await bench.ok("delete_file", path="src/wrong.ts")


async def test_one_test_or_one_file_runs_alone_and_a_failure_is_told(bench: Bench) -> None:
    told = await bench.ok("run_tests", file="tests/customers.test.ts")
    assert "exit code 0" in told and "Test Files  1 passed (1)" in told
    (run,) = bench.taken().checks
    assert run.passed and run.check == "tests tests/customers.test.ts"
    told = await bench.ok("run_tests", name="customers.create")
    assert "skipped" in told and "exit code 0" in told
    assert "No test ran" in await bench.error("run_tests", name="nothing is called (this")
    assert "There is no file tests/nope.test.ts" in await bench.error(
        "run_tests", file="tests/nope.test.ts"
    )
    bench.taken()
    await bench.ok(
        "write_file",
        path="tests/red.test.ts",
        content='import { expect, it } from "vitest";\nit("is red", () => expect(1).toBe(2));\n',
    )
    told = await bench.ok("run_tests", file="tests/red.test.ts")
    assert "expected 1 to be 2" in told and "\x1b" not in told
    (run,) = bench.taken().checks
    assert not run.passed and run.fingerprint
    await bench.ok("delete_file", path="tests/red.test.ts")


async def test_dev_is_read_only_until_asked_and_risky_sql_takes_a_checkpoint(bench: Bench) -> None:
    assert '["Ada"]' in await bench.ok("run_sql", sql="SELECT name FROM customers")
    update = "UPDATE customers SET name = 'Eve' WHERE id = 1"
    assert "Dev is read-only" in await bench.error("run_sql", sql=update)
    assert "1 row" in await bench.ok("run_sql", sql=update, database="draft")
    assert '["Ada"]' in await bench.ok("run_sql", sql="SELECT name FROM customers")
    assert bench.taken().checkpoints == ()
    told = await bench.ok("show_schema")
    assert "  id bigint not null, generated always as identity, primary key\n" in told
    assert "  customer_id bigint not null, references customers.id\n" in told
    assert "\ninvoices (no rows)\n" in await bench.ok("show_schema", database="draft")
    assert "Checkpoint" not in await bench.ok("run_sql", sql=update, write=True)
    told = await bench.ok("run_sql", sql="/* all */ DELETE FROM invoices", write=True)
    assert "was taken first (DELETE without a WHERE" in told
    notes = bench.taken()
    (name,) = notes.checkpoints
    assert [r.statement for r in notes.sql] == [update, "/* all */ DELETE FROM invoices"]
    assert f"{name} " in await bench.ok("list_checkpoints")
    (kept,) = await bench.world.store.checkpoints(PROJECT)
    assert kept.lsn and kept.timeline in await bench.world.timelines.timelines()
    assert "syntax error" in await bench.error("run_sql", sql="DELETE FRM invoices", write=True)
    assert bench.taken().sql[0].error
    asked = await bench.ok("take_checkpoint", reason="Before the import of old data")
    assert bench.taken().checkpoints[0] in asked


async def test_the_draft_answers_calls_and_shows_its_pages_and_logs(bench: Bench) -> None:
    told = await bench.ok("call_procedure", name="customers.list", kind="query", input={})
    assert told.startswith("HTTP 200")
    told = await bench.ok("open_page", path="/customers")
    assert "HTTP 200" in told and "Console:" not in told and "Customers" in told
    assert "console is empty" in await bench.ok("read_logs", source="browser")
    first = "export function CustomersPage() {"
    await bench.ok("edit_file", path=PAGE, old=first, new=f'{first}\n  throw new Error("broken");')
    told = await bench.ok("open_page", path="/customers")
    assert "Console:" in told and "broken" in told
    assert "broken" in await bench.ok("read_logs", source="browser")
    assert await bench.ok("read_logs")
    assert "is no path" in await bench.error("open_page", path="https://example.com")


async def test_a_package_is_added_used_and_removed_and_a_refused_one_changes_nothing(
    bench: Bench,
) -> None:
    bench.taken()
    before = await bench.workspace.read("package.json")
    assert "no package qq-not-there" in await bench.error("add_package", names=["qq-not-there-qq"])
    assert "native build" in await bench.error("add_package", names=["bcrypt"])
    assert await bench.workspace.read("package.json") == before
    told = await bench.ok("add_package", names=["is-odd@3.0.1"])
    assert told == "Changed: +is-odd@3.0.1."
    assert bench.taken().packages == ("+is-odd@3.0.1",)
    assert "is-odd" in await bench.workspace.read("package-lock.json")
    use = 'import isOdd from "is-odd";\nimport { expect, it } from "vitest";\n'
    use += 'it("is odd", () => expect(isOdd(3)).toBe(true));\n'
    await bench.ok("write_file", path="tests/odd.test.ts", content=use)
    assert "1 passed" in await bench.ok("run_tests", file="tests/odd.test.ts")
    told = await bench.ok("remove_package", names=["is-odd"])
    assert told == "Changed: -is-odd. Still imported in: tests/odd.test.ts."
    assert "is-odd" not in await bench.workspace.read("package-lock.json")
