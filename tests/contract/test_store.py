"""One body for every Store: what the product relies on, whichever driver keeps the record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from _pytest.fixtures import FixtureRequest

from fleet.domain.build import Build, BuildState, StepKind, Task, TaskState
from fleet.domain.chat import ChatMessage, Role, ToolCall, Usage
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import AppSlug, BuildId, CommitId, OwnerId, ProjectId, TaskId
from fleet.domain.lease import Lease
from fleet.domain.plan import Contract, Plan, PlannedTask, Procedure, ProcedureKind
from fleet.domain.project import AppSpec, ProjectState, ServiceSpec, Spec
from fleet.domain.resource import ResourceKind
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, Verdict
from fleet.drivers.memory.store import MemoryStore
from fleet.drivers.postgres.store.store import PostgresStore
from fleet.errors import Conflict, InvalidInput, LeaseLost, NotFound
from fleet.ports import NewStep, Store

TTL = timedelta(seconds=30)
SHORT = timedelta(milliseconds=150)
COMMIT = CommitId("a" * 40)
PLAN = Plan(
    title="CRM",
    summary="Customers.",
    tasks=(
        PlannedTask(title="Schema", instructions="Make it."),
        PlannedTask(title="Pages", instructions="Make them."),
    ),
    contract=Contract(
        procedures=(
            Procedure(name="customers.list", kind=ProcedureKind.QUERY, example_input={"q": "é"}),
        ),
        tables=("customers",),
    ),
)
VERDICT = Verdict(
    commit=COMMIT,
    results=(
        CheckResult(
            check=CheckName.TYPESCRIPT,
            outcome=CheckOutcome.FAILED,
            findings=(Finding(where="src/App.tsx", code="TS2322", message="no\0", line=3),),
        ),
    ),
    elapsed_s=1.5,
    phases={"twin": 0.5},
)


@pytest.fixture(params=["memory", "postgres"])
async def record(request: FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    conninfo = request.getfixturevalue("store_conninfo")
    store = await PostgresStore.connect(conninfo, migrate=False)
    yield store
    await store.close()


async def make_project(store: Store, name: str = "crm-aaaaa", owner: str = "ada") -> ProjectId:
    owner_id = (await store.ensure_owner(owner)).id
    return (await store.create_project(owner_id, ProjectId(name), "A CRM")).id


async def claimed(store: Store, holder: str = "host-1") -> tuple[Build, Lease]:
    claim = await store.claim_build(holder, TTL)
    assert claim is not None
    return claim


async def started(store: Store) -> tuple[ProjectId, Build, Lease]:
    project = await make_project(store)
    await store.post_message(project, "a crm", None)
    return project, *(await claimed(store))


async def planned(store: Store) -> tuple[Build, Lease, list[Task]]:
    _, build, lease = await started(store)
    await store.advance_build(lease, build.id, BuildState.PLANNING)
    return build, lease, await store.save_plan(lease, build.id, PLAN, None)


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


# Claiming


async def test_nothing_to_do_claims_nothing(record: Store) -> None:
    assert await record.claim_build("host-1", TTL) is None


async def test_a_project_runs_one_build_and_the_next_only_after_it_ends(record: Store) -> None:
    project = await make_project(record)
    _, first = await record.post_message(project, "one", None)
    _, second = await record.post_message(project, "two", None)
    build, lease = await claimed(record)
    assert build.id == first.id
    assert lease.key == f"build:{first.id}"
    assert await record.claim_build("host-2", TTL) is None
    await record.advance_build(lease, build.id, BuildState.FAILED, "No.")
    assert (await claimed(record, "host-2"))[0].id == second.id


async def test_an_owner_with_many_projects_does_not_starve_the_others(record: Store) -> None:
    for number in range(3):
        project = await make_project(record, f"many{number}-aaaaa", "ada")
        await record.post_message(project, "x", None)
    for owner in ("bob", "cleo"):
        project = await make_project(record, f"{owner}-aaaaa", owner)
        await record.post_message(project, "x", None)
    order = [(await claimed(record))[0].project for _ in range(5)]
    assert order == [
        "many0-aaaaa",
        "bob-aaaaa",
        "cleo-aaaaa",
        "many1-aaaaa",
        "many2-aaaaa",
    ]


async def test_concurrent_claims_never_share_a_build(record: Store) -> None:
    for number in range(8):
        project = await make_project(record, f"p{number}-aaaaa", f"owner{number % 2}")
        await record.post_message(project, "x", None)
    claims = await asyncio.gather(*(record.claim_build(f"host-{n}", TTL) for n in range(12)))
    got = [claim[0].id for claim in claims if claim is not None]
    assert len(got) == len(set(got)) == 8


async def test_a_dead_holders_build_is_claimed_again_with_a_newer_token(record: Store) -> None:
    project = await make_project(record)
    await record.post_message(project, "x", None)
    claim = await record.claim_build("host-1", SHORT)
    assert claim is not None
    build, stale = claim
    assert await record.wait_for_work(timedelta(seconds=5))
    again, lease = await claimed(record, "host-2")
    assert again.id == build.id
    assert lease.token > stale.token


# Fencing


async def test_every_write_of_a_superseded_holder_is_refused(record: Store) -> None:
    build, stale, tasks = await planned(record)
    assert await record.release_leases_of("host-1") == 1
    _, fresh = await claimed(record, "host-2")
    step = NewStep(task=None, kind=StepKind.GATE, title="x")
    writes: list[Any] = [
        record.advance_build(stale, build.id, BuildState.PRODUCING),
        record.save_plan(stale, build.id, PLAN, None),
        record.set_build_commit(stale, build.id, COMMIT),
        record.move_task(stale, tasks[0].id, TaskState.ACTIVE, 0),
        record.append_step(stale, build.id, step),
        record.record_verdict(stale, tasks[0].id, 1, VERDICT),
        record.set_project_title(stale, build.project, "x"),
        record.set_project_head(stale, build.project, COMMIT),
        record.set_project_spec(stale, build.project, Spec()),
        record.renew_lease(stale, TTL),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            await write
    assert (await record.build(build.id)).state is BuildState.PLANNING
    assert await record.steps(build.id) == []
    await record.release_lease(stale)
    await record.advance_build(fresh, build.id, BuildState.PRODUCING)


async def test_a_lease_on_something_else_does_not_open_a_build(record: Store) -> None:
    build, _, tasks = await planned(record)
    other = await record.acquire_lease("converge:crm-aaaaa", "host-1", TTL)
    assert other is not None
    with pytest.raises(LeaseLost):
        await record.set_build_commit(other, build.id, COMMIT)
    with pytest.raises(LeaseLost):
        await record.move_task(other, tasks[0].id, TaskState.ACTIVE, 0)


async def test_a_lease_is_exclusive_until_it_expires_and_its_token_always_grows(
    record: Store,
) -> None:
    first = await record.acquire_lease("sweep", "one", SHORT)
    assert first is not None
    assert await record.acquire_lease("sweep", "two", TTL) is None
    same = await record.acquire_lease("sweep", "one", SHORT)
    assert same is not None
    assert same.token > first.token
    await asyncio.sleep(SHORT.total_seconds() + 0.05)
    taken = await record.acquire_lease("sweep", "two", TTL)
    assert taken is not None
    assert taken.token > same.token
    await record.release_lease(taken)
    await record.release_lease(taken)
    after = await record.acquire_lease("sweep", "one", TTL)
    assert after is not None
    assert after.token > taken.token


async def test_a_renewed_lease_keeps_its_token_and_lives_longer(record: Store) -> None:
    lease = await record.acquire_lease("sweep", "one", SHORT)
    assert lease is not None
    renewed = await record.renew_lease(lease, TTL)
    assert (renewed.token, renewed.expires_at > lease.expires_at) == (lease.token, True)
    await asyncio.sleep(SHORT.total_seconds() + 0.05)
    assert await record.acquire_lease("sweep", "two", TTL) is None
    assert await record.release_leases_of("one") == 1
    assert await record.acquire_lease("sweep", "two", TTL) is not None


# Events


async def test_twenty_concurrent_events_are_numbered_without_gaps(record: Store) -> None:
    project = await make_project(record)
    notices = (NewEvent(kind=EventKind.NOTICE, payload={"text": f"{n}\0"}) for n in range(20))
    written = await asyncio.gather(*(record.append_event(project, None, n) for n in notices))
    assert sorted(e.number for e in written) == list(range(2, 22))
    read = await record.events(project, 1)
    assert [e.number for e in read] == list(range(2, 22))
    assert sorted(read, key=lambda e: e.number) == sorted(written, key=lambda e: e.number)
    assert [e.number for e in await record.events(project, 5, limit=3)] == [6, 7, 8]


async def test_a_refused_event_leaves_no_gap(record: Store) -> None:
    project = await make_project(record)
    with pytest.raises(NotFound):
        await record.append_event(project, BuildId("none"), NewEvent(kind=EventKind.NOTICE))
    event = await record.append_event(project, None, NewEvent(kind=EventKind.NOTICE))
    assert event.number == 2


async def test_waiting_for_an_event_that_exists_returns_at_once(record: Store) -> None:
    project = await make_project(record)
    assert await record.wait_for_events(project, 0, timedelta(0))
    assert not await record.wait_for_events(project, 1, SHORT)


async def test_an_event_wakes_its_waiters_quickly_and_nobody_elses(record: Store) -> None:
    project = await make_project(record)
    other = await make_project(record, "two-aaaaa")
    watchers = [
        asyncio.create_task(record.wait_for_events(project, 1, timedelta(seconds=10)))
        for _ in range(3)
    ]
    bystander = asyncio.create_task(record.wait_for_events(other, 1, timedelta(seconds=0.6)))
    await asyncio.sleep(0.3)
    began = time.perf_counter()
    await record.append_event(project, None, NewEvent(kind=EventKind.NOTICE))
    assert await asyncio.gather(*watchers) == [True, True, True]
    assert time.perf_counter() - began < 1.0  # far from the deadline; some 2 ms in practice
    assert not await bystander


async def test_a_forgotten_project_ends_the_wait(record: Store) -> None:
    project = await make_project(record)
    waiting = asyncio.create_task(record.wait_for_events(project, 1, timedelta(seconds=10)))
    await asyncio.sleep(0.2)
    await record.forget_project(project)
    with pytest.raises(NotFound):
        await waiting


async def test_work_is_announced_when_posted_when_released_and_when_its_turn_comes(
    record: Store,
) -> None:
    long = timedelta(seconds=10)
    project = await make_project(record)
    assert not await record.wait_for_work(SHORT)

    waiting = asyncio.create_task(record.wait_for_work(long))
    await asyncio.sleep(0.2)
    await record.post_message(project, "one", None)
    assert await waiting
    await record.post_message(project, "two", None)
    _, lease = await claimed(record)

    waiting = asyncio.create_task(record.wait_for_work(long))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await record.release_lease(lease)
    assert await waiting
    build, lease = await claimed(record)

    waiting = asyncio.create_task(record.wait_for_work(long))
    await asyncio.sleep(0.2)
    await record.advance_build(lease, build.id, BuildState.FAILED)
    assert await waiting


# Inventory


async def test_a_resource_is_registered_once_and_dropped_once(record: Store) -> None:
    project = await make_project(record)
    for _ in range(2):
        await record.register_resource(project, ResourceKind.TIMELINE, "crm.dev", "project")
    await record.register_resource(project, ResourceKind.WORKLOAD, "crm.twin", "run:bld_x.1")
    assert len(await record.resources(project)) == 2
    assert [r.name for r in await record.resources(scope="run:bld_x.1")] == ["crm.twin"]
    assert await record.resources(ProjectId("none-aaaaa")) == []
    for _ in range(2):
        await record.drop_resource(ResourceKind.WORKLOAD, "crm.twin")
    assert [r.name for r in await record.resources()] == ["crm.dev"]


async def test_a_resource_belongs_to_one_project(record: Store) -> None:
    first, second = await make_project(record), await make_project(record, "two-aaaaa")
    await record.register_resource(first, ResourceKind.TIMELINE, "t", "project")
    with pytest.raises(Conflict):
        await record.register_resource(second, ResourceKind.TIMELINE, "t", "project")


async def test_a_project_with_resources_left_is_not_forgotten(record: Store) -> None:
    project = await make_project(record)
    await record.register_resource(project, ResourceKind.TIMELINE, "t", "project")
    with pytest.raises(Conflict):
        await record.forget_project(project)
    await record.drop_resource(ResourceKind.TIMELINE, "t")
    await record.forget_project(project)
    await record.ping()
