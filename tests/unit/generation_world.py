"""A whole platform in memory for tests of generation: real decisions, doubles at the ports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleet.domain.build import Build
from fleet.domain.catalog import CatalogNote
from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from fleet.domain.ids import CheckpointId, CommitId, ProjectId, TimelineId
from fleet.domain.lease import Lease
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.timeline import Checkpoint, SqlResult
from fleet.domain.verdict import (
    CheckName,
    CheckOutcome,
    CheckResult,
    Finding,
    GateRequest,
    Verdict,
)
from fleet.domain.workload import CommandResult
from fleet.drivers.memory.repositories import MemoryRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.errors import ModelError, NotFound
from fleet.generation.build import BuildDependencies, BuildRunner
from fleet.generation.tools.workbench import SqlEffect, SqlJudgement
from fleet.lifecycle import world as lifecycle
from fleet.lifecycle.sweep import sweep
from fleet.ports import ChatModel, OnCheck, OnText
from fleet.settings import Settings

Call = tuple[str, dict[str, Any]]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCAFFOLD = {"server/router.ts": "placeholder\n", "package.json": "{}\n", "src/App.tsx": "<App/>\n"}


class Crash(BaseException):
    """The process is gone: nothing but the record is left."""


@dataclass
class Tripwire:
    """Counts every call through the wrapped ports, and crashes at the chosen one."""

    at: int = 0  # 0: never
    after: bool = False  # crash once the call has had its effect
    count: int = 0

    def wrap(self, port: Any) -> Any:
        return _Wrapped(port, self)

    def trip(self, done: bool) -> None:
        if self.count == self.at and self.after is done:
            raise Crash(f"call {self.at}")


class _Wrapped:
    def __init__(self, port: Any, wire: Tripwire) -> None:
        self._port, self._wire = port, wire

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name == "renew_lease":
                return await method(*args, **kwargs)
            self._wire.count += 1
            mine = self._wire.count == self._wire.at
            if mine:
                self._wire.trip(False)
            result = await method(*args, **kwargs)
            if mine:
                self._wire.trip(True)
            return result

        return call


class Converge:
    def __init__(self) -> None:
        self.commits: list[CommitId] = []

    async def go(self, lease: Lease, project: ProjectId, commit: CommitId) -> None:
        self.commits.append(commit)


class Clock:
    """Real waiting is pointless here: sleeping is instant but for the lease's renewal."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        if seconds == RENEWAL_S:
            await asyncio.Event().wait()
        self.slept.append(seconds)


LEASE_TTL_S = 30.0
RENEWAL_S = LEASE_TTL_S / 3


class Model:
    """Answers by how far the conversation is, so that asking again gives the same."""

    def __init__(self, scripts: Mapping[str, Sequence[Sequence[Call] | ModelError | str]]) -> None:
        self._scripts = scripts
        self.requests: list[CompletionRequest] = []

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        if not request.tools:
            raise ModelError("Nobody here condenses.", retryable=False)
        self.requests.append(request)
        briefing = request.messages[1].content
        script = next(s for key, s in self._scripts.items() if key in briefing)
        said = sum(m.role is Role.ASSISTANT for m in request.messages)
        answer = script[min(said, len(script) - 1)]
        if isinstance(answer, ModelError):
            raise answer
        calls: tuple[ToolCall, ...] = ()
        if not isinstance(answer, str):
            calls = tuple(
                ToolCall(id=f"c{said}_{i}", name=name, arguments=json.dumps(arguments))
                for i, (name, arguments) in enumerate(answer)
            )
        text = answer if isinstance(answer, str) else ""
        return Completion(
            message=ChatMessage(role=Role.ASSISTANT, content=text, tool_calls=calls),
            finish=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
            usage=Usage(prompt_tokens=100, completion_tokens=10, completions=1),
        )


class Gate:
    """Red while any file holds the word BAD."""

    def __init__(self, repositories: MemoryRepositories) -> None:
        self._repositories = repositories
        self.requests: list[GateRequest] = []
        self.faults: list[Exception] = []

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        self.requests.append(request)
        if self.faults:
            raise self.faults.pop(0)
        files = await self._repositories.read_all(request.project, request.commit, "")
        findings = tuple(
            Finding(where=path, code="TS1", message=f"BAD in {path}", line=1)
            for path, text in files.items()
            if "BAD" in text
        )
        outcome = CheckOutcome.FAILED if findings else CheckOutcome.PASSED
        result = CheckResult(check=CheckName.TYPESCRIPT, outcome=outcome, findings=findings)
        if on_check is not None:
            on_check(result)
        return Verdict(commit=request.commit, results=(result,), elapsed_s=0.5)


class Timelines:
    def __init__(self) -> None:
        self.branches: list[tuple[str, str]] = []
        self.migrated: list[list[str]] = []
        self.removed: list[str] = []

    async def tables(self, endpoint: str) -> dict[str, list[str]]:
        raise NotFound("none")

    async def branch(self, source: str, timeline: str) -> None:
        self.branches.append((source, timeline))

    async def point(self, endpoint: str, timeline: str) -> None:
        pass

    async def migrate(self, endpoint: str, migrations: Sequence[Any]) -> list[str]:
        self.migrated.append([m.path for m in migrations])
        return self.migrated[-1]

    async def query(self, endpoint: str, sql: str, **_: Any) -> SqlResult:
        return SqlResult(columns=("n",), rows=((1,),), row_count=1)

    async def delete(self, timeline: str) -> None:
        self.removed.append(timeline)

    async def remove_endpoint(self, endpoint: str) -> None:
        self.removed.append(endpoint)


