"""What a build came to, assembled from the record. Pure: the one shape `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from fleet.domain.build import Build, BuildState, Message, Step, StepKind, Task, TaskState
from fleet.domain.chat import Usage
from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, BuildId, CommitId, MessageId, ProjectId, TaskId
from fleet.domain.plan import Contract, Procedure
from fleet.domain.project import Project
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, VerdictState
from fleet.ports import RecordedVerdict
from fleet.verification.browse import picture_path
from serve.chat.spending import SpendingView


class AppView(Frozen):
    slug: AppSlug
    preview_url: str


class ContractView(Frozen):
    procedures: tuple[Procedure, ...] = ()
    tables: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


class ArtefactView(Frozen):
    """`path` lies under the artefacts folder, `url` under the API's; `page` is a screenshot's."""

    path: str
    url: str
    page: str = ""


class CheckView(Frozen):
    """`passed` is False for what holds the verdict red; a skipped check does not (`outcome`)."""

    name: CheckName
    passed: bool
    elapsed_s: float
    outcome: CheckOutcome
    note: str = ""
    findings: tuple[Finding, ...] = ()
    artefacts: tuple[str, ...] = ()
    shown: tuple[ArtefactView, ...] = ()
    recalled: bool = False


class TaskView(Frozen):
    id: TaskId
    title: str
    state: TaskState
    attempts: int


class StepView(Frozen):
    number: int
    kind: StepKind
    title: str
    task: TaskId | None
    files: tuple[str, ...]
    facts: dict[str, JsonValue]
    usage: Usage
    elapsed_s: float
    created_at: datetime


class VerdictView(Frozen):
    task: TaskId
    attempt: int
    commit: CommitId
    green: bool
    state: VerdictState
    cached_from: str
    elapsed_s: float
    phases: dict[str, float]
    checks: tuple[CheckView, ...]
    at: datetime


class BuildSummary(Frozen):
    """`elapsed_s` counts from the message to the end of the build, or to now."""

    project: ProjectId
    build: BuildId
    message: MessageId
    text: str
    model: str | None
    state: BuildState
    title: str
    commit: CommitId | None
    explanation: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    elapsed_s: float


class BuildResult(BuildSummary):
    """`app` is the project's first app. `checks` are the last verdict's; `contract` the plan's."""

    app: AppView
    summary: str
    contract: ContractView
    checks: tuple[CheckView, ...]
    tasks: tuple[TaskView, ...]
    usage: Usage
    steps: tuple[StepView, ...]
    verdicts: tuple[VerdictView, ...]
    spending: SpendingView | None = None


@dataclass(frozen=True)
class BuildRecord:
    """Everything the store knows about one build."""

    build: Build
    tasks: list[Task]
    steps: list[Step]
    verdicts: list[RecordedVerdict]


def build_summary(build: Build, now: datetime) -> BuildSummary:
    return BuildSummary(
        project=build.project,
        build=build.id,
        message=build.message,
        text=build.text,
        model=build.model,
        state=build.state,
        title=build.plan.title if build.plan else "",
        commit=build.commit,
        explanation=build.explanation,
        created_at=build.created_at,
        started_at=build.started_at,
        finished_at=build.finished_at,
        elapsed_s=round(((build.finished_at or now) - build.created_at).total_seconds(), 3),
    )


def build_result(record: BuildRecord, app: AppView, now: datetime) -> BuildResult:
    build = record.build
    pages = build.plan.contract.pages if build.plan else ()
    verdicts = tuple(
        _verdict_view(v, build.project, pages) for v in sorted(record.verdicts, key=lambda v: v.at)
    )
    return BuildResult(
        **dict(build_summary(build, now)),
        app=app,
        summary=build.plan.summary if build.plan else "",
        contract=_contract_view(build.plan.contract) if build.plan else ContractView(),
        checks=verdicts[-1].checks if verdicts else (),
        tasks=tuple(
            TaskView(id=t.id, title=t.title, state=t.state, attempts=t.attempts)
            for t in record.tasks
        ),
        usage=build.usage,
        steps=tuple(_step_view(s) for s in record.steps),
        verdicts=verdicts,
    )


def first_app(project: Project) -> AppSlug:
    return project.spec.apps[0].slug if project.spec.apps else AppSlug("web")


def messages_of(builds: list[Build]) -> list[Message]:
    """A message and its build are written in one transaction, so the builds hold them all."""
    return [
        Message(id=b.message, project=b.project, text=b.text, created_at=b.created_at)
        for b in builds
    ]


def _contract_view(contract: Contract) -> ContractView:
    return ContractView(
        procedures=contract.procedures, tables=contract.tables, pages=contract.pages
    )


def _artefact_view(path: str, project: ProjectId, pages: Sequence[str]) -> ArtefactView:
    inside = path.removeprefix(f"{project}/")
    file = Path(inside)
    page = next((p for p in pages if picture_path(file.parent, p) == file), "")
    return ArtefactView(
        path=path, url=f"/v1/projects/{project}/artefacts/{quote(inside)}", page=page
    )


def _check_view(result: CheckResult, project: ProjectId, pages: Sequence[str]) -> CheckView:
    return CheckView(
        name=result.check,
        passed=result.outcome in (CheckOutcome.PASSED, CheckOutcome.SKIPPED),
        elapsed_s=result.elapsed_s,
        outcome=result.outcome,
        note=result.note,
        findings=result.findings,
        artefacts=result.artefacts,
        shown=tuple(_artefact_view(path, project, pages) for path in result.artefacts),
        recalled=result.recalled,
    )


def _verdict_view(
    recorded: RecordedVerdict, project: ProjectId, pages: Sequence[str]
) -> VerdictView:
    verdict = recorded.verdict
    return VerdictView(
        task=recorded.task,
        attempt=recorded.attempt,
        commit=verdict.commit,
        green=verdict.green,
        state=verdict.state,
        cached_from=verdict.cached_from,
        elapsed_s=verdict.elapsed_s,
        phases=verdict.phases,
        checks=tuple(_check_view(r, project, pages) for r in verdict.results),
        at=recorded.at,
    )


def _step_view(step: Step) -> StepView:
    return StepView(
        number=step.number,
        kind=step.kind,
        title=step.title,
        task=step.task,
        files=tuple(sorted(step.writes)),
        facts=step.facts,
        usage=step.usage,
        elapsed_s=step.elapsed_s,
        created_at=step.created_at,
    )
