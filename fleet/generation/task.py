"""One task, from its first completion to main: the whole loop follows `stage_of`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from pydantic import JsonValue

from fleet.domain.build import BuildState, Step, StepKind, Task, TaskState
from fleet.domain.event import EventKind
from fleet.domain.ids import CommitId
from fleet.domain.plan import Contract, Plan
from fleet.domain.verdict import GateRequest, Verdict, VerdictState
from fleet.errors import AppError
from fleet.generation.announce import announce
from fleet.generation.architect import catalog_text
from fleet.generation.briefing import active_services, briefing
from fleet.generation.diagnosis import FAILED_FACT
from fleet.generation.evidence import gate_step, not_verified
from fleet.generation.life import Life
from fleet.generation.outcome import BuildEnded
from fleet.generation.plan import commit_time
from fleet.generation.producer import Producer, with_break
from fleet.generation.stage import Move, commit_of, stage_of, steps_of
from fleet.generation.tools.notes import Notes
from fleet.generation.tools.workbench import Dev, Workbench
from fleet.generation.twin import DraftTwin
from fleet.generation.verify import verify
from fleet.generation.workspace import Bounds, Workspace

log = structlog.get_logger()


@dataclass(frozen=True)
class Assignment:
    """`base` is the commit the task starts from, `green` the same when a gate has passed it.

    `dev_ready` waits until dev's database exists.
    """

    plan: Plan
    position: int
    contract: Contract
    base: CommitId
    green: CommitId | None
    twin: DraftTwin
    dev_ready: Callable[[], Awaitable[None]]


class TaskRun:
    def __init__(self, life: Life, task: Task, assignment: Assignment) -> None:
        self._life = life
        self._task = task
        self._assigned = assignment
        planned = assignment.plan.tasks[assignment.position - 1]
        bounds = Bounds(planned.scope, life.deps.settings.max_write_bytes)
        self._workspace = Workspace(
            life.deps.repositories, life.project.id, assignment.base, bounds
        )

    async def run(self) -> CommitId:
        """The commit main is at afterwards. Raises BuildEnded."""
        await self._begin()
        producer: Producer | None = None
        while True:
            own = steps_of(self._task, self._life.steps)
            stage = stage_of(own, self._life.deps.settings.max_task_attempts)
            match stage.move:
                case Move.PRODUCE:
                    self._life.check_budget()
                    if self._task.state is TaskState.FAILED:
                        raise self._ended("it was given up")
                    producer = producer or await self._producer()
                    await self._produce(producer, own)
                case Move.VERIFY:
                    await self._verify(stage.attempt + 1, own)
                case Move.LAND:
                    assert stage.commit is not None
                    await self._land(stage.commit)
                    return stage.commit
                case Move.GIVE_UP:
                    raise self._ended(stage.reason)

    async def fail(self, reason: str) -> None:
        """The task's own end, when the build ends under it."""
        if self._task.state is not TaskState.ACTIVE:
            return
        self._task = await self._life.deps.store.move_task(
            self._life.lease(), self._task.id, TaskState.FAILED, self._task.attempts
        )
        await self._life.emit(EventKind.TASK_FAILED, {"task": str(self._task.id), "reason": reason})

    async def _begin(self) -> None:
        """Marks the task active, and rebuilds the work tree from what is recorded."""
        if self._task.state is TaskState.PENDING:
            await self._move(TaskState.ACTIVE, 0)
            await self._life.emit(
                EventKind.TASK_STARTED,
                {
                    "task": str(self._task.id),
                    "title": self._task.title,
                    "position": self._assigned.position,
                    "of": len(self._assigned.plan.tasks),
                },
            )
        for step in steps_of(self._task, self._life.steps):
            if step.kind is StepKind.GATE:
                self._workspace.committed(commit_of(step))
            elif step.writes:
                await self._workspace.replay(step.writes)

    async def _produce(self, producer: Producer, own: list[Step]) -> None:
        """One completion, or the compaction that is due before it."""
        life = self._life
        if wanted := producer.compaction(own):
            await life.compact(self._task.id, own, wanted)
        else:
            await announce(life, await life.append(await producer.step(self._task, own)))

    async def _producer(self) -> Producer:
        life, deps, assigned = self._life, self._life.deps, self._assigned
        briefed = await briefing(life, assigned.plan, assigned.position, assigned.base)
        bench = Workbench(
            workspace=self._workspace,
            twin=assigned.twin,
            notes=Notes(),
            now=deps.clock.now,
            app=life.project.spec.apps[0],
            dev=Dev(
                project=life.project.id,
                commit=assigned.base,
                timelines=deps.timelines,
                checkpoints=deps.checkpoints,
                judge=deps.judge_sql,
                ready=assigned.dev_ready,
            ),
            runtime=deps.runtime,
            browser=deps.browser,
        )
        catalog = catalog_text(active_services(deps.catalog, assigned.plan), examples=True)
        mind = life.mind(deps.settings.coding_model)
        return Producer(mind, bench, (catalog, briefed), deps.settings)

    async def _verify(self, attempt: int, own: list[Step]) -> None:
        life, deps = self._life, self._life.deps
        await self._assigned.dev_ready()
        commit = await self._commit(attempt, own[-1])
        await self._move(TaskState.ACTIVE, attempt)
        verdict = await self._recorded(attempt)
        if verdict is None:
            names: dict[str, JsonValue] = {"task": str(self._task.id), "attempt": attempt}
            await life.emit(EventKind.GATE_STARTED, {**names, "commit": commit})
            verdict = await verify(deps.gatekeeper, self._gate_request(attempt, commit), life.emit)
            if verdict.state is VerdictState.NOT_VERIFIED:
                raise not_verified(verdict)
            await deps.store.record_verdict(life.lease(), self._task.id, attempt, verdict)
            ended: dict[str, JsonValue] = {
                "green": verdict.green,
                "elapsed_s": verdict.elapsed_s,
                "cached": bool(verdict.cached_from),
            }
            codes = [f"{check}:{found.code}" for check, found in verdict.findings]
            log.info("gate judged", commit=commit, findings=codes[:20], **names, **ended)
            await life.emit(EventKind.GATE_FINISHED, {**names, **ended})
        limit = deps.settings.max_task_attempts
        step = gate_step(self._task.id, attempt, limit, verdict)
        judged = await life.append(step if verdict.green else with_break(step, own, deps.settings))
        await announce(life, judged)
        self._workspace.committed(commit)
        given_up = attempt >= limit or judged.facts.get(FAILED_FACT)
        if not verdict.green and not given_up:
            count = len(verdict.findings)
            await life.emit(
                EventKind.TASK_REOPENED,
                {"task": str(self._task.id), "attempt": attempt + 1, "findings": count},
            )

    async def _commit(self, attempt: int, claim: Step) -> CommitId:
        """The work tree as a commit on the build's branch; made again it is the same one."""
        build, project = self._life.build, self._life.project.id
        message = (
            f"{self._task.title}\n\nBuild {build.id}, task {self._assigned.position}, "
            f"attempt {attempt}"
        )
        commit = await self._workspace.commit(commit_time(build, claim), message)
        repositories, branch = self._life.deps.repositories, f"build/{build.id}"
        tip = await repositories.head(project, branch)
        await repositories.advance(project, branch, commit, tip)
        return commit

    async def _recorded(self, attempt: int) -> Verdict | None:
        """A verdict that a killed predecessor recorded for just this attempt."""
        if not self._life.resumed:
            return None
        for recorded in await self._life.deps.store.verdicts(self._life.build.id):
            if recorded.task == self._task.id and recorded.attempt == attempt:
                return recorded.verdict
        return None

    def _gate_request(self, attempt: int, commit: CommitId) -> GateRequest:
        app = self._life.project.spec.apps[0]
        return GateRequest(
            run=f"{self._life.build.id}.{self._assigned.position}.{attempt}",
            project=self._life.project.id,
            build=self._life.build.id,
            app=app.slug,
            app_path=app.path,
            commit=commit,
            base=self._assigned.green,
            contract=self._assigned.contract,
        )

    async def _land(self, commit: CommitId) -> None:
        """Main, the record and dev come to the green commit; each line may be repeated."""
        life, deps, project = self._life, self._life.deps, self._life.project.id
        await self._assigned.dev_ready()
        await deps.repositories.advance(project, "main", commit, self._assigned.base)
        await deps.store.set_build_commit(life.lease(), life.build.id, commit)
        await deps.store.set_project_head(life.lease(), project, commit)
        try:
            await deps.converge(life.lease(), project, commit)
        except AppError as error:
            raise self._ended(f"it was verified, but did not come up on dev: {error}") from error
        await self._move(TaskState.DONE, self._task.attempts)
        await life.emit(EventKind.TASK_DONE, {"task": str(self._task.id)})
        app = life.project.spec.apps[0]
        url = f"http://{app.slug}-{project}.localhost:{deps.settings.port}/"
        await life.emit(
            EventKind.APP_READY, {"slug": app.slug, "preview_url": url, "commit": commit}
        )

    async def _move(self, state: TaskState, attempts: int) -> None:
        self._task = await self._life.deps.store.move_task(
            self._life.lease(), self._task.id, state, attempts
        )

    def _ended(self, reason: str) -> BuildEnded:
        return BuildEnded(BuildState.FAILED, f"Task “{self._task.title}” failed: {reason}.")