class Runtime:
    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    async def prepare(self, workload: Any) -> None:
        pass

    async def execute(self, workload: str, command: Any) -> CommandResult:
        self.commands.append(command.argv)
        return CommandResult(exit_code=0, stdout="fine", stderr="", elapsed_s=0.1)

    async def delete(self, workload: str) -> None:
        pass


class Browser:
    async def visit(self, visit: PageVisit) -> PageReport:
        return PageReport(
            path=visit.path,
            status=200,
            title="",
            text="fine",
            visible_elements=1,
            console=(),
            failed_requests=(),
            timed_out=False,
            screenshot="",
            elapsed_s=0.1,
        )

    async def close(self) -> None:
        pass


class Checkpoints:
    def __init__(self) -> None:
        self.taken: list[Checkpoint] = []

    async def take(
        self, project: ProjectId, commit: CommitId, reason: str, *, automatic: bool = False
    ) -> Checkpoint:
        number = len(self.taken) + 1
        self.taken.append(
            Checkpoint(
                id=CheckpointId(f"cp_{number}"),
                project=project,
                commit=commit,
                timeline=TimelineId(f"{project}.cp{number}"),
                lsn="0/1",
                reason=reason,
                created_at=NOON,
            )
        )
        return self.taken[-1]

    async def all(self, project: ProjectId) -> list[Checkpoint]:
        return list(self.taken)


def judge_sql(statement: str) -> SqlJudgement:
    risky = statement.lower().startswith(("drop", "truncate"))
    return SqlJudgement(effect=SqlEffect.RISKY if risky else SqlEffect.READS)


class Scaffold:
    def files(self) -> Mapping[str, str]:
        return SCAFFOLD


@dataclass
class World:
    model: ChatModel
    settings: Settings = field(
        default_factory=lambda: Settings(lease_ttl_s=LEASE_TTL_S, max_task_attempts=3)
    )
    services: tuple[str, ...] = ("react-app",)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(now=self.clock.now)
        self.repositories = MemoryRepositories()
        self.gate = Gate(self.repositories)
        self.converge = Converge()
        self.timelines, self.runtime = Timelines(), Runtime()
        self.browser, self.checkpoints = Browser(), Checkpoints()
        self.project = ProjectId("crm-aaaaa")

    async def post(self, text: str = "A CRM") -> Build:
        if not await self.store.projects():
            owner = await self.store.ensure_owner("ada")
            await self.store.create_project(owner.id, self.project, "CRM")
        _, build = await self.store.post_message(self.project, text, None)
        return build

    def runner(self, wire: Tripwire | None = None) -> BuildRunner:
        wire = wire or Tripwire()
        return BuildRunner(
            BuildDependencies(
                store=wire.wrap(self.store),
                repositories=wire.wrap(self.repositories),
                timelines=wire.wrap(self.timelines),
                runtime=wire.wrap(self.runtime),
                model=self.model,
                gatekeeper=wire.wrap(self.gate),
                converge=wire.wrap(self.converge).go,
                scaffold=Scaffold(),
                catalog=tuple(
                    CatalogNote(kind=kind, title=kind, text="Pages.") for kind in self.services
                ),
                settings=self.settings,
                clock=self.clock,
                browser=self.browser,
                checkpoints=self.checkpoints,
                judge_sql=judge_sql,
            )
        )

    async def run(self, wire: Tripwire | None = None, holder: str = "host") -> Build | None:
        """Claims and runs the next build; None when there is none."""
        await self.store.release_leases_of(holder)
        claimed = await self.store.claim_build(holder, timedelta(seconds=LEASE_TTL_S))
        if claimed is None:
            return None
        build, lease = claimed
        done = await self.runner(wire).run(build, lease)
        await self.store.release_lease(lease)
        return done

    async def sweep(self) -> None:
        timelines: Any = self.timelines
        runtime: Any = self.runtime
        world = lifecycle.World(
            self.store, self.repositories, timelines, runtime, Path("/nonexistent")
        )
        await sweep(world, "supervisor")

    async def events(self) -> list[str]:
        return [e.kind.value for e in await self.store.events(self.project, 0)]


def task(title: str, *scope: str) -> dict[str, Any]:
    return {"title": title, "instructions": f"Do {title}.", "scope": list(scope or ("**",))}


def plan(*tasks: dict[str, Any], **contract: Any) -> Call:
    return (
        "submit_plan",
        {
            "title": "Customers",
            "summary": "A list of customers.",
            "tasks": list(tasks or (task("Everything"),)),
            "contract": {"pages": ["/"], **contract},
        },
    )


def write(path: str, content: str) -> Call:
    return ("write_file", {"path": path, "content": content})


CLAIM: Call = ("claim_done", {"summary": "done"})
