"""Messages, builds, tasks and steps. Fencing is the caller's (see `store.py`)."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, Message, Step, Task, TaskState
from fleet.domain.ids import BuildId, CommitId, MessageId, OwnerId, ProjectId, TaskId, new_id
from fleet.domain.plan import Plan
from fleet.domain.project import ProjectState
from fleet.domain.record import (
    build_moves,
    finished,
    posted,
    require_storable,
    step_repeats,
    storable,
    task_moves,
)
from fleet.drivers.postgres.store import events, projects
from fleet.drivers.postgres.store.database import Connection, fetch_all, fetch_one
from fleet.drivers.postgres.store.rows import (
    Row,
    build_of,
    document,
    mapping,
    messages,
    step_of,
)
from fleet.drivers.postgres.store.sql import statements
from fleet.errors import Conflict, NotFound
from fleet.ports import NewStep

_SQL = statements("builds")


async def post(
    connection: Connection, project: ProjectId, text: str, model: str | None
) -> tuple[Message, Build]:
    require_storable(text, "message")
    require_storable(model or "", "model's name")
    if (await projects.one(connection, project, lock=True)).state is not ProjectState.ACTIVE:
        raise Conflict(f"Project {project} is being deleted.")
    message = MessageId(new_id("msg"))
    row = await fetch_one(
        connection, _SQL["add_message"], {"id": message, "project": project, "text": text}
    )
    assert row is not None
    build = BuildId(new_id("bld"))
    values = {"id": build, "project": project, "message": message}
    await connection.execute(_SQL["add"], {**values, "model": model, "state": BuildState.QUEUED})
    result = Message(**row), await one(connection, build)
    for event in posted(*result):
        await events.append(connection, project, build, event)
    await events.announce_work(connection)
    return result


async def one(connection: Connection, build: BuildId) -> Build:
    row = await fetch_one(connection, _SQL["one"], {"build": build})
    if row is None:
        raise no_build(build)
    return build_of(row)


async def locked(connection: Connection, build: BuildId) -> Build:
    """As it is now and stays until commit."""
    await connection.execute(_SQL["lock"], {"build": build})
    return await one(connection, build)


async def of_project(connection: Connection, project: ProjectId) -> list[Build]:
    rows = await fetch_all(connection, _SQL["of_project"], {"project": project})
    if not rows:
        await projects.one(connection, project)
    return [build_of(row) for row in rows]


async def newest(connection: Connection, owner: OwnerId) -> list[Build]:
    return [build_of(row) for row in await fetch_all(connection, _SQL["newest"], {"owner": owner})]


async def count_states(connection: Connection) -> dict[BuildState, int]:
    rows = await fetch_all(connection, _SQL["count_states"], {})
    return {BuildState(row["state"]): row["builds"] for row in rows}


async def unfinished(connection: Connection) -> list[Build]:
    return [build_of(row) for row in await fetch_all(connection, _SQL["unfinished"], {})]


async def advance(
    connection: Connection, build: BuildId, state: BuildState, explanation: str
) -> Build:
    ends = state in FINAL_BUILD_STATES
    if ends:
        await connection.execute(_SQL["lock_project"], {"build": build})
    if not build_moves(await locked(connection, build), state):
        return await one(connection, build)
    values = {"build": build, "state": state, "explanation": storable(explanation)}
    await connection.execute(_SQL["advance"], {**values, "starts": not ends, "ends": ends})
    moved = await one(connection, build)
    if ends:
        await events.append(connection, moved.project, build, finished(moved))
        await events.announce_work(connection)  # the project's next build may go now
    return moved


async def save_plan(
    connection: Connection, build: BuildId, plan: Plan, base: CommitId | None
) -> list[Task]:
    """Conflict for another plan than the one saved: its tasks are facts already."""
    recorded = (await locked(connection, build)).plan
    if recorded is None:
        values = {"build": build, "plan": document(plan), "base": base}
        await connection.execute(_SQL["save_plan"], values)
        for position, task in enumerate(plan.tasks):
            await connection.execute(
                _SQL["add_task"],
                {
                    "id": new_id("tsk"),
                    "build": build,
                    "position": position,
                    "title": storable(task.title),
                    "state": TaskState.PENDING,
                },
            )
    elif recorded != plan:
        raise Conflict(f"Build {build} has another plan already.")
    return await tasks(connection, build)


async def set_commit(connection: Connection, build: BuildId, commit: CommitId) -> None:
    values = {"build": build, "commit": commit}
    if await fetch_one(connection, _SQL["set_commit"], values) is None:
        raise no_build(build)


async def tasks(connection: Connection, build: BuildId) -> list[Task]:
    rows = await fetch_all(connection, _SQL["tasks"], {"build": build})
    await _require(connection, rows, build)
    return [Task(**row) for row in rows]


async def task(connection: Connection, task_id: TaskId) -> Task:
    row = await fetch_one(connection, _SQL["task"], {"task": task_id})
    if row is None:
        raise NotFound(f"There is no task {task_id!r}.")
    return Task(**row)


async def move_task(connection: Connection, moved: Task, state: TaskState, attempts: int) -> Task:
    """`moved` is the task as `task` read it in this transaction."""
    if not task_moves(moved, state, attempts):
        return moved
    values = {"task": moved.id, "state": state, "attempts": attempts}
    row = await fetch_one(connection, _SQL["move_task"], values)
    assert row is not None
    return Task(**row)


async def append_step(
    connection: Connection, build: BuildId, step: NewStep, after: int | None
) -> tuple[Step, bool]:
    """The step, and whether it is new; see `step_repeats`."""
    if after is not None:
        await locked(connection, build)
        above = await fetch_all(connection, _SQL["steps_above"], {"build": build, "after": after})
        if above and step_repeats(known := [step_of(row) for row in above], step, after):
            return known[0], False
    row = await fetch_one(
        connection, _SQL["count_step"], {"build": build, **step.usage.model_dump()}
    )
    if row is None:
        raise no_build(build)
    values = {
        "build": build,
        "number": row["last_step"],
        "task": step.task,
        "kind": step.kind,
        "title": storable(step.title),
        "messages": messages(step.messages),
        "writes": mapping(step.writes),
        "facts": mapping(step.facts),
        "usage": document(step.usage),
        "elapsed_s": step.elapsed_s,
    }
    stored = await fetch_one(connection, _SQL["add_step"], values)
    assert stored is not None
    return step_of(stored), True


async def steps(connection: Connection, build: BuildId) -> list[Step]:
    rows = await fetch_all(connection, _SQL["steps"], {"build": build})
    await _require(connection, rows, build)
    return [step_of(row) for row in rows]


async def _require(connection: Connection, rows: Sequence[Row], build: BuildId) -> None:
    """No rows: nothing yet, or no such build?"""
    if not rows:
        await one(connection, build)


def no_build(build: BuildId) -> NotFound:
    return NotFound(f"There is no build {build!r}.")
