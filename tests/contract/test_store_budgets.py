"""One body for every Store: budgets, steps whose acknowledgement was lost, checkpoints, verdicts
by content."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fleet.domain.build import Build, BuildState, StepKind, TaskState
from fleet.domain.chat import Usage
from fleet.domain.event import EventKind
from fleet.domain.ids import BuildId, CheckpointId, OwnerId, ProjectId, TimelineId
from fleet.domain.lease import Lease
from fleet.domain.project import ProjectState
from fleet.domain.timeline import Checkpoint
from fleet.errors import Conflict, InfrastructureError, NotFound
from fleet.ports import NewStep, Spending, Store, Totals
from tests.contract.store_beginnings import (
    COMMIT,
    VERDICT,
    claimed,
    make_project,
    planned,
    started,
)

USAGE = Usage(
    prompt_tokens=100, completion_tokens=10, completions=1, repeated_tokens=90, cost_microusd=7
)
STEP = NewStep(task=None, kind=StepKind.PRODUCER, title="x\0", usage=USAGE, elapsed_s=0.5)


async def out_of_budget(record: Store) -> tuple[Build, Lease]:
    build, lease, tasks = await planned(record)
    await record.append_step(lease, build.id, STEP)
    await record.move_task(lease, tasks[0].id, TaskState.ACTIVE, 1)
    await record.move_task(lease, tasks[0].id, TaskState.DONE, 1)
    await record.advance_build(lease, build.id, BuildState.PRODUCING)
    return await record.advance_build(lease, build.id, BuildState.OUT_OF_BUDGET, "spent"), lease


# Continuing


async def test_a_build_out_of_budget_is_queued_again_with_its_record_and_a_fresh_budget(
    record: Store,
) -> None:
    spent, lease = await out_of_budget(record)
    await record.release_lease(lease)
    assert await record.claim_build("host-1", timedelta(seconds=9)) is None
    again = await record.continue_build(spent.id)
    assert (again.state, again.explanation, again.budget_from) == (BuildState.QUEUED, "", 1)
    assert (again.started_at, again.finished_at) == (None, None)
    assert (again.plan, again.usage) == (spent.plan, USAGE)
    assert await record.unfinished_builds() == [again]
    assert [t.state for t in await record.tasks(spent.id)] == [TaskState.DONE, TaskState.PENDING]
    event = (await record.events(spent.project, 0))[-1]
    assert (event.kind, event.build) == (EventKind.BUILD_CONTINUED, spent.id)
    assert event.payload == {"steps": 1, "tasks_done": 1}
    assert await record.last_event(spent.project) == event.number
    claim, lease = await claimed(record)
    assert claim.id == spent.id
    assert (await record.append_step(lease, spent.id, STEP)).number == 2
    planning = await record.advance_build(lease, spent.id, BuildState.PLANNING)
    assert planning.started_at is not None


async def test_of_many_who_continue_a_build_one_does(record: Store) -> None:
    spent, _ = await out_of_budget(record)
    answers = await asyncio.gather(
        *(record.continue_build(spent.id) for _ in range(5)),
        record.post_message(spent.project, "more", None),
        return_exceptions=True,
    )
    continued = [a for a in answers if isinstance(a, Build)]
    refused = [a for a in answers if isinstance(a, Conflict)]
    assert len(continued) <= 1 and len(continued) + len(refused) == 5
    kinds = [e.kind for e in await record.events(spent.project, 0)]
    assert kinds.count(EventKind.BUILD_CONTINUED) == len(continued)


async def test_a_continued_build_wakes_those_who_wait_for_work(record: Store) -> None:
    spent, lease = await out_of_budget(record)
    await record.release_lease(lease)
    assert not await record.wait_for_work(timedelta(milliseconds=50))
    await record.continue_build(spent.id)
    assert await record.wait_for_work(timedelta(seconds=5))


async def test_only_a_build_out_of_budget_is_continued(record: Store) -> None:
    _, build, lease = await started(record)
    with pytest.raises(Conflict, match="only one that ran out of budget"):
        await record.continue_build(build.id)
    await record.advance_build(lease, build.id, BuildState.FAILED, "no")
    with pytest.raises(Conflict, match="has failed"):
        await record.continue_build(build.id)
    with pytest.raises(NotFound):
        await record.continue_build(BuildId("bld_none"))


async def test_a_build_that_a_later_message_replaced_is_not_continued(record: Store) -> None:
    spent, _ = await out_of_budget(record)
    await record.post_message(spent.project, "something else", None)
    with pytest.raises(Conflict, match="a later message replaced it"):
        await record.continue_build(spent.id)


async def test_a_project_being_deleted_continues_nothing(record: Store) -> None:
    spent, _ = await out_of_budget(record)
    await record.set_project_state(spent.project, ProjectState.DELETING)
    with pytest.raises(Conflict, match="being deleted"):
        await record.continue_build(spent.id)


async def test_nothing_but_continuing_leads_back_to_the_queue(record: Store) -> None:
    spent, lease = await out_of_budget(record)
    with pytest.raises(Conflict):
        await record.advance_build(lease, spent.id, BuildState.QUEUED)
    with pytest.raises(Conflict):
        await record.advance_build(lease, spent.id, BuildState.PLANNING)


# The end of a build is told with its state


async def test_a_final_state_brings_its_event_once(record: Store) -> None:
    build, lease, _ = await planned(record)
    await record.append_step(lease, build.id, STEP)
    for _ in range(2):
        await record.advance_build(lease, build.id, BuildState.CANCELLED, "stopped")
    events = await record.events(build.project, 0)
    (told,) = [e for e in events if e.kind is EventKind.BUILD_FINISHED]
    assert told.build == build.id and told.payload.pop("elapsed_s") is not None
    assert told.payload == {
        "state": "cancelled",
        "explanation": "stopped",
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "repeated_tokens": 90,
        "cost_usd": 7 / 1_000_000,
    }


# Steps


async def test_a_step_whose_acknowledgement_was_lost_is_not_added_twice(record: Store) -> None:
    _, build, lease = await started(record)
    first = await record.append_step(lease, build.id, STEP, 0)
    slower = STEP.model_copy(update={"elapsed_s": 9.0})
    assert await record.append_step(lease, build.id, slower, 0) == first
    second = await record.append_step(lease, build.id, STEP, 1)
    assert (second.number, await record.steps(build.id)) == (2, [first, second])
    assert (await record.build(build.id)).usage == USAGE.plus(USAGE)


async def test_a_writer_behind_the_record_is_sent_back_to_it(record: Store) -> None:
    _, build, lease = await started(record)
    await record.append_step(lease, build.id, STEP, 0)
    other = STEP.model_copy(update={"writes": {"a": "b"}})
    with pytest.raises(InfrastructureError, match="has step 1 already"):
        await record.append_step(lease, build.id, other, 0)
    await record.append_step(lease, build.id, other, 1)
    with pytest.raises(InfrastructureError):
        await record.append_step(lease, build.id, STEP, 0)
    assert len(await record.steps(build.id)) == 2


# Spending


async def test_what_an_owner_spends_adds_up_over_projects_and_survives_them(
    record: Store,
) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    _, first, lease = await started(record)
    ada, bob = await record.ensure_owner("ada"), await record.ensure_owner("bob")
    assert await record.owner_spending(ada.id, hour_ago) == Spending()
    await record.append_step(lease, first.id, STEP)
    other = await make_project(record, "two-aaaaa")
    await record.post_message(other, "more", None)
    second, lease = await claimed(record)
    await record.append_step(lease, second.id, STEP)
    expected = Spending(steps=2, usage=USAGE.plus(USAGE), wall_s=1.0)
    assert await record.owner_spending(ada.id, hour_ago) == expected
    await record.forget_project(other)
    assert await record.owner_spending(ada.id, hour_ago) == expected
    assert await record.owner_spending(bob.id, hour_ago) == Spending()
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert await record.owner_spending(ada.id, later) == Spending()
    with pytest.raises(NotFound):
        await record.owner_spending(OwnerId("own_none"), hour_ago)


async def test_only_what_asked_a_model_is_spent_as_a_step(record: Store) -> None:
    _, build, lease = await started(record)
    owner = await record.ensure_owner("ada")
    gate = NewStep(task=None, kind=StepKind.GATE, title="Gate red", elapsed_s=2.0)
    by_rule = NewStep(task=None, kind=StepKind.COMPACTION, title="Compacted", elapsed_s=0.5)
    for step in (STEP, gate, by_rule):
        await record.append_step(lease, build.id, step)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    expected = Spending(steps=1, usage=USAGE, wall_s=3.0)
    assert await record.owner_spending(owner.id, hour_ago) == expected
    assert (await record.totals()).spent == expected


async def test_totals_count_everything_once(record: Store) -> None:
    assert await record.totals() == Totals(projects=0, builds={}, spent=Spending())
    _, build, lease = await started(record)
    await record.append_step(lease, build.id, STEP)
    other = await make_project(record, "two-aaaaa", "bob")
    await record.post_message(other, "more", None)
    await record.advance_build(lease, build.id, BuildState.FAILED)
    spent = Spending(steps=1, usage=USAGE, wall_s=0.5)
    expected = {BuildState.FAILED: 1, BuildState.QUEUED: 1}
    assert await record.totals() == Totals(projects=2, builds=expected, spent=spent)
    await record.forget_project(build.project)
    expected = {BuildState.QUEUED: 1}
    assert await record.totals() == Totals(projects=1, builds=expected, spent=spent)


async def test_the_newest_build_of_each_of_an_owners_projects_is_one_look_up(
    record: Store,
) -> None:
    first, second = await make_project(record), await make_project(record, "two-aaaaa")
    theirs = await make_project(record, "three-aaaaa", "bob")
    await make_project(record, "none-yet-aaaaa")
    await record.post_message(first, "older", None)
    builds = [(await record.post_message(p, "x", None))[1] for p in (first, second, theirs)]
    ada = await record.ensure_owner("ada")
    newest = await record.newest_builds(ada.id)
    assert sorted(b.id for b in newest) == sorted(b.id for b in builds[:2])


# Checkpoints and verdicts by content


def checkpoint(project: ProjectId, number: int) -> Checkpoint:
    return Checkpoint(
        id=CheckpointId(f"chk_{number}"),
        project=project,
        commit=COMMIT,
        timeline=TimelineId(f"{project}.chk{number}"),
        lsn="0/1A2B3C",
        reason="before it goes",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_checkpoints_are_kept_once_in_order_and_go_with_their_project(
    record: Store,
) -> None:
    project = await make_project(record)
    assert await record.checkpoints(project) == []
    first, second = checkpoint(project, 1), checkpoint(project, 2)
    await record.add_checkpoint(first)
    await record.add_checkpoint(second)
    await record.add_checkpoint(first.model_copy(update={"reason": "another"}))
    assert await record.checkpoints(project) == [first, second]
    await record.drop_checkpoint(first.id)
    await record.drop_checkpoint(first.id)
    assert await record.checkpoints(project) == [second]
    await record.forget_project(project)
    with pytest.raises(NotFound):
        await record.checkpoints(project)
    with pytest.raises(NotFound):
        await record.add_checkpoint(checkpoint(ProjectId("none-aaaaa"), 3))


async def test_a_verdict_is_remembered_by_what_it_judged(record: Store) -> None:
    project, other = await make_project(record), await make_project(record, "two-aaaaa")
    assert await record.remembered_verdict(project, "k1") is None
    await record.remember_verdict(project, "k1", VERDICT)
    newer = VERDICT.model_copy(update={"elapsed_s": 3.0})
    await record.remember_verdict(project, "k1", newer)
    assert await record.remembered_verdict(project, "k1") == newer
    assert await record.remembered_verdict(project, "k2") is None
    assert await record.remembered_verdict(other, "k1") is None
    await record.forget_project(project)
    for call in (
        record.remembered_verdict(project, "k1"),
        record.remember_verdict(project, "k1", VERDICT),
    ):
        with pytest.raises(NotFound):
            await call
