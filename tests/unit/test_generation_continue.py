"""A build that ran out of budget goes on where it stopped, wherever it is killed meanwhile."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from fleet.domain.build import Build, BuildState, StepKind, TaskState
from fleet.domain.event import EventKind
from fleet.drivers.memory.store import MemoryStore
from fleet.errors import InfrastructureError
from fleet.settings import Price, Settings
from tests.unit.generation_world import (
    LEASE_TTL_S,
    Call,
    Crash,
    Model,
    Tripwire,
    World,
    plan,
)
from tests.unit.test_generation_build import GREEN, record_at_the_end, two_tasks


def bounded_world(max_steps: int) -> World:
    settings = Settings(lease_ttl_s=LEASE_TTL_S, max_task_attempts=3, max_steps=max_steps)
    return World(two_tasks(), settings)


@contextlib.contextmanager
def same_ids() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        numbers = itertools.count(1)
        patch.setattr("fleet.domain.ids.random_suffix", lambda n=5: f"{next(numbers):0{n}d}")
        yield


async def to_success(world: World, build: Build, wire: Tripwire) -> int:
    """Continues as often as it takes; how often that was."""
    store, continued = wire.wrap(world.store), 0
    for _ in range(20):
        with contextlib.suppress(Crash, InfrastructureError):
            await world.run(wire)
            state = (await world.store.build(build.id)).state
            if state is BuildState.SUCCEEDED:
                return continued
            assert state is BuildState.OUT_OF_BUDGET, state
            await world.sweep()
            continued += 1
            await store.continue_build(build.id)
    raise AssertionError("it never ended")


async def unbounded() -> tuple[dict[str, object], int]:
    world = World(two_tasks())
    build = await world.post()
    await world.run()
    return await record_at_the_end(world, build), len(world.model.requests)


# 3: at the gate that is red. 4: in a task whose gate was red. 5: between the tasks. 6: within one.
@pytest.mark.parametrize(("max_steps", "continued"), [(3, 2), (4, 1), (5, 1), (6, 1)])
async def test_continued_builds_record_the_same_steps_as_one_that_never_stopped(
    max_steps: int, continued: int
) -> None:
    with same_ids():
        expected, asked = await unbounded()
    with same_ids():
        world = bounded_world(max_steps)
        build = await world.post()
        assert await to_success(world, build, Tripwire()) == continued
        assert await record_at_the_end(world, build) == expected
    assert len(world.model.requests) == asked  # no completion was asked for twice
    kinds = await world.events()
    assert kinds.count("build.continued") == continued
    assert kinds.count("plan.ready") == 1 and kinds.count("task.failed") == 0
    assert kinds.count("task.started") == kinds.count("task.done") == 2


@pytest.mark.parametrize("max_steps", [3, 5])
async def test_killed_at_any_call_a_continued_build_ends_the_same(max_steps: int) -> None:
    with same_ids():
        expected, _ = await unbounded()
    with same_ids():
        world, wire = bounded_world(max_steps), Tripwire()
        await to_success(world, await world.post(), wire)
    assert wire.count > 70
    for at, after in itertools.product(range(1, wire.count + 1), (False, True)):
        with same_ids():
            world = bounded_world(max_steps)
            build = await world.post()
            await to_success(world, build, Tripwire(at, after))
            await world.sweep()
            told = await record_at_the_end(world, build)
        assert told == expected, f"killed {'after' if after else 'before'} call {at}"


class Hiccup(Tripwire):
    """The chosen write fails, before its effect or after it: its acknowledgement is lost.

    Only the record's: what a tool could not do is told to the model, and is a step of its own.
    """

    def wrap(self, port: object) -> object:
        if not isinstance(port, MemoryStore):
            return port
        wrapped = super().wrap(port)
        for name in ("register_resource", "resources", "drop_resource"):
            setattr(wrapped, name, getattr(port, name))
        return wrapped

    def trip(self, done: bool) -> None:
        if self.count == self.at and self.after is done:
            raise InfrastructureError("connection lost")


async def test_a_lost_answer_of_the_record_changes_nothing_in_it() -> None:
    with same_ids():
        expected, _ = await unbounded()
    with same_ids():
        world, wire = bounded_world(5), Hiccup()
        await to_success(world, await world.post(), wire)
    for at, after in itertools.product(range(1, wire.count + 1), (False, True)):
        with same_ids():
            world = bounded_world(5)
            build = await world.post()
            await to_success(world, build, Hiccup(at, after))
            await world.sweep()
            told = await record_at_the_end(world, build)
        assert told == expected, f"call {at} failed {'after' if after else 'before'} its effect"


async def test_out_of_budget_the_task_stays_active_and_main_serves_what_was_green() -> None:
    world = bounded_world(4)
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert "4 steps" in done.explanation and f"chat {world.project} --continue" in done.explanation
    states = [(t.state, t.attempts) for t in await world.store.tasks(build.id)]
    assert states == [(TaskState.ACTIVE, 1), (TaskState.PENDING, 0)]
    assert (await world.store.project(world.project)).head is None


async def test_another_message_may_be_sent_instead() -> None:
    world = World(
        Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}),
        Settings(lease_ttl_s=LEASE_TTL_S, max_steps=1),
    )
    await world.post()
    first = await world.run()
    assert first is not None and first.state is BuildState.OUT_OF_BUDGET
    world.settings = Settings(lease_ttl_s=LEASE_TTL_S)
    await world.post("Something else")
    second = await world.run()
    assert second is not None and second.state is BuildState.SUCCEEDED


LOOKING: list[list[Call]] = [[("list_files", {"pattern": f"{n}*"})] for n in range(9)]


def looking_world(**settings: object) -> World:
    """Each completion has 100 prompt tokens and 10 completion tokens."""
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": [*LOOKING, *GREEN]})
    base = Settings(lease_ttl_s=LEASE_TTL_S)
    return World(model, base.model_copy(update=settings))


async def test_the_budget_is_warned_of_once() -> None:
    world = looking_world(max_steps=5)
    await world.post()
    await world.run()
    events = await world.store.events(world.project, 0)
    told = [e.payload["text"] for e in events if e.kind is EventKind.NOTICE]
    assert told == ["The build has spent 80% of its 5 steps."]
    last = [e.kind for e in events].index(EventKind.NOTICE)
    assert events[last - 1].payload["number"] == 4


async def test_every_step_tells_its_tokens_its_cost_and_the_totals() -> None:
    prices = {"blueprint": Price(prompt=2.0, completion=10.0, repeated=0.0)}
    world = looking_world(model_prices=prices)
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    events = await world.store.events(world.project, 0)
    steps = [e.payload for e in events if e.kind is EventKind.STEP_FINISHED]
    assert steps[0]["prompt_tokens"] == 100 and steps[0]["cost_usd"] == 0.0003
    recorded = await world.store.build(build.id)
    total = steps[-1]["total"]
    assert isinstance(total, dict) and total["steps"] == len(steps) - 1
    assert [s["counted"] for s in steps].count(False) == 1  # the gate is no step of a budget
    assert total["cost_usd"] == recorded.usage.cost_microusd / 1_000_000 > 0
    assert total["completion_tokens"] == recorded.usage.completion_tokens
    assert events[-1].payload["cost_usd"] == total["cost_usd"]


async def test_money_ends_a_build_too_and_is_granted_anew() -> None:
    world = looking_world(max_cost_usd=0.001, model_prices={"blueprint": Price(prompt=2.0)})
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert "$0.001" in done.explanation and done.usage.cost_microusd == 1_000
    assert len(world.model.requests) == 5
    await world.store.continue_build(build.id)
    done = await world.run()
    assert done is not None and done.usage.cost_microusd == 2_000


async def test_an_answer_is_never_asked_for_longer_than_the_budget_pays_for() -> None:
    world = looking_world(max_completion_tokens=1_000)
    await world.post()
    await world.run()
    assert [r.max_tokens for r in world.model.requests[:3]] == [1_000, 990, 980]


async def test_an_owner_who_spent_the_period_waits_and_other_owners_do_not() -> None:
    world = looking_world(owner_max_steps=3, owner_period_s=3_600)
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert "builds of this owner spent their 3 steps of 1 hour" in done.explanation
    events = await world.store.events(world.project, 0)
    told = [e.payload["text"] for e in events if e.kind is EventKind.NOTICE]
    assert told == ["The builds of this owner have spent all of their 3 steps of 1 hour."]
    assert len(world.model.requests) == 3
    await world.store.continue_build(build.id)
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert len(world.model.requests) == 3
    world.clock.time = world.clock.time.replace(hour=14)
    await world.store.continue_build(build.id)
    done = await world.run()
    assert done is not None and len(world.model.requests) == 6


async def test_time_counts_from_the_fresh_grant() -> None:
    world = looking_world(max_build_s=600.0, max_steps=4)
    build = await world.post()
    await world.run()
    world.clock.time = world.clock.time.replace(hour=20)
    await world.store.continue_build(build.id)
    done = await world.run()
    assert done is not None and "4 steps" in done.explanation
    steps = await world.store.steps(build.id)
    assert len(steps) == 8 and steps[-1].kind is StepKind.PRODUCER


async def test_a_build_that_needs_its_last_step_succeeds_with_just_so_many() -> None:
    world = World(
        Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}),
        Settings(lease_ttl_s=LEASE_TTL_S, max_steps=len(GREEN) + 1),
    )
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    events = await world.store.events(world.project, 0)
    last = [e.payload for e in events if e.kind is EventKind.STEP_FINISHED][-1]
    total = last["total"]
    assert isinstance(total, dict) and total["steps"] == len(GREEN) + 1 == last["number"] - 1


async def test_a_build_that_begins_with_most_of_the_owners_bound_spent_is_told_so() -> None:
    world = looking_world(owner_max_steps=8, max_steps=7)
    build = await world.post()
    await world.run()
    await world.store.continue_build(build.id)
    await world.run()
    events = await world.store.events(world.project, 0)
    notices = [e.payload["text"] for e in events if e.kind is EventKind.NOTICE]
    owner = "The builds of this owner have spent 80% of their 8 steps of 1 day."
    assert notices == ["The build has spent 80% of its 7 steps.", owner, owner]
