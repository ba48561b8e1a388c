"""The first half of a build: the repository, then the architect's plan, saved once."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import JsonValue

from fleet.domain.build import Build, BuildState, Step, StepKind
from fleet.domain.ids import CommitId, dev_endpoint
from fleet.domain.plan import Contract, Plan
from fleet.domain.project import SPEC_PATH, Project
from fleet.domain.repository import NewCommit
from fleet.domain.resource import ResourceKind
from fleet.errors import NotFound
from fleet.generation.architect import (
    MAX_ARCHITECT_STEPS,
    Architect,
    Request,
    accepted_plan,
    refusals,
)
from fleet.generation.life import Life
from fleet.generation.outcome import BuildEnded
from fleet.generation.workspace import Bounds, Workspace
from fleet.ports import Repositories, Scaffold

PROJECT_SCOPE = "project"


async def work_base(life: Life) -> CommitId:
    """The commit a build starts from: main's tip, which for a new project is the scaffold."""
    repositories, project = life.deps.repositories, life.project
    if project.head is None:
        await life.deps.store.register_resource(
            project.id, ResourceKind.REPOSITORY, project.id, PROJECT_SCOPE
        )
        await repositories.create(project.id)
    tip = await repositories.head(project.id)
    if tip is None:
        tip = await _commit_scaffold(repositories, life.deps.scaffold, project)
        await repositories.advance(project.id, "main", tip, None)
    return tip


async def _commit_scaffold(
    repositories: Repositories, scaffold: Scaffold, project: Project
) -> CommitId:
    files: dict[str, str | None] = dict(scaffold.files())
    files[SPEC_PATH] = project.spec.model_dump_json(indent=2) + "\n"
    new = NewCommit(parent=None, changes=files, message="Scaffold", at=project.created_at)
    return await repositories.commit(project.id, new)


async def make_plan(life: Life, base: CommitId) -> Plan:
    """Asks until a plan is accepted. Raises BuildEnded when the attempts are spent."""
    if (plan := accepted_plan(life.steps)) is not None:
        return plan
    deps, limit = life.deps, life.deps.settings.max_plan_attempts
    workspace = Workspace(deps.repositories, life.project.id, base, Bounds((), 0))
    request = await _request(life, workspace)
    mind = life.mind(deps.settings.planning_model)
    architect = Architect(mind, workspace, deps.catalog, request, deps.settings)
    while True:
        told = [s for s in life.steps if s.task is None]
        own = [s for s in told if s.kind is StepKind.ARCHITECT]
        if (plan := accepted_plan(own)) is not None:
            return plan
        refused = refusals(own)
        if len(refused) >= limit or len(own) >= MAX_ARCHITECT_STEPS:
            last = refused[-1].removeprefix("Error: ") if refused else "it submitted none."
            raise BuildEnded(
                BuildState.FAILED,
                f"The model made no valid plan in {max(len(refused), 1)} attempts: {last[:600]} "
                "Say it in other words, or choose another model.",
            )
        life.check_budget()
        if wanted := architect.compaction(told):
            await life.compact(None, told, wanted)
            continue
        step = await architect.step(told)
        await life.append(step.model_copy(update={"facts": {**step.facts, "base": base}}))


def recorded_base(steps: list[Step]) -> CommitId | None:
    """The base an earlier run of this build worked from."""
    found = (s.facts.get("base") for s in steps if s.kind is StepKind.ARCHITECT)
    return next((CommitId(str(b)) for b in found if b), None)


async def contract_before(life: Life) -> Contract:
    """What the app promised before this build: its last green build's contract."""
    builds = await life.deps.store.builds(life.project.id)
    for build in reversed([b for b in builds if b.id != life.build.id]):
        if build.state is BuildState.SUCCEEDED and build.plan is not None:
            return build.plan.contract
    return Contract(pages=())


def contract_for(plan: Plan, before: Contract, *, last: bool) -> Contract:
    """What a task is held to: the last one to everything, an earlier one to what was there
    before and stays."""
    if last:
        return plan.contract
    kept = {p.name for p in before.procedures}
    return Contract(
        procedures=tuple(p for p in plan.contract.procedures if p.name in kept),
        tables=tuple(t for t in plan.contract.tables if t in before.tables),
        pages=tuple(p for p in plan.contract.pages if p in before.pages),
    )


async def _request(life: Life, workspace: Workspace) -> Request:
    schema: dict[str, list[str]] = {}
    outcome: JsonValue = None
    if life.project.head is not None:
        try:
            schema = await life.deps.timelines.tables(dev_endpoint(life.project.id))
        except NotFound:
            schema = {}  # no database yet: an app without tables
    builds = await life.deps.store.builds(life.project.id)
    earlier = [b for b in builds if b.id != life.build.id and b.created_at <= life.build.created_at]
    if earlier:
        outcome = await _last_outcome(life, earlier)
    return Request(
        message=life.build.text,
        project=life.project.id,
        title=life.project.title,
        files=sorted(await workspace.files()),
        spec=life.project.spec.model_dump(mode="json"),
        schema=schema,
        last_outcome=outcome,
    )


async def _last_outcome(life: Life, earlier: list[Build]) -> JsonValue:
    """The last build's end, and the contract and design of the last one that went right."""
    last = earlier[-1]
    green = next((b for b in reversed(earlier) if b.state is BuildState.SUCCEEDED and b.plan), None)
    findings: list[JsonValue] = []
    if last.state is not BuildState.SUCCEEDED:
        verdicts = await life.deps.store.verdicts(last.id)
        if verdicts:
            findings = [
                {"check": c.value, "where": f.where, "code": f.code, "message": f.message}
                for c, f in verdicts[-1].verdict.findings[:10]
            ]
    plan = green.plan if green else None
    return {
        "message": last.text,
        "state": last.state.value,
        "explanation": last.explanation,
        "findings": findings,
        "title": plan.title if plan else None,
        "contract": plan.contract.model_dump(mode="json") if plan else None,
        "design": plan.design if plan else "",
    }


def commit_time(build: Build, claim: Step) -> datetime:
    """From facts alone, so that a commit made again after a crash is the same one."""
    return build.created_at + timedelta(seconds=claim.number)
