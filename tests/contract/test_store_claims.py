"""One body for every Store: claiming, fencing, events and the inventory."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from fleet.domain.build import BuildState, StepKind, TaskState
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import BuildId, ProjectId
from fleet.domain.project import Spec
from fleet.domain.resource import ResourceKind
from fleet.errors import Conflict, LeaseLost, NotFound
from fleet.ports import NewStep, Store
from tests.contract.store_beginnings import (
    COMMIT,
    PLAN,
    SHORT,
    TTL,
    VERDICT,
    claimed,
    make_project,
    planned,
)

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
