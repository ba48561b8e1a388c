"""MemoryStore's messages, builds, tasks, steps, verdicts, and what owners spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, Message, Step, Task, TaskState
from fleet.domain.chat import Usage
from fleet.domain.ids import BuildId, CommitId, MessageId, OwnerId, ProjectId, TaskId, new_id
from fleet.domain.lease import Lease
from fleet.domain.plan import Plan
from fleet.domain.project import ProjectState
from fleet.domain.record import (
    build_lease_key,
    build_moves,
    continued,
    finished,
    posted,
    require_continuable,
    require_storable,
    spending_from,
    step_repeats,
    storable,
    task_moves,
)
from fleet.domain.verdict import Verdict
from fleet.drivers.memory.ground import MemoryGround
from fleet.drivers.memory.tables import found
from fleet.errors import Conflict
from fleet.ports import NewStep, RecordedVerdict, Spending, Totals


class MemoryBuilds(MemoryGround):
    async def post_message(
        self, project: ProjectId, text: str, model: str | None
    ) -> tuple[Message, Build]:
        require_storable(text, "message")
        require_storable(model or "", "model's name")
        if found(self._t.projects, project, "project").state is not ProjectState.ACTIVE:
            raise Conflict(f"Project {project} is being deleted.")
        now = self._now()
        message = Message(id=MessageId(new_id("msg")), project=project, text=text, created_at=now)
        build = Build(
            id=BuildId(new_id("bld")),
            project=project,
            message=message.id,
            text=text,
            model=model,
            state=BuildState.QUEUED,
            plan=None,
            base=None,
            commit=None,
            explanation="",
            usage=Usage(),
            created_at=now,
            started_at=None,
            finished_at=None,
        )
        self._t.builds[build.id] = build
        for event in posted(message, build):
            self._append(project, build.id, event)
        return message, build

    async def build(self, build: BuildId) -> Build:
        return found(self._t.builds, build, "build")

    async def builds(self, project: ProjectId) -> list[Build]:
        found(self._t.projects, project, "project")
        return [b for b in self._t.builds.values() if b.project == project]

    async def newest_builds(self, owner: OwnerId) -> list[Build]:
        newest = {b.project: b for b in self._t.builds.values()}  # in the order of posting
        return [b for b in newest.values() if self._t.projects[b.project].owner == owner]

    async def unfinished_builds(self) -> list[Build]:
        return [b for b in self._t.builds.values() if b.finished_at is None]

    async def claim_build(self, holder: str, ttl: timedelta) -> tuple[Build, Lease] | None:
        build = self._t.claimable(self._now())
        if build is None:
            return None
        return build, self._grant(build_lease_key(build.id), holder, ttl)

    async def advance_build(
        self, lease: Lease, build: BuildId, state: BuildState, explanation: str = ""
    ) -> Build:
        self._fence(lease, build)
        current = found(self._t.builds, build, "build")
        if not build_moves(current, state):
            return current
        ends = state in FINAL_BUILD_STATES
        moved = self._set_build(
            build,
            state=state,
            explanation=storable(explanation),
            started_at=current.started_at or (None if ends else self._now()),
            finished_at=self._now() if ends else None,
        )
        if ends:
            self._append(moved.project, build, finished(moved))
        return moved

    def _set_build(self, build: BuildId, **update: object) -> Build:
        changed = found(self._t.builds, build, "build").model_copy(update=update)
        self._t.builds[build] = changed
        self._announce()
        return changed

    async def save_plan(
        self, lease: Lease, build: BuildId, plan: Plan, base: CommitId | None
    ) -> list[Task]:
        self._fence(lease, build)
        recorded = found(self._t.builds, build, "build").plan
        if recorded is None:
            self._set_build(build, plan=plan, base=base)
            for position, planned in enumerate(plan.tasks):
                task = Task(
                    id=TaskId(new_id("tsk")),
                    build=build,
                    position=position,
                    title=storable(planned.title),
                    state=TaskState.PENDING,
                    attempts=0,
                )
                self._t.tasks[task.id] = task
        elif recorded != plan:
            raise Conflict(f"Build {build} has another plan already.")
        return await self.tasks(build)

    async def set_build_commit(self, lease: Lease, build: BuildId, commit: CommitId) -> None:
        self._fence(lease, build)
        self._set_build(build, commit=commit)

    async def tasks(self, build: BuildId) -> list[Task]:
        found(self._t.builds, build, "build")
        return [t for t in self._t.tasks.values() if t.build == build]

    async def move_task(self, lease: Lease, task: TaskId, state: TaskState, attempts: int) -> Task:
        self._fence(lease)
        current = found(self._t.tasks, task, "task")
        self._fence(lease, current.build)
        if task_moves(current, state, attempts):
            current = current.model_copy(update={"state": state, "attempts": attempts})
            self._t.tasks[task] = current
        return current

    async def append_step(
        self, lease: Lease, build: BuildId, step: NewStep, after: int | None = None
    ) -> Step:
        self._fence(lease, build)
        current = found(self._t.builds, build, "build")
        if step.task is not None:
            found(self._t.tasks, step.task, "task")
        steps = self._t.steps.setdefault(build, [])
        above = steps[len(steps) if after is None else after :]
        if step_repeats(above, step, after):
            return above[0]
        values = {name: getattr(step, name) for name in NewStep.model_fields}
        values |= {"number": len(steps) + 1, "build": build, "created_at": self._now()}
        stored = Step(**{**values, "title": storable(step.title)})
        steps.append(stored)
        owner = self._t.projects[current.project].owner
        spent = Spending(steps=int(stored.counted), usage=step.usage, wall_s=step.elapsed_s)
        self._t.spent.append((owner, spending_from(stored.created_at), spent))
        self._set_build(build, usage=current.usage.plus(step.usage))
        return stored

    async def steps(self, build: BuildId) -> list[Step]:
        found(self._t.builds, build, "build")
        return list(self._t.steps.get(build, ()))

    async def record_verdict(
        self, lease: Lease, task: TaskId, attempt: int, verdict: Verdict
    ) -> None:
        self._fence(lease)
        self._fence(lease, found(self._t.tasks, task, "task").build)
        evidence = RecordedVerdict(task=task, attempt=attempt, verdict=verdict, at=self._now())
        self._t.verdicts.setdefault((task, attempt), evidence)

    async def verdicts(self, build: BuildId) -> list[RecordedVerdict]:
        tasks = [t.id for t in await self.tasks(build)]
        chosen = [v for v in self._t.verdicts.values() if v.task in tasks]
        return sorted(chosen, key=lambda v: (tasks.index(v.task), v.attempt))

    async def remember_verdict(self, project: ProjectId, key: str, verdict: Verdict) -> None:
        require_storable(key, "key")
        found(self._t.projects, project, "project")
        self._t.remembered[project, key] = verdict

    async def remembered_verdict(self, project: ProjectId, key: str) -> Verdict | None:
        found(self._t.projects, project, "project")
        return self._t.remembered.get((project, key))

    # Budgets

    async def continue_build(self, build: BuildId) -> Build:
        current = found(self._t.builds, build, "build")
        if self._t.projects[current.project].state is not ProjectState.ACTIVE:
            raise Conflict(f"Project {current.project} is being deleted.")
        require_continuable(current, (await self.builds(current.project))[-1])
        again = self._set_build(
            build,
            state=BuildState.QUEUED,
            explanation="",
            started_at=None,
            finished_at=None,
            budget_from=len(self._t.steps.get(build, ())),
        )
        self._append(again.project, build, continued(again, await self.tasks(build)))
        return again

    async def owner_spending(self, owner: OwnerId, since: datetime) -> Spending:
        found(self._t.owners, owner, "owner")
        first = spending_from(since)
        return _sum([s for whose, at, s in self._t.spent if whose == owner and at >= first])

    async def totals(self) -> Totals:
        return Totals(
            projects=len(self._t.projects),
            builds=Counter(build.state for build in self._t.builds.values()),
            spent=_sum([spent for _, _, spent in self._t.spent]),
        )


def _sum(spent: Sequence[Spending]) -> Spending:
    usage = Usage()
    for one in spent:
        usage = usage.plus(one.usage)
    return Spending(
        steps=sum(s.steps for s in spent), usage=usage, wall_s=sum(s.wall_s for s in spent)
    )
