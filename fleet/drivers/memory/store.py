"""MemoryStore: the record without a disk, for tests and try-outs. One event loop, one process.

Nothing between a check and its write awaits, so every method is as atomic as a transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, Message, Step, Task, TaskState
from fleet.domain.chat import Usage
from fleet.domain.event import Event, EventKind, NewEvent
from fleet.domain.ids import BuildId, CommitId, MessageId, OwnerId, ProjectId, TaskId, new_id
from fleet.domain.lease import Lease
from fleet.domain.plan import Plan
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.record import (
    build_lease_key,
    build_moves,
    posted,
    project_moves,
    require_storable,
    storable,
    task_moves,
)
from fleet.domain.resource import Resource, ResourceKind
from fleet.domain.verdict import Verdict
from fleet.drivers.memory.tables import Tables, found
from fleet.errors import Conflict, InfrastructureError, LeaseLost
from fleet.ports import NewStep, RecordedVerdict


class MemoryStore:
    """Implements `fleet.ports.Store`."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._t = Tables()
        self._changed = asyncio.Event()
        self._closed = False

    async def ping(self) -> None:
        if self._closed:
            raise InfrastructureError("The store is closed.")

    async def close(self) -> None:
        self._closed = True

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _fence(self, lease: Lease, build: BuildId | None = None) -> None:
        held = self._t.leases.get(lease.key)
        if build is not None and lease.key != build_lease_key(build):
            raise LeaseLost(f"The lease on {lease.key} does not cover build {build}.")
        if held is None or held.token != lease.token:
            raise LeaseLost(f"{lease.holder} no longer holds the lease on {lease.key}.")

    # Owners and tokens

    async def ensure_owner(self, name: str) -> Owner:
        require_storable(name, "owner's name")
        for owner in self._t.owners.values():
            if owner.name == name:
                return owner
        owner = Owner(id=OwnerId(new_id("own")), name=name)
        self._t.owners[owner.id] = owner
        return owner

    async def add_token(self, owner: OwnerId, token_hash: str, label: str) -> None:
        require_storable(label, "label")
        found(self._t.owners, owner, "owner")
        if self._t.tokens.setdefault(token_hash, owner) != owner:
            raise Conflict("That token belongs to another owner.")

    async def owner_of_token(self, token_hash: str) -> Owner | None:
        owner = self._t.tokens.get(token_hash)
        return None if owner is None else self._t.owners[owner]

    # Projects

    async def create_project(self, owner: OwnerId, project: ProjectId, title: str) -> Project:
        require_storable(title, "title")
        require_storable(project, "project id")
        if project in self._t.taken_ids:
            raise Conflict("That project id is taken.", action="Choose another.")
        found(self._t.owners, owner, "owner")
        created = Project(
            id=project,
            owner=owner,
            title=title,
            state=ProjectState.ACTIVE,
            spec=Spec(),
            head=None,
            created_at=self._now(),
        )
        self._t.taken_ids.add(project)
        self._t.projects[project] = created
        self._append(
            project, None, NewEvent(kind=EventKind.PROJECT_CREATED, payload={"title": title})
        )
        return created

    async def project(self, project: ProjectId) -> Project:
        return found(self._t.projects, project, "project")

    async def projects(self, owner: OwnerId | None = None) -> list[Project]:
        return [p for p in self._t.projects.values() if owner in (None, p.owner)]

    async def set_project_title(self, lease: Lease, project: ProjectId, title: str) -> None:
        require_storable(title, "title")
        self._set_project(lease, project, title=title)

    async def set_project_head(self, lease: Lease, project: ProjectId, head: CommitId) -> None:
        self._set_project(lease, project, head=head)

    async def set_project_spec(self, lease: Lease, project: ProjectId, spec: Spec) -> None:
        self._set_project(lease, project, spec=spec)

    def _set_project(self, lease: Lease, project: ProjectId, **update: object) -> None:
        self._fence(lease)
        current = found(self._t.projects, project, "project")
        self._t.projects[project] = current.model_copy(update=update)

    async def set_project_state(self, project: ProjectId, state: ProjectState) -> None:
        current = found(self._t.projects, project, "project")
        if project_moves(current.state, state):
            self._t.projects[project] = current.model_copy(update={"state": state})
            self._append(project, None, NewEvent(kind=EventKind.PROJECT_DELETED))

    async def forget_project(self, project: ProjectId) -> None:
        if any(r.project == project for r in self._t.resources.values()):
            raise Conflict("The project still has resources; remove them before it is forgotten.")
        self._t.forget(project)
        self._announce()

    # Messages and builds

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
        return self._set_build(
            build,
            state=state,
            explanation=storable(explanation),
            started_at=current.started_at or (None if ends else self._now()),
            finished_at=self._now() if ends else None,
        )

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

    async def append_step(self, lease: Lease, build: BuildId, step: NewStep) -> Step:
        self._fence(lease, build)
        current = found(self._t.builds, build, "build")
        if step.task is not None:
            found(self._t.tasks, step.task, "task")
        steps = self._t.steps.setdefault(build, [])
        values = {name: getattr(step, name) for name in NewStep.model_fields}
        values |= {"number": len(steps) + 1, "build": build, "created_at": self._now()}
        stored = Step(**{**values, "title": storable(step.title)})
        steps.append(stored)
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

    # Events

    def _append(self, project: ProjectId, build: BuildId | None, new: NewEvent) -> Event:
        events = self._t.events.setdefault(project, [])
        event = Event(
            number=len(events) + 1,
            project=project,
            build=build,
            kind=new.kind,
            payload=new.payload,
            at=self._now(),
        )
        events.append(event)
        self._announce()
        return event

    async def append_event(
        self, project: ProjectId, build: BuildId | None, event: NewEvent
    ) -> Event:
        found(self._t.projects, project, "project")
        if build is not None:
            found(self._t.builds, build, "build")
        return self._append(project, build, event)

    async def events(self, project: ProjectId, after: int, limit: int = 500) -> list[Event]:
        found(self._t.projects, project, "project")
        return self._t.events[project][after : after + limit]

    async def wait_for_events(self, project: ProjectId, after: int, timeout: timedelta) -> bool:
        def there() -> bool:
            found(self._t.projects, project, "project")
            return len(self._t.events[project]) > after

        return await self._wait(there, timeout)

    async def wait_for_work(self, timeout: timedelta) -> bool:
        return await self._wait(lambda: self._t.claimable(self._now()) is not None, timeout)

    async def _wait(self, there: Callable[[], bool], timeout: timedelta) -> bool:
        """Looks again after every change, and when a lease may have expired by itself."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout.total_seconds()
        while not there():
            left_s = give_up_at - loop.time()
            expiries = [
                (lease.expires_at - self._now()).total_seconds()
                for lease in self._t.leases.values()
            ]
            until_s = min([left_s, *(s for s in expiries if s > 0)])
            try:
                async with asyncio.timeout(max(until_s, 0.0)):
                    await self._changed.wait()
            except TimeoutError:
                if until_s == left_s:
                    return there()
        return True

    # Leases

    def _grant(self, key: str, holder: str, ttl: timedelta) -> Lease:
        self._t.last_token += 1
        lease = Lease(
            key=key, token=self._t.last_token, holder=holder, expires_at=self._now() + ttl
        )
        self._t.leases[key] = lease
        return lease

    async def acquire_lease(self, key: str, holder: str, ttl: timedelta) -> Lease | None:
        require_storable(key + holder, "lease")
        if self._t.live(key, self._now()) and self._t.leases[key].holder != holder:
            return None
        return self._grant(key, holder, ttl)

    async def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        self._fence(lease)
        renewed = lease.model_copy(update={"expires_at": self._now() + ttl})
        self._t.leases[lease.key] = renewed
        return renewed

    async def release_lease(self, lease: Lease) -> None:
        held = self._t.leases.get(lease.key)
        if held is not None and held.token == lease.token:
            del self._t.leases[lease.key]
            self._announce()

    async def release_leases_of(self, holder: str) -> int:
        keys = [lease.key for lease in self._t.leases.values() if lease.holder == holder]
        for key in keys:
            del self._t.leases[key]
        self._announce()
        return len(keys)

    # Inventory

    async def register_resource(
        self, project: ProjectId, kind: ResourceKind, name: str, scope: str
    ) -> None:
        require_storable(name + scope, "resource's name")
        known = self._t.resources.get((kind, name))
        if known is not None and known.project != project:
            raise Conflict(f"The {kind} {name} belongs to another project.")
        found(self._t.projects, project, "project")
        created_at = known.created_at if known else self._now()
        self._t.resources[kind, name] = Resource(
            project=project, kind=kind, name=name, scope=scope, created_at=created_at
        )

    async def drop_resource(self, kind: ResourceKind, name: str) -> None:
        self._t.resources.pop((kind, name), None)

    async def resources(
        self, project: ProjectId | None = None, scope: str | None = None
    ) -> list[Resource]:
        return [
            r
            for r in self._t.resources.values()
            if project in (None, r.project) and scope in (None, r.scope)
        ]
