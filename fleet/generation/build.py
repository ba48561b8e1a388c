"""The life of one build, from a queued message to a final state.

Everything it does next is read from recorded facts, so it may die between any two lines: called
again for the same build, it goes on after the last finished step and repeats none.
"""

from __future__ import annotations

import asyncio

import structlog
from pydantic import JsonValue

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, Task, TaskState
from fleet.domain.event import EventKind
from fleet.domain.ids import CommitId
from fleet.domain.lease import Lease
from fleet.domain.plan import Contract, Plan
from fleet.errors import (
    AppError,
    AppfleetError,
    InfrastructureError,
    ModelError,
    SetupError,
    UserError,
    in_short,
)
from fleet.generation.keeper import LeaseKeeper
from fleet.generation.life import BuildDependencies, Converge, Life
from fleet.generation.outcome import MODEL_FAILED, PLATFORM_FAILED, BuildEnded
from fleet.generation.plan import (
    contract_before,
    contract_for,
    make_plan,
    recorded_base,
    work_base,
)
from fleet.generation.stage import commit_of, steps_of
from fleet.generation.task import Assignment, TaskRun
from fleet.generation.twin import DraftTwin, TwinPorts

__all__ = ["BuildDependencies", "BuildRunner", "Converge"]

log = structlog.get_logger()

MAX_INTERRUPTIONS = 3
BACKOFF_S = 1.0


class BuildRunner:
    """Safe for many builds at once; holds nothing between two of them."""

    def __init__(self, deps: BuildDependencies) -> None:
        self._deps = deps

    async def run(self, build: Build, lease: Lease) -> Build:
        """The build in its final state. Raises LeaseLost when a successor took over, and
        InfrastructureError when not even its failure could be recorded."""
        deps = self._deps
        keeper = LeaseKeeper(deps.store, deps.clock, lease, deps.settings.lease_ttl_s)
        return await keeper.guard(lambda: self._persevere(build, keeper))

    async def give_up(self, build: Build, lease: Lease, error: Exception) -> Build:
        """Ends a build that a fault of the platform's own interrupts again and again."""
        deps = self._deps
        keeper = LeaseKeeper(deps.store, deps.clock, lease, deps.settings.lease_ttl_s)
        run = await _Run.begin(deps, keeper, build, resumed=True)
        fault = InfrastructureError(f"{type(error).__name__}: {error}")
        return await run.end(BuildState.FAILED, _platform_fault(fault))

    async def _persevere(self, build: Build, keeper: LeaseKeeper) -> Build:
        """Infrastructure may fail a few times in a row without progress; that is no app's fault."""
        interruptions = 0
        while True:
            run = await _Run.begin(self._deps, keeper, build, resumed=interruptions > 0)
            try:
                return await run.to_its_end()
            except (InfrastructureError, SetupError, OSError) as error:
                interruptions = 1 if run.progressed else interruptions + 1
                log.warning("build interrupted", build=build.id, error=str(error))
                if interruptions > MAX_INTERRUPTIONS:
                    return await run.end(BuildState.FAILED, _platform_fault(error))
                await run.notice(f"Interrupted, trying again: {in_short(error)}")
                await self._deps.clock.sleep(BACKOFF_S * 2 ** (interruptions - 1))


