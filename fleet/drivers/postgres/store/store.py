"""PostgresStore: each method is one transaction; a lease-carrying one passes the fence in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from fleet.domain.build import Build, BuildState, Message, Step, Task, TaskState
from fleet.domain.event import Event, NewEvent
from fleet.domain.ids import BuildId, CheckpointId, CommitId, OwnerId, ProjectId, TaskId
from fleet.domain.lease import Lease
from fleet.domain.plan import Plan
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.resource import Resource, ResourceKind
from fleet.domain.timeline import Checkpoint
from fleet.domain.verdict import Verdict
from fleet.drivers.postgres.store import (
    budgets,
    builds,
    checkpoints,
    events,
    leases,
    projects,
    resources,
    verdicts,
)
from fleet.drivers.postgres.store.database import Connection, Database
from fleet.drivers.postgres.store.listener import Listener
from fleet.drivers.postgres.store.schema import migrate as migrate_schema
from fleet.drivers.postgres.store.schema import schema_migrations
from fleet.ports import NewStep, RecordedVerdict, Spending, Totals

_LISTEN_DEADLINE_S = 15.0


class PostgresStore:
    """Implements `fleet.ports.Store`. Belongs to the event loop it was connected on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listener = Listener(database.conninfo)

    @classmethod
    async def connect(
        cls, conninfo: str, *, max_size: int = 8, migrate: bool = True
    ) -> PostgresStore:
        """SetupError for a database of a newer version, InfrastructureError when none answers."""
        database = Database(conninfo, max_size)
        try:
            await database.open()
            if migrate:
                await migrate_schema(database, schema_migrations())
        except BaseException:
            await database.close()
            raise
        return cls(database)

    async def close(self) -> None:
        await self._listener.close()
        await self._database.close()

    async def ping(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(b"select 1")

    @asynccontextmanager
    async def _fenced(
        self, lease: Lease, build: BuildId | None = None
    ) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            await leases.fence(connection, lease, build)
            yield connection

    @asynccontextmanager
    async def _fenced_task(
        self, lease: Lease, task: TaskId
    ) -> AsyncIterator[tuple[Connection, Task]]:
        async with self._fenced(lease) as connection:
            found = await builds.task(connection, task)
            await leases.fence(connection, lease, found.build)
            yield connection, found

    # Owners and tokens

    async def ensure_owner(self, name: str) -> Owner:
        async with self._database.transaction() as connection:
            return await projects.ensure_owner(connection, name)

    async def add_token(self, owner: OwnerId, token_hash: str, label: str) -> None:
        async with self._database.transaction() as connection:
            await projects.add_token(connection, owner, token_hash, label)

    async def owner_of_token(self, token_hash: str) -> Owner | None:
        async with self._database.transaction() as connection:
            return await projects.owner_of_token(connection, token_hash)

    # Projects

    async def create_project(self, owner: OwnerId, project: ProjectId, title: str) -> Project:
        async with self._database.transaction() as connection:
            return await projects.create(connection, owner, project, title)

    async def project(self, project: ProjectId) -> Project:
        async with self._database.transaction() as connection:
            return await projects.one(connection, project)

    async def projects(self, owner: OwnerId | None = None) -> list[Project]:
        async with self._database.transaction() as connection:
            return await projects.every(connection, owner)

    async def set_project_title(self, lease: Lease, project: ProjectId, title: str) -> None:
        async with self._fenced(lease) as connection:
            await projects.set_title(connection, project, title)

    async def set_project_head(self, lease: Lease, project: ProjectId, head: CommitId) -> None:
        async with self._fenced(lease) as connection:
            await projects.set_head(connection, project, head)

    async def set_project_spec(self, lease: Lease, project: ProjectId, spec: Spec) -> None:
        async with self._fenced(lease) as connection:
            await projects.set_spec(connection, project, spec)

    async def set_project_state(self, project: ProjectId, state: ProjectState) -> None:
        async with self._database.transaction() as connection:
            await projects.set_state(connection, project, state)

    async def forget_project(self, project: ProjectId) -> None:
        async with self._database.transaction() as connection:
            await projects.forget(connection, project)

    # Messages and builds

    async def post_message(
        self, project: ProjectId, text: str, model: str | None
    ) -> tuple[Message, Build]:
        async with self._database.transaction() as connection:
            return await builds.post(connection, project, text, model)

    async def build(self, build: BuildId) -> Build:
        async with self._database.transaction() as connection:
            return await builds.one(connection, build)

    async def builds(self, project: ProjectId) -> list[Build]:
        async with self._database.transaction() as connection:
            return await builds.of_project(connection, project)

    async def newest_builds(self, owner: OwnerId) -> list[Build]:
        async with self._database.transaction() as connection:
            return await builds.newest(connection, owner)

    async def unfinished_builds(self) -> list[Build]:
        async with self._database.transaction() as connection:
            return await builds.unfinished(connection)

    async def claim_build(self, holder: str, ttl: timedelta) -> tuple[Build, Lease] | None:
        async with self._database.transaction() as connection:
            return await leases.claim(connection, holder, ttl)

    async def advance_build(
        self, lease: Lease, build: BuildId, state: BuildState, explanation: str = ""
    ) -> Build:
        async with self._fenced(lease, build) as connection:
            return await builds.advance(connection, build, state, explanation)

    async def save_plan(
        self, lease: Lease, build: BuildId, plan: Plan, base: CommitId | None
    ) -> list[Task]:
        async with self._fenced(lease, build) as connection:
            return await builds.save_plan(connection, build, plan, base)

    async def set_build_commit(self, lease: Lease, build: BuildId, commit: CommitId) -> None:
        async with self._fenced(lease, build) as connection:
            await builds.set_commit(connection, build, commit)

    async def tasks(self, build: BuildId) -> list[Task]:
        async with self._database.transaction() as connection:
            return await builds.tasks(connection, build)

    async def move_task(self, lease: Lease, task: TaskId, state: TaskState, attempts: int) -> Task:
        async with self._fenced_task(lease, task) as (connection, found):
            return await builds.move_task(connection, found, state, attempts)

    async def append_step(
        self, lease: Lease, build: BuildId, step: NewStep, after: int | None = None
    ) -> Step:
        async with self._fenced(lease, build) as connection:
            stored, new = await builds.append_step(connection, build, step, after)
            if new:
                await budgets.spend(connection, stored)
            return stored

    async def steps(self, build: BuildId) -> list[Step]:
        async with self._database.transaction() as connection:
            return await builds.steps(connection, build)

    async def record_verdict(
        self, lease: Lease, task: TaskId, attempt: int, verdict: Verdict
    ) -> None:
        async with self._fenced_task(lease, task) as (connection, found):
            await verdicts.record(connection, found, attempt, verdict)

    async def verdicts(self, build: BuildId) -> list[RecordedVerdict]:
        async with self._database.transaction() as connection:
            return await verdicts.of_build(connection, build)

    async def remember_verdict(self, project: ProjectId, key: str, verdict: Verdict) -> None:
        async with self._database.transaction() as connection:
            await verdicts.remember(connection, project, key, verdict)

    async def remembered_verdict(self, project: ProjectId, key: str) -> Verdict | None:
        async with self._database.transaction() as connection:
            return await verdicts.remembered(connection, project, key)

    # Budgets

    async def continue_build(self, build: BuildId) -> Build:
        async with self._database.transaction() as connection:
            return await budgets.continue_build(connection, build)

    async def owner_spending(self, owner: OwnerId, since: datetime) -> Spending:
        async with self._database.transaction() as connection:
            return await budgets.spent(connection, owner, since)

    async def totals(self) -> Totals:
        async with self._database.transaction() as connection:
            return await budgets.totals(connection)

    # Checkpoints

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        async with self._database.transaction() as connection:
            await checkpoints.add(connection, checkpoint)

    async def checkpoints(self, project: ProjectId) -> list[Checkpoint]:
        async with self._database.transaction() as connection:
            return await checkpoints.of_project(connection, project)

    async def drop_checkpoint(self, checkpoint: CheckpointId) -> None:
        async with self._database.transaction() as connection:
            await checkpoints.drop(connection, checkpoint)

    # Events

    async def append_event(
        self, project: ProjectId, build: BuildId | None, event: NewEvent
    ) -> Event:
        async with self._database.transaction() as connection:
            return await events.append(connection, project, build, event)

    async def events(self, project: ProjectId, after: int, limit: int = 500) -> list[Event]:
        async with self._database.transaction() as connection:
            return await events.after(connection, project, after, limit)

    async def last_event(self, project: ProjectId) -> int:
        async with self._database.transaction() as connection:
            return await events.last(connection, project)

    async def wait_for_events(self, project: ProjectId, after: int, timeout: timedelta) -> bool:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout.total_seconds()
        async with self._listener.subscribe(project, _LISTEN_DEADLINE_S) as subscription:
            while subscription.number <= after:
                async with self._database.transaction() as connection:
                    if await events.last(connection, project) > after:
                        return True
                if not await subscription.wait(give_up_at - loop.time()):
                    return False
        return True

    async def wait_for_work(self, timeout: timedelta) -> bool:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout.total_seconds()
        async with self._listener.subscribe(
            events.WORK_CHANNEL, _LISTEN_DEADLINE_S
        ) as subscription:
            while True:
                async with self._database.transaction() as connection:
                    if await leases.candidates(connection, 1):
                        return True
                    expiry_s = await leases.next_expiry_s(connection)
                left_s = give_up_at - loop.time()
                wait_s = left_s if expiry_s is None else min(left_s, max(expiry_s, 0.01))
                if not await subscription.wait(wait_s) and wait_s == left_s:
                    return False

    # Leases

    async def acquire_lease(self, key: str, holder: str, ttl: timedelta) -> Lease | None:
        async with self._database.transaction() as connection:
            return await leases.acquire(connection, key, holder, ttl)

    async def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        async with self._database.transaction() as connection:
            return await leases.renew(connection, lease, ttl)

    async def release_lease(self, lease: Lease) -> None:
        async with self._database.transaction() as connection:
            await leases.release(connection, lease)

    async def release_leases_of(self, holder: str) -> int:
        async with self._database.transaction() as connection:
            return await leases.release_of(connection, holder)

    # Inventory

    async def register_resource(
        self, project: ProjectId, kind: ResourceKind, name: str, scope: str
    ) -> None:
        async with self._database.transaction() as connection:
            await resources.register(connection, project, kind, name, scope)

    async def drop_resource(self, kind: ResourceKind, name: str) -> None:
        async with self._database.transaction() as connection:
            await resources.drop(connection, kind, name)

    async def resources(
        self, project: ProjectId | None = None, scope: str | None = None
    ) -> list[Resource]:
        async with self._database.transaction() as connection:
            return await resources.find(connection, project, scope)
