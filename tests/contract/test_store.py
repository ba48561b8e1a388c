"""One body for every Store: what the product relies on, whichever driver keeps the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet.domain.build import BuildState, StepKind, TaskState
from fleet.domain.chat import ChatMessage, Role, ToolCall, Usage
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import AppSlug, BuildId, OwnerId, ProjectId, TaskId
from fleet.domain.project import AppSpec, ProjectState, ServiceSpec, Spec
from fleet.domain.resource import ResourceKind
from fleet.errors import Conflict, InvalidInput, LeaseLost, NotFound
from fleet.ports import NewStep, Store
from tests.contract.store_beginnings import (
    COMMIT,
    PLAN,
    SHORT,
    TTL,
    VERDICT,
    make_project,
    planned,
    started,
)

# Owners, tokens, projects


async def test_an_owner_is_made_once_and_found_by_a_token(record: Store) -> None:
    ada = await record.ensure_owner("ada")
    assert await record.ensure_owner("ada") == ada
    await record.add_token(ada.id, "hash-1", "laptop")
    await record.add_token(ada.id, "hash-1", "laptop")
    assert await record.owner_of_token("hash-1") == ada
    assert await record.owner_of_token("hash-2") is None


async def test_a_token_never_changes_hands(record: Store) -> None:
    ada, bob = await record.ensure_owner("ada"), await record.ensure_owner("bob")
    await record.add_token(ada.id, "hash-1", "")
    with pytest.raises(Conflict):
        await record.add_token(bob.id, "hash-1", "")
    with pytest.raises(NotFound):
        await record.add_token(OwnerId("own_none"), "hash-2", "")


async def test_a_project_is_created_with_its_first_event(record: Store) -> None:
    project = await make_project(record)
    stored = await record.project(project)
    assert (stored.title, stored.state, stored.head) == ("A CRM", ProjectState.ACTIVE, None)
    assert stored.created_at.utcoffset() == timedelta(0)
    events = await record.events(project, 0)
    assert [(e.number, e.kind) for e in events] == [(1, EventKind.PROJECT_CREATED)]


async def test_a_taken_project_id_is_a_conflict_even_after_the_project_is_forgotten(
    record: Store,
) -> None:
    project = await make_project(record)
    with pytest.raises(Conflict):
        await make_project(record)
    await record.forget_project(project)
    await record.forget_project(project)
    with pytest.raises(NotFound):
        await record.project(project)
    with pytest.raises(Conflict):
        await make_project(record)


async def test_projects_are_listed_per_owner(record: Store) -> None:
    first = await make_project(record, "one-aaaaa", "ada")
    second = await make_project(record, "two-aaaaa", "bob")
    ada = await record.ensure_owner("ada")
    assert [p.id for p in await record.projects()] == [first, second]
    assert [p.id for p in await record.projects(ada.id)] == [first]


async def test_title_head_and_spec_are_written_under_a_lease(record: Store) -> None:
    project, _, lease = await started(record)
    spec = Spec(
        apps=(AppSpec(slug=AppSlug("web")), AppSpec(slug=AppSlug("admin"), path="admin")),
        services=(ServiceSpec(kind="postgres", name="db"),),
    )
    await record.set_project_title(lease, project, "Kundenverwaltung 🎉")
    await record.set_project_head(lease, project, COMMIT)
    await record.set_project_spec(lease, project, spec)
    stored = await record.project(project)
    assert (stored.title, stored.head, stored.spec) == ("Kundenverwaltung 🎉", COMMIT, spec)
    with pytest.raises(NotFound):
        await record.set_project_title(lease, ProjectId("none-aaaaa"), "x")


async def test_a_project_being_deleted_takes_no_message_and_never_comes_back(
    record: Store,
) -> None:
    project = await make_project(record)
    await record.post_message(project, "a crm", None)
    await record.set_project_state(project, ProjectState.DELETING)
    await record.set_project_state(project, ProjectState.DELETING)
    kinds = [e.kind for e in await record.events(project, 0)]
    assert kinds.count(EventKind.PROJECT_DELETED) == 1
    with pytest.raises(Conflict):
        await record.post_message(project, "more", None)
    with pytest.raises(Conflict):
        await record.set_project_state(project, ProjectState.ACTIVE)
    assert await record.claim_build("host-1", TTL) is None


async def test_forgetting_takes_every_row_of_the_project(record: Store) -> None:
    build, lease, tasks = await planned(record)
    await record.record_verdict(lease, tasks[0].id, 1, VERDICT)
    await record.append_step(lease, build.id, NewStep(task=None, kind=StepKind.GATE, title="x"))
    await record.forget_project(build.project)
    for gone in (record.build, record.tasks, record.steps, record.verdicts):
        with pytest.raises(NotFound):
            await gone(build.id)
    with pytest.raises(NotFound):
        await record.events(build.project, 0)
    with pytest.raises(LeaseLost):
        await record.renew_lease(lease, TTL)


# Text


@pytest.mark.parametrize("bad", ["a\0b", "half \ud83d pair"])
async def test_text_that_cannot_be_stored_is_refused_and_nothing_is_lost(
    record: Store, bad: str
) -> None:
    project = await make_project(record)
    owner = (await record.project(project)).owner
    with pytest.raises(InvalidInput):
        await record.post_message(project, bad, None)
    with pytest.raises(InvalidInput):
        await record.create_project(owner, ProjectId("two-aaaaa"), bad)
    with pytest.raises(InvalidInput):
        await record.project(ProjectId(bad))
    assert len(await record.events(project, 0)) == 1
    await record.create_project(owner, ProjectId("two-aaaaa"), "fine")


async def test_any_other_text_comes_back_as_it_was(record: Store) -> None:
    project = await make_project(record)
    text = "'; drop table builds; -- %s \u202eعربي 日本 👩‍👩‍👧 \x07\x1b[0m \u2028" * 50
    message, build = await record.post_message(project, text, "blueprint+type-error")
    stored = await record.build(build.id)
    assert (message.text, stored.text, stored.model) == (text, text, "blueprint+type-error")


# Builds


async def test_a_message_becomes_a_queued_build_with_events(record: Store) -> None:
    project = await make_project(record)
    message, build = await record.post_message(project, "a crm", None)
    assert (build.state, build.message) == (BuildState.QUEUED, message.id)
    assert await record.build(build.id) == build
    assert await record.builds(project) == [build]
    assert await record.unfinished_builds() == [build]
    events = (await record.events(project, 1))[:2]
    assert [e.kind for e in events] == [EventKind.MESSAGE_POSTED, EventKind.BUILD_QUEUED]
    assert {e.build for e in events} == {build.id}


async def test_unknown_ids_are_not_found(record: Store) -> None:
    _, build, lease = await started(record)
    nobody, nothing = ProjectId("none-aaaaa"), BuildId("bld_none")
    calls: list[Any] = [
        record.project(nobody),
        record.post_message(nobody, "x", None),
        record.builds(nobody),
        record.build(nothing),
        record.tasks(nothing),
        record.steps(nothing),
        record.verdicts(nothing),
        record.events(nobody, 0),
        record.wait_for_events(nobody, 0, SHORT),
        record.append_event(nobody, None, NewEvent(kind=EventKind.NOTICE)),
        record.append_event(build.project, nothing, NewEvent(kind=EventKind.NOTICE)),
        record.move_task(lease, TaskId("tsk_none"), TaskState.ACTIVE, 0),
        record.record_verdict(lease, TaskId("tsk_none"), 1, VERDICT),
        record.set_project_state(nobody, ProjectState.DELETING),
        record.register_resource(nobody, ResourceKind.TIMELINE, "t", "project"),
        record.create_project(OwnerId("own_none"), ProjectId("new-aaaaa"), "x"),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call


async def test_a_build_moves_only_along_its_legal_transitions(record: Store) -> None:
    _, build, lease = await started(record)
    with pytest.raises(Conflict):
        await record.advance_build(lease, build.id, BuildState.SUCCEEDED)
    planning = await record.advance_build(lease, build.id, BuildState.PLANNING)
    assert planning.started_at is not None
    assert await record.advance_build(lease, build.id, BuildState.PLANNING, "no") == planning
    await record.advance_build(lease, build.id, BuildState.PRODUCING)
    done = await record.advance_build(lease, build.id, BuildState.SUCCEEDED, "Done\0.")
    assert (done.started_at, done.explanation) == (planning.started_at, "Done\ufffd.")
    assert done.finished_at is not None
    assert await record.advance_build(lease, build.id, BuildState.SUCCEEDED, "again") == done
    with pytest.raises(Conflict):
        await record.advance_build(lease, build.id, BuildState.FAILED)
    assert await record.unfinished_builds() == []


async def test_saving_the_same_plan_twice_makes_no_second_tasks(record: Store) -> None:
    build, lease, tasks = await planned(record)
    assert [(t.position, t.title, t.state) for t in tasks] == [
        (0, "Schema", TaskState.PENDING),
        (1, "Pages", TaskState.PENDING),
    ]
    assert await record.save_plan(lease, build.id, PLAN, COMMIT) == tasks
    assert await record.tasks(build.id) == tasks
    stored = await record.build(build.id)
    assert (stored.plan, stored.base) == (PLAN, None)
    with pytest.raises(Conflict):
        other = PLAN.model_copy(update={"title": "Other"})
        await record.save_plan(lease, build.id, other, None)


async def test_a_task_moves_forward_only_and_counts_its_attempts(record: Store) -> None:
    _, lease, tasks = await planned(record)
    task = tasks[0].id
    with pytest.raises(Conflict):
        await record.move_task(lease, task, TaskState.DONE, 1)
    await record.move_task(lease, task, TaskState.ACTIVE, 0)
    again = await record.move_task(lease, task, TaskState.ACTIVE, 2)
    assert (again.state, again.attempts) == (TaskState.ACTIVE, 2)
    with pytest.raises(Conflict):
        await record.move_task(lease, task, TaskState.ACTIVE, 1)
    done = await record.move_task(lease, task, TaskState.DONE, 2)
    assert await record.move_task(lease, task, TaskState.DONE, 2) == done
    with pytest.raises(Conflict):
        await record.move_task(lease, task, TaskState.ACTIVE, 3)


async def test_steps_are_numbered_keep_every_character_and_add_up_their_usage(
    record: Store,
) -> None:
    build, lease, tasks = await planned(record)
    call = ToolCall(id="c1", name="write", arguments='{"path": "a\0')
    step = NewStep(
        task=tasks[0].id,
        kind=StepKind.PRODUCER,
        title="wrote\0 a file",
        messages=(
            ChatMessage(role=Role.ASSISTANT, tool_calls=(call,)),
            ChatMessage(role=Role.TOOL, content="\0\x1b ok 👍", tool_call_id="c1"),
        ),
        writes={"src/a.ts": "x\0y", "src/b.ts": None},
        facts={"commit": COMMIT, "n": [1, 2.5, None, "\0"]},
        usage=Usage(prompt_tokens=10, completion_tokens=5, completions=1),
        elapsed_s=0.25,
    )
    first = await record.append_step(lease, build.id, step)
    second = await record.append_step(lease, build.id, step)
    assert [first.number, second.number] == [1, 2]
    assert await record.steps(build.id) == [first, second]
    assert (first.messages, first.writes, first.facts) == (step.messages, step.writes, step.facts)
    assert first.title == "wrote\ufffd a file"
    usage = (await record.build(build.id)).usage
    assert usage == Usage(prompt_tokens=20, completion_tokens=10, completions=2)


async def test_a_verdict_is_recorded_once_per_attempt(record: Store) -> None:
    build, lease, tasks = await planned(record)
    await record.record_verdict(lease, tasks[1].id, 1, VERDICT)
    await record.record_verdict(lease, tasks[0].id, 2, VERDICT)
    await record.record_verdict(lease, tasks[0].id, 1, VERDICT)
    await record.record_verdict(
        lease, tasks[0].id, 1, VERDICT.model_copy(update={"elapsed_s": 99.0})
    )
    recorded = await record.verdicts(build.id)
    order = [(tasks[0].id, 1), (tasks[0].id, 2), (tasks[1].id, 1)]
    assert [(v.task, v.attempt) for v in recorded] == order
    assert all(v.verdict == VERDICT for v in recorded)


async def test_the_last_green_commit_of_a_build_is_kept(record: Store) -> None:
    _, build, lease = await started(record)
    await record.set_build_commit(lease, build.id, COMMIT)
    assert (await record.build(build.id)).commit == COMMIT