class _Run:
    """One attempt at a build's whole life."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._task: TaskRun | None = None
        self._dev: asyncio.Task[None] | None = None
        self._twin = DraftTwin(
            TwinPorts(life.deps.store, life.deps.timelines, life.deps.runtime),
            life.build,
            life.project.spec.apps[0],
            self._dev_ready,
        )

    @classmethod
    async def begin(
        cls, deps: BuildDependencies, keeper: LeaseKeeper, build: Build, *, resumed: bool
    ) -> _Run:
        """Loads the record. `resumed`: this process has tried before."""
        build = await deps.store.build(build.id)
        project = await deps.store.project(build.project)
        untouched = build.state is BuildState.QUEUED and not build.budget_from
        life = Life(
            deps=deps,
            lease=lambda: keeper.lease,
            project=project,
            build=build,
            resumed=not untouched,
            steps=[] if untouched else await deps.store.steps(build.id),
        )
        if build.state not in FINAL_BUILD_STATES:
            await life.look_at_owner()
            if not resumed:
                interrupted = build.state is not BuildState.QUEUED
                await life.emit(
                    EventKind.BUILD_STARTED,
                    {"holder": keeper.lease.holder, "resumed": interrupted},
                )
        return cls(life)

    @property
    def progressed(self) -> bool:
        return self._life.appended > 0

    async def notice(self, text: str) -> None:
        await self._life.emit(EventKind.NOTICE, {"text": text[:500]})

    async def to_its_end(self) -> Build:
        if self._life.build.state in FINAL_BUILD_STATES:
            return self._life.build
        try:
            explanation = await self._work()
        except BuildEnded as ended:
            return await self.end(ended.state, ended.explanation)
        except ModelError as error:
            return await self.end(BuildState.FAILED, f"{MODEL_FAILED}: {in_short(error)}")
        except (UserError, AppError) as error:
            # Not a matter of trying again: main moved, the last plan cannot be read, and the like.
            return await self.end(BuildState.FAILED, f"The build could not go on: {error}")
        finally:
            await self._forget_dev()
        return await self.end(BuildState.SUCCEEDED, explanation)

    async def end(self, state: BuildState, explanation: str) -> Build:
        """Writes the final state; throwaways go after it, since nobody waits for them."""
        life = self._life
        if state is not BuildState.SUCCEEDED:
            if life.project.head is not None:
                explanation += " The app stays up as it was before."
            # Out of budget the task stays active: a continued build goes on with it.
            if self._task is not None and state is not BuildState.OUT_OF_BUDGET:
                await self._task.fail(explanation)
        await life.advance(state, explanation)
        try:
            await self._twin.remove()
        except (AppfleetError, OSError) as error:
            # Its resource rows remain, so the sweep removes it.
            log.warning("draft twin not removed", build=life.build.id, error=str(error))
        return life.build

    async def _work(self) -> str:
        life = self._life
        if life.build.state is BuildState.QUEUED:
            await life.advance(BuildState.PLANNING)
        elif not (life.steps and life.steps[-1].facts.get("green")):
            life.check_budget()  # also ends a build that is resumed over and over
        base = recorded_base(life.steps) or await work_base(life)
        tasks = await life.deps.store.tasks(life.build.id) if life.build.plan else []
        self._converge(self._reached(tasks, base))
        if life.build.state is BuildState.PLANNING:
            tasks = await self._plan(base)
        plan = life.build.plan
        if plan is None:
            raise InfrastructureError(
                f"Build {life.build.id} is {life.build.state} but has no plan on record."
            )
        commit = base
        for position, task in enumerate(tasks, 1):
            commit = await self._do(task, plan, commit, position)
        return _success(plan, commit)

    async def _plan(self, base: CommitId) -> list[Task]:
        """Planned, saved and announced. Every line may be repeated by a successor."""
        life, store = self._life, self._life.deps.store
        plan = life.build.plan or await make_plan(life, base)
        green = base if life.project.head is not None else None
        tasks = await store.save_plan(life.lease(), life.build.id, plan, green)
        if life.project.title != plan.title:
            await store.set_project_title(life.lease(), life.project.id, plan.title)
        if all(task.state is TaskState.PENDING for task in tasks):  # else it is known
            await life.emit(EventKind.PLAN_READY, _announced(plan))
        await life.advance(BuildState.PRODUCING)
        life.build = life.build.model_copy(update={"plan": plan, "base": green})
        return tasks

    async def _do(self, task: Task, plan: Plan, base: CommitId, position: int) -> CommitId:
        """The commit main is at after the task; positions are counted from 1."""
        life = self._life
        if task.state is TaskState.DONE:
            return commit_of(steps_of(task, life.steps)[-1])
        last = position == len(plan.tasks)
        before = Contract() if last else await contract_before(life)
        assignment = Assignment(
            plan=plan,
            position=position,
            contract=contract_for(plan, before, last=last),
            base=base,
            green=life.build.base if position == 1 else base,
            twin=self._twin,
            dev_ready=self._dev_ready,
        )
        self._task = TaskRun(life, task, assignment)
        commit = await self._task.run()
        life.project = life.project.model_copy(update={"head": commit})
        return commit

    def _reached(self, tasks: list[Task], base: CommitId) -> CommitId:
        """The last green commit of this build, else its base: where dev should be now."""
        for task in tasks:
            if task.state is TaskState.DONE:
                base = commit_of(steps_of(task, self._life.steps)[-1])
        return base

    def _converge(self, commit: CommitId) -> None:
        """Begins while the model still thinks: nothing needs dev before the first gate."""
        life = self._life
        self._dev = asyncio.create_task(self._converge_dev(life.lease(), commit))

    async def _converge_dev(self, lease: Lease, commit: CommitId) -> None:
        try:
            await self._life.deps.converge(lease, self._life.project.id, commit)
        except AppError as error:
            # The app of before does not come up: for the new commit to mend, or for the gate.
            log.warning("dev is not up", project=self._life.project.id, error=str(error))

    async def _dev_ready(self) -> None:
        if self._dev is not None:
            await asyncio.shield(self._dev)

    async def _forget_dev(self) -> None:
        if self._dev is not None:
            self._dev.cancel()
            await asyncio.gather(self._dev, return_exceptions=True)


def _announced(plan: Plan) -> dict[str, JsonValue]:
    return {
        "title": plan.title,
        "summary": plan.summary,
        "tasks": [t.title for t in plan.tasks],
        "procedures": [p.name for p in plan.contract.procedures],
        "tables": list(plan.contract.tables),
        "pages": list(plan.contract.pages),
    }


def _success(plan: Plan, commit: CommitId) -> str:
    contract = plan.contract
    counts = [
        _count(len(contract.pages), "page"),
        _count(len(contract.procedures), "procedure"),
        _count(len(contract.tables), "table"),
    ]
    made = ", ".join(c for c in counts if c)
    return f"{plan.title} is running and verified at {commit[:8]}: {made}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


def _platform_fault(error: Exception) -> str:
    return (
        f"{PLATFORM_FAILED} {MAX_INTERRUPTIONS + 1} times in a row, and the app is not at "
        f"fault: {in_short(error)} Send the message again when that is mended; "
        "`appfleet doctor` may say how."
    )
